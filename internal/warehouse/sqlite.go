package warehouse

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"modernc.org/libc"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteFile is a warehouse that is a file of this server.
type sqliteFile struct {
	file  string
	log   *slog.Logger
	count *counter
}

// sqliteDetails reads the details of a SQLite database: the path of the file.
func sqliteDetails(o *options, log *slog.Logger) (source, *Error) {
	file := o.text("db")
	o.unused("advanced-options", "let-user-control-scheduling")
	if !filepath.IsAbs(file) {
		o.wrong("db", "%q is not the absolute path of a file", file)
	}
	if err := o.done(); err != nil {
		return nil, err
	}
	return &sqliteFile{filepath.Clean(file), log, new(counter)}, nil
}

func (f *sqliteFile) open(context.Context) (session, error) {
	c, err := openSQLite(f.file, f.log)
	if err != nil {
		return nil, err
	}
	c.count = f.count
	if _, err := c.learn(context.Background()); err != nil { // for which the engine must read the file
		c.close()
		return nil, err
	}
	return c, nil
}

// probe tells in plain words why a file cannot be a warehouse, before the
// engine says it in its own.
func probe(file string) (os.FileInfo, error) {
	unusable := func(cause error, format string, args ...any) (os.FileInfo, error) {
		return nil, detailError("db", cause, format, args...)
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
	file   string
	raw    driver.Conn
	handle uintptr     // the engine's sqlite3*
	opened os.FileInfo // the file as it was then
	log    *slog.Logger
	count  *counter // may be nil
	guard  guard
	home   string  // the schema that the file is in
	wiring *wiring // nil when it is closed
	schema *schema // what learn found last
	person *person // whose SQL alone it runs; nil for a connection that is shared
	busy   bool    // a statement runs
	begun  bool    // a read transaction is open
	broken bool    // it was interrupted or failed: not to be used again
}

// keyedHash is the function by which policies show values hashed; null stays
// null.
func keyedHash(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	if args[0] == nil || args[1] == nil {
		return nil, nil
	}
	sum := sha256.Sum256(fmt.Append(nil, text(args[0]), text(args[1])))
	return hex.EncodeToString(sum[:16]), nil
}

func text(v driver.Value) string {
	if b, is := v.([]byte); is {
		return string(b)
	}
	return fmt.Sprint(v)
}

// openSQLite opens the file read-only. Nothing can be run on the connection
// before a policy is bound.
func openSQLite(file string, log *slog.Logger) (*sqliteConn, error) {
	opened, err := probe(file)
	if err != nil {
		return nil, err
	}
	c := &sqliteConn{file: file, opened: opened, log: log, home: "main"}
	name := url.URL{Scheme: "file", OmitHost: true, Path: file, RawQuery: "mode=ro&_query_only=1&" + settings}
	if err := c.connect(name.String(), false); err != nil {
		return nil, err
	}
	c.limit()
	return c, nil
}

// settings are those of every connection, as the driver reads them.
var settings = url.Values{"_defensive": {"1"}, "_dqs": {"0"}, "_busy_timeout": {"5000"},
	"_pragma": {"trusted_schema(0)", "cell_size_check(1)"}}.Encode()

// connect opens the engine under a name, for one person or for all.
func (c *sqliteConn) connect(name string, governed bool) error {
	w, err := wire(governed)
	if err != nil {
		return err
	}
	w.guard = &c.guard
	raw, err := w.driver.Open(name)
	if err != nil {
		w.unwire()
		return detailError("db", err, "%s cannot be opened as an SQLite database", c.file)
	}
	c.raw, c.wiring = raw, w
	if c.handle = handleOf(raw); c.handle == 0 {
		c.close()
		return errors.New("warehouse: the SQLite driver hides its handle: statements could not be interrupted")
	}
	return nil
}

// limit puts the limits in force.
func (c *sqliteConn) limit() {
	tls := libc.NewTLS()
	defer tls.Close()
	for _, l := range limits {
		sqlite3.Xsqlite3_limit(tls, c.handle, l.id, l.to)
	}
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

// alive tells whether the file is still the one that the connection has open:
// another may have been put in its place.
func (c *sqliteConn) alive(context.Context, time.Duration) bool {
	now, err := os.Stat(c.file)
	return err == nil && os.SameFile(now, c.opened)
}

func (c *sqliteConn) spent() bool { return c.broken }

// run runs a task inside a read transaction, so that what is known of the
// schema holds until the last row.
func (c *sqliteConn) run(ctx context.Context, t task) (_ *Rows, err error) {
	if c.busy || c.broken {
		return nil, errors.New("warehouse: the connection is in use")
	}
	if t.role != "" {
		return nil, errors.New("warehouse: SQLite has no roles")
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
	if t.native {
		return c.govern(ctx, t, args)
	}
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.rollback()
		}
	}()
	p := policy{home: c.home, tables: t.tables}
	if p.schema, err = c.learn(ctx); err != nil {
		return nil, err
	}
	if p.through, err = c.viewsOf(t.tables); err != nil {
		return nil, err
	}
	return c.start(ctx, t.sql, args, p, func() {})
}

// start runs a statement under a policy. What is done is called when its rows
// have ended.
func (c *sqliteConn) start(ctx context.Context, sql string, args []driver.NamedValue, p policy, done func()) (*Rows, error) {
	unbind, unwatch := c.guard.bind(p), c.watch(ctx)
	raw, err := c.query(ctx, sql, args)
	if err != nil {
		err = c.judge(ctx, err)
		unwatch()
		unbind()
		return nil, err
	}
	c.busy = true
	rows := &sqliteRows{conn: c, ctx: ctx, raw: raw, unbind: unbind, unwatch: unwatch, done: done}
	width := rows.prepare()
	return startRows(ctx, rows, width, rows.describe)
}

// query sends a statement to the engine.
func (c *sqliteConn) query(ctx context.Context, sql string, args []driver.NamedValue) (driver.Rows, error) {
	if c.count != nil {
		c.count.Add(1)
	}
	return c.raw.(driver.QueryerContext).QueryContext(ctx, sql, args)
}

// judge turns the engine's error into one of ours.
func (c *sqliteConn) judge(ctx context.Context, err error) *Error {
	e := c.verdict(ctx, err)
	if c.person != nil && ctx.Err() == nil {
		return c.person.told(c, e)
	}
	return e
}

func (c *sqliteConn) verdict(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		c.broken = true
		return ended(ctx, err)
	}
	if c.guard.denied != "" {
		return failed(Denied, c.guard.denied, err)
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		c.broken = true
		return failed(Failed, "the driver failed", err)
	}
	words := strings.TrimPrefix(e.Error(), "SQL logic error: ")
	if i := strings.LastIndex(words, " ("); i > 0 {
		words = words[:i]
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_AUTH:
		return failed(Denied, words, err)
	case sqlite3.SQLITE_ERROR:
		if strings.HasPrefix(words, "no such table") {
			return failed(Denied, words, err)
		}
		return failed(Invalid, words, err)
	case sqlite3.SQLITE_RANGE, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
		return failed(Invalid, words, err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR:
		c.broken = true
		return failed(Unusable, words, err)
	}
	return failed(Failed, words, err)
}

func (c *sqliteConn) close() {
	if c.raw == nil {
		return
	}
	if err := c.raw.Close(); err != nil {
		c.log.Warn("closing a connection", "error", err)
	} else { // else the engine may still call back
		c.wiring.unwire()
	}
	c.raw, c.wiring = nil, nil
}
