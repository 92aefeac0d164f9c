package main

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// engine is another way to answer the same questions, as somebody would set it
// up who knows it well. What groups have is given to all of them in the form
// of plain, since none can say "everything but these two tables" of one group
// while another group gives it.
type engine struct {
	name  string // and how it is set up
	allow func(asked) (bool, error)
	close func() error
}

// plain is what groups have, rewritten so that each line only adds: a line
// lets a group ask questions of one table, of all tables of a schema, or of
// all of a database.
type plain struct {
	group    int // its index
	database int // its index
	schema   string
	table    catalog.TableID
}

// object is what a line is about: "t5", "s3.schema1" or "d3".
func (p plain) object() string {
	switch {
	case p.table != 0:
		return tableObject(p.table)
	case p.schema != "":
		return schemaObject(p.database, p.schema)
	}
	return databaseObject(p.database)
}

func tableObject(t catalog.TableID) string            { return fmt.Sprintf("t%d", t) }
func schemaObject(database int, schema string) string { return fmt.Sprintf("s%d.%s", database, schema) }
func databaseObject(database int) string              { return fmt.Sprintf("d%d", database) }
func groupSubject(g int) string                       { return fmt.Sprintf("g%d", g) }
func personSubject(u int32) string                    { return fmt.Sprintf("u%d", u) }

// plain rewrites what all groups have.
func (w *world) plain() []plain {
	var lines []plain
	for g := range w.groups {
		for i := range w.groups[g].entries {
			lines = append(lines, w.plainly(g, &w.groups[g].entries[i])...)
		}
	}
	return lines
}

func (w *world) plainly(g int, e *entry) []plain {
	var schemas []plain
	whole := true
	for _, s := range w.databases[e.database].schemas {
		var tables []plain
		for _, t := range s.tables {
			if e.asks(t, s.name) {
				tables = append(tables, plain{g, e.database, s.name, t})
			}
		}
		if len(tables) == len(s.tables) {
			schemas = append(schemas, plain{group: g, database: e.database, schema: s.name})
		} else {
			whole = false
			schemas = append(schemas, tables...)
		}
	}
	if whole {
		return []plain{{group: g, database: e.database}}
	}
	return schemas
}

// others puts the questions to other engines in the same run, sees that they
// answer alike, and tells how long they take for it.
func (b *bench) others(w *world, g *permission.Graph, asks []asked) error {
	lines := w.plain()
	entries := 0
	for _, gr := range w.groups {
		for _, e := range gr.entries {
			entries += len(e.cells)
		}
	}
	b.tell("for engines that only add", "%d written levels become %d lines", entries, len(lines))
	for _, o := range []struct {
		make func(*world, []plain) (engine, error)
		asks int // some are so slow that they are asked fewer
	}{{newCedar, 20_000}, {b.newSQLite, 20_000}, {b.newPostgres, 5_000}, {newCasbin, 2_000}} {
		begun := time.Now()
		e, err := o.make(w, lines)
		if err != nil {
			return err
		}
		if e.allow == nil {
			b.tell(e.name, "not measured: it is not installed")
			continue
		}
		b.progress("%s: ready after %s", e.name, short(time.Since(begun)))
		err = b.compare(e, g, asks[:min(len(asks), pick(b.quick, 300, o.asks))])
		if err == nil {
			err = e.close()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return nil
}

// compare asks an engine and the graph the same questions in turn.
func (b *bench) compare(e engine, g *permission.Graph, asks []asked) error {
	differ := 0
	for _, a := range asks {
		yes, err := e.allow(a)
		if err != nil {
			return err
		}
		if yes != may(g, a) {
			differ++
		}
	}
	yes := pass(g, asks)
	var runs []versus
	for range b.runs() {
		v, err := interleaved(byWall, 3, func() error {
			for _, a := range asks {
				if _, err := e.allow(a); err != nil {
					return err
				}
			}
			return nil
		}, func() error {
			if pass(g, asks) != yes {
				return fmt.Errorf("the graph changed its mind")
			}
			return nil
		})
		if err != nil {
			return err
		}
		runs = append(runs, v)
	}
	v := best(runs)
	b.demand(e.name, "the same answers", differ == 0, "%d of %d differ; %s a check, %.0f times Sluice's %s",
		differ, len(asks), shortly(v.is, len(asks)), v.ratio(), shortly(v.baseline, len(asks)))
	return nil
}

// version is that of a module this program is made with.
func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == module {
			return m.Version
		}
	}
	return "of an unknown version"
}
