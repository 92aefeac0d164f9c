package dataset

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// choosing gathers what the questions for values to choose from are made of.
type choosing struct {
	ChoiceRequest
	access  permission.Access
	columns []column // whose values are wanted, of tables that the person may query
	limits  []limit
	places  []place // where the person may query no table of the column
}

// column is a field and the foreign key that leads to it from the table that is
// asked; no key for a field of that table itself.
type column struct {
	*catalog.Field
	key *catalog.Field
}

// home is the table that is asked.
func (c column) home() catalog.TableID {
	if c.key != nil {
		return c.key.Table
	}
	return c.Table
}

// at is how a question on the column's own table, or on its home, names it.
func (c column) at(table catalog.TableID) any {
	if c.key != nil && c.key.Table == table {
		return []any{"field", c.ID, map[string]any{"source-field": c.key.ID}}
	}
	return []any{"field", c.ID, nil}
}

// limit is what is chosen for another parameter, of a column.
type limit struct {
	column
	parameter declared
	values    []string
}

// place is a saved question that a parameter meets, with what is chosen for
// other parameters there. Whoever made the parameter could ask for its column:
// that is why its values may be read as the saved question is.
type place struct {
	query  *query.Query
	target json.RawMessage
	others []declared
	field  *catalog.Field
}

// queryable is a field of a table that the person may query; nil for others.
func (w *choosing) queryable(id catalog.FieldID) *catalog.Field {
	if f := w.field(id); f != nil && w.access.Can(permission.QueryTable, permission.ATable(f.Table)) && w.access.SeesField(f) {
		return f
	}
	return nil
}

func (w *choosing) field(id catalog.FieldID) *catalog.Field {
	if w.access.Graph() == nil {
		return nil
	}
	return w.access.Graph().Catalog().Field(id)
}

// column is one of tables that the person may query.
func (w *choosing) column(id, key catalog.FieldID) (c column, queryable bool) {
	if c.Field = w.queryable(id); c.Field != nil {
		c.key = w.queryable(key)
	}
	return c, c.Field != nil
}

// connect makes the values of a column some to choose from.
func (w *choosing) connect(id, key catalog.FieldID) (queryable bool) {
	c, queryable := w.column(id, key)
	if queryable && !slices.Contains(w.columns, c) {
		w.columns = append(w.columns, c)
	}
	return queryable
}

// meets makes the values of what a saved question is filtered by some to choose
// from.
func (w *choosing) meets(q *query.Query, target json.RawMessage, others []declared) {
	id, key := q.Field(query.ParseTarget(target))
	if f := w.field(id); !w.connect(id, key) && f != nil && !q.Native() {
		w.places = append(w.places, place{q, target, others, f})
	}
}

// on takes in a card of the dashboard with the mappings that go to it.
func (w *choosing) on(q *query.Query, all []declared, mappings []mapping) {
	var others []declared
	for _, m := range mappings {
		id, key := q.Field(query.ParseTarget(m.Target))
		p, values, is := w.chosen(all, m, w.field(id))
		if !is {
			continue
		}
		others = append(others, p)
		c, queryable := w.column(id, key)
		if queryable && !slices.ContainsFunc(w.limits, func(l limit) bool { return l.column == c && l.parameter.ID == p.ID }) {
			w.limits = append(w.limits, limit{c, p, values})
		}
	}
	for _, m := range mappings {
		if m.Parameter == w.ID {
			w.meets(q, m.Target, others)
		}
	}
}

// chosen is what is chosen for another parameter of the dashboard, as a value
// of a field; false for nothing.
func (w *choosing) chosen(all []declared, m mapping, f *catalog.Field) (p declared, values []string, is bool) {
	i := slices.IndexFunc(all, func(p declared) bool { return p.ID == m.Parameter })
	if values = w.Given[m.Parameter]; i < 0 || f == nil || m.Parameter == w.ID || len(values) == 0 {
		return p, nil, false
	}
	p = declared{ID: m.Parameter, Type: all[i].Type, Options: all[i].Options, Target: m.Target}
	p.Value, _ = json.Marshal(literals(f, values)) // texts, numbers and booleans
	return p, values, true
}

// connected are the questions for the values of the columns, and the words for
// them.
func (d *Door) connected(ctx context.Context, w *choosing) (all []source, err error) {
	for _, c := range w.columns {
		words, err := d.words(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		remaps, err := d.store.Dimensions(ctx, []catalog.FieldID{c.ID})
		if err != nil {
			return nil, err
		}
		var named *catalog.Field
		for _, r := range remaps {
			if r.Type == store.External {
				named = w.queryable(r.Target)
			}
		}
		q, err := w.question(c, named)
		if err != nil {
			return nil, err
		}
		if q != nil {
			all = append(all, source{json: q, words: words})
		}
	}
	return all, nil
}

// inPlaces are the questions for the values in the rows of saved questions. One
// of which the person is shown nothing is no source.
func (d *Door) inPlaces(ctx context.Context, w *choosing) (all []source, err error) {
	for _, p := range w.places {
		q, err := p.question(w.Value, w.Search)
		if err != nil || q == nil { // no value can be as asked for
			continue
		}
		may := query.Source{Access: w.access, Saved: true, Card: d.cards(ctx, w.access), Snippet: d.snippets(ctx, nil), Policy: d.standIns(ctx)}
		if query.Allowed(q, may) != nil {
			continue
		}
		data, err := q.MarshalJSON()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(o source) bool { return bytes.Equal(o.json, data) }) {
			continue // all cards that count the same rows have one question
		}
		words, err := d.words(ctx, p.field.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, source{json: data, words: words, saved: true, rows: true})
	}
	return all, nil
}

// question asks for the values of a column, each with the one of named that
// belongs to it; named may be nil. Nil when no value can be as asked for.
func (w *choosing) question(of column, named *catalog.Field) (json.RawMessage, error) {
	cat := w.access.Graph().Catalog()
	from := of.Table
	if slices.ContainsFunc(w.limits, func(l limit) bool { return l.home() == of.home() }) {
		from = of.home()
	}
	ref := of.at(from)
	breakout, found := []any{ref}, of.Field
	if named != nil && from == of.Table && (of.key == nil || of.key.Table != from) {
		if to := cat.Field(of.Target); named.Table == from {
			breakout, found = append(breakout, []any{"field", named.ID, nil}), named
		} else if to != nil && to.Table == named.Table {
			breakout, found = append(breakout, []any{"field", named.ID, map[string]any{"source-field": of.ID}}), named
		}
	}
	filters := []any{"and", []any{"not-null", ref}}
	if w.Value != "" {
		filters = append(filters, []any{"=", ref, literal(of.Field, w.Value)})
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
		if l.home() == from { // over another key, or from elsewhere, it says nothing of this table
			p := map[string]any{"type": l.parameter.Type, "target": []any{"dimension", l.at(from)}, "value": literals(l.Field, l.values)}
			if len(l.parameter.Options) > 0 {
				p["options"] = l.parameter.Options
			}
			parameters = append(parameters, p)
		}
	}
	return json.Marshal(map[string]any{"database": cat.Table(from).Database, "type": "query", "parameters": parameters,
		"query": map[string]any{"source-table": from, "breakout": breakout, "filter": filters}})
}

// question asks for the values in the rows of the saved question. Nil or an
// error when no value can be as asked for.
func (p *place) question(value, search string) (*query.Query, error) {
	all := slices.Clone(p.others)
	and := func(kind string, v any) error {
		data, err := json.Marshal([]any{v})
		all = append(all, declared{Type: kind, Target: p.target, Value: data, Options: json.RawMessage(`{"case-sensitive":false}`)})
		return err
	}
	var err error
	if value != "" {
		err = and("id", literal(p.field, value))
		all[len(all)-1].Options = nil
	}
	if n, is := literal(p.field, search).(json.Number); search == "" {
	} else if is {
		err = errors.Join(err, and("number/=", n))
	} else if strings.HasPrefix(p.field.BaseType, "type/Text") {
		err = errors.Join(err, and("string/contains", search))
	} else {
		return nil, err
	}
	data, err2 := json.Marshal(all)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	q, err := p.query.WithParameters(data)
	if err != nil {
		return nil, err
	}
	return q.Values(query.ParseTarget(p.target))
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

func literals(f *catalog.Field, texts []string) []any {
	all := []any{}
	for _, text := range texts {
		all = append(all, literal(f, text))
	}
	return all
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
func (w *choosing) ofCard(p declared) (json.RawMessage, error) {
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
	return json.Marshal(map[string]any{"database": -1337, "type": "query",
		"query": map[string]any{"source-table": fmt.Sprintf("card__%d", config.Card), "breakout": breakout, "filter": filters}})
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

// guess is a value that was given as text, of a column that holds text or not:
// the number or truth that it is, or the text. It is never a clause, which JSON
// may be.
func guess(text string, isText bool) any {
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if isText || d.Decode(&v) != nil || d.More() {
		return text
	}
	switch v.(type) {
	case json.Number, bool:
		return v
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
