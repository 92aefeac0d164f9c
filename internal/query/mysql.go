package query

import (
	"strconv"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// MySQL is the dialect of MySQL 8 and of MariaDB 10.5, and of what came after.
// The time zone of the connection must be that of [Source.Now].
func MySQL() Dialect { return Dialect{mysql{}} }

type mysql struct{}

func (mysql) engine() string { return "mysql" }
func (mysql) zoned() bool    { return true }
func (mysql) lexis() lexis {
	return lexis{backticks: true, backslashes: true, hashes: true, commands: true}
}

func (mysql) joins(strategy string) bool { return strategy != "full-join" }

func (mysql) fence() string { return " LIMIT 18446744073709551615" }

func (mysql) quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func (mysql) placeholder(_ int, v any, as argumentType) (string, any) {
	switch as {
	case asDate:
		return "CAST(? AS DATE)", v
	case asClock, asInstant:
		return "CAST(? AS DATETIME(6))", v
	case asTime:
		return "CAST(? AS TIME(6))", v
	}
	return "?", v
}

func (mysql) stored(f *catalog.Field, x fragment) fragment {
	if strings.EqualFold(f.DatabaseType, "json") {
		return cat("CAST(", x, " AS CHAR)")
	}
	return x
}

// bytes is text in a form that compares byte by byte.
func (mysql) bytes(x fragment) fragment {
	return cat("CAST(CONVERT(", x, " USING utf8mb4) AS BINARY)")
}

// unicode is text in a form that compares letter by letter.
func (mysql) unicode(x fragment) fragment {
	return cat("CONVERT(", x, " USING utf8mb4) COLLATE utf8mb4_bin")
}

// exactly compares text a second time, because most collations take texts for
// equal that differ in case or in spaces; the first time can use an index.
func (d mysql) exactly(k class, x fragment, v any) fragment {
	switch k {
	case aText, aUUID:
		return cat("(", x, " = ", bound(v), " AND ", d.bytes(x), " = ", d.bytes(bound(v)), ")")
	case aDate:
		return cat(x, " = ", boundAs(v, asDate))
	}
	return cat(x, " = ", bound(v))
}

func (mysql) invalid(class, string) string { return "" }

func (mysql) differs(x, y fragment) fragment { return cat("(NOT (", x, " <=> ", y, "))") }

func (d mysql) match(op string, x fragment, pattern string, ignoreCase bool) fragment {
	return like(op, d.unicode(x), pattern, ignoreCase)
}

func (mysql) moment(k class, t time.Time) fragment {
	switch k {
	case aDate:
		return boundAs(t.Format(time.DateOnly), asDate)
	case aTime:
		return boundAs(t.Format("15:04:05.000"), asTime)
	}
	return boundAs(t.Format("2006-01-02 15:04:05.000"), asClock)
}

func (mysql) comparable(_ class, x fragment) fragment      { return x }
func (mysql) local(_ class, _ string, x fragment) fragment { return x }

func (mysql) global(k class, _ string, x fragment) fragment {
	if k == aDate {
		return cat("DATE(", x, ")")
	}
	return x
}

func (mysql) cut(u unit, first time.Weekday, x fragment) fragment {
	switch u {
	case "millisecond":
		return cat("(", x, " - INTERVAL (MICROSECOND(", x, ") % 1000) MICROSECOND)")
	case "second":
		return cat("(", x, " - INTERVAL MICROSECOND(", x, ") MICROSECOND)")
	case "minute":
		return cat("(DATE(", x, ") + INTERVAL (HOUR(", x, ") * 60 + MINUTE(", x, ")) MINUTE)")
	case "hour":
		return cat("(DATE(", x, ") + INTERVAL HOUR(", x, ") HOUR)")
	case "week":
		return cat("(DATE(", x, ") - INTERVAL ", weekday(cat("(DAYOFWEEK(", x, ") - 1)"), first), " DAY)")
	case "month":
		return cat("(DATE(", x, ") - INTERVAL (DAYOFMONTH(", x, ") - 1) DAY)")
	case "quarter":
		return cat("(MAKEDATE(YEAR(", x, "), 1) + INTERVAL (QUARTER(", x, ") - 1) QUARTER)")
	case "year":
		return cat("MAKEDATE(YEAR(", x, "), 1)")
	}
	return cat("DATE(", x, ")")
}

func (d mysql) part(u unit, first time.Weekday, x fragment) fragment {
	switch u {
	case "second-of-minute":
		return cat("SECOND(", x, ")")
	case "minute-of-hour":
		return cat("MINUTE(", x, ")")
	case "hour-of-day":
		return cat("HOUR(", x, ")")
	case "day-of-week":
		return cat("(", weekday(cat("(DAYOFWEEK(", x, ") - 1)"), first), " + 1)")
	case "day-of-week-us":
		return cat("DAYOFWEEK(", x, ")")
	case "day-of-week-iso":
		return cat("(WEEKDAY(", x, ") + 1)")
	case "day-of-month":
		return cat("DAYOFMONTH(", x, ")")
	case "day-of-year":
		return cat("DAYOFYEAR(", x, ")")
	case "week-of-year":
		return cat("((DAYOFYEAR(", x, ") + ", weekday(cat("(DAYOFWEEK(", d.cut("year", first, x), ") - 1)"), first), " + 6) DIV 7)")
	case "week-of-year-us":
		return d.part("week-of-year", time.Sunday, x)
	case "week-of-year-iso":
		return cat("WEEK(", x, ", 3)")
	case "month-of-year":
		return cat("MONTH(", x, ")")
	case "quarter-of-year":
		return cat("QUARTER(", x, ")")
	}
	return cat("YEAR(", x, ")")
}

func (mysql) add(x fragment, s step, _ bool) fragment {
	n, name := s.amount, strings.ToUpper(string(s.unit))
	if s.unit == "millisecond" {
		n, name = 1000*n, "MICROSECOND"
	}
	return cat("(", x, " + INTERVAL "+itoa(n)+" "+name+")")
}

func (mysql) days(x, y fragment) fragment { return cat("DATEDIFF(", y, ", ", x, ")") }

func (mysql) seconds(x, y fragment) fragment { return cat("TIMESTAMPDIFF(SECOND, ", x, ", ", y, ")") }

func (mysql) quotient(x fragment, by int) fragment {
	return cat("(", x, " DIV "+strconv.Itoa(by)+")")
}

// rezone gives null for a name where the server has no time zone tables; UTC
// needs none.
func (mysql) rezone(x fragment, from, to string) (fragment, bool) {
	zone := func(name string) fragment {
		if name == "UTC" {
			name = "+00:00"
		}
		return bound(name)
	}
	return cat("CONVERT_TZ(", x, ", ", zone(from), ", ", zone(to), ")"), true
}

func (mysql) lastOf(x fragment, n int) fragment {
	last := strconv.Itoa(n)
	return cat("(CASE WHEN char_length(", x, ") > "+last+" THEN concat('***', right(", x, ", "+last+")) WHEN ", x, " IS NOT NULL THEN '***' END)")
}

func (mysql) keyedHash(x fragment, key string) fragment {
	return cat("left(sha2(concat(", bound(key), ", ", x, "), 256), 32)")
}

// held keeps the conditions of a statement out of a view. They would be tried
// on rows of an index, and on a row that a key names, before those of the view,
// and an error in them would tell of it.
func (d mysql) held() string { return d.fence() }

// ofLease selects from what the lease says.
func (d mysql) ofLease(home, selected string) string {
	return "SELECT " + selected + " FROM " + d.quote(home) + ".mine AS m"
}

func (d mysql) leases(home, view string) string {
	return "(" + d.ofLease(home, "JSON_EXISTS(m.grants, '$."+view+"')") + ")"
}

// leased of a list are its items as rows with the column v. JSON_TABLE misreads
// paths with two numbers.
func (d mysql) leased(home, view string, n int, v any, as argumentType) string {
	at := "'$." + view + "[" + strconv.Itoa(n) + "]'"
	cast := func(v any, x string) string {
		switch v.(type) {
		case int64, bool:
			return "CAST(" + x + " AS SIGNED)"
		case float64:
			return "CAST(" + x + " AS DOUBLE)"
		}
		typed, _ := d.placeholder(1, v, as)
		return strings.Replace(typed, "?", x, 1)
	}
	list, is := v.([]any)
	if !is {
		return cast(v, "("+d.ofLease(home, "JSON_VALUE(m.grants, "+at+")")+")")
	}
	like := list[0]
	for _, v := range list {
		if _, is := v.(float64); is { // of several numbers
			like = v
		}
	}
	return d.ofLease(home, cast(like, "j.v")+" AS v") + ", JSON_TABLE(JSON_EXTRACT(m.grants, " + at + "), '$[*]' COLUMNS (v LONGTEXT PATH '$')) AS j"
}

func (d mysql) among(k class, x fragment, list []any) fragment {
	switch k {
	case aText, aUUID:
		return cat(d.bytes(x), " IN (SELECT ", d.bytes(text("l.v")), " FROM (", bound(list), ") AS l)")
	case aDate:
		return cat(x, " IN (", boundAs(list, asDate), ")")
	}
	return cat(x, " IN (", bound(list), ")")
}

func (mysql) divide(x, y fragment) fragment { return cat("((", x, " * 1e0) / ", y, ")") }

func (mysql) concat(all []fragment) fragment { return cat("concat(", separated(", ", all), ")") }

func (mysql) atLeast(x fragment, low int) fragment {
	return cat("greatest(", x, ", "+strconv.Itoa(low)+")")
}

func (d mysql) cast(op string, k class, x fragment) fragment {
	switch op {
	case "text":
		return cat("CAST(", x, " AS CHAR)")
	case "integer":
		if k == aNumber {
			x, _ = d.function("round", []fragment{x})
		}
		return cat("CAST(", x, " AS SIGNED)")
	case "float":
		return cat("(", x, " + 0e0)")
	case "date":
		return cat("DATE(", x, ")")
	}
	return cat("CAST(", x, " AS DATETIME(6))")
}

func (d mysql) function(op string, args []fragment) (fragment, bool) {
	switch op {
	case "length":
		return cat("char_length(", args[0], ")"), true
	case "round": // halves away from zero, as decimals do it
		return cat("round(CAST(", args[0], " AS DECIMAL(65, 10)))"), true
	case "sqrt":
		return cat("sqrt(", args[0], ")"), true
	case "log":
		return cat("log10(", args[0], ")"), true
	case "substring":
		return cat("substring(", separated(", ", args), ")"), true
	case "split-part": // substring_index alone would repeat the last part
		x, by, n := args[0], args[1], args[2]
		parts := cat("((char_length(", x, ") - char_length(replace(", x, ", ", by, ", ''))) / nullif(char_length(", by, "), 0) + 1)")
		return cat("(CASE WHEN ", parts, " >= ", n, " THEN substring_index(substring_index(", x, ", ", by, ", ", n, "), ", by, ", -1) ELSE '' END)"), true
	case "regex-match-first":
		return cat("nullif(regexp_substr(", d.unicode(args[0]), ", ", args[1], "), '')"), true
	}
	return plainFunction(op, args)
}

func (mysql) aggregate(op string, _ class, args []fragment) (fragment, bool) {
	switch op {
	case "stddev":
		return cat("stddev_pop(", args[0], ")"), true
	case "var":
		return cat("var_pop(", args[0], ")"), true
	}
	return plainAggregate(op, args)
}
