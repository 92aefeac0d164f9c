package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"reflect"
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"pgregory.net/rapid"
)

// drawCollections is a history of collection graphs: collections come and go,
// some are personal, and levels change.
func drawCollections(t *rapid.T, tt *testing.T) []*permission.Graph {
	g := permission.New(nil).WithRevisions(0, 0)
	apply := func(c permission.Change) {
		next, err := g.Apply(c)
		if err != nil {
			tt.Fatalf("%s: %v", c, err)
		}
		g = next
	}
	for _, id := range []permission.GroupID{1, 2, 5, 6} {
		apply(permission.SetGroup{To: &permission.Group{ID: id, Name: fmt.Sprint("g", id)}})
	}
	apply(permission.SetUser{To: &permission.User{ID: 10, Name: "ann", Active: true}})
	history := []*permission.Graph{g}
	for revision := range int64(2 + below(t, 5, "revisions")) {
		for range below(t, 8, "writes") {
			id := permission.CollectionID(below(t, 7, "collection"))
			node := g.Collection(id)
			if id != permission.Root && (node == nil || below(t, 4, "goes") == 0) {
				to := &permission.CollectionNode{ID: id, Name: "c", Owner: anyOf[permission.UserID](t, "owner", 0, 0, 0, 10)}
				if node != nil {
					to = nil
					for gr := range g.Groups() {
						if cell := g.CollectionLevel(gr.ID, id); cell.Set {
							apply(permission.SetCollectionAccess{Group: gr.ID, Collection: id, From: cell})
						}
					}
				}
				apply(permission.SetCollection{From: node, To: to})
				continue
			}
			if node != nil && node.Owner != 0 {
				continue
			}
			group := anyOf[permission.GroupID](t, "group", 1, 5, 6)
			l := permission.Level(below(t, 3, "level"))
			apply(permission.SetCollectionAccess{Group: group, Collection: id, From: g.CollectionLevel(group, id), To: permission.Cell{Set: l != permission.None, Level: l}})
		}
		g = g.WithRevisions(0, revision+1)
		history = append(history, g)
	}
	return history
}

// slowPairs turns a whole tree into edits: each pair is compared with what is
// emitted of its group.
func slowPairs(base *permission.Graph, groups *tree) ([]permission.CollectionEdit, error) {
	var edits []permission.CollectionEdit
	for _, b := range groups.kids {
		path := "groups." + b.key
		id, ok := number(b.key)
		if !ok {
			return nil, graphError(path, "a group's key must be its id, a positive number")
		}
		if !b.tree.isObject() && !b.tree.null {
			return nil, graphError(path, "a group must be an object by collection, not %q", b.tree.word)
		}
		rec := httptest.NewRecorder()
		err := graphAnswer{}.streamed(func(o *graphOut) error { return o.pairs(base, permission.GroupID(id), nil) })(rec)
		var answer struct{ Groups map[string]map[string]string }
		if err := errors.Join(err, json.Unmarshal(rec.Body.Bytes(), &answer)); err != nil {
			return nil, err
		}
		emitted := answer.Groups[b.key]
		for _, pair := range b.tree.kids {
			at := path + "." + pair.key
			c, ok := collectionKey(pair.key)
			switch {
			case !ok:
				return nil, graphError(at, "a collection's key must be its id or \"root\"")
			case pair.tree.isObject():
				return nil, graphError(at, "must be \"write\", \"read\" or \"none\"")
			}
			l, err := word(at, permission.Collection, pair.tree)
			if err != nil {
				return nil, err
			}
			was := permission.None
			if w, there := emitted[pair.key]; there {
				was, _ = permission.Collection.Parse(w)
			}
			if l != was {
				edits = append(edits, permission.CollectionEdit{Group: permission.GroupID(id), Collection: c, Level: l})
			}
		}
	}
	return edits, nil
}

// A body of the collection graph that comes in pieces, begun at whatever
// revision, makes the edits that it makes when it is read whole.
func TestAStreamedBodyOfCollectionsDoesWhatItDoesWhenReadWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		history := drawCollections(rt, t)
		base, began := anyOf(rt, "base", history...), anyOf(rt, "began", history...)
		rec := httptest.NewRecorder()
		err := graphAnswer{Revision: base.CollectionRevision()}.streamed(func(o *graphOut) error { return o.allPairs(base, nil) })(rec)
		var m map[string]any
		if err := errors.Join(err, json.Unmarshal(rec.Body.Bytes(), &m)); err != nil {
			rt.Fatal(err)
		}
		groups := m["groups"].(map[string]any)
		for range below(rt, 5, "changes") {
			group, key := anyOf(rt, "group", "1", "2", "5", "6", "05", "99"), anyOf(rt, "key", "root", "1", "2", "3", "4", "5", "6", "77", "x")
			of, _ := groups[group].(map[string]any)
			switch change := below(rt, 12, "change"); {
			case change == 0:
				groups[group] = anyOf[any](rt, "odd", nil, "read", map[string]any{})
			case of == nil:
			case change == 1:
				delete(of, key)
			default:
				of[key] = anyOf[any](rt, "word", "read", "write", "none", "read", "write", "none", nil, "owner", map[string]any{})
			}
		}
		text := written(rt, map[string]any{"groups": groups, "revision": m["revision"]}, anyOf(rt, "space", "", " "))
		body := &collectionGraphBody{heard: &heardPairs{than: began}}
		if err := readMembers(drawPieces(rt, text), body, body.heard.read); err != nil {
			rt.Fatalf("%s: %v", text, err)
		}
		body.heard.against(base)
		got, gotErr := body.heard.edits()
		whole := &collectionGraphBody{}
		if err := decodeJSON([]byte(text), reflect.ValueOf(whole).Elem()); err != nil {
			rt.Fatal(err)
		}
		want, wantErr := slowPairs(base, whole.Groups)
		sort := func(edits []permission.CollectionEdit) []permission.CollectionEdit {
			slices.SortFunc(edits, func(a, b permission.CollectionEdit) int {
				return int(a.Group-b.Group)*1000 + int(a.Collection-b.Collection)
			})
			return edits
		}
		if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) || gotErr == nil && !slices.Equal(sort(got), sort(want)) {
			rt.Fatalf("%s\nas it comes: %v, %v\nread whole:  %v, %v", text, got, gotErr, want, wantErr)
		}
	})
}
