package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

func TestQuestionIsSavedByThoseWhoMayAskIt(t *testing.T) {
	w := newWorld(t, Options{})
	base := w.card(w.open, w.list("orders"))
	top := w.card(w.open, w.onCard(base.ID))
	hidden := w.card(w.closed, w.list("orders"))
	variables := `{"database":1,"type":"native","native":{"query":"SELECT * FROM products WHERE category = {{c}}","template-tags":{"c":{"id":"1","name":"c","type":"text"}}}}`
	stages := fmt.Sprintf(`{"lib/type":"mbql/query","database":1,"stages":[{"lib/type":"mbql.stage/mbql","source-table":%d}]}`, w.tables["orders"])
	nested := fmt.Sprintf(`{"database":1,"type":"query","query":{"source-query":{"source-table":%d,"limit":5},"limit":2}}`, w.tables["people"])
	for _, tt := range []struct {
		name, question string
		create         permission.Level // the least that the person needs
		table          string
		kind           string
		columns        int // 0: not known
		failure        string
	}{
		{"a question", w.list("orders"), permission.QueryBuilder, "orders", "query", 11, ""},
		{"a question in the new form", stages, permission.QueryBuilder, "orders", "query", 11, ""},
		{"a question in the new form on a saved one", fmt.Sprintf(`{"lib/type":"mbql/query","database":1,"stages":[{"lib/type":"mbql.stage/mbql","source-card":%d}]}`, base.ID),
			permission.QueryBuilder, "orders", "query", 11, ""},
		{"a nested question", nested, permission.QueryBuilder, "people", "query", 10, ""},
		{"on a saved question", w.onCard(base.ID), permission.QueryBuilder, "orders", "query", 1, ""},
		{"on a saved question on another", w.onCard(top.ID), permission.QueryBuilder, "orders", "query", 1, ""},
		{"on a saved question that is hidden", w.onCard(hidden.ID), 99, "", "", 0, MissingPermissions},
		{"SQL", native("SELECT id, title FROM products"), permission.Native, "", "native", 2, ""},
		{"SQL without rows", native("SELECT id FROM products WHERE id < 0"), permission.Native, "", "native", 1, ""},
		{"SQL that is wrong", native("SELECT id FORM products"), permission.Native, "", "native", 0, ""},
		{"SQL with a variable", variables, permission.Native, "", "native", 0, ""},
		{"nonsense", `{"database":1,"type":"query","query":{"source-table":1,"filtre":1}}`, 0, "", "", 0, InvalidQuery},
	} {
		for _, create := range []permission.Level{permission.None, permission.QueryBuilder, permission.Native} {
			w.grant(permission.Unrestricted, create)
			found, err := w.door.CheckSave(t.Context(), w.person, json.RawMessage(tt.question))
			card := store.Card{DatasetQuery: json.RawMessage(tt.question)}
			if can, want := w.door.CanRunAdHoc(t.Context(), w.person, card), tt.failure == "" && create >= tt.create; can != want {
				t.Errorf("%s, %s: can run ad hoc: %v", tt.name, permission.Create.Word(create), can)
			}
			if tt.failure != "" && tt.failure != MissingPermissions {
				fails(t, err, tt.failure)
				continue
			}
			if create < tt.create {
				fails(t, err, MissingPermissions)
				continue
			}
			if err != nil || found.Database != sampleID || found.Table != w.tables[tt.table] || found.QueryType != tt.kind || len(found.Columns) != tt.columns {
				t.Errorf("%s, %s: %+v, %v", tt.name, permission.Create.Word(create), found, err)
			}
		}
	}
}

func TestValuesOfAField(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	v, err := w.door.FieldValues(t.Context(), w.person, w.fields["products.category"])
	if err != nil || len(v.Values) != 6 || v.More {
		t.Errorf("%v, %v", v, err)
	}
	v, err = w.door.FieldValues(t.Context(), w.person, w.fields["people.email"])
	if err != nil || len(v.Values) != maxFieldValues || !v.More {
		t.Errorf("%d values, more: %v, %v", len(v.Values), v.More, err)
	}
	for _, who := range []permission.UserID{w.person, w.admin} {
		if _, err := w.door.FieldValues(t.Context(), who, 987654); err == nil {
			t.Error("a field that does not exist has values")
		}
	}
}

func TestSampleIsAddedOnce(t *testing.T) {
	w := newWorld(t, Options{})
	file := filepath.Join(w.dir, "sample.db")
	databases := func() []store.Database {
		all, err := w.store.Databases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := databases(); len(all) != 1 || all[0].ID != 1 || all[0].Name != "Sample Database" || !all[0].Sample || all[0].SyncStatus != "complete" {
		t.Fatalf("databases %+v", all)
	}
	graph := w.store.Graph()
	for g := range graph.Groups() {
		if g.ID != permission.Administrators && graph.Level(g.ID, 1, permission.View, permission.WholeDatabase()) != permission.None {
			t.Errorf("group %d sees the sample without anybody having said so", g.ID)
		}
	}

	// Again, it changes nothing; a file that has gone comes back.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := w.door.AddSample(t.Context(), w.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil || len(databases()) != 1 || w.store.Graph().Revision() != graph.Revision() {
		t.Errorf("%v, %d databases, revision %d", err, len(databases()), w.store.Graph().Revision())
	}

	// The folder was moved.
	moved := t.TempDir()
	if err := w.door.AddSample(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.run(w.admin, ask(w.ordersByOrganization())); err != nil {
		t.Errorf("after the move: %v", err)
	}

	// Whoever deleted it does not get it again.
	if err := w.store.DeleteDatabase(t.Context(), store.Actor{}, 1); err != nil {
		t.Fatal(err)
	}
	if err := w.door.AddSample(t.Context(), moved); err != nil || len(databases()) != 0 {
		t.Errorf("%v, %d databases", err, len(databases()))
	}
	fails(t, second(w.run(w.admin, ask(native("SELECT 1")))), MissingPermissions)
}

// Servers that share an application database have a folder each.
func TestSampleIsInEachServersOwnFolder(t *testing.T) {
	w := newWorld(t, Options{})
	details := func() string {
		t.Helper()
		db, err := w.store.Database(t.Context(), sampleID)
		if err != nil {
			t.Fatal(err)
		}
		return string(db.Details)
	}
	if got := details(); got != `{"db":"sample.db"}` {
		t.Errorf("the connection is stored as %s", got)
	}
	// As an earlier version stored it.
	was, err := w.store.Database(t.Context(), sampleID)
	if err != nil {
		t.Fatal(err)
	}
	old := json.RawMessage(fmt.Sprintf(`{"db":%q}`, filepath.Join(w.dir, "sample.db")))
	if _, err := w.store.UpdateDatabase(t.Context(), store.Actor{}, was, store.DatabaseUpdate{Details: old}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.run(w.admin, ask(w.ordersByOrganization())); err != nil {
		t.Errorf("by a connection of an earlier version: %v", err)
	}

	pool := warehouse.New(nil)
	t.Cleanup(func() { _ = pool.Close() })
	other, dir := New(w.store, pool, Options{}), t.TempDir()
	for range 2 { // the second start finds everything as it is to be
		if err := other.AddSample(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
	}
	if got := details(); got != `{"db":"sample.db"}` {
		t.Errorf("the second server stored the connection as %s", got)
	}
	at := w.store.Graph().Revision()
	if err := w.door.AddSample(t.Context(), w.dir); err != nil || w.store.Graph().Revision() != at {
		t.Errorf("the first server, started again: %v, revision %d after %d", err, w.store.Graph().Revision(), at)
	}
	if err := os.Remove(filepath.Join(w.dir, "sample.db")); err != nil {
		t.Fatal(err)
	}
	w.door = other
	if _, _, err := w.run(w.admin, ask(w.ordersByOrganization())); err != nil {
		t.Errorf("the second server cannot ask its own sample: %v", err)
	}
	if _, err := w.store.CreateDatabase(t.Context(), store.Actor{}, store.Database{Name: "Again", Engine: "sqlite", Sample: true}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a second sample: %v", err)
	}
}

func TestSyncFollowsTheWarehouse(t *testing.T) {
	w := newWorld(t, Options{})
	before := w.store.Graph()
	w.exec(`CREATE TABLE refunds (id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders (id), amount REAL)`, `DROP TABLE reviews`)
	if _, _, err := w.run(w.admin, ask(native("SELECT * FROM refunds"))); err == nil {
		t.Error("a table that nobody has synced was read")
	}
	if err := w.door.Sync(t.Context(), store.Actor{User: w.admin}, sampleID); err != nil {
		t.Fatal(err)
	}
	w.readCatalog()
	c := w.store.Graph().Catalog()
	if reviews := c.Table(w.tables["reviews"]); reviews == nil || reviews.Active() {
		t.Errorf("reviews are %+v", reviews)
	}
	key := c.Field(w.fields["refunds.order_id"])
	if key == nil || key.SemanticType != "type/FK" || key.Target != w.fields["orders.id"] {
		t.Errorf("the key of the new table: %+v", key)
	}
	if w.store.Graph().Revision() <= before.Revision() {
		t.Error("the sync took no revision")
	}
	if _, _, err := w.run(w.admin, ask(native("SELECT * FROM refunds"))); err != nil {
		t.Error(err)
	}

	// What cannot be read is not absent.
	after := w.store.Graph()
	if err := os.Rename(filepath.Join(w.dir, "sample.db"), filepath.Join(w.dir, "away.db")); err != nil {
		t.Fatal(err)
	}
	if err := w.door.Sync(t.Context(), store.Actor{}, sampleID); err == nil {
		t.Error("a file that is away was synced")
	}
	if w.store.Graph().Revision() != after.Revision() || !w.store.Graph().Catalog().Table(w.tables["orders"]).Active() {
		t.Error("a sync that failed changed the catalog")
	}
	db, err := w.store.Database(t.Context(), sampleID)
	if err != nil || db.SyncStatus != "aborted" {
		t.Errorf("status %q, %v", db.SyncStatus, err)
	}
	if err := w.door.Sync(t.Context(), store.Actor{}, 4711); err == nil {
		t.Error("a database that does not exist was synced")
	}
}

// People and password hashes lie in the application database: nobody can
// connect it as a warehouse, not even while it is in use.
func TestTheApplicationDatabaseIsNoWarehouse(t *testing.T) {
	c := storetest.SQLite(t)
	s := storetest.Open(t, c)
	details := json.RawMessage(fmt.Sprintf(`{"db": %q}`, c.Path))
	err := New(s, warehouse.New(nil), Options{}).TestConnection(t.Context(), "sqlite", details)
	if err == nil || !strings.Contains(err.Error(), "application database") {
		t.Errorf("connecting the application database: %v", err)
	}
}
