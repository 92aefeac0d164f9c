package query

import (
	"slices"
	"time"
)

// Aggregations that look at other groups - running sums and counts, and the
// value of an earlier or later group - are written over a layer: the grouped
// rows come from a sub-select, whose columns are named by number.

// windowed tells whether the stage has such aggregations. Without anything
// broken out there is one group, and a running sum is a sum.
func (b *block) windowed() bool {
	found := false
	var deep func(e expr)
	deep = func(e expr) {
		if x, is := e.(*call); is && (x.op == "cum-sum" || x.op == "cum-count" || x.op == "offset") {
			found = true
		}
		for _, inner := range e.inside() {
			deep(inner)
		}
	}
	for _, a := range b.aggregations {
		deep(a.expr)
	}
	return found && len(b.breakouts) > 0
}

// leaf moves a value into the layer, if there is one, and names it there.
func (c *compiler) leaf(s *scope, x fragment) fragment {
	if s.layer == "" {
		return x
	}
	s.leaves = append(s.leaves, x)
	return text(s.layer + "." + c.numbered(len(s.leaves)-1))
}

// over is the window of a running aggregation: along what is broken out by the
// finest unit of time, or the last of what is broken out, and anew for each
// combination of the others.
func (c *compiler) over(s *scope) fragment {
	along := len(s.block.breakouts) - 1
	finest := time.Duration(0)
	for i, b := range s.block.breakouts {
		if size, is := sizes[shapeOf(b).unit]; is && (finest == 0 || size < finest) {
			along, finest = i, size
		}
	}
	column := func(i int) fragment { return text(s.layer + "." + c.numbered(i)) }
	var anew []fragment
	for i := range s.block.breakouts {
		if i != along {
			anew = append(anew, column(i))
		}
	}
	f := cat("ORDER BY ", column(along))
	if len(anew) > 0 {
		f = cat("PARTITION BY ", separated(", ", anew), " ", f)
	}
	return f
}

const day = 24 * time.Hour

// sizes order the units that dates are cut to.
var sizes = map[unit]time.Duration{"millisecond": time.Millisecond, "second": time.Second, "minute": time.Minute, "hour": time.Hour,
	"day": day, "week": 7 * day, "month": 30 * day, "quarter": 91 * day, "year": 365 * day}

// offset writes ["offset", aggregation, n]: its value n groups on.
func (c *compiler) offset(s *scope, e *call) (value, error) {
	n, is := e.args[1].(*literal)
	by, whole := int64(0), false
	if is {
		by, whole = n.value.(int64)
	}
	if !whole || by == 0 || by < -maxStep || by > maxStep {
		return value{}, e.args[1].place().errorf("must be a whole number other than 0")
	}
	if s.layer == "" {
		return value{}, e.at.errorf("%q needs something to be broken out", e.op)
	}
	if b := (&block{aggregations: []aggregation{{expr: e.args[0]}}, breakouts: slices.Clone(s.block.breakouts)}); b.windowed() {
		return value{}, e.args[0].place().errorf("a running aggregation cannot stand inside of %q", e.op)
	}
	v, err := c.aggregate(s, e.args[0])
	if err != nil {
		return value{}, err
	}
	name := "lead"
	if by < 0 {
		name, by = "lag", -by
	}
	v.sql = cat(name+"(", v.sql, ", "+itoa(by)+") OVER (", c.over(s), ")")
	v.column.DisplayName = clipped("Offset of " + v.column.DisplayName)
	return v, nil
}
