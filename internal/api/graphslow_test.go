package api

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// This is the graph on the wire once more, slowly: every entry is emitted as a
// tree, level by level as Graph.Level tells them, and a body is read whole
// before it is looked at. The tests compare what is streamed with it.

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

// slowEmitter writes entries of one graph, with the tables that were there at its
// revision.
type slowEmitter struct {
	g *permission.Graph
}

// group emits all entries of a group; an empty object where there are none.
func (m slowEmitter) group(id permission.GroupID, d dialect) *tree {
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
func (m slowEmitter) entry(id permission.GroupID, db catalog.DatabaseID, d dialect) *tree {
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
func (m slowEmitter) split(id permission.GroupID, db catalog.DatabaseID) *tree {
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

func topWord(k permission.Kind) string { return k.Word(top(k)) }

// word is the split form's word for a scope; "" where nothing is given.
func (m slowEmitter) word(id permission.GroupID, db catalog.DatabaseID, k permission.Kind, s permission.Scope) string {
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
func (m slowEmitter) view(id permission.GroupID, db catalog.DatabaseID, s permission.Scope) permission.Level {
	l := m.g.Level(id, db, permission.View, s)
	if s.Depth == permission.OfTable && l == permission.Unrestricted && m.g.Strict(db) && m.g.Cell(id, db, permission.View, s).Wide {
		return permission.Sandboxed
	}
	return l
}

// open tells whether the group's view is above blocked somewhere in the scope.
func (m slowEmitter) open(id permission.GroupID, db catalog.DatabaseID, s permission.Scope) bool {
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
func (m slowEmitter) seed(id permission.GroupID, db catalog.DatabaseID) *tree {
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
func (m slowEmitter) granular(id permission.GroupID, db catalog.DatabaseID, kinds []permission.Kind, key func(*catalog.Table) string, word func(permission.Scope) string) *tree {
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
func (m slowEmitter) strict(id permission.GroupID, db catalog.DatabaseID, kinds []permission.Kind, schemas []string, byTable map[string]bool, key func(*catalog.Table) string, word func(permission.Scope) string) *tree {
	t := newTree()
	whole := word(permission.WholeDatabase())
	slowPut(t, wildcard, whole, "")
	for _, schema := range schemas {
		wide := word(permission.WholeSchema(schema))
		if !byTable[schema] {
			slowPut(t, schema, wide, whole)
			continue
		}
		sub := newTree()
		if slices.ContainsFunc(kinds, func(k permission.Kind) bool { return m.g.Cell(id, db, k, permission.WholeSchema(schema)).Set }) {
			slowPut(sub, wildcard, wide, whole)
		}
		for _, tb := range m.tables(db, schema) {
			if slices.ContainsFunc(kinds, func(k permission.Kind) bool { return m.g.Cell(id, db, k, permission.OneTable(tb.ID)).Set }) {
				slowPut(sub, key(tb), word(permission.OneTable(tb.ID)), wide)
			}
		}
		t.put(schema, sub.orNil())
	}
	return t.orNil()
}

// slowPut adds a word; null where there is none and something wider would reach.
func slowPut(t *tree, key, word, wider string) {
	switch {
	case word != "":
		t.put(key, leaf(word))
	case wider != "":
		t.put(key, &tree{null: true})
	}
}

// schemas are the schemas of a database at the graph's revision, sorted.
func (m slowEmitter) schemas(db catalog.DatabaseID) []string {
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
func (m slowEmitter) tables(db catalog.DatabaseID, schema string) []*catalog.Table {
	var tables []*catalog.Table
	for t := range m.g.Catalog().Tables(db) {
		if t.Schema == schema && t.At(m.g.Revision()) {
			tables = append(tables, t)
		}
	}
	slices.SortFunc(tables, func(a, b *catalog.Table) int { return cmp.Compare(a.ID, b.ID) })
	return tables
}

// readWhole reads a body whole.
func readWhole(body string) (*graphBody, error) {
	b := &graphBody{}
	return b, decodeJSON([]byte(body), reflect.ValueOf(b).Elem())
}

// slowEdits turns the groups of a body into edits.
func slowEdits(r *request, base, current *permission.Graph, groups *tree, complete dialect) ([]permission.Edit, error) {
	if complete != "" {
		var missing []string
		for gr := range current.Groups() {
			if base.Group(gr.ID) != nil && groups.at(groupKey(gr.ID)) == nil {
				missing = append(missing, fmt.Sprintf("%d %q", gr.ID, gr.Name))
			}
		}
		if len(missing) > 0 {
			return nil, r.stale(&staleError{Revision: int64(current.Revision()),
				Message: fmt.Sprintf("The body says that it is complete, and does not name the groups %s.", strings.Join(missing, ", "))})
		}
	}
	var edits []permission.Edit
	for _, b := range groups.kids {
		path := "groups." + b.key
		n, ok := number(b.key)
		if !ok {
			return nil, graphError(path, "a group's key must be its id, a positive number")
		}
		if !b.tree.isObject() && !b.tree.null {
			return nil, graphError(path, "a group must be an object by database, not %q", b.tree.word)
		}
		of, err := slowGroup(path, base, current, permission.GroupID(n), b.tree, complete)
		if err != nil {
			return nil, err
		}
		edits = append(edits, of...)
	}
	return edits, nil
}

func groupKey(id permission.GroupID) string { return strconv.FormatInt(int64(id), 10) }

func slowGroup(path string, base, current *permission.Graph, id permission.GroupID, body *tree, complete dialect) ([]permission.Edit, error) {
	var edits []permission.Edit
	named := map[catalog.DatabaseID]bool{}
	read := func(key string, entry *tree) error {
		path := path + "." + key
		n, ok := number(key)
		if !ok {
			return graphError(path, "a database's key must be its id, a positive number")
		}
		db := catalog.DatabaseID(n)
		named[db] = true
		of, err := newEntryReader(base, current, complete).entry(path, id, db, entry)
		edits = append(edits, of...)
		return err
	}
	for _, b := range body.kids {
		if err := read(b.key, b.tree); err != nil {
			return nil, err
		}
	}
	if complete != "" {
		for _, b := range (slowEmitter{base}).group(id, both).kids {
			if db, _ := strconv.ParseInt(b.key, 10, 64); !named[catalog.DatabaseID(db)] {
				if err := read(b.key, nil); err != nil {
					return nil, err
				}
			}
		}
	}
	return edits, nil
}

// orNil is nil for an object without branches.
func (t *tree) orNil() *tree {
	if t.isObject() && len(t.kids) == 0 {
		return nil
	}
	return t
}

// append adds the text of the tree, with its keys in their order.
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
