package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/sluice-bi/sluice/internal/store"
)

type revertWire struct {
	Entity     string `json:"entity" rule:"required"`
	ID         ID     `json:"id" rule:"required"`
	RevisionID ID     `json:"revision_id" rule:"required"`
}

// revert makes a question or dashboard what it was. It is an update like any
// other and needs what that needs: a question that is brought back must be one
// that the person may ask. Where the thing lies, whether it is in the trash and
// whether it is pinned stay as they are.
func (a *API) revert(r *request) (any, error) {
	is := r.object.(revised)
	i := slices.IndexFunc(is.pasts, func(p store.Past) bool { return p.ID == int64(bodyOf[revertWire](r).RevisionID) })
	if i < 0 {
		return nil, store.ErrNotFound
	}
	to := is.pasts[i]
	if to.TooLarge {
		return nil, message{http.StatusBadRequest, "This revision was too large to be kept."}
	}
	var err error
	if is.card != nil {
		err = a.revertCard(r, *is.card, *to.Card)
	} else {
		err = a.revertDashboard(r, *is.dashboard, *to.Dashboard)
	}
	if err != nil {
		return nil, err
	}
	if err := r.route.Need.check(a, r); err != nil {
		return nil, err
	}
	list, err := a.pastsWire(r, r.object.(revised).pasts)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

func (a *API) revertCard(r *request, was, to store.Card) error {
	u := store.CardUpdate{Name: &to.Name, Display: &to.Display, Type: &to.Type, Description: &to.Description, QueryType: &to.QueryType, CacheTTL: &to.CacheTTL,
		VisualizationSettings: restored(was.VisualizationSettings, to.VisualizationSettings, "{}"),
		Parameters:            restored(was.Parameters, to.Parameters, "[]"),
		ParameterMappings:     restored(was.ParameterMappings, to.ParameterMappings, "[]"), Reversion: true}
	if err := a.mayRewrite(r, was, to.DatasetQuery, &u); err != nil {
		return err
	}
	_, err := a.rewriteCard(r, was, u)
	return err
}

// restored is a document as it was; nil when it is still so.
func restored(is, was json.RawMessage, none string) json.RawMessage {
	if bytes.Equal(is, was) {
		return nil
	}
	return rawOr(was, none)
}

func (a *API) revertDashboard(r *request, was, to store.Dashboard) error {
	u := store.DashboardUpdate{Name: &to.Name, Width: &to.Width, Description: &to.Description, Parameters: restored(was.Parameters, to.Parameters, "[]"),
		AutoApplyFilters: &to.AutoApplyFilters, CacheTTL: &to.CacheTTL, Reversion: true}
	tabs := map[int64]int64{} // the id that a tab had, and that it has or gets
	for i, t := range to.Tabs {
		tabs[t.ID] = t.ID
		if !slices.ContainsFunc(was.Tabs, func(now store.Tab) bool { return now.ID == t.ID }) {
			tabs[t.ID] = int64(-1 - i)
		}
		u.Tabs = append(u.Tabs, store.Tab{ID: tabs[t.ID], Name: t.Name, Position: i})
	}
	if u.Tabs == nil {
		u.Tabs = []store.Tab{}
	}
	var err error
	if u.Dashcards, err = a.pastDashcards(r, was.Dashcards, to.Dashcards, tabs); err != nil {
		return err
	}
	if err := a.mayConnect(r, was, u); err != nil {
		return err
	}
	_, err = a.store.UpdateDashboard(r.ctx(), r.actor(), was, u)
	return err
}

// pastDashcards is the list that dashcards were, without cards that are gone or
// archived by now, or that the person may not read and could not add. What was
// set for such cards does not come back either; where one still is, it keeps
// what is set for it now.
func (a *API) pastDashcards(r *request, stored, past []store.Dashcard, tabs map[int64]int64) ([]store.Dashcard, error) {
	cards, err := a.readableCards(r, slices.Concat(stored, past))
	if err != nil {
		return nil, err
	}
	readable, usable := map[int64]bool{}, map[int64]bool{}
	for _, c := range cards {
		readable[c.ID], usable[c.ID] = true, !c.Archived
	}
	now := make(map[int64]store.Dashcard, len(stored))
	for _, dc := range stored {
		now[dc.ID] = dc
	}
	list := []store.Dashcard{}
	for i, dc := range past {
		old, there := now[dc.ID]
		returns := func(id int64) bool { return usable[id] || slices.Contains(cardsOf(old), id) }
		if dc.Card != nil && !returns(*dc.Card) {
			continue
		}
		n := dc
		n.Series = slices.DeleteFunc(slices.Clone(dc.Series), func(id int64) bool { return !returns(id) })
		if locked(dc, func(id int64) bool { return readable[id] }) {
			n.DashcardSettings = store.DashcardSettings{}
			if slices.Equal(cardsOf(n), cardsOf(old)) {
				n.DashcardSettings = old.DashcardSettings
			}
		}
		if !there {
			n.ID = int64(-1 - i)
		}
		if dc.Tab != nil {
			n.Tab = new(tabs[*dc.Tab])
		}
		list = append(list, n)
	}
	return list, nil
}
