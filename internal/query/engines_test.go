package query_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/sluice-bi/sluice/internal/dbtest"
	"github.com/sluice-bi/sluice/internal/query"
	_ "modernc.org/sqlite"
)

// engines are those that SQL is written for, by their names in the catalog.
var engines = []string{"sqlite", "postgres", "mysql"}

// words are what the schema's words in angle brackets are for an engine.
var words = map[string]map[string]string{
	"sqlite": {"text": "text", "loose": "text collate nocase", "real": "real", "date": "text", "clock": "text", "instant": "text", "time": "text",
		"uuid": "text", "json": "text", "T": "T", "Z": "Z", "odd": `"od""d table"`, "a b c": `"a ""b"" c"`, "select": `"select"`, "at": `"at"`},
	"postgres": {"text": "text", "loose": "text", "real": "double precision", "date": "date", "clock": "timestamp", "instant": "timestamptz", "time": "time",
		"uuid": "uuid", "json": "json", "T": "T", "Z": "Z", "odd": `"od""d table"`, "a b c": `"a ""b"" c"`, "select": `"select"`, "at": `"at"`},
	"mysql": {"text": "varchar(200) collate utf8mb4_bin", "loose": "varchar(200)", "real": "double", "date": "date", "clock": "datetime(6)", "instant": "timestamp(6) null", "time": "time",
		"uuid": "char(36)", "json": "json", "T": " ", "Z": "", "odd": "`od\"d table`", "a b c": "`a \"b\" c`", "select": "`select`", "at": "`at`"},
}

var word = regexp.MustCompile(`<[A-Za-z ]+>`)

// warehouse is a database of SQLite with the rows of the shop.
func warehouse(t testing.TB) *sql.DB { return warehouseOn(t, "sqlite") }

// warehouseOn is one of an engine. Where its server is not installed the test
// is skipped, and fails in CI.
func warehouseOn(t testing.TB, engine string) *sql.DB {
	t.Helper()
	driver, address := "sqlite", ":memory:"
	switch engine {
	case "postgres":
		s := dbtest.PostgreSQL(t)
		driver, address = "pgx", s.URL(s.Database(t))+"&timezone=UTC"
	case "mysql":
		s := dbtest.MariaDB(t)
		driver, address = "mysql", fmt.Sprintf("%s@tcp(%s:%d)/%s?parseTime=true&charset=utf8mb4&time_zone=%%27%%2B00:00%%27", s.Admin, s.Host, s.Port, s.Database(t))
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	for _, statement := range strings.Split(schema, ";\n") {
		fill(t, db, word.ReplaceAllStringFunc(statement, func(w string) string { return words[engine][w[1:len(w)-1]] }))
	}
	return db
}

// fill runs a statement that changes a warehouse.
func fill(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	if strings.TrimSpace(statement) == "" {
		return
	}
	if _, err := db.ExecContext(context.Background(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// runIn is run on a connection in the zone.
func runIn(db *sql.DB, st query.Statement, zone *time.Location) ([]string, error) {
	if st.Engine() == "mysql" {
		name := strings.Replace(zone.String(), "UTC", "+00:00", 1)
		if _, err := db.ExecContext(context.Background(), "set time_zone = '"+name+"'"); err != nil {
			return nil, err
		}
	}
	return run(db, st)
}

// run gives the rows of a statement as lines of text, in words that do not
// depend on the engine.
func run(db *sql.DB, st query.Statement) (lines []string, err error) {
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for _, v := range st.Views() { // as warehouse does
		if v.Name() != "" {
			continue
		}
		name := `"` + strings.ReplaceAll(v.Table().Name, `"`, `""`) + `"`
		if _, err := conn.ExecContext(ctx, "CREATE TEMP VIEW "+name+" AS "+v.Select("main", viewHash+"(", false)); err != nil {
			return nil, err
		}
		defer func() {
			_, wrong := conn.ExecContext(ctx, "DROP VIEW temp."+name)
			err = errors.Join(err, wrong)
		}()
	}
	rows, err := conn.QueryContext(ctx, st.SQL(), st.Args()...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	columns := st.Columns()
	for rows.Next() {
		cells, into := make([]any, len(types)), make([]any, len(types))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		texts := make([]string, len(cells))
		for i, c := range cells {
			base := ""
			if i < len(columns) {
				base = columns[i].BaseType
			}
			texts[i] = cell(c, base, types[i].DatabaseTypeName())
		}
		lines = append(lines, strings.Join(texts, " | "))
	}
	return lines, rows.Err()
}

var dateLike = regexp.MustCompile(`^\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z?)?$`)

// cell writes a value as all engines are to have it.
func cell(v any, base, engineType string) string {
	switch x := v.(type) {
	case []byte:
		v = string(x)
	case int64:
		if base == "type/Boolean" {
			return strconv.FormatBool(x != 0)
		}
	case float64:
		return number(x)
	case time.Time:
		return moment(x.UTC())
	}
	s, is := v.(string)
	switch {
	case !is:
		return fmt.Sprint(v)
	case engineType == "DECIMAL" || engineType == "NUMERIC":
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return number(f)
		}
	case engineType == "TIME":
		return strings.TrimSuffix(s, ".000000")
	case dateLike.MatchString(s):
		for _, form := range []string{"2006-01-02", "2006-01-02 15:04:05", "2006-01-02T15:04:05Z", "2006-01-02 15:04:05Z"} {
			if t, err := time.Parse(form, s); err == nil {
				return moment(t)
			}
		}
	}
	return s
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', 10, 64) }

func moment(t time.Time) string {
	return strings.TrimSuffix(t.Format("2006-01-02 15:04:05.999"), " 00:00:00")
}
