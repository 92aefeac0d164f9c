package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

func ptr[T any](v T) *T { return &v }

func TestAPersonHasTheirGroupsAndAPersonalCollection(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		sales := storetest.Group(t, s, "Sales")
		n := store.NewUser{Email: "Bo@Example.COM", FirstName: "Bo", LastName: "Ek", PasswordHash: ptr("hash"), Active: true,
			LoginAttributes: map[string]string{"org": "7"}, Groups: []permission.GroupID{sales.ID, permission.AllUsers, sales.ID}, Locale: ptr("sv")}
		made := must[store.User](t)(s.CreateUser(ctx, store.Actor{User: 1}, n))
		u := must[store.User](t)(s.User(ctx, made.ID))
		if u.Email != "bo@example.com" || u.FirstName != "Bo" || u.LastName != "Ek" || u.Type != store.Personal || !u.Active || u.Superuser ||
			u.LoginAttributes["org"] != "7" || *u.Locale != "sv" || !u.Qbnewb || u.LastLogin != nil || u.DateJoined.IsZero() ||
			!slices.Equal(u.Groups, []permission.GroupID{1, sales.ID}) {
			t.Errorf("got %+v", u)
		}
		if hash := must[string](t)(s.PasswordHash(ctx, u.ID)); hash != "hash" {
			t.Errorf("the hash is %q", hash)
		}
		c := must[store.Collection](t)(s.Collection(ctx, u.PersonalCollection))
		if c.Name != "Bo Ek's Personal Collection" || c.Owner != u.ID || c.Location != "/" || c.Slug != "bo_ek_s_personal_collection" || len(c.EntityID) != 21 {
			t.Errorf("got %+v", c)
		}
		if node := s.Graph().Collection(c.ID); node.Owner != u.ID || !s.Graph().AccessOf(u.ID).Can(permission.CurateCollection, permission.ACollection(c.ID)) {
			t.Errorf("the graph has %+v", node)
		}
		nameless := must[store.User](t)(s.CreateUser(ctx, store.Actor{}, store.NewUser{Email: "x@example.com", Active: true}))
		if c := must[store.Collection](t)(s.Collection(ctx, nameless.PersonalCollection)); c.Name != "x@example.com's Personal Collection" {
			t.Errorf("the collection of somebody without names is called %q", c.Name)
		}
	})
}

func TestAnUpdateChangesWhatItNamesAndNothingElse(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		sales, ops := storetest.Group(t, s, "Sales"), storetest.Group(t, s, "Ops")
		u := must[store.User](t)(s.CreateUser(ctx, store.Actor{}, store.NewUser{Email: "bo@example.com", FirstName: "Bo", LastName: "Ek", Active: true,
			LoginAttributes: map[string]string{"org": "7"}, Locale: ptr("sv"), Groups: []permission.GroupID{sales.ID}}))
		update := func(n store.UserUpdate) store.User {
			t.Helper()
			got, err := s.UpdateUser(ctx, store.Actor{User: 1}, u.ID, n)
			check(t, err)
			if d := cmp.Diff(must[store.User](t)(s.User(ctx, u.ID)), got); d != "" {
				t.Errorf("what is returned differs from what is stored:\n%s", d)
			}
			return got
		}
		if got := update(store.UserUpdate{}); got.FirstName != "Bo" || got.LoginAttributes["org"] != "7" || *got.Locale != "sv" || len(got.Groups) != 2 {
			t.Errorf("an empty update made it %+v", got)
		}
		if got := update(store.UserUpdate{FirstName: ptr("Boel"), Locale: ptr[*string](nil), Qbnewb: ptr(false)}); got.FirstName != "Boel" || got.LastName != "Ek" || got.Locale != nil || got.Qbnewb {
			t.Errorf("got %+v", got)
		}
		if c := must[store.Collection](t)(s.Collection(ctx, u.PersonalCollection)); c.Name != "Boel Ek's Personal Collection" {
			t.Errorf("the personal collection is still called %q", c.Name)
		}
		if got := update(store.UserUpdate{LoginAttributes: ptr(map[string]string{"region": "north"})}); len(got.LoginAttributes) != 1 || got.LoginAttributes["region"] != "north" {
			t.Errorf("the attributes are %v", got.LoginAttributes)
		}
		if got := s.Graph().User(u.ID).Attributes; got["region"] != "north" {
			t.Errorf("the graph has the attributes %v", got)
		}
		if got := update(store.UserUpdate{Groups: ptr([]permission.GroupID{ops.ID, 1})}); !slices.Equal(got.Groups, []permission.GroupID{1, ops.ID}) {
			t.Errorf("the groups are %v", got.Groups)
		}
		if got := update(store.UserUpdate{Superuser: ptr(true)}); !got.Superuser || !slices.Equal(got.Groups, []permission.GroupID{1, 2, ops.ID}) {
			t.Errorf("got %+v", got)
		}
		if got := update(store.UserUpdate{Superuser: ptr(false), Email: ptr("BO2@example.com")}); got.Superuser || got.Email != "bo2@example.com" {
			t.Errorf("got %+v", got)
		}
		for _, c := range []struct {
			n           store.UserUpdate
			field, text string
		}{
			{store.UserUpdate{Email: ptr("ADMIN@example.com")}, "email", "already associated"},
			{store.UserUpdate{Email: ptr("nowhere")}, "email", "valid email"},
			{store.UserUpdate{Groups: ptr([]permission.GroupID{ops.ID})}, "", "All Users"},
			{store.UserUpdate{Groups: ptr([]permission.GroupID{1, 99})}, "user_group_memberships", "no group 99"},
			{store.UserUpdate{Groups: ptr([]permission.GroupID{1}), Superuser: ptr(true)}, "is_superuser", "must correspond"},
			{store.UserUpdate{LoginAttributes: ptr(map[string]string{"Org": "1", "ORG": "2"})}, "login_attributes", "differ only in case"},
		} {
			_, err := s.UpdateUser(ctx, store.Actor{}, u.ID, c.n)
			refused(t, err, c.field, c.text)
		}
		if _, err := s.UpdateUser(ctx, store.Actor{}, 99, store.UserUpdate{}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("somebody unknown: %v", err)
		}
	})
}

func TestTheLastAdministratorStays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		admin := storetest.SetUp(t, s)
		// Neither a key nor somebody deactivated can stand in.
		must[store.APIKey](t)(s.CreateAPIKey(ctx, store.Actor{}, store.NewAPIKey{Name: "root key", Group: permission.Administrators, Digest: digest("k")}))
		gone := must[store.User](t)(s.CreateUser(ctx, store.Actor{}, store.NewUser{Email: "gone@example.com", Active: true, Groups: []permission.GroupID{2}}))
		check(t, s.DeactivateUser(ctx, store.Actor{}, gone.ID))
		var membership int64
		for _, m := range must[[]store.Membership](t)(s.Memberships(ctx)) {
			if m.User == admin.ID && m.Group == permission.Administrators {
				membership = m.ID
			}
		}
		paths := map[string]func() error{
			"deactivate": func() error { return s.DeactivateUser(ctx, store.Actor{}, admin.ID) },
			"superuser false": func() error {
				_, err := s.UpdateUser(ctx, store.Actor{}, admin.ID, store.UserUpdate{Superuser: ptr(false)})
				return err
			},
			"groups": func() error {
				_, err := s.UpdateUser(ctx, store.Actor{}, admin.ID, store.UserUpdate{Groups: ptr([]permission.GroupID{1})})
				return err
			},
			"remove member":    func() error { return s.RemoveMember(ctx, store.Actor{}, membership) },
			"remove member of": func() error { return s.RemoveMemberOf(ctx, store.Actor{}, admin.ID, 2) },
			"clear group":      func() error { return s.ClearGroup(ctx, store.Actor{}, 2) },
			"change membership": func() error {
				_, err := s.Change(ctx, store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) {
					return []permission.Change{permission.SetMembership{User: admin.ID, Group: 2, From: true}}, store.Bump{}, nil
				})
				return err
			},
			"change user": func() error {
				_, err := s.Change(ctx, store.Actor{}, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
					to := *g.User(admin.ID)
					to.Active = false
					return []permission.Change{permission.SetUser{From: g.User(admin.ID), To: &to}}, store.Bump{}, nil
				})
				return err
			},
		}
		for name, path := range paths {
			t.Run(name, func(t *testing.T) {
				refused(t, path(), "", "last active member of the Administrators")
				if !s.Graph().AccessOf(admin.ID).Can(permission.Administer, permission.Server) {
					t.Error("the administrator is gone")
				}
			})
		}
		// With a second one the first may go.
		second := storetest.Person(t, s, "second")
		check(t, s.AddMember(ctx, store.Actor{}, second.ID, 2))
		check(t, s.RemoveMember(ctx, store.Actor{}, membership))
		refused(t, s.RemoveMemberOf(ctx, store.Actor{}, second.ID, 2), "", "last active member")
	})
}

func TestDeactivationEndsAccessAndKeepsContent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		sales := storetest.Group(t, s, "Sales")
		u := must[store.User](t)(s.CreateUser(ctx, store.Actor{}, store.NewUser{Email: "bo@example.com", PasswordHash: ptr("hash"), Active: true,
			Groups: []permission.GroupID{sales.ID, permission.Administrators}}))
		check(t, s.CreateSession(ctx, u.ID, digest("token"), time.Now().Add(time.Hour)))
		card := must[store.Card](t)(s.CreateCard(ctx, store.Actor{User: u.ID}, store.Card{Name: "Mine", Collection: u.PersonalCollection}))
		check(t, s.DeactivateUser(ctx, store.Actor{User: 1}, u.ID))

		if _, err := s.SessionUser(ctx, digest("token")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the session lives: %v", err)
		}
		if _, err := s.PasswordHash(ctx, u.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the password still serves: %v", err)
		}
		if err := s.CreateSession(ctx, u.ID, digest("again"), time.Now().Add(time.Hour)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a new session was opened: %v", err)
		}
		if s.Graph().AccessOf(u.ID).Can(permission.Administer, permission.Server) {
			t.Error("there is access left")
		}
		if got := must[store.User](t)(s.User(ctx, u.ID)); got.Active || len(got.Groups) != 3 {
			t.Errorf("got %+v", got)
		}
		if got := must[store.Card](t)(s.Card(ctx, card.ID)); got.Creator != u.ID || got.Collection != u.PersonalCollection {
			t.Errorf("the content is %+v", got)
		}
		_, err := s.CreateUser(ctx, store.Actor{}, store.NewUser{Email: "BO@example.com", Active: true})
		refused(t, err, "email", "already in use")
		if err := s.DeactivateUser(ctx, store.Actor{}, u.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("deactivated twice: %v", err)
		}
		if _, err := s.UpdateUser(ctx, store.Actor{}, u.ID, store.UserUpdate{}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("updated while deactivated: %v", err)
		}
		if g := must[store.GroupRow](t)(s.Group(ctx, sales.ID)); g.MemberCount != 0 {
			t.Errorf("the group counts %d members", g.MemberCount)
		}

		back := must[store.User](t)(s.ReactivateUser(ctx, store.Actor{}, u.ID))
		if !back.Active || back.Superuser || !slices.Equal(back.Groups, []permission.GroupID{1, sales.ID}) {
			t.Errorf("reactivated as %+v", back)
		}
		if _, err := s.SessionUser(ctx, digest("token")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the old session lives again: %v", err)
		}
		_, err = s.ReactivateUser(ctx, store.Actor{}, u.ID)
		refused(t, err, "", "Not able to reactivate an active user")
		if _, err := s.ReactivateUser(ctx, store.Actor{}, 99); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("somebody unknown: %v", err)
		}
	})
}

func TestListsOfPeople(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		sales := storetest.Group(t, s, "Sales")
		for _, n := range []store.NewUser{
			{Email: "1@example.com", FirstName: "Émile", LastName: "Zola", Active: true},
			{Email: "2@example.com", FirstName: "anna", LastName: "Ö", Active: true, Groups: []permission.GroupID{sales.ID}},
			{Email: "3@example.com", FirstName: "Anna", LastName: "Berg", Active: true, Groups: []permission.GroupID{sales.ID}},
			{Email: "4_per%cent@example.com", FirstName: "Bo", LastName: "Back\\slash", Active: false, Groups: []permission.GroupID{sales.ID}},
		} {
			must[store.User](t)(s.CreateUser(ctx, store.Actor{}, n))
		}
		must[store.APIKey](t)(s.CreateAPIKey(ctx, store.Actor{}, store.NewAPIKey{Name: "Anna's key", Group: sales.ID, Digest: digest("k")}))
		for _, c := range []struct {
			q     store.UserQuery
			want  string
			total int
		}{
			{store.UserQuery{}, "[admin 3 2 1]", 4},
			{store.UserQuery{Status: "deactivated"}, "[4_per%cent]", 1},
			{store.UserQuery{Status: "all", Group: sales.ID}, "[3 2 4_per%cent]", 3},
			{store.UserQuery{Text: "ANNA"}, "[3 2]", 2},
			{store.UserQuery{Text: "anna b"}, "[3]", 1},
			{store.UserQuery{Text: "éMILE"}, "[1]", 1},
			{store.UserQuery{Text: "ö"}, "[2]", 1},
			{store.UserQuery{Text: "%", Status: "all"}, "[4_per%cent]", 1},
			{store.UserQuery{Text: "_", Status: "all"}, "[4_per%cent]", 1},
			{store.UserQuery{Text: `\`, Status: "all"}, "[4_per%cent]", 1},
			{store.UserQuery{Text: "nobody"}, "[]", 0},
			{store.UserQuery{Limit: 2}, "[admin 3]", 4},
			{store.UserQuery{Limit: 2, Offset: 2}, "[2 1]", 4},
			{store.UserQuery{Limit: 2, Offset: 9}, "[]", 4},
			{store.UserQuery{Offset: 3}, "[1]", 4},
			{store.UserQuery{Offset: 9}, "[]", 4},
		} {
			users, total, err := s.Users(ctx, c.q)
			check(t, err)
			var got []string
			for _, u := range users {
				got = append(got, u.Email[:len(u.Email)-len("@example.com")])
			}
			if fmt.Sprint(got) != c.want || total != c.total {
				t.Errorf("%+v: got %v of %d, want %s of %d", c.q, got, total, c.want, c.total)
			}
		}
		_, _, err := s.Users(ctx, store.UserQuery{Status: "asleep"})
		refused(t, err, "status", "asleep")
		members := must[[]store.Member](t)(s.GroupMembers(ctx, sales.ID))
		if len(members) != 2 || members[0].User.Email != "3@example.com" || members[0].Membership == 0 || len(members[0].User.Groups) != 2 {
			t.Errorf("the members are %+v", members)
		}
		byID := must[map[permission.UserID]store.User](t)(s.UsersByID(ctx, []permission.UserID{2, 3, 99}))
		if len(byID) != 2 || byID[2].Email != "1@example.com" {
			t.Errorf("got %+v", byID)
		}
		if none := must[map[permission.UserID]store.User](t)(s.UsersByID(ctx, nil)); len(none) != 0 {
			t.Errorf("nobody was asked for and there came %+v", none)
		}
	})
}

func TestSetUpHappensOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		n := store.NewUser{Email: "first@example.com", PasswordHash: ptr("hash")}
		if _, err := s.SetUp(ctx, digest("token"), n, nil); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("set up without any token: %v", err)
		}
		check(t, s.SetSetupToken(ctx, digest("old")))
		check(t, s.SetSetupToken(ctx, digest("token")))
		for _, wrong := range [][]byte{digest("old"), nil, digest("token")[:31]} {
			if _, err := s.SetUp(ctx, wrong, n, nil); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("set up with a wrong token: %v", err)
			}
		}
		var wg sync.WaitGroup
		results := make(chan error, 4)
		for i := range cap(results) {
			wg.Go(func() {
				_, err := s.SetUp(ctx, digest("token"), store.NewUser{Email: fmt.Sprintf("admin%d@example.com", i)}, map[string]string{"site-name": fmt.Sprint("Site ", i)})
				results <- err
			})
		}
		wg.Wait()
		close(results)
		won := 0
		for err := range results {
			if err == nil {
				won++
			} else if !errors.Is(err, store.ErrConflict) {
				t.Errorf("want ErrConflict, got %v", err)
			}
		}
		users, _, err := s.Users(ctx, store.UserQuery{})
		check(t, err)
		if won != 1 || len(users) != 1 || !users[0].Superuser || !users[0].Active || users[0].PersonalCollection == 0 {
			t.Errorf("%d set-ups succeeded and made %+v", won, users)
		}
		if _, err := s.SetUpUnattended(ctx, n); !errors.Is(err, store.ErrConflict) {
			t.Errorf("set up again unattended: %v", err)
		}
		if err := s.SetSetupToken(ctx, digest("late")); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a token after the set-up: %v", err)
		}
		if name, want := must[string](t)(s.Setting(ctx, "site-name")), "Site "+users[0].Email[5:6]; name != want {
			t.Errorf("the setting that came with the set-up is %q, want %q", name, want)
		}
		if is := must[bool](t)(s.HasUsers(ctx)); !is {
			t.Error("HasUsers says no")
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		now := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
		c.Now = func() time.Time { return now }
		s := storetest.Open(t, c)
		ctx := t.Context()
		u := storetest.SetUp(t, s)
		dead := func(token string) {
			t.Helper()
			if _, err := s.SessionUser(ctx, digest(token)); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s lives: %v", token, err)
			}
		}
		open := func(token string) {
			t.Helper()
			check(t, s.CreateSession(ctx, u.ID, digest(token), now.Add(time.Hour)))
			if id := must[permission.UserID](t)(s.SessionUser(ctx, digest(token))); id != u.ID {
				t.Errorf("%s is of user %d", token, id)
			}
		}
		open("ended")
		if got := must[store.User](t)(s.User(ctx, u.ID)); got.LastLogin == nil || !got.LastLogin.Equal(now) {
			t.Errorf("the sign-in is noted at %v", got.LastLogin)
		}
		check(t, s.DeleteSession(ctx, digest("ended")))
		dead("ended")
		if err := s.DeleteSession(ctx, digest("ended")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("ended twice: %v", err)
		}
		open("expired")
		now = now.Add(time.Hour)
		dead("expired")
		open("password changed")
		if n := rows(t, raw(t, c), "sessions"); n != 1 {
			t.Errorf("%d sessions are kept, the expired one too", n)
		}
		must[store.User](t)(s.UpdateUser(ctx, store.Actor{}, u.ID, store.UserUpdate{PasswordHash: ptr("new")}))
		dead("password changed")
		dead("never opened")
		if err := s.CreateSession(ctx, u.ID, []byte("a token in place of its digest"), now.Add(time.Hour)); err == nil {
			t.Error("a token was stored in place of its digest")
		}
		key := must[store.APIKey](t)(s.CreateAPIKey(ctx, store.Actor{}, store.NewAPIKey{Name: "key", Group: 1, Digest: digest("k")}))
		if err := s.CreateSession(ctx, key.User, digest("of a key"), now.Add(time.Hour)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an API key's user signed in: %v", err)
		}
	})
}

func TestAPIKeysActAsHiddenUsers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		admin := storetest.SetUp(t, s)
		sales, ops := storetest.Group(t, s, "Sales"), storetest.Group(t, s, "Ops")
		k := must[store.APIKey](t)(s.CreateAPIKey(ctx, store.Actor{User: admin.ID}, store.NewAPIKey{Name: "Nightly", Group: sales.ID, Digest: digest("1"), Mask: "mb_12**"}))
		if k.Name != "Nightly" || k.Group != sales.ID || k.Mask != "mb_12**" || k.UpdatedBy != admin.ID || k.CreatedAt.IsZero() {
			t.Errorf("got %+v", k)
		}
		if id := must[permission.UserID](t)(s.APIKeyUser(ctx, digest("1"))); id != k.User {
			t.Errorf("the key is of user %d, want %d", id, k.User)
		}
		u := must[store.User](t)(s.User(ctx, k.User))
		if u.Type != store.APIKeyed || u.FirstName != "Nightly" || u.PersonalCollection != 0 || !u.Active || !slices.Equal(u.Groups, []permission.GroupID{1, sales.ID}) {
			t.Errorf("the hidden user is %+v", u)
		}
		if _, err := s.UserByEmail(ctx, u.Email); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the hidden user is found by its address: %v", err)
		}
		k = must[store.APIKey](t)(s.UpdateAPIKey(ctx, store.Actor{}, k.ID, ptr("Daily"), &ops.ID))
		if k.Name != "Daily" || k.Group != ops.ID || !slices.Equal(s.Graph().GroupsOf(k.User), []permission.GroupID{1, ops.ID}) {
			t.Errorf("got %+v in %v", k, s.Graph().GroupsOf(k.User))
		}
		all := permission.AllUsers
		must[store.APIKey](t)(s.UpdateAPIKey(ctx, store.Actor{}, k.ID, nil, &all))
		if groups := s.Graph().GroupsOf(k.User); !slices.Equal(groups, []permission.GroupID{1}) {
			t.Errorf("in %v", groups)
		}
		must[store.APIKey](t)(s.RegenerateAPIKey(ctx, store.Actor{}, k.ID, digest("2"), "mb_34**"))
		if _, err := s.APIKeyUser(ctx, digest("1")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the old key serves: %v", err)
		}
		if id := must[permission.UserID](t)(s.APIKeyUser(ctx, digest("2"))); id != k.User {
			t.Errorf("the new key is of user %d", id)
		}
		if keys := must[[]store.APIKey](t)(s.APIKeys(ctx)); len(keys) != 1 || keys[0].Mask != "mb_34**" {
			t.Errorf("got %+v", keys)
		}
		check(t, s.DeleteAPIKey(ctx, store.Actor{}, k.ID))
		if _, err := s.APIKeyUser(ctx, digest("2")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the deleted key serves: %v", err)
		}
		if u := must[store.User](t)(s.User(ctx, k.User)); u.Active {
			t.Error("the hidden user is still active")
		}
		for _, err := range []error{
			s.DeleteAPIKey(ctx, store.Actor{}, k.ID),
			second(s.UpdateAPIKey(ctx, store.Actor{}, k.ID, nil, nil)),
			second(s.RegenerateAPIKey(ctx, store.Actor{}, k.ID, digest("3"), "")),
			second(s.APIKey(ctx, k.ID)),
		} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("a key that is gone: %v", err)
			}
		}
		refused(t, second(s.CreateAPIKey(ctx, store.Actor{}, store.NewAPIKey{Name: " ", Group: 1, Digest: digest("3")})), "name", "non-blank")
		refused(t, second(s.CreateAPIKey(ctx, store.Actor{}, store.NewAPIKey{Name: "x", Group: 99, Digest: digest("3")})), "group_id", "no group 99")
		if err := second(s.CreateAPIKey(ctx, store.Actor{}, store.NewAPIKey{Name: "x", Group: 1, Digest: []byte("short")})); err == nil {
			t.Error("a key was stored in place of its digest")
		}
		// The name is free again.
		must[store.APIKey](t)(s.CreateAPIKey(ctx, store.Actor{}, store.NewAPIKey{Name: "daily", Group: 1, Digest: digest("4")}))
	})
}

// second is the error of a call whose value does not matter.
func second[T any](_ T, err error) error { return err }
