package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/tools/txtar"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

var updateGraphs = flag.Bool("update-graphs", false, "rewrite the expected sections of testdata/graph")

// graphWorld is a graph with its history, without a store: databases 1 shop
// (tables of no schema), 2 crm (two schemas) and 3 tenants (strict); groups 5
// A and 6 B with the people 10 ann (A), 11 bob (A, B) and 12 root (an
// administrator).
type graphWorld struct {
	t       *testing.T
	history []*permission.Graph
	texts   texts
}

func newGraphWorld(t *testing.T) *graphWorld {
	cat := &catalog.Snapshot{}
	for i, name := range []string{"shop", "crm", "tenants"} {
		cat = cat.WithDatabase(catalog.Database{ID: catalog.DatabaseID(i + 1), Name: name, Engine: "sqlite"})
	}
	for _, tb := range []catalog.Table{
		{ID: 1, Database: 1, Name: "orders"}, {ID: 2, Database: 1, Name: "people"}, {ID: 3, Database: 1, Name: "products"},
		{ID: 11, Database: 2, Schema: "public", Name: "customers"}, {ID: 12, Database: 2, Schema: "public", Name: "deals"},
		{ID: 21, Database: 2, Schema: "sales", Name: "leads"}, {ID: 22, Database: 2, Schema: "sales", Name: "Leads"},
		{ID: 31, Database: 3, Schema: "public", Name: "invoices"}, {ID: 32, Database: 3, Schema: "public", Name: "rates"},
	} {
		cat = cat.WithTable(tb, nil)
	}
	changes := []permission.Change{
		permission.SetGroup{To: &permission.Group{ID: 1, Name: "All Users"}},
		permission.SetGroup{To: &permission.Group{ID: 2, Name: "Administrators"}},
		permission.SetGroup{To: &permission.Group{ID: 5, Name: "A"}},
		permission.SetGroup{To: &permission.Group{ID: 6, Name: "B"}},
		permission.SetStrict{Database: 3, To: true},
		permission.SetTableMark{Table: 32, To: permission.TableMark{Shared: true}},
	}
	for id, name := range map[permission.UserID]string{10: "ann", 11: "bob", 12: "root"} {
		changes = append(changes, permission.SetUser{To: &permission.User{ID: id, Name: name, Active: true}},
			permission.SetMembership{User: id, Group: 1, To: true})
	}
	for _, m := range [][2]int64{{10, 5}, {11, 5}, {11, 6}, {12, 2}} {
		changes = append(changes, permission.SetMembership{User: permission.UserID(m[0]), Group: permission.GroupID(m[1]), To: true})
	}
	g, err := permission.New(cat).Apply(changes...)
	if err != nil {
		t.Fatal(err)
	}
	return &graphWorld{t: t, history: []*permission.Graph{g}}
}

func (w *graphWorld) now() *permission.Graph { return w.history[len(w.history)-1] }

// put does what PUT /api/permissions/graph does and returns what it would
// have said: "revision N" with the warnings, or the error.
func (w *graphWorld) put(mode, body string) string {
	return w.putFrom(w.now(), mode, strings.NewReader(body))
}

// putFrom is put of a body that began to come when the graph was another.
func (w *graphWorld) putFrom(began *permission.Graph, mode string, body io.Reader) string {
	b := &graphBody{heard: newHeard(began)}
	if err := readMembers(body, b, b.heard.read); err != nil {
		return describeError(err)
	}
	return w.merge(began, mode, b, func(r *request, base *permission.Graph, complete dialect) ([]permission.Edit, error) {
		b.heard.against(base)
		return b.heard.edits(r, w.now(), complete)
	})
}

// putWhole is putFrom of a body that is read whole.
func (w *graphWorld) putWhole(began *permission.Graph, mode, body string) string {
	b, err := readWhole(body)
	if err != nil {
		return describeError(err)
	}
	return w.merge(began, mode, b, func(r *request, base *permission.Graph, complete dialect) ([]permission.Edit, error) {
		return slowEdits(r, base, w.now(), b.Groups, complete)
	})
}

func (w *graphWorld) merge(began *permission.Graph, mode string, b *graphBody, decide func(*request, *permission.Graph, dialect) ([]permission.Edit, error)) string {
	complete, err := completeness(mode, b.Complete)
	if err != nil {
		return describeError(err)
	}
	hr := httptest.NewRequest("PUT", "/api/permissions/graph", nil)
	hr.Header.Set("Accept", "application/problem+json")
	r := &request{http: hr}
	base, err := r.base(b.Revision, b.Force, began, w.now(), dataRevision, func(n int64) (*permission.Graph, error) { return w.history[n], nil })
	if err != nil {
		return describeError(err)
	}
	edits, err := decide(r, base, complete)
	if err != nil {
		return describeError(err)
	}
	if b.Force {
		base = w.now()
	}
	changes, warnings, err := r.merge(base, w.now(), edits)
	if err != nil {
		return describeError(err)
	}
	g, err := w.now().Apply(changes...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.history = append(w.history, g.WithRevisions(g.Revision()+1, 0))
	out := fmt.Sprintf("revision %d\n", w.now().Revision())
	for _, x := range warnings {
		out += x.Message + "\n"
	}
	return out
}

func describeError(err error) string {
	var (
		asMessage message
		asFailed  failed
	)
	switch {
	case errors.As(err, &asMessage):
		return fmt.Sprintf("%d %s\n", asMessage.status, asMessage.text)
	case errors.As(err, &asFailed):
		m := asFailed.body.(map[string]any)
		return fmt.Sprintf("%d %s %v\n", asFailed.status, m["detail"], m["conflicts"])
	}
	return err.Error() + "\n"
}

// deleteGroup takes a group away with all that it has.
func (w *graphWorld) deleteGroup(key string) {
	n, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		w.t.Fatal(err)
	}
	g, id := w.now(), permission.GroupID(n)
	var changes []permission.Change
	for u := range g.Members(id) {
		changes = append(changes, permission.SetMembership{User: u, Group: id, From: true})
	}
	for db := range g.Entries(id) {
		for k := permission.View; k < permission.Collection; k++ {
			for s, c := range g.Cells(id, db, k) {
				changes = append(changes, permission.SetDataAccess{Group: id, Database: db, Kind: k, Scope: s, From: c})
			}
		}
	}
	if g, err = g.Apply(append(changes, permission.SetGroup{From: g.Group(id)})...); err != nil {
		w.t.Fatal(err)
	}
	w.history = append(w.history, g.WithRevisions(g.Revision()+1, 0))
}

// get is what GET /api/permissions/graph says of the groups but 1 and 2.
func (w *graphWorld) get(d dialect) string {
	var b strings.Builder
	for gr := range w.now().Groups() {
		m := newEmitter(w.now())
		for db := range m.entries(gr.ID) {
			if text := m.say().in(d, nil); len(text) > 0 && gr.ID != permission.Administrators {
				fmt.Fprintf(&b, "%d/%d %s\n", gr.ID, db, text)
			}
		}
	}
	return b.String()
}

// text is the answer of GET, which must be the same whether or not anything of
// it is remembered.
func (w *graphWorld) text(d dialect) []byte {
	g := w.now()
	var answers [2][]byte
	for i, known := range []*texts{&w.texts, {}} {
		rec := httptest.NewRecorder()
		err := graphAnswer{Revision: int64(g.Revision()), Complete: d}.streamed(func(o *graphOut) error { return o.all(g, d, known) })(rec)
		if err != nil {
			w.t.Fatal(err)
		}
		answers[i] = rec.Body.Bytes()
	}
	if !bytes.Equal(answers[0], answers[1]) {
		w.t.Fatalf("what is remembered is\n%s\nand now it would be\n%s", answers[0], answers[1])
	}
	return answers[0]
}

// whole is the whole graph as a client reads it.
func (w *graphWorld) whole(d dialect) map[string]any {
	data := w.text(d)
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		w.t.Fatal(err)
	}
	return m
}

// Each file is a run of steps. "put", "put force" ... sends its section as the
// body; "get", "get split", "get seed" reads; "rewrite" reads the whole graph,
// changes it as its lines say (delete 5/1, or 5/1 = JSON) and writes it back,
// as the seeds' program does; "delete 6" takes a group away; the section "said" after a step holds what the
// server said.
func TestTheGraphOnTheWire(t *testing.T) {
	files, err := filepath.Glob("testdata/graph/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			w, said := newGraphWorld(t), ""
			for i, f := range archive.Files {
				words := strings.Fields(f.Name)
				switch words[0] {
				case "put":
					mode := ""
					if len(words) > 1 {
						mode = words[1]
					}
					said = w.put(mode, string(f.Data))
				case "get":
					d := both
					if len(words) > 1 {
						d = dialect(words[1])
					}
					said = w.get(d)
				case "rewrite":
					d := both
					if len(words) > 1 {
						d = dialect(words[1])
					}
					said = w.put("", rewrite(t, w.whole(d), string(f.Data)))
				case "delete":
					w.deleteGroup(words[1])
				case "said":
					if *updateGraphs {
						archive.Files[i].Data = []byte(said)
					} else if said != string(f.Data) {
						t.Errorf("section %d said\n%swant\n%s", i, said, f.Data)
					}
				default:
					t.Fatalf("section %q: no such step", f.Name)
				}
			}
			w.roundTrips()
			if *updateGraphs {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func rewrite(t *testing.T, graph map[string]any, lines string) string {
	groups := graph["groups"].(map[string]any)
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		key, is, _ := strings.Cut(strings.TrimPrefix(line, "delete "), " = ")
		group, db, _ := strings.Cut(key, "/")
		of, _ := groups[group].(map[string]any)
		switch {
		case strings.HasPrefix(line, "delete ") && db == "":
			delete(groups, group)
		case strings.HasPrefix(line, "delete "):
			delete(of, db)
		case line != "":
			var v any
			if err := json.Unmarshal([]byte(is), &v); err != nil {
				t.Fatal(line, err)
			}
			of[db] = v
		}
	}
	data, err := json.Marshal(graph)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// roundTrips writes back what is read, in every dialect and mode: nothing may
// change.
func (w *graphWorld) roundTrips() {
	w.t.Helper()
	for _, d := range []dialect{both, split, seed} {
		for _, mode := range []string{"", "partial", "complete"} {
			before := w.now()
			data, _ := json.Marshal(w.whole(d))
			said := w.put(mode, string(data))
			if want := fmt.Sprintf("revision %d\n", before.Revision()+1); said != want {
				w.t.Errorf("writing back the %s graph, mode %q: %s", d, mode, said)
			}
			if changes := permission.Diff(before, w.now()); len(changes) > 0 {
				w.t.Errorf("writing back the %s graph, mode %q, changed %v", d, mode, changes)
			}
		}
	}
}

// FuzzGraphBody reads a body as it comes, a byte at a time, and whole; both
// must come to the same, and writing back what is read then changes nothing.
func FuzzGraphBody(f *testing.F) {
	files, _ := filepath.Glob("testdata/graph/*.txtar")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, section := range archive.Files {
			if strings.HasPrefix(section.Name, "put") {
				f.Add(section.Data)
			}
		}
	}
	for _, body := range []string{`{"groups":{"5":{"1":{},"1":{}}},"revision":0}`, `{"groups":{"5":{},"5":null}}`, `{"groups":{"5":{"1":"\ud800"}}}`, `{"revision":0,"groups":{"2":{"1":null}},"complete":"seed","force":"x"}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if bytes.Contains(body, []byte(`"revision"`)) && !bytes.Contains(body, []byte(`"revision":0`)) {
			return
		}
		w, whole := newGraphWorld(t), newGraphWorld(t)
		got, want := w.putFrom(w.now(), "", iotest.OneByteReader(bytes.NewReader(body))), whole.putWhole(whole.now(), "", string(body))
		refused := func(said string) bool {
			return strings.HasPrefix(said, "400") || strings.HasPrefix(said, "invalid request")
		}
		switch {
		case got == want, refused(got) && strings.HasPrefix(want, "invalid request"):
		case !jsontext.Value(body).IsValid() && refused(got):
			// What is no JSON, or has a key twice: it is refused, in other words.
		default:
			t.Errorf("%q\nas it comes: %s\nread whole:  %s", body, got, want)
		}
		w.roundTrips()
	})
}
