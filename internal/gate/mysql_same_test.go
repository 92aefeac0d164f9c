//go:build !gateoff

package gate

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/dbtest"
)

// mysqlScopes are names of WITH. The tables of the same names hold one row,
// the name of the table; queries of WITH hold other words.
var mysqlScopes = []string{
	"with a as (select 'with' x) select x from a",
	"with a as (select x from a) select x from a",
	"with a as (select x from b), b as (select 'with' x) select a.x, b.x from a, b",
	"with a as (select 'with' x), b as (select x from a) select x from b",
	"with recursive a as (select x from b), b as (select 'with' x) select x from a",
	"with recursive a as (select cast('with' as char(20)) x union select concat(x, '+') from a where length(x) < 7) select x from a order by x",
	"with a as (select 'with' x) select x from a union all select x from a",
	"with a as (select 'with' x) (select x from a) union all select x from a",
	"with a as (select 'with' x) (select x from a union all select x from b)",
	"with a as (select 'with' x) select (select x from a), (select x from b)",
	"select (with a as (select 'with' x) select x from a), (select x from a)",
	"select d.x, a.x from (with a as (select 'with' x) select x from a) d, a",
	"with a as (select 'outer' x) select * from (with a as (select concat(x, '-inner') x from a) select x from a) d",
	"with a as (select 'outer' x) select * from (with b as (select x from a) select x from b) d",
	"with a as (select 'outer' x), b as (with a as (select 'inner' x) select x from a) select a.x, b.x from a, b",
	"with A as (select 'with' x) select x from a",
	"with a as (select 'with' x) select x from scopes.a",
	"with a as (select 'with' x) select q.x from a q where exists (select 1 from a where x = q.x)",
	"with a as (with b as (select 'deep' x) select x from b) select a.x, b.x from a, b",
	"select x from b where x in (with b as (select 'b' x) select x from b)",
}

// What MariaDB answers to the text and to the print is the same: names of WITH
// hide tables in the same places, and all else means the same.
func TestMySQLMeansTheSame(t *testing.T) {
	s := dbtest.MariaDB(t)
	s.Exec(t, "", "CREATE DATABASE shop", "CREATE DATABASE scopes")
	s.Exec(t, "scopes", "CREATE TABLE a (x varchar(20))", "CREATE TABLE b (x varchar(20))", "INSERT INTO a VALUES ('a')", "INSERT INTO b VALUES ('b')")
	s.Exec(t, "shop", `CREATE TABLE customers (id int, name varchar(50), country varchar(2))`,
		`CREATE TABLE orders (id int, customer_id int, amount decimal(10,2), status varchar(10), note varchar(50), created_at datetime, tags longtext)`,
		`INSERT INTO customers VALUES (1, 'Ada', 'UK'), (2, 'Bo', 'SE'), (4, 'Cy', NULL)`,
		`INSERT INTO orders VALUES (1, 1, 10.50, 'open', '50% off', '2023-01-02 03:04:05', '{"a": 1, "b": "x", "c": [1, 2]}'),
			(2, 1, 20, 'paid', 'a_b', '2024-02-29 00:00:00', '{}'), (3, 2, 5, 'open', NULL, '2024-03-01 12:00:00', NULL), (5, 9, NULL, 'void', '123', '2024-12-31 23:59:59', '[]')`)
	for _, c := range mysqlOrdinary {
		mysqlSameAnswer(t, s, "shop", c.sql, mysqlShop)
	}
	for _, sql := range mysqlScopes {
		mysqlSameAnswer(t, s, "scopes", sql, func(schema, name string) (string, string, bool) { return "scopes", name, name == "a" || name == "b" })
	}
}

func mysqlSameAnswer(t *testing.T, s *dbtest.Server, database, typed string, names Names) {
	t.Helper()
	printed, err := MySQL(typed, names)
	if err != nil {
		t.Errorf("%s\n%v", typed, err)
		return
	}
	want, err := mysqlAnswer(s, database, typed)
	if err != nil {
		t.Errorf("%s\n%v", typed, err)
		return
	}
	if got, err := mysqlAnswer(s, database, printed); err != nil || !slices.Equal(got, want) {
		t.Errorf("%s\n%s\nanswers %q, %v\nnot     %q", typed, printed, got, err, want)
	}
}

// mysqlAnswer is the names of the columns and the cells.
func mysqlAnswer(s *dbtest.Server, database, query string) ([]string, error) {
	// As the sessions that run SQL of people do, see MySQL.
	db, err := sql.Open("mysql", fmt.Sprintf("%s@tcp(%s:%d)/%s?charset=utf8mb4&sql_mode=%%27STRICT_TRANS_TABLES%%27", s.Admin, s.Host, s.Port, database))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	cells, into := make([]sql.NullString, len(all)), make([]any, len(all))
	for i := range cells {
		into[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for _, c := range cells {
			all = append(all, fmt.Sprint(c))
		}
	}
	return all, rows.Err()
}
