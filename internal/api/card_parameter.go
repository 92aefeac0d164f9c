package api

import (
	"encoding/json"
	"maps"

	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/store"
)

// A parameter lets everybody who may see a chart filter it by a column, also
// by one that the chart does not show, and so find out what is in it. Who
// makes such a parameter must therefore have the right to ask the question
// anew (reference 1.6). A variable of the question's own SQL is no such
// parameter.

// mayParametrise tells whether the person may give the card its parameters in
// place of those that the same question had.
func (a *API) mayParametrise(r *request, had json.RawMessage, c store.Card) error {
	return a.mayFilter(r, dataset.Filters(had), dataset.Filters(c.Parameters), &c)
}

// mayMap tells whether the person may connect the parameters of a dashboard to
// its cards as in next. Of cards are those on it that the person may read.
func (a *API) mayMap(r *request, stored, next store.Dashboard, cards []store.Card) error {
	by := map[int64]*store.Card{}
	for _, c := range cards {
		by[c.ID] = &c
	}
	had, wants := filtersOf(stored), filtersOf(next)
	for id, filters := range wants {
		if err := a.mayFilter(r, had[id], filters, by[id]); err != nil {
			return err
		}
	}
	return nil
}

// filtersOf are the filters that a dashboard offers for each of its cards.
func filtersOf(d store.Dashboard) map[int64]map[dataset.Filter]bool {
	by := map[int64]map[dataset.Filter]bool{}
	for _, dc := range d.Dashcards {
		for _, id := range cardsOf(dc) {
			if by[id] == nil {
				by[id] = map[dataset.Filter]bool{}
			}
			maps.Copy(by[id], dataset.FiltersAt(d.Parameters, dc.ParameterMappings, id))
		}
	}
	return by
}

// mayFilter asks for the right to ask the card's question anew with each filter
// by a column that is wanted and was not there, be it only by another
// comparison. Of a card that the person may not read, which is nil, it has none.
func (a *API) mayFilter(r *request, had, wants map[dataset.Filter]bool, card *store.Card) error {
	for f := range wants {
		if had[f] || !f.Target.Column() {
			continue
		}
		if card == nil || !a.door.CanFilter(r.ctx(), r.access.User(), *card, f.Target) {
			return errForbidden
		}
	}
	return nil
}
