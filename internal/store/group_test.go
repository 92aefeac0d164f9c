package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

func TestNamesAreUniqueWithoutRegardToCase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		for _, c := range []struct {
			first, second string
			same          bool
		}{
			{"Sales", "sALES", true},
			{"Straße", "STRASSE", true},
			{"Ångström", "ångström", true},
			{"\u00e9t\u00e9", "E\u0301TE\u0301", true}, // composed and decomposed
			{"ΣΊΣΥΦΟΣ", "σίσυφος", true},
			{"Ops", "Оps", false}, // the second begins with a Cyrillic letter
			{"Team 1", "Team 10", false},
		} {
			g, err := s.CreateGroup(ctx, store.Actor{}, store.NewGroup{Name: c.first})
			check(t, err)
			if g.Name != c.first {
				t.Errorf("%q came back as %q", c.first, g.Name)
			}
			_, err = s.CreateGroup(ctx, store.Actor{}, store.NewGroup{Name: c.second})
			if c.same {
				refused(t, err, "", "already exists")
			} else if err != nil {
				t.Errorf("%q beside %q: %v", c.second, c.first, err)
			}
			_, err = s.CreateUser(ctx, store.Actor{}, store.NewUser{Email: c.first + "@example.com", Active: true})
			if c.first == "Team 1" { // no blanks in an address
				refused(t, err, "email", "valid email address")
				continue
			}
			check(t, err)
			_, err = s.CreateUser(ctx, store.Actor{}, store.NewUser{Email: c.second + "@example.com", Active: true})
			if c.same {
				refused(t, err, "email", "Email address already in use.")
			} else if err != nil {
				t.Errorf("%q beside %q: %v", c.second, c.first, err)
			}
			if found, err := s.UserByEmail(ctx, " "+c.second+"@EXAMPLE.com "); err != nil {
				t.Errorf("%q is not found: %v", c.second, err)
			} else if c.same && found.Email != must[store.User](t)(s.UserByEmail(ctx, c.first+"@example.com")).Email {
				t.Errorf("%q finds %q", c.second, found.Email)
			}
		}
		_, err := s.CreateAPIKey(ctx, store.Actor{}, store.NewAPIKey{Name: "Key", Group: 1, Digest: digest("1")})
		check(t, err)
		_, err = s.CreateAPIKey(ctx, store.Actor{}, store.NewAPIKey{Name: "KEY", Group: 1, Digest: digest("2")})
		refused(t, err, "name", "already exists")
		// A name's own case may be corrected.
		g := storetest.Group(t, s, "marketing")
		if got := must[store.GroupRow](t)(s.UpdateGroup(ctx, store.Actor{}, g.ID, store.GroupUpdate{Name: ptr("Marketing")})); got.Name != "Marketing" {
			t.Errorf("renamed to %q", got.Name)
		}
		_, err = s.UpdateGroup(ctx, store.Actor{}, g.ID, store.GroupUpdate{Name: ptr("SALES")})
		refused(t, err, "", "already exists")
	})
}

func TestAListIsOneStatement(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		d := shop(t, s)
		sales := storetest.Group(t, s, "Sales")
		for i := range 5 {
			u := storetest.Person(t, s, fmt.Sprint("p", i), sales)
			must[store.Card](t)(s.CreateCard(ctx, store.Actor{User: u.ID}, store.Card{Name: fmt.Sprint("card ", i)}))
			must[store.Dashboard](t)(s.CreateDashboard(ctx, store.Actor{User: u.ID}, store.Dashboard{Name: fmt.Sprint("dashboard ", i)}))
		}
		for name, c := range map[string]struct {
			most int64
			ask  func() error
		}{
			"users":       {1, func() error { _, _, err := s.Users(ctx, store.UserQuery{}); return err }},
			"a page":      {2, func() error { _, _, err := s.Users(ctx, store.UserQuery{Limit: 3}); return err }},
			"groups":      {1, func() error { _, err := s.Groups(ctx); return err }},
			"members":     {1, func() error { _, err := s.GroupMembers(ctx, sales.ID); return err }},
			"memberships": {1, func() error { _, err := s.Memberships(ctx); return err }},
			"keys":        {1, func() error { _, err := s.APIKeys(ctx); return err }},
			"collections": {1, func() error { _, err := s.Collections(ctx, store.CollectionQuery{}); return err }},
			"contents":    {1, func() error { _, err := s.CollectionContents(ctx); return err }},
			"cards":       {1, func() error { _, err := s.Cards(ctx, store.CardQuery{}); return err }},
			"dashboards":  {1, func() error { _, err := s.Dashboards(ctx, store.DashboardQuery{}); return err }},
			"dashboard":   {4, func() error { _, err := s.Dashboard(ctx, 1); return err }},
			"databases":   {1, func() error { _, err := s.Databases(ctx); return err }},
			"tables":      {1, func() error { _, err := s.Tables(ctx, store.TableQuery{Database: d}); return err }},
			"the graph":   {0, func() error { s.Graph(); return nil }},
			"the present": {0, func() error { _, err := s.GraphAt(ctx, s.Graph().Revision()); return err }},
			"refresh":     {1, func() error { return s.Refresh(ctx) }},
		} {
			before := s.Statements()
			check(t, c.ask())
			if n := s.Statements() - before; n > c.most || n == 0 && c.most > 0 {
				t.Errorf("%s: %d statements, want %d", name, n, c.most)
			}
		}
	})
}

func TestMembershipsAreIdempotent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		g := storetest.Group(t, s, "Sales")
		u := storetest.Person(t, s, "bo")
		history := func() int { return len(must[[]store.Revision](t)(s.Revisions(ctx, 0, 1000))) }
		check(t, s.AddMember(ctx, store.Actor{}, u.ID, g.ID))
		once := history()
		check(t, s.AddMember(ctx, store.Actor{}, u.ID, g.ID))
		if history() != once {
			t.Error("adding a member twice took a revision")
		}
		members := must[[]store.Member](t)(s.GroupMembers(ctx, g.ID))
		if len(members) != 1 || members[0].User.ID != u.ID {
			t.Fatalf("the members are %+v", members)
		}
		check(t, s.RemoveMember(ctx, store.Actor{}, members[0].Membership))
		if err := s.RemoveMember(ctx, store.Actor{}, members[0].Membership); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("removed by its id twice: %v", err)
		}
		check(t, s.RemoveMemberOf(ctx, store.Actor{}, u.ID, g.ID))
		if members := must[[]store.Member](t)(s.GroupMembers(ctx, g.ID)); len(members) != 0 {
			t.Errorf("the members are %+v", members)
		}
		if _, err := s.GroupMembers(ctx, 99); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("members of no group: %v", err)
		}
		refused(t, s.AddMember(ctx, store.Actor{}, u.ID, 1), "", "All Users")
		refused(t, s.AddMember(ctx, store.Actor{}, u.ID, 99), "group_id", "no group 99")
		refused(t, s.AddMember(ctx, store.Actor{}, 99, g.ID), "user_id", "no user 99")
		refused(t, s.RemoveMemberOf(ctx, store.Actor{}, u.ID, 1), "", "All Users")
		refused(t, s.ClearGroup(ctx, store.Actor{}, 1), "", "All Users")
		if err := s.ClearGroup(ctx, store.Actor{}, 99); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("cleared no group: %v", err)
		}
		check(t, s.AddMember(ctx, store.Actor{}, u.ID, g.ID))
		check(t, s.AddMember(ctx, store.Actor{}, 1, g.ID))
		check(t, s.ClearGroup(ctx, store.Actor{}, g.ID))
		if s.Graph().IsMember(u.ID, g.ID) || s.Graph().IsMember(1, g.ID) {
			t.Error("the group is not cleared")
		}
	})
}

func TestADeletedGroupTakesEverythingOfItsOwnAlong(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		ctx := t.Context()
		storetest.SetUp(t, s)
		d := shop(t, s)
		g := storetest.Group(t, s, "Tenant")
		u := storetest.Person(t, s, "bo", g)
		key := must[store.APIKey](t)(s.CreateAPIKey(ctx, store.Actor{}, store.NewAPIKey{Name: "key", Group: g.ID, Digest: digest("k")}))
		reports := must[store.Collection](t)(s.CreateCollection(ctx, store.Actor{}, store.NewCollection{Name: "Reports"}))
		orders := table(t, s, d, "orders")
		give(t, s, g.ID, d, permission.View, permission.Unrestricted)
		give(t, s, g.ID, d, permission.Create, permission.Native)
		change(t, s,
			permission.SetDataAccess{Group: g.ID, Database: d, Kind: permission.View, Scope: permission.OneTable(orders.ID), To: permission.Cell{Set: true, Level: permission.Sandboxed, At: 1}},
			permission.SetDataAccess{Group: g.ID, Database: d, Kind: permission.Download, Scope: permission.WholeSchema("main"), To: permission.Cell{Set: true, Level: permission.Full, At: 1}},
			permission.SetSandbox{To: &permission.Sandbox{Group: g.ID, Table: orders.ID, At: 1}},
			permission.SetCollectionAccess{Group: g.ID, Collection: reports.ID, To: permission.Cell{Set: true, Level: permission.Write, At: 2}},
			permission.SetCollectionAccess{Group: g.ID, Collection: permission.Root, To: permission.Cell{Set: true, Level: permission.Read, At: 2}})
		before := s.Graph()
		history := len(must[[]store.Revision](t)(s.Revisions(ctx, 0, 1000)))

		check(t, s.DeleteGroup(ctx, store.Actor{User: 1}, g.ID))
		after := s.Graph()
		if after.Group(g.ID) != nil || after.Revision() != before.Revision()+1 || after.CollectionRevision() != before.CollectionRevision()+1 {
			t.Errorf("after the deletion:\n%s", dump(after))
		}
		if n := len(must[[]store.Revision](t)(s.Revisions(ctx, 0, 1000))); n != history+1 {
			t.Errorf("it took %d revisions", n-history)
		}
		db := raw(t, c)
		for _, tb := range []string{"data_grants", "sandboxes", "collection_grants"} {
			if n := rows(t, db, tb); n != 0 {
				t.Errorf("%s still has %d rows", tb, n)
			}
		}
		if got := must[store.APIKey](t)(s.APIKey(ctx, key.ID)); got.Group != permission.AllUsers {
			t.Errorf("the key is of group %d", got.Group)
		}
		if got := must[store.User](t)(s.User(ctx, u.ID)); !slices.Equal(got.Groups, []permission.GroupID{1}) {
			t.Errorf("the member is in %v", got.Groups)
		}
		back, err := s.GraphAt(ctx, before.Revision())
		check(t, err)
		if dump(back) != dump(before) {
			t.Errorf("undone, the deletion leads to\n%s\nand not to\n%s", dump(back), dump(before))
		}
		if err := s.DeleteGroup(ctx, store.Actor{}, g.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("deleted twice: %v", err)
		}
		if again := storetest.Group(t, s, "tenant"); again.ID == g.ID {
			t.Error("the id was given out twice")
		}
		for id := range permission.Administrators {
			refused(t, s.DeleteGroup(ctx, store.Actor{}, id+1), "", "cannot be renamed or removed")
			_, err := s.UpdateGroup(ctx, store.Actor{}, id+1, store.GroupUpdate{Name: ptr("Other")})
			refused(t, err, "", "cannot be renamed or removed")
		}
		_, err = s.UpdateGroup(ctx, store.Actor{}, 99, store.GroupUpdate{Name: ptr("Other")})
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("renamed no group: %v", err)
		}
	})
}

func TestGroupsAreListedByNameWithTheirPeople(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		for _, name := range []string{"zeta", "Beta", "alpha", "Ängel"} {
			storetest.Group(t, s, name)
		}
		g := must[store.GroupRow](t)(s.UpdateGroup(ctx, store.Actor{}, 3, store.GroupUpdate{Internal: ptr(true)}))
		if !g.Internal || !s.Graph().Group(3).Internal {
			t.Errorf("got %+v", g)
		}
		must[store.APIKey](t)(s.CreateAPIKey(ctx, store.Actor{}, store.NewAPIKey{Name: "key", Group: 3, Digest: digest("k")}))
		var got []string
		for _, g := range must[[]store.GroupRow](t)(s.Groups(ctx)) {
			got = append(got, fmt.Sprintf("%s %d", g.Name, g.MemberCount))
			if len(g.EntityID) != 21 {
				t.Errorf("the entity id of %s is %q", g.Name, g.EntityID)
			}
		}
		if want := "[Administrators 1 All Users 1 alpha 0 Beta 0 zeta 0 Ängel 0]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
		_, err := s.UpdateGroup(ctx, store.Actor{}, 1, store.GroupUpdate{Internal: ptr(true)})
		refused(t, err, "", "everybody is in it")
		_, err = s.CreateGroup(ctx, store.Actor{}, store.NewGroup{Name: "  "})
		refused(t, err, "name", "non-blank")
	})
}

func TestANewGroupHasNothingAndTakesADataRevision(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.SetUp(t, s)
		before := s.Graph()
		g := storetest.Group(t, s, "Sales")
		after := s.Graph()
		if after.Revision() != before.Revision()+1 || after.Group(g.ID).Since != after.Revision() {
			t.Errorf("revision %d to %d, the group is of %d", before.Revision(), after.Revision(), after.Group(g.ID).Since)
		}
		old, err := s.GraphAt(t.Context(), before.Revision())
		check(t, err)
		if old.Group(g.ID) != nil {
			t.Error("the group was there before it was made")
		}
	})
}

// Lists of people do not show an API key's user, and the list of keys names one
// group: a second one, such as Administrators, would be seen by nobody.
func TestAnAPIKeyIsInTheGroupThatItsListNamesOnly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		sales, ops := storetest.Group(t, s, "Sales"), storetest.Group(t, s, "Ops")
		k := must[store.APIKey](t)(s.CreateAPIKey(ctx, store.Actor{}, store.NewAPIKey{Name: "Nightly", Group: sales.ID, Digest: digest("1")}))
		in := func(want ...permission.GroupID) {
			t.Helper()
			if got := s.Graph().GroupsOf(k.User); !slices.Equal(got, append([]permission.GroupID{permission.AllUsers}, want...)) {
				t.Errorf("the key is in %v, want %v", got, want)
			}
			if k = must[store.APIKey](t)(s.APIKey(ctx, k.ID)); len(want) == 0 && k.Group != permission.AllUsers || len(want) == 1 && k.Group != want[0] {
				t.Errorf("the list says group %d, want %v", k.Group, want)
			}
		}
		refused(t, s.AddMember(ctx, store.Actor{}, k.User, permission.Administrators), "user_id", fmt.Sprintf("/api/api-key/%d", k.ID))
		refused(t, s.AddMember(ctx, store.Actor{}, k.User, sales.ID), "user_id", "API key")
		refused(t, s.RemoveMemberOf(ctx, store.Actor{}, k.User, sales.ID), "user_id", "API key")
		for _, m := range must[[]store.Membership](t)(s.Memberships(ctx)) {
			if m.User == k.User && m.Group == sales.ID {
				refused(t, s.RemoveMember(ctx, store.Actor{}, m.ID), "user_id", "API key")
			}
		}
		admins := []permission.GroupID{permission.AllUsers, permission.Administrators}
		if err := second(s.UpdateUser(ctx, store.Actor{}, k.User, store.UserUpdate{Groups: &admins})); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the key's user was updated: %v", err)
		}
		in(sales.ID)

		// One that got into more groups before that was refused leaves them.
		must[*permission.Graph](t)(s.Change(ctx, store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) {
			return []permission.Change{permission.SetMembership{User: k.User, Group: permission.Administrators, To: true}}, store.Bump{}, nil
		}))
		must[store.APIKey](t)(s.UpdateAPIKey(ctx, store.Actor{}, k.ID, nil, &sales.ID))
		in(sales.ID)
		must[store.APIKey](t)(s.UpdateAPIKey(ctx, store.Actor{}, k.ID, nil, &ops.ID))
		in(ops.ID)
		check(t, s.ClearGroup(ctx, store.Actor{}, ops.ID))
		in()
		check(t, s.DeleteAPIKey(ctx, store.Actor{}, k.ID))
		refused(t, s.AddMember(ctx, store.Actor{}, k.User, sales.ID), "user_id", "deleted")
	})
}
