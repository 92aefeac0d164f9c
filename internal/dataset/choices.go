package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// The values that people choose from for a parameter are rows like any others:
// they are asked for by questions that the server writes and that [Door.Run]
// puts. Who may query the table of the column asks that table, as a question of
// their own. Who may not is shown values of a saved question alone: those in its
// own rows, or the column of one that the parameter names for it.
//
// What a question reads that runs as a saved one was authorised, with QueryTable
// or QueryNatively, by whoever wrote it: [Door.CheckSave] asks for the question,
// [Door.CanFilter] for each column that a parameter compares. So nothing that
// nobody was asked for - of a request, of the words for values, of a variable
// that stands nowhere - may get into a question that runs so: ShowTable holds
// on every table where nothing is written.

// ChoiceRequest asks for values to choose from: for the parameter ID of a
// Dashboard or Card, or for a Parameter that the person is about to make and to
// connect with Fields, which they must be able to query.
type ChoiceRequest struct {
	Dashboard, Card int64
	ID              string
	Parameter       json.RawMessage
	Fields          []catalog.FieldID

	Given  map[string][]string // what is chosen for other parameters of the dashboard
	Search string              // only values that contain it
	Value  string              // only this one
}

// Choices are values to choose from. Each is a list of a value and, if it has
// one, the words for it.
type Choices struct {
	Values [][]any
	More   bool // there are more than a thousand
}

// choice is one of the questions that a ChoiceRequest comes to.
type choice struct {
	ChoiceRequest
	number int
}

// Choices tells the values to choose from for a parameter. Errors as Run, and a
// *[QueryError] of type InvalidParameter for one that is not there. What the
// person may not see - a locked card, a hidden table - is no source of values.
func (d *Door) Choices(ctx context.Context, who permission.UserID, r ChoiceRequest) (c Choices, err error) {
	s, err := d.choices(ctx, d.store.Graph().AccessOf(who), r)
	if err != nil {
		return c, err
	}
	for _, v := range s.fixed {
		if r.takes(v) {
			c.Values = append(c.Values, v)
		}
	}
	seen := map[string]bool{}
	for n, q := range s.questions {
		var out valueSink
		ask := Request{choice: &choice{r, n}, Context: "parameter-values", MaxRows: maxFieldValues}
		sum, err := d.Run(ctx, who, ask, &out)
		var wrong *QueryError
		switch {
		case q.rows && errors.As(err, &wrong) && wrong.Type == InvalidQuery:
			continue // the saved question does not read the column
		case err != nil:
			return c, err
		}
		for _, row := range out.values {
			key := fmt.Sprintf("%T %v", row[0], row[0])
			if seen[key] {
				continue
			}
			seen[key] = true
			c.Values = append(c.Values, labelled(row, q.words))
		}
		c.More = c.More || sum.Truncated
	}
	if len(c.Values) > maxFieldValues {
		c.Values, c.More = c.Values[:maxFieldValues], true
	}
	return c, nil
}

// takes tells whether a value of a list is one that is asked for.
func (r *ChoiceRequest) takes(v []any) bool {
	if r.Value != "" && fmt.Sprint(v[0]) != r.Value {
		return false
	}
	return slices.ContainsFunc(v, func(part any) bool {
		return strings.Contains(strings.ToLower(fmt.Sprint(part)), strings.ToLower(r.Search))
	})
}

// findChoice is one question of a ChoiceRequest, found anew: the person must be
// able to reach everything that it comes from now.
func (d *Door) findChoice(ctx context.Context, access permission.Access, c *choice) (q question, err error) {
	s, err := d.choices(ctx, access, c.ChoiceRequest)
	if err != nil {
		return q, err
	}
	if c.Dashboard != 0 {
		q.dashboard = &c.Dashboard
	}
	if c.number >= len(s.questions) {
		return q, fmt.Errorf("a source of the parameter: %w", ErrNotFound)
	}
	q.json, q.saved = s.questions[c.number].json, s.questions[c.number].saved
	if q, err = parse(q); err == nil && q.database == 0 {
		q.database = d.below(ctx, access, q.query)
	}
	return q, err
}

// sources are where the values of a parameter come from.
type sources struct {
	fixed     [][]any
	questions []source
}

// source is a question for values.
type source struct {
	json  json.RawMessage
	words map[string]any // for the values; nil for none
	saved bool           // it runs as the saved thing that it is part of
	rows  bool           // of a saved question, which may not read the column
}

// choices finds where the values that are asked for come from, as far as the
// person may see it.
func (d *Door) choices(ctx context.Context, access permission.Access, r ChoiceRequest) (s sources, err error) {
	w := choosing{access: access, ChoiceRequest: r}
	var p declared
	switch {
	case r.Dashboard != 0:
		p, err = d.choiceOfDashboard(ctx, &w)
	case r.Card != 0:
		p, err = d.choiceOfCard(ctx, &w)
	default:
		if err = json.Unmarshal(r.Parameter, &p); err != nil {
			err = &QueryError{InvalidParameter, "parameter: must be an object", err}
		}
		for _, id := range r.Fields {
			w.connect(id, 0)
		}
	}
	if err != nil {
		return s, err
	}
	switch p.Source {
	case "":
		var more []source
		if s.questions, err = d.connected(ctx, &w); err == nil {
			more, err = d.inPlaces(ctx, &w)
		}
		s.questions = append(s.questions, more...)
	case "static-list":
		s.fixed, err = fixed(p)
	case "card":
		var q json.RawMessage
		q, err = w.ofCard(p)
		s.questions = []source{{json: q, saved: r.Dashboard != 0 || r.Card != 0}}
	default:
		err = &QueryError{InvalidParameter, fmt.Sprintf("the parameter takes its values from %q; it is to be \"static-list\", \"card\" or null", p.Source), nil}
	}
	return s, err
}

// choiceOfDashboard finds the parameter on its dashboard, and the fields that
// it and what is chosen for others are connected with, on cards that the person
// may read.
func (d *Door) choiceOfDashboard(ctx context.Context, w *choosing) (p declared, err error) {
	board, err := d.dashboard(ctx, w.access, w.Dashboard)
	if err != nil {
		return p, err
	}
	var all []declared
	if err := list(board.Parameters, &all); err != nil {
		return p, unreadable("the parameters of dashboard %d", board.ID, err)
	}
	if p, err = byID(all, w.ID); err != nil {
		return p, err
	}
	ids := []int64{}
	for _, place := range board.Dashcards {
		if place.Card != nil {
			ids = append(ids, append(place.Series, *place.Card)...)
		}
	}
	stored, err := d.store.Cards(ctx, store.CardQuery{IDs: ids, Archived: store.WithArchived})
	if err != nil {
		return p, err
	}
	readable := map[int64]*query.Query{}
	for _, c := range stored {
		if q, err := query.Parse(c.DatasetQuery); err == nil && w.access.Can(permission.ReadCollection, permission.ACollection(c.Collection)) {
			readable[c.ID] = q
		}
	}
	for _, place := range board.Dashcards {
		if place.Card == nil {
			continue
		}
		var mappings []mapping
		if err := list(place.ParameterMappings, &mappings); err != nil {
			return p, unreadable("the parameter mappings of dashcard %d", place.ID, err)
		}
		for _, id := range append([]int64{*place.Card}, place.Series...) {
			if q := readable[id]; q != nil {
				w.on(q, all, slices.DeleteFunc(slices.Clone(mappings), func(m mapping) bool { return !m.goesTo(id) }))
			}
		}
	}
	return p, nil
}

// choiceOfCard finds the parameter of a card, and the field that it filters by.
func (d *Door) choiceOfCard(ctx context.Context, w *choosing) (p declared, err error) {
	card, err := d.card(ctx, w.access, w.Card)
	if err != nil {
		return p, err
	}
	q, err := query.Parse(card.DatasetQuery)
	if err != nil {
		return p, err
	}
	all, err := parametersOf(card, q)
	if err != nil {
		return p, err
	}
	if p, err = byID(all, w.ID); err == nil {
		w.meets(q, p.Target, nil)
	}
	return p, err
}

func byID(all []declared, id string) (declared, error) {
	i := slices.IndexFunc(all, func(p declared) bool { return p.ID == id })
	if i < 0 || id == "" {
		return declared{}, &QueryError{InvalidParameter, "there is no such parameter", nil}
	}
	return all[i], nil
}

// fixed are the values that a parameter lists itself.
func fixed(p declared) (values [][]any, err error) {
	var config struct {
		Values []any `json:"values"`
	}
	if err := json.Unmarshal(p.Config, &config); len(p.Config) > 0 && err != nil {
		return nil, &QueryError{InvalidParameter, "values_source_config: must have a list of values", err}
	}
	for _, v := range config.Values {
		switch v := v.(type) {
		case nil:
		case []any:
			if len(v) > 0 {
				values = append(values, v)
			}
		default:
			values = append(values, []any{v})
		}
	}
	return values, nil
}
