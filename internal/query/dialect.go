package query

import "fmt"

// Dialect is how an engine wants its SQL written. The zero value is none.
type Dialect struct {
	name string
}

// SQLite is the dialect of SQLite 3.39 and later.
func SQLite() Dialect { return Dialect{name: "sqlite"} }

// DialectOf is the dialect of a catalog.Database's engine, or an error for an
// engine whose SQL is not written yet.
func DialectOf(engine string) (Dialect, error) {
	if engine == "sqlite" {
		return SQLite(), nil
	}
	return Dialect{}, fmt.Errorf("questions on databases of the engine %q are not supported yet", engine)
}
