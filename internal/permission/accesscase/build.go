package accesscase

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// The moments of a case's beginning: the catalog was there, then the grants
// were written, then new tables came and absent ones went.
const (
	Before  catalog.Revision = 1
	Granted catalog.Revision = 2
	Begun   catalog.Revision = 3
)

// sampleTables are the tables of the sample warehouse, with the columns that
// cases speak of.
func sampleTables(line int) []Table {
	id, org, text := Field{"id", "integer"}, Field{"organization_id", "integer"}, func(n string) Field { return Field{n, "text"} }
	return []Table{
		{Line: line, Name: "organizations", Fields: []Field{id, text("name"), text("country"), text("plan")}},
		{Line: line, Name: "products", Fields: []Field{id, text("title"), text("category")}},
		{Line: line, Name: "people", Fields: []Field{id, org, text("name"), text("email"), text("city")}},
		{Line: line, Name: "orders", Fields: []Field{id, org, {"person_id", "integer"}, {"product_id", "integer"}, text("status")}},
		{Line: line, Name: "reviews", Fields: []Field{id, org, {"order_id", "integer"}, {"rating", "integer"}}},
		{Line: line, Name: "invoices", Fields: []Field{id, org, text("number"), text("status")}},
	}
}

var baseTypes = map[string]string{
	"integer": "type/Integer", "number": "type/Float", "date": "type/Date", "time": "type/DateTime", "boolean": "type/Boolean",
}

// Graph builds the state at the beginning of the case, and says which ids its
// names have there.
func (c *Case) Graph() (*permission.Graph, *World, error) { return c.graphOn("sqlite") }

// graphOn is Graph for databases of an engine.
func (c *Case) graphOn(engine string) (*permission.Graph, *World, error) {
	w := NewWorld()
	w.Engine = engine
	g := permission.New(c.catalog(w)).WithRevisions(Begun, 1)
	changes, err := c.settle(w)
	if err != nil {
		return nil, nil, err
	}
	if g, err = g.Apply(changes...); err == nil {
		g, err = g.Apply(c.Marks(g, w)...)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	g, err = c.grant(g, w, Granted)
	return g, w, err
}

func (c *Case) catalog(w *World) *catalog.Snapshot {
	snap := &catalog.Snapshot{}
	var table catalog.TableID
	var field catalog.FieldID
	for i, d := range c.Databases {
		db := catalog.DatabaseID(i + 1)
		w.Databases[d.Name] = db
		snap = snap.WithDatabase(catalog.Database{ID: db, Name: d.Name, Engine: w.Engine, Sample: d.Sample, Governs: catalog.Governs(w.Engine)})
		for _, t := range d.Tables {
			table++
			w.AddTable(d.Name, t.Schema, t.Name, table)
			row := catalog.Table{ID: table, Database: db, Schema: t.Schema, Name: t.Name, DisplayName: t.Name, Since: Before}
			if t.New {
				row.Since = Begun
			}
			if t.Absent {
				row.Until = Begun
			}
			var fields []catalog.Field
			for n, f := range t.Fields {
				field++
				fields = append(fields, catalog.Field{ID: field, Name: f.Name, DisplayName: f.Name, Position: n, BaseType: cmp.Or(baseTypes[f.Type], "type/Text")})
			}
			snap = snap.WithTable(row, fields)
		}
	}
	return snap
}

// settle lists the changes that bring people, groups and collections.
func (c *Case) settle(w *World) ([]permission.Change, error) {
	var changes []permission.Change
	for _, g := range append([]Group{{Name: AllUsers}, {Name: Administrators}}, c.Groups...) {
		id, known := w.Groups[g.Name]
		switch {
		case !known:
			id = permission.GroupID(len(w.Groups) + 1)
			w.Groups[g.Name] = id
			changes = append(changes, permission.SetGroup{To: &permission.Group{ID: id, Name: g.Name, Internal: g.Internal}})
		case g.Line == 0:
			changes = append(changes, permission.SetGroup{To: &permission.Group{ID: id, Name: g.Name}})
		case g.Internal: // one that every server has, marked by the case
			changes = append(changes, permission.SetGroup{From: &permission.Group{ID: id, Name: g.Name}, To: &permission.Group{ID: id, Name: g.Name, Internal: true}})
		}
	}
	for i, p := range c.People {
		id := permission.UserID(i + 1)
		w.People[p.Name] = id
		changes = append(changes,
			permission.SetUser{To: &permission.User{ID: id, Name: p.Name + "@example.com", Active: !p.Deactivated, Attributes: p.Attributes}},
			permission.SetMembership{User: id, Group: permission.AllUsers, To: true})
		for _, name := range p.Groups {
			g, err := w.Group(name)
			if err != nil {
				return nil, c.mistake(p.Line, err)
			}
			changes = append(changes, permission.SetMembership{User: id, Group: g, To: true})
		}
	}
	collections, err := c.shelve(w)
	if err != nil {
		return nil, err
	}
	return append(changes, collections...), nil
}

// shelve makes the collections: everybody's own first.
func (c *Case) shelve(w *World) ([]permission.Change, error) {
	var changes []permission.Change
	next, owners := permission.CollectionID(0), map[permission.CollectionID]permission.UserID{}
	add := func(path, name string, parent permission.CollectionID, owner permission.UserID) {
		next++
		w.Collections[path] = next
		owners[next] = owner
		changes = append(changes, permission.SetCollection{To: &permission.CollectionNode{ID: next, Name: name, Parent: parent, Owner: owner}})
	}
	for _, p := range c.People {
		add(PersonalCollection(p.Name), PersonalCollection(p.Name), permission.Root, w.People[p.Name])
	}
	for _, path := range c.Collections {
		if _, is := w.Collections[path]; is {
			return nil, fmt.Errorf("%s: collection %q is there twice", c.Name, path)
		}
		parent, name := permission.Root, path
		if i := strings.LastIndexByte(path, '/'); i >= 0 {
			var err error
			if parent, err = w.Collection(path[:i]); err != nil {
				return nil, fmt.Errorf("%s: collection %q: %w", c.Name, path, err)
			}
			name = path[i+1:]
		}
		add(path, name, parent, owners[parent])
	}
	return changes, nil
}

// Marks lists the changes that make databases strict and tables governed or
// shared: by the catalog section, and for being sandboxed in the grants. What
// w does not know - new tables, before they came - is left out.
func (c *Case) Marks(g *permission.Graph, w *World) []permission.Change {
	marks := map[catalog.TableID]permission.TableMark{}
	var order []catalog.TableID
	set := func(r Ref, m permission.TableMark) {
		id, err := w.Table(r)
		if err != nil || m == (permission.TableMark{}) {
			return // a mistake, if it is one, is the grant's
		}
		old, known := marks[id]
		if !known {
			order = append(order, id)
		}
		marks[id] = permission.TableMark{Governed: m.Governed || old.Governed, Shared: m.Shared || old.Shared}
	}
	var changes []permission.Change
	for _, d := range c.Databases {
		if db := w.Databases[d.Name]; d.Strict && !g.Strict(db) {
			changes = append(changes, permission.SetStrict{Database: db, To: true})
		}
		for _, t := range d.Tables {
			set(Ref{Depth: permission.OfTable, Database: d.Name, Schema: t.Schema, Table: t.Name}, permission.TableMark{Governed: t.Governed, Shared: t.Shared})
		}
	}
	for _, s := range c.Grants {
		sandboxes := s.Do == Policy
		for _, l := range s.Levels {
			sandboxes = sandboxes || l.Kind == permission.View && l.Level == permission.Sandboxed
		}
		if sandboxes {
			set(s.Scope, permission.TableMark{Governed: true})
		}
	}
	for _, t := range order {
		if is := g.Mark(t); is != marks[t] {
			changes = append(changes, permission.SetTableMark{Table: t, From: is, To: marks[t]})
		}
	}
	return changes
}

// grant writes what stands in the grants section, as it stands there.
func (c *Case) grant(g *permission.Graph, w *World, at catalog.Revision) (*permission.Graph, error) {
	for _, s := range c.Grants {
		changes, err := s.write(g, w, at)
		if err == nil {
			g, err = g.Apply(changes...)
		}
		if err != nil {
			return nil, c.mistake(s.Line, err)
		}
	}
	return g, nil
}

// Changes lists the changes that write the grants section over a graph in
// which the names have the ids of w; at is their revision.
func (c *Case) Changes(g *permission.Graph, w *World, at catalog.Revision) ([]permission.Change, error) {
	granted, err := c.grant(g, w, at)
	if err != nil {
		return nil, err
	}
	return permission.Diff(g, granted), nil
}

// write is the changes of one grant.
func (s *Statement) write(g *permission.Graph, w *World, at catalog.Revision) ([]permission.Change, error) {
	group, err := w.Group(s.Group)
	if err != nil {
		return nil, err
	}
	var changes []permission.Change
	switch s.Do {
	case Levels:
		db, scope, err := w.Scope(s.Scope)
		if err != nil {
			return nil, err
		}
		for _, l := range s.Levels {
			changes = append(changes, permission.SetDataAccess{Group: group, Database: db, Kind: l.Kind, Scope: scope,
				From: g.Cell(group, db, l.Kind, scope), To: permission.Cell{Set: true, Level: l.Level, Wide: l.Wide, At: at, Attribute: l.By}})
		}
	case Policy:
		where, table, err := s.where(g, w)
		if err != nil {
			return nil, err
		}
		changes = append(changes, permission.SetSandbox{From: g.Sandbox(group, table), To: &permission.Sandbox{Group: group, Table: table, Policy: permission.Policy{Where: where}, At: at}})
	case OnCollection:
		id, err := w.Collection(s.Collection)
		if err != nil {
			return nil, err
		}
		changes = append(changes, permission.SetCollectionAccess{Group: group, Collection: id,
			From: g.CollectionLevel(group, id), To: permission.Cell{Set: s.Level != permission.None, Level: s.Level}})
	default:
		return nil, fmt.Errorf("%q is not a grant", s.Text)
	}
	return changes, nil
}

// where is the policy's conditions with the ids of their columns.
func (s *Statement) where(g *permission.Graph, w *World) ([]permission.AttributeEquality, catalog.TableID, error) {
	table, err := w.Table(s.Scope)
	if err != nil {
		return nil, 0, err
	}
	var where []permission.AttributeEquality
	for _, cond := range s.Where {
		f, err := field(g.Catalog(), table, cond.Field)
		if err != nil {
			return nil, 0, err
		}
		where = append(where, permission.AttributeEquality{Field: f, Attribute: cond.Attribute})
	}
	return where, table, nil
}

func field(c *catalog.Snapshot, t catalog.TableID, name string) (catalog.FieldID, error) {
	for _, f := range c.Fields(t) {
		if f.Name == name {
			return f.ID, nil
		}
	}
	return 0, fmt.Errorf("table %d has no column %q", t, name)
}

func (c *Case) mistake(line int, err error) error {
	return &Mistake{c.Name + ".txtar", line, err.Error()}
}
