package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// choosingBoard is a dashboard of two cards on orders, one of them in a
// collection that the person may not read, with parameters for the organization
// of an order, the category of its product and the locked card's person.
func (w *world) choosingBoard(parameters string) store.Dashboard {
	w.t.Helper()
	card, locked := w.card(w.open, w.list("orders")), w.card(w.closed, w.list("orders"))
	goes := func(parameter string, card int64, field, via string) string {
		options := "null"
		if via != "" {
			options = fmt.Sprintf(`{"source-field":%d}`, w.fields[via])
		}
		return fmt.Sprintf(`{"parameter_id":%q,"card_id":%d,"target":["dimension",["field",%d,%s]]}`, parameter, card, w.fields[field], options)
	}
	board, err := w.store.CreateDashboard(w.t.Context(), store.Actor{User: w.admin}, store.Dashboard{Name: "x", Creator: w.admin, Collection: w.open,
		Parameters: json.RawMessage(parameters), Dashcards: []store.Dashcard{
			{Card: &card.ID, SizeX: 1, SizeY: 1, ParameterMappings: json.RawMessage("[" + goes("org", card.ID, "orders.organization_id", "") + "," +
				goes("category", card.ID, "products.category", "orders.product_id") + "]")},
			{Card: &locked.ID, SizeX: 1, SizeY: 1, ParameterMappings: json.RawMessage("[" + goes("locked", locked.ID, "people.email", "orders.person_id") + "]")},
		}})
	if err != nil {
		w.t.Fatal(err)
	}
	return board
}

const threeParameters = `[{"id":"org","type":"id"},{"id":"category","type":"string/="},{"id":"locked","type":"string/="},{"id":"loose","type":"string/="}]`

// chooses is the values that are offered, one after the other.
func (w *world) chooses(who permission.UserID, r ChoiceRequest) []any {
	w.t.Helper()
	c, err := w.door.Choices(w.t.Context(), who, r)
	if err != nil {
		w.t.Fatalf("%+v: %v", r, err)
	}
	values := []any{}
	for _, v := range c.Values {
		values = append(values, v[0])
	}
	return values
}

func (w *world) noChoices(who permission.UserID, r ChoiceRequest) error {
	_, err := w.door.Choices(w.t.Context(), who, r)
	return err
}

// column is what a question that an administrator asks gives.
func (w *world) column(sql string) []any {
	w.t.Helper()
	a, _, err := w.run(w.admin, ask(native(sql)))
	if err != nil {
		w.t.Fatal(err)
	}
	values := []any{}
	for _, row := range a.rows {
		values = append(values, row[0])
	}
	return values
}

func TestChoicesAreTheRowsThatThePersonMaySee(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.None, permission.None)
	board := w.choosingBoard(threeParameters)
	of := func(id string) ChoiceRequest { return ChoiceRequest{Dashboard: board.ID, ID: id} }
	given := func(id, other, value string) ChoiceRequest {
		r := of(id)
		r.Given = map[string][]string{other: {value}}
		return r
	}
	offers := func(who permission.UserID, r ChoiceRequest, want []any) {
		t.Helper()
		if got := w.chooses(who, r); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v: %v, want %v", r, got, want)
		}
	}
	organizations := w.column("SELECT DISTINCT organization_id FROM orders WHERE organization_id IS NOT NULL ORDER BY 1")
	categories := w.column("SELECT DISTINCT category FROM products ORDER BY 1")
	if len(organizations) < 3 || len(categories) < 3 {
		t.Fatalf("%v, %v", organizations, categories)
	}
	// The collection alone: the reader is shown what the dashboard is made of.
	offers(w.person, of("org"), organizations)
	offers(w.person, of("category"), categories)
	if last := w.lastRun(); last.User != w.person || last.Context != "parameter-values" || last.Dashboard == nil || *last.Dashboard != board.ID || last.Rows != int64(len(categories)) {
		t.Errorf("recorded as %+v", last)
	}
	// What is chosen for another parameter narrows, in either direction.
	first := categories[0].(string)
	offers(w.person, given("org", "category", first), w.column("SELECT DISTINCT o.organization_id FROM orders o JOIN products p ON p.id = o.product_id WHERE p.category = '"+first+"' AND o.organization_id IS NOT NULL ORDER BY 1"))
	offers(w.person, given("category", "org", "3"), w.column("SELECT DISTINCT p.category FROM orders o JOIN products p ON p.id = o.product_id WHERE o.organization_id = 3 ORDER BY 1"))
	offers(w.person, given("category", "org", "987654"), []any{})
	offers(w.person, given("category", "loose", "x"), categories)
	// A part of a text, whatever its case, and one value.
	search, one := of("category"), of("org")
	search.Search, one.Value = first[1:4], "3"
	for _, v := range w.chooses(w.person, search) {
		if v == first {
			first = ""
		}
	}
	if first != "" || len(w.chooses(w.person, search)) == len(categories) {
		t.Errorf("%q finds %v", search.Search, w.chooses(w.person, search))
	}
	offers(w.person, one, []any{int64(3)})

	// A locked card says as little as a parameter that goes nowhere.
	offers(w.person, of("locked"), []any{})
	offers(w.person, of("loose"), []any{})
	offers(w.person, given("org", "locked", "nobody"), organizations)
	if got := w.chooses(w.admin, of("locked")); len(got) == 0 {
		t.Error("an administrator is offered nothing")
	}

	// A sandbox, and its other value.
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	w.sandbox("3")
	offers(w.person, of("org"), []any{int64(3)})
	offers(w.admin, of("org"), organizations)
	w.sandbox("2")
	offers(w.person, of("org"), []any{int64(2)})
	offers(w.person, given("category", "org", "3"), []any{})

	// A hidden table, as a source and as a limit.
	w.draft(func(d *permission.Draft) error {
		return d.Set(w.group, sampleID, permission.View, permission.OneTable(w.tables["orders"]), permission.Blocked)
	})
	offers(w.person, of("org"), []any{})
	offers(w.person, given("category", "org", "3"), categories)

	fails(t, w.noChoices(w.person, of("nothing")), InvalidParameter)
	if _, err := w.store.UpdateDashboard(t.Context(), store.Actor{User: w.admin}, board, store.DashboardUpdate{Collection: &w.closed}); err != nil {
		t.Fatal(err)
	}
	var denied *permission.DeniedError
	if _, err := w.door.Choices(t.Context(), w.person, of("org")); !errors.As(err, &denied) {
		t.Errorf("the dashboard moved away: %v", err)
	}
}

func TestChoicesComeFromListsAndFromCards(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.None, permission.None)
	cheap := fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"filter":["<",["field",%d,null],3],"fields":[["field",%d,null],["field",%d,null]]}}`,
		w.tables["products"], w.fields["products.id"], w.fields["products.id"], w.fields["products.title"])
	source, locked := w.card(w.open, cheap), w.card(w.closed, cheap)
	from := func(card int64, more string) string {
		return fmt.Sprintf(`{"id":"card%d%d","type":"id","values_source_type":"card","values_source_config":{"card_id":%d,"value_field":["field",%d,null]%s}}`,
			card, len(more), card, w.fields["products.id"], more)
	}
	label := fmt.Sprintf(`,"label_field":["field",%d,{"base-type":"type/Text"}]`, w.fields["products.title"])
	elsewhere := fmt.Sprintf(`{"id":"elsewhere","type":"id","values_source_type":"card","values_source_config":{"card_id":%d,"value_field":["field",%d,{"source-field":%d}]}}`,
		w.card(w.open, w.list("orders")).ID, w.fields["people.email"], w.fields["orders.person_id"])
	board := w.choosingBoard(`[{"id":"list","type":"string/=","values_source_type":"static-list","values_source_config":{"values":["Ant",["b","Bee"],null,[]]}},` +
		from(source.ID, "") + "," + from(source.ID, label) + "," + from(locked.ID, "") + "," + from(99999, "") + "," + elsewhere + `,
		{"id":"odd","type":"id","values_source_type":"odd"},{"id":"empty","type":"id","values_source_type":"static-list"}]`)
	get := func(who permission.UserID, r ChoiceRequest) [][]any {
		t.Helper()
		r.Dashboard = board.ID
		c, err := w.door.Choices(t.Context(), who, r)
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		return c.Values
	}
	plain, labelled := fmt.Sprintf("card%d0", source.ID), fmt.Sprintf("card%d%d", source.ID, len(label))
	titles := w.column("SELECT title FROM products WHERE id < 3 ORDER BY id")
	for _, tt := range []struct {
		ask  ChoiceRequest
		want [][]any
	}{
		{ChoiceRequest{ID: "list"}, [][]any{{"Ant"}, {"b", "Bee"}}},
		{ChoiceRequest{ID: "list", Search: "EE"}, [][]any{{"b", "Bee"}}},
		{ChoiceRequest{ID: "list", Value: "Ant"}, [][]any{{"Ant"}}},
		{ChoiceRequest{ID: "empty"}, nil},
		{ChoiceRequest{ID: plain}, [][]any{{int64(1)}, {int64(2)}}},
		{ChoiceRequest{ID: plain, Value: "2"}, [][]any{{int64(2)}}},
		{ChoiceRequest{ID: labelled}, [][]any{{int64(1), titles[0]}, {int64(2), titles[1]}}},
		{ChoiceRequest{ID: labelled, Search: titles[1].(string)[1:]}, [][]any{{int64(2), titles[1]}}},
	} {
		if got := get(w.person, tt.ask); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.ask, got, tt.want)
		}
	}
	// A card that is locked fails as one that is not there.
	says := func(card int64) string {
		return fails(t, w.noChoices(w.person, ChoiceRequest{Dashboard: board.ID, ID: fmt.Sprintf("card%d0", card)}), MissingPermissions)
	}
	if a, b := says(locked.ID), says(99999); a != b {
		t.Errorf("a locked source: %q, a missing one: %q", a, b)
	}
	for _, id := range []string{"elsewhere", "odd"} {
		if _, err := w.door.Choices(t.Context(), w.admin, ChoiceRequest{Dashboard: board.ID, ID: id}); err == nil {
			t.Errorf("%s is taken", id)
		}
	}
}

func TestChoicesForACardAndForWhatIsNotSaved(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.None, permission.None)
	category := w.fields["products.category"]
	categories := w.column("SELECT DISTINCT category FROM products ORDER BY 1")
	card := w.cardWith(store.Card{Collection: w.open, DatasetQuery: json.RawMessage(w.list("products")),
		Parameters: json.RawMessage(fmt.Sprintf(`[{"id":"c","type":"string/=","target":["dimension",["field",%d,null]]}]`, category))})
	sql := w.card(w.open, fmt.Sprintf(`{"database":1,"type":"native","native":{"query":"SELECT 1 FROM products WHERE {{f}}",
		"template-tags":{"f":{"id":"tag","name":"f","display-name":"F","type":"dimension","dimension":["field",%d,null],"widget-type":"string/="}}}}`, category))
	for _, r := range []ChoiceRequest{{Card: card.ID, ID: "c"}, {Card: sql.ID, ID: "tag"}} {
		if got := w.chooses(w.person, r); !reflect.DeepEqual(got, categories) {
			t.Errorf("%+v: %v", r, got)
		}
	}
	w.move(card, w.closed)
	var denied *permission.DeniedError
	if _, err := w.door.Choices(t.Context(), w.person, ChoiceRequest{Card: card.ID, ID: "c"}); !errors.As(err, &denied) {
		t.Errorf("a card that moved away: %v", err)
	}

	// What is not saved is the person's own question.
	unsaved := ChoiceRequest{Parameter: json.RawMessage(`{"id":"p","type":"string/="}`), Fields: []catalog.FieldID{category}}
	of := ChoiceRequest{Parameter: json.RawMessage(fmt.Sprintf(`{"values_source_type":"card","values_source_config":{"card_id":%d,"value_field":["field",%d,null]}}`,
		w.card(w.open, w.list("products")).ID, category))}
	if got := w.chooses(w.person, unsaved); len(got) != 0 {
		t.Errorf("who may not ask is offered %v", got)
	}
	fails(t, w.noChoices(w.person, of), MissingPermissions)
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	for _, r := range []ChoiceRequest{unsaved, of} {
		if got := w.chooses(w.person, r); !reflect.DeepEqual(got, categories) {
			t.Errorf("%+v: %v", r, got)
		}
	}
}
