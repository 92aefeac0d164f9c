//go:build !cgo

package gate

import (
	"errors"

	pg "github.com/pganalyze/pg_query_go/v6"
	wasm "github.com/wasilibs/go-pgquery"
	"github.com/wasilibs/go-pgquery/parser"
)

// parse and deparse are the same sources as in builds with cgo, compiled to
// WebAssembly: slower, and two seconds at their first use.
func parse(sql string) (*pg.ParseResult, error) { return wasm.Parse(sql) }

func scan(sql string) (*pg.ScanResult, error) { return wasm.Scan(sql) }

func deparse(tree *pg.ParseResult) (string, error) { return wasm.Deparse(tree) }

// syntax takes apart an error of parse: what the parser says, and the
// character where, from 1.
func syntax(err error) (message string, at int, ok bool) {
	var e *parser.Error
	if !errors.As(err, &e) {
		return "", 0, false
	}
	return e.Message, e.Cursorpos, true
}
