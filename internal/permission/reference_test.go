package permission_test

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// reference answers the same questions as permission.Access, written a second
// time from the text of the rules: plain maps, plain loops, nothing shared,
// nothing remembered. It is slow, and it is meant to be read beside the
// permission model sentence by sentence. Property tests compare the two.
//
// It is filled by interpreting changes itself (see [reference.write]), so that
// it depends neither on how a Graph stores things nor on how it reads them.
type reference struct {
	databases   map[catalog.DatabaseID]catalog.Database
	tables      map[catalog.TableID]catalog.Table
	fields      map[catalog.FieldID]catalog.Field
	groups      map[permission.GroupID]permission.Group
	people      map[permission.UserID]permission.User
	members     map[membership]bool
	levels      map[place]permission.Cell
	collections map[permission.CollectionID]permission.CollectionNode
	curators    map[shelf]permission.Cell
	policies    map[policy]permission.Sandbox
	marks       map[catalog.TableID]permission.TableMark
	strict      map[catalog.DatabaseID]bool
}

type membership struct {
	person permission.UserID
	group  permission.GroupID
}

// place is where a level of the data graph is written.
type place struct {
	group    permission.GroupID
	database catalog.DatabaseID
	kind     permission.Kind
	scope    permission.Scope
}

// shelf is where a level of the collection graph is written.
type shelf struct {
	group      permission.GroupID
	collection permission.CollectionID
}

type policy struct {
	group permission.GroupID
	table catalog.TableID
}

func newReference() *reference {
	return &reference{
		databases:   map[catalog.DatabaseID]catalog.Database{},
		tables:      map[catalog.TableID]catalog.Table{},
		fields:      map[catalog.FieldID]catalog.Field{},
		groups:      map[permission.GroupID]permission.Group{},
		people:      map[permission.UserID]permission.User{},
		members:     map[membership]bool{},
		levels:      map[place]permission.Cell{},
		collections: map[permission.CollectionID]permission.CollectionNode{},
		curators:    map[shelf]permission.Cell{},
		policies:    map[policy]permission.Sandbox{},
		marks:       map[catalog.TableID]permission.TableMark{},
		strict:      map[catalog.DatabaseID]bool{},
	}
}

// write does what a change says.
func (w *reference) write(c permission.Change) {
	switch c := c.(type) {
	case permission.SetGroup:
		if c.To == nil {
			delete(w.groups, c.From.ID)
		} else {
			w.groups[c.To.ID] = *c.To
		}
	case permission.SetUser:
		if c.To == nil {
			delete(w.people, c.From.ID)
		} else {
			w.people[c.To.ID] = *c.To
		}
	case permission.SetMembership:
		if c.To {
			w.members[membership{c.User, c.Group}] = true
		} else {
			delete(w.members, membership{c.User, c.Group})
		}
	case permission.SetDataAccess:
		if at := (place{c.Group, c.Database, c.Kind, c.Scope}); c.To.Set {
			w.levels[at] = c.To
		} else {
			delete(w.levels, at)
		}
	case permission.SetCollectionAccess:
		if at := (shelf{c.Group, c.Collection}); c.To.Set {
			w.curators[at] = c.To
		} else {
			delete(w.curators, at)
		}
	case permission.SetSandbox:
		if c.To == nil {
			delete(w.policies, policy{c.From.Group, c.From.Table})
		} else {
			w.policies[policy{c.To.Group, c.To.Table}] = *c.To
		}
	case permission.SetTableMark:
		w.marks[c.Table] = c.To
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

// fill reads the catalog.
func (w *reference) fill(c *catalog.Snapshot) {
	for d := range c.Databases() {
		w.databases[d.ID] = *d
		for t := range c.Tables(d.ID) {
			w.tables[t.ID] = *t
			for _, f := range c.Fields(t.ID) {
				w.fields[f.ID] = *f
			}
		}
	}
}

func (w *reference) String() string {
	s := ""
	for _, id := range sortedKeys(w.tables) {
		t := w.tables[id]
		s += fmt.Sprintf("table %d of %d %q since %d until %d mark %+v strict %v\n", id, t.Database, t.Schema, t.Since, t.Until, w.marks[id], w.strict[t.Database])
	}
	for _, id := range sortedKeys(w.people) {
		s += fmt.Sprintf("person %d active %v attributes %v groups %v\n", id, w.people[id].Active, w.people[id].Attributes, w.groupsOf(id))
	}
	var lines []string
	for at, c := range w.levels {
		lines = append(lines, fmt.Sprintf("group %d internal %v database %d%s: %s %s wide %v at %d", at.group, w.groups[at.group].Internal, at.database, at.scope, at.kind, at.kind.Word(c.Level), c.Wide, c.At))
	}
	for at, c := range w.curators {
		lines = append(lines, fmt.Sprintf("group %d collection %s: %s", at.group, at.collection, permission.Collection.Word(c.Level)))
	}
	for at, pol := range w.policies {
		lines = append(lines, fmt.Sprintf("group %d policy on table %d: %v", at.group, at.table, pol.Where))
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
