package dataset

import (
	"context"
	"errors"
	"sync"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Busy is the type of a QueryError that says that no connection was free in
// time.
const Busy = "busy"

// turns counts the connections that each person has. Its zero value is ready.
type turns struct {
	mu     sync.Mutex
	people map[turn]*taken
}

type turn struct {
	database catalogID
	who      permission.UserID
	leased   bool // of the slots for SQL of people
}

type taken struct {
	tokens chan struct{} // one for each connection that the person has
	asking int           // who has one or waits for one
}

// take waits until the person has fewer connections than the share, or until
// ctx ends: then it is false. The share is the same in all calls for a turn. The
// caller calls done when the connection is given back.
func (t *turns) take(ctx context.Context, key turn, share int) (done func(), ok bool) {
	t.mu.Lock()
	own := t.people[key]
	if own == nil {
		own = &taken{tokens: make(chan struct{}, share)}
		if t.people == nil {
			t.people = map[turn]*taken{}
		}
		t.people[key] = own
	}
	own.asking++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if own.asking--; own.asking == 0 {
			delete(t.people, key)
		}
	}
	select {
	case own.tokens <- struct{}{}:
		return func() { <-own.tokens; leave() }, true
	case <-ctx.Done():
		leave()
		return nil, false
	}
}

// errBusy is the cause of a wait that took too long.
var errBusy = errors.New("no connection was free in time")

// busy is the error of a wait that is over; the reason counts if the wait was
// too long, and not if the whole run was or whoever asked has gone.
func busy(waiting context.Context, why string) error {
	if context.Cause(waiting) == errBusy { //nolint:errorlint // the very cause that connect gave
		return &QueryError{Busy, why, errBusy}
	}
	return waiting.Err()
}
