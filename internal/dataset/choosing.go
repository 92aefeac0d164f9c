package dataset

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// choosing gathers what the questions for values to choose from are made of.
// It takes in only fields of tables that the person has the right on.
type choosing struct {
	ChoiceRequest
	access permission.Access
	right  permission.Right
	fields []*catalog.Field // whose values are wanted
	limits []limit
}

// limit is what is chosen for another parameter, of a field.
type limit struct {
	field     *catalog.Field
	parameter declared
	values    []string
}

// seen is a field of a table that the person has the right on; nil for others.
func (w *choosing) seen(id catalog.FieldID) *catalog.Field {
	if w.access.Graph() == nil {
		return nil
	}
	f := w.access.Graph().Catalog().Field(id)
	if f == nil || !w.access.Can(w.right, permission.ATable(f.Table)) {
		return nil
	}
	return f
}

// connect makes the values of a field some to choose from.
func (w *choosing) connect(id catalog.FieldID) {
	if f := w.seen(id); f != nil && !slices.Contains(w.fields, f) {
		w.fields = append(w.fields, f)
	}
}

// meets tells that a parameter of the dashboard is compared with a field.
func (w *choosing) meets(all []declared, parameter string, id catalog.FieldID) {
	if parameter == w.ID {
		w.connect(id)
		return
	}
	f, values := w.seen(id), w.Given[parameter]
	i := slices.IndexFunc(all, func(p declared) bool { return p.ID == parameter })
	if f == nil || i < 0 || len(values) == 0 ||
		slices.ContainsFunc(w.limits, func(l limit) bool { return l.field == f && l.parameter.ID == parameter }) {
		return
	}
	w.limits = append(w.limits, limit{f, all[i], values})
}

// connected are the questions for the values of the fields, and the words for
// them.
func (d *Door) connected(ctx context.Context, w *choosing) (questions []json.RawMessage, labels []map[string]any, err error) {
	ids := make([]catalog.FieldID, len(w.fields))
	for i, f := range w.fields {
		ids[i] = f.ID
	}
	remaps, err := d.store.Dimensions(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range w.fields {
		var words map[string]any
		var named catalog.FieldID
		for _, r := range remaps {
			switch {
			case r.Field != f.ID:
			case r.Type == store.External:
				named = r.Target
			default:
				words, err = d.labels(ctx, f.ID)
			}
			if err != nil {
				return nil, nil, err
			}
		}
		q, err := w.question(f, w.seen(named))
		if err != nil {
			return nil, nil, err
		}
		if q != nil {
			questions, labels = append(questions, q), append(labels, words)
		}
	}
	return questions, labels, nil
}

// question asks for the values of a field, each with the one of named that
// belongs to it; named may be nil. Nil when no value can be as asked for.
func (w *choosing) question(f, named *catalog.Field) (json.RawMessage, error) {
	cat := w.access.Graph().Catalog()
	from := w.from(f)
	ref := reference(cat, from, f)
	breakout, found := []any{ref}, f
	if named != nil && from == f.Table {
		if to := cat.Field(f.Target); named.Table == from {
			breakout, found = append(breakout, []any{"field", named.ID, nil}), named
		} else if to != nil && to.Table == named.Table {
			breakout, found = append(breakout, []any{"field", named.ID, map[string]any{"source-field": f.ID}}), named
		}
	}
	filters := []any{"and", []any{"not-null", ref}}
	if w.Value != "" {
		filters = append(filters, []any{"=", ref, literal(f, w.Value)})
	}
	if w.Search != "" {
		c := contains(breakout[len(breakout)-1], found, w.Search)
		if c == nil {
			return nil, nil
		}
		filters = append(filters, c)
	}
	parameters := []any{}
	for _, l := range w.limits {
		if target := reference(cat, from, l.field); target != nil {
			values := []any{}
			for _, v := range l.values {
				values = append(values, literal(l.field, v))
			}
			p := map[string]any{"type": l.parameter.Type, "target": []any{"dimension", target}, "value": values}
			if len(l.parameter.Options) > 0 {
				p["options"] = l.parameter.Options
			}
			parameters = append(parameters, p)
		}
	}
	return json.Marshal(map[string]any{"database": cat.Table(from).Database, "type": "query", "parameters": parameters,
		"query": map[string]any{"source-table": from, "breakout": breakout, "filter": filters}})
}

// from is the table to ask for the values of a field: that from which most of
// the limits can be reached, its own if others are no better.
func (w *choosing) from(f *catalog.Field) catalog.TableID {
	cat := w.access.Graph().Catalog()
	best, most := f.Table, -1
	for _, t := range append([]*catalog.Field{f}, fieldsOf(w.limits)...) {
		n := 0
		for _, l := range w.limits {
			if reference(cat, t.Table, l.field) != nil {
				n++
			}
		}
		if n > most && reference(cat, t.Table, f) != nil {
			best, most = t.Table, n
		}
	}
	return best
}

func fieldsOf(limits []limit) (fields []*catalog.Field) {
	for _, l := range limits {
		fields = append(fields, l.field)
	}
	return fields
}

// reference is how a question on a table names a field of it, or of one that a
// foreign key of it leads to; nil for others.
func reference(cat *catalog.Snapshot, from catalog.TableID, f *catalog.Field) any {
	if f.Table == from {
		return []any{"field", f.ID, nil}
	}
	for _, key := range cat.Fields(from) {
		if to := cat.Field(key.Target); to != nil && to.Table == f.Table {
			return []any{"field", f.ID, map[string]any{"source-field": key.ID}}
		}
	}
	return nil
}

// literal is a value of a field that was given as text.
func literal(f *catalog.Field, text string) any {
	switch {
	case numeric(f.BaseType):
		if _, err := strconv.ParseFloat(text, 64); err == nil && json.Valid([]byte(text)) {
			return json.Number(text)
		}
	case f.BaseType == "type/Boolean":
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	}
	return text
}

// contains is the condition that a field has a text in it, or is the number
// that the text is; nil where nothing can.
func contains(ref any, f *catalog.Field, text string) any {
	switch {
	case numeric(f.BaseType):
		if n, is := literal(f, text).(json.Number); is {
			return []any{"=", ref, n}
		}
		return nil
	case strings.HasPrefix(f.BaseType, "type/Text"):
		return []any{"contains", ref, text, map[string]any{"case-sensitive": false}}
	}
	return nil
}

func numeric(baseType string) bool {
	switch baseType {
	case "type/Integer", "type/BigInteger", "type/Float", "type/Decimal", "type/Number":
		return true
	}
	return false
}

// ofCard asks for the values of a column of another saved question, which the
// person must be able to read.
func (w *choosing) ofCard(p declared) ([]json.RawMessage, error) {
	var config struct {
		Card  int64           `json:"card_id"`
		Value json.RawMessage `json:"value_field"`
		Label json.RawMessage `json:"label_field"`
	}
	wrong := func(err error) error {
		return &QueryError{InvalidParameter, "values_source_config: must have a card_id, and a value_field that is a column of the card", err}
	}
	if err := json.Unmarshal(p.Config, &config); err != nil || config.Card == 0 {
		return nil, wrong(err)
	}
	value, text, err := ownColumn(config.Value)
	if err != nil {
		return nil, wrong(err)
	}
	breakout, shown, shownText := []any{value}, value, text
	if len(config.Label) > 0 && string(config.Label) != "null" {
		if shown, shownText, err = ownColumn(config.Label); err != nil {
			return nil, wrong(err)
		}
		breakout = append(breakout, shown)
	}
	filters := []any{"and", []any{"not-null", value}}
	if w.Value != "" {
		filters = append(filters, []any{"=", value, guess(w.Value, text)})
	}
	if w.Search != "" {
		if !shownText {
			filters = append(filters, []any{"=", shown, guess(w.Search, false)})
		} else {
			filters = append(filters, []any{"contains", shown, w.Search, map[string]any{"case-sensitive": false}})
		}
	}
	question, err := json.Marshal(map[string]any{"database": -1337, "type": "query",
		"query": map[string]any{"source-table": fmt.Sprintf("card__%d", config.Card), "breakout": breakout, "filter": filters}})
	return []json.RawMessage{question}, err
}

// ownColumn reads a reference to a column that a question has, and tells
// whether it holds text. One that leads elsewhere, as over a foreign key, is
// refused: what the question does not show is no choice of it.
func ownColumn(raw json.RawMessage) (ref []any, isText bool, err error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, false, err
	}
	if len(parts) < 2 || string(parts[0]) != `"field"` {
		return nil, false, fmt.Errorf("not a field")
	}
	var options struct {
		BaseType string `json:"base-type"`
	}
	if len(parts) > 2 {
		if err := json.Unmarshal(parts[2], &options); err != nil {
			return nil, false, err
		}
	}
	var own any
	if options.BaseType != "" {
		own = map[string]string{"base-type": options.BaseType}
	}
	return []any{"field", parts[1], own}, options.BaseType == "" || strings.HasPrefix(options.BaseType, "type/Text"), nil
}

// guess is a value that was given as text, of a column that holds text or not.
func guess(text string, isText bool) any {
	if !isText && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}

// labels are the words for the values of a field.
func (d *Door) labels(ctx context.Context, id catalog.FieldID) (map[string]any, error) {
	stored, err := d.store.Labels(ctx, id)
	if err != nil || stored == nil {
		return nil, err
	}
	var pairs [][]any
	if err := json.Unmarshal(stored, &pairs); err != nil {
		return nil, fmt.Errorf("the labels of field %d: %w", id, err)
	}
	words := map[string]any{}
	for _, p := range pairs {
		if len(p) == 2 {
			words[fmt.Sprint(p[0])] = p[1]
		}
	}
	return words, nil
}

// labelled is a row of one value with the words for it, if there are any.
func labelled(row []any, words map[string]any) []any {
	if word, ok := words[fmt.Sprint(row[0])]; ok && len(row) == 1 {
		return append(row, word)
	}
	return row
}
