package store_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/permission/accesscase"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// TestCasesSurviveTheStore: every situation of testdata/access is made by the
// front doors of a store, closed, opened again and asked; so is what is done
// in it step by step. All cases share one application database of each engine,
// as tenants would, and do not touch each other.
func TestCasesSurviveTheStore(t *testing.T) {
	files, err := filepath.Glob("../../testdata/access/*.txtar")
	if err != nil || len(files) < 60 {
		t.Fatalf("there are %d case files: %v", len(files), err)
	}
	storetest.EachConfig(t, func(t *testing.T, config store.Config) {
		s := storetest.Open(t, config)
		storetest.SetUp(t, s)
		for i, file := range files {
			data, err := os.ReadFile(file)
			check(t, err)
			c, err := accesscase.Parse(file, data)
			check(t, err)
			t.Run(c.Name, func(t *testing.T) {
				m := &made{t: t, s: s, c: c, w: accesscase.NewWorld(), prefix: fmt.Sprintf("c%d-", i)}
				m.begin()
				var last *accesscase.Step
				for i := range c.Steps {
					if c.Steps[i].Put != nil && len(c.Steps[i].Write) == 0 {
						break // over HTTP only
					}
					last = &c.Steps[i]
					m.do(last)
					m.ask(last)
				}
				m.reopen(config)
				m.ask(last)
				m.leave()
				s = m.s
			})
		}
	})
}

// made is a case in a store.
type made struct {
	t      *testing.T
	s      *store.Store
	c      *accesscase.Case
	w      *accesscase.World
	prefix string // of every name, since other cases are there too
	synced map[string][]store.SyncedTable
}

// ask compares what the step expects with what the store's graph says.
func (m *made) ask(s *accesscase.Step) {
	m.t.Helper()
	for _, err := range m.c.Check(s, m.s.Graph(), m.w) {
		m.t.Errorf("%s\n%v", m.c.Promise, err)
	}
}

// reopen closes the store and opens it again: nothing may be different.
func (m *made) reopen(config store.Config) {
	m.t.Helper()
	before, cat := dump(m.s.Graph()), dumpCatalog(m.s.Graph().Catalog())
	check(m.t, m.s.Close())
	var err error
	m.s, err = store.Open(m.t.Context(), config)
	check(m.t, err)
	if after := dump(m.s.Graph()); after != before {
		m.t.Fatalf("opened again, the graph is\n%s\nand it was\n%s", after, before)
	}
	if after := dumpCatalog(m.s.Graph().Catalog()); after != cat {
		m.t.Fatalf("opened again, the catalog is\n%s\nand it was\n%s", after, cat)
	}
}

// begin makes the situation at the beginning of the case.
func (m *made) begin() {
	m.t.Helper()
	m.synced = map[string][]store.SyncedTable{}
	for _, d := range m.c.Databases {
		// Not as the sample: the cases share a database, and it has one sample.
		made := must[store.Database](m.t)(m.s.CreateDatabase(m.t.Context(), store.Actor{}, store.Database{
			Name: m.prefix + d.Name, Engine: "sqlite", Details: json.RawMessage(`{}`)}))
		m.w.Databases[d.Name] = made.ID
		m.sync(d.Name, func(t accesscase.Table) bool { return !t.New })
	}
	m.people()
	m.collections()
	granted := *m.c
	granted.Grants = m.grantable()
	m.change(func(g *permission.Graph) ([]permission.Change, error) {
		marks := m.c.Marks(g, m.w)
		marked, err := g.Apply(marks...)
		if err != nil {
			return nil, err
		}
		grants, err := granted.Changes(marked, m.w, g.Revision()+1)
		return slices.Concat(marks, grants), err
	})
	for _, d := range m.c.Databases {
		m.sync(d.Name, func(t accesscase.Table) bool { return !t.Absent })
	}
	m.change(func(g *permission.Graph) ([]permission.Change, error) { return m.c.Marks(g, m.w), nil })
}

// sync finds those tables of a database that are there.
func (m *made) sync(database string, there func(accesscase.Table) bool) {
	m.t.Helper()
	i := slices.IndexFunc(m.c.Databases, func(d accesscase.Database) bool { return d.Name == database })
	var found []store.SyncedTable
	for _, t := range m.c.Databases[i].Tables {
		if !there(t) {
			continue
		}
		st := store.SyncedTable{Schema: t.Schema, Name: t.Name}
		for _, f := range t.Fields {
			st.Fields = append(st.Fields, store.SyncedField{Name: f.Name, DatabaseType: f.Type, BaseType: "type/Text"})
		}
		found = append(found, st)
	}
	m.find(database, found)
}

// find syncs a database and learns the ids of its tables.
func (m *made) find(database string, found []store.SyncedTable) {
	m.t.Helper()
	m.synced[database] = found
	g := must[*permission.Graph](m.t)(m.s.ApplySync(m.t.Context(), store.Actor{}, m.w.Databases[database], found))
	for t := range g.Catalog().Tables(m.w.Databases[database]) {
		if t.Active() {
			m.w.AddTable(database, t.Schema, t.Name, t.ID)
		}
	}
}

func (m *made) people() {
	m.t.Helper()
	ctx := m.t.Context()
	for _, g := range m.c.Groups {
		id, known := m.w.Groups[g.Name]
		if !known {
			id = storetest.Group(m.t, m.s, m.prefix+g.Name).ID
			m.w.Groups[g.Name] = id
		}
		if !g.Internal {
			continue
		}
		if _, err := m.s.UpdateGroup(ctx, store.Actor{}, id, store.GroupUpdate{Internal: ptr(true)}); (err == nil) == (id == permission.AllUsers) {
			m.t.Errorf("group %q is marked internal: %v", g.Name, err)
		}
	}
	for _, p := range m.c.People {
		n := store.NewUser{Email: m.prefix + p.Name + "@example.com", FirstName: p.Name, LoginAttributes: p.Attributes, Active: !p.Deactivated}
		for _, g := range p.Groups {
			n.Groups = append(n.Groups, m.w.Groups[g])
		}
		u := must[store.User](m.t)(m.s.CreateUser(ctx, store.Actor{}, n))
		m.w.People[p.Name] = u.ID
		m.w.Collections[accesscase.PersonalCollection(p.Name)] = u.PersonalCollection
	}
}

func (m *made) collections() {
	m.t.Helper()
	for _, path := range m.c.Collections {
		n := store.NewCollection{Name: path}
		if i := strings.LastIndexByte(path, '/'); i >= 0 {
			n.Name, n.Parent = path[i+1:], m.w.Collections[path[:i]]
		}
		made := must[store.Collection](m.t)(m.s.CreateCollection(m.t.Context(), store.Actor{}, n))
		m.w.Collections[path] = made.ID
	}
}

// grantable are the grants that a store takes. Those on personal collections,
// which count for nothing, it refuses.
func (m *made) grantable() []accesscase.Statement {
	m.t.Helper()
	var grants []accesscase.Statement
	for _, s := range m.c.Grants {
		id := m.w.Collections[s.Collection]
		if n := m.s.Graph().Collection(id); n == nil || n.Owner == 0 {
			grants = append(grants, s)
			continue
		}
		_, err := m.s.Change(m.t.Context(), store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) {
			return []permission.Change{permission.SetCollectionAccess{Group: m.w.Groups[s.Group], Collection: id, To: permission.Cell{Set: true, Level: s.Level}}}, store.Bump{}, nil
		})
		refused(m.t, err, "groups", "is personal")
	}
	return grants
}

func (m *made) change(f func(*permission.Graph) ([]permission.Change, error)) {
	m.t.Helper()
	must[*permission.Graph](m.t)(m.s.Change(m.t.Context(), store.Actor{}, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		changes, err := f(g)
		return changes, store.Bump{}, err
	}))
}

// do makes the writes of a step: syncs by a sync, everything else as changes.
func (m *made) do(s *accesscase.Step) {
	m.t.Helper()
	var run []accesscase.Statement
	flush := func() {
		m.t.Helper()
		step := &accesscase.Step{Line: s.Line, Write: run}
		m.change(func(g *permission.Graph) ([]permission.Change, error) {
			after, _, err := m.c.Write(step, g, m.w)
			if err != nil {
				return nil, err
			}
			return permission.Diff(g, after), nil
		})
		run = nil
	}
	for _, st := range s.Write {
		if st.Do != accesscase.Arrives && st.Do != accesscase.Leaves {
			run = append(run, st)
			continue
		}
		flush()
		db := st.Scope.Database
		is := func(t store.SyncedTable) bool { return t.Schema == st.Scope.Schema && t.Name == st.Scope.Table }
		tables := slices.DeleteFunc(slices.Clone(m.synced[db]), is)
		if st.Do == accesscase.Arrives {
			tables = append(tables, m.arriving(st.Scope))
		}
		m.find(db, tables)
	}
	flush()
}

// arriving is a new table, with the columns of the one that bore its name.
func (m *made) arriving(r accesscase.Ref) store.SyncedTable {
	n := store.SyncedTable{Schema: r.Schema, Name: r.Table}
	cat := m.s.Graph().Catalog()
	var old catalog.TableID
	for t := range cat.Tables(m.w.Databases[r.Database]) {
		if t.Schema == n.Schema && t.Name == n.Name {
			old = t.ID
		}
	}
	for _, f := range cat.Fields(old) {
		n.Fields = append(n.Fields, store.SyncedField{Name: f.Name, DatabaseType: f.DatabaseType, BaseType: f.BaseType})
	}
	return n
}

// leave takes from All Users what the case gave everybody.
func (m *made) leave() {
	m.t.Helper()
	m.change(func(g *permission.Graph) ([]permission.Change, error) {
		var changes []permission.Change
		for c, cell := range g.CollectionLevels(permission.AllUsers) {
			changes = append(changes, permission.SetCollectionAccess{Group: permission.AllUsers, Collection: c, From: cell})
		}
		return changes, nil
	})
}
