//go:build !cgo

package gate

import (
	"errors"
	"fmt"
	"sync/atomic"

	pg "github.com/pganalyze/pg_query_go/v6"
	wasm "github.com/wasilibs/go-pgquery"
	"github.com/wasilibs/go-pgquery/parser"
)

// parse and deparse are the same sources as in builds with cgo, compiled to
// WebAssembly: slower, with two seconds at their first use, and a somewhat
// older printer, whose mistakes the second reading refuses.
func parse(sql string) (*pg.ParseResult, error) {
	return guarded(func() (*pg.ParseResult, error) { return wasm.Parse(sql) })
}

func scan(sql string) (*pg.ScanResult, error) {
	return guarded(func() (*pg.ScanResult, error) { return wasm.Scan(sql) })
}

func deparse(tree *pg.ParseResult) (string, error) {
	return guarded(func() (string, error) { return wasm.Deparse(tree) })
}

// broken is set when the parser has failed in the middle. Its memory is used
// again, and what it says from then on may be wrong (seen after an overflow of
// its stack), so nothing is read until the process starts anew.
var broken atomic.Bool

var errBroken = errors.New("the parser has failed")

func guarded[T any](call func() (T, error)) (result T, err error) {
	if broken.Load() {
		return result, errBroken
	}
	defer func() {
		if r := recover(); r != nil {
			broken.Store(true)
			err = fmt.Errorf("%w: %v", errBroken, r)
		}
	}()
	return call()
}

// syntax takes apart an error of parse: what the parser says, and the
// character where, from 1.
func syntax(err error) (message string, at int, ok bool) {
	var e *parser.Error
	if !errors.As(err, &e) {
		return "", 0, false
	}
	return e.Message, e.Cursorpos, true
}
