package query

import (
	"cmp"
	"encoding/json"
	"slices"
)

// measured is the stage with the aggregations, conditions, joins and
// expressions of the metrics that it names in their place.
func (c *compiler) measured(b *block) (*block, error) {
	var err error
	m := &measuring{c: c, b: *b}
	m.b.aggregations = slices.Clone(b.aggregations)
	for i := range m.b.aggregations {
		a := &m.b.aggregations[i]
		var name string
		if ref, is := a.expr.(*metricRef); is {
			if card, err := c.card(source{at: ref.at, card: ref.card}); err == nil {
				name = card.Name
			}
		}
		if a.expr, err = m.replaced(a.expr); err != nil {
			return nil, err
		}
		a.displayName = cmp.Or(a.displayName, name)
	}
	if m.metrics == 0 {
		return b, nil
	}
	return &m.b, nil
}

// measuring puts metrics into a stage.
type measuring struct {
	c       *compiler
	b       block
	metrics int
	filter  string // of the metrics so far, as JSON
	depth   int
}

// replaced is the clause with its metrics replaced.
func (m *measuring) replaced(e expr) (expr, error) {
	switch e := e.(type) {
	case *metricRef:
		return m.metric(e)
	case *call:
		n := *e
		n.args = slices.Clone(e.args)
		for i, a := range n.args {
			var err error
			if n.args[i], err = m.replaced(a); err != nil {
				return nil, err
			}
		}
		return &n, nil
	default:
		return e, nil
	}
}

// metric is the aggregation of a saved question on the same source. All that
// the question counts on becomes part of the stage.
func (m *measuring) metric(e *metricRef) (expr, error) {
	src := source{at: e.at, card: e.card}
	card, err := m.c.card(src)
	if err != nil {
		return nil, err
	}
	wrong := func(why string) error { return e.at.errorf("card %d %s", e.card, why) }
	if card.Query.Native() {
		return nil, wrong("is SQL, and no metric")
	}
	of, err := card.Query.governed()
	if err != nil {
		return nil, inCard(src, err)
	}
	if m.depth++; m.depth > maxStages {
		return nil, wrong("is made of too many metrics")
	}
	defer func() { m.depth-- }()
	if len(of.aggregations) != 1 {
		return nil, wrong("has no aggregation, or several, and is no metric")
	}
	on := &m.b.source
	if on.card == e.card { // a question that was begun with the metric
		*on = of.source
	}
	if on.block != nil || of.source.block != nil || on.table != of.source.table || on.card != of.source.card {
		return nil, wrong("is a metric of another source than this stage")
	}
	if err := m.add(of, wrong); err != nil {
		return nil, err
	}
	return m.replaced(of.aggregations[0].expr)
}

// add makes what a metric counts on part of the stage.
func (m *measuring) add(of *block, wrong func(string) error) error {
	var filter string
	if of.filter != nil {
		raw, err := json.Marshal(of.filter.mbql())
		if err != nil {
			return err
		}
		filter = string(raw)
	}
	m.metrics++
	switch {
	case m.metrics > 1 && filter != m.filter:
		return wrong("counts other rows than another metric of this stage")
	case m.metrics > 1 || filter == "":
	case m.b.filter == nil:
		m.b.filter = of.filter
	default:
		m.b.filter = &call{at: m.b.at, op: "and", args: []expr{m.b.filter, of.filter}}
	}
	m.filter = filter
	for _, j := range of.joins {
		i := slices.IndexFunc(m.b.joins, func(k join) bool { return k.alias == j.alias })
		switch {
		case i < 0:
			j.all, j.fields = false, nil
			m.b.joins = append(slices.Clone(m.b.joins), j)
		case !sameJSON(j.bare(), m.b.joins[i].bare()):
			return wrong("has a join of the same name as this stage and another meaning")
		}
	}
	for _, x := range of.expressions {
		i := slices.IndexFunc(m.b.expressions, func(y expression) bool { return y.name == x.name })
		switch {
		case i < 0:
			m.b.expressions = append(slices.Clone(m.b.expressions), x)
		case !sameJSON(x.expr.mbql(), m.b.expressions[i].expr.mbql()):
			return wrong("has an expression of the same name as this stage and another meaning")
		}
	}
	return nil
}

// bare is the join without the fields that it shows.
func (j join) bare() any {
	j.all, j.fields = false, nil
	return j.mbql()
}

func sameJSON(a, b any) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(x) == string(y)
}
