package api

import (
	"errors"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

type dashboardCopyWire struct {
	Name               *string `json:"name" rule:"nonblank,max=254"`
	Description        *string `json:"description" rule:"max=65536"`
	CollectionID       *ID     `json:"collection_id" rule:"positive"`
	CollectionPosition *int    `json:"collection_position" rule:"positive"`
	IsDeepCopy         *bool   `json:"is_deep_copy"`
}

// copyDashboard makes a dashboard like another one. Cards that the person may
// not read are left out and listed. A deep copy saves the cards anew, which
// needs what saving needs; those that the person may not ask are left out too.
func (a *API) copyDashboard(r *request) (any, error) {
	from, b := r.object.(store.Dashboard), bodyOf[dashboardCopyWire](r)
	to := store.Dashboard{Name: from.Name, Description: from.Description, Parameters: from.Parameters, Width: from.Width,
		AutoApplyFilters: from.AutoApplyFilters, CacheTTL: from.CacheTTL, CollectionPosition: b.CollectionPosition}
	if b.Name != nil {
		to.Name = *b.Name
	}
	if b.Description != nil {
		to.Description = b.Description
	}
	if b.CollectionID != nil {
		to.Collection = permission.CollectionID(*b.CollectionID)
	}
	if err := a.mayPutInto(r, "collection_id", to.Collection); err != nil {
		return nil, err
	}
	cards, err := a.readableCards(r, from.Dashcards)
	if err != nil {
		return nil, err
	}
	copied := make(map[int64]int64, len(cards))
	for _, c := range cards {
		copied[c.ID] = c.ID
		if orZero(b.IsDeepCopy) {
			if copied[c.ID], err = a.copyInto(r, c, to.Collection); err != nil {
				return nil, err
			}
		}
	}
	uncopied := takeOver(&to, from, copied)
	to, err = a.store.CreateDashboard(r.ctx(), r.actor(), to)
	if err != nil {
		return nil, err
	}
	return a.oneDashboard(r, to, uncopied)
}

// copyInto saves a card anew in the collection; 0 when the person may not.
func (a *API) copyInto(r *request, c store.Card, in permission.CollectionID) (int64, error) {
	name := c.Name
	c = copyOf(c)
	c.Name, c.Collection = name, in
	err := a.maySave(r, &c)
	var refused plain
	var broken message
	if errors.As(err, &refused) || errors.As(err, &broken) {
		return 0, nil
	}
	if err == nil { // trying the question may have taken long
		err = a.mayPutInto(r, "collection_id", in)
	}
	if err == nil {
		c, err = a.store.CreateCard(r.ctx(), r.actor(), c)
	}
	return c.ID, err
}

// takeOver gives a new dashboard the tabs and dashcards of another one, with
// the cards that copied names in place of its own. It returns the cards that
// copied has nothing for, each once; their places are left out.
func takeOver(to *store.Dashboard, from store.Dashboard, copied map[int64]int64) []lockedWire {
	tabs := make(map[int64]int64, len(from.Tabs))
	for i, t := range from.Tabs {
		tabs[t.ID] = int64(-1 - i) // the store replaces it by a new id
		to.Tabs = append(to.Tabs, store.Tab{ID: tabs[t.ID], Name: t.Name, Position: t.Position})
	}
	var left []lockedWire
	seen := map[int64]bool{}
	has := func(id int64) bool {
		if copied[id] == 0 && !seen[id] {
			seen[id] = true
			left = append(left, lockedWire{id})
		}
		return copied[id] != 0
	}
	for i, dc := range from.Dashcards {
		n := store.Dashcard{ID: int64(-1 - i), Row: dc.Row, Col: dc.Col, SizeX: dc.SizeX, SizeY: dc.SizeY}
		if !locked(dc, has) { // else what was set speaks of a card that is left out
			n.VisualizationSettings, n.ParameterMappings, n.InlineParameters = dc.VisualizationSettings, dc.ParameterMappings, dc.InlineParameters
		}
		if dc.Card != nil {
			if !has(*dc.Card) {
				continue
			}
			n.Card = new(copied[*dc.Card])
		}
		for _, id := range dc.Series {
			if has(id) {
				n.Series = append(n.Series, copied[id])
			}
		}
		if dc.Tab != nil {
			n.Tab = new(tabs[*dc.Tab])
		}
		to.Dashcards = append(to.Dashcards, n)
	}
	return left
}
