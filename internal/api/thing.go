package api

import (
	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// thing is something that people open and mark, as far as lists of unlike
// things tell of it.
type thing struct {
	store.Item
	model       string // the wire's word: of cards also dataset and metric
	name        string
	description *string
	canWrite    bool
	card        *store.Card
	table       *catalog.Table
	collection  *store.Collection // that it is, or lies in; nil for the root and for tables
}

// things loads those of the items that are there, are not in the trash, and
// may be seen by the person.
func (a *API) things(r *request, items []store.Item) (map[store.Item]thing, error) {
	ids := map[store.Kind][]int64{}
	for _, i := range items {
		ids[i.Kind] = append(ids[i.Kind], i.ID)
	}
	cards, err := a.store.Cards(r.ctx(), store.CardQuery{IDs: append([]int64{}, ids[store.OfCard]...)})
	if err != nil {
		return nil, err
	}
	dashboards, err := a.store.Dashboards(r.ctx(), store.DashboardQuery{IDs: append([]int64{}, ids[store.OfDashboard]...)})
	if err != nil {
		return nil, err
	}
	seen := map[store.Item]thing{}
	within := map[store.Item]permission.CollectionID{}
	put := func(t thing, in permission.CollectionID) {
		if r.access.Can(permission.ReadCollection, permission.ACollection(in)) {
			t.canWrite = r.access.Can(permission.CurateCollection, permission.ACollection(in))
			seen[t.Item], within[t.Item] = t, in
		}
	}
	for _, c := range cards {
		put(thing{Item: store.Item{Kind: store.OfCard, ID: c.ID}, model: cardModel(c), name: c.Name, description: c.Description, card: &c}, c.Collection)
	}
	for _, d := range dashboards {
		put(thing{Item: store.Item{Kind: store.OfDashboard, ID: d.ID}, model: "dashboard", name: d.Name, description: d.Description}, d.Collection)
	}
	for _, id := range ids[store.OfCollection] {
		put(thing{Item: store.Item{Kind: store.OfCollection, ID: id}, model: "collection"}, permission.CollectionID(id))
	}
	for _, id := range ids[store.OfTable] {
		if t := r.access.Graph().Catalog().Table(catalog.TableID(id)); t != nil && r.access.Can(permission.SeeTable, permission.ATable(t.ID)) {
			seen[store.Item{Kind: store.OfTable, ID: id}] = thing{Item: store.Item{Kind: store.OfTable, ID: id}, model: "table", name: t.Name,
				description: nullText(t.Description), table: t, canWrite: r.access.Can(permission.DescribeTable, permission.ATable(t.ID))}
		}
	}
	return seen, a.shelve(r, seen, within)
}

// shelve puts to the things the collections that they are or lie in, and takes
// out those in the trash.
func (a *API) shelve(r *request, seen map[store.Item]thing, within map[store.Item]permission.CollectionID) error {
	ids := []permission.CollectionID{}
	for _, in := range within {
		if in != permission.Root {
			ids = append(ids, in)
		}
	}
	all, err := a.store.Collections(r.ctx(), store.CollectionQuery{IDs: ids})
	if err != nil {
		return err
	}
	by := map[permission.CollectionID]*store.Collection{}
	for _, c := range all {
		by[c.ID] = &c
	}
	for item, in := range within {
		t := seen[item]
		if t.collection = by[in]; t.collection == nil && in != permission.Root {
			delete(seen, item)
			continue
		}
		if item.Kind == store.OfCollection {
			t.name, t.description = t.collection.Name, t.collection.Description
		}
		seen[item] = t
	}
	return nil
}

// kindOfModel is the kind of what the wire calls so.
func kindOfModel(model string) store.Kind {
	switch model {
	case "dataset", "metric":
		return store.OfCard
	}
	return store.Kind(model)
}
