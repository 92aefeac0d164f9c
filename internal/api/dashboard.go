package api

import (
	"slices"

	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// dashboardRoutes are about dashboards (reference 4.9). A dashboard is as
// readable as its collection; each card on it is as readable as its own.
func dashboardRoutes() []Route {
	read, curate := dashboardNeed(permission.ReadCollection), dashboardNeed(permission.CurateCollection)
	return []Route{
		{Method: "GET", Path: "/api/dashboard", Need: person(), Query: dashboardListQuery{}, Answer: []dashboardWire{},
			Summary: "List the dashboards that one may read", handle: (*API).listDashboards},
		{Method: "POST", Path: "/api/dashboard", Need: person(), Body: newDashboardWire{}, Answer: dashboardWire{},
			Summary: "Create a dashboard in a collection that one curates", handle: (*API).createDashboard},
		{Method: "GET", Path: "/api/dashboard/{id}", Need: read, Answer: dashboardWire{},
			Summary: "Get a dashboard; cards that one may not read are reduced to their id", handle: (*API).getDashboard},
		{Method: "PUT", Path: "/api/dashboard/{id}", Need: curate, Body: dashboardUpdateWire{}, Answer: dashboardWire{},
			Summary: "Change, move, archive or restore a dashboard", handle: (*API).updateDashboard},
		{Method: "DELETE", Path: "/api/dashboard/{id}", Need: curate,
			Summary: "Delete a dashboard for good", handle: (*API).deleteDashboard},
		{Method: "PUT", Path: "/api/dashboard/{id}/cards", Need: curate, Body: oldDashcardsWire{}, Answer: oldDashcardsAnswer{},
			Summary: "Set what stands on a dashboard, as older clients do", handle: (*API).putDashcards},
		{Method: "POST", Path: "/api/dashboard/{id}/cards", Need: curate, Body: oldDashcardWire{}, Answer: dashcardWire{},
			Summary: "Add a card to a dashboard, as older clients do", handle: (*API).postDashcard},
		{Method: "GET", Path: "/api/dashboard/{id}/query_metadata", Need: read, Answer: queryMetadataWire{},
			Summary: "Describe the tables of the questions on a dashboard that one may see", handle: (*API).dashboardMetadata},
		{Method: "POST", Path: "/api/dashboard/{id}/copy", Need: read, Body: dashboardCopyWire{}, Answer: dashboardWire{},
			Summary: "Copy a dashboard, without the cards that one may not read", handle: (*API).copyDashboard},
		{Method: "POST", Path: "/api/dashboard/{id}/dashcard/{dashcard_id}/card/{card_id}/query", Reads: true, Need: read, Body: cardRunWire{}, Answer: resultWire{}, Status: 202,
			Summary: "Run a question as it stands on a dashboard", handle: (*API).runDashcard},
		{Method: "POST", Path: "/api/dashboard/{id}/dashcard/{dashcard_id}/card/{card_id}/query/{format:text}", Reads: true, Need: read, Form: true,
			Body: cardRunWire{}, Answer: Array{},
			Summary: "Export the result of a question on a dashboard", handle: (*API).exportDashcard},
	}
}

// dashboardNeed is the right on the collection of the dashboard that {id}
// names. The dashboard is left in r.object.
func dashboardNeed(right permission.Right) Need {
	return object(right.String(), func(a *API, r *request) error {
		d, err := a.store.Dashboard(r.ctx(), r.id("id"))
		if err != nil {
			return err
		}
		r.object = d
		return r.access.Check(right, permission.ACollection(d.Collection))
	})
}

type dashboardListQuery struct {
	Filter string `query:"f" enum:"all,mine,archived"`
}

func (a *API) listDashboards(r *request) (any, error) {
	which, right := store.DashboardQuery{}, permission.ReadCollection
	switch queryOf[dashboardListQuery](r).Filter {
	case "mine":
		which.Creator = r.access.User()
	case "archived":
		which.Archived, right = store.OnlyArchived, permission.CurateCollection
	}
	all, err := a.store.Dashboards(r.ctx(), which)
	if err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(all, func(d store.Dashboard) bool {
		return !r.access.Can(right, permission.ACollection(d.Collection))
	})
	return a.dashboardsWire(r, list)
}

func (a *API) getDashboard(r *request) (any, error) {
	d := r.object.(store.Dashboard)
	a.opened(r, store.OfDashboard, d.ID)
	return a.oneDashboard(r, d, nil)
}

// dashboardMetadata describes what the cards read that the person may read.
func (a *API) dashboardMetadata(r *request) (any, error) {
	cards, err := a.readableCards(r, r.object.(store.Dashboard).Dashcards)
	if err != nil {
		return nil, err
	}
	return a.metadataOf(r, cards)
}

func (a *API) deleteDashboard(r *request) (any, error) {
	return noContent(), a.store.DeleteDashboard(r.ctx(), r.actor(), r.object.(store.Dashboard))
}

// dashcardRequest names a card on a dashboard that the person may read. The
// card itself must be readable too, and the three belong together.
func (a *API) dashcardRequest(r *request) (dataset.Request, store.Card, error) {
	d, card := r.object.(store.Dashboard), r.id("card_id")
	i := slices.IndexFunc(d.Dashcards, func(dc store.Dashcard) bool { return dc.ID == r.id("dashcard_id") })
	if i < 0 || orZero(d.Dashcards[i].Card) != card && !slices.Contains(d.Dashcards[i].Series, card) {
		return dataset.Request{}, store.Card{}, store.ErrNotFound
	}
	c, err := a.store.Card(r.ctx(), card)
	if err == nil {
		err = r.access.Check(permission.ReadCollection, permission.ACollection(c.Collection))
	}
	ask := bodyOf[cardRunWire](r).request(card, "dashboard")
	ask.Dashboard, ask.Dashcard = d.ID, d.Dashcards[i].ID
	return ask, c, err
}

func (a *API) runDashcard(r *request) (any, error) {
	ask, c, err := a.dashcardRequest(r)
	if err != nil {
		return nil, err
	}
	return a.answerQuery(r, ask, c.DatasetQuery)
}

func (a *API) exportDashcard(r *request) (any, error) {
	ask, _, err := a.dashcardRequest(r)
	if err != nil {
		return nil, err
	}
	return a.exportQuery(r, r.text("format"), ask)
}
