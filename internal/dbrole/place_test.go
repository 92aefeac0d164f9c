package dbrole

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-bi/sluice/internal/dbtest"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// place is a database with a shop in it and a boundary that may be set up.
type place struct {
	engine  string
	server  *dbtest.Server
	name    string // of the database
	b       warehouse.Boundary
	admin   *warehouse.Admin // with the administrator's details
	options SetupOptions
}

var places atomic.Int32

// shop is what the tests know to be there.
var shop = map[string][]string{
	Postgres: {
		`REVOKE CREATE ON SCHEMA public FROM PUBLIC`, // as it is from 15 on
		`CREATE SCHEMA shop`,
		`CREATE TABLE shop.orders (id INTEGER PRIMARY KEY, organization_id INTEGER, total DECIMAL(10,2))`,
		`INSERT INTO shop.orders VALUES (1, 1, 9.50), (2, 2, 20), (3, 1, 7.25)`,
		`CREATE TABLE public.secret (id INTEGER PRIMARY KEY, word VARCHAR(20))`,
		`INSERT INTO public.secret VALUES (1, 'swordfish')`,
	},
	MySQL: {
		`CREATE TABLE orders (id INTEGER PRIMARY KEY, organization_id INTEGER, total DECIMAL(10,2))`,
		`INSERT INTO orders VALUES (1, 1, 9.50), (2, 2, 20), (3, 1, 7.25)`,
		`CREATE TABLE secret (id INTEGER PRIMARY KEY, word VARCHAR(20))`,
		`INSERT INTO secret VALUES (1, 'swordfish')`,
	},
}

func newPlace(t *testing.T, engine string) *place {
	t.Helper()
	server := dbtest.PostgreSQL
	if engine == MySQL {
		server = dbtest.MariaDB
	}
	p := &place{engine: engine, server: server(t), b: warehouse.Boundary{Name: fmt.Sprintf("sb%d", places.Add(1)), Key: "a key of tests", Slots: 3}}
	p.name = p.server.Database(t)
	p.server.Exec(t, p.name, shop[engine]...)
	p.admin = p.as(t, "")
	p.options = SetupOptions{Database: p.name, WritesViews: true}
	if engine == Postgres {
		p.options.Schemas = []string{"public", "shop"}
	}
	t.Cleanup(func() {
		down, err := Teardown(engine, p.b, p.options)
		if err != nil {
			t.Fatal(err)
		}
		p.exec(t, Script(down))
	})
	return p
}

// as is the second door of the database with the details of a login.
func (p *place) as(t *testing.T, login string) *warehouse.Admin {
	t.Helper()
	return p.with(t, p.server.Details(p.name, login))
}

func (p *place) with(t *testing.T, details map[string]any) *warehouse.Admin {
	t.Helper()
	raw, err := json.Marshal(details)
	if err != nil {
		t.Fatal(err)
	}
	pool := warehouse.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(func() { pool.Close() })
	return pool.Admin(warehouse.Database{ID: 1, Engine: p.engine, Details: raw})
}

// exec runs statements as the administrator, after $NAME for the boundary's.
func (p *place) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		p.server.Exec(t, p.name, p.text(s))
	}
}

func (p *place) text(s string) string {
	return strings.NewReplacer("$SLOT", p.b.Slot(1), "$OTHER", p.b.Slot(2), "$OWNER", p.b.Owner(), "$CONTROL", p.b.Control(),
		"$VIEWS", p.b.Views(), "$HOME", p.b.Home(), "$DB", p.name,
		"${E}", strings.ReplaceAll(p.b.Views(), "_", `\_`), "$HASH", nativeHash(p.b.Password(p.b.Slot(1)))).Replace(s)
}

func (p *place) setup(t *testing.T) []Statement {
	t.Helper()
	s, err := Setup(p.engine, p.b, p.options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (p *place) doctor(t *testing.T) Report {
	t.Helper()
	r, err := Doctor(t.Context(), p.admin, p.b, p.engine)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// passes demands that the doctor finds nothing that is fatal.
func (p *place) passes(t *testing.T, when string) Report {
	t.Helper()
	r := p.doctor(t)
	if !r.Passed() {
		t.Fatalf("%s the doctor finds:\n%s", when, list(r.Findings))
	}
	if n, _, err := p.server.Two(t.Context(), p.name, "SELECT COUNT(*), 0 FROM "+p.b.Home()+".lease"); err != nil || n != 0 {
		t.Fatalf("%s the doctor leaves %d leases (%v)", when, n, err)
	}
	return r
}

func list(findings []Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s: %s\n\t%s\n", f.Severity, f.Check, f.Message, strings.ReplaceAll(f.Fix, "\n", "\n\t"))
	}
	return b.String()
}

// sabotage is something that an administrator could do, and what the doctor is
// to say of it.
type sabotage struct {
	name     string
	do       []string
	severity Severity
	check    string
	words    string   // in the message
	undo     []string // for what has no fix
}

// suffers does each to a boundary that is whole, and mends it by the fixes of
// the doctor.
func (p *place) suffers(t *testing.T, all []sabotage) {
	t.Helper()
	healthy := p.passes(t, "after the set-up").Findings
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			p.exec(t, s.do...)
			r := p.doctor(t)
			if s.severity == Fatal && r.Passed() {
				t.Errorf("the doctor passes it; it finds:\n%s", list(r.Findings))
			}
			want, found, fixed := p.text(s.words), false, false
			for _, f := range r.Findings {
				if slices.Contains(healthy, f) {
					continue
				}
				if !found && f.Severity == s.severity && f.Check == s.check && strings.Contains(f.Message, want) {
					found, fixed = true, f.Fix != ""
				}
				if f.Fix != "" {
					p.exec(t, f.Fix)
				}
			}
			if !found {
				t.Errorf("no %s finding of %s says %q, but:\n%s", s.severity, s.check, want, list(r.Findings))
			}
			if fixed == (len(s.undo) > 0) {
				t.Errorf("has a fix: %v, has an undoing of the test: %v", fixed, len(s.undo) > 0)
			}
			p.exec(t, s.undo...)
			if got := p.passes(t, "after its own fixes").Findings; !slices.Equal(got, healthy) {
				t.Errorf("after its own fixes the doctor finds\n%sand found before\n%s", list(got), list(healthy))
			}
		})
	}
}
