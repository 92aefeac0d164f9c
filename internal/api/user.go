package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// briefUserWire is what people without administration see of each other.
type briefUserWire struct {
	ID         int64   `json:"id"`
	Email      string  `json:"email"`
	FirstName  *string `json:"first_name"`
	LastName   *string `json:"last_name"`
	CommonName string  `json:"common_name"`
}

// userWire is a person as administrators and the person see it. Group ids come
// in both forms that clients read.
type userWire struct {
	briefUserWire
	DateJoined           time.Time            `json:"date_joined"`
	LastLogin            *time.Time           `json:"last_login"`
	UpdatedAt            time.Time            `json:"updated_at"`
	IsActive             bool                 `json:"is_active"`
	IsSuperuser          bool                 `json:"is_superuser"`
	IsQbnewb             bool                 `json:"is_qbnewb"`
	SSOSource            *string              `json:"sso_source"`
	GoogleAuth           bool                 `json:"google_auth"`
	LoginAttributes      map[string]attribute `json:"login_attributes"`
	Locale               *string              `json:"locale"`
	TenantID             *int64               `json:"tenant_id"`
	PersonalCollectionID *int64               `json:"personal_collection_id"`
	GroupIDs             []int64              `json:"group_ids"`
	Memberships          []userGroupWire      `json:"user_group_memberships"`
	HasInvitedSecondUser bool                 `json:"has_invited_second_user"`
	HasQuestionAndDash   bool                 `json:"has_question_and_dashboard"`
	StructuredAttributes map[string]attrWire  `json:"structured_attributes,omitempty"`
}

type userGroupWire struct {
	ID             int64 `json:"id"`
	IsGroupManager bool  `json:"is_group_manager"`
}

// attrWire is an attribute with where it comes from.
type attrWire struct {
	Source string    `json:"source"`
	Frozen bool      `json:"frozen"`
	Value  attribute `json:"value"`
}

type currentUserWire struct {
	userWire
	IsInstaller           bool            `json:"is_installer"`
	FirstLogin            time.Time       `json:"first_login"`
	HasModel              bool            `json:"has_model"`
	CustomHomepage        *int64          `json:"custom_homepage"`
	CanWriteAnyCollection bool            `json:"can_write_any_collection"`
	Permissions           map[string]bool `json:"permissions"`
}

func briefUser(u store.User) briefUserWire {
	w := briefUserWire{ID: int64(u.ID), Email: u.Email, CommonName: commonName(u)}
	if u.FirstName != "" {
		w.FirstName = &u.FirstName
	}
	if u.LastName != "" {
		w.LastName = &u.LastName
	}
	return w
}

// commonName is the names joined, else the e-mail.
func commonName(u store.User) string {
	if name := strings.TrimSpace(u.FirstName + " " + u.LastName); name != "" {
		return name
	}
	return u.Email
}

func fullUser(u store.User) userWire {
	w := userWire{
		briefUserWire: briefUser(u), DateJoined: u.DateJoined, LastLogin: u.LastLogin, UpdatedAt: u.UpdatedAt,
		IsActive: u.Active, IsSuperuser: u.Superuser, IsQbnewb: u.Qbnewb, SSOSource: u.SSOSource,
		LoginAttributes: wireAttributes(u.LoginAttributes), Locale: u.Locale, GroupIDs: []int64{}, Memberships: []userGroupWire{},
	}
	if u.PersonalCollection != 0 {
		id := int64(u.PersonalCollection)
		w.PersonalCollectionID = &id
	}
	for _, g := range u.Groups {
		w.GroupIDs = append(w.GroupIDs, int64(g))
		w.Memberships = append(w.Memberships, userGroupWire{ID: int64(g)})
	}
	return w
}

type userListQuery struct {
	paging
	Status             string `query:"status" enum:"active,deactivated,all"`
	IncludeDeactivated bool   `query:"include_deactivated"`
	Text               string `query:"query"`
	Group              ID     `query:"group_id"`
}

func (a *API) listUsers(r *request) (any, error) {
	q := queryOf[userListQuery](r)
	limit, offset, shown, err := q.window()
	if err != nil {
		return nil, err
	}
	if len(q.Text) > 500 { // longer than any name or address
		return nil, wrongField("query", "value must be at most 500 bytes long.")
	}
	status := q.Status
	if status == "" && q.IncludeDeactivated {
		status = "all"
	}
	users, total, err := a.store.Users(r.ctx(), store.UserQuery{
		Status: status, Text: q.Text, Group: permission.GroupID(q.Group), Limit: limit, Offset: offset})
	if err != nil {
		return nil, err
	}
	out := page[userWire]{Data: []userWire{}, Total: total, Limit: shown.Limit, Offset: shown.Offset}
	for _, u := range users {
		out.Data = append(out.Data, fullUser(u))
	}
	return out, nil
}

// self is the need of what only the person themself may do.
func self() Need {
	return object("oneself", func(_ *API, r *request) error {
		if r.access.User() != permission.UserID(r.id("id")) {
			return errForbidden
		}
		return nil
	})
}

// selfOrAdministrator is the need of seeing or changing a person.
func selfOrAdministrator() Need {
	return object("oneself or administrator", func(_ *API, r *request) error {
		if r.access.User() != permission.UserID(r.id("id")) && !r.administers() {
			return errForbidden
		}
		return nil
	})
}

// person returns the person that the path names; API keys' users are none.
func (a *API) person(r *request) (store.User, error) {
	u, err := a.store.User(r.ctx(), permission.UserID(r.id("id")))
	if err == nil && u.Type != store.Personal {
		err = store.ErrNotFound
	}
	return u, err
}

func (a *API) getUser(r *request) (any, error) {
	u, err := a.person(r)
	if err != nil {
		return nil, err
	}
	w := fullUser(u)
	w.StructuredAttributes = map[string]attrWire{}
	for k, v := range u.LoginAttributes {
		w.StructuredAttributes[k] = attrWire{Source: "user", Value: attribute(v)}
	}
	return w, nil
}

func (a *API) getCurrentUser(r *request) (any, error) {
	u, err := a.store.User(r.ctx(), r.access.User())
	if err != nil {
		return nil, err
	}
	w := currentUserWire{userWire: fullUser(u), IsInstaller: u.ID == 1, FirstLogin: u.DateJoined, Permissions: a.abilities(r)}
	g := r.access.Graph()
	w.CanWriteAnyCollection = r.access.Can(permission.CurateCollection, permission.ACollection(permission.Root))
	for c := range g.Collections() {
		if w.CanWriteAnyCollection {
			break
		}
		w.CanWriteAnyCollection = r.access.Can(permission.CurateCollection, permission.ACollection(c.ID))
	}
	if r.administers() {
		_, people, err := a.store.Users(r.ctx(), store.UserQuery{Status: "all", Limit: 1})
		if err != nil {
			return nil, err
		}
		w.HasInvitedSecondUser = people > 1
	}
	return w, nil
}

// writesSQL tells whether the person may write SQL on some database.
func writesSQL(access permission.Access) bool {
	for d := range access.Graph().Catalog().Databases() {
		if access.Can(permission.QueryNatively, permission.ADatabase(d.ID)) {
			return true
		}
	}
	return false
}

// abilities is what pages show or hide by.
func (a *API) abilities(r *request) map[string]bool {
	can := map[string]bool{
		"can_access_setting": r.administers(), "can_access_subscription": false, "can_access_monitoring": r.administers(),
		"can_access_data_model": false, "can_access_db_details": false, "is_group_manager": false,
		"can_create_queries": false,
	}
	catalog := r.access.Graph().Catalog()
	can["can_create_native_queries"] = writesSQL(r.access)
	for d := range catalog.Databases() {
		if r.access.Can(permission.ManageDatabase, permission.ADatabase(d.ID)) {
			can["can_access_db_details"] = true
		}
		for t := range catalog.Tables(d.ID) {
			if can["can_create_queries"] && can["can_access_data_model"] {
				break
			}
			can["can_create_queries"] = can["can_create_queries"] || r.access.Can(permission.QueryTable, permission.ATable(t.ID))
			can["can_access_data_model"] = can["can_access_data_model"] || r.access.Can(permission.DescribeTable, permission.ATable(t.ID))
		}
	}
	return can
}

// listRecipients lists whom the person may know of: themself, and more as the
// setting user-visibility says. Who reads rows through a sandbox knows of
// nobody else: the other people may be another tenant's.
func (a *API) listRecipients(r *request) (any, error) {
	visible, err := a.acquaintances(r)
	if err != nil {
		return nil, err
	}
	users, _, err := a.store.Users(r.ctx(), store.UserQuery{})
	if err != nil {
		return nil, err
	}
	out := page[briefUserWire]{Data: []briefUserWire{}}
	for _, u := range users {
		if visible(u.ID) {
			out.Data = append(out.Data, briefUser(u))
		}
	}
	out.Total = len(out.Data)
	return out, nil
}

// acquaintances tells of whom the person may know.
func (a *API) acquaintances(r *request) (func(permission.UserID) bool, error) {
	stored, err := a.store.Settings(r.ctx())
	if err != nil {
		return nil, err
	}
	setting, _ := findSetting("user-visibility")
	visibility := setting.value(stored[setting.key])
	return func(id permission.UserID) bool {
		return id == r.access.User() || r.administers() || knows(r.access, id, visibility)
	}, nil
}

func knows(who permission.Access, other permission.UserID, visibility any) bool {
	if who.Confined() {
		return false
	}
	g := who.Graph()
	shares := slices.ContainsFunc(g.GroupsOf(who.User()), func(group permission.GroupID) bool {
		return group != permission.AllUsers && g.IsMember(other, group)
	})
	return visibility == "all" || visibility == "group" && shares
}

func (a *API) deactivateUser(r *request) (any, error) {
	if _, err := a.person(r); err != nil {
		return nil, err
	}
	if err := a.store.DeactivateUser(r.ctx(), r.actor(), permission.UserID(r.id("id"))); err != nil {
		return nil, err
	}
	return successWire{Success: true}, nil
}

func (a *API) reactivateUser(r *request) (any, error) {
	u, err := a.person(r)
	if err != nil {
		return nil, err
	}
	if u.Active {
		return nil, message{http.StatusBadRequest, "Not able to reactivate an active user"}
	}
	if u, err = a.store.ReactivateUser(r.ctx(), r.actor(), u.ID); err != nil {
		return nil, err
	}
	return fullUser(u), nil
}

func (a *API) putQbnewb(r *request) (any, error) {
	done := false
	if _, err := a.store.UpdateUser(r.ctx(), r.actor(), r.access.User(), store.UserUpdate{Qbnewb: &done}); err != nil {
		return nil, err
	}
	return successWire{Success: true}, nil
}
