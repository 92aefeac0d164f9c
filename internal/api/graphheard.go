package api

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// heard is what a body said of the data graph. Most of it is usually what a
// client had read before. So each entry is compared, while it comes, with what
// is emitted of a graph; of the same ones only that they were named is kept,
// and of the others their text.
type heard struct {
	than   *permission.Graph
	groups []heardGroup // in the order of the body
}

// heardGroup is what a body said of one group.
type heardGroup struct {
	key string
	id  permission.GroupID // 0 if the key is no id
	// notObject is what stood in place of the group's entries.
	notObject *tree
	// named tells how the entries were named that the group has in the graph.
	named namings
	// others are the entries that are not the graph's, in the order of the
	// body.
	others []heardEntry
}

type heardEntry struct {
	key  string
	text []byte
}

// naming is how a body named an entry of the graph.
type naming uint8

const (
	notNamed naming = iota
	asOther         // it is another: see heardGroup.others
	asBoth          // it is the same, in both dialects or in one of them
	asSplit
	asSeed
)

// dialect is the one in which an entry is the same.
func (n naming) dialect() dialect { return [...]dialect{"", "", both, split, seed}[n] }

// namings are how the entries of a group were named, by their places in the
// order of the databases.
type namings struct {
	all  naming   // if each is nil
	each []naming // if they differ
}

func (n *namings) at(i int) naming {
	if n.each == nil {
		return n.all
	}
	return n.each[i]
}

// namingsOf takes what stands in a list that is used for something else later.
func namingsOf(each []naming) namings {
	for _, how := range each {
		if how != each[0] {
			return namings{each: slices.Clone(each)}
		}
	}
	if len(each) == 0 {
		return namings{}
	}
	return namings{all: each[0]}
}

// newHeard is a body that has said nothing yet, to be compared with a graph.
func newHeard(g *permission.Graph) *heard { return &heard{than: g} }

// read reads the groups of a body.
func (h *heard) read(dec *jsontext.Decoder) error {
	r := &heardReader{comparer: newComparer(h.than), dec: dec}
	keys := map[string]bool{}
	return readObject(dec, func(key []byte) error {
		gr := heardGroup{key: string(key)}
		if keys[gr.key] {
			return twice(gr.key)
		}
		keys[gr.key] = true
		if n, ok := number(gr.key); ok {
			gr.id = permission.GroupID(n)
		}
		err := r.read(&gr)
		h.groups = append(h.groups, gr)
		return err
	})
}

// heardReader reads one group after the other.
type heardReader struct {
	*comparer
	dec *jsontext.Decoder
	// entries are those of the group in the graph, and named how each of them
	// was named so far.
	entries []catalog.DatabaseID
	named   []naming
	next    int // the entry after the one that was named last
	strange map[string]bool
}

func (r *heardReader) read(gr *heardGroup) error {
	r.entries = slices.AppendSeq(r.entries[:0], r.databases(gr.id))
	r.named = append(r.named[:0], make([]naming, len(r.entries))...)
	r.next, r.strange = 0, nil
	err := r.group(gr)
	gr.named = namingsOf(r.named)
	return err
}

func (r *heardReader) group(gr *heardGroup) error {
	if r.dec.PeekKind() != '{' {
		raw, err := r.dec.ReadValue()
		if err != nil {
			return err
		}
		gr.notObject, err = readTree(raw, entryDepth-1)
		return err
	}
	return readObject(r.dec, func(key []byte) error {
		n, ok := number(key)
		if ok && gr.id != 0 {
			if i := place(r.entries, catalog.DatabaseID(n), r.next); i >= 0 {
				return r.entry(gr, i)
			}
		}
		// It names no entry of the graph.
		name := string(key)
		if r.strange[name] {
			return twice(name)
		}
		if r.strange == nil {
			r.strange = map[string]bool{}
		}
		r.strange[name] = true
		raw, err := r.dec.ReadValue()
		if err != nil {
			return err
		}
		gr.others = append(gr.others, heardEntry{name, bytes.Clone(raw)})
		_, err = readTree(raw, entryDepth)
		return err
	})
}

// entry reads an entry that the group has in the graph.
func (r *heardReader) entry(gr *heardGroup, i int) error {
	if r.named[i] != notNamed {
		return twice(databaseKey(r.entries[i]))
	}
	raw, err := r.dec.ReadValue()
	if err != nil {
		return err
	}
	r.next = i + 1
	r.comparer.read(gr.id, r.entries[i])
	how, err := r.compare(raw)
	if r.named[i] = how; how == asOther {
		gr.others = append(gr.others, heardEntry{databaseKey(r.entries[i]), bytes.Clone(raw)})
	}
	return err
}

// place is where a database stands among others, or -1. The guess is where it
// stands if a body has the same order.
func place(in []catalog.DatabaseID, db catalog.DatabaseID, guess int) int {
	if guess < len(in) && in[guess] == db {
		return guess
	}
	if i, ok := slices.BinarySearch(in, db); ok {
		return i
	}
	return -1
}

func databaseKey(db catalog.DatabaseID) string { return strconv.FormatInt(int64(db), 10) }

// against makes what was heard relative to another graph: of the entries that
// are emitted of it as they were of the old one only the naming is kept on.
func (h *heard) against(g *permission.Graph) {
	if g == h.than {
		return
	}
	was, is := newEmitter(h.than), newEmitter(g)
	same := sameTables(h.than, g)
	for i := range h.groups {
		gr := &h.groups[i]
		if same && h.than.Edition(gr.id) == g.Edition(gr.id) {
			continue // it says the same of all its entries
		}
		gr.against(was, is)
	}
	h.than = g
}

// sameTables tells whether two graphs are over the same catalog, in which no
// table came or went between their revisions.
func sameTables(a, b *permission.Graph) bool {
	if a.Catalog() != b.Catalog() {
		return false
	}
	for db := range a.Catalog().Databases() {
		for t := range a.Catalog().Tables(db.ID) {
			if t.At(a.Revision()) != t.At(b.Revision()) {
				return false
			}
		}
	}
	return true
}

func (gr *heardGroup) against(was, is *emitter) {
	entries := slices.Collect(is.databases(gr.id))
	named := make([]naming, len(entries))
	i, next := 0, 0
	for db := range was.databases(gr.id) {
		how := gr.named.at(i)
		i++
		if how == notNamed || how == asOther {
			continue
		}
		was.read(gr.id, db)
		at := place(entries, db, next)
		if at >= 0 {
			next = at + 1
			if is.read(gr.id, db); bytes.Equal(was.say().text, is.say().text) {
				named[at] = how
				continue
			}
		}
		gr.others = append(gr.others, heardEntry{databaseKey(db), was.append(nil, how.dialect())})
	}
	for _, e := range gr.others {
		if n, ok := number(e.key); ok {
			if at := place(entries, catalog.DatabaseID(n), 0); at >= 0 {
				named[at] = asOther
			}
		}
	}
	gr.named = namingsOf(named)
}

// leftOut are the databases of the entries of the graph that the body did not
// name.
func (gr *heardGroup) leftOut(m *emitter) []catalog.DatabaseID {
	if gr.named.each == nil && gr.named.all != notNamed {
		return nil
	}
	var dbs []catalog.DatabaseID
	i := 0
	for db := range m.databases(gr.id) {
		if gr.named.at(i) == notNamed {
			dbs = append(dbs, db)
		}
		i++
	}
	return dbs
}
