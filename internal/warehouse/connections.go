package warehouse

import (
	"context"
	"log/slog"
	"os"
	"sync"
)

// MaxConnections is how many connections one warehouse may have.
const MaxConnections = 8

// connections are the connections to one SQLite file: at most a fixed number,
// kept for the next one who asks.
type connections struct {
	file string
	log  *slog.Logger
	free chan struct{} // holds a token for each connection that may be taken

	mu     sync.Mutex
	idle   []*sqliteConn
	closed bool
}

func newConnections(file string, log *slog.Logger) *connections {
	return &connections{file: file, log: log, free: make(chan struct{}, MaxConnections)}
}

// take waits for a connection that nobody uses, or opens one.
func (p *connections) take(ctx context.Context) (*sqliteConn, error) {
	if ctx.Err() != nil {
		return nil, ended(ctx, nil)
	}
	select {
	case p.free <- struct{}{}:
	case <-ctx.Done():
		return nil, ended(ctx, nil)
	}
	c, err := p.pick()
	if err != nil {
		<-p.free
		return nil, err
	}
	return c, nil
}

// pick gives an idle connection or opens one. A file that was put in place of
// the one that a connection has open makes that connection useless.
func (p *connections) pick() (*sqliteConn, error) {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, errClosed()
		}
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			return openSQLite(p.file, p.log)
		}
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if now, err := os.Stat(p.file); err == nil && os.SameFile(now, c.opened) {
			return c, nil
		}
		c.close()
	}
}

// give takes a connection back. One that was interrupted or failed is closed.
func (p *connections) give(c *sqliteConn) {
	p.mu.Lock()
	keep := !c.spent && !p.closed
	if keep {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		c.close()
	}
	<-p.free
}

func (p *connections) inUse() int { return len(p.free) }

// close closes the idle connections; the others go when they are given back.
func (p *connections) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}
