package query

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// SQLite is the dialect of SQLite 3.39 and later. Dates are what SQLite's own
// functions read: ISO 8601 text, in UTC where no zone is given.
func SQLite() Dialect {
	call := func(before, after string) func(fragment) fragment {
		return func(x fragment) fragment { return cat(before, x, after) }
	}
	return Dialect{
		name:        "sqlite",
		quote:       func(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` },
		placeholder: func(n int) string { return "?" + strconv.Itoa(n) },
		cut:         sqliteCut,
		part:        sqlitePart,
		instant:     call("strftime('%Y-%m-%d %H:%M:%f', ", ")"),
		day:         call("date(", ")"),
		clock:       call("strftime('%H:%M:%f', ", ")"),
		bindTime:    func(t time.Time) any { return t.Format("2006-01-02 15:04:05.000") },
		exactly:     func(x, y fragment) fragment { return cat(x, " = ", y, " COLLATE BINARY") },
		differs:     func(x, y fragment) fragment { return cat("(", x, " IS NOT ", y, ")") },
		match:       sqliteMatch,
		divide:      func(x, y fragment) fragment { return cat("(CAST(", x, " AS REAL) / ", y, ")") },
		length:      call("length(", ")"),
	}
}

func sqliteCut(u unit, x fragment) fragment {
	switch u {
	case "second":
		return cat("strftime('%Y-%m-%d %H:%M:%S', ", x, ")")
	case "minute":
		return cat("strftime('%Y-%m-%d %H:%M:00', ", x, ")")
	case "hour":
		return cat("strftime('%Y-%m-%d %H:00:00', ", x, ")")
	case "week": // back to the Sunday
		return cat("date(", x, ", '-6 days', 'weekday 0')")
	case "month":
		return cat("date(", x, ", 'start of month')")
	case "quarter":
		return cat("date(", x, ", 'start of month', (-((strftime('%m', ", x, ") - 1) % 3)) || ' months')")
	case "year":
		return cat("date(", x, ", 'start of year')")
	}
	return cat("date(", x, ")")
}

func sqlitePart(u unit, x fragment) fragment {
	number := func(format string) fragment {
		return cat("CAST(strftime('"+format+"', ", x, ") AS INTEGER)")
	}
	switch u {
	case "minute-of-hour":
		return number("%M")
	case "hour-of-day":
		return number("%H")
	case "day-of-week":
		return cat("(", number("%w"), " + 1)")
	case "day-of-month":
		return number("%d")
	case "day-of-year":
		return number("%j")
	case "week-of-year": // days before the year's first Sunday are week 1
		return cat("((", number("%j"), " + CAST(strftime('%w', date(", x, ", 'start of year')) AS INTEGER) + 6) / 7)")
	case "month-of-year":
		return number("%m")
	case "quarter-of-year":
		return cat("((", number("%m"), " + 2) / 3)")
	}
	return number("%Y")
}

// sqliteMatch does without LIKE, which raises errors on long patterns.
func sqliteMatch(op string, x fragment, pattern string, ignoreCase bool) fragment {
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
