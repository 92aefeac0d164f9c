package query

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// parameter is a value that is given beside a question: for a variable of a
// native one, or as a condition on a field of a structured one.
type parameter struct {
	at         *node
	kind       string // "number/between", "date/range", ...
	tag        string // native
	field      expr   // structured; *fieldRef or *expressionRef
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
		x := parameter{at: item, value: v}
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
		if err := p.target(item, &x, q); err != nil {
			return nil, err
		}
		if len(all) == maxOperands {
			return nil, n.errorf("more than %d parameters", maxOperands)
		}
		all = append(all, x)
	}
	return all, nil
}

func (p *parser) target(n *node, x *parameter, q *Query) error {
	native := q.native != nil
	t := n.get("target")
	if t == nil {
		return n.errorf("has a value and no target")
	}
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
	case native && c.op == "variable" && inner.op == "template-tag":
		if err := inner.count(1, 1); err != nil {
			return err
		}
		x.tag, err = inner.args[0].word()
		return err
	case native:
		return t.errorf("only targets of the form [\"variable\", [\"template-tag\", name]] are supported yet")
	case c.op != "dimension":
		return t.errorf("must be of the form [\"dimension\", field]")
	}
	if s := c.opts.get("stage-number"); s != nil && s.text != "-1" && s.text != itoa(q.block.stages()-1) {
		return s.errorf("only conditions on the last stage are supported yet")
	}
	if x.field, err = p.column(c.args[0]); err != nil {
		return err
	}
	_, err = x.condition() // refuse here what cannot be one
	return err
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
	"": "=", "id": "=", "category": "=", "text": "=", "string/=": "=", "number/=": "=", "boolean/=": "=", "temporal-unit": "",
	"string/!=": "!=", "number/!=": "!=", "number/>=": ">=", "number/<=": "<=", "number/between": "between",
	"string/contains": "contains", "string/does-not-contain": "does-not-contain",
	"string/starts-with": "starts-with", "string/ends-with": "ends-with",
}

// condition is the parameter as a condition on its field.
func (x *parameter) condition() (expr, error) {
	if strings.HasPrefix(x.kind, "date/") {
		return x.date()
	}
	op := plainOperators[x.kind]
	if strings.HasPrefix(x.kind, "location/") && op == "" {
		op = "="
	}
	if op == "" {
		return nil, x.at.errorf("parameters of the type %s are not supported yet", quoted(x.kind))
	}
	c := &call{at: x.value, op: op, args: []expr{x.field}, ignoreCase: x.ignoreCase}
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

// relative reads dates such as past30days, next2weeks~ and thismonth.
var relative = regexp.MustCompile(`^(past|next|this|last)([0-9]{0,6})(second|minute|hour|day|week|month|quarter|year)s?(~?)$`)

// quarterly reads a quarter such as Q1-2024.
var quarterly = regexp.MustCompile(`^Q([1-4])-([0-9]{4})$`)

func (x *parameter) date() (expr, error) {
	n := x.value
	if n.kind == isArray && len(n.items) == 1 {
		n = n.items[0]
	}
	s, err := n.word()
	if err != nil {
		return nil, err
	}
	if m := relative.FindStringSubmatch(s); m != nil {
		i := &interval{at: n, subject: x.field, unit: unit(m[3]), current: m[4] != ""}
		if i.amount = 1; m[2] != "" {
			i.amount, _ = strconv.ParseInt(m[2], 10, 64) // six digits at most
		}
		switch m[1] {
		case "this":
			i.amount = 0
		case "past", "last":
			i.amount = -i.amount
		}
		return i, nil
	}
	if m := quarterly.FindStringSubmatch(s); m != nil {
		first := map[string]string{"1": "01", "2": "04", "3": "07", "4": "10"}[m[1]]
		return x.within("quarter", n, m[2]+"-"+first+"-01"), nil
	}
	from, to, ranged := strings.Cut(s, "~")
	switch {
	case !ranged && len(s) == len("2024-01") && isDate(s):
		return x.within("month", n, s+"-01"), nil
	case !ranged && isDate(s):
		return &call{at: n, op: "=", args: []expr{x.field, &literal{n, s}}}, nil
	case ranged && isDate(from) && isDate(to):
		return &call{at: n, op: "between", args: []expr{x.field, &literal{n, from}, &literal{n, to}}}, nil
	case ranged && isDate(from) && to == "":
		return &call{at: n, op: ">=", args: []expr{x.field, &literal{n, from}}}, nil
	case ranged && isDate(to) && from == "":
		return &call{at: n, op: "<=", args: []expr{x.field, &literal{n, to}}}, nil
	}
	return nil, n.errorf("%s is not a date, a range of dates or a stretch of time around now", quoted(s))
}

func isDate(s string) bool {
	_, _, ok := readDate(s, time.UTC)
	return ok
}

// within is the condition that the field lies in the unit that begins at day.
func (x *parameter) within(u unit, at *node, day string) expr {
	f, is := x.field.(*fieldRef)
	if !is {
		return &call{at: at, op: "=", args: []expr{x.field, &literal{at, day}}}
	}
	c := *f
	c.unit = u
	return &call{at: at, op: "=", args: []expr{&c, &literal{at, day}}}
}

// json writes the parameter as clients send it.
func (x *parameter) json() map[string]any {
	m := map[string]any{"type": x.kind, "value": x.value.json()}
	if x.field != nil {
		m["target"] = []any{"dimension", x.field.mbql()}
	} else {
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
