package dataset

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// standsIn gives the group a policy on a table by a saved question that shows
// these columns.
func (w *world) standsIn(card int64, on catalog.TableID, columns []catalog.FieldID, more func(*permission.Policy)) {
	w.t.Helper()
	seal, err := w.door.Seal(w.t.Context(), card)
	if err != nil {
		w.t.Fatal(err)
	}
	p := &permission.Policy{Card: card, Seal: seal}
	slices.Sort(columns)
	for _, id := range columns {
		p.Columns = append(p.Columns, permission.ColumnRule{Field: id})
	}
	if more != nil {
		more(p)
	}
	w.draft(func(d *permission.Draft) error {
		if err := d.Set(w.group, w.store.Graph().Catalog().Table(on).Database, permission.View, permission.OneTable(on), permission.Sandboxed); err != nil {
			return err
		}
		return d.SetSandbox(w.group, on, p)
	})
}

// rewrite gives a card another question, behind the policies' back.
func (w *world) rewrite(c store.Card, question string) store.Card {
	w.t.Helper()
	was, err := w.store.Card(w.t.Context(), c.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err = w.store.UpdateCard(w.t.Context(), store.Actor{User: w.admin}, was, store.CardUpdate{Question: &store.CardQuestion{DatasetQuery: json.RawMessage(question), Database: was.Database}})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func TestQuestionsStandInForTablesOnServers(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		governedServer(t, e)
		fields := map[string]catalog.FieldID{}
		for _, table := range []catalog.TableID{e.orders, e.salaries} {
			for _, f := range e.store.Graph().Catalog().Fields(table) {
				fields[fmt.Sprint(table, f.Name)] = f.ID
			}
		}
		id, total := fields[fmt.Sprint(e.orders, "id")], fields[fmt.Sprint(e.orders, "total")]
		salary, amount := fields[fmt.Sprint(e.salaries, "id")], fields[fmt.Sprint(e.salaries, "amount")]
		reads := func(what, question, want string) {
			t.Helper()
			a, _, err := e.run(e.person, ask(question))
			if got := likeness(t, a.rows); err != nil || got != want || !a.head.Sandboxed {
				t.Errorf("%s: %s, %v, want %s", what, got, err, want)
			}
		}
		byRegion := func(p *permission.Policy) {
			p.Where = []permission.AttributeEquality{{Field: e.region, Attribute: "region"}}
		}
		// Built in the query builder, over a table that the person may not read.
		built := e.card(e.closed, fmt.Sprintf(`{"database":%d,"type":"query","query":{"source-table":%d,
			"joins":[{"alias":"s","source-table":%d,"strategy":"left-join","condition":["=",["field",%d,null],["field",%d,{"join-alias":"s"}]]}],
			"expressions":{"total":["coalesce",["field",%d,{"join-alias":"s"}],["field",%d,null]]},
			"fields":[["field",%d,null],["field",%d,null],["expression","total"]],"filter":["<",["field",%d,null],3]}}`,
			e.id, e.orders, e.salaries, id, salary, amount, total, id, e.region, id))
		e.standsIn(built.ID, e.orders, []catalog.FieldID{id, e.region, total}, byRegion)
		all := e.allOrders()
		reads("built", all, "1 north 4711")
		counted := fmt.Sprintf(`{"database":%d,"type":"query","query":{"source-table":%d,"aggregation":[["count"],["sum",["field",%d,null]]]}}`, e.id, e.orders, total)
		reads("counted", counted, "1 4711")
		for sql, want := range map[string]string{
			"SELECT id, region, total FROM orders":                   "[[1 north 4711]]",
			"SELECT count(*) FROM orders WHERE region <> 'north'":    "[[0]]",
			"SELECT o.id FROM orders o JOIN orders p ON o.id = p.id": "[[1]]",
		} {
			if a, _, err := e.run(e.person, ask(e.native(sql))); err != nil || strings.ReplaceAll(likeness(t, a.rows), "[", "") != strings.Trim(want, "[]") {
				t.Errorf("%s: %v, %v, want %s", sql, a.rows, err, want)
			}
		}
		_, err := e.typed("SELECT amount FROM salaries")
		fails(t, err, InvalidQuery)
		_, err = e.typed("SELECT at FROM orders")
		if says := fails(t, err, InvalidQuery); strings.Contains(says, "salaries") {
			t.Error(says)
		}
		e.is("south")
		reads("south", all, "2 south 20")
		if got, err := e.typed("SELECT id FROM orders"); err != nil || got != "[[2]]" {
			t.Errorf("south: %s, %v", got, err)
		}
		e.is("north' OR '1'='1")
		if a, _, err := e.run(e.person, ask(all)); err != nil || len(a.rows) > 0 {
			t.Errorf("with quotes: %v, %v", a.rows, err)
		}

		// Typed as SQL.
		e.is("north")
		sql := e.card(e.closed, fmt.Sprintf(`{"database":%d,"type":"native","native":{"query":"SELECT id, region, total + 1 AS total FROM orders WHERE region = {{which}} -- all","template-tags":{"which":{"type":"text"}}}}`, e.id))
		e.standsIn(sql.ID, e.orders, []catalog.FieldID{id, e.region, total}, func(p *permission.Policy) {
			p.Variables = []permission.AttributeVariable{{Variable: "which", Attribute: "region"}}
		})
		reads("SQL", fmt.Sprintf(`{"database":%d,"type":"query","query":{"source-table":%d,"order-by":[["asc",["field",%d,null]]]}}`, e.id, e.orders, id), "1 north 10.5 3 north 8.25")
		values, err := e.door.FieldValues(t.Context(), e.person, e.region)
		if err != nil || fmt.Sprint(values.Values) != "[[north]]" {
			t.Errorf("values %v, %v", values, err)
		}
		_, err = e.typed("SELECT id FROM orders")
		if says := fails(t, err, MissingPermissions); says != refusal {
			t.Error(says)
		}
		if reason := e.lastRun().Reason; !strings.Contains(reason, "there is SQL in it") {
			t.Errorf("the reason is %q", reason)
		}
		e.is("it's")
		if a, _, err := e.run(e.person, ask(all)); err != nil || len(a.rows) > 0 {
			t.Errorf("with a quote: %v, %v", a.rows, err)
		}
		// What the engine says of it is not told to people who write SQL.
		e.rewrite(sql, fmt.Sprintf(`{"database":%d,"type":"native","native":{"query":"SELECT id, region, totalled AS total FROM orders WHERE region = {{which}}","template-tags":{"which":{"type":"text"}}}}`, e.id))
		e.standsIn(sql.ID, e.orders, []catalog.FieldID{id, e.region, total}, func(p *permission.Policy) {
			p.Variables = []permission.AttributeVariable{{Variable: "which", Attribute: "region"}}
		})
		_, _, err = e.run(e.person, ask(all))
		if says := fails(t, err, InvalidQuery); says != trouble {
			t.Errorf("of SQL that fails they read %q", says)
		}
	})
}

// On SQLite no SQL of the person runs; what the query builder shows, exports and
// the cards of dashboards is the question's.
func TestAQuestionStandsInOnSQLite(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.Unrestricted, permission.Native)
	orders := w.tables["orders"]
	shown := []catalog.FieldID{w.fields["orders.id"], w.fields["orders.organization_id"]}
	card := w.card(w.closed, fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"fields":[["field",%d,null],["field",%d,null]],"filter":["<",["field",%d,null],50]}}`,
		orders, shown[0], shown[1], shown[0]))
	w.standsIn(card.ID, orders, shown, nil)
	saved := w.card(w.open, w.list("orders"))
	board, err := w.store.CreateDashboard(t.Context(), store.Actor{User: w.admin}, store.Dashboard{Name: "x", Creator: w.admin, Collection: w.open,
		Dashcards: []store.Dashcard{{Card: &saved.ID, SizeX: 1, SizeY: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	w.draft(func(d *permission.Draft) error {
		return d.Set(w.group, sampleID, permission.Download, permission.WholeDatabase(), permission.Full)
	})
	for what, r := range map[string]Request{
		"asked": ask(w.list("orders")), "saved": {Card: saved.ID}, "on a dashboard": {Card: saved.ID, Dashboard: board.ID, Dashcard: board.Dashcards[0].ID},
		"exported": {Query: json.RawMessage(w.list("orders")), Context: "csv-download"}, "saved and exported": {Card: saved.ID, Context: "csv-download"},
	} {
		a, _, err := w.run(w.person, r)
		if err != nil || len(a.rows) != 49 || len(a.head.Columns) != 2 || !a.head.Sandboxed || len(a.head.Filtered) != 1 {
			t.Errorf("%s: %d rows, %+v, %v", what, len(a.rows), a.head.Filtered, err)
		}
		if strings.Contains(string(a.head.NativeForm), "50") {
			t.Errorf("%s tells %s", what, a.head.NativeForm)
		}
	}
	for _, sql := range []string{"SELECT 1", "SELECT id FROM orders", "SELECT id FROM products"} {
		_, _, err := w.run(w.person, ask(native(sql)))
		if says := fails(t, err, MissingPermissions); says != refusal {
			t.Errorf("%s: %s", sql, says)
		}
		if reason := w.lastRun().Reason; !strings.Contains(reason, "on this engine") {
			t.Errorf("%s: the reason is %q", sql, reason)
		}
	}
	// By SQL that reads another table, and joined with that as the person sees it.
	typed := w.card(w.closed, native("SELECT id, organization_id FROM orders WHERE product_id IN (SELECT id FROM products WHERE id < 3)"))
	w.standsIn(typed.ID, orders, shown, nil)
	want, _, err := w.run(w.admin, ask(native("SELECT count(*) FROM orders WHERE product_id < 3")))
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := w.run(w.person, ask(fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"aggregation":[["count"]]}}`, orders)))
	if err != nil || fmt.Sprint(a.rows) != fmt.Sprint(want.rows) || fmt.Sprint(a.rows) == "[[0]]" {
		t.Errorf("by SQL: %v, %v, want %v", a.rows, err, want.rows)
	}
	w.draft(func(d *permission.Draft) error {
		return d.Set(w.group, sampleID, permission.View, permission.OneTable(w.tables["products"]), permission.Blocked)
	})
	if a, _, err := w.run(w.person, ask(w.list("orders"))); err != nil || len(a.rows) == 0 {
		t.Errorf("over a table that is blocked for the person: %v", err)
	}
}

// A result is kept for the question that stood in when it was made, and a run
// ends when that is no longer the same.
func TestResultsDependOnTheQuestionThatStandsIn(t *testing.T) {
	w, _ := keepingWorld(t)
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	orders := w.tables["orders"]
	below := func(n int) string {
		return fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"filter":["<=",["field",%d,null],%d]}}`, orders, w.fields["orders.id"], n)
	}
	base := w.card(w.closed, below(10))
	on := fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":"card__%d"}}`, base.ID)
	card := w.card(w.closed, on)
	var shown []catalog.FieldID
	for _, f := range w.store.Graph().Catalog().Fields(orders) {
		shown = append(shown, f.ID)
	}
	w.standsIn(card.ID, orders, shown, nil)
	counting := Request{Card: w.keptCard(fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"aggregation":[["count"]]}}`, orders)).ID}
	expect := func(what string, n int64, kept bool) {
		t.Helper()
		if v, k := w.gets(w.person, counting); fmt.Sprint(v) != fmt.Sprint(n) || k != kept {
			t.Errorf("%s: %v, kept %v", what, v, k)
		}
	}
	expect("first", 10, false)
	expect("again", 10, true)
	w.rewrite(base, below(7))
	_, _, err := w.run(w.person, counting)
	fails(t, err, MissingPermissions)
	w.standsIn(card.ID, orders, shown, nil)
	expect("changed below", 7, false)
	expect("changed below, again", 7, true)
	w.rewrite(base, below(10))
	w.standsIn(card.ID, orders, shown, nil)
	expect("changed back", 10, true)

	// By SQL with a snippet in it, that is part of it too.
	snippet, err := w.store.CreateSnippet(t.Context(), store.Actor{User: w.admin}, store.Snippet{Name: "early", Content: "id <= 4"}, func(store.SnippetWrite) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	sql := w.card(w.closed, `{"database":1,"type":"native","native":{"query":"SELECT * FROM orders WHERE {{snippet: early}}","template-tags":{"snippet: early":{"name":"snippet: early","type":"snippet","snippet-name":"early"}}}}`)
	w.standsIn(sql.ID, orders, shown, nil)
	expect("by SQL", 4, false)
	if _, err := w.store.UpdateSnippet(t.Context(), store.Actor{User: w.admin}, snippet.ID, store.SnippetUpdate{Content: new("id <= 5")}, func(store.SnippetWrite) error { return nil }); err != nil {
		t.Fatal(err)
	}
	_, _, err = w.run(w.person, counting)
	fails(t, err, MissingPermissions)
	w.standsIn(sql.ID, orders, shown, nil)
	expect("by another snippet", 5, false)
	w.standsIn(card.ID, orders, shown, nil)

	// While it runs.
	w.rewrite(base, below(100_000))
	w.standsIn(card.ID, orders, shown, nil)
	a := &answer{row: func(n int) error {
		if n == 1 {
			w.rewrite(base, below(3))
			time.Sleep(watchEvery + shortly)
		}
		return nil
	}}
	_, err = w.door.Run(t.Context(), w.person, ask(w.list("orders")), a)
	if says := fails(t, err, MissingPermissions); says != refusal {
		t.Error(says)
	}
}
