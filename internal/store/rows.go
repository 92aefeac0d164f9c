package store

import (
	"fmt"

	"github.com/sluice-bi/sluice/internal/permission"
)

// row writes one change that was applied to the graph: O(1) rows, but for a
// collection that moves with what lies in it.
func (w *writer) row(change permission.Change) error {
	switch c := change.(type) {
	case permission.SetGroup:
		return w.groupRow(c)
	case permission.SetUser:
		return w.userRow(c)
	case permission.SetMembership:
		return w.membershipRow(c)
	case permission.SetDataAccess:
		return w.cellRow(c)
	case permission.SetCollectionAccess:
		return w.collectionLevelRow(c)
	case permission.SetSandbox:
		return w.sandboxRow(c)
	case permission.SetTableMark:
		return w.markRow(c)
	case permission.SetStrict:
		if w.graph.Catalog().Database(c.Database) == nil {
			return invalid("", "There is no database %d.", c.Database)
		}
		return w.execOne(w.ctx, "update databases set strict = $1 where id = $2", c.To, c.Database)
	case permission.SetCollection:
		return w.collectionRow(c)
	}
	return fmt.Errorf("store: a change of unknown type %T", change)
}

func (w *writer) groupRow(c permission.SetGroup) error {
	var err error
	switch {
	case c.To == nil:
		if err = w.freeKeys(c.From.ID); err == nil {
			err = w.execOne(w.ctx, "delete from groups where id = $1", c.From.ID)
		}
	case c.From == nil:
		err = w.execOne(w.ctx, "insert into groups (id, name, name_fold, internal, since, entity_id, created_at) values ($1, $2, $3, $4, $5, $6, $7)",
			c.To.ID, c.To.Name, fold(c.To.Name), c.To.Internal, c.To.Since, newEntityID(), w.now)
		if err == nil {
			err = w.claim("group", int64(c.To.ID))
		}
	default:
		err = w.execOne(w.ctx, "update groups set name = $1, name_fold = $2, internal = $3, since = $4 where id = $5",
			c.To.Name, fold(c.To.Name), c.To.Internal, c.To.Since, c.To.ID)
	}
	if isUnique(err) {
		return invalid("", nameTaken)
	}
	return err
}

func (w *writer) userRow(c permission.SetUser) error {
	if c.To == nil {
		err := w.execOne(w.ctx, "delete from users where id = $1", c.From.ID)
		if isForeign(err) {
			return fmt.Errorf("%w: user %d owns content", ErrConflict, c.From.ID)
		}
		return err
	}
	attributes, err := encodeAttributes(c.To.Attributes)
	if err != nil {
		return err
	}
	if c.From == nil {
		err = w.execOne(w.ctx, `insert into users (id, type, email, email_fold, first_name, first_fold, last_name, last_fold,
			active, login_attributes, qbnewb, date_joined, updated_at) values ($1, $2, $3, $4, '', '', '', '', $5, $6, true, $7, $7)`,
			c.To.ID, Personal, c.To.Name, fold(c.To.Name), c.To.Active, attributes, w.now)
		if isUnique(err) {
			return invalid("email", emailInUse)
		}
		if err != nil {
			return err
		}
		return w.claim("user", int64(c.To.ID))
	}
	err = w.execOne(w.ctx, "update users set email = $1, email_fold = $2, active = $3, login_attributes = $4, updated_at = $5 where id = $6",
		c.To.Name, fold(c.To.Name), c.To.Active, attributes, w.now, c.To.ID)
	if isUnique(err) {
		return invalid("email", emailOfElse)
	}
	if err == nil && !c.To.Active {
		_, err = w.exec(w.ctx, "delete from sessions where user_id = $1", c.To.ID)
	}
	return err
}

func (w *writer) membershipRow(c permission.SetMembership) error {
	switch {
	case c.From == c.To:
		return nil
	case c.To:
		return w.execOne(w.ctx, "insert into memberships (user_id, group_id) values ($1, $2)", c.User, c.Group)
	}
	return w.execOne(w.ctx, "delete from memberships where user_id = $1 and group_id = $2", c.User, c.Group)
}

func (w *writer) cellRow(c permission.SetDataAccess) error {
	if int(c.Scope.Depth) >= len(depths) {
		return fmt.Errorf("store: %+v is not a part of a database", c.Scope)
	}
	at := []any{c.Group, c.Database, c.Kind.String(), depths[c.Scope.Depth], c.Scope.Schema, c.Scope.Table}
	if !c.To.Set {
		if !c.From.Set {
			return nil
		}
		return w.execOne(w.ctx, `delete from data_grants where group_id = $1 and database_id = $2 and kind = $3
			and depth = $4 and schema_name = $5 and table_id = $6`, at...)
	}
	err := w.execOne(w.ctx, `insert into data_grants (group_id, database_id, kind, depth, schema_name, table_id, level, wide, revision, attribute)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		on conflict (group_id, database_id, kind, depth, schema_name, table_id)
		do update set level = excluded.level, wide = excluded.wide, revision = excluded.revision, attribute = excluded.attribute`,
		append(at, c.Kind.Word(c.To.Level), c.To.Wide, c.To.At, c.To.Attribute)...)
	if isForeign(err) {
		return invalid("groups", "Group %d: there is no database %d.", c.Group, c.Database)
	}
	return err
}

func (w *writer) collectionLevelRow(c permission.SetCollectionAccess) error {
	switch {
	case c.To.Set:
		return w.execOne(w.ctx, `insert into collection_grants (group_id, collection_id, level, revision) values ($1, $2, $3, $4)
			on conflict (group_id, collection_id) do update set level = excluded.level, revision = excluded.revision`,
			c.Group, c.Collection, permission.Collection.Word(c.To.Level), c.To.At)
	case c.From.Set:
		return w.execOne(w.ctx, "delete from collection_grants where group_id = $1 and collection_id = $2", c.Group, c.Collection)
	}
	return nil
}

func (w *writer) markRow(c permission.SetTableMark) error {
	if c.To == (permission.TableMark{}) {
		if c.From == c.To {
			return nil
		}
		return w.execOne(w.ctx, "delete from table_marks where table_id = $1", c.Table)
	}
	err := w.execOne(w.ctx, `insert into table_marks (table_id, governed, shared) values ($1, $2, $3)
		on conflict (table_id) do update set governed = excluded.governed, shared = excluded.shared`, c.Table, c.To.Governed, c.To.Shared)
	if isForeign(err) {
		return invalid("", "There is no table %d to mark.", c.Table)
	}
	return err
}

func (w *writer) collectionRow(c permission.SetCollection) error {
	if c.To == nil {
		err := w.execOne(w.ctx, "delete from collections where id = $1", c.From.ID)
		if isForeign(err) {
			return fmt.Errorf("%w: collection %d is not empty", ErrConflict, c.From.ID)
		}
		return err
	}
	location, err := w.location(c.To.Parent)
	if err != nil {
		return err
	}
	if c.From == nil {
		err = w.execOne(w.ctx, `insert into collections (id, name, name_fold, slug, parent_id, location, owner_id, archived, archived_directly, entity_id, created_at)
			values ($1, $2, $3, $4, $5, $6, $7, false, false, $8, $9)`,
			c.To.ID, c.To.Name, fold(c.To.Name), slug(c.To.Name), null(c.To.Parent), location, null(c.To.Owner), newEntityID(), w.now)
		if err == nil {
			err = w.claim("collection", int64(c.To.ID))
		}
	} else {
		err = w.execOne(w.ctx, "update collections set name = $1, name_fold = $2, slug = $3, parent_id = $4, location = $5, owner_id = $6 where id = $7",
			c.To.Name, fold(c.To.Name), slug(c.To.Name), null(c.To.Parent), location, null(c.To.Owner), c.To.ID)
		if err == nil && c.From.Parent != c.To.Parent {
			err = w.relocate(c.To.ID, location)
		}
	}
	switch {
	case isUnique(err):
		return invalid("personal_owner_id", "User %d has a personal collection already.", c.To.Owner)
	case isForeign(err):
		return invalid("personal_owner_id", "There is no user %d.", c.To.Owner)
	}
	return err
}

// location is the path of what lies directly in a collection.
func (w *writer) location(id permission.CollectionID) (string, error) {
	path := "/"
	for depth := 0; id != permission.Root; depth++ {
		n := w.graph.Collection(id)
		if n == nil || depth > 1000 {
			return "", invalid("parent_id", "Collection %d cannot be a place to lie in.", id)
		}
		path = fmt.Sprintf("/%d%s", id, path)
		id = n.Parent
	}
	return path, nil
}

// relocate writes the paths of what lies in a collection that has moved to
// location. Only rows below it are touched.
func (w *writer) relocate(id permission.CollectionID, location string) error {
	old, err := list(w.ctx, w.conn, value[string], "select location from collections where parent_id = $1 limit 1", id)
	if err != nil || len(old) == 0 {
		return err
	}
	_, err = w.exec(w.ctx, "update collections set location = $1 || substr(location, $2) where location like $3",
		fmt.Sprintf("%s%d/", location, id), len(old[0])+1, old[0]+"%")
	return err
}
