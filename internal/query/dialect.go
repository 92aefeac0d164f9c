package query

import (
	"fmt"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Dialect is how an engine wants its SQL written. The zero value is none; make
// one with [DialectOf], [SQLite], [PostgreSQL] or [MySQL].
type Dialect struct{ dialect }

// DialectOf is the dialect of a catalog.Database's engine, or an error for an
// engine whose SQL is not written yet.
func DialectOf(engine string) (Dialect, error) {
	for _, d := range []Dialect{SQLite(), PostgreSQL(), MySQL()} {
		if d.engine() == engine {
			return d, nil
		}
	}
	return Dialect{}, fmt.Errorf("questions on databases of the engine %q are not supported yet", engine)
}

// dialect is everything in which engines differ. Each engine has one file that
// holds all of it; the rest of the package asks for no engine's name.
//
// What it writes may raise an error that depends on a row, as a division can.
// A condition of the person can be evaluated before the row filter of a
// sandbox, and the error would tell of rows that are hidden: see [compiler.risk].
type dialect interface {
	engine() string // the engine's name in the catalog
	// zoned tells whether the engine knows time zones. One that does not
	// counts days in UTC.
	zoned() bool

	quote(name string) string
	// placeholder is the n-th argument, from 1, in a form whose type the
	// engine knows, and the value to bind for it.
	placeholder(n int, v any, as argumentType) (sql string, arg any)
	lexis() lexis // of SQL typed by people
	// fence ends a sub-select so that no condition moves into it from outside.
	fence() string
	// joins tells whether the engine has a strategy.
	joins(strategy string) bool

	// stored is a column as it is read where its table is scanned: what the
	// engine can neither compare nor group is made text.
	stored(f *catalog.Field, x fragment) fragment
	// exactly compares a stored column with the value of an attribute: text
	// byte by byte, whatever collation the column has. invalid says what is
	// wrong with a value that the engine would not take; "" for nothing.
	exactly(k class, x fragment, v any) fragment
	invalid(k class, v string) string
	// differs is true also when just one of the two is null.
	differs(x, y fragment) fragment
	// match tells where text begins with, ends with or contains the pattern,
	// whose characters stand for themselves.
	match(op string, x fragment, pattern string, ignoreCase bool) fragment

	// moment is an argument that is comparable with values of a kind of date
	// or time; comparable gives values a form in which they compare.
	moment(k class, t time.Time) fragment
	comparable(k class, x fragment) fragment
	// local makes a value of a kind a date with time, as clocks in the zone
	// show it; global makes it the kind again. A time of the day stays.
	local(k class, zone string, x fragment) fragment
	global(k class, zone string, x fragment) fragment
	// cut and part apply a unit to a local value, where weeks begin on first.
	cut(u unit, first time.Weekday, x fragment) fragment
	part(u unit, first time.Weekday, x fragment) fragment
	// add moves a local value; dateOnly says that it is of whole days, and
	// stays so.
	add(x fragment, s step, dateOnly bool) fragment
	days(x, y fragment) fragment          // the days from one local value to the other
	seconds(x, y fragment) fragment       // the whole seconds from one to the other
	quotient(x fragment, by int) fragment // of whole numbers, cut towards 0
	// rezone shows a local value of one zone as clocks of another do.
	rezone(x fragment, from, to string) (fragment, bool)

	// lastOf hides all of a text but its last n characters, and how long it is;
	// a text that is no longer than that is hidden whole.
	lastOf(x fragment, n int) fragment
	// keyedHash is the same for equal texts, and tells nothing of them to who
	// does not know the key.
	keyedHash(x fragment, key string) fragment

	divide(x, y fragment) fragment // null for a division by zero
	concat(all []fragment) fragment
	atLeast(x fragment, low int) fragment
	// cast makes a value of a kind text, or a whole number, a number, a date
	// or a date with time: the operators of these names.
	cast(op string, k class, x fragment) fragment
	// function and aggregate are false for those that the engine does not
	// have.
	function(op string, args []fragment) (fragment, bool)
	aggregate(op string, k class, args []fragment) (fragment, bool)
}

// argumentType says how an argument is to be taken.
type argumentType uint8

const (
	asItIs    argumentType = iota // by the type of its value
	asTyped                       // as if a person had written it into SQL
	asNeeded                      // by what stands beside it
	asUUID                        //
	asDate                        // text is a date,
	asClock                       // a date with time,
	asInstant                     // a date with time and zone,
	asTime                        // a time of the day
)

// plainFunctions are those that every engine has under this name.
var plainFunctions = map[string]string{"lower": "lower", "upper": "upper", "trim": "trim", "ltrim": "ltrim", "rtrim": "rtrim",
	"abs": "abs", "ceil": "ceil", "floor": "floor", "exp": "exp", "power": "power", "replace": "replace"}

// plainFunction writes one of them.
func plainFunction(op string, args []fragment) (fragment, bool) {
	name := plainFunctions[op]
	return cat(name+"(", separated(", ", args), ")"), name != ""
}

// plainAggregate writes those that every engine has.
func plainAggregate(op string, args []fragment) (fragment, bool) {
	switch op {
	case "count", "sum", "avg", "min", "max":
		return cat(op+"(", args[0], ")"), true
	case "distinct":
		return cat("count(DISTINCT ", args[0], ")"), true
	}
	return nil, false
}

// weekday is the number of a day of the week, from 0, where weeks begin on
// first; x counts from Sunday.
func weekday(x fragment, first time.Weekday) fragment {
	if first == time.Sunday {
		return x
	}
	return cat("((", x, " + "+itoa(int64(7-first))+") % 7)")
}
