package query

import (
	"regexp"
	"strings"
)

// temporal writes the operators on dates.
func (c *compiler) temporal(s *scope, e *call) (value, error) {
	v, k, err := c.dated(s, e, e.args[0])
	if err != nil {
		return value{}, err
	}
	switch e.op {
	case "datetime-add":
		return c.moved(e, v, k)
	case "datetime-diff":
		return c.difference(s, e, v, k)
	case "convert-timezone":
		return c.rezoned(e, v, k)
	}
	u, names, short := e.unit, "", false
	switch e.op {
	case "month-name":
		u, names, short = "month-of-year", "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", true
	case "quarter-name":
		u, names, short = "quarter-of-year", "Q1 Q2 Q3 Q4", true
	case "day-name":
		u, names, short = "day-of-week-iso", "Monday Tuesday Wednesday Thursday Friday Saturday Sunday", true
	}
	if k == aTime && !u.ofClock() || k == aDate && u.ofClock() {
		return value{}, e.args[0].place().errorf("%s has no %s", k, u)
	}
	sql := c.Dialect.part(u, c.FirstDay, c.Dialect.local(k, c.zone.String(), v.sql))
	if !short {
		return value{sql: sql, base: "type/Integer"}, nil
	}
	out := cat("(CASE ", sql)
	for i, name := range strings.Fields(names) {
		out = cat(out, " WHEN "+itoa(int64(i+1))+" THEN '"+name+"'")
	}
	return value{sql: cat(out, " END)"), base: "type/Text"}, nil
}

// dated writes an argument that must be a date. Text is read as a date with
// time where that is all that is known of it.
func (c *compiler) dated(s *scope, e *call, a expr) (value, class, error) {
	if l, is := a.(*literal); is {
		if text, is := l.value.(string); is {
			t, _, ok := readDate(text, c.zone)
			if !ok {
				return value{}, 0, l.at.errorf("must be a date here")
			}
			return value{sql: c.Dialect.moment(aDateTime, t), base: "type/DateTime"}, aDateTime, nil
		}
	}
	v, err := c.value(s, a)
	if err != nil {
		return v, 0, err
	}
	k := classOf(v.base)
	switch {
	case k.ofDay(), k == aTime && e.op == "temporal-extract":
		return v, k, nil
	case k == aThing, k == aText:
		v.sql, v.base = c.Dialect.cast("datetime", k, v.sql), "type/DateTime"
		return v, aDateTime, nil
	}
	return v, k, a.place().errorf("%q needs a date here, not %s", e.op, k)
}

// moved is a date so many steps later.
func (c *compiler) moved(e *call, v value, k class) (value, error) {
	for _, s := range e.steps {
		dateOnly := k == aDate && !s.unit.ofClock()
		local := c.Dialect.add(c.Dialect.local(k, c.zone.String(), v.sql), s, dateOnly)
		if k == aDate && !dateOnly {
			k, v.base = aDateTime, "type/DateTime"
		}
		v.sql = c.Dialect.global(k, c.zone.String(), local)
		if err := c.fits(e, v.sql); err != nil {
			return value{}, err
		}
	}
	return value{sql: v.sql, base: v.base}, nil
}

// difference counts whole units from one date to the other, below zero when
// the second is the earlier one. Days and what is longer are counted from day
// to day, whatever the time of the day.
func (c *compiler) difference(s *scope, e *call, v value, k class) (value, error) {
	w, l, err := c.dated(s, e, e.args[1])
	if err != nil {
		return value{}, err
	}
	x, y := c.Dialect.local(k, c.zone.String(), v.sql), c.Dialect.local(l, c.zone.String(), w.sql)
	d := c.Dialect
	var sql fragment
	switch e.unit {
	case "second":
		sql = d.seconds(x, y)
	case "minute":
		sql = d.quotient(d.seconds(x, y), 60)
	case "hour":
		sql = d.quotient(d.seconds(x, y), 3600)
	case "day":
		sql = d.days(x, y)
	case "week":
		sql = d.quotient(d.days(x, y), 7)
	case "month":
		sql = c.months(x, y)
	case "quarter":
		sql = d.quotient(c.months(x, y), 3)
	case "year":
		sql = d.quotient(c.months(x, y), 12)
	default:
		return value{}, e.at.errorf("dates do not differ in units of %s here", e.unit)
	}
	return value{sql: sql, base: "type/Integer"}, nil
}

// months counts the whole months from one day to the other.
func (c *compiler) months(x, y fragment) fragment {
	part := func(u unit, x fragment) fragment { return c.Dialect.part(u, c.FirstDay, x) }
	n := cat("((", part("year-of-era", y), " - ", part("year-of-era", x), ") * 12 + ", part("month-of-year", y), " - ", part("month-of-year", x), ")")
	late := cat(part("day-of-month", y), " - ", part("day-of-month", x))
	return cat("(", n, " - (CASE WHEN ", n, " > 0 AND ", late, " < 0 THEN 1 WHEN ", n, " < 0 AND ", late, " > 0 THEN -1 ELSE 0 END))")
}

// zoneName is how a time zone may be called.
var zoneName = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}|[+-][0-9]{2}:[0-9]{2})$`)

// rezoned shows a date as the clocks of another zone do.
func (c *compiler) rezoned(e *call, v value, k class) (value, error) {
	if k == aDate {
		return value{}, e.args[0].place().errorf("a date without a time is the same in every zone")
	}
	names := make([]string, 2)
	for i, a := range e.args[1:] {
		l, _ := a.(*literal)
		if l == nil {
			return value{}, a.place().errorf("must be the name of a time zone that is written out here")
		}
		name, is := l.value.(string)
		if !is || len(name) > 64 || !zoneName.MatchString(name) {
			return value{}, a.place().errorf("must be the name of a time zone, such as Europe/Berlin")
		}
		names[i] = name
	}
	to, from := names[0], names[1]
	switch {
	case from != "" && k == aInstant:
		return value{}, e.args[2].place().errorf("the date knows its zone; none can be said for it")
	case from == "":
		from = c.zone.String()
	}
	sql, ok := c.Dialect.rezone(c.Dialect.local(k, c.zone.String(), v.sql), from, to)
	if !ok {
		return value{}, e.at.errorf("the engine %s has no function for %q", c.Dialect.engine(), e.op)
	}
	return value{sql: sql, base: "type/DateTime"}, nil
}
