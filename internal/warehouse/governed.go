package warehouse

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/url"
	"strings"

	"github.com/sluice-bi/sluice/internal/query"
	"modernc.org/sqlite"
)

// SQL that a person typed runs on a connection of its own, which is opened for
// it and closed after it. That connection is to an empty database in memory.
// The file is attached to it under a name that is drawn for the connection, and
// for each table that the statement may read there is a temporary view under
// the table's name, of the rows and columns that the person may see. A name
// without a schema means such a view; the file's schema cannot be named, since
// nobody knows how it is called; and what is reached in another way is refused
// by the guard. Each of these walls holds alone against most of what is tried,
// and both together against all of it that is known.

// view is a table as SQL of a person reads it.
type view struct {
	name    string
	columns map[string]bool // that it shows, folded; nil for all
	reads   map[string]bool // of the table, folded; nil for all
	sql     func(schema, hash string, closed bool) string
}

func (v view) shows(column string) bool { return v.columns == nil || v.columns[fold(column)] }
func (v view) needs(column string) bool { return v.reads == nil || v.reads[fold(column)] }

// viewsOf are the views of a statement.
func viewsOf(s query.Statement) []view {
	var all []view
	for _, v := range s.Views() {
		if v.Name() != "" {
			continue // it stays
		}
		x := view{name: v.Table().Name, sql: v.Select}
		if !v.Whole() {
			x.columns, x.reads = foldedSet(v.Columns()), foldedSet(v.Reads())
		}
		all = append(all, x)
	}
	return all
}

func foldedSet(names []string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[fold(n)] = true
	}
	return m
}

// person is for whom a connection is.
type person struct {
	sql  string // that they typed
	open bool   // nothing of the database is hidden from them
}

// govern runs SQL of a person.
func (c *sqliteConn) govern(ctx context.Context, t task, args []driver.NamedValue) (*Rows, error) {
	g, err := openGoverned(ctx, c.file, t, c.log)
	if err != nil {
		return nil, unready(ctx, t, err)
	}
	g.count = c.count
	p, err := g.prepare(ctx, t)
	if err != nil {
		g.close()
		return nil, unready(ctx, t, err)
	}
	g.person = &person{t.sql, t.open}
	c.busy = true
	done := func() {
		c.busy = false
		g.close()
	}
	rows, err := g.start(ctx, t.sql, args, p, done)
	if err != nil && c.busy {
		done()
	}
	return rows, err
}

// unready is the error of a connection that could not be made ready. Its words
// are of names that the person did not type.
func unready(ctx context.Context, t task, err error) error {
	var e *Error
	if ctx.Err() != nil || t.open || !errors.As(err, &e) {
		return err
	}
	return &Error{Kind: e.Kind, Message: wrongFile, Cause: err}
}

// openGoverned opens a connection to an empty database, with the file beside
// it.
func openGoverned(ctx context.Context, file string, t task, log *slog.Logger) (*sqliteConn, error) {
	opened, err := probe(file)
	if err != nil {
		return nil, err
	}
	c := &sqliteConn{file: file, opened: opened, log: log, home: unguessable("s")}
	if err := c.connect("file::memory:?"+settings, true); err != nil {
		return nil, err
	}
	c.wiring.token, c.wiring.key = unguessable("t"), t.key
	place := url.URL{Scheme: "file", OmitHost: true, Path: file, RawQuery: "mode=ro"}
	if err := c.setup(ctx, "ATTACH ?1 AS "+c.home, place.String()); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// unguessable is a name of 128 random bits.
func unguessable(first string) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return first + hex.EncodeToString(b[:])
}

// setup runs a statement that prepares the connection.
func (c *sqliteConn) setup(ctx context.Context, sql string, args ...any) error {
	defer c.guard.bind(policy{home: c.home, setup: true})()
	defer c.watch(ctx)()
	values := make([]driver.NamedValue, len(args))
	for i, a := range args {
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	if _, err := c.raw.(driver.ExecerContext).ExecContext(ctx, sql, values); err != nil {
		return c.judge(ctx, err)
	}
	return nil
}

// prepare makes the views, in the transaction in which the statement runs, and
// gives the policy for it. After that nothing can be written.
func (c *sqliteConn) prepare(ctx context.Context, t task) (policy, error) {
	p := policy{home: c.home, hash: c.wiring.hash, views: map[string]view{}, shadows: map[string]bool{}, through: map[string]bool{}}
	err := c.begin(ctx)
	if err != nil {
		return p, err
	}
	if p.schema, err = c.learn(ctx); err != nil {
		return p, err
	}
	for _, v := range t.views {
		name := fold(v.name)
		isView, there := p.schema.names[name]
		if !there {
			continue // it has gone since the schema was read
		}
		if isView {
			reach, err := c.follow(v.name)
			if err != nil {
				c.log.Warn("a view of the file cannot be read", "error", err)
				continue
			}
			for key := range reach {
				p.through[key] = true
			}
		}
		if err := c.setup(ctx, "CREATE TEMP VIEW "+quoted(v.name)+" AS "+v.sql(c.home, c.wiring.hash+"('"+c.wiring.token+"', ", isView)); err != nil {
			return p, err
		}
		p.views[name] = v
	}
	mentions := query.Mentions(t.sql)
	for name, spelled := range p.schema.spelled {
		if _, is := p.views[name]; is || !p.through[via("", name)] && !mentions(name) || strings.HasPrefix(name, "sqlite_") {
			continue // the guard refuses names of the engine's own in any case
		}
		// It reads what is not there, so that using it fails as the use of a
		// name does that is nobody's.
		err := c.setup(ctx, "CREATE TEMP VIEW "+quoted(spelled)+" AS SELECT 1 FROM main."+quoted(spelled))
		if err == nil {
			p.shadows[name] = true
		} else if ctx.Err() != nil || p.through[via("", name)] {
			return p, err
		} // else it is a name that search indexes keep for themselves; the guard refuses it
	}
	c.limit()
	return p, c.setup(ctx, "PRAGMA query_only = 1")
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// What people read of the engine's errors from whom something of the database
// is hidden. The engine's own words can hold the names of that, and which of
// its errors comes can depend on it.
const (
	wrongNames = "the SQL names a table, column or function that is not there or that you may not use, or it is put together wrongly"
	wrongRun   = "the SQL failed while it ran"
	wrongFile  = "the database file cannot be read"
)

// told is an error as the person may know it.
func (p *person) told(c *sqliteConn, e *Error) *Error {
	if p.open {
		e.Message = strings.ReplaceAll(e.Message, c.home+".", "")
		if strings.Contains(e.Message, c.home) || strings.Contains(e.Message, c.wiring.hash) || strings.Contains(e.Message, c.wiring.token) {
			e.Message = wrongNames
		}
		return e
	}
	switch e.Kind {
	case Unusable:
		return &Error{Kind: e.Kind, Message: wrongFile, Cause: e}
	case Denied, Invalid:
		switch words, syntax := p.syntax(e); {
		case syntax:
			return &Error{Kind: Invalid, Message: words, Cause: e}
		case c.prepares(p.sql):
			return &Error{Kind: Failed, Message: wrongRun, Cause: e}
		}
		return &Error{Kind: Denied, Message: wrongNames, Cause: e}
	}
	return &Error{Kind: e.Kind, Message: wrongRun, Cause: e}
}

// syntax tells whether an error is about the text alone: the engine reads all
// of it before it looks a name up. Only words of the person's own are cited.
func (p *person) syntax(e *Error) (words string, is bool) {
	const plain = "the SQL has a syntax error"
	if e.Kind != Invalid {
		return "", false
	}
	if e.Message == "incomplete input" {
		return "the SQL is incomplete", true
	}
	for _, form := range [][2]string{{`near "`, `": syntax error`}, {`unrecognized token: "`, `"`}} {
		rest, begins := strings.CutPrefix(e.Message, form[0])
		if token, ends := strings.CutSuffix(rest, form[1]); begins && ends {
			if strings.Contains(p.sql, token) {
				return e.Message, true
			}
			return plain, true
		}
	}
	return "", false
}

// prepares tells whether the engine takes a statement, so that it failed while
// it ran.
func (c *sqliteConn) prepares(sql string) bool {
	if c.guard.denied != "" || c.broken {
		return false
	}
	describer, ok := c.raw.(interface {
		ColumnInfo(query string) ([]sqlite.ColumnInfo, error)
	})
	if !ok {
		return false
	}
	_, err := describer.ColumnInfo(sql)
	return err == nil
}
