package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

func TestDeadServerIsForgotten(t *testing.T) {
	p := twoServers(t)
	dead := p.rows()
	p.line.Hold()
	eventually(t, "its row is swept", func() bool { return len(p.rows()) == 1 })
	eventually(t, "it counts no more", func() bool { return p.a.Node().Servers == 1 })
	p.line.Release()
	eventually(t, "it comes back", func() bool { return len(p.rows()) == 2 && p.b.Lease().Held() })
	again := 0
	for _, id := range p.rows() {
		for _, old := range dead {
			if id == old {
				again++
			}
		}
	}
	if again != 1 {
		t.Errorf("of the servers %v, %d have the name that they had among %v", p.rows(), again, dead)
	}
	eventually(t, "it counts again", func() bool { return p.a.Node().Servers == 2 && p.b.Node().Servers == 2 })
}

// A server can stop while it holds the lock that all writers need.
func TestServerThatStopsInTheMiddleOfAWriteHoldsUpNobody(t *testing.T) {
	p := twoServers(t)
	begun, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	lease := p.b.Lease()
	ctx, stop := lease.Context(t.Context())
	defer stop()
	go func() {
		_, err := p.b.Change(ctx, store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) {
			close(begun)
			<-goOn
			return []permission.Change{permission.SetGroup{To: &permission.Group{ID: 77, Name: "Late"}}}, store.Bump{}, nil
		})
		ended <- err
	}()
	<-begun
	p.line.Hold()
	p.revoke(p.a)
	p.current(p.b, p.a, "a narrowing that waited for a lock")
	p.line.Release()
	close(goOn)
	if err := <-ended; err == nil {
		t.Error("the write was acknowledged")
	}
	eventually(t, "the server is back", func() bool { return p.b.Lease().Held() })
	check(t, p.a.Refresh(t.Context()))
	if p.a.Graph().Group(77) != nil || p.b.Graph().Group(77) != nil {
		t.Error("the write was done after all")
	}
}

// A write that was allowed under a lease is not done after it, even if the
// server has another one by then.
func TestWriteEndsWithTheLeaseThatItWasAllowedUnder(t *testing.T) {
	p := twoServers(t)
	lease := p.a.Lease()
	ctx, stop := lease.Context(t.Context())
	defer stop()
	_, err := p.a.Change(ctx, store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) {
		_, err := p.db.Exec("delete from nodes")
		check(t, err)
		eventually(t, "the server has another lease", func() bool { return !lease.Held() && p.a.Lease().Held() })
		return []permission.Change{permission.SetGroup{To: &permission.Group{ID: 77, Name: "Late"}}}, store.Bump{}, nil
	})
	if !errors.Is(err, store.ErrNoLease) {
		t.Errorf("the write ended with %v", err)
	}
	if p.a.Graph().Group(77) != nil {
		t.Error("the write was done")
	}
	_, err = p.a.CreateCard(ctx, store.Actor{User: 1}, store.Card{Name: "late"})
	if !errors.Is(err, store.ErrNoLease) {
		t.Errorf("a question was saved: %v", err)
	}
	change(t, p.a, permission.SetGroup{To: &permission.Group{ID: 78, Name: "New"}})
}

func TestServerThatCannotCatchUpAnswersNobody(t *testing.T) {
	for _, c := range []struct{ name, head, changes, mend string }{
		{"a change that cannot be read", "update head set revision = revision + 1", "not JSON", "update revisions set changes = '[]' where changes = 'not JSON'"},
		{"a state that is not the one that was left", "update head set revision = revision + 1, digest = digest + 1, digested = revision + 1", "[]", "update head set digest = digest - 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := twoServers(t)
			tx, err := p.db.Begin()
			check(t, err)
			_, err = tx.Exec(c.head)
			check(t, err)
			_, err = tx.Exec(`insert into revisions (id, data, collection, at, reason, request, catalog, note, widens, changes)
				select revision, data, collection, '2026-01-01T00:00:00.000000Z', '', '', false, '', false, $1 from head`, c.changes)
			check(t, err)
			check(t, tx.Commit())
			eventually(t, "both have lost their leases", func() bool { return !p.a.Lease().Held() && !p.b.Lease().Held() })
			for end := time.Now().Add(2 * testLease); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
				if p.a.Lease().Held() || p.b.Lease().Held() {
					t.Fatal("one has a lease again before it can catch up")
				}
			}
			if is := p.b.Node(); is.Held || is.Left != 0 || is.Head != is.Revision+1 {
				t.Errorf("it says of itself %+v", is)
			}
			_, err = p.db.Exec(c.mend)
			check(t, err)
			eventually(t, "both have leases", func() bool { return p.a.Lease().Held() && p.b.Lease().Held() })
			p.current(p.b, p.a, "the repair")
		})
	}
}

// A server whose row is renewed keeps it. On a machine that is busy it may come
// late once, and has another row then.
func TestTheLivingAreNotTakenForDead(t *testing.T) {
	p := twoServers(t)
	rows := func() (ids string) {
		check(t, p.db.QueryRow("select string_agg(id, ' ' order by id) from nodes").Scan(&ids))
		return ids
	}
	for range 5 {
		before := rows()
		time.Sleep(5 * testLease)
		if rows() == before {
			return
		}
	}
	t.Error("their rows are removed again and again")
}

// A database that stands in for one that broke may not have got its last
// writes.
func TestServersGoBackWithTheDatabase(t *testing.T) {
	p := twoServers(t)
	want := dump(p.b.Graph())
	at := p.b.Node().Revision
	g := storetest.Group(t, p.a, "Lost")
	eventually(t, "both know the group", func() bool { return p.b.Graph().Group(g.ID) != nil })
	tx, err := p.db.Begin()
	check(t, err)
	for _, statement := range []string{
		fmt.Sprintf("delete from groups where id = %d", g.ID),
		fmt.Sprintf("delete from revisions where id > %d", at),
		fmt.Sprintf("update head set (revision, data, collection) = (select id, data, collection from revisions where id = %d)", at),
	} {
		_, err := tx.Exec(statement)
		check(t, err)
	}
	check(t, tx.Commit())
	for _, s := range []*store.Store{p.a, p.b} {
		eventually(t, "it has gone back", func() bool { return s.Node().Revision == at && s.Lease().Held() })
		if got := dump(s.Graph()); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// The connection may break between a commit and its acknowledgement.
func TestWhatWasCommittedIsInForceThoughNobodySaidSo(t *testing.T) {
	c := storetest.PostgreSQL(t)
	line := storetest.NewLine(t, c.URL)
	c.URL = line.URL
	s := storetest.Open(t, c)
	storetest.SetUp(t, s)
	d := shop(t, s)
	g := storetest.Group(t, s, "Sales")
	karen := storetest.Person(t, s, "karen", g)
	give(t, s, g.ID, d, permission.Create, permission.QueryBuilder)
	give(t, s, g.ID, d, permission.View, permission.Unrestricted)
	sees := func() bool {
		return s.Graph().AccessOf(karen.ID).Can(permission.SeeDatabase, permission.ADatabase(d))
	}
	if !sees() {
		t.Fatal("karen does not see the shop")
	}
	line.LoseAnswer("commit")
	_, err := s.Change(t.Context(), store.Actor{}, func(now *permission.Graph) ([]permission.Change, store.Bump, error) {
		return []permission.Change{permission.SetDataAccess{Group: g.ID, Database: d, Kind: permission.View,
			From: now.Cell(g.ID, d, permission.View, permission.WholeDatabase())}}, store.Bump{}, nil
	})
	if err == nil {
		t.Fatal("the connection did not break: the test shows nothing")
	}
	if sees() {
		t.Error("what was revoked is in force until somebody writes again")
	}
	if got := dump(storetest.Open(t, c).Graph()); dump(s.Graph()) != got {
		t.Errorf("it answers from\n%s\nand the database has\n%s", dump(s.Graph()), got)
	}
}
