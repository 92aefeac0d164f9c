package acceptance_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// needProc skips where the system does not show what a process does.
func needProc(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc to see by that a process stands still")
	}
}

// signal sends a node a signal.
func (c *cluster) signal(i int, s syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[i].cmd.Process.Signal(s)
}

// suspend stops a node as SIGSTOP does, and returns when it stands still.
func (c *cluster) suspend(ctx context.Context, i int) error {
	if err := c.signal(i, syscall.SIGSTOP); err != nil {
		return err
	}
	return eventually(ctx, "a node that stands still", func() (bool, error) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.nodes[i].cmd.Process.Pid))
		if err != nil {
			return false, err
		}
		return bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" T")), nil
	})
}

// stream is a long answer that a person reads, byte for byte as it comes: an
// HTTP client may hold some back.
type stream struct {
	bytes atomic.Int64
	read  chan struct{} // closed when the person reads on
	ended chan struct{}
	last  []byte // the end of it
}

// startStream asks for more rows than a server can send before something is
// done to it, and returns when some have come. No more is read until read is
// closed: meanwhile the server waits, in the midst of a piece.
func startStream(by asker) (*stream, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(by.site, "http://"))
	if err != nil {
		return nil, err
	}
	send(conn, by, "/api/dataset/json", `{"query":{"database":1,"type":"native","native":{"query":"select a.*, b.status as other from orders a, orders b"}}}`, "")
	begins := make([]byte, 256<<10)
	if _, err := io.ReadFull(conn, begins); err != nil || !strings.HasPrefix(string(begins), "HTTP/1.1 200 OK\r\n") {
		return nil, fmt.Errorf("%.300s: %w", begins, errors.Join(err, conn.Close()))
	}
	s := &stream{read: make(chan struct{}), ended: make(chan struct{})}
	s.bytes.Store(int64(len(begins)))
	go func() {
		defer close(s.ended)
		defer conn.Close()
		<-s.read
		piece := make([]byte, 64<<10)
		for {
			n, err := conn.Read(piece)
			s.bytes.Add(int64(n))
			s.last = append(s.last, piece[:n]...)
			s.last = s.last[max(0, len(s.last)-16):]
			if err != nil {
				return
			}
		}
	}()
	return s, nil
}

// send writes a request as a client does.
func send(conn net.Conn, by asker, path, body, more string) {
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: sluice\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", path, len(body))
	for name, value := range by.who {
		fmt.Fprintf(conn, "%s: %s\r\n", name, value)
	}
	if more != "" {
		fmt.Fprintf(conn, "%s\r\n\r\n", more)
		return
	}
	fmt.Fprintf(conn, "\r\n%s", body)
}

// whole tells whether the answer that has ended is complete.
func (s *stream) whole() bool { return strings.HasSuffix(string(s.last), "\r\n0\r\n\r\n") }

// drained waits until nothing comes any more of what a stopped node had sent.
func (s *stream) drained(ctx context.Context) error {
	return eventually(ctx, "the end of what was sent", func() (bool, error) {
		before := s.bytes.Load()
		pause(ctx, 200*time.Millisecond)
		return s.bytes.Load() == before, nil
	})
}

// halfQuestion is a question whose handler waits for the rest of its body.
func halfQuestion(by asker, table int64) (*half, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(by.site, "http://"))
	if err != nil {
		return nil, err
	}
	body := fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"aggregation":[["count"]]}}`, table)
	send(conn, by, "/api/dataset", body, "Expect: 100-continue")
	h := &half{conn, bufio.NewReader(conn), body}
	if line, err := h.read.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		return nil, fmt.Errorf("%q: %w", line, errors.Join(err, conn.Close()))
	}
	_, err = h.read.ReadString('\n')
	return h, err
}

// answer reads what comes to it in the end.
func (h *half) answer() (reply, error) {
	defer h.conn.Close()
	if err := h.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return reply{}, err
	}
	res, err := http.ReadResponse(h.read, nil)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, text}, err
}

// A node is stopped in the midst of long answers and of questions, and while
// it stands still it is sent more of them. A revoke by the other node returns
// without it. When it goes on, it sends nothing of what it had begun, and
// refuses or answers nobody until it knows of the revoke.
func TestAStoppedNodeGoesOnWithNothingThatWasRevokedMeanwhile(t *testing.T) {
	needProc(t)
	t.Parallel()
	ctx := t.Context()
	url := storetest.URL(t)
	c := newCluster(t, url, url)
	admin := c.as(c.root, 0)
	g, err := newGate(ctx, admin, "karen", gateKind{shown: countRows})
	if err != nil {
		t.Fatal(err)
	}
	grant := func() {
		t.Helper()
		entry := map[string]any{"groups": map[string]any{fmt.Sprint(g.group): map[string]any{"1": map[string]any{"schemas": "all", "native": "write"}}}}
		r, err := admin.ask(ctx, "PUT", "/api/permissions/graph?force=true", nil, entry)
		if err != nil || r.status != http.StatusOK {
			t.Fatalf("grant: %s %v", r, err)
		}
		from := credential{"X-Sluice-At-Least": r.header.Get("X-Sluice-Written")}
		r, err = countRows(ctx, g, c.as(g.who, 1), from)
		if shown, _, wrong := told(r); err != nil || wrong != nil || !shown {
			t.Fatalf("after the grant: %s %v", r, err)
		}
	}
	revoke := func() {
		t.Helper()
		if r, err := closeAll(ctx, g, admin); err != nil || r.status != http.StatusOK {
			t.Fatalf("revoke: %s %v", r, err)
		}
	}
	for round := range 2 {
		grant()
		person := c.as(g.who, 1)
		person.client = newClient() // with connections of its own
		var streams []*stream
		for i := range 4 {
			s, err := startStream(person)
			if err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				close(s.read)
			}
			streams = append(streams, s)
		}
		begun, err := halfQuestion(person, g.table)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.suspend(ctx, 1); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(begun.conn, begun.rest) // it lies in the kernel
		type outcome struct {
			reply
			error
		}
		asked := make(chan outcome, 8)
		for range cap(asked) {
			go func() {
				r, err := countRows(ctx, g, person, nil)
				asked <- outcome{r, err}
			}()
		}
		revoke()
		var sent []int64
		for i, s := range streams {
			if i%2 != 0 {
				close(s.read)
			}
			if err := s.drained(ctx); err != nil {
				t.Fatal(err)
			}
			sent = append(sent, s.bytes.Load())
		}
		if err := c.signal(1, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		for i, s := range streams {
			<-s.ended
			if more := s.bytes.Load() - sent[i]; more != 0 || s.whole() {
				t.Errorf("round %d: %d bytes of a result came after the revoke was answered; it ended with %q", round, more, s.last)
			}
		}
		r, err := begun.answer()
		if shown, _, _ := told(r); shown {
			t.Errorf("a question that the node had before shows rows: %s %v", r, err)
		}
		for range cap(asked) {
			o := <-asked
			if shown, _, wrong := told(o.reply); shown || o.error == nil && wrong != nil {
				t.Errorf("a question that was sent to the stopped node: %s %v %v", o.reply, o.error, wrong)
			}
		}
		// It comes back by itself, and refuses.
		if err := c.agree(ctx); err != nil {
			t.Fatal(err)
		}
		r, err = countRows(ctx, g, c.as(g.who, 1), nil)
		if _, refused, _ := told(r); err != nil || !refused {
			t.Errorf("the node that came back: %s %v", r, err)
		}
	}
}

// Who revokes what somebody else is just revoking is told so when it is in
// force everywhere, and not before: the other one still waits.
func TestARevokeThatIsRepeatedWaitsLikeTheFirst(t *testing.T) {
	needProc(t)
	t.Parallel()
	ctx := t.Context()
	url := storetest.URL(t)
	c := newCluster(t, url, url)
	admin := c.as(c.root, 0)
	for _, name := range []string{"membership", "level"} { // nothing is left to do, and only a revision
		kind := gateKinds()[name]
		g, err := newGate(ctx, admin, name, kind)
		if err != nil {
			t.Fatal(err)
		}
		r, err := kind.grant(ctx, g, admin, nil)
		if err != nil || r.status != http.StatusOK {
			t.Fatalf("%s: grant: %s %v", name, r, err)
		}
		r, err = kind.shown(ctx, g, c.as(g.who, 1), credential{"X-Sluice-At-Least": r.header.Get("X-Sluice-Written")})
		if shown, _, wrong := told(r); err != nil || wrong != nil || !shown {
			t.Fatalf("%s: after the grant: %s %v", name, r, err)
		}
		if err := c.suspend(ctx, 1); err != nil {
			t.Fatal(err)
		}
		var others sync.WaitGroup
		for range 16 { // ask the node that stands still: some before it hears of the revoke
			others.Go(func() {
				r, err := kind.shown(ctx, g, c.as(g.who, 1), nil)
				if shown, _, _ := told(r); shown && err == nil {
					t.Errorf("%s: shown after a revoke was answered", name)
				}
			})
		}
		revoke := func() {
			if r, err := kind.revoke(ctx, g, admin, nil); err != nil || r.status >= 300 {
				t.Errorf("%s: revoke: %s %v", name, r, err)
			}
		}
		others.Go(revoke)
		err = eventually(ctx, "the first revoke", func() (bool, error) {
			r, err := kind.shown(ctx, g, c.as(g.who, 0), nil)
			_, refused, _ := told(r)
			return refused, err
		})
		if err != nil {
			t.Fatal(err)
		}
		revoke()
		if err := c.signal(1, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		others.Wait()
		if err := c.agree(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// closeAll takes away what the group has on the sample warehouse.
func closeAll(ctx context.Context, g *gate, by asker) (reply, error) {
	entry := map[string]any{"groups": map[string]any{fmt.Sprint(g.group): map[string]any{"1": map[string]any{"view-data": nil}}}}
	return by.ask(ctx, "PUT", "/api/permissions/graph?force=true", nil, entry)
}
