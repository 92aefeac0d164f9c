// Package warehouse talks to the customers' databases: SQLite files,
// PostgreSQL, MySQL and MariaDB. It has two doors.
//
// Through the first go the questions of people: [Pool.Acquire] takes a
// connection and [Conn.Run] runs a query.Statement on it - the only thing it
// takes, and one that only query.Compile and query.Check can fill. Every
// statement runs in a transaction that cannot write. What SQLite finds in a
// statement when it prepares it is checked once more against the tables that
// the statement may read; PostgreSQL and MySQL have nothing that could, so that
// query makes no statement of SQL typed by people there but for those who may
// see all of the database. Rows are streamed, and a statement that nobody waits
// for any more is ended on the server too.
//
// Through the second, [Pool.Admin] and [Pool.Try], go the server's own needs:
// reading the schema and trying a connection. Only the packages dataset and
// dbrole may name it; a test over the syntax trees holds that.
//
// It decides nothing about people, keeps no connection details of its own, and
// never writes to a warehouse; [WriteSample] makes the one that ships with
// Sluice. Start reading at [Pool]; what an engine is, is a source that opens
// sessions (connections.go), listed in engine.go.
package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/query"
)

// Pool holds the open connections to all warehouses. It is safe for
// concurrent use.
type Pool struct {
	log *slog.Logger

	mu        sync.Mutex
	databases map[catalog.DatabaseID]*database
	closed    bool
}

// database is one open warehouse: the details it was opened with and its
// connections.
type database struct {
	engine  string
	details string
	conns   *connections
}

// New is a pool without warehouses. A nil logger discards.
func New(log *slog.Logger) *Pool {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Pool{log: log, databases: map[catalog.DatabaseID]*database{}}
}

// Open makes the warehouse known under the id, in place of one that was known
// with other details; with the same details it does nothing. It checks the
// details but opens no connection yet. An engine or an option that does not
// exist is an *Error of kind Unusable that names it.
func (p *Pool) Open(id catalog.DatabaseID, engine string, details json.RawMessage) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed()
	}
	old := p.databases[id]
	if old != nil && old.engine == engine && old.details == string(details) {
		return nil
	}
	from, err := readDetails(engine, details, p.log)
	if err != nil {
		return err
	}
	p.databases[id] = &database{engine, string(details), newConnections(from, p.log.With("database", id))}
	if old != nil {
		old.conns.close()
	}
	return nil
}

// Forget closes the connections of a warehouse. Statements that run on them
// finish first.
func (p *Pool) Forget(id catalog.DatabaseID) {
	p.mu.Lock()
	old := p.databases[id]
	delete(p.databases, id)
	p.mu.Unlock()
	if old != nil {
		old.conns.close()
	}
}

// Close closes all connections; those in use when they are released. Acquire
// and Open fail from then on.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, d := range p.databases {
		d.conns.close()
	}
	return nil
}

// InUse is how many connections to the warehouse are taken at the moment.
func (p *Pool) InUse(id catalog.DatabaseID) int {
	if d := p.find(id); d != nil {
		return d.conns.inUse()
	}
	return 0
}

func (p *Pool) find(id catalog.DatabaseID) *database {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.databases[id]
}

// Conn is a connection taken for the statements of one person, for the time
// of one request. It is not safe for concurrent use.
type Conn struct {
	id   catalog.DatabaseID
	c    *connection
	all  *connections
	rows *Rows // of the statement that runs
}

// Acquire takes a connection to a warehouse that was opened, waiting for a
// free one until ctx ends. The caller releases it. A warehouse that cannot be
// reached is an *Error of kind Unusable that says why.
func (p *Pool) Acquire(ctx context.Context, id catalog.DatabaseID) (*Conn, error) {
	d := p.find(id)
	if d == nil {
		return nil, &Error{Kind: Unusable, Message: fmt.Sprintf("database %d is not open", id)}
	}
	c, err := d.conns.take(ctx)
	if err != nil {
		return nil, err
	}
	return &Conn{id: id, c: c, all: d.conns}, nil
}

// Release gives the connection back. Rows that are still open end. Calling it
// again does nothing.
func (c *Conn) Release() {
	if c.c == nil {
		return
	}
	c.finish()
	c.all.give(c.c)
	c.c = nil
}

func (c *Conn) finish() {
	if c.rows != nil {
		_ = c.rows.Close()
		c.rows = nil
	}
}

// Run runs the statement and returns its rows, of which the first is already
// computed. The zone is the one that the engine's session is in for the
// statement, and that its times are told in; nil is UTC, and SQLite knows no
// other. There can be one open Rows per connection: those of the former Run
// end. The rows end with an error when ctx ends, and the statement with them
// on the server.
//
// A zero statement, or one for another database, is refused: that is a mistake
// of the program. Everything else that can go wrong is an *Error; its kind is
// Denied when the statement reads or does what it may not.
func (c *Conn) Run(ctx context.Context, s query.Statement, zone *time.Location) (*Rows, error) {
	switch {
	case c.c == nil:
		return nil, fmt.Errorf("warehouse: run on a released connection")
	case s.SQL() == "" || s.Database() == 0:
		return nil, fmt.Errorf("warehouse: a statement that neither Compile nor Check made")
	case s.Database() != c.id:
		return nil, fmt.Errorf("warehouse: a statement for database %d on a connection to database %d", s.Database(), c.id)
	}
	t := task{sql: s.SQL(), args: s.Args(), native: s.Native(), tables: map[string]bool{}, zone: zone}
	for _, table := range s.Tables() {
		if table.Schema == "" { // SQLite has no schemas, and nobody else looks
			t.tables[fold(table.Name)] = true
		}
	}
	return c.perform(ctx, t)
}

func (c *Conn) perform(ctx context.Context, t task) (*Rows, error) {
	c.finish()
	if c.c.spent() { // rows that were not read to their end can cost the connection
		c.c.close()
		next, err := c.all.pick(ctx)
		if err != nil {
			return nil, err
		}
		c.c = next
	}
	rows, err := c.c.run(ctx, t)
	if err != nil {
		return nil, err
	}
	c.rows = rows
	return rows, nil
}
