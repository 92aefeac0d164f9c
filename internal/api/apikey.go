package api

import (
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

type apiKeyWire struct {
	ID        int64           `json:"id"`
	Name      string          `json:"name"`
	Group     apiKeyGroupWire `json:"group"`
	MaskedKey string          `json:"masked_key"`
	// UnmaskedKey is the key itself, only in the answer that made it.
	UnmaskedKey string            `json:"unmasked_key,omitempty"`
	CreatedAt   time.Time         `json:"created_at"`
	UpdatedAt   time.Time         `json:"updated_at"`
	UpdatedBy   *apiKeyAuthorWire `json:"updated_by"`
}

type apiKeyGroupWire struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type apiKeyAuthorWire struct {
	ID         int64  `json:"id"`
	CommonName string `json:"common_name"`
}

// newKey makes a key and what may be shown of it later.
func newKey() (key, mask string) {
	key = "mb_" + newToken()
	return key, key[:7] + "****************"
}

// wireKeys adds to keys the names of their groups and of who changed them last.
func (a *API) wireKeys(r *request, keys ...store.APIKey) ([]apiKeyWire, error) {
	var authors []permission.UserID
	for _, k := range keys {
		authors = append(authors, k.UpdatedBy)
	}
	users, err := a.store.UsersByID(r.ctx(), authors)
	if err != nil {
		return nil, err
	}
	graph := a.store.Graph()
	list := []apiKeyWire{}
	for _, k := range keys {
		w := apiKeyWire{ID: k.ID, Name: k.Name, MaskedKey: k.Mask, CreatedAt: k.CreatedAt, UpdatedAt: k.UpdatedAt,
			Group: apiKeyGroupWire{ID: int64(k.Group)}}
		if g := graph.Group(k.Group); g != nil {
			w.Group.Name = g.Name
		}
		if u, ok := users[k.UpdatedBy]; ok {
			w.UpdatedBy = &apiKeyAuthorWire{int64(u.ID), commonName(u)}
		}
		list = append(list, w)
	}
	return list, nil
}

// wireKey is the answer about one key; secret is "" except where it was made.
func (a *API) wireKey(r *request, k store.APIKey, secret string) (any, error) {
	list, err := a.wireKeys(r, k)
	if err != nil {
		return nil, err
	}
	list[0].UnmaskedKey = secret
	return list[0], nil
}

func (a *API) listAPIKeys(r *request) (any, error) {
	keys, err := a.store.APIKeys(r.ctx())
	if err != nil {
		return nil, err
	}
	return a.wireKeys(r, keys...)
}

func (a *API) countAPIKeys(r *request) (any, error) {
	keys, err := a.store.APIKeys(r.ctx())
	return len(keys), err
}

type newAPIKeyBody struct {
	Name  string `json:"name" rule:"required,nonblank,max=254"`
	Group ID     `json:"group_id" rule:"required,positive"`
}

func (a *API) createAPIKey(r *request) (any, error) {
	in := bodyOf[newAPIKeyBody](r)
	key, mask := newKey()
	k, err := a.store.CreateAPIKey(r.ctx(), r.actor(), store.NewAPIKey{
		Name: in.Name, Group: permission.GroupID(in.Group), Digest: digest(key), Mask: mask})
	if err != nil {
		return nil, err
	}
	return a.wireKey(r, k, key)
}

type apiKeyBody struct {
	Name  *string `json:"name" rule:"nonblank,max=254"`
	Group *ID     `json:"group_id" rule:"positive"`
}

func (a *API) putAPIKey(r *request) (any, error) {
	in := bodyOf[apiKeyBody](r)
	k, err := a.store.UpdateAPIKey(r.ctx(), r.actor(), r.id("id"), in.Name, (*permission.GroupID)(in.Group))
	if err != nil {
		return nil, err
	}
	return a.wireKey(r, k, "")
}

func (a *API) regenerateAPIKey(r *request) (any, error) {
	key, mask := newKey()
	k, err := a.store.RegenerateAPIKey(r.ctx(), r.actor(), r.id("id"), digest(key), mask)
	if err != nil {
		return nil, err
	}
	return a.wireKey(r, k, key)
}

func (a *API) deleteAPIKey(r *request) (any, error) {
	if err := a.store.DeleteAPIKey(r.ctx(), r.actor(), r.id("id")); err != nil {
		return nil, err
	}
	return noContent(), nil
}
