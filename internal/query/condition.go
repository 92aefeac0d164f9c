package query

import "strings"

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
		err = c.fits(e, f)
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
		return c.order(s, e)
	case "inside":
		return c.inside(s, e)
	case "during":
		day := &call{at: e.at, op: "=", args: []expr{reshaped(e.args[0], e.unit), e.args[1]}}
		if shapeOf(day.args[0]).unit != e.unit || !fixed(e.args[1]) {
			return nil, e.at.errorf("%q compares a field with a date that is written out", e.op)
		}
		return c.equality(s, day)
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
	p, err := c.compared(s, e)
	switch {
	case err != nil:
		return nil, err
	case p.x == nil: // null alone
		return text(map[string]string{"=": "(1 = 1)", "!=": "(1 = 0)"}[e.op]), nil
	case p.spans != nil:
		return p.within(e.op), nil
	}
	list := separated(", ", p.rest)
	switch {
	case e.op == "=" && len(p.rest) == 0:
		return cat("(", p.x, " IS NULL)"), nil
	case e.op == "=" && p.null:
		return cat("(", p.x, " IS NULL OR ", p.x, " IN (", list, "))"), nil
	case e.op == "=" && len(p.rest) == 1:
		return cat("(", p.x, " = ", p.rest[0], ")"), nil
	case e.op == "=":
		return cat("(", p.x, " IN (", list, "))"), nil
	case len(p.rest) == 0:
		return cat("(", p.x, " IS NOT NULL)"), nil
	case p.null:
		return cat("(", p.x, " IS NOT NULL AND ", p.x, " NOT IN (", list, "))"), nil
	case len(p.rest) == 1:
		return c.Dialect.differs(p.x, p.rest[0]), nil
	}
	return cat("coalesce(", p.x, " NOT IN (", list, "), TRUE)"), nil
}

// within writes "=" and "!=" of a date and stretches of time.
func (p *comparison) within(op string) fragment {
	var any []fragment
	for _, s := range p.spans {
		x := cat("(", p.x, " >= ", s.from)
		if s.to != nil {
			x = cat(x, " AND ", p.x, " < ", s.to)
		}
		any = append(any, cat(x, ")"))
	}
	if op == "=" && p.null {
		any = append(any, cat("(", p.x, " IS NULL)"))
	}
	f := balanced(" OR ", any)
	switch {
	case op == "=":
		return f
	case p.null:
		return cat("(", p.x, " IS NOT NULL AND NOT ", f, ")")
	}
	return cat("(NOT coalesce(", f, ", FALSE))")
}

// order writes the comparisons that ask which is more.
func (c *compiler) order(s *scope, e *call) (fragment, error) {
	p, err := c.compared(s, e)
	switch {
	case err != nil:
		return nil, err
	case p.k == aBoolean:
		return nil, e.at.errorf("true and false have no order")
	case p.spans != nil:
		return p.ordered(e.op), nil
	case e.op == "between":
		return cat("(", p.x, " BETWEEN ", p.rest[0], " AND ", p.rest[1], ")"), nil
	}
	return cat("(", p.x, " "+e.op+" ", p.rest[0], ")"), nil
}

// ordered writes the order of a date and stretches of time: it is after one
// when it is after its end.
func (p *comparison) ordered(op string) fragment {
	first, last := p.spans[0], p.spans[len(p.spans)-1]
	switch {
	case op == "<":
		return cat("(", p.x, " < ", first.from, ")")
	case op == ">=", op == "between" && last.to == nil:
		return cat("(", p.x, " >= ", first.from, ")")
	case op == "between":
		return cat("(", p.x, " >= ", first.from, " AND ", p.x, " < ", last.to, ")")
	case op == "<=" && last.to == nil:
		return cat("(", p.x, " IS NOT NULL)")
	case op == "<=":
		return cat("(", p.x, " < ", last.to, ")")
	case last.to == nil:
		return text("(1 = 0)")
	}
	return cat("(", p.x, " >= ", last.to, ")")
}

// inside writes that a point lies in a box: latitude, longitude, and the
// north, west, south and east of it.
func (c *compiler) inside(s *scope, e *call) (fragment, error) {
	both := make([]fragment, 2)
	for i, edges := range [][2]int{{4, 2}, {3, 5}} { // south to north, west to east
		low, high := e.args[edges[0]], e.args[edges[1]]
		for _, edge := range []expr{low, high} {
			l, _ := edge.(*literal)
			if l == nil {
				return nil, edge.place().errorf("must be a number that is written out here")
			}
			if classOf(literalValue(l).base) != aNumber {
				return nil, l.at.errorf("must be a number here")
			}
		}
		var err error
		if both[i], err = c.order(s, &call{at: e.at, op: "between", args: []expr{e.args[i], low, high}}); err != nil {
			return nil, err
		}
	}
	return cat("(", both[0], " AND ", both[1], ")"), nil
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
	v, err := c.operand(s, e.op, e.args[0], aText)
	if err != nil {
		return nil, err
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
// beginning of another, and so much earlier or later if it is moved.
func (c *compiler) interval(s *scope, e *interval) (fragment, error) {
	v, err := c.value(s, reshaped(e.subject, "")) // the clause has a unit of its own
	if err != nil {
		return nil, err
	}
	k := classOf(v.base)
	if !k.ofDay() || k == aDate && e.unit.ofClock() {
		return nil, e.subject.place().errorf("a stretch of time in units of %s needs a date, not %s", e.unit, k)
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
	x := c.Dialect.comparable(k, v.sql)
	bounds := make([]fragment, 2)
	for i, amount := range []int64{first, last} {
		m := &moment{at: e.at, amount: amount, unit: e.unit}
		if e.shift != nil {
			m.steps = []step{*e.shift}
		}
		t, err := c.moment(m)
		if err != nil {
			return nil, err
		}
		bounds[i] = c.Dialect.moment(k, t)
	}
	return cat("(", x, " >= ", bounds[0], " AND ", x, " < ", bounds[1], ")"), nil
}
