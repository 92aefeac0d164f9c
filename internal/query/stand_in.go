package query

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// A policy can have a saved question stand in for a table: its rows and columns
// are read wherever the table is. It is written by administrators and compiled
// with the rights of one, so that it may read what the person may not, and of it
// nothing but the result reaches anybody.

// StandIn is the saved question of a policy, as it is now.
type StandIn struct {
	Card
	// Seal is what the question is, with all that it is made of.
	Seal string
	// Below and Snippet look up the saved questions and the SQL that it is made of,
	// as they were sealed.
	Below   func(id int64) (*Card, error)
	Snippet func(id int64, name string) (string, error)
}

// standIn writes the saved question of a policy as a source, with its columns
// under the names of the table's.
func (c *compiler) standIn(t *catalog.Table, of permission.Filter) (fragment, error) {
	refused := func(attribute, format string, args ...any) error {
		return &PolicyError{User: c.Access.User(), Table: t.ID, Card: of.Card, Attribute: attribute, Reason: fmt.Sprintf(format, args...)}
	}
	// mistake makes a refusal of what is wrong with the question. A fault stays one.
	mistake := func(err error) error {
		var wrong *Error
		var denied *permission.DeniedError
		if errors.As(err, &wrong) || errors.As(err, &denied) {
			return refused("", "%v", err)
		}
		return err
	}
	if c.Policy == nil {
		return nil, refused("", "it cannot be looked up here")
	}
	card, err := c.Policy(of.Card)
	switch {
	case err != nil:
		return nil, mistake(err)
	case card == nil || card.Query == nil:
		return nil, refused("", "it is not there")
	case of.Seal == "" || card.Seal != of.Seal:
		return nil, refused("", "it, or a question or snippet in it, was changed since the policy was saved; an administrator can save the policy again")
	}
	author := c.Source
	author.Access, author.Saved, author.Card, author.Policy = c.Access.Graph().AuthorOfPolicies(), true, card.Below, nil
	author.Snippet = card.Snippet
	sub, err := start(card.Query, author)
	if err != nil {
		return nil, mistake(err)
	}
	sub.judging, sub.viewing, sub.boundary, sub.standing = c.judging, c.viewing, c.boundary, true
	if err := sub.walk().query(card.Query, &node{}); err != nil {
		return nil, mistake(err)
	}
	switch {
	case sub.database != t.Database:
		return nil, refused("", "it is not about the table's database")
	case sub.sql && c.viewing:
		return nil, refused("", "there is SQL in it, so that SQL which people type cannot be held to it; the query builder can")
	}
	var sql fragment
	var columns []column
	if q := card.Query; q.Native() {
		if q, err = c.valued(t, q, of, refused); err != nil {
			return nil, err
		}
		native := card.Card
		native.Query, native.Columns = q, nil
		for _, f := range c.catalog().Fields(t.ID) {
			if shows(of, f.ID) {
				native.Columns = append(native.Columns, Column{Name: f.Name, BaseType: f.BaseType})
			}
		}
		sql, columns, err = sub.nativeStage(&native)
	} else {
		sql, columns, err = sub.cardStage(&card.Card)
	}
	if err != nil {
		return nil, mistake(err)
	}
	if err := FitsTable(c.catalog(), t, plainly(columns)); err != nil {
		return nil, refused("", "%v", err)
	}
	c.risky = c.risky || sub.risky
	c.beneath(sub)
	from := sub.alias()
	var selected []fragment
	for _, f := range c.catalog().Fields(t.ID) {
		if !shows(of, f.ID) {
			continue
		}
		i := slices.IndexFunc(columns, func(col column) bool { return col.Name == f.Name })
		if i < 0 {
			return nil, refused("", "it no longer has the column %s", quoted(f.Name))
		}
		selected = append(selected, text(from+"."+columns[i].sql+" AS "+c.Dialect.quote(f.Name)))
	}
	if len(selected) == 0 {
		return nil, refused("", "it has no column of the table")
	}
	return cat("(SELECT ", separated(", ", selected), " FROM (", sql, ") AS "+from+")"), nil
}

// shows tells whether a policy by a question needs a column of it, be it for its
// conditions.
func shows(of permission.Filter, id catalog.FieldID) bool {
	_, shown := of.Column(id)
	return shown || slices.ContainsFunc(of.Where, func(eq permission.Equality) bool { return eq.Field == id })
}

func plainly(columns []column) (all []Column) {
	for _, col := range columns {
		all = append(all, col.Column)
	}
	return all
}

// beneath notes what a question reads that stands in for a table. SQL may read
// all of the database.
func (c *compiler) beneath(sub *compiler) {
	if sub.sql {
		for _, t := range sub.whole() {
			c.below[t.ID] = t
		}
	}
	for id, scan := range sub.scans {
		c.below[id] = Table{id, scan.table.Schema, scan.table.Name}
	}
}

// valued is the SQL of a policy with the person's attributes as the values of
// its variables.
func (c *compiler) valued(t *catalog.Table, q *Query, of permission.Filter, refused func(attribute, format string, args ...any) error) (*Query, error) {
	with := *q
	with.parameters = slices.Clone(q.parameters)
	for _, v := range of.Variables {
		tag := q.native.tag(v.Variable)
		values, _ := permission.AttributeValues(v.Value)
		switch {
		case tag == nil || !tag.variable() || tag.field != nil:
			return nil, refused("", "it has no variable %s that takes an attribute", quoted(v.Variable))
		case len(values) != 1:
			return nil, refused(v.Attribute, "a variable takes one value, and the attribute has %d", len(values))
		}
		if tag.kind == "text" {
			if _, err := attributeValue(c.Dialect, values[0], "type/Text"); err != nil {
				return nil, refused(v.Attribute, "%v", err)
			}
		}
		value := &node{kind: isString, text: values[0]}
		if _, ok, err := tag.value(value); err != nil || !ok {
			return nil, refused(v.Attribute, "it is not a value for a variable of the type %s", quoted(tag.kind))
		}
		with.parameters = append(with.parameters, parameter{at: tag.at, tag: tag.name, value: value, stage: -1})
	}
	return &with, nil
}

// FitsTable is nil for columns of a question that can stand in for a table, else
// it says why not: each must have the name of one of the table's, and a type that
// can be compared with its type.
func FitsTable(in *catalog.Snapshot, t *catalog.Table, columns []Column) error {
	if len(columns) == 0 {
		return errors.New("the question has no columns that are known")
	}
	fields := in.Fields(t.ID)
	seen := map[string]bool{}
	for _, col := range columns {
		if seen[col.Name] {
			return fmt.Errorf("the question has two columns %s", quoted(col.Name))
		}
		seen[col.Name] = true
		i := slices.IndexFunc(fields, func(f *catalog.Field) bool { return f.Name == col.Name })
		if i < 0 {
			return fmt.Errorf("the question has a column %s, which is not one of table %d %s", quoted(col.Name), t.ID, quoted(t.Name))
		}
		is, should := classOf(col.BaseType), classOf(fields[i].BaseType)
		if unknown := cmp.Or(col.BaseType, "type/*") == "type/*"; !unknown && is.kin() != should.kin() {
			return fmt.Errorf("the question's column %s is %s, and in table %d %s it is %s", quoted(col.Name), is, t.ID, quoted(t.Name), should)
		}
	}
	return nil
}

// FitsVariables is nil when the variables of a question that stands in for a
// table can take their values from attributes as these say, else it says what is
// wrong.
func FitsVariables(q *Query, attributes []permission.AttributeVariable) error {
	if !q.Native() {
		if len(attributes) > 0 {
			return errors.New("the question is not SQL and has no variables; name columns of its result")
		}
		return nil
	}
	mapped := map[string]bool{}
	for _, v := range attributes {
		switch tag := q.native.tag(v.Variable); {
		case tag == nil || !tag.variable():
			return fmt.Errorf("the question's SQL has no variable %s", quoted(v.Variable))
		case tag.field != nil:
			return fmt.Errorf("the variable %s filters by a field; only one of text, a number, a date or a boolean takes an attribute", quoted(v.Variable))
		case mapped[v.Variable]:
			return fmt.Errorf("two attributes go to the variable %s", quoted(v.Variable))
		}
		mapped[v.Variable] = true
	}
	for _, tag := range q.native.tags {
		given := slices.ContainsFunc(q.parameters, func(p parameter) bool { return p.tag == tag.name })
		if tag.variable() && !mapped[tag.name] && !given && (tag.standard == nil || none(tag.standard)) {
			return fmt.Errorf("the variable %s has no default, so that an attribute must go to it", quoted(tag.name))
		}
	}
	return nil
}

// Tried is a question with some value for each variable that has none, to find
// out which columns it has.
func (q *Query) Tried() *Query {
	if q.native == nil {
		return q
	}
	with := *q
	with.parameters = slices.Clone(q.parameters)
	for i := range q.native.tags {
		tag := &q.native.tags[i]
		text := map[string]string{"text": "1", "number": "1", "date": "2020-01-01", "boolean": "true"}[tag.kind]
		if text != "" && (tag.standard == nil || none(tag.standard)) {
			with.parameters = append(with.parameters, parameter{at: tag.at, tag: tag.name, value: &node{kind: isString, text: text}, stage: -1})
		}
	}
	return &with
}
