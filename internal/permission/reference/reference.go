// Package reference decides who may do what a second time, for tests: property
// tests on random states compare [permission.Access] and the application
// database with it. Start at [World].
package reference

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// World answers the same questions as permission.Access, written a second
// time from the text of the rules: plain maps, plain loops, nothing shared,
// nothing remembered. It is slow, and it is meant to be read beside the
// permission model sentence by sentence. Property tests compare the two.
//
// It is filled by interpreting changes itself (see [World.Write]), so that
// it depends neither on how a Graph stores things nor on how it reads them.
type World struct {
	databases   map[catalog.DatabaseID]catalog.Database
	Tables      map[catalog.TableID]catalog.Table
	fields      map[catalog.FieldID]catalog.Field
	groups      map[permission.GroupID]permission.Group
	People      map[permission.UserID]permission.User
	members     map[membership]bool
	Levels      map[Place]permission.Cell
	collections map[permission.CollectionID]permission.CollectionNode
	curators    map[shelf]permission.Cell
	Policies    map[Policy]permission.Sandbox
	Marks       map[catalog.TableID]permission.TableMark
	strict      map[catalog.DatabaseID]bool
}

type membership struct {
	person permission.UserID
	group  permission.GroupID
}

// Place is where a level of the data graph is written.
type Place struct {
	Group    permission.GroupID
	Database catalog.DatabaseID
	Kind     permission.Kind
	Scope    permission.Scope
}

// shelf is where a level of the collection graph is written.
type shelf struct {
	group      permission.GroupID
	collection permission.CollectionID
}

// Policy is which sandbox policy it is.
type Policy struct {
	Group permission.GroupID
	Table catalog.TableID
}

// New is a world with nothing in it.
func New() *World {
	return &World{
		databases:   map[catalog.DatabaseID]catalog.Database{},
		Tables:      map[catalog.TableID]catalog.Table{},
		fields:      map[catalog.FieldID]catalog.Field{},
		groups:      map[permission.GroupID]permission.Group{},
		People:      map[permission.UserID]permission.User{},
		members:     map[membership]bool{},
		Levels:      map[Place]permission.Cell{},
		collections: map[permission.CollectionID]permission.CollectionNode{},
		curators:    map[shelf]permission.Cell{},
		Policies:    map[Policy]permission.Sandbox{},
		Marks:       map[catalog.TableID]permission.TableMark{},
		strict:      map[catalog.DatabaseID]bool{},
	}
}

// Write does what a change says.
func (w *World) Write(c permission.Change) {
	switch c := c.(type) {
	case permission.SetGroup:
		if c.To == nil {
			delete(w.groups, c.From.ID)
		} else {
			w.groups[c.To.ID] = *c.To
		}
	case permission.SetUser:
		if c.To == nil {
			delete(w.People, c.From.ID)
		} else {
			w.People[c.To.ID] = *c.To
		}
	case permission.SetMembership:
		if c.To {
			w.members[membership{c.User, c.Group}] = true
		} else {
			delete(w.members, membership{c.User, c.Group})
		}
	case permission.SetDataAccess:
		if at := (Place{c.Group, c.Database, c.Kind, c.Scope}); c.To.Set {
			w.Levels[at] = c.To
		} else {
			delete(w.Levels, at)
		}
	case permission.SetCollectionAccess:
		if at := (shelf{c.Group, c.Collection}); c.To.Set {
			w.curators[at] = c.To
		} else {
			delete(w.curators, at)
		}
	case permission.SetSandbox:
		if c.To == nil {
			delete(w.Policies, Policy{c.From.Group, c.From.Table})
		} else {
			w.Policies[Policy{c.To.Group, c.To.Table}] = *c.To
		}
	case permission.SetTableMark:
		w.Marks[c.Table] = c.To
	case permission.SetStrict:
		w.strict[c.Database] = c.To
	case permission.SetCollection:
		if c.To == nil {
			delete(w.collections, c.From.ID)
		} else {
			w.collections[c.To.ID] = *c.To
		}
	default:
		panic(fmt.Sprintf("the reference does not know %T", c))
	}
}

// Fill reads the catalog.
func (w *World) Fill(c *catalog.Snapshot) {
	for d := range c.Databases() {
		w.databases[d.ID] = *d
		for t := range c.Tables(d.ID) {
			w.Tables[t.ID] = *t
			for _, f := range c.Fields(t.ID) {
				w.fields[f.ID] = *f
			}
		}
	}
}

// String writes everything down that answers depend on.
func (w *World) String() string {
	s := ""
	for _, id := range sortedKeys(w.Tables) {
		t := w.Tables[id]
		s += fmt.Sprintf("table %d of %d %q since %d until %d mark %+v strict %v\n", id, t.Database, t.Schema, t.Since, t.Until, w.Marks[id], w.strict[t.Database])
	}
	for _, id := range sortedKeys(w.People) {
		s += fmt.Sprintf("person %d active %v attributes %v groups %v\n", id, w.People[id].Active, w.People[id].Attributes, w.GroupsOf(id))
	}
	var lines []string
	for at, c := range w.Levels {
		lines = append(lines, fmt.Sprintf("group %d internal %v database %d%s: %s %s wide %v at %d by %q", at.Group, w.groups[at.Group].Internal, at.Database, at.Scope, at.Kind, at.Kind.Word(c.Level), c.Wide, c.At, c.Attribute))
	}
	for at, c := range w.curators {
		lines = append(lines, fmt.Sprintf("group %d collection %s: %s", at.group, at.collection, permission.Collection.Word(c.Level)))
	}
	for at, pol := range w.Policies {
		lines = append(lines, fmt.Sprintf("group %d policy on table %d: %v", at.Group, at.Table, pol.Where))
	}
	for id, c := range w.collections {
		lines = append(lines, "collection "+strconv.Itoa(int(id))+fmt.Sprintf(" %+v", c))
	}
	slices.Sort(lines)
	for _, l := range lines {
		s += l + "\n"
	}
	return s
}

func sortedKeys[K ~int64, V any](m map[K]V) []K {
	var keys []K
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
