package api

import (
	"encoding/json"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// cardRoutes are about saved questions, which the wire calls cards (reference
// 4.8). What a card shows is decided by its collection; what may be saved in
// one, by the data.
func cardRoutes() []Route {
	read, curate := cardNeed(permission.ReadCollection), cardNeed(permission.CurateCollection)
	return []Route{
		{Method: "GET", Path: "/api/card", Need: person(), Query: cardListQuery{}, Answer: []cardWire{},
			Summary: "List the questions that one may read", handle: (*API).listCards},
		{Method: "POST", Path: "/api/card", Need: person(), Body: newCardWire{}, Answer: cardWire{},
			Summary: "Save a question that one may ask, in a collection that one curates", handle: (*API).createCard},
		{Method: "POST", Path: "/api/card/collections", Need: person(), Body: moveCardsWire{}, Answer: statusWire{},
			Summary: "Move questions into a collection, all or none", handle: (*API).moveCards},
		{Method: "GET", Path: "/api/card/{id}", Need: read, Query: cardFormQuery{}, Answer: cardWire{},
			Summary: "Get a question", handle: (*API).getCard},
		{Method: "PUT", Path: "/api/card/{id}", Need: curate, Body: cardUpdateWire{}, Answer: cardWire{},
			Summary: "Change, move, archive or restore a question", handle: (*API).updateCard},
		{Method: "DELETE", Path: "/api/card/{id}", Need: curate,
			Summary: "Delete a question for good", handle: (*API).deleteCard},
		{Method: "POST", Path: "/api/card/{id}/copy", Need: read, Answer: cardWire{},
			Summary: "Save a question again beside itself", handle: (*API).copyCard},
		{Method: "GET", Path: "/api/card/{id}/dashboards", Need: read, Answer: []namedWire{},
			Summary: "List the dashboards that show a question", handle: (*API).cardDashboards},
		{Method: "GET", Path: "/api/card/{id}/query_metadata", Need: read, Answer: queryMetadataWire{},
			Summary: "Describe the tables of a question that one may see", handle: (*API).cardMetadata},
		{Method: "POST", Path: "/api/card/{id}/query", Reads: true, Need: read, Body: cardRunWire{}, Answer: resultWire{}, Status: 202,
			Summary: "Run a question", handle: (*API).runCard},
		{Method: "POST", Path: "/api/card/{id}/query/{format:text}", Reads: true, Need: read, Form: true, Body: cardRunWire{}, Answer: Array{},
			Summary: "Export the result of a question", handle: (*API).exportCard},
	}
}

// cardNeed is the right on the collection of the card that {id} names. The
// card is left in r.object.
func cardNeed(right permission.Right) Need {
	return object(right.String(), func(a *API, r *request) error {
		c, err := a.store.Card(r.ctx(), r.id("id"))
		if err != nil {
			return err
		}
		r.object = c
		return r.access.Check(right, permission.ACollection(c.Collection))
	})
}

// The types of cards.
const (
	question = "question"
	model    = "model"
	metric   = "metric"
)

func cardType(c store.Card) string {
	if c.Type == "" {
		return question
	}
	return c.Type
}

// cardModel is the word for a card's type in lists of unlike things.
func cardModel(c store.Card) string {
	switch c.Type {
	case model:
		return "dataset"
	case metric:
		return "metric"
	}
	return "card"
}

type cardListQuery struct {
	Filter  string `query:"f" enum:"all,mine,bookmarked,archived,database,table,using_model,using_metric,using_segment"`
	ModelID *ID    `query:"model_id"`
}

func (a *API) listCards(r *request) (any, error) {
	q := queryOf[cardListQuery](r)
	which, right := store.CardQuery{}, permission.ReadCollection
	switch q.Filter {
	case "mine":
		which.Creator = r.access.User()
	case "bookmarked":
		marked, err := a.bookmarks(r)
		if err != nil {
			return nil, err
		}
		which.IDs = []int64{}
		for item := range marked {
			if item.Kind == store.OfCard {
				which.IDs = append(which.IDs, item.ID)
			}
		}
	case "archived":
		which.Archived, right = store.OnlyArchived, permission.CurateCollection
	case "database", "table", "using_model", "using_metric", "using_segment":
		if q.ModelID == nil {
			return nil, wrongField("model_id", "model_id is a required parameter when filter mode is '"+q.Filter+"'")
		}
		if q.Filter == "database" {
			which.Database = new(catalog.DatabaseID(*q.ModelID))
		} else if q.Filter == "table" {
			which.Table = new(catalog.TableID(*q.ModelID))
		}
	}
	if q.Filter == "using_segment" {
		return []cardWire{}, nil // there are none
	}
	all, err := a.store.Cards(r.ctx(), which)
	if err != nil {
		return nil, err
	}
	cards := slices.DeleteFunc(all, func(c store.Card) bool {
		return !r.access.Can(right, permission.ACollection(c.Collection))
	})
	if q.Filter == "table" { // what lies below a saved question is told to who may be shown it
		cards = slices.DeleteFunc(cards, func(c store.Card) bool { return !a.door.Shows(r.ctx(), r.access.User(), c) })
	}
	if q.Filter == "using_model" || q.Filter == "using_metric" {
		cards = slices.DeleteFunc(cards, func(c store.Card) bool {
			return !slices.Contains(a.door.Reach(r.ctx(), r.access.User(), c).Cards, int64(*q.ModelID))
		})
	}
	return a.cardsWire(r, cards)
}

type cardFormQuery struct {
	// Plain asks for a question that has stages in the form without.
	Plain bool `query:"legacy-mbql"`
}

func (a *API) getCard(r *request) (any, error) {
	c := r.object.(store.Card)
	a.opened(r, store.OfCard, c.ID)
	w, err := a.cardWire(r, c)
	if queryOf[cardFormQuery](r).Plain {
		w.DatasetQuery = plainForm(w.DatasetQuery)
	}
	return w, err
}

// plainForm writes a question that has stages without them; every other one is
// as it was sent.
func plainForm(sent json.RawMessage) json.RawMessage {
	var form struct {
		Stages json.RawMessage `json:"stages"`
	}
	if json.Unmarshal(sent, &form) != nil || form.Stages == nil {
		return sent
	}
	q, err := query.Parse(sent)
	if err != nil {
		return sent
	}
	plain, err := json.Marshal(q)
	if err != nil {
		return sent
	}
	return plain
}

func (a *API) cardDashboards(r *request) (any, error) {
	c := r.object.(store.Card)
	all, err := a.store.Dashboards(r.ctx(), store.DashboardQuery{Card: &c.ID})
	if err != nil {
		return nil, err
	}
	list := []namedWire{}
	for _, d := range all {
		if r.access.Can(permission.ReadCollection, permission.ACollection(d.Collection)) {
			list = append(list, namedWire{d.ID, d.Name})
		}
	}
	return list, nil
}

// namedWire is just enough of something to name it.
type namedWire struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// queryMetadataWire is what a page needs to know of the tables behind a
// question: those that the person may see.
type queryMetadataWire struct {
	Databases  []databaseWire `json:"databases"`
	Tables     []tableWire    `json:"tables"`
	Fields     []fieldWire    `json:"fields"`
	Cards      []namedWire    `json:"cards"`
	Dashboards []namedWire    `json:"dashboards"`
	Snippets   []namedWire    `json:"snippets"`
}

func (a *API) cardMetadata(r *request) (any, error) {
	return a.metadataOf(r, []store.Card{r.object.(store.Card)})
}

// metadataOf describes what the cards read, as far as the person may see it.
func (a *API) metadataOf(r *request, cards []store.Card) (any, error) {
	w := queryMetadataWire{Databases: []databaseWire{}, Tables: []tableWire{}, Fields: []fieldWire{},
		Cards: []namedWire{}, Dashboards: []namedWire{}, Snippets: []namedWire{}}
	tables, databases := []catalog.TableID{}, []catalog.DatabaseID{}
	for _, c := range cards {
		tables = append(tables, a.door.Reach(r.ctx(), r.access.User(), c).Tables...)
		if c.Database != nil && r.access.Can(permission.SeeDatabase, permission.ADatabase(*c.Database)) {
			databases = append(databases, *c.Database)
		}
	}
	slices.Sort(tables)
	tables = slices.DeleteFunc(slices.Compact(tables), func(id catalog.TableID) bool {
		return !r.access.Can(permission.SeeTable, permission.ATable(id))
	})
	var err error
	if w.Tables, err = a.tablesWire(r, store.TableQuery{IDs: tables}, true); err != nil {
		return nil, err
	}
	slices.Sort(databases)
	for _, id := range slices.Compact(databases) {
		d, err := a.store.Database(r.ctx(), id)
		if err != nil {
			return nil, err
		}
		w.Databases = append(w.Databases, databaseOf(r.access, d))
	}
	return w, nil
}
