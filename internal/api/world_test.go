package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// world is a server under test: a real store in a SQLite file, a real door,
// and the handler that serve would listen with.
type world struct {
	t     *testing.T
	api   *API
	store *store.Store
	door  *dataset.Door
	pool  *warehouse.Pool
	log   *bytes.Buffer
	clock *clock
	file  string
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// openWorld serves what the application database holds.
func openWorld(t *testing.T, c store.Config) *world {
	t.Helper()
	w := &world{t: t, file: c.Path, log: &bytes.Buffer{}, clock: &clock{now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.Key, c.Now, c.Logger = storetest.Key(), w.clock.Now, log
	var err error
	if w.store, err = store.Open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err = w.store.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.pool = warehouse.New(log)
	t.Cleanup(func() {
		if err := w.pool.Close(); err != nil {
			t.Error(err)
		}
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.door = dataset.New(w.store, w.pool, dataset.Options{Now: w.clock.Now, Logger: log})
	if w.api, err = New(Config{Store: w.store, Door: w.door, Logger: log, Version: "test", Now: w.clock.Now}); err != nil {
		t.Fatal(err)
	}
	// Tests sign in hundreds of times; what a hash costs is told by its own.
	if w.api.passwords.cost != standardCost() {
		t.Fatalf("passwords are hashed at the cost %+v", w.api.passwords.cost)
	}
	w.api.passwords = newPasswords(hashCost{memory: 8, passes: 1, threads: 1})
	return w
}

// dump is every byte of the application database.
func (w *world) dump() string {
	w.t.Helper()
	var all strings.Builder
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(w.file + suffix)
		if err != nil && !os.IsNotExist(err) {
			w.t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

// emptyWorld is a server that nobody has set up.
func emptyWorld(t *testing.T) *world {
	t.Helper()
	return openWorld(t, storetest.SQLite(t))
}

// caller is somebody who sends requests.
type caller struct {
	w      *world
	header http.Header
}

// nobody sends no credential.
func (w *world) nobody() caller { return caller{w, http.Header{}} }

// with sends a session token in the header.
func (w *world) with(session string) caller {
	return caller{w, http.Header{sessionHeader: {session}}}
}

// key sends an API key.
func (w *world) key(key string) caller {
	return caller{w, http.Header{keyHeader: {key}}}
}

// reply is an answer, read whole.
type reply struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   []byte
}

// send asks the handler. body is nil, a string that is sent as it is, or
// anything else, sent as JSON.
func (c caller) send(method, path string, body any) reply {
	c.w.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			c.w.t.Fatal(err)
		}
		r = bytes.NewReader(data)
	}
	req := httptest.NewRequest(method, "http://sluice.test"+path, r)
	for k, v := range c.header {
		req.Header[k] = v
	}
	if body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if method == "PATCH" && req.Header.Get("If-Match") == "" {
		req.Header.Set("If-Match", "*")
	}
	rec := httptest.NewRecorder()
	c.w.api.Handler().ServeHTTP(rec, req)
	return reply{c.w.t, method + " " + path, rec.Code, rec.Header(), rec.Body.Bytes()}
}

func (c caller) get(path string) reply            { c.w.t.Helper(); return c.send("GET", path, nil) }
func (c caller) post(path string, body any) reply { c.w.t.Helper(); return c.send("POST", path, body) }
func (c caller) put(path string, body any) reply  { c.w.t.Helper(); return c.send("PUT", path, body) }
func (c caller) delete(path string) reply         { c.w.t.Helper(); return c.send("DELETE", path, nil) }

// want demands a status.
func (r reply) want(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: status %d, want %d: %.500s", r.what, r.status, status, r.body)
	}
	return r
}

// text demands a status and a whole body.
func (r reply) text(status int, body string) {
	r.t.Helper()
	r.want(status)
	if string(r.body) != body {
		r.t.Errorf("%s: body %q, want %q", r.what, r.body, body)
	}
}

// wrong demands a 400 that blames a field with a text.
func (r reply) wrong(field, text string) {
	r.t.Helper()
	r.want(http.StatusBadRequest)
	var in invalid
	r.into(&in)
	if in.Errors[field] != text {
		r.t.Errorf("%s: errors %v, want %s: %q", r.what, in.Errors, field, text)
	}
}

func (r reply) into(v any) {
	r.t.Helper()
	if kind := r.header.Get("Content-Type"); kind != "application/json" {
		r.t.Fatalf("%s: Content-Type %q with %.200s", r.what, kind, r.body)
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		r.t.Fatalf("%s: %v in %.200s", r.what, err, r.body)
	}
}

// object is the body as an object.
func (r reply) object() map[string]any {
	r.t.Helper()
	var v map[string]any
	r.into(&v)
	return v
}

// list is the body as an array of objects.
func (r reply) list() []map[string]any {
	r.t.Helper()
	var v []map[string]any
	r.into(&v)
	return v
}

// id is the id in the body.
func (r reply) id() int64 {
	r.t.Helper()
	r.want(http.StatusOK)
	var v struct {
		ID int64 `json:"id"`
	}
	r.into(&v)
	return v.ID
}

// settled is a server that works for a while already. Its people sign in with
// the sessions, which hold for two weeks from the clock's start.
type settled struct {
	*world
	// fixture names what there is.
	fixture
}

type fixture struct {
	// Sessions of an administrator, a member of the group, and a person who
	// is in All Users only.
	AdminSession, MemberSession, OutsiderSession string

	Admin, Member, Outsider   int64
	Group, Membership, APIKey int64
	AdminKey, MemberKey       string
	Collection                int64 // the group may curate it
	Closed                    int64 // a collection of administrators
	Database                  int64 // the sample; the group has the query builder on it
	Table, Field              int64
	Fields                    string // the ids of all fields of Table, as a list
	Card, ClosedCard          int64  // in Collection, in Closed
	Dashboard, Dashcard       int64  // in Collection; the place of Card on it
	Snippet, Revision         int64  // Revision is of Card
	Tenants, Policy           int64  // a group without members, and its policy on Reviews
	Reviews, ReviewsField     int64  // a table that the group has, but for Policy, and its first column
	Warehouse                 string // the file of the sample database
}

const testPassword = "a long sentence"

// settledDir holds the settled server, which is made once per test run.
var settledDir = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sluice-api-test")
	return dir, err
})

func TestMain(m *testing.M) {
	m.Run()
	if dir, err := settledDir(); err == nil {
		_ = os.RemoveAll(dir)
	}
}

var settle struct {
	once sync.Once
	made bool
	fixture
}

// settledWorld is a fresh copy of the settled server.
func settledWorld(t *testing.T) settled {
	t.Helper()
	dir, err := settledDir()
	if err != nil {
		t.Fatal(err)
	}
	original := filepath.Join(dir, "settled.db")
	settle.once.Do(func() {
		settle.made = t.Run("settle", func(t *testing.T) { settle.fixture = makeSettled(t, store.Config{Path: original}, dir) })
	})
	if !settle.made {
		t.Fatal("the settled server could not be made")
	}
	data, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	c := storetest.SQLite(t)
	if err := os.WriteFile(c.Path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return reopened(t, c, settle.fixture)
}

// reopened is a settled server that was started again.
func reopened(t *testing.T, c store.Config, made fixture) settled {
	t.Helper()
	s := settled{openWorld(t, c), made}
	s.findSample(s.door)
	return s
}

func (s settled) findSample(d *dataset.Door) {
	s.t.Helper()
	if err := d.AddSample(s.t.Context(), filepath.Dir(s.Warehouse)); err != nil {
		s.t.Fatal(err)
	}
}

// doorWith is another door to the same warehouses.
func (s settled) doorWith(o dataset.Options) *dataset.Door {
	s.t.Helper()
	d := dataset.New(s.store, s.pool, o)
	s.findSample(d)
	return d
}

// onEachEngine runs a test on a settled server over each application database.
func onEachEngine(t *testing.T, f func(t *testing.T, w settled)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, settledWorld(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		c, dir := storetest.PostgreSQL(t), t.TempDir()
		var made fixture
		if !t.Run("settle", func(t *testing.T) { made = makeSettled(t, c, dir) }) {
			t.Fatal("the settled server could not be made")
		}
		f(t, reopened(t, c, made))
	})
}

func (s settled) admin() caller    { return s.with(s.AdminSession) }
func (s settled) member() caller   { return s.with(s.MemberSession) }
func (s settled) outsider() caller { return s.with(s.OutsiderSession) }

func makeSettled(t *testing.T, c store.Config, dir string) fixture {
	t.Helper()
	w := openWorld(t, c)
	if err := w.door.AddSample(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	f := fixture{Warehouse: filepath.Join(dir, "sample.db")}
	token, err := w.api.IssueSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var session sessionWire
	w.nobody().post("/api/setup", map[string]any{"token": token, "user": map[string]any{
		"email": "admin@example.org", "password": testPassword, "first_name": "Ada", "last_name": "Min"}}).want(200).into(&session)
	f.AdminSession = session.ID
	admin := w.with(f.AdminSession)
	f.Admin = admin.get("/api/user/current").id()
	person := func(email string, groups ...int64) (int64, string) {
		id := admin.post("/api/user", map[string]any{"email": email, "password": testPassword, "group_ids": groups}).id()
		var in sessionWire
		w.nobody().post("/api/session", map[string]any{"username": email, "password": testPassword}).want(200).into(&in)
		return id, in.ID
	}
	f.Group = admin.post("/api/permissions/group", map[string]any{"name": "Analysts"}).id()
	f.Member, f.MemberSession = person("member@example.org", f.Group)
	f.Outsider, f.OutsiderSession = person("outsider@example.org")
	f.Membership = int64(admin.get(fmt.Sprint("/api/permissions/group/", f.Group)).object()["members"].([]any)[0].(map[string]any)["membership_id"].(float64))
	key := func(name string, group int64) (int64, string) {
		var k apiKeyWire
		admin.post("/api/api-key", map[string]any{"name": name, "group_id": group}).want(200).into(&k)
		return k.ID, k.UnmaskedKey
	}
	_, f.AdminKey = key("provisioning", int64(permission.Administrators))
	f.APIKey, f.MemberKey = key("reports", f.Group)

	who := store.Actor{User: permission.UserID(f.Admin)}
	collection := func(name string) int64 {
		c, err := w.store.CreateCollection(t.Context(), who, store.NewCollection{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		return int64(c.ID)
	}
	f.Collection, f.Closed = collection("Shop"), collection("Board")
	tables := w.store.Graph().Catalog()
	for d := range tables.Databases() {
		f.Database = int64(d.ID)
		for tb := range tables.Tables(d.ID) {
			if tb.Name == "products" {
				f.Table = int64(tb.ID)
				f.Field = int64(tables.Fields(tb.ID)[0].ID)
				for _, of := range tables.Fields(tb.ID) {
					f.Fields += fmt.Sprint(",", of.ID)
				}
				f.Fields = "[" + f.Fields[1:] + "]"
			}
		}
	}
	if f.Table == 0 {
		t.Fatal("the sample database has no table products")
	}
	// The group has the query builder on the sample database and curates one
	// collection.
	_, err = w.store.Change(t.Context(), who, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		group, database, at := permission.GroupID(f.Group), catalog.DatabaseID(f.Database), g.Revision()+1
		level := func(k permission.Kind, l permission.Level) permission.Change {
			return permission.SetDataAccess{Group: group, Database: database, Kind: k, To: permission.Cell{Set: true, Level: l, At: at}}
		}
		return []permission.Change{
			level(permission.View, permission.Unrestricted), level(permission.Create, permission.QueryBuilder), level(permission.Download, permission.Full),
			permission.SetCollectionAccess{Group: group, Collection: permission.CollectionID(f.Collection),
				To: permission.Cell{Set: true, Level: permission.Write, At: catalog.Revision(g.CollectionRevision() + 1)}},
		}, store.Bump{Data: true, Collection: true}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Tenants = admin.post("/api/permissions/group", map[string]any{"name": "Tenants"}).id()
	for tb := range tables.Tables(catalog.DatabaseID(f.Database)) {
		if tb.Name == "reviews" {
			f.Reviews, f.ReviewsField = int64(tb.ID), int64(tables.Fields(tb.ID)[0].ID)
		}
	}
	f.Policy = admin.post("/api/mt/gtap", map[string]any{"group_id": f.Tenants, "table_id": f.Reviews,
		"attribute_remappings": map[string]any{"organization_id": f.ReviewsField}}).id()
	card := func(name string, collection int64) int64 {
		question := fmt.Sprintf(`{"database":%d,"type":"query","query":{"source-table":%d,"limit":3}}`, f.Database, f.Table)
		kind, db, table := "query", catalog.DatabaseID(f.Database), catalog.TableID(f.Table)
		c, err := w.store.CreateCard(t.Context(), who, store.Card{Name: name, Display: "table", DatasetQuery: json.RawMessage(question),
			VisualizationSettings: json.RawMessage(`{}`), QueryType: &kind, Database: &db, Table: &table,
			Collection: permission.CollectionID(collection), Creator: permission.UserID(f.Admin)})
		if err != nil {
			t.Fatal(err)
		}
		return c.ID
	}
	f.Card, f.ClosedCard = card("Products", f.Collection), card("Board products", f.Closed)
	d, err := w.store.CreateDashboard(t.Context(), who, store.Dashboard{Name: "Overview", Collection: permission.CollectionID(f.Collection),
		Creator: permission.UserID(f.Admin), Dashcards: []store.Dashcard{{Card: &f.Card, SizeX: 4, SizeY: 4}, {Card: &f.ClosedCard, Col: 4, SizeX: 4, SizeY: 4}}})
	if err != nil {
		t.Fatal(err)
	}
	f.Dashboard, f.Dashcard = d.ID, d.Dashcards[0].ID
	sn, err := w.store.CreateSnippet(t.Context(), who, store.Snippet{Name: "Cheap", Content: "price < 50"},
		func(store.SnippetWrite) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	f.Snippet = sn.ID
	pasts, err := w.store.Pasts(t.Context(), store.Item{Kind: store.OfCard, ID: f.Card})
	if err != nil || len(pasts) != 1 {
		t.Fatal(pasts, err)
	}
	f.Revision = pasts[0].ID
	return f
}
