package query

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// native is SQL typed by a person, with the variables in it.
type native struct {
	at   *node // of the text
	text string
	tags []tag // by name as given
	tree []piece
}

// tag is a variable, {{name}} in the text.
type tag struct {
	at       *node
	name     string
	id       string // as clients know it; may be ""
	kind     string // "text", "number", "date", "boolean", or one that is not supported
	standard *node  // the default; nil for none
	required bool
}

// piece is a stretch of the text, a variable, or a part between [[ and ]]
// that is left out unless all its variables have values.
type piece struct {
	text     string
	tag      string
	optional []piece
}

// maxSQL bounds the bytes of SQL that a person may send.
const maxSQL = 100_000

// native reads the object in which the text stands under the key.
func (p *parser) native(n *node, key string) (*native, error) {
	if err := n.want(isObject); err != nil {
		return nil, err
	}
	q := &native{}
	for i, k := range n.keys {
		v := n.items[i]
		var err error
		switch {
		case k == key:
			q.at = v
			q.text, err = v.word()
		case v.kind == isNull:
		case k == "template-tags":
			q.tags, err = p.tags(v)
		case k == "collection" || ignored(k): // a document database's
		default:
			err = v.errorf("there is no such key of a native question")
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case q.at == nil:
		return nil, n.errorf("has no %q", key)
	case len(q.text) > maxSQL:
		return nil, q.at.errorf("the SQL is longer than %d bytes", maxSQL)
	case strings.ContainsRune(q.text, 0):
		return nil, q.at.errorf("the SQL has a NUL character in it")
	case nothing(q.text):
		return nil, q.at.errorf("the SQL is empty")
	}
	return q, q.split()
}

// nothing tells whether SQL is only spaces, comments and semicolons.
func nothing(sql string) bool {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n\f\v;\ufeff")
		switch {
		case sql == "":
			return true
		case strings.HasPrefix(sql, "--"):
			_, sql, _ = strings.Cut(sql, "\n")
		case strings.HasPrefix(sql, "/*"):
			_, sql, _ = strings.Cut(sql[2:], "*/")
		default:
			return false
		}
	}
}

func (p *parser) tags(n *node) ([]tag, error) {
	if err := n.want(isObject); err != nil {
		return nil, err
	}
	var all []tag
	for i, item := range n.items {
		t := tag{at: item, name: n.keys[i]}
		if err := item.want(isObject); err != nil {
			return nil, err
		}
		for j, key := range item.keys {
			v := item.items[j]
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
			}
			if err != nil {
				return nil, err
			}
		}
		if t.kind == "" {
			return nil, item.errorf("has no type")
		}
		all = append(all, t)
	}
	return all, nil
}

func (q *native) tag(name string) *tag {
	for i := range q.tags {
		if q.tags[i].name == name {
			return &q.tags[i]
		}
	}
	return nil
}

// split takes the text apart at its variables.
func (q *native) split() error {
	rest := q.text
	var err error
	if q.tree, rest, err = q.pieces(rest, false); err != nil {
		return err
	}
	if rest != "" {
		q.tree = append(q.tree, piece{text: rest})
	}
	return nil
}

// pieces reads to the end, or to the ]] that ends an optional part.
func (q *native) pieces(s string, optional bool) ([]piece, string, error) {
	var all []piece
	for {
		i := strings.Index(s, "{{")
		if j := strings.Index(s, "]]"); optional && j >= 0 && (i < 0 || j < i) {
			return append(all, piece{text: s[:j]}), s[j+2:], nil
		}
		if j := strings.Index(s, "[["); !optional && j >= 0 && j < i {
			inner, after, err := q.pieces(s[j+2:], true)
			if err != nil {
				return nil, "", err
			}
			if len(inner) > 1 { // else it is no part with variables but text
				all, s = append(all, piece{text: s[:j]}, piece{optional: inner}), after
				continue
			}
			all, s = append(all, piece{text: s[:len(s)-len(after)]}), after
			continue
		}
		if i < 0 {
			if optional {
				return nil, "", q.at.errorf("an optional part has no end: [[ without ]]")
			}
			return append(all, piece{text: s}), "", nil
		}
		name, after, ok := strings.Cut(s[i+2:], "}}")
		if !ok {
			return nil, "", q.at.errorf("a variable has no end: {{ without }}")
		}
		name = strings.TrimSpace(name)
		t := q.tag(name)
		switch {
		case strings.HasPrefix(name, "#"), strings.HasPrefix(name, "snippet:"):
			return nil, "", q.at.errorf("{{%s}}: saved questions and snippets inside SQL are not supported yet", name)
		case t == nil:
			return nil, "", q.at.errorf("the variable %s is not among the template-tags", quoted(name))
		}
		if !t.supported() {
			return nil, "", t.at.errorf("template tags of the type %s are not supported yet", quoted(t.kind))
		}
		all, s = append(all, piece{text: s[:i]}, piece{tag: name}), after
	}
}

// fill writes the text with a bound argument in place of every variable.
func (q *native) fill(values map[string]any) (fragment, error) {
	return q.filled(q.tree, values, false)
}

func (q *native) filled(tree []piece, values map[string]any, optional bool) (fragment, error) {
	var f fragment
	for _, p := range tree {
		switch {
		case p.optional != nil:
			inner, err := q.filled(p.optional, values, true)
			if err != nil {
				return nil, err
			}
			f = append(f, inner...)
		case p.tag != "":
			v, ok := values[p.tag]
			if !ok && optional {
				return nil, nil
			}
			if !ok {
				at := q.tag(p.tag).at
				return nil, &Error{Path: at.path(), Message: ErrNoValue.Error(), cause: ErrNoValue}
			}
			f = append(f, bound(v)...)
		default:
			f = append(f, text(p.text)...)
		}
	}
	return f, nil
}

// values are the values of the variables: those given, then the defaults.
func (q *native) values(given []parameter) (map[string]any, error) {
	all := map[string]any{}
	for _, p := range given {
		t := q.tag(p.tag)
		if t == nil {
			return nil, p.at.errorf("there is no variable %s in the SQL", quoted(p.tag))
		}
		v, ok, err := t.value(p.value)
		if err != nil {
			return nil, err
		}
		if ok {
			all[t.name] = v
		}
	}
	for i := range q.tags {
		t := &q.tags[i]
		if _, has := all[t.name]; has || t.standard == nil || !t.supported() {
			continue
		}
		v, ok, err := t.value(t.standard)
		if err != nil {
			return nil, err
		}
		if ok {
			all[t.name] = v
		}
	}
	return all, nil
}

func (t *tag) supported() bool {
	return t.kind == "text" || t.kind == "number" || t.kind == "date" || t.kind == "boolean"
}

// value reads a value of the tag's type; false for none.
func (t *tag) value(n *node) (any, bool, error) {
	if n.kind == isArray && len(n.items) == 1 {
		n = n.items[0]
	}
	if n.kind == isNull || n.kind == isArray && len(n.items) == 0 || n.kind == isString && n.text == "" {
		return nil, false, nil
	}
	switch {
	case n.kind == isArray || n.kind == isObject:
		return nil, false, n.errorf("several values for one variable are not supported yet")
	case t.kind == "text" && n.kind == isBool:
		return strconv.FormatBool(n.yes), true, nil
	case t.kind == "text":
		return n.text, true, nil
	case t.kind == "number" && n.kind != isBool:
		if i, err := strconv.ParseInt(n.text, 10, 64); err == nil {
			return i, true, nil
		}
		if f, ok := finite(n.text); ok {
			return f, true, nil
		}
		return nil, false, n.errorf("must be a number, not %s", quoted(n.text))
	case t.kind == "date" && n.kind == isString:
		if _, _, ok := readDate(n.text, time.UTC); ok {
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

// json writes the question as "native".
func (q *native) json() map[string]any {
	m := map[string]any{"query": q.text}
	if len(q.tags) > 0 {
		tags := map[string]any{}
		for _, t := range q.tags {
			x := map[string]any{"name": t.name, "type": t.kind, "required": t.required}
			if t.id != "" {
				x["id"] = t.id
			}
			if t.standard != nil {
				x["default"] = t.standard.json()
			}
			tags[t.name] = x
		}
		m["template-tags"] = tags
	}
	return m
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
