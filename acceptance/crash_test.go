package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// world is an application database whose server is killed again and again
// while it is written to, and what is known of it: the state that was
// acknowledged and the writes in flight.
type world struct {
	t      *testing.T
	client *http.Client
	data   string
	env    []string
	url    string // of the application database, if it is in PostgreSQL
	server *server
	dice   *rand.Rand

	mu       sync.Mutex
	root     credential // the administrator
	sessions map[string]credential
	state    facts
	ids      book
	acked    map[string]bool // writes since the last check
	flight   map[string]write
	count    int
	last     int64 // the newest revision at the last check
	tally    tally

	acks    map[string]int // of each pen since the start of the server
	goal    int            // of each or of all, after which the next write is the server's last
	each    bool
	reached chan struct{} // holds one then
	took    time.Duration // of a write, lately
}

// tally counts what kills hit.
type tally struct {
	kills  int // all
	inside int // with writes under way
	done   int // writes under way that were done, and not acknowledged
	undone int // writes under way of which nothing was done
	acked  int // writes that were acknowledged
}

func (a tally) plus(b tally) tally {
	return tally{a.kills + b.kills, a.inside + b.inside, a.done + b.done, a.undone + b.undone, a.acked + b.acked}
}

func (w *world) admin() asker { return w.server.as(w.root, w.client) }

// known is the acknowledged state and the ids in it.
func (w *world) known() (facts, book) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state, maps.Clone(w.ids)
}

// fresh is a name that nothing had.
func (w *world) fresh(kind string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
	return fmt.Sprintf("%s-%d", kind, w.count)
}

// hits is how many kills have to fall inside a write, on each engine. A kill
// that came a moment too late, after the last answer, is tried again.
const hits = 50

// A server is killed with SIGKILL at random moments of writes by several
// administrators, and started again. What was acknowledged is there; what was
// in flight is there wholly or not at all; the history has no gap; and what
// each person may do follows from that, with check, question and sign-in.
func TestAKilledServerHasTheOldOrTheNewState(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		killing(t, 1, func(*testing.T) (string, []string) { return "", nil })
	})
	// A server on PostgreSQL that comes back waits for its dead self whenever
	// access is taken away, for a lease. So several are killed side by side.
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		killing(t, 10, inPostgreSQL)
	})
}

// killing divides the hits among several worlds at the same time.
func killing(t *testing.T, worlds int, where func(*testing.T) (url string, env []string)) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	errs := make([]error, worlds)
	total := tally{}
	var mu sync.Mutex
	var running sync.WaitGroup
	for i := range worlds {
		seed := rand.Uint64()
		w := &world{t: t, client: newClient(), data: filepath.Join(t.TempDir(), "data"), dice: rand.New(rand.NewPCG(seed, 0))}
		w.url, w.env = where(t)
		running.Go(func() {
			err := w.live(ctx, hits/worlds)
			if err != nil {
				errs[i] = fmt.Errorf("seed %d, after %d kills: %w", seed, w.tally.kills, err)
				stop()
			}
			mu.Lock()
			defer mu.Unlock()
			total = total.plus(w.tally)
		})
	}
	running.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		t.FailNow()
	}
	t.Logf("%d kills, %d of them inside writes: of these writes %d were done and %d were not; %d were acknowledged before",
		total.kills, total.inside, total.done, total.undone, total.acked)
}

// live sets a server up and kills it until so many kills hit a write.
func (w *world) live(ctx context.Context, hits int) (err error) {
	if w.server, err = launch(w.t, w.data, append(w.env, "SLUICE_ADMIN_EMAIL="+adminEmail, "SLUICE_ADMIN_PASSWORD="+adminPassword)...); err != nil {
		return err
	}
	if err := w.populate(ctx); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	for w.tally.inside < hits {
		if w.tally.kills > 10+4*hits {
			return fmt.Errorf("only %d kills hit a write", w.tally.inside)
		}
		if err := w.writeUntilKilled(ctx); err != nil {
			return err
		}
		if w.dice.IntN(5) == 0 { // the new one does not get far, either
			s, err := begin(w.t, w.data, w.env...)
			if err != nil {
				return err
			}
			time.Sleep(time.Duration(w.dice.Int64N(int64(50 * time.Millisecond))))
			s.kill()
		}
		if w.server, err = launch(w.t, w.data, w.env...); err != nil {
			return err
		}
		if err := w.settle(ctx); err != nil {
			return err
		}
		if err := w.check(ctx); err != nil {
			return err
		}
	}
	w.server.stop()
	return nil
}

// settle waits until nothing of the killed server goes on. PostgreSQL may still
// be doing what that one had asked for as the last thing; the lock of the
// history's head tells when that is over.
func (w *world) settle(ctx context.Context) error {
	if w.url == "" {
		return nil
	}
	c, err := pgx.Connect(ctx, w.url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	var head int64
	if err := c.QueryRow(ctx, "select revision from head for update").Scan(&head); err != nil {
		return err
	}
	r, err := w.admin().ask(ctx, "GET", "/api/user/current", credential{"X-Sluice-At-Least": strconv.FormatInt(head, 10)}, nil)
	if err == nil && r.status != http.StatusOK {
		err = errors.New(r.String())
	}
	return err
}

// populate makes what is there from the beginning.
func (w *world) populate(ctx context.Context) error {
	w.state, w.ids, w.sessions = facts{}, book{}, map[string]credential{}
	var ok bool
	var err error
	if w.root, ok, err = w.server.as(nil, w.client).signIn(ctx, adminEmail, adminPassword); err != nil || !ok {
		return fmt.Errorf("the administrator cannot sign in: %w", err)
	}
	admin := w.admin()
	var made struct{ ID int64 }
	for _, name := range fixed {
		if err := admin.need(ctx, 200, "POST", "/api/permissions/group", map[string]any{"name": name}, &made); err != nil {
			return err
		}
	}
	for _, name := range folders {
		if err := admin.need(ctx, 200, "POST", "/api/collection", map[string]any{"name": name}, &made); err != nil {
			return err
		}
		w.ids[fact("folder", name)] = made.ID
	}
	for _, email := range slices.Concat(staying, leaving) {
		if err := admin.need(ctx, 200, "POST", "/api/user", map[string]any{"email": email, "password": secret(email)}, &made); err != nil {
			return err
		}
	}
	var metadata struct {
		Tables []struct {
			ID   int64
			Name string
		}
	}
	if err := admin.get(ctx, "/api/database/1/metadata", &metadata); err != nil {
		return err
	}
	for _, table := range metadata.Tables {
		w.ids[fact("table", table.Name)] = table.ID
	}
	if w.state, err = readFacts(ctx, admin, w.ids); err != nil {
		return err
	}
	if err := w.checkHistory(ctx); err != nil {
		return err
	}
	return w.checkPeople(ctx)
}

// writeUntilKilled lets all pens write until the server is killed.
func (w *world) writeUntilKilled(ctx context.Context) error {
	w.mu.Lock()
	w.acked, w.flight, w.acks, w.reached = map[string]bool{}, map[string]write{}, map[string]int{}, make(chan struct{}, 1)
	// Either soon, or when each has written something: also those who wait.
	w.goal, w.each = w.dice.IntN(10), w.dice.IntN(2) == 0
	if w.each {
		w.goal = 1 + w.dice.IntN(2)
	}
	w.mu.Unlock()

	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	var writing sync.WaitGroup
	failed := make(chan error, len(pens()))
	for name, next := range pens() {
		dice := rand.New(rand.NewPCG(w.dice.Uint64(), 0))
		writing.Go(func() {
			if err := w.write(ctx, name, next, dice); err != nil {
				failed <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	var err error
	select {
	case <-w.reached:
		// The moment is in a write that begins now, or in what comes next.
		time.Sleep(time.Duration(w.dice.Int64N(int64(w.usual()*3/2 + 1))))
	case err = <-failed:
	case <-ctx.Done():
		err = fmt.Errorf("writes hang: %w", ctx.Err())
	}
	w.server.kill()
	stop()
	writing.Wait()
	w.tally.kills++
	if len(w.flight) > 0 {
		w.tally.inside++
	}
	w.tally.acked += len(w.acked)
	return err
}

// usual is how long a write takes that waits for nobody.
func (w *world) usual() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(w.took, time.Millisecond)
}

// write is the life of one pen, which ends with the server's.
func (w *world) write(ctx context.Context, name string, next pen, dice *rand.Rand) error {
	for {
		n, err := next(ctx, w, dice)
		if w.server.killed.Load() {
			return nil
		}
		if err != nil {
			return err
		}
		if len(n.to) == 0 {
			continue // nothing would change
		}
		n.id = w.fresh(name)
		header := credential{"X-Request-Id": n.id}
		maps.Copy(header, n.header)
		w.begins(name, n)
		begun := time.Now()
		r, err := w.admin().ask(ctx, n.method, n.path, header, n.body)
		switch {
		case r.status >= 200 && r.status < 300: // acknowledged, even if no more of it came
			if err := w.acknowledged(name, n, r, time.Since(begun)); err != nil && !w.server.killed.Load() {
				return err
			}
		case w.server.killed.Load(), r.status == http.StatusServiceUnavailable:
			return nil // it is not known what became of it
		default:
			return errors.Join(fmt.Errorf("%s %s: %s", n.method, n.path, r), err)
		}
	}
}

func (w *world) begins(name string, n write) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flight[name] = n
	enough := true
	if w.each {
		for name := range pens() {
			enough = enough && w.acks[name] >= w.goal
		}
	} else {
		enough = len(w.acked) >= w.goal
	}
	if enough {
		select {
		case w.reached <- struct{}{}:
		default:
		}
	}
}
