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
			{Card: &card.ID, SizeX: 1, SizeY: 1, DashcardSettings: store.DashcardSettings{ParameterMappings: json.RawMessage("[" + goes("org", card.ID, "orders.organization_id", "") + "," +
				goes("category", card.ID, "products.category", "orders.product_id") + "]")}},
			{Card: &locked.ID, SizeX: 1, SizeY: 1, DashcardSettings: store.DashcardSettings{ParameterMappings: json.RawMessage("[" + goes("locked", locked.ID, "people.email", "orders.person_id") + "]")}},
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
	ofCard, ofSQL := ChoiceRequest{Card: card.ID, ID: "c"}, ChoiceRequest{Card: sql.ID, ID: "tag"}
	if got := w.chooses(w.person, ofCard); !reflect.DeepEqual(got, categories) {
		t.Errorf("the card: %v", got)
	}
	if got := w.chooses(w.person, ofSQL); len(got) != 0 { // which rows the SQL reads is known to nobody
		t.Errorf("SQL: who may not ask is offered %v", got)
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
	for _, r := range []ChoiceRequest{unsaved, of, ofSQL} {
		if got := w.chooses(w.person, r); !reflect.DeepEqual(got, categories) {
			t.Errorf("%+v: %v", r, got)
		}
	}
}

// Who may not query a table is offered what is in the rows of the saved
// question, and of a column that it does not read nothing.
func TestWhoMayNotAskChoosesFromTheRowsOfTheQuestion(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.None, permission.None)
	field := func(name, options string) string { return fmt.Sprintf(`["field",%d,%s]`, w.fields[name], options) }
	category, email := field("products.category", "null"), field("people.email", fmt.Sprintf(`{"source-field":%d}`, w.fields["orders.person_id"]))
	few := fmt.Sprintf(`"source-table":%d,"filter":["<",%s,4]`, w.tables["products"], field("products.id", "null"))
	parameter := func(target string) string {
		return fmt.Sprintf(`[{"id":"p","type":"string/=","target":["dimension",%s]}]`, target)
	}
	card := func(q, target string) int64 {
		return w.cardWith(store.Card{Collection: w.open, DatasetQuery: json.RawMessage(`{"database":1,"type":"query","query":{` + q + `}}`), Parameters: json.RawMessage(parameter(target))}).ID
	}
	some := w.column("SELECT DISTINCT category FROM products WHERE id < 4 ORDER BY 1")
	if all := w.column("SELECT DISTINCT category FROM products"); len(some) == 0 || len(some) == len(all) {
		t.Fatalf("%v of %v", some, all)
	}
	hasPerson := fmt.Sprintf(`"source-table":%d,"filter":["=",%s,1]`, w.tables["orders"], field("orders.id", "null"))
	nested := fmt.Sprintf(`"source-query":{%s,"fields":[%s]}`, few, category)
	for name, c := range map[string]struct {
		card int64
		want []any
	}{
		"its rows":                    {card(few, category), some},
		"what it counts":              {card(few+`,"aggregation":[["count"]]`, category), some},
		"its first row":               {card(few+`,"limit":1`, category), some},
		"a stage":                     {card(nested, category), some},
		"a stage below":               {card(nested, category+`,{"stage-number":0}`), some},
		"over a key":                  {card(hasPerson, email), w.column("SELECT email FROM people p JOIN orders o ON o.person_id = p.id WHERE o.id = 1")},
		"a column of no table in it":  {card(few, field("people.email", "null")), []any{}},
		"a key of no table in it":     {card(few, email), []any{}},
		"a column that it leaves out": {card(nested, field("products.vendor", "null")), []any{}},
		"no column":                   {card(few, `["field",99999,null]`), []any{}},
	} {
		if got := w.chooses(w.person, ChoiceRequest{Card: c.card, ID: "p"}); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	rows := ChoiceRequest{Card: card(few, category), ID: "p"}
	rows.Value = some[0].(string)
	if got := w.chooses(w.person, rows); !reflect.DeepEqual(got, some[:1]) {
		t.Errorf("%v", got)
	}
	rows.Value, rows.Search = "", some[0].(string)[1:4]
	if got := w.chooses(w.person, rows); len(got) == 0 || got[0] != some[0] {
		t.Errorf("%q finds %v", rows.Search, got)
	}
	rows.Search = "no such category"
	if got := w.chooses(w.person, rows); len(got) != 0 {
		t.Errorf("%v", got)
	}
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	rows.Search = ""
	if all := w.chooses(w.person, rows); len(all) <= len(some) {
		t.Errorf("who may ask the table is offered %v", all)
	}
}

// JSON that somebody looks for is a number, a truth or a text, whatever else it
// could mean.
func FuzzGuess(f *testing.F) {
	for _, seed := range []string{"7", "-1.5e3", "true", "null", `"a"`, "a", "", "7 8", "[1]", `{"a":1}`, `["field",1,null]`,
		`["case",[[["starts-with",["field",1,{"source-field":2}],"a"],["field",3,null]]]]`, `["field",1,null`, "01", "NaN"} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, isText bool) {
		written, err := json.Marshal(guess(text, isText))
		if err != nil {
			t.Fatal(err)
		}
		var read any
		if err := json.Unmarshal(written, &read); err != nil {
			return // a number that no float64 holds
		}
		switch read.(type) {
		case string:
		case float64, bool:
			if isText {
				t.Errorf("%q, a text, becomes %s", text, written)
			}
		default:
			t.Errorf("%q becomes %s", text, written)
		}
	})
}

// A column of another type than text is looked for by values, not by questions.
func TestWhatIsLookedForIsNoQuestion(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.None, permission.None)
	id := w.fields["orders.id"]
	board := w.choosingBoard(fmt.Sprintf(`[{"id":"p","type":"id","values_source_type":"card","values_source_config":{"card_id":%d,"value_field":["field",%d,{"base-type":"type/Integer"}]}}]`,
		w.card(w.open, w.list("orders")).ID, id))
	asks := func(condition string) string {
		return fmt.Sprintf(`["case",[[%s,["field",%d,null]]]]`, condition, id)
	}
	for _, text := range []string{asks(fmt.Sprintf(`["starts-with",["field",%d,{"source-field":%d}],"a"]`, w.fields["people.email"], w.fields["orders.person_id"])), asks(`["=",1,1]`)} {
		for _, r := range []ChoiceRequest{{Value: text}, {Search: text}} {
			r.Dashboard, r.ID = board.ID, "p"
			if c, err := w.door.Choices(t.Context(), w.person, r); len(c.Values) != 0 {
				t.Errorf("%+v: %v, %v", r, c.Values, err)
			}
		}
	}
	if got := w.chooses(w.person, ChoiceRequest{Dashboard: board.ID, ID: "p", Value: "7"}); !reflect.DeepEqual(got, []any{int64(7)}) {
		t.Errorf("7: %v", got)
	}
}

// Of two keys to one table, what is chosen for a parameter holds for the key
// that the dashboard says.
func TestALimitGoesOverItsOwnKey(t *testing.T) {
	w := newWorld(t, Options{})
	w.exec(`CREATE TABLE parcels (id INTEGER PRIMARY KEY, payer INTEGER REFERENCES people (id), receiver INTEGER REFERENCES people (id), note TEXT)`,
		`INSERT INTO parcels VALUES (1, 1, 2, 'one pays two'), (2, 2, 1, 'two pays one'), (3, 3, 1, 'three pays one')`)
	if err := w.door.Sync(t.Context(), store.Actor{User: w.admin}, sampleID); err != nil {
		t.Fatal(err)
	}
	w.readCatalog()
	card := w.card(w.open, w.list("parcels"))
	goes := func(parameter, field, key string) string {
		options := "null"
		if key != "" {
			options = fmt.Sprintf(`{"source-field":%d}`, w.fields[key])
		}
		return fmt.Sprintf(`{"parameter_id":%q,"card_id":%d,"target":["dimension",["field",%d,%s]]}`, parameter, card.ID, w.fields[field], options)
	}
	board, err := w.store.CreateDashboard(t.Context(), store.Actor{User: w.admin}, store.Dashboard{Name: "x", Creator: w.admin, Collection: w.open,
		Parameters: json.RawMessage(`[{"id":"note","type":"string/="},{"id":"payer","type":"id"},{"id":"receiver","type":"id"}]`),
		Dashcards: []store.Dashcard{{Card: &card.ID, SizeX: 1, SizeY: 1, DashcardSettings: store.DashcardSettings{ParameterMappings: json.RawMessage("[" + goes("note", "parcels.note", "") + "," +
			goes("payer", "people.id", "parcels.payer") + "," + goes("receiver", "people.id", "parcels.receiver") + "]")}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, levels := range []struct{ view, create permission.Level }{{permission.None, permission.None}, {permission.Unrestricted, permission.QueryBuilder}} {
		w.grant(levels.view, levels.create)
		for _, c := range []struct {
			id, other string
			want      []any
		}{
			{"note", "payer", []any{"one pays two"}},
			{"note", "receiver", []any{"three pays one", "two pays one"}},
			{"payer", "receiver", []any{int64(2), int64(3)}},
			{"receiver", "payer", []any{int64(2)}},
		} {
			ask := ChoiceRequest{Dashboard: board.ID, ID: c.id, Given: map[string][]string{c.other: {"1"}}}
			if got := w.chooses(w.person, ask); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v: %s of the %s 1: %v, want %v", levels, c.id, c.other, got, c.want)
			}
		}
	}
}

// The words for a key stand in another table, which nobody was asked for.
func TestWordsForAKeyNeedTheRightOnItsTable(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.None, permission.None)
	key, title := w.fields["orders.product_id"], w.fields["products.title"]
	if _, err := w.store.SetDimension(t.Context(), store.Dimension{Field: key, Type: store.External, Name: "Product", Target: title}); err != nil {
		t.Fatal(err)
	}
	card := w.cardWith(store.Card{Collection: w.open, DatasetQuery: json.RawMessage(w.list("orders")),
		Parameters: json.RawMessage(fmt.Sprintf(`[{"id":"p","type":"id","target":["dimension",["field",%d,null]]}]`, key))})
	words := func(want int) {
		t.Helper()
		c, err := w.door.Choices(t.Context(), w.person, ChoiceRequest{Card: card.ID, ID: "p"})
		if err != nil || len(c.Values) == 0 || len(c.Values[0]) != want {
			t.Errorf("%v, %v; want rows of %d", c.Values, err, want)
		}
	}
	words(1)
	open := func(table string) {
		w.draft(func(d *permission.Draft) error {
			at := permission.OneTable(w.tables[table])
			if err := d.Set(w.group, sampleID, permission.View, at, permission.Unrestricted); err != nil {
				return err
			}
			return d.SetCreate(w.group, sampleID, at, permission.QueryBuilder)
		})
	}
	open("orders")
	words(1)
	open("products")
	words(2)
}
