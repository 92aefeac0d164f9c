package warehouse

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// exec runs statements on a file, as whoever owns it would.
func exec(t *testing.T, file string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// sampleContent is the digest of all rows of the sample. It changes only when
// somebody means to change the sample.
const sampleContent = "c06232c283ae5478f5e1452b206224393427c7711e4814d2bc43e127fd84f9be"

func TestSampleIsAlwaysTheSame(t *testing.T) {
	one, two := filepath.Join(t.TempDir(), "one.db"), filepath.Join(t.TempDir(), "two.db")
	for _, file := range []string{one, two, two} { // over an old one as well
		if err := WriteSample(file); err != nil {
			t.Fatal(err)
		}
	}
	a, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(two)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("two samples differ")
	}
	if len(a) > 10<<20 {
		t.Errorf("the sample has %d bytes", len(a))
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(two), "*")); len(left) != 1 {
		t.Errorf("beside the sample lies %v", left)
	}

	db, err := sql.Open("sqlite", "file:"+one+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	h := sha256.New()
	for _, table := range []string{"organizations", "products", "people", "orders", "reviews", "invoices"} {
		digest(t, h, db, table)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sampleContent {
		t.Errorf("the content of the sample has changed: %s", got)
	}
}

// digest adds all rows of a table to a hash.
func digest(t *testing.T, h io.Writer, db *sql.DB, table string) {
	t.Helper()
	rows, err := db.Query("SELECT * FROM " + table + " ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(h, "%s %v\n", table, values)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestSampleIsWhole(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sample.db")
	if err := WriteSample(file); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, tt := range []struct {
		promise  string
		sql      string
		min, max float64
	}{
		{"no key points to nothing", `SELECT count(*) FROM pragma_foreign_key_check`, 0, 0},
		{"the file is sound", `SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'`, 0, 0},
		{"at least eight organizations", `SELECT count(*) FROM organizations`, 8, 20},
		{"of different sizes", `SELECT max(n) * 1.0 / min(n) FROM (SELECT count(*) AS n FROM orders GROUP BY organization_id)`, 10, 1000},
		{"each with orders", `SELECT count(DISTINCT organization_id) FROM orders`, 10, 10},
		{"twenty thousand orders", `SELECT count(*) FROM orders`, 20000, 20000},
		{"over three years", `SELECT count(DISTINCT strftime('%Y-%m', created_at)) FROM orders`, 36, 36},
		{"that are 2023 to 2025", `SELECT count(*) FROM orders WHERE created_at < '2023-01-01' OR created_at >= '2026-01-01'`, 0, 0},
		{"growing", `SELECT sum(created_at >= '2025-01-01') * 1.0 / sum(created_at < '2024-01-01') FROM orders`, 1.3, 2},
		{"with a season", `SELECT sum(strftime('%m', created_at) = '12') * 1.0 / sum(strftime('%m', created_at) = '07') FROM orders`, 1.4, 3},
		{"nobody orders for another organization", `SELECT count(*) FROM orders o JOIN people p ON p.id = o.person_id WHERE p.organization_id <> o.organization_id`, 0, 0},
		{"nobody orders before joining", `SELECT count(*) FROM orders o JOIN people p ON p.id = o.person_id WHERE p.created_at > o.created_at`, 0, 0},
		{"no organization orders before it is there", `SELECT count(*) FROM orders o JOIN organizations g ON g.id = o.organization_id WHERE g.created_at > o.created_at`, 0, 0},
		{"totals are right", `SELECT count(*) FROM orders WHERE abs(subtotal - coalesce(discount, 0) + tax - total) > 0.005`, 0, 0},
		{"subtotals are right", `SELECT count(*) FROM orders o JOIN products p ON p.id = o.product_id WHERE abs(p.price * o.quantity - o.subtotal) > 0.005`, 0, 0},
		{"reviews are of what was ordered", `SELECT count(*) FROM reviews r JOIN orders o ON o.id = r.order_id
			WHERE (o.organization_id, o.person_id, o.product_id) IS NOT (r.organization_id, r.person_id, r.product_id) OR r.created_at < o.created_at`, 0, 0},
		{"reviews exist", `SELECT count(*) FROM reviews`, 1000, 3000},
		{"of every rating", `SELECT count(DISTINCT rating) FROM reviews`, 5, 5},
		{"better products are rated better", `SELECT avg(r.rating) FILTER (WHERE p.rating > 4.3) - avg(r.rating) FILTER (WHERE p.rating < 3.4) FROM reviews r JOIN products p ON p.id = r.product_id`, 0.5, 3},
		{"an invoice has what was ordered in its month", `SELECT count(*) FROM invoices i WHERE abs(amount - (SELECT sum(total) FROM orders o
			WHERE o.organization_id = i.organization_id AND o.status <> 'cancelled' AND date(o.created_at, 'start of month', '+1 month') = i.issued_on)) > 0.005`, 0, 0},
		{"everything of a tenant says whose it is", `SELECT count(*) FROM sqlite_schema s WHERE s.type = 'table' AND s.name NOT IN ('organizations', 'products')
			AND NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list(s.name) k WHERE k."from" = 'organization_id' AND k."table" = 'organizations')`, 0, 0},
		{"no product twice", `SELECT count(*) - count(DISTINCT title) FROM products`, 0, 0},
	} {
		var got float64
		if err := db.QueryRow(tt.sql).Scan(&got); err != nil {
			t.Errorf("%s: %v", tt.promise, err)
		} else if got < tt.min || got > tt.max {
			t.Errorf("%s: %v is not between %v and %v", tt.promise, got, tt.min, tt.max)
		}
	}
}

func TestSampleThatCannotBeWrittenLeavesTheOldOne(t *testing.T) {
	dir := t.TempDir()
	if err := WriteSample(filepath.Join(dir, "no", "such", "folder", "sample.db")); err == nil {
		t.Error("a sample was written into a folder that is not there")
	}
}
