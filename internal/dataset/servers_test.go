package dataset

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// What the question language writes for a server runs there over the driver
// that questions go through, with its arguments, and says what SQL typed by
// hand says.
func TestQuestionsRunOnServers(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		e.server.Exec(t, e.databaseName(), "INSERT INTO orders VALUES (4, 'W\u00e9st', 0.10, '2024-01-31 23:59:59'), (5, 'it''s %_', 1234567.89, '2023-12-31 00:00:00'), (6, NULL, NULL, '2024-07-02 00:00:00')")
		if err := e.store.SetSettings(t.Context(), store.Actor{}, map[string]string{startOfWeek: "monday"}); err != nil {
			t.Fatal(err)
		}
		fields := map[string]any{}
		for _, f := range e.store.Graph().Catalog().Fields(e.orders) {
			fields[f.Name] = f.ID
		}
		field := func(name, options string) string { return fmt.Sprintf(`["field",%v,%s]`, fields[name], options) }
		month := map[string]string{"postgres": "to_char(at, 'YYYY-MM')", "mysql": "date_format(at, '%Y-%m')"}[e.server.Engine]
		for _, c := range []struct{ name, query, sql string }{
			{"numbers", `"filter":["and",[">",` + field("total", "null") + `,9.5],["!=",` + field("id", "null") + `,5]],"aggregation":[["count"],["sum",` + field("total", "null") + `]]`,
				`SELECT count(*), sum(total) FROM orders WHERE total > 9.5 AND id <> 5`},
			{"text", `"filter":["or",["contains",` + field("region", "null") + `,"%_"],["=",` + field("region", "null") + `,"W\u00e9st"]],"fields":[` + field("id", "null") + `],"order-by":[["asc",` + field("id", "null") + `]]`,
				`SELECT id FROM orders WHERE id IN (4, 5) ORDER BY id`},
			{"text that is SQL", `"filter":["=",` + field("region", "null") + `,"' OR '1'='1"],"aggregation":[["count"]]`, `SELECT 0`},
			{"nulls", `"filter":["is-null",` + field("region", "null") + `],"aggregation":[["count"]]`, `SELECT count(*) FROM orders WHERE region IS NULL`},
			{"dates", `"filter":["between",` + field("at", "null") + `,"2024-01-01","2024-06-30"],"aggregation":[["count"]]`, `SELECT count(*) FROM orders WHERE at >= '2024-01-01' AND at < '2024-07-01'`},
			{"months", `"filter":["not-null",` + field("at", "null") + `],"aggregation":[["count"]],"breakout":[` + field("at", `{"temporal-unit":"month"}`) + `]`,
				`SELECT ` + month + `, count(*) FROM orders WHERE at IS NOT NULL GROUP BY 1 ORDER BY 1`},
			{"weeks", `"filter":["=",` + field("id", "null") + `,6],"aggregation":[["count"]],"breakout":[` + field("at", `{"temporal-unit":"week"}`) + `]`, `SELECT '2024-07-01', 1`},
			{"an expression", `"filter":["=",` + field("id", "null") + `,1],"expressions":{"x":["+",["*",` + field("total", "null") + `,2],0.5]},"fields":[["expression","x"]]`, `SELECT total * 2 + 0.5 FROM orders WHERE id = 1`},
			{"a join", `"joins":[{"alias":"s","source-table":` + fmt.Sprint(e.salaries) + `,"condition":["=",` + field("id", "null") + `,` + fmt.Sprintf(`["field",%v,{"join-alias":"s"}]`, e.store.Graph().Catalog().Fields(e.salaries)[0].ID) + `]}],"aggregation":[["count"]]`,
				`SELECT count(*) FROM orders LEFT JOIN salaries ON salaries.id = orders.id`},
		} {
			a, _, err := e.run(e.admin, ask(fmt.Sprintf(`{"database":%d,"type":"query","query":{"source-table":%d,%s}}`, e.id, e.orders, c.query)))
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			want, _, err := e.run(e.admin, ask(e.native(c.sql)))
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if got, want := likeness(t, a.rows), likeness(t, want.rows); got != want {
				t.Errorf("%s: %s, want %s", c.name, got, want)
			}
		}

		e.set(permission.Unrestricted, permission.QueryBuilder, nil)
		values, err := e.door.FieldValues(t.Context(), e.person, e.region)
		if err != nil || len(values.Values) < 4 {
			t.Errorf("values %v, %v", values, err)
		}
		saved, err := e.door.CheckSave(t.Context(), e.admin, json.RawMessage(e.native("SELECT id, total FROM orders")))
		if err != nil || len(saved.Columns) != 2 || saved.Columns[1].BaseType != "type/Decimal" {
			t.Errorf("%+v, %v", saved, err)
		}
	})
}

// likeness writes rows so that numbers and dates of the same worth look alike.
func likeness(t *testing.T, rows [][]any) string {
	t.Helper()
	var out []string
	for _, row := range rows {
		for _, v := range row {
			s := fmt.Sprint(v)
			switch {
			case strings.HasSuffix(s, "-01T00:00:00Z") && len(s) == len("2024-01-01T00:00:00Z"):
				s = strings.TrimSuffix(s, "-01T00:00:00Z")
			case strings.HasSuffix(s, "-07-01"):
				s = strings.TrimSuffix(s, "-01")
			case strings.Contains(s, ".") && !strings.Contains(s, "-"):
				s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
			}
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}
