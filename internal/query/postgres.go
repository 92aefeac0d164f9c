package query

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// PostgreSQL is the dialect of PostgreSQL 12 and later.
func PostgreSQL() Dialect { return Dialect{postgres{}} }

type postgres struct{}

func (postgres) engine() string    { return "postgres" }
func (postgres) zoned() bool       { return true }
func (postgres) joins(string) bool { return true }
func (postgres) fence() string     { return " OFFSET 0" }
func (postgres) lexis() lexis      { return lexis{dollars: true, nested: true, escapes: true} }

func (postgres) quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// placeholder says the type of every argument: without it the server would
// have to guess, and could not where two arguments meet.
func (postgres) placeholder(n int, v any, as argumentType) (string, any) {
	p := "$" + strconv.Itoa(n)
	name := ""
	switch v := v.(type) {
	case bool:
		name = "boolean"
	case int64:
		if name = "bigint"; as == asTyped && v == int64(int32(v)) {
			name = "integer"
		}
	case float64:
		name = "numeric"
	case string:
		if name = "text"; as == asTyped {
			return p, v // as a text in quotes, it is what it stands beside
		}
	}
	switch as {
	case asNeeded:
		return p, fmt.Sprint(v)
	case asUUID:
		name = "uuid"
	case asDate:
		name = "date"
	case asClock:
		name = "timestamp"
	case asInstant:
		name = "timestamptz"
	case asTime:
		name = "time"
	}
	return "CAST(" + p + " AS " + name + ")", v
}

// textTypes are those whose values are text to the server too.
var textTypes = map[string]bool{"": true, "text": true, "varchar": true, "character varying": true, "char": true, "character": true, "bpchar": true, "name": true}

// comparables are types that are nothing Sluice has a word for and that the
// server compares and groups all the same.
var comparables = map[string]bool{"bytea": true, "inet": true, "cidr": true, "macaddr": true}

func (postgres) stored(f *catalog.Field, x fragment) fragment {
	name, _, _ := strings.Cut(strings.ToLower(f.DatabaseType), "(")
	name = strings.TrimSpace(name)
	switch k := classOf(f.BaseType); {
	case name == "money":
		return cat("CAST(", x, " AS numeric)")
	case name == "timetz", name == "time with time zone":
		return cat("CAST(", x, " AS time)")
	case f.BaseType == "type/Array", k == aThing && comparables[name]:
		return x
	case k == aThing, k == aText && !textTypes[name]: // an enumeration, say
		return cat("CAST(", x, " AS text)")
	}
	return x
}

// exactly compares text a second time, because a column can have a collation
// in which texts that differ are equal; the first time can use an index.
func (postgres) exactly(k class, x fragment, v any) fragment {
	switch k {
	case aText:
		return cat("(", x, " = ", bound(v), " AND CAST(", x, ` AS text) COLLATE "C" = `, bound(v), ` COLLATE "C")`)
	case aUUID:
		return cat(x, " = ", boundAs(v, asUUID))
	case aDate:
		return cat(x, " = ", boundAs(v, asDate))
	}
	return cat(x, " = ", bound(v))
}

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

func (postgres) invalid(k class, v string) string {
	if k == aUUID && !uuidForm.MatchString(v) {
		return "it is not a UUID"
	}
	return ""
}

func (postgres) differs(x, y fragment) fragment { return cat("(", x, " IS DISTINCT FROM ", y, ")") }

func (postgres) match(op string, x fragment, pattern string, ignoreCase bool) fragment {
	return like(op, x, pattern, ignoreCase)
}

// like compares with a pattern in which every character of the person's stands
// for itself.
func like(op string, x fragment, pattern string, ignoreCase bool) fragment {
	pattern = strings.NewReplacer("|", "||", "%", "|%", "_", "|_").Replace(pattern)
	if op != "starts-with" {
		pattern = "%" + pattern
	}
	if op != "ends-with" {
		pattern += "%"
	}
	y := bound(pattern)
	if ignoreCase {
		x, y = cat("lower(", x, ")"), cat("lower(", y, ")")
	}
	return cat("(", x, " LIKE ", y, " ESCAPE '|')")
}

func (postgres) moment(k class, t time.Time) fragment {
	switch k {
	case aDate:
		return boundAs(t.Format(time.DateOnly), asDate)
	case aTime:
		return boundAs(t.Format("15:04:05.000"), asTime)
	case aInstant:
		return boundAs(t.Format("2006-01-02 15:04:05.000Z07:00"), asInstant)
	}
	return boundAs(t.Format("2006-01-02 15:04:05.000"), asClock)
}

func (postgres) comparable(_ class, x fragment) fragment { return x }

func (postgres) local(k class, zone string, x fragment) fragment {
	switch k {
	case aInstant:
		return cat("timezone("+literalText(zone)+", ", x, ")")
	case aTime, aDateTime:
		return x
	}
	return cat("CAST(", x, " AS timestamp)")
}

func (postgres) global(k class, zone string, x fragment) fragment {
	switch k {
	case aInstant:
		return cat("timezone("+literalText(zone)+", ", x, ")")
	case aDate:
		return cat("CAST(", x, " AS date)")
	}
	return x
}

// literalText writes the name of a time zone, which the server's settings say.
func literalText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (postgres) cut(u unit, first time.Weekday, x fragment) fragment {
	if k := int64(1-first+7) % 7; u == "week" && k > 0 { // theirs begin on Monday
		by := "interval '" + itoa(k) + " days'"
		return cat("(date_trunc('week', ", x, " + "+by+") - "+by+")")
	}
	if u == "millisecond" {
		u = "milliseconds"
	}
	return cat("date_trunc('"+string(u)+"', ", x, ")")
}

func (d postgres) part(u unit, first time.Weekday, x fragment) fragment {
	number := func(of string, x fragment) fragment {
		return cat("CAST(floor(extract("+of+" FROM ", x, ")) AS integer)")
	}
	switch u {
	case "second-of-minute":
		return number("second", x)
	case "minute-of-hour":
		return number("minute", x)
	case "hour-of-day":
		return number("hour", x)
	case "day-of-week":
		return cat("(", weekday(number("dow", x), first), " + 1)")
	case "day-of-week-us":
		return cat("(", number("dow", x), " + 1)")
	case "day-of-week-iso":
		return number("isodow", x)
	case "day-of-month":
		return number("day", x)
	case "day-of-year":
		return number("doy", x)
	case "week-of-year":
		return cat("((", number("doy", x), " + ", weekday(number("dow", d.cut("year", first, x)), first), " + 6) / 7)")
	case "week-of-year-us":
		return d.part("week-of-year", time.Sunday, x)
	case "week-of-year-iso":
		return number("week", x)
	case "month-of-year":
		return number("month", x)
	case "quarter-of-year":
		return number("quarter", x)
	}
	return number("year", x)
}

func (postgres) add(x fragment, s step, _ bool) fragment {
	n, name := s.amount, string(s.unit)
	if s.unit == "quarter" {
		n, name = 3*n, "month"
	}
	return cat("(", x, " + interval '"+itoa(n)+" "+name+"s')")
}

func (postgres) days(x, y fragment) fragment {
	return cat("(CAST(", y, " AS date) - CAST(", x, " AS date))")
}

func (postgres) seconds(x, y fragment) fragment {
	return cat("CAST(trunc(extract(epoch FROM (", y, " - ", x, "))) AS bigint)")
}

func (postgres) quotient(x fragment, by int) fragment {
	return cat("(", x, " / "+strconv.Itoa(by)+")")
}

func (postgres) rezone(x fragment, from, to string) (fragment, bool) {
	return cat("timezone(", bound(to), ", timezone(", bound(from), ", ", x, "))"), true
}

func (postgres) lastOf(x fragment, n int) fragment {
	last := strconv.Itoa(n)
	return cat("(CASE WHEN char_length(", x, ") > "+last+" THEN '***' || right(", x, ", "+last+") WHEN ", x, " IS NOT NULL THEN '***' END)")
}

func (postgres) keyedHash(x fragment, key string) fragment {
	return cat("left(encode(sha256(convert_to(", bound(key), " || ", x, ", 'UTF8')), 'hex'), 32)")
}

func (postgres) held() string { return "" } // such views have a barrier

// grants is what the lease says of a view.
func (postgres) grants(view string) string { return "m.grants -> " + literalText(view) }

func (d postgres) ofLease(home, selected string) string {
	return "(SELECT " + selected + " FROM " + d.quote(home) + ".mine AS m)"
}

func (d postgres) leases(home, view string) string {
	return d.ofLease(home, "jsonb_exists(m.grants, "+literalText(view)+")")
}

// leased is a sub-select without anything of the row in it: it runs once.
func (d postgres) leased(home, view string, n int, v any, as argumentType) string {
	at := d.grants(view)
	list, is := v.([]any)
	if !is {
		cast, _ := d.placeholder(1, v, as)
		return strings.Replace(cast, "$1", d.ofLease(home, at+" ->> "+strconv.Itoa(n)), 1)
	}
	like := list[0]
	for _, v := range list {
		if _, is := v.(float64); is { // of several numbers
			like = v
		}
	}
	cast, _ := d.placeholder(1, like, as)
	array := d.ofLease(home, "ARRAY(SELECT jsonb_array_elements_text("+at+" -> "+strconv.Itoa(n)+"))")
	return strings.TrimSuffix(strings.Replace(cast, "$1", array, 1), ")") + "[])"
}

func (postgres) among(k class, x fragment, list []any) fragment {
	switch k {
	case aText:
		return cat("(", x, " = ANY (", bound(list), ") AND CAST(", x, ` AS text) COLLATE "C" = ANY (`, bound(list), "))")
	case aUUID:
		return cat(x, " = ANY (", boundAs(list, asUUID), ")")
	case aDate:
		return cat(x, " = ANY (", boundAs(list, asDate), ")")
	}
	return cat(x, " = ANY (", bound(list), ")")
}

func (postgres) divide(x, y fragment) fragment {
	return cat("(CAST(", x, " AS double precision) / nullif(", y, ", 0))")
}

func (postgres) concat(all []fragment) fragment { return balanced(" || ", all) }

func (postgres) atLeast(x fragment, low int) fragment {
	return cat("greatest(", x, ", "+strconv.Itoa(low)+")")
}

func (postgres) cast(op string, k class, x fragment) fragment {
	switch op {
	case "text":
		return cat("CAST(", x, " AS text)")
	case "integer":
		if k == aNumber {
			x = cat("round(CAST(", x, " AS numeric))")
		}
		return cat("CAST(", x, " AS bigint)")
	case "float":
		return cat("CAST(", x, " AS double precision)")
	case "date":
		return cat("CAST(", x, " AS date)")
	}
	return cat("CAST(", x, " AS timestamp)")
}

// Parts of addresses on the web and of e-mail. Names of two parts at the end,
// such as co.uk, count as one.
const (
	webHost    = `'^(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:[^/?#@]*@)?(?:www\.)?([^/?#:@]+)'`
	webEnd     = `(?:\.(?:co|com|org|net|gov|edu|ac))?\.[^.]+`
	webPath    = `'^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*(/[^?#]*)'`
	hostOf     = `'([^.]+` + webEnd + `)$'`
	domainOf   = `'([^.]+)` + webEnd + `$'`
	subdomains = `'^(.+?)\.[^.]+` + webEnd + `$'`
)

func (d postgres) function(op string, args []fragment) (fragment, bool) {
	x := args[0]
	switch op {
	case "length":
		return cat("length(", x, ")"), true
	case "round": // halves away from zero, as numeric does it
		return cat("round(CAST(", x, " AS numeric))"), true
	case "sqrt":
		return cat("(CASE WHEN ", x, " >= 0 THEN sqrt(", x, ") END)"), true
	case "log":
		return cat("(CASE WHEN ", x, " > 0 THEN log(", x, ") END)"), true
	case "ceil", "floor", "abs", "exp", "power", "lower", "upper", "trim", "ltrim", "rtrim", "replace":
		return plainFunction(op, args)
	case "substring":
		f := cat("substring(", x)
		for _, n := range args[1:] {
			f = cat(f, ", CAST(", n, " AS integer)")
		}
		return cat(f, ")"), true
	case "split-part":
		return cat("split_part(", x, ", ", args[1], ", CAST(", args[2], " AS integer))"), true
	case "regex-match-first":
		return cat("substring(", x, ", ", args[1], ")"), true
	case "host":
		return cat("substring(substring(", x, ", "+webHost+"), "+hostOf+")"), true
	case "domain":
		return cat("substring(substring(", x, ", "+webHost+"), "+domainOf+")"), true
	case "subdomain":
		return cat("substring(substring(", x, ", "+webHost+"), "+subdomains+")"), true
	case "path":
		return cat("substring(", x, ", "+webPath+")"), true
	}
	return nil, false
}

func (postgres) aggregate(op string, k class, args []fragment) (fragment, bool) {
	switch {
	case op == "stddev":
		return cat("stddev_pop(", args[0], ")"), true
	case op == "var":
		return cat("var_pop(", args[0], ")"), true
	case op == "median":
		return cat("percentile_cont(0.5) WITHIN GROUP (ORDER BY ", args[0], ")"), true
	case op == "percentile":
		return cat("percentile_cont(CAST(", args[1], " AS double precision)) WITHIN GROUP (ORDER BY ", args[0], ")"), true
	case k == aBoolean && op == "min":
		return cat("bool_and(", args[0], ")"), true
	case k == aBoolean && op == "max":
		return cat("bool_or(", args[0], ")"), true
	case k == aUUID && (op == "min" || op == "max"):
		return cat(op+"(CAST(", args[0], " AS text))"), true
	}
	return plainAggregate(op, args)
}
