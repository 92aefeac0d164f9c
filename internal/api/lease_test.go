package api

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// shared is a settled server whose application database others may share.
type shared struct {
	settled
	config store.Config
	db     *sql.DB // the application database, behind the server's back
}

func sharedWorld(t *testing.T) shared { return sharedFor(t, 600*time.Millisecond) }

func sharedFor(t *testing.T, lease time.Duration) shared {
	t.Helper()
	c := storetest.PostgreSQL(t)
	c.Lease = lease
	var made fixture
	if !t.Run("settle", func(t *testing.T) { made = makeSettled(t, c, t.TempDir()) }) {
		t.Fatal("the settled server could not be made")
	}
	db, err := sql.Open("pgx", c.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	made.Warehouse = t.TempDir() + "/sample.db"
	return shared{reopened(t, c, made), c, db}
}

// another serves the same application database, by another way.
func (s shared) another(by string) settled {
	c := s.config
	c.URL = by
	return reopened(s.t, c, s.fixture)
}

// loseLease makes the server lose the lease that it has. It has another one
// soon after.
func (s shared) loseLease() {
	s.t.Helper()
	lease := s.store.Lease()
	if !lease.Held() {
		s.t.Fatal("the server has no lease that it could lose")
	}
	for end := time.Now().Add(long); lease.Held(); time.Sleep(time.Millisecond) {
		if _, err := s.db.Exec("delete from nodes"); err != nil {
			s.t.Fatal(err)
		}
		if time.Now().After(end) {
			s.t.Fatal("the server keeps its lease")
		}
	}
}

func (r reply) withoutLease(words ...string) {
	r.t.Helper()
	r.want(http.StatusServiceUnavailable).leaks(words...)
	if r.header.Get("Retry-After") == "" || !strings.Contains(string(r.body), "lost touch") {
		r.t.Errorf("%s: Retry-After %q, %s", r.what, r.header.Get("Retry-After"), r.body)
	}
}

func TestServerWithoutALeaseAnswersNobody(t *testing.T) {
	t.Parallel()
	s := sharedWorld(t)
	// It reaches the database and has everything in memory; but nobody waits
	// for it.
	alone, err := New(Config{Store: storetest.Open(t, s.config), Door: s.door, Now: s.clock.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := *s.world
	w.api = alone
	bodies := readBodies(t)
	asked := 0
	for _, rt := range routes() {
		if rt.Unleased {
			continue
		}
		var body any
		if text, has := bodies[rt.Method+" "+rt.Path]; has {
			body = s.fill(text)
		}
		for _, c := range []caller{w.nobody(), w.with(s.AdminSession)} {
			c.send(rt.Method, s.address(&rt), body).withoutLease()
			asked++
		}
	}
	if asked < 100 {
		t.Errorf("only %d requests were refused", asked)
	}
	for path, status := range map[string]int{"/api/health": 503, "/api/health/ready": 503, "/api/health/live": 200, "/api/docs/openapi.json": 503} {
		w.nobody().get(path).want(status)
	}
	w.nobody().get("/api/health").keepsText("lost touch")
	req := httptest.NewRequest("GET", "http://localhost/metrics", nil)
	req.RemoteAddr = "127.0.0.1:1"
	rec := httptest.NewRecorder()
	alone.Handler().ServeHTTP(rec, req)
	for _, want := range []string{"sluice_lease_held 0\n", "sluice_lease_seconds 0\n", "sluice_revision_lag 0\n", "sluice_revision " + fmt.Sprint(s.store.Node().Revision)} {
		if rec.Code != 200 || !strings.Contains(rec.Body.String(), want) {
			t.Errorf("status %d, and the metrics have no %s", rec.Code, want)
		}
	}
	s.admin().get("/api/user/current").want(200)
}

func (r reply) keepsText(text string) {
	r.t.Helper()
	if !strings.Contains(string(r.body), text) {
		r.t.Errorf("%s: %s does not say %q", r.what, r.body, text)
	}
}

func TestMetricsShowHowTheServerStandsAmongTheOthers(t *testing.T) {
	t.Parallel()
	s := sharedWorld(t)
	other := s.another(s.config.URL)
	for end := time.Now().Add(long); s.store.Node().Servers != 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the other server is not counted")
		}
	}
	metrics := string(s.admin().get("/metrics").want(200).body)
	for _, want := range []string{"sluice_lease_held 1\n", "sluice_nodes 2\n", "sluice_revision_lag ", "sluice_revision_head ", "sluice_lease_seconds 0."} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	if err := other.store.Close(); err != nil {
		t.Fatal(err)
	}
	s.nobody().get("/api/health").want(200)
}

// The permissions were asked before; another server may have taken them away
// since, and did not wait.
func TestAnswerIsNotGivenAfterTheLeaseItWasMadeUnder(t *testing.T) {
	t.Parallel()
	s := sharedWorld(t)
	at := path("/api/card/%d", s.Card)
	for name, ask := range map[string]func() reply{
		"lost before the handler": func() reply { return s.admin().between("GET", "/api/card/{id}", at, nil, s.loseLease) },
		"lost after the handler":  func() reply { return s.admin().after("GET", "/api/card/{id}", at, nil, s.loseLease) },
		"lost before a write": func() reply {
			return s.admin().between("PUT", "/api/card/{id}", at, fields{"name": "Renamed"}, s.loseLease)
		},
		"lost after a sign-in": func() reply {
			return s.nobody().after("POST", "/api/session", "/api/session", fields{"username": "admin@example.org", "password": testPassword}, s.loseLease)
		},
	} {
		s.settles()
		got := ask()
		got.what = name
		got.withoutLease("Products", "Renamed", `"id"`)
		if cookies := got.header.Values("Set-Cookie"); len(cookies) > 0 || got.header.Get("X-Request-Id") == "" {
			t.Errorf("%s: the answer carries %v", name, got.header)
		}
	}
	s.settles()
	s.admin().get(at).keeps(fields{"name": "Products"})
}

// after sends a request, and does something after the handler has ended and
// before its answer is sent.
func (c caller) after(method, pattern, path string, body any, do func()) reply {
	c.w.t.Helper()
	return c.around(method, pattern, path, body, func(handle func(*API, *request) (any, error), a *API, r *request) (any, error) {
		answer, err := handle(a, r)
		do()
		return answer, err
	})
}

// settles waits until the server has a lease.
func (s shared) settles() {
	s.t.Helper()
	for end := time.Now().Add(long); !s.store.Lease().Held(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatal("the server gets no lease")
		}
	}
}

func TestRowsStopWithTheLease(t *testing.T) {
	t.Parallel()
	s := sharedWorld(t)
	s.api.door = s.doorWith(dataset.Options{Timeout: long})
	address := s.listening()
	body := unescaped(t, s.sql(`WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT x, printf('%.*c', 1000, 'x') FROM n`))
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(long)); err != nil {
		t.Fatal(err)
	}
	form := `{"query":` + body + `}`
	fmt.Fprintf(c, "POST /api/dataset/csv HTTP/1.1\r\nHost: sluice.test\r\n%s: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		sessionHeader, s.AdminSession, len(form), form)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.CopyN(io.Discard, answer.Body, 32<<10); err != nil || answer.StatusCode != 200 {
		t.Fatalf("status %d, %v", answer.StatusCode, err)
	}
	s.loseLease()
	s.settles() // another lease does not bring them back
	rest, err := io.Copy(io.Discard, answer.Body)
	if err == nil {
		t.Errorf("the answer ended as if it were whole, %d bytes later", rest)
	}
	s.admin().get("/api/user/current").want(200)
}

func TestWriterReadsItsWriteFromAnyServer(t *testing.T) {
	t.Parallel()
	s := sharedFor(t, 10*time.Second)
	line := storetest.NewLine(t, s.config.URL)
	other := s.another(line.URL)
	line.Delay(20 * time.Millisecond) // it hears of nothing in time by itself
	if got := s.admin().get("/api/permissions/group").want(200).header.Get(writtenHeader); got != "" {
		t.Errorf("an answer to a read says that it wrote %s", got)
	}
	for i := range 5 {
		name := fmt.Sprint("Group ", i)
		made := s.admin().post("/api/permissions/group", fields{"name": name}).want(200)
		written := made.header.Get(writtenHeader)
		reader := other.admin()
		reader.header = reader.header.Clone()
		reader.header.Set(atLeastHeader, written)
		reader.get(path("/api/permissions/group/%d", made.id())).want(200).keeps(fields{"name": name})
		graph := reader.get(path("/api/permissions/graph/group/%d", made.id())).want(200).object()
		if groups, _ := graph["groups"].(map[string]any); groups[fmt.Sprint(made.id())] == nil {
			t.Errorf("after change %s the other server's graph does not have the group: %v", written, graph)
		}
	}
	reader := s.admin()
	reader.header = reader.header.Clone()
	for _, text := range []string{"x", "-1", "1.5", strconv.FormatInt(s.store.Node().Revision+1, 10), "9223372036854775807"} {
		reader.header.Set(atLeastHeader, text)
		r := reader.get("/api/user/current").want(400)
		if message, _ := r.object()["message"].(string); !strings.Contains(message, atLeastHeader) {
			t.Errorf("%s: %s", text, r.body)
		}
	}
	for _, status := range []reply{s.nobody().post("/api/session", fields{"username": "nobody", "password": "x"}), s.admin().post("/api/permissions/group", fields{"name": "Group 1"})} {
		if status.status < 400 || status.header.Get(writtenHeader) != "" {
			t.Errorf("%s: status %d says that it wrote %s", status.what, status.status, status.header.Get(writtenHeader))
		}
	}
}
