package api

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// policyRoutes are the policies of sandboxes, at Metabase's addresses. The data
// graph takes them as well: see graphsandbox.go.
func policyRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/api/mt/gtap", Need: administrator(), Query: policyQuery{}, Answer: []policyWire{},
			Summary: "List policies; with a group and a table, the one policy, or 204", handle: (*API).listPolicies},
		{Method: "GET", Path: "/api/mt/gtap/{id}", Need: administrator(), Answer: policyWire{},
			Summary: "Get a policy", handle: (*API).getPolicy},
		{Method: "POST", Path: "/api/mt/gtap", Need: administrator(), Body: newPolicyBody{}, Answer: policyWire{},
			Summary: "Give a group a policy on a table; the table is governed from then on", handle: (*API).createPolicy},
		{Method: "POST", Path: "/api/mt/gtap/validate", Need: administrator(), Body: policyCheckBody{}, Answer: policyWarnings{},
			Summary: "Check a policy and write nothing; 204 if there is nothing to say", handle: (*API).validatePolicy},
		{Method: "PUT", Path: "/api/mt/gtap/{id}", Need: administrator(), Body: policyUpdateBody{}, Answer: policyWire{},
			Summary: "Change a policy; what is left out stays", handle: (*API).putPolicy},
		{Method: "DELETE", Path: "/api/mt/gtap/{id}", Need: administrator(),
			Summary: "Remove a policy; the table stays sandboxed, and so shows the group nothing", handle: (*API).deletePolicy},
		{Method: "GET", Path: "/api/mt/user/attributes", Need: administrator(), Answer: []string{},
			Summary: "List the names of the attributes that people have", handle: (*API).listAttributes},
	}
}

type policyQuery struct {
	Group ID `query:"group_id"`
	Table ID `query:"table_id"`
}

type newPolicyBody struct {
	Group ID `json:"group_id" rule:"required,positive"`
	Table ID `json:"table_id" rule:"required,positive"`
	policyParts
}

// policyCheckBody is what POST takes; Metabase's clients send no group.
type policyCheckBody struct {
	Group Opt[ID] `json:"group_id" rule:"positive"`
	Table ID      `json:"table_id" rule:"required,positive"`
	policyParts
}

type policyUpdateBody struct {
	Group Opt[ID] `json:"group_id" rule:"positive"`
	Table Opt[ID] `json:"table_id" rule:"positive"`
	policyParts
}

type policyWarnings struct {
	Warnings []permission.Warning `json:"warnings"`
}

func (a *API) listPolicies(r *request) (any, error) {
	q := queryOf[policyQuery](r)
	rows, err := a.store.Sandboxes(r.ctx(), store.SandboxQuery{Group: permission.GroupID(q.Group), Table: catalog.TableID(q.Table)})
	if err != nil {
		return nil, err
	}
	if q.Group != 0 && q.Table != 0 {
		if len(rows) == 0 {
			return noContent(), nil
		}
		return wirePolicy(rows[0]), nil
	}
	list := []policyWire{}
	for _, row := range rows {
		list = append(list, wirePolicy(row))
	}
	return list, nil
}

func (a *API) getPolicy(r *request) (any, error) {
	row, err := a.store.Sandbox(r.ctx(), r.id("id"))
	if err != nil {
		return nil, err
	}
	return wirePolicy(row), nil
}

// errHasPolicy is a policy to be made where there is one.
var errHasPolicy = errors.New("the group has a policy on the table already")

func (a *API) createPolicy(r *request) (any, error) {
	in := bodyOf[newPolicyBody](r)
	group, table := permission.GroupID(in.Group), catalog.TableID(in.Table)
	tried := standIns{}
	if err := a.try(r, tried, in.policyParts, permission.Policy{}); err != nil {
		return nil, asField(err)
	}
	g, warnings, err := a.changeGraph(r, nil, true, func(current *permission.Graph) ([]permission.Edit, error) {
		if current.Sandbox(group, table) != nil {
			return nil, errHasPolicy
		}
		e, err := in.edit(current, group, table, permission.Policy{}, tried)
		return []permission.Edit{e}, err
	})
	if err != nil && !errors.Is(err, errHasPolicy) {
		return nil, asField(err)
	}
	row, readErr := a.policyOn(r, group, table)
	switch {
	case readErr != nil:
		return nil, readErr
	case err != nil:
		return nil, wrongField("table_id", fmt.Sprintf("Group %d has a policy on table %d already: it is policy %d, which PUT /api/mt/gtap/%d changes.", group, table, row.ID, row.ID))
	}
	w := wirePolicy(row)
	w.Warnings = append(warnings, warnAbout(g, group, table)...)
	return w, nil
}

func (a *API) policyOn(r *request, group permission.GroupID, table catalog.TableID) (store.SandboxRow, error) {
	rows, err := a.store.Sandboxes(r.ctx(), store.SandboxQuery{Group: group, Table: table})
	if err == nil && len(rows) == 0 {
		err = store.ErrNotFound // somebody has removed it since
	}
	if err != nil {
		return store.SandboxRow{}, err
	}
	return rows[0], nil
}

// errNewer is a policy that somebody changed after its row was read.
var errNewer = errors.New("the policy was changed meanwhile")

// sameSandbox is nil while the policy is the one that was read. The revision tells it
// from what somebody has put in its place.
func sameSandbox(current *permission.Graph, row store.SandboxRow) error {
	if now := current.Sandbox(row.Group, row.Table); now == nil || now.At != row.At {
		return errNewer
	}
	return nil
}

// changePolicy changes the policy that the path names to what decide says; nil
// removes it. An id stands for a group and a table, so that it is looked up
// before the write and compared in it.
func (a *API) changePolicy(r *request, decide func(current *permission.Graph, row store.SandboxRow) (permission.Edit, error)) (*permission.Graph, store.SandboxRow, []permission.Warning, error) {
	const most = 5
	var row store.SandboxRow
	for range most {
		var err error
		if row, err = a.store.Sandbox(r.ctx(), r.id("id")); err != nil {
			return nil, row, nil, err
		}
		g, warnings, err := a.changeGraph(r, nil, true, func(current *permission.Graph) ([]permission.Edit, error) {
			if err := sameSandbox(current, row); err != nil {
				return nil, err
			}
			e, err := decide(current, row)
			return []permission.Edit{e}, err
		})
		if !errors.Is(err, errNewer) {
			return g, row, warnings, asField(err)
		}
	}
	return nil, row, nil, store.ErrChanged
}

func (a *API) putPolicy(r *request) (any, error) {
	in := bodyOf[policyUpdateBody](r)
	row, err := a.store.Sandbox(r.ctx(), r.id("id"))
	if err != nil {
		return nil, err
	}
	tried := standIns{}
	if err := a.try(r, tried, in.policyParts, row.Policy); err != nil {
		return nil, asField(err)
	}
	g, row, warnings, err := a.changePolicy(r, func(current *permission.Graph, row store.SandboxRow) (permission.Edit, error) {
		if err := sameNames(in.Group, in.Table, row); err != nil {
			return permission.Edit{}, err
		}
		return in.edit(current, row.Group, row.Table, row.Policy, tried)
	})
	if err != nil {
		return nil, err
	}
	if row, err = a.store.Sandbox(r.ctx(), row.ID); err != nil {
		return nil, err
	}
	w := wirePolicy(row)
	w.Warnings = append(warnings, warnAbout(g, row.Group, row.Table)...)
	return w, nil
}

// sameNames refuses another group or table for a policy.
func sameNames(group, table Opt[ID], row store.SandboxRow) error {
	if id, given := group.Get(); given && permission.GroupID(id) != row.Group {
		return &policyError{"group_id", fmt.Sprintf("policy %d is of group %d, which cannot change", row.ID, row.Group)}
	}
	if id, given := table.Get(); given && catalog.TableID(id) != row.Table {
		return &policyError{"table_id", fmt.Sprintf("policy %d is on table %d, which cannot change", row.ID, row.Table)}
	}
	return nil
}

func (a *API) deletePolicy(r *request) (any, error) {
	_, _, _, err := a.changePolicy(r, func(current *permission.Graph, row store.SandboxRow) (permission.Edit, error) {
		t := current.Catalog().Table(row.Table)
		if t == nil {
			return permission.Edit{}, store.ErrNotFound
		}
		return permission.Edit{Op: permission.OpPolicy, Group: row.Group, Database: t.Database, Scope: permission.OneTable(t.ID)}, nil
	})
	if err != nil {
		return nil, err
	}
	return noContent(), nil
}

// validatePolicy makes the policy on a graph that nobody sees.
func (a *API) validatePolicy(r *request) (any, error) {
	in := bodyOf[policyCheckBody](r)
	current, table := a.store.Graph(), catalog.TableID(in.Table)
	id, given := in.Group.Get()
	if !given {
		id = ID(permission.AllUsers) // any that there is: what the policy says does not depend on it
	}
	group := permission.GroupID(id)
	tried := standIns{}
	if err := a.try(r, tried, in.policyParts, permission.Policy{}); err != nil {
		return nil, asField(err)
	}
	e, err := in.edit(current, group, table, permission.Policy{}, tried)
	if err != nil {
		return nil, asField(err)
	}
	if !given {
		return noContent(), nil
	}
	d, _, err := permission.Merge(current, current, []permission.Edit{e})
	if err != nil {
		return nil, message{http.StatusBadRequest, err.Error()}
	}
	_, warnings := d.Changes()
	if warnings = append(warnings, warnAbout(d.Graph(), group, table)...); len(warnings) > 0 {
		return policyWarnings{warnings}, nil
	}
	return noContent(), nil
}

func (a *API) listAttributes(*request) (any, error) {
	names := map[string]bool{}
	for u := range a.store.Graph().Users() {
		for name := range u.Attributes {
			names[name] = true
		}
	}
	return append([]string{}, slices.Sorted(maps.Keys(names))...), nil
}
