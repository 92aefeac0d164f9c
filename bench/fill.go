package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// filled is the revision of both graphs in a store that was filled.
const filled = 10_000

// apiKey is an administrator's key on every store that is filled.
const apiKey = "mb_a_key_that_is_only_good_for_measuring"

func digest(token string) []byte {
	d := sha256.Sum256([]byte(token))
	return d[:]
}

// storeKey seals connection details in all stores here.
func storeKey() []byte { return []byte("a key that is good for measuring")[:32] }

// batch is rows of one of the store's tables.
type batch struct {
	table   string
	columns []string
	rows    iter.Seq[[]any]
}

// filledStore is the configuration of a SQLite store with the world in it, in
// a file of its own. The same world is filled once for all promises of a run.
func (b *bench) filledStore(w *world) (store.Config, error) {
	made := filepath.Join(b.dir, fmt.Sprintf("world-%s-%d-%d-%d.db", strings.ReplaceAll(w.String(), " ", ""), len(w.tables), len(w.groups), w.collections))
	if _, err := os.Stat(made); errors.Is(err, os.ErrNotExist) {
		begun := time.Now()
		c := store.Config{Path: made + ".new", Key: storeKey()}
		if err := fill(b.ctx, c, w); err != nil {
			return store.Config{}, err
		}
		if err := os.Rename(made+".new", made); err != nil {
			return store.Config{}, err
		}
		b.progress("filled a store of %s in %s", w, short(time.Since(begun)))
	}
	f, err := os.CreateTemp(b.own, "sluice-*.db")
	if err != nil {
		return store.Config{}, err
	}
	from, err := os.Open(made)
	if err != nil {
		return store.Config{}, err
	}
	defer from.Close()
	if _, err := io.Copy(f, from); err != nil {
		return store.Config{}, err
	}
	return store.Config{Path: f.Name(), Key: storeKey()}, f.Close()
}

// fill makes a store and puts the world into it: the administrator, the key
// and the databases by the store's own ways, the rest as rows. Opening the
// store afterwards checks that they are whole.
func fill(ctx context.Context, c store.Config, w *world) error {
	s, err := store.Open(ctx, c)
	if err != nil {
		return err
	}
	err = begin(ctx, s, w)
	if err = errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("begin a store: %w", err)
	}
	if c.URL != "" {
		return fillPostgres(ctx, c.URL, w)
	}
	return fillSQLite(ctx, c.Path, w)
}

func begin(ctx context.Context, s *store.Store, w *world) error {
	if _, err := s.SetUpUnattended(ctx, store.NewUser{Email: "admin@example.com"}); err != nil {
		return err
	}
	_, err := s.CreateAPIKey(ctx, store.Actor{}, store.NewAPIKey{Name: "bench", Group: permission.Administrators, Digest: digest(apiKey), Mask: "mb_a"})
	if err != nil {
		return err
	}
	for _, d := range w.databases {
		made, err := s.CreateDatabase(ctx, store.Actor{}, store.Database{Name: databaseName(d.id), Engine: "sqlite", Details: json.RawMessage(`{"db":"none"}`)})
		if err != nil {
			return err
		}
		if made.ID != d.id {
			return fmt.Errorf("database %d became %d", d.id, made.ID)
		}
	}
	return nil
}

const someTime = "2026-01-01T00:00:00.000000Z"

// ended are the statements after the rows: no id is given out twice, and the
// history ends with the head.
func (w *world) ended() []string {
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	list := []string{
		fmt.Sprintf(`insert into revisions (id, data, collection, at, reason, request, catalog, note, widens, changes)
			select revision + 1, %d, %d, '%s', '', '', true, 'filled', true, '[]' from head`, filled, filled, now),
		fmt.Sprintf("update head set revision = revision + 1, data = %d, collection = %d", filled, filled),
	}
	for kind, last := range map[string]int{
		"group": firstGroup + len(w.groups), "user": firstUser + len(w.users), "collection": firstCollection + w.collections + len(w.users),
		"table": firstTable + len(w.tables), "field": len(w.tables)*w.fields + 1, "sandbox": len(w.policies()),
	} {
		list = append(list, fmt.Sprintf("update ids set last = %d where kind = '%s'", last, kind))
	}
	return list
}

// batches are the rows of the world, in an order that keeps references whole.
func (w *world) batches() []batch {
	each := func(n int, row func(int) []any) iter.Seq[[]any] {
		return func(yield func([]any) bool) {
			for i := range n {
				if !yield(row(i)) {
					return
				}
			}
		}
	}
	list := []batch{
		{"groups", []string{"id", "name", "name_fold", "internal", "since", "entity_id", "created_at"}, each(len(w.groups)-1, func(i int) []any {
			id := w.groups[i+1].id
			return []any{int64(id), groupName(id), strings.ToLower(groupName(id)), false, int64(1), fmt.Sprintf("group-%015d", id), someTime}
		})},
		{"users", []string{"id", "type", "email", "email_fold", "first_name", "first_fold", "last_name", "last_fold", "active", "login_attributes", "qbnewb", "date_joined", "updated_at"},
			each(len(w.users), func(i int) []any {
				at := address(w.users[i].id)
				return []any{int64(w.users[i].id), "personal", at, at, "", "", "", "", true, `{"org":"7"}`, true, someTime, someTime}
			})},
		{"memberships", []string{"user_id", "group_id"}, func(yield func([]any) bool) {
			for _, u := range w.users {
				for _, g := range u.groups {
					if !yield([]any{int64(u.id), int64(w.groups[g].id)}) {
						return
					}
				}
			}
		}},
		{"tables", []string{"id", "database_id", "schema_name", "name", "display_name", "description", "entity_type", "since_revision", "until_revision", "created_at", "updated_at"},
			each(len(w.tables), func(i int) []any {
				t, id := w.tables[i], catalog.TableID(firstTable+i)
				return []any{int64(id), int64(w.databases[t.database].id), t.schema, tableName(id), "Orders", "", "entity/TransactionTable", int64(1), int64(0), someTime, someTime}
			})},
		{"fields", []string{"id", "table_id", "name", "display_name", "description", "database_type", "base_type", "semantic_type", "target_id", "position", "active", "visibility_type", "created_at", "updated_at"},
			each(len(w.tables)*w.fields, func(i int) []any {
				n := i % w.fields
				name := fmt.Sprintf("column%d", n)
				return []any{int64(i + 1), int64(firstTable + i/w.fields), name, name, "", "TEXT", "type/Text", "", int64(0), int64(n), true, "normal", someTime, someTime}
			})},
		{"data_grants", []string{"group_id", "database_id", "kind", "depth", "schema_name", "table_id", "level", "wide", "revision"}, w.grants},
		{"sandboxes", []string{"id", "group_id", "table_id", "policy", "revision"}, func(yield func([]any) bool) {
			for i, p := range w.policies() {
				policy := fmt.Sprintf(`{"where":[{"field":%d,"attribute":"org"}]}`, w.field(p.table))
				if !yield([]any{int64(i + 1), int64(p.group), int64(p.table), policy, int64(filled)}) {
					return
				}
			}
		}},
		{"table_marks", []string{"table_id", "governed", "shared"}, func(yield func([]any) bool) {
			seen := map[catalog.TableID]bool{}
			for _, p := range w.policies() {
				if !seen[p.table] && !yield([]any{int64(p.table), true, false}) {
					return
				}
				seen[p.table] = true
			}
		}},
	}
	return append(list, w.folders(each)...)
}

func (w *world) grants(yield func([]any) bool) {
	depths := [...]string{"database", "schema", "table"}
	for _, g := range w.groups {
		for _, e := range g.entries {
			for _, c := range e.cells {
				if !yield([]any{int64(g.id), int64(w.databases[e.database].id), c.kind.String(), depths[c.scope.Depth], c.scope.Schema, int64(c.scope.Table),
					c.kind.Word(c.level), c.wide, int64(filled)}) {
					return
				}
			}
		}
	}
}

type policy struct {
	group permission.GroupID
	table catalog.TableID
}

func (w *world) policies() []policy {
	var list []policy
	for _, g := range w.groups {
		for _, e := range g.entries {
			for _, t := range e.policies {
				list = append(list, policy{g.id, t})
			}
		}
	}
	return list
}

// folders are the collections: common ones, then people's own.
func (w *world) folders(each func(int, func(int) []any) iter.Seq[[]any]) []batch {
	homes := 0
	if w.homes {
		homes = len(w.users)
	}
	return []batch{
		{"collections", []string{"id", "name", "name_fold", "slug", "location", "owner_id", "archived", "archived_directly", "entity_id", "created_at"},
			each(w.collections+homes, func(i int) []any {
				id := firstCollection + i
				name := fmt.Sprintf("collection %d", id)
				var owner any
				if i >= w.collections {
					owner = int64(w.users[i-w.collections].id)
				}
				return []any{int64(id), name, name, name, "/", owner, false, false, fmt.Sprintf("folder-%014d", id), someTime}
			})},
		{"collection_grants", []string{"group_id", "collection_id", "level", "revision"}, func(yield func([]any) bool) {
			for _, g := range w.groups {
				for c, l := range g.levels {
					if !yield([]any{int64(g.id), int64(c), permission.Collection.Word(l), int64(filled)}) {
						return
					}
				}
			}
		}},
	}
}

// openFile opens a store's file beside the store.
func openFile(path string, pragmas ...string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": append(pragmas, "busy_timeout(10000)")}.Encode()}).String())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

func fillSQLite(ctx context.Context, path string, w *world) (err error) {
	db, err := openFile(path, "synchronous(off)", "foreign_keys(0)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, b := range w.batches() {
		if err := insert(ctx, tx, b); err != nil {
			return fmt.Errorf("fill %s: %w", b.table, err)
		}
	}
	for _, statement := range w.ended() {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	// No "analyze": the server never asks for it either.
	_, err = db.ExecContext(ctx, "pragma wal_checkpoint(truncate)")
	return err
}

// insert inserts rows, many with each statement.
func insert(ctx context.Context, tx *sql.Tx, b batch) error {
	n := 200 / len(b.columns)
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", len(b.columns)), ",") + ")"
	into := func(rows int) string {
		return "insert into " + b.table + " (" + strings.Join(b.columns, ",") + ") values " + strings.TrimSuffix(strings.Repeat(one+",", rows), ",")
	}
	many, err := tx.PrepareContext(ctx, into(n))
	if err != nil {
		return err
	}
	defer many.Close()
	var args []any
	for row := range b.rows {
		if args = append(args, row...); len(args) == n*len(b.columns) {
			if _, err := many.ExecContext(ctx, args...); err != nil {
				return err
			}
			args = args[:0]
		}
	}
	if len(args) == 0 {
		return nil
	}
	_, err = tx.ExecContext(ctx, into(len(args)/len(b.columns)), args...)
	return err
}

func fillPostgres(ctx context.Context, address string, w *world) error {
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	tx, err := c.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	for _, b := range w.batches() {
		if err := copyRows(ctx, tx, b); err != nil {
			return fmt.Errorf("fill %s: %w", b.table, err)
		}
	}
	for _, statement := range w.ended() {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	_, err = c.Exec(ctx, "analyze")
	return err
}

// copyRows copies rows into a table of PostgreSQL.
func copyRows(ctx context.Context, c interface {
	CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error)
}, b batch) error {
	next, stop := iter.Pull(b.rows)
	defer stop()
	_, err := c.CopyFrom(ctx, pgx.Identifier{b.table}, b.columns, pgx.CopyFromFunc(func() ([]any, error) {
		row, _ := next()
		return row, nil
	}))
	return err
}
