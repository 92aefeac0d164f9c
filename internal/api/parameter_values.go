package api

import (
	"encoding/json"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// parameterRoutes are about the values that people choose from for parameters.
func parameterRoutes() []Route {
	board, card := dashboardNeed(permission.ReadCollection), cardNeed(permission.ReadCollection)
	return []Route{
		{Method: "GET", Path: "/api/dashboard/{id}/params/{param:text}/values", Need: board, Answer: choicesWire{},
			Summary: "List the values for a parameter of a dashboard, under those that are chosen for others (?id=value)", handle: (*API).dashboardChoices},
		{Method: "GET", Path: "/api/dashboard/{id}/params/{param:text}/search/{text:text}", Need: board, Answer: choicesWire{},
			Summary: "Find values for a parameter of a dashboard by a text in them", handle: (*API).dashboardChoices},
		{Method: "GET", Path: "/api/dashboard/{id}/params/{param:text}/remapping", Need: board, Query: oneValueQuery{}, Answer: Array{},
			Summary: "Tell the words for a value for a parameter of a dashboard", handle: (*API).dashboardRemapping},
		{Method: "GET", Path: "/api/card/{id}/params/{param:text}/values", Need: card, Answer: choicesWire{},
			Summary: "List the values for a parameter of a question", handle: (*API).cardChoices},
		{Method: "GET", Path: "/api/card/{id}/params/{param:text}/search/{text:text}", Need: card, Answer: choicesWire{},
			Summary: "Find values for a parameter of a question by a text in them", handle: (*API).cardChoices},
		{Method: "GET", Path: "/api/card/{id}/params/{param:text}/remapping", Need: card, Query: oneValueQuery{}, Answer: Array{},
			Summary: "Tell the words for a value for a parameter of a question", handle: (*API).cardRemapping},
		{Method: "POST", Path: "/api/dataset/parameter/values", Reads: true, Need: person(), Body: newParameterWire{}, Answer: choicesWire{},
			Summary: "List the values for a parameter that is about to be made", handle: (*API).newParameterChoices},
		{Method: "POST", Path: "/api/dataset/parameter/search/{text:text}", Reads: true, Need: person(), Body: newParameterWire{}, Answer: choicesWire{},
			Summary: "Find values for a parameter that is about to be made by a text in them", handle: (*API).newParameterChoices},
		{Method: "POST", Path: "/api/dataset/parameter/remapping", Reads: true, Need: person(), Body: newParameterWire{}, Answer: Array{},
			Summary: "Tell the words for a value for a parameter that is about to be made", handle: (*API).newParameterRemapping},
	}
}

// choicesWire is values to choose from, each in a list of its own, with the
// words for it if it has any.
type choicesWire struct {
	Values [][]any `json:"values"`
	More   bool    `json:"has_more_values"`
}

func (a *API) choices(r *request, ask dataset.ChoiceRequest) (any, error) {
	found, err := a.door.Choices(r.ctx(), r.access.User(), ask)
	if err != nil {
		return nil, err
	}
	return choicesWire{append([][]any{}, found.Values...), found.More}, nil
}

type oneValueQuery struct {
	Value string `query:"value"`
}

// remapping is a value and the words for it, or the value alone.
func (a *API) remapping(r *request, ask dataset.ChoiceRequest) (any, error) {
	if ask.Value == "" {
		return nil, wrongField("value", "value must be a non-blank string.")
	}
	found, err := a.door.Choices(r.ctx(), r.access.User(), ask)
	switch {
	case err != nil:
		return nil, err
	case len(found.Values) > 0:
		return found.Values[0], nil
	}
	return []any{ask.Value}, nil
}

// ofDashboard asks for values of a dashboard's parameter.
func ofDashboard(r *request) dataset.ChoiceRequest {
	return dataset.ChoiceRequest{Dashboard: r.object.(store.Dashboard).ID, ID: r.text("param"), Search: r.text("text")}
}

func (a *API) dashboardChoices(r *request) (any, error) {
	ask := ofDashboard(r)
	ask.Given = r.http.URL.Query()
	return a.choices(r, ask)
}

func (a *API) dashboardRemapping(r *request) (any, error) {
	ask := ofDashboard(r)
	ask.Value = queryOf[oneValueQuery](r).Value
	return a.remapping(r, ask)
}

// ofCard asks for values of a card's parameter.
func ofCard(r *request) dataset.ChoiceRequest {
	return dataset.ChoiceRequest{Card: r.object.(store.Card).ID, ID: r.text("param"), Search: r.text("text")}
}

func (a *API) cardChoices(r *request) (any, error) { return a.choices(r, ofCard(r)) }

func (a *API) cardRemapping(r *request) (any, error) {
	ask := ofCard(r)
	ask.Value = queryOf[oneValueQuery](r).Value
	return a.remapping(r, ask)
}

type newParameterWire struct {
	Parameter Object  `json:"parameter" rule:"required"`
	FieldIDs  []ID    `json:"field_ids" rule:"max=20"`
	Value     *scalar `json:"value"`
}

// ofNew asks for values of a parameter that is not saved.
func ofNew(r *request) dataset.ChoiceRequest {
	b := bodyOf[newParameterWire](r)
	ask := dataset.ChoiceRequest{Parameter: json.RawMessage(b.Parameter), Search: r.text("text"), Value: string(orZero(b.Value))}
	for _, id := range b.FieldIDs {
		ask.Fields = append(ask.Fields, catalog.FieldID(id))
	}
	return ask
}

func (a *API) newParameterChoices(r *request) (any, error) {
	ask := ofNew(r)
	ask.Value = ""
	return a.choices(r, ask)
}

func (a *API) newParameterRemapping(r *request) (any, error) { return a.remapping(r, ofNew(r)) }
