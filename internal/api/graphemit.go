package api

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// dialect is a form of the data graph on the wire. Every GET emits both beside
// each other unless it is asked for one: split is Metabase's since v50, seed
// the one of v20 to v42 with table names for ids.
type dialect string

const (
	both  dialect = "both"
	split dialect = "split"
	seed  dialect = "seed"
)

func (d dialect) emits(one dialect) bool { return d == both || d == one }

// wildcard stands, in a granular map, for everything that it does not name.
// The server writes it on strict databases, where spreading a wide level over
// tables would say more than the level does; it is read everywhere.
const wildcard = "*"

// Keys of a database's entry.
const (
	keySchemas = "schemas"
	keyNative  = "native"
	keyData    = "data"
)

// splitKinds are the kinds of the split form, in the order of the wire.
// Wrapped ones hold their value under "schemas".
var splitKinds = []struct {
	kind    permission.Kind
	wrapped bool
}{
	{permission.View, false},
	{permission.Create, false},
	{permission.Download, true},
	{permission.DataModel, true},
	{permission.Details, false},
}

// emitter writes entries of one graph, with the tables that were there at its
// revision.
type emitter struct {
	g *permission.Graph
}

// group emits all entries of a group; an empty object where there are none.
func (m emitter) group(id permission.GroupID, d dialect) *tree {
	t := newTree()
	if id == permission.Administrators {
		for db := range m.g.Catalog().Databases() {
			t.put(strconv.FormatInt(int64(db.ID), 10), m.entry(id, db.ID, d))
		}
		return t
	}
	for db := range m.g.Entries(id) {
		t.put(strconv.FormatInt(int64(db), 10), m.entry(id, db, d))
	}
	return t
}

// entry emits what a group has on a database; nil for nothing.
func (m emitter) entry(id permission.GroupID, db catalog.DatabaseID, d dialect) *tree {
	t := newTree()
	if d.emits(split) {
		t.kids = append(t.kids, m.split(id, db).kids...)
	}
	if d.emits(seed) {
		t.kids = append(t.kids, m.seed(id, db).kids...)
	}
	return t.orNil()
}

// split emits the split form.
func (m emitter) split(id permission.GroupID, db catalog.DatabaseID) *tree {
	t := newTree()
	for _, k := range splitKinds {
		var sub *tree
		if id == permission.Administrators {
			sub = leaf(topWord(k.kind))
		} else {
			sub = m.granular(id, db, []permission.Kind{k.kind}, tableKey, func(s permission.Scope) string { return m.word(id, db, k.kind, s) })
		}
		if k.wrapped && sub != nil {
			sub = newTree(branch{keySchemas, sub})
		}
		t.put(k.kind.String(), sub)
	}
	return t
}

func topWord(k permission.Kind) string {
	switch k {
	case permission.View:
		return k.Word(permission.Unrestricted)
	case permission.Create:
		return k.Word(permission.Native)
	case permission.Download:
		return k.Word(permission.Full)
	}
	return k.Word(permission.Yes)
}

// word is the split form's word for a scope; "" where nothing is given.
func (m emitter) word(id permission.GroupID, db catalog.DatabaseID, k permission.Kind, s permission.Scope) string {
	l := m.g.Level(id, db, k, s)
	switch {
	case k == permission.Create && !m.open(id, db, s):
		l = permission.None
	case k == permission.View:
		l = m.view(id, db, s)
	}
	if l == permission.None {
		return ""
	}
	return k.Word(l)
}

// view is the View that is written. For a single table of a strict database
// there is a word for what a wide level gives, and whoever copies the entry to
// another group must not open the table with it.
func (m emitter) view(id permission.GroupID, db catalog.DatabaseID, s permission.Scope) permission.Level {
	l := m.g.Level(id, db, permission.View, s)
	if s.Depth == permission.OfTable && l == permission.Unrestricted && m.g.Strict(db) && m.g.Cell(id, db, permission.View, s).Wide {
		return permission.Sandboxed
	}
	return l
}

// open tells whether the group's view is above blocked somewhere in the scope.
func (m emitter) open(id permission.GroupID, db catalog.DatabaseID, s permission.Scope) bool {
	if m.g.Level(id, db, permission.View, s) > permission.Blocked {
		return true
	}
	if s.Depth == permission.OfTable {
		return false
	}
	for at, c := range m.g.Cells(id, db, permission.View) {
		if c.Level <= permission.Blocked {
			continue
		}
		t := m.g.Catalog().Table(at.Table)
		if s.Depth == permission.OfDatabase || at.Depth == permission.OfTable && t != nil && t.Schema == s.Schema {
			return true
		}
	}
	return false
}

// seed emits the seeds' form.
func (m emitter) seed(id permission.GroupID, db catalog.DatabaseID) *tree {
	t := newTree()
	if id == permission.Administrators {
		return newTree(branch{keySchemas, leaf("all")}, branch{keyNative, leaf("write")})
	}
	kinds := []permission.Kind{permission.View, permission.Create}
	name := func(t *catalog.Table) string { return t.Name }
	t.put(keySchemas, m.granular(id, db, kinds, name, func(s permission.Scope) string {
		if m.g.Level(id, db, permission.Create, s) < permission.QueryBuilder {
			return ""
		}
		switch m.view(id, db, s) {
		case permission.Unrestricted, permission.Impersonated:
			return "all"
		case permission.Sandboxed:
			return "sandboxed"
		}
		return ""
	}))
	if m.word(id, db, permission.Create, permission.WholeDatabase()) == permission.Create.Word(permission.Native) {
		t.put(keyNative, leaf("write"))
	}
	return t
}

// tableKey is the key of a table in the split form.
func tableKey(t *catalog.Table) string { return strconv.FormatInt(int64(t.ID), 10) }

// granular emits a level: one word where it is the same for the whole
// database, else words by schema, and by table where single tables differ.
func (m emitter) granular(id permission.GroupID, db catalog.DatabaseID, kinds []permission.Kind, key func(*catalog.Table) string, word func(permission.Scope) string) *tree {
	schemas, byTable := m.g.Granular(id, db, kinds...)
	whole := word(permission.WholeDatabase())
	if len(schemas) == 0 {
		if whole == "" {
			return nil
		}
		return leaf(whole)
	}
	if m.g.Strict(db) {
		return m.strict(id, db, kinds, schemas, byTable, key, word)
	}
	t := newTree()
	for _, schema := range m.schemas(db) {
		if !byTable[schema] {
			if w := word(permission.WholeSchema(schema)); w != "" {
				t.put(schema, leaf(w))
			}
			continue
		}
		sub := newTree()
		for _, tb := range m.tables(db, schema) {
			if w := word(permission.OneTable(tb.ID)); w != "" {
				sub.put(key(tb), leaf(w))
			}
		}
		t.put(schema, sub.orNil())
	}
	return t.orNil()
}

// strict emits only what is written, with the wildcard for the wide levels.
func (m emitter) strict(id permission.GroupID, db catalog.DatabaseID, kinds []permission.Kind, schemas []string, byTable map[string]bool, key func(*catalog.Table) string, word func(permission.Scope) string) *tree {
	t := newTree()
	whole := word(permission.WholeDatabase())
	put(t, wildcard, whole, "")
	for _, schema := range schemas {
		wide := word(permission.WholeSchema(schema))
		if !byTable[schema] {
			put(t, schema, wide, whole)
			continue
		}
		sub := newTree()
		if slices.ContainsFunc(kinds, func(k permission.Kind) bool { return m.g.Cell(id, db, k, permission.WholeSchema(schema)).Set }) {
			put(sub, wildcard, wide, whole)
		}
		for _, tb := range m.tables(db, schema) {
			if slices.ContainsFunc(kinds, func(k permission.Kind) bool { return m.g.Cell(id, db, k, permission.OneTable(tb.ID)).Set }) {
				put(sub, key(tb), word(permission.OneTable(tb.ID)), wide)
			}
		}
		t.put(schema, sub.orNil())
	}
	return t.orNil()
}

// put adds a word; null where there is none and something wider would reach.
func put(t *tree, key, word, wider string) {
	switch {
	case word != "":
		t.put(key, leaf(word))
	case wider != "":
		t.put(key, &tree{null: true})
	}
}

// schemas are the schemas of a database at the graph's revision, sorted.
func (m emitter) schemas(db catalog.DatabaseID) []string {
	var names []string
	for t := range m.g.Catalog().Tables(db) {
		if t.At(m.g.Revision()) {
			names = append(names, t.Schema)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// tables are the tables of a schema at the graph's revision, by id.
func (m emitter) tables(db catalog.DatabaseID, schema string) []*catalog.Table {
	var tables []*catalog.Table
	for t := range m.g.Catalog().Tables(db) {
		if t.Schema == schema && t.At(m.g.Revision()) {
			tables = append(tables, t)
		}
	}
	slices.SortFunc(tables, func(a, b *catalog.Table) int { return cmp.Compare(a.ID, b.ID) })
	return tables
}
