//go:build !gateoff

package gate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver
	"github.com/sluice-bi/sluice/internal/dbtest"
)

// What is printed of ordinary SQL gives what the SQL itself gives.
func TestWhatIsPrintedGivesWhatWasTyped(t *testing.T) {
	server := dbtest.PostgreSQL(t)
	name := server.Database(t)
	server.Exec(t, name,
		`CREATE TABLE people (id int, name text, boss int)`,
		`INSERT INTO people VALUES (1, 'ann', NULL), (2, 'bob', 1), (3, 'xcyx', 1), (4, 'Dörte', 2)`,
		`CREATE TABLE products (id int, name text, price numeric)`,
		`INSERT INTO products VALUES (1, 'ann', 9.99), (2, 'tea', 3)`,
		`CREATE TABLE orders (id int, person_id int, total numeric, status text, created_at timestamp)`,
		`INSERT INTO orders SELECT i, i % 3 + 1, i * 7.5, (ARRAY['open', 'paid', NULL])[i % 3 + 1], timestamp '2020-01-01' + i * interval '5 days' FROM generate_series(1, 20) i`,
		`INSERT INTO orders VALUES (21, NULL, NULL, NULL, NULL)`,
		`CREATE TABLE events (id int, order_id int, data jsonb)`,
		`INSERT INTO events VALUES (1, 1, '{"a": {"b": 5}, "tags": ["x", "y"]}'), (2, 3, '{"a": [0, 1, 2], "tags": []}')`,
		`CREATE TABLE "Straße" ("Größe" int, "select" text)`,
		`INSERT INTO "Straße" VALUES (5, 'ö')`)
	db, err := sql.Open("pgx", server.URL(name))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()

	itself := func(_, name string) (string, string, bool) { return "public", name, tables[name] }
	rows, newer := 0, 0
	for _, c := range ordinary {
		printed, err := Postgres(c.sql, itself)
		if err != nil {
			continue // which is told by another test
		}
		// Both in one transaction, so that now() is the same.
		tx, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
		if err != nil {
			t.Fatal(err)
		}
		typed, err := answer(t.Context(), tx, c.sql)
		var syntax *pgconn.PgError
		if errors.As(err, &syntax) && syntax.Code == "42601" && strings.Contains(c.sql, "JSON_") {
			newer++
			_ = tx.Rollback()
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.sql, err)
			_ = tx.Rollback()
			continue
		}
		got, err := answer(t.Context(), tx, printed)
		if err != nil || !slices.Equal(got, typed) {
			t.Errorf("%s\nis printed as %s\nand gives %v with the error %v, not %v", c.sql, printed, got, err, typed)
		}
		rows += len(typed) - 1
		_ = tx.Rollback()
	}
	if rows < 150 || newer > 2 {
		t.Errorf("only %d rows were compared, and %d queries not run", rows, newer)
	}
}

// answer is what a query gives: its columns with their types, and its rows.
func answer(ctx context.Context, tx *sql.Tx, query string) ([]string, error) {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	var head []string
	cells, into := make([]any, len(columns)), make([]any, len(columns))
	for i, c := range columns {
		head = append(head, c.Name()+" "+c.DatabaseTypeName())
		into[i] = &cells[i]
	}
	all := []string{strings.Join(head, ", ")}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		all = append(all, fmt.Sprint(cells...))
	}
	return all, rows.Err()
}
