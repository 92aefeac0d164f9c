package query

import (
	"fmt"
	"time"
)

// Dialect is how an engine wants its SQL written. The zero value is none.
//
// Nothing in it may raise an error that depends on a row: a condition of the
// person can be evaluated before the row filter of a sandbox, and an error
// would tell of rows that are hidden. A dialect that cannot promise it needs
// a barrier around the scan.
type Dialect struct {
	name        string // the engine's name in the catalog
	quote       func(name string) string
	placeholder func(n int) string // of the n-th argument, from 1

	// cut and part apply a unit to a date. instant, day and clock make dates
	// with time, dates and times of the day comparable; bindTime gives an
	// argument that they accept.
	cut      func(u unit, x fragment) fragment
	part     func(u unit, x fragment) fragment
	instant  func(x fragment) fragment
	day      func(x fragment) fragment
	clock    func(x fragment) fragment
	bindTime func(t time.Time) any

	// exactly compares byte by byte, whatever collation the column has.
	exactly func(x, y fragment) fragment
	// differs is true also when just one of the two is null.
	differs func(x, y fragment) fragment
	// match tells where text begins with, ends with or contains the pattern,
	// whose characters stand for themselves.
	match  func(op string, x fragment, pattern string, ignoreCase bool) fragment
	divide func(x, y fragment) fragment // null for a division by zero
	length func(x fragment) fragment
}

// DialectOf is the dialect of a catalog.Database's engine, or an error for an
// engine whose SQL is not written yet.
func DialectOf(engine string) (Dialect, error) {
	if engine == "sqlite" {
		return SQLite(), nil
	}
	return Dialect{}, fmt.Errorf("questions on databases of the engine %q are not supported yet", engine)
}
