//go:build !gateoff

package gate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// refused gives sql to the gate and returns the refusal, nil where there is
// none.
func refused(t testing.TB, sql string) *Refusal {
	t.Helper()
	printed, err := Postgres(sql, views)
	if err == nil {
		return nil
	}
	var r *Refusal
	if !errors.As(err, &r) || printed != "" || r.Message == "" {
		t.Fatalf("%.200s: printed %q with the error %v, wanted a *Refusal alone", sql, printed, err)
	}
	return r
}

func TestSyntaxErrorsAreToldWithTheirPlace(t *testing.T) {
	for sql, want := range map[string]string{
		"SELEC 1":                       `syntax error at or near "SELEC" (at character 1)`,
		"SELECT 'ä' FROM orders WHERE":  `syntax error at end of input (at character 29)`,
		"SELECT 'äöü', 'abc":            `unterminated quoted string at or near "'abc" (at character 15)`,
		"SELECT 'äöü', pg_sleep(1)":     `the function pg_sleep is not one that may be used in governed SQL (at character 15)`,
		"SELECT 'äöü' FROM secrets":     `there is no table secrets that you may read (at character 19)`,
		"SELECT 'äöü' FROM aux.secrets": `there is no table aux.secrets that you may read (at character 19)`,
		"SELECT ?":                      `syntax error at end of input (at character 9)`,
		"SELECT 'ä'; SELECT 2":          `only one statement may be sent (at character 12)`,
	} {
		if r := refused(t, sql); r == nil || r.Error() != want {
			t.Errorf("%s: got %v, wanted %s", sql, r, want)
		}
	}
}

func TestAParserThatCitesWhatNobodyTypedIsNotCited(t *testing.T) {
	_, err := parse("SELECT FROM FROM secrets")
	if r := unread("SELECT 1", err); r.Message != "syntax error" {
		t.Errorf("got %q", r.Message)
	}
	if r := unread("SELECT 1", errors.New("something else")); r.Message != "this SQL cannot be read" {
		t.Errorf("got %q", r.Message)
	}
}

func TestLargeSQLDoesNotTakeTheProcessDown(t *testing.T) {
	for name, bomb := range map[string]struct{ before, again, after string }{
		"sums":        {"SELECT 1", "+1", ""},
		"unions":      {"SELECT 1", " UNION SELECT 1", ""},
		"joins":       {"SELECT 1 FROM orders", " CROSS JOIN orders", ""},
		"casts":       {"SELECT 1", "::int", ""},
		"collations":  {"SELECT 'a'", ` COLLATE "C"`, ""},
		"null tests":  {"SELECT 1", " IS NULL", ""},
		"negations":   {"SELECT ", "NOT ", "true"},
		"signs":       {"SELECT ", "- ", "id FROM orders"},
		"parentheses": {"SELECT ", "(", "1"},
		"calls":       {"SELECT ", "lower(", "1"},
		"cases":       {"SELECT ", "CASE WHEN ", "1"},
		"subqueries":  {"", "SELECT * FROM (", "SELECT 1"},
		"with":        {"", "WITH x AS (", "SELECT 1"},
	} {
		for _, n := range []int{maxNesting, maxNesting + 1, maxTokens - 10, 7990, 15_000, 60_000} {
			closing := strings.Count(bomb.again, "(")
			sql := bomb.before + strings.Repeat(bomb.again, n) + bomb.after + strings.Repeat(")", n*closing)
			if r := refused(t, sql); r == nil && !(name == "parentheses" && n <= maxNesting) { // which make no tree
				t.Errorf("%d %s are let through", n, name)
			}
			if r := refused(t, "SELECT 1"); r != nil {
				t.Fatalf("after %d %s: %v", n, name, r)
			}
		}
	}
}

// Where ulimit sets no size, the C library gives threads 2 MB of stack and not
// the usual 8.
func TestLargeSQLDoesNotTakeAProcessWithSmallStacksDown(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil || exec.Command(shell, "-c", "ulimit -s unlimited").Run() != nil {
		t.Log("the size of stacks cannot be set here")
		return
	}
	out, err := exec.Command(shell, "-c", `ulimit -s unlimited && exec "$0" -test.run '^TestLargeSQLDoesNotTakeTheProcessDown$'`, os.Args[0]).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %.1000s", err, out)
	}
}

func TestNestingIsRefusedBeforeParsing(t *testing.T) {
	for _, c := range []struct{ before, again, after, words string }{
		{"SELECT ", "(", "1", "nested more than 500"}, {"SELECT ", "ARRAY[", "1", "nested more than 500"}, {"SELECT ", "lower([", "1", "nested more than 500"},
		{"SELECT ", "NOT ", "true", "nested more than 500"}, {"SELECT ", "NOT /* , */ ", "true", "nested more than 500"}, {"SELECT ", "- ", "1", "nested more than 500"},
		{"SELECT ", "+ ~ ", "1", "nested more than 500"}, {"SELECT 1", ", 1", " FROM (", ""}, {"SELECT 1", " AND NOT true", "", ""}, {"SELECT ", "(), ", "1", ""},
	} {
		r := readable(c.before + strings.Repeat(c.again, maxNesting+1) + c.after)
		if c.words == "" && r != nil || c.words != "" && (r == nil || !strings.Contains(r.Message, c.words)) {
			t.Errorf("%s: got %v", c.again, r)
		}
	}
}

func TestLongListsAreNoNesting(t *testing.T) {
	for name, sql := range map[string]string{
		"numbers": "SELECT * FROM orders WHERE id IN (1" + strings.Repeat(", 1", maxLiterals-1) + ")",
		"texts":   "SELECT * FROM orders WHERE status IN ('open'" + strings.Repeat(", 'it''s (paid)'", 9000) + ")",
		"and":     "SELECT * FROM orders WHERE id > 0" + strings.Repeat(" AND id <> 7", maxTokens/4),
		"columns": "SELECT id" + strings.Repeat(", orders.id + 1", maxTokens/5) + " FROM orders",
	} {
		if r := refused(t, sql); r != nil {
			t.Errorf("%s: %v", name, r)
		}
	}
}

func TestLongerListsAreRefused(t *testing.T) {
	for _, again := range []string{", 1", ", 1.5", ", 'a'", ", U&'a'", ", B'1'", ", X'1'"} {
		if r := refused(t, "SELECT * FROM orders WHERE id IN (1"+strings.Repeat(again, maxLiterals)+")"); r == nil || !strings.Contains(r.Message, "numbers and strings") {
			t.Errorf("%s: got %v", again, r)
		}
	}
}

func TestPrintingIsHeldToTheTree(t *testing.T) {
	tree, err := parse("SELECT 1 - (2 - 3) AS a")
	if err != nil {
		t.Fatal(err)
	}
	for printed, want := range map[string]bool{
		"SELECT  1 - (2 - 3)   AS a": true, "SELECT 1 - 2 - 3 AS a": false, "SELECT 1 - (2 - 3) AS b": false,
		"SELECT 1 - (2 - 3) AS a; SELECT 1": false, "SELECT": false, "SELECT 1 - (": false,
	} {
		if got := means(printed, tree); got != want {
			t.Errorf("%s means the same: %v, wanted %v", printed, got, want)
		}
	}
}

func BenchmarkPostgres(b *testing.B) {
	const sql = `WITH a AS (SELECT person_id, sum(total) AS t FROM orders GROUP BY 1), b AS (SELECT * FROM a WHERE t > 10)
		SELECT p.name, b.t, rank() OVER (ORDER BY b.t DESC) FROM b JOIN people p ON p.id = b.person_id WHERE p.name LIKE 'a%' ORDER BY 3 LIMIT 10`
	tree, err := parse(sql)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			if _, err := Postgres(sql, views); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("the second reading", func(b *testing.B) {
		for b.Loop() {
			means(sql, tree)
		}
	})
}

func ExampleRefusal() {
	_, err := Postgres("SELECT * FROM secrets", views)
	fmt.Println(err)
	// Output: there is no table secrets that you may read (at character 15)
}
