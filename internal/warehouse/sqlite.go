package warehouse

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/query"
	"modernc.org/libc"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// parseDetails reads what an administrator wrote about a connection. The
// details are typed: there is no place for a connection string, and an option
// that is not known is refused.
func parseDetails(engine string, details json.RawMessage) (file string, err error) {
	if engine != "sqlite" {
		return "", &Error{Kind: Unusable, Message: fmt.Sprintf("the engine %q is not supported; the one that is: sqlite", engine)}
	}
	var d map[string]string // not a struct, for which "DB" would be "db"
	err = json.Unmarshal(details, &d)
	file, given := d["db"]
	if err != nil || len(d) > 1 || len(d) == 1 && !given {
		return "", &Error{Unusable, `the details of a sqlite database are {"db": "/path/of/the/file"} and nothing else`, err}
	}
	if !filepath.IsAbs(file) || strings.ContainsRune(file, 0) {
		return "", &Error{Kind: Unusable, Message: fmt.Sprintf("details.db: %q is not the absolute path of a file", file)}
	}
	return filepath.Clean(file), nil
}

// probe tells in plain words why a file cannot be a warehouse, before the
// engine says it in its own.
func probe(file string) (os.FileInfo, error) {
	unusable := func(cause error, format string, args ...any) (os.FileInfo, error) {
		return nil, &Error{Unusable, "details.db: " + fmt.Sprintf(format, args...), cause}
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return unusable(err, "there is no file %s", file)
	case err != nil:
		return unusable(err, "the file %s cannot be looked at", file)
	case !info.Mode().IsRegular():
		return unusable(nil, "%s is not a file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return unusable(err, "the server may not read the file %s", file)
	}
	defer f.Close()
	head := make([]byte, 72) // the file's name and, at its end, its application
	n, err := io.ReadFull(f, head)
	switch {
	case n > 0 && !bytes.HasPrefix(head[:n], []byte("SQLite format 3\x00")):
		return unusable(nil, "%s is not an SQLite database, or it is encrypted", file)
	case err == nil && binary.BigEndian.Uint32(head[68:]) == catalog.OwnFile:
		return unusable(nil, "%s is Sluice's own application database; it cannot be a warehouse", file)
	}
	return info, nil
}

// limits of the engine: what one person can make it do.
var limits = [...]struct{ id, to int32 }{
	{sqlite3.SQLITE_LIMIT_LENGTH, 32 << 20},    // bytes of a value or row
	{sqlite3.SQLITE_LIMIT_SQL_LENGTH, 1 << 20}, // bytes of a statement
	{sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 400},
	{sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 200},
	{sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
	{sqlite3.SQLITE_LIMIT_ATTACHED, 0},
	{sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0},
}

// sqliteConn is one connection to an SQLite file. One goroutine uses it at a
// time.
type sqliteConn struct {
	raw    driver.Conn
	handle uintptr     // the engine's sqlite3*
	opened os.FileInfo // the file as it was then
	log    *slog.Logger
	guard  guard
	schema *schema // what learn found last
	rows   *Rows   // of the statement that runs
	begun  bool    // a read transaction is open
	spent  bool    // it was interrupted or failed: not to be used again
}

// openSQLite opens the file read-only. Nothing can be run on the connection
// before a policy is bound.
func openSQLite(file string, log *slog.Logger) (*sqliteConn, error) {
	opened, err := probe(file)
	if err != nil {
		return nil, err
	}
	name := url.URL{Scheme: "file", OmitHost: true, Path: file, RawQuery: url.Values{
		"mode": {"ro"}, "_query_only": {"1"}, "_defensive": {"1"}, "_dqs": {"0"},
		"_busy_timeout": {"5000"}, "_pragma": {"trusted_schema(0)", "cell_size_check(1)"},
	}.Encode()}
	c := &sqliteConn{opened: opened, log: log}
	var d sqlite.Driver // an own one: the authorizer belongs to these connections only
	d.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, _ string) error {
		r, ok := conn.(sqlite.AuthorizerRegisterer)
		if !ok {
			return errors.New("the driver has no authorizer")
		}
		return r.RegisterAuthorizer(c.guard.authorize)
	})
	raw, err := d.Open(name.String())
	if err != nil {
		return nil, &Error{Unusable, fmt.Sprintf("details.db: %s cannot be opened as an SQLite database", file), err}
	}
	c.raw = raw
	if c.handle = handleOf(raw); c.handle == 0 {
		_ = raw.Close()
		return nil, errors.New("warehouse: the SQLite driver hides its handle: statements could not be interrupted")
	}
	tls := libc.NewTLS()
	defer tls.Close()
	for _, l := range limits {
		sqlite3.Xsqlite3_limit(tls, c.handle, l.id, l.to)
	}
	return c, nil
}

// handleOf is the engine's handle of a driver's connection. The driver stops
// watching a context once the first row is there, so that a statement that
// computes for minutes before its second row could not be ended by it;
// sqlite3_interrupt can, and needs the handle. 0 when the driver has changed.
func handleOf(conn driver.Conn) uintptr {
	v := reflect.ValueOf(conn)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return 0
	}
	if f := v.Elem().FieldByName("db"); f.IsValid() && f.Kind() == reflect.Uintptr {
		return uintptr(f.Uint())
	}
	return 0
}

// watch interrupts the connection when ctx ends. The function it returns stops
// that, and when it has returned no interrupt comes any more.
func (c *sqliteConn) watch(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	off := context.AfterFunc(ctx, func() {
		defer close(done)
		tls := libc.NewTLS() // the connection's own belongs to its goroutine
		defer tls.Close()
		sqlite3.Xsqlite3_interrupt(tls, c.handle)
	})
	return func() {
		if !off() {
			<-done
		}
	}
}

// run runs a person's statement.
func (c *sqliteConn) run(ctx context.Context, s query.Statement) (*Rows, error) {
	t := task{sql: s.SQL(), args: s.Args(), native: s.Native(), tables: map[string]bool{}}
	for _, table := range s.Tables() {
		if table.Schema == "" { // SQLite has no schemas
			t.tables[fold(table.Name)] = true
		}
	}
	return c.perform(ctx, t)
}

// task is a statement and what it may read.
type task struct {
	sql    string
	args   []any
	native bool            // a person wrote the text
	tables map[string]bool // folded
}

// perform runs a task inside a read transaction, so that what is known of the
// schema holds until the last row.
func (c *sqliteConn) perform(ctx context.Context, t task) (_ *Rows, err error) {
	if c.rows != nil || c.spent {
		return nil, errors.New("warehouse: the connection is in use")
	}
	if t.native {
		if err := single(t.sql); err != nil {
			return nil, err
		}
	}
	args := make([]driver.NamedValue, len(t.args))
	for i, a := range t.args {
		v, err := driver.DefaultParameterConverter.ConvertValue(a)
		if err != nil {
			return nil, fmt.Errorf("warehouse: argument %d: %w", i+1, err)
		}
		args[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	if ctx.Err() != nil {
		return nil, ended(ctx, nil)
	}
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.rollback()
		}
	}()
	p := policy{tables: t.tables}
	if p.schema, err = c.learn(ctx); err != nil {
		return nil, err
	}
	if !t.native {
		if p.through, err = c.viewsOf(t.tables); err != nil {
			return nil, err
		}
	}
	unbind, unwatch := c.guard.bind(p), c.watch(ctx)
	raw, err := c.raw.(driver.QueryerContext).QueryContext(ctx, t.sql, args)
	if err != nil {
		err = c.judge(ctx, err)
		unwatch()
		unbind()
		return nil, err
	}
	r := &Rows{ctx: ctx, conn: c, raw: raw}
	c.rows = r
	r.close = func() {
		if err := raw.Close(); err != nil && ctx.Err() == nil {
			c.log.Warn("closing a statement", "error", err)
			c.spent = true
		}
		unwatch()
		unbind()
		c.spent = c.spent || ctx.Err() != nil
		c.rows = nil
		c.rollback()
	}
	r.describe()
	return r, r.err
}

// judge turns the engine's error into one of ours.
func (c *sqliteConn) judge(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		c.spent = true
		return ended(ctx, err)
	}
	if c.guard.denied != "" {
		return &Error{Denied, c.guard.denied, err}
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		c.spent = true
		return &Error{Failed, "the driver failed", err}
	}
	words := strings.TrimPrefix(e.Error(), "SQL logic error: ")
	if i := strings.LastIndex(words, " ("); i > 0 {
		words = words[:i]
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_AUTH:
		return &Error{Denied, words, err}
	case sqlite3.SQLITE_ERROR:
		if strings.HasPrefix(words, "no such table") {
			return &Error{Denied, words, err}
		}
		return &Error{Invalid, words, err}
	case sqlite3.SQLITE_RANGE, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
		return &Error{Invalid, words, err}
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR:
		c.spent = true
		return &Error{Unusable, words, err}
	}
	return &Error{Failed, words, err}
}

// finish ends what is still open on the connection.
func (c *sqliteConn) finish() {
	if c.rows != nil {
		_ = c.rows.Close()
	}
}

func (c *sqliteConn) close() {
	c.finish()
	if err := c.raw.Close(); err != nil {
		c.log.Warn("closing a connection", "error", err)
	}
}
