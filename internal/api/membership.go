package api

import (
	"strconv"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

type membershipWire struct {
	MembershipID   int64 `json:"membership_id"`
	GroupID        int64 `json:"group_id"`
	UserID         int64 `json:"user_id"`
	IsGroupManager bool  `json:"is_group_manager"`
}

// memberWire is a person as a member of a group.
type memberWire struct {
	briefUserWire
	membershipWire
	IsSuperuser bool   `json:"is_superuser"`
	Type        string `json:"type"`
}

func (a *API) members(r *request, group permission.GroupID) ([]memberWire, error) {
	members, err := a.store.GroupMembers(r.ctx(), group)
	if err != nil {
		return nil, err
	}
	list := []memberWire{}
	for _, m := range members {
		list = append(list, memberWire{briefUser(m.User), membershipWire{MembershipID: m.Membership, GroupID: int64(group), UserID: int64(m.User.ID)},
			m.User.Superuser, m.User.Type})
	}
	return list, nil
}

// listMemberships lists the memberships of active people, by the person's id.
func (a *API) listMemberships(r *request) (any, error) {
	people, _, err := a.store.Users(r.ctx(), store.UserQuery{})
	if err != nil {
		return nil, err
	}
	shown := map[permission.UserID]bool{}
	for _, u := range people {
		shown[u.ID] = true
	}
	all, err := a.store.Memberships(r.ctx())
	if err != nil {
		return nil, err
	}
	byUser := map[string][]membershipWire{}
	for _, m := range all {
		if shown[m.User] {
			key := strconv.FormatInt(int64(m.User), 10)
			byUser[key] = append(byUser[key], membershipWire{MembershipID: m.ID, GroupID: int64(m.Group), UserID: int64(m.User)})
		}
	}
	return byUser, nil
}

type membershipBody struct {
	Group          ID   `json:"group_id" rule:"required,positive"`
	User           ID   `json:"user_id" rule:"required,positive"`
	IsGroupManager bool `json:"is_group_manager"`
}

func (a *API) addMember(r *request) (any, error) {
	in := bodyOf[membershipBody](r)
	return a.join(r, permission.GroupID(in.Group), permission.UserID(in.User), in.IsGroupManager)
}

type groupMembershipBody struct {
	User           ID   `json:"user_id" rule:"required,positive"`
	IsGroupManager bool `json:"is_group_manager"`
}

// addGroupMember is addMember with the group in the path. Metabase has no such
// address; programs in use call it all the same.
func (a *API) addGroupMember(r *request) (any, error) {
	in := bodyOf[groupMembershipBody](r)
	group, err := a.store.Group(r.ctx(), permission.GroupID(r.id("id")))
	if err != nil {
		return nil, err
	}
	return a.join(r, group.ID, permission.UserID(in.User), in.IsGroupManager)
}

// join adds a person to a group and answers with all members of it. Who is a
// member already stays one.
func (a *API) join(r *request, group permission.GroupID, user permission.UserID, manager bool) (any, error) {
	if manager {
		return nil, noManagers("is_group_manager")
	}
	if err := a.store.AddMember(r.ctx(), r.actor(), user, group); err != nil {
		return nil, err
	}
	return a.members(r, group)
}

func (a *API) removeMember(r *request) (any, error) {
	if err := a.store.RemoveMember(r.ctx(), r.actor(), r.id("id")); err != nil {
		return nil, err
	}
	return noContent(), nil
}

// removeGroupMember makes sure that the person is not in the group, member
// before or not.
func (a *API) removeGroupMember(r *request) (any, error) {
	err := a.store.RemoveMemberOf(r.ctx(), r.actor(), permission.UserID(r.id("user")), permission.GroupID(r.id("id")))
	if err != nil {
		return nil, err
	}
	return noContent(), nil
}

func (a *API) clearGroup(r *request) (any, error) {
	if err := a.store.ClearGroup(r.ctx(), r.actor(), permission.GroupID(r.id("group"))); err != nil {
		return nil, err
	}
	return noContent(), nil
}
