package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// conn runs statements on one handle or in one transaction. Every statement of
// the store passes it: it counts them, checks and converts the arguments, and
// keeps the drivers' words in.
type conn struct {
	s  *Store
	on handle
}

// handle is a pool of connections, or a transaction.
type handle interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// reader runs single statements that only read.
func (s *Store) reader() conn { return conn{s, s.reads} }

// exec runs a statement and returns how many rows it touched.
func (c conn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	bound, err := c.prepare(args)
	if err != nil {
		return 0, err
	}
	r, err := c.on.ExecContext(ctx, query, bound...)
	if err != nil {
		return 0, c.s.failed(ctx, query, err)
	}
	n, err := r.RowsAffected()
	if err != nil {
		return 0, c.s.failed(ctx, query, err)
	}
	return n, nil
}

// execOne is exec for a statement that must touch exactly one row. Where it
// does not, what is in memory and what is stored disagree.
func (c conn) execOne(ctx context.Context, query string, args ...any) error {
	n, err := c.exec(ctx, query, args...)
	if err == nil && n != 1 {
		err = c.s.failed(ctx, query, fmt.Errorf("%d rows were touched instead of one", n))
	}
	return err
}

func (c conn) prepare(args []any) ([]any, error) {
	if c.s.closed.Load() {
		return nil, ErrClosed
	}
	c.s.statements.Add(1)
	bound := make([]any, len(args))
	for i, a := range args {
		b, err := bind(a)
		if err != nil {
			return nil, err
		}
		bound[i] = b
	}
	return bound, nil
}

// scanner is a row to scan from.
type scanner interface{ Scan(into ...any) error }

// list runs a query and scans every row.
func list[T any](ctx context.Context, c conn, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	bound, err := c.prepare(args)
	if err != nil {
		return nil, err
	}
	read := func() ([]T, error) { return scanAll(ctx, c, scan, query, bound) }
	if c.on == c.s.reads {
		read = func() ([]T, error) { return again(func() ([]T, error) { return scanAll(ctx, c, scan, query, bound) }) }
	}
	all, err := read()
	if err != nil {
		return nil, c.s.failed(ctx, query, err)
	}
	return all, nil
}

func scanAll[T any](ctx context.Context, c conn, scan func(scanner) (T, error), query string, bound []any) ([]T, error) {
	rows, err := c.on.QueryContext(ctx, query, bound...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// again does what changes nothing once more while it gets connections that
// were ended: others end all that a server has when they take it for dead (see
// node.bury), and some of them may lie in the pools when it comes back.
func again[T any](f func() (T, error)) (v T, err error) {
	for range idleReads + 1 {
		if v, err = f(); !hasCode(err, pgEnded) {
			break
		}
	}
	return v, err
}

// one runs a query for one row; ErrNotFound when there is none.
func one[T any](ctx context.Context, c conn, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	all, err := list(ctx, c, scan, query, args...)
	if err != nil || len(all) == 0 {
		var zero T
		if err == nil {
			err = ErrNotFound
		}
		return zero, err
	}
	return all[0], nil
}

// value scans a single column.
func value[T any](row scanner) (v T, err error) { return v, row.Scan(&v) }

// insertMany inserts rows of equal length in as few statements as both engines
// take. into is the statement up to "values".
func insertMany(ctx context.Context, c conn, into string, rows [][]any) error {
	const most = 1000 // arguments; the SQLite driver looks each up among all
	for len(rows) > 0 {
		n := min(len(rows), most/len(rows[0]))
		var args []any
		var b strings.Builder
		b.WriteString(into)
		b.WriteString(" values ")
		for i, row := range rows[:n] {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString("(" + holders(len(args)+1, len(row)) + ")")
			args = append(args, row...)
		}
		if _, err := c.exec(ctx, b.String(), args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// holders is "$from, ..., $from+n-1".
func holders(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", from+i)
	}
	return b.String()
}

// where collects conditions and their arguments.
type where struct {
	conditions []string
	args       []any
}

// and adds a condition in which every ? is one of the values.
func (w *where) and(condition string, values ...any) {
	for _, v := range values {
		w.args = append(w.args, v)
		condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(w.args)), 1)
	}
	w.conditions = append(w.conditions, condition)
}

// in adds that the column is among the values; none of them selects nothing.
func in[T any](w *where, column string, values []T) {
	if len(values) == 0 {
		w.and("false")
		return
	}
	w.conditions = append(w.conditions, column+" in ("+holders(len(w.args)+1, len(values))+")")
	for _, v := range values {
		w.args = append(w.args, v)
	}
}

// String is the where clause, empty without conditions.
func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " where " + strings.Join(w.conditions, " and ")
}

// archived adds the selection by the column that says so.
func (w *where) archived(a Archived, column string) {
	switch a {
	case OnlyArchived:
		w.and(column)
	case WithArchived:
	default:
		w.and("not " + column)
	}
}

// place adds that something lies in a collection; the root is null.
func (w *where) place(column string, id int64) {
	if id == 0 {
		w.and(column + " is null")
		return
	}
	w.and(column+" = ?", id)
}

// chunks splits values so that each part fits into one statement.
func chunks[T any](values []T) [][]T {
	const most = 1000
	var parts [][]T
	for len(values) > most {
		parts = append(parts, values[:most])
		values = values[most:]
	}
	return append(parts, values)
}

// tx runs f in one transaction and commits it when f returns nil. ErrNoLease
// when whoever ctx belongs to may have been allowed it by a graph of the past.
func (s *Store) tx(ctx context.Context, f func(conn) error) error {
	return s.within(ctx, s.writes, nil, func(c conn) error {
		if err := f(c); err != nil {
			return err
		}
		return s.mayWrite(ctx)
	})
}

// view runs f on one unchanging state of the database.
func (s *Store) view(ctx context.Context, f func(conn) error) error {
	return s.within(ctx, s.read, still(), f)
}

// still are the options of a transaction for which the database stands still.
func still() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

func (s *Store) within(ctx context.Context, db *sql.DB, o *sql.TxOptions, f func(conn) error) error {
	if s.closed.Load() {
		return ErrClosed
	}
	tx, err := again(func() (*sql.Tx, error) { return db.BeginTx(ctx, o) })
	if err != nil {
		return s.failed(ctx, "begin", err)
	}
	defer tx.Rollback() // without effect after a commit
	if err := f(conn{s, tx}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return s.failed(ctx, "commit", err)
	}
	return nil
}

// failure is an error of the database. Its text holds nothing of the driver's
// words; those are in the log. What caused it is found with errors.As.
type failure struct{ cause error }

func (f *failure) Error() string { return "the application database failed; the log says why" }

func (f *failure) Unwrap() error { return f.cause }

// failed wraps a driver's error and logs it, unless it is one that callers
// expect: a broken constraint, or that nobody waits for the answer any more.
func (s *Store) failed(ctx context.Context, query string, err error) error {
	switch {
	case s.closed.Load():
		return ErrClosed
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case isUnique(err), isForeign(err):
	default:
		s.log.ErrorContext(ctx, "the application database failed", "statement", query, "error", err)
	}
	return &failure{err}
}

// The codes by which broken constraints and ended connections are told.
const (
	sqliteUnique  = 2067 // SQLITE_CONSTRAINT_UNIQUE
	sqlitePrimary = 1555 // SQLITE_CONSTRAINT_PRIMARYKEY
	sqliteForeign = 787  // SQLITE_CONSTRAINT_FOREIGNKEY
	pgUnique      = "23505"
	pgForeign     = "23503"
	pgEnded       = "57P01" // admin_shutdown
)

// isUnique tells whether a value is there already.
func isUnique(err error) bool {
	return hasCode(err, pgUnique, sqliteUnique, sqlitePrimary)
}

// isForeign tells whether something is not there that is referred to, or is
// still referred to.
func isForeign(err error) bool { return hasCode(err, pgForeign, sqliteForeign) }

func hasCode(err error, pg string, lite ...int) bool {
	var p *pgconn.PgError
	if errors.As(err, &p) {
		return p.Code == pg
	}
	var l *sqlite.Error
	if errors.As(err, &l) {
		for _, code := range lite {
			if l.Code() == code {
				return true
			}
		}
	}
	return false
}
