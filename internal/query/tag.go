package query

import (
	"encoding/json"
	"regexp"
	"strconv"
)

// tag is a variable, {{name}} in the text.
type tag struct {
	at       *node
	name     string
	id       string // as clients know it; may be ""
	kind     string // "text", "number", "date", "boolean", "dimension", or one that is not for variables
	standard *node  // the default; nil for none
	required bool
	field    *fieldRef  // of a field filter, the field that it is about
	widget   string     // of a field filter, how values are compared unless their parameter says it
	alias    string     // of a field filter, what the column is called in the SQL; "" for its own name
	loose    bool       // of a field filter, text is found whatever its case
	snippet  snippetRef // of a snippet
}

// columnName is how the SQL may call a column: its name, behind those of a
// table and a schema, without quotes.
var columnName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*){0,2}$`)

func (p *parser) tags(n *node) ([]tag, error) {
	if err := n.want(isObject); err != nil {
		return nil, err
	}
	var all []tag
	for i, item := range n.items {
		t, err := p.tag(item, n.keys[i])
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

func (p *parser) tag(n *node, name string) (tag, error) {
	t := tag{at: n, name: name}
	if err := n.want(isObject); err != nil {
		return t, err
	}
	for j, key := range n.keys {
		v := n.items[j]
		var err error
		switch {
		case v.kind == isNull:
		case key == "type":
			t.kind, err = v.word()
		case key == "default":
			t.standard = v
		case key == "required":
			t.required, err = v.yes, v.want(isBool)
		case key == "id":
			t.id, err = v.word()
		case key == "name":
			if v.text != t.name || v.kind != isString {
				err = v.errorf("must be the name under which the tag stands")
			}
		case key == "dimension":
			t.field, err = p.dimension(v)
		case key == "widget-type":
			t.widget, err = v.word()
		case key == "options" && v.kind == isObject:
			c := v.get("case-sensitive")
			t.loose = c != nil && c.kind == isBool && !c.yes
		case key == "snippet-id":
			t.snippet.id, err = v.id()
		case key == "snippet-name":
			t.snippet.name, err = v.word()
		case key == "alias":
			if t.alias, err = v.word(); err == nil && !columnName.MatchString(t.alias) {
				err = v.errorf("must be the name of a column, such as o.created_at")
			}
		}
		if err != nil {
			return t, err
		}
	}
	switch {
	case t.kind == "":
		return t, n.errorf("has no type")
	case t.kind == "dimension" && t.field == nil:
		return t, n.errorf("has no \"dimension\", the field that it filters by")
	case t.kind != "dimension":
		t.field = nil
	}
	return t, nil
}

// dimension reads the field of a field filter.
func (p *parser) dimension(n *node) (*fieldRef, error) {
	f, err := p.fieldRef(n)
	if err == nil && (f.id == 0 || f.via != nil || f.join != "") {
		err = n.errorf("must be the field of a table, by its id")
	}
	return f, err
}

// variable tells whether the tag is one that takes values.
func (t *tag) variable() bool {
	switch t.kind {
	case "text", "number", "date", "boolean", "dimension":
		return true
	}
	return false
}

// usable refuses tags that are no variables.
func (t *tag) usable() error {
	if t.variable() {
		return nil
	}
	return t.at.errorf("variables of the type %s are not supported; there are text, number, date, boolean and dimension", quoted(t.kind))
}

// value reads a value of the tag's type; false for none.
func (t *tag) value(n *node) (any, bool, error) {
	if n.kind == isArray && len(n.items) == 1 {
		n = n.items[0]
	}
	if none(n) {
		return nil, false, nil
	}
	l, err := (&parser{}).literal(n)
	switch {
	case n.kind == isArray:
		return nil, false, n.errorf("a variable has one value; only a field filter takes several")
	case err != nil:
		return nil, false, err
	case t.kind == "text" && n.kind == isBool:
		return strconv.FormatBool(n.yes), true, nil
	case t.kind == "text":
		return n.text, true, nil
	case t.kind == "number" && n.kind == isNumber:
		return l.(*literal).value, true, nil
	case t.kind == "number" && n.kind == isString:
		if i, err := strconv.ParseInt(n.text, 10, 64); err == nil {
			return i, true, nil
		}
		if f, ok := finite(n.text); ok {
			return f, true, nil
		}
		return nil, false, n.errorf("must be a number, not %s", quoted(n.text))
	case t.kind == "date" && n.kind == isString:
		if isDate(n.text) {
			return n.text, true, nil
		}
		return nil, false, n.errorf("must be a date, not %s", quoted(n.text))
	case t.kind == "boolean":
		if n.kind == isBool {
			return n.yes, true, nil
		}
		if b, err := strconv.ParseBool(n.text); err == nil {
			return b, true, nil
		}
	}
	return nil, false, n.errorf("is not a value for a variable of the type %q", t.kind)
}

// none tells whether a value is none.
func none(n *node) bool {
	return n.kind == isNull || n.kind == isArray && len(n.items) == 0 || n.kind == isString && n.text == ""
}

// zoned is a time that says its zone.
var zoned = regexp.MustCompile(`(?:Z|[+-][0-9]{2}:[0-9]{2})$`)

// date is a date that a person gave for a variable, as an argument: one
// without a time, with one, or with a zone too.
func (c *compiler) date(s string) fragment {
	t, day, _ := readDate(s, c.zone)
	switch {
	case day:
		return c.Dialect.moment(aDate, t)
	case zoned.MatchString(s):
		return c.Dialect.moment(aInstant, t)
	}
	return c.Dialect.moment(aDateTime, t)
}

// json is the value as encoding/json writes it again.
func (n *node) json() any {
	switch n.kind {
	case isBool:
		return n.yes
	case isNumber:
		return json.Number(n.text)
	case isString:
		return n.text
	case isArray:
		all := make([]any, 0, len(n.items))
		for _, item := range n.items {
			all = append(all, item.json())
		}
		return all
	case isObject:
		m := map[string]any{}
		for i, k := range n.keys {
			m[k] = n.items[i].json()
		}
		return m
	}
	return nil
}
