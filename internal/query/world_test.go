package query_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	_ "modernc.org/sqlite"
)

// The world of the tests: a shop used by two organisations, with one table
// that only administrators and analysts may query, and people who differ in
// what they may see.
const (
	shop, elsewhere, vanished catalog.DatabaseID = 1, 2, 99

	organizations, people, products, orders, secrets, oddities, foreign catalog.TableID = 1, 2, 3, 4, 5, 6, 20
)

const (
	admin   permission.UserID = iota + 1
	analyst                   // native on the shop, everything unrestricted
	builder                   // query builder on products and orders, not on secrets
	tenant                    // orders and people sandboxed by the attribute org = 7
	double                    // orders sandboxed twice: org 7, and status as the attribute says
	reader                    // reads a collection and has no data
	broken                    // as tenant, with an attribute that is no number
	empty                     // sandboxed without a policy
	nobody                    // deactivated
)

var persons = map[string]permission.UserID{"admin": admin, "analyst": analyst, "builder": builder, "tenant": tenant,
	"double": double, "reader": reader, "broken": broken, "empty": empty, "nobody": nobody}

// The collections of the saved questions.
const (
	open   permission.CollectionID = 5
	closed permission.CollectionID = 6
)

// noon is the present of the tests: a Wednesday.
var noon = time.Date(2026, 6, 17, 12, 30, 15, 0, time.UTC)

const schema = `
create table organizations (id integer primary key, name text);
insert into organizations values (7, 'Acme'), (8, 'Globex');
create table people (id integer primary key, organization_id integer, name text, birth_date text);
insert into people values (1, 7, 'Ann', '1990-02-28'), (2, 8, 'Bob', '1985-12-01'), (3, 7, NULL, NULL);
create table products (id integer primary key, title text, category text, price real);
insert into products values (1, 'Anvil', 'Tools', 12.5), (2, 'Bell', 'Music', 3), (3, 'Clock', '', 40), (4, 'Drum 100%', NULL, 99.99);
create table orders (id integer primary key, organization_id integer, person_id integer, product_id integer,
  quantity integer, total real, status text collate nocase, paid boolean, created_at text);
insert into orders values
  (1, 7, 1, 1, 2, 25,    'open',   0, '2026-06-17 08:00:00'),
  (2, 7, 3, 2, 1, 3,     'closed', 1, '2026-06-16 23:59:59.500'),
  (3, 8, 2, 1, 4, 50,    'open',   1, '2026-06-01T10:15:00Z'),
  (4, 8, 2, 3, NULL, 40, 'Closed', 1, '2026-05-31 00:00:00'),
  (5, 7, 1, 4, 1, NULL,  NULL,     0, '2025-12-31 12:00:00'),
  (6, 8, 2, 9, 3, 9,     'open',   1, NULL);
create table secrets (id integer primary key, word text);
insert into secrets values (1, 'xyzzy');
create table "od""d table" (id integer primary key, "a ""b"" c" text, "select" integer, "at" text, raw text);
insert into "od""d table" values (1, '5', 2, '08:30:00', NULL);
`

type column struct{ name, base, semantic string }

func table(c *catalog.Snapshot, d catalog.DatabaseID, id catalog.TableID, name string, columns ...column) *catalog.Snapshot {
	var fields []catalog.Field
	for i, col := range columns {
		f := catalog.Field{ID: catalog.FieldID(int(id)*100 + i + 1), Name: col.name, BaseType: "type/" + col.base,
			DisplayName: title(col.name), Position: i}
		if col.semantic != "" {
			f.SemanticType = "type/" + col.semantic
		}
		fields = append(fields, f)
	}
	return c.WithTable(catalog.Table{ID: id, Database: d, Name: name, Since: 1}, fields)
}

func title(name string) string {
	return strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "_", " ")
}

func newCatalog() *catalog.Snapshot {
	c := &catalog.Snapshot{}
	c = c.WithDatabase(catalog.Database{ID: shop, Name: "Shop", Engine: "sqlite"})
	c = c.WithDatabase(catalog.Database{ID: elsewhere, Name: "Elsewhere", Engine: "sqlite"})
	c = table(c, shop, organizations, "organizations", column{"id", "Integer", "PK"}, column{"name", "Text", "Name"})
	c = table(c, shop, people, "people", column{"id", "Integer", "PK"}, column{"organization_id", "Integer", "FK"},
		column{"name", "Text", "Name"}, column{"birth_date", "Date", ""})
	c = table(c, shop, products, "products", column{"id", "Integer", "PK"}, column{"title", "Text", "Title"},
		column{"category", "Text", "Category"}, column{"price", "Float", ""})
	c = table(c, shop, orders, "orders", column{"id", "Integer", "PK"}, column{"organization_id", "Integer", "FK"},
		column{"person_id", "Integer", "FK"}, column{"product_id", "Integer", "FK"}, column{"quantity", "Integer", ""},
		column{"total", "Float", "Currency"}, column{"status", "Text", ""}, column{"paid", "Boolean", ""},
		column{"created_at", "DateTime", "CreationTimestamp"})
	c = table(c, shop, secrets, "secrets", column{"id", "Integer", "PK"}, column{"word", "Text", ""})
	c = table(c, shop, oddities, `od"d table`, column{"id", "Integer", "PK"}, column{`a "b" c`, "Text", ""}, column{"select", "Integer", ""},
		column{"at", "Time", ""}, column{"raw", "JSON", ""})
	return table(c, elsewhere, foreign, "foreign", column{"id", "Integer", "PK"})
}

// newGraph is who may do what in the shop.
func newGraph(t testing.TB) *permission.Graph {
	t.Helper()
	var changes []permission.Change
	group := func(id permission.GroupID, members ...permission.UserID) {
		changes = append(changes, permission.SetGroup{To: &permission.Group{ID: id, Name: fmt.Sprintf("group %d", id)}})
		for _, u := range members {
			changes = append(changes, permission.SetMembership{User: u, Group: id, To: true})
		}
	}
	person := func(id permission.UserID, attributes map[string]string) {
		changes = append(changes, permission.SetUser{To: &permission.User{ID: id, Name: fmt.Sprintf("person %d", id),
			Active: id != nobody, Attributes: attributes}})
	}
	level := func(id permission.GroupID, d catalog.DatabaseID, k permission.Kind, s permission.Scope, l permission.Level) {
		changes = append(changes, permission.SetDataAccess{Group: id, Database: d, Kind: k, Scope: s,
			To: permission.Cell{Set: true, Level: l, At: 2}})
	}
	sandbox := func(id permission.GroupID, of catalog.TableID, where ...permission.AttributeEquality) {
		level(id, shop, permission.View, permission.OneTable(of), permission.Sandboxed)
		changes = append(changes, permission.SetSandbox{To: &permission.Sandbox{Group: id, Table: of, Where: where, At: 2}})
	}

	for id := admin; id <= nobody; id++ {
		attributes := map[string]string{}
		switch id {
		case tenant, double, empty:
			attributes = map[string]string{"org": "7", "state": "open"}
		case broken:
			attributes = map[string]string{"org": "7 or 1=1"}
		}
		person(id, attributes)
	}
	group(permission.AllUsers, admin, analyst, builder, tenant, double, reader, broken, empty, nobody)
	group(permission.Administrators, admin)
	group(10, analyst)
	level(10, shop, permission.View, permission.WholeDatabase(), permission.Unrestricted)
	level(10, shop, permission.Create, permission.WholeDatabase(), permission.Native)
	level(10, elsewhere, permission.View, permission.WholeDatabase(), permission.Unrestricted)
	level(10, elsewhere, permission.Create, permission.WholeDatabase(), permission.QueryBuilder)
	group(11, builder)
	for _, id := range []catalog.TableID{products, orders} {
		level(11, shop, permission.View, permission.OneTable(id), permission.Unrestricted)
		level(11, shop, permission.Create, permission.OneTable(id), permission.QueryBuilder)
	}
	group(12, tenant, broken)
	sandbox(12, orders, permission.AttributeEquality{Field: 402, Attribute: "org"})
	sandbox(12, people, permission.AttributeEquality{Field: 202, Attribute: "org"})
	level(12, shop, permission.View, permission.OneTable(products), permission.Unrestricted)
	level(12, shop, permission.Create, permission.WholeDatabase(), permission.QueryBuilder)
	group(13, double)
	group(14, double)
	sandbox(13, orders, permission.AttributeEquality{Field: 402, Attribute: "org"}, permission.AttributeEquality{Field: 407, Attribute: "state"})
	sandbox(14, orders, permission.AttributeEquality{Field: 407, Attribute: "state"})
	level(13, shop, permission.Create, permission.WholeDatabase(), permission.QueryBuilder)
	group(15, empty)
	sandbox(15, orders)
	level(15, shop, permission.Create, permission.WholeDatabase(), permission.QueryBuilder)

	for _, id := range []permission.CollectionID{open, closed} {
		changes = append(changes, permission.SetCollection{To: &permission.CollectionNode{ID: id, Name: fmt.Sprintf("collection %d", id)}})
	}
	changes = append(changes, permission.SetCollectionAccess{Group: permission.AllUsers, Collection: open,
		To: permission.Cell{Set: true, Level: permission.Read, At: 2}})
	// Secrets are blocked for all who are not let in by a group of their own.
	changes = append(changes, permission.SetTableMark{Table: secrets, To: permission.TableMark{Governed: true}})

	g, err := permission.New(newCatalog()).Apply(changes...)
	if err != nil {
		t.Fatal(err)
	}
	return g.WithRevisions(3, 1)
}

// cards are the saved questions of the world.
var cards = map[int64]struct {
	collection permission.CollectionID
	text       string
}{
	1: {open, `{"database":1,"type":"query","query":{"source-table":4,"filter":["=",["field",408,null],true]}}`},
	2: {closed, `{"database":1,"type":"query","query":{"source-table":4}}`},
	3: {open, `{"database":1,"type":"native","native":{"query":"select * from orders"}}`},
	4: {open, `{"database":1,"type":"query","query":{"source-table":"card__5"}}`},
	5: {open, `{"database":1,"type":"query","query":{"source-table":4,"joins":[{"alias":"x","source-table":"card__4","condition":["=",["field",401,null],["field",401,{"join-alias":"x"}]]}]}}`},
	6: {open, `{"database":1,"type":"query","query":{"source-table":5}}`},
	7: {open, `{"database":1,"type":"query","query":{"source-table":"card__6"}}`},
	8: {open, `{"database":1,"type":"query","query":{"source-table":4,"aggregation":[["count"],["sum",["field",406,null]]],"breakout":[["field",407,null],["field",409,{"temporal-unit":"month"}]]}}`},
	9: {open, `{"database":1,"type":"query","query":{"source-table":4,"fields":[["field",999,null]]}}`},
}

var errNoCard = errors.New("no such card")

func lookup(id int64) (*query.Card, error) {
	c, ok := cards[id]
	if !ok {
		return nil, errNoCard
	}
	q, err := query.Parse([]byte(c.text))
	if err != nil {
		return nil, err
	}
	return &query.Card{ID: id, Name: fmt.Sprintf("card %d", id), Query: q, Collection: c.collection}, nil
}

// source is what the person's questions are compiled against.
func source(t testing.TB, id permission.UserID) query.Source {
	t.Helper()
	return query.Source{Access: newGraph(t).AccessOf(id), Card: lookup, Now: noon, Dialect: query.SQLite(), MaxRows: 2000}
}

func parse(t testing.TB, text string) *query.Query {
	t.Helper()
	q, err := query.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

// warehouse is a database with the rows of the shop.
func warehouse(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(context.Background(), schema); err != nil {
		t.Fatal(err)
	}
	return db
}

// run gives the rows of a statement as lines of text.
func run(db *sql.DB, st query.Statement) (lines []string, err error) {
	rows, err := db.QueryContext(context.Background(), st.SQL(), st.Args()...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		cells, into := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		words := make([]string, len(cells))
		for i, c := range cells {
			words[i] = fmt.Sprint(c)
		}
		lines = append(lines, strings.Join(words, " | "))
	}
	return lines, rows.Err()
}
