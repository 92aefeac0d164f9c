package main

import (
	"runtime"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// dense tells what the changes cost in memory where every group has something
// on every database. It is not promised: who joins a group there gains a
// hundred times more than at 15 x 15, and the audit is to know what.
func (b *bench) dense() error {
	var graphs [2]*permission.Graph
	for i, s := range []scale{pick(b.quick, medium(), large()), little()} {
		s.entries, s.everywhere = 0, true
		begun := time.Now()
		g, err := newWorld(s).graph()
		if err != nil {
			return err
		}
		graphs[i] = g
		b.progress("made the dense graph of %s in %s", s, short(time.Since(begun)))
	}
	for _, op := range inMemory {
		var runs []versus
		for range b.runs() {
			runtime.GC()
			v, err := interleaved(byProcessor, 5, func() error { return op.do(graphs[0]) }, func() error { return op.do(graphs[1]) })
			if err != nil {
				return err
			}
			runs = append(runs, v)
		}
		b.tell(op.name+" where every group has something on every database, in memory", "%s", best(runs))
	}
	return nil
}

// inMemory are the changes as a store makes them, without its rows: the graph
// after them, and who gains and who loses.
var inMemory = []struct {
	name string
	do   func(*permission.Graph) error
}{
	{"make a group", func(g *permission.Graph) error {
		return effect(g, permission.SetGroup{To: &permission.Group{ID: 1 << 20, Name: "new"}})
	}},
	{"make a database", func(g *permission.Graph) error {
		permission.EffectOf(g, g.WithCatalog(g.Catalog().WithDatabase(catalog.Database{ID: 1 << 20, Name: "new"})))
		return nil
	}},
	{"add a member", func(g *permission.Graph) error {
		return effect(g, permission.SetMembership{User: newcomer(g, 0), Group: firstGroup, To: true})
	}},
	{"change one cell", func(g *permission.Graph) error {
		changes, _, err := changeCell(permission.Limited)(g)
		if err != nil {
			return err
		}
		return effect(g, changes...)
	}},
}

func effect(g *permission.Graph, changes ...permission.Change) error {
	after, err := g.Apply(changes...)
	if err == nil {
		permission.EffectOf(g, after)
	}
	return err
}
