package permission

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Apply gives the graph with the changes made, in their order. A change whose
// From is not what the graph holds is [ErrStale], one that speaks of something
// that is not or cannot be there another error, and then there is no new graph.
// Revisions stay.
func (g *Graph) Apply(changes ...Change) (*Graph, error) {
	n := *g
	for _, c := range changes {
		err := possible(c)
		if err == nil {
			err = c.apply(&n)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c, err)
		}
	}
	return &n, nil
}

// possible tells whether a change, which may have been read from anywhere,
// speaks of ids that can be: positive ones, and Root.
func possible(c Change) error {
	least := int64(1)
	switch c := c.(type) {
	case SetGroup:
		if c.To != nil {
			least = int64(c.To.ID)
		}
	case SetUser:
		if c.To != nil {
			least = int64(c.To.ID)
		}
	case SetMembership:
		least = min(int64(c.User), int64(c.Group))
	case SetDataAccess:
		least = min(int64(c.Group), int64(c.Database))
		if c.Scope.Depth == OfTable {
			least = min(least, int64(c.Scope.Table))
		}
	case SetCollectionAccess:
		least = min(int64(c.Group), int64(c.Collection)+1)
	case SetSandbox:
		if c.To != nil {
			least = min(int64(c.To.Group), int64(c.To.Table))
		}
	case SetTableMark:
		least = int64(c.Table)
	case SetStrict:
		least = int64(c.Database)
	case SetCollection:
		if c.To != nil {
			least = min(int64(c.To.ID), int64(c.To.Parent)+1)
		}
	}
	if least < 1 {
		return fmt.Errorf("an id is not a positive number")
	}
	return nil
}

// ErrStale says that a change's From is not what is there.
var ErrStale = errors.New("the state to change from is not the present one")

func (c SetGroup) apply(g *Graph) error {
	switch {
	case c.From == nil && c.To == nil:
		return ErrStale
	case c.From == nil:
		if g.groups.Has(c.To.ID) {
			return ErrStale
		}
		g.groups = g.groups.Set(c.To.ID, &group{Group: *c.To})
		return nil
	}
	old, ok := g.groups.Get(c.From.ID)
	if !ok || old.Group != *c.From {
		return ErrStale
	}
	if c.To == nil {
		if old.members.Len()+old.entries.Len()+old.collections.Len()+old.sandboxes.Len() > 0 {
			return fmt.Errorf("the group still has members, levels or sandboxes")
		}
		g.groups = g.groups.Delete(old.ID)
		return nil
	}
	n := *old
	n.Group = *c.To
	g.groups = g.groups.Set(n.ID, &n)
	if old.Internal != n.Internal {
		for d := range n.entries.Keys() {
			g.renew(d)
		}
	}
	return nil
}

func equalUser(a, b *User) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Active == b.Active && maps.Equal(a.Attributes, b.Attributes)
}

func (c SetUser) apply(g *Graph) error {
	switch {
	case c.From == nil && c.To == nil:
		return ErrStale
	case c.From == nil:
		if g.users.Has(c.To.ID) {
			return ErrStale
		}
		g.setUser(*c.To, nil)
		return nil
	}
	old, ok := g.users.Get(c.From.ID)
	if !ok || !equalUser(&old.User, c.From) {
		return ErrStale
	}
	if c.To == nil {
		if len(old.groups) > 0 {
			return fmt.Errorf("the user is still in a group")
		}
		g.users = g.users.Delete(old.ID)
		g.active = g.active.Set(old.ID, seat{})
		return nil
	}
	g.setUser(*c.To, old.groups)
	return nil
}

// setUser writes a user's record.
func (g *Graph) setUser(u User, groups []GroupID) {
	n := &user{User: u, groups: groups}
	g.users = g.users.Set(u.ID, n)
	if u.Active {
		g.active = g.active.Set(u.ID, seat{n, g.memory.person()})
	} else if g.active.Get(u.ID).user != nil {
		g.active = g.active.Set(u.ID, seat{})
	}
}

func (c SetMembership) apply(g *Graph) error {
	u, ok := g.users.Get(c.User)
	if !ok {
		return fmt.Errorf("there is no user %d", c.User)
	}
	i, is := slices.BinarySearch(u.groups, c.Group)
	if is != c.From {
		return ErrStale
	}
	groups := slices.Clone(u.groups)
	if c.To && !is {
		groups = slices.Insert(groups, i, c.Group)
	} else if !c.To && is {
		groups = slices.Delete(groups, i, i+1)
	}
	return g.alterGroup(c.Group, func(gr *group) {
		g.setUser(u.User, groups)
		if c.To {
			gr.members = gr.members.Set(c.User, true)
		} else {
			gr.members = gr.members.Delete(c.User)
		}
	})
}

// alterGroup lets f change a copy of the group.
func (g *Graph) alterGroup(id GroupID, f func(*group)) error {
	old, ok := g.groups.Get(id)
	if !ok {
		return fmt.Errorf("there is no group %d", id)
	}
	n := *old
	f(&n)
	g.groups = g.groups.Set(id, &n)
	return nil
}

func (c SetDataAccess) apply(g *Graph) error {
	if int(c.Kind) >= dataKinds || c.Scope.Depth > OfTable || c.To.Set && !c.Kind.fits(c.To.Level, c.Scope.Depth) {
		return fmt.Errorf("%s cannot be %q there", c.Kind, c.Kind.Word(c.To.Level))
	}
	if !c.To.Set && c.To != (Cell{}) {
		return fmt.Errorf("a level that is not set cannot be %q", c.Kind.Word(c.To.Level))
	}
	if c.To.Attribute != "" && (c.Kind != View || c.To.Level != Impersonated) {
		return fmt.Errorf("only an impersonated view has an attribute")
	}
	if g.Cell(c.Group, c.Database, c.Kind, c.Scope) != c.From {
		return ErrStale
	}
	return g.alterGroup(c.Group, func(gr *group) {
		e, had := gr.entries.Get(c.Database)
		if e = e.with(c.Kind, c.Scope, c.To); e == nil {
			gr.entries = gr.entries.Delete(c.Database)
		} else {
			gr.entries = gr.entries.Set(c.Database, e)
		}
		if had != (e != nil) {
			g.reverse.databases = note(g.reverse.databases, c.Database, c.Group, e != nil)
		}
		g.renew(c.Database)
	})
}

func (c SetCollectionAccess) apply(g *Graph) error {
	if c.To.Set && !Collection.fits(c.To.Level, OfDatabase) {
		return fmt.Errorf("a collection cannot be %q", Collection.Word(c.To.Level))
	}
	if g.CollectionLevel(c.Group, c.Collection) != c.From {
		return ErrStale
	}
	return g.alterGroup(c.Group, func(gr *group) {
		if c.To.Set {
			gr.collections = gr.collections.Set(c.Collection, c.To)
		} else {
			gr.collections = gr.collections.Delete(c.Collection)
		}
		if c.To.Set != c.From.Set {
			g.reverse.collections = note(g.reverse.collections, c.Collection, c.Group, c.To.Set)
		}
	})
}

func equalSandbox(a, b *Sandbox) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Group == b.Group && a.Table == b.Table && a.At == b.At && a.Policy.Equal(b.Policy)
}

func (c SetSandbox) apply(g *Graph) error {
	is := cmp.Or(c.To, c.From)
	if is == nil || c.From != nil && c.To != nil && (c.From.Group != c.To.Group || c.From.Table != c.To.Table) {
		return ErrStale
	}
	if !equalSandbox(g.Sandbox(is.Group, is.Table), c.From) {
		return ErrStale
	}
	return g.alterGroup(is.Group, func(gr *group) {
		if c.To != nil {
			gr.sandboxes = gr.sandboxes.Set(is.Table, c.To)
		} else {
			gr.sandboxes = gr.sandboxes.Delete(is.Table)
		}
		g.renewTable(is.Table)
	})
}

func (c SetTableMark) apply(g *Graph) error {
	if g.Mark(c.Table) != c.From {
		return ErrStale
	}
	if c.To == (TableMark{}) {
		g.marks = g.marks.Delete(c.Table)
	} else {
		g.marks = g.marks.Set(c.Table, c.To)
	}
	g.renewTable(c.Table)
	return nil
}

func (c SetStrict) apply(g *Graph) error {
	if g.Strict(c.Database) != c.From {
		return ErrStale
	}
	if c.To {
		g.strict = g.strict.Set(c.Database, true)
	} else {
		g.strict = g.strict.Delete(c.Database)
	}
	g.renew(c.Database)
	return nil
}

func (c SetCollection) apply(g *Graph) error {
	is := cmp.Or(c.To, c.From)
	if is == nil || is.ID == Root {
		return fmt.Errorf("the root collection cannot be altered")
	}
	old, ok := g.collections.Get(is.ID)
	if ok != (c.From != nil) || ok && *old != *c.From {
		return ErrStale
	}
	if c.To != nil && c.To.Parent != Root && !g.collections.Has(c.To.Parent) {
		return fmt.Errorf("there is no collection %d to lie in", c.To.Parent)
	}
	if c.From != nil {
		g.reverse.children = note(g.reverse.children, c.From.Parent, is.ID, false)
		if c.From.Owner != 0 {
			g.reverse.owners = note(g.reverse.owners, c.From.Owner, is.ID, false)
		}
	}
	if c.To == nil {
		g.collections = g.collections.Delete(is.ID)
		return nil
	}
	g.reverse.children = note(g.reverse.children, c.To.Parent, is.ID, true)
	if c.To.Owner != 0 {
		g.reverse.owners = note(g.reverse.owners, c.To.Owner, is.ID, true)
	}
	g.collections = g.collections.Set(is.ID, c.To)
	return nil
}
