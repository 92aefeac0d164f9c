package query

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What a question may be made of at most. Each bound has its own message.
const (
	maxDepth = 60     // JSON values inside one another
	maxNodes = 50_000 // JSON values in all
)

type kind uint8

const (
	isNull kind = iota
	isBool
	isNumber
	isString
	isArray
	isObject
)

var kindNames = [...]string{"null", "true or false", "a number", "text", "a list", "an object"}

// node is a JSON value that knows its place.
type node struct {
	kind  kind
	text  string   // a string, or a number as it was written
	yes   bool     // of a bool
	keys  []string // of an object, in their order
	items []*node  // of an array or object
	up    *node
	at    int // index in up.items
}

// path is the place, such as query.filter[2][1].
func (n *node) path() string {
	if n.up == nil {
		return ""
	}
	up := n.up.path()
	if n.up.kind == isArray {
		return up + "[" + strconv.Itoa(n.at) + "]"
	}
	key := n.up.keys[n.at]
	if !plainKey(key) {
		return up + "[" + quoted(key) + "]"
	}
	if up == "" {
		return key
	}
	return up + "." + key
}

func plainKey(key string) bool {
	for _, r := range key {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return key != "" && len(key) <= 40
}

// quoted is text of a person as messages cite it.
func quoted(s string) string {
	if r := []rune(s); len(r) > 40 {
		s = string(r[:40]) + "..."
	}
	return strconv.Quote(s)
}

// get is the value of a key, or nil when it is absent or null: clients send
// null for "not given".
func (n *node) get(key string) *node {
	for i, k := range n.keys {
		if k == key && n.items[i].kind != isNull {
			return n.items[i]
		}
	}
	return nil
}

func (n *node) errorf(format string, args ...any) error {
	return &Error{Path: n.path(), Message: fmt.Sprintf(format, args...)}
}

// want is an error unless the node is of the kind.
func (n *node) want(k kind) error {
	if n.kind != k {
		return n.errorf("must be %s, not %s", kindNames[k], kindNames[n.kind])
	}
	return nil
}

// word is the text of a string node.
func (n *node) word() (string, error) { return n.text, n.want(isString) }

// whole reads a whole number in a range.
func (n *node) whole(low, high int64) (int64, error) {
	if err := n.want(isNumber); err != nil {
		return 0, err
	}
	i, err := strconv.ParseInt(n.text, 10, 64)
	if err != nil || i < low || i > high {
		return 0, n.errorf("must be a whole number from %d to %d", low, high)
	}
	return i, nil
}

// id reads a positive id: a number, or its decimal digits as text.
func (n *node) id() (int64, error) {
	if n.kind == isNumber || n.kind == isString {
		if i, err := strconv.ParseInt(n.text, 10, 64); err == nil && i > 0 {
			return i, nil
		}
	}
	return 0, n.errorf("must be an id, a whole number above 0")
}

// reader builds nodes from JSON, refusing keys that stand twice.
type reader struct {
	dec   *json.Decoder
	count int
}

func readJSON(data []byte) (*node, error) {
	if !utf8.Valid(data) {
		return nil, &Error{Message: "this is not valid UTF-8"}
	}
	r := &reader{dec: json.NewDecoder(bytes.NewReader(data))}
	r.dec.UseNumber()
	n, err := r.value(nil, 0, 0)
	if err != nil {
		return nil, err
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &Error{Message: "there is something after the end of the JSON"}
	}
	return n, nil
}

func (r *reader) token() (json.Token, error) {
	t, err := r.dec.Token()
	if err != nil {
		return nil, &Error{Message: "this is not JSON: " + strings.TrimPrefix(err.Error(), "json: ")}
	}
	return t, nil
}

func (r *reader) value(up *node, at, depth int) (*node, error) {
	t, err := r.token()
	if err != nil {
		return nil, err
	}
	return r.valueOf(t, up, at, depth)
}

func (r *reader) valueOf(t json.Token, up *node, at, depth int) (*node, error) {
	n := &node{up: up, at: at}
	if r.count++; r.count > maxNodes {
		return nil, &Error{Message: fmt.Sprintf("the question is too large: more than %d values", maxNodes)}
	}
	switch t := t.(type) {
	case bool:
		n.kind, n.yes = isBool, t
	case json.Number:
		n.kind, n.text = isNumber, t.String()
	case string:
		n.kind, n.text = isString, t
	case json.Delim:
		if depth == maxDepth {
			return nil, n.errorf("the question is nested too deep: more than %d levels", maxDepth)
		}
		if t == '[' {
			return n, r.array(n, depth)
		}
		return n, r.object(n, depth)
	}
	return n, nil
}

func (r *reader) array(n *node, depth int) error {
	n.kind = isArray
	for r.dec.More() {
		item, err := r.value(n, len(n.items), depth+1)
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
	_, err := r.token()
	return err
}

func (r *reader) object(n *node, depth int) error {
	n.kind = isObject
	seen := map[string]bool{}
	for r.dec.More() {
		t, err := r.token()
		if err != nil {
			return err
		}
		key, _ := t.(string) // the decoder lets nothing else be a key
		n.keys = append(n.keys, key)
		if seen[key] {
			return n.errorf("the key %s stands twice", quoted(key))
		}
		seen[key] = true
		item, err := r.value(n, len(n.items), depth+1)
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
	_, err := r.token()
	return err
}
