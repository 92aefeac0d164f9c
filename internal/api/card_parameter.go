package api

import (
	"encoding/json"

	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// A parameter lets everybody who may see a chart filter it by a column, also
// by one that the chart does not show, and so find out what is in it. Who
// makes such a parameter must therefore have the right to ask the question
// anew (reference 1.6). A variable of the question's own SQL is no such
// parameter.

// cardTargets are what the parameters of a card are compared with. Parameters
// that cannot be read are no parameters: running refuses them.
func cardTargets(parameters json.RawMessage) map[query.Target]bool {
	var list []struct {
		Target json.RawMessage `json:"target"`
	}
	_ = json.Unmarshal(parameters, &list)
	targets := map[query.Target]bool{}
	for _, p := range list {
		targets[query.ParseTarget(p.Target)] = true
	}
	return targets
}

// mayParametrise tells whether the person may give the card these parameters
// in place of those it has.
func (a *API) mayParametrise(r *request, c store.Card, parameters json.RawMessage) error {
	had := cardTargets(c.Parameters)
	for t := range cardTargets(parameters) {
		if t.Column() && !had[t] && !a.door.CanRunAdHoc(r.ctx(), r.access.User(), c) {
			return errForbidden
		}
	}
	return nil
}

// mapped is a card on a dashboard with a target that a parameter goes to.
type mapped struct {
	card   int64
	target query.Target
}

// mappings are all the targets that parameters of a dashboard go to.
func mappings(dashcards []store.Dashcard) map[mapped]bool {
	all := map[mapped]bool{}
	for _, dc := range dashcards {
		var list []struct {
			Card   *int64          `json:"card_id"`
			Target json.RawMessage `json:"target"`
		}
		_ = json.Unmarshal(dc.ParameterMappings, &list) // see cardTargets
		for _, m := range list {
			for _, card := range cardsOf(dc) {
				if m.Card == nil || *m.Card == card {
					all[mapped{card, query.ParseTarget(m.Target)}] = true
				}
			}
		}
	}
	return all
}

// mayMap tells whether the person may connect the parameters of a dashboard to
// its cards like this.
func (a *API) mayMap(r *request, stored, next []store.Dashcard, cards []store.Card) error {
	had := mappings(stored)
	by := map[int64]store.Card{}
	for _, c := range cards {
		by[c.ID] = c
	}
	for m := range mappings(next) {
		if !m.target.Column() || had[m] {
			continue
		}
		c, readable := by[m.card]
		if !readable || !a.door.CanRunAdHoc(r.ctx(), r.access.User(), c) {
			return errForbidden
		}
	}
	return nil
}
