package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// pinned prints what is pinned in a collection, in its order.
func pinned(t *testing.T, s *store.Store, in permission.CollectionID) string {
	t.Helper()
	at := map[int]string{}
	for _, c := range must[[]store.Card](t)(s.Cards(t.Context(), store.CardQuery{Collection: &in})) {
		if c.CollectionPosition != nil {
			at[*c.CollectionPosition] += c.Name
		}
	}
	for _, d := range must[[]store.Dashboard](t)(s.Dashboards(t.Context(), store.DashboardQuery{Collection: &in})) {
		if d.CollectionPosition != nil {
			at[*d.CollectionPosition] += d.Name
		}
	}
	return fmt.Sprint(at)
}

func TestWhatIsPinnedMakesRoom(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, who := t.Context(), store.Actor{User: 1}
		storetest.SetUp(t, s)
		here, there := folder(t, s, "Here", permission.Root).ID, folder(t, s, "There", permission.Root).ID
		cards := map[string]store.Card{}
		for i, name := range []string{"a", "b", "c"} {
			cards[name] = must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: name, Collection: here, CollectionPosition: ptr(i + 1)}))
		}
		must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: "loose", Collection: here}))
		d := must[store.Dashboard](t)(s.CreateDashboard(ctx, who, store.Dashboard{Name: "D", Collection: here, CollectionPosition: ptr(2)}))
		card := func(name string, u store.CardUpdate) func() {
			return func() {
				cards[name] = must[store.Card](t)(s.UpdateCard(ctx, who, must[store.Card](t)(s.Card(ctx, cards[name].ID)), u))
			}
		}
		dashboard := func(u store.DashboardUpdate) func() {
			return func() {
				must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, must[store.Dashboard](t)(s.Dashboard(ctx, d.ID)), u))
			}
		}
		for _, step := range []struct {
			name        string
			do          func()
			here, there string
		}{
			{"pinned between others", func() {}, "map[1:a 2:D 3:b 4:c]", "map[]"},
			{"sent back as it is", card("b", store.CardUpdate{CollectionPosition: ptr(ptr(3)), Collection: &here}), "map[1:a 2:D 3:b 4:c]", "map[]"},
			{"moved back", card("a", store.CardUpdate{CollectionPosition: ptr(ptr(3))}), "map[1:D 2:b 3:a 4:c]", "map[]"},
			{"moved forth", card("c", store.CardUpdate{CollectionPosition: ptr(ptr(1))}), "map[1:c 2:D 3:b 4:a]", "map[]"},
			{"unpinned", card("b", store.CardUpdate{CollectionPosition: ptr((*int)(nil))}), "map[1:c 2:D 3:a]", "map[]"},
			{"moved elsewhere", dashboard(store.DashboardUpdate{Collection: &there, CollectionPosition: ptr(ptr(1))}), "map[1:c 2:a]", "map[1:D]"},
			{"archived", card("c", store.CardUpdate{Archived: ptr(true)}), "map[1:a]", "map[1:D]"},
			{"restored", card("c", store.CardUpdate{Archived: ptr(false)}), "map[1:a]", "map[1:D]"},
			{"pinned to the front elsewhere", card("a", store.CardUpdate{Collection: &there}), "map[]", "map[1:a 2:D]"},
		} {
			step.do()
			if got := pinned(t, s, here); got != step.here {
				t.Errorf("%s: here %s, want %s", step.name, got, step.here)
			}
			if got := pinned(t, s, there); got != step.there {
				t.Errorf("%s: there %s, want %s", step.name, got, step.there)
			}
		}
	})
}

func TestCardsAreMovedAllOrNone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, who := t.Context(), store.Actor{User: 1}
		storetest.SetUp(t, s)
		from, to := folder(t, s, "From", permission.Root).ID, folder(t, s, "To", permission.Root).ID
		card := func(name string, in permission.CollectionID, position *int) store.Card {
			return must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: name, Collection: in, CollectionPosition: position}))
		}
		a, b, c := card("a", from, ptr(1)), card("b", permission.Root, nil), card("c", from, ptr(2))
		old := card("old", to, ptr(1))
		where := func() string {
			text := ""
			for _, card := range []store.Card{a, b, c, old} {
				is := must[store.Card](t)(s.Card(ctx, card.ID))
				text += fmt.Sprint(is.Name, is.Collection, " ")
			}
			return text
		}
		before := where()
		moved := must[store.Card](t)(s.UpdateCard(ctx, who, c, store.CardUpdate{Collection: ptr(permission.Root)}))
		if err := s.MoveCards(ctx, who, []store.Card{a, b, c}, to); !errors.Is(err, store.ErrChanged) {
			t.Errorf("one was moved meanwhile: %v, want ErrChanged", err)
		}
		c = must[store.Card](t)(s.UpdateCard(ctx, who, moved, store.CardUpdate{Collection: &from}))
		archived := must[store.Card](t)(s.UpdateCard(ctx, who, b, store.CardUpdate{Archived: ptr(true)}))
		if err := s.MoveCards(ctx, who, []store.Card{a, b, c}, to); !errors.Is(err, store.ErrChanged) {
			t.Errorf("one was archived meanwhile: %v, want ErrChanged", err)
		}
		b = must[store.Card](t)(s.UpdateCard(ctx, who, archived, store.CardUpdate{Archived: ptr(false)}))
		if err := s.MoveCards(ctx, who, []store.Card{a, {ID: 99}, c}, to); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("one is not there: %v, want ErrNotFound", err)
		}
		refused(t, s.MoveCards(ctx, who, []store.Card{a, b}, 99), "collection_id", "no collection 99")
		if got := where(); got != before {
			t.Errorf("after refusals the cards lie at %s, before at %s", got, before)
		}
		bo := storetest.Person(t, s, "bo")
		check(t, s.MoveCards(ctx, store.Actor{User: bo.ID}, []store.Card{c, b, a, old}, to))
		past := must[[]store.Past](t)(s.Pasts(ctx, store.Item{Kind: store.OfCard, ID: a.ID}))
		if past[0].User != bo.ID || past[0].Collection() != to || past[1].Collection() != from {
			t.Errorf("the move is not in the history: %+v", past)
		}
		item := func(c store.Card) store.Item { return store.Item{Kind: store.OfCard, ID: c.ID} }
		edits := must[map[store.Item]store.Edit](t)(s.LastEdits(ctx, []store.Item{item(a), item(old), {Kind: store.OfDashboard, ID: 99}}))
		if len(edits) != 2 || edits[item(a)].User != bo.ID || edits[item(old)].User != 1 || !edits[item(a)].At.Equal(past[0].At) {
			t.Errorf("last edited: %+v", edits)
		}
		if got, want := where(), fmt.Sprintf("a%[1]d b%[1]d c%[1]d old%[1]d ", to); got != want {
			t.Errorf("moved to %s, want %s", got, want)
		}
		if got := pinned(t, s, to); got != "map[1:old 2:a 3:c]" {
			t.Errorf("pinned there: %s", got)
		}
		must[store.Collection](t)(s.UpdateCollection(ctx, who, from, store.CollectionUpdate{Archived: ptr(true)}))
		refused(t, s.MoveCards(ctx, who, []store.Card{must[store.Card](t)(s.Card(ctx, a.ID))}, from), "collection_id", "is archived")
	})
}

// While a collection is archived and restored, others put things into it, pin
// them there and take them away. Nothing is left outside the trash in a
// collection that is in it, and nobody waits for each other for ever.
func TestNothingIsPutIntoACollectionThatIsBeingArchived(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, who := t.Context(), store.Actor{User: 1}
		storetest.SetUp(t, s)
		here, there := folder(t, s, "Here", permission.Root).ID, folder(t, s, "There", permission.Root).ID
		refusal := func(err error) {
			var invalid *store.InvalidError
			if err != nil && !errors.As(err, &invalid) && !errors.Is(err, store.ErrChanged) {
				t.Error(err)
			}
		}
		const rounds = 30
		var all sync.WaitGroup
		all.Go(func() {
			for i := range 2 * rounds {
				_, err := s.UpdateCollection(ctx, who, here, store.CollectionUpdate{Archived: ptr(i%2 == 0)})
				if err != nil {
					t.Error(err)
				}
				if i%2 == 1 {
					continue
				}
				for _, c := range must[[]store.Card](t)(s.Cards(ctx, store.CardQuery{Collection: &here})) {
					t.Errorf("card %q is in no trash, and its collection is", c.Name)
				}
				for _, d := range must[[]store.Dashboard](t)(s.Dashboards(ctx, store.DashboardQuery{Collection: &here})) {
					t.Errorf("dashboard %q is in no trash, and its collection is", d.Name)
				}
			}
		})
		for i := range 3 {
			all.Go(func() {
				for j := range rounds {
					card, err := s.CreateCard(ctx, who, store.Card{Name: fmt.Sprint("new ", i, j), Collection: here, CollectionPosition: ptr(1)})
					if err == nil {
						_, err = s.UpdateCard(ctx, who, card, store.CardUpdate{CollectionPosition: ptr(ptr(2))})
					}
					refusal(err)
				}
			})
			all.Go(func() {
				card := must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: fmt.Sprint("card ", i), Collection: there}))
				d := must[store.Dashboard](t)(s.CreateDashboard(ctx, who, store.Dashboard{Name: fmt.Sprint("dashboard ", i), Collection: there}))
				for range rounds {
					for _, to := range []*permission.CollectionID{&here, &there} {
						card = must[store.Card](t)(s.Card(ctx, card.ID))
						refusal(second(s.UpdateCard(ctx, who, card, store.CardUpdate{Collection: to, Archived: ptr(false)})))
						d = must[store.Dashboard](t)(s.Dashboard(ctx, d.ID))
						refusal(second(s.UpdateDashboard(ctx, who, d, store.DashboardUpdate{Collection: to, Archived: ptr(false), CollectionPosition: ptr(ptr(1))})))
						refusal(s.MoveCards(ctx, who, []store.Card{must[store.Card](t)(s.Card(ctx, card.ID))}, *to))
					}
				}
			})
		}
		all.Wait()
	})
}
