package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// attributes are login attributes as clients send them: text, numbers and
// booleans, all kept as text, and lists of them. A null is no attribute.
type attributes map[string]string

func (at *attributes) fromWire(raw []byte) string {
	values := map[string]attribute{}
	var d binder
	d.value("", raw, reflect.ValueOf(&values).Elem(), "")
	if d.problems() != nil {
		return "a map of texts, numbers or booleans, or of lists of at most 1000 of them"
	}
	*at = attributes{}
	for k, v := range values {
		if strings.HasPrefix(k, "@") {
			return "a map without keys that start with @, which are the server's own (" + k + ")"
		}
		(*at)[k] = string(v)
	}
	return ""
}

func (*attributes) wireSchema() schema {
	return schema{"type": "object", "additionalProperties": (*attribute)(nil).wireSchema()}
}

// attribute is one of them: what permission.AttributeValues reads.
type attribute string

// mostItems is how many items a list may have.
const mostItems = 1000

func (at *attribute) fromWire(raw []byte) string {
	const wanted = "a text, number or boolean, or a list of at most 1000 of them"
	var one scalar
	if kindOf(raw) != "an array" {
		problem := one.fromWire(raw)
		if strings.ContainsRune(string(one), '\x1f') {
			problem = "a text without control characters"
		}
		*at = attribute(one)
		return problem
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil || len(items) > mostItems {
		return wanted
	}
	texts := make([]string, 0, len(items))
	for _, item := range items {
		if problem := one.fromWire(item); problem != "" || one == "" || strings.ContainsRune(string(one), '\x1f') {
			return wanted
		}
		texts = append(texts, string(one))
	}
	*at = attribute(permission.AttributeList(texts))
	return ""
}

func (*attribute) wireSchema() schema {
	types := []string{"string", "number", "boolean"}
	return schema{"type": append([]string{"array"}, types...), "items": schema{"type": types}}
}

// MarshalJSON writes a list as a list.
func (at attribute) MarshalJSON() ([]byte, error) {
	values, list := permission.AttributeValues(string(at))
	if !list {
		return json.Marshal(string(at))
	}
	return json.Marshal(append([]string{}, values...))
}

// wireAttributes are attributes as they are given back.
func wireAttributes(of map[string]string) map[string]attribute {
	if of == nil {
		return nil
	}
	all := make(map[string]attribute, len(of))
	for name, v := range of {
		all[name] = attribute(v)
	}
	return all
}

// scalar is a text, number or boolean, kept as text.
type scalar string

func (s *scalar) fromWire(raw []byte) string {
	switch kindOf(raw) {
	case "a string":
		text, ok := unquote(raw)
		if !ok || strings.ContainsRune(text, 0) {
			return "a string without NUL characters"
		}
		*s = scalar(text)
	case "a number", "a boolean":
		*s = scalar(raw)
	default:
		return "a text, number or boolean"
	}
	return ""
}

func (*scalar) wireSchema() schema {
	return schema{"type": []string{"string", "number", "boolean"}}
}

type userGroupBody struct {
	ID             ID   `json:"id" rule:"required,positive"`
	IsGroupManager bool `json:"is_group_manager"`
}

// groupsBody are a person's groups, in both forms that clients send.
type groupsBody struct {
	Memberships Opt[[]userGroupBody] `json:"user_group_memberships"`
	GroupIDs    Opt[[]ID]            `json:"group_ids"`
}

// groups returns the groups, if some were given. The newer form wins.
func (b groupsBody) groups() ([]permission.GroupID, bool, error) {
	var ids []permission.GroupID
	if list, ok := b.Memberships.Get(); ok {
		for _, m := range list {
			if m.IsGroupManager {
				return nil, false, noManagers("user_group_memberships")
			}
			ids = append(ids, permission.GroupID(m.ID))
		}
	} else if list, ok := b.GroupIDs.Get(); ok {
		for _, id := range list {
			ids = append(ids, permission.GroupID(id))
		}
	} else {
		return nil, false, nil
	}
	slices.Sort(ids)
	return slices.Compact(ids), true, nil
}

// noManagers refuses what would otherwise be silently ignored.
func noManagers(field string) error {
	return wrongField(field, "There are no group managers here: is_group_manager must be false.")
}

type newUserBody struct {
	Email           string      `json:"email" rule:"required,email"`
	FirstName       string      `json:"first_name" rule:"max=254"`
	LastName        string      `json:"last_name" rule:"max=254"`
	Password        *string     `json:"password"`
	LoginAttributes *attributes `json:"login_attributes"`
	Locale          *string     `json:"locale" rule:"locale"`
	IsActive        *bool       `json:"is_active"`
	groupsBody
}

func (a *API) createUser(r *request) (any, error) {
	in := bodyOf[newUserBody](r)
	n := store.NewUser{Email: in.Email, FirstName: strings.TrimSpace(in.FirstName), LastName: strings.TrimSpace(in.LastName),
		Locale: in.Locale, Active: in.IsActive == nil || *in.IsActive}
	if in.LoginAttributes != nil {
		n.LoginAttributes = *in.LoginAttributes
	}
	groups, _, err := in.groups()
	if err != nil {
		return nil, err
	}
	n.Groups = slices.DeleteFunc(groups, func(g permission.GroupID) bool { return g == permission.AllUsers })
	if in.Password != nil {
		hash, err := a.newPasswordHash(r.ctx(), "password", *in.Password, in.Email)
		if err != nil {
			return nil, err
		}
		n.PasswordHash = &hash
	}
	u, err := a.store.CreateUser(r.ctx(), r.actor(), n)
	if err != nil {
		return nil, err
	}
	return fullUser(u), nil
}

// userBody is what to change about a person. A null empties names, locale and
// attributes, as Metabase does: providers send it for what they do not set.
type userBody struct {
	Email           *string         `json:"email" rule:"email"`
	FirstName       Opt[string]     `json:"first_name" rule:"max=254"`
	LastName        Opt[string]     `json:"last_name" rule:"max=254"`
	Locale          Opt[string]     `json:"locale" rule:"locale"`
	LoginAttributes Opt[attributes] `json:"login_attributes"`
	IsSuperuser     *bool           `json:"is_superuser"`
	groupsBody
}

// putUser changes a person. Attributes, administration, groups and the address,
// which is the name to sign in with, are for administrators; other people may
// send them back as they are. Who could change the own address would learn
// which others have an account.
func (a *API) putUser(r *request) (any, error) {
	in := bodyOf[userBody](r)
	u, err := a.person(r)
	if err != nil {
		return nil, err
	}
	groups, given, err := in.groups()
	if err != nil {
		return nil, err
	}
	up := store.UserUpdate{Locale: in.Locale.Change()}
	if in.FirstName.Set {
		up.FirstName = &in.FirstName.Value
	}
	if in.LastName.Set {
		up.LastName = &in.LastName.Value
	}
	if in.Email != nil && !strings.EqualFold(strings.TrimSpace(*in.Email), u.Email) {
		up.Email = in.Email
	}
	if in.LoginAttributes.Set && !maps.Equal(u.LoginAttributes, in.LoginAttributes.Value) {
		up.LoginAttributes = (*map[string]string)(&in.LoginAttributes.Value)
	}
	if in.IsSuperuser != nil && *in.IsSuperuser != u.Superuser {
		up.Superuser = in.IsSuperuser
	}
	if given && !slices.Equal(groups, u.Groups) {
		up.Groups = &groups
	}
	if !r.administers() && (up.Email != nil || up.LoginAttributes != nil || up.Superuser != nil || up.Groups != nil) {
		return nil, errForbidden
	}
	if given && in.IsSuperuser != nil && *in.IsSuperuser != slices.Contains(groups, permission.Administrators) {
		return nil, wrongField("is_superuser", "Value of is_superuser must correspond to presence of Admin group ID in group_ids.")
	}
	if given && !slices.Contains(groups, permission.AllUsers) {
		return nil, plain{http.StatusBadRequest, "You cannot add or remove users to/from the 'All Users' group."}
	}
	u, err = a.store.UpdateUser(r.ctx(), r.actor(), u.ID, up)
	if err != nil {
		return nil, err
	}
	return fullUser(u), nil
}

type passwordBody struct {
	Password    string `json:"password" rule:"required,nonblank"`
	OldPassword string `json:"old_password"`
}

// putPassword sets a password: one's own with the old one, or anybody's as an
// administrator. It ends the person's sessions; who changed the own one by a
// session gets a new one.
func (a *API) putPassword(r *request) (any, error) {
	in := bodyOf[passwordBody](r)
	u, err := a.person(r)
	if err != nil {
		return nil, err
	}
	if !u.Active {
		return nil, store.ErrNotFound
	}
	if !r.administers() {
		if err := a.checkOldPassword(r, u, in.OldPassword); err != nil {
			return nil, err
		}
	}
	hash, err := a.newPasswordHash(r.ctx(), "password", in.Password, u.Email)
	if err != nil {
		return nil, err
	}
	if _, err := a.store.UpdateUser(r.ctx(), r.actor(), u.ID, store.UserUpdate{PasswordHash: &hash}); err != nil {
		return nil, err
	}
	if u.ID != r.access.User() || r.who.session == nil {
		return noContent(), nil
	}
	token, err := a.openSession(r, u.ID, false)
	if err != nil {
		return nil, err
	}
	return successWire{Success: true, SessionID: token}, nil
}

func (a *API) checkOldPassword(r *request, u store.User, password string) error {
	success, err := a.throttle.attempt(u.Email, a.client(r.http))
	if err != nil {
		return err
	}
	_, hash, err := a.storedPassword(r, u.Email)
	if err != nil {
		return err
	}
	ok, err := a.passwords.matches(r.ctx(), hash, password)
	if err != nil {
		return err
	}
	if !ok {
		return wrongField("old_password", "Invalid password")
	}
	success()
	return nil
}
