package query

import (
	"fmt"
	"slices"
	"strings"
)

// aggregate writes a clause that puts rows together, or arithmetic of such.
func (c *compiler) aggregate(s *scope, e expr) (value, error) {
	leave, err := c.nested(e)
	defer leave()
	if err != nil {
		return value{}, err
	}
	switch e := e.(type) {
	case *literal:
		v := literalValue(e)
		if classOf(v.base) != aNumber {
			return v, e.at.errorf("must be a number or an aggregation")
		}
		v.column.DisplayName = fmt.Sprint(e.value)
		return v, nil
	case *call:
		var v value
		switch {
		case e.op == "offset":
			v, err = c.offset(s, e)
		case operators[e.op].use&asValue != 0:
			v, err = c.aggregateArithmetic(s, e)
		default:
			v, err = c.aggregateOne(s, e)
		}
		if err == nil {
			err = c.fits(e, v.sql)
		}
		v.column.BaseType, v.column.EffectiveType = v.base, v.base
		return v, err
	default:
		return value{}, e.place().errorf("this is not an aggregation")
	}
}

// aggregateArithmetic writes arithmetic of aggregations.
func (c *compiler) aggregateArithmetic(s *scope, e *call) (value, error) {
	var args []fragment
	var labels []string
	for _, a := range e.args {
		v, err := c.aggregate(s, a)
		if err != nil {
			return value{}, err
		}
		if k := classOf(v.base); k != aNumber && k != aThing {
			return value{}, a.place().errorf("%q needs a number here, not %s", e.op, k)
		}
		args, labels = append(args, v.sql), append(labels, v.column.DisplayName)
	}
	v := value{base: "type/Float"}
	label := strings.Join(labels, " "+e.op+" ")
	switch {
	case strings.Contains("+-*/", e.op):
		v.sql = c.arithmetic(e.op, args)
	case e.op == "coalesce":
		v.sql = cat("coalesce(", separated(", ", args), ")")
		label = "coalesce(" + strings.Join(labels, ", ") + ")"
	default:
		var ok bool
		if v.sql, ok = c.Dialect.function(e.op, args); !ok {
			return value{}, e.at.errorf("the engine %s has no function for %q", c.Dialect.engine(), e.op)
		}
		label = e.op + "(" + strings.Join(labels, ", ") + ")"
	}
	v.column.Name, v.column.DisplayName = "expression", clipped(label)
	return v, nil
}

// clipped keeps display names that are put together within bounds.
func clipped(s string) string {
	if r := []rune(s); len(r) > maxNames {
		return string(r[:maxNames])
	}
	return s
}

// aggregateNames are the column name and the words of the display name.
var aggregateNames = map[string][2]string{"count": {"count", "Count"}, "distinct": {"count", "Distinct values of "},
	"sum": {"sum", "Sum of "}, "avg": {"avg", "Average of "}, "min": {"min", "Min of "}, "max": {"max", "Max of "},
	"count-where": {"count", "Count of rows matching condition"}, "sum-where": {"sum", "Sum of matching "},
	"distinct-where": {"count", "Distinct matching values of "}, "share": {"share", "Share of rows matching condition"},
	"median": {"median", "Median of "}, "percentile": {"percentile", "Percentile of "}, "stddev": {"stddev", "Standard deviation of "},
	"var": {"var", "Variance of "}, "cum-sum": {"sum", "Cumulative sum of "}, "cum-count": {"count", "Cumulative count"}}

// numeric are the aggregations that need numbers.
var numeric = []string{"sum", "cum-sum", "sum-where", "avg", "median", "percentile", "stddev", "var"}

// quantity is the semantic type of counts.
const quantity = "type/Quantity"

func (c *compiler) aggregateOne(s *scope, e *call) (value, error) {
	out := value{base: "type/Integer"}
	out.column.Name, out.column.DisplayName = aggregateNames[e.op][0], aggregateNames[e.op][1]
	if out.column.Name == "count" {
		semantic := quantity
		out.column.SemanticType = &semantic
	}
	var when fragment
	if i := slices.Index(operators[e.op].args, asCondition); i >= 0 {
		var err error
		if when, err = c.condition(s, e.args[i]); err != nil {
			return value{}, err
		}
	}
	matching := func(x fragment) fragment { return cat("CASE WHEN ", when, " THEN ", x, " END") }
	var err error
	switch e.op {
	case "count-where":
		out.sql = cat("count(", matching(text("1")), ")")
	case "share":
		out.base = "type/Float"
		out.sql = c.Dialect.divide(cat("count(", matching(text("1")), ")"), text("count(*)"))
	case "count", "cum-count":
		out.sql = text("count(*)")
		if len(e.args) == 1 {
			var v value
			v, err = c.value(s, e.args[0])
			out.sql = cat("count(", v.sql, ")")
		}
	default:
		err = c.aggregateValue(s, e, matching, &out)
	}
	if err != nil {
		return value{}, err
	}
	if out.sql = c.leaf(s, out.sql); s.layer != "" && (e.op == "cum-sum" || e.op == "cum-count") {
		out.sql = cat("sum(", out.sql, ") OVER (", c.over(s), " ROWS UNBOUNDED PRECEDING)")
	}
	return out, nil
}

// aggregateValue writes an aggregation of a value.
func (c *compiler) aggregateValue(s *scope, e *call, matching func(fragment) fragment, out *value) error {
	v, err := c.value(s, e.args[0])
	if err != nil {
		return err
	}
	k := classOf(v.base)
	op, args := e.op, []fragment{v.sql}
	if slices.Contains(numeric, op) && k != aNumber && k != aThing {
		return e.args[0].place().errorf("%q needs a number here, not %s", op, k)
	}
	switch op {
	case "sum", "cum-sum", "sum-where", "min", "max":
		out.base = v.base
		if k == aNumber && isMeasure(v.column.SemanticType) {
			out.column.SemanticType = v.column.SemanticType
		}
	case "avg", "median", "stddev", "var":
		out.base = "type/Float"
	case "percentile":
		out.base = "type/Float"
		x, err := share(e.args[1])
		if err != nil {
			return err
		}
		args = append(args, x)
	}
	switch op {
	case "sum-where", "distinct-where":
		op, args[0] = strings.TrimSuffix(op, "-where"), matching(v.sql)
	case "cum-sum":
		op = "sum"
	}
	sql, ok := c.Dialect.aggregate(op, k, args)
	if !ok {
		return e.at.errorf("the engine %s has no function for %q", c.Dialect.engine(), e.op)
	}
	out.sql = sql
	out.column.DisplayName = clipped(out.column.DisplayName + v.column.DisplayName)
	return nil
}

// share is a number from 0 to 1 that is written out.
func share(e expr) (fragment, error) {
	var x float64 = -1
	if l, is := e.(*literal); is {
		switch v := l.value.(type) {
		case int64:
			x = float64(v)
		case float64:
			x = v
		}
	}
	if x < 0 || x > 1 {
		return nil, e.place().errorf("must be a number from 0 to 1")
	}
	return bound(x), nil
}

// isMeasure tells whether a semantic type still holds of a sum: a currency
// does, a key does not.
func isMeasure(semantic *string) bool {
	return semantic != nil && *semantic != "type/PK" && *semantic != "type/FK"
}
