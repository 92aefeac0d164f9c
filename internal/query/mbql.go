package query

import (
	"encoding/json"
	"strconv"
)

// This file writes clauses back in Metabase's plain form.

type object = map[string]any

func (b *block) mbql() object {
	m := object{}
	b.source.mbql(m)
	if len(b.joins) > 0 {
		m["joins"] = each(b.joins, join.mbql)
	}
	if len(b.expressions) > 0 {
		all := object{}
		for _, x := range b.expressions {
			all[x.name] = x.expr.mbql()
		}
		m["expressions"] = all
	}
	if b.filter != nil {
		m["filter"] = b.filter.mbql()
	}
	if len(b.aggregations) > 0 {
		m["aggregation"] = each(b.aggregations, aggregation.mbql)
	}
	if len(b.breakouts) > 0 {
		m["breakout"] = each(b.breakouts, expr.mbql)
	}
	if len(b.fields) > 0 {
		m["fields"] = each(b.fields, expr.mbql)
	}
	if len(b.orders) > 0 {
		m["order-by"] = each(b.orders, order.mbql)
	}
	if b.limit > 0 {
		m["limit"] = b.limit
	}
	if b.page.number > 0 {
		m["page"] = object{"page": b.page.number, "items": b.page.items}
	}
	return m
}

func each[T any](all []T, write func(T) any) []any {
	var out []any
	for _, x := range all {
		out = append(out, write(x))
	}
	return out
}

func (s source) mbql(m object) {
	switch {
	case s.block != nil:
		m["source-query"] = s.block.mbql()
	case s.card != 0:
		m["source-table"] = "card__" + strconv.FormatInt(s.card, 10)
	default:
		m["source-table"] = s.table
	}
}

func (j join) mbql() any {
	m := object{"alias": j.alias, "strategy": j.strategy, "condition": j.condition.mbql(), "fields": "none"}
	if len(j.fields) > 0 {
		m["fields"] = each(j.fields, expr.mbql)
	}
	if j.all {
		m["fields"] = "all"
	}
	j.source.mbql(m)
	return m
}

func (a aggregation) mbql() any {
	if a.name == "" && a.displayName == "" {
		return a.expr.mbql()
	}
	m := object{}
	if a.name != "" {
		m["name"] = a.name
	}
	if a.displayName != "" {
		m["display-name"] = a.displayName
	}
	return []any{"aggregation-options", a.expr.mbql(), m}
}

func (o order) mbql() any {
	if o.descending {
		return []any{"desc", o.by.mbql()}
	}
	return []any{"asc", o.by.mbql()}
}

func (e *fieldRef) mbql() any {
	var named any = e.id
	if e.id == 0 {
		named = e.name
	}
	return []any{"field", named, e.options()}
}

// options are those of the reference, or nil.
func (e *fieldRef) options() any {
	m := object{}
	if e.baseType != "" {
		m["base-type"] = e.baseType
	}
	if e.join != "" {
		m["join-alias"] = e.join
	}
	if e.via != nil {
		m["source-field"] = e.via.id
		if e.via.join != "" {
			m["source-field-join-alias"] = e.via.join
		}
	}
	e.shape.mbql(m)
	if len(m) == 0 {
		return nil
	}
	return m
}

func (s shape) mbql(m object) {
	if s.unit != "" {
		m["temporal-unit"] = s.unit
	}
	switch {
	case s.bin.usual:
		m["binning"] = object{"strategy": "default"}
	case s.bin.count > 0:
		m["binning"] = object{"strategy": "num-bins", "num-bins": s.bin.count}
	case s.bin.width > 0:
		m["binning"] = object{"strategy": "bin-width", "bin-width": s.bin.width}
	}
}

func (e *expressionRef) mbql() any {
	m := object{}
	if e.shape.mbql(m); len(m) > 0 {
		return []any{"expression", e.name, m}
	}
	return []any{"expression", e.name}
}

func (e *aggregationRef) mbql() any { return []any{"aggregation", e.index} }
func (e *metricRef) mbql() any      { return []any{"metric", e.card} }

func (e *literal) mbql() any {
	if f, is := e.value.(float64); is { // 2.0 stays no whole number
		s := strconv.FormatFloat(f, 'g', -1, 64)
		if _, err := strconv.ParseInt(s, 10, 64); err == nil {
			s += ".0"
		}
		return json.Number(s)
	}
	return e.value
}

func (e *moment) mbql() any {
	return moved([]any{"relative-datetime", e.amount, e.unit}, e.steps)
}

// moved writes something that is so many steps later.
func moved(m any, steps []step) any {
	if len(steps) == 0 {
		return m
	}
	c := []any{"+", m}
	for _, s := range steps {
		c = append(c, []any{"interval", s.amount, s.unit})
	}
	return c
}

func (e *interval) mbql() any {
	if e.shift != nil {
		return []any{"relative-time-interval", e.subject.mbql(), e.amount, e.unit, e.shift.amount, e.shift.unit}
	}
	c := []any{"time-interval", e.subject.mbql(), e.amount, e.unit}
	if e.current {
		c = append(c, object{"include-current": true})
	}
	return c
}

func (e *call) mbql() any {
	if e.op == "case" {
		var pairs []any
		for i := 0; i+1 < len(e.args); i += 2 {
			pairs = append(pairs, []any{e.args[i].mbql(), e.args[i+1].mbql()})
		}
		c := []any{"case", pairs}
		if len(e.args)%2 == 1 {
			c = append(c, object{"default": e.args[len(e.args)-1].mbql()})
		}
		return c
	}
	if len(e.steps) > 0 {
		return moved(e.args[0].mbql(), e.steps)
	}
	c := []any{e.op}
	for _, a := range e.args {
		c = append(c, a.mbql())
	}
	if e.unit != "" {
		c = append(c, e.unit)
	}
	if e.ignoreCase {
		c = append(c, object{"case-sensitive": false})
	}
	return c
}
