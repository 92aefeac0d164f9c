package api

import (
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// tableRoutes are about tables: what there is to ask about (reference 1.9 and
// 4.11). A table that one may not see does not exist.
func tableRoutes() []Route {
	see, describe := tableNeed(permission.SeeTable), tableNeed(permission.DescribeTable)
	return []Route{
		{Method: "GET", Path: "/api/table", Need: person(), Answer: []tableWire{},
			Summary: "List the tables that one may see", handle: (*API).listTables},
		{Method: "GET", Path: "/api/table/{id}", Need: see, Answer: tableWire{},
			Summary: "Get a table", handle: (*API).getTable},
		{Method: "PUT", Path: "/api/table/{id}", Need: describe, Body: tableUpdateWire{}, Answer: tableWire{},
			Summary: "Describe a table", handle: (*API).updateTable},
		{Method: "PUT", Path: "/api/table/{id}/fields/order", Need: describe, Body: []ID{}, Answer: statusWire{},
			Summary: "Put the fields of a table into an order of their own", handle: (*API).orderFields},
		{Method: "GET", Path: "/api/table/{id}/query_metadata", Need: see, Query: tableMetadataQuery{}, Answer: tableWire{},
			Summary: "Get a table with its fields", handle: (*API).tableMetadata},
		{Method: "GET", Path: "/api/table/{id}/fks", Need: see, Answer: []foreignKeyWire{},
			Summary: "List the foreign keys that point to a table", handle: (*API).foreignKeys},
		{Method: "GET", Path: "/api/table/{id}/related", Need: see, Answer: relatedWire{},
			Summary: "List the tables and metrics that have to do with a table", handle: (*API).relatedToTable},
		{Method: "POST", Path: "/api/table/{id}/rescan_values", Need: describe, Answer: statusWire{},
			Summary: "Read the values of a table's fields again; they are always read afresh", handle: (*API).valuesAreOfNow},
		{Method: "POST", Path: "/api/table/{id}/discard_values", Need: describe, Answer: statusWire{},
			Summary: "Forget the values of a table's fields; none are kept", handle: (*API).valuesAreOfNow},
	}
}

// tableNeed is the right on the table that {id} names.
func tableNeed(right permission.Right) Need {
	return object(right.String(), func(_ *API, r *request) error {
		return r.access.Check(right, permission.ATable(catalog.TableID(r.id("id"))))
	})
}

// tableWire is a table.
type tableWire struct {
	ID                catalog.TableID    `json:"id"`
	DBID              catalog.DatabaseID `json:"db_id"`
	DB                *databaseWire      `json:"db,omitempty"` // not inside of a database
	Schema            *string            `json:"schema"`
	Name              string             `json:"name"`
	DisplayName       string             `json:"display_name"`
	Description       *string            `json:"description"`
	EntityType        string             `json:"entity_type"`
	VisibilityType    *string            `json:"visibility_type"`
	PointsOfInterest  *string            `json:"points_of_interest"`
	Caveats           *string            `json:"caveats"`
	Active            bool               `json:"active"`
	FieldOrder        string             `json:"field_order"`
	IsUpload          bool               `json:"is_upload"`
	InitialSyncStatus string             `json:"initial_sync_status"`
	CreatedAt         time.Time          `json:"created_at"`
	UpdatedAt         time.Time          `json:"updated_at"`
	Fields            *[]fieldWire       `json:"fields,omitempty"`
	DimensionOptions  *map[string]any    `json:"dimension_options,omitempty"`
}

func tableOf(t store.Table) tableWire {
	w := tableWire{ID: t.ID, DBID: t.Database, Schema: nullText(t.Schema), Name: t.Name, DisplayName: t.DisplayName,
		Description: nullText(t.Description), EntityType: t.EntityType, VisibilityType: t.VisibilityType,
		PointsOfInterest: t.PointsOfInterest, Caveats: t.Caveats, Active: t.Active(), FieldOrder: t.FieldOrder,
		InitialSyncStatus: "complete", CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt}
	if w.EntityType == "" {
		w.EntityType = "entity/GenericTable"
	}
	return w
}

// tablesWire lists those of the tables that the person may see, if wanted
// with their fields.
func (a *API) tablesWire(r *request, q store.TableQuery, withFields bool) ([]tableWire, error) {
	all, err := a.store.Tables(r.ctx(), q)
	if err != nil {
		return nil, err
	}
	list, ids := []tableWire{}, []catalog.TableID{}
	for _, t := range all {
		if r.access.Can(permission.SeeTable, permission.ATable(t.ID)) {
			list, ids = append(list, tableOf(t)), append(ids, t.ID)
		}
	}
	if !withFields {
		return list, nil
	}
	fields, err := a.store.Fields(r.ctx(), ids)
	if err != nil {
		return nil, err
	}
	sees := map[catalog.FieldID]bool{}
	for _, id := range ids {
		for _, f := range r.access.Fields(id) {
			sees[f.ID] = true
		}
	}
	by := map[catalog.TableID][]fieldWire{}
	for _, f := range fields {
		if sees[f.ID] {
			by[f.Table] = append(by[f.Table], fieldOf(r.access, f))
		}
	}
	var shown []*fieldWire
	for i := range list {
		list[i].Fields = new(append([]fieldWire{}, by[list[i].ID]...))
		for j := range *list[i].Fields {
			shown = append(shown, &(*list[i].Fields)[j])
		}
	}
	return list, a.addDimensions(r, shown)
}

func (a *API) listTables(r *request) (any, error) {
	list, err := a.tablesWire(r, store.TableQuery{}, false)
	if err != nil {
		return nil, err
	}
	databases, err := a.store.Databases(r.ctx())
	if err != nil {
		return nil, err
	}
	by := map[catalog.DatabaseID]*databaseWire{}
	for _, d := range databases {
		by[d.ID] = new(databaseOf(r.access, d))
	}
	for i := range list {
		list[i].DB = by[list[i].DBID]
	}
	return list, nil
}

func (a *API) getTable(r *request) (any, error) { return a.openTable(r, false) }

// openTable is the table that {id} names, with its database; the person has
// opened it.
func (a *API) openTable(r *request, withFields bool) (*tableWire, error) {
	list, err := a.tablesWire(r, store.TableQuery{IDs: []catalog.TableID{catalog.TableID(r.id("id"))}}, withFields)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, store.ErrNotFound
	}
	d, err := a.store.Database(r.ctx(), list[0].DBID)
	if err != nil {
		return nil, err
	}
	list[0].DB = new(databaseOf(r.access, d))
	a.opened(r, store.OfTable, int64(list[0].ID))
	return &list[0], nil
}

type tableMetadataQuery struct {
	IncludeSensitive bool `query:"include_sensitive_fields"`
}

func (a *API) tableMetadata(r *request) (any, error) {
	w, err := a.openTable(r, true)
	if err != nil {
		return nil, err
	}
	if !queryOf[tableMetadataQuery](r).IncludeSensitive {
		shown := []fieldWire{}
		for _, f := range *w.Fields {
			if f.VisibilityType != "sensitive" {
				shown = append(shown, f)
			}
		}
		w.Fields = &shown
	}
	w.DimensionOptions = &map[string]any{}
	return w, nil
}

type tableUpdateWire struct {
	DisplayName      *string     `json:"display_name" rule:"nonblank,max=254"`
	Description      Opt[string] `json:"description" rule:"max=65536"`
	EntityType       Opt[string] `json:"entity_type"`
	FieldOrder       *string     `json:"field_order"`
	VisibilityType   Opt[string] `json:"visibility_type"`
	PointsOfInterest Opt[string] `json:"points_of_interest" rule:"max=65536"`
	Caveats          Opt[string] `json:"caveats" rule:"max=65536"`
}

func (a *API) updateTable(r *request) (any, error) {
	b := bodyOf[tableUpdateWire](r)
	if v, given := b.VisibilityType.Get(); given && v != "hidden" && v != "technical" && v != "cruft" {
		return nil, wrongField("visibility_type", "value must be one of hidden, technical, cruft, or null.")
	}
	if err := oneWord("field_order", b.FieldOrder, store.OrderDatabase, store.OrderAlphabetical, store.OrderSmart, store.OrderCustom); err != nil {
		return nil, err
	}
	t, err := a.store.UpdateTable(r.ctx(), r.actor(), catalog.TableID(r.id("id")), store.TableUpdate{DisplayName: b.DisplayName,
		Description: b.Description.Change(), EntityType: b.EntityType.Change(), FieldOrder: b.FieldOrder, VisibilityType: b.VisibilityType.Change(),
		PointsOfInterest: b.PointsOfInterest.Change(), Caveats: b.Caveats.Change()})
	if err != nil {
		return nil, err
	}
	return tableOf(t), nil
}

func (a *API) orderFields(r *request) (any, error) {
	var order []catalog.FieldID
	for _, id := range *bodyOf[[]ID](r) {
		order = append(order, catalog.FieldID(id))
	}
	if err := a.store.OrderFields(r.ctx(), r.actor(), catalog.TableID(r.id("id")), order); err != nil {
		return nil, err
	}
	return statusWire{"success"}, nil
}

// foreignKeyWire is a field of another table that points to one of this.
type foreignKeyWire struct {
	Relationship  string          `json:"relationship"` // always "Mt1"
	OriginID      catalog.FieldID `json:"origin_id"`
	Origin        fieldWire       `json:"origin"`
	DestinationID catalog.FieldID `json:"destination_id"`
	Destination   fieldWire       `json:"destination"`
}

func (a *API) foreignKeys(r *request) (any, error) {
	list := []foreignKeyWire{}
	c := r.access.Graph().Catalog()
	here := c.Table(catalog.TableID(r.id("id")))
	for _, t := range seenTables(r.access, here.Database) {
		for _, f := range r.access.Fields(t.ID) {
			to := c.Field(f.Target)
			if to == nil || to.Table != here.ID || !r.access.SeesField(to) {
				continue
			}
			origin, err := a.fieldWithTable(r, f.ID)
			if err != nil {
				return nil, err
			}
			destination, err := a.fieldWithTable(r, to.ID)
			if err != nil {
				return nil, err
			}
			list = append(list, foreignKeyWire{"Mt1", f.ID, origin, to.ID, destination})
		}
	}
	return list, nil
}
