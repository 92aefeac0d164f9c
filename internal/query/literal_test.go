package query

import (
	"database/sql"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	_ "modernc.org/sqlite"
)

// Whatever is written into the text of a view is read by the engine as the
// value that it was, or it is not written.
func FuzzLiteralsAreReadAsTheyWere(f *testing.F) {
	for _, s := range []string{"", "it's", "''", "'", "\\'", "a\x00b", "\xff", "7' OR '1'='1", "-- x", "/*", "\n", "é", `"`, "x' || (SELECT 1) || '", "?1", ":a", "\u2028"} {
		f.Add(s, int64(7), 7.5)
	}
	f.Add("x", int64(math.MinInt64), math.MaxFloat64)
	f.Add("x", int64(math.MaxInt64), math.SmallestNonzeroFloat64)
	f.Add("x", int64(-1), -0.1)
	f.Add("x", int64(0), math.Inf(1))
	f.Add("x", int64(0), math.NaN())
	f.Add("x", int64(0), 1e21)
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	f.Fuzz(func(t *testing.T, text string, whole int64, number float64) {
		for _, v := range []any{text, whole, number} {
			lit, err := sqlite{}.literal(v)
			unfit := v == any(text) && (strings.ContainsRune(text, 0) || !utf8.ValidString(text)) || v == any(number) && math.IsInf(number, 0) || v != v
			if (err != nil) != unfit {
				t.Errorf("%q: %q, %v", v, lit, err)
			}
			if err != nil {
				continue
			}
			var back any
			var more int
			if err := db.QueryRowContext(t.Context(), "SELECT "+lit+", 42").Scan(&back, &more); err != nil || back != v || more != 42 {
				t.Errorf("%q is written %s and read %q, %v", v, lit, back, err)
			}
		}
	})
}

func TestValuesOfOtherTypesHaveNoLiteral(t *testing.T) {
	for _, v := range []any{nil, []byte("x"), 7, uint8(1), struct{}{}} {
		if lit, err := (sqlite{}).literal(v); err == nil {
			t.Errorf("%T is written %s", v, lit)
		}
	}
	for v, want := range map[bool]string{true: "1", false: "0"} {
		if lit, err := (sqlite{}).literal(v); err != nil || lit != want {
			t.Errorf("%v is written %s, %v", v, lit, err)
		}
	}
}

func TestSQLMentionsATableByItsName(t *testing.T) {
	for _, c := range []struct {
		sql, name string
		want      bool
	}{
		{"select * from orders", "orders", true}, {"select * from ORDERS", "orders", true}, {`select * from "Orders"`, "oRDERS", true},
		{"select 1", "orders", false}, {"select 1", `od"d`, true}, {"select 1", "a'b", true}, {"select 1", "a]b", true}, {"select 1", "a`b", true},
		{"select 1 from É", "é", false}, {"select 1 from é", "é", true},
	} {
		if got := Mentions(c.sql)(c.name); got != c.want {
			t.Errorf("%s mentions %s: %v", c.sql, c.name, got)
		}
	}
}
