package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver, as somebody would use it without Sluice

	"github.com/jackc/pgx/v5"
)

// place is a customer's database with one large table, reached by Sluice and
// by the bare driver.
type place struct {
	name   string
	db     *sql.DB
	fields [len(eventFields)]int64 // the ids
	id     int64                   // of the database
	table  int64
}

// event is a row, as a program without Sluice would have it.
type event struct {
	ID     int64
	Tenant int64
	Kind   string
	Amount float64
	Note   *string
}

var eventFields = [...]string{"id", "tenant", "kind", "amount", "note"}

const selectEvents = "select id, tenant, kind, amount, note from events"

// places are the databases, with so many rows each, and a server that knows
// them.
func (b *bench) places(rows int) (s *server, all []*place, err error) {
	if s, err = b.open(newWorld(little())); err != nil {
		return nil, nil, err
	}
	lite, err := b.placeInSQLite(s, rows)
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	all = append(all, lite)
	if b.needPostgres("on PostgreSQL") {
		pg, err := b.placeInPostgres(s, rows)
		if err != nil {
			return nil, nil, errors.Join(err, lite.db.Close(), s.Close())
		}
		all = append(all, pg)
	}
	return s, all, nil
}

const eventColumns = "n, n % 100, 'kind ' || (n % 7), n * 0.25, case when n % 3 = 0 then null else 'a note on event ' || n end"

func (b *bench) placeInSQLite(s *server, rows int) (*place, error) {
	path := filepath.Join(b.own, "events.db")
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path}).String())
	if err != nil {
		return nil, err
	}
	p := &place{name: "SQLite", db: db}
	for _, q := range []string{
		"create table events (id integer primary key, tenant integer, kind text, amount real, note text)",
		fmt.Sprintf("insert into events with recursive c(n) as (select 1 union all select n + 1 from c where n < %d) select %s from c", rows, eventColumns),
	} {
		if _, err := db.ExecContext(b.ctx, q); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return p, p.connect(s, "sqlite", map[string]any{"db": path})
}

func (b *bench) placeInPostgres(s *server, rows int) (*place, error) {
	address, err := b.newDatabase("events_of_" + filepath.Base(b.own))
	if err != nil {
		return nil, err
	}
	c, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	p := &place{name: "PostgreSQL", db: stdlib.OpenDB(*c)}
	for _, q := range []string{
		"create table events (id bigint primary key, tenant bigint, kind text, amount float8, note text)",
		fmt.Sprintf("insert into events select %s from generate_series(1, %d) n", eventColumns, rows),
		"vacuum analyze events",
	} {
		if _, err := p.db.ExecContext(b.ctx, q); err != nil {
			return nil, errors.Join(err, p.db.Close())
		}
	}
	return p, p.connect(s, "postgres", map[string]any{"host": c.Host, "port": c.Port, "dbname": c.Database, "user": c.User})
}

// connect makes the place known to the server.
func (p *place) connect(s *server, engine string, details map[string]any) error {
	body, err := json.Marshal(map[string]any{"name": "events in " + p.name, "engine": engine, "details": details})
	if err != nil {
		return err
	}
	var made struct{ ID int64 }
	if err := s.askFor(&made, "POST", "/api/database", string(body)); err != nil {
		return err
	}
	p.id = made.ID
	var known struct {
		Tables []struct {
			ID     int64
			Fields []struct {
				ID   int64
				Name string
			}
		}
	}
	if err := s.askFor(nil, "POST", fmt.Sprintf("/api/database/%d/sync_schema", p.id), ""); err != nil {
		return err
	}
	if err := s.askFor(&known, "GET", fmt.Sprintf("/api/database/%d/metadata", p.id), ""); err != nil {
		return err
	}
	if len(known.Tables) != 1 {
		return fmt.Errorf("%w: the table of events", errMissing)
	}
	p.table = known.Tables[0].ID
	for i, name := range eventFields {
		for _, f := range known.Tables[0].Fields {
			if f.Name == name {
				p.fields[i] = f.ID
			}
		}
	}
	return nil
}

// question asks for the events, all or those whose id is at most so much.
func (p *place) question(most int) string {
	fields := make([]any, len(p.fields))
	for i, id := range p.fields {
		fields[i] = []any{"field", id, nil}
	}
	q := map[string]any{"source-table": p.table, "fields": fields}
	if most > 0 {
		q["filter"] = []any{"<=", fields[0], most}
	}
	text, err := json.Marshal(map[string]any{"database": p.id, "type": "query", "query": q})
	if err != nil {
		panic(err) // numbers and texts
	}
	return string(text)
}

// bare runs the same by the driver and encodes the rows; it returns their
// number.
func (p *place) bare(b *bench, into io.Writer, most int) (n int, err error) {
	query, args := selectEvents, []any{}
	if most > 0 {
		query, args = query+" where id <= $1", []any{most}
	}
	rows, err := p.db.QueryContext(b.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	out := json.NewEncoder(into)
	for rows.Next() {
		var e event
		if err := rows.Scan(&e.ID, &e.Tenant, &e.Kind, &e.Amount, &e.Note); err != nil {
			return n, err
		}
		if err := out.Encode(&e); err != nil {
			return n, err
		}
		n++
	}
	return n, rows.Err()
}

// small measures what a question with a small result takes beyond the driver.
func (b *bench) small() error {
	s, places, err := b.places(pick(b.quick, 20_000, 1_000_000))
	if err != nil {
		return err
	}
	defer s.Close()
	const rows = 10
	for _, p := range places {
		defer p.db.Close()
		question := p.question(rows)
		var best time.Duration
		var told string
		for range b.runs() {
			var with, without []time.Duration
			for range pick(b.quick, 20, 500) {
				begun := time.Now()
				n, err := p.bare(b, io.Discard, rows)
				if without = append(without, time.Since(begun)); err != nil || n != rows {
					return errors.Join(err, fmt.Errorf("the driver gave %d rows", n))
				}
				begun = time.Now()
				if _, err := s.ask(io.Discard, "POST", "/api/dataset", question); err != nil {
					return err
				}
				with = append(with, time.Since(begun))
			}
			is, was := median(with), median(without)
			if best == 0 || is-was < best {
				best, told = is-was, fmt.Sprintf("%s (%s with, %s without)", short(is-was), short(is), short(was))
			}
		}
		b.demandTime("a question for "+fmt.Sprint(rows)+" rows of "+p.name+", beyond the driver, median", "less than 1 ms", best < time.Millisecond, "%s", told)
	}
	return nil
}

// export measures how fast a large result comes, and what it holds in memory.
func (b *bench) export() error {
	rows := pick(b.quick, 20_000, 1_000_000)
	s, places, err := b.places(rows)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, p := range places {
		defer p.db.Close()
		ask := func(into io.Writer, question string) (*discard, error) {
			body, err := json.Marshal(map[string]json.RawMessage{"query": json.RawMessage(question)})
			if err != nil {
				return nil, err
			}
			return s.ask(into, "POST", "/api/dataset/json", string(body))
		}
		// That it is all of them, and the same.
		lines := &counter{of: '{'}
		if _, err := ask(lines, p.question(0)); err != nil {
			return err
		}
		b.demand("rows of "+p.name+" that come", fmt.Sprint(rows), lines.n == int64(rows), "%d", lines.n)
		var runs []versus
		for range b.runs() {
			runtime.GC()
			v, err := interleaved(byWall, 2, func() error {
				_, err := ask(io.Discard, p.question(0))
				return err
			}, func() error {
				n, err := p.bare(b, io.Discard, 0)
				if err == nil && n != rows {
					err = fmt.Errorf("the driver gave %d rows", n)
				}
				return err
			})
			if err != nil {
				return err
			}
			runs = append(runs, v)
		}
		v := best(runs)
		rate := func(d time.Duration) float64 { return float64(rows) / 1e6 / d.Seconds() }
		b.demandTime("all rows of "+p.name+" as JSON : the driver and encoding/json", "at least 60% of the rows a second", v.ratio() <= 1/0.6,
			"%.0f%% (%.2f : %.2f million a second)", 100/v.ratio(), rate(v.is), rate(v.baseline))
		most := int64(4 << 20)
		var held [2]int64
		for i, n := range []int{rows / 10, rows} {
			base := alive()
			w := &sampler{every: int64(n) * 10, sample: func() { held[i] = max(held[i], alive()-base) }}
			if _, err := ask(w, p.question(n)); err != nil {
				return err
			}
		}
		b.demand("held in memory meanwhile, "+p.name, "at most 4 MiB", max(held[0], held[1]) <= most, "%s with a tenth of the rows, %s with all", size(held[0]), size(held[1]))
	}
	return nil
}

// counter counts a byte in what is written.
type counter struct {
	of byte
	n  int64
}

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(bytes.Count(b, []byte{c.of}))
	return len(b), nil
}
