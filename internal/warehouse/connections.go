package warehouse

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// MaxConnections is how many connections one warehouse may have.
const MaxConnections = 8

// How long a connection may live, and lie idle.
const (
	maxAge  = 30 * time.Minute
	maxIdle = 2 * time.Minute
)

// session is one connection to a warehouse. One goroutine uses it at a time.
type session interface {
	// run starts a task in a transaction that cannot write. Its error is an
	// *Error, but for mistakes of the program.
	run(ctx context.Context, t task) (*Rows, error)
	// survey reads the schema and tells how many tables it has read so far.
	survey(ctx context.Context, told func(tables int)) (*Survey, error)
	// alive tells whether a session that lay idle can be used. It asks the
	// server if the time since it was used is not short.
	alive(ctx context.Context, idle time.Duration) bool
	// spent tells that the session was interrupted or broke: nobody may use
	// it again.
	spent() bool
	// close ends the session. It waits for no server.
	close()
}

// task is a statement and what it may read.
type task struct {
	sql    string
	args   []any
	texts  bool            // those that are text are of the type text, and not of what stands beside them
	native bool            // a person wrote the text, or a part of it
	tables map[string]bool // for SQLite's guard, folded
	views  []view          // for SQL of people on SQLite
	leased *leased         // for SQL of people on servers
	key    string          // with which the views hash
	open   bool            // nothing of the database is hidden from the person
	role   string          // that it runs as; "" for the connection's own
	zone   *time.Location  // of the session; nil is UTC
}

// source opens sessions of one warehouse.
type source interface {
	open(ctx context.Context) (session, error)
}

// connections are the connections to one warehouse: at most a fixed number,
// kept for a while for the next one who asks.
type connections struct {
	from source
	log  *slog.Logger
	rest time.Duration // how long one may lie idle
	free chan struct{} // holds a token for each connection that is taken; as many fit as may be

	mu     sync.Mutex
	idle   []*connection // the one used last is last
	reaper *time.Timer   // set while there are idle connections
	closed bool
}

// connection is a session with its times.
type connection struct {
	session
	opened, used time.Time
}

func newConnections(from source, most int, rest time.Duration, log *slog.Logger) *connections {
	return &connections{from: from, log: log, rest: rest, free: make(chan struct{}, most)}
}

// errReplaced is the error of connections that were closed.
var errReplaced = errors.New("warehouse: the connections were closed")

// take waits for a connection that nobody uses, or opens one.
func (p *connections) take(ctx context.Context) (*connection, error) {
	if ctx.Err() != nil {
		return nil, ended(ctx, nil)
	}
	select {
	case p.free <- struct{}{}:
	case <-ctx.Done():
		return nil, ended(ctx, nil)
	}
	if p.isClosed() {
		<-p.free
		return nil, errReplaced
	}
	c, err := p.pick(ctx)
	if err != nil {
		<-p.free
		return nil, err
	}
	return c, nil
}

func (p *connections) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// pick gives an idle connection or opens one.
func (p *connections) pick(ctx context.Context) (*connection, error) {
	for {
		p.mu.Lock()
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			break
		}
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if c.alive(ctx, time.Since(c.used)) {
			return c, nil
		}
		c.close()
	}
	s, err := p.from.open(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ended(ctx, err)
		}
		return nil, err
	}
	return &connection{session: s, opened: time.Now()}, nil
}

// give takes a connection back. One that was interrupted or broke is closed.
func (p *connections) give(c *connection) {
	c.used = time.Now()
	p.mu.Lock()
	keep := !c.spent() && !p.closed && c.used.Sub(c.opened) < maxAge
	if keep {
		p.idle = append(p.idle, c)
		if p.reaper == nil {
			p.reaper = time.AfterFunc(p.rest, p.reap)
		}
	}
	p.mu.Unlock()
	if !keep {
		c.close()
	}
	<-p.free
}

// spare keeps up to so many connections from everybody, and closes those that
// lie idle, until release is called. It waits for those that are used until ctx
// ends, and is content with one then.
func (p *connections) spare(ctx context.Context, n int) (release func(), err error) {
	taken := 0
	release = func() {
		for range taken {
			<-p.free
		}
	}
	for taken < n {
		select {
		case p.free <- struct{}{}:
			taken++
			continue
		case <-ctx.Done():
		}
		if taken == 0 {
			return nil, ended(ctx, nil)
		}
		break
	}
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
	return release, nil
}

// reap closes what has lain idle for too long.
func (p *connections) reap() {
	p.mu.Lock()
	var old []*connection
	for len(p.idle) > 0 && time.Since(p.idle[0].used) >= p.rest {
		old = append(old, p.idle[0])
		p.idle = p.idle[1:]
	}
	p.reaper = nil
	if len(p.idle) > 0 {
		p.reaper = time.AfterFunc(p.rest, p.reap)
	}
	p.mu.Unlock()
	for _, c := range old {
		c.close()
	}
}

func (p *connections) count() (used, idle int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.free), len(p.idle)
}

// close closes the idle connections; the others go when they are given back.
func (p *connections) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	if p.reaper != nil {
		p.reaper.Stop()
	}
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

// counter counts the statements that are sent to a warehouse.
type counter struct{ atomic.Int64 }
