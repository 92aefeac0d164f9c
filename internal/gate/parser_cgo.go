//go:build cgo

package gate

import (
	"errors"

	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"
)

// parse and deparse are PostgreSQL's own grammar, compiled from its sources.
func parse(sql string) (*pg.ParseResult, error) { return pg.Parse(sql) }

func scan(sql string) (*pg.ScanResult, error) { return pg.Scan(sql) }

func deparse(tree *pg.ParseResult) (string, error) { return pg.Deparse(tree) }

// syntax takes apart an error of parse: what the parser says, and the
// character where, from 1.
func syntax(err error) (message string, at int, ok bool) {
	var e *parser.Error
	if !errors.As(err, &e) {
		return "", 0, false
	}
	return e.Message, e.Cursorpos, true
}
