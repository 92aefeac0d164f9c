package api

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// cardWire is a saved question. What was sent is given back as it was sent:
// clients compare.
type cardWire struct {
	ID                    int64                    `json:"id"`
	EntityID              string                   `json:"entity_id"`
	Name                  string                   `json:"name"`
	Description           *string                  `json:"description"`
	Type                  string                   `json:"type"`
	Display               string                   `json:"display"`
	DatasetQuery          json.RawMessage          `json:"dataset_query"`
	QueryType             *string                  `json:"query_type"`
	DatabaseID            *catalog.DatabaseID      `json:"database_id"`
	TableID               *catalog.TableID         `json:"table_id"`
	VisualizationSettings json.RawMessage          `json:"visualization_settings"`
	Parameters            json.RawMessage          `json:"parameters"`
	ParameterMappings     json.RawMessage          `json:"parameter_mappings"`
	ResultMetadata        json.RawMessage          `json:"result_metadata"`
	CollectionID          *permission.CollectionID `json:"collection_id"`
	Collection            *collectionWire          `json:"collection"`
	CollectionPosition    *int                     `json:"collection_position"`
	CollectionPreview     bool                     `json:"collection_preview"`
	DashboardID           *int64                   `json:"dashboard_id"`
	CacheTTL              *int                     `json:"cache_ttl"`
	Archived              bool                     `json:"archived"`
	ArchivedDirectly      bool                     `json:"archived_directly"`
	EnableEmbedding       bool                     `json:"enable_embedding"`
	EmbeddingParams       json.RawMessage          `json:"embedding_params"`
	PublicUUID            *string                  `json:"public_uuid"`
	MadePublicByID        *permission.UserID       `json:"made_public_by_id"`
	CreatorID             permission.UserID        `json:"creator_id"`
	Creator               *creatorWire             `json:"creator"`
	CreatedAt             time.Time                `json:"created_at"`
	UpdatedAt             time.Time                `json:"updated_at"`
	CanWrite              bool                     `json:"can_write"`
	CanRestore            bool                     `json:"can_restore"`
	CanDelete             bool                     `json:"can_delete"`
	// CanRunAdHoc tells whether the person may ask the question anew: edit
	// it, drill into it, build on it. Only a single card has it.
	CanRunAdHoc *bool `json:"can_run_adhoc_query,omitempty"`
	*costWire
}

// costWire is what the latest runs of a card took. Only a single card has it.
type costWire struct {
	AverageQueryTime *float64   `json:"average_query_time"` // in milliseconds
	LastQueryStart   *time.Time `json:"last_query_start"`
}

// rawOr is stored JSON, or what stands for none.
func rawOr(stored json.RawMessage, none string) json.RawMessage {
	if len(stored) == 0 {
		return json.RawMessage(none)
	}
	return stored
}

// cardWire is the answer with a single card.
func (a *API) cardWire(r *request, c store.Card) (cardWire, error) {
	list, err := a.cardsWire(r, []store.Card{c})
	if err != nil {
		return cardWire{}, err
	}
	list[0].CanRunAdHoc = new(a.door.CanRunAdHoc(r.ctx(), r.access.User(), c))
	list[0].costWire = &costWire{}
	if a.door.Shows(r.ctx(), r.access.User(), c) { // that others can run it tells what is there
		cost, err := a.store.CardCost(r.ctx(), c.ID)
		if err != nil {
			return cardWire{}, err
		}
		list[0].costWire = costOf(cost)
	}
	return list[0], nil
}

func costOf(c store.Cost) *costWire {
	w := &costWire{}
	if !c.Last.IsZero() {
		w.LastQueryStart = &c.Last
	}
	if c.Average > 0 {
		w.AverageQueryTime = new(float64(c.Average) / float64(time.Millisecond))
	}
	return w
}

// cardsWire is the answer with cards that the person may read.
func (a *API) cardsWire(r *request, cards []store.Card) ([]cardWire, error) {
	var people []permission.UserID
	ids := []permission.CollectionID{}
	for _, c := range cards {
		people = append(people, c.Creator)
		ids = append(ids, c.Collection)
	}
	creators, err := a.creators(r, people)
	if err != nil {
		return nil, err
	}
	collections, err := a.folders(r, ids)
	if err != nil {
		return nil, err
	}
	list := make([]cardWire, 0, len(cards))
	for _, c := range cards {
		w := a.cardOf(r, c, collections.archived(c.Collection))
		w.Creator = creators[c.Creator]
		w.Collection = collections[c.Collection]
		if c.ArchivedDirectly { // reference 2.5
			w.Collection = new(trashWire())
		}
		list = append(list, w)
	}
	return list, nil
}

// folders are collections as the person sees them. Root has no entry.
type folders map[permission.CollectionID]*collectionWire

// archived tells whether the collection is in the trash.
func (f folders) archived(id permission.CollectionID) bool { return f[id] != nil && f[id].Archived }

// folders loads the collections with these ids.
func (a *API) folders(r *request, ids []permission.CollectionID) (folders, error) {
	all, err := a.store.Collections(r.ctx(), store.CollectionQuery{Archived: store.WithArchived, IDs: ids})
	if err != nil {
		return nil, err
	}
	by := make(folders, len(all))
	for _, c := range all {
		by[c.ID] = new(collectionOf(r.access, c))
	}
	return by, nil
}

func (a *API) cardOf(r *request, c store.Card, closed bool) cardWire {
	writes := r.access.Can(permission.CurateCollection, permission.ACollection(c.Collection))
	w := cardWire{
		ID: c.ID, EntityID: c.EntityID, Name: c.Name, Description: c.Description, Type: cardType(c), Display: c.Display,
		DatasetQuery: c.DatasetQuery, QueryType: c.QueryType, DatabaseID: c.Database, TableID: c.Table,
		VisualizationSettings: rawOr(c.VisualizationSettings, "{}"), Parameters: rawOr(c.Parameters, "[]"),
		ParameterMappings: rawOr(c.ParameterMappings, "[]"), ResultMetadata: rawOr(c.ResultMetadata, "null"),
		CollectionID: nullRoot(c.Collection), CollectionPosition: c.CollectionPosition, CollectionPreview: true,
		DashboardID: c.Dashboard, CacheTTL: c.CacheTTL, Archived: c.Archived, ArchivedDirectly: c.ArchivedDirectly,
		CreatorID: c.Creator, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
		CanWrite: writes, CanRestore: restorable(writes, c.ArchivedDirectly, closed), CanDelete: writes && c.Archived,
	}
	// Where the results are hidden, so are the names of their columns, and the
	// table below saved questions that the person may not read.
	switch {
	case len(c.ResultMetadata) == 0 && c.Table == nil:
	case a.door.Shows(r.ctx(), r.access.User(), c):
		w.ResultMetadata = columnsOf(r.access, w.ResultMetadata)
	default:
		w.TableID, w.ResultMetadata = nil, json.RawMessage("null")
	}
	return w
}

// allRows tells whether the person is shown all of a table.
func allRows(access permission.Access, table catalog.TableID) bool {
	rows, err := access.Rows(permission.ShowTable, table)
	return err == nil && rows.All()
}

// maskedFor tells whether a column is masked for the person in some row.
func maskedFor(access permission.Access, table catalog.TableID, field catalog.FieldID) bool {
	rows, _ := access.Rows(permission.ShowTable, table)
	return slices.ContainsFunc(rows.Filters(), func(f permission.Filter) bool {
		mask, shows := f.Column(field)
		return shows && mask.Kind != permission.Unmasked
	})
}

// columnsOf is the stored columns of a result as the person may see them:
// whoever saved the question could see more foreign keys, and more columns.
func columnsOf(access permission.Access, stored json.RawMessage) json.RawMessage {
	if !bytes.Contains(stored, []byte(`"id"`)) {
		return stored
	}
	var columns []query.Column
	if json.Unmarshal(stored, &columns) != nil {
		return json.RawMessage("null")
	}
	had, altered := len(columns), false
	columns = slices.DeleteFunc(columns, func(c query.Column) bool {
		if c.ID == nil {
			return false
		}
		f := access.Graph().Catalog().Field(*c.ID)
		if f == nil { // it has gone: what a policy said of it is not known
			return c.TableID == nil || !allRows(access, *c.TableID)
		}
		rows, err := access.Rows(permission.ShowTable, f.Table)
		return err != nil || !rows.Shows(f.ID)
	})
	for i := range columns {
		c := &columns[i]
		if c.ID != nil && c.TableID != nil && !allRows(access, *c.TableID) && maskedFor(access, *c.TableID, *c.ID) {
			c.Target, c.SemanticType, altered = nil, nil, true
		}
		if c.Target == nil {
			continue
		}
		f := catalog.Field{Target: *c.Target}
		if c.SemanticType != nil {
			f.SemanticType = *c.SemanticType
		}
		if f = access.Field(f); f.Target == 0 {
			c.Target, c.SemanticType, altered = nil, nullText(f.SemanticType), true
		}
	}
	if !altered && len(columns) == had {
		return stored
	}
	text, err := json.Marshal(columns)
	if err != nil {
		return json.RawMessage("null")
	}
	return text
}
