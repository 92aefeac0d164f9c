package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

// Several servers on one PostgreSQL database: what one revokes is in force on
// all of them before its call returns. Nobody's clock is compared with anybody
// else's; each counts time by itself.
//
//   - Each server has a row in nodes and renews it three times in a lease. A
//     renewal tells it the head of the history. Once its graph is there, its
//     lease lasts a lease's length from before it had sent the renewal; never
//     otherwise. It answers nobody without one (see [Lease]).
//   - When its graph is at a revision, it says so in the row's acked.
//   - A write that narrows is committed, and waits (see inForce) until every
//     other row has acked it. It waits at most for a lease and a margin: a
//     renewal that was sent after the commit was told of the revision, and a
//     lease that an earlier one has given is over by then. So does a write that
//     comes on top of one that may still wait, for that one: it may say of
//     something already revoked that it is.
//   - So a row that is not there must belong to nobody who has a lease or comes
//     to one without catching up. A server that begins has its row first and
//     its lease by the first renewal after that. One that ends has answered
//     everybody. And a row is swept only when its beat was seen to stand still
//     for a lease and a margin.
//
// Notifications (listen.go) make this quick and are not needed for it.

// standardLease is how long a server answers people when it has lost touch
// with the database, and so how long a revoke can take. All servers of one
// database must agree on it.
const standardLease = 3 * time.Second

// margin is by how much clocks may run apart during a lease.
func (s *Store) margin() time.Duration { return s.lease / 10 }

// Join makes the store one of the servers that share its PostgreSQL database,
// until Close: it follows what the others write, and they wait for it. It
// returns when the store has its lease. A store without Join must not answer
// people. With SQLite, which nobody shares, it does nothing.
func (s *Store) Join(ctx context.Context) error {
	if s.postgres == nil {
		return nil
	}
	n := &node{s: s, db: stdlib.OpenDB(*s.postgres), wake: make(chan struct{}, 1), seen: map[string]sighting{}}
	// Of its own, so that it never waits for what people ask.
	n.db.SetMaxOpenConns(2)
	if !s.node.CompareAndSwap(nil, n) {
		return errors.Join(errors.New("store: it has joined already"), n.db.Close())
	}
	ctx, stop := context.WithTimeout(ctx, joinWithin)
	defer stop()
	err := n.renew(ctx)
	for err == nil && !s.Lease().Held() { // it took longer than the lease
		err = n.renew(ctx)
	}
	if err != nil {
		s.node.Store(nil)
		return errors.Join(fmt.Errorf("join the other servers: %w", err), n.db.Close())
	}
	ctx, n.stop = context.WithCancel(context.WithoutCancel(ctx))
	n.running.Go(func() { n.run(ctx) })
	n.running.Go(func() { n.listen(ctx) })
	return nil
}

// joinWithin is how long a server tries to join, and catchUpWithin how long
// reading the whole state may take.
const (
	joinWithin    = time.Minute
	catchUpWithin = 2 * time.Minute
)

// node is a server's part in the protocol above.
type node struct {
	s       *Store
	db      *sql.DB
	wake    chan struct{} // holds one when somebody may have written
	stop    context.CancelFunc
	running sync.WaitGroup

	// Of whoever runs renew and follow, which is one goroutine at a time.
	id      string // of its row; empty for none
	acked   int64  // what the row says, or less
	failing bool
	seen    map[string]sighting

	head  atomic.Int64 // the newest revision that the database is known to have
	peers atomic.Int64 // rows at the last renewal
}

// sighting is a row's beat and since when it has been seen to be that.
type sighting struct {
	beat  int64
	since time.Time
}

func (n *node) conn() conn { return conn{n.s, n.db} }

// run renews and follows until ctx ends.
func (n *node) run(ctx context.Context) {
	tick := time.NewTicker(n.s.lease / 3)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err = n.renew(ctx)
		case <-n.wake:
			err = n.follow(ctx)
		}
		if err != nil && ctx.Err() == nil && !n.failing {
			n.s.log.WarnContext(ctx, "this server has lost touch with the application database; it answers nobody when its lease ends", "error", err)
		}
		n.failing = err != nil
	}
}

// ring makes the loop look whether somebody wrote.
func (n *node) ring() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// follow brings the graph up to date and acknowledges it.
func (n *node) follow(ctx context.Context) error {
	if err := n.catchUp(ctx); err != nil {
		return err
	}
	at := n.s.snap.Load().revision
	if at <= n.acked {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, n.s.lease)
	defer stop()
	if _, err := n.conn().exec(ctx, "update nodes set acked = $1 where id = $2", at, n.id); err != nil {
		return err
	}
	n.acked = at
	return nil
}

// catchUp brings the graph up to date. Whether it has to may take a lease's
// length, and doing it longer.
func (n *node) catchUp(ctx context.Context) error {
	asking, stop := context.WithTimeout(ctx, n.s.lease)
	defer stop()
	h, err := readHead(asking, n.conn())
	if err != nil {
		return err
	}
	n.head.Store(h.revision)
	if h.revision <= n.s.snap.Load().revision {
		return nil
	}
	ctx, stop = context.WithTimeout(ctx, catchUpWithin)
	defer stop()
	return n.s.advance(ctx, n.db)
}

// renew renews the row, or makes one, and with it the lease. A server that
// cannot catch up does not renew, so that others need not wait for it.
func (n *node) renew(ctx context.Context) error {
	if err := n.catchUp(ctx); err != nil {
		return err
	}
	if n.id == "" {
		if err := n.register(ctx); err != nil {
			return err
		}
	}
	at := n.s.snap.Load().revision
	sent := time.Now()
	head, err := n.beat(ctx, at)
	switch {
	case errors.Is(err, ErrNotFound): // somebody has swept it
		n.id = ""
		n.lose("somebody took this server for dead")
		return n.renew(ctx)
	case err != nil:
		return err
	case head < at:
		n.lose("the application database has gone back to an earlier state")
		return n.s.reload(ctx)
	}
	n.acked = at
	n.head.Store(head)
	if n.s.snap.Load().revision < head {
		if err := n.catchUp(ctx); err != nil {
			return err
		}
	}
	n.hold(sent.Add(n.s.lease))
	return n.sweep(ctx)
}

// register makes a row of a name that never was: others may remember the beat
// of an earlier one.
func (n *node) register(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, n.s.lease)
	defer stop()
	id := newEntityID()
	_, err := n.conn().exec(ctx, "insert into nodes (id, process, beat, acked, started) values ($1, $2, 0, $3, $4)",
		id, n.s.process, n.s.snap.Load().revision, n.s.now())
	if err == nil {
		n.id = id
	}
	return err
}

// beat tells the others that this server lives and is at a revision. It
// returns the head of the history; ErrNotFound when the row has gone.
func (n *node) beat(ctx context.Context, at int64) (head int64, err error) {
	ctx, stop := context.WithTimeout(ctx, n.s.lease)
	defer stop()
	return one(ctx, n.conn(), value[int64], "update nodes set beat = beat + 1, acked = $1 where id = $2 returning (select revision from head where id = 1)", at, n.id)
}

// hold extends the lease, or begins another one when it is over.
func (n *node) hold(until time.Time) {
	before := n.s.term.Load()
	if before != nil && before.extend(until) {
		return
	}
	if !time.Now().Before(until) { // catching up took too long
		return
	}
	n.s.term.Store(newTerm(until))
	n.s.log.Info("this server has a lease", "node", n.id, "again", before != nil)
}

// lose ends the lease before its time.
func (n *node) lose(why string) {
	if t := n.s.term.Load(); t != nil {
		t.end(ErrNoLease)
	}
	n.s.log.Warn("this server has lost its lease", "because", why)
}

// sweep removes the rows of servers whose leases are over. What they have
// begun to write is rolled back: they may hold locks for which all others
// wait.
func (n *node) sweep(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, n.s.lease)
	defer stop()
	type row struct {
		id, process string
		beat        int64
	}
	rows, err := list(ctx, n.conn(), func(r scanner) (x row, err error) { return x, r.Scan(&x.id, &x.process, &x.beat) }, "select id, process, beat from nodes")
	if err != nil {
		return err
	}
	now := time.Now()
	seen := make(map[string]sighting, len(rows))
	for _, r := range rows {
		was, known := n.seen[r.id]
		switch {
		case r.id == n.id:
		case !known || was.beat != r.beat:
			seen[r.id] = sighting{r.beat, now}
		case now.Sub(was.since) < n.s.lease+n.s.margin():
			seen[r.id] = was
		default:
			if err := n.bury(ctx, r.id, r.process, r.beat); err != nil {
				return err
			}
		}
	}
	n.seen = seen
	n.peers.Store(int64(len(rows)))
	return nil
}

// bury removes the row of a server that is dead, unless it has stirred.
func (n *node) bury(ctx context.Context, id, process string, beat int64) error {
	gone, err := n.conn().exec(ctx, "delete from nodes where id = $1 and beat = $2", id, beat)
	if err != nil || gone == 0 {
		return err
	}
	n.s.log.WarnContext(ctx, "another server is dead or has lost touch with the application database", "node", id)
	_, err = n.conn().exec(ctx, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and usename = current_user and datname = current_database()", process)
	return err
}

// leave ends the lease and tells the others not to wait any more.
func (n *node) leave() error {
	n.stop()
	n.running.Wait()
	if t := n.s.term.Load(); t != nil {
		t.end(ErrNoLease)
	}
	ctx, stop := context.WithTimeout(context.Background(), n.s.lease)
	defer stop()
	_, err := n.conn().exec(ctx, "delete from nodes where id = $1", n.id)
	if err != nil {
		// It has no lease any more, and the others find that out.
		n.s.log.Warn("the other servers could not be told that this one ends", "error", err)
	}
	return n.db.Close()
}

// inForce returns when no other server answers from a graph before the
// revision, which was just committed. That the caller has gone makes no
// difference.
func (s *Store) inForce(ctx context.Context, revision int64) {
	if s.postgres == nil {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), s.lease+s.margin())
	defer stop()
	pause := time.Millisecond
	for {
		behind, err := one(ctx, s.reader(), value[int64], "select count(*) from nodes where acked < $1 and process <> $2", revision, s.process)
		switch {
		case err != nil: // whoever has a lease has it as long as this waits
			pause = s.lease / 10
		case behind == 0:
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
			pause = min(2*pause, 25*time.Millisecond)
		}
	}
}

// Node is what can be told of this server among the others.
type Node struct {
	Revision int64         // the recorded change that the graph is at; see Revision.ID
	Head     int64         // the newest that the database is known to have
	Held     bool          // whether it has its lease
	Left     time.Duration // of the lease; 0 when it has none or needs none
	Servers  int           // that share the database, as far as is known; this one counts
}

// Node tells how this server stands.
func (s *Store) Node() Node {
	at := s.snap.Load().revision
	is := Node{Revision: at, Head: at, Held: s.Lease().Held(), Servers: 1}
	if n := s.node.Load(); n != nil {
		is.Head = max(at, n.head.Load())
		is.Servers = int(n.peers.Load())
		if t := s.term.Load(); t != nil {
			is.Left = max(0, t.left())
		}
	}
	return is
}

// AtLeast returns when the graph is at the revision (see Revision.ID) or
// later: for somebody who wrote it by another server. ErrStale when the
// database does not have it.
func (s *Store) AtLeast(ctx context.Context, revision int64) error {
	if s.snap.Load().revision >= revision {
		return nil
	}
	if err := s.Refresh(ctx); err != nil {
		return err
	}
	if at := s.snap.Load().revision; at < revision {
		return fmt.Errorf("%w: %d is in the future, the present one is %d", ErrStale, revision, at)
	}
	return nil
}
