package query

import (
	"encoding/json"
	"strconv"
)

// binned puts a number into a bin, named by its lower end. Bins of a width lie
// at its multiples. A number of bins goes over the range of the values that
// the person may see, in a width that is rounded up to 1, 2, 2.5 or 5 times a
// power of ten: what lies in rows that are hidden does not show in it.
func (c *compiler) binned(s *scope, v *value, b binning, at *node, label string, r *relation) error {
	if k := classOf(v.base); k != aNumber {
		return at.errorf("%s is %s, which cannot be put into bins", label, k)
	}
	wanted := b
	if b.usual {
		b = binning{count: usualBins}
		if t := v.column.SemanticType; t != nil && (*t == "type/Latitude" || *t == "type/Longitude" || *t == "type/Coordinate") {
			b = binning{width: usualDegrees}
		}
	}
	c.risk()
	info := map[string]any{"binning_strategy": "bin-width", "bin_width": b.width}
	floor := func(x fragment) (fragment, error) {
		f, ok := c.Dialect.function("floor", []fragment{x})
		if !ok {
			return nil, at.errorf("the engine %s has no function for binning", c.Dialect.engine())
		}
		return f, nil
	}
	if b.width > 0 {
		f, err := floor(cat("(", v.sql, " / ", bound(b.width), ")"))
		if err != nil {
			return err
		}
		v.sql = cat("(", f, " * ", bound(b.width), ")")
		v.column.DisplayName += ": " + strconv.FormatFloat(b.width, 'f', -1, 64)
	} else {
		if r == nil {
			return at.errorf("a number of bins needs a field; bins of %s need a width", label)
		}
		if c.ranges++; c.ranges > maxSources {
			return at.errorf("there are more than %d numbers of bins in the question", maxSources)
		}
		width, err := c.width(s, v.sql, b.count, r)
		if err != nil {
			return err
		}
		f, err := floor(cat("(", v.sql, " / ", width, ")"))
		if err != nil {
			return err
		}
		v.sql = cat("coalesce(", f, " * ", width, ", ", v.sql, ")")
		v.column.DisplayName += ": " + itoa(b.count) + " bins"
		info = map[string]any{"binning_strategy": "num-bins", "num_bins": b.count}
	}
	v.base = "type/Float"
	v.column.BaseType, v.column.EffectiveType = v.base, v.base
	v.column.shape = shape{bin: wanted}
	v.column.DisplayName = clipped(v.column.DisplayName)
	var err error
	v.column.Binning, err = json.Marshal(info)
	return err
}

// width joins the width of so many bins to the stage and names it. It is null
// where all values are the same. x is a column of r.
func (c *compiler) width(s *scope, x fragment, count int64, r *relation) (fragment, error) {
	col := func(i int) string { return c.numbered(i) }
	call := func(op string, args ...fragment) fragment {
		f, _ := c.Dialect.function(op, args) // every engine has these
		return f
	}
	// The same rows under the same name, so that x means the same column.
	span := cat("SELECT nullif((max(", x, ") - min(", x, ")) / "+itoa(count)+".0, 0) AS "+col(0)+" FROM (", r.body, ") AS "+r.sql)
	a, b, d := c.alias(), c.alias(), c.alias()
	raw, power := text(a+"."+col(0)), cat(call("power", text("10"), call("floor", call("log", text(a+"."+col(0))))))
	scale := cat("SELECT ", raw, " AS "+col(0)+", ", power, " AS "+col(1)+" FROM (", span, ") AS "+a)
	w, p := b+"."+col(0), b+"."+col(1)
	nice := cat("SELECT "+p+" * CASE WHEN "+w+" <= "+p+" THEN 1 WHEN "+w+" <= "+p+" * 2 THEN 2 WHEN "+w+" <= "+p+" * 2.5 THEN 2.5 WHEN "+
		w+" <= "+p+" * 5 THEN 5 ELSE 10 END AS "+col(0)+" FROM (", scale, ") AS "+b)
	s.extra = cat(s.extra, " CROSS JOIN (", nice, ") AS "+d)
	return text(d + "." + col(0)), nil
}
