package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// tenants measures how the cost of one more tenant grows with those there are.
func (b *bench) tenants() error {
	if err := b.oneByOne(); err != nil {
		return err
	}
	return b.wholeGraphs()
}

// emptyServer is a server over HTTP with nothing but the sample database.
func (b *bench) emptyServer(c store.Config) (*server, *client, error) {
	if err := fill(b.ctx, c, newWorld(scale{})); err != nil {
		return nil, nil, err
	}
	s, err := open(b.ctx, c, b.own)
	if err != nil {
		return nil, nil, err
	}
	if err := s.listen(); err != nil {
		return nil, nil, err
	}
	return s, newClient(s.site), nil
}

// tenantCalls are the calls that make a tenant and say only what is new; the
// first two are those of the promise.
var tenantCalls = [...]string{"POST membership", "PATCH of the data graph", "PUT of one pair of the collection graph", "POST group", "POST user", "POST collection"}

// landlord makes tenants one after another on a server that begins with none,
// and notes what each call took.
type landlord struct {
	*server
	client *client
	shared tenant // its collection is the parent of all
	number int    // tenants so far

	took       [len(tenantCalls)][]time.Duration
	statements []int64 // of the promised calls
}

func (b *bench) newLandlord(name string) (*landlord, error) {
	s, c, err := b.emptyServer(store.Config{Path: filepath.Join(b.own, name+".db"), Key: storeKey()})
	if err != nil {
		return nil, err
	}
	l := &landlord{server: s, client: c}
	return l, c.createCollection(b.ctx, &l.shared, 0)
}

// forget drops what was noted so far.
func (l *landlord) forget() {
	l.took, l.statements = [len(tenantCalls)][]time.Duration{}, nil
}

// another makes one more tenant.
func (l *landlord) another(b *bench) error {
	l.number++
	t := tenant{number: l.number}
	for _, step := range []struct {
		call int
		do   func() error
	}{
		{3, func() error { return l.client.createGroup(b.ctx, &t) }},
		{4, func() error { return l.client.createUser(b.ctx, &t, "") }},
		{0, func() error { return l.client.addMember(b.ctx, &t) }},
		{5, func() error { return l.client.createCollection(b.ctx, &t, l.shared.collection) }},
		{1, func() error { return l.client.patch(b, &t) }},
		{2, func() error { return l.client.putPair(b, l.server, &t) }},
	} {
		ran, begun := l.store.Statements(), time.Now()
		if err := step.do(); err != nil {
			return err
		}
		l.took[step.call] = append(l.took[step.call], time.Since(begun))
		if step.call < 2 {
			l.statements = append(l.statements, l.store.Statements()-ran)
		}
	}
	return nil
}

// oneByOne makes 2,000 tenants. The last hundred are made in turn with the
// first hundred of another server, so that both see the same machine.
func (b *bench) oneByOne() error {
	number, window := pick(b.quick, 60, 2000), pick(b.quick, 20, 100)
	var runs [len(tenantCalls)][]versus
	var statements [2][]int64
	for run := range b.runs() {
		var full, fresh *landlord
		for _, l := range []struct {
			name string
			made **landlord
		}{{"full", &full}, {"fresh", &fresh}} {
			made, err := b.newLandlord(fmt.Sprintf("%s%d", l.name, run))
			if err != nil {
				return err
			}
			defer made.Close()
			*l.made = made
		}
		for range number - window {
			if err := full.another(b); err != nil {
				return err
			}
		}
		full.forget()
		runtime.GC()
		for range window {
			for _, l := range []*landlord{fresh, full} {
				if err := l.another(b); err != nil {
					return err
				}
			}
		}
		for i := range tenantCalls {
			runs[i] = append(runs[i], versus{median(full.took[i]), median(fresh.took[i])})
		}
		statements[0], statements[1] = append(statements[0], full.statements...), append(statements[1], fresh.statements...)
	}
	for i, call := range tenantCalls {
		if i < 2 {
			b.atMost(fmt.Sprintf("%s, the last %d of %d : the first", call, window, number), 1.3, runs[i])
		} else {
			b.tell(fmt.Sprintf("%s, the last %d : the first", call, window), "%s", best(runs[i]))
		}
	}
	b.demand("statements of a PATCH or membership call", "at the end no more", slices.Max(statements[0]) <= slices.Max(statements[1]),
		"at most %d, at the beginning %d", slices.Max(statements[0]), slices.Max(statements[1]))
	return nil
}

// patch grants the tenant's group the sample database.
func (c *client) patch(b *bench, t *tenant) error {
	_, err := c.call(b.ctx, "PATCH", graphPath, encoded(map[string]any{"changes": []any{map[string]any{"op": "grant", "group_id": t.group, "database_id": 1}}}), "If-Match", "*")
	return err
}

// putPair lets the tenant's group read its collection.
func (c *client) putPair(b *bench, s *server, t *tenant) error {
	body := map[string]any{"revision": s.store.Graph().CollectionRevision(), "groups": map[string]any{fmt.Sprint(t.group): map[string]string{fmt.Sprint(t.collection): "read"}}}
	_, err := c.call(b.ctx, "PUT", collectionPath+"?skip-graph=true", encoded(body))
	return err
}

// wholeGraphs makes a hundred tenants with the program's own calls where there
// are none, 900 and 1,900, in turn, and compares the time that a byte takes.
func (b *bench) wholeGraphs() error {
	window := pick(b.quick, 20, 100)
	before := pick(b.quick, []int{0, 30, 60}, []int{0, 900, 1900})
	var perByte [][]float64 // by run
	var moved []int64
	for range b.runs() {
		var took []time.Duration
		var err error
		if took, moved, err = b.windows(before, window); err != nil {
			return err
		}
		var each []float64
		for i := range before {
			each = append(each, float64(took[i])/float64(moved[i]))
		}
		perByte = append(perByte, each)
	}
	last := len(before) - 1
	for i, n := range before[:last] {
		least := slices.MinFunc(perByte, func(a, b []float64) int { return cmp.Compare(a[last]/a[i], b[last]/b[i]) })
		ratio := least[last] / least[i]
		b.demandTime(fmt.Sprintf("whole graphs, tenants %d to %d : %d to %d", before[last]+1, before[last]+window, n+1, n+window), "at most 1.5x a byte",
			ratio <= 1.5, "%.2fx (%.3g ns a byte in %s : %.3g ns in %s)", ratio, least[last], size(moved[last]), least[i], size(moved[i]))
	}
	return nil
}

// windows makes so many tenants on servers that have some already, in turn, and
// returns what the calls that move whole graphs took on each, and how many bytes
// they moved.
func (b *bench) windows(before []int, window int) (took []time.Duration, moved []int64, err error) {
	var clients []*client
	for _, n := range before {
		s, err := b.open(tenantWorld(n))
		if err != nil {
			return nil, nil, err
		}
		defer s.Close()
		if err := s.listen(); err != nil {
			return nil, nil, err
		}
		clients = append(clients, newClient(s.site))
	}
	took, moved = make([]time.Duration, len(before)), make([]int64, len(before))
	runtime.GC()
	for i := range window {
		for at, c := range clients {
			t := tenant{number: before[at] + i + 1}
			if err := c.withoutAccess(b, &t); err != nil {
				return nil, nil, err
			}
			was, begun := c.moved, time.Now()
			if err := c.shareCollection(b.ctx, &t); err != nil {
				return nil, nil, err
			}
			if err := c.grantDatabase(b.ctx, &t, 1); err != nil {
				return nil, nil, err
			}
			took[at] += time.Since(begun)
			moved[at] += c.moved - was
		}
	}
	return took, moved, nil
}

// withoutAccess makes a tenant who can reach nothing yet.
func (c *client) withoutAccess(b *bench, t *tenant) error {
	if err := c.createGroup(b.ctx, t); err != nil {
		return err
	}
	if err := c.createUser(b.ctx, t, ""); err != nil {
		return err
	}
	if err := c.addMember(b.ctx, t); err != nil {
		return err
	}
	return c.createCollection(b.ctx, t, firstCollection)
}

// tenantWorld has n tenants, a database that all of them ask, and a collection
// that no tenant has.
func tenantWorld(n int) *world {
	w := newWorld(scale{databases: 1, schemas: 2, tables: 10, fields: 4, collections: n + 1})
	for i := range n {
		g := w.addGroup()
		e := entry{database: 0}
		e.open(permission.WholeDatabase(), permission.QueryBuilder, false)
		g.entries = append(g.entries, e)
		g.levels = map[permission.CollectionID]permission.Level{permission.CollectionID(firstCollection + 1 + i): permission.Read}
		w.users = append(w.users, person{permission.UserID(firstUser + i), []int{0, len(w.groups) - 1}})
	}
	return w
}

// provisioning makes tenants at once from many clients, on both engines.
func (b *bench) provisioning() error {
	number, clients := pick(b.quick, 12, 200), pick(b.quick, 4, 16)
	configs := []struct {
		engine string
		config store.Config
	}{{"SQLite", store.Config{Path: filepath.Join(b.own, "provisioning.db"), Key: storeKey()}}}
	if b.needPostgres("tenants on PostgreSQL") {
		address, err := b.newDatabase("bench_tenants")
		if err != nil {
			return err
		}
		configs = append(configs, struct {
			engine string
			config store.Config
		}{"PostgreSQL", store.Config{URL: address, Key: storeKey()}})
	}
	for _, c := range configs {
		if err := b.provisionOn(c.engine, c.config, number, clients); err != nil {
			return fmt.Errorf("%s: %w", c.engine, err)
		}
	}
	return nil
}

func (b *bench) provisionOn(engine string, config store.Config, number, clients int) error {
	s, c, err := b.emptyServer(config)
	if err != nil {
		return err
	}
	defer s.Close()
	var shared tenant
	if err := c.createCollection(b.ctx, &shared, 0); err != nil {
		return err
	}
	tenants := make([]tenant, number)
	queue := make(chan *tenant, number)
	for i := range tenants {
		tenants[i].number = i + 1
		queue <- &tenants[i]
	}
	close(queue)
	begun := time.Now()
	var mu sync.Mutex
	var wait sync.WaitGroup
	var first error
	retries := 0
	for range clients {
		wait.Go(func() {
			c := newClient(s.site)
			for t := range queue {
				n, err := c.provision(b.ctx, t, 1, shared.collection)
				mu.Lock()
				retries += n
				if err != nil && first == nil {
					first = fmt.Errorf("tenant %d: %w", t.number, err)
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wait.Wait()
	if first != nil {
		return first
	}
	took := time.Since(begun)
	complete, lost, err := b.look(s, tenants)
	if err != nil {
		return err
	}
	b.demand(fmt.Sprintf("%d tenants from %d clients on %s", number, clients, engine), "all complete, nothing lost", complete == number && lost == "",
		"%d complete%s; %d times 409 and again; %s in all", complete, lost, retries, short(took))
	return nil
}

// look counts the tenants of which everything is there; lost names the first
// thing that is not.
func (b *bench) look(s *server, tenants []tenant) (complete int, lost string, err error) {
	g := s.store.Graph()
	users, _, err := s.store.Users(b.ctx, store.UserQuery{})
	if err != nil {
		return 0, "", err
	}
	attributes := map[permission.UserID]string{}
	for _, u := range users {
		attributes[u.ID] = u.LoginAttributes["organization_id"]
	}
	for _, t := range tenants {
		group, user := permission.GroupID(t.group), permission.UserID(t.user)
		members := slices.Collect(g.Members(group))
		missing := ""
		switch {
		case g.Group(group) == nil || g.Group(group).Name != t.groupName():
			missing = "group"
		case !slices.Equal(members, []permission.UserID{user}):
			missing = "member"
		case attributes[user] != fmt.Sprint(t.number):
			missing = "attribute"
		case g.CollectionLevel(group, permission.CollectionID(t.collection)).Level != permission.Read:
			missing = "collection"
		case g.Level(group, 1, permission.View, permission.WholeDatabase()) != permission.Unrestricted,
			g.Level(group, 1, permission.Create, permission.WholeDatabase()) != permission.QueryBuilder:
			missing = "database"
		}
		if missing == "" {
			complete++
		} else if lost == "" {
			lost = fmt.Sprintf("; tenant %d lost its %s", t.number, missing)
		}
	}
	return complete, lost, nil
}
