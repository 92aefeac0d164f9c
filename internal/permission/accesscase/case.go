// Package accesscase reads the case files of testdata/access: one named
// situation each, in sentences that an administrator can read, with what
// people can and cannot do in it and why.
//
// A file is a txtar archive. The text above the first section says what the
// case promises. Then come sections, of which none is needed but something
// that is expected:
//
//	-- catalog --       databases and tables:
//	                    database shop, strict
//	                    table public.orders, governed: id integer, organization_id integer
//	                    (a database may be strict; a table governed, shared, new - newer than
//	                    the grants - or absent; "database shop, the sample warehouse" has the
//	                    tables of the sample warehouse)
//	-- groups --        groups nobody is in, or "Analysts, internal"
//	-- people --        bob is in Sales, Europe
//	                    bob has organization_id = 99
//	                    ann is an administrator
//	                    eve is deactivated
//	                    (everybody is in All Users)
//	-- collections --   a path a line, such as Finance/Europe; everybody has a
//	                    collection called "bob's personal collection"
//	-- questions --     "Revenue" reads shop.orders, in "Finance"
//	                    "Revenue in SQL" reads shop.orders by sql, in "Finance"
//	                    "Revenue again" builds on "Revenue", in "Finance" (or "by sql": in a tag)
//	                    "Clients" is a model that reads shop.people, in "Finance" (or a metric)
//	-- dashboards --    "Board" shows "Revenue", "Costs", in "Public"
//	-- rows T --        the rows of a table, for what people see of them: fields
//	                    on the first line, separated by |
//	-- grants --        what is written at the beginning, a statement a line:
//	                    Sales: view unrestricted, create query-builder on shop
//	                    Sales: data level 2 on shop.public.*
//	                    Sales: view impersonated by role on shop
//	                    Sales: rows of shop.orders where organization_id = their organization_id
//	                    Sales: curates "Finance"
//	-- write --         what is done then: statements, and "add bob to Sales",
//	                    "Sales: everything on shop"; see Statement
//	-- put data --      the same as the body of a PUT, in JSON, with {group Sales},
//	                    {database shop}, {table shop.orders} and {revision} for ids;
//	                    "put data?force=true" has a query; "put collections"
//	-- answer --        what the PUT answers: status 409, mentions "out of date"
//	-- can --           bob asks shop.orders
//	-- cannot --        bob runs question "Revenue"
//	                    (what engines differ in stands in "can on sqlite", "cannot on postgres, mysql")
//	-- sees --          bob sees tables: shop.orders
//	-- who --           asks shop.orders: ann, bob
//	-- why --           bob asks shop.orders because Sales: view-data unrestricted
//
// What is expected holds after the writes above it; several rounds of writes
// and expectations make a story. The verbs are listed at [Verbs].
//
// The package builds a [permission.Graph] from a case ([Case.Graph]), makes
// the writes ([Case.Write]) and compares what the graph says with what is
// expected ([Case.Check]): check, list and explanation all must agree. It
// decides nothing itself. Other ways to ask - through a store, over HTTP -
// bring their own names and ids in a [World]. Start reading at [Case].
package accesscase

import (
	"fmt"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Case is one file.
type Case struct {
	Name        string // of the file, without folder and extension
	Promise     string // the text above the sections
	Databases   []Database
	Groups      []Group
	People      []Person
	Collections []string // paths, parents before children
	Questions   []Question
	Dashboards  []Dashboard
	Rows        []Rows
	Grants      []Statement
	Steps       []Step // what happens and what is expected; the first writes nothing
}

// Step is one round of writes and what is expected after it.
type Step struct {
	Line   int // of its first section
	Write  []Statement
	Put    *Put // the same as Write over HTTP, or instead of it
	Expect []Expectation
	Sees   []Listing
	Who    []Listing
	Why    []Why
}

// Database is a database of the catalog section.
type Database struct {
	Line   int
	Name   string
	Strict bool
	Sample bool // it is the sample warehouse
	Tables []Table
}

// Table is a table of a database.
type Table struct {
	Line         int
	Schema, Name string
	Governed     bool
	Shared       bool
	New          bool // came after the grants
	Absent       bool
	Fields       []Field
}

// Field is a column.
type Field struct{ Name, Type string }

// Group is a group of people. All Users and Administrators are always there.
type Group struct {
	Line     int
	Name     string
	Internal bool
}

// Person is somebody who asks.
type Person struct {
	Line        int
	Name        string
	Groups      []string // besides All Users
	Attributes  map[string]string
	Deactivated bool
}

// Question is a saved question.
type Question struct {
	Line       int
	Name       string
	Tables     []Ref  // what it reads, at any depth; at least one
	Native     bool   // it is written in SQL
	SQL        bool   // it or a question below it is
	On         string // the question that it builds on
	Kind       string // "question", "model" or "metric"
	Collection string
}

// Dashboard holds questions.
type Dashboard struct {
	Line       int
	Name       string
	Questions  []string
	Collection string
}

// Rows are the records of a table, as text.
type Rows struct {
	Line    int
	Table   Ref
	Fields  []string
	Records [][]string
}

// Ref names a database, a schema or a table: "shop", "shop.public.*",
// "shop.*" for the schema without a name, "shop.orders" for a table whose
// name is in one schema only, "shop.public.orders".
type Ref struct {
	Depth    permission.Depth
	Database string
	Schema   string
	Table    string
	Bare     bool // a table without its schema
}

func (r Ref) String() string {
	switch {
	case r.Depth == permission.OfDatabase:
		return r.Database
	case r.Depth == permission.OfSchema && r.Schema == "":
		return r.Database + ".*"
	case r.Depth == permission.OfSchema:
		return r.Database + "." + r.Schema + ".*"
	case r.Schema == "":
		return r.Database + "." + r.Table
	}
	return r.Database + "." + r.Schema + "." + r.Table
}

// Put is a write over HTTP.
type Put struct {
	Line    int
	Graph   string // "data" or "collections"
	Query   string // such as "force=true"
	Body    string // JSON with names in braces; see World.Fill
	Status  int    // expected; 0 is 200
	Mention []string
}

// Expectation is one line of can or cannot.
type Expectation struct {
	Line   int
	Text   string
	Can    bool
	Person string
	// Engines are those on which it is expected; nil for all.
	Engines []string
	Action
}

// Engines are those that Sluice asks questions on. A case holds on all.
var Engines = []string{"sqlite", "postgres", "mysql"}

// On tells whether it is expected on an engine.
func (e Expectation) On(engine string) bool {
	return e.Engines == nil || contains(e.Engines, engine)
}

// Action is a verb with what it is about. Fields that the verb does not name
// are empty.
type Action struct {
	Verb       Verb
	Table      Ref
	Other      Ref // a second table
	Database   string
	Collection string
	Question   string
	Dashboard  string
}

// Listing is a line of sees - all of Kind that Person sees - or of who: all
// people who can do Action.
type Listing struct {
	Line   int
	Text   string
	Person string
	Kind   string // "databases", "tables", "collections", "rows"
	Table  Ref    // for "rows"
	Action Action // for who
	Names  []string
	// Engines are those on which it is so; nil for all.
	Engines []string
}

// Why is an answer together with a part of its reasons.
type Why struct {
	Line     int
	Text     string
	Person   string
	Group    string // whose reason; "" for any
	Fragment string
	Engines  []string // on which it is so; nil for all
	Action
}

// Mistake is something wrong with a case file, or something that did not come
// out as the file expects.
type Mistake struct {
	File    string
	Line    int
	Message string
}

func (m *Mistake) Error() string { return fmt.Sprintf("%s:%d: %s", m.File, m.Line, m.Message) }
