package api

// peopleRoutes are about people, groups, memberships and API keys.
func peopleRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/api/user", Need: administrator(), Query: userListQuery{}, Answer: page[userWire]{},
			Summary: "List people", handle: (*API).listUsers},
		{Method: "POST", Path: "/api/user", Need: administrator(), Body: newUserBody{}, Answer: userWire{},
			Summary: "Create a person", handle: (*API).createUser},
		{Method: "GET", Path: "/api/user/current", Need: person(), Answer: currentUserWire{},
			Summary: "Who am I", handle: (*API).getCurrentUser},
		{Method: "GET", Path: "/api/user/recipients", Need: person(), Answer: page[briefUserWire]{},
			Summary: "List the people one may send something to", handle: (*API).listRecipients},
		{Method: "GET", Path: "/api/user/{id}", Need: selfOrAdministrator(), Answer: userWire{},
			Summary: "Get a person", handle: (*API).getUser},
		{Method: "PUT", Path: "/api/user/{id}", Need: selfOrAdministrator(), Body: userBody{}, Answer: userWire{},
			Summary: "Change a person", handle: (*API).putUser},
		{Method: "DELETE", Path: "/api/user/{id}", Need: administrator(), Answer: successWire{},
			Summary: "Deactivate a person; content and memberships stay", handle: (*API).deactivateUser},
		{Method: "PUT", Path: "/api/user/{id}/reactivate", Need: administrator(), Answer: userWire{},
			Summary: "Reactivate a person", handle: (*API).reactivateUser},
		{Method: "PUT", Path: "/api/user/{id}/password", Need: selfOrAdministrator(), Body: passwordBody{}, Answer: successWire{},
			Summary: "Set a password", handle: (*API).putPassword},
		{Method: "PUT", Path: "/api/user/{id}/modal/qbnewb", Need: self(), Answer: successWire{},
			Summary: "Remember that the person has seen the introduction", handle: (*API).putQbnewb},

		{Method: "GET", Path: "/api/permissions/group", Need: administrator(), Query: paging{}, Answer: []groupWire{},
			Summary: "List groups", handle: (*API).listGroups},
		{Method: "POST", Path: "/api/permissions/group", Need: administrator(), Body: newGroupBody{}, Answer: groupWire{},
			Summary: "Create a group", handle: (*API).createGroup},
		{Method: "GET", Path: "/api/permissions/group/{id}", Need: administrator(), Answer: groupMembersWire{},
			Summary: "Get a group and its members", handle: (*API).getGroup},
		{Method: "PUT", Path: "/api/permissions/group/{id}", Need: administrator(), Body: groupBody{}, Answer: groupWire{},
			Summary: "Rename a group, or mark it as internal", handle: (*API).putGroup},
		{Method: "DELETE", Path: "/api/permissions/group/{id}", Need: administrator(),
			Summary: "Delete a group with its memberships and permissions", handle: (*API).deleteGroup},
		{Method: "POST", Path: "/api/permissions/group/{id}/membership", Need: administrator(), Body: groupMembershipBody{}, Answer: []memberWire{},
			Summary: "Add a person to a group", handle: (*API).addGroupMember},
		{Method: "DELETE", Path: "/api/permissions/group/{id}/membership/user/{user}", Need: administrator(),
			Summary: "Remove a person from a group", handle: (*API).removeGroupMember},

		{Method: "GET", Path: "/api/permissions/membership", Need: administrator(), Answer: map[string][]membershipWire{},
			Summary: "List all memberships by person", handle: (*API).listMemberships},
		{Method: "POST", Path: "/api/permissions/membership", Need: administrator(), Body: membershipBody{}, Answer: []memberWire{},
			Summary: "Add a person to a group", handle: (*API).addMember},
		{Method: "DELETE", Path: "/api/permissions/membership/{id}", Need: administrator(),
			Summary: "End a membership", handle: (*API).removeMember},
		{Method: "PUT", Path: "/api/permissions/membership/{group}/clear", Need: administrator(),
			Summary: "Remove everybody from a group", handle: (*API).clearGroup},

		{Method: "GET", Path: "/api/api-key", Need: administrator(), Answer: []apiKeyWire{},
			Summary: "List API keys", handle: (*API).listAPIKeys},
		{Method: "POST", Path: "/api/api-key", Need: administrator(), Body: newAPIKeyBody{}, Answer: apiKeyWire{},
			Summary: "Create an API key; the key itself is shown only now", handle: (*API).createAPIKey},
		{Method: "GET", Path: "/api/api-key/count", Need: administrator(), Answer: 0,
			Summary: "Count API keys", handle: (*API).countAPIKeys},
		{Method: "PUT", Path: "/api/api-key/{id}", Need: administrator(), Body: apiKeyBody{}, Answer: apiKeyWire{},
			Summary: "Rename an API key or move it to another group", handle: (*API).putAPIKey},
		{Method: "PUT", Path: "/api/api-key/{id}/regenerate", Need: administrator(), Answer: apiKeyWire{},
			Summary: "Replace the key; the old one is dead at once", handle: (*API).regenerateAPIKey},
		{Method: "DELETE", Path: "/api/api-key/{id}", Need: administrator(),
			Summary: "Delete an API key", handle: (*API).deleteAPIKey},
	}
}

// successWire is how Metabase says that something was done.
type successWire struct {
	Success bool `json:"success"`
	// SessionID is a new session in place of those that the change ended.
	SessionID string `json:"session_id,omitempty"`
}

// page is the envelope of lists that can be asked for in pieces.
type page[T any] struct {
	Data   []T  `json:"data"`
	Total  int  `json:"total"`
	Limit  *int `json:"limit"`
	Offset *int `json:"offset"`
}

// paging are the query values of such lists. Any of them turns paging on; the
// missing partner is 50 or 0.
type paging struct {
	Limit  *int `query:"limit"`
	Offset *int `query:"offset"`
}

// window completes the values. limit is 0 when the list is not to be cut.
func (p paging) window() (limit, offset int, _ paging, err error) {
	if p.Limit == nil && p.Offset == nil {
		return 0, 0, paging{}, nil
	}
	limit = 50
	if p.Limit != nil {
		limit = *p.Limit
	}
	if p.Offset != nil {
		offset = *p.Offset
	}
	if limit < 1 || offset < 0 {
		return 0, 0, paging{}, plain{400, "Error parsing paging parameters: limit must be at least 1 and offset at least 0."}
	}
	return limit, offset, paging{&limit, &offset}, nil
}

// cutPage is the window's part of a whole list.
func cutPage[T any](all []T, limit, offset int) []T {
	if limit == 0 {
		return all
	}
	all = all[min(offset, len(all)):]
	return all[:min(limit, len(all))]
}
