package main

import (
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// sqlSchema is the layout for the question below: each table knows its three
// places, each place the groups that may ask.
var sqlSchema = []string{
	"create table tbl (id integer primary key, schema_place integer not null, database_place integer not null)",
	"create table member (person integer not null, grp integer not null, primary key (person, grp))",
	"create table line (grp integer not null, place integer not null, primary key (grp, place))",
}

// sqlQuestion is one check, prepared once.
const sqlQuestion = `select exists (select 1 from tbl t join member m on m.person = $1 join line l on l.grp = m.grp
	and l.place in (t.id, t.schema_place, t.database_place) where t.id = $2)`

// places number tables by their id, and schemas and databases beyond.
func (w *world) places() map[string]int64 {
	n := map[string]int64{}
	next := int64(firstTable + len(w.tables))
	for i, d := range w.databases {
		n[databaseObject(i)] = next
		next++
		for _, s := range d.schemas {
			n[schemaObject(i, s.name)] = next
			next++
			for _, t := range s.tables {
				n[tableObject(t)] = int64(t)
			}
		}
	}
	return n
}

func (w *world) sqlRows(lines []plain) []batch {
	places := w.places()
	return []batch{
		{"tbl", []string{"id", "schema_place", "database_place"}, func(yield func([]any) bool) {
			for i, t := range w.tables {
				if !yield([]any{int64(firstTable + i), places[schemaObject(t.database, t.schema)], places[databaseObject(t.database)]}) {
					return
				}
			}
		}},
		{"member", []string{"person", "grp"}, func(yield func([]any) bool) {
			for u := range w.users {
				for _, g := range w.users[u].groups {
					if !yield([]any{int64(u), int64(g)}) {
						return
					}
				}
			}
		}},
		{"line", []string{"grp", "place"}, func(yield func([]any) bool) {
			for _, l := range lines {
				if !yield([]any{int64(l.group), places[l.object()]}) {
					return
				}
			}
		}},
	}
}

func idOf(table int32) catalog.TableID { return catalog.TableID(table) + firstTable }

func (b *bench) newSQLite(w *world, lines []plain) (engine, error) {
	db, err := openFile(filepath.Join(b.own, "lines.db"), "journal_mode(WAL)", "synchronous(normal)", "mmap_size(268435456)")
	if err != nil {
		return engine{}, err
	}
	tx, err := db.BeginTx(b.ctx, nil)
	if err != nil {
		return engine{}, err
	}
	defer tx.Rollback()
	for _, s := range sqlSchema {
		if _, err := tx.ExecContext(b.ctx, s+" without rowid"); err != nil {
			return engine{}, err
		}
	}
	for _, rows := range w.sqlRows(lines) {
		if err := insert(b.ctx, tx, rows); err != nil {
			return engine{}, err
		}
	}
	if err := tx.Commit(); err != nil {
		return engine{}, err
	}
	if _, err := db.ExecContext(b.ctx, "analyze"); err != nil {
		return engine{}, err
	}
	question, err := db.PrepareContext(b.ctx, sqlQuestion)
	if err != nil {
		return engine{}, err
	}
	return engine{
		name: "SQL on SQLite (modernc.org/sqlite " + version("modernc.org/sqlite") + "), one prepared query a check",
		allow: func(a asked) (yes bool, err error) {
			err = question.QueryRowContext(b.ctx, int64(a.user), int64(idOf(a.table))).Scan(&yes)
			return yes, err
		},
		close: func() error {
			if err := question.Close(); err != nil {
				return err
			}
			return db.Close()
		},
	}, nil
}

func (b *bench) newPostgres(w *world, lines []plain) (engine, error) {
	e := engine{name: "SQL on PostgreSQL (pgx " + version("github.com/jackc/pgx/v5") + "), one prepared query a check"}
	if b.postgres == "" {
		return e, nil
	}
	address, err := b.newDatabase("bench_check")
	if err != nil {
		return e, err
	}
	c, err := pgx.Connect(b.ctx, address)
	if err != nil {
		return e, err
	}
	for _, s := range sqlSchema {
		if _, err := c.Exec(b.ctx, s); err != nil {
			return e, err
		}
	}
	for _, rows := range w.sqlRows(lines) {
		if err := copyRows(b.ctx, c, rows); err != nil {
			return e, err
		}
	}
	if _, err := c.Exec(b.ctx, "analyze"); err != nil {
		return e, err
	}
	if _, err := c.Prepare(b.ctx, "question", sqlQuestion); err != nil {
		return e, err
	}
	e.allow = func(a asked) (yes bool, err error) {
		err = c.QueryRow(b.ctx, "question", int64(a.user), int64(idOf(a.table))).Scan(&yes)
		return yes, err
	}
	e.close = func() error {
		if err := c.Close(b.ctx); err != nil {
			return err
		}
		return b.dropDatabase("bench_check")
	}
	return e, nil
}
