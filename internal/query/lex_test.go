package query

import "testing"

// SQL of people stands between parentheses only when it is one statement that
// is closed in itself, as its engine reads it.
func TestSQLBetweenParenthesesIsClosedInItself(t *testing.T) {
	for _, c := range []struct {
		sql     string
		engines string // that it is closed for: s, p, m
	}{
		{"select 1", "spm"},
		{"select 1;", "spm"},
		{" select 1 ; -- done\n ; ", "spm"},
		{"select 1 -- done", "spm"},
		{"select (1)", "spm"},
		{"select ')' , \")\" ", "spm"},
		{"select 'a''b)'", "spm"},
		{"select 1 /* ) */", "spm"},
		{"with x as (select 1) select * from x", "spm"},
		{"select 1) union (select 2", ""},
		{"select (1", ""},
		{"select 1)", ""},
		{"select 1; select 2", ""},
		{"select 1; /* */ x", ""},
		{"select 'a", ""},
		{"select 1 /* a", ""},
		{"select `a)`", "sm"},
		{"select [a)]", "s"},
		{"select [a]", "spm"},
		{"select $$)$$", "p"},
		{"select $a$ ) $$ ' $a$", "p"},
		{"select a$b$ , (1)", "spm"},
		{"select 1 /* /* */ */", "spm"},
		{"select 1 /* /* */ )", ""},
		{"select '\\'', ')'", "m"},
		{"select E'\\'', ')'", "pm"},
		{"select e'\\' || ')'", "s"},
		{"select name'\\', '(' ", "sp"},
		{"select 1 # )", "m"},
		{"select 1 #- (2)", "spm"},
		{"select 2--(1)", "spm"},
		{"select 2--1)", "sp"},
		{"select 1 /*! , 2 */", "sp"},
		{"select 1 /*M! , 2 */", "sp"},
	} {
		for letter, d := range map[byte]Dialect{'s': SQLite(), 'p': PostgreSQL(), 'm': MySQL()} {
			want := false
			for i := range len(c.engines) {
				want = want || c.engines[i] == letter
			}
			if _, wrong := enclosed(text(c.sql), d.lexis()); (wrong == "") != want {
				t.Errorf("%s, %q: it %s", d.engine(), c.sql, wrong)
			}
		}
	}
}

// A question that is put between parentheses loses the semicolons that end it
// and nothing else, and a comment at its end does not reach over them.
func TestEnclosedSQLKeepsItsText(t *testing.T) {
	for in, want := range map[string]string{
		"select ';' ; ":       "select ';'  \n",
		"select 1 -- a;b":     "select 1 -- a;b\n",
		";select 1 /* ; */ ;": "",
	} {
		f, wrong := enclosed(text(in), SQLite().lexis())
		if got, _ := f.render(SQLite(), false); got != want || (wrong == "") != (want != "") {
			t.Errorf("%q becomes %q: it %s", in, got, wrong)
		}
	}
	if _, wrong := enclosed(cat("select 1;", bound("x")), SQLite().lexis()); wrong == "" {
		t.Error("a value behind the end is taken")
	}
}
