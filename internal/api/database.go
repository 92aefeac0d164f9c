package api

import (
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// databaseRoutes are about connections to warehouses and what is in them
// (reference 1.9 and 4.11).
func databaseRoutes() []Route {
	see, manage := databaseNeed(permission.SeeDatabase), databaseNeed(permission.ManageDatabase)
	return []Route{
		{Method: "GET", Path: "/api/database", Need: person(), Query: databaseQuery{}, Answer: databasesWire{},
			Summary: "List the databases that one may see", handle: (*API).listDatabases},
		{Method: "POST", Path: "/api/database", Need: administrator(), Body: newDatabaseWire{}, Answer: databaseWire{},
			Summary: "Connect a database and read its tables", handle: (*API).createDatabase},
		{Method: "GET", Path: "/api/database/{id}", Need: see, Query: databaseQuery{}, Answer: databaseWire{},
			Summary: "Get a database", handle: (*API).getDatabase},
		{Method: "PUT", Path: "/api/database/{id}", Need: manage, Body: databaseUpdateWire{}, Answer: databaseWire{},
			Summary: "Change a connection", handle: (*API).updateDatabase},
		{Method: "DELETE", Path: "/api/database/{id}", Need: administrator(),
			Summary: "Remove a connection and every permission on it", handle: (*API).deleteDatabase},
		{Method: "GET", Path: "/api/database/{id}/metadata", Need: see, Query: metadataQuery{}, Answer: databaseWire{},
			Summary: "Get a database with its tables and their fields", handle: (*API).databaseMetadata},
		{Method: "GET", Path: "/api/database/{id}/schemas", Need: see, Answer: []string{},
			Summary: "List the schemas in which one may see a table", handle: (*API).listSchemas},
		{Method: "GET", Path: "/api/database/{id}/schema", Need: see, Answer: []tableWire{},
			Summary: "List the tables that are in no schema", handle: (*API).schemaTables},
		{Method: "GET", Path: "/api/database/{id}/schema/{name:text}", Need: see, Answer: []tableWire{},
			Summary: "List the tables of a schema", handle: (*API).schemaTables},
		{Method: "GET", Path: "/api/database/{id}/fields", Need: see, Answer: []shortFieldWire{},
			Summary: "List the fields of all tables", handle: (*API).databaseFields},
		{Method: "GET", Path: "/api/database/{id}/idfields", Need: see, Answer: []shortFieldWire{},
			Summary: "List the primary keys of all tables", handle: (*API).databaseKeys},
		{Method: "POST", Path: "/api/database/validate", Need: administrator(), Body: validateWire{}, Answer: validWire{},
			Summary: "Try a connection without storing it", handle: (*API).validateDatabase},
		{Method: "POST", Path: "/api/database/{id}/sync_schema", Need: manage, Answer: syncWire{},
			Summary: "Read the tables of a database again", handle: (*API).syncDatabase},
		{Method: "GET", Path: "/api/database/{id}/sync", Need: manage, Answer: syncWire{},
			Summary: "Tell how far the last reading of the tables is, what it found, and what the login cannot see", handle: (*API).lastSync},
		{Method: "DELETE", Path: "/api/database/{id}/sync", Need: manage,
			Summary: "End the reading of the tables that is under way", handle: (*API).cancelSync},
		{Method: "POST", Path: "/api/database/{id}/rescan_values", Need: manage, Answer: statusWire{},
			Summary: "Read the values of fields again; they are always read afresh", handle: (*API).rescanValues},
	}
}

// databaseNeed is the right on the database that {id} names.
func databaseNeed(right permission.Right) Need {
	return object(right.String(), func(_ *API, r *request) error {
		return r.access.Check(right, permission.ADatabase(catalog.DatabaseID(r.id("id"))))
	})
}

func (r *request) database() catalog.DatabaseID { return catalog.DatabaseID(r.id("id")) }

type statusWire struct {
	Status string `json:"status"`
}

type databaseQuery struct {
	Include string `query:"include" enum:"tables,tables.fields"`
}

// databasesWire is a list of databases.
type databasesWire struct {
	Data  []databaseWire `json:"data"`
	Total int            `json:"total"`
}

func (a *API) listDatabases(r *request) (any, error) {
	all, err := a.store.Databases(r.ctx())
	if err != nil {
		return nil, err
	}
	list := []databaseWire{}
	for _, d := range all {
		if r.access.Can(permission.SeeDatabase, permission.ADatabase(d.ID)) {
			w := databaseOf(r.access, d)
			if err := a.include(r, &w, queryOf[databaseQuery](r).Include); err != nil {
				return nil, err
			}
			list = append(list, w)
		}
	}
	return databasesWire{Data: list, Total: len(list)}, nil
}

func (a *API) getDatabase(r *request) (any, error) {
	d, err := a.store.Database(r.ctx(), r.database())
	if err != nil {
		return nil, err
	}
	w := databaseOf(r.access, d)
	return w, a.include(r, &w, queryOf[databaseQuery](r).Include)
}

// include adds tables, or tables and fields, to the answer.
func (a *API) include(r *request, w *databaseWire, what string) error {
	if what == "" {
		return nil
	}
	tables, err := a.tablesWire(r, store.TableQuery{Database: w.ID}, what == "tables.fields")
	w.Tables = &tables
	return err
}

type metadataQuery struct {
	IncludeHidden bool `query:"include_hidden"`
}

func (a *API) databaseMetadata(r *request) (any, error) {
	d, err := a.store.Database(r.ctx(), r.database())
	if err != nil {
		return nil, err
	}
	w := databaseOf(r.access, d)
	if err := a.include(r, &w, "tables.fields"); err != nil {
		return nil, err
	}
	if !queryOf[metadataQuery](r).IncludeHidden {
		*w.Tables = slices.DeleteFunc(*w.Tables, func(t tableWire) bool { return t.VisibilityType != nil })
	}
	return w, nil
}

// seenTables lists the tables of a database that the person may see.
func seenTables(access permission.Access, id catalog.DatabaseID) []*catalog.Table {
	var tables []*catalog.Table
	for t := range access.Graph().Catalog().Tables(id) {
		if access.Can(permission.SeeTable, permission.ATable(t.ID)) {
			tables = append(tables, t)
		}
	}
	return tables
}

func (a *API) listSchemas(r *request) (any, error) {
	names := []string{}
	for _, t := range seenTables(r.access, r.database()) {
		names = append(names, t.Schema)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// schemaTables lists the tables of a schema. A schema without a table that the
// person may see is answered as one that does not exist.
func (a *API) schemaTables(r *request) (any, error) {
	ids := []catalog.TableID{}
	for _, t := range seenTables(r.access, r.database()) {
		if t.Schema == r.text("name") {
			ids = append(ids, t.ID)
		}
	}
	if len(ids) == 0 {
		return nil, store.ErrNotFound
	}
	return a.tablesWire(r, store.TableQuery{IDs: ids}, false)
}

// shortFieldWire is a field in a list over many tables.
type shortFieldWire struct {
	ID           catalog.FieldID `json:"id"`
	Name         string          `json:"name"`
	DisplayName  string          `json:"display_name"`
	BaseType     string          `json:"base_type"`
	SemanticType *string         `json:"semantic_type"`
	TableID      catalog.TableID `json:"table_id"`
	TableName    string          `json:"table_name"`
	Schema       *string         `json:"schema"`
}

func (a *API) databaseFields(r *request) (any, error) { return fieldsOf(r, false), nil }

func (a *API) databaseKeys(r *request) (any, error) { return fieldsOf(r, true), nil }

func fieldsOf(r *request, keys bool) []shortFieldWire {
	list := []shortFieldWire{}
	for _, t := range seenTables(r.access, r.database()) {
		for _, f := range r.access.Fields(t.ID) {
			if f := r.access.Field(*f); !keys || f.SemanticType == "type/PK" {
				list = append(list, shortFieldWire{ID: f.ID, Name: f.Name, DisplayName: f.DisplayName, BaseType: f.BaseType,
					SemanticType: nullText(f.SemanticType), TableID: t.ID, TableName: t.Name, Schema: nullText(t.Schema)})
			}
		}
	}
	return list
}

// nullText is the text, or nil for an empty one.
func nullText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (a *API) rescanValues(*request) (any, error) { return statusWire{"ok"}, nil }
