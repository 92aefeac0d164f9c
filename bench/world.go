package main

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// scale says how large a world is.
type scale struct {
	databases, groups, users int
	schemas, tables, fields  int // schemas of a database, tables of a schema, fields of a table
	entries                  int // databases on which a group has something
	memberships              int // groups of a person, beside All Users
	collections              int
	percent                  int  // of all pairs of a group and a collection that have a level
	homes                    bool // people have personal collections
	everywhere               bool // every group has something on every database
}

// large is the size of the promises, little its baseline: people per group,
// databases per group and tables per database are the same.
func large() scale {
	return scale{databases: 1500, groups: 1500, users: 20000, schemas: 2, tables: 10, fields: 4, entries: 10, memberships: 3, homes: true}
}

func little() scale {
	s := large()
	s.databases, s.groups, s.users = 15, 15, 200
	return s
}

// medium stands for large in a quick run.
func medium() scale {
	s := large()
	s.databases, s.groups, s.users = 60, 60, 800
	return s
}

func (s scale) String() string {
	if s.databases == 0 {
		return fmt.Sprintf("%d x %d", s.collections, s.groups)
	}
	return fmt.Sprintf("%d x %d", s.databases, s.groups)
}

// Ids below these are those of the administrator and of the server's own.
const (
	firstGroup      = 3
	firstUser       = 101
	firstCollection = 101
	firstTable      = 1
)

// world is what is in a store before something is measured: a description,
// from which rows are written and other engines are fed. It is the same for
// the same scale.
type world struct {
	scale
	databases []database
	groups    []group // the first is All Users
	users     []person
	tables    []table // by id - firstTable
}

type database struct {
	id      catalog.DatabaseID
	schemas []schema
}

type schema struct {
	name   string
	tables []catalog.TableID
}

type table struct {
	database int // its index
	schema   string
}

type group struct {
	id      permission.GroupID
	entries []entry
	levels  map[permission.CollectionID]permission.Level
}

// entry is what a group has on a database.
type entry struct {
	database int // its index
	cells    []cell
	policies []catalog.TableID // sandboxed by the attribute "org"
}

type cell struct {
	kind  permission.Kind
	scope permission.Scope
	level permission.Level
	wide  bool
}

type person struct {
	id     permission.UserID
	groups []int // indexes into groups
}

func newWorld(s scale) *world {
	w := &world{scale: s}
	r := rand.New(rand.NewPCG(1, 2))
	for range s.databases {
		w.addDatabase(s.schemas, s.tables)
	}
	w.groups = append(w.groups, group{id: permission.AllUsers})
	for range s.groups {
		w.addGroup()
	}
	for i := range w.groups {
		for _, db := range some(r, s.databases, s.entries) {
			w.groups[i].entries = append(w.groups[i].entries, w.anEntry(r, db))
		}
		if s.everywhere {
			w.spread(i)
		}
	}
	for i := range s.users {
		u := person{id: permission.UserID(firstUser + i), groups: []int{0}}
		if s.groups > 0 {
			u.groups = append(u.groups, 1+i%s.groups)
			for len(u.groups) <= min(s.memberships, s.groups) {
				if g := 1 + r.IntN(s.groups); !slices.Contains(u.groups, g) {
					u.groups = append(u.groups, g)
				}
			}
		}
		w.users = append(w.users, u)
	}
	for i := range w.groups[1:] {
		g := &w.groups[1+i]
		g.levels = map[permission.CollectionID]permission.Level{}
		for c := range s.collections {
			if r.IntN(100) < s.percent {
				g.levels[permission.CollectionID(firstCollection+c)] = permission.Read + permission.Level(r.IntN(2))
			}
		}
	}
	return w
}

// addDatabase adds a database with so many tables in each schema, and returns
// its index.
func (w *world) addDatabase(schemas, tables int) int {
	db := len(w.databases)
	d := database{id: catalog.DatabaseID(db + 1)}
	for s := range schemas {
		sch := schema{name: fmt.Sprintf("schema%d", s+1)}
		for range tables {
			sch.tables = append(sch.tables, catalog.TableID(firstTable+len(w.tables)))
			w.tables = append(w.tables, table{db, sch.name})
		}
		d.schemas = append(d.schemas, sch)
	}
	w.databases = append(w.databases, d)
	return db
}

// addGroup adds a group that has nothing yet.
func (w *world) addGroup() *group {
	w.groups = append(w.groups, group{id: permission.GroupID(firstGroup + len(w.groups) - 1)})
	return &w.groups[len(w.groups)-1]
}

// some are n different numbers below most.
func some(r *rand.Rand, most, n int) []int {
	n = min(n, most)
	var list []int
	for len(list) < n {
		if i := r.IntN(most); !slices.Contains(list, i) {
			list = append(list, i)
		}
	}
	return list
}

// anEntry writes on a database one of the things that administrators write.
func (w *world) anEntry(r *rand.Rand, db int) entry {
	d := w.databases[db]
	e := entry{database: db}
	sch := d.schemas[r.IntN(len(d.schemas))]
	switch n := r.IntN(20); {
	case n < 8: // everything, for some with SQL
		create := permission.QueryBuilder
		if n < 2 {
			create = permission.Native
		}
		e.open(permission.WholeDatabase(), create, false)
	case n < 13: // one schema
		e.open(permission.WholeSchema(sch.name), permission.QueryBuilder, false)
	case n < 18: // three tables, some of them sandboxed
		for i := range some(r, len(sch.tables), 3) {
			t := sch.tables[i]
			if r.IntN(20) == 0 && w.fields > 0 {
				e.sandbox(t)
			} else {
				e.open(permission.OneTable(t), permission.QueryBuilder, true)
			}
		}
	default: // everything but two tables
		e.open(permission.WholeDatabase(), permission.QueryBuilder, false)
		for _, i := range some(r, len(sch.tables), 2) {
			at := permission.OneTable(sch.tables[i])
			e.cells = append(e.cells, cell{permission.View, at, permission.Blocked, false}, cell{permission.Create, at, permission.None, false})
		}
	}
	return e
}

// spread gives a group something on every database, and on every twentieth a
// table that is blocked.
func (w *world) spread(group int) {
	for db := range w.databases {
		e := entry{database: db}
		at := permission.WholeDatabase()
		e.cells = append(e.cells, cell{permission.View, at, permission.Unrestricted, false}, cell{permission.Create, at, permission.QueryBuilder, false})
		if (group+db)%20 == 0 {
			e.cells = append(e.cells, cell{permission.View, permission.OneTable(w.databases[db].schemas[0].tables[0]), permission.Blocked, false})
		}
		w.groups[group].entries = append(w.groups[group].entries, e)
	}
}

// open writes what "all" means: see permission.Draft.Grant.
func (e *entry) open(s permission.Scope, create permission.Level, wide bool) {
	e.cells = append(e.cells, cell{permission.View, s, permission.Unrestricted, wide}, cell{permission.Create, s, create, false},
		cell{permission.Download, s, permission.Full, false})
}

func (e *entry) sandbox(t catalog.TableID) {
	s := permission.OneTable(t)
	e.cells = append(e.cells, cell{permission.View, s, permission.Sandboxed, false}, cell{permission.Create, s, permission.QueryBuilder, false})
	e.policies = append(e.policies, t)
}

// asks tells whether the entry by itself lets its group ask questions of a
// table: the deepest level that is written counts.
func (e *entry) asks(t catalog.TableID, schema string) bool {
	level := func(k permission.Kind) permission.Level {
		var l permission.Level
		depth := permission.OfDatabase
		for _, c := range e.cells {
			in := c.scope.Depth == permission.OfDatabase || c.scope == permission.WholeSchema(schema) || c.scope == permission.OneTable(t)
			if c.kind == k && in && c.scope.Depth >= depth {
				l, depth = c.level, c.scope.Depth
			}
		}
		return l
	}
	return level(permission.View) >= permission.Sandboxed && level(permission.Create) >= permission.QueryBuilder
}

// field is the first field of a table.
func (w *world) field(t catalog.TableID) catalog.FieldID {
	return catalog.FieldID(int(t-firstTable)*w.fields + 1)
}

// tableName and the like are what things are called.
func tableName(t catalog.TableID) string       { return fmt.Sprintf("orders_%06d", t) }
func groupName(g permission.GroupID) string    { return fmt.Sprintf("Department %d", g) }
func address(u permission.UserID) string       { return fmt.Sprintf("person%d@example.com", u) }
func databaseName(d catalog.DatabaseID) string { return fmt.Sprintf("Warehouse %d", d) }

// graph is the world as a graph in memory, without people's homes.
func (w *world) graph() (*permission.Graph, error) {
	cat := &catalog.Snapshot{}
	for _, d := range w.databases {
		cat = cat.WithDatabase(catalog.Database{ID: d.id, Name: databaseName(d.id), Engine: "sqlite"})
		for _, s := range d.schemas {
			for _, t := range s.tables {
				cat = cat.WithTable(catalog.Table{ID: t, Database: d.id, Schema: s.name, Name: tableName(t), Since: 1}, nil)
			}
		}
	}
	g := permission.New(cat).WithRevisions(filled, filled)
	apply := func(changes []permission.Change) (err error) {
		g, err = g.Apply(changes...)
		return err
	}
	changes := []permission.Change{permission.SetGroup{To: &permission.Group{ID: permission.Administrators, Name: "Administrators"}}}
	for _, gr := range w.groups {
		changes = append(changes, permission.SetGroup{To: &permission.Group{ID: gr.id, Name: groupName(gr.id)}})
		for _, e := range gr.entries {
			for _, c := range e.cells {
				changes = append(changes, permission.SetDataAccess{Group: gr.id, Database: w.databases[e.database].id, Kind: c.kind, Scope: c.scope,
					To: permission.Cell{Set: true, Level: c.level, Wide: c.wide, At: filled}})
			}
		}
		if err := apply(changes); err != nil {
			return nil, err
		}
		changes = changes[:0]
	}
	for _, u := range w.users {
		changes = append(changes, permission.SetUser{To: &permission.User{ID: u.id, Name: address(u.id), Active: true}})
		for _, i := range u.groups {
			changes = append(changes, permission.SetMembership{User: u.id, Group: w.groups[i].id, To: true})
		}
	}
	return g, apply(changes)
}
