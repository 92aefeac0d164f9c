package api

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"pgregory.net/rapid"
)

// drawStep is a graph after another one in which anything has changed that an
// administrator, a sync or a program changes.
func drawStep(t *rapid.T, w *graphWorld) *permission.Graph {
	g := w.now()
	next := g.Revision() + 1
	apply := func(c permission.Change) *permission.Graph {
		n, err := g.Apply(c)
		if err != nil {
			w.t.Fatalf("%s: %v", c, err)
		}
		return n.WithRevisions(next, 0)
	}
	tables := slices.Collect(g.Catalog().Tables(1))
	switch below(t, 9, "step") {
	case 0:
		db := anyOf(t, "database", slices.Collect(g.Catalog().Databases())...).ID
		return apply(permission.SetStrict{Database: db, From: g.Strict(db), To: !g.Strict(db)})
	case 1:
		tb := anyOf(t, "table", tables...)
		m := g.Mark(tb.ID)
		return apply(permission.SetTableMark{Table: tb.ID, From: m, To: permission.TableMark{Governed: m.Governed, Shared: !m.Shared}})
	case 2:
		gr := g.Group(anyOf[permission.GroupID](t, "group", 5, 6))
		to := *gr
		to.Internal = !gr.Internal
		return apply(permission.SetGroup{From: gr, To: &to})
	case 3: // a table that comes, or came under another name
		tb := *anyOf(t, "table", tables...)
		if below(t, 2, "comes") == 0 {
			tb.ID, tb.Since = 1000+catalog.TableID(next), next
		}
		tb.Name += "*"
		return g.WithCatalog(g.Catalog().WithTable(tb, nil)).WithRevisions(next, 0)
	case 4: // a table that goes
		tb := *anyOf(t, "table", tables...)
		if tb.Active() {
			tb.Until = next
		}
		return g.WithCatalog(g.Catalog().WithTable(tb, nil)).WithRevisions(next, 0)
	case 5: // a group that comes
		id := permission.GroupID(100 + next)
		return apply(permission.SetGroup{To: &permission.Group{ID: id, Name: fmt.Sprint("group ", id)}})
	default:
		w.drawRevision(t)
		return w.now()
	}
}

// Whatever changed meanwhile, in whatever order graphs are asked for, what is
// sent with text that was kept is what is made anew.
func TestTextThatWasKeptIsWhatItWouldBe(t *testing.T) {
	used := 0
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		// What is published knows nothing of tables in the future.
		w.history = []*permission.Graph{w.now().WithRevisions(10, 0)}
		for range 3 + below(rt, 8, "steps") {
			w.history = append(w.history, drawStep(rt, w))
		}
		var k keptText
		for i := range w.history {
			g := w.history[i]
			if below(rt, 5, "an old one") == 0 {
				g = anyOf(rt, "which", w.history[:i+1]...)
			}
			k.follow(g)
			used += k.bytes
			sum := 0
			for _, text := range k.texts {
				sum += len(text)
			}
			if sum != k.bytes {
				rt.Fatalf("%d bytes are kept and %d counted", sum, k.bytes)
			}
			if got, want := sentKept(rt, g, &k), string(at(t, g).text(both)); got != want {
				rt.Fatalf("kept:\n%s\nanew:\n%s", got, want)
			}
		}
	})
	if used == 0 {
		t.Error("no text was kept")
	}
}

func sentKept(t rapid.TB, g *permission.Graph, k *keptText) string {
	rec := httptest.NewRecorder()
	if err := (graphAnswer{Revision: int64(g.Revision()), Complete: both}).streamed(func(o *graphOut) error { return o.allKept(g, k) })(rec); err != nil {
		t.Fatal(err)
	}
	return rec.Body.String()
}

// What is kept has a bound, a large group is sent as it is made, and both come
// out right.
func TestTheTextThatIsKeptHasABound(t *testing.T) {
	s := largeWorld(t, 4000, 3)
	g := s.store.Graph()
	want := string(at(t, g).text(both))
	var k keptText
	for range 2 {
		if got := sentKept(t, g, &k); got != want {
			t.Fatalf("%d bytes differ from %d", len(got), len(want))
		}
	}
	if len(want) < 2*keptLargest || k.bytes > keptLargest {
		t.Errorf("of %d bytes %d are kept", len(want), k.bytes)
	}
	k.put(g, 900, make([]byte, keptMost-k.bytes))
	k.put(g, 901, []byte("more"))
	if k.get(g, 900) == nil || k.get(g, 901) != nil || k.bytes != keptMost {
		t.Errorf("%d bytes are kept", k.bytes)
	}
	k = keptText{}
	k.follow(g)
	other := g.WithRevisions(g.Revision(), 1)
	k.put(other, 5, []byte("text"))
	if k.bytes != 0 {
		t.Error("text of another graph was kept")
	}
	if k.put(g, 5, []byte("text")); k.get(g, 5) == nil || k.get(other, 5) != nil {
		t.Error("text was given for another graph, or not for its own")
	}
}
