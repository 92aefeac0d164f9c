package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

func TestAWriteStartsFromWhatAnotherNodeWrote(t *testing.T) {
	c := storetest.PostgreSQL(t)
	a, b := storetest.Open(t, c), storetest.Open(t, c)
	storetest.SetUp(t, a)
	d := shop(t, a)
	g := storetest.Group(t, a, "Sales")
	want := give(t, a, g.ID, d, permission.View, permission.Unrestricted).Revision()
	// b has read nothing since it was opened.
	got := give(t, b, g.ID, d, permission.Details, permission.Yes)
	if got.Revision() != want+1 || !got.Cell(g.ID, d, permission.View, permission.WholeDatabase()).Set {
		t.Errorf("the second node wrote over the first: revision %d after %d\n%s", got.Revision(), want, dump(got))
	}
	// What the other has must also be found when only asked for.
	at, err := a.GraphAt(t.Context(), got.Revision())
	check(t, err)
	if at.Revision() != got.Revision() {
		t.Errorf("the first node knows revision %d and not %d", at.Revision(), got.Revision())
	}
}

func TestANodeThatFollowsLearnsWhatOthersWrote(t *testing.T) {
	c := storetest.PostgreSQL(t)
	a, b := storetest.Open(t, c), storetest.Open(t, c)
	check(t, b.Join(t.Context()))
	storetest.SetUp(t, a)
	shop(t, a)
	for start := time.Now(); dump(a.Graph()) != dump(b.Graph()) || dumpCatalog(a.Graph().Catalog()) != dumpCatalog(b.Graph().Catalog()); {
		if time.Since(start) > time.Minute {
			t.Fatal("the second node never learned of it")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestConcurrentWritersLoseNothing(t *testing.T) {
	const writers, writes = 6, 8
	run := func(t *testing.T, stores ...*store.Store) {
		storetest.SetUp(t, stores[0])
		var wg sync.WaitGroup
		errs := make(chan error, writers*writes)
		for n := range writers {
			wg.Go(func() {
				s := stores[n%len(stores)]
				for i := range writes {
					g, err := s.CreateGroup(t.Context(), store.Actor{}, store.NewGroup{Name: fmt.Sprintf("Group %d of %d", i, n)})
					if err == nil {
						err = s.AddMember(t.Context(), store.Actor{}, 1, g.ID)
					}
					if err != nil {
						errs <- err
					}
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			t.Error(err)
		}
		for i, s := range stores {
			check(t, s.Refresh(t.Context()))
			if n := len(s.Graph().GroupsOf(1)); n != 2+writers*writes {
				t.Errorf("node %d: the administrator is in %d groups, want %d", i, n, 2+writers*writes)
			}
			if r := s.Graph().Revision(); r != 1+writers*writes {
				t.Errorf("node %d: the data revision is %d, want one for each group", i, r)
			}
		}
		history := must[[]store.Revision](t)(stores[0].Revisions(t.Context(), 0, 1000))
		if len(history) != 2+2*writers*writes {
			t.Errorf("the history has %d revisions", len(history))
		}
		for i, r := range history {
			if r.ID != int64(len(history)-i) {
				t.Fatalf("the history has revision %d at place %d from the newest of %d", r.ID, i, len(history))
			}
		}
	}
	storetest.Each(t, func(t *testing.T, s *store.Store) { run(t, s) })
	t.Run("two nodes", func(t *testing.T) {
		c := storetest.PostgreSQL(t)
		run(t, storetest.Open(t, c), storetest.Open(t, c))
	})
}

func TestAFailedWriteLeavesNothing(t *testing.T) {
	boom := errors.New("boom")
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		storetest.SetUp(t, s)
		d := shop(t, s)
		storetest.Person(t, s, "taken")
		group := permission.SetGroup{To: &permission.Group{ID: 50, Name: "Half"}}
		cell := permission.SetDataAccess{Group: 50, Database: d, Kind: permission.View, To: permission.Cell{Set: true, Level: permission.Unrestricted}}
		ctx, cancel := interrupt(t)
		for name, attempt := range map[string]func() error{
			"the caller's error": func() error {
				_, err := s.Change(t.Context(), store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) {
					return []permission.Change{group}, store.Bump{Data: true}, boom
				})
				if !errors.Is(err, boom) {
					t.Errorf("the caller's error came back as %v", err)
				}
				return err
			},
			"a later change is refused": func() error {
				_, err := s.Change(t.Context(), store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) {
					wrong := cell
					wrong.Database = 99
					return []permission.Change{group, cell, wrong}, store.Bump{Data: true}, nil
				})
				return err
			},
			"a later change does not follow": func() error {
				_, err := s.Change(t.Context(), store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) {
					return []permission.Change{group, cell, cell}, store.Bump{Data: true}, nil
				})
				if !errors.Is(err, store.ErrConflict) {
					t.Errorf("want ErrConflict, got %v", err)
				}
				return err
			},
			"interrupted": func() error {
				_, err := s.Change(ctx, store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) {
					cancel()
					return []permission.Change{group, cell}, store.Bump{Data: true}, nil
				})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("want context.Canceled, got %v", err)
				}
				return err
			},
			"a panic": func() (err error) {
				defer func() { err = fmt.Errorf("panicked: %v", recover()) }()
				_, err = s.Change(t.Context(), store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) { panic(boom) })
				return err
			},
			"a level of the future": func() error {
				late := cell
				late.To.At = s.Graph().Revision() + 2
				_, err := s.Change(t.Context(), store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) {
					return []permission.Change{group, late}, store.Bump{Data: true}, nil
				})
				return err
			},
			"an address that is taken": func() error {
				_, err := s.CreateUser(t.Context(), store.Actor{}, store.NewUser{Email: "TAKEN@example.com", Active: true})
				return err
			},
			"a group that is not there": func() error {
				_, err := s.CreateUser(t.Context(), store.Actor{}, store.NewUser{Email: "new@example.com", Active: true, Groups: []permission.GroupID{77}})
				return err
			},
			"a name that is taken": func() error {
				_, err := s.CreateGroup(t.Context(), store.Actor{}, store.NewGroup{Name: "ALL USERS"})
				return err
			},
			"a sync that names a table twice": func() error {
				_, err := s.ApplySync(t.Context(), store.Actor{}, d, []store.SyncedTable{{Name: "new"}, {Name: "twice"}, {Name: "twice"}})
				return err
			},
		} {
			before, db := dump(s.Graph())+dumpCatalog(s.Graph().Catalog()), raw(t, c)
			counts := func() string {
				text := ""
				for _, tb := range []string{"groups", "users", "memberships", "collections", "data_grants", "tables", "revisions", "audit_events"} {
					text += fmt.Sprintf("%s %d\n", tb, rows(t, db, tb))
				}
				return text
			}
			were := counts()
			if err := attempt(); err == nil {
				t.Errorf("%s: no error", name)
			}
			if d := cmp.Diff(before, dump(s.Graph())+dumpCatalog(s.Graph().Catalog())); d != "" {
				t.Errorf("%s: the graph changed:\n%s", name, d)
			}
			if d := cmp.Diff(were, counts()); d != "" {
				t.Errorf("%s: rows were left:\n%s", name, d)
			}
			db.Close()
		}
		// The store goes on working.
		storetest.Group(t, s, "Afterwards")
	})
}

func TestOneChangedCellCostsAFewRows(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		storetest.SetUp(t, s)
		d := shop(t, s)
		first := storetest.Group(t, s, "First")
		cost := func(k permission.Kind) int64 {
			before := s.Statements()
			give(t, s, first.ID, d, k, permission.Yes)
			return s.Statements() - before
		}
		cost(permission.Details) // the first write of an hour trims the history
		small := cost(permission.DataModel)
		for i := range 30 {
			g := storetest.Group(t, s, fmt.Sprintf("Group %d", i))
			give(t, s, g.ID, d, permission.View, permission.Unrestricted)
		}
		db := raw(t, c)
		grants, revisions := rows(t, db, "data_grants"), rows(t, db, "revisions")
		if large := cost(permission.Download); large != small {
			t.Errorf("a cell cost %d statements in a small graph and %d in a larger one", small, large)
		}
		if g, r := rows(t, db, "data_grants"), rows(t, db, "revisions"); g != grants+1 || r != revisions+1 {
			t.Errorf("one cell wrote %d grants and %d revisions", g-grants, r-revisions)
		}
		var changes string
		check(t, db.QueryRow("select changes from revisions order by id desc limit 1").Scan(&changes))
		if len(changes) > 300 {
			t.Errorf("the revision record has %d bytes: %s", len(changes), changes)
		}
		var level string
		check(t, db.QueryRow("select level from data_grants where kind = 'view-data' limit 1").Scan(&level))
		if level != "unrestricted" {
			t.Errorf("the level is stored as %q", level)
		}
	})
}

func TestABumpWithoutChangesTakesARevision(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.SetUp(t, s)
		for _, bump := range []store.Bump{{}, {Data: true}, {Collection: true}, {Data: true, Collection: true}} {
			before := s.Graph()
			g := must[*permission.Graph](t)(s.Change(t.Context(), store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) { return nil, bump, nil }))
			data, collection := g.Revision()-before.Revision(), g.CollectionRevision()-before.CollectionRevision()
			if (data == 1) != bump.Data || (collection == 1) != bump.Collection || data > 1 || collection > 1 {
				t.Errorf("%+v raised data by %d and collection by %d", bump, data, collection)
			}
			if s.Graph() != g {
				t.Errorf("%+v: what was returned is not what is published", bump)
			}
		}
	})
}

func TestRevisionsOutsideTheHistoryAreStale(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		c.Now = func() time.Time { return now }
		s := storetest.Open(t, c)
		storetest.SetUp(t, s)
		stale := func(r catalog.Revision) {
			t.Helper()
			if _, err := s.GraphAt(t.Context(), r); !errors.Is(err, store.ErrStale) {
				t.Errorf("data revision %d: want ErrStale, got %v", r, err)
			}
			if _, err := s.GraphAtCollection(t.Context(), int64(r)+100); !errors.Is(err, store.ErrStale) {
				t.Errorf("collection revision %d: want ErrStale, got %v", r, err)
			}
		}
		for i := range 4 {
			storetest.Group(t, s, fmt.Sprint("Early ", i))
		}
		stale(s.Graph().Revision() + 1)
		stale(0)
		stale(-5)
		last := s.Graph().Revision()
		if _, err := s.GraphAt(t.Context(), 1); err != nil {
			t.Errorf("the beginning is still in the history: %v", err)
		}
		now = now.Add(91 * 24 * time.Hour)
		storetest.Group(t, s, "Late")
		stale(last - 1)
		g, err := s.GraphAt(t.Context(), last)
		check(t, err)
		if g.Revision() != last || g.Group(7) != nil {
			t.Errorf("the oldest revision that is kept is not as it was:\n%s", dump(g))
		}
		if n := rows(t, raw(t, c), "revisions"); n != 2 {
			t.Errorf("%d revisions are kept, want the one from which the history begins and the late one", n)
		}
		storetest.Open(t, c) // a trimmed history is a whole one
	})
}

func TestAWideningIsAnEventWithWhoAndWhy(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.SetUp(t, s)
		d := shop(t, s)
		g := storetest.Group(t, s, "Sales")
		bo := storetest.Person(t, s, "bo", g)
		give(t, s, g.ID, d, permission.View, permission.Unrestricted)
		give(t, s, g.ID, d, permission.Create, permission.QueryBuilder)
		event := must[[]store.AuditEvent](t)(s.AuditEvents(t.Context(), store.AuditQuery{Limit: 1}))[0]
		if !event.Widens || event.Gained != 1 || !slices.Equal(event.Gain, []permission.UserID{bo.ID}) || event.Lost != 0 {
			t.Errorf("the grant is recorded as %+v", event)
		}
		if event.Actor != (store.Actor{User: 1, Reason: "a test", Request: "r1"}) {
			t.Errorf("the grant is recorded for %+v", event.Actor)
		}
		var details []map[string]struct{ From, To json.RawMessage }
		check(t, json.Unmarshal(event.Details, &details))
		if len(details) != 1 || len(details[0]["data"].From) == 0 || len(details[0]["data"].To) == 0 {
			t.Errorf("the event lacks what was before or after: %s", event.Details)
		}
		give(t, s, g.ID, d, permission.View, permission.Blocked)
		all := must[[]store.AuditEvent](t)(s.AuditEvents(t.Context(), store.AuditQuery{}))
		if all[0].Widens || all[0].Lost != 1 {
			t.Errorf("the block is recorded as %+v", all[0])
		}
		widening := must[[]store.AuditEvent](t)(s.AuditEvents(t.Context(), store.AuditQuery{Widens: true, Kind: "permissions", Before: all[0].ID}))
		if len(widening) == 0 || widening[0].ID != event.ID {
			t.Errorf("the last widening is %+v", widening)
		}
		history := must[[]store.Revision](t)(s.Revisions(t.Context(), 0, 2))
		if len(history) != 2 || history[0].Widens || !history[1].Widens || history[1].ID != event.Revision || len(history[1].Changes) != 1 {
			t.Errorf("the history is %+v", history)
		}
		older := must[[]store.Revision](t)(s.Revisions(t.Context(), history[1].ID, 1))
		if len(older) != 1 || older[0].ID != history[1].ID-1 {
			t.Errorf("before revision %d comes %+v", history[1].ID, older)
		}
	})
}

func TestChangesThatWouldBreakTheStateAreRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		admin := storetest.SetUp(t, s)
		d := shop(t, s)
		g := storetest.Group(t, s, "Sales")
		orders, people := table(t, s, d, "orders"), table(t, s, d, "people")
		foreign := s.Graph().Catalog().Fields(people.ID)[0].ID
		on := permission.Cell{Set: true, Level: permission.Unrestricted}
		now := s.Graph()
		for _, c := range []struct {
			text   string
			change permission.Change
		}{
			{"always has full access", permission.SetDataAccess{Group: 2, Database: d, To: on}},
			{"no database 99", permission.SetDataAccess{Group: g.ID, Database: 99, To: on}},
			{"no table 99", permission.SetDataAccess{Group: g.ID, Database: d, Scope: permission.OneTable(99), To: on}},
			{"always has full access", permission.SetCollectionAccess{Group: 2, Collection: 0, To: permission.Cell{Set: true, Level: 1}}},
			{"no collection 99", permission.SetCollectionAccess{Group: g.ID, Collection: 99, To: permission.Cell{Set: true, Level: 1}}},
			{"is personal", permission.SetCollectionAccess{Group: g.ID, Collection: admin.PersonalCollection, To: permission.Cell{Set: true, Level: 1}}},
			{"no table 99", permission.SetSandbox{To: &permission.Sandbox{Group: g.ID, Table: 99}}},
			{"no field", permission.SetSandbox{To: &permission.Sandbox{Group: g.ID, Table: orders.ID, Policy: permission.Policy{Where: []permission.AttributeEquality{{Field: foreign, Attribute: "a"}}}}}},
			{"never sandboxed", permission.SetSandbox{To: &permission.Sandbox{Group: 2, Table: orders.ID}}},
			{"no table 99", permission.SetTableMark{Table: 99, To: permission.TableMark{Governed: true}}},
			{"no database 99", permission.SetStrict{Database: 99, To: true}},
			{"cannot be renamed", permission.SetGroup{From: now.Group(1), To: &permission.Group{ID: 1, Name: "Nobody", Since: now.Group(1).Since}}},
			{"everybody is in it", permission.SetGroup{From: now.Group(1), To: &permission.Group{ID: 1, Name: "All Users", Internal: true, Since: now.Group(1).Since}}},
			{"non-blank", permission.SetGroup{To: &permission.Group{ID: 50, Name: " "}}},
			{"All Users", permission.SetMembership{User: admin.ID, Group: 1, From: true}},
			{"All Users", permission.SetUser{To: &permission.User{ID: 50, Name: "x@example.com", Active: true}}},
			{"differ only in case", permission.SetUser{From: now.User(admin.ID), To: &permission.User{ID: admin.ID, Name: admin.Email, Active: true, Attributes: map[string]string{"ORG": "1", "org": "2"}}}},
			{"begin with @", permission.SetUser{From: now.User(admin.ID), To: &permission.User{ID: admin.ID, Name: admin.Email, Active: true, Attributes: map[string]string{"@tenant": "1"}}}},
			{"not a positive number", permission.SetGroup{To: &permission.Group{ID: -3, Name: "Negative"}}},
			{"not a positive number", permission.SetMembership{User: -1, Group: g.ID, To: true}},
			{"not a positive number", permission.SetStrict{Database: 0, To: true}},
			{"owner is another", permission.SetCollection{To: &permission.CollectionNode{ID: 50, Name: "In", Parent: admin.PersonalCollection}}},
			{"no user 99", permission.SetCollection{To: &permission.CollectionNode{ID: 50, Name: "In", Owner: 99}}},
			{"has a personal collection already", permission.SetCollection{To: &permission.CollectionNode{ID: 50, Name: "In", Owner: admin.ID}}},
		} {
			before := dump(s.Graph())
			_, err := s.Change(t.Context(), store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) {
				return []permission.Change{c.change}, store.Bump{}, nil
			})
			var i *store.InvalidError
			if !errors.As(err, &i) {
				t.Errorf("%s: want an InvalidError, got %v", c.change, err)
			} else if !contains(i.Message, c.text) {
				t.Errorf("%s: the refusal does not say %q: %s", c.change, c.text, i.Message)
			}
			if dump(s.Graph()) != before {
				t.Errorf("%s: something was applied", c.change)
			}
		}
	})
}

// What another server connects or syncs costs this one as much as it is.
func TestCatchingUpReadsOnlyTheDatabaseThatChanged(t *testing.T) {
	c := storetest.PostgreSQL(t)
	a, b := storetest.Open(t, c), storetest.Open(t, c)
	storetest.SetUp(t, a)
	first := shop(t, a)
	second := shop(t, a)
	check(t, b.Refresh(t.Context()))
	kept := table(t, b, first, "orders")
	must[*permission.Graph](t)(a.ApplySync(t.Context(), store.Actor{}, second, shopTables()[:1]))
	made := shop(t, a)
	same := func() {
		t.Helper()
		check(t, b.Refresh(t.Context()))
		if d := cmp.Diff(dump(a.Graph())+dumpCatalog(a.Graph().Catalog()), dump(b.Graph())+dumpCatalog(b.Graph().Catalog())); d != "" {
			t.Errorf("the servers differ:\n%s", d)
		}
	}
	same()
	if table(t, b, first, "orders") != kept {
		t.Error("a database that did not change was read anew")
	}
	check(t, a.DeleteDatabase(t.Context(), store.Actor{}, made))
	same()
	// Revisions of an earlier version do not say which one it was.
	must[*permission.Graph](t)(a.ApplySync(t.Context(), store.Actor{}, second, shopTables()))
	_, err := raw(t, c).Exec("update revisions set catalog_of = null")
	check(t, err)
	same()
}

func TestAuditNamesTheFirstHundredPeople(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		storetest.SetUp(t, s)
		d := shop(t, s)
		g := storetest.Group(t, s, "Sales")
		const many = 130
		for i := range many {
			storetest.Person(t, s, fmt.Sprint("p", i), g)
		}
		give(t, s, g.ID, d, permission.Create, permission.QueryBuilder)
		give(t, s, g.ID, d, permission.View, permission.Unrestricted)
		give(t, s, g.ID, d, permission.View, permission.None)
		events := must[[]store.AuditEvent](t)(s.AuditEvents(t.Context(), store.AuditQuery{Limit: 2}))
		lost, gained := events[0], events[1]
		if lost.Lost != many || len(lost.Lose) != 100 || gained.Gained != many || len(gained.Gain) != 100 {
			t.Errorf("%d of %d who lose are named, %d of %d who gain", len(lost.Lose), lost.Lost, len(gained.Gain), gained.Gained)
		}
		var longest int
		check(t, raw(t, c).QueryRow("select max(length(people) + length(details)) from audit_events").Scan(&longest))
		if longest > 2000 {
			t.Errorf("an event takes %d characters", longest)
		}
		if !json.Valid(lost.Details) {
			t.Errorf("details %s", lost.Details)
		}
	})
}
