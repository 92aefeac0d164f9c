package acceptance_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// Two servers under load: what one has revoked, when its call returns, no
// server shows any more. Who wrote can read what was written from the other.
func TestWhatIsRevokedIsRevokedOnEveryNode(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	c := newCluster(t, url, url)
	l, err := newLoad(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.run(t.Context(), 60, func(context.Context, *rand.Rand) error { return nil }); err != nil {
		t.Fatal(err)
	}
	l.tell()
	m, err := c.metrics(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	// What nobody has written yet cannot be waited for.
	future := strconv.FormatInt(int64(m["sluice_revision"])+1, 10)
	r, err := c.as(c.root, 0).ask(t.Context(), "GET", "/api/user/current", credential{"X-Sluice-At-Least": future}, nil)
	if err != nil || r.status != http.StatusBadRequest {
		t.Errorf("at least revision %s, of the future: %s %v", future, r, err)
	}
}

// The same while nodes are stopped for a while, shorter and longer than their
// lease, and go on.
func TestANodeThatWasStoppedShowsNothingThatWasRevoked(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	c := newCluster(t, url, url)
	l, err := newLoad(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	l.failing = true // the other node cuts the connections of one that it takes for dead
	err = l.run(t.Context(), 1, func(ctx context.Context, dice *rand.Rand) error {
		for _, d := range []time.Duration{20 * time.Millisecond, 4 * time.Second, 500 * time.Millisecond, 2500 * time.Millisecond, 3500 * time.Millisecond} {
			i := dice.IntN(len(c.nodes))
			c.setSick(i, true)
			if err := c.nodes[i].cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				return err
			}
			pause(ctx, d)
			if err := c.nodes[i].cmd.Process.Signal(syscall.SIGCONT); err != nil {
				return err
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

// The same while nodes are killed and started again.
func TestANodeThatWasKilledHoldsNobodyUpForLong(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	c := newCluster(t, url, url)
	l, err := newLoad(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	err = l.run(t.Context(), 1, func(ctx context.Context, dice *rand.Rand) error {
		for range 4 {
			i := dice.IntN(len(c.nodes))
			c.setSick(i, true)
			if err := c.restart(i); err != nil {
				return err
			}
			c.setSick(i, false)
			pause(ctx, time.Duration(dice.Int64N(int64(4*time.Second))))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	l.tell()
}
