// Package dbrole makes the boundary that holds SQL of people inside of a
// PostgreSQL or MariaDB server, and proves that it holds.
//
// Such SQL runs as a slot: a login that may read the views of one schema and
// nothing else. A view shows what the lease of its slot lets it, and another
// login writes leases. [Setup] gives the statements that make the logins, the
// schemas and the leases, for an administrator to read and run, or for [Apply].
// [Doctor] looks at what there is, attacks it as a slot, and reports. It writes
// nothing but the lease of the slot that it attacks as, which it removes.
//
// The views themselves are made elsewhere. They belong to Boundary.Owner, or
// in MariaDB have Boundary.Control as their definer, and read Boundary.Home's
// view "mine", which has one row while there is a lease and none otherwise.
package dbrole

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/sluice-bi/sluice/internal/warehouse"
)

// The engines. MySQL's statements are made and not proven: see [Doctor].
const (
	Postgres = "postgres"
	MySQL    = "mysql" // MariaDB, as the catalog calls it
	MySQL8   = "mysql8"
)

// Statement is a step of a script, and why it is there. SQL that begins with
// "--" is advice, for the administrator to decide.
type Statement struct {
	SQL string
	Why string // sentences; may be ""
}

// advice tells that the statement is not run.
func (s Statement) advice() bool { return strings.HasPrefix(s.SQL, "--") }

// SetupOptions say what a set-up is for.
type SetupOptions struct {
	Database string   // as the server calls it
	Schemas  []string // of PostgreSQL: those whose tables views may read
	// WritesViews lets Sluice write views itself. Without it an administrator
	// runs what Sluice prints whenever policies change.
	WritesViews bool
}

// names are those that fit into the servers' 63 characters with what is put
// behind them, and that need no care in patterns but for "_".
var names = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`)

func valid(b warehouse.Boundary) error {
	switch {
	case !b.Valid():
		return errors.New("dbrole: a boundary without a name, a key or slots")
	case !names.MatchString(b.Name):
		return fmt.Errorf("dbrole: the name %q of a boundary is not one of a to z, 0 to 9 and _, with 31 characters at most", b.Name)
	case strings.HasPrefix(b.Name, "pg_"), b.Name == "mysql", b.Name == "sys", b.Name == "test", strings.HasPrefix(b.Name, "test_"):
		return fmt.Errorf("dbrole: the server keeps names like %q for itself", b.Name)
	}
	return nil
}

// Setup gives the statements that set the boundary up. Running them again is
// safe: it sets the passwords and grants anew.
func Setup(engine string, b warehouse.Boundary, o SetupOptions) ([]Statement, error) {
	if err := valid(b); err != nil {
		return nil, err
	}
	if o.Database == "" {
		return nil, errors.New("dbrole: a set-up without a database")
	}
	for _, name := range append([]string{o.Database}, o.Schemas...) {
		if strings.ContainsFunc(name, unicode.IsControl) { // it would end a comment of the script
			return nil, fmt.Errorf("dbrole: the name %q has control characters", name)
		}
	}
	own := []string{b.Home(), b.Views()}
	switch engine {
	case Postgres:
		for _, s := range o.Schemas {
			if slices.Contains(own, s) || s == "information_schema" || strings.HasPrefix(s, "pg_") {
				return nil, fmt.Errorf("dbrole: the schema %q has no tables for views", s)
			}
		}
		if len(o.Schemas) == 0 {
			return nil, errors.New("dbrole: a set-up without schemas")
		}
		return postgresSetup(b, o)
	case MySQL, MySQL8:
		if slices.Contains(append(own, "mysql", "sys", "information_schema", "performance_schema"), o.Database) {
			return nil, fmt.Errorf("dbrole: the database %q has no tables for views", o.Database)
		}
		return mariaSetup(engine, b, o), nil
	}
	return nil, noBoundary(engine)
}

// Teardown gives the statements that remove all that Setup made, with the
// views and leases.
func Teardown(engine string, b warehouse.Boundary, o SetupOptions) ([]Statement, error) {
	if err := valid(b); err != nil {
		return nil, err
	}
	switch engine {
	case Postgres:
		return postgresTeardown(b), nil
	case MySQL, MySQL8:
		return mariaTeardown(b), nil
	}
	return nil, noBoundary(engine)
}

func noBoundary(engine string) error {
	return fmt.Errorf("dbrole: databases of the engine %q have no logins", engine)
}

// Script prints statements for an administrator.
func Script(statements []Statement) string {
	var b strings.Builder
	for i, s := range statements {
		if s.Why != "" {
			if i > 0 {
				b.WriteByte('\n')
			}
			for line := range strings.SplitSeq(s.Why, "\n") {
				b.WriteString("-- " + line + "\n")
			}
		}
		if s.SQL != "" {
			b.WriteString(s.SQL)
			if !s.advice() {
				b.WriteByte(';')
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// Apply runs statements as the login of the connection details, for whoever
// gave Sluice one that may. In PostgreSQL all of them hold or none; MariaDB
// has no transactions for them, and running them again mends what was left.
func Apply(ctx context.Context, admin *warehouse.Admin, statements []Statement) error {
	l, err := admin.Login(ctx, "", "")
	if err != nil {
		return err
	}
	defer l.Close() // which rolls back what was not committed
	for _, s := range statements {
		if s.SQL == "" || s.advice() {
			continue
		}
		if err := l.Exec(ctx, s.SQL); err != nil {
			return fmt.Errorf("%w, in: %.200s", err, s.SQL)
		}
	}
	return nil
}

// slots are the logins for SQL of people.
func slots(b warehouse.Boundary) []string {
	all := make([]string, b.Slots)
	for i := range all {
		all[i] = b.Slot(i + 1)
	}
	return all
}

// ident writes a name as PostgreSQL reads it.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal writes a text without backslashes as both read it.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// each maps names and joins them for a statement.
func each(list []string, f func(string) string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = f(s)
	}
	return strings.Join(out, ", ")
}
