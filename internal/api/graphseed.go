package api

import "github.com/sluice-bi/sluice/internal/permission"

// seed compares the seeds' form: schemas, and native beside it.
func (r *entryReader) seed(path string, base, body *tree, wrapped bool) ([]permission.Edit, error) {
	r.edits = nil
	if len(body.kids) == 0 {
		return nil, nil
	}
	r.omits = !wrapped && (r.complete == both || r.complete == seed)
	if wrapped {
		path += "." + keyData
	}
	schemas := body.at(keySchemas)
	if err := r.access(path+"."+keySchemas, permission.WholeDatabase(), base.at(keySchemas), schemas); err != nil {
		return nil, err
	}
	return r.edits, r.native(path+"."+keyNative, base, body)
}

// native compares whether SQL may be written. Left out, it stays where the
// entry had another form beside it or says something new of the schemas.
func (r *entryReader) native(path string, base, body *tree) error {
	had := base.at(keyNative).is("write")
	n := body.at(keyNative)
	if n.isObject() {
		return graphError(path, "must be \"write\" or \"none\"")
	}
	switch {
	case n == nil:
		if had && r.omits && r.complete == seed && base.at(keySchemas).equal(body.at(keySchemas)) {
			r.edit(permission.Edit{Op: permission.OpSet, Kind: permission.Create, Level: permission.QueryBuilder})
		}
	case n.is("write"):
		if had {
			return nil
		}
		op := permission.OpSet
		if body.at(keySchemas) != nil {
			op = permission.OpSetCreate // the schemas say what may be seen
		}
		r.edit(permission.Edit{Op: op, Kind: permission.Create, Level: permission.Native})
	case n.null, n.is("none"), n.is("read"):
		if had {
			r.edit(permission.Edit{Op: permission.OpSet, Kind: permission.Create, Level: permission.QueryBuilder})
		}
	default:
		return graphError(path, "%q is neither \"write\" nor \"none\"", n.word)
	}
	return nil
}

// access compares the seeds' schemas at a scope and below it.
func (r *entryReader) access(path string, s permission.Scope, base, body *tree) error {
	switch {
	case body == nil:
		if r.omits && base != nil {
			r.revoke(permission.Create, s)
			r.revoke(permission.View, s)
		}
		return nil
	case !body.isObject():
		if base.equal(body) || body.null && base == nil {
			return nil
		}
		return r.accessWord(path, s, body)
	case s.Depth == permission.OfTable:
		// v20 to v49 also had {"read": ..., "query": ...} for a table.
		for _, key := range []string{"query", "read"} {
			if w := body.at(key); w != nil && !w.isObject() && (key == "query" || w.is("none")) {
				return r.access(path, s, base, w)
			}
		}
		return graphError(path, "must be \"all\", \"sandboxed\" or \"none\"")
	}
	if base != nil && !base.isObject() {
		base = newTree(branch{wildcard, base})
	}
	switch was, is := base.at(wildcard), body.at(wildcard); {
	case is != nil && !is.equal(was):
		if err := r.accessWord(path+"."+wildcard, s, is); err != nil {
			return err
		}
	case is == nil && was != nil && r.omits:
		r.edit(permission.Edit{Op: permission.OpWrite, Kind: permission.View, Scope: s})
	}
	return r.inside(path, s, base, body, true, r.access)
}

func (r *entryReader) accessWord(path string, s permission.Scope, t *tree) error {
	switch {
	case t.null, t.is("none"):
		r.revoke(permission.Create, s)
		r.revoke(permission.View, s)
	case t.is("all"):
		r.edit(permission.Edit{Op: permission.OpGrant, Scope: s})
	case (t.is("sandboxed") || t.is("segmented")) && s.Depth == permission.OfTable:
		r.edit(permission.Edit{Op: permission.OpSandbox, Scope: s})
	case t.is("block"), t.is("blocked"):
		r.edit(permission.Edit{Op: permission.OpSet, Kind: permission.View, Scope: s, Level: permission.Blocked})
	case t.is("impersonated") && s.Depth == permission.OfDatabase:
		r.edit(permission.Edit{Op: permission.OpSet, Kind: permission.View, Scope: s, Level: permission.Impersonated})
	case s.Depth == permission.OfTable:
		return graphError(path, "%q is not a level of a table; it is one of all, sandboxed, none, block", t.word)
	case t.isObject():
		return graphError(path, "must be a word, not an object")
	default:
		return graphError(path, "%q is not a level; it is one of all, none, block, or an object by schema and table", t.word)
	}
	return nil
}
