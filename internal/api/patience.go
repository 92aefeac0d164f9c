package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// patience is how long the server waits for a client. Every connection, and
// what a request holds meanwhile, is somebody else's too.
type patience struct {
	// stall is how long a client may take for a piece of an answer.
	stall time.Duration
	// grace is how long a body may take beside the time that its bytes take
	// at the rate, in bytes a second. So a large body can come over a slow
	// line, and one that does not come ends.
	grace time.Duration
	rate  int64
	// leftover is how long is waited for the rest of a body that nobody read.
	leftover time.Duration
}

func standardPatience() patience {
	return patience{stall: 30 * time.Second, grace: 20 * time.Second, rate: 4 << 10, leftover: 5 * time.Second}
}

// writePiece is the most that is written at a time: 64 KiB within the stall
// time are about 2 KiB a second.
const writePiece = 64 << 10

// errSlow is the answer to a body that does not come.
var errSlow = message{http.StatusRequestTimeout, "The body of the request did not come in time."}

// line is the connection to the client during one request. Where deadlines
// cannot be set, as on an answer that is kept in memory, there are none.
type line struct {
	control  *http.ResponseController
	patience patience

	mu          sync.Mutex
	interrupted bool
}

// open begins a request: what the last one on the connection has set is over.
func (l *line) open(w http.ResponseWriter, p patience) {
	l.control, l.patience = http.NewResponseController(w), p
	_ = l.control.SetWriteDeadline(time.Time{})
}

// extend gives the client time for another piece. It fails on a line that was
// interrupted.
func (l *line) extend() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.interrupted {
		return os.ErrDeadlineExceeded
	}
	_ = l.control.SetWriteDeadline(time.Now().Add(l.patience.stall))
	return nil
}

// interrupt ends a write that waits for the client, and refuses others until
// resume. It may be called while another goroutine writes.
func (l *line) interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.interrupted = true
	_ = l.control.SetWriteDeadline(time.Unix(1, 0))
}

// resume lets the end of an answer be written. A write that was interrupted
// half way has broken the connection all the same.
func (l *line) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.interrupted = false
}

// body reads a body as long as it comes.
func (l *line) body(b io.ReadCloser) *lineBody {
	_ = l.control.SetReadDeadline(time.Now().Add(l.patience.grace))
	return &lineBody{ReadCloser: b, line: l}
}

// lineBody is a body that must come.
type lineBody struct {
	io.ReadCloser
	line   *line
	read   int64
	waited time.Duration // for its bytes; what the server does between reads does not count
	ended  bool
}

func (b *lineBody) Read(p []byte) (int, error) {
	if b.ended {
		return b.ReadCloser.Read(p)
	}
	control, patience := b.line.control, b.line.patience
	may := patience.grace + time.Duration(float64(b.read)/float64(patience.rate)*float64(time.Second))
	begun := time.Now()
	_ = control.SetReadDeadline(begun.Add(may - b.waited))
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(begun)
	b.read += int64(n)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.line.patience.leftover = 0
		err = errSlow
	case err != nil:
		// The connection is read on to see whether the client goes away, which
		// may take as long as the answer.
		b.ended = true
		_ = control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// leave limits what the HTTP server reads of a body that nobody read to its
// end, before it takes the next request.
func (b *lineBody) leave() {
	if !b.ended {
		_ = b.line.control.SetReadDeadline(time.Now().Add(b.line.patience.leftover))
	}
}
