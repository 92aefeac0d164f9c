package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"

	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// errUnsavable is the refusal to save a question that the person may not ask,
// in the words that clients know (reference 1.6).
var errUnsavable = plain{http.StatusForbidden, "You cannot save this Question because you do not have permissions to run its query."}

type newCardWire struct {
	Name                  string      `json:"name" rule:"required,nonblank,max=254"`
	DatasetQuery          Object      `json:"dataset_query" rule:"required,max=262144"`
	Display               string      `json:"display" rule:"required,nonblank,max=254"`
	VisualizationSettings Object      `json:"visualization_settings" rule:"required,max=262144"`
	Description           *string     `json:"description" rule:"max=65536"`
	Type                  *string     `json:"type"`
	QueryType             Opt[string] `json:"query_type"`
	Parameters            Opt[Array]  `json:"parameters" rule:"max=262144,parameters"`
	ParameterMappings     Opt[Array]  `json:"parameter_mappings" rule:"max=262144,mappings"`
	CollectionID          *ID         `json:"collection_id" rule:"positive"`
	CollectionPosition    *int        `json:"collection_position" rule:"positive"`
	CacheTTL              *int        `json:"cache_ttl" rule:"positive"`
	DashboardID           *ID         `json:"dashboard_id"`
}

func (a *API) createCard(r *request) (any, error) {
	b := bodyOf[newCardWire](r)
	c := store.Card{Name: b.Name, Description: b.Description, Display: b.Display, DatasetQuery: json.RawMessage(b.DatasetQuery),
		VisualizationSettings: json.RawMessage(b.VisualizationSettings), Parameters: sent(b.Parameters), ParameterMappings: sent(b.ParameterMappings),
		Type: orZero(b.Type), CollectionPosition: b.CollectionPosition, CacheTTL: b.CacheTTL}
	if b.CollectionID != nil {
		c.Collection = permission.CollectionID(*b.CollectionID)
	}
	if b.DashboardID != nil {
		return nil, wrongField("dashboard_id", "Questions that live inside a dashboard are not supported. Save it in a collection and add it to the dashboard.")
	}
	if err := fitsType(c.Type, c.DatasetQuery); err != nil {
		return nil, err
	}
	if err := a.maySaveAnew(r, &c); err != nil {
		return nil, err
	}
	if b.QueryType.Set {
		c.QueryType = b.QueryType.Ptr()
	}
	if err := a.mayPutInto(r, "collection_id", c.Collection); err != nil {
		return nil, err
	}
	c, err := a.store.CreateCard(r.ctx(), r.actor(), c)
	if err != nil {
		return nil, err
	}
	return a.cardWire(r, c)
}

// sent is a JSON value as it came: nil when it did not, null when it was null.
func sent(o Opt[Array]) json.RawMessage {
	if o.Null {
		return json.RawMessage("null")
	}
	return json.RawMessage(o.Value)
}

// fitsType refuses types that there are none of, and those that the question
// cannot have. What is no question at all is refused when it is tried.
func fitsType(t string, asked json.RawMessage) error {
	if t != "" && t != question && t != model && t != metric {
		return wrongField("type", "value must be one of question, model, metric.")
	}
	q, err := query.Parse(asked)
	if err != nil {
		return nil //nolint:nilerr // it is refused when it is tried, in words of its own
	}
	switch {
	case t == model && len(q.Variables()) > 0:
		return wrongField("type", "A model cannot have variables: the SQL has some.")
	case t == metric && q.Aggregations() != 1:
		return wrongField("type", "A metric is a question of the query builder with exactly one aggregation.")
	}
	return nil
}

// maySave tells whether the person may ask the card's question ad hoc, and
// fills in what the question says about the card. It may take as long as a
// question, and what the person may do is looked up again after it.
func (a *API) maySave(r *request, c *store.Card) error {
	found, err := a.door.CheckSave(r.ctx(), r.access.User(), c.DatasetQuery)
	if err := a.lookAgain(r); err != nil {
		return err
	}
	var wrong *dataset.QueryError
	var denied *permission.DeniedError
	switch {
	case errors.As(err, &wrong) && wrong.Type != dataset.MissingPermissions:
		return message{http.StatusBadRequest, wrong.Message}
	case errors.As(err, &denied), errors.As(err, &wrong), errors.Is(err, dataset.ErrNotFound):
		if !r.administers() {
			return errUnsavable
		}
		// Who lacks no right is told what is not there.
		why := err.Error()
		if wrong != nil {
			why = wrong.Message
		}
		return message{http.StatusBadRequest, "The query cannot run: " + why}
	case err != nil:
		return err
	}
	c.Database, c.Table, c.QueryType, c.ResultMetadata, c.Snippets = nil, nil, nil, nil, found.Snippets
	if found.Database != 0 {
		c.Database = &found.Database
	}
	if found.Table != 0 {
		c.Table = &found.Table
	}
	if found.QueryType != "" {
		c.QueryType = &found.QueryType
	}
	if found.Columns != nil {
		c.ResultMetadata, err = json.Marshal(found.Columns)
	}
	return err
}

// maySaveAnew is maySave for a card that is not there yet, and tells whether the
// person may give it its parameters.
func (a *API) maySaveAnew(r *request, c *store.Card) error {
	if err := a.maySave(r, c); err != nil {
		return err
	}
	return a.mayParametrise(r, nil, *c)
}

type cardUpdateWire struct {
	Name                  Opt[string] `json:"name" rule:"nonblank,max=254"`
	DatasetQuery          Opt[Object] `json:"dataset_query" rule:"max=262144"`
	Display               Opt[string] `json:"display" rule:"nonblank,max=254"`
	VisualizationSettings Opt[Object] `json:"visualization_settings" rule:"max=262144"`
	Description           Opt[string] `json:"description" rule:"max=65536"`
	Type                  Opt[string] `json:"type"`
	QueryType             Opt[string] `json:"query_type"`
	Parameters            Opt[Array]  `json:"parameters" rule:"max=262144,parameters"`
	ParameterMappings     Opt[Array]  `json:"parameter_mappings" rule:"max=262144,mappings"`
	CollectionID          Opt[ID]     `json:"collection_id" rule:"positive"`
	CollectionPosition    Opt[int]    `json:"collection_position" rule:"positive"`
	CacheTTL              Opt[int]    `json:"cache_ttl" rule:"positive"`
	Archived              Opt[bool]   `json:"archived"`
}

// updateCard changes what was given; null erases what may be absent, and is
// ignored elsewhere.
func (a *API) updateCard(r *request) (any, error) {
	was, b := r.object.(store.Card), bodyOf[cardUpdateWire](r)
	u := store.CardUpdate{Name: b.Name.Ptr(), Display: b.Display.Ptr(), Type: b.Type.Ptr(), Description: b.Description.Change(),
		QueryType: b.QueryType.Change(), VisualizationSettings: json.RawMessage(b.VisualizationSettings.Value), Parameters: sent(b.Parameters),
		ParameterMappings: sent(b.ParameterMappings), CollectionPosition: b.CollectionPosition.Change(), CacheTTL: b.CacheTTL.Change()}
	if err := a.mayRewrite(r, was, json.RawMessage(b.DatasetQuery.Value), &u); err != nil {
		return nil, err
	}
	var err error
	if u.Archived, u.Collection, err = a.replace(r, placed{was.Archived, was.Collection}, b.Archived, b.CollectionID); err != nil {
		return nil, err
	}
	c, err := a.rewriteCard(r, was, u)
	if err != nil {
		return nil, err
	}
	return a.cardWire(r, c)
}

// mayRewrite tells whether the person, who curates the card, may make it ask the
// question, with the parameters that it then has; the question goes into the
// update. nil is the question that it asks already.
func (a *API) mayRewrite(r *request, was store.Card, question json.RawMessage, u *store.CardUpdate) error {
	next, had := was, was.Parameters
	if u.Type != nil {
		next.Type = *u.Type
	}
	if asked := cmp.Or(string(question), string(was.DatasetQuery)); next.Type != was.Type || asked != string(was.DatasetQuery) {
		if err := fitsType(next.Type, json.RawMessage(asked)); err != nil {
			return err
		}
	}
	// The same question in other bytes keeps the bytes that were checked.
	if len(question) > 0 && !sameJSON(was.DatasetQuery, question) {
		next.DatasetQuery = question
		if err := a.maySave(r, &next); err != nil {
			return err
		}
		if err := r.access.Check(permission.CurateCollection, permission.ACollection(was.Collection)); err != nil {
			return err
		}
		u.Question = &store.CardQuestion{DatasetQuery: next.DatasetQuery, ResultMetadata: next.ResultMetadata,
			QueryType: next.QueryType, Database: next.Database, Table: next.Table, Snippets: next.Snippets}
		had = nil // they were allowed on what it asked before
	}
	if u.Parameters != nil {
		next.Parameters = u.Parameters
	}
	return a.mayParametrise(r, had, next)
}

// placed is where a card or dashboard is.
type placed struct {
	archived   bool
	collection permission.CollectionID
}

// replace says what an update changes of where a card or dashboard is, if the
// person, who curates where it is, may put it there (reference 2.3). In the
// body a collection that is null is the root.
func (a *API) replace(r *request, at placed, archived Opt[bool], collection Opt[ID]) (*bool, *permission.CollectionID, error) {
	to := at
	if v, given := archived.Get(); given {
		to.archived = v
	}
	if collection.Set {
		to.collection = permission.CollectionID(collection.Value)
	}
	restored := at.archived && !to.archived
	if to.collection != at.collection || restored {
		if err := a.mayPutInto(r, "collection_id", to.collection); err != nil {
			return nil, nil, err
		}
	}
	return &to.archived, &to.collection, nil
}

// sameJSON tells whether two texts are the same JSON value.
func sameJSON(x, y json.RawMessage) bool {
	if bytes.Equal(x, y) {
		return true
	}
	read := func(raw json.RawMessage) (any, error) {
		var v any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		err := d.Decode(&v)
		return v, err
	}
	a, errA := read(x)
	b, errB := read(y)
	return errA == nil && errB == nil && reflect.DeepEqual(a, b)
}

func (a *API) deleteCard(r *request) (any, error) {
	if err := a.mayChangeStandIn(r, r.object.(store.Card).ID); err != nil {
		return nil, err
	}
	return noContent(), a.store.DeleteCard(r.ctx(), r.actor(), r.object.(store.Card))
}

func (a *API) copyCard(r *request) (any, error) {
	c := copyOf(r.object.(store.Card))
	if err := a.maySaveAnew(r, &c); err != nil {
		return nil, err
	}
	if err := a.mayPutInto(r, "collection_id", c.Collection); err != nil {
		return nil, err
	}
	c, err := a.store.CreateCard(r.ctx(), r.actor(), c)
	if err != nil {
		return nil, err
	}
	return a.cardWire(r, c)
}

// copyOf is a new card like another one, not saved yet.
func copyOf(c store.Card) store.Card {
	return store.Card{Name: "Copy of " + c.Name, Description: c.Description, Display: c.Display, DatasetQuery: c.DatasetQuery,
		VisualizationSettings: c.VisualizationSettings, Parameters: c.Parameters, ParameterMappings: c.ParameterMappings,
		Type: c.Type, Collection: c.Collection, CacheTTL: c.CacheTTL}
}
