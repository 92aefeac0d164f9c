package storetest

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Line is a way to a PostgreSQL server that a test can hold up or cut, as
// networks do. Its zero value is nothing; make one with [NewLine].
type Line struct {
	URL string // of the database, by this way

	to       string
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	passes  chan struct{} // closed while bytes pass
	delay   time.Duration
	held    []byte // a statement with this text holds the line
	lost    []byte // the answer to a statement with this text is lost
	open    map[*pair]bool
	stopped bool
}

// pair is a connection: the client's half and the server's.
type pair struct {
	client, server net.Conn
	listens        bool // it takes notifications
}

// NewLine is a way to the database at the address, until the test ends.
func NewLine(t *testing.T, address string) *Line {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{to: u.Host, passes: make(chan struct{}), open: map[*pair]bool{}}
	close(l.passes)
	if l.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	u.Host = l.listener.Addr().String()
	l.URL = u.String()
	l.running.Go(l.accept)
	t.Cleanup(func() {
		l.mu.Lock()
		l.stopped = true
		l.mu.Unlock()
		l.listener.Close()
		l.Release()
		l.Cut()
		l.running.Wait()
	})
	return l
}

// Hold stops all bytes, either way, of these connections and of new ones. None
// is closed: nobody is told.
func (l *Line) Hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.passes:
		l.passes = make(chan struct{})
	default:
	}
}

// Release lets pass what was held, late as it is.
func (l *Line) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.passes:
	default:
		close(l.passes)
	}
}

// Delay makes every piece take so long.
func (l *Line) Delay(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

// Cut closes all connections. New ones can be made.
func (l *Line) Cut() { l.cut(func(*pair) bool { return true }) }

// CutListeners closes the connections that take notifications.
func (l *Line) CutListeners() { l.cut(func(p *pair) bool { return p.listens }) }

// HoldAt is Hold as soon as a statement that holds the text comes by, before it
// passes.
func (l *Line) HoldAt(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = []byte(text)
}

// LoseAnswer lets the next statement that holds the text reach the server, and
// closes its connection when the server answers.
func (l *Line) LoseAnswer(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = []byte(text)
}

func (l *Line) cut(which func(*pair) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.open {
		if which(p) {
			p.client.Close()
			p.server.Close()
		}
	}
}

func (l *Line) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", l.to)
		if err != nil {
			client.Close()
			continue
		}
		p := &pair{client: client, server: server}
		l.mu.Lock()
		l.open[p] = true
		if l.stopped {
			client.Close()
			server.Close()
		}
		l.mu.Unlock()
		answer := make(chan struct{}, 1) // holds one when the next answer is lost
		l.running.Go(func() {
			l.pump(server, client, func(b []byte) {
				l.mu.Lock()
				defer l.mu.Unlock()
				if l.held != nil && bytes.Contains(b, l.held) {
					l.held, l.passes = nil, make(chan struct{})
				}
				p.listens = p.listens || bytes.Contains(b, []byte("listen "))
				if l.lost != nil && bytes.Contains(b, l.lost) {
					l.lost = nil
					answer <- struct{}{}
				}
			}, func() bool { return true })
			server.Close()
		})
		l.running.Go(func() {
			l.pump(client, server, func([]byte) {}, func() bool {
				select {
				case <-answer:
					return false
				default:
					return true
				}
			})
			client.Close()
			server.Close()
			l.mu.Lock()
			delete(l.open, p)
			l.mu.Unlock()
		})
	}
}

// pump copies until either side ends or a piece, which is seen first, may not
// pass.
func (l *Line) pump(to io.Writer, from io.Reader, see func([]byte), may func() bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			see(buffer[:n])
			l.mu.Lock()
			passes, delay := l.passes, l.delay
			l.mu.Unlock()
			time.Sleep(delay)
			<-passes
			if !may() {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
