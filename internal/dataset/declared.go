package dataset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/sluice-bi/sluice/internal/query"
)

// Filter is a way in which people can filter a saved question: what a value is
// compared with, and how. Filters can be compared.
type Filter struct {
	Target        query.Target
	Type, Options string
}

// Filters are those that the parameters of a card offer. Parameters that
// cannot be read offer none: running the card is refused.
func Filters(parameters json.RawMessage) map[Filter]bool {
	var all []declared
	if list(parameters, &all) != nil {
		return nil
	}
	filters := map[Filter]bool{}
	for _, p := range all {
		filters[p.filter(p.Target)] = true
	}
	return filters
}

// FiltersAt are those that the parameters of a dashboard offer for a card at a
// place with these mappings. A mapping of a parameter that is not there counts
// as one of no type. What cannot be read offers none, as with Filters.
func FiltersAt(parameters, mappings json.RawMessage, card int64) map[Filter]bool {
	var all []declared
	var goes []mapping
	if list(parameters, &all) != nil || list(mappings, &goes) != nil {
		return nil
	}
	filters := map[Filter]bool{}
	for _, m := range goes {
		if !m.goesTo(card) {
			continue
		}
		found := false
		for _, p := range all {
			if p.ID == m.Parameter {
				found, filters[p.filter(m.Target)] = true, true
			}
		}
		if !found {
			filters[declared{}.filter(m.Target)] = true
		}
	}
	return filters
}

func (p declared) filter(target json.RawMessage) Filter {
	var options bytes.Buffer
	if json.Compact(&options, p.Options) != nil || options.String() == "null" {
		options.Reset()
	}
	return Filter{query.ParseTarget(target), p.Type, options.String()}
}

// UnmarshalJSON reads exactly the keys that there are: what a right was asked
// for must not be another key than what is run.
func (p *declared) UnmarshalJSON(data []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	*p = declared{Target: m["target"], Default: m["default"], Value: m["value"], Options: m["options"], Config: m["values_source_config"]}
	for key, into := range map[string]*string{"id": &p.ID, "values_source_type": &p.Source} {
		if err := word(m, key, into); err != nil {
			return err
		}
	}
	return word(m, "type", &p.Type)
}

// UnmarshalJSON reads exactly the keys that there are; an id may be a decimal
// string.
func (m *mapping) UnmarshalJSON(data []byte) error {
	var has map[string]json.RawMessage
	if err := json.Unmarshal(data, &has); err != nil {
		return err
	}
	*m = mapping{Target: has["target"]}
	if err := word(has, "parameter_id", &m.Parameter); err != nil {
		return err
	}
	var text string
	switch raw := has["card_id"]; {
	case len(raw) == 0, string(raw) == "null":
		return nil
	case raw[0] != '"':
		text = string(raw)
	default:
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
	}
	card, err := strconv.ParseInt(text, 10, 64)
	m.Card = &card
	return err
}

// word reads a text that may be absent or null.
func word(m map[string]json.RawMessage, key string, into *string) error {
	raw := m[key]
	if len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// unreadable is the refusal to run something with parameters that were stored
// before they were checked.
func unreadable(what string, id int64, cause error) error {
	return &QueryError{InvalidParameter, fmt.Sprintf(what, id) + " cannot be read; save them anew", cause}
}
