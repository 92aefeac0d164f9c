package api

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/sluice-bi/sluice/internal/store"
)

// bookmarkRoutes are about what a person marked to find it again. A bookmark
// of what the person may no longer see is not shown.
func bookmarkRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/api/bookmark", Need: person(), Answer: []bookmarkWire{},
			Summary: "List one's bookmarks", handle: (*API).listBookmarks},
		{Method: "PUT", Path: "/api/bookmark/ordering", Need: person(), Body: orderingWire{},
			Summary: "Put one's bookmarks in an order", handle: (*API).orderBookmarks},
		{Method: "POST", Path: "/api/bookmark/{model:text}/{id}", Need: bookmarkNeed(), Answer: bookmarkWire{},
			Summary: "Bookmark a question, dashboard or collection that one may read", handle: (*API).addBookmark},
		{Method: "DELETE", Path: "/api/bookmark/{model:text}/{id}", Need: person(),
			Summary: "Remove a bookmark", handle: (*API).removeBookmark},
	}
}

// bookmarkWire is a bookmark, with what its list shows of the thing.
type bookmarkWire struct {
	ID             string  `json:"id"`
	Type           string  `json:"type"`
	ItemID         int64   `json:"item_id"`
	Name           string  `json:"name"`
	Description    *string `json:"description"`
	Display        *string `json:"display,omitempty"`
	CardType       *string `json:"card_type,omitempty"`
	AuthorityLevel *string `json:"authority_level,omitempty"`
}

func bookmarkOf(t thing) bookmarkWire {
	w := bookmarkWire{ID: fmt.Sprintf("%s-%d", t.Kind, t.ID), Type: string(t.Kind), ItemID: t.ID, Name: t.name, Description: t.description}
	if t.card != nil {
		w.Display, w.CardType = &t.card.Display, new(cardType(*t.card))
	}
	if t.Kind == store.OfCollection {
		w.AuthorityLevel = t.collection.AuthorityLevel
	}
	return w
}

// bookmarkItem is what {model:text} and {id} name.
func bookmarkItem(r *request) (store.Item, error) {
	switch model := r.text("model"); model {
	case "card", "dashboard", "collection":
		return store.Item{Kind: store.Kind(model), ID: r.id("id")}, nil
	}
	return store.Item{}, wrongField("model", "value must be one of card, dashboard, collection.")
}

// bookmarkNeed is that the person may see what is to be marked. It is left in
// r.object.
func bookmarkNeed() Need {
	return object("see", func(a *API, r *request) error {
		item, err := bookmarkItem(r)
		if err != nil {
			return err
		}
		seen, err := a.things(r, []store.Item{item})
		if err != nil {
			return err
		}
		t, is := seen[item]
		if !is {
			return store.ErrNotFound
		}
		r.object = t
		return nil
	})
}

func (a *API) listBookmarks(r *request) (any, error) {
	items, err := a.store.Bookmarks(r.ctx(), r.access.User())
	if err != nil {
		return nil, err
	}
	seen, err := a.things(r, items)
	if err != nil {
		return nil, err
	}
	list := []bookmarkWire{}
	for _, item := range items {
		if t, is := seen[item]; is {
			list = append(list, bookmarkOf(t))
		}
	}
	return list, nil
}

func (a *API) addBookmark(r *request) (any, error) {
	t := r.object.(thing)
	err := a.store.AddBookmark(r.ctx(), r.access.User(), t.Item)
	if errors.Is(err, store.ErrConflict) {
		return nil, plain{http.StatusBadRequest, "Bookmark already exists"}
	}
	return bookmarkOf(t), err
}

// removeBookmark asks for no right: what it says of the thing is nothing.
func (a *API) removeBookmark(r *request) (any, error) {
	item, err := bookmarkItem(r)
	if err != nil {
		return nil, err
	}
	return noContent(), a.store.RemoveBookmark(r.ctx(), r.access.User(), item)
}

type orderingWire struct {
	Orderings []orderedWire `json:"orderings" rule:"required,max=1000"`
}

type orderedWire struct {
	Type   string `json:"type" rule:"required"`
	ItemID ID     `json:"item_id" rule:"required,positive"`
}

func (a *API) orderBookmarks(r *request) (any, error) {
	var order []store.Item
	for i, o := range bodyOf[orderingWire](r).Orderings {
		if o.Type != "card" && o.Type != "dashboard" && o.Type != "collection" {
			return nil, wrongField(fmt.Sprintf("orderings[%d].type", i), "value must be one of card, dashboard, collection.")
		}
		order = append(order, store.Item{Kind: store.Kind(o.Type), ID: int64(o.ItemID)})
	}
	return noContent(), a.store.OrderBookmarks(r.ctx(), r.access.User(), order)
}

// bookmarks are the things that the person has marked.
func (a *API) bookmarks(r *request) (map[store.Item]bool, error) {
	all, err := a.store.Bookmarks(r.ctx(), r.access.User())
	marked := make(map[store.Item]bool, len(all))
	for _, item := range all {
		marked[item] = true
	}
	return marked, err
}
