package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

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

// command runs a command line; env is "NAME=value".
func command(t *testing.T, env []string, args ...string) (code int, said string) {
	t.Helper()
	var out bytes.Buffer
	code = Run(t.Context(), Program{Version: "v0.0.0-test", Args: args, Stdout: &out, Stderr: &out, Env: func(name string) string {
		for _, e := range env {
			if value, is := strings.CutPrefix(e, name+"="); is {
				return value
			}
		}
		return ""
	}})
	return code, out.String()
}

func succeeds(t *testing.T, args ...string) string {
	t.Helper()
	code, said := command(t, nil, args...)
	if code != 0 {
		t.Fatalf("sluice %s: %s", strings.Join(args, " "), said)
	}
	return said
}

// entries are the names in a folder.
func entries(t *testing.T, path string) []string {
	t.Helper()
	var names []string
	for _, e := range must[[]os.DirEntry](t)(os.ReadDir(path)) {
		names = append(names, e.Name())
	}
	return names
}

// taken is a data folder with its store, held as a server holds it.
func taken(t *testing.T) (*folder, *store.Store) {
	t.Helper()
	f := mustOpen(t, filepath.Join(t.TempDir(), "data"))
	st := opened(t, f.path)
	must[store.User](t)(st.SetUpUnattended(t.Context(), store.NewUser{Email: "admin@example.com", FirstName: "Ada"}))
	return f, st
}

func opened(t *testing.T, path string) *store.Store {
	t.Helper()
	f := &folder{path: path}
	key := must[[]byte](t)(f.key("", false))
	st := must[*store.Store](t)(store.Open(t.Context(), store.Config{Path: f.file(databaseFile), Key: key, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}))
	t.Cleanup(func() { check(t, st.Close()) })
	return st
}

// populate gives a store people, groups, databases and collections for writer
// to make random changes to.
func populate(t *testing.T, st *store.Store) {
	t.Helper()
	ctx, who := t.Context(), store.Actor{User: 1}
	for i := range 6 {
		must[store.GroupRow](t)(st.CreateGroup(ctx, who, store.NewGroup{Name: fmt.Sprint("Group ", i)}))
	}
	for i := range 12 {
		must[store.User](t)(st.CreateUser(ctx, who, store.NewUser{Email: fmt.Sprintf("p%d@example.com", i), FirstName: "P", Active: i%5 > 0,
			LoginAttributes: map[string]string{"org": "1"}, Groups: []permission.GroupID{permission.GroupID(3 + i%6)}}))
	}
	for i := range 2 {
		db := must[store.Database](t)(st.CreateDatabase(ctx, who, store.Database{Name: fmt.Sprint("Shop ", i), Engine: "postgres",
			Details: json.RawMessage(fmt.Sprintf(`{"host":"db%d.internal","password":"hush"}`, i))}))
		var tables []store.SyncedTable
		for j := range 8 {
			tables = append(tables, store.SyncedTable{Schema: []string{"a", "b"}[j%2], Name: fmt.Sprint("t", j),
				Fields: []store.SyncedField{{Name: "org", BaseType: "type/Text", DatabaseType: "TEXT"}}})
		}
		must[*permission.Graph](t)(st.ApplySync(ctx, who, db.ID, tables))
	}
	for i := range 8 {
		must[store.Collection](t)(st.CreateCollection(ctx, who, store.NewCollection{Name: fmt.Sprint("Folder ", i)}))
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// disturb makes one random change and returns the graph after it. A change
// that makes no sense is refused and leaves the graph as it was.
func disturb(ctx context.Context, r *rand.Rand, st *store.Store) (*permission.Graph, error) {
	g, who := st.Graph(), store.Actor{User: 1}
	var groups []permission.GroupID
	for gr := range g.Groups() {
		if gr.ID != permission.Administrators { // its levels are fixed
			groups = append(groups, gr.ID)
		}
	}
	group, person := pick(r, groups), permission.UserID(2+r.IntN(12))
	if r.IntN(4) == 0 {
		// Refused for All Users.
		if r.IntN(2) == 0 {
			_ = st.AddMember(ctx, who, person, group)
		} else {
			_ = st.RemoveMemberOf(ctx, who, person, group)
		}
		return st.Graph(), nil
	}
	return st.Change(ctx, who, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		if r.IntN(3) == 0 {
			var collections []permission.CollectionID
			for c := range g.Collections() {
				if c.Owner == 0 { // personal ones take no levels
					collections = append(collections, c.ID)
				}
			}
			c := pick(r, collections)
			to := permission.Cell{Set: true, Level: permission.Level(r.IntN(3)), At: catalog.Revision(g.CollectionRevision() + 1)}
			return []permission.Change{permission.SetCollectionAccess{Group: group, Collection: c, From: g.CollectionLevel(group, c), To: to}}, store.Bump{}, nil
		}
		d, database := g.Draft(), catalog.DatabaseID(1+r.IntN(2))
		scope := permission.WholeDatabase()
		if tb := pick(r, slices.Collect(g.Catalog().Tables(database))); r.IntN(3) > 0 {
			scope = permission.OneTable(tb.ID)
			if r.IntN(3) == 0 {
				scope = permission.WholeSchema(tb.Schema)
			}
		}
		if scope.Depth == permission.OfTable && r.IntN(4) == 0 {
			field := g.Catalog().Fields(scope.Table)[0].ID
			err := d.SetSandbox(group, scope.Table, pick(r, []*permission.Policy{nil, {},
				{Where: []permission.AttributeEquality{{Field: field, Attribute: "org"}}},
				{AllRows: true, Columns: []permission.ColumnRule{}},
				{AllRows: true, Columns: []permission.ColumnRule{{Field: field, Mask: permission.Mask{Kind: permission.MaskPartial, Last: 1 + r.IntN(9)}}}}}))
			changes, _ := d.Changes()
			return changes, store.Bump{Data: true}, err
		}
		// What is refused drafts nothing.
		_ = d.Set(group, database, permission.Kind(r.IntN(5)), scope, permission.Level(r.IntN(5)))
		changes, _ := d.Changes()
		return changes, store.Bump{Data: true}, nil
	})
}

// answers is every person x right x object of a graph that is a yes.
func answers(g *permission.Graph) (yes map[string]bool, asked int) {
	objects := []permission.Object{permission.Server, permission.ACollection(permission.Root)}
	for d := range g.Catalog().Databases() {
		objects = append(objects, permission.ADatabase(d.ID))
		for tb := range g.Catalog().Tables(d.ID) {
			objects = append(objects, permission.ATable(tb.ID))
		}
	}
	for c := range g.Collections() {
		objects = append(objects, permission.ACollection(c.ID))
	}
	yes = map[string]bool{}
	for u := range g.Users() {
		for r := permission.Administer; r <= permission.CurateCollection; r++ {
			for _, o := range objects {
				asked++
				if g.AccessOf(u.ID).Can(r, o) {
					yes[fmt.Sprintf("%d may %s %s", u.ID, r, o)] = true
				}
			}
		}
	}
	return yes, asked
}

func TestARestoredBackupAnswersEveryCheckAsTheOriginalDid(t *testing.T) {
	f, st := taken(t)
	populate(t, st)
	r := rand.New(rand.NewPCG(5, 1))
	for range 150 {
		must[*permission.Graph](t)(disturb(t.Context(), r, st))
	}
	digest := sha256.Sum256([]byte("token"))
	check(t, st.CreateSession(t.Context(), 1, digest[:], time.Now().Add(time.Hour)))
	// One writes permissions, one content, until the backups are there.
	write := func(i int) error {
		card, err := st.CreateCard(t.Context(), store.Actor{User: 1}, store.Card{Name: fmt.Sprint("Card ", i), Display: "table", Creator: 1,
			DatasetQuery: json.RawMessage(`{"database":1,"type":"query"}`), VisualizationSettings: json.RawMessage(`{}`)})
		if err == nil {
			_, err = st.CreateDashboard(t.Context(), store.Actor{User: 1}, store.Dashboard{Name: fmt.Sprint("Dashboard ", i), Creator: 1,
				Dashcards: []store.Dashcard{{ID: -1, Card: &card.ID, SizeX: 4, SizeY: 4}}})
		}
		return err
	}
	for i := range 5 {
		check(t, write(i))
	}
	graphs := []*permission.Graph{st.Graph()}
	done := make(chan struct{})
	var written atomic.Int64
	var writers sync.WaitGroup
	writers.Go(func() {
		for running(done) {
			g, err := disturb(t.Context(), r, st)
			if err != nil {
				t.Error(err)
				return
			}
			graphs = append(graphs, g)
			written.Add(1)
		}
	})
	writers.Go(func() {
		for i := 5; running(done); i++ {
			if err := write(i); err != nil {
				t.Error(err)
				return
			}
		}
	})
	dir := t.TempDir()
	var refusals []string
	for i := range 4 {
		for before := written.Load(); written.Load() < before+10 && !t.Failed(); {
			runtime.Gosched()
		}
		if code, said := command(t, nil, "backup", "--data", f.path, filepath.Join(dir, fmt.Sprint(i, ".tar.gz"))); code != 0 {
			refusals = append(refusals, said)
		}
	}
	close(done)
	writers.Wait()
	if len(refusals) > 0 {
		t.Fatal(refusals)
	}
	for range 50 { // and what the backups do not know of
		must[*permission.Graph](t)(disturb(t.Context(), r, st))
	}
	if got := entries(t, dir); len(got) != 4 {
		t.Errorf("beside the backups there is something: %v", got)
	}
	for _, name := range entries(t, dir) {
		archive := filepath.Join(dir, name)
		if got := mode(t, archive); got != 0o600 {
			t.Errorf("the backup has mode %o", got)
		}
		again := filepath.Join(t.TempDir(), "data")
		if said := succeeds(t, "restore", "--data", again, "--key", f.file(keyFile), archive); !strings.Contains(said, "ended 1 sessions") {
			t.Errorf("not said that a session ended: %s", said)
		}
		if got := entries(t, again); !slices.Equal(got, []string{keyFile, databaseFile}) {
			t.Errorf("the restored folder holds %v", got)
		}
		for name, want := range map[string]os.FileMode{"": 0o700, keyFile: 0o600, databaseFile: 0o600} {
			if got := mode(t, filepath.Join(again, name)); got != want {
				t.Errorf("restored %q has mode %o", name, got)
			}
		}
		restored := opened(t, again)
		answersAlike(t, graphs, restored.Graph())
		policiesAreTheGraphs(t, restored)
		contentIsWhole(t, restored, 5)
		if _, err := restored.SessionUser(t.Context(), digest[:]); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a session of before the restore is still good: %v", err)
		}
		if events := must[[]store.AuditEvent](t)(restored.AuditEvents(t.Context(), store.AuditQuery{Kind: "restore"})); len(events) != 1 {
			t.Errorf("the restore is recorded %d times", len(events))
		}
	}
}

// answersAlike demands that a restored graph is one of those that were current,
// and that it answers every check as that one does.
func answersAlike(t *testing.T, graphs []*permission.Graph, restored *permission.Graph) {
	t.Helper()
	same := slices.IndexFunc(graphs, func(g *permission.Graph) bool {
		return g.Revision() == restored.Revision() && g.CollectionRevision() == restored.CollectionRevision() && len(permission.Diff(g, restored)) == 0
	})
	if same < 0 {
		t.Fatalf("the restored graph (revision %d) is none of the %d that were current while the backups were made", restored.Revision(), len(graphs))
	}
	want, asked := answers(graphs[same])
	got, _ := answers(restored)
	for a := range want {
		if !got[a] {
			t.Errorf("no longer: %s", a)
		}
	}
	for a := range got {
		if !want[a] {
			t.Errorf("only since the restore: %s", a)
		}
	}
	if len(want) < 100 || len(want) > asked-100 {
		t.Errorf("%d of %d answers are yes: the graph is too plain to tell anything", len(want), asked)
	}
}

// policiesAreTheGraphs demands that every policy has an id of its own, and says
// what the graph says.
func policiesAreTheGraphs(t *testing.T, st *store.Store) {
	t.Helper()
	rows := must[[]store.SandboxRow](t)(st.Sandboxes(t.Context(), store.SandboxQuery{}))
	for i, row := range rows {
		if b := st.Graph().Sandbox(row.Group, row.Table); b == nil || !b.Policy.Equal(row.Policy) || row.ID <= 0 || i > 0 && row.ID == rows[i-1].ID {
			t.Errorf("policy %d is %+v, and in the graph %+v", row.ID, row.Sandbox, b)
		}
	}
	inGraph := 0
	for gr := range st.Graph().Groups() {
		for range st.Graph().Sandboxes(gr.ID) {
			inGraph++
		}
	}
	if inGraph != len(rows) || inGraph == 0 {
		t.Errorf("there are %d policies, and %d in the graph", len(rows), inGraph)
	}
}

// contentIsWhole demands that cards and dashboards are a beginning of what was
// written in order, with at least the first ones.
func contentIsWhole(t *testing.T, st *store.Store, least int) {
	t.Helper()
	cards := must[[]store.Card](t)(st.Cards(t.Context(), store.CardQuery{}))
	names := map[string]bool{}
	for _, c := range cards {
		names[c.Name] = true
	}
	for i := range max(least, len(cards)) {
		if !names[fmt.Sprint("Card ", i)] {
			t.Errorf("of %d cards number %d is missing", len(cards), i)
		}
	}
	dashboards := must[[]store.Dashboard](t)(st.Dashboards(t.Context(), store.DashboardQuery{}))
	if n := len(dashboards); n < least || n != len(cards) && n != len(cards)-1 {
		t.Errorf("%d dashboards beside %d cards", n, len(cards))
	}
	for _, d := range dashboards {
		if whole := must[store.Dashboard](t)(st.Dashboard(t.Context(), d.ID)); len(whole.Dashcards) != 1 {
			t.Errorf("%s has %d cards", d.Name, len(whole.Dashcards))
		}
	}
	if db := must[store.Database](t)(st.Database(t.Context(), 1)); !strings.Contains(string(db.Details), "hush") {
		t.Errorf("connection details: %s", db.Details)
	}
}

func running(done chan struct{}) bool {
	select {
	case <-done:
		return false
	default:
		return true
	}
}

func TestTheKeyIsInABackupOnlyWhenAskedFor(t *testing.T) {
	f, _ := taken(t)
	key := must[[]byte](t)(os.ReadFile(f.file(keyFile)))
	dir := t.TempDir()
	without, with := filepath.Join(dir, "without.tar"), filepath.Join(dir, "with.tar")
	succeeds(t, "backup", "--data", f.path, without)
	if said := succeeds(t, "backup", "--data", f.path, "--with-key", with); !strings.Contains(said, "warning") {
		t.Errorf("no warning: %s", said)
	}
	if bytes.Contains(must[[]byte](t)(os.ReadFile(without)), bytes.TrimSpace(key)) {
		t.Error("the key is in a backup that was made without it")
	}
	for _, c := range []struct {
		name, file string
		env, args  []string
		kept       bool
	}{
		{"from the backup", with, nil, nil, true},
		{"from a file", without, nil, []string{"--key", f.file(keyFile)}, true},
		{"from the environment", without, []string{"SLUICE_SECRET_KEY=" + string(key)}, nil, false},
		{"from everywhere", with, []string{"SLUICE_SECRET_KEY=" + string(key)}, []string{"--key", f.file(keyFile)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := t.TempDir() // an empty folder that is there
			if code, said := command(t, c.env, append([]string{"restore", "--data", to, c.file}, c.args...)...); code != 0 {
				t.Fatal(said)
			}
			kept, err := os.ReadFile(filepath.Join(to, keyFile))
			if c.kept != (err == nil) || c.kept && !bytes.Equal(kept, key) {
				t.Errorf("key in the folder: %d bytes, %v", len(kept), err)
			}
		})
	}
}

func TestASampleWarehouseThatSomebodyChangedIsKept(t *testing.T) {
	f, _ := taken(t)
	check(t, warehouse.WriteSample(f.file(sampleFile)))
	dir := t.TempDir()
	for name, want := range map[string][]string{"made.tar": {keyFile, databaseFile}, "changed.tar": {keyFile, sampleFile, databaseFile}} {
		if name == "changed.tar" {
			check(t, os.WriteFile(f.file(sampleFile), []byte("changed"), 0o600))
		} else {
			check(t, warehouse.WriteSample(f.file(sampleFile)))
		}
		succeeds(t, "backup", "--data", f.path, "--with-key", filepath.Join(dir, name))
		to := filepath.Join(t.TempDir(), "data")
		succeeds(t, "restore", "--data", to, filepath.Join(dir, name))
		if got := entries(t, to); !slices.Equal(got, want) {
			t.Errorf("%s gave %v, want %v", name, got, want)
		}
	}
}
