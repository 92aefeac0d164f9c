package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// number reads an id that is a key. Only the one spelling that is emitted
// counts: with "3" and "03" one thing could be said twice.
func number(key string) (int64, bool) {
	n, err := strconv.ParseInt(key, 10, 64)
	return n, err == nil && n > 0 && strconv.FormatInt(n, 10) == key
}

// tree is a permissions graph on the wire, or a part of one: a word, null, or
// an object of trees in the order in which they were made. What the server
// emits and what a client sends are compared tree by tree.
type tree struct {
	word string
	null bool
	kids []branch // for an object; not nil even if empty
}

type branch struct {
	key  string
	tree *tree
}

func leaf(word string) *tree { return &tree{word: word} }

func newTree(kids ...branch) *tree { return &tree{kids: append([]branch{}, kids...)} }

// isObject tells an object from a word or null.
func (t *tree) isObject() bool { return t != nil && t.kids != nil }

// at is the tree behind a key; nil when there is none.
func (t *tree) at(key string) *tree {
	if t == nil {
		return nil
	}
	for _, b := range t.kids {
		if b.key == key {
			return b.tree
		}
	}
	return nil
}

// put adds a branch; an absent or empty tree is not added.
func (t *tree) put(key string, sub *tree) {
	if sub != nil {
		t.kids = append(t.kids, branch{key, sub})
	}
}

// orNil is nil for an object without branches.
func (t *tree) orNil() *tree {
	if t.isObject() && len(t.kids) == 0 {
		return nil
	}
	return t
}

// is tells whether the tree is this word.
func (t *tree) is(word string) bool { return t != nil && t.kids == nil && !t.null && t.word == word }

func (t *tree) equal(o *tree) bool {
	switch {
	case t == nil || o == nil:
		return t == o
	case t.null != o.null || t.word != o.word || t.isObject() != o.isObject() || len(t.kids) != len(o.kids):
		return false
	}
	for _, b := range t.kids {
		if !b.tree.equal(o.at(b.key)) {
			return false
		}
	}
	return true
}

// MarshalJSON writes the tree with its keys in their order.
func (t *tree) MarshalJSON() ([]byte, error) { return t.append(nil), nil }

func (t *tree) append(b []byte) []byte {
	switch {
	case t == nil || t.null:
		return append(b, "null"...)
	case !t.isObject():
		return appendString(b, t.word)
	}
	b = append(b, '{')
	for i, k := range t.kids {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, k.key), ':')
		b = k.tree.append(b)
	}
	return append(b, '}')
}

func appendString(b []byte, s string) []byte {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r > '~' }) < 0 {
		return append(append(append(b, '"'), s...), '"')
	}
	quoted, _ := json.Marshal(s) // a string cannot fail
	return append(b, quoted...)
}

// fromWire reads a graph: objects of objects with words or null at the ends.
// The numbers and booleans that it meets are kept as words, for the error that
// will name their place.
func (t *tree) fromWire(raw []byte) string {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	read, err := readTree(dec, 0)
	if err != nil {
		return err.Error()
	}
	if !read.isObject() {
		return "a map"
	}
	*t = *read
	return ""
}

func (t *tree) wireSchema() schema {
	return schema{"type": "object", "additionalProperties": true}
}

// maxTreeDepth is more than any graph has: groups, databases, data, kind,
// schemas, tables, and the pair of the oldest form.
const maxTreeDepth = 9

func readTree(dec *json.Decoder, depth int) (*tree, error) {
	if depth > maxTreeDepth {
		return nil, fmt.Errorf("a graph that is at most %d levels deep", maxTreeDepth)
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, fmt.Errorf("valid JSON")
	}
	switch v := tok.(type) {
	case nil:
		return &tree{null: true}, nil
	case string:
		return leaf(v), nil
	case json.Number:
		return leaf(v.String()), nil
	case bool:
		return leaf(fmt.Sprint(v)), nil
	case json.Delim:
		if v != '{' {
			return nil, fmt.Errorf("a graph without lists")
		}
	}
	t := newTree()
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("valid JSON")
		}
		key := tok.(string)
		sub, err := readTree(dec, depth+1)
		if err != nil {
			return nil, err
		}
		t.kids = append(t.kids, branch{key, sub})
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("valid JSON")
	}
	keys := make([]string, len(t.kids))
	for i, b := range t.kids {
		keys[i] = b.key
	}
	slices.Sort(keys)
	for i := 1; i < len(keys); i++ {
		if keys[i] == keys[i-1] {
			return nil, fmt.Errorf("a graph in which no key stands twice, as %q does", keys[i])
		}
	}
	return t, nil
}
