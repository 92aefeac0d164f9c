package api

import (
	"time"

	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// snippetRoutes are about SQL that people share (reference 2.8). A snippet is
// of no database: whoever may write SQL on one sees all of them. Its text and
// its name are changed by who may write SQL on the database of every saved
// question that has it in it: it is what they run.
func snippetRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/api/native-query-snippet", Need: person(), Query: snippetListQuery{}, Answer: []snippetWire{},
			Summary: "List the snippets of SQL, for those who may write SQL", handle: (*API).listSnippets},
		{Method: "POST", Path: "/api/native-query-snippet", Need: sqlWriter(), Body: newSnippetWire{}, Answer: snippetWire{},
			Summary: "Share a snippet of SQL", handle: (*API).createSnippet},
		{Method: "GET", Path: "/api/native-query-snippet/{id}", Need: sqlWriter(), Answer: snippetWire{},
			Summary: "Get a snippet", handle: (*API).getSnippet},
		{Method: "PUT", Path: "/api/native-query-snippet/{id}", Need: sqlWriter(), Body: snippetUpdateWire{}, Answer: snippetWire{},
			Summary: "Change, archive or restore a snippet", handle: (*API).updateSnippet},
	}
}

// sqlWriter is the need of routes for people who may write SQL somewhere.
func sqlWriter() Need {
	return object("write SQL", func(_ *API, r *request) error {
		if !writesSQL(r.access) {
			return errForbidden
		}
		return nil
	})
}

type snippetWire struct {
	ID           int64             `json:"id"`
	EntityID     string            `json:"entity_id"`
	Name         string            `json:"name"`
	Description  *string           `json:"description"`
	Content      string            `json:"content"`
	Archived     bool              `json:"archived"`
	CollectionID *int64            `json:"collection_id"` // there are no folders of snippets
	CreatorID    permission.UserID `json:"creator_id"`
	Creator      *creatorWire      `json:"creator"`
	CreatedAt    time.Time         `json:"created_at"`
	UpdatedAt    time.Time         `json:"updated_at"`
}

func (a *API) snippetsWire(r *request, snippets []store.Snippet) ([]snippetWire, error) {
	var people []permission.UserID
	for _, s := range snippets {
		people = append(people, s.Creator)
	}
	creators, err := a.creators(r, people)
	if err != nil {
		return nil, err
	}
	list := make([]snippetWire, 0, len(snippets))
	for _, s := range snippets {
		list = append(list, snippetWire{ID: s.ID, EntityID: s.EntityID, Name: s.Name, Description: s.Description, Content: s.Content, Archived: s.Archived,
			CreatorID: s.Creator, Creator: creators[s.Creator], CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt})
	}
	return list, nil
}

// snippetWire is the answer with what reading or writing a snippet returned.
func (a *API) snippetWire(r *request, s store.Snippet, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	list, err := a.snippetsWire(r, []store.Snippet{s})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

type snippetListQuery struct {
	Archived bool `query:"archived"`
}

func (a *API) listSnippets(r *request) (any, error) {
	if !writesSQL(r.access) {
		return []snippetWire{}, nil
	}
	which := store.NotArchived
	if queryOf[snippetListQuery](r).Archived {
		which = store.OnlyArchived
	}
	all, err := a.store.Snippets(r.ctx(), which)
	if err != nil {
		return nil, err
	}
	return a.snippetsWire(r, all)
}

func (a *API) getSnippet(r *request) (any, error) {
	s, err := a.store.Snippet(r.ctx(), r.id("id"))
	return a.snippetWire(r, s, err)
}

type newSnippetWire struct {
	Name         string  `json:"name" rule:"required,nonblank,max=254"`
	Content      string  `json:"content" rule:"required,max=100000"`
	Description  *string `json:"description" rule:"max=65536"`
	CollectionID *ID     `json:"collection_id"`
}

func (a *API) createSnippet(r *request) (any, error) {
	b := bodyOf[newSnippetWire](r)
	if err := inNoFolder(b.CollectionID); err != nil {
		return nil, err
	}
	s, err := a.store.CreateSnippet(r.ctx(), r.actor(), store.Snippet{Name: b.Name, Content: b.Content, Description: b.Description},
		dataset.MayWriteSnippet(r.access.User()))
	return a.snippetWire(r, s, err)
}

type snippetUpdateWire struct {
	Name         Opt[string] `json:"name" rule:"nonblank,max=254"`
	Content      Opt[string] `json:"content" rule:"max=100000"`
	Description  Opt[string] `json:"description" rule:"max=65536"`
	Archived     Opt[bool]   `json:"archived"`
	CollectionID *ID         `json:"collection_id"`
}

func (a *API) updateSnippet(r *request) (any, error) {
	b := bodyOf[snippetUpdateWire](r)
	if err := inNoFolder(b.CollectionID); err != nil {
		return nil, err
	}
	s, err := a.store.UpdateSnippet(r.ctx(), r.actor(), r.id("id"), store.SnippetUpdate{Name: b.Name.Ptr(), Content: b.Content.Ptr(),
		Description: b.Description.Change(), Archived: b.Archived.Ptr()}, dataset.MayWriteSnippet(r.access.User()))
	return a.snippetWire(r, s, err)
}

func inNoFolder(id *ID) error {
	if id == nil {
		return nil
	}
	return wrongField("collection_id", "There are no folders of snippets; leave it out.")
}
