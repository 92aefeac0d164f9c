package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/sluice-bi/sluice/internal/store"
)

func TestSavedQuestionTakesTheParametersThatItDeclares(t *testing.T) {
	w := newWorld(t, Options{})
	f := w.fields
	category := fmt.Sprintf(`["dimension",["field",%d,null]]`, f["products.category"])
	vendor := fmt.Sprintf(`["dimension",["field",%d,null]]`, f["products.vendor"])
	count := json.RawMessage(fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"aggregation":[["count"]]}}`, w.tables["products"]))
	plain := w.cardWith(store.Card{Collection: w.open, DatasetQuery: count})
	filtered := w.cardWith(store.Card{Collection: w.open, DatasetQuery: count,
		Parameters: json.RawMessage(`[{"id":"cat","type":"string/=","slug":"category","target":` + category + `}]`)})
	sql := w.cardWith(store.Card{Collection: w.open, DatasetQuery: json.RawMessage(`{"database":1,"type":"native","native":{
		"query":"SELECT count(*) FROM products WHERE category = {{category}} [[AND price < {{top}}]]",
		"template-tags":{"category":{"id":"t1","name":"category","type":"text","required":true},"top":{"id":"t2","name":"top","type":"number"}}}}`)})
	standard := w.cardWith(store.Card{Collection: w.open, DatasetQuery: count,
		Parameters: json.RawMessage(`[{"id":"cat","type":"string/=","target":` + category + `,"default":["Garden"]}]`)})
	board, err := w.store.CreateDashboard(t.Context(), store.Actor{User: w.admin}, store.Dashboard{Name: "Board", Collection: w.open,
		Parameters: json.RawMessage(`[{"id":"p1","type":"string/=","slug":"category"},{"id":"p2","type":"string/=","slug":"vendor","default":["Dunmore"]},{"id":"p3","type":"string/=","slug":"idle"}]`),
		Dashcards: []store.Dashcard{
			{Card: &plain.ID, SizeX: 4, SizeY: 4, DashcardSettings: store.DashcardSettings{ParameterMappings: json.RawMessage(fmt.Sprintf(`[{"parameter_id":"p1","card_id":%d,"target":%s}]`, plain.ID, category))}},
			{Card: &plain.ID, SizeX: 4, SizeY: 4, Row: 4, DashcardSettings: store.DashcardSettings{ParameterMappings: json.RawMessage(fmt.Sprintf(`[{"parameter_id":"p2","card_id":%d,"target":%s}]`, plain.ID, vendor))}},
			{Card: &sql.ID, SizeX: 4, SizeY: 4, Row: 8, DashcardSettings: store.DashcardSettings{ParameterMappings: json.RawMessage(fmt.Sprintf(`[{"parameter_id":"p1","card_id":%d,"target":["variable",["template-tag","category"]]}]`, sql.ID))}},
		}})
	if err != nil {
		t.Fatal(err)
	}
	on := func(i int, card store.Card, parameters string) Request {
		return Request{Dashboard: board.ID, Dashcard: board.Dashcards[i].ID, Card: card.ID, Parameters: json.RawMessage(parameters)}
	}
	alone := func(card store.Card, parameters string) Request {
		return Request{Card: card.ID, Parameters: json.RawMessage(parameters)}
	}
	const garden = 16 // products
	a, _, err := w.run(w.admin, ask(native(`SELECT count(*), sum(price < 40) FROM products WHERE category = 'Garden' UNION ALL SELECT count(*), 0 FROM products WHERE vendor = 'Dunmore'`)))
	if err != nil {
		t.Fatal(err)
	}
	cheap, dunmore := a.rows[0][1].(int64), a.rows[1][0].(int64)
	for _, tt := range []struct {
		name    string
		r       Request
		count   int64
		failure string
	}{
		{"none", alone(plain, ``), 108, ""},
		{"null", alone(plain, `null`), 108, ""},
		{"declared, by id", alone(filtered, `[{"id":"cat","value":["Garden"]}]`), garden, ""},
		{"declared, by target", alone(filtered, `[{"type":"string/=","target":`+category+`,"value":"Garden"}]`), garden, ""},
		{"declared, without a value", alone(filtered, `[{"id":"cat","value":null}]`), 108, ""},
		{"declared, with another target", alone(filtered, `[{"id":"cat","target":`+vendor+`,"value":["Garden"]}]`), garden, ""},
		{"a column that nobody declared", alone(plain, `[{"type":"string/=","target":`+category+`,"value":["Garden"]}]`), 0, InvalidParameter},
		{"another column than was declared", alone(filtered, `[{"type":"string/=","target":`+vendor+`,"value":["Dunmore"]}]`), 0, InvalidParameter},
		{"an id that nobody declared", alone(filtered, `[{"id":"dog","value":["Garden"]}]`), 0, InvalidParameter},
		{"no list", alone(filtered, `{"id":"cat"}`), 0, InvalidParameter},
		{"with a default", alone(standard, ``), garden, ""},
		{"a default that is cleared", alone(standard, `[{"id":"cat","value":null}]`), 108, ""},
		{"a variable", alone(sql, `[{"type":"category","target":["variable",["template-tag","category"]],"value":"Garden"}]`), garden, ""},
		{"a variable by id", alone(sql, `[{"id":"t1","value":"Garden"}]`), garden, ""},
		{"two variables", alone(sql, `[{"id":"t1","value":"Garden"},{"id":"t2","value":40}]`), cheap, ""},
		{"a variable with a quote", alone(sql, `[{"id":"t1","value":"Garden' OR 1=1 --"}]`), 0, ""},
		{"a variable that needs a value", alone(sql, ``), 0, MissingParameter},
		{"a variable that is not there", alone(sql, `[{"target":["variable",["template-tag","other"]],"value":"Garden"}]`), 0, InvalidParameter},
		{"a value of another type", alone(sql, `[{"id":"t1","value":"Garden"},{"id":"t2","value":"many"}]`), 0, InvalidParameter},
		{"of a dashboard", on(0, plain, `[{"id":"p1","value":["Garden"]}]`), garden, ""},
		{"of a dashboard, in a variable", on(2, sql, `[{"id":"p1","value":"Garden"}]`), garden, ""},
		{"of a dashboard, not for this card", on(0, plain, `[{"id":"p3","value":["Garden"]}]`), 108, ""},
		{"of a dashboard, with a default", on(1, plain, ``), dunmore, ""},
		{"of a dashboard, a default that is cleared", on(1, plain, `[{"id":"p2","value":null}]`), 108, ""},
		{"of a dashboard, with a target of its own", on(0, plain, `[{"id":"p3","target":`+vendor+`,"value":["Dunmore"]}]`), 108, ""},
		{"of a dashboard, unknown", on(0, plain, `[{"id":"p9","value":["Garden"]}]`), 0, InvalidParameter},
		{"of a dashboard, unknown with a target", on(0, plain, `[{"id":"p9","target":`+vendor+`,"value":["Garden"]}]`), 0, InvalidParameter},
	} {
		a, _, err := w.run(w.person, tt.r)
		if tt.failure != "" {
			if e := (*QueryError)(nil); !errors.As(err, &e) || e.Type != tt.failure {
				t.Errorf("%s: %v, want %s", tt.name, err, tt.failure)
			}
			continue
		}
		if err != nil || a.rows[0][0] != tt.count {
			t.Errorf("%s: %v, %v, want %d", tt.name, a.rows, err, tt.count)
		}
	}
}
