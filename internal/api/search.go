package api

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// searchRoutes find things by name: only those that one may see.
func searchRoutes() []Route {
	return []Route{{Method: "GET", Path: "/api/search", Need: person(), Query: searchQuery{}, Answer: searchWire{},
		Summary: "Find questions, dashboards, collections, tables and databases by name", handle: (*API).search}}
}

type searchQuery struct {
	paging
	Text     string   `query:"q"`
	Models   []string `query:"models" enum:"card,dataset,metric,dashboard,collection,table,database,segment,action,indexed-entity,document"`
	Archived bool     `query:"archived"`
	Database *ID      `query:"table_db_id"`
}

// searchModels are the kinds of things that can be found.
var searchModels = [...]string{"dashboard", "card", "dataset", "metric", "collection", "table", "database"}

// searchWire is what was found.
type searchWire struct {
	Total           int         `json:"total"`
	Data            []foundWire `json:"data"`
	Models          []string    `json:"models"`
	AvailableModels []string    `json:"available_models"`
	Limit           *int        `json:"limit"`
	Offset          *int        `json:"offset"`
	TableDBID       *ID         `json:"table_db_id"`
}

// foundWire is one thing that was found.
type foundWire struct {
	ID           int64               `json:"id"`
	Model        string              `json:"model"`
	Name         string              `json:"name"`
	Description  *string             `json:"description"`
	Archived     *bool               `json:"archived"` // null for what cannot be
	Collection   *foundIn            `json:"collection"`
	Display      *string             `json:"display"`
	DatabaseID   *catalog.DatabaseID `json:"database_id"`
	DatabaseName *string             `json:"database_name"`
	TableID      *catalog.TableID    `json:"table_id"`
	TableName    *string             `json:"table_name"`
	TableSchema  *string             `json:"table_schema"`
	Position     *int                `json:"collection_position"`
	CanWrite     bool                `json:"can_write"`

	card *store.Card // of a question; its table is told to who may be shown its results
}

// foundIn is the collection that something was found in; for the root all of
// it is null.
type foundIn struct {
	ID             *permission.CollectionID `json:"id"`
	Name           *string                  `json:"name"`
	AuthorityLevel *string                  `json:"authority_level"`
	Type           *string                  `json:"type"`
}

func (a *API) search(r *request) (any, error) {
	q := queryOf[searchQuery](r)
	limit, offset, p, err := q.paging.window()
	if err != nil {
		return nil, err
	}
	found, err := a.findContent(r, q.Archived)
	if err != nil {
		return nil, err
	}
	if !q.Archived {
		found = append(found, findData(r.access)...)
	}
	models := map[string]bool{}
	text := strings.ToLower(strings.TrimSpace(q.Text))
	found = slices.DeleteFunc(found, func(f foundWire) bool {
		if !strings.Contains(strings.ToLower(f.Name), text) || q.Database != nil && (f.DatabaseID == nil || *f.DatabaseID != catalog.DatabaseID(*q.Database)) {
			return true
		}
		models[f.Model] = true
		return len(q.Models) > 0 && !slices.Contains(q.Models, f.Model)
	})
	slices.SortStableFunc(found, func(x, y foundWire) int {
		return cmp.Or(strings.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)), strings.Compare(x.Model, y.Model), cmp.Compare(x.ID, y.ID))
	})
	w := searchWire{Total: len(found), Data: append([]foundWire{}, cutPage(found, limit, offset)...), Models: q.Models, AvailableModels: []string{},
		Limit: p.Limit, Offset: p.Offset, TableDBID: q.Database}
	for i := range w.Data {
		if c := w.Data[i].card; c != nil && c.Table != nil && a.door.Shows(r.ctx(), r.access.User(), *c) {
			w.Data[i].TableID = c.Table
		}
	}
	if len(w.Models) == 0 {
		w.Models = searchModels[:]
	}
	for _, m := range searchModels {
		if models[m] {
			w.AvailableModels = append(w.AvailableModels, m)
		}
	}
	return w, nil
}

// findContent lists the questions, dashboards and collections that the person
// may read; of archived ones those that they can restore.
func (a *API) findContent(r *request, archived bool) ([]foundWire, error) {
	which, right := store.NotArchived, permission.ReadCollection
	if archived {
		which, right = store.OnlyArchived, permission.CurateCollection
	}
	folders, err := a.store.Collections(r.ctx(), store.CollectionQuery{Archived: store.WithArchived})
	if err != nil {
		return nil, err
	}
	cards, err := a.store.Cards(r.ctx(), store.CardQuery{Archived: which})
	if err != nil {
		return nil, err
	}
	dashboards, err := a.store.Dashboards(r.ctx(), store.DashboardQuery{Archived: which})
	if err != nil {
		return nil, err
	}
	in := map[permission.CollectionID]*foundIn{permission.Root: {}}
	var found []foundWire
	for _, c := range folders {
		in[c.ID] = &foundIn{&c.ID, &c.Name, c.AuthorityLevel, c.Type}
		if c.Archived == archived && r.access.Can(right, permission.ACollection(c.ID)) {
			found = append(found, foundWire{ID: int64(c.ID), Model: "collection", Name: c.Name, Description: c.Description, Archived: &c.Archived,
				Collection: in[c.ID], CanWrite: r.access.Can(permission.CurateCollection, permission.ACollection(c.ID))})
		}
	}
	for _, c := range cards {
		if r.access.Can(right, permission.ACollection(c.Collection)) {
			i := cardItem(r.access, c)
			f := foundWire{ID: c.ID, Model: i.Model, Name: c.Name, Description: c.Description, Archived: &c.Archived, Collection: in[c.Collection],
				Display: &c.Display, DatabaseID: c.Database, card: &c, Position: c.CollectionPosition, CanWrite: i.CanWrite}
			found = append(found, f)
		}
	}
	for _, d := range dashboards {
		if r.access.Can(right, permission.ACollection(d.Collection)) {
			i := dashboardItem(r.access, d)
			found = append(found, foundWire{ID: d.ID, Model: i.Model, Name: d.Name, Description: d.Description, Archived: &d.Archived,
				Collection: in[d.Collection], Position: d.CollectionPosition, CanWrite: i.CanWrite})
		}
	}
	return found, nil
}

// findData lists the databases and tables that the person may see.
func findData(access permission.Access) []foundWire {
	var found []foundWire
	for d := range access.Graph().Catalog().Databases() {
		if !access.Can(permission.SeeDatabase, permission.ADatabase(d.ID)) {
			continue
		}
		found = append(found, foundWire{ID: int64(d.ID), Model: "database", Name: d.Name, DatabaseID: &d.ID, DatabaseName: &d.Name,
			CanWrite: access.Can(permission.ManageDatabase, permission.ADatabase(d.ID))})
		for _, t := range seenTables(access, d.ID) {
			found = append(found, foundWire{ID: int64(t.ID), Model: "table", Name: t.DisplayName, Description: nullText(t.Description),
				DatabaseID: &d.ID, DatabaseName: &d.Name, TableID: &t.ID, TableName: &t.Name, TableSchema: nullText(t.Schema),
				CanWrite: access.Can(permission.DescribeTable, permission.ATable(t.ID))})
		}
	}
	return found
}
