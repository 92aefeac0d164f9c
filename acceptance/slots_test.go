package acceptance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/dbtest"
)

// Many people run SQL over few slots, while what they may see changes and
// connections of slots are ended now and then.

const (
	slotPeople  = 32
	slotCount   = 4
	slotTenants = 8
	tenantRows  = 250
	slotTime    = 60 * time.Second
)

// seen is what a person may see at a time: the rows of a tenant, or none.
type seen struct {
	tenant int
	member bool
}

// slotPerson asks, and is changed meanwhile.
type slotPerson struct {
	asker
	id, membership int64

	mu   sync.Mutex
	past []seen // in the order in which their writes began
	now  int    // those before have been answered for
}

// may are the states that count for what is asked from the mark on.
func (p *slotPerson) may(mark int) []seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.past[mark:]
}

func (p *slotPerson) mark() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// becomes changes what the person may see by a write.
func (p *slotPerson) becomes(s seen, write func() error) error {
	p.mu.Lock()
	p.past = append(p.past, s)
	p.mu.Unlock()
	if err := write(); err != nil {
		return err
	}
	p.mu.Lock()
	p.now = len(p.past) - 1
	p.mu.Unlock()
	return nil
}

type slotWorld struct {
	*testing.T
	at           *dbtest.Server
	name, home   string
	database     int64
	group, table int64
	admin        asker
	people       []*slotPerson
	answered     atomic.Int64
	refused      atomic.Int64
	failed       atomic.Int64
	kills        atomic.Int64
}

func TestManyPeopleRunSQLOverFewSlots(t *testing.T) {
	for _, server := range []func(testing.TB) *dbtest.Server{dbtest.PostgreSQL, dbtest.MariaDB} {
		at := server(t)
		t.Run(at.Engine, func(t *testing.T) {
			t.Parallel()
			w := newSlotWorld(t, at)
			ctx, stop := context.WithTimeout(t.Context(), slotTime)
			defer stop()
			var all sync.WaitGroup
			for i, p := range w.people {
				all.Go(func() { w.asks(ctx, p, i) })
				all.Go(func() { w.changes(ctx, p, i) })
			}
			all.Go(func() { w.kill(ctx) })
			all.Wait()
			t.Logf("%d answered, %d refused, %d failed, %d connections ended", w.answered.Load(), w.refused.Load(), w.failed.Load(), w.kills.Load())
			if w.answered.Load() < 300 || w.refused.Load() == 0 || w.kills.Load() < 10 {
				t.Error("too little happened")
			}
			w.rests()
		})
	}
}

func newSlotWorld(t *testing.T, at *dbtest.Server) *slotWorld {
	w := &slotWorld{T: t, at: at, name: at.Database(t)}
	of := fmt.Sprintf("seq_1_to_%d", slotTenants*tenantRows)
	if at.Engine == "postgres" {
		of = fmt.Sprintf("generate_series(1, %d) as s (seq)", slotTenants*tenantRows)
	}
	at.Exec(t, w.name, "create table orders (id integer primary key, tenant integer)", "create index orders_tenant on orders (tenant)",
		fmt.Sprintf("insert into orders select seq, 1 + seq %% %d from %s", slotTenants, of))
	s := start(t, filepath.Join(t.TempDir(), "data"))
	key := s.apiKey(s.setUp())
	root := credential{"X-Api-Key": key}
	w.admin = s.as(root, newClient())
	var made struct{ ID int64 }
	s.must(200, root, "POST", "/api/database", map[string]any{"name": "Shop", "engine": at.Engine, "details": at.Details(w.name, "")}, &made)
	w.database = made.ID
	s.must(200, root, "POST", fmt.Sprintf("/api/database/%d/governance", w.database), map[string]any{"slots": slotCount}, nil)
	var script struct{ SQL string }
	s.must(200, root, "GET", fmt.Sprintf("/api/database/%d/governance/script", w.database), nil, &script)
	w.home = regexp.MustCompile(`sluice_[0-9a-f]{8}`).FindString(script.SQL)
	var meta struct {
		Tables []struct {
			ID     int64
			Name   string
			Fields []struct {
				ID   int64
				Name string
			}
		}
	}
	s.must(200, root, "GET", fmt.Sprintf("/api/database/%d/metadata", w.database), nil, &meta)
	w.table = meta.Tables[0].ID
	s.must(200, root, "POST", "/api/permissions/group", map[string]any{"name": "Tenants"}, &made)
	w.group = made.ID
	var graph struct{ Revision int64 }
	s.must(200, root, "GET", "/api/permissions/graph", nil, &graph)
	s.must(200, root, "PUT", "/api/permissions/graph", map[string]any{"revision": graph.Revision,
		"groups": map[string]any{fmt.Sprint(w.group): map[string]any{fmt.Sprint(w.database): map[string]any{
			"view-data": map[string]any{schemaOf(at): map[string]any{fmt.Sprint(w.table): "sandboxed"}}, "create-queries": "query-builder-and-native"}}},
		"sandboxes": []any{map[string]any{"group_id": w.group, "table_id": w.table, "attribute_remappings": map[string]any{"tenant": "tenant"}}}}, nil)
	for i := range slotPeople {
		p := &slotPerson{past: []seen{{1 + i%slotTenants, true}}}
		email := fmt.Sprintf("p%d@tenants.example.com", i)
		s.must(200, root, "POST", "/api/user", map[string]any{"email": email, "password": secret(email), "login_attributes": map[string]any{"tenant": p.past[0].tenant}}, &made)
		p.id = made.ID
		if err := w.joins(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		p.asker = s.as(s.signIn(email, secret(email)), newClient())
		w.people = append(w.people, p)
	}
	return w
}

func schemaOf(at *dbtest.Server) string {
	if at.Engine == "postgres" {
		return "public"
	}
	return ""
}

func (w *slotWorld) joins(ctx context.Context, p *slotPerson) error {
	var members []struct {
		MembershipID int64 `json:"membership_id"`
		UserID       int64 `json:"user_id"`
	}
	if err := w.admin.need(ctx, 200, "POST", "/api/permissions/membership", map[string]any{"group_id": w.group, "user_id": p.id}, &members); err != nil {
		return err
	}
	for _, m := range members {
		if m.UserID == p.id {
			p.membership = m.MembershipID
		}
	}
	return nil
}

// slotQueries take a moment, a while and a long time.
var slotQueries = []string{
	"select tenant, count(*) as n from orders group by tenant",
	"select a.tenant, count(distinct a.id) as n from orders a join orders b on a.id <= b.id group by a.tenant",
	"with mine as (select tenant, id from orders) select tenant, count(*) as n from mine group by tenant",
}

// asks runs SQL and looks at every row that comes.
func (w *slotWorld) asks(ctx context.Context, p *slotPerson, n int) {
	dice := rand.New(rand.NewPCG(uint64(n), 1))
	for ctx.Err() == nil {
		mark := p.mark()
		r, err := p.ask(context.WithoutCancel(ctx), "POST", "/api/dataset", nil, map[string]any{"database": w.database, "type": "native",
			"native": map[string]any{"query": slotQueries[dice.IntN(len(slotQueries))]}})
		if err != nil {
			w.Errorf("person %d: %v", n, err)
			return
		}
		var got struct {
			Status    string
			ErrorType string `json:"error_type"`
			Data      struct{ Rows [][]int }
		}
		if err := json.Unmarshal(r.text, &got); err != nil && r.status < 300 {
			w.Errorf("person %d: %v", n, r)
			return
		}
		may := p.may(mark)
		for _, row := range got.Data.Rows {
			ok := false
			for _, s := range may {
				ok = ok || s.member && len(row) == 2 && row[0] == s.tenant && row[1] == tenantRows
			}
			if !ok {
				w.Errorf("person %d read the row %v, and might see %v", n, row, may)
				return
			}
		}
		switch {
		case got.Status == "completed" && len(got.Data.Rows) == 1:
			w.answered.Add(1)
		case got.Status == "completed":
			w.Errorf("person %d: %v, and might see %v", n, r, may)
		case got.ErrorType == "missing-required-permissions":
			w.refused.Add(1)
			pause(ctx, 50*time.Millisecond)
		default:
			w.failed.Add(1)
		}
	}
}

// changes gives the person other tenants, and takes the membership away and
// gives it back.
func (w *slotWorld) changes(ctx context.Context, p *slotPerson, n int) {
	dice := rand.New(rand.NewPCG(uint64(n), 2))
	always := context.WithoutCancel(ctx)
	for {
		pause(ctx, time.Duration(500+dice.IntN(4000))*time.Millisecond)
		if ctx.Err() != nil {
			return
		}
		next := p.may(p.mark())[0]
		var err error
		switch {
		case !next.member:
			next.member = true
			err = p.becomes(next, func() error { return w.joins(always, p) })
		case dice.IntN(3) == 0:
			next.member = false
			err = p.becomes(next, func() error {
				return w.admin.need(always, 204, "DELETE", fmt.Sprintf("/api/permissions/membership/%d", p.membership), nil, nil)
			})
		default:
			next.tenant = 1 + dice.IntN(slotTenants)
			err = p.becomes(next, func() error {
				return w.admin.need(always, 200, "PUT", fmt.Sprintf("/api/user/%d", p.id), map[string]any{"login_attributes": map[string]any{"tenant": next.tenant}}, nil)
			})
		}
		if err != nil {
			w.Errorf("person %d: %v", n, err)
			return
		}
	}
}

// kill ends a connection of a slot now and then.
func (w *slotWorld) kill(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, 1500*time.Millisecond)
		of := "select pid, 0 from pg_stat_activity where usename like '" + w.home + "_slot_%' order by random() limit 1"
		end := "select pg_terminate_backend(%d)"
		if w.at.Engine == "mysql" {
			of, end = "select id, 0 from information_schema.processlist where user like '"+w.home+"_slot_%' order by rand() limit 1", "kill %d"
		}
		if id, _, err := w.at.Two(ctx, w.name, of); err == nil && w.at.Try(ctx, w.name, fmt.Sprintf(end, id)) == nil {
			w.kills.Add(1)
		}
	}
}

// rests looks whether nothing stays behind: no lease, and every slot can be
// taken.
func (w *slotWorld) rests() {
	ctx, stop := context.WithTimeout(w.Context(), 5*time.Second)
	defer stop()
	if err := eventually(ctx, "no lease is left", func() (bool, error) {
		n, _, err := w.at.Two(ctx, w.name, "select count(*), 0 from "+w.home+".lease")
		return n == 0, err
	}); err != nil {
		w.Error(err)
	}
	running := "select count(distinct usename), 0 from pg_stat_activity where state = 'active' and usename like '" + w.home + "_slot_%'"
	if w.at.Engine == "mysql" {
		running = "select count(distinct user), 0 from information_schema.processlist where command in ('Query', 'Execute') and user like '" + w.home + "_slot_%'"
	}
	slow, end := context.WithTimeout(w.Context(), 30*time.Second)
	defer end()
	var asking sync.WaitGroup
	for _, p := range w.people[:slotCount+4] {
		if !p.may(p.mark())[0].member {
			if err := w.joins(slow, p); err != nil {
				w.Error(err)
			}
		}
		asking.Go(func() {
			_, _ = p.ask(slow, "POST", "/api/dataset", nil, map[string]any{"database": w.database, "type": "native",
				"native": map[string]any{"query": "select count(*) from orders a cross join orders b cross join orders c cross join orders d"}})
		})
	}
	if err := eventually(slow, "all slots run", func() (bool, error) {
		n, _, err := w.at.Two(slow, w.name, running)
		return n == slotCount, err
	}); err != nil {
		w.Error(err)
	}
	end()
	asking.Wait()
	last, done := context.WithTimeout(w.Context(), 5*time.Second)
	defer done()
	if err := eventually(last, "what nobody waits for ends", func() (bool, error) {
		n, _, err := w.at.Two(last, w.name, running)
		return n == 0, err
	}); err != nil {
		w.Error(err)
	}
}
