package api

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

type newDashboardWire struct {
	Name               string     `json:"name" rule:"required,nonblank,max=254"`
	Description        *string    `json:"description" rule:"max=65536"`
	Parameters         Opt[Array] `json:"parameters" rule:"max=262144,parameters"`
	CollectionID       *ID        `json:"collection_id" rule:"positive"`
	CollectionPosition *int       `json:"collection_position" rule:"positive"`
	CacheTTL           *int       `json:"cache_ttl" rule:"positive"`
	Width              *string    `json:"width"`
	AutoApplyFilters   *bool      `json:"auto_apply_filters"`
}

func (a *API) createDashboard(r *request) (any, error) {
	b := bodyOf[newDashboardWire](r)
	d := store.Dashboard{Name: b.Name, Description: b.Description, Parameters: sent(b.Parameters), Width: orZero(b.Width),
		AutoApplyFilters: b.AutoApplyFilters == nil || *b.AutoApplyFilters, CollectionPosition: b.CollectionPosition, CacheTTL: b.CacheTTL}
	if b.CollectionID != nil {
		d.Collection = permission.CollectionID(*b.CollectionID)
	}
	if err := knownWidth(d.Width); err != nil {
		return nil, err
	}
	if err := a.mayPutInto(r, "collection_id", d.Collection); err != nil {
		return nil, err
	}
	d, err := a.store.CreateDashboard(r.ctx(), r.actor(), d)
	if err != nil {
		return nil, err
	}
	return a.oneDashboard(r, d, nil)
}

func knownWidth(w string) error {
	switch w {
	case "", "fixed", "full":
		return nil
	}
	return wrongField("width", "value must be one of fixed, full.")
}

type dashboardUpdateWire struct {
	Name               Opt[string]            `json:"name" rule:"nonblank,max=254"`
	Description        Opt[string]            `json:"description" rule:"max=65536"`
	Parameters         Opt[Array]             `json:"parameters" rule:"max=262144,parameters"`
	CollectionID       Opt[ID]                `json:"collection_id" rule:"positive"`
	CollectionPosition Opt[int]               `json:"collection_position" rule:"positive"`
	CacheTTL           Opt[int]               `json:"cache_ttl" rule:"positive"`
	Width              Opt[string]            `json:"width"`
	AutoApplyFilters   Opt[bool]              `json:"auto_apply_filters"`
	Archived           Opt[bool]              `json:"archived"`
	Dashcards          Opt[[]dashcardSetWire] `json:"dashcards" rule:"max=1000"`
	Tabs               Opt[[]tabSetWire]      `json:"tabs" rule:"max=100"`
}

// tabSetWire is a tab in the complete list of a dashboard's tabs. An id that
// is not positive makes a new one.
type tabSetWire struct {
	ID   ID     `json:"id"`
	Name string `json:"name" rule:"required,nonblank,max=254"`
}

// dashcardSetWire is a dashcard in the complete list of a dashboard's. An id
// that is not positive makes a new one; what is not given stays as it is.
type dashcardSetWire struct {
	ID                    ID                 `json:"id"`
	CardID                *ID                `json:"card_id"`
	DashboardTabID        *ID                `json:"dashboard_tab_id"`
	Row                   int                `json:"row" rule:"required"`
	Col                   int                `json:"col" rule:"required"`
	SizeX                 int                `json:"size_x" rule:"required,positive"`
	SizeY                 int                `json:"size_y" rule:"required,positive"`
	VisualizationSettings Opt[Object]        `json:"visualization_settings" rule:"max=262144"`
	ParameterMappings     Opt[Array]         `json:"parameter_mappings" rule:"max=262144,mappings"`
	InlineParameters      Opt[Array]         `json:"inline_parameters" rule:"max=262144"`
	Series                Opt[[]seriesEntry] `json:"series" rule:"max=20"`
}

// seriesEntry names a further card; clients send the whole card back.
type seriesEntry struct {
	ID ID `json:"id" rule:"required"`
}

func (a *API) updateDashboard(r *request) (any, error) {
	d, err := a.changeDashboard(r, r.object.(store.Dashboard), bodyOf[dashboardUpdateWire](r))
	if err != nil {
		return nil, err
	}
	return a.oneDashboard(r, d, nil)
}

// changeDashboard changes what was given; null erases what may be absent, and
// is ignored elsewhere.
func (a *API) changeDashboard(r *request, was store.Dashboard, b *dashboardUpdateWire) (store.Dashboard, error) {
	u := store.DashboardUpdate{Name: b.Name.Ptr(), Width: b.Width.Ptr(), Description: b.Description.Change(), Parameters: sent(b.Parameters),
		AutoApplyFilters: b.AutoApplyFilters.Ptr(), CollectionPosition: b.CollectionPosition.Change(), CacheTTL: b.CacheTTL.Change(), Tabs: b.tabs()}
	if err := knownWidth(orZero(u.Width)); err != nil {
		return was, err
	}
	if u.Width != nil && *u.Width == "" {
		u.Width = nil
	}
	var err error
	if list, given := b.Dashcards.Get(); given {
		if u.Dashcards, err = a.dashcards(r, was.Dashcards, list); err != nil {
			return was, err
		}
	}
	if err := a.mayConnect(r, was, u); err != nil {
		return was, err
	}
	if u.Archived, u.Collection, err = a.replace(r, placed{was.Archived, was.Collection}, b.Archived, b.CollectionID); err != nil {
		return was, err
	}
	return a.store.UpdateDashboard(r.ctx(), r.actor(), was, u)
}

// tabs is the complete new list, or nil when none was given.
func (b *dashboardUpdateWire) tabs() []store.Tab {
	list, given := b.Tabs.Get()
	if !given {
		return nil
	}
	tabs := make([]store.Tab, 0, len(list))
	for i, t := range list {
		tabs = append(tabs, store.Tab{ID: int64(t.ID), Name: t.Name, Position: i})
	}
	return tabs
}

// mostCards is how many questions a dashboard shows: a dashboard is answered
// with all of them, each as often as it is shown.
const mostCards = 1000

// dashcards is the complete new list. A card that was not yet at a place must
// be one that the person may read, and not archived; a locked placeholder may
// be moved about or removed by who curates the dashboard, and keeps what was
// set for its card.
func (a *API) dashcards(r *request, stored []store.Dashcard, list []dashcardSetWire) ([]store.Dashcard, error) {
	was := make(map[int64]store.Dashcard, len(stored))
	for _, dc := range stored {
		was[dc.ID] = dc
	}
	next := make([]store.Dashcard, 0, len(list))
	for _, w := range list {
		next = append(next, w.over(was[int64(w.ID)]))
	}
	shown := 0
	for _, dc := range next {
		shown += len(cardsOf(dc))
	}
	if shown > mostCards {
		return nil, wrongField("dashcards", fmt.Sprintf("A dashboard shows at most %d questions, those of series among them; these are %d.", mostCards, shown))
	}
	readable, archived := map[int64]bool{}, map[int64]bool{}
	cards, err := a.readableCards(r, append(append([]store.Dashcard{}, stored...), next...))
	if err != nil {
		return nil, err
	}
	for _, c := range cards {
		readable[c.ID], archived[c.ID] = true, c.Archived
	}
	may := func(id int64) bool { return readable[id] }
	for i := range next {
		dc, old := &next[i], was[next[i].ID]
		if locked(old, may) {
			if slices.Equal(cardsOf(*dc), cardsOf(old)) {
				dc.DashcardSettings = old.DashcardSettings
			} else {
				list[i].only(dc)
			}
		}
		for _, id := range cardsOf(*dc) {
			switch {
			case slices.Contains(cardsOf(old), id):
			case !readable[id]:
				return nil, r.missing(fmt.Sprintf("dashcards[%d].card_id", i), "card", id)
			case archived[id]:
				return nil, wrongField(fmt.Sprintf("dashcards[%d].card_id", i), "The card is archived.")
			}
		}
	}
	return next, nil
}

// mayConnect tells whether the person may connect parameters to cards as the
// update does.
func (a *API) mayConnect(r *request, was store.Dashboard, u store.DashboardUpdate) error {
	if u.Dashcards == nil && u.Parameters == nil {
		return nil
	}
	next := was
	if u.Dashcards != nil {
		next.Dashcards = u.Dashcards
	}
	if u.Parameters != nil {
		next.Parameters = u.Parameters
	}
	cards, err := a.readableCards(r, next.Dashcards)
	if err != nil {
		return err
	}
	return a.mayMap(r, was, next, cards)
}

// cardsOf lists the dashcard's own card and those of its series.
func cardsOf(dc store.Dashcard) []int64 {
	var ids []int64
	if dc.Card != nil {
		ids = append(ids, *dc.Card)
	}
	return append(ids, dc.Series...)
}

// over is the dashcard that the body wants in place of the stored one, which
// may be none.
func (w dashcardSetWire) over(old store.Dashcard) store.Dashcard {
	dc := store.Dashcard{ID: int64(w.ID), Card: (*int64)(w.CardID), Tab: (*int64)(w.DashboardTabID), Row: w.Row, Col: w.Col,
		SizeX: w.SizeX, SizeY: w.SizeY, DashcardSettings: old.DashcardSettings, Series: old.Series}
	if v, given := w.VisualizationSettings.Get(); given {
		dc.VisualizationSettings = json.RawMessage(v)
	}
	if w.ParameterMappings.Set {
		dc.ParameterMappings = sent(w.ParameterMappings)
	}
	if w.InlineParameters.Set {
		dc.InlineParameters = sent(w.InlineParameters)
	}
	if list, given := w.Series.Get(); given {
		dc.Series = nil
		for _, s := range list {
			dc.Series = append(dc.Series, int64(s.ID))
		}
	}
	return dc
}

// only leaves of what is set for the dashcard what the body has sent: what was
// stored was set for a card that the person may not read.
func (w dashcardSetWire) only(dc *store.Dashcard) {
	dc.DashcardSettings = store.DashcardSettings{VisualizationSettings: json.RawMessage(w.VisualizationSettings.Value),
		ParameterMappings: sent(w.ParameterMappings), InlineParameters: sent(w.InlineParameters)}
}
