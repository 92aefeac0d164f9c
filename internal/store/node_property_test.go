package store_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/permission/reference"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// TestMain makes rapid try few things: each takes a second on real databases.
// The command line counts more.
func TestMain(m *testing.M) {
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{"rapid.checks": "12", "rapid.nofailfile": "true", "rapid.shrinktime": "1ms"} {
		if given[name] {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// Two servers of one database are written to and read from at once, while
// their ways to it are held up and cut and the history is trimmed. Afterwards
// the changes are told to the reference evaluator in the order in which the
// database has them, and it judges every answer that a server gave under a
// lease:
//
//   - it is the evaluator's, for the revision that the server answered from;
//   - the revision is not before a narrowing that had returned when the
//     question was put, on whichever server;
//   - nor before what that server itself had acknowledged, or what the reader
//     asked for as the least;
//   - and whatever was acknowledged is in the database, once.
func TestServersAnswerAsTheReferenceDoesWhileTheyAreDisturbed(t *testing.T) {
	r := newRace(t)
	rapid.Check(t, func(t *rapid.T) {
		var script []func()
		for range rapid.IntRange(3, 10).Draw(t, "steps") {
			script = append(script, r.step(t, rapid.SampledFrom(steps[:]).Draw(t, "step")))
		}
		// Each kind of step happens, whatever is drawn.
		script = append(script, r.step(t, steps[r.runs%len(steps)]), r.step(t, "write"))
		r.run(t, script)
		r.runs++
	})
	r.complete()
}

// race is what goes on on the two servers, and what of it is written down.
type race struct {
	t       *testing.T
	p       *pairOf
	servers []*store.Store
	lines   []*storetest.Line
	people  []permission.UserID
	groups  []permission.GroupID
	scopes  []permission.Scope
	asked   []asked
	offset  int64 // of a recorded change's number from the data revision it makes

	clock   atomic.Int64 // counts what returned
	writing sync.WaitGroup
	mu      sync.Mutex
	writes  map[string]*attempt // by request
	samples []sample
	seen    map[string]int // what happened, so that the test speaks of all of it
	runs    int

	world *reference.World
	at    catalog.Revision             // that the world is at
	told  map[catalog.Revision]*answer // by revision
}

// attempt is a write. Whether it was done the database says.
type attempt struct {
	server   int
	changes  []permission.Change
	acked    catalog.Revision // what the writer was told; 0 for an error
	returned int64            // when, by the race's clock
}

// sample is what a server answered under a lease.
type sample struct {
	server   int
	begun    int64 // by the race's clock
	revision catalog.Revision
	least    catalog.Revision
	person   permission.UserID
	about    int    // which of race.asked
	got      uint64 // each bit is something that is allowed
}

// answer is everything that the reference says of a revision.
type answer struct {
	says    map[permission.UserID][]uint64
	narrows bool // it says less than of the revision before
}

func newRace(t *testing.T) *race {
	p := twoServers(t)
	check(t, p.a.Close()) // it had an undisturbed way
	line := storetest.NewLine(t, p.config.URL)
	p.a = p.open(line.URL)
	r := &race{t: t, p: p, servers: []*store.Store{p.a, p.b}, lines: []*storetest.Line{line, p.line}, writes: map[string]*attempt{}, seen: map[string]int{},
		world: reference.New(), told: map[catalog.Revision]*answer{}}
	for i := range 3 {
		g := storetest.Group(t, p.a, fmt.Sprint("Group ", i))
		r.groups = append(r.groups, g.ID)
		r.people = append(r.people, storetest.Person(t, p.a, fmt.Sprint("person", i), g, p.sales).ID)
	}
	r.groups = append(r.groups, p.sales.ID, permission.AllUsers)
	r.people = append(r.people, p.karen.ID)
	reports := must[store.Collection](t)(p.a.CreateCollection(t.Context(), store.Actor{}, store.NewCollection{Name: "Reports"}))
	_, err := p.db.Exec("create table trimmed as select * from revisions where false")
	check(t, err)
	change(t, p.a, permission.SetUser{From: p.a.Graph().User(r.people[0]), To: &permission.User{ID: r.people[0], Name: "person0@example.com", Active: true,
		Attributes: map[string]string{"org": "1"}}})

	g := p.a.Graph()
	eventually(t, "both servers know of the beginning", func() bool { return p.b.Graph().Revision() == g.Revision() })
	r.at, r.offset = g.Revision(), p.a.Node().Revision-int64(g.Revision())
	r.world.Fill(g.Catalog())
	for _, h := range slices.Backward(must[[]store.Revision](t)(p.a.Revisions(t.Context(), 0, 1000))) {
		for _, c := range h.Changes {
			r.world.Write(c)
		}
	}
	// The two groups that are there from the beginning no change has made.
	for _, id := range []permission.GroupID{permission.AllUsers, permission.Administrators} {
		r.world.Write(permission.SetGroup{To: g.Group(id)})
	}
	r.scopes = []permission.Scope{permission.WholeDatabase(), permission.WholeSchema("main")}
	may := func(right permission.Right, on permission.Object, id int64) {
		r.asked = append(r.asked, asked{fmt.Sprintf("%s %s", right, on),
			func(a permission.Access) uint64 { return bit(a.Can(right, on)) },
			func(w *reference.World, p permission.UserID) uint64 { return bit(w.Can(p, right, id)) }})
	}
	for _, right := range []permission.Right{permission.SeeDatabase, permission.QueryNatively, permission.ManageDatabase} {
		may(right, permission.ADatabase(p.shop), int64(p.shop))
	}
	for _, c := range []permission.CollectionID{permission.Root, reports.ID} {
		may(permission.ReadCollection, permission.ACollection(c), int64(c))
		may(permission.CurateCollection, permission.ACollection(c), int64(c))
	}
	for tb := range g.Catalog().Tables(p.shop) {
		r.scopes = append(r.scopes, permission.OneTable(tb.ID))
		for _, right := range []permission.Right{permission.SeeTable, permission.QueryTable, permission.ShowTable, permission.DescribeTable} {
			may(right, permission.ATable(tb.ID), int64(tb.ID))
		}
		for _, right := range []permission.Right{permission.QueryTable, permission.ShowTable} {
			r.rows(right, tb.ID, recordsOf(g.Catalog().Fields(tb.ID)[:2]))
		}
		r.asked = append(r.asked, asked{fmt.Sprint("download of table ", tb.ID),
			func(a permission.Access) uint64 { return 1<<a.Download(tb.ID) - 1 },
			func(w *reference.World, p permission.UserID) uint64 { return 1<<w.Download(p, tb.ID) - 1 }})
	}
	r.told[r.at] = r.listen(nil)
	return r
}

// listen takes down what the world says now, after what it said before.
func (r *race) listen(before *answer) *answer {
	now := &answer{says: map[permission.UserID][]uint64{}}
	for _, p := range r.people {
		for i, q := range r.asked {
			is := q.slow(r.world, p)
			now.says[p] = append(now.says[p], is)
			now.narrows = now.narrows || before != nil && before.says[p][i]&^is != 0
		}
	}
	return now
}

// write makes a change as a request does: under a lease.
func (r *race) write(server int, f func(*permission.Graph) []permission.Change) {
	s := r.servers[server]
	lease := s.Lease()
	ctx, stop := lease.Context(r.t.Context())
	defer stop()
	r.mu.Lock()
	request := fmt.Sprint(len(r.writes))
	w := &attempt{server: server}
	r.writes[request] = w
	r.mu.Unlock()
	g, err := s.Change(ctx, store.Actor{Request: request}, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		w.changes = f(g)
		return w.changes, store.Bump{Data: true}, nil
	})
	returned := r.clock.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	var refused *store.InvalidError
	switch {
	case err == nil:
		w.acked, w.returned = g.Revision(), returned
		r.seen["acknowledged"]++
	case errors.As(err, &refused):
		r.seen["refused"]++
	case errors.Is(err, store.ErrNoLease):
		r.seen["no lease"]++
	default:
		r.seen["failed"]++
	}
}

// read asks a server until ctx ends, as requests do: each takes a lease, and
// its answer counts if the lease is still held afterwards.
func (r *race) read(ctx context.Context, server int, careful bool) {
	s := r.servers[server]
	for i := 0; ctx.Err() == nil; i++ {
		is := sample{server: server, begun: r.clock.Load(), person: r.people[i%len(r.people)], about: i / len(r.people) % len(r.asked)}
		lease := s.Lease()
		if careful {
			is.least = catalog.Revision(r.servers[1-server].Node().Revision - r.offset)
			bound, stop := lease.Context(ctx)
			err := s.AtLeast(bound, int64(is.least)+r.offset)
			stop()
			if err != nil {
				r.note("read: " + err.Error())
				time.Sleep(time.Millisecond)
				continue
			}
		}
		g := s.Graph()
		is.revision, is.got = g.Revision(), r.asked[is.about].engine(g.AccessOf(is.person))
		if !lease.Held() {
			time.Sleep(time.Millisecond)
			continue
		}
		r.mu.Lock()
		r.samples = append(r.samples, is)
		r.mu.Unlock()
		time.Sleep(100 * time.Microsecond)
	}
}

// run lets the script happen, then mends everything and judges.
func (r *race) run(t *rapid.T, script []func()) {
	ctx, stop := context.WithCancel(r.t.Context())
	var reading sync.WaitGroup
	for server := range r.servers {
		reading.Go(func() { r.read(ctx, server, false) })
		reading.Go(func() { r.read(ctx, server, true) })
	}
	for _, happen := range script {
		happen()
		time.Sleep(2 * time.Millisecond)
	}
	for _, line := range r.lines {
		line.Delay(0)
		line.Release()
	}
	r.writing.Wait()
	eventually(r.t, "both servers have leases again", func() bool { return r.p.a.Lease().Held() && r.p.b.Lease().Held() })
	stop()
	reading.Wait()
	r.judge(t)
}

// tell tells the world what the database has of the writes.
func (r *race) tell(t *rapid.T) {
	rows, err := r.p.db.Query("select data, request from (select id, data, request from revisions union all select id, data, request from trimmed) h where data > $1 order by id", int64(r.at))
	check(r.t, err)
	defer rows.Close()
	for rows.Next() {
		var data int64
		var request string
		check(r.t, rows.Scan(&data, &request))
		w := r.writes[request]
		if w == nil || catalog.Revision(data) != r.at+1 {
			t.Fatalf("after revision %d the database has revision %d of the request %q", r.at, data, request)
		}
		if w.acked != 0 && w.acked != catalog.Revision(data) {
			t.Fatalf("revision %d was acknowledged as %d", data, w.acked)
		}
		for _, c := range w.changes {
			r.world.Write(c)
		}
		before := r.told[r.at]
		r.at++
		r.told[r.at] = r.listen(before)
		if r.told[r.at].narrows {
			r.seen["narrowing"]++
		}
		delete(r.writes, request)
		r.writes[fmt.Sprint("done ", request)] = w
	}
	check(r.t, rows.Err())
	for request, w := range r.writes {
		if w.acked > r.at {
			t.Fatalf("request %s was acknowledged as revision %d, and the database ends with %d", request, w.acked, r.at)
		}
	}
}

func (r *race) judge(t *rapid.T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell(t)
	var acked []*attempt
	for _, w := range r.writes {
		if w.acked != 0 {
			acked = append(acked, w)
		}
	}
	slices.SortFunc(acked, func(a, b *attempt) int { return int(a.returned - b.returned) })
	slices.SortFunc(r.samples, func(a, b sample) int { return int(a.begun - b.begun) })
	narrowed, own := catalog.Revision(0), [2]catalog.Revision{}
	for _, s := range r.samples {
		for ; len(acked) > 0 && acked[0].returned <= s.begun; acked = acked[1:] {
			w := acked[0]
			if r.told[w.acked].narrows {
				narrowed = max(narrowed, w.acked)
			}
			own[w.server] = max(own[w.server], w.acked)
		}
		says := r.told[s.revision]
		switch {
		case says == nil:
			t.Fatalf("server %d answers from revision %d, which never was; the last is %d", s.server, s.revision, r.at)
		case says.says[s.person][s.about] != s.got:
			t.Fatalf("server %d, revision %d, person %d, %s: it says %b and the reference %b\n%s", s.server, s.revision, s.person, r.asked[s.about].name, s.got, says.says[s.person][s.about], r.world)
		case s.revision < narrowed:
			t.Fatalf("server %d answers from revision %d, when the narrowing %d had returned", s.server, s.revision, narrowed)
		case s.revision < own[s.server]:
			t.Fatalf("server %d answers from revision %d, and has acknowledged %d", s.server, s.revision, own[s.server])
		case s.revision < s.least:
			t.Fatalf("server %d answers from revision %d, and was asked for %d", s.server, s.revision, s.least)
		}
	}
	r.seen["answers"] += len(r.samples)
	r.samples = nil
	for _, s := range r.servers {
		eventually(r.t, "when all is quiet the servers have everything", func() bool { return s.Graph().Revision() == r.at })
	}
	if a, b := dump(r.p.a.Graph()), dump(r.p.b.Graph()); a != b {
		t.Fatalf("when all is quiet one server has\n%s\nand the other\n%s", a, b)
	}
}

// complete tells whether everything happened that the test speaks of.
func (r *race) complete() {
	r.t.Helper()
	r.t.Logf("%v", r.seen)
	for what, least := range map[string]int{"acknowledged": 10, "narrowing": 3, "answers": 100, "hold": 1, "lapse": 1, "trim": 1} {
		if r.seen[what] < least {
			r.t.Errorf("%q happened %d times", what, r.seen[what])
		}
	}
}
