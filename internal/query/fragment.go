package query

import "strings"

// fragment is a piece of SQL: text that this package wrote and values to bind,
// in their order. Text of a person gets into one only through bound and, for
// native questions, through native.fill.
type fragment []token

type token struct {
	text  string
	value any
	bound bool
}

func text(s string) fragment { return fragment{{text: s}} }

func bound(v any) fragment { return fragment{{value: v, bound: true}} }

// cat joins strings that stand in this package's source and fragments.
func cat(parts ...any) fragment {
	var f fragment
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			f = append(f, token{text: p})
		case fragment:
			f = append(f, p...)
		default:
			panic("query: only text and fragments make SQL")
		}
	}
	return f
}

// separated puts a separator between the fragments.
func separated(sep string, all []fragment) fragment {
	var f fragment
	for i, part := range all {
		if i > 0 {
			f = append(f, token{text: sep})
		}
		f = append(f, part...)
	}
	return f
}

// balanced joins operands of an associative operator in parentheses, as a
// tree so flat that no engine's limit on depth is met.
func balanced(op string, all []fragment) fragment {
	if len(all) == 1 {
		return all[0]
	}
	if len(all) <= 4 {
		return cat("(", separated(op, all), ")")
	}
	half := len(all) / 2
	return cat("(", balanced(op, all[:half]), op, balanced(op, all[half:]), ")")
}

// render writes the SQL with placeholders numbered in their order.
func (f fragment) render(d Dialect) (string, []any) {
	var b strings.Builder
	var args []any
	for _, t := range f {
		if t.bound {
			args = append(args, t.value)
			b.WriteString(d.placeholder(len(args)))
		} else {
			b.WriteString(t.text)
		}
	}
	return b.String(), args
}

// values counts what is to be bound.
func (f fragment) values() int {
	n := 0
	for _, t := range f {
		if t.bound {
			n++
		}
	}
	return n
}
