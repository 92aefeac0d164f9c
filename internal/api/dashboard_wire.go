package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// dashboardWire is a dashboard. Lists leave dashcards and tabs out.
type dashboardWire struct {
	ID                 int64                    `json:"id"`
	EntityID           string                   `json:"entity_id"`
	Name               string                   `json:"name"`
	Description        *string                  `json:"description"`
	Parameters         json.RawMessage          `json:"parameters"`
	Width              string                   `json:"width"`
	AutoApplyFilters   bool                     `json:"auto_apply_filters"`
	CollectionID       *permission.CollectionID `json:"collection_id"`
	Collection         *collectionWire          `json:"collection"`
	CollectionPosition *int                     `json:"collection_position"`
	CacheTTL           *int                     `json:"cache_ttl"`
	Archived           bool                     `json:"archived"`
	ArchivedDirectly   bool                     `json:"archived_directly"`
	EnableEmbedding    bool                     `json:"enable_embedding"`
	EmbeddingParams    json.RawMessage          `json:"embedding_params"`
	PublicUUID         *string                  `json:"public_uuid"`
	MadePublicByID     *permission.UserID       `json:"made_public_by_id"`
	Caveats            *string                  `json:"caveats"`
	PointsOfInterest   *string                  `json:"points_of_interest"`
	CreatorID          permission.UserID        `json:"creator_id"`
	Creator            *creatorWire             `json:"creator"`
	CreatedAt          time.Time                `json:"created_at"`
	UpdatedAt          time.Time                `json:"updated_at"`
	CanWrite           bool                     `json:"can_write"`
	CanRestore         bool                     `json:"can_restore"`
	CanDelete          bool                     `json:"can_delete"`
	ParamFields        map[string]any           `json:"param_fields"`
	Dashcards          *[]dashcardWire          `json:"dashcards,omitempty"`
	Tabs               *[]tabWire               `json:"tabs,omitempty"`
	// Uncopied names the cards that a copy was made without.
	Uncopied []lockedWire `json:"uncopied,omitempty"`
}

type tabWire struct {
	ID          int64  `json:"id"`
	DashboardID int64  `json:"dashboard_id"`
	Name        string `json:"name"`
	Position    int    `json:"position"`
	EntityID    string `json:"entity_id"`
}

// dashcardWire is a card at a place of a dashboard. Where the person may not
// read the card, it is a locked placeholder: card is a lockedWire, and nothing
// of what was set for the card - a title of its own, columns, fields that
// parameters go to - is there.
type dashcardWire struct {
	ID                    int64           `json:"id"`
	EntityID              string          `json:"entity_id"`
	DashboardID           int64           `json:"dashboard_id"`
	CardID                *int64          `json:"card_id"`
	Card                  any             `json:"card"` // a cardWire, a lockedWire, or null for a text
	DashboardTabID        *int64          `json:"dashboard_tab_id"`
	ActionID              *int64          `json:"action_id"`
	Row                   int             `json:"row"`
	Col                   int             `json:"col"`
	SizeX                 int             `json:"size_x"`
	SizeY                 int             `json:"size_y"`
	VisualizationSettings json.RawMessage `json:"visualization_settings"`
	ParameterMappings     json.RawMessage `json:"parameter_mappings"`
	InlineParameters      json.RawMessage `json:"inline_parameters"`
	Series                []any           `json:"series"` // of cardWire or lockedWire
	CreatedAt             time.Time       `json:"created_at"`
	UpdatedAt             time.Time       `json:"updated_at"`
}

// lockedWire is all that is told about a card that the person may not read.
type lockedWire struct {
	ID int64 `json:"id"`
}

// dashboardsWire is the answer with a list of dashboards that the person may
// read.
func (a *API) dashboardsWire(r *request, dashboards []store.Dashboard) ([]dashboardWire, error) {
	var people []permission.UserID
	ids := []permission.CollectionID{}
	for _, d := range dashboards {
		people, ids = append(people, d.Creator), append(ids, d.Collection)
	}
	creators, err := a.creators(r, people)
	if err != nil {
		return nil, err
	}
	collections, err := a.folders(r, ids)
	if err != nil {
		return nil, err
	}
	list := make([]dashboardWire, 0, len(dashboards))
	for _, d := range dashboards {
		w := dashboardOf(r.access, d, collections.archived(d.Collection))
		w.Creator = creators[d.Creator]
		w.Collection = collections[d.Collection]
		if d.ArchivedDirectly { // reference 2.5
			w.Collection = new(trashWire())
		}
		list = append(list, w)
	}
	return list, nil
}

func dashboardOf(access permission.Access, d store.Dashboard, closed bool) dashboardWire {
	writes := access.Can(permission.CurateCollection, permission.ACollection(d.Collection))
	w := dashboardWire{
		ID: d.ID, EntityID: d.EntityID, Name: d.Name, Description: d.Description, Parameters: rawOr(d.Parameters, "[]"),
		Width: d.Width, AutoApplyFilters: d.AutoApplyFilters, CollectionID: nullRoot(d.Collection),
		CollectionPosition: d.CollectionPosition, CacheTTL: d.CacheTTL, Archived: d.Archived, ArchivedDirectly: d.ArchivedDirectly,
		CreatorID: d.Creator, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt, ParamFields: map[string]any{},
		CanWrite: writes, CanRestore: restorable(writes, d.ArchivedDirectly, closed), CanDelete: writes && d.Archived,
	}
	if w.Width == "" {
		w.Width = "fixed"
	}
	return w
}

// dashboardWire is the answer with a single dashboard and what is on it.
func (a *API) dashboardWire(r *request, d store.Dashboard) (dashboardWire, error) {
	list, err := a.dashboardsWire(r, []store.Dashboard{d})
	if err != nil {
		return dashboardWire{}, err
	}
	w := list[0]
	cards, err := a.readableCards(r, d.Dashcards)
	if err != nil {
		return w, err
	}
	answers, err := a.cardsWire(r, cards)
	if err != nil {
		return w, err
	}
	readable := make(map[int64]cardWire, len(answers))
	for _, c := range answers {
		readable[c.ID] = c
	}
	dashcards, tabs := make([]dashcardWire, 0, len(d.Dashcards)), make([]tabWire, 0, len(d.Tabs))
	for _, dc := range d.Dashcards {
		dashcards = append(dashcards, dashcardOf(d.ID, dc, readable))
	}
	for _, t := range d.Tabs {
		tabs = append(tabs, tabWire{ID: t.ID, DashboardID: d.ID, Name: t.Name, Position: t.Position, EntityID: t.EntityID})
	}
	w.Dashcards, w.Tabs = &dashcards, &tabs
	return w, nil
}

// oneDashboard answers with a single dashboard. Every dashcard carries its
// whole card, so that they are sent one by one: a card that is shown a thousand
// times would take a thousand times its size of memory.
func (a *API) oneDashboard(r *request, d store.Dashboard, uncopied []lockedWire) (any, error) {
	w, err := a.dashboardWire(r, d)
	if err != nil {
		return nil, err
	}
	w.Uncopied = uncopied
	return stream(w.write), nil
}

// write sends the dashboard as JSON.
func (w dashboardWire) write(to http.ResponseWriter) error {
	dashcards := *w.Dashcards
	w.Dashcards = nil
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(w); err != nil {
		return err
	}
	buf.Truncate(buf.Len() - len("}\n"))
	buf.WriteString(`,"dashcards":[`)
	to.Header().Set("Content-Type", "application/json")
	for i, dc := range dashcards {
		if i > 0 {
			buf.WriteByte(',')
		}
		if err := enc.Encode(dc); err != nil {
			return err
		}
		if _, err := to.Write(buf.Bytes()); err != nil {
			return err
		}
		buf.Reset()
	}
	buf.WriteString("]}\n")
	_, err := to.Write(buf.Bytes())
	return err
}

// readableCards loads the cards of the dashcards, also those of their series,
// that the person may read.
func (a *API) readableCards(r *request, dashcards []store.Dashcard) ([]store.Card, error) {
	ids := []int64{}
	for _, dc := range dashcards {
		ids = append(ids, cardsOf(dc)...)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	all, err := a.store.Cards(r.ctx(), store.CardQuery{Archived: store.WithArchived, IDs: ids})
	if err != nil {
		return nil, err
	}
	var readable []store.Card
	for _, c := range all {
		if r.access.Can(permission.ReadCollection, permission.ACollection(c.Collection)) {
			readable = append(readable, c)
		}
	}
	return readable, nil
}

func dashcardOf(dashboard int64, dc store.Dashcard, readable map[int64]cardWire) dashcardWire {
	w := dashcardWire{
		ID: dc.ID, EntityID: dc.EntityID, DashboardID: dashboard, CardID: dc.Card, DashboardTabID: dc.Tab,
		Row: dc.Row, Col: dc.Col, SizeX: dc.SizeX, SizeY: dc.SizeY, Series: []any{}, CreatedAt: dc.CreatedAt, UpdatedAt: dc.UpdatedAt,
		VisualizationSettings: json.RawMessage("{}"), ParameterMappings: json.RawMessage("[]"), InlineParameters: json.RawMessage("[]"),
	}
	show := func(id int64) any {
		if c, ok := readable[id]; ok {
			return c
		}
		return lockedWire{id}
	}
	if dc.Card != nil {
		w.Card = show(*dc.Card)
	}
	for _, id := range dc.Series {
		w.Series = append(w.Series, show(id))
	}
	if !locked(dc, func(id int64) bool { _, ok := readable[id]; return ok }) {
		w.VisualizationSettings = rawOr(dc.VisualizationSettings, "{}")
		w.ParameterMappings = rawOr(dc.ParameterMappings, "[]")
		w.InlineParameters = rawOr(dc.InlineParameters, "[]")
	}
	return w
}

// locked tells whether some card of the dashcard may not be read. What is set
// for the dashcard speaks of all its cards.
func locked(dc store.Dashcard, readable func(int64) bool) bool {
	return slices.ContainsFunc(cardsOf(dc), func(id int64) bool { return !readable(id) })
}
