package api

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// activityRoutes are about what people have opened. What somebody may no
// longer see is in no answer.
func activityRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/api/activity/recents", Need: person(), Query: recentsQuery{}, Answer: recentsWire{},
			Summary: "List what one opened or picked lately", handle: (*API).recents},
		{Method: "POST", Path: "/api/activity/recents", Need: person(), Body: pickedWire{},
			Summary: "Remember that one picked something that one may see", handle: (*API).addRecent},
		{Method: "GET", Path: "/api/activity/recent_views", Need: person(), Answer: recentViewsWire{},
			Summary: "List what one opened lately", handle: (*API).recentViews},
		{Method: "GET", Path: "/api/activity/popular_items", Need: person(), Answer: popularWire{},
			Summary: "List what most of those one knows opened lately", handle: (*API).popularItems},
	}
}

// recentWire is something that was opened. Those under "only" are left out for
// other kinds.
type recentWire struct {
	ID              int64     `json:"id"`
	Model           string    `json:"model"`
	Name            string    `json:"name"`
	Description     *string   `json:"description"`
	CanWrite        bool      `json:"can_write"`
	Timestamp       time.Time `json:"timestamp"`
	ModeratedStatus *string   `json:"moderated_status"` // always null
	// Only what lies in a collection.
	Parent *parentWire `json:"parent_collection,omitempty"`
	// Only cards.
	Display    *string             `json:"display,omitempty"`
	DatabaseID *catalog.DatabaseID `json:"database_id,omitempty"`
	// Only collections.
	EffectiveLocation *string `json:"effective_location,omitempty"`
	AuthorityLevel    *string `json:"authority_level,omitempty"`
	// Only tables.
	DisplayName *string             `json:"display_name,omitempty"`
	TableSchema *string             `json:"table_schema,omitempty"`
	Database    *recentDatabaseWire `json:"database,omitempty"`
}

// parentWire is the collection that somebody sees a thing in.
type parentWire struct {
	ID             collectionRef `json:"id"`
	Name           string        `json:"name"`
	AuthorityLevel *string       `json:"authority_level"`
}

type recentDatabaseWire struct {
	ID                catalog.DatabaseID `json:"id"`
	Name              string             `json:"name"`
	InitialSyncStatus string             `json:"initial_sync_status"`
}

type recentsQuery struct {
	Contexts []string `query:"context" enum:"views,selections"`
}

type recentsWire struct {
	Recents []recentWire `json:"recents"`
}

type recentViewsWire struct {
	RecentViews []recentWire `json:"recent_views"`
}

type popularWire struct {
	PopularItems []recentWire `json:"popular_items"`
}

// opened notes that the person has opened something. Programs with API keys are
// nobody whose recent things matter, and who views as somebody else is not that
// person. That it could not be noted keeps nobody
// from what they opened.
func (a *API) opened(r *request, kind store.Kind, id int64) {
	if r.who.session == nil || r.viewer != 0 {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx(), 5*time.Second)
	defer cancel()
	err := a.store.RecordView(ctx, r.access.User(), store.Viewed, store.Item{Kind: kind, ID: id})
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrNoLease) && r.ctx().Err() == nil {
		a.log.Warn("a view was not noted", "request_id", r.rec.id, "error", err)
	}
}

func (a *API) recents(r *request) (any, error) {
	var how []store.ViewContext
	for _, c := range queryOf[recentsQuery](r).Contexts {
		how = append(how, map[string]store.ViewContext{"views": store.Viewed, "selections": store.Selected}[c])
	}
	if len(how) == 0 {
		return nil, wrongField("context", "value must be one of views, selections.")
	}
	list, err := a.recentList(r, how...)
	return recentsWire{list}, err
}

func (a *API) recentViews(r *request) (any, error) {
	list, err := a.recentList(r, store.Viewed)
	return recentViewsWire{list}, err
}

func (a *API) recentList(r *request, how ...store.ViewContext) ([]recentWire, error) {
	views, err := a.store.Views(r.ctx(), r.access.User(), how...)
	if err != nil {
		return nil, err
	}
	return a.visibleViews(r, views)
}

// visibleViews are those of the views whose things the person may see.
func (a *API) visibleViews(r *request, views []store.View) ([]recentWire, error) {
	var items []store.Item
	for _, v := range views {
		items = append(items, v.Item)
	}
	seen, err := a.things(r, items)
	if err != nil {
		return nil, err
	}
	list := []recentWire{}
	for _, v := range views {
		if t, is := seen[v.Item]; is {
			w, err := a.recentOf(r, t)
			if err != nil {
				return nil, err
			}
			w.Timestamp = v.At
			list = append(list, w)
		}
	}
	return list, nil
}

func (a *API) recentOf(r *request, t thing) (recentWire, error) {
	w := recentWire{ID: t.ID, Model: t.model, Name: t.name, Description: t.description, CanWrite: t.canWrite}
	switch t.Kind {
	case store.OfTable:
		d := r.access.Graph().Catalog().Database(t.table.Database)
		w.DisplayName, w.TableSchema = &t.table.DisplayName, nullText(t.table.Schema)
		w.Database = &recentDatabaseWire{d.ID, d.Name, "complete"}
		return w, nil
	case store.OfCard:
		w.Display, w.DatabaseID = &t.card.Display, t.card.Database
	case store.OfCollection:
		w.EffectiveLocation, w.AuthorityLevel = new(locationOf(r.access, t.collection.ID)), t.collection.AuthorityLevel
		above := nearestAbove(r.access, t.collection.ID)
		w.Parent = &parentWire{ID: collectionRef(above), Name: rootName}
		if above == permission.Root {
			return w, nil
		}
		c, err := a.store.Collection(r.ctx(), above)
		w.Parent.Name, w.Parent.AuthorityLevel = c.Name, c.AuthorityLevel
		return w, err
	}
	w.Parent = &parentWire{Name: rootName}
	if c := t.collection; c != nil {
		w.Parent = &parentWire{collectionRef(c.ID), c.Name, c.AuthorityLevel}
	}
	return w, nil
}

type pickedWire struct {
	Model   string `json:"model" rule:"required"`
	ModelID ID     `json:"model_id" rule:"required,positive"`
	Context string `json:"context" rule:"required"`
}

func (a *API) addRecent(r *request) (any, error) {
	b := bodyOf[pickedWire](r)
	item := store.Item{Kind: kindOfModel(b.Model), ID: int64(b.ModelID)}
	switch item.Kind {
	case store.OfCard, store.OfDashboard, store.OfCollection, store.OfTable:
	default:
		return nil, wrongField("model", "value must be one of card, dataset, metric, dashboard, collection, table.")
	}
	if b.Context != string(store.Selected) {
		return nil, wrongField("context", "value must be selection.")
	}
	seen, err := a.things(r, []store.Item{item})
	if err != nil {
		return nil, err
	}
	if _, is := seen[item]; !is {
		return nil, store.ErrNotFound
	}
	return noContent(), a.store.RecordView(r.ctx(), r.access.User(), store.Selected, item)
}

// mostPopular is how many popular things are listed.
const mostPopular = 5

// popularItems lists what most people opened lately, counting those that the
// person may know of (see acquaintances): what others do is theirs.
func (a *API) popularItems(r *request) (any, error) {
	knows, err := a.acquaintances(r)
	if err != nil {
		return nil, err
	}
	people := []permission.UserID{}
	for u := range r.access.Graph().Users() {
		if knows(u.ID) {
			people = append(people, u.ID)
		}
	}
	popular, err := a.store.Popular(r.ctx(), people)
	if err != nil {
		return nil, err
	}
	list := []recentWire{}
	for len(popular) > 0 && len(list) < mostPopular {
		views := []store.View{}
		for _, p := range popular[:min(len(popular), 50)] {
			views = append(views, p.View)
		}
		popular = popular[len(views):]
		some, err := a.visibleViews(r, views)
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return popularWire{list[:min(len(list), mostPopular)]}, nil
}
