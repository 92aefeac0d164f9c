package acceptance_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// cluster is several servers, its nodes, on one PostgreSQL database.
type cluster struct {
	t      *testing.T
	client *http.Client
	root   credential // an administrator's

	mu    sync.Mutex
	nodes []*node
}

// node is a server of a cluster and, when it was started again, its successor.
type node struct {
	*server
	env  []string
	sick bool // something is being done to it
}

// newCluster starts a node for each address of the database: a node may have
// a way of its own.
func newCluster(t *testing.T, urls ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, client: newClient()}
	for _, url := range urls {
		env := append(sharing(url), "SLUICE_ADMIN_EMAIL="+adminEmail, "SLUICE_ADMIN_PASSWORD="+adminPassword)
		c.nodes = append(c.nodes, &node{server: start(t, filepath.Join(t.TempDir(), "data"), env...), env: env})
	}
	c.root = c.nodes[0].signIn(adminEmail, adminPassword)
	return c
}

// as is a node, asked by somebody.
func (c *cluster) as(who credential, i int) asker {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[i].as(who, c.client)
}

// pick is a node, and mostly one that nothing is done to.
func (c *cluster) pick(dice *rand.Rand) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range 10 {
		if i := dice.IntN(len(c.nodes)); !c.nodes[i].sick {
			return i
		}
	}
	return dice.IntN(len(c.nodes))
}

func (c *cluster) sick(i int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[i].sick
}

func (c *cluster) setSick(i int, is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[i].sick = is
}

// restart kills a node and starts it again.
func (c *cluster) restart(i int) error {
	c.mu.Lock()
	n := c.nodes[i]
	c.mu.Unlock()
	n.kill()
	s, err := launch(c.t, n.data, n.env...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		n.server = s
	}
	return err
}

// metrics are those of a node that are about nodes.
func (c *cluster) metrics(ctx context.Context, i int) (map[string]float64, error) {
	r, err := c.as(nil, i).ask(ctx, "GET", "/metrics", nil, nil)
	if err != nil || r.status != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("metrics: %s", r), err)
	}
	found := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(r.text))
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && strings.HasPrefix(name, "sluice_") {
			if n, err := strconv.ParseFloat(value, 64); err == nil {
				found[name] = n
			}
		}
	}
	return found, nil
}

// agree waits until all nodes answer, from the newest revision, and know of
// each other.
func (c *cluster) agree(ctx context.Context) error {
	return eventually(ctx, "nodes that agree", func() (bool, error) {
		var revision float64
		for i := range c.nodes {
			r, err := c.as(nil, i).ask(ctx, "GET", "/api/health", nil, nil)
			if err != nil || r.status != http.StatusOK {
				return false, errors.Join(errors.New(r.String()), err)
			}
			m, err := c.metrics(ctx, i)
			if err != nil {
				return false, err
			}
			if i == 0 {
				revision = m["sluice_revision"]
			}
			if m["sluice_revision"] != revision || m["sluice_revision_lag"] != 0 || m["sluice_revision_head"] != revision || m["sluice_lease_held"] != 1 || int(m["sluice_nodes"]) != len(c.nodes) || revision == 0 {
				return false, fmt.Errorf("node %d: %v", i, m)
			}
		}
		return true, nil
	})
}

// eventually waits until something holds, or says what never came.
func eventually(ctx context.Context, what string, holds func() (bool, error)) error {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	for {
		ok, err := holds()
		if ok && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("never came: %s: %w", what, errors.Join(err, ctx.Err()))
		case <-time.After(10 * time.Millisecond):
		}
	}
}
