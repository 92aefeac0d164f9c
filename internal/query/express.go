package query

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Bounds on what is written. They keep a small question from becoming a huge
// statement, as expressions that use others twice would.
const (
	maxNesting = 50     // clauses inside one another, expressions followed
	maxTokens  = 50_000 // pieces of one value or condition
)

func itoa(i int64) string { return strconv.FormatInt(i, 10) }

// nested counts the depth of clauses; leave must be called when done.
func (c *compiler) nested(e expr) (leave func(), err error) {
	if c.depth++; c.depth > maxNesting {
		err = e.place().errorf("clauses are nested too deep: more than %d levels", maxNesting)
	}
	return func() { c.depth-- }, err
}

func fits(e expr, f fragment) error {
	if len(f) > maxTokens {
		return e.place().errorf("this makes too large a statement")
	}
	return nil
}

// value writes a clause that has a value.
func (c *compiler) value(s *scope, e expr) (value, error) {
	leave, err := c.nested(e)
	defer leave()
	if err != nil {
		return value{}, err
	}
	var v value
	switch e := e.(type) {
	case *fieldRef:
		return c.field(s, e)
	case *expressionRef:
		v, err = c.expression(s, e)
	case *literal:
		return literalValue(e), nil
	case *moment:
		var t time.Time
		if t, err = c.moment(e); err == nil {
			v = value{sql: bound(c.Dialect.bindTime(t)), base: "type/DateTime"}
		}
	case *call:
		v, err = c.operation(s, e)
	case *interval, *aggregationRef:
		err = e.place().errorf("this is not a value")
	}
	if err == nil {
		err = fits(e, v.sql)
	}
	return v, err
}

func literalValue(e *literal) value {
	v := value{sql: bound(e.value), base: "type/*"}
	switch e.value.(type) {
	case bool:
		v.base = "type/Boolean"
	case int64:
		v.base = "type/Integer"
	case float64:
		v.base = "type/Float"
	case string:
		v.base = "type/Text"
	}
	return v
}

// operation writes an operator that gives a value.
func (c *compiler) operation(s *scope, e *call) (value, error) {
	if e.op == "case" {
		return c.cases(s, e)
	}
	var args []fragment
	base, allWhole := "", true
	for _, a := range e.args {
		v, err := c.value(s, a)
		if err != nil {
			return value{}, err
		}
		if err := operand(e.op, a, v); err != nil {
			return value{}, err
		}
		if base == "" && v.base != "type/*" {
			base = v.base
		}
		allWhole = allWhole && whole(v.base)
		args = append(args, v.sql)
	}
	switch e.op {
	case "+", "-", "*", "/":
		v := value{sql: c.arithmetic(e.op, args), base: "type/Float"}
		if allWhole && e.op != "/" {
			v.base = "type/Integer"
		}
		return v, nil
	case "coalesce":
		if base == "" {
			base = "type/*"
		}
		if len(args) == 1 {
			return value{sql: args[0], base: base}, nil
		}
		return value{sql: cat("coalesce(", separated(", ", args), ")"), base: base}, nil
	case "concat":
		return value{sql: balanced(" || ", args), base: "type/Text"}, nil
	case "lower", "upper", "trim", "ltrim", "rtrim":
		return value{sql: cat(e.op+"(", args[0], ")"), base: "type/Text"}, nil
	case "length":
		return value{sql: c.Dialect.length(args[0]), base: "type/Integer"}, nil
	case "round":
		return value{sql: cat("round(", args[0], ")"), base: base}, nil
	}
	return value{}, e.at.errorf("%q is not a value", e.op)
}

// operand refuses what an operator cannot work on.
func operand(op string, at expr, v value) error {
	k := classOf(v.base)
	if k == aThing || op == "coalesce" || op == "concat" {
		return nil
	}
	want := aText
	switch op {
	case "+", "-", "*", "/", "round":
		want = aNumber
	}
	if k != want {
		return at.place().errorf("%q needs %s here, not %s", op, want, k)
	}
	return nil
}

// arithmetic writes a - b - c as a - (b + c), so that long lists stay flat.
func (c *compiler) arithmetic(op string, args []fragment) fragment {
	switch op {
	case "-":
		return cat("(", args[0], " - ", balanced(" + ", args[1:]), ")")
	case "/":
		return c.Dialect.divide(args[0], balanced(" * ", args[1:]))
	}
	return balanced(" "+op+" ", args)
}

func (c *compiler) cases(s *scope, e *call) (value, error) {
	out := value{sql: text("CASE"), base: "type/*"}
	add := func(before string, a expr) error {
		v, err := c.value(s, a)
		if err != nil {
			return err
		}
		if out.base == "type/*" {
			out.base = v.base
		}
		out.sql = cat(out.sql, before, v.sql)
		return nil
	}
	for i := 0; i+1 < len(e.args); i += 2 {
		when, err := c.condition(s, e.args[i])
		if err != nil {
			return value{}, err
		}
		out.sql = cat(out.sql, " WHEN ", when)
		if err := add(" THEN ", e.args[i+1]); err != nil {
			return value{}, err
		}
	}
	if len(e.args)%2 == 1 {
		if err := add(" ELSE ", e.args[len(e.args)-1]); err != nil {
			return value{}, err
		}
	}
	out.sql = cat("(", out.sql, " END)")
	return out, nil
}

// moment is the time that a relative date means.
func (c *compiler) moment(e *moment) (time.Time, error) {
	t, err := e.unit.add(e.unit.floor(c.now), e.amount)
	if err != nil {
		return t, e.at.errorf("%s", err)
	}
	return t, nil
}

// operands writes things that are compared with each other, in a form in
// which they can be. What they are is decided by the first that is neither a
// literal nor a moment; literals are read as that.
func (c *compiler) operands(s *scope, args []expr) ([]fragment, class, error) {
	subject, allDays := -1, true
	for i, a := range args {
		switch a := a.(type) {
		case *literal:
			day, ok := a.value.(string)
			_, is, _ := readDate(day, time.UTC)
			allDays = allDays && ok && is
		case *moment:
			allDays = allDays && !a.unit.ofClock()
		default:
			if subject < 0 {
				subject = i
			}
		}
	}
	out := make([]fragment, len(args))
	if subject < 0 {
		for i, a := range args {
			v, err := c.value(s, a)
			if err != nil {
				return nil, 0, err
			}
			out[i] = v.sql
		}
		return out, aThing, nil
	}
	v, err := c.value(s, args[subject])
	if err != nil {
		return nil, 0, err
	}
	k := classOf(v.base)
	alike := c.alike(v, k, allDays)
	for i, a := range args {
		switch l := a.(type) {
		case *literal:
			if out[i], err = c.read(l, k, v.base); err == nil {
				out[i] = alike(out[i])
			}
		case *moment:
			var t time.Time
			if k != aDate && k != aDateTime {
				err = l.at.errorf("a date cannot be compared with %s", k)
			} else if t, err = c.moment(l); err == nil {
				out[i] = alike(bound(c.Dialect.bindTime(t)))
			}
		default:
			other := v
			if i != subject {
				other, err = c.value(s, a)
			}
			if err == nil && comparable(k) != comparable(classOf(other.base)) && k != aThing && classOf(other.base) != aThing {
				err = a.place().errorf("%s cannot be compared with %s", classOf(other.base), k)
			}
			if out[i] = other.sql; other.unit == "" || other.unit != v.unit {
				out[i] = alike(other.sql)
			}
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return out, k, nil
}

// comparable folds classes that can be compared with each other.
func comparable(k class) class {
	if k == aDate {
		return aDateTime
	}
	return k
}

// alike gives the form in which values of the subject's kind are compared.
// A date with time that is compared with whole days counts as its day.
func (c *compiler) alike(v value, k class, allDays bool) func(fragment) fragment {
	d := c.Dialect
	switch {
	case v.unit != "":
		return func(x fragment) fragment { return d.cut(v.unit, x) }
	case k == aDate || k == aDateTime && allDays:
		return d.day
	case k == aDateTime:
		return d.instant
	case k == aTime:
		return d.clock
	}
	return func(x fragment) fragment { return x }
}

// read makes a literal an argument of the class. Numbers and text become each
// other where the other is meant and nothing is lost.
func (c *compiler) read(l *literal, k class, base string) (fragment, error) {
	wrong := func() (fragment, error) { return nil, l.at.errorf("must be %s here", k) }
	switch v := l.value.(type) {
	case string:
		switch k {
		case aNumber:
			if i, err := strconv.ParseInt(v, 10, 64); err == nil {
				return bound(i), nil
			}
			f, ok := finite(v)
			if !ok {
				return wrong()
			}
			return bound(f), nil
		case aBoolean:
			b, err := strconv.ParseBool(v)
			if err != nil {
				return wrong()
			}
			return bound(b), nil
		case aDate, aDateTime:
			t, _, ok := readDate(v, time.UTC)
			if !ok {
				return wrong()
			}
			return bound(c.Dialect.bindTime(t)), nil
		case aTime:
			for _, form := range []string{"15:04", "15:04:05"} {
				if t, err := time.Parse(form, v); err == nil {
					return bound(t.Format("15:04:05.000")), nil
				}
			}
			return wrong()
		}
	case int64, float64:
		if k == aText {
			return bound(fmt.Sprint(v)), nil
		}
		if k != aNumber && k != aThing {
			return wrong()
		}
	case bool:
		if k != aBoolean && k != aThing {
			return wrong()
		}
	}
	if f, is := l.value.(float64); is && whole(base) && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return bound(int64(f)), nil
	}
	return bound(l.value), nil
}
