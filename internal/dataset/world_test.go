package dataset

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
	"github.com/sluice-bi/sluice/internal/warehouse"

	_ "modernc.org/sqlite"
)

// world is a store with the sample database, an administrator, and a group
// whose member reads one of two collections.
type world struct {
	t     *testing.T
	store *store.Store
	pool  *warehouse.Pool
	door  *Door
	dir   string

	admin  permission.UserID
	group  permission.GroupID
	person permission.UserID
	open   permission.CollectionID // the person may read it
	closed permission.CollectionID // the person may not
	tables map[string]catalog.TableID
	fields map[string]catalog.FieldID // by table.field
	owned  int64                      // orders of organization 3
}

const sampleID catalog.DatabaseID = 1

func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{t: t, store: storetest.Open(t, storetest.SQLite(t)), pool: warehouse.New(nil), dir: t.TempDir(),
		tables: map[string]catalog.TableID{}, fields: map[string]catalog.FieldID{}}
	t.Cleanup(func() {
		if n := w.pool.InUse(sampleID); n != 0 {
			t.Errorf("%d connections are still in use", n)
		}
		if err := w.pool.Close(); err != nil {
			t.Error(err)
		}
	})
	w.door = New(w.store, w.pool, o)
	if err := w.door.AddSample(t.Context(), w.dir); err != nil {
		t.Fatal(err)
	}
	w.admin = storetest.SetUp(t, w.store).ID
	group := storetest.Group(t, w.store, "Shop")
	w.group = group.ID
	w.person = storetest.Person(t, w.store, "pia", group).ID
	w.readCatalog()
	w.open, w.closed = w.collection("open"), w.collection("closed")
	w.share(w.open, permission.Read)
	a, _, err := w.run(w.admin, ask(native("SELECT count(*) FROM orders WHERE organization_id = 3")))
	if err != nil {
		t.Fatal(err)
	}
	w.owned = a.rows[0][0].(int64)
	return w
}

// sample is where the sample warehouse is.
func (w *world) sample() warehouse.Database {
	w.t.Helper()
	db, err := w.store.Database(w.t.Context(), sampleID)
	if err != nil {
		w.t.Fatal(err)
	}
	at, err := w.door.place(db)
	if err != nil {
		w.t.Fatal(err)
	}
	return at
}

func (w *world) readCatalog() {
	c := w.store.Graph().Catalog()
	for table := range c.Tables(sampleID) {
		w.tables[table.Name] = table.ID
		for _, f := range c.Fields(table.ID) {
			w.fields[table.Name+"."+f.Name] = f.ID
		}
	}
}

func (w *world) collection(name string) permission.CollectionID {
	w.t.Helper()
	c, err := w.store.CreateCollection(w.t.Context(), store.Actor{}, store.NewCollection{Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return c.ID
}

// share gives the group a level on a collection.
func (w *world) share(id permission.CollectionID, l permission.Level) {
	w.t.Helper()
	w.change(func(g *permission.Graph) ([]permission.Change, error) {
		from := g.CollectionLevel(w.group, id)
		return []permission.Change{permission.SetCollectionAccess{Group: w.group, Collection: id, From: from,
			To: permission.Cell{Set: true, Level: l}}}, nil
	})
}

func (w *world) change(f func(*permission.Graph) ([]permission.Change, error)) {
	w.t.Helper()
	_, err := w.store.Change(context.Background(), store.Actor{}, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		changes, err := f(g)
		return changes, store.Bump{Data: true}, err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// draft changes what the group has on the sample.
func (w *world) draft(f func(*permission.Draft) error) {
	w.t.Helper()
	w.change(func(g *permission.Graph) ([]permission.Change, error) {
		d := g.Draft()
		if err := f(d); err != nil {
			return nil, err
		}
		changes, _ := d.Changes()
		return changes, nil
	})
}

// grant sets the group's levels on the whole sample.
func (w *world) grant(view, create permission.Level) {
	w.t.Helper()
	w.draft(func(d *permission.Draft) error {
		if err := d.Set(w.group, sampleID, permission.View, permission.WholeDatabase(), view); err != nil {
			return err
		}
		return d.SetCreate(w.group, sampleID, permission.WholeDatabase(), create)
	})
}

// sandbox limits the group to the rows of one organization in orders.
func (w *world) sandbox(organization string) {
	w.t.Helper()
	attributes := map[string]string{"organization_id": organization}
	if _, err := w.store.UpdateUser(w.t.Context(), store.Actor{}, w.person, store.UserUpdate{LoginAttributes: &attributes}); err != nil {
		w.t.Fatal(err)
	}
	orders := w.tables["orders"]
	w.draft(func(d *permission.Draft) error {
		if err := d.Set(w.group, sampleID, permission.View, permission.OneTable(orders), permission.Sandboxed); err != nil {
			return err
		}
		return d.SetSandbox(w.group, orders, &permission.Policy{Where: []permission.AttributeEquality{{Field: w.fields["orders.organization_id"], Attribute: "organization_id"}}})
	})
}

func (w *world) card(in permission.CollectionID, question string) store.Card {
	w.t.Helper()
	return w.cardWith(store.Card{Collection: in, DatasetQuery: json.RawMessage(question)})
}

func (w *world) cardWith(c store.Card) store.Card {
	w.t.Helper()
	c.Name, c.Display = "a question", "table"
	c, err := w.store.CreateCard(w.t.Context(), store.Actor{User: w.admin}, c)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// ordersByOrganization counts orders; orders lists them.
func (w *world) ordersByOrganization() string {
	return fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"aggregation":[["count"]],"breakout":[["field",%d,null]]}}`,
		w.tables["orders"], w.fields["orders.organization_id"])
}

func (w *world) list(table string) string {
	return fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d}}`, w.tables[table])
}

func (w *world) onCard(id int64) string {
	return fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":"card__%d","aggregation":[["count"]]}}`, id)
}

func native(sql string) string {
	text, err := json.Marshal(sql)
	if err != nil {
		panic(err)
	}
	return `{"database":1,"type":"native","native":{"query":` + string(text) + `}}`
}

// answer keeps a whole result.
type answer struct {
	head Head
	rows [][]any
	row  func(n int) error // called for each row, if set
}

func (a *answer) Begin(h Head) error { a.head = h; return nil }

func (a *answer) Row(values []any) error {
	a.rows = append(a.rows, append([]any(nil), values...))
	if a.row != nil {
		return a.row(len(a.rows))
	}
	return nil
}

func (w *world) run(who permission.UserID, r Request) (*answer, Summary, error) {
	a := &answer{}
	sum, err := w.door.Run(w.t.Context(), who, r, a)
	return a, sum, err
}

func ask(question string) Request { return Request{Query: json.RawMessage(question)} }

// fails checks that an error is a QueryError of the type, and gives its message.
func fails(t *testing.T, err error, kind string) string {
	t.Helper()
	var e *QueryError
	if !errors.As(err, &e) || e.Type != kind {
		t.Fatalf("error %v, want a QueryError of type %s", err, kind)
	}
	return e.Message
}

// lastRun is the newest record.
func (w *world) lastRun() store.QueryRun {
	w.t.Helper()
	runs, err := w.store.QueryRuns(w.t.Context(), store.RunQuery{Limit: 1})
	if err != nil || len(runs) != 1 {
		w.t.Fatalf("%v, %v", runs, err)
	}
	return runs[0]
}

// exec changes the sample's file behind the server's back.
func (w *world) exec(statements ...string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.dir, "sample.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			w.t.Fatalf("%s: %v", s, err)
		}
	}
}

const shortly = 150 * time.Millisecond
