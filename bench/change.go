package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// who makes the changes.
var who = store.Actor{Reason: "bench"}

// operation is a change whose cost is promised. Only do is measured; n counts.
type operation struct {
	name              string
	prepare, do, undo func(n int) error
}

func nothing(int) error { return nil }

// operations are the changes, to be made in one store.
func (b *bench) operations(s *store.Store) []operation {
	var made store.Database
	create := func(n int) (err error) {
		made, err = s.CreateDatabase(b.ctx, who, store.Database{Name: fmt.Sprintf("new %d", n), Engine: "sqlite"})
		return err
	}
	remove := func(int) error { return s.DeleteDatabase(b.ctx, who, made.ID) }
	var group store.GroupRow
	found := syncedTables()
	return []operation{
		{"make a group", nothing, func(n int) (err error) {
			group, err = s.CreateGroup(b.ctx, who, store.NewGroup{Name: fmt.Sprintf("new %d", n)})
			return err
		}, func(int) error { return s.DeleteGroup(b.ctx, who, group.ID) }},
		{"make a database", nothing, create, remove},
		{"sync 20 tables into a new database", create, func(int) error {
			_, err := s.ApplySync(b.ctx, who, made.ID, found)
			return err
		}, remove},
		{"add a member", nothing,
			func(int) error { return s.AddMember(b.ctx, who, newcomer(s.Graph(), 0), firstGroup) },
			func(int) error { return s.RemoveMemberOf(b.ctx, who, newcomer(s.Graph(), 1), firstGroup) }},
		{"change one cell", nothing, func(n int) error {
			// Full and limited in turn: a cell that is there is changed.
			_, err := s.Change(b.ctx, who, changeCell(permission.Limited+permission.Level(n%2)))
			return err
		}, nothing},
	}
}

// syncedTables are what a sync finds in a database of the usual size.
func syncedTables() []store.SyncedTable {
	var found []store.SyncedTable
	for i := range 20 {
		t := store.SyncedTable{Schema: fmt.Sprintf("schema%d", 1+i%2), Name: tableName(catalog.TableID(i))}
		for f := range 4 {
			t.Fields = append(t.Fields, store.SyncedField{Name: fmt.Sprintf("column%d", f), DatabaseType: "TEXT", BaseType: "type/Text"})
		}
		found = append(found, t)
	}
	return found
}

// newcomer is the one who joins the first group: the first person of the world
// who was not in it from the beginning. has is 1 once that person is.
func newcomer(g *permission.Graph, has int) permission.UserID {
	for id := permission.UserID(firstUser + 1); ; id++ {
		// All Users, three groups, and the first group as a fourth.
		if len(g.GroupsOf(id)) == 4+has && g.IsMember(id, firstGroup) == (has == 1) {
			return id
		}
	}
}

// changeCell writes the download level of the first group on a table of the
// first of its databases.
func changeCell(l permission.Level) func(*permission.Graph) ([]permission.Change, store.Bump, error) {
	return func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		for db := range g.Entries(firstGroup) {
			for t := range g.Catalog().Tables(db) {
				d := g.Draft()
				if err := d.Set(firstGroup, db, permission.Download, permission.OneTable(t.ID), l); err != nil {
					return nil, store.Bump{}, err
				}
				changes, _ := d.Changes()
				return changes, store.Bump{Data: true}, nil
			}
		}
		return nil, store.Bump{}, fmt.Errorf("something for group %d: %w", firstGroup, errMissing)
	}
}

// change measures the changes in a large store and in a little one.
func (b *bench) change() error {
	scales := [2]scale{pick(b.quick, medium(), large()), little()}
	var stores [2]*server
	for i, sc := range scales {
		s, err := b.open(newWorld(sc))
		if err != nil {
			return err
		}
		defer s.Close()
		stores[i] = s
	}
	b.tell("opening the store, with all its checks", "%s at %s, %s at %s", short(stores[0].opened), scales[0], short(stores[1].opened), scales[1])
	in, base := b.operations(stores[0].store), b.operations(stores[1].store)
	for i := range in {
		if err := b.operation(stores, [2]operation{in[i], base[i]}); err != nil {
			return fmt.Errorf("%s: %w", in[i].name, err)
		}
	}
	return b.dense()
}

// cost is what a change has cost.
type cost struct {
	took, worked time.Duration // worked: time of processors
	statements   int64
}

// measured makes the change once.
func (o operation) measured(s *store.Store, n int) (c cost, err error) {
	if err := o.prepare(n); err != nil {
		return c, err
	}
	ran, worked, begun := s.Statements(), byProcessor(), time.Now()
	err = o.do(n)
	c = cost{time.Since(begun), byProcessor() - worked, s.Statements() - ran}
	if err != nil {
		return c, err
	}
	return c, o.undo(n)
}

// operation measures one change, in both stores in turn.
func (b *bench) operation(stores [2]*server, ops [2]operation) error {
	times := pick(b.quick, 4, 20)
	name := ops[0].name
	for i, o := range ops { // the first write of a store trims its history
		if _, err := o.measured(stores[i].store, 0); err != nil {
			return err
		}
	}
	var runs, works []versus
	var statements, rows [2][]int64
	n := 0
	for range b.runs() {
		runtime.GC()
		var took [2][]time.Duration
		var worked [2]time.Duration
		for range times {
			n++
			for i, o := range ops {
				c, err := o.measured(stores[i].store, n)
				if err != nil {
					return err
				}
				took[i] = append(took[i], c.took)
				worked[i] += c.worked
				statements[i] = append(statements[i], c.statements)
			}
		}
		runs = append(runs, versus{median(took[0]), median(took[1])})
		works = append(works, versus{worked[0] / time.Duration(times), worked[1] / time.Duration(times)})
	}
	b.atMost(name, 2, runs)
	b.atMost(name+": processor time alone", 2, works)
	for i, o := range ops {
		written, err := b.rowsWritten(stores[i].path, o, n+1)
		if err != nil {
			return err
		}
		rows[i] = []int64{written}
	}
	b.constant(name+": statements", statements)
	b.constant(name+": rows written", rows)
	return nil
}

// constant demands that the counts are all the same.
func (b *bench) constant(what string, counts [2][]int64) {
	all := slices.Concat(counts[0], counts[1])
	b.demand(what, "constant", slices.Min(all) == slices.Max(all), "%d, at the little size %d", slices.Max(counts[0]), slices.Max(counts[1]))
}
