package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Admin is the second door: what the server itself needs of a warehouse. It
// shows no rows of the customers' tables.
type Admin struct {
	pool *Pool
	db   Database
}

// Admin is the second door of a warehouse. Only dataset and dbrole may call it.
func (p *Pool) Admin(db Database) *Admin { return &Admin{p, db} }

// Try connects with details that are not stored yet. An *Error of kind
// Unusable says in plain words what is wrong with them, and in which option.
func (p *Pool) Try(ctx context.Context, engine string, details json.RawMessage) error {
	from, err := readDetails(engine, details, p.log)
	if err != nil {
		return err
	}
	s, err := from.open(ctx)
	if err == nil {
		defer s.close()
		if !s.alive(ctx, maxIdle) { // for which the engine must answer
			err = lost(nil)
		}
	}
	if err != nil && ctx.Err() != nil {
		return ended(ctx, err)
	}
	return err
}

// Survey is what the login of a connection can see of a warehouse, and what
// it cannot.
type Survey struct {
	Login  string // as the engine calls it; "" for SQLite
	Tables []Table
	// Hidden are tables that are there and that the login may not read,
	// grouped by what it lacks. MySQL tells nobody of tables without rights on
	// them: those are not among them.
	Hidden []Hidden
	// Notes are things about the login that administrators should know, such
	// as rights that it should not have. Each is a sentence.
	Notes []string
}

// Hidden are tables of one schema that the login may not read for one reason.
type Hidden struct {
	Schema string   `json:"schema"`
	Lacks  string   `json:"lacks"`  // such as "USAGE on schema hr"
	Tables []string `json:"tables"` // sorted
	Grant  string   `json:"grant"`  // the statements that would give it
}

// Table is a table or view as the engine describes it.
type Table struct {
	Schema      string // "" for SQLite and MySQL
	Name        string
	Description string
	View        bool
	Fields      []Field // in their order
}

// Field is a column of a Table.
type Field struct {
	Name         string
	Description  string
	DatabaseType string // the engine's own word
	BaseType     string // "type/Integer", ...
	SemanticType string // "type/PK", "type/FK", ... or ""
	References   *Reference
}

// Reference is what a foreign key of one column points to.
type Reference struct {
	Schema, Table, Field string
}

// Survey reads all tables and views that the login can see, with their columns
// and keys, in the order of their schemas and names, with a number of
// statements that does not depend on how many there are. told is called with
// the number of tables read so far, and may be nil. Partitions, search indexes
// and what else people do not query are left out. With any trouble it is an
// *Error and nothing is returned: what cannot be read is not absent.
func (a *Admin) Survey(ctx context.Context, told func(tables int)) (*Survey, error) {
	c, conns, err := a.pool.take(ctx, a.db)
	if err != nil {
		return nil, err
	}
	defer conns.give(c)
	if told == nil {
		told = func(int) {}
	}
	survey, err := c.survey(ctx, told)
	if err == nil {
		survey.legible()
	}
	return survey, err
}

// legible leaves out what has a name that is not UTF-8, which no question can
// speak of, and makes such words about the rest readable.
func (s *Survey) legible() {
	readable := func(text string) string {
		return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
	}
	var out []string
	illegible := func(name, in string) bool {
		is := readable(name) != name
		if is {
			out = append(out, strings.TrimPrefix(in+"."+readable(name), "."))
		}
		return is
	}
	s.Tables = slices.DeleteFunc(s.Tables, func(t Table) bool { return illegible(t.Schema, "") || illegible(t.Name, t.Schema) })
	for i := range s.Tables {
		t := &s.Tables[i]
		t.Description = readable(t.Description)
		t.Fields = slices.DeleteFunc(t.Fields, func(f Field) bool { return illegible(f.Name, t.Name) })
		for j := range t.Fields {
			f := &t.Fields[j]
			f.Description, f.DatabaseType = readable(f.Description), readable(f.DatabaseType)
			if r := f.References; r != nil && readable(r.Schema+r.Table+r.Field) != r.Schema+r.Table+r.Field {
				f.References = nil
			}
		}
	}
	for i, note := range s.Notes {
		s.Notes[i] = readable(note)
	}
	if len(out) > 0 {
		s.Notes = append(s.Notes, "Tables and columns whose names are not valid UTF-8 are left out: "+strings.Join(out, ", ")+".")
	}
}

// Sentence says how much of the database the login sees, and what it lacks for
// the rest.
func (s *Survey) Sentence() string {
	who := "The login " + s.Login
	switch {
	case s.Login == "":
		who = "Sluice"
	case !strings.HasPrefix(s.Login, "'"):
		who = "The role " + s.Login // in PostgreSQL
	}
	hidden, lacks := 0, ""
	for _, h := range s.Hidden {
		hidden += len(h.Tables)
		verb := "lack"
		if len(h.Tables) == 1 {
			verb = "lacks"
		}
		lacks += fmt.Sprintf("; %d %s %s", len(h.Tables), verb, h.Lacks)
	}
	if hidden == 0 {
		return fmt.Sprintf("%s sees all %d tables.", who, len(s.Tables))
	}
	return fmt.Sprintf("%s sees %d of %d tables%s.", who, len(s.Tables), len(s.Tables)+hidden, lacks)
}
