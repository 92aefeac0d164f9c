package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

func anything(store.SnippetWrite) error { return nil }

func TestSnippetsHaveOneNameEach(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		who := store.Actor{User: 1}
		make := func(name, content string) store.Snippet {
			t.Helper()
			return must[store.Snippet](t)(s.CreateSnippet(ctx, who, store.Snippet{Name: name, Content: content, Description: ptr("d")}, anything))
		}
		street := make("Straße", "street is not null")
		if street.Creator != 1 || street.Archived || len(street.EntityID) != 21 || !street.CreatedAt.Equal(street.UpdatedAt) {
			t.Errorf("made %+v", street)
		}
		for _, read := range []store.Snippet{must[store.Snippet](t)(s.Snippet(ctx, street.ID)), must[store.Snippet](t)(s.SnippetNamed(ctx, "STRASSE"))} {
			if d := cmp.Diff(street, read); d != "" {
				t.Error(d)
			}
		}
		user := make("user", "{{snippet: strasse}} or {{ snippet:other }} or '{{snippet:  STRASSE}}'")
		const taken = "already exists"
		refused(t, second(s.CreateSnippet(ctx, who, store.Snippet{Name: "strasse"}, anything)), "name", taken)
		refused(t, second(s.UpdateSnippet(ctx, who, user.ID, store.SnippetUpdate{Name: ptr("STRASSE")}, anything)), "name", taken)
		for _, name := range []string{"", " x", "x ", "x}"} {
			refused(t, second(s.CreateSnippet(ctx, who, store.Snippet{Name: name}, anything)), "name", "neither begins nor ends")
			refused(t, second(s.UpdateSnippet(ctx, who, user.ID, store.SnippetUpdate{Name: &name}, anything)), "name", "neither begins nor ends")
		}
		refused(t, second(s.CreateSnippet(ctx, who, store.Snippet{Name: strings.Repeat("é", 128)}, anything)), "name", "255 bytes")

		// An archived one keeps its name, and a new name goes into what names it.
		none := (*string)(nil)
		got := must[store.Snippet](t)(s.UpdateSnippet(ctx, who, street.ID, store.SnippetUpdate{Name: ptr("Weg"), Archived: ptr(true), Description: &none}, anything))
		want := street
		want.Name, want.Archived, want.Description, want.UpdatedAt = "Weg", true, nil, got.UpdatedAt
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if now := must[store.Snippet](t)(s.Snippet(ctx, user.ID)).Content; now != "{{snippet: Weg}} or {{ snippet:other }} or '{{snippet: Weg}}'" {
			t.Errorf("the snippet that names it is %s", now)
		}
		refused(t, second(s.CreateSnippet(ctx, who, store.Snippet{Name: "weg"}, anything)), "name", taken)
		for which, want := range map[store.Archived]string{store.NotArchived: "user", store.OnlyArchived: "Weg", store.WithArchived: "user Weg"} {
			var names []string
			for _, s := range must[[]store.Snippet](t)(s.Snippets(ctx, which)) {
				names = append(names, s.Name)
			}
			if strings.Join(names, " ") != want {
				t.Errorf("%d lists %v, want %s", which, names, want)
			}
		}
		for _, err := range []error{second(s.Snippet(ctx, 99)), second(s.SnippetNamed(ctx, "strasse")), second(s.UpdateSnippet(ctx, who, 99, store.SnippetUpdate{}, anything))} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("want ErrNotFound, got %v", err)
			}
		}
	})
}

// What a write of a snippet is decided by is all that it reaches, at the moment
// of the write.
func TestAWriteOfASnippetIsDecidedByWhatItReaches(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		who := store.Actor{User: 1}
		card := func(question string) int64 {
			t.Helper()
			c := must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: question, DatasetQuery: []byte(question)}))
			return c.ID
		}
		card(`{"native":{"query":"{{snippet: a}}"}}`)
		must[store.Card](t)(s.UpdateCard(ctx, who, must[store.Card](t)(s.Card(ctx, card(`{"native":{"query":"{{\u0073nippet: a}}"}}`))), store.CardUpdate{Archived: ptr(true)}))
		card(`{"native":{"query":"select 1"}}`)
		var asked []store.SnippetWrite
		note := func(w store.SnippetWrite) error { asked = append(asked, w); return nil }
		make := func(name, content string) store.Snippet {
			t.Helper()
			return must[store.Snippet](t)(s.CreateSnippet(ctx, who, store.Snippet{Name: name, Content: content}, note))
		}
		outer := make("outer", "{{snippet: Middle}}")
		broken := make("broken", "{{ {{\u00a0snippet:\u00a0OUTER\u00a0}}")
		middle := make("middle", "{{ snippet: inner }}")
		other := make("other", "1")
		asked = nil
		inner := make("inner", "1")
		if len(asked) != 1 || len(asked[0].Questions) != 2 {
			t.Fatalf("asked about %+v", asked)
		}
		reaches := func(w store.SnippetWrite, want ...int64) {
			t.Helper()
			for _, sn := range []store.Snippet{outer, broken, middle, other, inner} {
				is := slices.Contains(want, sn.ID)
				if w.Reaches(sn.ID, "") != is || w.Reaches(0, strings.ToUpper(sn.Name)) != is {
					t.Errorf("%s: %t", sn.Name, !is)
				}
			}
		}
		reaches(asked[0], inner.ID, middle.ID, outer.ID, broken.ID)

		// What changes nothing that runs asks nobody.
		asked = nil
		for _, u := range []store.SnippetUpdate{{Description: new(ptr("d"))}, {Archived: ptr(true)}, {Archived: ptr(false)}, {Name: ptr("inner"), Content: ptr("1")}} {
			must[store.Snippet](t)(s.UpdateSnippet(ctx, who, inner.ID, u, note))
		}
		if len(asked) != 0 {
			t.Errorf("asked about %+v", asked)
		}
		must[store.Snippet](t)(s.UpdateSnippet(ctx, who, middle.ID, store.SnippetUpdate{Content: ptr("2")}, note))
		reaches(asked[0], middle.ID, outer.ID, broken.ID)
		// Another name reaches those that name it by the old one and by the new one.
		must[store.Snippet](t)(s.UpdateSnippet(ctx, who, other.ID, store.SnippetUpdate{Name: ptr("elsewhere")}, note))
		if w := asked[1]; !w.Reaches(0, "other") || !w.Reaches(0, "Elsewhere") || !w.Reaches(other.ID, "x") || w.Reaches(0, "inner") {
			t.Errorf("another name reaches %+v", w)
		}

		// A refusal leaves nothing behind.
		no := errors.New("no")
		refuse := func(store.SnippetWrite) error { return no }
		for _, err := range []error{second(s.CreateSnippet(ctx, who, store.Snippet{Name: "new", Content: "1"}, refuse)),
			second(s.UpdateSnippet(ctx, who, inner.ID, store.SnippetUpdate{Name: ptr("new")}, refuse)),
			second(s.UpdateSnippet(ctx, who, inner.ID, store.SnippetUpdate{Content: ptr("3")}, refuse))} {
			if !errors.Is(err, no) {
				t.Errorf("want the refusal, got %v", err)
			}
		}
		if now := must[store.Snippet](t)(s.Snippet(ctx, inner.ID)); now.Name != "inner" || now.Content != "1" {
			t.Errorf("it is %+v after refusals", now)
		}
		if _, err := s.SnippetNamed(ctx, "new"); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	})
}

// A question is saved with the snippets with which it was decided that it may
// be, or not at all.
func TestAQuestionIsNotSavedWithASnippetThatNobodyChecked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, who := t.Context(), store.Actor{User: 1}
		storetest.SetUp(t, s)
		seen := must[store.Snippet](t)(s.CreateSnippet(ctx, who, store.Snippet{Name: "s", Content: "1"}, anything))
		card := must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: "c", Snippets: []store.Snippet{seen}}))
		must[store.Snippet](t)(s.UpdateSnippet(ctx, who, seen.ID, store.SnippetUpdate{Description: ptr(ptr("one"))}, anything))
		asks := store.CardUpdate{Question: &store.CardQuestion{DatasetQuery: []byte(`{"x":1}`), Snippets: []store.Snippet{seen}}}
		card = must[store.Card](t)(s.UpdateCard(ctx, who, card, asks))

		must[store.Snippet](t)(s.UpdateSnippet(ctx, who, seen.ID, store.SnippetUpdate{Content: ptr("2")}, anything))
		before := must[[]store.Card](t)(s.Cards(ctx, store.CardQuery{}))
		asks.Question.DatasetQuery = []byte(`{"x":2}`)
		for what, err := range map[string]error{
			"a new question": second(s.CreateCard(ctx, who, store.Card{Name: "d", Snippets: []store.Snippet{seen}})),
			"another one":    second(s.UpdateCard(ctx, who, card, asks)),
			"with a dashboard": second(s.CreateDashboard(ctx, who, store.Dashboard{Name: "d"},
				store.Card{Name: "d", Snippets: []store.Snippet{seen}})),
		} {
			if !errors.Is(err, store.ErrChanged) {
				t.Errorf("%s: %v, want ErrChanged", what, err)
			}
		}
		if d := cmp.Diff(before, must[[]store.Card](t)(s.Cards(ctx, store.CardQuery{}))); d != "" {
			t.Error(d)
		}
		if n := len(must[[]store.Dashboard](t)(s.Dashboards(ctx, store.DashboardQuery{}))); n != 0 {
			t.Errorf("%d dashboards", n)
		}
	})
}
