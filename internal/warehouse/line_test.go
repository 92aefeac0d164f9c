package warehouse

import (
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
)

// line is a way to a server that a test can cut and mend.
type line struct {
	port int
	to   string

	mu       sync.Mutex
	listener net.Listener
	open     []net.Conn
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	l := &line{to: to}
	l.listen(t, "127.0.0.1:0")
	l.port = l.listener.Addr().(*net.TCPAddr).Port
	t.Cleanup(l.cut)
	return l
}

func (l *line) listen(t *testing.T, at string) {
	t.Helper()
	listener, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.listener = listener
	l.mu.Unlock()
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", l.to)
			if err != nil {
				client.Close()
				continue
			}
			l.mu.Lock()
			l.open = append(l.open, client, server)
			l.mu.Unlock()
			go pass(client, server)
			go pass(server, client)
		}
	}()
}

func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	to.Close()
	from.Close()
}

// cut ends all connections and lets nobody in any more.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener.Close()
	for _, c := range l.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // as when a machine is gone
		}
		c.Close()
	}
	l.open = nil
}

func (l *line) mend(t *testing.T) {
	t.Helper()
	l.listen(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(l.port)))
}
