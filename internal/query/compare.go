package query

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// fixed tells whether a clause is known before any row is read.
func fixed(e expr) bool {
	switch e.(type) {
	case *literal, *moment:
		return true
	default:
		return false
	}
}

// comparison is the arguments of a clause that compares the first with the
// others, in forms in which they can be. Nulls are not among them.
type comparison struct {
	k    class
	x    fragment
	rest []fragment // what x is compared with,
	// or the stretches of time that it is compared with: those that begin and
	// end where a unit does, so that the column stands alone on its side.
	spans []span
	null  bool // null was among the others
}

// span is from its beginning to before its end; without an end when that lies
// beyond the calendar.
type span struct{ from, to fragment }

// compared writes the arguments of a comparison. What they are is decided by
// the first that is neither a literal nor a moment; literals are read as that.
func (c *compiler) compared(s *scope, e *call) (*comparison, error) {
	null := func(e expr) bool { l, is := e.(*literal); return is && l.value == nil }
	args := slices.DeleteFunc(slices.Clone(e.args), null)
	p := &comparison{null: len(args) < len(e.args)}
	if len(args) == 0 {
		return p, nil
	}
	i := max(0, slices.IndexFunc(args, func(e expr) bool { return !fixed(e) }))
	values := make([]value, len(args))
	for j, a := range args {
		if j == i || !fixed(a) {
			var err error
			if values[j], err = c.value(s, a); err != nil {
				return nil, err
			}
		}
	}
	v := values[i]
	f := form{k: classOf(v.base), base: v.base, unit: v.unit}
	p.k = f.k
	switch {
	case f.k.ofDay() && f.unit == "" && c.allDays(args):
		f.k = aDate
	case f.k == aUUID && slices.ContainsFunc(values, func(v value) bool { return v.sql != nil && classOf(v.base) == aText }):
		f.k = aText
	}
	if p.k.ofDay() && i == 0 && !slices.ContainsFunc(args[1:], func(e expr) bool { return !fixed(e) }) && (f.unit != "" || f.k != p.k) {
		return p, c.spans(s, p, f, v, args)
	}
	for j, a := range args {
		var x fragment
		var err error
		if j == i || !fixed(a) {
			x, err = c.formed(f, a, values[j])
		} else {
			x, err = c.read(f, a)
		}
		if err != nil {
			return nil, err
		}
		p.rest = append(p.rest, x)
	}
	p.x, p.rest = p.rest[0], p.rest[1:]
	return p, nil
}

// form is how values are written to be compared.
type form struct {
	k    class
	base string // type of the subject
	unit unit   // that dates are cut to; "" for none
}

// allDays tells whether all that is written out among the arguments is dates
// without a time, and something is: a date with time that is compared with
// whole days counts as its day.
func (c *compiler) allDays(args []expr) bool {
	some := false
	for _, e := range args {
		switch e := e.(type) {
		case *literal:
			text, is := e.value.(string)
			if _, day, ok := readDate(text, c.zone); !is || !day || !ok {
				return false
			}
			some = true
		case *moment:
			if e.unit.ofClock() || slices.ContainsFunc(e.steps, func(s step) bool { return s.unit.ofClock() }) {
				return false
			}
			some = true
		default:
		}
	}
	return some
}

// formed writes a value in the form.
func (c *compiler) formed(f form, at expr, v value) (fragment, error) {
	k := classOf(v.base)
	switch {
	case k == aThing || f.k == aThing:
		return v.sql, nil
	case k.kin() != f.k.kin():
		return nil, at.place().errorf("%s cannot be compared with %s", k, f.k)
	case k == f.k && f.unit == v.unit:
		return c.Dialect.comparable(k, v.sql), nil
	case k == aUUID: // beside text
		return c.Dialect.cast("text", k, v.sql), nil
	case f.k == aUUID:
		return nil, at.place().errorf("%s cannot be compared with %s", k, f.k)
	}
	c.risk()
	zone := c.zone.String()
	x := c.Dialect.local(k, zone, v.sql)
	if f.unit != "" {
		x = c.Dialect.cut(f.unit, c.FirstDay, x)
	}
	return c.Dialect.comparable(f.k, c.Dialect.global(f.k, zone, x)), nil
}

// spans writes a comparison of a date with literals and moments by the units
// that they lie in.
func (c *compiler) spans(s *scope, p *comparison, f form, v value, args []expr) error {
	u := f.unit
	if u == "" {
		u = "day"
	} else if plain := reshaped(args[0], ""); shapeOf(args[0]).unit == u { // not cut before this stage
		var err error
		if v, err = c.value(s, plain); err != nil {
			return err
		}
	}
	p.x = c.Dialect.comparable(p.k, v.sql)
	for _, a := range args[1:] {
		t, err := c.time(a)
		if err != nil {
			return err
		}
		from := u.floor(t, c.FirstDay)
		sp := span{from: c.Dialect.moment(p.k, from)}
		if to, err := u.add(from, 1); err == nil {
			sp.to = c.Dialect.moment(p.k, to)
		}
		p.spans = append(p.spans, sp)
	}
	return nil
}

// time is when a literal or a moment is.
func (c *compiler) time(e expr) (time.Time, error) {
	switch e := e.(type) {
	case *moment:
		return c.moment(e)
	case *literal:
		if text, is := e.value.(string); is {
			if t, _, ok := readDate(text, c.zone); ok {
				return t, nil
			}
		}
	default:
	}
	return time.Time{}, e.place().errorf("must be a date here")
}

// read makes a literal or a moment an argument of the form. Numbers and text
// become each other where the other is meant and nothing is lost.
func (c *compiler) read(f form, e expr) (fragment, error) {
	if f.k.ofDay() {
		t, err := c.time(e)
		if f.unit != "" && err == nil {
			t = f.unit.floor(t, c.FirstDay)
		}
		return c.Dialect.moment(f.k, t), err
	}
	l, is := e.(*literal)
	if !is {
		return nil, e.place().errorf("a date cannot be compared with %s", f.k)
	}
	wrong := func() (fragment, error) { return nil, l.at.errorf("must be %s here", f.k) }
	if f.k == aThing {
		return boundAs(l.value, asNeeded), nil
	}
	switch v := l.value.(type) {
	case string:
		switch f.k {
		case aNumber:
			if i, err := strconv.ParseInt(v, 10, 64); err == nil {
				return bound(i), nil
			}
			n, ok := finite(v)
			if !ok {
				return wrong()
			}
			return bound(n), nil
		case aBoolean:
			b, err := strconv.ParseBool(v)
			if err != nil {
				return wrong()
			}
			return bound(b), nil
		case aTime:
			t, ok := readTime(v)
			if !ok {
				return wrong()
			}
			return c.Dialect.moment(aTime, t), nil
		case aUUID:
			if c.Dialect.invalid(aUUID, v) != "" {
				return wrong()
			}
			return boundAs(v, asUUID), nil
		}
		return bound(v), nil
	case int64, float64:
		switch f.k {
		case aText:
			return bound(fmt.Sprint(v)), nil
		case aNumber:
			if n, is := v.(float64); is && whole(f.base) && n == math.Trunc(n) && math.Abs(n) < 1<<53 {
				return bound(int64(n)), nil
			}
			return bound(v), nil
		}
	case bool:
		if f.k == aBoolean {
			return bound(v), nil
		}
	}
	return wrong()
}
