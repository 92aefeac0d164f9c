package api

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// schemaOf is a schema of a database.
type schemaOf struct {
	db   catalog.DatabaseID
	name string
}

// tableNames finds the tables of a schema that are there now by their names.
type tableNames struct {
	exact  map[string][]*catalog.Table
	folded map[string][]*catalog.Table
}

// in is what a schema's tables are called; looked up once for a body, which
// may name thousands of them.
func (r *entryReader) in(schema string) *tableNames {
	at := schemaOf{r.db, schema}
	if n := r.names[at]; n != nil {
		return n
	}
	n := &tableNames{map[string][]*catalog.Table{}, map[string][]*catalog.Table{}}
	for t := range r.current.Catalog().TablesIn(r.db, schema) {
		if t.Active() {
			n.exact[t.Name] = append(n.exact[t.Name], t)
			f := foldCase(t.Name)
			n.folded[f] = append(n.folded[f], t)
		}
	}
	r.names[at] = n
	return n
}

// foldCase is the same for two texts that strings.EqualFold takes for equal.
func foldCase(s string) string {
	return strings.Map(func(c rune) rune {
		least := c
		for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, s)
}

// scope finds the schema or table that a key names.
func (r *entryReader) scope(path string, in permission.Scope, key string, byName bool) (permission.Scope, error) {
	cat := r.current.Catalog()
	db := cat.Database(r.db)
	if in.Depth == permission.OfDatabase {
		if !slices.Contains(cat.Schemas(r.db), key) {
			return in, graphError(path, "database %d %q has no schema %q", r.db, db.Name, key)
		}
		return permission.WholeSchema(key), nil
	}
	var byKey *catalog.Table
	if n, ok := number(key); ok {
		if t := cat.Table(catalog.TableID(n)); t != nil && t.Active() && t.Database == r.db && t.Schema == in.Schema {
			byKey = t
		} else if !byName {
			return in, graphError(path, "database %d %q has no table %d in schema %q", r.db, db.Name, n, in.Schema)
		}
	}
	if byKey != nil && !byName {
		return permission.OneTable(byKey.ID), nil
	}
	names := r.in(in.Schema)
	named := names.exact[key]
	if len(named) == 0 {
		named = names.folded[foldCase(key)]
	}
	switch {
	case len(named) > 1:
		return in, graphError(path, "%q matches %d tables of schema %q (%s); use the id", key, len(named), in.Schema, tableNamesOf(named))
	case len(named) == 1 && byKey != nil && byKey != named[0]:
		return in, graphError(path, "%q is the name of table %d and the id of table %q; use the other table's name and this table's id", key, named[0].ID, byKey.Name)
	case len(named) == 1:
		return permission.OneTable(named[0].ID), nil
	case byKey != nil:
		return permission.OneTable(byKey.ID), nil
	}
	return in, graphError(path, "database %d %q has no table %q in schema %q", r.db, db.Name, key, in.Schema)
}

func tableNamesOf(tables []*catalog.Table) string {
	var names []string
	for _, t := range tables {
		names = append(names, fmt.Sprintf("%d %q", t.ID, t.Name))
	}
	return strings.Join(names, ", ")
}
