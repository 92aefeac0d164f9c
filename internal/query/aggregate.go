package query

import (
	"fmt"
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
		if strings.Contains("+-*/", e.op) {
			v, err = c.aggregateArithmetic(s, e)
		} else {
			v, err = c.aggregateOne(s, e)
		}
		if err == nil {
			err = fits(e, v.sql)
		}
		v.column.BaseType, v.column.EffectiveType = v.base, v.base
		return v, err
	default:
		return value{}, e.place().errorf("this is not an aggregation")
	}
}

func (c *compiler) aggregateArithmetic(s *scope, e *call) (value, error) {
	var args []fragment
	var labels []string
	for _, a := range e.args {
		v, err := c.aggregate(s, a)
		if err != nil {
			return value{}, err
		}
		if err := operand(e.op, a, v); err != nil {
			return value{}, err
		}
		args, labels = append(args, v.sql), append(labels, v.column.DisplayName)
	}
	v := value{sql: c.arithmetic(e.op, args), base: "type/Float"}
	v.column.Name, v.column.DisplayName = "expression", clipped(strings.Join(labels, " "+e.op+" "))
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
	"count-where": {"count", "Count of rows matching condition"}, "sum-where": {"sum", "Sum of matching "}}

// quantity is the semantic type of counts.
const quantity = "type/Quantity"

func (c *compiler) aggregateOne(s *scope, e *call) (value, error) {
	out := value{base: "type/Integer"}
	out.column.Name, out.column.DisplayName = aggregateNames[e.op][0], aggregateNames[e.op][1]
	semantic := quantity
	switch e.op {
	case "count", "count-where", "distinct":
		out.column.SemanticType = &semantic
	}
	if e.op == "count" && len(e.args) == 0 {
		out.sql = text("count(*)")
		return out, nil
	}
	if e.op == "count-where" {
		when, err := c.condition(s, e.args[0])
		out.sql = cat("count(CASE WHEN ", when, " THEN 1 END)")
		return out, err
	}
	v, err := c.value(s, e.args[0])
	if err != nil {
		return value{}, err
	}
	switch k := classOf(v.base); {
	case (e.op == "sum" || e.op == "avg" || e.op == "sum-where") && k != aNumber && k != aThing:
		return value{}, e.args[0].place().errorf("%q needs a number here, not %s", e.op, k)
	case e.op == "sum", e.op == "sum-where", e.op == "min", e.op == "max":
		out.base = v.base
		if k == aNumber && isMeasure(v.column.SemanticType) {
			out.column.SemanticType = v.column.SemanticType
		}
	case e.op == "avg":
		out.base = "type/Float"
	}
	if e.op != "count" {
		out.column.DisplayName += v.column.DisplayName
	}
	switch e.op {
	case "distinct":
		out.sql = cat("count(DISTINCT ", v.sql, ")")
	case "sum-where":
		when, err := c.condition(s, e.args[1])
		if err != nil {
			return value{}, err
		}
		out.sql = cat("sum(CASE WHEN ", when, " THEN ", v.sql, " END)")
	default:
		out.sql = cat(e.op+"(", v.sql, ")")
	}
	out.column.DisplayName = clipped(out.column.DisplayName)
	return out, nil
}

// isMeasure tells whether a semantic type still holds of a sum: a currency
// does, a key does not.
func isMeasure(semantic *string) bool {
	return semantic != nil && *semantic != "type/PK" && *semantic != "type/FK"
}
