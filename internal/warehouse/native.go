package warehouse

import "strings"

// What people write in SQL is held to reading by the transaction that it runs
// in, and to one statement by the protocol. readingOnly is a wall before both:
// it refuses what plainly is no query, and what reads and yet has effects that
// no transaction takes back.

// tongue is how an engine's SQL is spelled, as far as it matters here.
type tongue struct {
	begins  map[string]bool // the words that a query begins with
	nested  bool            // comments nest
	hash    bool            // # begins a comment
	further func(sql string) *Error
}

var (
	postgresSQL = tongue{begins: set("SELECT WITH VALUES TABLE EXPLAIN SHOW"), nested: true}
	mysqlSQL    = tongue{begins: set("SELECT WITH VALUES TABLE EXPLAIN SHOW DESCRIBE DESC"), hash: true, further: mysqlFurther}
)

// readingOnly refuses text that is no query.
func readingOnly(sql string, in tongue) *Error {
	if strings.ContainsRune(sql, 0) {
		return &Error{Kind: Invalid, Message: "the SQL contains a NUL character"}
	}
	rest := sql
	for {
		rest = strings.TrimLeft(rest, " \t\r\n\f\v(")
		n, ok := in.comment(rest)
		if !ok {
			return &Error{Kind: Invalid, Message: "a comment is not closed"}
		}
		if n == 0 {
			break
		}
		rest = rest[n:]
	}
	switch word := strings.ToUpper(firstWord(rest)); {
	case word == "":
		return &Error{Kind: Invalid, Message: "there is no SQL query"}
	case !in.begins[word]:
		return &Error{Kind: Denied, Message: "only queries can be run, and none begins with " + word}
	}
	if in.further != nil {
		return in.further(sql)
	}
	return nil
}

// comment is the length of the comment that s begins with, 0 if none; false
// when it does not end.
func (in tongue) comment(s string) (int, bool) {
	switch {
	case in.hash && strings.HasPrefix(s, "#"), strings.HasPrefix(s, "--"):
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			return i + 1, true
		}
		return len(s), true
	case !strings.HasPrefix(s, "/*"):
		return 0, true
	}
	for i, depth := 2, 1; i+1 < len(s); i++ {
		switch {
		case s[i] == '*' && s[i+1] == '/':
			if depth--; depth == 0 {
				return i + 2, true
			}
			i++
		case in.nested && s[i] == '/' && s[i+1] == '*':
			depth++
			i++
		}
	}
	return 0, false
}

// mysqlFurther refuses what a reading transaction of MySQL lets through: INTO,
// which writes files on the server, and comments that are run. Whether a
// backslash escapes in quotations depends on the server's settings, so the
// text is read in all the ways in which a server can read it.
func mysqlFurther(sql string) *Error {
	for _, escapes := range []struct{ single, double bool }{{true, true}, {true, false}, {false, false}} {
		if err := mysqlWords(sql, escapes.single, escapes.double); err != nil {
			return err
		}
	}
	return nil
}

func mysqlWords(s string, single, double bool) *Error {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '\'' || c == '"' || c == '`':
			n := mysqlQuotation(s[i:], c == '\'' && single || c == '"' && double)
			if n == 0 {
				return &Error{Kind: Invalid, Message: "a quotation is not closed, or not in every setting of the server"}
			}
			i += n
		case c == '#', c == '-' && strings.HasPrefix(s[i:], "--") && (i+2 == len(s) || s[i+2] <= ' '):
			n := strings.IndexByte(s[i:], '\n')
			if n < 0 {
				return nil
			}
			i += n + 1
		case strings.HasPrefix(s[i:], "/*!"), strings.HasPrefix(s[i:], "/*M!"):
			return &Error{Kind: Denied, Message: "comments that are run, as /*! */, are not allowed"}
		case strings.HasPrefix(s[i:], "/*"):
			n := strings.Index(s[i+2:], "*/")
			if n < 0 {
				return &Error{Kind: Invalid, Message: "a comment is not closed"}
			}
			i += n + 4
		case wordByte(c):
			n := 1
			for i+n < len(s) && wordByte(s[i+n]) {
				n++
			}
			if strings.EqualFold(s[i:i+n], "INTO") {
				return &Error{Kind: Denied, Message: "INTO is not allowed: results go nowhere but to who asked"}
			}
			i += n
		default:
			i++
		}
	}
	return nil
}

func wordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// mysqlQuotation is the length of the quotation that s begins with; 0 when it
// does not end.
func mysqlQuotation(s string, escapes bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case escapes && s[i] == '\\':
			i++
		case s[i] == s[0] && i+1 < len(s) && s[i+1] == s[0]:
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return 0
}
