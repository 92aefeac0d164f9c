package query

import (
	"slices"
	"strings"
)

// condition writes a clause that is true or not. Where a comparison with
// null decides, it decides as in Metabase: "!=" and "does-not-contain" hold
// for null, and "not" of a clause is the opposite clause.
func (c *compiler) condition(s *scope, e expr) (fragment, error) {
	leave, err := c.nested(e)
	defer leave()
	if err != nil {
		return nil, err
	}
	var f fragment
	switch e := e.(type) {
	case *interval:
		f, err = c.interval(s, e)
	case *call:
		f, err = c.predicate(s, e)
	default:
		err = e.place().errorf("this is not a condition")
	}
	if err == nil {
		err = fits(e, f)
	}
	return f, err
}

func (c *compiler) predicate(s *scope, e *call) (fragment, error) {
	switch e.op {
	case "and", "or":
		var all []fragment
		for _, a := range e.args {
			f, err := c.condition(s, a)
			if err != nil {
				return nil, err
			}
			all = append(all, f)
		}
		return balanced(" "+strings.ToUpper(e.op)+" ", all), nil
	case "not":
		return c.opposite(s, e.args[0])
	case "=", "!=":
		return c.equality(s, e)
	case "<", "<=", ">", ">=", "between":
		all, k, err := c.operands(s, e.args)
		switch {
		case err != nil:
			return nil, err
		case k == aBoolean:
			return nil, e.at.errorf("true and false have no order")
		case e.op == "between":
			return cat("(", all[0], " BETWEEN ", all[1], " AND ", all[2], ")"), nil
		}
		return cat("(", separated(" "+e.op+" ", all), ")"), nil
	case "is-null", "not-null", "is-empty", "not-empty":
		return c.emptiness(s, e)
	case "contains", "does-not-contain", "starts-with", "ends-with":
		return c.match(s, e)
	}
	return nil, e.at.errorf("%q is not a condition", e.op)
}

// opposites are pairs of clauses that exclude each other.
var opposites = map[string]string{"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">",
	"is-null": "not-null", "not-null": "is-null", "is-empty": "not-empty", "not-empty": "is-empty",
	"contains": "does-not-contain", "does-not-contain": "contains", "and": "or", "or": "and"}

// opposite writes the clause that holds where e does not.
func (c *compiler) opposite(s *scope, e expr) (fragment, error) {
	x, is := e.(*call)
	if is && x.op == "not" {
		return c.condition(s, x.args[0])
	}
	if is && opposites[x.op] != "" {
		n := *x
		n.op = opposites[x.op]
		if n.op == "and" || n.op == "or" {
			n.args = nil
			for _, a := range x.args {
				n.args = append(n.args, &call{at: a.place(), op: "not", args: []expr{a}})
			}
		}
		return c.condition(s, &n)
	}
	f, err := c.condition(s, e)
	if err != nil {
		return nil, err
	}
	if is && (x.op == "starts-with" || x.op == "ends-with") {
		f = cat("coalesce(", f, ", FALSE)")
	}
	return cat("(NOT ", f, ")"), nil
}

// equality writes "=" and "!=", of which the first takes any of the further
// arguments and the second none of them.
func (c *compiler) equality(s *scope, e *call) (fragment, error) {
	isNil := func(a expr) bool { l, is := a.(*literal); return is && l.value == nil }
	args := slices.DeleteFunc(slices.Clone(e.args), isNil)
	null := len(args) < len(e.args)
	all, _, err := c.operands(s, args)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 { // null alone
		return text(map[string]string{"=": "(1 = 1)", "!=": "(1 = 0)"}[e.op]), nil
	}
	x, rest := all[0], all[1:]
	list := separated(", ", rest)
	switch {
	case e.op == "=" && len(rest) == 0:
		return cat("(", x, " IS NULL)"), nil
	case e.op == "=" && null:
		return cat("(", x, " IS NULL OR ", x, " IN (", list, "))"), nil
	case e.op == "=" && len(rest) == 1:
		return cat("(", x, " = ", rest[0], ")"), nil
	case e.op == "=":
		return cat("(", x, " IN (", list, "))"), nil
	case len(rest) == 0:
		return cat("(", x, " IS NOT NULL)"), nil
	case null:
		return cat("(", x, " IS NOT NULL AND ", x, " NOT IN (", list, "))"), nil
	case len(rest) == 1:
		return c.Dialect.differs(x, rest[0]), nil
	}
	return cat("coalesce(", x, " NOT IN (", list, "), TRUE)"), nil
}

// emptiness writes is-null and is-empty; the latter, of text, takes the empty
// text for null.
func (c *compiler) emptiness(s *scope, e *call) (fragment, error) {
	v, err := c.value(s, e.args[0])
	if err != nil {
		return nil, err
	}
	isText := classOf(v.base) == aText
	switch {
	case e.op == "is-empty" && isText:
		return cat("(coalesce(", v.sql, ", '') = '')"), nil
	case e.op == "not-empty" && isText:
		return cat("(", v.sql, " <> '')"), nil
	case e.op == "is-null", e.op == "is-empty":
		return cat("(", v.sql, " IS NULL)"), nil
	}
	return cat("(", v.sql, " IS NOT NULL)"), nil
}

// match writes the conditions on parts of text. Of several patterns one must
// match, for does-not-contain none.
func (c *compiler) match(s *scope, e *call) (fragment, error) {
	v, err := c.value(s, e.args[0])
	if err != nil {
		return nil, err
	}
	if k := classOf(v.base); k != aText && k != aThing {
		return nil, e.args[0].place().errorf("%q needs text here, not %s", e.op, k)
	}
	op := e.op
	if op == "does-not-contain" {
		op = "contains"
	}
	var any []fragment
	for _, a := range e.args[1:] {
		l, _ := a.(*literal)
		if l == nil {
			return nil, a.place().errorf("must be text that is written out here")
		}
		pattern, is := l.value.(string)
		if !is {
			return nil, a.place().errorf("must be text here")
		}
		any = append(any, c.Dialect.match(op, v.sql, pattern, e.ignoreCase))
	}
	f := balanced(" OR ", any)
	if e.op == "does-not-contain" {
		f = cat("(NOT coalesce(", f, ", FALSE))")
	}
	return f, nil
}

// interval writes time-interval: from the beginning of a unit to before the
// beginning of another.
func (c *compiler) interval(s *scope, e *interval) (fragment, error) {
	subject := e.subject
	if f, is := subject.(*fieldRef); is { // the clause has a unit of its own
		plain := *f
		plain.unit = ""
		subject = &plain
	}
	v, err := c.value(s, subject)
	if err != nil {
		return nil, err
	}
	if k := classOf(v.base); k != aDateTime && (k != aDate || e.unit.ofClock()) {
		return nil, subject.place().errorf("a stretch of time in units of %s needs a date, not %s", e.unit, k)
	}
	first, last := e.amount, int64(0) // units from now, the last one excluded
	switch {
	case e.amount == 0:
		last = 1
	case e.amount < 0 && e.current:
		last = 1
	case e.amount > 0:
		first, last = 1, e.amount+1
		if e.current {
			first = 0
		}
	}
	from, err := c.moment(&moment{e.at, first, e.unit})
	if err != nil {
		return nil, err
	}
	to, err := c.moment(&moment{e.at, last, e.unit})
	if err != nil {
		return nil, err
	}
	form := c.alike(v, classOf(v.base), false)
	return cat("(", form(v.sql), " >= ", form(bound(c.Dialect.bindTime(from))),
		" AND ", form(v.sql), " < ", form(bound(c.Dialect.bindTime(to))), ")"), nil
}
