package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// long is more than anything in these tests takes; a test that waits so long
// has failed.
const long = 20 * time.Second

// listening serves the world on a real socket.
func (w *world) listening() string {
	w.t.Helper()
	server := httptest.NewServer(w.api.Handler())
	w.t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// dial connects with a small buffer for what the server sends.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(long)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClientThatReadsNothingHoldsNoConnectionOfADatabase(t *testing.T) {
	for name, impatient := range map[string]func(s settled){
		"stalled": func(s settled) { s.api.patience.stall = 300 * time.Millisecond },
		"until the time of the query is up": func(s settled) {
			s.api.patience.stall = time.Hour
			s.api.door = s.doorWith(dataset.Options{Timeout: time.Second})
		},
	} {
		for _, path := range []string{"/api/dataset", "/api/dataset/csv"} {
			t.Run(name+path, func(t *testing.T) {
				s := settledWorld(t)
				impatient(s)
				address := s.listening()
				question, err := json.Marshal(s.sql(`WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT x, printf('%.*c', 100000, 'x') FROM n`))
				if err != nil {
					t.Fatal(err)
				}
				kind, body := "application/json", string(question)
				if path != "/api/dataset" {
					body = `{"query":` + body + `}`
				}
				var clients []net.Conn
				for range 3 {
					c := dial(t, address)
					fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: sluice.test\r\n%s: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
						path, sessionHeader, s.AdminSession, kind, len(body), body)
					clients = append(clients, c)
				}
				inUse := func() int { return s.pool.InUse(catalog.DatabaseID(s.Database)) }
				for end := time.Now().Add(long); inUse() < len(clients); time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("the queries do not run: %d do", inUse())
					}
				}
				for end := time.Now().Add(long); inUse() > 0; time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("%d connections are still held", inUse())
					}
				}
			})
		}
	}
}

func TestBodyThatDoesNotComeEndsTheRequest(t *testing.T) {
	s := settledWorld(t)
	s.api.patience = patience{stall: long, grace: 200 * time.Millisecond, rate: 1 << 20, leftover: 100 * time.Millisecond}
	address := s.listening()
	for name, tt := range map[string]struct {
		head   string
		drips  bool
		status int
	}{
		"for somebody who signs in":    {"POST /api/session HTTP/1.1\r\n", false, http.StatusRequestTimeout},
		"byte after byte":              {"POST /api/session HTTP/1.1\r\n", true, http.StatusRequestTimeout},
		"for nobody":                   {"POST /api/dataset HTTP/1.1\r\n", false, http.StatusUnauthorized},
		"for nothing":                  {"POST /api/no/such/thing HTTP/1.1\r\n", false, http.StatusNotFound},
		"where none is read":           {"GET /api/health HTTP/1.1\r\n", false, http.StatusOK},
		"for a person":                 {"POST /api/dataset HTTP/1.1\r\n" + sessionHeader + ": " + s.MemberSession + "\r\n", false, http.StatusRequestTimeout},
		"of an administrator's graph":  {"PUT /api/permissions/graph HTTP/1.1\r\n" + sessionHeader + ": " + s.AdminSession + "\r\n", false, http.StatusRequestTimeout},
		"of a graph by a mere person":  {"PUT /api/permissions/graph HTTP/1.1\r\n" + sessionHeader + ": " + s.MemberSession + "\r\n", false, http.StatusForbidden},
		"in pieces whose size is told": {"POST /api/session HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", false, http.StatusRequestTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, address)
			head := tt.head + "Host: sluice.test\r\nContent-Type: application/json\r\n"
			if !strings.Contains(head, "chunked") {
				head += "Content-Length: 60000\r\n"
			}
			if _, err := io.WriteString(c, head+"\r\n"); err != nil {
				t.Fatal(err)
			}
			if tt.drips {
				go func() {
					for {
						if _, err := c.Write([]byte(" ")); err != nil {
							return
						}
						time.Sleep(10 * time.Millisecond)
					}
				}()
			}
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if answer.StatusCode != tt.status || !answer.Close {
				t.Errorf("status %d, want %d; the connection is kept: %v", answer.StatusCode, tt.status, !answer.Close)
			}
		})
	}
}

func TestLargeBodyMayComeOverASlowLine(t *testing.T) {
	s := settledWorld(t)
	s.api.patience.grace, s.api.patience.rate = 500*time.Millisecond, 1<<10
	c := dial(t, s.listening())
	body := `{"username":"member@example.org","password":"` + testPassword + `"}` + strings.Repeat(" ", 40<<10)
	fmt.Fprintf(c, "POST /api/session HTTP/1.1\r\nHost: sluice.test\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	for piece := range len(body) / 1024 { // over twice the grace
		if _, err := io.WriteString(c, body[piece*1024:min(len(body), (piece+1)*1024)]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Millisecond)
	}
	if _, err := io.WriteString(c, body[len(body)/1024*1024:]); err != nil {
		t.Fatal(err)
	}
	read := bufio.NewReader(c)
	first, err := http.ReadResponse(read, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Body.Close()
	if _, err := io.Copy(io.Discard, first.Body); err != nil || first.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", first.StatusCode, err)
	}
	// And the connection is good for another request, after a while too.
	time.Sleep(600 * time.Millisecond)
	fmt.Fprint(c, "GET /api/health HTTP/1.1\r\nHost: sluice.test\r\n\r\n")
	second, err := http.ReadResponse(read, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Body.Close()
	if second.StatusCode != http.StatusOK {
		t.Errorf("status %d", second.StatusCode)
	}
}

func TestAnswerMayTakeLongerThanItsBodyMayTakeToCome(t *testing.T) {
	s := settledWorld(t)
	s.api.patience.grace = 100 * time.Millisecond
	s.api.door = s.doorWith(dataset.Options{Timeout: time.Second})
	body, err := json.Marshal(s.sql(`WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT x FROM n WHERE x < 0`))
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, s.listening())
	fmt.Fprintf(c, "POST /api/dataset HTTP/1.1\r\nHost: sluice.test\r\n%s: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		sessionHeader, s.AdminSession, len(body), body)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil || !bytes.Contains(data, []byte(dataset.TimedOut)) {
		t.Errorf("%v, %s", err, data)
	}
}

func TestOfAFailedResultNothingHeldBackIsSent(t *testing.T) {
	answer := httptest.NewRecorder()
	rec := &recorder{ResponseWriter: answer}
	rec.line.open(answer, standardPatience())
	out := &resultSink{w: rec}
	row := func(v string) {
		t.Helper()
		if err := out.Row([]any{v}); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Begin(dataset.Head{}); err != nil {
		t.Fatal(err)
	}
	row("sent")
	row(strings.Repeat("x", flushAt))
	row("held back")
	out.Interrupt()
	if err := out.finish(dataset.Summary{Rows: 3}, &dataset.QueryError{Type: dataset.MissingPermissions, Message: "no"}, 0); err != nil {
		t.Fatal(err)
	}
	var got resultOf
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.RowCount != 2 || len(got.Data.Rows) != 2 || got.Data.Rows[0][0] != "sent" || got.Status != "failed" || got.ErrorType != dataset.MissingPermissions {
		t.Errorf("%d rows, %.200s", len(got.Data.Rows), answer.Body.String())
	}
}

func TestWhatFoundNoConnectionMayBeTriedLater(t *testing.T) {
	s := settledWorld(t)
	s.api.door = s.doorWith(dataset.Options{Wait: 50 * time.Millisecond})
	s.member().post("/api/dataset", s.question(s.tableNamed("products"), fields{"limit": 1})).want(http.StatusAccepted) // opens the database
	details, err := json.Marshal(fields{"db": s.Warehouse})
	if err != nil {
		t.Fatal(err)
	}
	sample := warehouse.Database{ID: catalog.DatabaseID(s.Database), Engine: "sqlite", Details: details}
	for s.pool.InUse(sample.ID) < 8 {
		c, err := s.pool.Acquire(t.Context(), sample)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Release()
	}
	question := s.question(s.tableNamed("products"), fields{"limit": 1})
	asked := s.member().post("/api/dataset", question)
	var got resultOf
	asked.into(&got)
	if got.Status != "failed" || got.ErrorType != dataset.Busy {
		t.Errorf("the result is %+v", got)
	}
	for _, r := range []reply{
		asked,
		s.member().post("/api/dataset/csv", fields{"query": question}),
		s.member().get(path("/api/field/%d/values", s.Field)),
	} {
		if r.want(http.StatusServiceUnavailable).header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", r.what)
		}
	}
}
