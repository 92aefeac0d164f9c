package gate

import (
	"fmt"
	"strings"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Postgres reads one SELECT in the grammar of PostgreSQL, re-points the tables
// that it names, and prints it. Every error is a *Refusal.
//
// Functions and types are known by their names alone: PostgreSQL finds them in
// pg_catalog first, unless a schema of the search path has one that fits the
// arguments better. Who sends what is printed sets the search path.
func Postgres(sql string, names Names) (printed string, err error) {
	defer func() {
		if r := recover(); r != nil {
			printed, err = given(sql, refuse(0, "this SQL cannot be read"))
		}
	}()
	printed, r := postgres(sql, names)
	if r != nil {
		return given(sql, r)
	}
	return printed, nil
}

// given is what becomes of SQL that cannot be read or is not allowed.
func given(sql string, r *Refusal) (string, error) {
	if !refusing {
		return sql, nil
	}
	return "", r
}

func postgres(sql string, names Names) (string, *Refusal) {
	if r := readable(sql); r != nil {
		return "", r
	}
	tree, err := parse(sql)
	if err != nil {
		return "", unread(sql, err)
	}
	if r := single(sql, tree); r != nil {
		return "", r
	}
	w := &walk{sql: sql, names: names, exposed: map[string][]exposed{}}
	for _, stmt := range tree.GetStmts() {
		if r := w.message(stmt.GetStmt().ProtoReflect(), nil); r != nil {
			return "", r
		}
	}
	if r := w.columns(); r != nil {
		return "", r
	}
	printed, err := deparse(tree)
	if err != nil {
		return "", refuse(0, "this SQL cannot be printed as it was meant")
	}
	if refusing && !means(printed, tree) {
		return "", refuse(0, "this SQL cannot be printed as it was meant")
	}
	return printed, nil
}

// maxTokens bounds the words and operators of a statement, without literals
// and commas. The parser recurses once for each of a chain such as 1+1+1, asks
// for no limit, and takes the process down where its stack ends: with 2 MB,
// which threads of C have where ulimit sets none, before 8000, and in builds
// without cgo between 2000 and 4000.
const maxTokens = 2000

// maxNesting bounds open parentheses and prefix operators in a row, for which
// the parser recurses with the largest frames.
const maxNesting = 500

// readable refuses what must not reach the parser. A text has no more words
// and operators than bytes, so short ones are not scanned.
func readable(sql string) *Refusal {
	switch {
	case len(sql) > maxSQL:
		return refuse(0, "this SQL is longer than %d bytes", maxSQL)
	case strings.IndexByte(sql, 0) >= 0: // where the parser of C would stop reading
		return refuse(position(sql, strings.IndexByte(sql, 0)), "SQL must not hold a NUL character")
	case !utf8.ValidString(sql):
		return refuse(0, "SQL must be UTF-8 text")
	case len(sql) <= maxNesting:
		return nil
	}
	tokens, err := scan(sql)
	if err != nil {
		return unread(sql, err)
	}
	return countable(tokens.GetTokens())
}

// countable holds the words of a text to the bounds.
func countable(tokens []*pg.ScanToken) *Refusal {
	words, literals, open, prefixes := 0, 0, 0, 0
	for _, t := range tokens {
		switch t.GetToken() {
		case pg.Token_SQL_COMMENT, pg.Token_C_COMMENT:
			continue
		case pg.Token_ASCII_44:
			prefixes = 0
			continue
		case pg.Token_ICONST, pg.Token_FCONST, pg.Token_SCONST, pg.Token_USCONST, pg.Token_BCONST, pg.Token_XCONST:
			literals, prefixes = literals+1, 0
			continue
		case pg.Token_NOT, pg.Token_NOT_LA, pg.Token_ASCII_43, pg.Token_ASCII_45, pg.Token_Op: // + and -
			prefixes++
		case pg.Token_ASCII_40, pg.Token_ASCII_91: // ( and [
			open, prefixes = open+1, 0
		case pg.Token_ASCII_41, pg.Token_ASCII_93: // ) and ]
			open, prefixes = max(0, open-1), 0
		default:
			prefixes = 0
		}
		words++
		if open > maxNesting || prefixes > maxNesting {
			return refuse(0, "this SQL is nested more than %d deep", maxNesting)
		}
	}
	if words > maxTokens {
		return refuse(0, "this SQL has more than %d words and operators", maxTokens)
	}
	if literals > maxLiterals {
		return refuse(0, "this SQL has more than %d numbers and strings", maxLiterals)
	}
	return nil
}

// unread turns an error of the parser into a refusal. The parser knows nothing
// but the text, and what it cites must stand there.
func unread(sql string, err error) *Refusal {
	message, at, ok := syntax(err)
	if !ok {
		return refuse(0, "this SQL cannot be read")
	}
	cited := strings.Split(message, `"`)
	for i := 1; i < len(cited); i += 2 {
		ok = ok && strings.Contains(sql, cited[i])
	}
	if !ok || len(message) > 300 {
		message = "syntax error"
	}
	return &Refusal{message, max(0, at)}
}

// single refuses everything but one statement that reads.
func single(sql string, tree *pg.ParseResult) *Refusal {
	stmts := tree.GetStmts()
	switch {
	case !refusing:
		return nil
	case len(stmts) == 0:
		return refuse(0, "there is no SQL")
	case len(stmts) > 1:
		return refuse(position(sql, int(stmts[1].GetStmtLocation())), "only one statement may be sent")
	case stmts[0].GetStmt().GetSelectStmt() == nil:
		return refuse(0, "only SELECT may be used in governed SQL")
	}
	return nil
}

// means tells whether printed is read as the tree it was printed from. A
// mistake of the printer must not change what is run.
func means(printed string, tree *pg.ParseResult) bool {
	if readable(printed) != nil {
		return false
	}
	again, err := parse(printed)
	if err != nil {
		return false
	}
	unplace(again.ProtoReflect())
	unplace(tree.ProtoReflect())
	return proto.Equal(again, tree)
}

// unplace removes from a tree where in the text its parts stood.
func unplace(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Kind() == protoreflect.Int32Kind && places[f.Name()]:
			m.Clear(f)
		case f.Kind() != protoreflect.MessageKind:
		case f.IsList():
			for i := range v.List().Len() {
				unplace(v.List().Get(i).Message())
			}
		default:
			unplace(v.Message())
		}
		return true
	})
}

var places = map[protoreflect.Name]bool{"location": true, "name_location": true, "stmt_location": true, "stmt_len": true}

// position turns an offset in bytes into the number of a character.
func position(sql string, offset int) int {
	if offset < 0 || offset > len(sql) {
		return 0
	}
	return utf8.RuneCountInString(sql[:offset]) + 1
}

// text is the string in a node, "" where there is another thing.
func text(n *pg.Node) string { return n.GetString_().GetSval() }

// builtin is the name of something in pg_catalog, which may be named with this
// schema or with none; "" for all other names.
func builtin(parts []*pg.Node) string {
	switch {
	case len(parts) == 1, len(parts) == 2 && text(parts[0]) == "pg_catalog":
		return text(parts[len(parts)-1])
	}
	return ""
}

// spelled is a name of several parts as people write it.
func spelled(parts []*pg.Node) string {
	var s []string
	for _, p := range parts {
		s = append(s, text(p))
	}
	return fmt.Sprintf("%.100s", strings.Join(s, "."))
}
