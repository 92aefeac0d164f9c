package query

import (
	"cmp"
	"strings"
)

// This file writes SQL that people typed. Its text is that of the person; the
// values of its variables are bound as arguments, never spliced.

// splice writes a native question: its own parameters, then the defaults,
// give its variables their values.
func (c *compiler) splice(q *Query) (fragment, error) {
	values, err := q.native.values(q.parameters)
	if err != nil {
		return nil, err
	}
	s := &splicer{c: c, values: values, lex: lexer{lexis: c.Dialect.lexis()}}
	f, _, err := s.write(q.native, q.native.tree, false)
	return f, err
}

// values are the values of the variables: those given, then the defaults. Of
// field filters it is the parameter.
func (q *native) values(given []parameter) (map[string]any, error) {
	all := map[string]any{}
	set := func(t *tag, p *parameter) error {
		if t.field != nil {
			if p.kind == "" {
				p.kind = t.widget
			}
			p.ignoreCase = p.ignoreCase || t.loose
			if !none(p.only()) {
				all[t.name] = p
			}
			return nil
		}
		if t.variable() {
			v, ok, err := t.value(p.value)
			if ok {
				all[t.name] = v
			}
			return err
		}
		return nil // it stands nowhere
	}
	for _, p := range given {
		t := q.tag(p.tag)
		if t == nil {
			return nil, p.at.errorf("there is no variable %s in the SQL", quoted(p.tag))
		}
		if err := set(t, &p); err != nil {
			return nil, err
		}
	}
	for i := range q.tags {
		t := &q.tags[i]
		if _, has := all[t.name]; has || t.standard == nil {
			continue
		}
		if err := set(t, &parameter{at: t.at, value: t.standard}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// splicer writes the pieces of SQL one after the other.
type splicer struct {
	c      *compiler
	values map[string]any
	lex    lexer
	depth  int
}

// write writes pieces. For an optional part it is false when a variable in it
// has no value: then the part is left out.
func (s *splicer) write(q *native, tree []piece, optional bool) (f fragment, whole bool, err error) {
	for _, p := range tree {
		switch {
		case p.optional != nil:
			before := s.lex
			inner, whole, err := s.write(q, p.optional, true)
			if err != nil {
				return nil, false, err
			}
			if !whole {
				s.lex = before
				continue
			}
			f = append(f, inner...)
		case p.tag == "" && p.card == 0 && p.snippet.name == "":
			s.lex.read(p.text)
			f = append(f, text(p.text)...)
		case s.lex.comment(): // what stands there is not read
		case !s.lex.code():
			return nil, false, q.at.errorf("%s stands between quotes; write it without them", p.label())
		default:
			x, ok, err := s.piece(q, p, optional)
			if err != nil || !ok {
				return nil, false, err
			}
			f = append(f, x...)
		}
	}
	return f, true, nil
}

// label is how messages name what stands between {{ and }}.
func (p piece) label() string {
	switch {
	case p.card != 0:
		return "{{#" + itoa(p.card) + "}}"
	case p.snippet.name != "":
		return "{{snippet: " + shown(p.snippet.name) + "}}"
	}
	return "{{" + shown(p.tag) + "}}"
}

// piece writes what stands between {{ and }}; false for a variable of an
// optional part that has no value.
func (s *splicer) piece(q *native, p piece, optional bool) (fragment, bool, error) {
	switch {
	case p.card != 0:
		src := source{at: q.at, card: p.card}
		card, err := s.c.card(src)
		if err != nil {
			return nil, false, err
		}
		f, columns, err := s.c.cardStage(card)
		if err != nil || card.Query.Native() {
			return cat("(", f, ")"), true, inCard(src, err)
		}
		var named []fragment // by the names that people know
		for _, col := range columns {
			named = append(named, text(col.sql+" AS "+s.c.Dialect.quote(col.Name)))
		}
		return cat("(SELECT ", separated(", ", named), " FROM (", f, ") AS "+s.c.alias()+")"), true, nil
	case p.snippet.name != "":
		if s.depth++; s.depth > maxStages {
			return nil, false, q.at.errorf("snippets stand in one another more than %d deep", maxStages)
		}
		defer func() { s.depth-- }()
		shared, err := s.c.snippet(p.snippet, q.at)
		if err != nil {
			return nil, false, err
		}
		return s.write(q.with(shared), shared.tree, optional)
	}
	t := q.tag(p.tag)
	if t == nil { // of a snippet
		return nil, false, q.at.errorf("the variable %s is not among the template-tags", quoted(p.tag))
	}
	if err := t.usable(); err != nil {
		return nil, false, err
	}
	v, has := s.values[t.name]
	switch {
	case !has && optional:
		return nil, false, nil
	case !has && t.field != nil && !t.required:
		return text("1 = 1"), true, nil
	case !has:
		return nil, false, &Error{Path: t.at.path(), Message: ErrNoValue.Error(), cause: ErrNoValue}
	}
	if p, is := v.(*parameter); is {
		f, err := s.c.fieldFilter(t, p)
		return f, true, err
	}
	if date, is := v.(string); is && t.kind == "date" {
		return s.c.date(date), true, nil
	}
	return boundAs(v, asTyped), true, nil
}

// fieldFilter writes the condition that a field filter stands for, on the
// column as the SQL calls it. That the person may read its table was decided
// with all other sources.
func (c *compiler) fieldFilter(t *tag, p *parameter) (fragment, error) {
	field := c.catalog().Field(t.field.id)
	if field == nil {
		return nil, c.fieldTable(t.field.id, t.field.at)
	}
	if err := c.fieldTable(field.ID, t.field.at); err != nil {
		return nil, err
	}
	table := c.catalog().Table(field.Table)
	raw := text(t.alias)
	if t.alias == "" {
		name := c.Dialect.quote(table.Name) + "." + c.Dialect.quote(field.Name)
		if table.Schema != "" {
			name = c.Dialect.quote(table.Schema) + "." + name
		}
		raw = text(name)
	}
	col := column{Column: c.describe(field), field: field.ID, raw: c.Dialect.stored(field, raw)}
	if s := c.scans[table.ID]; s != nil { // what a policy masks is compared as it is shown
		for _, shown := range s.columns {
			if shown.field == field.ID {
				col.Column = shown.Column
			}
		}
	}
	cond, err := p.condition(&fieldRef{at: t.field.at, id: field.ID}, p.kind)
	if err != nil {
		return nil, err
	}
	return c.condition(&scope{block: &block{at: t.at}, from: relation{columns: []column{col}}}, cond)
}

// nativeStage is a saved question that is SQL, as a source: the columns are
// those that it had when it last ran.
func (c *compiler) nativeStage(card *Card) (fragment, []column, error) {
	at := card.Query.native.at
	f, err := c.splice(card.Query)
	if err != nil {
		return nil, nil, err
	}
	f, wrong := enclosed(f, c.Dialect.lexis())
	if wrong != "" {
		return nil, nil, at.errorf("the SQL %s, so no question can stand on it", wrong)
	}
	var columns []column
	for _, col := range card.Columns {
		if col.Name == "" || strings.ContainsRune(col.Name, 0) {
			continue
		}
		col.DisplayName, col.BaseType = cmp.Or(col.DisplayName, col.Name), cmp.Or(col.BaseType, "type/*")
		col.EffectiveType = col.BaseType
		col.ID, col.TableID, col.Target, col.Key = nil, nil, nil, nil
		col.Source, col.Unit, col.SourceAlias, col.Binning = "native", "", "", nil
		columns = append(columns, column{Column: col, sql: c.Dialect.quote(col.Name)})
	}
	return f, columns, nil
}
