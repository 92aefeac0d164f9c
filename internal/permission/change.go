package permission

import (
	"fmt"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Change is one typed difference between two graphs: what was there (From)
// and what is to be there (To). The set of changes is closed: SetGroup,
// SetUser, SetMembership, SetDataAccess, SetCollectionAccess, SetSandbox,
// SetTableMark, SetStrict, SetCollection.
//
//sumtype:decl
type Change interface {
	fmt.Stringer
	// Inverse undoes the change.
	Inverse() Change
	apply(g *Graph) error
}

// SetGroup makes (From nil), alters or removes (To nil) a group. A group that
// is removed must have no members, levels or sandboxes left.
type SetGroup struct {
	From *Group `json:"from,omitempty"`
	To   *Group `json:"to,omitempty"`
}

// SetUser makes, alters, deactivates or removes a user.
type SetUser struct {
	From *User `json:"from,omitempty"`
	To   *User `json:"to,omitempty"`
}

// SetMembership adds a user to a group or removes one.
type SetMembership struct {
	User  UserID  `json:"user"`
	Group GroupID `json:"group"`
	From  bool    `json:"from,omitempty"`
	To    bool    `json:"to,omitempty"`
}

// SetDataAccess writes a level of the data graph.
type SetDataAccess struct {
	Group    GroupID            `json:"group"`
	Database catalog.DatabaseID `json:"database"`
	Kind     Kind               `json:"kind"`
	Scope    Scope              `json:"scope"`
	From     Cell               `json:"from"`
	To       Cell               `json:"to"`
}

// SetCollectionAccess writes a level of the collection graph.
type SetCollectionAccess struct {
	Group      GroupID      `json:"group"`
	Collection CollectionID `json:"collection"`
	From       Cell         `json:"from"`
	To         Cell         `json:"to"`
}

// SetSandbox makes, alters or removes the policy of a group on a table.
type SetSandbox struct {
	From *Sandbox `json:"from,omitempty"`
	To   *Sandbox `json:"to,omitempty"`
}

// SetTableMark writes the marks of a table.
type SetTableMark struct {
	Table catalog.TableID `json:"table"`
	From  TableMark       `json:"from"`
	To    TableMark       `json:"to"`
}

// SetStrict makes a database strict, or no longer.
type SetStrict struct {
	Database catalog.DatabaseID `json:"database"`
	From     bool               `json:"from,omitempty"`
	To       bool               `json:"to,omitempty"`
}

// SetCollection makes, renames, moves or removes a collection.
type SetCollection struct {
	From *CollectionNode `json:"from,omitempty"`
	To   *CollectionNode `json:"to,omitempty"`
}

// Inverse undoes the change.
func (c SetGroup) Inverse() Change { return SetGroup{c.To, c.From} }

// Inverse undoes the change.
func (c SetUser) Inverse() Change { return SetUser{c.To, c.From} }

// Inverse undoes the change.
func (c SetMembership) Inverse() Change { c.From, c.To = c.To, c.From; return c }

// Inverse undoes the change.
func (c SetDataAccess) Inverse() Change { c.From, c.To = c.To, c.From; return c }

// Inverse undoes the change.
func (c SetCollectionAccess) Inverse() Change { c.From, c.To = c.To, c.From; return c }

// Inverse undoes the change.
func (c SetSandbox) Inverse() Change { return SetSandbox{c.To, c.From} }

// Inverse undoes the change.
func (c SetTableMark) Inverse() Change { c.From, c.To = c.To, c.From; return c }

// Inverse undoes the change.
func (c SetStrict) Inverse() Change { c.From, c.To = c.To, c.From; return c }

// Inverse undoes the change.
func (c SetCollection) Inverse() Change { return SetCollection{c.To, c.From} }

func (c SetGroup) String() string {
	switch {
	case c.From == nil:
		return fmt.Sprintf("make group %d %q", c.To.ID, c.To.Name)
	case c.To == nil:
		return fmt.Sprintf("remove group %d %q", c.From.ID, c.From.Name)
	}
	return fmt.Sprintf("alter group %d: %+v to %+v", c.To.ID, *c.From, *c.To)
}

func (c SetUser) String() string {
	switch {
	case c.From == nil:
		return fmt.Sprintf("make user %d %q", c.To.ID, c.To.Name)
	case c.To == nil:
		return fmt.Sprintf("remove user %d %q", c.From.ID, c.From.Name)
	case c.From.Active != c.To.Active:
		return fmt.Sprintf("set user %d active to %v", c.To.ID, c.To.Active)
	}
	return fmt.Sprintf("alter user %d %q", c.To.ID, c.To.Name)
}

func (c SetMembership) String() string {
	if c.To {
		return fmt.Sprintf("add user %d to group %d", c.User, c.Group)
	}
	return fmt.Sprintf("remove user %d from group %d", c.User, c.Group)
}

func (c SetDataAccess) String() string {
	return fmt.Sprintf("group %d, database %d%s: %s %s to %s", c.Group, c.Database, c.Scope, c.Kind, c.Kind.cellWord(c.From), c.Kind.cellWord(c.To))
}

func (c SetCollectionAccess) String() string {
	return fmt.Sprintf("group %d, collection %s: %s to %s", c.Group, c.Collection, Collection.cellWord(c.From), Collection.cellWord(c.To))
}

func (c SetSandbox) String() string {
	if c.To != nil && c.To.Card != 0 {
		return fmt.Sprintf("sandbox table %d for group %d by question %d", c.To.Table, c.To.Group, c.To.Card)
	}
	switch {
	case c.From == nil:
		return fmt.Sprintf("sandbox table %d for group %d", c.To.Table, c.To.Group)
	case c.To == nil:
		return fmt.Sprintf("remove the sandbox of group %d on table %d", c.From.Group, c.From.Table)
	}
	return fmt.Sprintf("alter the sandbox of group %d on table %d", c.To.Group, c.To.Table)
}

func (c SetTableMark) String() string {
	return fmt.Sprintf("mark table %d: governed %v, shared %v", c.Table, c.To.Governed, c.To.Shared)
}

func (c SetStrict) String() string {
	return fmt.Sprintf("set database %d strict to %v", c.Database, c.To)
}

func (c SetCollection) String() string {
	switch {
	case c.From == nil:
		return fmt.Sprintf("make collection %s %q", c.To.ID, c.To.Name)
	case c.To == nil:
		return fmt.Sprintf("remove collection %s %q", c.From.ID, c.From.Name)
	}
	return fmt.Sprintf("alter collection %s: %q in %s to %q in %s", c.To.ID, c.From.Name, c.From.Parent, c.To.Name, c.To.Parent)
}

func (k Kind) cellWord(c Cell) string {
	if !c.Set {
		return "nothing"
	}
	if c.Attribute != "" {
		return fmt.Sprintf("%s by the attribute %q", k.Word(c.Level), c.Attribute)
	}
	return k.Word(c.Level)
}

// String names the scope for a sentence that already named the database.
func (s Scope) String() string {
	switch s.Depth {
	case OfSchema:
		return fmt.Sprintf(", schema %q", s.Schema)
	case OfTable:
		return fmt.Sprintf(", table %d", s.Table)
	}
	return ""
}

func (c CollectionID) String() string {
	if c == Root {
		return "root"
	}
	return fmt.Sprint(int64(c))
}
