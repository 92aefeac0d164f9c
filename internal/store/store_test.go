package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// must returns v, or ends the test.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused demands an *InvalidError of the field whose message holds the text.
func refused(t *testing.T, err error, field, text string) {
	t.Helper()
	var i *store.InvalidError
	if !errors.As(err, &i) {
		t.Fatalf("want an InvalidError with %q, got %v", text, err)
	}
	if i.Field != field || !strings.Contains(i.Message, text) {
		t.Fatalf("want field %q and a message with %q, got %q: %q", field, text, i.Field, i.Message)
	}
}

func digest(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// raw opens the application database behind the store's back.
func raw(t *testing.T, c store.Config) *sql.DB {
	t.Helper()
	driver, name := "sqlite", c.Path
	if c.URL != "" {
		driver, name = "pgx", c.URL
	}
	db, err := sql.Open(driver, name)
	check(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func rows(t *testing.T, db *sql.DB, table string) int {
	t.Helper()
	var n int
	check(t, db.QueryRow("select count(*) from "+table).Scan(&n))
	return n
}

// dump writes down everything a graph says, but for its catalog.
func dump(g *permission.Graph) string {
	var b strings.Builder
	fmt.Fprintf(&b, "revision %d, collection %d\n", g.Revision(), g.CollectionRevision())
	for u := range g.Users() {
		keys := slices.Sorted(maps.Keys(u.Attributes))
		fmt.Fprintf(&b, "user %d %q active %v in %v:", u.ID, u.Name, u.Active, g.GroupsOf(u.ID))
		for _, k := range keys {
			fmt.Fprintf(&b, " %q=%q", k, u.Attributes[k])
		}
		b.WriteString("\n")
	}
	for c := range g.Collections() {
		fmt.Fprintf(&b, "collection %+v\n", *c)
	}
	for gr := range g.Groups() {
		fmt.Fprintf(&b, "group %+v members %v\n", *gr, slices.Collect(g.Members(gr.ID)))
		for db := range g.Entries(gr.ID) {
			for k := range permission.Collection {
				for s, c := range g.Cells(gr.ID, db, k) {
					fmt.Fprintf(&b, "  %d%s: %s %s %+v\n", db, s, k, k.Word(c.Level), c)
				}
			}
		}
		for c, cell := range g.CollectionLevels(gr.ID) {
			fmt.Fprintf(&b, "  collection %d: %+v\n", c, cell)
		}
		for s := range g.Sandboxes(gr.ID) {
			fmt.Fprintf(&b, "  sandbox %+v\n", *s)
		}
	}
	for t, m := range g.Marks() {
		fmt.Fprintf(&b, "mark %d %+v\n", t, m)
	}
	for d := range g.Catalog().Databases() {
		if g.Strict(d.ID) {
			fmt.Fprintf(&b, "strict %d\n", d.ID)
		}
	}
	return b.String()
}

// dumpCatalog writes down everything a catalog says.
func dumpCatalog(c *catalog.Snapshot) string {
	var b strings.Builder
	for d := range c.Databases() {
		fmt.Fprintf(&b, "%+v\n", *d)
		for t := range c.Tables(d.ID) {
			fmt.Fprintf(&b, "  %+v\n", *t)
			for _, f := range c.Fields(t.ID) {
				fmt.Fprintf(&b, "    %+v\n", *f)
			}
		}
	}
	return b.String()
}

// shop connects a database with two tables, orders and people.
func shop(t *testing.T, s *store.Store) catalog.DatabaseID {
	t.Helper()
	d := must[store.Database](t)(s.CreateDatabase(t.Context(), store.Actor{}, store.Database{Name: "Shop", Engine: "sqlite",
		Details: json.RawMessage(`{"file":"shop.db","password":"open sesame"}`)}))
	must[*permission.Graph](t)(s.ApplySync(t.Context(), store.Actor{}, d.ID, shopTables()))
	return d.ID
}

func shopTables() []store.SyncedTable {
	return []store.SyncedTable{
		{Schema: "main", Name: "people", Fields: []store.SyncedField{
			{Name: "id", DatabaseType: "INTEGER", BaseType: "type/Integer", SemanticType: "type/PK"},
			{Name: "name", DatabaseType: "TEXT", BaseType: "type/Text"}}},
		{Schema: "main", Name: "orders", Fields: []store.SyncedField{
			{Name: "id", DatabaseType: "INTEGER", BaseType: "type/Integer", SemanticType: "type/PK"},
			{Name: "person_id", DatabaseType: "INTEGER", BaseType: "type/Integer", Target: &store.SyncedColumn{Schema: "main", Table: "people", Field: "id"}},
			{Name: "organization_id", DatabaseType: "INTEGER", BaseType: "type/Integer"}}},
	}
}

// table returns the active table of a database with the name.
func table(t *testing.T, s *store.Store, d catalog.DatabaseID, name string) *catalog.Table {
	t.Helper()
	for tb := range s.Graph().Catalog().Tables(d) {
		if tb.Active() && tb.Name == name {
			return tb
		}
	}
	t.Fatalf("there is no table %q", name)
	return nil
}

// change makes changes by the front door.
func change(t *testing.T, s *store.Store, changes ...permission.Change) *permission.Graph {
	t.Helper()
	return must[*permission.Graph](t)(s.Change(t.Context(), store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) {
		return changes, store.Bump{}, nil
	}))
}

// give writes a level on a whole database as the next revision.
func give(t *testing.T, s *store.Store, g permission.GroupID, d catalog.DatabaseID, k permission.Kind, l permission.Level) *permission.Graph {
	t.Helper()
	return must[*permission.Graph](t)(s.Change(t.Context(), store.Actor{User: 1, Reason: "a test", Request: "r1"}, func(now *permission.Graph) ([]permission.Change, store.Bump, error) {
		return []permission.Change{permission.SetDataAccess{Group: g, Database: d, Kind: k, From: now.Cell(g, d, k, permission.WholeDatabase()),
			To: permission.Cell{Set: true, Level: l, At: now.Revision() + 1}}}, store.Bump{Data: true}, nil
	}))
}

func TestAFreshStoreHasTheTwoGroupsAndNobody(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		want := "revision 1, collection 1\n" +
			"group {ID:1 Name:All Users Internal:false Since:1} members []\n" +
			"group {ID:2 Name:Administrators Internal:false Since:1} members []\n"
		if got := dump(s.Graph()); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if is, err := s.HasUsers(t.Context()); is || err != nil {
			t.Errorf("HasUsers: %v, %v", is, err)
		}
		check(t, s.Ping(t.Context()))
	})
}

func TestAClosedStoreAnswersNothingButItsGraph(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := storetest.SetUp(t, s)
		ctx := t.Context()
		before := dump(s.Graph())
		check(t, s.Close())
		check(t, s.Close())
		for name, ask := range map[string]func() error{
			"Ping":        func() error { return s.Ping(ctx) },
			"User":        func() error { _, err := s.User(ctx, u.ID); return err },
			"Users":       func() error { _, _, err := s.Users(ctx, store.UserQuery{}); return err },
			"CreateGroup": func() error { _, err := s.CreateGroup(ctx, store.Actor{}, store.NewGroup{Name: "late"}); return err },
			"Dashboard":   func() error { _, err := s.Dashboard(ctx, 1); return err },
			"CreateCard": func() error {
				_, err := s.CreateCard(ctx, store.Actor{User: u.ID}, store.Card{Name: "late"})
				return err
			},
			"SessionUser": func() error { _, err := s.SessionUser(ctx, digest("x")); return err },
			"Refresh":     func() error { return s.Refresh(ctx) },
			"GraphAt":     func() error { _, err := s.GraphAt(ctx, 99); return err },
		} {
			if err := ask(); !errors.Is(err, store.ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if dump(s.Graph()) != before {
			t.Error("the graph is not what it was")
		}
	})
}

func TestWordsOfTheDriverGoToTheLogAndNotIntoErrors(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		var log bytes.Buffer
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		s := storetest.Open(t, c)
		_, err := raw(t, c).Exec("drop table settings")
		check(t, err)
		_, err = s.Setting(t.Context(), "site-name")
		if err == nil || err.Error() != "the application database failed; the log says why" {
			t.Errorf("the error says %v", err)
		}
		if !strings.Contains(log.String(), "select value from settings") {
			t.Errorf("the log does not say which statement failed: %s", &log)
		}
	})
}

func TestTheSQLiteFileIsReadByNobodyElse(t *testing.T) {
	c := storetest.SQLite(t)
	storetest.Open(t, c)
	info, err := os.Stat(c.Path)
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v", info.Mode())
	}
}

func TestBothEnginesHaveTheSameSchema(t *testing.T) {
	lite, err := os.ReadDir("migrations/sqlite")
	check(t, err)
	pg, err := os.ReadDir("migrations/postgres")
	check(t, err)
	if len(lite) == 0 || len(lite) != len(pg) {
		t.Fatalf("%d migrations for SQLite and %d for PostgreSQL", len(lite), len(pg))
	}
	names := strings.NewReplacer("BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT",
		"BIGINT", "INTEGER", "BYTEA", "BLOB", ` COLLATE "C"`, "")
	for i := range lite {
		if lite[i].Name() != pg[i].Name() {
			t.Fatalf("%s has another name for PostgreSQL: %s", lite[i].Name(), pg[i].Name())
		}
		a, err := os.ReadFile("migrations/sqlite/" + lite[i].Name())
		check(t, err)
		b, err := os.ReadFile("migrations/postgres/" + pg[i].Name())
		check(t, err)
		if string(a) != names.Replace(string(b)) {
			t.Errorf("%s differs in more than the names of types", lite[i].Name())
		}
	}
}

func TestAnUnwholeStateStopsTheStart(t *testing.T) {
	cases := []struct{ name, harm, mend, want string }{
		{"unknown level", "update data_grants set level = 'everything'", "update data_grants set level = 'unrestricted'", `"everything" is not a level of view-data`},
		{"unknown kind", "update data_grants set kind = 'viewing'", "update data_grants set kind = 'view-data'", `"viewing" is not a kind of permission`},
		{"unknown depth", "update data_grants set depth = 'galaxy'", "update data_grants set depth = 'database'", `"galaxy" is not a depth`},
		{"level too high for its depth", "update data_grants set level = 'sandboxed'", "update data_grants set level = 'unrestricted'", "cannot be"},
		{"table of no database", "update data_grants set depth = 'table', table_id = 77", "update data_grants set depth = 'database', table_id = 0", "has no table 77"},
		{"level for Administrators", "update data_grants set group_id = 2", "update data_grants set group_id = 1", "Administrators, always has full access"},
		{"unknown collection level", "update collection_grants set level = 'own'", "update collection_grants set level = 'read'", `"own" is not a level of collection`},
		{"level on no collection", "update collection_grants set collection_id = 77", "update collection_grants set collection_id = 2", "there is no collection 77"},
		{"level on a personal collection", "update collection_grants set collection_id = 1", "update collection_grants set collection_id = 2", "is personal"},
		{"collection somewhere else", "update collections set location = '/9/' where id = 2", "update collections set location = '/' where id = 2", "its parent"},
		{"user outside All Users", "delete from memberships where group_id = 1", "insert into memberships (user_id, group_id) values (1, 1)", "All Users"},
		{"Administrators gone", "update memberships set group_id = 4 where group_id = 2; delete from groups where id = 2",
			"insert into groups select 2, 'Administrators', 'administrators', internal, since, 'x', created_at from groups where id = 1; update memberships set group_id = 2 where group_id = 4", "group 2 is not there"},
		{"head beyond the history", "update head set revision = revision + 1", "update head set revision = revision - 1", "the history ends with"},
		{"counters beyond the history", "update head set data = data + 1", "update head set data = data - 1", "the history ends with"},
		{"All Users marked internal", "update groups set internal = true where id = 1", "update groups set internal = false where id = 1", "everybody is in it"},
		{"attributes differing in case", `update users set login_attributes = '{"Org":"1","org":"2"}'`, "update users set login_attributes = null", "differ only in case"},
		{"schema of a newer Sluice", "insert into goose_db_version (version_id, is_applied) values (99, true)", "delete from goose_db_version where version_id = 99", "newer Sluice"},
	}
	storetest.EachConfig(t, func(t *testing.T, config store.Config) {
		s := must[*store.Store](t)(store.Open(t.Context(), config))
		storetest.SetUp(t, s)
		d := shop(t, s)
		give(t, s, 1, d, permission.View, permission.Unrestricted)
		must[store.Collection](t)(s.CreateCollection(t.Context(), store.Actor{}, store.NewCollection{Name: "Reports"}))
		storetest.Group(t, s, "Three")
		storetest.Group(t, s, "Four")
		change(t, s, permission.SetCollectionAccess{Group: 1, Collection: 2, To: permission.Cell{Set: true, Level: permission.Read, At: 2}})
		want := dump(s.Graph())
		check(t, s.Close())
		db := raw(t, config)
		run := func(t *testing.T, statements string) {
			t.Helper()
			for _, statement := range strings.Split(statements, "; ") {
				_, err := db.Exec(statement)
				check(t, err)
			}
		}
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				run(t, c.harm)
				s, err := store.Open(t.Context(), config)
				if err == nil {
					s.Close()
					t.Error("the store opened")
				} else if !strings.Contains(err.Error(), c.want) {
					t.Errorf("the error does not say %q: %v", c.want, err)
				}
				run(t, c.mend)
			})
		}
		if got := dump(storetest.Open(t, config).Graph()); got != want {
			t.Errorf("mended, the state is\n%s\nand not\n%s", got, want)
		}
	})
}

func TestDetailsAreSealedWithTheKey(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := must[*store.Store](t)(store.Open(t.Context(), c))
		storetest.SetUp(t, s)
		d := shop(t, s)
		other := must[store.Database](t)(s.CreateDatabase(t.Context(), store.Actor{}, store.Database{Name: "Other", Engine: "sqlite"}))
		if got := must[store.Database](t)(s.Database(t.Context(), d)); string(got.Details) != `{"file":"shop.db","password":"open sesame"}` {
			t.Errorf("the details are %s", got.Details)
		}
		db := raw(t, c)
		var sealed []byte
		check(t, db.QueryRow("select details from databases where id = $1", int64(d)).Scan(&sealed))
		if bytes.Contains(sealed, []byte("sesame")) {
			t.Error("the password lies open in the row")
		}
		_, err := db.Exec("update databases set details = (select details from databases where id = $1) where id = $2", int64(d), int64(other.ID))
		check(t, err)
		if _, err := s.Database(t.Context(), other.ID); err == nil {
			t.Error("details that were sealed for another database could be read")
		}
		check(t, s.Close())
		for name, key := range map[string][]byte{"no key": nil, "short key": []byte("short"), "another key": bytes.Repeat([]byte("x"), 32)} {
			c.Key = key
			if s, err := store.Open(t.Context(), c); err == nil {
				s.Close()
				t.Errorf("%s: the store opened", name)
			} else if !strings.Contains(err.Error(), "key") {
				t.Errorf("%s: the error does not name the key: %v", name, err)
			}
		}
	})
}

func TestTextThatOneEngineCannotHoldIsRefusedByBoth(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.SetUp(t, s)
		for _, name := range []string{"a\x00b", "a\xffb"} {
			_, err := s.CreateGroup(t.Context(), store.Actor{}, store.NewGroup{Name: name})
			refused(t, err, "", "NUL")
			_, _, err = s.Users(t.Context(), store.UserQuery{Text: "x" + name})
			refused(t, err, "", "NUL")
		}
	})
}

func TestSettingsAreKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		if _, err := s.Setting(ctx, "site-name"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("want ErrNotFound, got %v", err)
		}
		check(t, s.SetSettings(ctx, store.Actor{User: 1}, map[string]string{"site-name": "One"}))
		check(t, s.SetSettings(ctx, store.Actor{User: 1}, map[string]string{"site-name": "Two"}))
		// All or none: PostgreSQL and the audit log take no NUL.
		refused(t, s.SetSettings(ctx, store.Actor{User: 1}, map[string]string{"admin-email": "a@example.org", "site-name": "N\x00L"}), "", "NUL")
		if got := must[string](t)(s.Setting(ctx, "site-name")); got != "Two" {
			t.Errorf("got %q", got)
		}
		if all := must[map[string]string](t)(s.Settings(ctx)); len(all) != 1 || all["site-name"] != "Two" {
			t.Errorf("got %v", all)
		}
		events := must[[]store.AuditEvent](t)(s.AuditEvents(ctx, store.AuditQuery{Kind: "setting"}))
		if len(events) != 2 || string(events[0].Details) != `{"name":"site-name"}` {
			t.Errorf("got %+v", events)
		}
	})
}

// interrupt is a context whose cancellation a test chooses.
func interrupt(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

func contains(text, part string) bool { return strings.Contains(text, part) }
