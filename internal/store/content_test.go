package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

func TestACardComesBackByteByByte(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		d := shop(t, s)
		orders := table(t, s, d, "orders").ID
		c := folder(t, s, "C", permission.Root)
		want := store.Card{
			Name: "Orders", Description: ptr("d"), Display: "bar",
			DatasetQuery:          json.RawMessage(`{ "database":1,  "type":"query","query":{"b":1,"a":1.0,"a":2,"x":"\u00e9"}}`),
			VisualizationSettings: json.RawMessage(`{"z":1,"a":null}`), Parameters: json.RawMessage(`[]`), ParameterMappings: json.RawMessage("[ ]"),
			ResultMetadata: json.RawMessage(`[{"name":"\u0000"}]`), Type: "model", QueryType: ptr("query"), Database: &d, Table: &orders,
			Collection: c.ID, CollectionPosition: ptr(3), CacheTTL: ptr(60), Creator: 1,
		}
		made := must[store.Card](t)(s.CreateCard(ctx, store.Actor{User: 1}, want))
		if made.ID == 0 || len(made.EntityID) != 21 || made.CreatedAt.IsZero() || !made.CreatedAt.Equal(made.UpdatedAt) {
			t.Errorf("made %+v", made)
		}
		read := must[store.Card](t)(s.Card(ctx, made.ID))
		if d := cmp.Diff(made, read); d != "" {
			t.Error(d)
		}
		want.ID, want.EntityID, want.CreatedAt, want.UpdatedAt = read.ID, read.EntityID, read.CreatedAt, read.UpdatedAt
		if d := cmp.Diff(want, read); d != "" {
			t.Error(d)
		}
		bare := must[store.Card](t)(s.CreateCard(ctx, store.Actor{User: 1}, store.Card{Name: "bare"}))
		if bare.DatasetQuery != nil || bare.Description != nil || bare.Database != nil || bare.Collection != permission.Root || bare.Type != "question" || bare.Creator != 1 {
			t.Errorf("a bare card is %+v", bare)
		}
		// Updates write what they name and nothing else.
		name, none, root := "New", (*string)(nil), permission.Root
		got := must[store.Card](t)(s.UpdateCard(ctx, store.Actor{User: 2}, read, store.CardUpdate{Name: &name, Description: &none, Collection: &root}))
		want = read
		want.Name, want.Description, want.Collection, want.UpdatedAt = "New", nil, permission.Root, got.UpdatedAt
		if d := cmp.Diff(want, got); d != "" || !got.UpdatedAt.After(read.UpdatedAt) && !got.UpdatedAt.Equal(read.UpdatedAt) {
			t.Error(d)
		}
		question := store.CardQuestion{DatasetQuery: json.RawMessage(`{"database":1, "type":"native"}`), QueryType: ptr("native"), ResultMetadata: json.RawMessage(`[]`)}
		all := store.CardUpdate{Display: ptr("line"), Type: ptr("metric"), QueryType: ptr(ptr("query")), Question: &question, VisualizationSettings: json.RawMessage(`{"q":1}`),
			Parameters: json.RawMessage(`[1]`), ParameterMappings: json.RawMessage(`null`), CollectionPosition: ptr((*int)(nil)), CacheTTL: ptr(ptr(9))}
		want = got
		want.Display, want.Type, want.QueryType, want.DatasetQuery, want.Database, want.Table = "line", "metric", ptr("query"), question.DatasetQuery, nil, nil
		want.ResultMetadata, want.VisualizationSettings, want.Parameters, want.ParameterMappings = question.ResultMetadata, all.VisualizationSettings, all.Parameters, all.ParameterMappings
		want.CollectionPosition, want.CacheTTL = nil, ptr(9)
		got = must[store.Card](t)(s.UpdateCard(ctx, store.Actor{User: 2}, got, all))
		want.UpdatedAt = got.UpdatedAt
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if got = must[store.Card](t)(s.UpdateCard(ctx, store.Actor{}, got, store.CardUpdate{Archived: ptr(true)})); !got.ArchivedDirectly {
			t.Errorf("got %+v", got)
		}
		if got = must[store.Card](t)(s.UpdateCard(ctx, store.Actor{}, got, store.CardUpdate{Archived: ptr(false)})); got.ArchivedDirectly || got.Archived {
			t.Errorf("got %+v", got)
		}
		for _, c := range []struct {
			wrong       store.CardUpdate
			field, text string
		}{
			{store.CardUpdate{Name: ptr(" ")}, "name", "non-blank"},
			{store.CardUpdate{Question: &store.CardQuestion{Database: ptr(catalog.DatabaseID(99))}}, "database_id", "no database 99"},
			{store.CardUpdate{Question: &store.CardQuestion{Table: ptr(catalog.TableID(99))}}, "table_id", "no table 99"},
			{store.CardUpdate{Collection: ptr(permission.CollectionID(99))}, "collection_id", "no collection 99"},
		} {
			refused(t, second(s.UpdateCard(ctx, store.Actor{User: 1}, got, c.wrong)), c.field, c.text)
		}
		for _, c := range []struct {
			alter       func(*store.Card)
			field, text string
		}{
			{func(c *store.Card) { c.Name = " " }, "name", "non-blank"},
			{func(c *store.Card) { c.Database = ptr(catalog.DatabaseID(99)) }, "database_id", "no database 99"},
			{func(c *store.Card) { c.Table = ptr(catalog.TableID(99)) }, "table_id", "no table 99"},
			{func(c *store.Card) { c.Collection = 99 }, "collection_id", "no collection 99"},
			{func(c *store.Card) { c.Dashboard = ptr(int64(99)) }, "dashboard_id", "no dashboard 99"},
		} {
			wrong := read
			c.alter(&wrong)
			refused(t, second(s.CreateCard(ctx, store.Actor{User: 1}, wrong)), c.field, c.text)
		}
		check(t, s.DeleteCard(ctx, store.Actor{}, got))
		for _, err := range []error{second(s.Card(ctx, made.ID)), s.DeleteCard(ctx, store.Actor{}, read), second(s.UpdateCard(ctx, store.Actor{}, read, store.CardUpdate{}))} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("want ErrNotFound, got %v", err)
			}
		}
	})
}

func TestCardsAndDashboardsAreSelected(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		bo := storetest.Person(t, s, "bo")
		d := shop(t, s)
		orders := table(t, s, d, "orders").ID
		c := folder(t, s, "C", permission.Root)
		cards := map[string]store.Card{}
		for _, n := range []store.Card{{Name: "b", Database: &d}, {Name: "A", Collection: c.ID, Table: &orders, Database: &d}, {Name: "old", Archived: true}, {Name: "c", Creator: bo.ID}} {
			cards[n.Name] = must[store.Card](t)(s.CreateCard(ctx, store.Actor{User: 1}, n))
		}
		root := permission.Root
		for _, q := range []struct {
			q    store.CardQuery
			want string
		}{
			{store.CardQuery{}, "[A b c]"},
			{store.CardQuery{Archived: store.OnlyArchived}, "[old]"},
			{store.CardQuery{Archived: store.WithArchived}, "[A b c old]"},
			{store.CardQuery{Collection: &root}, "[b c]"},
			{store.CardQuery{Collection: &c.ID}, "[A]"},
			{store.CardQuery{Database: &d}, "[A b]"},
			{store.CardQuery{Table: &orders}, "[A]"},
			{store.CardQuery{Creator: bo.ID}, "[c]"},
			{store.CardQuery{IDs: []int64{cards["b"].ID, cards["old"].ID}}, "[b]"},
			{store.CardQuery{IDs: []int64{}}, "[]"},
		} {
			var names []string
			for _, c := range must[[]store.Card](t)(s.Cards(ctx, q.q)) {
				names = append(names, c.Name)
			}
			if fmt.Sprint(names) != q.want {
				t.Errorf("%+v: got %v, want %s", q.q, names, q.want)
			}
		}
		a, b := cards["A"].ID, cards["b"].ID
		one := must[store.Dashboard](t)(s.CreateDashboard(ctx, store.Actor{User: 1}, store.Dashboard{Name: "one", Dashcards: []store.Dashcard{{Card: &a}}}))
		must[store.Dashboard](t)(s.CreateDashboard(ctx, store.Actor{User: 1}, store.Dashboard{Name: "two", Collection: c.ID, Dashcards: []store.Dashcard{{Card: &b, Series: []int64{a}}}}))
		must[store.Dashboard](t)(s.CreateDashboard(ctx, store.Actor{User: 1}, store.Dashboard{Name: "Old", Creator: bo.ID, Archived: true}))
		for _, q := range []struct {
			q    store.DashboardQuery
			want string
		}{
			{store.DashboardQuery{}, "[one two]"},
			{store.DashboardQuery{Archived: store.WithArchived}, "[Old one two]"},
			{store.DashboardQuery{Collection: &c.ID}, "[two]"},
			{store.DashboardQuery{Collection: &root}, "[one]"},
			{store.DashboardQuery{Archived: store.OnlyArchived, Creator: bo.ID}, "[Old]"},
			{store.DashboardQuery{Card: &a}, "[one two]"},
			{store.DashboardQuery{Card: &b}, "[two]"},
			{store.DashboardQuery{IDs: []int64{one.ID}}, "[one]"},
		} {
			var names []string
			for _, c := range must[[]store.Dashboard](t)(s.Dashboards(ctx, q.q)) {
				names = append(names, c.Name)
			}
			if fmt.Sprint(names) != q.want {
				t.Errorf("%+v: got %v, want %s", q.q, names, q.want)
			}
		}
	})
}

func TestADashboardsListsAreComplete(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		who := store.Actor{User: 1}
		card := func(name string) int64 { return must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: name})).ID }
		a, b, c := card("a"), card("b"), card("c")
		d := must[store.Dashboard](t)(s.CreateDashboard(ctx, who, store.Dashboard{Name: "D", Parameters: json.RawMessage(`[{"id":"p"}]`), AutoApplyFilters: true}))
		if d.Width != "fixed" || len(d.EntityID) != 21 || string(d.Parameters) != `[{"id":"p"}]` || !d.AutoApplyFilters || d.Creator != 1 {
			t.Errorf("got %+v", d)
		}
		u := store.DashboardUpdate{}
		u.Tabs = []store.Tab{{ID: -1, Name: "first"}, {ID: -2, Name: "second"}}
		u.Dashcards = []store.Dashcard{
			{ID: 0, Card: &a, Tab: ptr(int64(-2)), Row: 1, Col: 2, SizeX: 3, SizeY: 4, DashcardSettings: store.DashcardSettings{VisualizationSettings: json.RawMessage(`{"a": 1}`),
				ParameterMappings: json.RawMessage(`[]`), InlineParameters: json.RawMessage(`["p"]`)}, Series: []int64{c, b}},
			{ID: -1, Tab: ptr(int64(-1)), SizeX: 1, SizeY: 1}, // a text
			{ID: -1, Card: &a, Tab: ptr(int64(-1)), SizeX: 1, SizeY: 1},
		}
		got := must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, d, u))
		if d := cmp.Diff(must[store.Dashboard](t)(s.Dashboard(ctx, d.ID)), got); d != "" {
			t.Error(d)
		}
		if len(got.Tabs) != 2 || got.Tabs[0].Name != "first" || got.Tabs[1].Position != 1 || got.Tabs[0].ID <= 0 || len(got.Dashcards) != 3 {
			t.Fatalf("got %+v", got)
		}
		first := got.Dashcards[0]
		if *first.Tab != got.Tabs[1].ID || *first.Card != a || first.Row != 1 || first.Col != 2 || first.SizeX != 3 || first.SizeY != 4 ||
			string(first.VisualizationSettings) != `{"a": 1}` || string(first.InlineParameters) != `["p"]` || !slices.Equal(first.Series, []int64{c, b}) || len(first.EntityID) != 21 {
			t.Errorf("got %+v", first)
		}
		// The same again changes nothing but the time.
		again := must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, got, store.DashboardUpdate{Tabs: got.Tabs, Dashcards: got.Dashcards}))
		if ids(again) != ids(got) {
			t.Errorf("ids went from %s to %s", ids(got), ids(again))
		}
		// nil lists stay; others are complete.
		kept := must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, again, store.DashboardUpdate{Name: ptr("Renamed")}))
		want := again
		want.Name, want.UpdatedAt = "Renamed", kept.UpdatedAt
		if d := cmp.Diff(want, kept); d != "" {
			t.Error(d)
		}
		more := store.DashboardUpdate{Width: ptr("full"), Description: ptr(ptr("d")), Parameters: json.RawMessage(`[]`), AutoApplyFilters: ptr(false),
			CollectionPosition: ptr(ptr(4)), CacheTTL: ptr(ptr(5))}
		again = must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, kept, more))
		want.Width, want.Description, want.Parameters, want.AutoApplyFilters, want.CollectionPosition, want.CacheTTL = "full", ptr("d"), more.Parameters, false, ptr(4), ptr(5)
		want.UpdatedAt = again.UpdatedAt
		if d := cmp.Diff(want, again); d != "" {
			t.Error(d)
		}
		less := store.DashboardUpdate{Tabs: []store.Tab{again.Tabs[1], {ID: -7, Name: "third"}}}
		moved := again.Dashcards[1]
		moved.Tab = ptr(int64(-7))
		less.Dashcards = []store.Dashcard{moved}
		got = must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, again, less))
		if len(got.Tabs) != 2 || got.Tabs[0].ID != again.Tabs[1].ID || got.Tabs[1].Name != "third" || len(got.Dashcards) != 1 || got.Dashcards[0].ID != moved.ID || *got.Dashcards[0].Tab != got.Tabs[1].ID {
			t.Errorf("got %+v", got)
		}

		other := must[store.Dashboard](t)(s.CreateDashboard(ctx, who, store.Dashboard{Name: "Other", Tabs: []store.Tab{{Name: "theirs"}}, Dashcards: []store.Dashcard{{Tab: ptr(int64(0)), Card: &b}}}))
		archived := must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: "archived", Archived: true}))
		for _, c := range []struct {
			wrong       store.DashboardUpdate
			field, text string
		}{
			{store.DashboardUpdate{Name: ptr("")}, "name", "non-blank"},
			{store.DashboardUpdate{Collection: ptr(permission.CollectionID(99))}, "collection_id", "no collection 99"},
			{store.DashboardUpdate{Tabs: other.Tabs}, "tabs", "not of this dashboard"},
			{store.DashboardUpdate{Tabs: []store.Tab{{ID: -1}, {ID: -1}}}, "tabs", "given to two tabs"},
			{store.DashboardUpdate{Dashcards: []store.Dashcard{{ID: other.Dashcards[0].ID}}}, "dashcards", "not of this dashboard"},
			{store.DashboardUpdate{Dashcards: []store.Dashcard{moved, moved}}, "dashcards", "no tab -7"},
			{store.DashboardUpdate{Dashcards: []store.Dashcard{got.Dashcards[0], got.Dashcards[0]}}, "dashcards", "given to two dashcards"},
			{store.DashboardUpdate{Dashcards: []store.Dashcard{{Card: ptr(int64(99))}}}, "dashcards", "no card 99"},
			{store.DashboardUpdate{Dashcards: []store.Dashcard{{Series: []int64{98}}}}, "dashcards", "no card 98"},
			{store.DashboardUpdate{Dashcards: []store.Dashcard{{Card: &archived.ID}}}, "dashcards", "is archived"},
			{store.DashboardUpdate{Dashcards: []store.Dashcard{{Tab: &other.Tabs[0].ID}}}, "dashcards", "no tab"},
		} {
			refused(t, second(s.UpdateDashboard(ctx, who, got, c.wrong)), c.field, c.text)
		}
		if now := must[store.Dashboard](t)(s.Dashboard(ctx, d.ID)); cmp.Diff(now, got) != "" {
			t.Errorf("a refused update left something:\n%s", cmp.Diff(got, now))
		}

		// A deleted card leaves the dashboards, its questions go with a dashboard.
		check(t, s.DeleteCard(ctx, who, must[store.Card](t)(s.Card(ctx, b))))
		if now := must[store.Dashboard](t)(s.Dashboard(ctx, other.ID)); len(now.Dashcards) != 0 {
			t.Errorf("the deleted card is still shown: %+v", now.Dashcards)
		}
		inside := must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: "inside", Dashboard: &other.ID}))
		check(t, s.DeleteDashboard(ctx, who, other))
		for _, err := range []error{second(s.Dashboard(ctx, other.ID)), second(s.Card(ctx, inside.ID)), s.DeleteDashboard(ctx, who, other), second(s.UpdateDashboard(ctx, who, other, store.DashboardUpdate{}))} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("want ErrNotFound, got %v", err)
			}
		}
	})
}

// What an administrator does between the check and the write of somebody
// else's update is not undone, and the update is not written in a place that
// nobody checked.
func TestAnUpdateHoldsOnlyForWhatWasChecked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		who, admin := store.Actor{User: 2}, store.Actor{User: 1}
		other := folder(t, s, "Other", permission.Root).ID
		mapped := json.RawMessage(`[{"target":["dimension"]}]`)
		for _, c := range []struct {
			name    string
			between store.CardUpdate
			update  store.CardUpdate
			stale   bool
		}{
			{"moved", store.CardUpdate{Collection: &other}, store.CardUpdate{Name: ptr("mine")}, true},
			{"archived", store.CardUpdate{Archived: ptr(true)}, store.CardUpdate{Name: ptr("mine")}, true},
			{"asked anew, and a question", store.CardUpdate{Question: &store.CardQuestion{DatasetQuery: json.RawMessage(`{"x":2}`)}},
				store.CardUpdate{Question: &store.CardQuestion{DatasetQuery: json.RawMessage(`{"x":3}`)}}, true},
			{"asked anew, and parameters", store.CardUpdate{Question: &store.CardQuestion{DatasetQuery: json.RawMessage(`{"x":2}`)}}, store.CardUpdate{Parameters: mapped}, true},
			{"without parameters, and parameters", store.CardUpdate{Parameters: json.RawMessage(`[]`)}, store.CardUpdate{Parameters: mapped}, true},
			{"other parameters, and a question", store.CardUpdate{Parameters: json.RawMessage(`[]`)},
				store.CardUpdate{Question: &store.CardQuestion{DatasetQuery: json.RawMessage(`{"x":3}`)}}, true},
			{"asked anew, and a name", store.CardUpdate{Question: &store.CardQuestion{DatasetQuery: json.RawMessage(`{"x":2}`)}}, store.CardUpdate{Name: ptr("mine")}, false},
			{"described, and a name", store.CardUpdate{Description: ptr(ptr("theirs"))}, store.CardUpdate{Name: ptr("mine")}, false},
		} {
			was := must[store.Card](t)(s.CreateCard(ctx, admin, store.Card{Name: "card", DatasetQuery: json.RawMessage(`{"x":1}`), Parameters: mapped}))
			is := must[store.Card](t)(s.UpdateCard(ctx, admin, was, c.between))
			if is.Collection != was.Collection || is.Archived != was.Archived {
				if err := s.DeleteCard(ctx, who, was); !errors.Is(err, store.ErrChanged) {
					t.Errorf("%s, and deleted: %v", c.name, err)
				}
			}
			got, err := s.UpdateCard(ctx, who, was, c.update)
			if c.stale {
				if got = must[store.Card](t)(s.Card(ctx, was.ID)); !errors.Is(err, store.ErrChanged) || cmp.Diff(is, got) != "" {
					t.Errorf("%s: error %v, and the card is\n%s", c.name, err, cmp.Diff(is, got))
				}
				continue
			}
			is.Name, is.UpdatedAt = "mine", got.UpdatedAt
			if d := cmp.Diff(is, got); err != nil || d != "" {
				t.Errorf("%s: error %v, and the card is\n%s", c.name, err, d)
			}
		}

		card := must[store.Card](t)(s.CreateCard(ctx, admin, store.Card{Name: "card"})).ID
		on := []store.Dashcard{{Card: &card, SizeX: 1, SizeY: 1, DashcardSettings: store.DashcardSettings{ParameterMappings: mapped}}}
		for _, c := range []struct {
			name    string
			between func(was store.Dashboard) store.DashboardUpdate
			update  store.DashboardUpdate
			stale   bool
		}{
			{"moved", func(store.Dashboard) store.DashboardUpdate { return store.DashboardUpdate{Collection: &other} }, store.DashboardUpdate{Name: ptr("mine")}, true},
			{"archived", func(store.Dashboard) store.DashboardUpdate { return store.DashboardUpdate{Archived: ptr(true)} }, store.DashboardUpdate{Name: ptr("mine")}, true},
			{"unmapped, and dashcards", func(was store.Dashboard) store.DashboardUpdate {
				list := slices.Clone(was.Dashcards)
				list[0].ParameterMappings = nil
				return store.DashboardUpdate{Dashcards: list}
			}, store.DashboardUpdate{Dashcards: on}, true},
			{"emptied, and a name", func(store.Dashboard) store.DashboardUpdate {
				return store.DashboardUpdate{Dashcards: []store.Dashcard{}}
			}, store.DashboardUpdate{Name: ptr("mine")}, false},
		} {
			was := must[store.Dashboard](t)(s.CreateDashboard(ctx, admin, store.Dashboard{Name: "dashboard", Dashcards: on}))
			is := must[store.Dashboard](t)(s.UpdateDashboard(ctx, admin, was, c.between(was)))
			if is.Collection != was.Collection || is.Archived != was.Archived {
				if err := s.DeleteDashboard(ctx, who, was); !errors.Is(err, store.ErrChanged) {
					t.Errorf("dashboard %s, and deleted: %v", c.name, err)
				}
			}
			got, err := s.UpdateDashboard(ctx, who, was, c.update)
			if c.stale {
				if got = must[store.Dashboard](t)(s.Dashboard(ctx, was.ID)); !errors.Is(err, store.ErrChanged) || cmp.Diff(is, got) != "" {
					t.Errorf("dashboard %s: error %v, and it is\n%s", c.name, err, cmp.Diff(is, got))
				}
				continue
			}
			is.Name, is.UpdatedAt = "mine", got.UpdatedAt
			if d := cmp.Diff(is, got); err != nil || d != "" {
				t.Errorf("dashboard %s: error %v, and it is\n%s", c.name, err, d)
			}
		}

		was := must[store.Database](t)(s.CreateDatabase(ctx, admin, store.Database{Name: "d", Engine: "sqlite", Details: json.RawMessage(`{"db":"a"}`)}))
		is := must[store.Database](t)(s.UpdateDatabase(ctx, admin, was, store.DatabaseUpdate{Details: json.RawMessage(`{"db":"b"}`), Caveats: ptr(ptr("c"))}))
		if _, err := s.UpdateDatabase(ctx, who, was, store.DatabaseUpdate{Details: json.RawMessage(`{"db":"c"}`)}); !errors.Is(err, store.ErrChanged) {
			t.Errorf("details made from former ones: %v", err)
		}
		check(t, s.SetSyncStatus(ctx, was.ID, "complete"))
		got := must[store.Database](t)(s.UpdateDatabase(ctx, who, was, store.DatabaseUpdate{Description: ptr(ptr("mine"))}))
		is.Description, is.SyncStatus, is.UpdatedAt = ptr("mine"), "complete", got.UpdatedAt
		if d := cmp.Diff(is, got); d != "" {
			t.Error(d)
		}
	})
}

// ids prints the ids of a dashboard's parts.
func ids(d store.Dashboard) string {
	text := ""
	for _, t := range d.Tabs {
		text += fmt.Sprint(t.ID, t.EntityID, " ")
	}
	for _, c := range d.Dashcards {
		text += fmt.Sprint(c.ID, c.EntityID, c.Series, " ")
	}
	return text
}

// A copy of a dashboard with its cards is there whole or not at all.
func TestADashboardIsSavedWithItsCardsOrNotAtAll(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		admin := storetest.SetUp(t, s)
		who := store.Actor{User: admin.ID}
		card := func(id int64, name string) store.Card {
			return store.Card{ID: id, Name: name, DatasetQuery: json.RawMessage(`{}`)}
		}
		old := must[store.Card](t)(s.CreateCard(ctx, who, card(0, "old")))
		mappings := json.RawMessage(fmt.Sprintf(`[{"parameter_id":"p","card_id":-2,"target":["x", 1.0]},{"card_id":"-1"},{"card_id":%d},{"card_id":null}]`, old.ID))
		plain := json.RawMessage(fmt.Sprintf(`[ {"card_id": %d} ]`, old.ID))
		n := store.Dashboard{Name: "Board", Dashcards: []store.Dashcard{
			{ID: -1, Card: ptr(int64(-2)), SizeX: 1, SizeY: 1, Series: []int64{-1, old.ID}, DashcardSettings: store.DashcardSettings{ParameterMappings: mappings}},
			{ID: -2, Card: &old.ID, SizeX: 1, SizeY: 1, DashcardSettings: store.DashcardSettings{ParameterMappings: plain}}}}
		refused(t, second(s.CreateDashboard(ctx, who, n, card(-1, "first"), card(-2, " "))), "name", "non-blank")
		missing := n
		missing.Dashcards = append(slices.Clone(n.Dashcards), store.Dashcard{ID: -3, Card: ptr(int64(-3)), SizeX: 1, SizeY: 1})
		refused(t, second(s.CreateDashboard(ctx, who, missing, card(-1, "first"), card(-2, "second"))), "dashcards", "no card -3")
		if all := must[[]store.Card](t)(s.Cards(ctx, store.CardQuery{})); len(all) != 1 {
			t.Fatalf("%d cards after two refusals", len(all))
		}
		made := must[store.Dashboard](t)(s.CreateDashboard(ctx, who, n, card(-1, "first"), card(-2, "second")))
		by := map[string]store.Card{}
		for _, c := range must[[]store.Card](t)(s.Cards(ctx, store.CardQuery{})) {
			by[c.Name] = c
		}
		d := made.Dashcards[0]
		if len(by) != 3 || by["first"].Creator != admin.ID || *d.Card != by["second"].ID || !slices.Equal(d.Series, []int64{by["first"].ID, old.ID}) || *made.Dashcards[1].Card != old.ID {
			t.Errorf("cards %v, dashcards %+v", by, made.Dashcards)
		}
		want := fmt.Sprintf(`[{"card_id":%d,"parameter_id":"p","target":["x",1.0]},{"card_id":%d},{"card_id":%d},{"card_id":null}]`, by["second"].ID, by["first"].ID, old.ID)
		if got := string(d.ParameterMappings); got != want {
			t.Errorf("mappings %s, want %s", got, want)
		}
		if got := string(made.Dashcards[1].ParameterMappings); got != string(plain) {
			t.Errorf("mappings that name no copy went from %s to %s", plain, got)
		}
	})
}

// Who may filter what follows from parameters and dashcards together.
func TestParametersOfADashboardThatChangedMeanwhileAreNotOverwritten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		admin := storetest.SetUp(t, s)
		who := store.Actor{User: admin.ID}
		was := must[store.Dashboard](t)(s.CreateDashboard(ctx, who, store.Dashboard{Name: "Board"}))
		must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, was, store.DashboardUpdate{Parameters: json.RawMessage(`[1]`)}))
		for _, u := range []store.DashboardUpdate{{Parameters: json.RawMessage(`[2]`)}, {Dashcards: []store.Dashcard{}}} {
			if err := second(s.UpdateDashboard(ctx, who, was, u)); !errors.Is(err, store.ErrChanged) {
				t.Errorf("%+v: %v", u, err)
			}
		}
		must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, was, store.DashboardUpdate{Name: ptr("Other")}))
	})
}
