package query

import "strings"

// fragment is a piece of SQL: text that this package wrote and values to bind,
// in their order. Text of a person gets into one only through bound and, for
// native questions, through spliced.
type fragment []token

type token struct {
	text  string
	value any
	bound bool
	as    argumentType // of a bound value
	fence bool         // a fence, where the statement needs them
	// Of views: the places of the schema of the table, and of the beginning of
	// a call that hashes a value of a field.
	schema, hash bool
}

func text(s string) fragment { return fragment{{text: s}} }

func bound(v any) fragment { return fragment{{value: v, bound: true}} }

func boundAs(v any, as argumentType) fragment { return fragment{{value: v, bound: true, as: as}} }

// cat joins strings that stand in this package's source and fragments.
func cat(parts ...any) fragment {
	n := 0
	for _, p := range parts {
		if p, is := p.(fragment); is {
			n += len(p)
		} else {
			n++
		}
	}
	f := make(fragment, 0, n)
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
	n := len(all)
	for _, part := range all {
		n += len(part)
	}
	f := make(fragment, 0, n)
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

// render writes the SQL with placeholders numbered in their order, and with
// the fences if they are needed.
func (f fragment) render(d Dialect, fenced bool) (string, []any) {
	var b strings.Builder
	var args []any
	for _, t := range f {
		switch {
		case t.bound:
			sql, arg := d.placeholder(len(args)+1, t.value, t.as)
			args = append(args, arg)
			b.WriteString(sql)
		case !t.fence:
			b.WriteString(t.text)
		case fenced:
			b.WriteString(d.fence())
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
