package api

import (
	"errors"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

type groupWire struct {
	ID             int64   `json:"id"`
	Name           string  `json:"name"`
	MagicGroupType *string `json:"magic_group_type"`
	IsTenantGroup  bool    `json:"is_tenant_group"`
	// IsInternal exempts the group from the closing of wide grants on strict
	// databases (Sluice's own).
	IsInternal  bool   `json:"is_internal"`
	EntityID    string `json:"entity_id"`
	MemberCount int    `json:"member_count"`
}

type groupMembersWire struct {
	groupWire
	Members []memberWire `json:"members"`
}

func wireGroup(g store.GroupRow) groupWire {
	w := groupWire{ID: int64(g.ID), Name: g.Name, IsInternal: g.Internal, EntityID: g.EntityID, MemberCount: g.MemberCount}
	magic := map[permission.GroupID]string{permission.AllUsers: "all-internal-users", permission.Administrators: "admin"}
	if m, ok := magic[g.ID]; ok {
		w.MagicGroupType = &m
	}
	return w
}

func (a *API) listGroups(r *request) (any, error) {
	limit, offset, _, err := queryOf[paging](r).window()
	if err != nil {
		return nil, err
	}
	groups, err := a.store.Groups(r.ctx())
	if err != nil {
		return nil, err
	}
	list := []groupWire{}
	for _, g := range cutPage(groups, limit, offset) {
		list = append(list, wireGroup(g))
	}
	return list, nil
}

func (a *API) getGroup(r *request) (any, error) {
	g, err := a.store.Group(r.ctx(), permission.GroupID(r.id("id")))
	if err != nil {
		return nil, err
	}
	members, err := a.members(r, g.ID)
	if err != nil {
		return nil, err
	}
	return groupMembersWire{wireGroup(g), members}, nil
}

type newGroupBody struct {
	Name       string `json:"name" rule:"required,nonblank,max=254"`
	IsInternal bool   `json:"is_internal"`
}

func (a *API) createGroup(r *request) (any, error) {
	in := bodyOf[newGroupBody](r)
	g, err := a.store.CreateGroup(r.ctx(), r.actor(), store.NewGroup{Name: in.Name, Internal: in.IsInternal})
	if err != nil {
		return nil, err
	}
	return wireGroup(g), nil
}

type groupBody struct {
	Name       *string `json:"name" rule:"nonblank,max=254"`
	IsInternal *bool   `json:"is_internal"`
}

func (a *API) putGroup(r *request) (any, error) {
	in := bodyOf[groupBody](r)
	g, err := a.store.UpdateGroup(r.ctx(), r.actor(), permission.GroupID(r.id("id")), store.GroupUpdate{Name: in.Name, Internal: in.IsInternal})
	if err != nil {
		return nil, err
	}
	return wireGroup(g), nil
}

// deleteGroup says of a group that is not there that it is gone, as clients
// expect.
func (a *API) deleteGroup(r *request) (any, error) {
	err := a.store.DeleteGroup(r.ctx(), r.actor(), permission.GroupID(r.id("id")))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return noContent(), nil
}
