package accesscase

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// World says which ids the names of a case have in some graph: the one that
// [Case.Graph] builds, a store's, or a server's.
type World struct {
	Databases   map[string]catalog.DatabaseID
	Tables      map[string]catalog.TableID // by Ref.String of the table with its schema
	Groups      map[string]permission.GroupID
	People      map[string]permission.UserID
	Collections map[string]permission.CollectionID // by path; "root" is the root
	Engine      string                             // of the databases
}

// NewWorld is a world in which the two groups and the collection are known
// that every server has.
func NewWorld() *World {
	return &World{
		Databases:   map[string]catalog.DatabaseID{},
		Tables:      map[string]catalog.TableID{},
		Groups:      map[string]permission.GroupID{AllUsers: permission.AllUsers, Administrators: permission.Administrators},
		People:      map[string]permission.UserID{},
		Collections: map[string]permission.CollectionID{"root": permission.Root},
		Engine:      "sqlite",
	}
}

// PersonalCollection is the path of a person's personal collection.
func PersonalCollection(person string) string { return person + personal }

// AddTable makes a table known.
func (w *World) AddTable(database, schema, name string, id catalog.TableID) {
	w.Tables[Ref{Depth: permission.OfTable, Database: database, Schema: schema, Table: name}.String()] = id
}

// Database is the id of a database; the error names it.
func (w *World) Database(name string) (catalog.DatabaseID, error) {
	return find(w.Databases, "database", name)
}

// Group is the id of a group; the error names it.
func (w *World) Group(name string) (permission.GroupID, error) { return find(w.Groups, "group", name) }

// Person is the id of a person; the error names it.
func (w *World) Person(name string) (permission.UserID, error) { return find(w.People, "person", name) }

// Collection is the id of a collection; the error names it.
func (w *World) Collection(path string) (permission.CollectionID, error) {
	return find(w.Collections, "collection", path)
}

// Table is the id of a table. A name without schema must be in one schema
// only.
func (w *World) Table(r Ref) (catalog.TableID, error) {
	if id, ok := w.Tables[r.String()]; ok || !r.Bare {
		if !ok {
			return 0, fmt.Errorf("there is no table %q", r)
		}
		return id, nil
	}
	var hits []catalog.TableID
	for key, id := range w.Tables {
		if strings.HasPrefix(key, r.Database+".") && strings.HasSuffix(key, "."+r.Table) {
			hits = append(hits, id)
		}
	}
	if len(hits) != 1 {
		return 0, fmt.Errorf("there are %d tables %q; name the schema", len(hits), r)
	}
	return hits[0], nil
}

// Scope is the part of a database that a name stands for.
func (w *World) Scope(r Ref) (catalog.DatabaseID, permission.Scope, error) {
	db, err := w.Database(r.Database)
	if err != nil {
		return 0, permission.Scope{}, err
	}
	switch r.Depth {
	case permission.OfDatabase:
		return db, permission.WholeDatabase(), nil
	case permission.OfSchema:
		return db, permission.WholeSchema(r.Schema), nil
	}
	t, err := w.Table(r)
	return db, permission.OneTable(t), err
}

func find[V any](m map[string]V, kind, name string) (V, error) {
	v, ok := m[name]
	if !ok {
		return v, fmt.Errorf("there is no %s %q", kind, name)
	}
	return v, nil
}

var blanks = regexp.MustCompile(`\{(group|database|table|collection|person) ([^{}"]+)\}|\{(revision)\}`)

// Fill puts ids for the names in braces of a body: {group Sales}, {database
// shop}, {table shop.orders}, {collection Finance}, {person bob}, {revision}.
func (w *World) Fill(body string, revision int64) (string, error) {
	var wrong error
	note := func(id int64, err error) string {
		if err != nil && wrong == nil {
			wrong = err
		}
		return fmt.Sprint(id)
	}
	filled := blanks.ReplaceAllStringFunc(body, func(blank string) string {
		m := blanks.FindStringSubmatch(blank)
		switch m[1] {
		case "group":
			id, err := w.Group(m[2])
			return note(int64(id), err)
		case "database":
			id, err := w.Database(m[2])
			return note(int64(id), err)
		case "collection":
			id, err := w.Collection(m[2])
			return note(int64(id), err)
		case "person":
			id, err := w.Person(m[2])
			return note(int64(id), err)
		case "table":
			ref, err := parseRef(m[2])
			if err != nil {
				return note(0, err)
			}
			id, err := w.Table(ref)
			return note(int64(id), err)
		}
		return note(revision, nil)
	})
	return filled, wrong
}
