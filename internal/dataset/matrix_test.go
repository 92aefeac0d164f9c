package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// What a person gets, by the group's levels and by the way of asking: all rows,
// their own, or none and a refusal that is recorded.
const (
	all = "all"
	own = "own"
	no  = "no"
)

func TestPersonGetsWhatTheLevelsGive(t *testing.T) {
	w := newWorld(t, Options{})
	ways := []struct {
		name string
		run  func() (string, error) // all, own or something else that was seen
	}{
		{"saved question", w.counted(Request{Card: w.card(w.open, w.ordersByOrganization()).ID})},
		{"saved SQL", w.counted(Request{Card: w.card(w.open, native("SELECT organization_id, count(*) FROM orders GROUP BY 1")).ID})},
		{"saved SQL on another table", func() (string, error) {
			a, _, err := w.run(w.person, Request{Card: w.productSQL()})
			return sees(len(a.rows) == 1 && a.rows[0][0] == int64(108)), err
		}},
		{"saved question of a closed collection", w.counted(Request{Card: w.card(w.closed, w.ordersByOrganization()).ID})},
		{"question", w.counted(ask(w.ordersByOrganization()))},
		{"question on a saved one", w.counted(ask(w.onCard(w.card(w.open, w.list("orders")).ID)))},
		{"question on a closed one", w.counted(ask(w.onCard(w.card(w.closed, w.list("orders")).ID)))},
		{"SQL", w.counted(ask(native("SELECT organization_id, count(*) FROM orders GROUP BY 1")))},
		{"values of a field", func() (string, error) {
			v, err := w.door.FieldValues(t.Context(), w.person, w.fields["orders.organization_id"])
			if len(v.Values) == 1 && v.Values[0][0] == int64(3) {
				return own, err
			}
			return sees(len(v.Values) == 10), err
		}},
	}
	tests := []struct {
		view, create string
		want         [9]string
	}{
		{"none", "no", [9]string{all, all, all, no, no, no, no, no, no}},
		{"none", "query-builder", [9]string{all, all, all, no, no, no, no, no, no}},
		{"none", "query-builder-and-native", [9]string{all, all, all, no, no, no, no, no, no}},
		{"blocked", "no", [9]string{no, no, no, no, no, no, no, no, no}},
		{"unrestricted", "no", [9]string{all, all, all, no, no, no, no, no, no}},
		{"unrestricted", "query-builder", [9]string{all, all, all, no, all, all, no, no, all}},
		{"unrestricted", "query-builder-and-native", [9]string{all, all, all, no, all, all, no, all, all}},
		{"sandboxed", "no", [9]string{own, own, all, no, no, no, no, no, no}},
		{"sandboxed", "query-builder", [9]string{own, own, all, no, own, own, no, no, own}},
		{"sandboxed", "query-builder-and-native", [9]string{own, own, all, no, own, own, no, own, own}},
	}
	for _, tt := range tests {
		t.Run(tt.view+" and "+tt.create, func(t *testing.T) {
			create, err := permission.Create.Parse(tt.create)
			if err != nil {
				t.Fatal(err)
			}
			if tt.view == "sandboxed" {
				w.grant(permission.Unrestricted, create)
				w.sandbox("3")
			} else {
				view, err := permission.View.Parse(tt.view)
				if err != nil {
					t.Fatal(err)
				}
				w.grant(view, create)
			}
			for i, way := range ways {
				before := w.count()
				got, err := way.run()
				if err != nil {
					got = no
				}
				if got != tt.want[i] {
					t.Errorf("%s: %s (%v), want %s", way.name, got, err, tt.want[i])
				}
				var failed *QueryError
				var denied *permission.DeniedError
				if err != nil && !errors.As(err, &denied) && (!errors.As(err, &failed) || failed.Type != MissingPermissions) {
					t.Errorf("%s: refused with %v", way.name, err)
				}
				if errors.As(err, &failed) && failed.Message != refusal {
					t.Errorf("%s: the refusal says %q", way.name, failed.Message)
				}
				if way.name == "values of a field" && err != nil {
					continue // refused before it was a question
				}
				if n := w.count(); n != before+1 {
					t.Errorf("%s: %d records", way.name, n-before)
				}
				last := w.lastRun()
				if want := map[bool]string{true: "completed", false: "denied"}[err == nil]; last.Outcome != want || last.User != w.person {
					t.Errorf("%s: recorded as %+v, want %s", way.name, last, want)
				}
				if err != nil && last.Reason == "" {
					t.Errorf("%s: no reason is recorded", way.name)
				}
			}
		})
	}
}

// counted runs a request that counts orders, by organization or in all.
func (w *world) counted(r Request) func() (string, error) {
	return func() (string, error) {
		a, _, err := w.run(w.person, r)
		var sum int64
		for _, row := range a.rows {
			sum += row[len(row)-1].(int64)
		}
		if sum == w.owned && a.head.Sandboxed {
			return own, err
		}
		return sees(sum == 20000 && !a.head.Sandboxed), err
	}
}

func sees(everything bool) string {
	if everything {
		return all
	}
	return "something else"
}

func (w *world) productSQL() int64 {
	cards, err := w.store.Cards(w.t.Context(), store.CardQuery{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range cards {
		if string(c.DatasetQuery) == native("SELECT count(*) FROM products") {
			return c.ID
		}
	}
	return w.card(w.open, native("SELECT count(*) FROM products")).ID
}

// count is how many runs are recorded.
func (w *world) count() int {
	runs, err := w.store.QueryRuns(w.t.Context(), store.RunQuery{Limit: 1_000_000})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(runs)
}

func TestAdministratorGetsEverythingAndReadsWhatIsWrong(t *testing.T) {
	w := newWorld(t, Options{})
	w.sandbox("3")
	for _, r := range []Request{ask(w.ordersByOrganization()), ask(native("SELECT count(*) FROM orders")), {Card: w.card(w.closed, w.list("products")).ID}} {
		a, _, err := w.run(w.admin, r)
		if err != nil || a.head.Sandboxed || len(a.head.NativeForm) == 0 || a.head.Download != permission.Full {
			t.Errorf("%+v: %+v, %v", r, a.head, err)
		}
	}
	if says := fails(t, second(w.run(w.admin, ask(native("SELECT * FROM nowhere")))), MissingPermissions); says != "no such table: nowhere" {
		t.Errorf("an administrator reads %q", says)
	}
	if says := fails(t, second(w.run(w.admin, ask(native("SELECT total FORM orders")))), InvalidQuery); says == trouble {
		t.Errorf("an administrator reads %q", says)
	}
	if _, _, err := w.run(w.admin, Request{Card: 4711}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a card that does not exist: %v", err)
	}
}

func second[A, B any](_ A, _ B, err error) error { return err }

func TestWhatOneMayNotSeeReadsLikeWhatIsNotThere(t *testing.T) {
	w := newWorld(t, Options{})
	w.draft(func(d *permission.Draft) error { // people and products only
		for _, table := range []string{"people", "products"} {
			if err := d.Grant(w.group, sampleID, permission.OneTable(w.tables[table])); err != nil {
				return err
			}
		}
		return nil
	})
	answers := map[string]bool{}
	for _, question := range []string{
		w.list("orders"), // hidden
		`{"database":1,"type":"query","query":{"source-table":987654}}`,
		`{"database":77,"type":"query","query":{"source-table":987654}}`,
		w.onCard(w.card(w.closed, w.list("people")).ID),
		w.onCard(987654),
		native("SELECT 1"),
		`{"database":77,"type":"native","native":{"query":"SELECT 1"}}`,
	} {
		err := second(w.run(w.person, ask(question)))
		answers[fails(t, err, MissingPermissions)] = true
	}
	if len(answers) != 1 {
		t.Errorf("the answers differ: %v", answers)
	}
	// In a saved question, too, the engine's words would tell.
	for _, sql := range []string{"SELECT no_such_column FROM orders", "SELECT 1 FROM no_such_table", "SELECT id FROM sqlite_master", "SELECT sum(FROM"} {
		card := w.card(w.open, native(sql))
		w.grant(permission.Blocked, permission.None)
		var e *QueryError
		if err := second(w.run(w.person, Request{Card: card.ID})); !errors.As(err, &e) || e.Message != refusal && e.Message != trouble {
			t.Errorf("%s: the person reads %v", sql, err)
		}
	}
}

// Rows that a person may not see must not matter: the answers are the same
// whatever is in them.
func TestHiddenRowsDoNotMatter(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	w.sandbox("3")
	f, table := w.fields, w.tables["orders"]
	questions := []string{
		w.ordersByOrganization(), w.list("orders"),
		fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"aggregation":[["max",["field",%d,null]],["distinct",["field",%d,null]]]}}`,
			table, f["orders.total"], f["orders.status"]),
		fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"breakout":[["field",%d,null]],"order-by":[["desc",["field",%d,null]]],"limit":3}}`,
			table, f["orders.status"], f["orders.status"]),
		fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"aggregation":[["count"]],"joins":[{"alias":"o","source-table":%d,"condition":["=",["field",%d,null],["field",%d,{"join-alias":"o"}]]}]}}`,
			w.tables["people"], table, f["people.id"], f["orders.person_id"]),
		fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"filter":["or",["=",["field",%d,null],"hidden"],["=",1,1]],"aggregation":[["count"]]}}`, table, f["orders.status"]),
		fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"filter":["=",["field",%d,null],"hidden"]}}`, table, f["orders.status"]),
		native("SELECT count(*) FROM orders"),
	}
	answers := func() (got []string) {
		for _, q := range questions {
			a, sum, err := w.run(w.person, ask(q))
			sum.Duration = 0
			text, jsonErr := json.Marshal([]any{a.rows, a.head.Columns, sum, fmt.Sprint(err)})
			if jsonErr != nil {
				t.Fatal(jsonErr)
			}
			got = append(got, string(text))
		}
		v, err := w.door.FieldValues(t.Context(), w.person, f["orders.status"])
		return append(got, fmt.Sprint(v, err))
	}
	before := answers()
	w.exec(`INSERT INTO orders SELECT id + 100000, 5, person_id, product_id, quantity, subtotal, discount, tax, total * 1000, 'hidden', created_at FROM orders WHERE organization_id = 5`,
		`UPDATE orders SET status = 'zebra' WHERE organization_id = 7`)
	for i, after := range answers() {
		if after != before[i] {
			t.Errorf("question %d: the answer was\n%.400s\nand is\n%.400s", i, before[i], after)
		}
	}
}
