package query

import (
	"slices"
	"strconv"
	"strings"
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
	if same := synonyms[c.op]; same != "" {
		c.op = same
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
		return at.errorf("%q is not supported: there are none here", c.op)
	}
	return at.errorf("there is no clause %s", quoted(c.op))
}

// special are the clauses that are not in the table of operators, with where
// they may stand.
var special = map[string]use{"field": asValue, "field-id": asValue, "field-literal": asValue, "datetime-field": asValue, "joined-field": asValue,
	"fk->": asValue, "expression": asValue, "relative-datetime": asValue, "absolute-datetime": asValue, "time": asValue, "value": asValue,
	"case": asValue, "datetime": asValue, "datetime-add": asValue, "datetime-subtract": asValue, "temporal-extract": asValue, "time-interval": asCondition, "relative-time-interval": asCondition, "metric": asAggregation}

// expr reads what may stand in the use.
func (p *parser) expr(n *node, as use) (expr, error) {
	if as != asCondition && n.kind != isArray {
		return p.literal(n)
	}
	c, err := p.clause(n)
	if err != nil {
		return nil, err
	}
	o, ok := operators[c.op]
	may := o.use
	if s, is := special[c.op]; is {
		may, ok = s, true
	}
	if extracts[c.op] != "" {
		may, ok = asValue, true
	}
	switch {
	case !ok:
		return nil, c.unknown()
	case may&as == 0:
		return nil, c.at.items[0].errorf("%q cannot stand here: this must be %s", c.op, as)
	}
	switch c.op {
	case "field", "field-id", "field-literal", "datetime-field", "joined-field", "fk->":
		return p.fieldRef(n)
	case "expression":
		return p.expressionRef(n)
	case "relative-datetime":
		return p.moment(c)
	case "absolute-datetime", "time", "value":
		return p.wrapped(c)
	case "case":
		return p.cases(c)
	case "datetime":
		return p.datetime(c)
	case "datetime-add", "datetime-subtract":
		return p.later(c)
	case "time-interval", "relative-time-interval":
		return p.interval(c)
	case "metric":
		return p.metric(c)
	case "+", "-":
		if as != asValue {
			break
		}
		if e, is, err := p.moved(c); is || err != nil {
			return e, err
		}
	case "temporal-extract":
		return p.extract(c, "")
	}
	if u := extracts[c.op]; u != "" {
		return p.extract(c, u)
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
	} else if c.op == "offset" { // its options come first in both forms
		p.takeOptions(&c, true)
		if err := p.only(c, everyClause...); err != nil {
			return nil, err
		}
	} else if err := p.only(c); err != nil {
		return nil, err
	}
	if o.units != nil {
		if err := c.count(o.min+1, o.max+1); err != nil {
			return nil, err
		}
		var err error
		last := len(c.args) - 1
		if x.unit, err = p.unit(c.args[last], o.units...); err != nil {
			return nil, err
		}
		c.args = c.args[:last]
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
		if strings.ContainsRune(n.text, 0) {
			return nil, n.errorf("has a NUL character in it")
		}
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

// wrapped reads clauses that are a literal with something known of it: its
// type, or the unit that it is meant in.
func (p *parser) wrapped(c clause) (expr, error) {
	if err := c.count(1, 2); err != nil {
		return nil, err
	}
	e, err := p.literal(c.args[0])
	if l, is := e.(*literal); is && err == nil && c.op != "value" {
		if _, text := l.value.(string); !text {
			err = c.args[0].errorf("must be text")
		}
	}
	return e, err
}

// metric reads ["metric", card].
func (p *parser) metric(c clause) (expr, error) {
	if err := p.only(c, everyClause...); err != nil {
		return nil, err
	}
	if err := c.count(1, 1); err != nil {
		return nil, err
	}
	id, err := c.args[0].id()
	return &metricRef{at: c.at, card: id}, err
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
