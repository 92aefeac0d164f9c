package query

import (
	"slices"
	"strconv"
)

// clause is a list that begins with the name of what it says.
type clause struct {
	at   *node
	op   string
	args []*node
	opts *node // an empty object when there are none
}

func (p *parser) clause(n *node) (clause, error) {
	c := clause{at: n, opts: &node{kind: isObject, up: n}}
	if err := n.want(isArray); err != nil {
		return c, err
	}
	if len(n.items) == 0 {
		return c, n.errorf("is an empty list; a clause begins with its name")
	}
	var err error
	if c.op, err = n.items[0].word(); err != nil {
		return c, err
	}
	c.args = n.items[1:]
	if p.staged {
		if len(c.args) == 0 || c.args[0].kind != isObject {
			return c, n.errorf("must have its options, an object, at [1]")
		}
		c.opts, c.args = c.args[0], c.args[1:]
	}
	return c, nil
}

// takeOptions moves the options of the plain form, an object at the end or,
// before several values, at the start, out of the arguments.
func (p *parser) takeOptions(c *clause, first bool) {
	last := len(c.args) - 1
	switch {
	case p.staged || last < 0:
	case c.args[last].kind == isObject:
		c.opts, c.args = c.args[last], c.args[:last]
	case first && c.args[0].kind == isObject:
		c.opts, c.args = c.args[0], c.args[1:]
	}
}

// only refuses options that the clause does not have.
func (p *parser) only(c clause, keys ...string) error {
	for i, key := range c.opts.keys {
		if slices.Contains(keys, key) || ignored(key) || p.staged && slices.Contains(everyClause, key) {
			continue
		}
		return c.opts.items[i].errorf("there is no such option of %q", c.op)
	}
	return nil
}

// everyClause are options that any clause of the staged form may carry.
var everyClause = []string{"name", "display-name", "base-type", "effective-type", "semantic-type"}

func (c clause) count(low, high int) error {
	switch n := len(c.args); {
	case n < low && low == high, n > high && low == high:
		return c.at.errorf("%q takes %d arguments, not %d", c.op, low, n)
	case n < low:
		return c.at.errorf("%q takes at least %d arguments, not %d", c.op, low, n)
	case n > high:
		return c.at.errorf("%q takes at most %d arguments, not %d", c.op, high, n)
	}
	return nil
}

// unknown is the error for a clause that has no place here.
func (c clause) unknown() error {
	at := c.at.items[0]
	if later[c.op] {
		return at.errorf("%q is not supported yet", c.op)
	}
	return at.errorf("there is no clause %s", quoted(c.op))
}

// expr reads what may stand in the use.
func (p *parser) expr(n *node, as use) (expr, error) {
	if as != asCondition && n.kind != isArray {
		return p.literal(n)
	}
	c, err := p.clause(n)
	if err != nil {
		return nil, err
	}
	switch c.op {
	case "field", "field-id", "field-literal", "datetime-field", "joined-field", "expression", "relative-datetime":
		switch {
		case as != asValue:
			return nil, c.at.items[0].errorf("%q cannot stand here: this must be %s", c.op, as)
		case c.op == "expression":
			return p.expressionRef(n)
		case c.op == "relative-datetime":
			return p.moment(c)
		}
		return p.fieldRef(n)
	}
	switch {
	case c.op == "time-interval" && as == asCondition:
		return p.interval(c)
	case c.op == "case" && as == asValue:
		return p.cases(c)
	}
	o, ok := operators[c.op]
	if !ok {
		return nil, c.unknown()
	}
	if o.use&as == 0 {
		return nil, c.at.items[0].errorf("%q cannot stand here: this must be %s", c.op, as)
	}
	return p.call(c, o, as)
}

func (p *parser) call(c clause, o operator, as use) (expr, error) {
	x := &call{at: c.at, op: c.op}
	if o.options {
		p.takeOptions(&c, true)
		if err := p.only(c, "case-sensitive"); err != nil {
			return nil, err
		}
		if v := c.opts.get("case-sensitive"); v != nil {
			if err := v.want(isBool); err != nil {
				return nil, err
			}
			x.ignoreCase = !v.yes
		}
	} else if err := p.only(c); err != nil {
		return nil, err
	}
	if err := c.count(o.min, o.max); err != nil {
		return nil, err
	}
	for i, arg := range c.args {
		inner := as // of arithmetic: operands are what it is itself
		if len(o.args) > 0 {
			inner = o.args[min(i, len(o.args)-1)]
		}
		e, err := p.expr(arg, inner)
		if err != nil {
			return nil, err
		}
		if l, is := e.(*literal); is && l.value == nil && c.op != "=" && c.op != "!=" {
			return nil, arg.errorf("null can only be compared with \"=\" and \"!=\"")
		}
		x.args = append(x.args, e)
	}
	return x, nil
}

func (p *parser) literal(n *node) (expr, error) {
	l := &literal{at: n}
	switch n.kind {
	case isNull:
	case isBool:
		l.value = n.yes
	case isString:
		l.value = n.text
	case isNumber:
		if i, err := strconv.ParseInt(n.text, 10, 64); err == nil {
			l.value = i
		} else if f, err := strconv.ParseFloat(n.text, 64); err == nil {
			l.value = f
		} else {
			return nil, n.errorf("is too large a number")
		}
	default:
		return nil, n.errorf("must be a value, not %s", kindNames[n.kind])
	}
	return l, nil
}

// unit reads a unit of one of the kinds; "default" is none.
func (p *parser) unit(n *node, kinds ...unitKind) (unit, error) {
	s, err := n.word()
	if err != nil {
		return "", err
	}
	k, ok := unitKinds[unit(s)]
	switch {
	case s == "default" && len(kinds) > 1:
		return "", nil
	case !ok:
		return "", n.errorf("there is no unit %s", quoted(s))
	case !slices.Contains(kinds, k):
		return "", n.errorf("the unit %q cannot stand here", s)
	}
	return unit(s), nil
}

// steps reads how many units from now: a number or a word.
func (p *parser) steps(n *node, words map[string]int64) (int64, error) {
	if n.kind == isString {
		if i, ok := words[n.text]; ok {
			return i, nil
		}
		return 0, n.errorf("must be a number or one of the words for it, not %s", quoted(n.text))
	}
	return n.whole(-maxStep, maxStep)
}

func (p *parser) moment(c clause) (expr, error) {
	if err := p.only(c); err != nil {
		return nil, err
	}
	if err := c.count(1, 2); err != nil {
		return nil, err
	}
	m := &moment{at: c.at, unit: "day"}
	var err error
	if m.amount, err = p.steps(c.args[0], map[string]int64{"current": 0}); err != nil {
		return nil, err
	}
	if len(c.args) == 2 {
		m.unit, err = p.unit(c.args[1], cut)
	}
	return m, err
}

func (p *parser) interval(c clause) (expr, error) {
	p.takeOptions(&c, false)
	if err := p.only(c, "include-current"); err != nil {
		return nil, err
	}
	if err := c.count(3, 3); err != nil {
		return nil, err
	}
	i := &interval{at: c.at}
	var err error
	if v := c.opts.get("include-current"); v != nil {
		if err := v.want(isBool); err != nil {
			return nil, err
		}
		i.current = v.yes
	}
	if i.subject, err = p.column(c.args[0]); err != nil {
		return nil, err
	}
	if i.amount, err = p.steps(c.args[1], map[string]int64{"current": 0, "last": -1, "next": 1}); err != nil {
		return nil, err
	}
	i.unit, err = p.unit(c.args[2], cut)
	return i, err
}

// cases reads ["case", [[condition, value], ...], {"default": value}].
func (p *parser) cases(c clause) (expr, error) {
	var otherwise *node
	if p.staged {
		if err := c.count(1, 2); err != nil {
			return nil, err
		}
		if len(c.args) == 2 && c.args[1].kind != isNull {
			otherwise = c.args[1]
		}
	} else {
		p.takeOptions(&c, false)
		if err := c.count(1, 1); err != nil {
			return nil, err
		}
		otherwise = c.opts.get("default")
	}
	if err := p.only(c, "default"); err != nil {
		return nil, err
	}
	x := &call{at: c.at, op: c.op}
	if err := c.args[0].want(isArray); err != nil {
		return nil, err
	}
	if n := len(c.args[0].items); n == 0 || n > maxOperands {
		return nil, c.args[0].errorf("must have from 1 to %d pairs of a condition and a value", maxOperands)
	}
	for _, pair := range c.args[0].items {
		if pair.kind != isArray || len(pair.items) != 2 {
			return nil, pair.errorf("must be a pair of a condition and a value")
		}
		when, err := p.expr(pair.items[0], asCondition)
		if err != nil {
			return nil, err
		}
		then, err := p.expr(pair.items[1], asValue)
		if err != nil {
			return nil, err
		}
		x.args = append(x.args, when, then)
	}
	if otherwise != nil {
		e, err := p.expr(otherwise, asValue)
		if err != nil {
			return nil, err
		}
		x.args = append(x.args, e)
	}
	return x, nil
}
