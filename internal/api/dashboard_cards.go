package api

import (
	"slices"

	"github.com/sluice-bi/sluice/internal/store"
)

// The addresses by which older clients set what stands on a dashboard
// (reference 4.9). They do what PUT of the dashboard does.

// oldDashcardsWire is the complete list of what stands on a dashboard.
type oldDashcardsWire struct {
	Cards Opt[[]dashcardSetWire] `json:"cards" rule:"required,max=1000"`
	Tabs  Opt[[]tabSetWire]      `json:"tabs" rule:"max=100"`
}

// oldDashcardsAnswer is what stands on it then.
type oldDashcardsAnswer struct {
	Cards []dashcardWire `json:"cards"`
	Tabs  []tabWire      `json:"tabs"`
}

func (a *API) putDashcards(r *request) (any, error) {
	was, b := r.object.(store.Dashboard), bodyOf[oldDashcardsWire](r)
	d, err := a.changeDashboard(r, was, &dashboardUpdateWire{Dashcards: b.Cards, Tabs: b.Tabs})
	if err != nil {
		return nil, err
	}
	w, err := a.dashboardWire(r, d)
	if err != nil {
		return nil, err
	}
	return oldDashcardsAnswer{*w.Dashcards, *w.Tabs}, nil
}

// oldDashcardWire is a card, or a text without card, to add to a dashboard.
// Without a row it goes below everything else.
type oldDashcardWire struct {
	Card                  *ID                `json:"cardId"`
	CardID                *ID                `json:"card_id"`
	DashboardTabID        *ID                `json:"dashboard_tab_id" rule:"positive"`
	Row                   *int               `json:"row"`
	Col                   int                `json:"col"`
	SizeX                 *int               `json:"size_x" rule:"positive"`
	SizeY                 *int               `json:"size_y" rule:"positive"`
	VisualizationSettings Opt[Object]        `json:"visualization_settings" rule:"max=262144"`
	ParameterMappings     Opt[Array]         `json:"parameter_mappings" rule:"max=262144,mappings"`
	Series                Opt[[]seriesEntry] `json:"series" rule:"max=20"`
}

// The size of a card that says none.
const usualSize = 4

func (a *API) postDashcard(r *request) (any, error) {
	was, b := r.object.(store.Dashboard), bodyOf[oldDashcardWire](r)
	n := dashcardSetWire{ID: -1, CardID: b.CardID, DashboardTabID: b.DashboardTabID, Col: b.Col, SizeX: usualSize, SizeY: usualSize,
		VisualizationSettings: b.VisualizationSettings, ParameterMappings: b.ParameterMappings, Series: b.Series}
	if b.Card != nil {
		n.CardID = b.Card
	}
	if b.SizeX != nil {
		n.SizeX = *b.SizeX
	}
	if b.SizeY != nil {
		n.SizeY = *b.SizeY
	}
	var list []dashcardSetWire
	for _, dc := range was.Dashcards {
		list = append(list, stays(dc))
		n.Row = max(n.Row, dc.Row+dc.SizeY)
	}
	if b.Row != nil {
		n.Row = *b.Row
	}
	d, err := a.changeDashboard(r, was, &dashboardUpdateWire{Dashcards: Opt[[]dashcardSetWire]{Set: true, Value: append(list, n)}})
	if err != nil {
		return nil, err
	}
	w, err := a.dashboardWire(r, d)
	if err != nil {
		return nil, err
	}
	all := *w.Dashcards
	return all[slices.IndexFunc(all, func(dc dashcardWire) bool {
		return !slices.ContainsFunc(was.Dashcards, func(old store.Dashcard) bool { return old.ID == dc.ID })
	})], nil
}

// stays is a dashcard as one sends it back unchanged.
func stays(dc store.Dashcard) dashcardSetWire {
	return dashcardSetWire{ID: ID(dc.ID), CardID: (*ID)(dc.Card), DashboardTabID: (*ID)(dc.Tab), Row: dc.Row, Col: dc.Col, SizeX: dc.SizeX, SizeY: dc.SizeY}
}
