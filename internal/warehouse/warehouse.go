// Package warehouse talks to the customers' databases. It has two doors.
//
// Through the first go the questions of people: [Pool.Acquire] takes a
// connection and [Conn.Run] runs a query.Statement on it - the only thing it
// takes, and one that only query.Compile and query.Check can fill. The
// connection is read-only, and what the engine finds in a statement when it
// prepares it is checked once more against the tables that the statement may
// read. Rows are streamed.
//
// Through the second, [Pool.Admin], go the server's own needs: reading the
// schema and trying a connection. Only the packages dataset and dbrole may name
// it; a test over the syntax trees holds that.
//
// It decides nothing about people, keeps no connection details of its own, and
// never writes to a warehouse; [WriteSample] makes the one that ships with
// Sluice. The first engine is SQLite. Start reading at [Pool].
package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"

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
	file, err := parseDetails(engine, details)
	if err != nil {
		return err
	}
	p.databases[id] = &database{engine, string(details), newConnections(file, p.log.With("database", id))}
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
	id  catalog.DatabaseID
	c   *sqliteConn
	all *connections
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
	return &Conn{id, c, d.conns}, nil
}

// Release gives the connection back. Rows that are still open end. Calling it
// again does nothing.
func (c *Conn) Release() {
	if c.c == nil {
		return
	}
	c.c.finish()
	c.all.give(c.c)
	c.c = nil
}

// Run runs the statement and returns its rows, of which the first is already
// computed. There can be one open Rows per connection. The rows end with an
// error when ctx ends.
//
// A zero statement, or one for another database, is refused: that is a mistake
// of the program. Everything else that can go wrong is an *Error; its kind is
// Denied when the statement reads or does what it may not.
func (c *Conn) Run(ctx context.Context, s query.Statement) (*Rows, error) {
	switch {
	case c.c == nil:
		return nil, fmt.Errorf("warehouse: run on a released connection")
	case s.SQL() == "" || s.Database() == 0:
		return nil, fmt.Errorf("warehouse: a statement that neither Compile nor Check made")
	case s.Database() != c.id:
		return nil, fmt.Errorf("warehouse: a statement for database %d on a connection to database %d", s.Database(), c.id)
	}
	return c.c.run(ctx, s)
}
