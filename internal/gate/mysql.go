package gate

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/format"
	"github.com/pingcap/tidb/pkg/parser/mysql"
)

// MySQL is the gate for SQL that people type on MariaDB. What it prints means
// the same where sql_mode has none of ANSI_QUOTES, NO_BACKSLASH_ESCAPES,
// PIPES_AS_CONCAT and HIGH_NOT_PRECEDENCE, and where the character set of the
// connection is utf8mb4: the session that runs it sees to that.
//
// The grammar is TiDB's, which is MySQL's. Where it reads a text in another way
// than MariaDB does, that does not matter as long as MariaDB reads the print as
// TiDB reads it. So the print leaves nothing to precedence (mysql_shape.go),
// and forms that cannot be printed so are refused.
func MySQL(sql string, names Names) (printed string, err error) {
	defer func() {
		if recover() == nil {
			return
		}
		// The parser and the printer are not ours and meet any text there is.
		if printed, err = "", error(refuse(0, "the SQL cannot be read")); !refusing {
			printed, err = sql, nil
		}
	}()
	if !refusing {
		return mysqlUnchecked(sql, names), nil
	}
	if printed, err = mysqlPass(sql, names); err != nil {
		return "", err
	}
	// What the print means is what its own tree says, so that has to be the tree
	// that was checked.
	again, err := mysqlPass(printed, func(schema, name string) (string, string, bool) { return schema, name, true })
	if err != nil || again != printed {
		return "", refuse(0, "the SQL cannot be written again so that it surely means the same")
	}
	return printed, nil
}

// mysqlPass reads, checks and prints.
func mysqlPass(sql string, names Names) (string, error) {
	if len(sql) > maxSQL {
		return "", refuse(0, "the SQL is longer than %d bytes", maxSQL)
	}
	if !utf8.ValidString(sql) {
		return "", refuse(0, "the SQL is not valid UTF-8")
	}
	if at := strings.IndexByte(sql, 0); at >= 0 {
		return "", refuse(mysqlCharacter(sql, at), "the SQL holds a NUL character")
	}
	seen, err := scanMySQL(sql)
	if err != nil {
		return "", err
	}
	statements, err := mysqlParse(sql)
	if err != nil {
		return "", err
	}
	if len(statements) != 1 {
		return "", refuse(0, "exactly one statement can be run, and this is %d", len(statements))
	}
	switch statements[0].(type) {
	case *ast.SelectStmt, *ast.SetOprStmt:
	default:
		return "", refuse(0, "only SELECT can be run")
	}
	w := &mysqlWalk{sql: sql, names: names}
	statements[0].Accept(w)
	if w.err != nil {
		return "", w.err
	}
	// The grammar drops a WITH in some places. What it named would be a table.
	if w.withs != seen.withs {
		return "", refuse(0, "WITH is not allowed in this place")
	}
	w.placeholders = w.placeholders[:0]
	printed, err := mysqlPrint(statements[0])
	if err != nil {
		return "", refuse(0, "the SQL cannot be written again")
	}
	if w.markers != seen.markers || !w.inOrder() {
		return "", refuse(0, "placeholders are not allowed in this place")
	}
	if len(printed) > maxSQL || strings.IndexByte(printed, 0) >= 0 {
		return "", refuse(0, "the SQL, written out, is longer than %d bytes or holds a NUL character", maxSQL)
	}
	return printed, nil
}

// mysqlUnchecked re-points the relations that names knows, and no more.
func mysqlUnchecked(sql string, names Names) string {
	statements, err := mysqlParse(sql)
	if err != nil {
		return sql
	}
	var all []string
	for _, s := range statements {
		s.Accept(&mysqlWalk{sql: sql, names: names})
		one, err := mysqlPrint(s)
		if err != nil {
			return sql
		}
		all = append(all, one)
	}
	return strings.Join(all, "; ")
}

// mysqlFlags quote strings for a session without NO_BACKSLASH_ESCAPES and names
// for one with or without ANSI_QUOTES.
const mysqlFlags = format.RestoreStringSingleQuotes | format.RestoreStringEscapeBackslash | format.RestoreKeyWordUppercase | format.RestoreNameBackQuotes |
	format.RestoreSpacesAroundBinaryOperation | format.RestoreBracketAroundBinaryOperation | format.RestoreStringWithoutDefaultCharset

func mysqlPrint(n ast.Node) (string, error) {
	var b strings.Builder
	err := n.Restore(format.NewRestoreCtx(mysqlFlags, &b))
	return b.String(), err
}

func mysqlParse(sql string) ([]ast.StmtNode, error) {
	p := parser.New()
	p.SetSQLMode(mysql.ModeNone)
	statements, warnings, err := p.ParseSQL(sql)
	if err != nil {
		return nil, mysqlSyntax(sql, err.Error())
	}
	if len(warnings) > 0 && refusing {
		return nil, refuse(0, "the SQL holds a hint where none can stand, or a number that is too large")
	}
	return statements, nil
}

// mysqlCut is where the parser cuts what it cites.
const mysqlCut = 2048

var mysqlNear = regexp.MustCompile(`(?s)near "(.*)"`)

// mysqlSyntax cites no more of the parser's error than words of the person.
func mysqlSyntax(sql, from string) *Refusal {
	m := mysqlNear.FindStringSubmatch(from)
	if m == nil || !strings.Contains(sql, m[1]) {
		return refuse(0, "the SQL has a syntax error")
	}
	at, cited := 0, strings.TrimSpace(m[1])
	if len(m[1]) < mysqlCut && strings.HasSuffix(sql, m[1]) {
		at = mysqlCharacter(sql, len(sql)-len(m[1]))
	}
	if cited == "" {
		return refuse(at, "syntax error at the end")
	}
	cited, _, _ = strings.Cut(cited, "\n")
	if runes := []rune(cited); len(runes) > 40 {
		cited = string(runes[:40])
	}
	return refuse(at, `syntax error near "%s"`, cited)
}

// mysqlCharacter counts from 1 to the character at a byte.
func mysqlCharacter(sql string, at int) int { return utf8.RuneCountInString(sql[:at]) + 1 }
