package api

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"pgregory.net/rapid"
)

// below draws a number from 0 to n-1, each as likely as the other: rapid's own
// ranges prefer small ones so much that rare things would never meet.
func below(t *rapid.T, n int, label string) int {
	v := 0
	for _, bit := range evenBits.Draw(t, label) {
		v *= 2
		if bit {
			v++
		}
	}
	return v * n / 256
}

var evenBits = rapid.SliceOfN(rapid.Bool(), 8, 8)

func anyOf[V any](t *rapid.T, label string, values ...V) V {
	return values[below(t, len(values), label)]
}

// drawWorld is a graph with a history of random levels, on a catalog in which
// tables come and go, and whose names need quoting.
func drawWorld(t *rapid.T, tt *testing.T) *graphWorld {
	cat := &catalog.Snapshot{}
	id := catalog.TableID(0)
	for db := range catalog.DatabaseID(1 + below(t, 3, "databases")) {
		cat = cat.WithDatabase(catalog.Database{ID: db + 1, Name: fmt.Sprint("db", db+1)})
		for range 2 + below(t, 9, "tables") {
			id++
			tb := catalog.Table{ID: id, Database: db + 1, Schema: anyOf[string](t, "schema", "", "public", "q\"<é>"),
				Name: anyOf[string](t, "name", "t", "Ü", "a b\\") + fmt.Sprint(id), Since: anyOf[catalog.Revision](t, "since", 0, 0, 2, 4)}
			if below(t, 6, "gone") == 0 {
				tb.Until = catalog.Revision(rapid.IntRange(int(tb.Since)+1, 5).Draw(t, "until"))
			}
			cat = cat.WithTable(tb, nil)
		}
	}
	changes := []permission.Change{permission.SetGroup{To: &permission.Group{ID: 1, Name: "All Users"}}, permission.SetGroup{To: &permission.Group{ID: 2, Name: "Administrators"}}}
	for id := range permission.GroupID(2) {
		changes = append(changes, permission.SetGroup{To: &permission.Group{ID: id + 5, Name: string('A' + rune(id)), Internal: below(t, 5, "internal") == 0}})
	}
	for db := range cat.Databases() {
		if below(t, 3, "strict") == 0 {
			changes = append(changes, permission.SetStrict{Database: db.ID, To: true})
		}
	}
	g, err := permission.New(cat).Apply(changes...)
	if err != nil {
		tt.Fatal(err)
	}
	w := &graphWorld{t: tt, history: []*permission.Graph{g}}
	for range 2 + below(t, 6, "revisions") {
		w.drawRevision(t)
	}
	return w
}

// drawRevision writes random levels and policies as the next revision.
func (w *graphWorld) drawRevision(t *rapid.T) {
	g := w.now()
	at := g.Revision() + 1
	for range 4 + below(t, 16, "writes") {
		c, ok := drawWrite(t, g, at)
		if !ok {
			continue
		}
		next, err := g.Apply(c)
		if err != nil {
			w.t.Fatalf("%s: %v", c, err)
		}
		g = next
	}
	w.history = append(w.history, g.WithRevisions(at, 0))
}

func drawWrite(t *rapid.T, g *permission.Graph, at catalog.Revision) (permission.Change, bool) {
	id := permission.GroupID(anyOf[int](t, "group", 1, 5, 6))
	db := anyOf(t, "database", slices.Collect(g.Catalog().Databases())...).ID
	scope, tables := permission.WholeDatabase(), slices.Collect(g.Catalog().Tables(db))
	if len(tables) > 0 {
		tb := anyOf(t, "table", tables...)
		switch below(t, 5, "depth") {
		case 0:
			scope = permission.WholeSchema(tb.Schema)
		case 1, 2:
			scope = permission.OneTable(tb.ID)
		case 3:
			if below(t, 4, "policy") == 0 {
				return permission.SetSandbox{From: g.Sandbox(id, tb.ID), To: &permission.Sandbox{Group: id, Table: tb.ID, At: at}}, true
			}
		}
	}
	k := permission.Kind(below(t, 5, "kind"))
	l := permission.Level(below(t, int(top(k))+1, "level"))
	switch {
	case k == permission.Details && scope.Depth != permission.OfDatabase,
		(k == permission.Create && l == permission.Native || k == permission.View && l == permission.Impersonated) && scope.Depth != permission.OfDatabase,
		k == permission.View && l == permission.Sandboxed && scope.Depth != permission.OfTable:
		return nil, false
	}
	to := permission.Cell{Set: true, Level: l, At: at, Wide: k == permission.View && l == permission.Unrestricted && scope.Depth == permission.OfTable && below(t, 2, "wide") == 0}
	if below(t, 6, "none") == 0 {
		to = permission.Cell{}
	}
	return permission.SetDataAccess{Group: id, Database: db, Kind: k, Scope: scope, From: g.Cell(id, db, k, scope), To: to}, true
}

// Every entry is emitted as the slow way emits it, byte for byte, whatever was
// emitted before.
func TestEveryEntryIsEmittedAsItIs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		for _, g := range w.history {
			// An old graph is emitted of the catalog that there is now.
			if below(rt, 4, "dropped") == 0 {
				g = g.WithCatalog(g.Catalog().WithoutDatabase(1))
			}
			m := newEmitter(g)
			for gr := range g.Groups() {
				for db := range w.now().Catalog().Databases() {
					for _, d := range []dialect{both, split, seed} {
						want := ""
						if e := (slowEmitter{g}).entry(gr.ID, db.ID, d); e != nil {
							want = string(e.append(nil))
						}
						m.read(gr.ID, db.ID)
						if got := string(m.say().in(d, nil)); got != want {
							rt.Fatalf("revision %d, group %d, database %d, %s:\n%s\nwant\n%s", g.Revision(), gr.ID, db.ID, d, got, want)
						}
					}
				}
			}
		}
		var groups []string
		for gr := range w.now().Groups() {
			groups = append(groups, fmt.Sprintf("%q:%s", groupKey(gr.ID), (slowEmitter{w.now()}).group(gr.ID, both).append(nil)))
		}
		if got, want := string(w.text(both)), fmt.Sprintf(`{"revision":%d,"complete":"both","groups":{%s}}`, w.now().Revision(), strings.Join(groups, ",")); got != want {
			rt.Fatalf("the whole graph is\n%s\nwant\n%s", got, want)
		}
	})
}

// A body that comes in whatever pieces, with its members in whatever order and
// written in whatever way, begun at whatever revision, does what it does when
// it is read whole.
func TestAStreamedBodyDoesWhatItDoesWhenReadWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		base := anyOf(rt, "base", w.history...)
		began := anyOf(rt, "began", w.history...)
		d := anyOf[dialect](rt, "dialect", both, split, seed)
		body := drawBody(rt, at(t, base).whole(d), at(t, anyOf(rt, "other", w.history...)).whole(d))
		mode := anyOf[string](rt, "mode", "", "", "partial", "complete")
		whole := &graphWorld{t: t, history: slices.Clone(w.history)}
		want := whole.putWhole(began, mode, body)
		got := w.putFrom(began, mode, drawPieces(rt, body))
		if !sameSaid(got, want) {
			rt.Fatalf("%s\nsaid %s\nwant %s", body, got, want)
		}
		if changes := permission.Diff(whole.now(), w.now()); len(changes) > 0 {
			rt.Fatalf("%s\nread whole, it is otherwise: %v", body, changes)
		}
	})
}

// sameSaid compares what was said but for the order of the warnings: entries
// that are the same in the graph in which the body began and not in its base
// are looked at last.
func sameSaid(a, b string) bool {
	lines := func(s string) []string { return slices.Sorted(strings.Lines(s)) }
	return slices.Equal(lines(a), lines(b))
}

// drawBody changes what was read here and there, among it to what was read at
// another time, and writes it in the way of some client.
func drawBody(t *rapid.T, m, other map[string]any) string {
	groups := m["groups"].(map[string]any)
	for range below(t, 4, "changes") {
		drawChange(t, groups)
	}
	for range below(t, 4, "returns") {
		id := anyOf(t, "group", "1", "5", "6")
		of, _ := groups[id].(map[string]any)
		was, _ := other["groups"].(map[string]any)[id].(map[string]any)
		if db := fmt.Sprint(1 + below(t, 3, "database")); of != nil && was[db] != nil {
			of[db] = was[db]
		}
	}
	if below(t, 3, "keeps complete") == 0 {
		delete(m, "complete")
	}
	if below(t, 10, "forces") == 0 {
		m["force"] = true
	}
	space := anyOf[string](t, "space", "", "", " ", "\n\t")
	var members []string
	for _, key := range rapid.Permutation(slices.Sorted(maps.Keys(m))).Draw(t, "order") {
		members = append(members, fmt.Sprintf("%q:%s%s", key, space, written(t, m[key], space)))
	}
	return "{" + space + strings.Join(members, ","+space) + space + "}"
}

// written writes a value with its keys in the order of numbers first, as
// JavaScript does, or of texts, or in none.
func written(t *rapid.T, v any, space string) string {
	of, ok := v.(map[string]any)
	if !ok {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	keys := slices.Sorted(maps.Keys(of))
	switch below(t, 6, "keys") {
	case 0, 1, 2, 3:
		slices.SortStableFunc(keys, func(a, b string) int {
			n, _ := strconv.Atoi(a)
			m, _ := strconv.Atoi(b)
			return n - m
		})
	case 4:
		keys = rapid.Permutation(keys).Draw(t, "shuffled")
	}
	var members []string
	for _, key := range keys {
		name, _ := json.Marshal(key)
		members = append(members, string(name)+":"+space+written(t, of[key], space))
	}
	return "{" + strings.Join(members, ","+space) + "}"
}

// drawChange changes something somewhere in a tree.
func drawChange(t *rapid.T, in map[string]any) {
	keys := append(slices.Sorted(maps.Keys(in)), "1", "5", "99", "public", "view-data", "schemas")
	key := anyOf(t, "key", keys...)
	if sub, ok := in[key].(map[string]any); ok && below(t, 5, "deeper") > 0 {
		drawChange(t, sub)
		return
	}
	switch below(t, 7, "change") {
	case 0:
		delete(in, key)
	case 1:
		in[key] = nil
	case 2:
		in[key] = map[string]any{}
	case 3:
		in[key] = map[string]any{"schemas": "all"}
	default:
		in[key] = anyOf[any](t, "word", "unrestricted", "blocked", "query-builder", "query-builder-and-native", "all", "sandboxed", "full", "no", "none", "write", 3, []any{})
	}
}

// drawPieces is a text that comes in random pieces.
func drawPieces(t *rapid.T, text string) io.Reader {
	switch below(t, 4, "pieces") {
	case 0:
		return iotest.OneByteReader(strings.NewReader(text))
	case 1:
		return iotest.DataErrReader(strings.NewReader(text))
	}
	var pieces []io.Reader
	for len(text) > 0 {
		n := rapid.IntRange(1, len(text)).Draw(t, "piece")
		pieces = append(pieces, strings.NewReader(text[:n]))
		text = text[n:]
	}
	return io.MultiReader(pieces...)
}
