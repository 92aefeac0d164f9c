package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

func TestATextFitsWhatHasAllItsWords(t *testing.T) {
	for _, c := range []struct {
		text, name, description, sql string
		want                         string
	}{
		{"", "anything", "", "", "is"},
		{"  Sales  by DAY ", "sales by day", "", "", "is"},
		{"STRASSE", "Straße", "", "", "is"},
		{"caf\u00e9", "cafe\u0301", "", "", "is"},
		{"sales", "Sales by day", "", "", "begins"},
		{"day sales", "Sales by day", "", "", "words"},
		{"da sa", "Sales by day", "", "", "words"},
		{"month", "12-month sales", "", "", "words"},
		{"ale", "Sales by day", "", "", "parts"},
		{"nth", "month nth", "", "", "words"},
		{"sales secret", "Sales by day", "A secret", "", "described"},
		{"sales orders", "Sales by day", "", "select * from ORDERS", "asked"},
		{"sales orders", "Sales by day", "", "", "no"},
		{"sales nothing", "Sales by day", "A secret", "select 1", "no"},
	} {
		m, fits := store.NewText(c.text).Match(c.name, c.description, c.sql)
		got := "no"
		if fits {
			got = []string{"is", "begins", "words", "parts", "described", "asked"}[m]
		}
		if got != c.want {
			t.Errorf("%q in %q, %q, %q: %s, want %s", c.text, c.name, c.description, c.sql, got, c.want)
		}
	}
}

func TestASearchSelectsByWordsInEveryScript(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, who := t.Context(), store.Actor{User: 1}
		storetest.SetUp(t, s)
		bo := storetest.Person(t, s, "bo")
		d := shop(t, s)
		c := folder(t, s, "Größe 100%", permission.Root)
		native := func(sql string) json.RawMessage {
			data, err := json.Marshal(map[string]any{"type": "native", "native": map[string]any{"query": sql}})
			check(t, err)
			return data
		}
		for _, n := range []store.Card{
			{Name: "Umsatz ÜBER alles", Collection: c.ID, Database: &d, CollectionPosition: ptr(1)},
			{Name: "plain", Description: ptr("Says RÉSUMÉ and straße"), Type: "model"},
			{Name: "ascii", Description: ptr("Says Resume")},
			{Name: "under_score", QueryType: ptr("native"), DatasetQuery: native("select \"ÄRGER\"\nfrom x_y")},
			{Name: "staged", QueryType: ptr("native"), Creator: bo.ID, DatasetQuery: json.RawMessage(`{"stages":[{"native":"select \u0041rger"}]}`)},
			{Name: "structured", QueryType: ptr("query"), DatasetQuery: json.RawMessage(`{"native":{"query":"ärger"}}`)},
			{Name: "old plain", Archived: true},
		} {
			must[store.Card](t)(s.CreateCard(ctx, who, n))
		}
		must[store.Dashboard](t)(s.CreateDashboard(ctx, who, store.Dashboard{Name: "Plain D", Description: ptr("über")}))
		must[store.Collection](t)(s.CreateCollection(ctx, who, store.NewCollection{Name: "plain snippets", Namespace: ptr("snippets")}))
		ids := must[[]store.Found](t)(s.Search(ctx, store.Search{Text: store.NewText("ascii")}))
		now := ids[0].CreatedAt
		for _, q := range []struct {
			name string
			q    store.Search
			want string
		}{
			{"case", store.Search{Text: store.NewText("über")}, "[Plain D Umsatz ÜBER alles]"},
			{"all words", store.Search{Text: store.NewText("alles umsatz")}, "[Umsatz ÜBER alles]"},
			{"one word is nowhere", store.Search{Text: store.NewText("alles nichts")}, "[]"},
			{"description", store.Search{Text: store.NewText("résumé")}, "[plain]"},
			{"plain description", store.Search{Text: store.NewText("RESUME")}, "[ascii]"},
			{"folded description", store.Search{Text: store.NewText("STRASSE")}, "[plain]"},
			{"a sign of like", store.Search{Text: store.NewText("0%")}, "[Größe 100%]"},
			{"a sign of like that is nowhere", store.Search{Text: store.NewText("p_ain")}, "[]"},
			{"underscore", store.Search{Text: store.NewText("r_s")}, "[under_score]"},
			{"no SQL", store.Search{Text: store.NewText("ärger")}, "[]"},
			{"SQL", store.Search{Text: store.NewText("ärger"), SQL: true}, "[under_score]"},
			{"SQL of stages", store.Search{Text: store.NewText("arger"), SQL: true}, "[staged]"},
			{"SQL over lines", store.Search{Text: store.NewText("select from x_y"), SQL: true}, "[under_score]"},
			{"the trash", store.Search{Text: store.NewText("plain"), Archived: store.OnlyArchived}, "[old plain]"},
			{"a database", store.Search{Database: d}, "[Umsatz ÜBER alles]"},
			{"a creator", store.Search{Creators: []permission.UserID{bo.ID}}, "[staged]"},
			{"ids", store.Search{Text: store.NewText("ascii"), IDs: []int64{ids[0].ID}}, "[ascii]"},
			{"other ids", store.Search{Text: store.NewText("ascii"), IDs: []int64{ids[0].ID + 1}}, "[]"},
			{"long ago", store.Search{Text: store.NewText("plain"), Created: store.Span{Until: now.Add(-time.Hour)}}, "[]"},
			{"lately", store.Search{Text: store.NewText("plain"), Created: store.Span{From: now.Add(-time.Hour), Until: now.Add(time.Hour)}}, "[Plain D plain]"},
			{"edited lately", store.Search{Text: store.NewText("plain"), Edited: store.Span{From: now.Add(-time.Hour)}}, "[Plain D plain]"},
			{"edited later", store.Search{Text: store.NewText("plain"), Edited: store.Span{From: now.Add(time.Hour)}}, "[]"},
			{"a hundred words", store.Search{Text: store.NewText(strings.Repeat("plain ", 100))}, "[Plain D plain]"},
		} {
			var names []string
			for _, f := range must[[]store.Found](t)(s.Search(ctx, q.q)) {
				names = append(names, f.Name)
			}
			slices.Sort(names)
			if got := fmt.Sprint(names); got != q.want {
				t.Errorf("%s: %s, want %s", q.name, got, q.want)
			}
		}
		found := must[[]store.Found](t)(s.Search(ctx, store.Search{Text: store.NewText("umsatz")}))[0]
		if found.Kind != store.OfCard || found.Model != "card" || found.Collection != c.ID || *found.Position != 1 || *found.Database != d || found.Creator != 1 || found.EditedAt.IsZero() {
			t.Errorf("found %+v", found)
		}
	})
}

func TestViewsKeepTheLastOfEachKind(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		c.Now = func() time.Time { return now }
		s := storetest.Open(t, c)
		ctx, who := t.Context(), store.Actor{User: 1}
		storetest.SetUp(t, s)
		bo := storetest.Person(t, s, "bo")
		d := shop(t, s)
		in := folder(t, s, "C", permission.Root)
		table := store.Item{Kind: store.OfTable, ID: int64(table(t, s, d, "orders").ID)}
		collection := store.Item{Kind: store.OfCollection, ID: int64(in.ID)}
		var cards []store.Item
		view := func(user permission.UserID, how store.ViewContext, what store.Item) {
			t.Helper()
			now = now.Add(2 * time.Minute)
			check(t, s.RecordView(ctx, user, how, what))
		}
		view(1, store.Viewed, collection)
		view(1, store.Viewed, table)
		for i := range 22 {
			card := must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: fmt.Sprint(i)}))
			cards = append(cards, store.Item{Kind: store.OfCard, ID: card.ID})
			view(1, store.Viewed, cards[i])
		}
		view(1, store.Selected, cards[0])
		view(bo.ID, store.Viewed, cards[5])
		view(bo.ID, store.Viewed, collection)
		items := func(user permission.UserID, how ...store.ViewContext) []store.Item {
			var items []store.Item
			for _, v := range must[[]store.View](t)(s.Views(ctx, user, how...)) {
				items = append(items, v.Item)
			}
			return items
		}
		var want []store.Item
		for i := 21; i >= 2; i-- {
			want = append(want, cards[i])
		}
		if got := items(1, store.Viewed); !slices.Equal(got, append(slices.Clone(want), table, collection)) {
			t.Errorf("viewed %v", got)
		}
		if got := items(1, store.Selected); !slices.Equal(got, cards[:1]) {
			t.Errorf("selected %v", got)
		}
		if got := items(1, store.Selected, store.Viewed); len(got) != 23 || got[0] != cards[0] {
			t.Errorf("viewed or selected %v", got)
		}
		// Opened again, it comes first; again within a minute, nothing is written.
		view(1, store.Viewed, cards[10])
		at := now
		if got := items(1, store.Viewed); got[0] != cards[10] || len(got) != 22 {
			t.Errorf("viewed again %v", got)
		}
		now = now.Add(time.Second)
		check(t, s.RecordView(ctx, 1, store.Viewed, cards[10]))
		if v := must[[]store.View](t)(s.Views(ctx, 1, store.Viewed))[0]; !v.At.Equal(at) {
			t.Errorf("a second view within a minute was noted at %v, the first at %v", v.At, at)
		}
		popular := func(people ...permission.UserID) string {
			text := ""
			for _, p := range must[[]store.Popularity](t)(s.Popular(ctx, people))[:2] {
				text += fmt.Sprint(p.Kind, p.People, " ")
			}
			return text
		}
		if got := popular(1, bo.ID); got != "collection2 card2 " {
			t.Errorf("popular: %s", got)
		}
		if got := popular(bo.ID); got != "collection1 card1 " {
			t.Errorf("popular with one: %s", got)
		}
		if got := must[[]store.Popularity](t)(s.Popular(ctx, []permission.UserID{})); len(got) != 0 {
			t.Errorf("popular with nobody: %v", got)
		}
		// What is gone takes its views and bookmarks along.
		check(t, s.AddBookmark(ctx, 1, cards[10]))
		check(t, s.DeleteCard(ctx, who, must[store.Card](t)(s.Card(ctx, cards[10].ID))))
		if got := items(1, store.Viewed); slices.Contains(got, cards[10]) {
			t.Errorf("a card that is gone is among %v", got)
		}
		if got := must[[]store.Item](t)(s.Bookmarks(ctx, 1)); len(got) != 0 {
			t.Errorf("bookmarks %v", got)
		}
		for _, err := range []error{s.RecordView(ctx, 1, store.Viewed, cards[10]), s.AddBookmark(ctx, 1, cards[10]), s.RecordView(ctx, 99, store.Viewed, table)} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("want ErrNotFound, got %v", err)
			}
		}
	})
}

func TestBookmarksKeepTheirOrder(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		c.Now = func() time.Time { now = now.Add(time.Second); return now }
		s := storetest.Open(t, c)
		ctx, who := t.Context(), store.Actor{User: 1}
		storetest.SetUp(t, s)
		bo := storetest.Person(t, s, "bo")
		card := store.Item{Kind: store.OfCard, ID: must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: "c"})).ID}
		dashboard := store.Item{Kind: store.OfDashboard, ID: must[store.Dashboard](t)(s.CreateDashboard(ctx, who, store.Dashboard{Name: "d"})).ID}
		collection := store.Item{Kind: store.OfCollection, ID: int64(folder(t, s, "C", permission.Root).ID)}
		order := func(user permission.UserID) string {
			text := ""
			for _, b := range must[[]store.Item](t)(s.Bookmarks(ctx, user)) {
				text += string(b.Kind) + " "
			}
			return text
		}
		for _, what := range []store.Item{card, dashboard, collection} {
			check(t, s.AddBookmark(ctx, 1, what))
		}
		check(t, s.AddBookmark(ctx, bo.ID, card))
		if err := s.AddBookmark(ctx, 1, card); !errors.Is(err, store.ErrConflict) {
			t.Errorf("bookmarked twice: %v, want ErrConflict", err)
		}
		if got := order(1); got != "collection dashboard card " {
			t.Errorf("the last marked is not the first: %s", got)
		}
		check(t, s.OrderBookmarks(ctx, 1, []store.Item{dashboard, card, {Kind: store.OfCard, ID: 99}}))
		if got := order(1); got != "dashboard card collection " {
			t.Errorf("ordered: %s", got)
		}
		check(t, s.OrderBookmarks(ctx, bo.ID, nil))
		check(t, s.RemoveBookmark(ctx, 1, dashboard))
		check(t, s.RemoveBookmark(ctx, 1, dashboard))
		if got := order(1) + "/ " + order(bo.ID); got != "card collection / card " {
			t.Errorf("removed: %s", got)
		}
		refused(t, s.AddBookmark(ctx, 1, store.Item{Kind: store.OfTable, ID: 1}), "model", "cannot be bookmarked")
		if s.AddBookmark(ctx, 1, store.Item{Kind: "x", ID: 1}) == nil || s.RecordView(ctx, 1, store.Viewed, store.Item{Kind: "users; --", ID: 1}) == nil {
			t.Error("a kind that does not exist is taken")
		}
	})
}
