// Package permission decides who may do what. It is the one engine: the API,
// lists, query compilation, explanations, previews and plans all ask it, and
// nothing else decides.
//
// A [Graph] is everything that decisions rest on - people, groups,
// memberships, levels, sandboxes, marks, the tree of collections, and the
// catalog they speak of - at one revision, immutable. [Graph.AccessOf] gives
// what one person may do; [Access.Can] answers and [Access.Explain] says why,
// by the same resolver. A [Change] is a typed difference between two graphs;
// a [Draft] makes changes out of what somebody wants.
//
// The semantics are those of Metabase as design/permissions.md amends them;
// docs/permissions.md is the page for users. The package is pure: no context,
// clock, database or log. Start reading at [Graph], then [Access].
package permission

import (
	"iter"
	"maps"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/intmap"
)

// Ids as the API shows them; positive, never used twice.
type (
	GroupID      int64
	UserID       int64
	CollectionID int64
)

// The two groups every server has. Every user is in AllUsers, which is an
// ordinary group otherwise. Members of Administrators may do everything.
const (
	AllUsers       GroupID = 1
	Administrators GroupID = 2
)

// Root is the root collection ("Our analytics"), "root" on the wire.
const Root CollectionID = 0

// Group is a group of people.
type Group struct {
	ID       GroupID `json:"id"`
	Name     string  `json:"name"`
	Internal bool    `json:"internal,omitempty"` // a wide grant on a strict database means what it says
	// Since is the data revision at which the group was made.
	Since catalog.Revision `json:"since,omitempty"`
}

// User is a person or an API key, as far as decisions go.
type User struct {
	ID         UserID            `json:"id"`
	Name       string            `json:"name"` // e-mail, for explanations
	Active     bool              `json:"active,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"` // what sandboxes compare with
}

// CollectionNode is a collection's place in the tree. Nothing is inherited
// from the parent; the owner is.
type CollectionNode struct {
	ID     CollectionID `json:"id"`
	Name   string       `json:"name"`
	Parent CollectionID `json:"parent,omitempty"` // Root at the top level
	// Owner is the person whose personal collection this is or lies in; 0 for
	// all others. Only the owner and Administrators have access then.
	Owner UserID `json:"owner,omitempty"`
}

// Sandbox is the policy of one group on one table.
type Sandbox struct {
	Group GroupID         `json:"group"`
	Table catalog.TableID `json:"table"`
	Policy
	At catalog.Revision `json:"at,omitempty"`
}

// TableMark is what is stored about a table besides levels.
type TableMark struct {
	// Governed makes None mean Blocked. It is set by the first sandbox and
	// goes only by an explicit change.
	Governed bool `json:"governed,omitempty"`
	// Shared exempts a table of a strict database from being governed.
	Shared bool `json:"shared,omitempty"`
}

// Graph is the whole state that decisions rest on, at one revision. It never
// changes; [Graph.Apply] gives a new one that shares the rest. The zero value
// is an empty graph, in which nobody may do anything. Records it hands out
// are shared and must not be written to.
type Graph struct {
	catalog     *catalog.Snapshot
	revision    catalog.Revision
	collection  int64 // revision of the collection graph
	groups      intmap.Map[GroupID, *group]
	users       intmap.Map[UserID, *user]
	active      intmap.Dense[UserID, seat] // of the users that are
	collections intmap.Map[CollectionID, *CollectionNode]
	marks       intmap.Map[catalog.TableID, TableMark]
	strict      intmap.Map[catalog.DatabaseID, bool]
	reverse     reverse
	stamps      stamps
	memo        *memo                                    // nil remembers nothing
	memory      *memo                                    // what memo is when the graph is settled
	stale       intmap.Map[catalog.DatabaseID, struct{}] // whose stamps no longer hold
}

type group struct {
	Group
	members     intmap.Map[UserID, bool]
	entries     intmap.Map[catalog.DatabaseID, *entry]
	collections intmap.Map[CollectionID, Cell]
	sandboxes   intmap.Map[catalog.TableID, *Sandbox]
}

type user struct {
	User
	groups []GroupID // sorted
}

// seat is where an active user's record is, and its stamp (see memo): 0 is not
// remembered.
type seat struct {
	*user
	stamp uint64
}

// New is a graph over the catalog with nobody and nothing in it.
func New(c *catalog.Snapshot) *Graph { return &Graph{catalog: c} }

// Catalog is the catalog the graph speaks of.
func (g *Graph) Catalog() *catalog.Snapshot {
	if g.catalog == nil {
		return &catalog.Snapshot{}
	}
	return g.catalog
}

// WithCatalog is the graph over another state of the catalog.
func (g *Graph) WithCatalog(c *catalog.Snapshot) *Graph {
	n := *g
	n.catalog = c
	n.renewCatalog(g.Catalog())
	return &n
}

// Revision is the revision of the data graph.
func (g *Graph) Revision() catalog.Revision { return g.revision }

// CollectionRevision is the revision of the collection graph.
func (g *Graph) CollectionRevision() int64 { return g.collection }

// WithRevisions is the graph under other revision numbers.
func (g *Graph) WithRevisions(data catalog.Revision, collection int64) *Graph {
	n := *g
	n.revision, n.collection = data, collection
	return &n
}

// Edition tells whether what follows from a group's levels and policies, and
// from the catalog, is the same as it was: of equal editions it is. Of
// different ones it may be, too.
type Edition struct {
	group   *group
	catalog *catalog.Snapshot
	strict  intmap.Map[catalog.DatabaseID, bool]
}

// Edition is the present one of a group.
func (g *Graph) Edition(id GroupID) Edition {
	gr, _ := g.groups.Get(id)
	return Edition{gr, g.catalog, g.strict}
}

// Group returns the group with the id, or nil.
func (g *Graph) Group(id GroupID) *Group {
	if gr, ok := g.groups.Get(id); ok {
		return &gr.Group
	}
	return nil
}

// Groups yields all groups in the order of their ids.
func (g *Graph) Groups() iter.Seq[*Group] {
	return func(yield func(*Group) bool) {
		for _, gr := range g.groups.All() {
			if !yield(&gr.Group) {
				return
			}
		}
	}
}

// User returns the user with the id, active or not, or nil.
func (g *Graph) User(id UserID) *User {
	if u, ok := g.users.Get(id); ok {
		return &u.User
	}
	return nil
}

// Users yields all users in the order of their ids.
func (g *Graph) Users() iter.Seq[*User] {
	return func(yield func(*User) bool) {
		for _, u := range g.users.All() {
			if !yield(&u.User) {
				return
			}
		}
	}
}

// GroupsOf returns the groups of a user, sorted. The slice is shared.
func (g *Graph) GroupsOf(id UserID) []GroupID {
	if u, ok := g.users.Get(id); ok {
		return u.groups
	}
	return nil
}

// Members yields the users of a group, active or not, in the order of the ids.
func (g *Graph) Members(id GroupID) iter.Seq[UserID] {
	gr, ok := g.groups.Get(id)
	if !ok {
		return func(func(UserID) bool) {}
	}
	return gr.members.Keys()
}

// IsMember tells whether the user is in the group.
func (g *Graph) IsMember(u UserID, id GroupID) bool {
	_, ok := slices.BinarySearch(g.GroupsOf(u), id)
	return ok
}

// Collection returns the place of a collection, or nil. Root has none.
func (g *Graph) Collection(id CollectionID) *CollectionNode {
	c, _ := g.collections.Get(id)
	return c
}

// Collections yields all collections but Root in the order of their ids.
func (g *Graph) Collections() iter.Seq[*CollectionNode] {
	return func(yield func(*CollectionNode) bool) {
		for _, c := range g.collections.All() {
			if !yield(c) {
				return
			}
		}
	}
}

// CollectionLevel is what is written for a group on a collection.
func (g *Graph) CollectionLevel(id GroupID, c CollectionID) Cell {
	if gr, ok := g.groups.Get(id); ok {
		cell, _ := gr.collections.Get(c)
		return cell
	}
	return Cell{}
}

// CollectionLevels yields what is written for a group, by collection.
func (g *Graph) CollectionLevels(id GroupID) iter.Seq2[CollectionID, Cell] {
	gr, ok := g.groups.Get(id)
	if !ok {
		return func(func(CollectionID, Cell) bool) {}
	}
	return gr.collections.All()
}

// Sandbox returns the policy of a group on a table, or nil.
func (g *Graph) Sandbox(id GroupID, t catalog.TableID) *Sandbox {
	if gr, ok := g.groups.Get(id); ok {
		s, _ := gr.sandboxes.Get(t)
		return s
	}
	return nil
}

// Sandboxes yields the policies of a group in the order of the tables.
func (g *Graph) Sandboxes(id GroupID) iter.Seq[*Sandbox] {
	return func(yield func(*Sandbox) bool) {
		gr, ok := g.groups.Get(id)
		if !ok {
			return
		}
		for _, s := range gr.sandboxes.All() {
			if !yield(s) {
				return
			}
		}
	}
}

// Mark returns the stored marks of a table.
func (g *Graph) Mark(t catalog.TableID) TableMark {
	m, _ := g.marks.Get(t)
	return m
}

// Marks yields the tables that bear a mark.
func (g *Graph) Marks() iter.Seq2[catalog.TableID, TableMark] { return g.marks.All() }

// Strict tells whether every table of the database that is not shared is
// governed.
func (g *Graph) Strict(d catalog.DatabaseID) bool {
	s, _ := g.strict.Get(d)
	return s
}

// Governed tells whether None means Blocked on the table.
func (g *Graph) Governed(t catalog.TableID) bool {
	m := g.Mark(t)
	if m.Governed {
		return true
	}
	tb := g.Catalog().Table(t)
	return tb != nil && g.Strict(tb.Database) && !m.Shared
}

// Entries yields the databases in which something is written for a group.
func (g *Graph) Entries(id GroupID) iter.Seq[catalog.DatabaseID] {
	gr, ok := g.groups.Get(id)
	if !ok {
		return func(func(catalog.DatabaseID) bool) {}
	}
	return gr.entries.Keys()
}

// Cell is what is written for a group at one scope of a database.
func (g *Graph) Cell(id GroupID, d catalog.DatabaseID, k Kind, s Scope) Cell {
	return g.entry(id, d).cell(k, s)
}

// Cells yields what is written for a group in a database, of one kind: the
// whole database first, then schemas by name, then tables by id.
func (g *Graph) Cells(id GroupID, d catalog.DatabaseID, k Kind) iter.Seq2[Scope, Cell] {
	return func(yield func(Scope, Cell) bool) { g.entry(id, d).each(k, yield) }
}

// Level is the level of a group that reaches a scope by what is written: at
// the scope itself, else above it. A pending table has None of View. What a
// strict database or another group makes of it is not looked at.
func (g *Graph) Level(id GroupID, d catalog.DatabaseID, k Kind, s Scope) Level {
	e := g.entry(id, d)
	if s.Depth == OfDatabase {
		return e.cell(k, s).Level
	}
	if s.Depth == OfSchema {
		if c := e.cell(k, s); c.Set {
			return c.Level
		}
		return e.cell(k, WholeDatabase()).Level
	}
	t := g.Catalog().Table(s.Table)
	if e == nil || t == nil || t.Database != d || int(k) >= dataKinds {
		return None
	}
	if k == View && g.pending(id, t) {
		return None
	}
	c, _ := e.find(k, t.Schema, t.ID)
	return c.Level
}

// Granular lists the schemas in which something is written below the database
// for any of the kinds, sorted, and tells for each whether single tables are.
func (g *Graph) Granular(id GroupID, d catalog.DatabaseID, kinds ...Kind) (schemas []string, byTable map[string]bool) {
	byTable = map[string]bool{}
	for _, k := range kinds {
		for s := range g.Cells(id, d, k) {
			switch s.Depth {
			case OfSchema:
				if !byTable[s.Schema] {
					byTable[s.Schema] = false
				}
			case OfTable:
				if t := g.Catalog().Table(s.Table); t != nil {
					byTable[t.Schema] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(byTable)), byTable
}

func (g *Graph) entry(id GroupID, d catalog.DatabaseID) *entry {
	if gr, ok := g.groups.Get(id); ok {
		e, _ := gr.entries.Get(d)
		return e
	}
	return nil
}
