package store

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// Lease is the right to answer people from the graph in memory for as long as
// it is held without a break. Who takes one before the graph and asks it again
// before every piece of an answer sends nothing that another server may have
// taken back since. The zero Lease is not held.
//
// With SQLite it is held as long as the store is open. With PostgreSQL it is
// held after [Store.Join], while the database says so; a store that has not
// joined has none, because nobody waits for it.
type Lease struct{ term *term }

// Lease is the one of now.
func (s *Store) Lease() Lease { return Lease{s.term.Load()} }

// Held tells whether it is still held, by the clock and not by who was told.
// One that was lost is never held again; another one may be.
func (l Lease) Held() bool { return l.term != nil && l.term.held() }

// Context is a context that ends with ctx and with the lease, then with
// [ErrNoLease] as its cause. What the store is asked to write under it is
// refused once the lease is lost. The caller calls stop.
func (l Lease) Context(ctx context.Context) (_ context.Context, stop func()) {
	if !l.Held() {
		ctx, cancel := context.WithCancelCause(ctx)
		cancel(ErrNoLease)
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(context.WithValue(ctx, termKey{}, l.term))
	off := context.AfterFunc(l.term.ctx, func() { cancel(ErrNoLease) })
	return ctx, func() { off(); cancel(nil) }
}

// termKey is where a context has the term that it ends with.
type termKey struct{}

// mayWrite refuses the writes of a server that has lost its lease: they were
// allowed by a graph that may no longer hold. A store that never joined
// answers nobody and may write.
func (s *Store) mayWrite(ctx context.Context) error {
	t, bound := ctx.Value(termKey{}).(*term)
	if !bound {
		t = s.term.Load()
	}
	if t != nil && !t.held() {
		return ErrNoLease
	}
	return nil
}

// term is a time for which a lease is held without a break.
type term struct {
	begun time.Time    // its monotonic reading is what until counts from
	until atomic.Int64 // nanoseconds
	ctx   context.Context
	end   context.CancelCauseFunc
	timer *time.Timer // ends ctx when until is past; nil for a term without end
}

// endless is the term of a store that shares its database with nobody.
func endless() *term {
	t := &term{begun: time.Now()}
	t.until.Store(math.MaxInt64)
	t.ctx, t.end = context.WithCancelCause(context.Background())
	return t
}

// newTerm begins a term that lasts until the time.
func newTerm(until time.Time) *term {
	t := endless()
	t.until.Store(int64(until.Sub(t.begun)))
	t.timer = time.AfterFunc(time.Until(until), t.expire)
	return t
}

func (t *term) left() time.Duration { return time.Duration(t.until.Load()) - time.Since(t.begun) }

func (t *term) held() bool { return t.ctx.Err() == nil && t.left() > 0 }

// expire ends the term if it is over.
func (t *term) expire() {
	if left := t.left(); left > 0 {
		t.timer.Reset(left)
		return
	}
	t.end(ErrNoLease)
}

// extend makes a term that is held last until the time. One that is over stays
// so, and false is returned.
func (t *term) extend(until time.Time) bool {
	if !t.held() {
		t.end(ErrNoLease)
		return false
	}
	t.until.Store(int64(until.Sub(t.begun)))
	return true
}
