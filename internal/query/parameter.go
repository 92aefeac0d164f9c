package query

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// parameter is a value that is given beside a question: for a variable of a
// native one; or, for a field of a structured one, a condition on it or the
// unit that it is cut to.
type parameter struct {
	at         *node
	kind       string // "number/between", "date/range", ...
	tag        string // native
	dimension  bool   // native: the target calls the variable a field filter
	field      expr   // structured; *fieldRef or *expressionRef
	stage      int64  // structured: the stage that it is for, from 0; -1 for the last
	value      *node
	ignoreCase bool
}

// WithParameters is the question with these parameters, the JSON list that
// clients send beside it, in place of its own. Who may pass which parameter
// to a saved question is not decided here.
func (q *Query) WithParameters(data []byte) (*Query, error) {
	if len(data) == 0 {
		data = []byte("null")
	}
	n, err := readJSON(data)
	if err != nil {
		return nil, err
	}
	c := *q
	if c.parameters = nil; n.kind == isNull {
		return &c, nil
	}
	n.up = &node{kind: isObject, keys: []string{"parameters"}, items: []*node{n}}
	c.parameters, err = (&parser{}).parameters(n, &c)
	return &c, err
}

// parameters reads the list; those without a value do not count.
func (*parser) parameters(n *node, q *Query) ([]parameter, error) {
	p := &parser{} // targets are in the plain form always
	if err := n.want(isArray); err != nil {
		return nil, err
	}
	var all []parameter
	for _, item := range n.items {
		if err := item.want(isObject); err != nil {
			return nil, err
		}
		v := item.get("value")
		if v == nil || v.kind == isArray && len(v.items) == 0 || v.kind == isString && v.text == "" {
			continue
		}
		x := parameter{at: item, value: v, stage: -1}
		if t := item.get("type"); t != nil {
			var err error
			if x.kind, err = t.word(); err != nil {
				return nil, err
			}
		}
		if o := item.get("options"); o != nil {
			c := o.get("case-sensitive")
			x.ignoreCase = c != nil && c.kind == isBool && !c.yes
		}
		t := item.get("target")
		if t == nil {
			return nil, item.errorf("has a value and no target")
		}
		if err := p.target(t, &x, q); err != nil {
			return nil, err
		}
		if err := x.possible(); err != nil {
			return nil, err
		}
		if len(all) == maxOperands {
			return nil, n.errorf("more than %d parameters", maxOperands)
		}
		all = append(all, x)
	}
	return all, nil
}

// target reads what the parameter is for.
func (p *parser) target(t *node, x *parameter, q *Query) error {
	c, err := p.clause(t)
	if err != nil {
		return err
	}
	p.takeOptions(&c, false)
	if err := c.count(1, 1); err != nil {
		return err
	}
	inner, err := p.clause(c.args[0])
	if err != nil {
		return err
	}
	switch {
	case q.native != nil && (c.op == "variable" || c.op == "dimension") && inner.op == "template-tag":
		if err := inner.count(1, 1); err != nil {
			return err
		}
		x.dimension = c.op == "dimension"
		x.tag, err = inner.args[0].word()
		return err
	case q.native != nil:
		return t.errorf("must be of the form [\"variable\", [\"template-tag\", name]], or \"dimension\" in place of \"variable\"")
	case c.op != "dimension":
		return t.errorf("must be of the form [\"dimension\", field]")
	}
	if s := c.opts.get("stage-number"); s != nil {
		if x.stage, err = s.whole(-1, q.block.stages()); err != nil {
			return err
		}
	}
	x.field, err = p.column(c.args[0])
	return err
}

// possible refuses what cannot be a condition or a unit.
func (x *parameter) possible() (err error) {
	switch {
	case x.field == nil:
	case x.kind == "temporal-unit":
		_, err = (&parser{}).unit(x.only(), cut, part)
	default:
		_, err = x.condition(x.field, x.kind)
	}
	return err
}

// only is the value, or the one of a list of one.
func (x *parameter) only() *node {
	if x.value.kind == isArray && len(x.value.items) == 1 {
		return x.value.items[0]
	}
	return x.value
}

// stages counts the stages that stand in the question itself.
func (b *block) stages() int64 {
	n := int64(1)
	for ; b.source.block != nil; b = b.source.block {
		n++
	}
	return n
}

// plainOperators are the parameter types that are a clause of the same sense.
var plainOperators = map[string]string{
	"": "=", "id": "=", "category": "=", "text": "=", "none": "=", "string/=": "=", "number/=": "=", "boolean/=": "=",
	"string/!=": "!=", "number/!=": "!=", "number/>=": ">=", "number/<=": "<=", "number/between": "between",
	"string/contains": "contains", "string/does-not-contain": "does-not-contain",
	"string/starts-with": "starts-with", "string/ends-with": "ends-with",
}

// condition is the parameter as a condition of the kind on a field.
func (x *parameter) condition(field expr, kind string) (expr, error) {
	if strings.HasPrefix(kind, "date/") {
		return x.date(field)
	}
	op := plainOperators[kind]
	if strings.HasPrefix(kind, "location/") && op == "" {
		op = "="
	}
	if op == "" {
		return nil, x.at.errorf("there are no parameters of the type %s", quoted(kind))
	}
	c := &call{at: x.value, op: op, args: []expr{field}, ignoreCase: x.ignoreCase}
	given := []*node{x.value}
	if x.value.kind == isArray {
		given = x.value.items
	}
	for _, n := range given {
		l, err := (&parser{}).literal(n)
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, l)
	}
	o := operators[op]
	return c, clause{at: x.value, op: op, args: make([]*node, len(c.args))}.count(o.min, o.max)
}

// governed is the question with its parameters: as conditions, and as units,
// of the stages that they are for.
func (q *Query) governed() (*block, error) {
	if len(q.parameters) == 0 {
		return q.block, nil
	}
	last := q.block.stages() - 1
	by := map[int64][]*parameter{}
	lowest := last
	for i := range q.parameters {
		x := &q.parameters[i]
		k := x.stage
		if k < 0 {
			k = last
		}
		by[k] = append(by[k], x)
		lowest = min(lowest, k)
	}
	var with func(b *block, k int64) (*block, error)
	with = func(b *block, k int64) (_ *block, err error) {
		c := *b
		if k > lowest {
			if c.source.block, err = with(c.source.block, k-1); err != nil {
				return nil, err
			}
		}
		return &c, c.apply(by[k])
	}
	b, err := with(q.block, last)
	if more := by[last+1]; err == nil && more != nil { // a stage of its own, above the last
		b = &block{at: q.block.at, source: source{at: q.block.at, block: b}}
		err = b.apply(more)
	}
	return b, err
}

// apply puts parameters into the stage, which must be a copy.
func (b *block) apply(parameters []*parameter) error {
	if len(parameters) == 0 {
		return nil
	}
	var all []expr
	if b.filter != nil {
		all = append(all, b.filter)
	}
	for _, x := range parameters {
		if x.kind == "temporal-unit" {
			u, err := (&parser{}).unit(x.only(), cut, part)
			if err != nil {
				return err
			}
			b.recut(x.field, u)
			continue
		}
		e, err := x.condition(x.field, x.kind)
		if err != nil {
			return err
		}
		all = append(all, e)
	}
	switch len(all) {
	case 0:
	case 1:
		b.filter = all[0]
	default:
		b.filter = &call{at: b.at, op: "and", args: all}
	}
	return nil
}

// recut cuts the field to another unit wherever the stage breaks out by it,
// shows it or orders by it.
func (b *block) recut(field expr, u unit) {
	other := func(e expr) expr {
		if sameColumn(e, field) && shapeOf(e).unit != "" {
			return reshaped(e, u)
		}
		return e
	}
	every := func(list []expr) []expr {
		list = slices.Clone(list)
		for i, e := range list {
			list[i] = other(e)
		}
		return list
	}
	b.breakouts, b.fields, b.orders = every(b.breakouts), every(b.fields), slices.Clone(b.orders)
	for i, o := range b.orders {
		b.orders[i].by = other(o.by)
	}
}

// sameColumn tells whether both name one column, in whatever shape.
func sameColumn(a, b expr) bool {
	switch a := a.(type) {
	case *fieldRef:
		b, is := b.(*fieldRef)
		return is && a.id == b.id && a.name == b.name && a.join == b.join &&
			(a.via == nil) == (b.via == nil) && (a.via == nil || *a.via == *b.via)
	case *expressionRef:
		b, is := b.(*expressionRef)
		return is && a.name == b.name
	default:
		return false
	}
}

// shapeOf is what a reference makes of its value.
func shapeOf(e expr) shape {
	switch e := e.(type) {
	case *fieldRef:
		return e.shape
	case *expressionRef:
		return e.shape
	default:
		return shape{}
	}
}

// reshaped is the reference with another unit, or none.
func reshaped(e expr, u unit) expr {
	switch e := e.(type) {
	case *fieldRef:
		c := *e
		c.shape = shape{unit: u}
		return &c
	case *expressionRef:
		c := *e
		c.shape = shape{unit: u}
		return &c
	default:
		return e
	}
}

// json writes the parameter as clients send it.
func (x *parameter) json() map[string]any {
	m := map[string]any{"type": x.kind, "value": x.value.json()}
	switch {
	case x.field != nil && x.stage >= 0:
		m["target"] = []any{"dimension", x.field.mbql(), object{"stage-number": x.stage}}
	case x.field != nil:
		m["target"] = []any{"dimension", x.field.mbql()}
	case x.dimension:
		m["target"] = []any{"dimension", []any{"template-tag", x.tag}}
	default:
		m["target"] = []any{"variable", []any{"template-tag", x.tag}}
	}
	if x.kind == "" {
		delete(m, "type")
	}
	if x.ignoreCase {
		m["options"] = map[string]any{"case-sensitive": false}
	}
	return m
}

// MarshalJSON writes the question in its plain form, which Parse reads as the
// same question.
func (q *Query) MarshalJSON() ([]byte, error) {
	m := map[string]any{"database": q.database}
	if q.database == 0 {
		m["database"] = json.Number(savedQuestions)
	}
	switch {
	case q.native != nil:
		m["type"], m["native"] = "native", q.native.json()
	case q.block != nil:
		m["type"], m["query"] = "query", q.block.mbql()
	default:
		return nil, fmt.Errorf("a query that was not parsed")
	}
	if len(q.parameters) > 0 {
		var all []any
		for i := range q.parameters {
			all = append(all, q.parameters[i].json())
		}
		m["parameters"] = all
	}
	return json.Marshal(m)
}
