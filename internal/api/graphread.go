package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// entryReader turns what a client sent for one group and database into edits:
// it compares it, leaf by leaf and form by form, with what the server emitted
// at the revision that the client had read. Only what differs is an edit.
type entryReader struct {
	base    *emitter
	current *permission.Graph
	// complete names the dialects whose leaves, where the body leaves them
	// out, are revoked; "" for none.
	complete dialect
	group    permission.GroupID
	db       catalog.DatabaseID
	edits    []permission.Edit
	omits    bool // whether leaving out revokes, in the form being read
	names    map[schemaOf]*tableNames
}

func newEntryReader(base, current *permission.Graph, complete dialect) *entryReader {
	return &entryReader{base: newEmitter(base), current: current, complete: complete, names: map[schemaOf]*tableNames{}}
}

// graphError is a mistake in a graph, with the place where it is.
func graphError(path, format string, args ...any) error {
	return message{http.StatusBadRequest, fmt.Sprintf("%s: %s", path, fmt.Sprintf(format, args...))}
}

// read returns the edits of an entry; nil for body is an entry left out.
func (r *entryReader) read(path string, body *tree) ([]permission.Edit, error) {
	baseSplit, baseSeed := r.base.tree(r.group, r.db, split), r.base.tree(r.group, r.db, seed)
	if body != nil && !body.isObject() && !body.null {
		return nil, graphError(path, "a database's entry must be an object, not %q", body.word)
	}
	if body == nil || len(body.kids) == 0 {
		return r.leftOut(baseSplit, baseSeed), nil
	}
	bodySplit, bodySeed, wrapped, err := forms(path, body)
	if err != nil {
		return nil, err
	}
	bySplit, err := r.split(path, baseSplit, bodySplit)
	if err != nil {
		return nil, err
	}
	bySeed, err := r.seed(path, baseSeed, bodySeed, wrapped)
	if err != nil {
		return nil, err
	}
	switch {
	case len(bySeed) == 0:
		return bySplit, nil
	case len(bySplit) == 0:
		return bySeed, nil
	case r.agree(bySplit, bySeed, bodySplit, bodySeed):
		return bySplit, nil
	}
	return nil, graphError(path, "the split form (%s) and the seed form (%s) both changed and disagree; change one of them",
		strings.Join(bodySplit.keys(), ", "), strings.Join(bodySeed.keys(), ", "))
}

// step is the place of a key below a path.
func step(path, key string) string {
	if key == "" || strings.ContainsAny(key, ". \"") {
		return fmt.Sprintf("%s[%q]", path, key)
	}
	return path + "." + key
}

func (t *tree) keys() []string {
	var keys []string
	for _, b := range t.kids {
		keys = append(keys, b.key)
	}
	return keys
}

// unchanged tells whether everything that the body says is what was emitted.
func (r *entryReader) unchanged(body *tree) bool {
	emitted := r.base.tree(r.group, r.db, both)
	for _, b := range body.kids {
		if !b.tree.equal(emitted.at(b.key)) {
			return false
		}
	}
	return true
}

// dropped tells whether the database is gone and the group had something on
// it: what was emitted then can no longer be told, since the tables are gone
// with it.
func (r *entryReader) dropped() bool {
	return r.current.Group(r.group) != nil && r.base.g.Sheet(r.group, r.db, &r.base.sheet)
}

// leftOut revokes what the complete dialects had emitted.
func (r *entryReader) leftOut(baseSplit, baseSeed *tree) []permission.Edit {
	r.edits = nil
	if r.complete.emits(split) && r.complete != "" {
		for i := range splitParts {
			k := &splitParts[i]
			if baseSplit.at(k.kind.String()) != nil {
				r.revoke(k.kind, permission.WholeDatabase())
			}
		}
	} else if r.complete == seed && len(baseSeed.kids) > 0 {
		r.revoke(permission.Create, permission.WholeDatabase())
		r.revoke(permission.View, permission.WholeDatabase())
	}
	return r.edits
}

// forms sorts the keys of an entry by the form they belong to.
func forms(path string, body *tree) (bySplit, bySeed *tree, wrapped bool, err error) {
	bySplit, bySeed = newTree(), newTree()
	for _, b := range body.kids {
		switch b.key {
		case keySchemas, keyNative:
			bySeed.put(b.key, b.tree)
		case keyData:
			if !b.tree.isObject() {
				return nil, nil, false, graphError(path+".data", "must be an object with schemas and native")
			}
			wrapped = true
		case "transforms", "workspaces":
			if !b.tree.null && !b.tree.is("no") {
				return nil, nil, false, graphError(path+"."+b.key, "there are none here; only \"no\" is possible")
			}
		default:
			if _, err := permission.ParseKind(b.key); err != nil || b.key == permission.Collection.String() {
				return nil, nil, false, graphError(path, "%q is not a key of a database's entry; these are: view-data, create-queries, download, data-model, details, schemas, native, data", b.key)
			}
			bySplit.put(b.key, b.tree)
		}
	}
	if wrapped {
		if len(bySeed.kids) > 0 {
			return nil, nil, false, graphError(path, "schemas and native stand both in the entry and in its data; send them once")
		}
		for _, b := range body.at(keyData).kids {
			if b.key != keySchemas && b.key != keyNative {
				return nil, nil, false, graphError(path+".data", "%q is not a key of data; these are: schemas, native", b.key)
			}
			bySeed.put(b.key, b.tree)
		}
	}
	return bySplit, bySeed, wrapped, nil
}

// agree tells whether two readings of one entry come to the same.
func (r *entryReader) agree(bySplit, bySeed []permission.Edit, bodySplit, bodySeed *tree) bool {
	end := func(edits []permission.Edit) (*tree, *tree) {
		d, conflicts, err := permission.Merge(r.current, r.current, edits)
		if err != nil || len(conflicts) > 0 {
			return nil, nil
		}
		d.Changes()
		m := newEmitter(d.Graph())
		return m.tree(r.group, r.db, split), m.tree(r.group, r.db, seed)
	}
	split1, seed1 := end(bySplit)
	split2, seed2 := end(bySeed)
	return split1 != nil && split2 != nil && (split1.equal(split2) && seed1.equal(seed2) || bodySeed.equal(seed1) || bodySplit.equal(split2))
}

func (r *entryReader) edit(e permission.Edit) {
	e.Group, e.Database = r.group, r.db
	r.edits = append(r.edits, e)
}

func (r *entryReader) revoke(k permission.Kind, s permission.Scope) {
	r.edit(permission.Edit{Op: permission.OpRevoke, Kind: k, Scope: s})
}

func (r *entryReader) split(path string, base, body *tree) ([]permission.Edit, error) {
	r.edits = nil
	if len(body.kids) == 0 {
		return nil, nil
	}
	r.omits = r.complete == both || r.complete == split
	if body.at("view-data").is("blocked") && body.at("create-queries").is("query-builder-and-native") {
		return nil, graphError(path, "view-data \"blocked\" and create-queries \"query-builder-and-native\" exclude each other")
	}
	// View comes before Create: a block that the body lifts must not stop what
	// it asks for beside. With a view beside it Create lifts nothing by itself.
	view := body.at("view-data")
	for _, k := range []permission.Kind{permission.Details, permission.DataModel, permission.Download, permission.View, permission.Create} {
		at, from, to := path+"."+k.String(), base.at(k.String()), body.at(k.String())
		if k == permission.Download || k == permission.DataModel {
			if to != nil && !to.null {
				if !to.isObject() {
					return nil, graphError(at, "must be an object with schemas, not %q", to.word)
				}
				to = to.at(keySchemas)
				at += "." + keySchemas
			}
			from = from.at(keySchemas)
		}
		begin := len(r.edits)
		if err := r.level(at, k, permission.WholeDatabase(), from, to); err != nil {
			return nil, err
		}
		if k == permission.Create && view != nil {
			for i := begin; i < len(r.edits); i++ {
				if r.edits[i].Op == permission.OpSet {
					r.edits[i].Op = permission.OpSetCreate
				}
			}
		}
	}
	return r.edits, nil
}

// level compares one kind's levels at a scope and below it.
func (r *entryReader) level(path string, k permission.Kind, s permission.Scope, base, body *tree) error {
	switch {
	case body == nil:
		if r.omits && base != nil {
			r.revoke(k, s)
		}
		return nil
	case !body.isObject():
		if base.equal(body) || body.null && base == nil {
			return nil
		}
		l, err := word(path, k, body)
		if err != nil {
			return err
		}
		r.edit(permission.Edit{Op: permission.OpSet, Kind: k, Scope: s, Level: l})
		return nil
	case s.Depth == permission.OfTable || k == permission.Details:
		return graphError(path, "must be a word, not an object")
	}
	if base != nil && !base.isObject() {
		base = newTree(branch{wildcard, base})
	}
	if err := r.wide(path+"."+wildcard, k, s, base.at(wildcard), body.at(wildcard)); err != nil {
		return err
	}
	return r.inside(path, s, base, body, false, func(path string, in permission.Scope, base, body *tree) error {
		return r.level(path, k, in, base, body)
	})
}

// wide compares the wildcard: the wide level beside narrower ones.
func (r *entryReader) wide(path string, k permission.Kind, s permission.Scope, base, body *tree) error {
	switch {
	case body == nil && (!r.omits || base == nil), base.equal(body), body != nil && body.null && base == nil:
		return nil
	case body == nil && base.is("blocked"):
		r.revoke(k, s) // which warns that it stays
		return nil
	case body.isObject():
		return graphError(path, "must be a word, not an object")
	}
	l := permission.None
	if body != nil {
		var err error
		if l, err = word(path, k, body); err != nil {
			return err
		}
	}
	r.edit(permission.Edit{Op: permission.OpWrite, Kind: k, Scope: s, Level: l})
	return nil
}

func word(path string, k permission.Kind, t *tree) (permission.Level, error) {
	if t.null {
		return permission.None, nil
	}
	l, err := k.Parse(t.word)
	if err != nil {
		return 0, graphError(path, "%v", err)
	}
	return l, nil
}

// inside compares what lies in a database or schema: first what is left out,
// then what is there.
func (r *entryReader) inside(path string, s permission.Scope, base, body *tree, byName bool, compare func(string, permission.Scope, *tree, *tree) error) error {
	visit := func(b branch, from, to *tree) error {
		at := step(path, b.key)
		if from.equal(to) || to == nil && !r.omits {
			return nil // nothing to resolve: the key may name what is gone
		}
		in, err := r.scope(at, s, b.key, byName)
		if err != nil {
			if to == nil {
				return nil // what is left out is gone already
			}
			return err
		}
		return compare(at, in, from, to)
	}
	if base != nil {
		for _, b := range base.kids {
			if b.key != wildcard && body.at(b.key) == nil {
				if err := visit(b, b.tree, nil); err != nil {
					return err
				}
			}
		}
	}
	for _, b := range body.kids {
		if b.key != wildcard {
			if err := visit(b, base.at(b.key), b.tree); err != nil {
				return err
			}
		}
	}
	return nil
}
