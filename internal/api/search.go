package api

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// searchRoutes find things by what is said of them: only those that one may
// see.
func searchRoutes() []Route {
	return []Route{{Method: "GET", Path: "/api/search", Need: person(), Query: searchQuery{}, Answer: searchWire{},
		Summary: "Find questions, dashboards, collections, tables and databases", handle: (*API).search}}
}

// searchModels are the kinds of things that can be found; of things that fit
// alike those of an earlier kind come first.
var searchModels = [...]string{"dashboard", "metric", "dataset", "card", "collection", "table", "database"}

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
	Bookmark     *bool               `json:"bookmark"` // null for what cannot be bookmarked
	CreatorID    *permission.UserID  `json:"creator_id"`
	CreatedAt    *time.Time          `json:"created_at"`
	UpdatedAt    *time.Time          `json:"updated_at"`
	CanWrite     bool                `json:"can_write"`
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
	found, err := a.find(r, q)
	if err != nil {
		return nil, err
	}
	models := map[string]bool{}
	found = slices.DeleteFunc(found, func(f store.Found) bool {
		models[f.Model] = true
		return len(q.Models) > 0 && !slices.Contains(q.Models, f.Model)
	})
	marked, err := a.bookmarks(r)
	if err != nil {
		return nil, err
	}
	if err := a.rank(r, found, marked); err != nil {
		return nil, err
	}
	w := searchWire{Total: len(found), Models: q.Models, AvailableModels: []string{}, Limit: p.Limit, Offset: p.Offset, TableDBID: q.Database}
	if len(w.Models) == 0 {
		w.Models = searchModels[:]
	}
	for _, m := range searchModels {
		if models[m] {
			w.AvailableModels = append(w.AvailableModels, m)
		}
	}
	w.Data, err = a.foundWires(r, cutPage(found, limit, offset), marked)
	return w, err
}

// find lists what fits and may be seen; of what is in the trash, what may be
// restored.
func (a *API) find(r *request, q *searchQuery) ([]store.Found, error) {
	s, err := q.search(a.now())
	if err != nil {
		return nil, err
	}
	found, err := a.store.Search(r.ctx(), s)
	if err != nil {
		return nil, err
	}
	right := permission.ReadCollection
	if q.Archived {
		right = permission.CurateCollection
	}
	found = slices.DeleteFunc(found, func(f store.Found) bool {
		return !r.access.Can(right, permission.ACollection(f.Collection))
	})
	if q.ofData() {
		found = append(found, findData(r.access, s)...)
	}
	if found, err = a.editedBy(r, found, q.EditedBy); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(f store.Found) bool {
		return !q.lies(r.access, f) || s.IDs != nil && !slices.Contains(q.Models, f.Model)
	}), nil
}

// editedBy is those of what was found that one of these people changed last; all
// of it when there are none.
func (a *API) editedBy(r *request, found []store.Found, people []string) ([]store.Found, error) {
	ids, err := searchIDs("last_edited_by", people)
	if err != nil || len(ids) == 0 {
		return found, err
	}
	var items []store.Item
	for _, f := range found {
		items = append(items, f.Item)
	}
	edits, err := a.store.LastEdits(r.ctx(), items)
	return slices.DeleteFunc(found, func(f store.Found) bool {
		return !slices.Contains(ids, int64(edits[f.Item].User))
	}), err
}

// findData lists the databases and tables that fit and may be seen.
func findData(access permission.Access, s store.Search) []store.Found {
	var found []store.Found
	put := func(f store.Found, names ...string) {
		if s.IDs != nil && !slices.Contains(s.IDs, f.ID) {
			return
		}
		best, fits := store.Match(0), false
		for _, name := range names {
			if m, is := s.Text.Match(name, orZero(f.Description), ""); is && (!fits || m < best) {
				best, fits = m, true
			}
		}
		if f.Match = best; fits {
			found = append(found, f)
		}
	}
	for d := range access.Graph().Catalog().Databases() {
		if s.Database != 0 && s.Database != d.ID || !access.Can(permission.SeeDatabase, permission.ADatabase(d.ID)) {
			continue
		}
		put(store.Found{Item: store.Item{ID: int64(d.ID)}, Model: "database", Name: d.Name, Database: &d.ID}, d.Name)
		for _, t := range seenTables(access, d.ID) {
			put(store.Found{Item: store.Item{Kind: store.OfTable, ID: int64(t.ID)}, Model: "table", Name: t.DisplayName, Description: nullText(t.Description),
				Database: &d.ID, Table: &t.ID}, t.DisplayName, t.Name)
		}
	}
	return found
}

// rank sorts what was found: what fits best first; of what fits alike what is
// pinned, then what the person has bookmarked, then what the person opened
// lately, then by kind and name.
func (a *API) rank(r *request, found []store.Found, marked map[store.Item]bool) error {
	views, err := a.store.Views(r.ctx(), r.access.User(), store.Viewed, store.Selected)
	if err != nil {
		return err
	}
	lately := make(map[store.Item]time.Time, len(views))
	for _, v := range views {
		lately[v.Item] = v.At
	}
	not := func(is bool) int {
		if is {
			return 0
		}
		return 1
	}
	slices.SortFunc(found, func(x, y store.Found) int {
		return cmp.Or(cmp.Compare(x.Match, y.Match),
			cmp.Compare(not(x.Position != nil), not(y.Position != nil)),
			cmp.Compare(not(marked[x.Item]), not(marked[y.Item])),
			lately[y.Item].Compare(lately[x.Item]),
			cmp.Compare(slices.Index(searchModels[:], x.Model), slices.Index(searchModels[:], y.Model)),
			strings.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)), cmp.Compare(x.ID, y.ID))
	})
	return nil
}

// foundWires is the answer with what was found and may be seen.
func (a *API) foundWires(r *request, found []store.Found, marked map[store.Item]bool) ([]foundWire, error) {
	ids := []permission.CollectionID{}
	for _, f := range found {
		if f.Collection != permission.Root {
			ids = append(ids, f.Collection)
		}
	}
	folders, err := a.store.Collections(r.ctx(), store.CollectionQuery{Archived: store.WithArchived, IDs: ids})
	if err != nil {
		return nil, err
	}
	in := map[permission.CollectionID]*foundIn{permission.Root: {}}
	for _, c := range folders {
		in[c.ID] = &foundIn{&c.ID, &c.Name, c.AuthorityLevel, c.Type}
	}
	below, err := a.tablesBelow(r, found)
	if err != nil {
		return nil, err
	}
	data := r.access.Graph().Catalog()
	list := make([]foundWire, 0, len(found))
	for _, f := range found {
		w := foundWire{ID: f.ID, Model: f.Model, Name: f.Name, Description: f.Description, Display: f.Display, DatabaseID: f.Database, Position: f.Position}
		switch f.Kind {
		case store.OfCard, store.OfDashboard, store.OfCollection:
			w.Archived, w.Collection, w.Bookmark, w.CreatedAt = &f.Archived, in[f.Collection], new(marked[f.Item]), &f.CreatedAt
			w.CanWrite = r.access.Can(permission.CurateCollection, permission.ACollection(f.Collection))
			w.TableID = below[f.Item]
			if f.Kind != store.OfCollection {
				w.CreatorID, w.UpdatedAt = &f.Creator, &f.EditedAt
			}
		case store.OfTable:
			t := data.Table(*f.Table)
			w.TableID, w.DatabaseName, w.TableName, w.TableSchema = f.Table, &data.Database(t.Database).Name, &t.Name, nullText(t.Schema)
			w.CanWrite = r.access.Can(permission.DescribeTable, permission.ATable(t.ID))
		default:
			w.DatabaseName = &f.Name
			w.CanWrite = r.access.Can(permission.ManageDatabase, permission.ADatabase(*f.Database))
		}
		list = append(list, w)
	}
	return list, nil
}

// tablesBelow are the tables of the questions among what was found: told to
// those who may be shown their results.
func (a *API) tablesBelow(r *request, found []store.Found) (map[store.Item]*catalog.TableID, error) {
	ids := []int64{}
	for _, f := range found {
		if f.Kind == store.OfCard && f.Table != nil {
			ids = append(ids, f.ID)
		}
	}
	cards, err := a.store.Cards(r.ctx(), store.CardQuery{Archived: store.WithArchived, IDs: ids})
	below := map[store.Item]*catalog.TableID{}
	for _, c := range cards {
		if a.door.Shows(r.ctx(), r.access.User(), c) {
			below[store.Item{Kind: store.OfCard, ID: c.ID}] = c.Table
		}
	}
	return below, err
}
