//go:build !gateoff

package gate

import (
	"fmt"
	"slices"
	"testing"
)

// A name of WITH hides a table exactly where PostgreSQL lets it.
func TestNamesOfWithHideTablesOnlyWhereTheyAreInScope(t *testing.T) {
	for _, c := range []struct {
		sql   string
		asked []string // for which tables Names is asked
	}{
		{"SELECT * FROM secrets", []string{"secrets"}},
		{"WITH secrets AS (SELECT 1) SELECT * FROM secrets", nil},
		{"WITH secrets AS (SELECT * FROM secrets) SELECT * FROM secrets", []string{"secrets"}},
		{"WITH secrets AS MATERIALIZED (SELECT * FROM secrets) SELECT * FROM secrets s, secrets", []string{"secrets"}},
		{"WITH RECURSIVE secrets AS (SELECT 1 UNION SELECT * FROM secrets) SELECT * FROM secrets", nil},
		{"WITH RECURSIVE a AS (SELECT * FROM secrets), secrets AS (SELECT 1) SELECT * FROM a", nil},
		{"WITH a AS (SELECT * FROM secrets), secrets AS (SELECT 1) SELECT * FROM a", []string{"secrets"}},
		{"WITH secrets AS (SELECT 1), a AS (SELECT * FROM secrets) SELECT * FROM a", nil},
		{"WITH secrets AS (SELECT 1) SELECT * FROM public.secrets", []string{"public.secrets"}},
		{"WITH RECURSIVE secrets AS (SELECT * FROM public.secrets) SELECT * FROM secrets", []string{"public.secrets"}},
		{`WITH secrets AS (SELECT 1) SELECT * FROM "Secrets"`, []string{"Secrets"}},
		{`WITH "Secrets" AS (SELECT 1) SELECT * FROM Secrets`, []string{"secrets"}},
		{"SELECT * FROM (WITH secrets AS (SELECT 1) SELECT * FROM secrets) x", nil},
		{"SELECT * FROM (WITH secrets AS (SELECT 1) SELECT 1) x, secrets", []string{"secrets"}},
		{"SELECT (WITH secrets AS (SELECT 1) SELECT 1), (SELECT 1 FROM secrets)", []string{"secrets"}},
		{"WITH secrets AS (SELECT 1) SELECT (SELECT 1 FROM (SELECT * FROM secrets) x)", nil},
		{"WITH a AS (WITH secrets AS (SELECT 1) SELECT * FROM secrets) SELECT * FROM secrets", []string{"secrets"}},
		{"WITH a AS (WITH secrets AS (SELECT * FROM secrets) SELECT * FROM secrets) SELECT * FROM a", []string{"secrets"}},
		{"WITH secrets AS (WITH secrets AS (SELECT 1) SELECT * FROM secrets) SELECT * FROM secrets", nil},
		{"WITH secrets AS (SELECT 1) SELECT 1 UNION SELECT * FROM secrets", nil},
		{"(WITH secrets AS (SELECT 1) SELECT * FROM secrets) UNION SELECT * FROM secrets", []string{"secrets"}},
		{"SELECT * FROM secrets UNION (WITH secrets AS (SELECT 1) SELECT * FROM secrets)", []string{"secrets"}},
		{"WITH secrets AS (SELECT 1) SELECT 1 ORDER BY (SELECT 1 FROM secrets) LIMIT (SELECT count(*) FROM secrets)", nil},
		{"WITH secrets AS (SELECT 1) SELECT * FROM orders, LATERAL (SELECT * FROM secrets) x", []string{"orders"}},
		{"SELECT * FROM orders AS secrets, LATERAL (SELECT secrets.id) x", []string{"orders"}},
		{"SELECT * FROM orders AS secrets, secrets AS orders", []string{"orders", "secrets"}},
		{"WITH secrets AS (SELECT 1) TABLE secrets", nil},
		{"WITH secrets AS (SELECT 1) VALUES ((SELECT 1 FROM secrets))", nil},
	} {
		var asked []string
		_, err := Postgres(c.sql, func(schema, name string) (string, string, bool) {
			asked = append(asked, dotted(schema, name))
			return "sbx", name, true
		})
		if err != nil || !slices.Equal(asked, c.asked) {
			t.Errorf("%s: asked for %v with the error %v, wanted %v", c.sql, asked, err, c.asked)
		}
	}
}

func TestSchemasBeforeColumnsAreDropped(t *testing.T) {
	names := func(schema, name string) (string, string, bool) {
		if schema == "hr" {
			return "sbx", "hr_" + name, name != "secrets"
		}
		return views(schema, name)
	}
	for _, c := range []struct{ sql, want string }{
		{"SELECT public.orders.id FROM public.orders", "SELECT orders.id FROM sbx.orders orders"},
		{"SELECT public.orders.id FROM orders", "SELECT orders.id FROM sbx.orders orders"},
		{"SELECT hr.orders.* FROM hr.orders", "SELECT orders.* FROM sbx.hr_orders orders"},
		{"SELECT (SELECT public.orders.id) FROM orders", "SELECT (SELECT orders.id) FROM sbx.orders orders"},
		{"SELECT public.orders.id FROM hr.orders", ""},
		{"SELECT hr.secrets.id FROM hr.orders", ""},
		{"SELECT public.orders.id FROM orders o", ""},
		{"SELECT public.people.id FROM orders", ""},
		// Here the name alone would mean the subquery.
		{"SELECT (SELECT public.orders.id FROM (SELECT 5 AS id) orders) FROM public.orders", ""},
		{"WITH orders AS (SELECT 1 AS id) SELECT public.orders.id FROM public.orders, (SELECT * FROM orders) x", ""},
	} {
		got, err := Postgres(c.sql, names)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: printed %q with the error %v, wanted %q", c.sql, got, err, c.want)
		}
	}
}

func TestARefusalNamesOnlyWhatWasTyped(t *testing.T) {
	asked := 0
	_, err := Postgres("SELECT * FROM a.b", func(schema, name string) (string, string, bool) {
		asked++
		return "inner", "innermost", false
	})
	if want := "there is no table a.b that you may read (at character 15)"; asked != 1 || fmt.Sprint(err) != want {
		t.Errorf("asked %d times, got %v, wanted %s", asked, err, want)
	}
}
