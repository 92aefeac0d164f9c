package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// broken says what of the stored permission state is not whole. A server must
// not start on it: what is missing might have been a restriction.
func broken(format string, args ...any) error {
	return fmt.Errorf("the stored permission state is not whole: %w. Restore a backup or repair the row", fmt.Errorf(format, args...))
}

// point is a revision and the counters at it.
type point struct {
	revision   int64
	data       catalog.Revision
	collection int64
}

func scanPoint(row scanner) (p point, err error) {
	return p, row.Scan(&p.revision, &p.data, &p.collection)
}

// head is the newest point of the history, and the digest of the permission
// state at the revision digested. That is another revision than the newest
// when a Sluice wrote last that knew no digests: then nothing is known.
type head struct {
	point
	digest   permission.Digest
	digested int64
}

const headColumns = "revision, data, collection, digest, digested"

func scanHead(row scanner) (h head, err error) {
	return h, row.Scan(&h.revision, &h.data, &h.collection, &h.digest, &h.digested)
}

func readHead(ctx context.Context, c conn) (head, error) {
	return one(ctx, c, scanHead, "select "+headColumns+" from head where id = 1")
}

// belies tells whether a state cannot be the one at the head.
func (h head) belies(d permission.Digest) bool { return h.digested == h.revision && h.digest != d }

// digest notes what the state that was loaded digests to, for a database that
// no Sluice with digests wrote to last.
func (s *Store) digest(ctx context.Context) error {
	at := s.snap.Load()
	_, err := conn{s, s.writes}.exec(ctx, "update head set digest = $1, digested = $2 where revision = $2 and digested <> $2", at.digest, at.revision)
	return err
}

// load reads the whole permission state and checks it. It must run where the
// database stands still: in a view or under the lock of a write.
func load(ctx context.Context, c conn) (*snapshot, error) {
	h, err := readHead(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("the head of the history: %w", err)
	}
	last, err := one(ctx, c, scanPoint, "select id, data, collection from revisions order by id desc limit 1")
	if err != nil {
		return nil, fmt.Errorf("the history: %w", err)
	}
	if last != h.point {
		return nil, broken("the head speaks of revision %d and the history ends with %d", h.revision, last.revision)
	}
	cat, err := loadCatalog(ctx, c)
	if err != nil {
		return nil, err
	}
	l := loader{ctx: ctx, c: c, g: permission.New(cat).Remembering(permission.DefaultMemory).WithRevisions(h.data, h.collection)}
	for _, step := range []func() error{l.groups, l.users, l.memberships, l.strict, l.marks, l.cells, l.sandboxes, l.collections, l.collectionLevels} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	for _, change := range l.all {
		// A policy may name a column that has gone since: it stays, and closes.
		if c, is := change.(permission.SetSandbox); is {
			b := *c.To
			b.Policy = permission.Policy{}
			change = permission.SetSandbox{To: &b}
		}
		if err := standing(l.g, change); err != nil {
			return nil, broken("%s: %w", change, err)
		}
	}
	// Each row by itself can be right while another is missing, or says more
	// than it did.
	digest := permission.Digest(0).After(l.all...)
	if h.belies(digest) {
		return nil, broken("rows are missing, were added or differ from what revision %d left", h.revision)
	}
	return &snapshot{l.g.Settled(), h.revision, digest}, nil
}

func loadCatalog(ctx context.Context, c conn) (*catalog.Snapshot, error) {
	return readCatalog(ctx, c, &catalog.Snapshot{}, 0)
}

// readCatalog reads one database of a catalog anew, which may have gone; 0 for
// all.
func readCatalog(ctx context.Context, c conn, cat *catalog.Snapshot, of catalog.DatabaseID) (*catalog.Snapshot, error) {
	var itself, ofTables, ofFields string
	var args []any
	if of != 0 {
		cat, args = cat.WithoutDatabase(of), []any{of}
		itself, ofTables = " where id = $1", " where t.database_id = $1"
		ofFields = " and f.table_id in (select t.id from tables t where t.database_id = $1)"
	}
	databases, err := list(ctx, c, func(row scanner) (d catalog.Database, err error) {
		err = row.Scan(&d.ID, &d.Name, &d.Engine, &d.Sample, &d.Governs)
		d.Governs = d.Governs || catalog.Governs(d.Engine)
		return d, err
	}, "select id, name, engine, sample, governs from databases"+itself, args...)
	if err != nil {
		return nil, err
	}
	for _, d := range databases {
		cat = cat.WithDatabase(d)
	}
	fields, err := list(ctx, c, scanCatalogField, "select "+catalogField+" from fields f where f.active"+ofFields+" order by f.table_id, f.position, f.id", args...)
	if err != nil {
		return nil, err
	}
	fieldsOf := map[catalog.TableID][]catalog.Field{}
	for _, f := range fields {
		fieldsOf[f.Table] = append(fieldsOf[f.Table], f)
	}
	tables, err := list(ctx, c, scanCatalogTable, "select "+catalogTable+" from tables t"+ofTables, args...)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		if cat.Database(t.Database) == nil {
			return nil, broken("table %d belongs to database %d, which is not there", t.ID, t.Database)
		}
	}
	return cat.WithTables(tables, func(id catalog.TableID) []catalog.Field { return fieldsOf[id] }), nil
}

// The columns of a table and a field that are the catalog's.
const (
	catalogTable = "t.id, t.database_id, t.schema_name, t.name, t.display_name, t.description, t.entity_type, t.field_order, t.since_revision, t.until_revision"
	catalogField = "f.id, f.table_id, f.name, f.display_name, f.description, f.database_type, f.base_type, f.semantic_type, f.target_id, f.position, f.database_position, f.custom_position"
)

func catalogTableInto(t *catalog.Table) []any {
	return []any{&t.ID, &t.Database, &t.Schema, &t.Name, &t.DisplayName, &t.Description, &t.EntityType, &t.FieldOrder, &t.Since, &t.Until}
}

func catalogFieldInto(f *catalog.Field) []any {
	return []any{&f.ID, &f.Table, &f.Name, &f.DisplayName, &f.Description, &f.DatabaseType, &f.BaseType, &f.SemanticType, &f.Target, &f.Position, &f.DatabasePosition, &f.CustomPosition}
}

func scanCatalogTable(row scanner) (t catalog.Table, err error) {
	return t, row.Scan(catalogTableInto(&t)...)
}

func scanCatalogField(row scanner) (f catalog.Field, err error) {
	return f, row.Scan(catalogFieldInto(&f)...)
}

// loader builds the graph out of the changes that would have made it, so that
// loading passes the same checks as writing.
type loader struct {
	ctx context.Context
	c   conn
	g   *permission.Graph
	all []permission.Change
}

// add applies the changes that rows stand for.
func add[C permission.Change](l *loader, scan func(scanner) (C, error), query string) error {
	changes, err := list(l.ctx, l.c, func(row scanner) (permission.Change, error) { return scan(row) }, query)
	if err != nil {
		return err
	}
	if l.g, err = l.g.Apply(changes...); err != nil {
		return broken("%w", err)
	}
	l.all = append(l.all, changes...)
	return nil
}

func (l *loader) groups() error {
	err := add(l, func(row scanner) (permission.SetGroup, error) {
		g := &permission.Group{}
		err := row.Scan(&g.ID, &g.Name, &g.Internal, &g.Since)
		return permission.SetGroup{To: g}, err
	}, "select id, name, internal, since from groups")
	if err != nil {
		return err
	}
	for _, id := range []permission.GroupID{permission.AllUsers, permission.Administrators} {
		if l.g.Group(id) == nil {
			return broken("group %d is not there", id)
		}
	}
	return nil
}

func (l *loader) users() error {
	return add(l, func(row scanner) (permission.SetUser, error) {
		u := &permission.User{}
		var attributes *string
		if err := row.Scan(&u.ID, &u.Name, &u.Active, &attributes); err != nil {
			return permission.SetUser{}, err
		}
		var err error
		u.Attributes, err = decodeAttributes(attributes)
		return permission.SetUser{To: u}, err
	}, "select id, email, active, login_attributes from users")
}

func encodeAttributes(a map[string]string) (any, error) {
	if a == nil {
		return nil, nil
	}
	text, err := json.Marshal(a)
	return string(text), err
}

func decodeAttributes(text *string) (map[string]string, error) {
	if text == nil {
		return nil, nil
	}
	a := map[string]string{}
	return a, json.Unmarshal([]byte(*text), &a)
}

func (l *loader) memberships() error {
	return add(l, func(row scanner) (permission.SetMembership, error) {
		m := permission.SetMembership{To: true}
		return m, row.Scan(&m.User, &m.Group)
	}, "select user_id, group_id from memberships")
}

func (l *loader) strict() error {
	return add(l, func(row scanner) (permission.SetStrict, error) {
		c := permission.SetStrict{To: true}
		return c, row.Scan(&c.Database)
	}, "select id from databases where strict")
}

func (l *loader) marks() error {
	return add(l, func(row scanner) (permission.SetTableMark, error) {
		var c permission.SetTableMark
		return c, row.Scan(&c.Table, &c.To.Governed, &c.To.Shared)
	}, "select table_id, governed, shared from table_marks")
}

func (l *loader) cells() error {
	var wrong error // what a row says that is not known
	err := add(l, func(row scanner) (permission.SetDataAccess, error) {
		c := permission.SetDataAccess{To: permission.Cell{Set: true}}
		var kind, depth, level string
		if err := row.Scan(&c.Group, &c.Database, &kind, &depth, &c.Scope.Schema, &c.Scope.Table, &level, &c.To.Wide, &c.To.At, &c.To.Attribute); err != nil {
			return c, err
		}
		var err error
		if c.Kind, err = permission.ParseKind(kind); err == nil {
			c.To.Level, err = c.Kind.Parse(level)
		}
		if err == nil {
			c.Scope.Depth, err = parseDepth(depth)
		}
		if err != nil && wrong == nil {
			wrong = broken("group %d, database %d: %w", c.Group, c.Database, err)
		}
		return c, nil
	}, "select group_id, database_id, kind, depth, schema_name, table_id, level, wide, revision, attribute from data_grants")
	if wrong != nil {
		return wrong
	}
	return err
}

func (l *loader) sandboxes() error {
	return add(l, func(row scanner) (permission.SetSandbox, error) {
		b, err := scanSandbox(row)
		return permission.SetSandbox{To: &b.Sandbox}, err
	}, "select id, "+sandboxColumns+" from sandboxes")
}

func (l *loader) collections() error {
	locations := map[permission.CollectionID]string{permission.Root: "/"}
	var wrong error
	err := add(l, func(row scanner) (permission.SetCollection, error) {
		n := &permission.CollectionNode{}
		var location string
		if err := row.Scan(&n.ID, &n.Name, &n.Parent, &n.Owner, &location); err != nil {
			return permission.SetCollection{}, err
		}
		if want, ok := locations[n.Parent]; wrong == nil && (!ok || want != location) {
			wrong = broken("collection %d says that it lies in %q, and its parent %d does not", n.ID, location, n.Parent)
		}
		locations[n.ID] = fmt.Sprintf("%s%d/", location, n.ID)
		return permission.SetCollection{To: n}, nil
	}, "select id, name, coalesce(parent_id, 0), coalesce(owner_id, 0), location from collections order by length(location), id")
	if wrong != nil {
		return wrong
	}
	return err
}

func (l *loader) collectionLevels() error {
	var wrong error
	err := add(l, func(row scanner) (permission.SetCollectionAccess, error) {
		c := permission.SetCollectionAccess{To: permission.Cell{Set: true}}
		var level string
		if err := row.Scan(&c.Group, &c.Collection, &level, &c.To.At); err != nil {
			return c, err
		}
		var err error
		if c.To.Level, err = permission.Collection.Parse(level); err != nil && wrong == nil {
			wrong = broken("group %d, collection %d: %w", c.Group, c.Collection, err)
		}
		return c, nil
	}, "select group_id, collection_id, level, revision from collection_grants")
	if wrong != nil {
		return wrong
	}
	return err
}

// depths are the stored words for how deep a level is written.
var depths = [...]string{permission.OfDatabase: "database", permission.OfSchema: "schema", permission.OfTable: "table"}

func parseDepth(word string) (permission.Depth, error) {
	for d, w := range depths {
		if w == word {
			return permission.Depth(d), nil
		}
	}
	return 0, fmt.Errorf("%q is not a depth", word)
}
