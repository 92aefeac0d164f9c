package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// number reads an id that is a key. Only the one spelling that is emitted
// counts: with "3" and "03" one thing could be said twice.
func number[T string | []byte](key T) (int64, bool) {
	const digits = 19 // of the largest one
	if len(key) == 0 || len(key) > digits || key[0] == '0' {
		return 0, false
	}
	var n uint64
	for _, c := range []byte(key) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return int64(n), n <= math.MaxInt64
}

// tree is a permissions graph on the wire, or a part of one: a word, null, or
// an object of trees in the order in which they were made. What the server
// emits and what a client sends are compared tree by tree.
type tree struct {
	word string
	null bool
	kids []branch // for an object; not nil even if empty
	// index finds the kids of a large object; made when first asked.
	index map[string]int
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
	switch {
	case t == nil:
		return nil
	case len(t.kids) > 16:
		if t.index == nil {
			t.index = make(map[string]int, len(t.kids))
			for i, b := range t.kids {
				t.index[b.key] = i
			}
		}
		if i, ok := t.index[key]; ok {
			return t.kids[i].tree
		}
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
		t.kids, t.index = append(t.kids, branch{key, sub}), nil
	}
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

// appendString adds a text as JSON.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c > '~' {
			quoted, _ := json.Marshal(s) // a string cannot fail
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// fromWire reads a graph that stands in a body among other things.
func (t *tree) fromWire(raw []byte) string {
	read, err := readTree(raw, 0)
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

// entryDepth is how deep the entries of the data graph lie in it.
const entryDepth = 2

// What a graph must be, where it is not.
const (
	errLists = shapeError("a graph without lists")
	errJSON  = shapeError("valid JSON")
)

// twice is the error of a key that stands twice.
func twice(key string) error {
	return shapeError(fmt.Sprintf("a graph in which no key stands twice, as %q does", key))
}

// readTree reads a part of a graph that lies so deep in it: objects of objects
// with words or null at the ends. The numbers and booleans that it meets are
// kept as words, for the error that will name their place. The error says what
// it must be.
func readTree(raw []byte, depth int) (*tree, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true))
	t, err := nextTree(dec, depth)
	if err == nil {
		if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
			return nil, errJSON
		}
	}
	return t, err
}

func nextTree(dec *jsontext.Decoder, depth int) (*tree, error) {
	if depth > maxTreeDepth {
		return nil, shapeError(fmt.Sprintf("a graph that is at most %d levels deep", maxTreeDepth))
	}
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, errJSON
	}
	switch tok.Kind() {
	case 'n':
		return &tree{null: true}, nil
	case '[':
		return nil, errLists
	case '{':
	default:
		return leaf(tok.String()), nil
	}
	t := newTree()
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, errJSON
		}
		key := name.String()
		sub, err := nextTree(dec, depth+1)
		if err != nil {
			return nil, err
		}
		t.kids = append(t.kids, branch{key, sub})
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, errJSON
	}
	keys := make([]string, len(t.kids))
	for i, b := range t.kids {
		keys[i] = b.key
	}
	slices.Sort(keys)
	for i := 1; i < len(keys); i++ {
		if keys[i] == keys[i-1] {
			return nil, twice(keys[i])
		}
	}
	return t, nil
}
