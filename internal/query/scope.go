package query

import "slices"

// relation is a source in the FROM of a stage.
type relation struct {
	alias   string // of a join, as the person calls it; "" for the source
	sql     string // quoted
	columns []column
	body    fragment // the SELECT behind it
	via     *hop     // of one that is reached through a foreign key
	label   string   // what display names call it then
}

// scope is what the clauses of a stage can speak of.
type scope struct {
	block   *block
	from    relation
	joins   []relation
	joining bool                 // the condition of the last join is being written
	hops    map[hopKey]*relation // tables reached through foreign keys
	extra   fragment             // joins that clauses made necessary, not written yet
	// layer is the alias of the rows that windows look at, and leaves are the
	// columns of it; "" when the stage has no windows.
	layer  string
	leaves []fragment
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
// one with the shape that is asked for is meant.
func (r *relation) find(f *fieldRef, join string) (column, bool) {
	found := -1
	for i, c := range r.columns {
		switch {
		case f.id != 0 && c.field != f.id, f.id == 0 && c.Name != f.name, join != "" && c.join != join,
			f.via != nil && c.via != f.via.id:
		case found < 0 || c.shape == f.shape && r.columns[found].shape != f.shape:
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
func (c *compiler) lookup(s *scope, f *fieldRef) (*relation, column, error) {
	if f.via != nil {
		if col, ok := s.from.find(f, ""); ok { // reached in a stage below
			return &s.from, col, nil
		}
		return c.hop(s, f)
	}
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
	r, col, err := c.lookup(s, f)
	if err != nil {
		return value{}, err
	}
	v := r.value(col)
	if f.shape == (shape{}) || f.shape == col.shape {
		return v, nil
	}
	if err := c.reshape(s, &v, f.shape, f.at, f.label(), r); err != nil {
		return value{}, err
	}
	ref := r.reference(col)
	ref.shape = f.shape
	v.column.FieldRef = reference(ref)
	return v, nil
}

// value is a column of the relation as it is.
func (r *relation) value(col column) value {
	v := value{sql: text(r.sql + "." + col.sql), base: col.BaseType, column: col}
	if col.raw != nil {
		v.sql = col.raw
	}
	switch {
	case r.via != nil:
		key := r.via.id
		v.column.via, v.column.join, v.column.Key = key, r.via.join, &key
		v.column.DisplayName = clipped(r.label + " \u2192 " + col.DisplayName)
	case r.alias != "":
		v.column.join, v.column.SourceAlias = r.alias, r.alias
		v.column.DisplayName = clipped(r.alias + " \u2192 " + col.DisplayName)
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
	switch {
	case r.via != nil:
		ref.via, ref.join = r.via, ""
	case r.alias != "":
		ref.join = r.alias
	case col.via != 0:
		ref.via, ref.join = &hop{col.via, col.join}, ""
	}
	return ref
}

// reshape makes of a value what the reference says: a date is cut or a part of
// it taken, a number is put into a bin.
func (c *compiler) reshape(s *scope, v *value, to shape, at *node, label string, r *relation) error {
	if to.bin != (binning{}) {
		return c.binned(s, v, to.bin, at, label, r)
	}
	k := classOf(v.base)
	clock := k == aTime && unitKinds[to.unit] == part
	if !clock && !k.ofDay() || clock && !to.unit.ofClock() || k == aDate && to.unit.ofClock() {
		return at.errorf("%s is %s, which has no %s", label, k, to.unit)
	}
	c.risk()
	local := c.Dialect.local(k, c.zone.String(), v.sql)
	if unitKinds[to.unit] == part {
		v.sql, v.base, v.unit = c.Dialect.part(to.unit, c.FirstDay, local), "type/Integer", ""
		v.column.BaseType, v.column.EffectiveType, v.column.SemanticType = v.base, v.base, nil
	} else {
		v.sql, v.unit = c.cut(to.unit, k, v.sql), to.unit
	}
	v.column.shape, v.column.Unit = to, string(to.unit)
	v.column.DisplayName += ": " + to.unit.label()
	return nil
}

// cut is a value of a kind of date, cut to the unit.
func (c *compiler) cut(u unit, k class, x fragment) fragment {
	zone := c.zone.String()
	return c.Dialect.global(k, zone, c.Dialect.cut(u, c.FirstDay, c.Dialect.local(k, zone, x)))
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
	v.unit = ""
	v.column = column{Column: Column{Name: e.name, DisplayName: e.name, BaseType: v.base, EffectiveType: v.base}}
	if e.shape != (shape{}) {
		if err := c.reshape(s, &v, e.shape, e.at, "the expression "+quoted(e.name), nil); err != nil {
			return value{}, err
		}
	}
	v.column.FieldRef = reference(e)
	return v, nil
}
