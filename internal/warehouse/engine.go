package warehouse

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// engine is a kind of database that can be a warehouse.
type engine struct {
	// details reads connection details into a source of sessions.
	details func(*options, *slog.Logger) (source, *Error)
	// zones tells that sessions can be in other time zones than UTC.
	zones bool
}

// engines are all there are, by their names in the catalog and on the wire. A
// new one needs a dialect in query as well; see docs/warehouses.md.
func engines() map[string]engine {
	return map[string]engine{
		"sqlite":   {details: sqliteDetails},
		"postgres": {details: postgresDetails, zones: true},
		"mysql":    {details: mysqlDetails, zones: true},
	}
}

// Engines names the kinds of databases that can be connected, sorted.
func Engines() []string { return slices.Sorted(maps.Keys(engines())) }

// Zones tells whether statements can run in other time zones than UTC.
func Zones(engine string) bool { return engines()[engine].zones }

// readDetails makes connection details into a source of sessions.
func readDetails(name string, details json.RawMessage, log *slog.Logger) (source, error) {
	e, ok := engines()[name]
	if !ok {
		return nil, &Error{Kind: Unusable, Message: fmt.Sprintf("the engine %q is not supported; those that are: %s", name, strings.Join(Engines(), ", "))}
	}
	o := readOptions(name, details)
	from, err := e.details(o, log)
	if o.err != nil {
		return nil, o.err
	}
	if err != nil {
		return nil, err
	}
	return from, nil
}

// Files lists what the details name of the files of this server: whoever may
// write them can have the server open any file that it may read.
func Files(engine string, details json.RawMessage) []string {
	var files []string
	o := readOptions(engine, details)
	for _, name := range slices.Sorted(maps.Keys(o.has)) {
		if engine == "sqlite" && name == "db" || strings.HasSuffix(name, "-path") {
			if file := o.text(name); file != "" {
				files = append(files, file)
			}
		}
	}
	return files
}
