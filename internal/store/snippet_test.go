package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

func TestSnippetsHaveOneNameEach(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		who := store.Actor{User: 1}
		make := func(name, content string) store.Snippet {
			t.Helper()
			return must[store.Snippet](t)(s.CreateSnippet(ctx, who, store.Snippet{Name: name, Content: content, Description: ptr("d")}))
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
		refused(t, second(s.CreateSnippet(ctx, who, store.Snippet{Name: "strasse"})), "name", taken)
		refused(t, second(s.UpdateSnippet(ctx, user.ID, store.SnippetUpdate{Name: ptr("STRASSE")})), "name", taken)
		for _, name := range []string{"", " x", "x ", "x}"} {
			refused(t, second(s.CreateSnippet(ctx, who, store.Snippet{Name: name})), "name", "neither begins nor ends")
			refused(t, second(s.UpdateSnippet(ctx, user.ID, store.SnippetUpdate{Name: &name})), "name", "neither begins nor ends")
		}
		refused(t, second(s.CreateSnippet(ctx, who, store.Snippet{Name: strings.Repeat("é", 128)})), "name", "255 bytes")

		// An archived one keeps its name, and a new name goes into what names it.
		none := (*string)(nil)
		got := must[store.Snippet](t)(s.UpdateSnippet(ctx, street.ID, store.SnippetUpdate{Name: ptr("Weg"), Archived: ptr(true), Description: &none}))
		want := street
		want.Name, want.Archived, want.Description, want.UpdatedAt = "Weg", true, nil, got.UpdatedAt
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if now := must[store.Snippet](t)(s.Snippet(ctx, user.ID)).Content; now != "{{snippet: Weg}} or {{ snippet:other }} or '{{snippet: Weg}}'" {
			t.Errorf("the snippet that names it is %s", now)
		}
		refused(t, second(s.CreateSnippet(ctx, who, store.Snippet{Name: "weg"})), "name", taken)
		for which, want := range map[store.Archived]string{store.NotArchived: "user", store.OnlyArchived: "Weg", store.WithArchived: "user Weg"} {
			var names []string
			for _, s := range must[[]store.Snippet](t)(s.Snippets(ctx, which)) {
				names = append(names, s.Name)
			}
			if strings.Join(names, " ") != want {
				t.Errorf("%d lists %v, want %s", which, names, want)
			}
		}
		for _, err := range []error{second(s.Snippet(ctx, 99)), second(s.SnippetNamed(ctx, "strasse")), second(s.UpdateSnippet(ctx, 99, store.SnippetUpdate{}))} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("want ErrNotFound, got %v", err)
			}
		}
	})
}
