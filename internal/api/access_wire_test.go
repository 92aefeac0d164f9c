package api

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/permission/accesscase"
)

// TestCasesOnTheWire: every situation of testdata/access is read as a client
// reads it and written back, which changes nothing; what a group has, read and
// written for a group that has nothing, gives the same answers; and a write
// that a case has in words and as a body comes out the same both ways.
func TestCasesOnTheWire(t *testing.T) {
	files, err := filepath.Glob("../../testdata/access/*.txtar")
	if err != nil || len(files) < 60 {
		t.Fatalf("there are %d case files: %v", len(files), err)
	}
	copied, puts := 0, 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := accesscase.Parse(file, data)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(c.Name, func(t *testing.T) {
			w := newWire(t, c)
			for i := range c.Steps {
				s := &c.Steps[i]
				if s.Put != nil {
					w.puts(s)
					puts++
				}
				w.write(s)
				w.ask(s, w.graph, "")
				at(t, w.graph).roundTrips()
				w.collectionsRoundTrip()
				copied += w.copies(s)
			}
		})
	}
	if copied < 100 || puts < 15 {
		t.Errorf("%d entries were copied and %d bodies put; want at least 100 and 15", copied, puts)
	}
}

// at is a server, without a store, whose graph is g at its revision.
func at(t *testing.T, g *permission.Graph) *graphWorld {
	history := make([]*permission.Graph, g.Revision()+1)
	history[g.Revision()] = g
	return &graphWorld{t: t, history: history}
}

// wire is a case on the wire.
type wire struct {
	t     *testing.T
	c     *accesscase.Case
	graph *permission.Graph
	world *accesscase.World
}

func newWire(t *testing.T, c *accesscase.Case) *wire {
	g, world, err := c.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return &wire{t, c, g, world}
}

// write makes the writes of a step that it has in words.
func (w *wire) write(s *accesscase.Step) {
	w.t.Helper()
	g, _, err := w.c.Write(s, w.graph, w.world)
	if err != nil {
		w.t.Fatal(err)
	}
	w.graph = g
}

// ask compares what a step expects with what a graph says.
func (w *wire) ask(s *accesscase.Step, g *permission.Graph, how string) {
	w.t.Helper()
	for _, err := range w.c.Check(s, g, w.world) {
		w.t.Errorf("%s%v", how, err)
	}
}

// puts sends the body of a step. Refused, it changes nothing; taken, what the
// step expects is so, as it is by the words beside it. A step that is a body
// alone and is taken leads on from there.
func (w *wire) puts(s *accesscase.Step) {
	w.t.Helper()
	revision := int64(w.graph.Revision())
	if s.Put.Graph == "collections" {
		revision = w.graph.CollectionRevision()
	}
	body, err := w.world.Fill(s.Put.Body, revision)
	if err != nil {
		w.t.Fatalf("line %d: %v", s.Put.Line, err)
	}
	after, said := w.send(s.Put, body)
	for _, text := range s.Put.Mention {
		if !strings.Contains(said, text) {
			w.t.Errorf("line %d: the answer is %q and does not mention %q", s.Put.Line, said, text)
		}
	}
	if s.Put.Status >= 400 {
		if after != nil || !strings.HasPrefix(said, fmt.Sprint(s.Put.Status, " ")) {
			w.t.Errorf("line %d: the answer is %q, want status %d", s.Put.Line, said, s.Put.Status)
		}
		return
	}
	if after == nil {
		w.t.Fatalf("line %d: the body is refused: %s", s.Put.Line, said)
	}
	w.ask(s, after, "as a body: ")
	if len(s.Write) == 0 {
		w.graph = after
	}
}

// send puts a body and returns the graph after it, or nil, and what was said.
func (w *wire) send(p *accesscase.Put, body string) (*permission.Graph, string) {
	w.t.Helper()
	if p.Query != "" {
		w.t.Fatalf("line %d: a PUT with a query is not tried here", p.Line)
	}
	if p.Graph == "data" {
		server := at(w.t, w.graph)
		said := server.put("", body)
		if server.now() == w.graph {
			return nil, said
		}
		return server.now(), said
	}
	b := &collectionGraphBody{heard: &heardPairs{than: w.graph}}
	if err := readMembers(strings.NewReader(body), b, b.heard.read); err != nil {
		return nil, describeError(err)
	}
	hr := httptest.NewRequest("PUT", "/api/collection/graph", nil)
	hr.Header.Set("Accept", "application/problem+json")
	r := &request{http: hr}
	base, err := r.base(b.Revision, b.Force, w.graph, w.graph, (*permission.Graph).CollectionRevision, nil)
	if err != nil {
		return nil, describeError(err)
	}
	edits, err := b.heard.edits()
	if err != nil {
		return nil, describeError(err)
	}
	changes, err := r.mergeCollections(base, w.graph, edits)
	if err != nil {
		return nil, describeError(err)
	}
	g, err := w.graph.Apply(changes...)
	if err != nil {
		w.t.Fatal(err)
	}
	return g.WithRevisions(g.Revision(), g.CollectionRevision()+1), ""
}

// collectionsRoundTrip writes the collection graph back: nothing may change.
func (w *wire) collectionsRoundTrip() {
	w.t.Helper()
	rec := httptest.NewRecorder()
	err := graphAnswer{Revision: w.graph.CollectionRevision()}.streamed(func(o *graphOut) error { return o.allPairs(w.graph, nil) })(rec)
	if err != nil {
		w.t.Fatal(err)
	}
	heard := &heardPairs{than: w.graph}
	if err := readMembers(rec.Body, &collectionGraphBody{}, heard.read); err != nil {
		w.t.Fatal(err)
	}
	if edits, err := heard.edits(); err != nil || len(edits) > 0 {
		w.t.Errorf("writing back the collection graph makes %v, %v", edits, err)
	}
}

// copies takes from each group what it has in each database and writes there
// what was read before: the answers must be the same. Entries under which
// tables wait are left out, since writing one anew decides about them.
func (w *wire) copies(s *accesscase.Step) (copied int) {
	w.t.Helper()
	for gr := range w.graph.Groups() {
		for db := range w.graph.Entries(gr.ID) {
			if len(w.graph.Pending(gr.ID, db)) > 0 {
				continue
			}
			for _, d := range w.dialects(gr.ID, db) {
				m := newEmitter(w.graph)
				m.read(gr.ID, db)
				entry := m.say().in(d, nil)
				if len(entry) == 0 {
					continue
				}
				emptied := at(w.t, w.emptied(gr.ID, permission.Edge{Group: gr.ID, Database: db}))
				body := fmt.Appendf(nil, `{"revision":%d,"groups":{"%d":{"%d":`, w.graph.Revision(), gr.ID, db)
				body = append(append(body, entry...), "}}}"...)
				if said := emptied.put("", string(body)); !strings.HasPrefix(said, "revision") {
					w.t.Errorf("group %q, what was read is refused: %s\n%s", gr.Name, body, said)
					continue
				}
				copied++
				w.ask(s, emptied.now(), fmt.Sprintf("group %q, read and written where there was nothing (%s): ", gr.Name, d))
			}
		}
	}
	return copied
}

// dialects are the forms in which an entry can be copied. Where a wide level
// is closed by something that stays when the entry goes - a strict database, a
// policy - the seeds' form says "all", for which the split form has no word: a
// body that changes both is refused.
func (w *wire) dialects(id permission.GroupID, db catalog.DatabaseID) []dialect {
	for s, c := range w.graph.Cells(id, db, permission.View) {
		if c.Wide && w.graph.Strict(db) {
			return []dialect{split}
		}
		for p := range w.graph.Sandboxes(id) {
			if s.Depth != permission.OfTable && c.Level == permission.Unrestricted && w.graph.Level(id, db, permission.View, permission.OneTable(p.Table)) == permission.Unrestricted {
				return []dialect{split}
			}
		}
	}
	return []dialect{both, split}
}

// emptied is the graph without what is written for a group in a database.
func (w *wire) emptied(id permission.GroupID, at permission.Edge) *permission.Graph {
	w.t.Helper()
	var changes []permission.Change
	for k := permission.View; k <= permission.Details; k++ {
		for s, c := range w.graph.Cells(id, at.Database, k) {
			changes = append(changes, permission.SetDataAccess{Group: id, Database: at.Database, Kind: k, Scope: s, From: c})
		}
	}
	g, err := w.graph.Apply(changes...)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}
