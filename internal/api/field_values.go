package api

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// fieldValueRoutes are about the values of fields, and what is shown in place
// of them. No list of values is kept: each is a question of whoever asks.
func fieldValueRoutes() []Route {
	see, describe := fieldNeed(permission.SeeTable), fieldNeed(permission.DescribeTable)
	return []Route{
		{Method: "GET", Path: "/api/field/{id}/values", Need: see, Answer: fieldValuesWire{},
			Summary: "List the values of a field that one may see", handle: (*API).fieldValues},
		{Method: "POST", Path: "/api/field/{id}/values", Need: describe, Body: labelsWire{}, Answer: statusWire{},
			Summary: "Give values of a field words that are shown in their place", handle: (*API).labelField},
		{Method: "GET", Path: "/api/field/{id}/search/{search_id}", Need: see, Query: fieldSearchQuery{}, Answer: Array{},
			Summary: "Find values of a field by a text in the field beside it", handle: (*API).searchField},
		{Method: "GET", Path: "/api/field/{id}/remapping/{remapped_id}", Need: see, Query: fieldSearchQuery{}, Answer: Array{},
			Summary: "Tell the value of a field beside one of another", handle: (*API).remapField},
		{Method: "GET", Path: "/api/field/{id}/summary", Need: see, Answer: Array{},
			Summary: "Count the rows and the distinct values of a field that one may see", handle: (*API).summarizeField},
		{Method: "POST", Path: "/api/field/{id}/dimension", Need: describe, Body: newDimensionWire{}, Answer: dimensionWire{},
			Summary: "Show something else in place of a field's values", handle: (*API).setDimension},
		{Method: "DELETE", Path: "/api/field/{id}/dimension", Need: describe,
			Summary: "Show a field's values as they are", handle: (*API).deleteDimension},
		{Method: "POST", Path: "/api/field/{id}/rescan_values", Need: describe, Answer: statusWire{},
			Summary: "Read the values of a field again; they are always read afresh", handle: (*API).valuesAreOfNow},
		{Method: "POST", Path: "/api/field/{id}/discard_values", Need: describe, Answer: statusWire{},
			Summary: "Forget the values of a field; none are kept", handle: (*API).valuesAreOfNow},
	}
}

// valuesAreOfNow has nothing to do: the values of fields are read for each person
// who asks for them, and not kept.
func (a *API) valuesAreOfNow(*request) (any, error) { return statusWire{"success"}, nil }

// fieldValuesWire is the values of a field, each in a list of its own, with the
// words for it if it has any.
type fieldValuesWire struct {
	FieldID catalog.FieldID `json:"field_id"`
	Values  [][]any         `json:"values"`
	More    bool            `json:"has_more_values"`
}

func (a *API) fieldValues(r *request) (any, error) {
	id := catalog.FieldID(r.id("id"))
	found, err := a.door.FieldValues(r.ctx(), r.access.User(), id)
	if err != nil {
		return nil, err
	}
	return fieldValuesWire{FieldID: id, Values: append([][]any{}, found.Values...), More: found.More}, nil
}

type labelsWire struct {
	Values Array `json:"values" rule:"required"`
}

func (a *API) labelField(r *request) (any, error) {
	var pairs [][]any
	raw := json.RawMessage(bodyOf[labelsWire](r).Values)
	wrong := wrongField("values", "value must be a list of pairs of a value and a text, at most 262144 bytes long.")
	if err := json.Unmarshal(raw, &pairs); err != nil || len(raw) > 256<<10 {
		return nil, wrong
	}
	for _, p := range pairs {
		if len(p) == 0 || len(p) > 2 {
			return nil, wrong
		}
		if len(p) == 2 {
			if _, text := p[1].(string); !text && p[1] != nil {
				return nil, wrong
			}
		}
	}
	if err := a.store.SetLabels(r.ctx(), catalog.FieldID(r.id("id")), raw); err != nil {
		return nil, err
	}
	return statusWire{"success"}, nil
}

type fieldSearchQuery struct {
	Value string `query:"value"`
	Limit int    `query:"limit"`
}

func (a *API) searchField(r *request) (any, error) {
	q := queryOf[fieldSearchQuery](r)
	found, err := a.door.SearchField(r.ctx(), r.access.User(), dataset.FieldSearch{Field: catalog.FieldID(r.id("id")),
		Other: catalog.FieldID(r.id("search_id")), Search: q.Value})
	if err != nil {
		return nil, err
	}
	if q.Limit > 0 && q.Limit < len(found.Values) {
		found.Values = found.Values[:q.Limit]
	}
	return append([][]any{}, found.Values...), nil
}

func (a *API) remapField(r *request) (any, error) {
	q := queryOf[fieldSearchQuery](r)
	if q.Value == "" {
		return nil, wrongField("value", "value must be a non-blank string.")
	}
	found, err := a.door.SearchField(r.ctx(), r.access.User(), dataset.FieldSearch{Field: catalog.FieldID(r.id("id")),
		Other: catalog.FieldID(r.id("remapped_id")), Value: q.Value})
	if err != nil || len(found.Values) == 0 {
		return noContent(), err
	}
	return found.Values[0], nil
}

func (a *API) summarizeField(r *request) (any, error) {
	counts, err := a.door.FieldCounts(r.ctx(), r.access.User(), catalog.FieldID(r.id("id")))
	if err != nil {
		return nil, err
	}
	return [][]any{{"count", counts[0]}, {"distincts", counts[1]}}, nil
}

// dimensionWire is what is shown in place of a field's values.
type dimensionWire struct {
	ID        int64            `json:"id"`
	FieldID   catalog.FieldID  `json:"field_id"`
	Type      string           `json:"type"` // "external" or "internal"
	Name      string           `json:"name"`
	TargetID  *catalog.FieldID `json:"human_readable_field_id"`
	EntityID  string           `json:"entity_id"`
	CreatedAt time.Time        `json:"created_at"`
	UpdatedAt time.Time        `json:"updated_at"`
}

func dimensionOf(d store.Dimension) dimensionWire {
	w := dimensionWire{ID: d.ID, FieldID: d.Field, Type: d.Type, Name: d.Name, EntityID: d.EntityID, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt}
	if d.Target != 0 {
		w.TargetID = &d.Target
	}
	return w
}

// addDimensions puts their dimensions into fields that the person may see: not
// one that shows a field which they may not see.
func (a *API) addDimensions(r *request, fields []*fieldWire) error {
	by, ids := map[catalog.FieldID]*fieldWire{}, []catalog.FieldID{}
	for _, f := range fields {
		by[f.ID], ids = f, append(ids, f.ID)
	}
	all, err := a.store.Dimensions(r.ctx(), ids)
	for _, d := range all {
		if d.Target != 0 {
			to := r.access.Graph().Catalog().Field(d.Target)
			if !r.access.SeesField(to) {
				continue
			}
		}
		by[d.Field].Dimensions = append(by[d.Field].Dimensions, dimensionOf(d))
	}
	return err
}

type newDimensionWire struct {
	Type     string  `json:"type" rule:"required"`
	Name     string  `json:"name" rule:"nonblank,max=254"`
	TargetID Opt[ID] `json:"human_readable_field_id"`
}

func (a *API) setDimension(r *request) (any, error) {
	b := bodyOf[newDimensionWire](r)
	if err := oneWord("type", &b.Type, store.External, store.Internal); err != nil {
		return nil, err
	}
	d := store.Dimension{Field: catalog.FieldID(r.id("id")), Type: b.Type, Name: b.Name}
	if v, given := b.TargetID.Get(); given && b.Type == store.External {
		to := r.access.Graph().Catalog().Field(catalog.FieldID(v))
		if !r.access.SeesField(to) {
			return nil, r.missing("human_readable_field_id", "field", int64(v))
		}
		// Its values are shown to whoever reads what is saved: it takes the
		// right to ask for them.
		if err := r.access.Check(permission.QueryTable, permission.ATable(to.Table)); err != nil {
			return nil, err
		}
		key := r.access.Graph().Catalog().Field(d.Field)
		if target := r.access.Graph().Catalog().Field(key.Target); target == nil || target.Table != to.Table {
			return nil, wrongField("human_readable_field_id", fmt.Sprintf("value must be a field of the table that field %d points to.", d.Field))
		}
		d.Target = to.ID
	}
	made, err := a.store.SetDimension(r.ctx(), d)
	if err != nil {
		return nil, err
	}
	return dimensionOf(made), nil
}

func (a *API) deleteDimension(r *request) (any, error) {
	return noContent(), a.store.DeleteDimension(r.ctx(), catalog.FieldID(r.id("id")))
}
