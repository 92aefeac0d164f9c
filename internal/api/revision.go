package api

import (
	"slices"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// revisionRoutes are about what questions and dashboards were. Whoever may read
// one sees its revisions, but for those from when it lay in a collection that
// they may not read; whoever may change it can bring one back.
func revisionRoutes() []Route {
	inQuery := func(r *request) store.Item {
		q := queryOf[revisionQuery](r)
		return store.Item{Kind: store.Kind(q.Entity), ID: int64(q.ID)}
	}
	inPath := func(r *request) store.Item {
		return store.Item{Kind: store.Kind(r.text("entity")), ID: r.id("id")}
	}
	inBody := func(r *request) store.Item {
		b := bodyOf[revertWire](r)
		return store.Item{Kind: store.Kind(b.Entity), ID: int64(b.ID)}
	}
	return []Route{
		{Method: "GET", Path: "/api/revision", Need: revisionNeed(permission.ReadCollection, inQuery), Query: revisionQuery{}, Answer: []pastWire{},
			Summary: "List what a question or dashboard was, newest first", handle: (*API).listRevisions},
		{Method: "GET", Path: "/api/revision/{entity:text}/{id}", Need: revisionNeed(permission.ReadCollection, inPath), Answer: []pastWire{},
			Summary: "List what a question or dashboard was, newest first", handle: (*API).listRevisions},
		{Method: "POST", Path: "/api/revision/revert", Need: revisionNeed(permission.CurateCollection, inBody), Body: revertWire{}, Answer: pastWire{},
			Summary: "Make a question or dashboard what it was, where it is now", handle: (*API).revert},
	}
}

type revisionQuery struct {
	Entity string `query:"entity" enum:"card,dashboard"`
	ID     ID     `query:"id"`
}

// revised is a card or dashboard and what it was, as far as the person may see
// it, newest first.
type revised struct {
	card      *store.Card
	dashboard *store.Dashboard
	pasts     []store.Past
}

// revisionNeed is the right on the collection of what the request names. It is
// left in r.object.
func revisionNeed(right permission.Right, named func(*request) store.Item) Need {
	return object(right.String(), func(a *API, r *request) error {
		item := named(r)
		var is revised
		var in permission.CollectionID
		var err error
		switch item.Kind {
		case store.OfCard:
			var c store.Card
			c, err = a.store.Card(r.ctx(), item.ID)
			is.card, in = &c, c.Collection
		case store.OfDashboard:
			var d store.Dashboard
			d, err = a.store.Dashboard(r.ctx(), item.ID)
			is.dashboard, in = &d, d.Collection
		default:
			return wrongField("entity", "value must be one of card, dashboard.")
		}
		if err == nil {
			err = r.access.Check(right, permission.ACollection(in))
		}
		if err != nil {
			return err
		}
		is.pasts, err = a.store.Pasts(r.ctx(), item)
		is.pasts = slices.DeleteFunc(is.pasts, func(p store.Past) bool {
			return !r.access.Can(permission.ReadCollection, permission.ACollection(p.Collection()))
		})
		r.object = is
		return err
	})
}

// pastWire is what something was after a write. What is told of it names no
// card of a dashboard and no collection: not all who read it may see those.
type pastWire struct {
	ID                 int64        `json:"id"`
	Timestamp          time.Time    `json:"timestamp"`
	User               *creatorWire `json:"user"` // null for a state that nobody's write left
	IsCreation         bool         `json:"is_creation"`
	IsReversion        bool         `json:"is_reversion"`
	Message            *string      `json:"message"`
	Title              string       `json:"title"`       // what it was, in a few words
	Description        string       `json:"description"` // what was changed, in a sentence
	HasMultipleChanges bool         `json:"has_multiple_changes"`
	Diff               *diffWire    `json:"diff"`
}

// diffWire is what was changed, by field; null where there is nothing to
// compare with.
type diffWire struct {
	Before map[string]any `json:"before"`
	After  map[string]any `json:"after"`
}

func (a *API) listRevisions(r *request) (any, error) {
	return a.pastsWire(r, r.object.(revised).pasts)
}

func (a *API) pastsWire(r *request, pasts []store.Past) ([]pastWire, error) {
	var people []permission.UserID
	for _, p := range pasts {
		people = append(people, p.User)
	}
	users, err := a.creators(r, people)
	if err != nil {
		return nil, err
	}
	list := make([]pastWire, 0, len(pasts))
	for i, p := range pasts {
		w := pastWire{ID: p.ID, Timestamp: p.At, User: users[p.User], IsCreation: p.Creation, IsReversion: p.Reversion}
		if i+1 < len(pasts) {
			changes := changesOf(pasts[i+1], p)
			w.Description, w.HasMultipleChanges = sentence(changes), len(changes) > 1
			w.Diff = diffOf(changes)
		}
		switch {
		case p.Creation:
			w.Title, w.Description = "created this", "Created this."
		case p.Reversion:
			w.Title = "reverted to an earlier version"
		default:
			w.Title = "edited this"
		}
		if w.Description == "" {
			w.Description = "Edited this."
		}
		list = append(list, w)
	}
	return list, nil
}
