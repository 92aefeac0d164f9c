// Package warehouse talks to the customers' databases: SQLite files,
// PostgreSQL, MySQL and MariaDB. It has two doors.
//
// Through the first go the questions of people: [Pool.Acquire] takes a
// connection and [Conn.Run] runs a query.Statement on it - the only thing it
// takes, and one that only query.Compile and query.Check can fill. Every
// statement runs in a transaction that cannot write. What SQLite finds in a
// statement when it prepares it is checked once more against the tables that
// the statement may read, and SQL typed by people finds nothing there but views
// of what they may see (governed.go); PostgreSQL and MySQL have nothing that
// could, so that query makes no statement of such SQL there but for those who
// may see all of the database. Rows are streamed, and a statement that nobody waits
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
	"errors"
	"fmt"
	"log/slog"
	"slices"
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

// Database is a warehouse as the application database knows it at a moment.
type Database struct {
	ID      catalog.DatabaseID
	Engine  string
	Details json.RawMessage // where it is, with the secrets in clear
	// Boundary is for statements that are leased: the connection is a slot of
	// it then.
	Boundary *Boundary
}

// database is a warehouse that is open: with what, and its connections.
type database struct {
	engine  string
	details string
	from    source
	conns   *connections
	slots   *connections // of the boundary; nil before somebody needs them
	held    *slots
}

// close closes the connections that nobody uses; the others when they are given
// back.
func (d *database) close() {
	d.conns.close()
	d.closeSlots()
}

func (d *database) closeSlots() {
	if d.slots != nil {
		d.slots.close()
		d.held.by.close()
	}
}

// New is a pool without warehouses. A nil logger discards.
func New(log *slog.Logger) *Pool {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Pool{log: log, databases: map[catalog.DatabaseID]*database{}}
}

// open are the connections with exactly these details, in place of those with
// others. It checks the details and connects to nothing.
func (p *Pool) open(db Database) (*connections, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errStopped()
	}
	d := p.databases[db.ID]
	log := p.log.With("database", db.ID)
	if d == nil || d.engine != db.Engine || d.details != string(db.Details) {
		from, err := readDetails(db.Engine, db.Details, p.log)
		if err != nil {
			return nil, err
		}
		if d != nil {
			d.close()
		}
		d = &database{engine: db.Engine, details: string(db.Details), from: from, conns: newConnections(from, MaxConnections, maxIdle, log)}
		p.databases[db.ID] = d
	}
	if db.Boundary == nil {
		return d.conns, nil
	}
	in, is := d.from.(slotted)
	if !is || !db.Boundary.Valid() {
		return nil, failed(Unusable, "the database has no boundary for SQL of people", nil)
	}
	if d.slots == nil || d.held.Boundary != *db.Boundary {
		d.closeSlots()
		d.held = newSlots(in, *db.Boundary, log)
		d.slots = newConnections(d.held, db.Boundary.Slots, slotIdle, log)
	}
	return d.slots, nil
}

// Forget closes the connections of a warehouse. Statements that run on them
// finish first.
func (p *Pool) Forget(id catalog.DatabaseID) {
	p.mu.Lock()
	old := p.databases[id]
	delete(p.databases, id)
	p.mu.Unlock()
	if old != nil {
		old.close()
	}
}

// Close closes all connections; those in use when they are released. Acquire
// fails from then on.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, d := range p.databases {
		d.close()
	}
	return nil
}

// InUse is how many connections to the warehouse are taken at the moment.
func (p *Pool) InUse(id catalog.DatabaseID) int {
	used, _ := p.count(id)
	return used
}

// Idle is how many connections to the warehouse wait for the next who asks.
func (p *Pool) Idle(id catalog.DatabaseID) int {
	_, idle := p.count(id)
	return idle
}

func (p *Pool) count(id catalog.DatabaseID) (used, idle int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.databases[id]
	if d == nil {
		return 0, 0
	}
	used, idle = d.conns.count()
	if d.slots != nil {
		u, i := d.slots.count()
		used, idle = used+u, idle+i
	}
	return used, idle
}

// Conn is a connection taken for the statements of one person, for the time
// of one request. It is not safe for concurrent use.
type Conn struct {
	id   catalog.DatabaseID
	c    *connection
	all  *connections
	slot bool
	rows *Rows // of the statement that runs
}

// Acquire takes a connection to the warehouse, waiting for a free one until ctx
// ends. The caller releases it. The connection has exactly these details, even
// if others ask with older or newer ones meanwhile; those that were opened with
// other details are given up. An engine or an option that does not exist, and a
// warehouse that cannot be reached, is an *Error of kind Unusable that says so.
func (p *Pool) Acquire(ctx context.Context, db Database) (*Conn, error) {
	c, conns, err := p.take(ctx, db)
	if err != nil {
		return nil, err
	}
	return &Conn{id: db.ID, c: c, all: conns, slot: db.Boundary != nil}, nil
}

func (p *Pool) take(ctx context.Context, db Database) (*connection, *connections, error) {
	for {
		conns, err := p.open(db)
		if err != nil {
			return nil, nil, err
		}
		c, err := conns.take(ctx)
		if !errors.Is(err, errReplaced) {
			return c, conns, err
		}
	}
}

// Spare leaves slots of the database's boundary to somebody else, the doctor,
// until release is called: as many as nobody uses within a short while, and one
// at least.
func (p *Pool) Spare(ctx context.Context, db Database) (release func(), err error) {
	slots, err := p.open(db)
	if err != nil {
		return nil, err
	}
	one, err := slots.spare(ctx, 1)
	if err != nil {
		return nil, err
	}
	short, stop := context.WithTimeout(ctx, spareWithin)
	defer stop()
	more, err := slots.spare(short, db.Boundary.Slots-1)
	if err != nil {
		return one, nil
	}
	return func() { more(); one() }, nil
}

// spareWithin is how long the doctor waits for more than one slot.
const spareWithin = 2 * time.Second

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
	l, err := leasedOf(s)
	if err != nil {
		return nil, fmt.Errorf("warehouse: %w", err)
	}
	if (l != nil) != c.slot {
		return nil, fmt.Errorf("warehouse: leased is %v of a statement and %v of its connection", l != nil, c.slot)
	}
	if l != nil && s.Role() != "" {
		return nil, fmt.Errorf("warehouse: a statement that is leased and runs as a role")
	}
	t := task{sql: s.SQL(), role: s.Role(), args: s.Args(), native: s.Native(), tables: map[string]bool{}, zone: zone,
		leased: l, views: viewsOf(s), key: s.MaskKey(), open: s.Open()}
	for _, table := range slices.Concat(s.Tables(), s.Below()) {
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
	if err != nil && untyped(err) && !t.texts {
		t.texts = true
		return c.perform(ctx, t)
	}
	if err != nil {
		return nil, err
	}
	c.rows = rows
	return rows, nil
}
