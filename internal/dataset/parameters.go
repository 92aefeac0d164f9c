package dataset

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// A saved question takes values only for the parameters that it declares, and
// what a value is compared with is read from the declaration, never from the
// request: somebody who may see the chart could otherwise filter it by columns
// that it does not show, and so find out what is in them.

// declared is a parameter of a card or dashboard, or a value for one.
type declared struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Target  json.RawMessage `json:"target,omitempty"`
	Default json.RawMessage `json:"default,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"`
	Options json.RawMessage `json:"options,omitempty"`
	// Source is where the values come from that people choose from: "static-list",
	// "card", or empty for the fields that it is connected with.
	Source string          `json:"-"`
	Config json.RawMessage `json:"-"`
}

// mapping says what a parameter of a dashboard is compared with in a card.
type mapping struct {
	Parameter string
	Card      *int64 // nil for every card at its place
	Target    json.RawMessage
}

// goesTo tells whether it is for the card.
func (m mapping) goesTo(card int64) bool { return m.Card == nil || *m.Card == card }

// given is the list of parameters to run a saved question with.
func given(r Request, card store.Card, q *query.Query, board *store.Dashboard, place store.Dashcard) (json.RawMessage, error) {
	var sent []declared
	if err := list(r.Parameters, &sent); err != nil {
		return nil, &QueryError{InvalidParameter, "parameters: must be a list of objects with an id or a target, and a value", err}
	}
	own, err := parametersOf(card, q)
	if err != nil {
		return nil, err
	}
	var known []declared
	if board == nil {
		known = own
	} else if known, err = mapped(board, place, card.ID, own); err != nil {
		return nil, err
	}
	var all []declared
	used := map[int]bool{}
	for i, s := range sent {
		matches := match(known, s)
		if len(matches) == 0 && hasValue(s.Value) {
			return nil, &QueryError{InvalidParameter, fmt.Sprintf("parameters[%d]: there is no such parameter", i), nil}
		}
		for _, k := range matches {
			used[k] = true
			all = with(all, known[k], s.Value)
		}
	}
	for k, p := range known { // what was not sent has its default
		if !used[k] {
			all = with(all, p, p.Default)
		}
	}
	if all == nil {
		return nil, nil
	}
	return json.Marshal(all)
}

// parametersOf are the parameters that a card declares itself: those in its
// list, and the variables of its SQL.
func parametersOf(card store.Card, q *query.Query) ([]declared, error) {
	var all []declared
	if err := list(card.Parameters, &all); err != nil {
		return nil, unreadable("the parameters of card %d", card.ID, err)
	}
	for _, v := range q.Variables() {
		target, err := v.Target()
		if err != nil {
			return nil, err
		}
		if match(all, declared{ID: v.ID, Target: target}) == nil {
			all = append(all, declared{ID: v.ID, Target: target})
		}
	}
	return all, nil
}

// mapped are the parameters of a dashboard as they meet one card on it. One
// that is not mapped to the card has no target, and its value does nothing.
func mapped(board *store.Dashboard, place store.Dashcard, card int64, own []declared) ([]declared, error) {
	var parameters []declared
	if err := list(board.Parameters, &parameters); err != nil {
		return nil, unreadable("the parameters of dashboard %d", board.ID, err)
	}
	var mappings []mapping
	if err := list(place.ParameterMappings, &mappings); err != nil {
		return nil, unreadable("the parameter mappings of dashcard %d", place.ID, err)
	}
	var all []declared
	for _, p := range parameters {
		p.Target = nil
		used := false
		for _, m := range mappings {
			if m.Parameter != p.ID || !m.goesTo(card) || len(m.Target) == 0 {
				continue
			}
			p.Target, used = m.Target, true
			all = append(all, p)
		}
		if !used {
			all = append(all, p)
		}
	}
	// What the card needs for itself keeps its default.
	for _, p := range own {
		if match(all, declared{Target: p.Target}) == nil {
			all = append(all, p)
		}
	}
	return all, nil
}

// match finds the parameters that a value is for: those with its id, or if
// there are none, those with its target.
func match(known []declared, sent declared) (matches []int) {
	for i, k := range known {
		if sent.ID != "" && sent.ID == k.ID {
			matches = append(matches, i)
		}
	}
	if matches != nil {
		return matches
	}
	target := query.ParseTarget(sent.Target)
	for i, k := range known {
		if !target.IsZero() && target == query.ParseTarget(k.Target) {
			matches = append(matches, i)
		}
	}
	return matches
}

// with adds a parameter with a value, if it has one and meets anything.
func with(all []declared, p declared, value json.RawMessage) []declared {
	if len(p.Target) == 0 || !hasValue(value) {
		return all
	}
	return append(all, declared{ID: p.ID, Type: p.Type, Target: p.Target, Options: p.Options, Value: value})
}

func hasValue(v json.RawMessage) bool {
	switch string(bytes.TrimSpace(v)) {
	case "", "null", "[]", `""`:
		return false
	}
	return true
}

// list reads a JSON list; nothing and null are the empty one.
func list[T any](data json.RawMessage, into *[]T) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	return json.Unmarshal(data, into)
}
