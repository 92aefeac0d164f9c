package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"bytes"

	"github.com/sluice-bi/sluice/internal/permission"
)

const collectionPath = "/api/collection/graph"

// folders is a world of collections: people per group are as elsewhere, and so
// many percent of all pairs of a group and a collection have a level.
func folders(collections, groups, percent int) *world {
	return newWorld(scale{collections: collections, groups: groups, percent: percent, users: groups * 40 / 3, memberships: 3})
}

// collectionChange writes one level on one collection, by the API, and says
// nothing of the rest. The revision is the one that the last answer had.
type collectionChange struct {
	server   *server
	revision int64
	r        *rand.Rand
	w        *world
}

func (c *collectionChange) begin() error {
	c.revision = c.server.store.Graph().CollectionRevision()
	c.r = rand.New(rand.NewPCG(7, 8))
	return nil
}

// make gives some group another level on some collection.
func (c *collectionChange) make() error {
	g := c.w.groups[1+c.r.IntN(c.w.scale.groups)].id
	on := permission.CollectionID(firstCollection + c.r.IntN(c.w.collections))
	word := "read"
	if c.server.store.Graph().CollectionLevel(g, on).Level == permission.Read {
		word = "write"
	}
	var answer bytes.Buffer
	_, err := c.server.ask(&answer, "PUT", collectionPath+"?skip-graph=true", fmt.Sprintf(`{"revision":%d,"groups":{"%d":{"%d":%q}}}`, c.revision, g, on, word))
	if err != nil {
		return err
	}
	var now struct{ Revision int64 }
	if err := json.Unmarshal(answer.Bytes(), &now); err != nil {
		return err
	}
	if now.Revision != c.revision+1 {
		return fmt.Errorf("revision %d followed %d", now.Revision, c.revision)
	}
	c.revision = now.Revision
	return nil
}

// collections measures one change among many collections and among few.
func (b *bench) collections() error {
	worlds := [2]*world{folders(pick(b.quick, 1000, 26_000), pick(b.quick, 40, 180), 10), folders(26, 18, 10)}
	var changes [2]*collectionChange
	for i, w := range worlds {
		s, err := b.open(w)
		if err != nil {
			return err
		}
		defer s.Close()
		b.tell("opening the store at "+w.String(), "%s", short(s.opened))
		changes[i] = &collectionChange{server: s, w: w}
		if err := changes[i].begin(); err != nil {
			return err
		}
		if err := changes[i].make(); err != nil {
			return err
		}
	}
	var runs, works []versus
	var statements [2][]int64
	times := pick(b.quick, 4, 20)
	for range b.runs() {
		runtime.GC()
		var took [2][]time.Duration
		var worked [2]time.Duration
		for range times {
			for i, c := range changes {
				ran, work, begun := c.server.store.Statements(), byProcessor(), time.Now()
				if err := c.make(); err != nil {
					return err
				}
				took[i] = append(took[i], time.Since(begun))
				worked[i] += byProcessor() - work
				statements[i] = append(statements[i], c.server.store.Statements()-ran)
			}
		}
		runs = append(runs, versus{median(took[0]), median(took[1])})
		works = append(works, versus{worked[0] / time.Duration(times), worked[1] / time.Duration(times)})
	}
	b.atMost("one change by PUT "+collectionPath+"?skip-graph=true", 2, runs)
	b.atMost("processor time alone", 2, works)
	b.constant("statements", statements)
	var rows [2][]int64
	for i, c := range changes {
		written, err := countRows(b.ctx, c.server.path, c.make)
		if err != nil {
			return err
		}
		var all int64
		for _, n := range written {
			all += n
		}
		rows[i] = []int64{all}
	}
	b.constant("rows written", rows)
	return nil
}

// growth measures what 1,000 changes add to the file.
func (b *bench) growth() error {
	w := folders(pick(b.quick, 800, 8000), pick(b.quick, 300, 3000), 1)
	s, err := b.open(w)
	if err != nil {
		return err
	}
	defer s.Close()
	c := &collectionChange{server: s, w: w}
	if err := c.begin(); err != nil {
		return err
	}
	number := pick(b.quick, 100, 1000)
	least := int64(1) << 62
	for range b.runs() {
		before, err := b.settled(s.path)
		if err != nil {
			return err
		}
		for range number {
			if err := c.make(); err != nil {
				return err
			}
		}
		after, err := b.settled(s.path)
		if err != nil {
			return err
		}
		least = min(least, after-before)
	}
	most := int64(number) * 1000
	b.demand(fmt.Sprintf("%d changes of one level each", number), "less than "+size(most), least < most, "%s, %d B a change; the file has %s",
		size(least), least/int64(number), fileSize(s.path))
	return nil
}

// settled is the size of a store's file when everything is in it.
func (b *bench) settled(path string) (int64, error) {
	db, err := openFile(path)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var busy, log, done int64
	if err := db.QueryRowContext(b.ctx, "pragma wal_checkpoint(truncate)").Scan(&busy, &log, &done); err != nil {
		return 0, err
	}
	if busy != 0 {
		return 0, fmt.Errorf("the file could not be settled")
	}
	f, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return f.Size(), nil
}

func fileSize(path string) string {
	f, err := os.Stat(path)
	if err != nil {
		return "an unknown size"
	}
	return size(f.Size())
}

// blocked counts what blocking All Users on a database of 200,000 tables
// writes, where All Users had nothing before.
func (b *bench) blocked() error {
	s := pick(b.quick, medium(), large())
	s.databases, s.entries, s.fields = 0, 0, 0
	w := newWorld(s)
	db := w.addDatabase(pick(b.quick, 10, 100), pick(b.quick, 100, 2000))
	schemas := w.databases[db].schemas
	for i := range 10 { // some departments work with it
		e := entry{database: db}
		e.open(permission.WholeSchema(schemas[i].name), permission.QueryBuilder, false)
		g := &w.groups[1+i]
		g.entries = append(g.entries, e)
	}
	sv, err := b.open(w)
	if err != nil {
		return err
	}
	defer sv.Close()
	b.tell(fmt.Sprintf("opening the store with %d tables in one database", len(w.tables)), "%s", short(sv.opened))
	set := func(level string) func() error {
		return func() error {
			_, err := sv.ask(io.Discard, "PATCH", graphPath, fmt.Sprintf(`{"changes":[{"group_id":1,"database_id":%d,"kind":"view-data","level":%s}]}`,
				w.databases[db].id, level), "If-Match", "*")
			return err
		}
	}
	block := set(`"blocked"`)
	rows := func() (n int64, err error) {
		counts, err := countRows(b.ctx, sv.path, block)
		return counts["data_grants"], err
	}
	var took []time.Duration
	for range b.runs() {
		begun := time.Now()
		written, err := rows()
		if err != nil {
			return err
		}
		took = append(took, time.Since(begun))
		if len(took) == 1 {
			b.demand(fmt.Sprintf("rows written for %d tables and %d people", len(w.tables), len(w.users)), "1", written == 1, "%d", written)
		}
		if err := set("null")(); err != nil {
			return err
		}
	}
	b.tell("the call, with the counting", "%s", short(median(took)))
	return nil
}
