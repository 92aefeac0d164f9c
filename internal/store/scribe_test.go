package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// scribe makes random writes on one store or several on the same database. It
// remembers the last graph of each revision of either counter.
type scribe struct {
	t      *testing.T
	r      *rand.Rand
	stores []*store.Store
	data   map[catalog.Revision]*permission.Graph
	coll   map[int64]*permission.Graph
	done   map[string]int // how often each operation had an effect
	n      int
}

func newScribe(t *testing.T, seed uint64, stores ...*store.Store) *scribe {
	storetest.SetUp(t, stores[0])
	w := &scribe{t: t, r: rand.New(rand.NewPCG(seed, 1)), stores: stores, data: map[catalog.Revision]*permission.Graph{},
		coll: map[int64]*permission.Graph{}, done: map[string]int{}}
	w.remember(stores[0])
	return w
}

func (w *scribe) remember(s *store.Store) {
	g := s.Graph()
	w.data[g.Revision()], w.coll[g.CollectionRevision()] = g, g
}

// pick chooses one of the values; the zero value when there are none.
func pick[T any](r *rand.Rand, from []T) (v T) {
	if len(from) == 0 {
		return v
	}
	return from[r.IntN(len(from))]
}

// write makes one random write. Refusals are part of the game: they must leave
// nothing behind.
func (w *scribe) write() {
	w.t.Helper()
	ctx, s := w.t.Context(), pick(w.r, w.stores)
	check(w.t, s.Refresh(ctx))
	w.n++
	g, before := s.Graph(), dump(s.Graph())
	var users []permission.UserID
	for u := range g.Users() {
		users = append(users, u.ID)
	}
	var groups []permission.GroupID
	for gr := range g.Groups() {
		groups = append(groups, gr.ID)
	}
	collections := []permission.CollectionID{permission.Root}
	for c := range g.Collections() {
		collections = append(collections, c.ID)
	}
	var databases []catalog.DatabaseID
	for d := range g.Catalog().Databases() {
		databases = append(databases, d.ID)
	}
	user, group, collection, database := pick(w.r, users), pick(w.r, groups), pick(w.r, collections), pick(w.r, databases)
	who := store.Actor{User: 1, Request: fmt.Sprint(w.n)}
	operations := []struct {
		name string
		do   func() error
	}{
		{"create user", func() error {
			_, err := s.CreateUser(ctx, who, store.NewUser{Email: fmt.Sprintf("u%d@example.com", w.r.IntN(40)), Active: w.r.IntN(4) > 0,
				Groups: []permission.GroupID{group}, LoginAttributes: map[string]string{"org": fmt.Sprint(w.n)}})
			return err
		}},
		{"update user", func() error {
			attributes := map[string]string{"org": fmt.Sprint(w.n), "Region": "a\"b"}
			last := fmt.Sprint(w.n)
			_, err := s.UpdateUser(ctx, who, user, store.UserUpdate{LastName: &last, LoginAttributes: &attributes})
			return err
		}},
		{"deactivate", func() error { return s.DeactivateUser(ctx, who, user) }},
		{"reactivate", func() error { _, err := s.ReactivateUser(ctx, who, user); return err }},
		{"create group", func() error {
			_, err := s.CreateGroup(ctx, who, store.NewGroup{Name: fmt.Sprintf("Group %d", w.r.IntN(30))})
			return err
		}},
		{"rename group", func() error {
			_, err := s.UpdateGroup(ctx, who, group, store.GroupUpdate{Name: ptr(fmt.Sprintf("Group %d", w.r.IntN(30)))})
			return err
		}},
		{"internal group", func() error {
			_, err := s.UpdateGroup(ctx, who, group, store.GroupUpdate{Internal: ptr(w.r.IntN(2) == 0)})
			return err
		}},
		{"delete group", func() error {
			if w.r.IntN(3) > 0 {
				return nil
			}
			return s.DeleteGroup(ctx, who, group)
		}},
		{"add member", func() error { return s.AddMember(ctx, who, user, group) }},
		{"remove member", func() error { return s.RemoveMemberOf(ctx, who, user, group) }},
		{"create collection", func() error {
			_, err := s.CreateCollection(ctx, who, store.NewCollection{Name: fmt.Sprint("c", w.n), Parent: collection, InheritRead: w.r.IntN(2) == 0})
			return err
		}},
		{"move collection", func() error {
			to := pick(w.r, collections)
			_, err := s.UpdateCollection(ctx, who, collection, store.CollectionUpdate{Parent: &to})
			return err
		}},
		{"archive", func() error {
			to := w.r.IntN(2) == 0
			_, err := s.UpdateCollection(ctx, who, collection, store.CollectionUpdate{Archived: &to})
			return err
		}},
		{"delete collection", func() error { return s.DeleteCollection(ctx, who, collection) }},
		{"collection level", func() error { return w.collectionLevel(s, who, group, collection) }},
		{"connect", func() error {
			if len(databases) > 3 {
				return nil
			}
			_, err := s.CreateDatabase(ctx, who, store.Database{Name: fmt.Sprint("d", w.n), Engine: "sqlite", Strict: w.r.IntN(2) == 0})
			return err
		}},
		{"disconnect", func() error {
			if w.r.IntN(4) > 0 {
				return nil
			}
			return s.DeleteDatabase(ctx, who, database)
		}},
		{"sync", func() error { _, err := s.ApplySync(ctx, who, database, w.tables()); return err }},
		{"sync", func() error { _, err := s.ApplySync(ctx, who, database, w.tables()); return err }},
		{"cells", func() error { return w.cells(s, who, group, database) }},
		{"cells", func() error { return w.cells(s, who, group, database) }},
		{"cells", func() error { return w.cells(s, who, group, database) }},
		{"sandbox", func() error { return w.sandbox(s, who, group, database) }},
		{"mark", func() error { return w.mark(s, who, database) }},
	}
	o := pick(w.r, operations)
	err := o.do()
	var invalid *store.InvalidError
	if err != nil && !errors.As(err, &invalid) && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrConflict) {
		w.t.Fatalf("write %d, %s: %v", w.n, o.name, err)
	}
	after := dump(s.Graph())
	if err != nil && after != before {
		w.t.Fatalf("write %d, %s was refused (%v) and changed the graph:\n%s", w.n, o.name, err, cmp.Diff(before, after))
	}
	if after != before {
		w.done[o.name]++
	}
	w.remember(s)
}

func (w *scribe) tables() []store.SyncedTable {
	var tables []store.SyncedTable
	for i := range 6 {
		if w.r.IntN(3) > 0 {
			tb := store.SyncedTable{Schema: []string{"a", "b"}[i%2], Name: fmt.Sprint("t", i)}
			for j := range 4 {
				if w.r.IntN(4) > 0 {
					tb.Fields = append(tb.Fields, store.SyncedField{Name: fmt.Sprint("f", j), BaseType: "type/Text", DatabaseType: pick(w.r, []string{"TEXT", "VARCHAR"})})
				}
			}
			tables = append(tables, tb)
		}
	}
	return tables
}

func (w *scribe) collectionLevel(s *store.Store, who store.Actor, group permission.GroupID, collection permission.CollectionID) error {
	_, err := s.Change(w.t.Context(), who, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		to := permission.Cell{Set: true, Level: permission.Level(w.r.IntN(3)), At: catalog.Revision(g.CollectionRevision() + 1)}
		if w.r.IntN(4) == 0 {
			to = permission.Cell{}
		}
		return []permission.Change{permission.SetCollectionAccess{Group: group, Collection: collection, From: g.CollectionLevel(group, collection), To: to}}, store.Bump{}, nil
	})
	return err
}

// cells writes several levels of one group by a draft, as the API does.
func (w *scribe) cells(s *store.Store, who store.Actor, group permission.GroupID, database catalog.DatabaseID) error {
	_, err := s.Change(w.t.Context(), who, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		d := g.Draft()
		for range 1 + w.r.IntN(4) {
			scope := permission.WholeDatabase()
			if tables := slices.Collect(g.Catalog().Tables(database)); len(tables) > 0 && w.r.IntN(3) > 0 {
				tb := pick(w.r, tables)
				scope = permission.OneTable(tb.ID)
				if w.r.IntN(3) == 0 {
					scope = permission.WholeSchema(tb.Schema)
				}
			}
			var err error
			switch w.r.IntN(7) {
			case 2:
				if err = d.Set(group, database, permission.View, permission.WholeDatabase(), permission.Impersonated); err == nil {
					err = d.Impersonate(group, database, pick(w.r, []string{"role", "Ro\"le"}))
				}
				w.done["impersonate"]++
			case 0:
				err = d.Grant(group, database, scope)
			case 1:
				err = d.Revoke(group, database, scope)
			default:
				err = d.Set(group, database, permission.Kind(w.r.IntN(5)), scope, permission.Level(w.r.IntN(5)))
			}
			if err != nil {
				return nil, store.Bump{}, &store.InvalidError{Message: err.Error()}
			}
		}
		changes, _ := d.Changes()
		return changes, store.Bump{Data: true}, nil
	})
	return err
}

func (w *scribe) sandbox(s *store.Store, who store.Actor, group permission.GroupID, database catalog.DatabaseID) error {
	_, err := s.Change(w.t.Context(), who, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		tb := pick(w.r, slices.Collect(g.Catalog().Tables(database)))
		if tb == nil {
			return nil, store.Bump{}, nil
		}
		old := g.Sandbox(group, tb.ID)
		var to *permission.Sandbox
		if old == nil || w.r.IntN(2) == 0 {
			to = &permission.Sandbox{Group: group, Table: tb.ID, At: g.Revision() + 1}
			for i, f := range g.Catalog().Fields(tb.ID) {
				to.Where = append(to.Where, permission.AttributeEquality{Field: f.ID, Attribute: fmt.Sprint("org", i)})
				to.Columns = append(to.Columns, permission.ColumnRule{Field: f.ID, Mask: pick(w.r, []permission.Mask{{}, {Kind: permission.MaskHash}, {Kind: permission.MaskPartial, Last: 4}})})
			}
		}
		return []permission.Change{permission.SetSandbox{From: old, To: to}}, store.Bump{}, nil
	})
	return err
}

func (w *scribe) mark(s *store.Store, who store.Actor, database catalog.DatabaseID) error {
	_, err := s.Change(w.t.Context(), who, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		tb := pick(w.r, slices.Collect(g.Catalog().Tables(database)))
		if tb == nil {
			return nil, store.Bump{}, nil
		}
		to := permission.TableMark{Governed: w.r.IntN(2) == 0, Shared: w.r.IntN(2) == 0}
		return []permission.Change{permission.SetTableMark{Table: tb.ID, From: g.Mark(tb.ID), To: to}}, store.Bump{}, nil
	})
	return err
}

// complete tells whether every operation had an effect at least once, so that
// the test speaks of all of them.
func (w *scribe) complete() {
	w.t.Helper()
	for _, name := range []string{"create user", "update user", "deactivate", "reactivate", "create group", "rename group", "internal group", "delete group",
		"add member", "remove member", "create collection", "move collection", "delete collection", "collection level", "connect", "disconnect",
		"sync", "cells", "impersonate", "sandbox", "mark"} {
		if w.done[name] == 0 {
			w.t.Errorf("%q never had an effect", name)
		}
	}
}

func TestWhatIsWrittenIsWhatIsLoaded(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		w := newScribe(t, 8, s)
		for range 400 {
			w.write()
		}
		w.complete()
		again := storetest.Open(t, c)
		if d := cmp.Diff(dump(s.Graph()), dump(again.Graph())); d != "" {
			t.Errorf("the loaded graph differs from the published one:\n%s", d)
		}
		if d := cmp.Diff(dumpCatalog(s.Graph().Catalog()), dumpCatalog(again.Graph().Catalog())); d != "" {
			t.Errorf("the loaded catalog differs from the published one:\n%s", d)
		}
		if changes := permission.Diff(s.Graph(), again.Graph()); len(changes) > 0 {
			t.Errorf("the graphs differ by %v", changes)
		}
	})
}

func TestGraphAtIsTheGraphThatWasCurrent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newScribe(t, 11, s)
		for range 200 {
			w.write()
		}
		for r, want := range w.data {
			got, err := s.GraphAt(t.Context(), r)
			check(t, err)
			if d := cmp.Diff(dump(want), dump(got)); d != "" {
				// A database that is gone is not in the present catalog.
				if changes := permission.Diff(want, got); len(changes) > 0 || want.Revision() != got.Revision() || want.CollectionRevision() != got.CollectionRevision() {
					t.Fatalf("data revision %d:\n%s", r, d)
				}
			}
		}
		for r, want := range w.coll {
			got, err := s.GraphAtCollection(t.Context(), r)
			check(t, err)
			if changes := permission.Diff(want, got); len(changes) > 0 || want.Revision() != got.Revision() || want.CollectionRevision() != got.CollectionRevision() {
				t.Fatalf("collection revision %d differs by %v", r, changes)
			}
		}
	})
}

func TestTwoNodesOnOneDatabaseAgree(t *testing.T) {
	c := storetest.PostgreSQL(t)
	a, b := storetest.Open(t, c), storetest.Open(t, c)
	w := newScribe(t, 13, a, b)
	for range 150 {
		w.write()
	}
	check(t, a.Refresh(t.Context()))
	check(t, b.Refresh(t.Context()))
	if d := cmp.Diff(dump(a.Graph()), dump(b.Graph())); d != "" {
		t.Errorf("the nodes disagree:\n%s", d)
	}
	if d := cmp.Diff(dumpCatalog(a.Graph().Catalog()), dumpCatalog(b.Graph().Catalog())); d != "" {
		t.Errorf("the nodes' catalogs disagree:\n%s", d)
	}
}
