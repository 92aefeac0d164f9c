package dataset

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// written replaces names such as orders.total in a question by the ids of the
// sample.
func (w *world) written(question string) string {
	for name, id := range w.fields {
		question = strings.ReplaceAll(question, "<"+name+">", fmt.Sprint(id))
	}
	for name, id := range w.tables {
		question = strings.ReplaceAll(question, "<"+name+">", fmt.Sprint(id))
	}
	return question
}

// What the question language writes runs on the guarded connections of the
// sample, and gives what SQL typed by hand gives.
func TestTheLanguageRunsOnTheSample(t *testing.T) {
	w := newWorld(t, Options{})
	for name, c := range map[string]struct{ query, sql string }{
		"a hop and a join": {`"source-table":<orders>,"filter":["=",["field",<products.category>,{"source-field":<orders.product_id>}],"Garden"],"aggregation":[["count"]],
			"joins":[{"alias":"p","source-table":<people>,"strategy":"inner-join","condition":["=",["field",<orders.person_id>,null],["field",<people.id>,{"join-alias":"p"}]]}]`,
			`SELECT count(*) FROM orders o JOIN products p ON p.id = o.product_id WHERE p.category = 'Garden'`},
		"running sums": {`"source-table":<orders>,"aggregation":[["cum-sum",["field",<orders.quantity>,null]],["offset",["count"],-1]],"breakout":[["field",<orders.created_at>,{"temporal-unit":"year"}]],"order-by":[["desc",["field",<orders.created_at>,{"temporal-unit":"year"}]]],"limit":1`,
			`SELECT '2025-01-01', sum(quantity), sum(substr(created_at, 1, 4) = '2024') FROM orders`},
		"bins": {`"source-table":<products>,"aggregation":[["count"]],"breakout":[["field",<products.price>,{"binning":{"strategy":"bin-width","bin-width":25}}],["field",<products.rating>,{"binning":{"strategy":"num-bins","num-bins":3}}]],"limit":1,"order-by":[["desc",["aggregation",0]]]`,
			`SELECT floor(price / 25) * 25, floor(rating), count(*) FROM products GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1`},
		"functions": {`"source-table":<products>,"limit":1,"order-by":[["asc",["field",<products.id>,null]]],"fields":[["expression","n"],["expression","t"],["expression","d"]],"expressions":{
			"n":["+",["abs",["-",["field",<products.id>,null],3]],["round",["sqrt",["power",["log",100],2]]],["floor",1.5],["ceil",1.5],["exp",0]],
			"t":["concat",["upper",["substring",["field",<products.title>,null],1,2]],["replace","a-b","-","+"],["text",["length","abc"]]],
			"d":["datetime-diff","2024-01-31T10:00:00",["datetime-add",["date","2024-01-31"],1,"month"],"day"]}`,
			`SELECT 2 + 2 + 1 + 2 + 1, upper(substr(title, 1, 2)) || 'a+b3', 29 FROM products WHERE id = 1`},
		"dates": {`"source-table":<orders>,"aggregation":[["count"],["share",["during",["field",<orders.created_at>,null],"2024-06-01","month"]]],"filter":["and",["between",["field",<orders.created_at>,null],"2024-01-01","2024-12-31"],["!=",["get-day-of-week",["field",<orders.created_at>,null],"iso"],6,7]]`,
			`SELECT count(*), 1.0 * sum(created_at LIKE '2024-06%') / count(*) FROM orders WHERE created_at LIKE '2024%' AND strftime('%w', created_at) NOT IN ('0', '6')`},
	} {
		a, _, err := w.run(w.admin, ask(w.written(`{"database":1,"type":"query","query":{`+c.query+`}}`)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, _, err := w.run(w.admin, ask(native(c.sql)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		plain := func(rows [][]any) string {
			return strings.ReplaceAll(fmt.Sprint(rows), "T00:00:00Z", "")
		}
		if plain(a.rows) != plain(want.rows) {
			t.Errorf("%s: %v, want %v", name, a.rows, want.rows)
		}
	}
}

// A saved question that is SQL is a source by the columns that it had when it
// was saved, and stands in other SQL by its number; what it may read is
// decided for whoever asks.
func TestSQLIsASourceOfQuestions(t *testing.T) {
	w := newWorld(t, Options{})
	sql := native("SELECT id, organization_id, total FROM orders -- all of them")
	saved, err := w.door.CheckSave(t.Context(), w.admin, json.RawMessage(sql))
	if err != nil {
		t.Fatal(err)
	}
	columns, err := json.Marshal(saved.Columns)
	if err != nil {
		t.Fatal(err)
	}
	card := w.cardWith(store.Card{Collection: w.open, DatasetQuery: json.RawMessage(sql), ResultMetadata: columns})
	bare := w.card(w.open, sql)
	hidden := w.cardWith(store.Card{Collection: w.closed, DatasetQuery: json.RawMessage(sql), ResultMetadata: columns})

	of := func(id int64) Request {
		return ask(fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":"card__%d","filter":["=",["field","organization_id",{"base-type":"type/Integer"}],3],"aggregation":[["count"]]}}`, id))
	}
	in := func(id int64) string {
		return fmt.Sprintf("SELECT count(*) FROM {{#%d}} AS x WHERE organization_id = 3", id)
	}
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	for name, r := range map[string]Request{"a source": of(card.ID), "a source, from a saved question": {Card: w.card(w.open, in2(of(card.ID))).ID}, "in SQL": {Card: w.card(w.open, native(in(card.ID))).ID}} {
		a, _, err := w.run(w.person, r)
		if err != nil || fmt.Sprint(a.rows) != fmt.Sprintf("[[%d]]", w.owned) {
			t.Errorf("%s: %v, %v, want %d", name, a.rows, err, w.owned)
		}
	}
	if says := fails(t, second(w.run(w.admin, of(bare.ID))), InvalidQuery); !strings.Contains(says, "organization_id") {
		t.Errorf("without its columns it says %q", says)
	}
	fails(t, second(w.run(w.person, of(hidden.ID))), MissingPermissions)
	w.sandbox("3")
	for _, r := range []Request{of(card.ID), {Card: w.card(w.open, native(in(card.ID))).ID}} {
		if a, _, err := w.run(w.person, r); err != nil || fmt.Sprint(a.rows) != fmt.Sprintf("[[%d]]", w.owned) || !a.head.Sandboxed {
			t.Errorf("a sandboxed person gets %v, %v, want %d", a.rows, err, w.owned)
		}
	}
	w.sandbox("4")
	for _, r := range []Request{of(card.ID), {Card: w.card(w.open, native(in(card.ID))).ID}} {
		if a, _, err := w.run(w.person, r); err != nil || fmt.Sprint(a.rows) != "[[0]]" {
			t.Errorf("of the rows of others there are %v, %v", a.rows, err)
		}
	}
}

// in2 is the question of a request.
func in2(r Request) string { return string(r.Query) }

// A field filter of SQL takes values as the card declares it, whatever the
// request says of the comparison.
func TestFieldFiltersTakeValues(t *testing.T) {
	w := newWorld(t, Options{})
	card := w.card(w.open, w.written(`{"database":1,"type":"native","native":{"query":"SELECT count(*) FROM products WHERE {{category}} AND {{price}}","template-tags":{
		"category":{"id":"t1","name":"category","type":"dimension","dimension":["field",<products.category>,null],"widget-type":"string/="},
		"price":{"id":"t2","name":"price","type":"dimension","dimension":["field",<products.price>,null],"widget-type":"number/between"}}}}`))
	a, _, err := w.run(w.admin, ask(native(`SELECT sum(category = 'Garden'), sum(category IN ('Garden', 'Kitchen') AND price BETWEEN 10 AND 40) FROM products`)))
	if err != nil {
		t.Fatal(err)
	}
	garden, some := a.rows[0][0], a.rows[0][1]
	for _, c := range []struct {
		parameters string
		want       any
	}{
		{``, int64(108)},
		{`[{"id":"t1","value":["Garden"]}]`, garden},
		{`[{"type":"string/contains","target":["dimension",["template-tag","category"]],"value":["Garden"]}]`, garden},
		{`[{"type":"string/=","target":["variable",["template-tag","category"]],"value":"Garden"}]`, garden},
		{`[{"type":"string/contains","target":["dimension",["template-tag","category"],{"stage-number":0}],"value":["arde"]}]`, int64(0)},
		{`[{"id":"t1","value":["Garden","Kitchen"]},{"id":"t2","value":[10,40]}]`, some},
		{`[{"id":"t1","value":["Garden' OR '1'='1"]}]`, int64(0)},
	} {
		a, _, err := w.run(w.person, Request{Card: card.ID, Parameters: json.RawMessage(c.parameters)})
		if err != nil || a.rows[0][0] != c.want {
			t.Errorf("%s: %v, %v, want %v", c.parameters, a.rows, err, c.want)
		}
	}
	fails(t, second(w.run(w.person, Request{Card: card.ID, Parameters: json.RawMessage(`[{"id":"t2","value":["cheap",1]}]`)})), InvalidParameter)
}

// A field behind a foreign key that leads to a table out of reach is answered
// as one that is not there.
func TestAHiddenTableBehindAKeyIsLikeAnAbsentOne(t *testing.T) {
	w := newWorld(t, Options{})
	w.draft(func(d *permission.Draft) error {
		orders := permission.OneTable(w.tables["orders"])
		if err := d.Set(w.group, sampleID, permission.View, orders, permission.Unrestricted); err != nil {
			return err
		}
		return d.SetCreate(w.group, sampleID, orders, permission.QueryBuilder)
	})
	ask := func(field string) string {
		return fails(t, second(w.run(w.person, ask(w.written(`{"database":1,"type":"query","query":{"source-table":<orders>,"fields":[["field",`+field+`,{"source-field":<orders.person_id>}]]}}`)))), MissingPermissions)
	}
	if hidden, absent := ask("<people.email>"), ask("999999"); hidden != absent || hidden != refusal {
		t.Errorf("hidden: %q\nabsent: %q", hidden, absent)
	}
}

// On servers too a question can stand on a saved one without naming its
// database, on SQL as well, and a sandbox holds below all of it.
func TestQuestionsStandOnSavedOnesOnServers(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		e.set(permission.Unrestricted, permission.QueryBuilder, nil)
		here := func(q string) json.RawMessage {
			return json.RawMessage(fmt.Sprintf(`{"database":%d,"type":"query","query":{"source-table":%d%s}}`, e.id, e.orders, q))
		}
		card := e.cardWith(store.Card{Collection: e.open, Database: &e.id, DatasetQuery: here(``)})
		sql := json.RawMessage(e.native("SELECT id, region, at FROM orders;"))
		saved, err := e.door.CheckSave(t.Context(), e.admin, sql)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := json.Marshal(saved.Columns)
		if err != nil {
			t.Fatal(err)
		}
		typed := e.cardWith(store.Card{Collection: e.open, Database: &e.id, DatasetQuery: sql, ResultMetadata: columns})
		on := func(id int64, q string) Request {
			return ask(fmt.Sprintf(`{"database":-1337,"type":"query","query":{"source-table":"card__%d"%s}}`, id, q))
		}
		byRegion := fmt.Sprintf(`,"aggregation":[["count"]],"breakout":[["field",%d,null]]`, e.region)
		byName := `,"aggregation":[["count"]],"breakout":[["field","region",{"base-type":"type/Text"}]]`
		byMonth := `,"aggregation":[["count"]],"breakout":[["field","at",{"base-type":"type/DateTime","temporal-unit":"month"}]],"filter":["not-null",["field","at",{"base-type":"type/DateTime"}]]`
		for _, c := range []struct {
			name string
			r    Request
			want string
		}{
			{"on a saved question", on(card.ID, byRegion), "[[north 2] [south 1]]"},
			{"on SQL", on(typed.ID, byName), "[[north 2] [south 1]]"},
			{"on dates of SQL", on(typed.ID, byMonth), "[[2024-07-01T00:00:00Z 1]]"},
			{"saved, on a saved one", Request{Card: e.cardWith(store.Card{Collection: e.open, Database: &e.id, DatasetQuery: on(card.ID, byRegion).Query}).ID}, "[[north 2] [south 1]]"},
		} {
			a, _, err := e.run(e.person, c.r)
			if err != nil || fmt.Sprint(a.rows) != c.want {
				t.Errorf("%s: %v, %v, want %s", c.name, a.rows, err, c.want)
			}
		}
		attributes := map[string]string{"region": "south"}
		if _, err := e.store.UpdateUser(t.Context(), store.Actor{}, e.person, store.UserUpdate{LoginAttributes: &attributes}); err != nil {
			t.Fatal(err)
		}
		e.draft(func(d *permission.Draft) error {
			if err := d.Set(e.group, e.id, permission.View, permission.OneTable(e.orders), permission.Sandboxed); err != nil {
				return err
			}
			return d.SetSandbox(e.group, e.orders, &permission.Policy{Where: []permission.AttributeEquality{{Field: e.region, Attribute: "region"}}})
		})
		risky := fmt.Sprintf(`,"aggregation":[["count"]],"filter":[">",["/",1,["-",["length",["field",%d,null]],9]],-9]`, e.region)
		for name, c := range map[string]struct {
			r    Request
			want string
		}{"counted": {on(card.ID, byRegion), "[[south 1]]"}, "with what can fail": {ask(string(here(risky))), "[[1]]"}} {
			a, _, err := e.run(e.person, c.r)
			if err != nil || fmt.Sprint(a.rows) != c.want || !a.head.Sandboxed {
				t.Errorf("sandboxed, %s: %v, %v, want %s", name, a.rows, err, c.want)
			}
		}
		if says := fails(t, second(e.run(e.person, on(typed.ID, byName))), MissingPermissions); says != refusal {
			t.Errorf("sandboxed, on SQL: it says %q", says)
		}
	})
}
