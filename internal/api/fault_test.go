package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

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
