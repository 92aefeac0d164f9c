package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// silent waits until a node answers nobody: neither people nor administrators,
// and its health and metrics say so.
func (c *cluster) silent(ctx context.Context, i int) error {
	err := eventually(ctx, fmt.Sprintf("a node %d that answers nobody", i), func() (bool, error) {
		r, err := c.as(c.root, i).ask(ctx, "GET", "/api/user/current", nil, nil)
		if err != nil || r.status != http.StatusServiceUnavailable {
			return false, errors.Join(errors.New(r.String()), err)
		}
		if r.header.Get("Retry-After") == "" {
			return false, fmt.Errorf("no Retry-After: %v", r.header)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for path, status := range map[string]int{"/api/health": 503, "/api/health/ready": 503, "/api/health/live": 200, "/metrics": 200, "/": 200} {
		if err := c.as(nil, i).need(ctx, status, "GET", path, nil, nil); err != nil {
			return err
		}
	}
	m, err := c.metrics(ctx, i)
	if err != nil || m["sluice_lease_held"] != 0 || m["sluice_lease_seconds"] != 0 {
		return errors.Join(fmt.Errorf("the metrics of a node without a lease: %v", m), err)
	}
	return nil
}

// One of two nodes cannot reach the database any more. Revokes by the other
// return, and what they revoke is not shown by the one that does not know of
// them: it answers nobody. When the way is free again it comes back with the
// new state.
func TestANodeThatCannotReachTheDatabaseAnswersNobody(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*storetest.Line){
		// Nothing comes any more, and nobody is told.
		"silence": (*storetest.Line).Hold,
		// The connections end, and new ones come to nothing.
		"an end": func(l *storetest.Line) { l.Hold(); l.Cut() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			url := storetest.URL(t)
			line := storetest.NewLine(t, url)
			c := newCluster(t, url, line.URL)
			admin := c.as(c.root, 0)
			g, err := newGate(ctx, admin, "karen", gateKinds()["graph"])
			if err != nil {
				t.Fatal(err)
			}
			shown := func(i int, from credential) (bool, error) {
				r, err := g.kind.shown(ctx, g, c.as(g.who, i), from)
				if err != nil {
					return false, err
				}
				is, refused, err := told(r)
				if err == nil && !is && !refused {
					err = errors.New(r.String())
				}
				return is, err
			}
			r, err := g.kind.grant(ctx, g, admin, nil)
			if err != nil || r.status != http.StatusOK {
				t.Fatalf("%s %v", r, err)
			}
			if is, err := shown(1, credential{"X-Sluice-At-Least": r.header.Get("X-Sluice-Written")}); err != nil || !is {
				t.Fatalf("after the grant: %v %v", is, err)
			}

			cut(line)
			if r, err := g.kind.revoke(ctx, g, admin, nil); err != nil || r.status != http.StatusOK {
				t.Fatalf("the revoke by the other node: %s %v", r, err)
			}
			if is, err := shown(1, nil); is || err == nil {
				t.Fatalf("a node that cannot know of the revoke: shown is %v", is)
			}
			if is, err := shown(0, nil); is || err != nil {
				t.Fatalf("the other node: %v %v", is, err)
			}
			if err := c.silent(ctx, 1); err != nil {
				t.Fatal(err)
			}
			// Nobody waits for it any more: what it could not hear of was twelve
			// leases ago when this ends.
			for range 2 {
				for _, what := range []func(context.Context, *gate, asker, credential) (reply, error){g.kind.grant, g.kind.revoke} {
					if r, err := what(ctx, g, admin, nil); err != nil || r.status != http.StatusOK {
						t.Fatalf("%s %v", r, err)
					}
				}
			}

			line.Release()
			err = eventually(ctx, "an answer of the node that was away", func() (bool, error) {
				is, err := shown(1, nil)
				if is {
					t.Fatal("the node that was away shows what was revoked")
				}
				return err == nil, err
			})
			if err != nil {
				t.Fatal(err)
			}
			if r, err = g.kind.grant(ctx, g, c.as(c.root, 1), nil); err != nil || r.status != http.StatusOK {
				t.Fatalf("a grant by the node that was away: %s %v", r, err)
			}
			if is, err := shown(0, credential{"X-Sluice-At-Least": r.header.Get("X-Sluice-Written")}); err != nil || !is {
				t.Fatalf("after that: %v %v", is, err)
			}
			if err := c.agree(ctx); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The same under load, with the way cut and held up at random, for shorter and
// longer than a lease.
func TestNothingRevokedIsShownWhileTheNetworkFails(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	lines := []*storetest.Line{storetest.NewLine(t, url), storetest.NewLine(t, url)}
	c := newCluster(t, lines[0].URL, lines[1].URL)
	l, err := newLoad(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	l.failing = true
	err = l.run(t.Context(), 1, func(ctx context.Context, dice *rand.Rand) error {
		for n, d := range []time.Duration{300 * time.Millisecond, 4 * time.Second, 2 * time.Second, 3500 * time.Millisecond, 0} {
			i := dice.IntN(len(lines))
			c.setSick(i, true)
			if n%2 == 0 {
				lines[i].Cut()
			}
			lines[i].Hold()
			pause(ctx, d)
			lines[i].Release()
			if n%3 == 0 {
				lines[i].Cut()
			}
			c.setSick(i, false)
			pause(ctx, time.Duration(dice.Int64N(int64(time.Second))))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	l.tell()
}
