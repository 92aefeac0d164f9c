// Package gate reads SQL that a person typed with the grammar of its engine,
// refuses what is on no list, and prints what it read. What is printed is sent
// to the engine and nothing else, so that no comment and no spelling means one
// thing here and another there.
//
// It is the wall in front of the one that the engine itself holds (views,
// logins and grants, see docs/security.md), and is there for what an engine
// cannot hide: names, sizes, plans, settings, and functions that run text.
// Everything is refused that is not known: kinds of statements, of nodes in
// their trees, functions, types, and relations.
package gate

import "fmt"

// Names tells what a table that the SQL names stands for: the relation that is
// read in its place. The schema is "" where the SQL names none. It is asked for
// names that are tables, not for those of WITH and not for aliases. False means
// that there is no such table for the person, whether there is one or not.
type Names func(schema, name string) (inSchema, in string, ok bool)

// Refusal is an error that says in a sentence for the person why SQL was
// refused. It holds no name but those that stand in the SQL.
type Refusal struct {
	Message  string
	Position int // of the character, from 1; 0 where it is not known
}

func (r *Refusal) Error() string {
	if r.Position > 0 {
		return fmt.Sprintf("%s (at character %d)", r.Message, r.Position)
	}
	return r.Message
}

func refuse(at int, format string, args ...any) *Refusal {
	return &Refusal{fmt.Sprintf(format, args...), at}
}

// maxSQL bounds the bytes of SQL, as it comes and as it is printed.
const maxSQL = 200_000

// maxLiterals bounds numbers and strings, which no other bound counts. A list
// of them costs seconds from some ten thousand on.
const maxLiterals = 10_000
