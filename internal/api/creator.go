package api

import (
	"fmt"
	"strings"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// creatorWire is who made something. Of people that one may not know of (see
// knows) it has no address and no parts of the name.
type creatorWire struct {
	ID         permission.UserID `json:"id"`
	Email      string            `json:"email,omitempty"`
	FirstName  *string           `json:"first_name"`
	LastName   *string           `json:"last_name"`
	CommonName string            `json:"common_name"`
}

// creators are the people with these ids as the person sees them.
func (a *API) creators(r *request, ids []permission.UserID) (map[permission.UserID]*creatorWire, error) {
	users, err := a.store.UsersByID(r.ctx(), ids)
	if err != nil {
		return nil, err
	}
	visible, err := a.acquaintances(r)
	if err != nil {
		return nil, err
	}
	by := make(map[permission.UserID]*creatorWire, len(users))
	for id, u := range users {
		by[id] = creatorOf(u, visible(id))
	}
	return by, nil
}

func creatorOf(u store.User, known bool) *creatorWire {
	w := &creatorWire{ID: u.ID}
	if !known {
		if w.CommonName = strings.TrimSpace(u.FirstName + " " + u.LastName); w.CommonName == "" {
			w.CommonName = fmt.Sprintf("User %d", u.ID) // and not the address
		}
		return w
	}
	brief := briefUser(u)
	w.Email, w.FirstName, w.LastName, w.CommonName = brief.Email, brief.FirstName, brief.LastName, brief.CommonName
	return w
}
