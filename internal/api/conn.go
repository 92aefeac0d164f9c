package api

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/sluice-bi/sluice/internal/store"
)

// Listener makes the connections of a listener such that each piece of an
// answer is given to the system only while the lease is held that the answer
// was begun with. Looking when the handler writes is not enough: a process may
// be stopped anywhere, for as long as anybody likes, and between there and
// here are buffers, and waiting for clients that read slowly. The server that
// takes it needs [ConnContext] as well.
func Listener(l net.Listener) net.Listener { return listener{l} }

// ConnContext lets a request find the connection that it came by. It is for
// http.Server.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

type connKey struct{}

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	leased := &leasedConn{Conn: c}
	if s, ok := c.(syscall.Conn); ok {
		if leased.raw, err = s.SyscallConn(); err != nil {
			_ = c.Close() // and the server goes on with the next one
		}
	}
	return leased, nil
}

// leasedConn is a connection to a client.
type leasedConn struct {
	net.Conn
	raw   syscall.RawConn             // nil where there is none
	lease atomic.Pointer[store.Lease] // of the answer under way; nil where it needs none
}

// connOf is the connection that a request came by, nil where that is not known.
func connOf(ctx context.Context) *leasedConn {
	c, _ := ctx.Value(connKey{}).(*leasedConn)
	return c
}

// under says what the answer that follows depends on; nil for nothing.
func (c *leasedConn) under(l *store.Lease) {
	if c != nil {
		c.lease.Store(l)
	}
}

// lapsed tells whether the lease is over that the answer depends on.
func (c *leasedConn) lapsed() bool {
	l := c.lease.Load()
	return l != nil && !l.Held()
}

func (c *leasedConn) Write(b []byte) (int, error) {
	if c.raw != nil {
		return c.writeRaw(b)
	}
	if c.lapsed() {
		return 0, store.ErrNoLease
	}
	return c.Conn.Write(b)
}

// writeRaw writes as net.Conn does, and looks at the lease before each system
// call: also when the client has made room after a while.
func (c *leasedConn) writeRaw(b []byte) (done int, err error) {
	var failed error
	err = c.raw.Write(func(fd uintptr) bool {
		for done < len(b) {
			if c.lapsed() {
				failed = store.ErrNoLease
				return true
			}
			n, err := syscall.Write(int(fd), b[done:])
			switch {
			case errors.Is(err, syscall.EAGAIN):
				return false // until there is room, or the deadline is past
			case errors.Is(err, syscall.EINTR):
			case err != nil:
				failed = err
				return true
			default:
				done += n
			}
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return done, err
}
