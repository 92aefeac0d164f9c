package permission

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Op is what an [Edit] does.
type Op uint8

// The operations; see the methods of [Draft] of the same names. The zero Op
// is refused.
const (
	_             Op = iota
	OpSet            // write Level of Kind, with what follows from it
	OpSetCreate      // write Level of Create and lift no View
	OpWrite          // write a wide Level of Kind and nothing else
	OpGrant          // the seeds' "all"
	OpSandbox        // the seeds' "sandboxed"
	OpRevoke         // what is left out
	OpStrict         // whether the database is strict; of no group
	OpGovern         // whether the table is governed; of no group
	OpShare          // whether the table is shared; of no group
	OpPolicy         // the policy of the group on the table; see SetSandbox
	OpImpersonate    // the attribute of the group's impersonated view of the database
)

// Edit is one thing that somebody wants of the data graph.
type Edit struct {
	Op       Op
	Group    GroupID
	Database catalog.DatabaseID
	Scope    Scope
	Kind     Kind
	Level    Level   // for OpSet, OpSetCreate and OpWrite
	On       bool    // for OpStrict, OpGovern and OpShare
	Policy   *Policy // for OpPolicy; nil removes it
	// Attribute is for OpImpersonate.
	Attribute string
}

// Merge is the three-way merge of the data graph: somebody who saw base wants
// edits, and meanwhile the graph became current. The draft is made from
// current. Entries that are edited and that differ between base and current
// conflict - even if they were changed to the same - and then nothing must be
// applied; unrelated edits both succeed.
func Merge(base, current *Graph, edits []Edit) (*Draft, []Edge, error) {
	edited := map[Edge]bool{}
	for _, e := range edits {
		edited[Edge{e.Group, e.Database}] = true
	}
	var conflicts []Edge
	for _, e := range Edges(base, current) {
		if edited[e] {
			conflicts = append(conflicts, e)
		}
	}
	d := current.Draft()
	if len(conflicts) > 0 {
		return d, conflicts, nil
	}
	for _, e := range edits {
		if err := d.do(e); err != nil {
			return nil, nil, err
		}
	}
	return d, nil, nil
}

func (d *Draft) do(e Edit) error {
	switch e.Op {
	case OpSet:
		return d.Set(e.Group, e.Database, e.Kind, e.Scope, e.Level)
	case OpSetCreate:
		return d.SetCreate(e.Group, e.Database, e.Scope, e.Level)
	case OpWrite:
		return d.Write(e.Group, e.Database, e.Kind, e.Scope, e.Level)
	case OpGrant:
		return d.Grant(e.Group, e.Database, e.Scope)
	case OpSandbox:
		return d.Sandbox(e.Group, e.Database, e.Scope.Table)
	case OpRevoke:
		return d.Revoke(e.Group, e.Database, e.Scope, e.Kind)
	case OpStrict:
		return d.MakeStrict(e.Database, e.On)
	case OpGovern, OpShare:
		return d.mark(e)
	case OpPolicy:
		if _, err := d.on(e.Group, e.Database, OneTable(e.Scope.Table)); err != nil {
			return err
		}
		return d.SetSandbox(e.Group, e.Scope.Table, e.Policy)
	case OpImpersonate:
		return d.Impersonate(e.Group, e.Database, e.Attribute)
	}
	return fmt.Errorf("an edit of no known operation")
}

// CollectionEdit is one level that somebody wants of the collection graph.
type CollectionEdit struct {
	Group      GroupID
	Collection CollectionID
	Level      Level
}

// MergeCollections is the three-way merge of the collection graph. The second
// result names the edits that conflict; then there are no changes. Personal
// collections are left alone, as in Metabase (reference case 73). Rows carry
// the next revision.
func MergeCollections(base, current *Graph, edits []CollectionEdit) ([]Change, []CollectionEdit, error) {
	var changes []Change
	var conflicts []CollectionEdit
	for _, e := range edits {
		node := current.Collection(e.Collection)
		switch {
		case e.Group == Administrators:
			return nil, nil, fmt.Errorf("group %d, Administrators, always curates every collection; its permissions cannot be changed", e.Group)
		case current.Group(e.Group) == nil:
			return nil, nil, fmt.Errorf("there is no group %d", e.Group)
		case e.Collection != Root && node == nil:
			return nil, nil, fmt.Errorf("group %d: there is no collection %d", e.Group, e.Collection)
		case node != nil && node.Owner != 0:
			continue
		}
		was, is := base.CollectionLevel(e.Group, e.Collection), current.CollectionLevel(e.Group, e.Collection)
		if was != is {
			conflicts = append(conflicts, e)
			continue
		}
		to := Cell{Set: e.Level != None, Level: e.Level, At: catalog.Revision(current.collection + 1)}
		if e.Level == None {
			to = Cell{}
		}
		if to.Level != is.Level {
			changes = append(changes, SetCollectionAccess{e.Group, e.Collection, is, to})
		}
	}
	if len(conflicts) > 0 {
		slices.SortFunc(conflicts, func(a, b CollectionEdit) int {
			return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Collection, b.Collection))
		})
		return nil, conflicts, nil
	}
	return changes, nil, nil
}
