package api

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dbtest"
)

// on is the settled server with the database of another in the place of its
// sample: the member's group has the query builder on it.
func (s settled) on(server *dbtest.Server, details fields) settled {
	s.t.Helper()
	s.Database = s.admin().post("/api/database", fields{"name": "Shop", "engine": server.Engine, "details": details}).id()
	s.data(fields{"view-data": "unrestricted", "create-queries": "query-builder"})
	return s
}

// logged are the lines of the log that speak of a request's query.
func (s settled) logged(r reply) string {
	s.t.Helper()
	var lines []string
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, "request_id="+r.header.Get("X-Request-Id")+" ") && strings.Contains(line, `msg="a query was not answered"`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestWhatAnEngineSaysIsInTheLogUnderTheRequest(t *testing.T) {
	connected(t, func(t *testing.T, s settled, server *dbtest.Server, details fields) {
		s = s.on(server, details)
		orders, database := s.tableNamed("orders"), fmt.Sprint(details["dbname"])
		said := func(r reply, words ...string) {
			t.Helper()
			line := s.logged(r)
			if strings.Count(line, "\n") != 1 {
				t.Fatalf("%s: logged as %q", r.body, line)
			}
			for _, w := range words {
				if !strings.Contains(line, w) {
					t.Errorf("the log has no %q: %s", w, line)
				}
			}
		}

		// A person who may not ask: that it was refused, and nothing of theirs.
		const typed = "7654321"
		filtered := fields{"filter": []any{"=", []any{"field", "total", fields{"base-type": "type/Decimal"}}, typed}}
		r := s.outsider().post("/api/dataset", s.question(orders, filtered)).want(http.StatusAccepted)
		said(r, "level=INFO", "outcome=denied", fmt.Sprintf("user=%d ", s.Outsider), fmt.Sprintf("database=%d ", s.Database))
		if strings.Contains(s.log.String(), typed) {
			t.Error("the log holds what a person typed who was refused")
		}

		// Values that the engine sets apart stay out.
		server.Exec(t, database, "INSERT INTO orders VALUES ("+typed+", 1)")
		broken := map[string]string{"postgres": `SELECT ('{"a":x' || id || '}')::json FROM orders`, "mysql": "SELECT (SELECT id FROM orders UNION SELECT 2) FROM orders"}[server.Engine]
		r = s.admin().post("/api/dataset", s.sql(broken)).want(http.StatusAccepted).ended("failed")
		said(r, "level=WARN", "outcome=failed", fmt.Sprintf("user=%d ", s.Admin), map[string]string{"postgres": "invalid input syntax for type json", "mysql": "Subquery returns more than 1 row"}[server.Engine])
		if strings.Contains(s.log.String(), typed) {
			t.Error("the log holds a value of a row")
		}

		// A table that went away since it was read.
		card := s.member().post("/api/card", s.newCard(s.Collection, s.question(orders))).id()
		server.Exec(t, database, "DROP TABLE orders")
		r = s.member().post(path("/api/card/%d/query", card), nil).want(http.StatusAccepted).ended("failed")
		if got := r.object(); got["error"] != "Not found or no access." {
			t.Errorf("the person is told %v", got["error"])
		}
		words := map[string]string{"postgres": "does not exist (SQLSTATE 42P01)", "mysql": "doesn't exist"}[server.Engine]
		r.leaks(words)
		said(r, fmt.Sprintf("user=%d ", s.Member), fmt.Sprintf("card=%d ", card), words)
	})
}

// interrupted does something once, when the first bytes of an answer come.
type interrupted struct {
	*httptest.ResponseRecorder
	do func()
}

func (w *interrupted) Write(b []byte) (int, error) {
	if w.do != nil {
		w.do()
		w.do = nil
	}
	return w.ResponseRecorder.Write(b)
}

func TestAWarehouseThatDiesUnderAResultEndsItWithTheNews(t *testing.T) {
	connected(t, func(t *testing.T, s settled, server *dbtest.Server, details fields) {
		// More than lies in the buffers between here and there.
		series := map[string]string{"postgres": "generate_series(1, 2000) AS s(id)", "mysql": "(SELECT seq AS id FROM seq_1_to_2000) s"}[server.Engine]
		login := fmt.Sprint(details["user"])
		server.Exec(t, fmt.Sprint(details["dbname"]), "CREATE VIEW letters AS SELECT id, repeat('x', 20000) AS words FROM "+series, "GRANT SELECT ON letters TO "+login)
		s = s.on(server, details)
		ask := func(w http.ResponseWriter) {
			body, err := json.Marshal(s.question(s.tableNamed("letters")))
			if err != nil {
				t.Fatal(err)
			}
			req := httptest.NewRequest("POST", "http://sluice.test/api/dataset", bytes.NewReader(body))
			req.Header = s.member().header
			req.Header.Set("Content-Type", "application/json")
			s.api.Handler().ServeHTTP(w, req)
		}
		for range 3 {
			w := &interrupted{httptest.NewRecorder(), func() { server.Disconnect(t, login) }}
			ask(w)
			r := reply{t, "a result that ends early", w.Code, w.Header(), w.Body.Bytes()}
			got := r.want(http.StatusAccepted).ended("failed").object()
			if rows := got["data"].(fields)["rows"].([]any); len(rows) == 0 || len(rows) >= 2000 || got["error"] != "The database cannot be reached." {
				t.Errorf("%d rows, then %v", len(rows), got["error"])
			}
			if line := s.logged(r); !strings.Contains(line, "unusable: ") {
				t.Errorf("logged as %q", line)
			}
			if n := s.pool.InUse(catalog.DatabaseID(s.Database)); n != 0 {
				t.Errorf("%d connections are still in use", n)
			}
			whole := httptest.NewRecorder()
			ask(whole)
			reply{t, "the next question", whole.Code, whole.Header(), whole.Body.Bytes()}.want(http.StatusAccepted).ended("completed")
		}
		if n := s.pool.InUse(catalog.DatabaseID(s.Database)); n != 0 {
			t.Errorf("%d connections are still in use", n)
		}
	})
}

// SQLite keeps any bytes as names and as text.
func TestBytesThatAreNotUTF8StayAnswerable(t *testing.T) {
	s := settledWorld(t)
	file := filepath.Join(t.TempDir(), "bytes.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"CREATE TABLE notes (id INTEGER PRIMARY KEY, words TEXT, \"odd\xff\" TEXT, kind \"SORT\xfe\")", "CREATE TABLE \"lost\xff\" (id INTEGER)",
		"INSERT INTO notes VALUES (1, 'plain', 'x', 'y'), (2, CAST(x'61ff62' AS TEXT), NULL, NULL), (3, x'c328', NULL, NULL)",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.Database = s.admin().post("/api/database", fields{"name": "Bytes", "engine": "sqlite", "details": fields{"db": file}}).id()
	s.data(fields{"view-data": "unrestricted", "create-queries": "query-builder"})
	sync := s.admin().get(path("/api/database/%d/sync", s.Database)).keeps(fields{"state": "done", "tables": 1})
	if notes := fmt.Sprint(sync.object()["report"].(fields)["notes"]); !strings.Contains(notes, "lost\ufffd, notes.odd\ufffd") {
		t.Errorf("the sync notes %s", notes)
	}
	for _, q := range []reply{
		s.member().post("/api/dataset", s.question(s.tableNamed("notes"), fields{"fields": []any{[]any{"field", s.fieldNamed("notes", "id"), nil}, []any{"field", s.fieldNamed("notes", "words"), nil}}})),
		s.admin().post("/api/dataset", s.sql("SELECT id, words FROM notes ORDER BY id")),
	} {
		got := q.want(http.StatusAccepted).ended("completed").object()["data"].(fields)
		if rows := fmt.Sprint(got["rows"]); rows != "[[1 plain] [2 Yf9i] [3 wyg=]]" || !utf8.Valid(q.body) {
			t.Errorf("the rows are %s", rows)
		}
	}
	// A name comes out of SQL all the same.
	whole := s.admin().post("/api/dataset", s.sql("SELECT * FROM notes ORDER BY id")).want(http.StatusAccepted).ended("completed")
	if !utf8.Valid(whole.body) || !strings.Contains(string(whole.body), `"odd\ufffd"`) {
		t.Errorf("the answer is %s", whole.body)
	}
}
