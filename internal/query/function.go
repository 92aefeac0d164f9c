package query

import (
	"regexp"
	"strings"
)

// function writes arithmetic and the functions of numbers and text.
func (c *compiler) function(s *scope, e *call) (value, error) {
	if e.op == "concat" {
		return c.concat(s, e)
	}
	want, result := aText, "type/Text"
	switch e.op {
	case "+", "-", "*", "/", "abs", "ceil", "floor", "round", "power", "sqrt", "exp", "log":
		want, result = aNumber, "type/Float"
	case "length":
		result = "type/Integer"
	}
	var args []fragment
	allWhole := true
	base := ""
	for i, a := range e.args {
		if e.op == "regex-match-first" && i == 1 {
			x, err := pattern(a)
			if err != nil {
				return value{}, err
			}
			args = append(args, x)
			continue
		}
		w := want
		if low, is := counted[e.op][i]; is {
			w = aNumber
			if err := atLeast(a, low); err != nil {
				return value{}, err
			}
		}
		v, err := c.operand(s, e.op, a, w)
		if err != nil {
			return value{}, err
		}
		if low, is := counted[e.op][i]; is {
			if _, written := a.(*literal); !written {
				v.sql = c.Dialect.atLeast(v.sql, low)
			}
		}
		if base == "" {
			base = v.base
		}
		allWhole = allWhole && whole(v.base)
		args = append(args, v.sql)
	}
	if strings.Contains("+-*/", e.op) {
		if allWhole && e.op != "/" {
			result = "type/Integer"
		}
		return value{sql: c.arithmetic(e.op, args), base: result}, nil
	}
	switch e.op {
	case "abs", "round":
		result = base
	case "ceil", "floor":
		result = "type/Integer"
	}
	sql, ok := c.Dialect.function(e.op, args)
	if !ok {
		return value{}, e.at.errorf("the engine %s has no function for %q", c.Dialect.engine(), e.op)
	}
	return value{sql: sql, base: result}, nil
}

// counted are the arguments that are positions or lengths, with the least
// that they can be: below it engines differ.
var counted = map[string]map[int]int{"substring": {1: 1, 2: 0}, "split-part": {2: 1}}

// atLeast refuses a number that is written out and too small.
func atLeast(e expr, low int) error {
	l, is := e.(*literal)
	if !is {
		return nil
	}
	if i, is := l.value.(int64); !is || i < int64(low) || i > 1<<31-1 {
		return l.at.errorf("must be a whole number from %d", low)
	}
	return nil
}

// concat puts text together. Other values are written as text.
func (c *compiler) concat(s *scope, e *call) (value, error) {
	var all []fragment
	for _, a := range e.args {
		v, err := c.value(s, a)
		if err != nil {
			return value{}, err
		}
		if k := classOf(v.base); k != aText {
			v.sql = c.Dialect.cast("text", k, v.sql)
		}
		all = append(all, v.sql)
	}
	return value{sql: c.Dialect.concat(all), base: "type/Text"}, nil
}

// options begin a pattern and hold for all of it.
var options = regexp.MustCompile(`^\(\?[a-z]+\)`)

// pattern is a regular expression that is written out, as an argument. What
// it matches as a whole is its first group.
func pattern(e expr) (fragment, error) {
	l, is := e.(*literal)
	if !is {
		return nil, e.place().errorf("must be a pattern that is written out here")
	}
	p, is := l.value.(string)
	if !is || p == "" {
		return nil, e.place().errorf("must be a pattern")
	}
	start := options.FindString(p)
	return bound(start + "(" + p[len(start):] + ")"), nil
}

// arithmetic writes a - b - c as a - (b + c), so that long lists stay flat.
func (c *compiler) arithmetic(op string, args []fragment) fragment {
	switch op {
	case "-":
		return cat("(", args[0], " - ", balanced(" + ", args[1:]), ")")
	case "/":
		return c.Dialect.divide(args[0], balanced(" * ", args[1:]))
	}
	return balanced(" "+op+" ", args)
}

// cast makes a value another kind.
func (c *compiler) cast(s *scope, e *call) (value, error) {
	v, err := c.value(s, e.args[0])
	if err != nil {
		return value{}, err
	}
	k := classOf(v.base)
	out := value{base: map[string]string{"integer": "type/Integer", "float": "type/Float", "text": "type/Text", "date": "type/Date", "datetime": "type/DateTime"}[e.op]}
	switch e.op {
	case "integer", "float":
		if k != aThing && k != aText && k != aNumber {
			return out, e.args[0].place().errorf("%q needs text or a number here, not %s", e.op, k)
		}
	case "date", "datetime":
		if k != aThing && k != aText && !k.ofDay() {
			return out, e.args[0].place().errorf("%q needs text or a date here, not %s", e.op, k)
		}
		if k == aInstant {
			v.sql = c.Dialect.local(k, c.zone.String(), v.sql)
		}
	}
	out.sql = c.Dialect.cast(e.op, k, v.sql)
	return out, nil
}
