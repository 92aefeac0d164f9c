package query

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// SQLite is the dialect of SQLite 3.46 and later. Dates are what SQLite's own
// functions read: ISO 8601 text, in UTC where no zone is given.
func SQLite() Dialect { return Dialect{sqlite{}} }

type sqlite struct{}

func (sqlite) engine() string    { return "sqlite" }
func (sqlite) zoned() bool       { return false }
func (sqlite) joins(string) bool { return true }
func (sqlite) fence() string     { return " LIMIT -1" }
func (sqlite) lexis() lexis      { return lexis{brackets: true, backticks: true} }

func (sqlite) quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (sqlite) placeholder(n int, v any, _ argumentType) (string, any) {
	return "?" + strconv.Itoa(n), v
}

func (sqlite) stored(_ *catalog.Field, x fragment) fragment { return x }

func (d sqlite) exactly(k class, x fragment, v any) fragment {
	switch k {
	case aText, aUUID:
		return cat(x, " = ", bound(v), " COLLATE BINARY")
	case aDate:
		return cat("date(", x, ") = date(", bound(v), ")")
	}
	return cat(x, " = ", bound(v))
}

func (sqlite) invalid(class, string) string { return "" }

func (sqlite) differs(x, y fragment) fragment { return cat("(", x, " IS NOT ", y, ")") }

// match does without LIKE, which raises errors on long patterns.
func (sqlite) match(op string, x fragment, pattern string, ignoreCase bool) fragment {
	n, y := strconv.Itoa(utf8.RuneCountInString(pattern)), bound(pattern)
	if ignoreCase {
		x, y = cat("lower(", x, ")"), cat("lower(", y, ")")
	}
	switch {
	case op == "starts-with":
		return cat("(substr(", x, ", 1, "+n+") = ", y, ")")
	case op == "ends-with" && pattern != "":
		return cat("(substr(", x, ", -"+n+") = ", y, ")")
	}
	return cat("(instr(", x, ", ", y, ") > 0)") // every text has the empty one in it
}

// sqliteMoment is how dates with time are written and compared.
const sqliteMoment = "strftime('%Y-%m-%d %H:%M:%f', "

func (sqlite) moment(k class, t time.Time) fragment {
	switch k {
	case aDate:
		return bound(t.Format(time.DateOnly))
	case aTime:
		return bound(t.Format("15:04:05.000"))
	}
	return bound(t.Format("2006-01-02 15:04:05.000"))
}

func (sqlite) comparable(k class, x fragment) fragment {
	switch k {
	case aDate:
		return cat("date(", x, ")")
	case aDateTime, aInstant:
		return cat(sqliteMoment, x, ")")
	case aTime:
		return cat("strftime('%H:%M:%f', ", x, ")")
	}
	return x
}

func (sqlite) local(_ class, _ string, x fragment) fragment  { return x }
func (sqlite) global(_ class, _ string, x fragment) fragment { return x }

func (sqlite) cut(u unit, first time.Weekday, x fragment) fragment {
	switch u {
	case "millisecond":
		return cat(sqliteMoment, x, ")")
	case "second":
		return cat("strftime('%Y-%m-%d %H:%M:%S', ", x, ")")
	case "minute":
		return cat("strftime('%Y-%m-%d %H:%M:00', ", x, ")")
	case "hour":
		return cat("strftime('%Y-%m-%d %H:00:00', ", x, ")")
	case "week": // back to the first day
		return cat("date(", x, ", '-6 days', 'weekday "+itoa(int64(first))+"')")
	case "month":
		return cat("date(", x, ", 'start of month')")
	case "quarter":
		return cat("date(", x, ", 'start of month', (-((strftime('%m', ", x, ") - 1) % 3)) || ' months')")
	case "year":
		return cat("date(", x, ", 'start of year')")
	}
	return cat("date(", x, ")")
}

func (d sqlite) part(u unit, first time.Weekday, x fragment) fragment {
	number := func(format string, x fragment) fragment {
		return cat("CAST(strftime('"+format+"', ", x, ") AS INTEGER)")
	}
	switch u {
	case "second-of-minute":
		return number("%S", x)
	case "minute-of-hour":
		return number("%M", x)
	case "hour-of-day":
		return number("%H", x)
	case "day-of-week":
		return cat("(", weekday(number("%w", x), first), " + 1)")
	case "day-of-week-us":
		return cat("(", number("%w", x), " + 1)")
	case "day-of-week-iso":
		return number("%u", x)
	case "day-of-month":
		return number("%d", x)
	case "day-of-year":
		return number("%j", x)
	case "week-of-year": // days before the year's first beginning of a week are week 1
		return cat("((", number("%j", x), " + ", weekday(number("%w", d.cut("year", first, x)), first), " + 6) / 7)")
	case "week-of-year-us":
		return d.part("week-of-year", time.Sunday, x)
	case "week-of-year-iso":
		return number("%V", x)
	case "month-of-year":
		return number("%m", x)
	case "quarter-of-year":
		return cat("((", number("%m", x), " + 2) / 3)")
	}
	return number("%Y", x)
}

func (sqlite) add(x fragment, s step, dateOnly bool) fragment {
	n, name, floor := s.amount, string(s.unit), ""
	switch m := s.unit.months(); {
	case m > 0:
		n, name, floor = n*int64(m), "month", ", 'floor'" // the last day of a shorter month
	case s.unit == "week":
		n, name = 7*n, "day"
	case s.unit == "millisecond":
		name = ""
	}
	by := strconv.FormatInt(n, 10) + " " + name + "s"
	if name == "" {
		by = strconv.FormatFloat(float64(n)/1000, 'f', 3, 64) + " seconds"
	}
	if n >= 0 {
		by = "+" + by
	}
	if dateOnly {
		return cat("date(", x, ", '"+by+"'"+floor+")")
	}
	return cat(sqliteMoment, x, ", '"+by+"'"+floor+")")
}

func (sqlite) days(x, y fragment) fragment {
	return cat("CAST(julianday(date(", y, ")) - julianday(date(", x, ")) AS INTEGER)")
}

func (sqlite) seconds(x, y fragment) fragment {
	return cat("CAST(unixepoch(", y, ", 'subsec') - unixepoch(", x, ", 'subsec') AS INTEGER)")
}

func (sqlite) quotient(x fragment, by int) fragment {
	return cat("(", x, " / "+strconv.Itoa(by)+")")
}

func (sqlite) rezone(fragment, string, string) (fragment, bool) { return nil, false }

func (sqlite) lastOf(x fragment, n int) fragment {
	last := strconv.Itoa(n)
	return cat("(CASE WHEN length(", x, ") > "+last+" THEN '***' || substr(", x, ", -"+last+") WHEN ", x, " IS NOT NULL THEN '***' END)")
}

// keyedHash calls a function that the server gives its connections: SQLite has
// none.
func (sqlite) keyedHash(x fragment, key string) fragment {
	return cat(SQLiteHash+"(", bound(key), ", ", x, ")")
}

// SQLiteHash is the name of the function of a key and a text that warehouse
// gives connections to SQLite.
const SQLiteHash = "sluice_hash"

func (sqlite) divide(x, y fragment) fragment { return cat("(CAST(", x, " AS REAL) / ", y, ")") }

func (sqlite) concat(all []fragment) fragment { return balanced(" || ", all) }

func (sqlite) atLeast(x fragment, low int) fragment {
	return cat("max(", x, ", "+strconv.Itoa(low)+")")
}

func (sqlite) cast(op string, k class, x fragment) fragment {
	switch op {
	case "text":
		return cat("CAST(", x, " AS TEXT)")
	case "integer":
		if k == aNumber {
			x = cat("round(", x, ")")
		}
		return cat("CAST(", x, " AS INTEGER)")
	case "float":
		return cat("CAST(", x, " AS REAL)")
	case "date":
		return cat("date(", x, ")")
	}
	return cat(sqliteMoment, x, ")")
}

func (sqlite) function(op string, args []fragment) (fragment, bool) {
	switch op {
	case "length", "round", "sqrt":
		return cat(op+"(", args[0], ")"), true
	case "log":
		return cat("log10(", args[0], ")"), true
	case "substring":
		return cat("substr(", separated(", ", args), ")"), true
	}
	return plainFunction(op, args)
}

func (sqlite) aggregate(op string, _ class, args []fragment) (fragment, bool) {
	return plainAggregate(op, args)
}
