package store_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// folder makes a collection.
func folder(t *testing.T, s *store.Store, name string, parent permission.CollectionID) store.Collection {
	t.Helper()
	return must[store.Collection](t)(s.CreateCollection(t.Context(), store.Actor{User: 1}, store.NewCollection{Name: name, Parent: parent}))
}

// level writes a collection level as the next revision.
func level(t *testing.T, s *store.Store, g permission.GroupID, c permission.CollectionID, l permission.Level) {
	t.Helper()
	now := s.Graph()
	change(t, s, permission.SetCollectionAccess{Group: g, Collection: c, From: now.CollectionLevel(g, c),
		To: permission.Cell{Set: true, Level: l, At: catalog.Revision(now.CollectionRevision() + 1)}})
}

// levels prints what is written on a collection, by group.
func levels(g *permission.Graph, c permission.CollectionID) string {
	text := ""
	for gr := range g.Groups() {
		if cell := g.CollectionLevel(gr.ID, c); cell.Set {
			text += fmt.Sprintf("%s:%s@%d ", gr.Name, permission.Collection.Word(cell.Level), cell.At)
		}
	}
	return text
}

func TestANewCollectionTakesTheWriteRowsOfItsParent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		admin := storetest.SetUp(t, s)
		editors, readers := storetest.Group(t, s, "Editors"), storetest.Group(t, s, "Readers")
		parent := folder(t, s, "Parent", permission.Root)
		if got := s.Graph().CollectionRevision(); got != 1 {
			t.Errorf("a collection without rows took the collection revision to %d", got)
		}
		level(t, s, editors.ID, parent.ID, permission.Write)
		level(t, s, readers.ID, parent.ID, permission.Read)
		child := folder(t, s, "Child", parent.ID)
		if got := levels(s.Graph(), child.ID); got != "Editors:write@4 " {
			t.Errorf("the child has %s", got)
		}
		if s.Graph().CollectionRevision() != 4 {
			t.Errorf("the copy took the collection revision to %d", s.Graph().CollectionRevision())
		}
		both := must[store.Collection](t)(s.CreateCollection(ctx, store.Actor{}, store.NewCollection{Name: "Both", Parent: parent.ID, InheritRead: true}))
		if got := levels(s.Graph(), both.ID); got != "Editors:write@5 Readers:read@5 " {
			t.Errorf("with inherit_read the child has %s", got)
		}
		level(t, s, editors.ID, permission.Root, permission.Write)
		top := folder(t, s, "Top", permission.Root)
		if got := levels(s.Graph(), top.ID); got != "Editors:write@7 " {
			t.Errorf("a collection at the top level has %s", got)
		}
		own := must[store.Collection](t)(s.CreateCollection(ctx, store.Actor{}, store.NewCollection{Name: "Own", Parent: admin.PersonalCollection, InheritRead: true}))
		if got := levels(s.Graph(), own.ID); got != "" || s.Graph().Collection(own.ID).Owner != admin.ID {
			t.Errorf("a personal collection has %s and the owner %d", got, s.Graph().Collection(own.ID).Owner)
		}
		if own.Owner != 0 || own.Location != fmt.Sprintf("/%d/", admin.PersonalCollection) {
			t.Errorf("a collection in a personal one is shown as %+v", own)
		}
	})
}

func TestCollectionsKeepWhatTheyWereGiven(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		parent := folder(t, s, "Paré nt!", permission.Root)
		made := must[store.Collection](t)(s.CreateCollection(ctx, store.Actor{}, store.NewCollection{Name: "Snippets", Parent: parent.ID, Description: ptr("d"), AuthorityLevel: ptr("official"), Type: ptr("special")}))
		read := must[store.Collection](t)(s.Collection(ctx, made.ID))
		if d := cmp.Diff(made, read); d != "" {
			t.Error(d)
		}
		if parent.Slug != "paré_nt_" || *read.Description != "d" || *read.AuthorityLevel != "official" || *read.Type != "special" || read.Namespace != nil || read.Parent != parent.ID {
			t.Errorf("got %+v under %+v", read, parent)
		}
		if by := must[store.Collection](t)(s.CollectionByEntityID(ctx, made.EntityID)); by.ID != made.ID {
			t.Errorf("the entity id leads to %d", by.ID)
		}
		got := must[store.Collection](t)(s.UpdateCollection(ctx, store.Actor{}, made.ID, store.CollectionUpdate{Name: ptr("Other"), Description: ptr[*string](nil)}))
		if got.Name != "Other" || got.Slug != "other" || got.Description != nil || *got.AuthorityLevel != "official" || s.Graph().Collection(made.ID).Name != "Other" {
			t.Errorf("got %+v", got)
		}
		snippets := must[store.Collection](t)(s.CreateCollection(ctx, store.Actor{}, store.NewCollection{Name: "S", Namespace: ptr("snippets")}))
		refused(t, second(s.CreateCollection(ctx, store.Actor{}, store.NewCollection{Name: "In", Parent: snippets.ID})), "parent_id", "another namespace")
		refused(t, second(s.CreateCollection(ctx, store.Actor{}, store.NewCollection{Name: " "})), "name", "non-blank")
		refused(t, second(s.CreateCollection(ctx, store.Actor{}, store.NewCollection{Name: "In", Parent: 99})), "parent_id", "no collection 99")
		refused(t, second(s.UpdateCollection(ctx, store.Actor{}, made.ID, store.CollectionUpdate{Name: ptr("")})), "name", "non-blank")
		for _, err := range []error{second(s.Collection(ctx, 99)), second(s.CollectionByEntityID(ctx, "x")), second(s.UpdateCollection(ctx, store.Actor{}, 99, store.CollectionUpdate{})), s.DeleteCollection(ctx, store.Actor{}, 99)} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("want ErrNotFound, got %v", err)
			}
		}
	})
}

func TestAMoveTakesTheTreeAlong(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		ctx := t.Context()
		admin := storetest.SetUp(t, s)
		g := storetest.Group(t, s, "Sales")
		a := folder(t, s, "A", permission.Root)
		b := folder(t, s, "B", a.ID)
		deep := folder(t, s, "Deep", b.ID)
		sibling := folder(t, s, "Sibling", permission.Root)
		level(t, s, g.ID, a.ID, permission.Write)
		level(t, s, g.ID, deep.ID, permission.Read)
		level(t, s, g.ID, sibling.ID, permission.Read)
		move := func(id, to permission.CollectionID) error {
			return second(s.UpdateCollection(ctx, store.Actor{}, id, store.CollectionUpdate{Parent: &to}))
		}
		where := func(id permission.CollectionID) string {
			t.Helper()
			c := must[store.Collection](t)(s.Collection(ctx, id))
			return fmt.Sprintf("%s owner %d, %s", c.Location, s.Graph().Collection(id).Owner, levels(s.Graph(), id))
		}
		refused(t, move(a.ID, a.ID), "parent_id", "into itself")
		refused(t, move(a.ID, deep.ID), "parent_id", "into itself")
		refused(t, move(a.ID, 99), "parent_id", "no collection 99")
		refused(t, move(admin.PersonalCollection, a.ID), "parent_id", "personal collection cannot be moved")

		// Between ordinary places rows stay.
		check(t, move(a.ID, sibling.ID))
		if got, want := where(deep.ID), fmt.Sprintf("/%d/%d/%d/ owner 0, Sales:read@3 ", sibling.ID, a.ID, b.ID); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		// Into a personal tree they go.
		revision := s.Graph().CollectionRevision()
		check(t, move(a.ID, admin.PersonalCollection))
		for id, want := range map[permission.CollectionID]string{
			a.ID:    fmt.Sprintf("/%d/ owner %d, ", admin.PersonalCollection, admin.ID),
			b.ID:    fmt.Sprintf("/%d/%d/ owner %d, ", admin.PersonalCollection, a.ID, admin.ID),
			deep.ID: fmt.Sprintf("/%d/%d/%d/ owner %d, ", admin.PersonalCollection, a.ID, b.ID, admin.ID),
		} {
			if got := where(id); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if s.Graph().CollectionRevision() != revision+1 {
			t.Errorf("the collection revision went from %d to %d", revision, s.Graph().CollectionRevision())
		}
		// Out of it, everything gets the new parent's.
		check(t, move(a.ID, sibling.ID))
		for id, want := range map[permission.CollectionID]string{
			a.ID:    fmt.Sprintf("/%d/ owner 0, Sales:read@%d ", sibling.ID, revision+2),
			deep.ID: fmt.Sprintf("/%d/%d/%d/ owner 0, Sales:read@%d ", sibling.ID, a.ID, b.ID, revision+2),
		} {
			if got := where(id); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		check(t, move(b.ID, permission.Root))
		if got := where(deep.ID); got != fmt.Sprintf("/%d/ owner 0, Sales:read@%d ", b.ID, revision+2) {
			t.Errorf("got %s", got)
		}
		if d := cmp.Diff(dump(s.Graph()), dump(storetest.Open(t, c).Graph())); d != "" {
			t.Errorf("loaded again, the graph differs:\n%s", d)
		}
	})
}

func TestArchivingTakesEverythingInACollectionAlongAndBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		admin := storetest.SetUp(t, s)
		who := store.Actor{User: admin.ID}
		a := folder(t, s, "A", permission.Root)
		b := folder(t, s, "B", a.ID)
		early := folder(t, s, "Early", a.ID)
		card := must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: "card", Collection: b.ID}))
		gone := must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: "gone", Collection: b.ID, Archived: true}))
		dashboard := must[store.Dashboard](t)(s.CreateDashboard(ctx, who, store.Dashboard{Name: "dashboard", Collection: a.ID}))
		archive := func(id permission.CollectionID, to bool, parent *permission.CollectionID) error {
			return second(s.UpdateCollection(ctx, who, id, store.CollectionUpdate{Archived: &to, Parent: parent}))
		}
		state := func() string {
			t.Helper()
			text := ""
			for _, id := range []permission.CollectionID{a.ID, b.ID, early.ID} {
				c := must[store.Collection](t)(s.Collection(ctx, id))
				text += fmt.Sprintf("%s %v %v; ", c.Name, c.Archived, c.ArchivedDirectly)
			}
			for _, id := range []int64{card.ID, gone.ID} {
				c := must[store.Card](t)(s.Card(ctx, id))
				text += fmt.Sprintf("%s %v %v; ", c.Name, c.Archived, c.ArchivedDirectly)
			}
			d := must[store.Dashboard](t)(s.Dashboard(ctx, dashboard.ID))
			return text + fmt.Sprintf("%s %v %v", d.Name, d.Archived, d.ArchivedDirectly)
		}
		is := func(want string) {
			t.Helper()
			if got := state(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		check(t, archive(early.ID, true, nil))
		is("A false false; B false false; Early true true; card false false; gone true true; dashboard false false")
		check(t, archive(a.ID, true, nil))
		is("A true true; B true false; Early true true; card true false; gone true true; dashboard true false")
		refused(t, archive(b.ID, false, nil), "archived", "restore that one")
		refused(t, archive(early.ID, false, nil), "parent_id", "is archived")
		refused(t, second(s.CreateCollection(ctx, who, store.NewCollection{Name: "In", Parent: a.ID})), "parent_id", "is archived")
		refused(t, second(s.CreateCard(ctx, who, store.Card{Name: "in", Collection: a.ID})), "collection_id", "is archived")
		refused(t, second(s.UpdateCollection(ctx, who, a.ID, store.CollectionUpdate{Parent: &early.ID})), "parent_id", "is archived")
		archived := must[store.Card](t)(s.Card(ctx, card.ID))
		refused(t, second(s.UpdateCard(ctx, who, archived, store.CardUpdate{Archived: new(bool)})), "collection_id", "is archived")
		if all := must[[]store.Collection](t)(s.Collections(ctx, store.CollectionQuery{Archived: store.OnlyArchived})); len(all) != 3 {
			t.Errorf("%d collections are archived", len(all))
		}
		check(t, archive(a.ID, false, nil))
		is("A false false; B false false; Early true true; card false false; gone true true; dashboard false false")
		check(t, archive(early.ID, false, nil))
		is("A false false; B false false; Early false false; card false false; gone true true; dashboard false false")
		// What went along can come back elsewhere, with what is in it.
		check(t, archive(a.ID, true, nil))
		root := permission.Root
		check(t, archive(b.ID, false, &root))
		is("A true true; B false false; Early true false; card false false; gone true true; dashboard true false")
		if got := must[store.Collection](t)(s.Collection(ctx, b.ID)); got.Location != "/" {
			t.Errorf("it came back to %s", got.Location)
		}
		refused(t, archive(admin.PersonalCollection, true, nil), "archived", "cannot be archived")
		refused(t, archive(b.ID, true, &a.ID), "parent_id", "moved and archived at once")
	})
}

func TestOnlyArchivedCollectionsAreDeletedForGood(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		ctx := t.Context()
		admin := storetest.SetUp(t, s)
		g := storetest.Group(t, s, "Sales")
		a := folder(t, s, "A", permission.Root)
		level(t, s, g.ID, a.ID, permission.Write)
		b := folder(t, s, "B", a.ID)
		card := must[store.Card](t)(s.CreateCard(ctx, store.Actor{User: 1}, store.Card{Name: "card", Collection: b.ID}))
		dashboard := must[store.Dashboard](t)(s.CreateDashboard(ctx, store.Actor{User: 1}, store.Dashboard{Name: "d", Collection: b.ID}))
		refused(t, s.DeleteCollection(ctx, store.Actor{}, a.ID), "", "Archive it first")
		refused(t, s.DeleteCollection(ctx, store.Actor{}, admin.PersonalCollection), "", "Archive it first")
		before := s.Graph()
		must[store.Collection](t)(s.UpdateCollection(ctx, store.Actor{}, a.ID, store.CollectionUpdate{Archived: ptr(true)}))
		check(t, s.DeleteCollection(ctx, store.Actor{}, a.ID))
		for _, err := range []error{second(s.Collection(ctx, a.ID)), second(s.Collection(ctx, b.ID)), second(s.Card(ctx, card.ID)), second(s.Dashboard(ctx, dashboard.ID))} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("something is left: %v", err)
			}
		}
		if n := rows(t, raw(t, c), "collection_grants"); n != 0 {
			t.Errorf("%d levels are left", n)
		}
		back, err := s.GraphAtCollection(ctx, before.CollectionRevision())
		check(t, err)
		if changes := permission.Diff(before, back); len(changes) > 0 {
			t.Errorf("undone, the deletion differs by %v", changes)
		}
	})
}

func TestCollectionsAreSelected(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		admin := storetest.SetUp(t, s)
		a, b := folder(t, s, "b", permission.Root), folder(t, s, "C", permission.Root)
		c := folder(t, s, "a", a.ID)
		must[store.Collection](t)(s.UpdateCollection(ctx, store.Actor{}, b.ID, store.CollectionUpdate{Archived: ptr(true)}))
		must[store.Card](t)(s.CreateCard(ctx, store.Actor{User: 1}, store.Card{Name: "q"}))
		must[store.Card](t)(s.CreateCard(ctx, store.Actor{User: 1}, store.Card{Name: "m", Collection: a.ID, Type: "model"}))
		must[store.Card](t)(s.CreateCard(ctx, store.Actor{User: 1}, store.Card{Name: "m2", Collection: a.ID, Type: "metric"}))
		must[store.Card](t)(s.CreateCard(ctx, store.Actor{User: 1}, store.Card{Name: "old", Collection: c.ID, Archived: true}))
		must[store.Dashboard](t)(s.CreateDashboard(ctx, store.Actor{User: 1}, store.Dashboard{Name: "d", Collection: a.ID}))
		root := permission.Root
		for _, q := range []struct {
			q    store.CollectionQuery
			want string
		}{
			{store.CollectionQuery{}, "[a Ada Admin's Personal Collection b]"},
			{store.CollectionQuery{Archived: store.WithArchived, Parent: &root}, "[Ada Admin's Personal Collection b C]"},
			{store.CollectionQuery{Archived: store.OnlyArchived}, "[C]"},
			{store.CollectionQuery{Parent: &a.ID}, "[a]"},
			{store.CollectionQuery{IDs: []permission.CollectionID{a.ID, b.ID, 99}}, "[b]"},
			{store.CollectionQuery{IDs: []permission.CollectionID{}}, "[]"},
		} {
			var names []string
			for _, c := range must[[]store.Collection](t)(s.Collections(ctx, q.q)) {
				names = append(names, c.Name)
			}
			if fmt.Sprint(names) != q.want {
				t.Errorf("%+v: got %v, want %s", q.q, names, q.want)
			}
		}
		contents := must[map[permission.CollectionID][]string](t)(s.CollectionContents(ctx))
		want := map[permission.CollectionID][]string{permission.Root: {"card"}, a.ID: {"dashboard", "dataset", "metric"}}
		if d := cmp.Diff(want, contents); d != "" {
			t.Error(d)
		}
		_ = admin
	})
}
