package query

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// This file reads the values of parameters that are about dates.

// relative reads dates such as past30days, next2weeks~ and thismonth, and
// past3months-from-1years.
var relative = regexp.MustCompile(`^(past|next|this|last)([0-9]{0,6})(second|minute|hour|day|week|month|quarter|year)s?(~?)(?:-from-([0-9]{1,6})(minute|hour|day|week|month|quarter|year)s?)?$`)

// quarterly reads a quarter such as Q1-2024.
var quarterly = regexp.MustCompile(`^Q([1-4])-([0-9]{4})$`)

// namedDays are days by their names.
var namedDays = map[string]int64{"yesterday": -1, "today": 0, "tomorrow": 1}

// excluded are the parts of dates that can be left out, with their names in
// their order; "" are numbers.
var excluded = map[string]struct {
	unit  unit
	names string
}{
	"hours": {"hour-of-day", ""}, "days": {"day-of-week-iso", "Mon Tue Wed Thu Fri Sat Sun"},
	"months": {"month-of-year", "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"}, "quarters": {"quarter-of-year", ""},
}

// date is the value as a condition on a field.
func (x *parameter) date(field expr) (expr, error) {
	n := x.only()
	s, err := n.word()
	if err != nil {
		return nil, err
	}
	if m := relative.FindStringSubmatch(s); m != nil {
		return stretch(n, field, m), nil
	}
	if days, is := namedDays[s]; is {
		return &call{at: n, op: "=", args: []expr{field, &moment{at: n, amount: days, unit: "day"}}}, nil
	}
	if m := quarterly.FindStringSubmatch(s); m != nil {
		first := map[string]string{"1": "01", "2": "04", "3": "07", "4": "10"}[m[1]]
		return within("quarter", n, field, m[2]+"-"+first+"-01"), nil
	}
	if rest, is := strings.CutPrefix(s, "exclude-"); is {
		return without(n, field, rest)
	}
	from, to, ranged := strings.Cut(s, "~")
	switch {
	case !ranged && len(s) == len("2024-01") && isDate(s):
		return within("month", n, field, s+"-01"), nil
	case !ranged && isDate(s):
		return &call{at: n, op: "=", args: []expr{field, &literal{n, s}}}, nil
	case ranged && isDate(from) && isDate(to):
		return &call{at: n, op: "between", args: []expr{field, &literal{n, from}, &literal{n, to}}}, nil
	case ranged && isDate(from) && to == "":
		return &call{at: n, op: ">=", args: []expr{field, &literal{n, from}}}, nil
	case ranged && isDate(to) && from == "":
		return &call{at: n, op: "<=", args: []expr{field, &literal{n, to}}}, nil
	}
	return nil, n.errorf("%s is not a date, a range of dates or a stretch of time around now", quoted(s))
}

// stretch is the condition that a match of relative says.
func stretch(n *node, field expr, m []string) expr {
	i := &interval{at: n, subject: field, unit: unit(m[3]), current: m[4] != ""}
	if i.amount = 1; m[2] != "" {
		i.amount, _ = strconv.ParseInt(m[2], 10, 64) // six digits at most
	}
	back := m[1] == "past" || m[1] == "last"
	switch {
	case m[1] == "this":
		i.amount = 0
	case back:
		i.amount = -i.amount
	}
	if m[5] != "" {
		k, _ := strconv.ParseInt(m[5], 10, 64)
		if back {
			k = -k
		}
		i.shift = &step{k, unit(m[6])}
	}
	return i
}

// without is the condition that a part of the date is none of those named.
func without(n *node, field expr, s string) (expr, error) {
	kind, list, _ := strings.Cut(s, "-")
	e, ok := excluded[kind]
	if !ok {
		return nil, n.errorf("%s cannot be left out; hours, days, months and quarters can", quoted(kind))
	}
	c := &call{at: n, op: "!=", args: []expr{reshaped(field, e.unit)}}
	for name := range strings.SplitSeq(list, "-") {
		i := int64(slices.Index(strings.Fields(e.names), name)) + 1
		if e.names == "" {
			var err error
			if i, err = strconv.ParseInt(name, 10, 16); err != nil {
				i = -1
			}
		}
		if i < 0 || e.names != "" && i == 0 || len(c.args) > maxOperands {
			return nil, n.errorf("%s is not one of the %s", quoted(name), kind)
		}
		c.args = append(c.args, &literal{n, i})
	}
	return c, nil
}

// within is the condition that a field lies in the unit that begins at day.
func within(u unit, at *node, field expr, day string) expr {
	return &call{at: at, op: "=", args: []expr{reshaped(field, u), &literal{at, day}}}
}
