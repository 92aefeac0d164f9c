package query

import (
	"slices"
)

// relation is a source in the FROM of a stage.
type relation struct {
	alias   string // of a join, as the person calls it; "" for the source
	sql     string // quoted
	columns []column
}

// scope is what the clauses of a stage can speak of.
type scope struct {
	block *block
	from  relation
	joins []relation
	// open are the expressions that are being written, to tell circles.
	open []string
}

// value is SQL for a value, with what is known of it.
type value struct {
	sql    fragment
	base   string // type
	unit   unit   // of a date that is cut
	column column // what is reported of it when it is a column of the result
}

// find looks a field up in a relation. Of several columns of one field the
// one with the unit that is asked for is meant.
func (r *relation) find(f *fieldRef, join string) (column, bool) {
	found := -1
	for i, c := range r.columns {
		switch {
		case f.id != 0 && c.field != f.id, f.id == 0 && c.Name != f.name, join != "" && c.join != join:
		case found < 0 || c.unit == f.unit && r.columns[found].unit != f.unit:
			found = i
		}
	}
	if found < 0 {
		return column{}, false
	}
	return r.columns[found], true
}

// lookup finds the column that a reference means, and its relation. Without
// an alias it is one of the source, else of the only join that has the field.
func (s *scope) lookup(f *fieldRef) (*relation, column, error) {
	if f.join != "" {
		if i := slices.IndexFunc(s.joins, func(r relation) bool { return r.alias == f.join }); i >= 0 {
			if c, ok := s.joins[i].find(f, ""); ok {
				return &s.joins[i], c, nil
			}
		} else if c, ok := s.from.find(f, f.join); ok { // joined in a stage below
			return &s.from, c, nil
		}
		return nil, column{}, f.at.errorf("%s is not a field of a join %s here", f.label(), quoted(f.join))
	}
	if c, ok := s.from.find(f, ""); ok {
		return &s.from, c, nil
	}
	var in *relation
	var found column
	for i := range s.joins {
		c, ok := s.joins[i].find(f, "")
		if !ok || f.id == 0 {
			continue
		}
		if in != nil {
			return nil, column{}, f.at.errorf("%s is in several joins; say which with \"join-alias\"", f.label())
		}
		in, found = &s.joins[i], c
	}
	if in == nil {
		return nil, column{}, f.at.errorf("%s is not in a source of this stage", f.label())
	}
	return in, found, nil
}

// label is how messages name what the reference names.
func (e *fieldRef) label() string {
	if e.id != 0 {
		return "field " + itoa(int64(e.id))
	}
	return "column " + quoted(e.name)
}

// field is the value of a reference.
func (c *compiler) field(s *scope, f *fieldRef) (value, error) {
	r, col, err := s.lookup(f)
	if err != nil {
		return value{}, err
	}
	v := r.value(col)
	if f.unit != "" && f.unit != col.unit {
		if err := c.applyUnit(&v, f); err != nil {
			return value{}, err
		}
		ref := r.reference(col)
		ref.unit = f.unit
		v.column.FieldRef = reference(ref)
	}
	return v, nil
}

// value is a column of the relation as it is.
func (r *relation) value(col column) value {
	v := value{sql: text(r.sql + "." + col.sql), base: col.BaseType, column: col}
	if r.alias != "" {
		v.column.join, v.column.SourceAlias = r.alias, r.alias
		v.column.DisplayName = r.alias + " \u2192 " + col.DisplayName
	}
	if unitKinds[col.unit] == cut {
		v.unit = col.unit
	}
	v.column.FieldRef = reference(r.reference(col))
	return v
}

// reference is how a column is referred to in this stage.
func (r *relation) reference(col column) *fieldRef {
	ref := &fieldRef{id: col.field, join: col.join}
	if ref.id == 0 {
		ref.name, ref.baseType = col.Name, col.BaseType
	}
	if r.alias != "" {
		ref.join = r.alias
	}
	return ref
}

// applyUnit cuts a date to the unit of the reference, or takes the part.
func (c *compiler) applyUnit(v *value, f *fieldRef) error {
	k := classOf(v.base)
	if k != aDateTime && (k != aDate || f.unit.ofClock()) {
		return f.at.errorf("%s is %s, which has no %s", f.label(), k, f.unit)
	}
	if unitKinds[f.unit] == part {
		v.sql, v.base, v.unit = c.Dialect.part(f.unit, v.sql), "type/Integer", ""
		v.column.BaseType, v.column.EffectiveType, v.column.SemanticType = v.base, v.base, nil
	} else {
		v.sql, v.unit = c.Dialect.cut(f.unit, v.sql), f.unit
	}
	v.column.unit, v.column.Unit = f.unit, string(f.unit)
	v.column.DisplayName += ": " + f.unit.label()
	return nil
}

// expression is the value of a named expression of the stage.
func (c *compiler) expression(s *scope, e *expressionRef) (value, error) {
	i := slices.IndexFunc(s.block.expressions, func(x expression) bool { return x.name == e.name })
	if i < 0 {
		return value{}, e.at.errorf("there is no expression %s in this stage", quoted(e.name))
	}
	if slices.Contains(s.open, e.name) {
		return value{}, e.at.errorf("the expression %s is made of itself", quoted(e.name))
	}
	s.open = append(s.open, e.name)
	v, err := c.value(s, s.block.expressions[i].expr)
	s.open = s.open[:len(s.open)-1]
	if err != nil {
		return value{}, err
	}
	v.column = column{Column: Column{Name: e.name, DisplayName: e.name, BaseType: v.base, EffectiveType: v.base,
		FieldRef: reference(e)}}
	return v, nil
}
