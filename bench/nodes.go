package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// The lease of a server and how far clocks may run apart in it (docs/nodes.md).
// What a call costs besides must fit into the allowance.
const (
	lease     = 3 * time.Second
	margin    = 300 * time.Millisecond
	allowance = 200 * time.Millisecond
)

// pair is two servers on one database, and what is revoked on them.
type pair struct {
	b       *bench
	nodes   [2]*process
	clients [2]*client
	visits  []visit

	group    permission.GroupID // what it has is granted and revoked
	database catalog.DatabaseID
	table    catalog.TableID
	members  []string // sessions of people who have it by that group only
}

// nodes measures how long a revoke takes with two servers.
func (b *bench) nodes() error {
	if !b.needPostgres("two servers") {
		return nil
	}
	p := &pair{b: b}
	address, err := p.prepare()
	if err != nil {
		return err
	}
	program, err := b.build()
	if err != nil {
		return err
	}
	for i := range p.nodes {
		begun := time.Now()
		n, err := b.start(program, fmt.Sprintf("node%d", i+1), address)
		if err != nil {
			return err
		}
		defer n.stop() //nolint:errcheck // the next promise does not need it
		p.nodes[i], p.clients[i] = n, newClient(n.site)
		b.progress("server %d is up after %s", i+1, short(time.Since(begun)))
	}
	if err := p.bothLive(); err != nil {
		return err
	}
	return p.oneStopped()
}

const someSessions = 200

func sessionOf(u permission.UserID) string {
	return fmt.Sprintf("a-session-that-is-only-good-for-measuring-%d", u)
}

// prepare fills a database: the world, one more group whose members have
// nothing else, and sessions.
func (p *pair) prepare() (string, error) {
	w := newWorld(pick(p.b.quick, medium(), large()))
	var sessions []permission.UserID
	for _, u := range w.users[:someSessions] {
		sessions = append(sessions, u.id)
	}
	p.visits = w.visits(5000, someSessions)
	db := w.addDatabase(1, 2)
	p.database, p.table = w.databases[db].id, w.databases[db].schemas[0].tables[0]
	g := w.addGroup()
	p.group = g.id
	for range 20 {
		u := person{permission.UserID(firstUser + len(w.users)), []int{0, len(w.groups) - 1}}
		w.users = append(w.users, u)
		p.members = append(p.members, sessionOf(u.id))
		sessions = append(sessions, u.id)
	}
	address, err := p.b.newDatabase("bench_nodes")
	if err != nil {
		return "", err
	}
	begun := time.Now()
	if err := fill(p.b.ctx, store.Config{URL: address, Key: storeKey()}, w); err != nil {
		return "", err
	}
	c, err := pgx.Connect(p.b.ctx, address)
	if err != nil {
		return "", err
	}
	defer c.Close(p.b.ctx)
	err = copyRows(p.b.ctx, c, batch{"sessions", []string{"digest", "user_id", "created_at", "expires_at"}, func(yield func([]any) bool) {
		for _, u := range sessions {
			if !yield([]any{digest(sessionOf(u)), int64(u), someTime, "2999-01-01T00:00:00.000000Z"}) {
				return
			}
		}
	}})
	p.b.progress("filled PostgreSQL with %s in %s", w, short(time.Since(begun)))
	return address, err
}

// visits are questions of the first people, with the answers that follow from
// the world's description.
func (w *world) visits(n, people int) []visit {
	r := rand.New(rand.NewPCG(9, 10))
	var list []visit
	for len(list) < n {
		u := w.users[r.IntN(people)]
		t := int32(r.IntN(len(w.tables)))
		if len(list)%2 == 0 {
			t = w.mentioned(r, u.groups[r.IntN(len(u.groups))])
		}
		v := visit{session: sessionOf(u.id), table: idOf(t)}
		for _, g := range u.groups {
			for i := range w.groups[g].entries {
				e := &w.groups[g].entries[i]
				v.may = v.may || e.database == w.tables[t].database && e.asks(v.table, w.tables[t].schema)
			}
		}
		list = append(list, v)
	}
	return list
}

// patch sends a change of what the group has through one of the servers.
func (p *pair) patch(node int, change map[string]any) error {
	change["group_id"], change["database_id"] = p.group, p.database
	_, err := p.clients[node].call(p.b.ctx, "PATCH", graphPath, encoded(map[string]any{"changes": []any{change}}), "If-Match", "*")
	return err
}

// grant grants, and waits until both servers show it.
func (p *pair) grant(node int) error {
	if err := p.patch(node, map[string]any{"op": "grant"}); err != nil {
		return err
	}
	for _, n := range p.nodes {
		v := newVisitor(n.site)
		err := until(p.b.ctx, "what was granted, at "+n.site, func() (bool, error) {
			status, err := v.ask(p.b.ctx, p.members[0], p.table)
			return status == http.StatusOK, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// revoke takes it away, and returns how long the call took.
func (p *pair) revoke(node int) (time.Duration, error) {
	begun := time.Now()
	err := p.patch(node, map[string]any{"op": "set", "kind": "view-data", "level": nil})
	return time.Since(begun), err
}

// bothLive revokes through both servers in turn while both are asked 500 times
// a second, and asks both at once after each call as those who lost.
func (p *pair) bothLive() error {
	b := p.b
	loads := [2]*load{begin500(b.ctx, p.nodes[0].site, p.visits), begin500(b.ctx, p.nodes[1].site, p.visits)}
	visitors := [2]*visitor{newVisitor(p.nodes[0].site), newVisitor(p.nodes[1].site)}
	var took []time.Duration
	times, old, asked := pick(b.quick, 4, 40), 0, 0
	for i := range times {
		time.Sleep(pick(b.quick, 0, 200*time.Millisecond)) // revokes are rare; the checks go on
		if err := p.grant(i % 2); err != nil {
			return err
		}
		d, err := p.revoke(i / 2 % 2)
		if err != nil {
			return err
		}
		took = append(took, d)
		for _, v := range visitors {
			for _, m := range p.members {
				status, err := v.ask(b.ctx, m, p.table)
				if err != nil {
					return err
				}
				asked++
				if status == http.StatusOK {
					old++
				}
			}
		}
	}
	var rates [2]float64
	wrong, away := 0, 0
	var answers []time.Duration
	for i, l := range loads {
		l.end()
		rates[i] = l.rate()
		wrong, away = wrong+l.wrong, away+l.away+l.late
		answers = append(answers, l.took...)
		if l.last != nil {
			b.progress("server %d: %v", i+1, l.last)
		}
	}
	b.demandTime(fmt.Sprintf("a revoke with both live, median of %d", times), "less than 1 s", median(took) < time.Second,
		"%s; a tenth took more than %s, the longest %s", short(median(took)), short(quantile(took, 90)), short(quantile(took, 100)))
	b.demand("answers of both servers right after it that still showed the table", "0", old == 0, "%d of %d", old, asked)
	b.demandTime("checks a second meanwhile", "500 on each", min(rates[0], rates[1]) >= 475, "%.0f and %.0f; %d were refused or not answered; median %s, a hundredth took more than %s",
		rates[0], rates[1], away, short(median(answers)), short(quantile(answers, 99)))
	b.demand("wrong answers to them", "0", wrong == 0, "%d of %d", wrong, len(answers)+wrong)
	return nil
}

// oneStopped revokes while the second server is stopped, lets it go on, and
// counts what it answers before it knows of the revoke.
func (p *pair) oneStopped() error {
	b := p.b
	var took, again []time.Duration
	old, refused, asked := 0, 0, 0
	for range b.runs() {
		if err := p.grant(0); err != nil {
			return err
		}
		l := begin500(b.ctx, p.nodes[0].site, p.visits)
		if err := send(p.nodes[1].cmd, syscall.SIGSTOP); err != nil {
			return err
		}
		d, err := p.revoke(0)
		l.end()
		if err != nil {
			return err
		}
		took = append(took, d)
		// These lie in its sockets when it wakes up.
		waiting := make(chan int, len(p.members))
		for _, m := range p.members {
			go func() {
				status, err := newVisitor(p.nodes[1].site).ask(b.ctx, m, p.table)
				if err != nil {
					status = 0
				}
				waiting <- status
			}()
		}
		time.Sleep(100 * time.Millisecond) // they need not have arrived; some will have
		if err := send(p.nodes[1].cmd, syscall.SIGCONT); err != nil {
			return err
		}
		begun := time.Now()
		count := func(status int) {
			asked++
			switch status {
			case http.StatusOK:
				old++
			case http.StatusServiceUnavailable:
				refused++
			}
		}
		for range p.members {
			count(<-waiting)
		}
		v := newVisitor(p.nodes[1].site)
		err = until(b.ctx, "the second server, which was stopped", func() (bool, error) {
			status, err := v.ask(b.ctx, p.members[0], p.table)
			count(status)
			return status == http.StatusForbidden, err
		})
		if err != nil {
			return err
		}
		again = append(again, time.Since(begun))
	}
	most := lease + margin + allowance
	b.demandTime("a revoke with the other server stopped", fmt.Sprintf("at most %s (lease %s, margin %s)", most, lease, margin), quantile(took, 0) <= most,
		"%s, the longest of %d %s", short(quantile(took, 0)), len(took), short(quantile(took, 100)))
	b.demand("answers of the stopped server, let go on, that still showed the table", "0", old == 0, "%d of %d; %d were 503", old, asked, refused)
	b.tell("the stopped server answers again after", "%s", short(median(again)))
	return nil
}

func send(c *exec.Cmd, s syscall.Signal) error {
	if err := c.Process.Signal(s); err != nil {
		return fmt.Errorf("signal a server: %w", err)
	}
	return nil
}
