package api

import (
	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// relatedWire is what has to do with a table, as far as the person sees it.
type relatedWire struct {
	Segments   []any       `json:"segments"` // there are none
	Metrics    []cardWire  `json:"metrics"`
	LinkingTo  []tableWire `json:"linking-to"`  // its foreign keys point to them
	LinkedFrom []tableWire `json:"linked-from"` // their foreign keys point to it
	Tables     []tableWire `json:"tables"`      // some of the others of its schema
}

// relatedTables is how many of the other tables are named.
const relatedTables = 5

func (a *API) relatedToTable(r *request) (any, error) {
	c := r.access.Graph().Catalog()
	here := c.Table(catalog.TableID(r.id("id")))
	to, from, others := []catalog.TableID{}, []catalog.TableID{}, []catalog.TableID{}
	for _, t := range seenTables(r.access, here.Database) {
		switch {
		case t.ID == here.ID:
		case points(r.access, here.ID, t.ID):
			to = append(to, t.ID)
			if points(r.access, t.ID, here.ID) {
				from = append(from, t.ID)
			}
		case points(r.access, t.ID, here.ID):
			from = append(from, t.ID)
		case t.Schema == here.Schema && len(others) < relatedTables:
			others = append(others, t.ID)
		}
	}
	metrics, err := a.metricsOf(r, here.ID)
	if err != nil {
		return nil, err
	}
	w := relatedWire{Segments: []any{}, Metrics: metrics}
	for _, part := range []struct {
		into *[]tableWire
		ids  []catalog.TableID
	}{{&w.LinkingTo, to}, {&w.LinkedFrom, from}, {&w.Tables, others}} {
		if *part.into, err = a.tablesWire(r, store.TableQuery{IDs: part.ids}, false); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// points tells whether a foreign key of a table points to another, as far as
// the person sees it.
func points(access permission.Access, from, to catalog.TableID) bool {
	for _, f := range access.Fields(from) {
		if target := access.Graph().Catalog().Field(f.Target); access.SeesField(target) && target.Table == to {
			return true
		}
	}
	return false
}

// metricsOf lists the metrics over a table that the person may read, of which
// they may be told that it lies below them.
func (a *API) metricsOf(r *request, table catalog.TableID) ([]cardWire, error) {
	all, err := a.store.Cards(r.ctx(), store.CardQuery{Table: &table})
	if err != nil {
		return nil, err
	}
	var metrics []store.Card
	for _, c := range all {
		if cardType(c) == metric && r.access.Can(permission.ReadCollection, permission.ACollection(c.Collection)) && a.door.Shows(r.ctx(), r.access.User(), c) {
			metrics = append(metrics, c)
		}
	}
	return a.cardsWire(r, metrics)
}
