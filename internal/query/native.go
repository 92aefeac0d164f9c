package query

import (
	"iter"
	"strconv"
	"strings"
)

// native is SQL typed by a person, with the variables in it.
type native struct {
	at      *node // of the text
	text    string
	tags    []tag // by name as given
	tree    []piece
	snippet bool // shared text: its variables are those of the SQL that it stands in
}

// piece is a stretch of the text; a variable, a saved question or a snippet
// that stands in it; or a part between [[ and ]] that is left out unless all
// its variables have values.
type piece struct {
	text     string
	tag      string
	card     int64
	snippet  snippetRef
	optional []piece
}

// snippetRef names a snippet; it is none without a name.
type snippetRef struct {
	id   int64 // 0 when the question says only the name
	name string
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
		case k == "template-tags", k == "template_tags": // as many programs write it
			q.tags, err = p.tags(v)
		case k == "collection" || ignored(k): // a document database's
		default:
			err = v.errorf("there is no such key of a native question")
		}
		if err != nil {
			return nil, err
		}
	}
	if q.at == nil {
		return nil, n.errorf("has no %q", key)
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	return q, q.split()
}

// check refuses text that is no SQL at all.
func (q *native) check() error {
	switch {
	case len(q.text) > maxSQL:
		return q.at.errorf("the SQL is longer than %d bytes", maxSQL)
	case strings.ContainsRune(q.text, 0):
		return q.at.errorf("the SQL has a NUL character in it")
	case nothing(q.text):
		return q.at.errorf("the SQL is empty")
	}
	return nil
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

func (q *native) tag(name string) *tag {
	for i := range q.tags {
		if q.tags[i].name == name {
			return &q.tags[i]
		}
	}
	return nil
}

// with is a snippet as it stands in the SQL.
func (q *native) with(snippet *native) *native {
	n := *snippet
	n.at, n.tags = q.at, q.tags
	return &n
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
		p, err := q.named(strings.TrimSpace(name))
		if err != nil {
			return nil, "", err
		}
		all, s = append(all, piece{text: s[:i]}, p), after
	}
}

// named is what stands between {{ and }}: the name of a variable, a saved
// question as #12 or #12-what-it-is-called, or a snippet.
func (q *native) named(name string) (piece, error) {
	if card, is := strings.CutPrefix(name, "#"); is {
		digits, _, _ := strings.Cut(card, "-")
		id, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || id <= 0 {
			return piece{}, q.at.errorf("{{%s}}: a saved question is named by its number, as in {{#12}}", shown(name))
		}
		return piece{card: id}, nil
	}
	if snippet, is := strings.CutPrefix(name, "snippet:"); is {
		snippet = strings.TrimSpace(snippet)
		if snippet == "" || len(snippet) > maxNames {
			return piece{}, q.at.errorf("{{%s}}: the name of a snippet has from 1 to %d bytes", shown(name), maxNames)
		}
		return piece{snippet: snippetRef{q.snippetID(snippet), snippet}}, nil
	}
	if q.snippet {
		return piece{tag: name}, nil
	}
	t := q.tag(name)
	if t == nil {
		return piece{}, q.at.errorf("the variable %s is not among the template-tags", quoted(name))
	}
	return piece{tag: name}, t.usable()
}

// snippetID is the id that the question knows the snippet by: it was called so
// when the question was written.
func (q *native) snippetID(name string) int64 {
	for _, t := range q.tags {
		if t.kind == "snippet" && t.snippet.name == name {
			return t.snippet.id
		}
	}
	return 0
}

// Snippets lists how the question's SQL names the SQL that people share: by id,
// or by name where it knows none (0). What stands in snippets and in saved
// questions is not looked at.
func (q *Query) Snippets() iter.Seq2[int64, string] {
	return func(yield func(int64, string) bool) {
		if q.native != nil {
			eachSnippet(q.native.tree, yield)
		}
	}
}

func eachSnippet(tree []piece, yield func(int64, string) bool) bool {
	for _, p := range tree {
		if p.snippet.name != "" && !yield(p.snippet.id, p.snippet.name) || !eachSnippet(p.optional, yield) {
			return false
		}
	}
	return true
}

// shown is a name of a person as messages cite it between other signs.
func shown(s string) string {
	s = quoted(s)
	return s[1 : len(s)-1]
}

// json writes the question as "native".
func (q *native) json() map[string]any {
	m := map[string]any{"query": q.text}
	if len(q.tags) > 0 {
		tags := map[string]any{}
		for _, t := range q.tags {
			tags[t.name] = t.at.json()
		}
		m["template-tags"] = tags
	}
	return m
}
