package query_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
)

// The world of the tests: a shop used by two organisations, with one table
// that only administrators and analysts may query, and people who differ in
// what they may see.
const (
	shop, elsewhere, vanished catalog.DatabaseID = 1, 2, 99

	organizations, people, products, orders, secrets, oddities, events, foreign catalog.TableID = 1, 2, 3, 4, 5, 6, 7, 20
)

const (
	admin   permission.UserID = iota + 1
	analyst                   // native on the shop, everything unrestricted
	builder                   // query builder on products, orders and events, not on secrets
	tenant                    // orders and people sandboxed by the attribute org = 7
	double                    // orders sandboxed twice: org 7, and status as the attribute says
	reader                    // reads a collection and has no data
	broken                    // as tenant, with an attribute that is no number
	empty                     // sandboxed without a policy
	nobody                    // deactivated
	coder                     // as tenant, with the right to write SQL
	masked                    // writes SQL, and sees some columns masked and others not at all
	stood                     // a question of the builder stands in for the orders
	spoken                    // SQL stands in for the orders
)

var persons = map[string]permission.UserID{"admin": admin, "analyst": analyst, "builder": builder, "tenant": tenant,
	"double": double, "reader": reader, "broken": broken, "empty": empty, "nobody": nobody, "coder": coder, "masked": masked,
	"stood": stood, "spoken": spoken}

// The collections of the saved questions.
const (
	open   permission.CollectionID = 5
	closed permission.CollectionID = 6
)

// noon is the present of the tests: a Wednesday.
var noon = time.Date(2026, 6, 17, 12, 30, 15, 0, time.UTC)

// schema makes the rows of the shop. Words in angle brackets are types and
// signs that engines write differently.
const schema = `
create table organizations (id integer primary key, name <text>);
insert into organizations values (7, 'Acme'), (8, 'Globex');
create table people (id integer primary key, organization_id integer, name <text>, birth_date <date>);
insert into people values (1, 7, 'Ann', '1990-02-28'), (2, 8, 'Bob', '1985-12-01'), (3, 7, NULL, NULL);
create table products (id integer primary key, title <text>, category <text>, price <real>);
insert into products values (1, 'Anvil', 'Tools', 12.5), (2, 'Bell', 'Music', 3), (3, 'Clock', '', 40), (4, 'Drum 100%', NULL, 99.99);
create table orders (id integer primary key, organization_id integer, person_id integer, product_id integer,
  quantity bigint, total <real>, status <loose>, paid boolean, created_at <clock>);
insert into orders values
  (1, 7, 1, 1, 2, 25,    'open',   false, '2026-06-17 08:00:00'),
  (2, 7, 3, 2, 1, 3,     'closed', true,  '2026-06-16 23:59:59.500'),
  (3, 8, 2, 1, 4, 50,    'open',   true,  '2026-06-01<T>10:15:00<Z>'),
  (4, 8, 2, 3, NULL, 40, 'Closed', true,  '2026-05-31 00:00:00'),
  (5, 7, 1, 4, 1, NULL,  NULL,     false, '2025-12-31 12:00:00'),
  (6, 8, 2, 9, 3, 9,     'open',   true,  NULL);
create table secrets (id integer primary key, word <text>);
insert into secrets values (1, 'xyzzy');
create table <odd> (id integer primary key, <a b c> <text>, <select> integer, <at> <time>, raw <json>);
insert into <odd> values (1, '5', 2, '08:30:00', NULL), (2, NULL, NULL, NULL, '{"a":1}');
create table events (id integer primary key, at <instant>, uid <uuid>, url <text>, latitude <real>, longitude <real>, order_id integer, secret_id integer);
insert into events values
  (1, '2026-06-16 22:30:00<Z>', '6f1c1d0e-0000-4000-8000-000000000001', 'https://www.status.shop.example.com:443/a/b?x=1#y', 52.52, 13.40, 1, 1),
  (2, '2026-06-17 08:00:00<Z>', '6f1c1d0e-0000-4000-8000-000000000002', 'http://news.bbc.co.uk', 48.14, 11.58, 3, 1),
  (3, NULL, NULL, 'somebody@example.org', -33.87, 151.21, NULL, NULL);
`

type column struct {
	name, base, semantic string
	target               catalog.FieldID
}

func table(c *catalog.Snapshot, d catalog.DatabaseID, id catalog.TableID, name string, columns ...column) *catalog.Snapshot {
	var fields []catalog.Field
	for i, col := range columns {
		f := catalog.Field{ID: catalog.FieldID(int(id)*100 + i + 1), Name: col.name, BaseType: "type/" + col.base,
			DisplayName: title(col.name), Position: i, Target: col.target}
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

func newCatalog(engine string) *catalog.Snapshot {
	c := &catalog.Snapshot{}
	c = c.WithDatabase(catalog.Database{ID: shop, Name: "Shop", Engine: engine, Governs: catalog.Governs(engine)})
	c = c.WithDatabase(catalog.Database{ID: elsewhere, Name: "Elsewhere", Engine: engine, Governs: catalog.Governs(engine)})
	of := func(name, base, semantic string) column { return column{name: name, base: base, semantic: semantic} }
	key := func(name string, to catalog.FieldID) column { return column{name, "Integer", "FK", to} }
	c = table(c, shop, organizations, "organizations", of("id", "Integer", "PK"), of("name", "Text", "Name"))
	c = table(c, shop, people, "people", of("id", "Integer", "PK"), key("organization_id", 101), of("name", "Text", "Name"), of("birth_date", "Date", ""))
	c = table(c, shop, products, "products", of("id", "Integer", "PK"), of("title", "Text", "Title"),
		of("category", "Text", "Category"), of("price", "Float", ""))
	c = table(c, shop, orders, "orders", of("id", "Integer", "PK"), key("organization_id", 101),
		key("person_id", 201), key("product_id", 301), of("quantity", "BigInteger", ""),
		of("total", "Float", "Currency"), of("status", "Text", ""), of("paid", "Boolean", ""),
		of("created_at", "DateTime", "CreationTimestamp"))
	c = table(c, shop, secrets, "secrets", of("id", "Integer", "PK"), of("word", "Text", ""))
	c = table(c, shop, oddities, `od"d table`, of("id", "Integer", "PK"), of(`a "b" c`, "Text", ""), of("select", "Integer", ""),
		of("at", "Time", ""), of("raw", "JSON", ""))
	c = table(c, shop, events, "events", of("id", "Integer", "PK"), of("at", "DateTimeWithLocalTZ", ""), of("uid", "UUID", ""), of("url", "Text", "URL"),
		of("latitude", "Float", "Latitude"), of("longitude", "Float", "Longitude"), key("order_id", 401), key("secret_id", 501))
	return table(c, elsewhere, foreign, "foreign", of("id", "Integer", "PK"))
}

// newGraph is who may do what in the shop.
func newGraph(t testing.TB) *permission.Graph { return newGraphOn(t, "sqlite") }

func newGraphOn(t testing.TB, engine string) *permission.Graph {
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
		changes = append(changes, permission.SetSandbox{To: &permission.Sandbox{Group: id, Table: of, Policy: permission.Policy{Where: where}, At: 2}})
	}

	for id := admin; id <= spoken; id++ {
		attributes := map[string]string{}
		switch id {
		case tenant, double, empty, coder, masked, stood, spoken:
			attributes = map[string]string{"org": "7", "state": "open"}
		case broken:
			attributes = map[string]string{"org": "7 or 1=1"}
		}
		person(id, attributes)
	}
	group(permission.AllUsers, admin, analyst, builder, tenant, double, reader, broken, empty, nobody, coder, masked, stood, spoken)
	group(permission.Administrators, admin)
	group(10, analyst)
	level(10, shop, permission.View, permission.WholeDatabase(), permission.Unrestricted)
	level(10, shop, permission.Create, permission.WholeDatabase(), permission.Native)
	level(10, elsewhere, permission.View, permission.WholeDatabase(), permission.Unrestricted)
	level(10, elsewhere, permission.Create, permission.WholeDatabase(), permission.QueryBuilder)
	group(11, builder)
	for _, id := range []catalog.TableID{products, orders, events} {
		level(11, shop, permission.View, permission.OneTable(id), permission.Unrestricted)
		level(11, shop, permission.Create, permission.OneTable(id), permission.QueryBuilder)
	}
	group(12, tenant, broken, coder)
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

	group(16, coder, masked)
	level(16, shop, permission.View, permission.OneTable(products), permission.Unrestricted)
	level(16, shop, permission.Create, permission.WholeDatabase(), permission.Native)
	group(17, masked)
	level(17, shop, permission.Create, permission.WholeDatabase(), permission.QueryBuilder)
	sandbox(17, orders)
	sandbox(17, people)
	for _, c := range changes[len(changes)-3:] {
		if c, is := c.(permission.SetSandbox); is {
			c.To.Policy = maskedColumns[c.To.Table]
		}
	}

	group(18, stood)
	group(19, spoken)
	for id, p := range standingIn {
		level(id, shop, permission.View, permission.OneTable(orders), permission.Sandboxed)
		level(id, shop, permission.View, permission.OneTable(products), permission.Unrestricted)
		level(id, shop, permission.Create, permission.WholeDatabase(), permission.QueryBuilder)
		changes = append(changes, permission.SetSandbox{To: &permission.Sandbox{Group: id, Table: orders, Policy: p, At: 2}})
	}

	for _, id := range []permission.CollectionID{open, closed} {
		changes = append(changes, permission.SetCollection{To: &permission.CollectionNode{ID: id, Name: fmt.Sprintf("collection %d", id)}})
	}
	changes = append(changes, permission.SetCollectionAccess{Group: permission.AllUsers, Collection: open,
		To: permission.Cell{Set: true, Level: permission.Read, At: 2}})
	// Secrets are blocked for all who are not let in by a group of their own.
	changes = append(changes, permission.SetTableMark{Table: secrets, To: permission.TableMark{Governed: true}})

	g, err := permission.New(newCatalog(engine)).Apply(changes...)
	if err != nil {
		t.Fatal(err)
	}
	return g.WithRevisions(3, 1)
}

// maskedColumns are what masked sees.
var maskedColumns = map[catalog.TableID]permission.Policy{
	orders: {Where: []permission.AttributeEquality{{Field: 402, Attribute: "org"}}, Columns: []permission.ColumnRule{shown(401),
		shown(403, permission.Mask{Kind: permission.MaskHash}), shown(404), shown(405, permission.Mask{Kind: permission.MaskNull}),
		shown(407, permission.Mask{Kind: permission.MaskPartial, Last: 2}), shown(409, permission.Mask{Kind: permission.MaskDate, Unit: "month"})}},
	people: {AllRows: true, Columns: []permission.ColumnRule{shown(201), shown(203)}},
}

// standingIn are the policies by a saved question.
var standingIn = map[permission.GroupID]permission.Policy{
	18: {Card: 32, Seal: "sealed", Columns: []permission.ColumnRule{shown(401), shown(407)}, Where: []permission.AttributeEquality{{Field: 402, Attribute: "org"}}},
	19: {Card: 34, Seal: "sealed", Columns: []permission.ColumnRule{shown(401), shown(406), shown(407)}, Variables: []permission.AttributeVariable{{Variable: "state", Attribute: "state"}}},
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
	// Metrics: of what is paid, with a join, and one that is none.
	10: {open, `{"database":1,"type":"query","query":{"source-table":4,"aggregation":[["sum",["field",406,null]]],"filter":["=",["field",408,null],true]}}`},
	11: {open, `{"database":1,"type":"query","query":{"source-table":4,"joins":[{"alias":"p","source-table":3,"condition":["=",["field",404,null],["field",301,{"join-alias":"p"}]]}],"expressions":{"twice":["*",["field",304,{"join-alias":"p"}],2]},"aggregation":[["max",["expression","twice"]]],"breakout":[["field",407,null]]}}`},
	12: {open, `{"database":1,"type":"query","query":{"source-table":4,"aggregation":[["/",["metric",10],["count"]]],"filter":["=",["field",408,null],true]}}`},
	13: {open, `{"database":1,"type":"native","native":{"query":"select id, status, created_at from orders where total > {{low}}; -- the end","template-tags":{"low":{"type":"number","default":5}}}}`},
	14: {open, `{"database":1,"type":"native","native":{"query":"select * from {{#15}} as x"}}`},
	15: {open, `{"database":1,"type":"native","native":{"query":"select * from {{#14}} as x"}}`},
	16: {open, `{"database":1,"type":"native","native":{"query":"select id, status, created_at from {{#13-of-low-worth}} as x where status in (select status from {{#1}} as y)"}}`},
	17: {open, `{"database":1,"type":"native","native":{"query":"select id from orders) union (select id from orders"}}`},
	18: {open, `{"database":1,"type":"query","query":{"source-table":4,"aggregation":[["metric",19]]}}`},
	19: {open, `{"database":1,"type":"query","query":{"source-table":4,"aggregation":[["metric",18]]}}`},
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
	card := &query.Card{ID: id, Name: fmt.Sprintf("card %d", id), Query: q, Collection: c.collection}
	if q.Native() {
		card.Columns = []query.Column{{Name: "id", DisplayName: "ID", BaseType: "type/Integer"}, {Name: "status", DisplayName: "Status", BaseType: "type/Text"},
			{Name: "created_at", DisplayName: "Created", BaseType: "type/DateTime"}}
	}
	return card, nil
}

// snippets are the SQL that people share.
var snippets = map[string]string{
	"open ones": "status = 'open' and total > {{low}} [[and id <> {{not}}]]",
	"again":     "({{ snippet: open ones }})",
	"circle":    "{{snippet: circle}}",
	"a card":    "id in (select id from {{#1}} as x)",
	"a secret":  "id in (select id from {{#6}} as x)",
}

// snippet knows the snippet 1 that was renamed to "again", and no other by id.
func snippet(id int64, name string) (string, error) {
	if id != 0 {
		name = map[int64]string{1: "again"}[id]
	}
	s, ok := snippets[name]
	if !ok {
		return "", errNoCard
	}
	return s, nil
}

// source is what the person's questions are compiled against.
func source(t testing.TB, id permission.UserID) query.Source { return sourceOn(t, "sqlite", id) }

func sourceOn(t testing.TB, engine string, id permission.UserID) query.Source {
	t.Helper()
	d, err := query.DialectOf(engine)
	if err != nil {
		t.Fatal(err)
	}
	return query.Source{Access: newGraphOn(t, engine).AccessOf(id), Card: lookup, Policy: standIn, Snippet: snippet, Now: noon, Dialect: d, MaskKey: maskKey, MaxRows: 2000}
}

func parse(t testing.TB, text string) *query.Query {
	t.Helper()
	q, err := query.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

// berlin is a time zone that is not UTC.
func berlin(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}
