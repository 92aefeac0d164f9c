package api

import (
	"bytes"
	"math/bits"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sluice-bi/sluice/internal/permission"
)

// heardPairs is what a body said of the collection graph, as heard is for the
// data graph: of the pairs that have in a graph the level that the body gives
// them only that they were named is kept.
type heardPairs struct {
	than   *permission.Graph
	groups []heardCollections // in the order of the body
}

// heardCollections is what a body said of one group.
type heardCollections struct {
	key       string
	id        permission.GroupID // 0 if the key is no id
	notObject *tree              // what stood in place of the group's pairs
	named     idSet              // among the collections of the graph
	others    []heardPair        // the pairs that are not the graph's, in the order of the body
}

type heardPair struct {
	key  string
	word *tree
}

// idSet is a set of collections. It takes a bit for each id up to the largest.
type idSet []uint64

func (s idSet) has(id permission.CollectionID) bool {
	return int(id/64) < len(s) && s[id/64]>>(id%64)&1 != 0
}

func (s idSet) with(id permission.CollectionID) idSet {
	for int(id/64) >= len(s) {
		s = append(s, 0)
	}
	s[id/64] |= 1 << (id % 64)
	return s
}

// all yields the ids in their order.
func (s idSet) all(yield func(permission.CollectionID) bool) {
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			if !yield(permission.CollectionID(i*64 + bits.TrailingZeros64(word))) {
				return
			}
		}
	}
}

// collectionKey reads the key of a collection: an id or "root".
func collectionKey[T string | []byte](key T) (permission.CollectionID, bool) {
	if string(key) == permission.Root.String() {
		return permission.Root, true
	}
	n, ok := number(key)
	return permission.CollectionID(n), ok
}

// read reads the groups of a body.
func (h *heardPairs) read(dec *jsontext.Decoder) error {
	keys := map[string]bool{}
	return readObject(dec, func(key []byte) error {
		gr := heardCollections{key: string(key)}
		if keys[gr.key] {
			return twice(gr.key)
		}
		keys[gr.key] = true
		if n, ok := number(gr.key); ok {
			gr.id = permission.GroupID(n)
		}
		err := gr.read(dec, h.than)
		h.groups = append(h.groups, gr)
		return err
	})
}

func (gr *heardCollections) read(dec *jsontext.Decoder, g *permission.Graph) error {
	if dec.PeekKind() != '{' {
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		gr.notObject, err = readTree(raw, 1)
		return err
	}
	strange := map[string]bool{} // keys that name no collection of the graph
	return readObject(dec, func(key []byte) error {
		c, ok := collectionKey(key)
		there := ok && gr.id != 0 && (c == permission.Root || g.Collection(c) != nil)
		name := ""
		switch {
		case there && gr.named.has(c):
			return twice(string(key))
		case there:
			gr.named = gr.named.with(c)
		default:
			if name = string(key); strange[name] {
				return twice(name)
			}
			strange[name] = true
		}
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if there && says(raw, collectionLevel(g, gr.id, c)) {
			return nil
		}
		if there {
			name = c.String()
		}
		word, err := readTree(bytes.Clone(raw), entryDepth)
		gr.others = append(gr.others, heardPair{name, word})
		return err
	})
}

// says tells whether a text is the word of a level, as it is commonly written.
func says(raw []byte, l permission.Level) bool {
	if len(raw) < 2 || raw[0] != '"' {
		return l == permission.None && string(raw) == "null"
	}
	return string(raw[1:len(raw)-1]) == permission.Collection.Word(l)
}

// against makes what was heard relative to another graph.
func (h *heardPairs) against(g *permission.Graph) {
	if g == h.than {
		return
	}
	for i := range h.groups {
		gr := &h.groups[i]
		others := map[string]bool{}
		for _, p := range gr.others {
			others[p.key] = true
		}
		for c := range gr.named.all {
			if l := collectionLevel(h.than, gr.id, c); l != collectionLevel(g, gr.id, c) && !others[c.String()] {
				gr.others = append(gr.others, heardPair{c.String(), leaf(permission.Collection.Word(l))})
			}
		}
	}
	h.than = g
}

// edits are what the body wants: the pairs that have another level in it than
// in the graph that it is relative to. What the body leaves out is unchanged;
// "none" takes away.
func (h *heardPairs) edits() ([]permission.CollectionEdit, error) {
	var edits []permission.CollectionEdit
	for i := range h.groups {
		gr := &h.groups[i]
		path := "groups." + gr.key
		switch {
		case gr.id == 0:
			return nil, graphError(path, "a group's key must be its id, a positive number")
		case gr.notObject != nil && !gr.notObject.null:
			return nil, graphError(path, "a group must be an object by collection, not %q", gr.notObject.word)
		}
		for _, p := range gr.others {
			at := path + "." + p.key
			c, ok := collectionKey(p.key)
			switch {
			case !ok:
				return nil, graphError(at, "a collection's key must be its id or \"root\"")
			case p.word.isObject():
				return nil, graphError(at, "must be \"write\", \"read\" or \"none\"")
			}
			l, err := word(at, permission.Collection, p.word)
			if err != nil {
				return nil, err
			}
			if l != collectionLevel(h.than, gr.id, c) {
				edits = append(edits, permission.CollectionEdit{Group: gr.id, Collection: c, Level: l})
			}
		}
	}
	return edits, nil
}
