package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// load grants and revokes, by all nodes of a cluster, and looks on all of them
// what is shown: nothing may be from when a revoke was answered until somebody
// asks for the next grant. Nodes may be gone or answer nobody; a write whose
// outcome is not known is made again.
type load struct {
	c     *cluster
	gates []*gate
	dice  func() *rand.Rand
	// failing tells that the database itself may break while it is asked; then
	// a 500 says no more than that.
	failing bool

	rounds  atomic.Int64 // of grant and revoke
	looks   atomic.Int64 // answers to people
	refused atomic.Int64 // of them, while it was revoked
	nobody  atomic.Int64 // 503, and no answer at all

	mu   sync.Mutex
	took []time.Duration // how long revokes took
}

// newLoad makes a gate of each kind.
func newLoad(ctx context.Context, c *cluster) (*load, error) {
	seed := rand.Uint64()
	c.t.Logf("seed %d", seed)
	source := rand.New(rand.NewPCG(seed, 0))
	l := &load{c: c, dice: func() *rand.Rand { return rand.New(rand.NewPCG(source.Uint64(), 0)) }}
	for name, kind := range gateKinds() {
		g, err := newGate(ctx, c.as(c.root, 0), name, kind)
		if err != nil {
			return nil, err
		}
		l.gates = append(l.gates, g)
	}
	return l, c.agree(ctx) // that these people are there
}

// run keeps the load up while something is done to the nodes, and until each
// gate has had so many rounds.
func (l *load) run(ctx context.Context, rounds int, meanwhile func(context.Context, *rand.Rand) error) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	reading, done := context.WithCancel(ctx)
	defer done()
	var readers, writers sync.WaitGroup
	busy, calm := context.WithCancel(ctx) // while something is done
	defer calm()
	writers.Go(func() {
		defer calm()
		if err := meanwhile(ctx, l.dice()); err != nil {
			fail(err)
		}
	})
	for _, g := range l.gates {
		dice := l.dice()
		writers.Go(func() {
			if err := l.turn(ctx, g, dice, func(n int) bool { return n < rounds || busy.Err() == nil }); err != nil {
				fail(fmt.Errorf("%s: %w", g.name, err))
			}
		})
		for i := range l.c.nodes {
			readers.Go(func() {
				if err := l.watch(reading, g, i); err != nil {
					fail(fmt.Errorf("%s, node %d: %w", g.name, i, err))
				}
			})
		}
	}
	writers.Wait()
	done()
	readers.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := l.c.agree(ctx); err != nil {
		return err
	}
	return l.all(ctx, false)
}

// silent tells whether an answer is that nobody is answered.
func (l *load) silent(r reply) bool {
	return r.status == http.StatusServiceUnavailable || l.failing && r.status == http.StatusInternalServerError
}

// turn grants and revokes.
func (l *load) turn(ctx context.Context, g *gate, dice *rand.Rand, more func(int) bool) error {
	var from credential // the last write: who edits what another node has not read yet changes nothing
	for n := 0; more(n) && ctx.Err() == nil; n++ {
		g.opens()
		var err error
		if from, err = l.write(ctx, g, g.kind.grant, from, dice); err != nil {
			return fmt.Errorf("grant: %w", err)
		}
		// By another node what was written is there for who asks for it.
		if err := l.sees(ctx, g, l.c.pick(dice), from, true); err != nil {
			return err
		}
		begun := time.Now()
		if from, err = l.write(ctx, g, g.kind.revoke, from, dice); err != nil {
			return fmt.Errorf("revoke: %w", err)
		}
		g.isClosed()
		l.mu.Lock()
		l.took = append(l.took, time.Since(begun))
		l.mu.Unlock()
		if err := l.sees(ctx, g, l.c.pick(dice), from, false); err != nil {
			return err
		}
		l.rounds.Add(1)
		pause(ctx, time.Duration(dice.Int64N(int64(40*time.Millisecond)))) // the readers look
	}
	return nil
}

// pause gives way to others for a while.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// write grants or revokes by some node until that is acknowledged, and returns
// what a request needs that is to see it.
func (l *load) write(ctx context.Context, g *gate, what func(context.Context, *gate, asker, credential) (reply, error), from credential, dice *rand.Rand) (credential, error) {
	for {
		r, err := what(ctx, g, l.c.as(l.c.root, l.c.pick(dice)), from)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, context.DeadlineExceeded):
			return nil, fmt.Errorf("the request hangs: %w", err)
		case err == nil && (r.status == http.StatusOK || r.status == http.StatusNoContent):
			written := r.header.Get("X-Sluice-Written")
			if written == "" {
				return nil, fmt.Errorf("no X-Sluice-Written in the answer: %v", r.header)
			}
			return credential{"X-Sluice-At-Least": written}, nil
		case err != nil, l.silent(r), r.status == http.StatusConflict:
			l.nobody.Add(1)
			pause(ctx, 10*time.Millisecond)
		default:
			return nil, errors.New(r.String())
		}
	}
}

// sees asks a node for what was written, until it answers. From one that
// something is done to nothing is expected.
func (l *load) sees(ctx context.Context, g *gate, i int, from credential, want bool) error {
	begun := time.Now()
	for ctx.Err() == nil {
		r, err := g.kind.shown(ctx, g, l.c.as(g.who, i), from)
		if err == nil && !l.silent(r) {
			shown, _, err := told(r)
			if err == nil && shown != want {
				err = fmt.Errorf("shown is %v", shown)
			}
			if err != nil {
				return fmt.Errorf("node %d, asked for at least %v: %w", i, from, err)
			}
			return nil
		}
		if l.c.sick(i) {
			return nil
		}
		if time.Since(begun) > patience {
			return fmt.Errorf("node %d does not answer: %s %w", i, r, err)
		}
		l.nobody.Add(1)
		pause(ctx, 10*time.Millisecond)
	}
	return nil // something else went wrong
}

// watch looks on one node, again and again, whether something is shown that
// was revoked.
func (l *load) watch(ctx context.Context, g *gate, i int) error {
	for ctx.Err() == nil {
		epoch, closed := g.look()
		r, err := g.kind.shown(ctx, g, l.c.as(g.who, i), nil)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("a question hangs: %w", err)
		}
		if err != nil || l.silent(r) {
			l.nobody.Add(1)
			pause(ctx, 5*time.Millisecond)
			continue
		}
		shown, refused, err := told(r)
		if err != nil {
			return err
		}
		l.looks.Add(1)
		if now, _ := g.look(); closed && now == epoch {
			if shown {
				return fmt.Errorf("shown after the revoke was answered: %s", r)
			}
			if refused {
				l.refused.Add(1)
			}
		}
		pause(ctx, 10*time.Millisecond)
	}
	return nil
}

// all asks all nodes about all gates, which are in one state.
func (l *load) all(ctx context.Context, want bool) error {
	for i := range l.c.nodes {
		for _, g := range l.gates {
			if err := l.sees(ctx, g, i, nil, want); err != nil {
				return fmt.Errorf("%s, in the end: %w", g.name, err)
			}
		}
	}
	return nil
}

// tell logs what happened, and demands that something did.
func (l *load) tell() {
	l.c.t.Helper()
	slices.Sort(l.took)
	if len(l.took) == 0 || l.refused.Load() == 0 {
		l.c.t.Fatal("nothing was revoked, or nobody looked")
	}
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	l.c.t.Logf("%d rounds, %d answers to people, %d refused after a revoke, %d times nobody answered; a revoke took %s at the median and %s at most",
		l.rounds.Load(), l.looks.Load(), l.refused.Load(), l.nobody.Load(), round(l.took[len(l.took)/2]), round(l.took[len(l.took)-1]))
}
