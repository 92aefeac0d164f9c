package api

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// sandboxBody is a policy that is sent with the data graph. With an id it
// changes that policy: what is left out stays. Without one it is the policy of
// the group on the table, in place of the one that may be there.
type sandboxBody struct {
	ID    Opt[ID] `json:"id" rule:"positive"`
	Group Opt[ID] `json:"group_id" rule:"positive"`
	Table Opt[ID] `json:"table_id" rule:"positive"`
	policyParts
}

// sandboxEdits are the policies of a body. They become edits of the same
// transaction as the levels: there is no revision with the one and not the
// other.
type sandboxEdits struct {
	bodies []sandboxBody
	rows   map[int64]store.SandboxRow // of the ids
	on     []policyKey                // what each of them is about
	tried  standIns
}

type policyKey struct {
	group permission.GroupID
	table catalog.TableID
}

// atPath is a 400 of the graph for what is wrong with a policy.
func atPath(path string, err error) error {
	var wrong *policyError
	if errors.As(err, &wrong) {
		return graphError(path+"."+wrong.path, "%s", wrong.text)
	}
	return err
}

// sandboxes looks up the policies that are named by ids.
func (a *API) sandboxes(r *request, bodies []sandboxBody) (*sandboxEdits, error) {
	e := &sandboxEdits{bodies: bodies, rows: map[int64]store.SandboxRow{}, tried: standIns{}}
	seen := map[policyKey]int{}
	for i, b := range bodies {
		path := sandboxPath(i)
		group, byGroup := b.Group.Get()
		table, byTable := b.Table.Get()
		key := policyKey{permission.GroupID(group), catalog.TableID(table)}
		if id, given := b.ID.Get(); given {
			row, err := a.store.Sandbox(r.ctx(), int64(id))
			if errors.Is(err, store.ErrNotFound) {
				return nil, graphError(path+".id", "there is no policy %d", id)
			}
			if err == nil {
				err = atPath(path, sameNames(b.Group, b.Table, row))
			}
			if err != nil {
				return nil, err
			}
			key = policyKey{row.Group, row.Table}
			e.rows[row.ID] = row
		} else if !byGroup {
			return nil, graphError(path+".group_id", "name the group")
		} else if !byTable {
			return nil, graphError(path+".table_id", "name the table")
		}
		if other, twice := seen[key]; twice {
			return nil, graphError(path, "is the policy of group %d on table %d, as %s is", key.group, key.table, sandboxPath(other))
		}
		seen[key] = i
		was := policyOf(a.store.Graph(), key.group, key.table)
		if id, given := b.ID.Get(); given {
			was = e.rows[int64(id)].Policy
		}
		if err := a.try(r, e.tried, b.policyParts, was); err != nil {
			return nil, atPath(path, err)
		}
		e.on = append(e.on, key)
	}
	return e, nil
}

func sandboxPath(i int) string { return fmt.Sprintf("sandboxes[%d]", i) }

// edits are those of the policies, to go after those of the levels.
func (e *sandboxEdits) edits(r *request, current *permission.Graph, levels []permission.Edit) ([]permission.Edit, error) {
	opened := map[policyKey]bool{}
	for _, o := range levels {
		if o.Op == permission.OpSet && o.Kind == permission.View && o.Level == permission.Unrestricted && o.Scope.Depth == permission.OfTable {
			opened[policyKey{o.Group, o.Scope.Table}] = true
		}
	}
	edits := slices.Clone(levels)
	for i, b := range e.bodies {
		// What is left out stays as it is: a body that knows nothing of columns
		// must not show them all.
		key, was := e.on[i], policyOf(current, e.on[i].group, e.on[i].table)
		if id, given := b.ID.Get(); given {
			row := e.rows[int64(id)]
			if err := sameSandbox(current, row); err != nil {
				return nil, r.stale(&staleError{Message: fmt.Sprintf("Somebody else changed policy %d since.", id), Revision: int64(current.Revision())})
			}
			was = row.Policy
		}
		of, err := b.edit(current, key.group, key.table, was, e.tried)
		if err != nil {
			return nil, atPath(sandboxPath(i), err)
		}
		if opened[key] {
			return nil, graphError(sandboxPath(i), "view-data \"unrestricted\" on table %d and a policy of group %d on it exclude each other; send one of them", key.table, key.group)
		}
		edits = append(edits, of)
	}
	return edits, nil
}

func policyOf(g *permission.Graph, group permission.GroupID, table catalog.TableID) permission.Policy {
	if b := g.Sandbox(group, table); b != nil {
		return b.Policy
	}
	return permission.Policy{}
}

// policies are those that are there now, and what is to be said about them.
func (a *API) policies(r *request, g *permission.Graph, on []policyKey) (list []policyWire, warnings []permission.Warning, err error) {
	rows, read := map[policyKey]store.SandboxRow{}, map[permission.GroupID]bool{}
	for _, key := range on {
		if !read[key.group] {
			read[key.group] = true
			of, err := a.store.Sandboxes(r.ctx(), store.SandboxQuery{Group: key.group})
			if err != nil {
				return nil, nil, err
			}
			for _, row := range of {
				rows[policyKey{row.Group, row.Table}] = row
			}
		}
		if row, there := rows[key]; there {
			list = append(list, wirePolicy(row))
		}
		warnings = append(warnings, warnAbout(g, key.group, key.table)...)
	}
	return list, warnings, nil
}
