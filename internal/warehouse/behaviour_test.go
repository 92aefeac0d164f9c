package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/query"
)

func TestEngineRunsWhatWasCompiledWithItsArguments(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		text := fmt.Sprintf("SELECT id, status FROM orders WHERE organization_id = %s AND total > %s AND (status = %s OR %s) ORDER BY id",
			p.mark(1), p.mark(2), p.mark(3), p.mark(4))
		columns, rows, err := p.ask(t.Context(), p.task(text, int64(1), 7.5, "new", false))
		if err != nil || !reflect.DeepEqual(rows, [][]any{{int64(1), "new"}}) {
			t.Errorf("%v, %v", rows, err)
		}
		if len(columns) != 2 || columns[0].Name != "id" || columns[0].BaseType != "type/Integer" || columns[1].BaseType != "type/Text" {
			t.Errorf("columns %+v", columns)
		}
		if got := p.one(t, p.task("SELECT "+p.the(map[string]string{"sqlite": "?1", "postgres": "$1::text", "mysql": "?"}), "it's; DROP TABLE orders --")); got != "it's; DROP TABLE orders --" {
			t.Errorf("an argument came back as %v", got)
		}
		if got := p.one(t, p.task("SELECT count(*) FROM orders WHERE status = "+p.mark(1), nil)); got != int64(0) {
			t.Errorf("compared with null, %v rows are equal", got)
		}
	})
}

func TestNoRowsHaveColumnsAllTheSame(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		columns, rows, err := p.ask(t.Context(), p.task("SELECT id, status FROM orders WHERE 1 = 0"))
		if err != nil || len(rows) != 0 || len(columns) != 2 || columns[0].BaseType != "type/Integer" || columns[1].Name != "status" {
			t.Errorf("%+v, %v, %v", columns, rows, err)
		}
	})
}

func TestConnectionIsForOneStatementAtATime(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		c, err := p.pool.Acquire(t.Context(), p.db)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Release()
		first, err := c.perform(t.Context(), p.task("SELECT id FROM orders ORDER BY id"))
		if err != nil || !first.Next() {
			t.Fatal(err)
		}
		second, err := c.perform(t.Context(), p.task("SELECT count(*) FROM orders"))
		if err != nil || !second.Next() || second.Values()[0] != int64(3) {
			t.Fatalf("after rows that were not read to their end: %v", err)
		}
		if first.Next() {
			t.Error("the rows of the former statement go on")
		}
		if _, err := c.Run(t.Context(), query.Statement{}, nil); err == nil {
			t.Error("a zero statement ran")
		}
	})
}

// A result that had to be whole before its first row would never begin.
func TestRowsAreStreamed(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		for _, k := range []task{p.native(p.the(endlessRows)), p.task(p.the(endlessRows))} {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			c, err := p.pool.Acquire(ctx, p.db)
			if err != nil {
				t.Fatal(err)
			}
			r, err := c.perform(ctx, k)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 5000 {
				if !r.Next() || r.Values()[0] != int64(i+1) {
					t.Fatalf("row %d: %v, %v", i, r.Values(), r.Err())
				}
			}
			r.Close()
			c.Release()
			cancel()
		}
		p.quiet(t)
	})
}

// quiet waits until nothing runs on the server for us any more, and at most as
// many sessions are left as may be.
func (p *place) quiet(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		all, working := p.sessions(t)
		if working == 0 && all <= MaxConnections {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server still has %d sessions, %d of them at work", all, working)
		}
	}
}

func TestContextEndsAStatementOnTheServerToo(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		for _, text := range []string{p.the(endlessWork), p.the(endlessRows)} {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			_, _, err := p.ask(ctx, p.native(text))
			cancel()
			_ = is(t, err, TimedOut)

			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			_, _, err = p.ask(ctx, p.task(text))
			cancel()
			_ = is(t, err, Cancelled)
		}
		p.quiet(t)
		if n := p.pool.InUse(placeID); n != 0 {
			t.Errorf("%d connections in use", n)
		}
	})
}

func TestServerItselfEndsWhatOutlivesItsContext(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		if p.server == nil {
			t.Log("it is in our own process")
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, rows, err := p.ask(ctx, p.native(p.the(map[string]string{
			"postgres": "SELECT extract(epoch FROM current_setting('statement_timeout')::interval)::int",
			"mysql":    "SELECT CAST(@@max_statement_time AS SIGNED)",
		})))
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := rows[0][0].(int64); n < 29 || n > 32 {
			t.Errorf("the server stops after %v seconds", rows[0][0])
		}
	})
}

func TestAThousandFailedAndCancelledQueriesLeaveNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		work, rows := p.the(endlessWork), p.the(endlessRows)
		kinds := []struct {
			text   string
			within time.Duration
		}{
			{"SELECT id FROM orders WHERE", time.Minute}, {"SELECT nothing FROM orders", time.Minute}, {"SELECT * FROM not_there", time.Minute},
			{"DELETE FROM orders", time.Minute}, {"SELECT 1; SELECT 2", time.Minute}, {work, 2 * time.Millisecond}, {rows, 3 * time.Millisecond},
			{rows, time.Minute}, {"SELECT id FROM orders", 0}, {"SELECT id FROM orders ORDER BY id", time.Minute},
		}
		var group sync.WaitGroup
		next := make(chan int)
		for range 2 * MaxConnections {
			group.Go(func() {
				for i := range next {
					kind := kinds[i%len(kinds)]
					ctx, cancel := context.WithTimeout(t.Context(), kind.within)
					p.give(ctx, kind.text, i%4 != 0)
					cancel()
				}
			})
		}
		for i := range 1000 {
			next <- i
		}
		close(next)
		group.Wait()
		if n := p.pool.InUse(placeID); n != 0 {
			t.Errorf("%d connections are still in use", n)
		}
		conns := p.conns()
		conns.mu.Lock()
		idle := len(conns.idle)
		conns.mu.Unlock()
		if idle > MaxConnections {
			t.Errorf("%d idle connections", idle)
		}
		p.quiet(t)
		for range 2 * MaxConnections { // all of them can be had again, and work
			if n := p.one(t, p.task("SELECT count(*) FROM orders")); n != int64(3) {
				t.Errorf("%v orders", n)
			}
		}
	})
}

// give runs a statement, reads a few rows of it and goes.
func (p *place) give(ctx context.Context, text string, native bool) {
	c, err := p.pool.Acquire(ctx, p.db)
	if err != nil {
		return
	}
	defer c.Release()
	r, err := c.perform(ctx, task{sql: text, native: native, tables: only("orders")})
	if err != nil {
		return
	}
	for range 10 {
		if !r.Next() {
			return
		}
	}
}

func TestDatabaseThatDiesInMidStreamAndComesBack(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		if p.server == nil {
			t.Log("a file does not go away under who has it open")
			return
		}
		line := newLine(t, net.JoinHostPort(p.server.Host, fmt.Sprint(p.server.Port)))
		p.open(t, p.with(map[string]any{"port": line.port}))
		c, err := p.pool.Acquire(t.Context(), p.db)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.perform(t.Context(), p.native(p.the(endlessRows)))
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if !r.Next() {
				t.Fatal(r.Err())
			}
		}
		line.cut()
		for r.Next() { // what is under way already
		}
		_ = is(t, r.Err(), Unusable)
		c.Release()

		_, _, err = p.ask(t.Context(), p.task("SELECT count(*) FROM orders"))
		if e := is(t, err, Unusable); e.Field == "" {
			t.Errorf("while it is away: %v", e)
		}
		line.mend(t)
		for range MaxConnections {
			if n := p.one(t, p.task("SELECT count(*) FROM orders")); n != int64(3) {
				t.Errorf("%v orders", n)
			}
		}
		// Connections that lay idle while the server restarted are not used.
		var taken []*Conn
		for range 3 {
			c, err := p.pool.Acquire(t.Context(), p.db)
			if err != nil {
				t.Fatal(err)
			}
			taken = append(taken, c)
		}
		for _, c := range taken {
			c.Release()
		}
		line.cut()
		line.mend(t)
		conns := p.conns()
		conns.mu.Lock()
		for _, c := range conns.idle {
			c.used = c.used.Add(-time.Minute)
		}
		conns.mu.Unlock()
		if n := p.one(t, p.task("SELECT count(*) FROM orders")); n != int64(3) {
			t.Errorf("%v orders", n)
		}
	})
}

func TestIdleConnectionsAreClosedAfterAWhile(t *testing.T) {
	p := newPlace(t, "postgres")
	for range 3 {
		p.one(t, p.task("SELECT count(*) FROM orders"))
	}
	conns := p.conns()
	conns.mu.Lock()
	idle := len(conns.idle)
	for _, c := range conns.idle {
		c.used = c.used.Add(-2 * maxIdle)
	}
	conns.mu.Unlock()
	if idle == 0 {
		t.Fatal("no connection is kept for the next who asks")
	}
	conns.reap()
	conns.mu.Lock()
	defer conns.mu.Unlock()
	if len(conns.idle) != 0 || conns.reaper != nil {
		t.Errorf("%d idle connections are left", len(conns.idle))
	}
}

func TestRowsAndResultsHaveABound(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		big := p.the(map[string]string{
			"sqlite":   "SELECT replace(printf('%34000000d', 1), ' ', 'x')",
			"postgres": "SELECT repeat('x', 70000000)",
			"mysql":    "SELECT repeat('a', 15000000), repeat('b', 15000000), repeat('c', 15000000), repeat('d', 15000000), repeat('e', 15000000)",
		})
		if _, _, err := p.ask(t.Context(), p.native(big)); err == nil {
			t.Error("a row of 70 MB was read")
		} else if e := is(t, err, map[bool]Kind{true: Invalid, false: Failed}[p.engine == "sqlite"]); p.server != nil && !strings.Contains(e.Message, "larger than 64 MB") {
			t.Errorf("it says %q", e.Message)
		}
		c, err := p.pool.Acquire(t.Context(), p.db)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Release()
		r, err := c.perform(t.Context(), p.task("SELECT id FROM orders ORDER BY id"))
		if err != nil || !r.Next() {
			t.Fatal(err)
		}
		r.bytes = maxResultBytes // as if that much had been read
		if r.Next() {
			t.Error("the result goes on")
		}
		if e := is(t, r.Err(), Failed); !strings.Contains(e.Message, "larger than 1024 MB") {
			t.Errorf("it says %q", e.Message)
		}
	})
}

func TestTimesAreThoseOfTheZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, engine := range Engines() {
		if !Zones(engine) {
			continue
		}
		t.Run(engine, func(t *testing.T) {
			p := newPlace(t, engine)
			p.exec(t, p.the(map[string]string{
				"postgres": "CREATE TABLE moments (at TIMESTAMPTZ, local_time TIMESTAMP)",
				"mysql":    "CREATE TABLE moments (at TIMESTAMP NULL, local_time DATETIME)",
			}), p.the(map[string]string{
				"postgres": "INSERT INTO moments VALUES ('2024-07-01 22:30:00Z', '2024-07-01 22:30:00'), ('2024-01-01 12:00:00.25Z', NULL)",
				"mysql":    "SET time_zone = '+00:00'; INSERT INTO moments VALUES ('2024-07-01 22:30:00', '2024-07-01 22:30:00'), ('2024-01-01 12:00:00', NULL)",
			}))
			day := p.the(map[string]string{"postgres": "CAST(at AS date)", "mysql": "DATE(at)"})
			fraction := p.the(map[string]string{"postgres": ".25", "mysql": ""})
			k := p.task("SELECT at, local_time, " + day + " AS d FROM moments ORDER BY at DESC")
			for range 2 { // the same connection for one zone and the other
				for zone, want := range map[*time.Location][][]any{
					nil:    {{"2024-07-01T22:30:00Z", "2024-07-01T22:30:00", "2024-07-01"}, {"2024-01-01T12:00:00" + fraction + "Z", nil, "2024-01-01"}},
					berlin: {{"2024-07-02T00:30:00+02:00", "2024-07-01T22:30:00", "2024-07-02"}, {"2024-01-01T13:00:00" + fraction + "+01:00", nil, "2024-01-01"}},
				} {
					k.zone = zone
					if _, rows, err := p.ask(t.Context(), k); err != nil || !reflect.DeepEqual(rows, want) {
						t.Errorf("in %v: %v, %v", zone, rows, err)
					}
				}
			}
		})
	}
}

func TestValuesGoOutAsJSON(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		_, rows, err := p.ask(t.Context(), p.task("SELECT id, total, status FROM orders ORDER BY id"))
		if err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(rows)
		want := p.the(map[string]string{
			"sqlite":   `[[1,9.5,"new"],[2,20,"paid"],[3,7.25,null]]`,
			"postgres": `[[1,9.50,"new"],[2,20.00,"paid"],[3,7.25,null]]`,
			"mysql":    `[[1,9.50,"new"],[2,20.00,"paid"],[3,7.25,null]]`,
		})
		if err != nil || string(out) != want {
			t.Errorf("%s, %v", out, err)
		}
	})
}
