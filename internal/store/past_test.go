package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// told is what pasts are, newest first: who wrote, and how.
func told(pasts []store.Past) string {
	var b strings.Builder
	for _, p := range pasts {
		var name string
		if p.Card != nil {
			name = p.Card.Name
		} else {
			name = p.Dashboard.Name
		}
		fmt.Fprintf(&b, "%d %s", p.User, name)
		if p.Creation {
			b.WriteString(" created")
		}
		if p.Reversion {
			b.WriteString(" reverted")
		}
		b.WriteString("; ")
	}
	return b.String()
}

func TestEveryWriteOfACardIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		bo := storetest.Person(t, s, "bo")
		one, two := store.Actor{User: 1}, store.Actor{User: bo.ID}
		c := folder(t, s, "C", permission.Root)
		first := must[store.Card](t)(s.CreateCard(ctx, one, store.Card{Name: "A", Description: ptr("d"), Display: "bar", Type: "model",
			DatasetQuery: json.RawMessage(`{ "a":1,  "x":"<\u00e9>", "x":2}`), VisualizationSettings: json.RawMessage(`{"z": null}`),
			Parameters: json.RawMessage(`[ ]`), ParameterMappings: json.RawMessage(`null`), QueryType: ptr("query"), CollectionPosition: ptr(3), CacheTTL: ptr(60)}))
		is := must[store.Card](t)(s.UpdateCard(ctx, two, first, store.CardUpdate{Name: ptr("B"), Collection: &c.ID}))
		is = must[store.Card](t)(s.UpdateCard(ctx, two, is, store.CardUpdate{Name: ptr("B")})) // which is nothing
		refused(t, second(s.UpdateCard(ctx, one, is, store.CardUpdate{Name: ptr(" ")})), "name", "non-blank")
		is = must[store.Card](t)(s.UpdateCard(ctx, one, is, store.CardUpdate{Name: ptr("A"), Reversion: true}))
		is = must[store.Card](t)(s.UpdateCard(ctx, one, is, store.CardUpdate{Archived: ptr(true)}))
		pasts := must[[]store.Past](t)(s.Pasts(ctx, store.Item{Kind: store.OfCard, ID: first.ID}))
		if got, want := told(pasts), fmt.Sprintf("1 A; 1 A reverted; %d B; 1 A created; ", bo.ID); got != want {
			t.Fatalf("kept %s, want %s", got, want)
		}
		if !pasts[0].Card.Archived || pasts[1].Card.Archived || pasts[2].Collection() != c.ID || pasts[3].Collection() != permission.Root || !pasts[0].At.Equal(is.UpdatedAt) {
			t.Errorf("kept %+v", pasts)
		}
		// What people set comes back byte by byte.
		unset := cmpopts.IgnoreFields(store.Card{}, "Creator", "EntityID", "CreatedAt", "UpdatedAt", "ResultMetadata", "Database", "CollectionPosition", "Table", "Dashboard", "ArchivedDirectly")
		if d := cmp.Diff(&first, pasts[3].Card, unset); d != "" {
			t.Error(d)
		}
		// The newest ones are kept, of each card its own.
		other := must[store.Card](t)(s.CreateCard(ctx, one, store.Card{Name: "other"}))
		for i := range 20 {
			is = must[store.Card](t)(s.UpdateCard(ctx, one, is, store.CardUpdate{Name: ptr(fmt.Sprint(i))}))
		}
		if pasts = must[[]store.Past](t)(s.Pasts(ctx, store.Item{Kind: store.OfCard, ID: is.ID})); len(pasts) != 15 || pasts[0].Card.Name != "19" || pasts[14].Card.Name != "5" {
			t.Errorf("%d are kept, %s", len(pasts), told(pasts))
		}
		if got := told(must[[]store.Past](t)(s.Pasts(ctx, store.Item{Kind: store.OfCard, ID: other.ID}))); got != "1 other created; " {
			t.Errorf("of the other card is kept %s", got)
		}
		check(t, s.DeleteCard(ctx, one, is))
		if pasts = must[[]store.Past](t)(s.Pasts(ctx, store.Item{Kind: store.OfCard, ID: is.ID})); len(pasts) != 0 {
			t.Errorf("of a deleted card is kept %s", told(pasts))
		}
	})
}

func TestEveryWriteOfADashboardIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		who := store.Actor{User: 1}
		card := func(name string) *int64 {
			return new(must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: name})).ID)
		}
		a, b := card("a"), card("b")
		d := must[store.Dashboard](t)(s.CreateDashboard(ctx, who, store.Dashboard{Name: "D", Parameters: json.RawMessage(`[ {"id":"p"}]`), AutoApplyFilters: true,
			Width: "full", CollectionPosition: ptr(2), CacheTTL: ptr(7), Tabs: []store.Tab{{ID: -1, Name: "first"}, {ID: -2, Name: "second"}},
			Dashcards: []store.Dashcard{{Card: a, Tab: ptr(int64(-2)), Row: 1, Col: 2, SizeX: 3, SizeY: 4, DashcardSettings: store.DashcardSettings{VisualizationSettings: json.RawMessage(`{"a": 1}`),
				ParameterMappings: json.RawMessage(`[ ]`), InlineParameters: json.RawMessage(`["p"]`)}, Series: []int64{*b}}, {Card: b, SizeX: 1, SizeY: 1}}}))
		pasts := must[[]store.Past](t)(s.Pasts(ctx, store.Item{Kind: store.OfDashboard, ID: d.ID}))
		unset := []cmp.Option{cmpopts.IgnoreFields(store.Dashboard{}, "Creator", "CollectionPosition", "EntityID", "CreatedAt", "UpdatedAt"),
			cmpopts.IgnoreFields(store.Dashcard{}, "EntityID", "CreatedAt", "UpdatedAt"), cmpopts.IgnoreFields(store.Tab{}, "EntityID")}
		if diff := cmp.Diff([]store.Past{{ID: pasts[0].ID, At: d.CreatedAt, User: 1, Creation: true, Dashboard: &d}}, pasts, unset...); diff != "" {
			t.Error(diff)
		}
		// With a card that is deleted goes its dashcard; that is nobody's write.
		check(t, s.DeleteCard(ctx, who, must[store.Card](t)(s.Card(ctx, *b))))
		d = must[store.Dashboard](t)(s.Dashboard(ctx, d.ID))
		d = must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, d, store.DashboardUpdate{Name: ptr("E")}))
		d = must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, d, store.DashboardUpdate{Dashcards: d.Dashcards, Tabs: d.Tabs})) // which is nothing
		pasts = must[[]store.Past](t)(s.Pasts(ctx, store.Item{Kind: store.OfDashboard, ID: d.ID}))
		if got, want := told(pasts), "1 E; 0 D; 1 D created; "; got != want {
			t.Fatalf("kept %s, want %s", got, want)
		}
		if len(pasts[2].Dashboard.Dashcards) != 2 || len(pasts[1].Dashboard.Dashcards) != 1 || len(pasts[1].Dashboard.Dashcards[0].Series) != 0 {
			t.Errorf("kept %+v", pasts)
		}
		// Of one that is very large it is kept that there was something, and where.
		c := folder(t, s, "C", permission.Root)
		large := func(n int) []store.Dashcard {
			return []store.Dashcard{{SizeX: 1, SizeY: 1, DashcardSettings: store.DashcardSettings{VisualizationSettings: json.RawMessage(`{"text":"` + strings.Repeat("x", n) + `"}`)}}}
		}
		d = must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, d, store.DashboardUpdate{Dashcards: large(5 << 20), Collection: &c.ID}))
		d = must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, d, store.DashboardUpdate{Dashcards: large(6 << 20)}))
		d = must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, d, store.DashboardUpdate{Dashcards: large(1)}))
		pasts = must[[]store.Past](t)(s.Pasts(ctx, store.Item{Kind: store.OfDashboard, ID: d.ID}))
		for i, tooLarge := range []bool{false, true, true, false, false, false} {
			if pasts[i].TooLarge != tooLarge || pasts[i].Dashboard.Name == "" != tooLarge || i < 3 && pasts[i].Collection() != c.ID {
				t.Errorf("%d: kept %+v", i, pasts[i])
			}
		}
		check(t, s.DeleteDashboard(ctx, who, d))
		if pasts = must[[]store.Past](t)(s.Pasts(ctx, store.Item{Kind: store.OfDashboard, ID: d.ID})); len(pasts) != 0 {
			t.Errorf("of a deleted dashboard is kept %s", told(pasts))
		}
	})
}
