package accesscase

import (
	"fmt"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// Write does what the step's write section says, as one change of the graph,
// and returns the new graph with the warnings there were. Tables that arrive
// become known to w.
func (c *Case) Write(s *Step, g *permission.Graph, w *World) (*permission.Graph, []permission.Warning, error) {
	if len(s.Write) == 0 {
		return g, nil, nil
	}
	wr := &writer{g: g, w: w, revision: g.Revision() + 1}
	for i := range s.Write {
		if err := wr.do(&s.Write[i]); err != nil {
			return nil, nil, c.mistake(s.Write[i].Line, err)
		}
	}
	if err := wr.flush(); err != nil {
		return nil, nil, c.mistake(s.Line, err)
	}
	return wr.g.WithRevisions(wr.revision, g.CollectionRevision()+1), wr.warnings, nil
}

// writer makes one revision. Edits of the data graph that follow each other
// are one draft.
type writer struct {
	g        *permission.Graph
	w        *World
	revision catalog.Revision
	draft    *permission.Draft
	warnings []permission.Warning
}

func (wr *writer) flush() error {
	if wr.draft == nil {
		return nil
	}
	changes, warnings := wr.draft.Changes()
	wr.draft = nil
	wr.warnings = append(wr.warnings, warnings...)
	return wr.apply(changes...)
}

func (wr *writer) apply(changes ...permission.Change) error {
	g, err := wr.g.Apply(changes...)
	if err == nil {
		wr.g = g
	}
	return err
}

func (wr *writer) do(s *Statement) error {
	switch s.Do {
	case Levels, Everything, Sandboxes, LeftOut, Policy, NoPolicy:
		return wr.edit(s)
	}
	if err := wr.flush(); err != nil {
		return err
	}
	switch s.Do {
	case OnCollection, DropGroup, Internal:
		return wr.group(s)
	case AddMember, DropMember, Activate, Attribute:
		return wr.person(s)
	case MarkTable, MakeStrict, Arrives, Leaves:
		return wr.table(s)
	}
	return fmt.Errorf("%q cannot be done", s.Text)
}

// edit is a deed of the data graph.
func (wr *writer) edit(s *Statement) error {
	if wr.draft == nil {
		wr.draft = wr.g.Draft()
	}
	group, err := wr.w.Group(s.Group)
	if err != nil {
		return err
	}
	db, scope, err := wr.w.Scope(s.Scope)
	if err != nil {
		return err
	}
	switch s.Do {
	case Levels:
		for _, l := range s.Levels {
			if l.Wide {
				return fmt.Errorf("a wide level comes of \"everything on\", it is not written")
			}
			if err := wr.draft.Set(group, db, l.Kind, scope, l.Level); err != nil {
				return err
			}
			if l.By != "" {
				if err := wr.draft.Impersonate(group, db, l.By); err != nil {
					return err
				}
			}
		}
		return nil
	case Everything:
		return wr.draft.Grant(group, db, scope)
	case Sandboxes:
		return wr.draft.Sandbox(group, db, scope.Table)
	case LeftOut:
		kinds := []permission.Kind{permission.View, permission.Create, permission.Download, permission.DataModel}
		if scope.Depth == permission.OfDatabase {
			kinds = append(kinds, permission.Details)
		}
		return wr.draft.Revoke(group, db, scope, kinds...)
	case NoPolicy:
		return wr.draft.SetSandbox(group, scope.Table, nil)
	}
	where, table, err := s.where(wr.g, wr.w)
	if err != nil {
		return err
	}
	return wr.draft.SetSandbox(group, table, &permission.Policy{Where: where})
}

func (wr *writer) group(s *Statement) error {
	id, err := wr.w.Group(s.Group)
	if err != nil {
		return err
	}
	switch s.Do {
	case DropGroup:
		delete(wr.w.Groups, s.Group)
		return wr.apply(dropped(wr.g, id)...)
	case Internal:
		from := wr.g.Group(id)
		if from == nil {
			return fmt.Errorf("there is no group %q", s.Group)
		}
		to := *from
		to.Internal = s.On
		return wr.apply(permission.SetGroup{From: from, To: &to})
	}
	c, err := wr.w.Collection(s.Collection)
	if err != nil {
		return err
	}
	changes, _, err := permission.MergeCollections(wr.g, wr.g, []permission.CollectionEdit{{Group: id, Collection: c, Level: s.Level}})
	if err != nil {
		return err
	}
	return wr.apply(changes...)
}

// dropped is the changes that remove a group with all that is written for it.
func dropped(g *permission.Graph, id permission.GroupID) []permission.Change {
	var changes []permission.Change
	for p := range g.Sandboxes(id) {
		changes = append(changes, permission.SetSandbox{From: p})
	}
	for db := range g.Entries(id) {
		for k := permission.View; k <= permission.Details; k++ {
			for scope, cell := range g.Cells(id, db, k) {
				changes = append(changes, permission.SetDataAccess{Group: id, Database: db, Kind: k, Scope: scope, From: cell})
			}
		}
	}
	for c, cell := range g.CollectionLevels(id) {
		changes = append(changes, permission.SetCollectionAccess{Group: id, Collection: c, From: cell})
	}
	for u := range g.Members(id) {
		changes = append(changes, permission.SetMembership{User: u, Group: id, From: true})
	}
	return append(changes, permission.SetGroup{From: g.Group(id)})
}

func (wr *writer) person(s *Statement) error {
	id, err := wr.w.Person(s.Person)
	if err != nil {
		return err
	}
	if s.Do == AddMember || s.Do == DropMember {
		group, err := wr.w.Group(s.Group)
		if err != nil {
			return err
		}
		// Doing again what is done already is no mistake.
		return wr.apply(permission.SetMembership{User: id, Group: group, From: wr.g.IsMember(id, group), To: s.Do == AddMember})
	}
	from := wr.g.User(id)
	if from == nil {
		return fmt.Errorf("there is no person %q", s.Person)
	}
	to := *from
	if s.Do == Activate {
		to.Active = s.On
		return wr.apply(permission.SetUser{From: from, To: &to})
	}
	to.Attributes = map[string]string{}
	for name, value := range from.Attributes {
		to.Attributes[name] = value
	}
	to.Attributes[s.Name] = s.Value
	return wr.apply(permission.SetUser{From: from, To: &to})
}

func (wr *writer) table(s *Statement) error {
	if s.Do == Arrives {
		return wr.arrive(s.Scope)
	}
	db, scope, err := wr.w.Scope(s.Scope)
	if err != nil {
		return err
	}
	switch s.Do {
	case MakeStrict:
		return wr.apply(permission.SetStrict{Database: db, From: wr.g.Strict(db), To: s.On})
	case MarkTable:
		from := wr.g.Mark(scope.Table)
		to := from
		if s.Name == "shared" {
			to.Shared = s.On
		} else {
			to.Governed = s.On
		}
		return wr.apply(permission.SetTableMark{Table: scope.Table, From: from, To: to})
	}
	t := *wr.g.Catalog().Table(scope.Table)
	t.Until = wr.revision
	wr.g = wr.g.WithCatalog(wr.g.Catalog().WithTable(t, fieldsOf(wr.g.Catalog(), t.ID)))
	return nil
}

// arrive brings a table, as a sync does. One that bears the name of a governed
// table that went away has its columns and is born governed.
func (wr *writer) arrive(r Ref) error {
	db, err := wr.w.Database(r.Database)
	if err != nil {
		return err
	}
	c := wr.g.Catalog()
	t := catalog.Table{ID: 1, Database: db, Schema: r.Schema, Name: r.Table, DisplayName: r.Table, Since: wr.revision}
	next := catalog.FieldID(1)
	var old *catalog.Table
	for d := range c.Databases() {
		for o := range c.Tables(d.ID) {
			t.ID = max(t.ID, o.ID+1)
			for _, f := range c.Fields(o.ID) {
				next = max(next, f.ID+1)
			}
			if o.Database == db && o.Schema == t.Schema && o.Name == t.Name {
				old = o
			}
		}
	}
	var fields []catalog.Field
	if old != nil {
		if old.Active() {
			return fmt.Errorf("table %q is there", r)
		}
		fields = fieldsOf(c, old.ID)
	}
	for i := range fields {
		fields[i].ID = next + catalog.FieldID(i)
	}
	wr.g = wr.g.WithCatalog(c.WithTable(t, fields))
	wr.w.AddTable(r.Database, r.Schema, r.Table, t.ID)
	if old != nil && wr.g.Mark(old.ID).Governed {
		return wr.apply(permission.SetTableMark{Table: t.ID, To: permission.TableMark{Governed: true}})
	}
	return nil
}

func fieldsOf(c *catalog.Snapshot, t catalog.TableID) []catalog.Field {
	var fields []catalog.Field
	for _, f := range c.Fields(t) {
		fields = append(fields, *f)
	}
	return slices.Clone(fields)
}
