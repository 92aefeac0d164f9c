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
	copied := make(map[int64]bool, len(cards))
	for _, c := range cards {
		copied[c.ID] = true
	}
	var anew []store.Card
	if orZero(b.IsDeepCopy) {
		if copied, anew, err = a.copyCards(r, cards, to.Collection); err != nil {
			return nil, err
		}
	}
	uncopied := takeOver(&to, from, copied)
	to, err = a.store.CreateDashboard(r.ctx(), r.actor(), to, anew...)
	if err != nil {
		return nil, err
	}
	return a.oneDashboard(r, to, uncopied)
}

// copyCards makes cards like those in the collection, to be saved with the
// dashboard in their place. Copied tells of which there is a copy; of those that
// the person may not save there is none. All are tried before anything is saved,
// and what trying the last ones took does not let one be saved that may no longer
// be.
func (a *API) copyCards(r *request, cards []store.Card, in permission.CollectionID) (copied map[int64]bool, anew []store.Card, err error) {
	copied = make(map[int64]bool, len(cards))
	tried := map[int64]store.Card{}
	for _, c := range cards {
		n := copyOf(c)
		n.Name, n.Collection = c.Name, in
		err := a.maySaveAnew(r, &n)
		var broken message
		switch {
		case err == nil:
			tried[c.ID] = n
		case !errors.Is(err, errUnsavable) && !errors.Is(err, errForbidden) && !errors.As(err, &broken):
			return nil, nil, err
		}
	}
	if err := a.lookAgain(r); err != nil {
		return nil, nil, err
	}
	if err := a.mayPutInto(r, "collection_id", in); err != nil {
		return nil, nil, err
	}
	for _, c := range cards {
		n, savable := tried[c.ID]
		if savable && r.access.Can(permission.ReadCollection, permission.ACollection(c.Collection)) && a.door.CanRunAdHoc(r.ctx(), r.access.User(), n) &&
			a.mayParametrise(r, nil, n) == nil {
			n.ID = c.ID
			anew = append(anew, n)
			copied[c.ID] = true
		}
	}
	return copied, anew, nil
}

// takeOver gives a new dashboard the tabs and dashcards of another one, with
// the cards that are among the copied ones. It returns the others, each once;
// their places are left out.
func takeOver(to *store.Dashboard, from store.Dashboard, copied map[int64]bool) []lockedWire {
	tabs := make(map[int64]int64, len(from.Tabs))
	for i, t := range from.Tabs {
		tabs[t.ID] = int64(-1 - i) // the store replaces it by a new id
		to.Tabs = append(to.Tabs, store.Tab{ID: tabs[t.ID], Name: t.Name, Position: t.Position})
	}
	var left []lockedWire
	seen := map[int64]bool{}
	has := func(id int64) bool {
		if !copied[id] && !seen[id] {
			seen[id] = true
			left = append(left, lockedWire{id})
		}
		return copied[id]
	}
	for i, dc := range from.Dashcards {
		n := store.Dashcard{ID: int64(-1 - i), Row: dc.Row, Col: dc.Col, SizeX: dc.SizeX, SizeY: dc.SizeY}
		if !locked(dc, has) { // else what was set speaks of a card that is left out
			n.DashcardSettings = dc.DashcardSettings
		}
		if dc.Card != nil {
			if !has(*dc.Card) {
				continue
			}
			n.Card = dc.Card
		}
		for _, id := range dc.Series {
			if has(id) {
				n.Series = append(n.Series, id)
			}
		}
		if dc.Tab != nil {
			n.Tab = new(tabs[*dc.Tab])
		}
		to.Dashcards = append(to.Dashcards, n)
	}
	return left
}
