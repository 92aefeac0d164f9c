package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// ledger makes groups one after the other, by all nodes, and knows which of
// them were acknowledged.
type ledger struct {
	c     *cluster
	mu    sync.Mutex
	acked []string
	tried map[string]bool
}

// keep makes groups until ctx ends.
func (l *ledger) keep(ctx context.Context, dice *rand.Rand) error {
	for n := 0; ctx.Err() == nil; n++ {
		name := fmt.Sprintf("entry %d", n)
		l.mu.Lock()
		l.tried[name] = true
		l.mu.Unlock()
		// Not under ctx: what was begun is waited for.
		r, err := l.c.as(l.c.root, l.c.pick(dice)).ask(context.WithoutCancel(ctx), "POST", "/api/permissions/group", nil, map[string]any{"name": name})
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("a write hangs: %w", err)
		case r.status == http.StatusOK:
			l.mu.Lock()
			l.acked = append(l.acked, name)
			l.mu.Unlock()
		case err != nil, r.status >= 500:
			pause(ctx, 10*time.Millisecond)
		default:
			return errors.New(r.String())
		}
	}
	return nil
}

// check compares the groups with the ledger.
func (l *ledger) check(ctx context.Context) error {
	for i := range l.c.nodes {
		var groups []struct{ Name string }
		if err := l.c.as(l.c.root, i).get(ctx, "/api/permissions/group", &groups); err != nil {
			return err
		}
		found := map[string]int{}
		for _, g := range groups {
			found[g.Name]++
		}
		for _, name := range l.acked {
			if found[name] != 1 {
				return fmt.Errorf("node %d: %q was acknowledged and is there %d times", i, name, found[name])
			}
		}
	}
	return nil
}

// history demands that the recorded changes are consecutive, to the first.
func (c *cluster) history(ctx context.Context) (n int, err error) {
	before := int64(0)
	for {
		var page struct{ Data []revision }
		if err := c.as(c.root, 0).get(ctx, fmt.Sprintf("/api/permissions/history?limit=1000&before=%d", before), &page); err != nil {
			return n, err
		}
		if len(page.Data) == 0 {
			return n, nil
		}
		for _, e := range page.Data {
			if before != 0 && e.ID != before-1 {
				return n, fmt.Errorf("revision %d comes before %d", e.ID, before)
			}
			before = e.ID
			n++
		}
	}
}

// PostgreSQL is shut down, in good order and as by a crash, and started again
// at once and after more than a lease, while two nodes are under load. What
// was acknowledged is there afterwards; no node shows what was revoked; none
// answers when it was without the database for longer than its lease, and each
// comes back by itself.
func TestWhatWasAcknowledgedOutlivesARestartOfPostgreSQL(t *testing.T) {
	t.Parallel()
	p := ownPostgres(t)
	c := newCluster(t, p.url, p.url)
	l, err := newLoad(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	l.failing = true
	book := &ledger{c: c, tried: map[string]bool{}}
	err = l.run(t.Context(), 1, func(ctx context.Context, dice *rand.Rand) error {
		keeping, enough := context.WithCancel(ctx)
		kept := make(chan error, 1)
		entries := rand.New(rand.NewPCG(dice.Uint64(), 0))
		go func() { kept <- book.keep(keeping, entries) }()
		err := restarts(ctx, c, p, dice)
		enough()
		return errors.Join(err, <-kept)
	})
	if err != nil {
		t.Fatal(err)
	}
	l.tell()
	if err := book.check(t.Context()); err != nil {
		t.Error(err)
	}
	n, err := c.history(t.Context())
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d of %d entries were acknowledged; the history has %d revisions", len(book.acked), len(book.tried), n)
	if len(book.acked) == 0 {
		t.Error("nothing was written")
	}
}

// restarts shuts PostgreSQL down in all ways.
func restarts(ctx context.Context, c *cluster, p *postgres, dice *rand.Rand) error {
	for _, how := range []string{"fast", "immediate"} {
		for _, long := range []bool{false, true} {
			pause(ctx, time.Duration(dice.Int64N(int64(time.Second))))
			for i := range c.nodes {
				c.setSick(i, true)
			}
			if err := p.stop(how); err != nil {
				return err
			}
			if long {
				for i := range c.nodes {
					if err := c.silent(ctx, i); err != nil {
						return fmt.Errorf("%s: %w", how, err)
					}
				}
			}
			if err := p.start(ctx); err != nil {
				return err
			}
			if err := c.agree(ctx); err != nil {
				return fmt.Errorf("%s: %w", how, err)
			}
			for i := range c.nodes {
				c.setSick(i, false)
			}
		}
	}
	return nil
}
