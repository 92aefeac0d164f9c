package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// testLease keeps the tests short in which one must end.
const testLease = 600 * time.Millisecond

// pairOf are two servers of one database. The way of the second to it can be
// disturbed.
type pairOf struct {
	t      *testing.T
	config store.Config
	a, b   *store.Store
	line   *storetest.Line
	db     *sql.DB

	shop  catalog.DatabaseID
	sales store.GroupRow
	karen store.User
}

// twoServers have joined, and karen of sales may see the shop.
func twoServers(t *testing.T) *pairOf {
	t.Helper()
	t.Parallel() // most of the time is spent waiting
	c := storetest.PostgreSQL(t)
	c.Lease = testLease
	p := &pairOf{t: t, config: c, line: storetest.NewLine(t, c.URL), db: raw(t, c)}
	p.a = p.open("")
	storetest.SetUp(t, p.a)
	p.shop = shop(t, p.a)
	p.sales = storetest.Group(t, p.a, "Sales")
	p.karen = storetest.Person(t, p.a, "karen", p.sales)
	give(t, p.a, p.sales.ID, p.shop, permission.Create, permission.QueryBuilder)
	give(t, p.a, p.sales.ID, p.shop, permission.View, permission.Unrestricted)
	p.b = p.open(p.line.URL)
	if !p.sees(p.a) || !p.sees(p.b) {
		t.Fatal("karen does not see the shop")
	}
	return p
}

// open opens and joins one more server.
func (p *pairOf) open(by string) *store.Store {
	p.t.Helper()
	c := p.config
	if by != "" {
		c.URL = by
	}
	s := storetest.Open(p.t, c)
	check(p.t, s.Join(p.t.Context()))
	return s
}

// eventually waits for something that happens by itself.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not happen: %s", what)
		}
	}
}

func (p *pairOf) sees(s *store.Store) bool {
	return s.Graph().AccessOf(p.karen.ID).Can(permission.SeeDatabase, permission.ADatabase(p.shop))
}

// revoke takes karen's group away from the shop.
func (p *pairOf) revoke(s *store.Store) {
	p.t.Helper()
	change(p.t, s, p.revocation(s)...)
}

func (p *pairOf) revocation(s *store.Store) []permission.Change {
	return []permission.Change{permission.SetDataAccess{Group: p.sales.ID, Database: p.shop, Kind: permission.View,
		From: s.Graph().Cell(p.sales.ID, p.shop, permission.View, permission.WholeDatabase())}}
}

// current demands that a server that may answer does so from a graph that is
// as new as the other's.
func (p *pairOf) current(s, as *store.Store, after string) {
	p.t.Helper()
	want := as.Node().Revision
	held := s.Lease().Held() // first: the graph can only become newer
	if at := s.Node().Revision; held && at < want {
		p.t.Errorf("after %s a server answers from revision %d, and %d was to be in force", after, at, want)
	}
}

func (p *pairOf) rows() (ids []string) {
	p.t.Helper()
	r, err := p.db.Query("select id from nodes order by id")
	check(p.t, err)
	defer r.Close()
	for r.Next() {
		var id string
		check(p.t, r.Scan(&id))
		ids = append(ids, id)
	}
	check(p.t, r.Err())
	return ids
}

func TestNarrowingIsInForceOnEveryServerWhenItReturns(t *testing.T) {
	p := twoServers(t)
	p.line.Delay(5 * time.Millisecond) // slower than the writer
	ctx, who := t.Context(), store.Actor{User: 1}
	person := func(name string, groups ...store.GroupRow) store.User {
		return storetest.Person(t, p.a, name, groups...)
	}
	ann, ben, cid, dan := person("ann"), person("ben", p.sales), person("cid", p.sales), person("dan", p.sales)
	orders := table(t, p.a, p.shop, "orders")
	blocked := storetest.Group(t, p.a, "Blocked")
	give(t, p.a, blocked.ID, p.shop, permission.View, permission.Blocked)
	managers := storetest.Group(t, p.a, "Managers")
	check(t, p.a.AddMember(ctx, who, p.karen.ID, managers.ID))
	give(t, p.a, managers.ID, p.shop, permission.Details, permission.Yes)
	reports := must[store.Collection](t)(p.a.CreateCollection(ctx, who, store.NewCollection{Name: "Reports"}))
	change(t, p.a, permission.SetCollectionAccess{Group: p.sales.ID, Collection: reports.ID, To: permission.Cell{Set: true, Level: permission.Write, At: 2}})
	personal := permission.CollectionID(1) // the administrator's
	key := must[store.APIKey](t)(p.a.CreateAPIKey(ctx, who, store.NewAPIKey{Name: "key", Group: p.sales.ID, Digest: digest("key"), Mask: "k"}))
	sandbox := &permission.Sandbox{Group: p.sales.ID, Table: orders.ID, At: p.a.Graph().Revision() + 1,
		Policy: permission.Policy{Where: []permission.AttributeEquality{{Field: p.a.Graph().Catalog().Fields(orders.ID)[2].ID, Attribute: "org"}}}}
	empty := map[string]string{}
	one := map[string]string{"org": "1"}
	for _, narrowing := range []struct {
		name string
		do   func() error
	}{
		{"removing a member", func() error { return p.a.RemoveMemberOf(ctx, who, ben.ID, p.sales.ID) }},
		{"removing memberships by a person's new groups", func() error {
			_, err := p.a.UpdateUser(ctx, who, cid.ID, store.UserUpdate{Groups: &[]permission.GroupID{permission.AllUsers}})
			return err
		}},
		{"deactivating a person", func() error { return p.a.DeactivateUser(ctx, who, dan.ID) }},
		// It hides saved results as well.
		{"adding a member to a group that blocks", func() error { return p.a.AddMember(ctx, who, ann.ID, blocked.ID) }},
		{"deleting an API key", func() error { return p.a.DeleteAPIKey(ctx, who, key.ID) }},
		{"moving a collection into a personal one", func() error {
			_, err := p.a.UpdateCollection(ctx, who, reports.ID, store.CollectionUpdate{Parent: &personal})
			return err
		}},
		{"a sandbox", func() error {
			change(t, p.a, permission.SetUser{From: p.a.Graph().User(p.karen.ID), To: &permission.User{ID: p.karen.ID, Name: p.karen.Email, Active: true, Attributes: one}})
			cell := permission.SetDataAccess{Group: p.sales.ID, Database: p.shop, Kind: permission.View, Scope: permission.OneTable(orders.ID),
				To: permission.Cell{Set: true, Level: permission.Sandboxed, At: sandbox.At}}
			change(t, p.a, permission.SetSandbox{To: sandbox}, cell)
			return nil
		}},
		{"another attribute", func() error {
			_, err := p.a.UpdateUser(ctx, who, p.karen.ID, store.UserUpdate{LoginAttributes: &empty})
			return err
		}},
		{"a table that went", func() error {
			_, err := p.a.ApplySync(ctx, who, p.shop, shopTables()[1:])
			return err
		}},
		{"deleting a group", func() error { return p.a.DeleteGroup(ctx, who, managers.ID) }},
		{"disconnecting a database", func() error { return p.a.DeleteDatabase(ctx, who, p.shop) }},
	} {
		if err := narrowing.do(); err != nil {
			t.Fatalf("%s: %v", narrowing.name, err)
		}
		p.current(p.b, p.a, narrowing.name)
		if last := must[[]store.AuditEvent](t)(p.a.AuditEvents(ctx, store.AuditQuery{Limit: 1})); last[0].Lost == 0 {
			t.Errorf("%s narrows nobody", narrowing.name)
		}
	}
}

func TestWideningDoesNotWaitForOtherServers(t *testing.T) {
	p := twoServers(t)
	p.revoke(p.a)
	p.line.Hold()
	give(t, p.a, p.sales.ID, p.shop, permission.View, permission.Unrestricted)
	if p.sees(p.b) {
		t.Error("a server knows what it could not hear of")
	}
	if p.b.Node().Revision >= p.a.Node().Revision || !p.sees(p.a) {
		t.Errorf("the writer is at revision %d, the other at %d", p.a.Node().Revision, p.b.Node().Revision)
	}
	p.line.Release()
	eventually(t, "the other server learns of it", func() bool { return p.sees(p.b) })
}

func TestServerThatIsHeldUpAnswersNobodyOnceANarrowingHasReturned(t *testing.T) {
	p := twoServers(t)
	before := p.b.Lease()
	if !before.Held() {
		t.Fatal("a server that has just joined has no lease")
	}
	ctx, stop := before.Context(t.Context())
	defer stop()
	p.line.Hold()
	p.revoke(p.a)
	if p.b.Lease().Held() {
		t.Errorf("a server that is at revision %d still answers; %d is in force", p.b.Node().Revision, p.a.Node().Revision)
	}
	if !p.sees(p.b) {
		t.Fatal("the server was not held up: the test shows nothing")
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
		t.Fatal("what ran under the lease goes on")
	}
	if !errors.Is(context.Cause(ctx), store.ErrNoLease) {
		t.Errorf("it ended by %v", context.Cause(ctx))
	}
	_, err := p.b.Change(ctx, store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) {
		return nil, store.Bump{Data: true}, nil
	})
	if !errors.Is(err, store.ErrNoLease) {
		t.Errorf("it could write: %v", err)
	}

	p.line.Release()
	eventually(t, "it has a lease again", func() bool { return p.b.Lease().Held() })
	if p.sees(p.b) {
		t.Error("it has a lease and answers from the graph of before")
	}
	if before.Held() {
		t.Error("the lease that was lost is held again")
	}
}

// Who takes away what somebody else is just taking away, and finds that nothing
// is left to do, is told so when it is in force, and not while that one waits.
func TestRepeatedNarrowingWaitsLikeTheFirst(t *testing.T) {
	p := twoServers(t)
	p.line.Hold()
	remove := func() error { return p.a.RemoveMemberOf(t.Context(), store.Actor{}, p.karen.ID, p.sales.ID) }
	first := make(chan error, 1)
	go func() { first <- remove() }()
	eventually(t, "the first is committed", func() bool { return !p.sees(p.a) })
	check(t, remove())
	if p.b.Lease().Held() {
		t.Errorf("a server that is at revision %d still answers; %d was said to be in force", p.b.Node().Revision, p.a.Node().Revision)
	}
	check(t, <-first)
}

// Others end all connections of a server that they take for dead. When it comes
// back, its pools still hold them, and nothing that only reads fails by that.
func TestEndedConnectionsFailNoRead(t *testing.T) {
	p := twoServers(t)
	for range 3 { // each time all connections that the pool holds
		var held sync.WaitGroup
		for range 8 {
			held.Go(func() {
				if _, err := p.b.Databases(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		held.Wait()
		_, err := p.db.Exec("select pg_terminate_backend(pid) from pg_stat_activity where application_name in (select process from nodes)")
		check(t, err)
		if _, err := p.b.Databases(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNarrowingReturnsWhenTheDatabaseCannotBeAskedAnyMore(t *testing.T) {
	p := twoServers(t)
	way := storetest.NewLine(t, p.config.URL)
	c := p.open(way.URL)
	p.line.Hold()
	// The commit passes; the question who has acknowledged it does not.
	way.HoldAt("from nodes where acked")
	p.revoke(c)
	p.current(p.b, p.a, "a narrowing whose server was cut off")
	if p.b.Lease().Held() || c.Graph().AccessOf(p.karen.ID).Can(permission.SeeDatabase, permission.ADatabase(p.shop)) {
		t.Error("it is not in force")
	}
	way.Release()
}

func TestNotificationsAreNotNeeded(t *testing.T) {
	p := twoServers(t)
	for range 5 {
		p.line.CutListeners()
		give(t, p.a, p.sales.ID, p.shop, permission.View, permission.Unrestricted)
		p.line.CutListeners()
		p.revoke(p.a)
		p.current(p.b, p.a, "a revoke without a notification")
	}
	eventually(t, "the server is current", func() bool { return p.b.Lease().Held() && !p.sees(p.b) })
}

func TestServerCatchesUpWithoutTheHistory(t *testing.T) {
	p := twoServers(t)
	p.line.Hold()
	for i := range 4 {
		storetest.Group(t, p.a, fmt.Sprint("Group ", i))
	}
	p.revoke(p.a)
	_, err := p.db.Exec("delete from revisions where id < (select revision from head)")
	check(t, err)
	p.line.Release()
	eventually(t, "the server is back", func() bool { return p.b.Lease().Held() })
	if dump(p.b.Graph()) != dump(p.a.Graph()) {
		t.Errorf("it answers from\n%s\nand not from\n%s", dump(p.b.Graph()), dump(p.a.Graph()))
	}
}

func TestServerThatEndsIsNotWaitedFor(t *testing.T) {
	p := twoServers(t)
	lease := p.b.Lease()
	check(t, p.b.Close())
	if n := len(p.rows()); n != 1 {
		t.Errorf("%d servers are left", n)
	}
	if lease.Held() || p.b.Lease().Held() {
		t.Error("it still has a lease")
	}
	p.revoke(p.a)
}

func TestReaderSeesWhatItWroteByAnotherServer(t *testing.T) {
	p := twoServers(t)
	ctx := t.Context()
	for range 20 {
		p.line.CutListeners()
		storetest.Group(t, p.a, fmt.Sprint("Group ", p.a.Node().Revision))
		at := p.a.Node().Revision
		check(t, p.b.AtLeast(ctx, at))
		if p.b.Node().Revision < at {
			t.Fatalf("it is at revision %d, and %d was asked for", p.b.Node().Revision, at)
		}
	}
	at := p.b.Node().Revision
	if err := p.b.AtLeast(ctx, at+1); !errors.Is(err, store.ErrStale) {
		t.Errorf("a revision in the future: %v", err)
	}
	check(t, p.b.AtLeast(ctx, 0))
}

func TestStoreWithoutJoinHasNoLeaseOnASharedDatabase(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		storetest.SetUp(t, s) // it may write
		if shared := c.URL != ""; s.Lease().Held() == shared {
			t.Errorf("it has a lease: %v", s.Lease().Held())
		}
		lease := s.Lease()
		ctx, stop := lease.Context(t.Context())
		defer stop()
		if lease.Held() != (ctx.Err() == nil) {
			t.Errorf("the context of the lease: %v", ctx.Err())
		}
		check(t, s.Join(t.Context()))
		if is := s.Node(); !is.Held || !s.Lease().Held() || is.Servers != 1 || is.Head != is.Revision {
			t.Errorf("it has joined, and is %+v", is)
		}
		if (store.Lease{}).Held() {
			t.Error("the zero lease is held")
		}
	})
}
