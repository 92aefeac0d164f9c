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
		restored := card
		restored.Archived = false
		refused(t, second(s.UpdateCard(ctx, who, restored)), "collection_id", "is archived")
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
		if by := must[store.Card](t)(s.CardByEntityID(ctx, made.EntityID)); by.ID != made.ID {
			t.Errorf("the entity id leads to %d", by.ID)
		}
		bare := must[store.Card](t)(s.CreateCard(ctx, store.Actor{User: 1}, store.Card{Name: "bare"}))
		if bare.DatasetQuery != nil || bare.Description != nil || bare.Database != nil || bare.Collection != permission.Root || bare.Type != "question" || bare.Creator != 1 {
			t.Errorf("a bare card is %+v", bare)
		}
		// Updates write what is given, but not who made it and when.
		change := read
		change.Name, change.Description, change.Creator, change.EntityID, change.Collection = "New", nil, 99, "other", permission.Root
		got := must[store.Card](t)(s.UpdateCard(ctx, store.Actor{User: 1}, change))
		if got.Name != "New" || got.Description != nil || got.Creator != 1 || got.EntityID != read.EntityID || got.Collection != permission.Root || !got.CreatedAt.Equal(read.CreatedAt) {
			t.Errorf("got %+v", got)
		}
		got.Archived = true
		if got = must[store.Card](t)(s.UpdateCard(ctx, store.Actor{}, got)); !got.ArchivedDirectly {
			t.Errorf("got %+v", got)
		}
		got.Archived = false
		if got = must[store.Card](t)(s.UpdateCard(ctx, store.Actor{}, got)); got.ArchivedDirectly || got.Archived {
			t.Errorf("got %+v", got)
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
			refused(t, second(s.UpdateCard(ctx, store.Actor{User: 1}, wrong)), c.field, c.text)
		}
		check(t, s.DeleteCard(ctx, store.Actor{}, made.ID))
		for _, err := range []error{second(s.Card(ctx, made.ID)), s.DeleteCard(ctx, store.Actor{}, made.ID), second(s.UpdateCard(ctx, store.Actor{}, read)), second(s.CardByEntityID(ctx, "x"))} {
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
		d.Tabs = []store.Tab{{ID: -1, Name: "first"}, {ID: -2, Name: "second"}}
		d.Dashcards = []store.Dashcard{
			{ID: 0, Card: &a, Tab: ptr(int64(-2)), Row: 1, Col: 2, SizeX: 3, SizeY: 4, VisualizationSettings: json.RawMessage(`{"a": 1}`),
				ParameterMappings: json.RawMessage(`[]`), InlineParameters: json.RawMessage(`["p"]`), Series: []int64{c, b}},
			{ID: -1, Tab: ptr(int64(-1)), SizeX: 1, SizeY: 1}, // a text
			{ID: -1, Card: &a, Tab: ptr(int64(-1)), SizeX: 1, SizeY: 1},
		}
		got := must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, d))
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
		again := must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, got))
		if ids(again) != ids(got) {
			t.Errorf("ids went from %s to %s", ids(got), ids(again))
		}
		// nil lists stay; others are complete.
		bare := again
		bare.Tabs, bare.Dashcards, bare.Name = nil, nil, "Renamed"
		if kept := must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, bare)); ids(kept) != ids(got) || kept.Name != "Renamed" {
			t.Errorf("nil lists made it %+v", kept)
		}
		less := again
		less.Tabs = []store.Tab{again.Tabs[1], {ID: -7, Name: "third"}}
		moved := again.Dashcards[1]
		moved.Tab = ptr(int64(-7))
		less.Dashcards = []store.Dashcard{moved}
		got = must[store.Dashboard](t)(s.UpdateDashboard(ctx, who, less))
		if len(got.Tabs) != 2 || got.Tabs[0].ID != again.Tabs[1].ID || got.Tabs[1].Name != "third" || len(got.Dashcards) != 1 || got.Dashcards[0].ID != moved.ID || *got.Dashcards[0].Tab != got.Tabs[1].ID {
			t.Errorf("got %+v", got)
		}

		other := must[store.Dashboard](t)(s.CreateDashboard(ctx, who, store.Dashboard{Name: "Other", Tabs: []store.Tab{{Name: "theirs"}}, Dashcards: []store.Dashcard{{Tab: ptr(int64(0)), Card: &b}}}))
		archived := must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: "archived", Archived: true}))
		for _, c := range []struct {
			alter       func(*store.Dashboard)
			field, text string
		}{
			{func(d *store.Dashboard) { d.Name = "" }, "name", "non-blank"},
			{func(d *store.Dashboard) { d.Collection = 99 }, "collection_id", "no collection 99"},
			{func(d *store.Dashboard) { d.Tabs = other.Tabs }, "tabs", "not of this dashboard"},
			{func(d *store.Dashboard) { d.Tabs = []store.Tab{{ID: -1}, {ID: -1}} }, "tabs", "given to two tabs"},
			{func(d *store.Dashboard) { d.Dashcards = []store.Dashcard{{ID: other.Dashcards[0].ID}} }, "dashcards", "not of this dashboard"},
			{func(d *store.Dashboard) { d.Dashcards = []store.Dashcard{moved, moved} }, "dashcards", "no tab -7"},
			{func(d *store.Dashboard) { d.Dashcards = []store.Dashcard{got.Dashcards[0], got.Dashcards[0]} }, "dashcards", "given to two dashcards"},
			{func(d *store.Dashboard) { d.Dashcards = []store.Dashcard{{Card: ptr(int64(99))}} }, "dashcards", "no card 99"},
			{func(d *store.Dashboard) { d.Dashcards = []store.Dashcard{{Series: []int64{98}}} }, "dashcards", "no card 98"},
			{func(d *store.Dashboard) { d.Dashcards = []store.Dashcard{{Card: &archived.ID}} }, "dashcards", "is archived"},
			{func(d *store.Dashboard) { d.Dashcards = []store.Dashcard{{Tab: &other.Tabs[0].ID}} }, "dashcards", "no tab"},
		} {
			wrong := got
			c.alter(&wrong)
			refused(t, second(s.UpdateDashboard(ctx, who, wrong)), c.field, c.text)
		}
		if now := must[store.Dashboard](t)(s.Dashboard(ctx, d.ID)); cmp.Diff(now, got) != "" {
			t.Errorf("a refused update left something:\n%s", cmp.Diff(got, now))
		}

		// A deleted card leaves the dashboards, its questions go with a dashboard.
		check(t, s.DeleteCard(ctx, who, b))
		if now := must[store.Dashboard](t)(s.Dashboard(ctx, other.ID)); len(now.Dashcards) != 0 {
			t.Errorf("the deleted card is still shown: %+v", now.Dashcards)
		}
		inside := must[store.Card](t)(s.CreateCard(ctx, who, store.Card{Name: "inside", Dashboard: &other.ID}))
		check(t, s.DeleteDashboard(ctx, who, other.ID))
		for _, err := range []error{second(s.Dashboard(ctx, other.ID)), second(s.Card(ctx, inside.ID)), s.DeleteDashboard(ctx, who, other.ID), second(s.UpdateDashboard(ctx, who, other)), second(s.DashboardByEntityID(ctx, other.EntityID))} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("want ErrNotFound, got %v", err)
			}
		}
		if by := must[store.Dashboard](t)(s.DashboardByEntityID(ctx, d.EntityID)); by.ID != d.ID || len(by.Dashcards) != 1 {
			t.Errorf("the entity id leads to %+v", by)
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
