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

type itemsQuery struct {
	paging
	Models        []string `query:"models" enum:"card,dataset,metric,dashboard,collection,no_models,pulse,snippet,timeline,document,table"`
	Archived      bool     `query:"archived"`
	PinnedState   string   `query:"pinned_state" enum:"all,is_pinned,is_not_pinned"`
	SortColumn    string   `query:"sort_column" enum:"name,model,last_edited_at,last_edited_by"`
	SortDirection string   `query:"sort_direction" enum:"asc,desc"`
}

// itemsWire is what lies in a collection.
type itemsWire struct {
	Total  int        `json:"total"`
	Data   []itemWire `json:"data"`
	Models []string   `json:"models"`
	Limit  *int       `json:"limit"`
	Offset *int       `json:"offset"`
}

// itemWire is one thing in a collection. Those under "only" are left out for
// the other kinds.
type itemWire struct {
	ID                 int64                    `json:"id"`
	Model              string                   `json:"model"`
	Name               string                   `json:"name"`
	Description        *string                  `json:"description"`
	EntityID           string                   `json:"entity_id"`
	CollectionID       *permission.CollectionID `json:"collection_id"`
	CollectionPosition *int                     `json:"collection_position"`
	CollectionPreview  bool                     `json:"collection_preview"`
	Archived           bool                     `json:"archived"`
	Bookmarked         bool                     `json:"bookmarked"`
	CanWrite           bool                     `json:"can_write"`
	CanRestore         bool                     `json:"can_restore"`
	CanDelete          bool                     `json:"can_delete"`
	UpdatedAt          *time.Time               `json:"updated_at,omitempty"`
	LastEdit           *lastEditWire            `json:"last-edit-info,omitempty"` // not of collections
	// Only cards.
	Display    *string             `json:"display,omitempty"`
	DatabaseID *catalog.DatabaseID `json:"database_id,omitempty"`
	Type       *string             `json:"type,omitempty"`
	// Only collections.
	Location          *string            `json:"location,omitempty"`
	EffectiveLocation *string            `json:"effective_location,omitempty"`
	AuthorityLevel    *string            `json:"authority_level,omitempty"`
	PersonalOwnerID   *permission.UserID `json:"personal_owner_id,omitempty"`
	IsPersonal        *bool              `json:"is_personal,omitempty"`
	Here              []string           `json:"here,omitempty"`
	Below             []string           `json:"below,omitempty"`
}

// lastEditWire is who changed an item last, as the person may know of them.
type lastEditWire struct {
	creatorWire
	Timestamp time.Time `json:"timestamp"`
}

// itemModels are the kinds of items there are, as the wire calls them.
var itemModels = [...]string{"card", "collection", "dashboard", "dataset", "metric"}

func (a *API) collectionItems(r *request) (any, error) {
	c, q := r.object.(store.Collection), queryOf[itemsQuery](r)
	if c.ID == permission.Root {
		return a.rootItems(r)
	}
	return a.listItems(r, q, &c.ID, q.Archived || c.Archived)
}

// rootItems lists the top level. Without the right to read the root there are
// still the collections that the person sees there (reference 2.6).
func (a *API) rootItems(r *request) (any, error) {
	q := queryOf[itemsQuery](r)
	return a.listItems(r, q, new(permission.Root), q.Archived)
}

// trashItems lists what was archived by itself, wherever it was, for those who
// can restore it.
func (a *API) trashItems(r *request) (any, error) {
	return a.listItems(r, queryOf[itemsQuery](r), nil, true)
}

// listItems lists what the person may see of a collection, or of the trash
// when in is nil.
func (a *API) listItems(r *request, q *itemsQuery, in *permission.CollectionID, archived bool) (any, error) {
	limit, offset, p, err := q.paging.window()
	if err != nil {
		return nil, err
	}
	var items []itemWire
	var closed []store.Collection
	if archived {
		if closed, err = a.store.Collections(r.ctx(), store.CollectionQuery{Archived: store.OnlyArchived}); err != nil {
			return nil, err
		}
		items = archivedCollections(r.access, closed, in)
	} else if items, err = a.itemCollections(r, *in); err != nil {
		return nil, err
	}
	which, right := store.NotArchived, permission.ReadCollection
	if archived {
		which, right = store.OnlyArchived, permission.CurateCollection
	}
	may := func(c permission.CollectionID) bool { return r.access.Can(right, permission.ACollection(c)) }
	if in == nil || may(*in) {
		content, err := a.itemContent(r, in, which, closed, may)
		if err != nil {
			return nil, err
		}
		items = append(items, content...)
	}
	items = slices.DeleteFunc(items, func(i itemWire) bool { return !q.wants(i) })
	if q.SortColumn == "last_edited_by" {
		if err := a.lastEdits(r, items); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(items, q.compare)
	marked, err := a.bookmarks(r)
	if err != nil {
		return nil, err
	}
	page := append([]itemWire{}, cutPage(items, limit, offset)...)
	for i := range page {
		page[i].Bookmarked = marked[page[i].item()]
	}
	if err := a.lastEdits(r, page); err != nil {
		return nil, err
	}
	models := q.Models
	if len(models) == 0 {
		models = itemModels[:]
	}
	return itemsWire{Total: len(items), Data: page, Models: models, Limit: p.Limit, Offset: p.Offset}, nil
}

func (i itemWire) item() store.Item { return store.Item{Kind: kindOfModel(i.Model), ID: i.ID} }

// lastEdits puts to the items who changed them last.
func (a *API) lastEdits(r *request, items []itemWire) error {
	var of []store.Item
	for _, i := range items {
		of = append(of, i.item())
	}
	edits, err := a.store.LastEdits(r.ctx(), of)
	if err != nil {
		return err
	}
	var people []permission.UserID
	for _, e := range edits {
		people = append(people, e.User)
	}
	known, err := a.creators(r, people)
	if err != nil {
		return err
	}
	for i := range items {
		e := edits[items[i].item()]
		if who := known[e.User]; who != nil {
			items[i].LastEdit = &lastEditWire{*who, e.At}
		}
	}
	return nil
}

func (q *itemsQuery) wants(i itemWire) bool {
	if len(q.Models) > 0 && !slices.Contains(q.Models, i.Model) {
		return false
	}
	switch q.PinnedState {
	case "is_pinned":
		return i.CollectionPosition != nil
	case "is_not_pinned":
		return i.CollectionPosition == nil
	}
	return true
}

// compare puts what has no value to sort by behind what has one, in either
// direction. People are sorted by the names that the person sees.
func (q *itemsQuery) compare(a, b itemWire) int {
	var order int
	switch q.SortColumn {
	case "":
		if q.PinnedState == "is_pinned" {
			order = cmp.Compare(orZero(a.CollectionPosition), orZero(b.CollectionPosition))
		}
	case "model":
		order = cmp.Compare(a.Model, b.Model)
	case "last_edited_at":
		if without := lacking(a.UpdatedAt, b.UpdatedAt); without != 0 {
			return without
		}
		order = orZero(a.UpdatedAt).Compare(orZero(b.UpdatedAt))
	case "last_edited_by":
		if without := lacking(a.LastEdit, b.LastEdit); without != 0 {
			return without
		}
		order = cmp.Compare(strings.ToLower(orZero(a.LastEdit).CommonName), strings.ToLower(orZero(b.LastEdit).CommonName))
	}
	order = cmp.Or(order, cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.Model, b.Model), cmp.Compare(a.ID, b.ID))
	if q.SortDirection == "desc" {
		return -order
	}
	return order
}

// lacking is 1 where only the first is nil, -1 where only the second is.
func lacking[T any](a, b *T) int {
	switch {
	case a == nil && b != nil:
		return 1
	case a != nil && b == nil:
		return -1
	}
	return 0
}

// itemCollections lists the collections that the person sees in another one.
// Personal ones are nobody's children.
func (a *API) itemCollections(r *request, in permission.CollectionID) ([]itemWire, error) {
	tree, err := a.visibleTree(r, collectionListQuery{})
	if err != nil || tree[in] == nil {
		return nil, err
	}
	var items []itemWire
	for _, n := range tree[in].Children {
		if n.PersonalOwnerID == nil {
			item := collectionItem(n.collectionWire, nullRoot(in))
			item.Here, item.Below = n.Here, n.Below
			items = append(items, item)
		}
	}
	return items, nil
}

// archivedCollections lists those of the archived collections that the person
// sees in another one, or in the trash.
func archivedCollections(access permission.Access, closed []store.Collection, in *permission.CollectionID) []itemWire {
	var items []itemWire
	for _, c := range closed {
		if access.Can(permission.CurateCollection, permission.ACollection(c.ID)) && inTrash(c.ArchivedDirectly, c.Parent, in) {
			w := collectionOf(access, c)
			items = append(items, collectionItem(w, w.ParentID))
		}
	}
	return items
}

// inTrash tells whether something archived is listed there: in the trash what
// was archived by itself, in a collection what lies in it.
func inTrash(directly bool, lies permission.CollectionID, in *permission.CollectionID) bool {
	if in == nil {
		return directly
	}
	return lies == *in
}

func collectionItem(c collectionWire, in *permission.CollectionID) itemWire {
	return itemWire{ID: int64(c.ID), Model: "collection", Name: c.Name, Description: c.Description, EntityID: orZero(c.EntityID),
		CollectionID: in, Archived: c.Archived, CanWrite: c.CanWrite, CanRestore: c.CanRestore, CanDelete: c.CanDelete,
		Type: c.Type, Location: c.Location, EffectiveLocation: c.Location, AuthorityLevel: c.AuthorityLevel,
		PersonalOwnerID: c.PersonalOwnerID, IsPersonal: &c.IsPersonal}
}

// itemContent lists the cards and dashboards in a collection, or of the trash.
// Closed are the archived collections, where what is archived is looked for.
func (a *API) itemContent(r *request, in *permission.CollectionID, which store.Archived, closed []store.Collection,
	may func(permission.CollectionID) bool) ([]itemWire, error) {
	cards, err := a.store.Cards(r.ctx(), store.CardQuery{Archived: which, Collection: in})
	if err != nil {
		return nil, err
	}
	dashboards, err := a.store.Dashboards(r.ctx(), store.DashboardQuery{Archived: which, Collection: in})
	if err != nil {
		return nil, err
	}
	archived := make(map[permission.CollectionID]bool, len(closed))
	for _, c := range closed {
		archived[c.ID] = true
	}
	var items []itemWire
	for _, c := range cards {
		if may(c.Collection) && (in != nil || c.ArchivedDirectly) && c.Dashboard == nil {
			items = append(items, cardItem(r.access, c, archived[c.Collection]))
		}
	}
	for _, d := range dashboards {
		if may(d.Collection) && (in != nil || d.ArchivedDirectly) {
			items = append(items, dashboardItem(r.access, d, archived[d.Collection]))
		}
	}
	return items, nil
}

func cardItem(access permission.Access, c store.Card, closed bool) itemWire {
	writes := access.Can(permission.CurateCollection, permission.ACollection(c.Collection))
	return itemWire{ID: c.ID, Model: cardModel(c), Name: c.Name, Description: c.Description, EntityID: c.EntityID,
		CollectionID: nullRoot(c.Collection), CollectionPosition: c.CollectionPosition, CollectionPreview: true, Archived: c.Archived,
		CanWrite: writes, CanRestore: restorable(writes, c.ArchivedDirectly, closed), CanDelete: writes && c.Archived,
		UpdatedAt: &c.UpdatedAt, Display: &c.Display, DatabaseID: c.Database, Type: new(cardType(c))}
}

func dashboardItem(access permission.Access, d store.Dashboard, closed bool) itemWire {
	writes := access.Can(permission.CurateCollection, permission.ACollection(d.Collection))
	return itemWire{ID: d.ID, Model: "dashboard", Name: d.Name, Description: d.Description, EntityID: d.EntityID,
		CollectionID: nullRoot(d.Collection), CollectionPosition: d.CollectionPosition, Archived: d.Archived,
		CanWrite: writes, CanRestore: restorable(writes, d.ArchivedDirectly, closed), CanDelete: writes && d.Archived, UpdatedAt: &d.UpdatedAt}
}
