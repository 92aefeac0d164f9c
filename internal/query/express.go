package query

import (
	"strconv"
	"time"
)

// Bounds on what is written. They keep a small question from becoming a huge
// statement, as expressions that use others twice would.
const (
	maxNesting = 50        // clauses inside one another, expressions followed
	maxTokens  = 50_000    // pieces of one value or condition
	maxWork    = 1_000_000 // pieces of all of them, those inside of others counted again
)

func itoa(i int64) string { return strconv.FormatInt(i, 10) }

// nested counts the depth of clauses; leave must be called when done.
func (c *compiler) nested(e expr) (leave func(), err error) {
	if c.depth++; c.depth > maxNesting {
		err = e.place().errorf("clauses are nested too deep: more than %d levels", maxNesting)
	}
	return func() { c.depth-- }, err
}

// fits refuses what becomes too large.
func (c *compiler) fits(e expr, f fragment) error {
	if c.work += len(f); len(f) > maxTokens || c.work > maxWork {
		return e.place().errorf("this makes too large a statement")
	}
	return nil
}

// value writes a clause that has a value.
func (c *compiler) value(s *scope, e expr) (value, error) {
	leave, err := c.nested(e)
	defer leave()
	if err != nil {
		return value{}, err
	}
	var v value
	switch e := e.(type) {
	case *fieldRef:
		return c.field(s, e)
	case *expressionRef:
		v, err = c.expression(s, e)
	case *literal:
		return literalValue(e), nil
	case *moment:
		var t time.Time
		if t, err = c.moment(e); err == nil {
			v = value{sql: c.Dialect.moment(aDateTime, t), base: "type/DateTime"}
		}
	case *call:
		v, err = c.operation(s, e)
	case *interval, *aggregationRef, *metricRef:
		err = e.place().errorf("this is not a value")
	}
	if err == nil {
		err = c.fits(e, v.sql)
	}
	return v, err
}

func literalValue(e *literal) value {
	v := value{sql: bound(e.value), base: "type/*"}
	switch e.value.(type) {
	case nil:
		v.sql = text("NULL")
	case bool:
		v.base = "type/Boolean"
	case int64:
		v.base = "type/Integer"
	case float64:
		v.base = "type/Float"
	case string:
		v.base = "type/Text"
	}
	return v
}

// calm are the operators that fail for no row.
var calm = map[string]bool{"coalesce": true, "case": true, "lower": true, "upper": true, "trim": true, "ltrim": true, "rtrim": true,
	"length": true, "now": true, "today": true}

// operation writes an operator that gives a value.
func (c *compiler) operation(s *scope, e *call) (value, error) {
	if !calm[e.op] {
		c.risk()
	}
	switch e.op {
	case "case":
		return c.cases(s, e)
	case "coalesce":
		return c.coalesce(s, e)
	case "now", "today":
		u, k := unit("millisecond"), aDateTime
		if e.op == "today" {
			u, k = "day", aDate
		}
		t := u.floor(c.now, c.FirstDay)
		return value{sql: c.Dialect.moment(k, t), base: baseOf[k]}, nil
	case "datetime-add", "datetime-diff", "temporal-extract", "convert-timezone", "month-name", "quarter-name", "day-name":
		return c.temporal(s, e)
	case "integer", "float", "text", "date", "datetime":
		return c.cast(s, e)
	}
	return c.function(s, e)
}

// baseOf is the type that values of a class that was computed have.
var baseOf = map[class]string{aThing: "type/*", aNumber: "type/Float", aText: "type/Text", aBoolean: "type/Boolean", aDate: "type/Date",
	aDateTime: "type/DateTime", aInstant: "type/DateTimeWithLocalTZ", aTime: "type/Time", aUUID: "type/UUID"}

// operand writes an argument that must be of a class, or unknown.
func (c *compiler) operand(s *scope, op string, e expr, want class) (value, error) {
	v, err := c.value(s, e)
	if err != nil {
		return v, err
	}
	k := classOf(v.base)
	switch {
	case k == want || k == aThing:
		return v, nil
	case k.kin() == want && want == aText:
		v.sql, v.base = c.Dialect.cast("text", k, v.sql), "type/Text"
		return v, nil
	}
	return v, e.place().errorf("%q needs %s here, not %s", op, want, k)
}

// coalesce writes the first of its operands that is not null.
func (c *compiler) coalesce(s *scope, e *call) (value, error) {
	m := merger{op: e.op}
	for _, a := range e.args {
		v, err := c.value(s, a)
		if err != nil {
			return value{}, err
		}
		if err := m.add(c, a, v); err != nil {
			return value{}, err
		}
	}
	if len(m.all) == 1 {
		return value{sql: m.all[0], base: m.base}, nil
	}
	return value{sql: cat("coalesce(", separated(", ", m.all), ")"), base: m.base}, nil
}

// merger holds values of which one is the result, so that they must be of one
// kind.
type merger struct {
	op   string
	all  []fragment
	base string
	k    class
}

func (m *merger) add(c *compiler, at expr, v value) error {
	k := classOf(v.base)
	switch {
	case m.base == "", m.k == aThing:
		m.base, m.k = v.base, k
	case k == aThing:
	case k.kin() != m.k.kin():
		return at.place().errorf("%q gives one kind of value: %s cannot stand beside %s", m.op, k, m.k)
	case k == aUUID && m.k != k:
		v.sql = c.Dialect.cast("text", k, v.sql)
	case m.k == aUUID && m.k != k:
		for i := range m.all {
			m.all[i] = c.Dialect.cast("text", m.k, m.all[i])
		}
		m.base, m.k = v.base, k
	case m.base == "type/Integer" && v.base == "type/Float":
		m.base = v.base
	case m.k == aDate && k != aDate:
		m.base, m.k = v.base, k
	}
	m.all = append(m.all, v.sql)
	return nil
}

func (c *compiler) cases(s *scope, e *call) (value, error) {
	m := merger{op: e.op}
	var whens []fragment
	for i, a := range e.args {
		if i%2 == 0 && i+1 < len(e.args) {
			when, err := c.condition(s, a)
			if err != nil {
				return value{}, err
			}
			whens = append(whens, when)
			continue
		}
		v, err := c.value(s, a)
		if err != nil {
			return value{}, err
		}
		if err := m.add(c, a, v); err != nil {
			return value{}, err
		}
	}
	sql := text("(CASE")
	for i, x := range m.all {
		if i < len(whens) {
			sql = cat(sql, " WHEN ", whens[i], " THEN ", x)
		} else {
			sql = cat(sql, " ELSE ", x)
		}
	}
	return value{sql: cat(sql, " END)"), base: m.base}, nil
}

// moment is the time that a relative date means.
func (c *compiler) moment(e *moment) (time.Time, error) {
	t, err := e.unit.add(e.unit.floor(c.now, c.FirstDay), e.amount)
	for _, s := range e.steps {
		if err == nil {
			t, err = s.unit.add(t, s.amount)
		}
	}
	if err != nil {
		return t, e.at.errorf("%s", err)
	}
	return t, nil
}
