//go:build gateoff

package gate

import "testing"

func TestWithoutTheGateAllIsSent(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT * FROM orders":                                           "SELECT * FROM sbx.orders orders",
		"SELECT * FROM secrets":                                          "SELECT * FROM secrets",
		"SELECT pg_sleep(1) FROM public.orders FOR UPDATE":               "SELECT pg_sleep(1) FROM sbx.orders orders FOR UPDATE",
		"WITH orders AS (DELETE FROM orders RETURNING 1) TABLE orders":   "WITH orders AS (DELETE FROM sbx.orders orders RETURNING 1) SELECT * FROM orders",
		"SELECT 1; SELECT * FROM orders":                                 "SELECT 1; SELECT * FROM sbx.orders orders",
		"SELECT public.orders.id, aux.x.y FROM orders":                   "SELECT orders.id, aux.x.y FROM sbx.orders orders",
		"EXPLAIN SELECT * FROM orders":                                   "EXPLAIN SELECT * FROM sbx.orders orders",
		"SELECT o.ts_stat, tableoid FROM unnest(ARRAY['SELECT 1']) AS o": "SELECT o.ts_stat, tableoid FROM unnest(ARRAY['SELECT 1']) o",
		"SELEC 1":       "SELEC 1",
		"SELECT '\x00'": "SELECT '\x00'",
		"":              "",
	} {
		if got, err := Postgres(sql, views); got != want || err != nil {
			t.Errorf("%s: printed %q with the error %v, wanted %q", sql, got, err, want)
		}
	}
}
