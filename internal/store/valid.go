package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// The texts that clients compare with are Metabase's.
const (
	inAllUsers  = "You cannot add or remove users to/from the 'All Users' group."
	nameTaken   = "A group with that name already exists."
	magicGroup  = "The groups All Users and Administrators cannot be renamed or removed."
	lastAdmin   = "You cannot remove the last active member of the Administrators group."
	emailInUse  = "Email address already in use."
	emailOfElse = "Email address already associated to another user."
)

func invalid(field, format string, args ...any) error {
	return &InvalidError{field, fmt.Sprintf(format, args...)}
}

// standing checks what a change wrote against the graph that it led to: it
// must speak of things that are there and break no rule that the state rests
// on. The rules of what levels mean are permission's, not repeated here.
func standing(g *permission.Graph, change permission.Change) error {
	switch c := change.(type) {
	case permission.SetGroup:
		return standingGroup(c)
	case permission.SetUser:
		return standingUser(g, c)
	case permission.SetMembership:
		if c.Group == permission.AllUsers && !c.To && g.User(c.User) != nil {
			return invalid("", inAllUsers)
		}
	case permission.SetDataAccess:
		return standingCell(g, c)
	case permission.SetCollectionAccess:
		if !c.To.Set {
			return nil
		}
		if c.Group == permission.Administrators {
			return invalid("groups", "Group 2, Administrators, always has full access; its permissions cannot be changed.")
		}
		if c.Collection == permission.Root {
			return nil
		}
		n := g.Collection(c.Collection)
		if n == nil {
			return invalid("groups", "Group %d: there is no collection %d.", c.Group, c.Collection)
		}
		if n.Owner != 0 {
			return invalid("groups", "Group %d: collection %d %q is personal; it has no group permissions.", c.Group, n.ID, n.Name)
		}
	case permission.SetSandbox:
		return standingSandbox(g, c)
	case permission.SetTableMark:
		if c.To != (permission.TableMark{}) && g.Catalog().Table(c.Table) == nil {
			return invalid("", "There is no table %d to mark.", c.Table)
		}
	case permission.SetStrict:
		if c.To && g.Catalog().Database(c.Database) == nil {
			return invalid("", "There is no database %d to make strict.", c.Database)
		}
	case permission.SetCollection:
		return standingCollection(g, c)
	default:
		return fmt.Errorf("store: a change of unknown type %T", change)
	}
	return nil
}

func standingGroup(c permission.SetGroup) error {
	switch {
	case c.To == nil && (c.From.ID == permission.AllUsers || c.From.ID == permission.Administrators),
		c.To != nil && c.From != nil && c.To.ID <= permission.Administrators && c.To.Name != c.From.Name:
		return invalid("", magicGroup)
	case c.To == nil:
		return nil
	case blank(c.To.Name):
		return invalid("name", "value must be a non-blank string.")
	case c.To.ID == permission.AllUsers && c.To.Internal:
		return invalid("", "All Users cannot be marked as internal: everybody is in it.")
	}
	return nil
}

func standingUser(g *permission.Graph, c permission.SetUser) error {
	if c.To == nil {
		return nil
	}
	if blank(c.To.Name) {
		return invalid("email", "value must be a valid email address.")
	}
	if g.User(c.To.ID) != nil && !g.IsMember(c.To.ID, permission.AllUsers) {
		return invalid("", inAllUsers)
	}
	names := map[string]string{}
	for name := range c.To.Attributes {
		switch other, taken := names[fold(name)]; {
		case blank(name):
			return invalid("login_attributes", "An attribute needs a name.")
		case strings.HasPrefix(name, "@"):
			return invalid("login_attributes", "The attribute %q cannot be set: names that begin with @ belong to the server.", name)
		case taken:
			return invalid("login_attributes", "The attributes %q and %q differ only in case.", min(name, other), max(name, other))
		}
		names[fold(name)] = name
	}
	return nil
}

func standingCell(g *permission.Graph, c permission.SetDataAccess) error {
	if !c.To.Set {
		return nil
	}
	switch d := g.Catalog().Database(c.Database); {
	case c.Group == permission.Administrators:
		return invalid("groups", "Group 2, Administrators, always has full access; its permissions cannot be changed.")
	case d == nil:
		return invalid("groups", "Group %d: there is no database %d.", c.Group, c.Database)
	case c.Scope.Depth > permission.OfTable,
		c.Scope.Depth != permission.OfSchema && c.Scope.Schema != "",
		c.Scope.Depth != permission.OfTable && c.Scope.Table != 0:
		return fmt.Errorf("store: %+v is not a part of a database", c.Scope)
	case c.Scope.Depth == permission.OfTable:
		if t := g.Catalog().Table(c.Scope.Table); t == nil || t.Database != c.Database {
			return invalid("groups", "Group %d: database %d %q has no table %d.", c.Group, d.ID, d.Name, c.Scope.Table)
		}
	}
	return nil
}

func standingSandbox(g *permission.Graph, c permission.SetSandbox) error {
	if c.To == nil {
		return nil
	}
	t := g.Catalog().Table(c.To.Table)
	switch {
	case c.To.Group == permission.Administrators:
		return invalid("group_id", "Group 2, Administrators, is never sandboxed.")
	case t == nil:
		return invalid("table_id", "There is no table %d.", c.To.Table)
	}
	var had []catalog.FieldID // what has gone since is not asked again
	if c.From != nil {
		had = c.From.Fields()
	}
	for _, id := range c.To.Fields() {
		if slices.Contains(had, id) {
			continue
		}
		if f := g.Catalog().Field(id); f == nil || f.Table != t.ID {
			return invalid("attribute_remappings", "Table %d %q has no field %d.", t.ID, t.Name, id)
		}
	}
	if c.To.AllRows && len(c.To.Where) > 0 {
		return invalid("all_rows", "A policy shows all rows, or those of its attributes.")
	}
	attributes, columns := map[string]bool{}, map[catalog.FieldID]bool{}
	for _, w := range c.To.Where {
		if blank(w.Attribute) || attributes[w.Attribute] {
			return invalid("attribute_remappings", "The attribute %q has no name, or stands twice.", w.Attribute)
		}
		attributes[w.Attribute] = true
	}
	if err := standingQuestion(c.To.Policy); err != nil {
		return err
	}
	for _, r := range c.To.Columns {
		if columns[r.Field] {
			return invalid("columns", "The field %d stands twice.", r.Field)
		}
		if err := r.Mask.Check(); err != nil {
			return invalid("columns", "Field %d: %v.", r.Field, err)
		}
		columns[r.Field] = true
	}
	return nil
}

// standingQuestion refuses what says of a saved question too little, or too much
// without one.
func standingQuestion(p permission.Policy) error {
	if p.Card == 0 {
		if p.Seal != "" || len(p.Variables) > 0 {
			return invalid("card_id", "Variables are those of a saved question.")
		}
		return nil
	}
	switch {
	case p.AllRows:
		return invalid("all_rows", "Which rows are shown says the saved question.")
	case p.Card < 0, p.Seal == "", p.Columns == nil:
		return invalid("card_id", "It is not known what question %d shows.", p.Card)
	}
	names := map[string]bool{}
	for _, v := range p.Variables {
		if blank(v.Attribute) || v.Variable == "" || names[v.Variable] {
			return invalid("attribute_remappings", "The variable %q takes no attribute, or several.", v.Variable)
		}
		names[v.Variable] = true
	}
	for _, r := range p.Columns {
		if r.Mask.Kind != permission.Unmasked {
			return invalid("columns", "The saved question says which columns are shown.")
		}
	}
	return nil
}

func standingCollection(g *permission.Graph, c permission.SetCollection) error {
	if c.To == nil {
		for gr := range g.GroupsOnCollection(c.From.ID) {
			return invalid("", "Group %d still has a level on collection %d.", gr, c.From.ID)
		}
		return nil
	}
	n := g.Collection(c.To.ID)
	if n == nil { // removed again by a later change
		return nil
	}
	if blank(n.Name) {
		return invalid("name", "value must be a non-blank string.")
	}
	if n.Owner != 0 && g.User(n.Owner) == nil {
		return invalid("personal_owner_id", "There is no user %d.", n.Owner)
	}
	const deepest = 200
	depth := 0
	for at := n; at.Parent != permission.Root; depth++ {
		up := g.Collection(at.Parent)
		switch {
		case up == nil:
			return invalid("parent_id", "There is no collection %d.", at.Parent)
		case up.ID == n.ID, depth > deepest:
			return invalid("parent_id", "Collection %d %q cannot lie in itself or more than %d collections deep.", n.ID, n.Name, deepest)
		case up.Owner != at.Owner:
			return invalid("parent_id", "Collection %d %q lies in collection %d, whose owner is another.", at.ID, at.Name, up.ID)
		}
		at = up
	}
	return nil
}
