package gate

import (
	"strings"
	"unicode"
)

// mysqlNesting bounds parentheses before parsing, and levels of the tree after.
const mysqlNesting = 500

// mysqlScan is what the words of a text say that its tree does not.
type mysqlScan struct {
	markers int // placeholders
	withs   int // WITH that begins names
}

// scanMySQL splits a text into words as TiDB's scanner does, comments that run
// included. It refuses what the parser reads as something else without a trace,
// and nesting that would cost much to parse.
func scanMySQL(s string) (found mysqlScan, err error) {
	depth, joins, strung, literals, last, runs := 0, 0, 0, 0, "", false
	for i := 0; i < len(s); {
		var word string
		c, rest := s[i], s[i:]
		switch {
		case c == '\'' || c == '"' || c == '`':
			end := mysqlQuoted(rest)
			if last == "escape" && end == 2 {
				return found, refuse(mysqlCharacter(s, i), "ESCAPE '' is not allowed")
			}
			if i, word = i+end, "'"; c != '`' {
				literals++
			}
		case c == '#' || strings.HasPrefix(rest, "--") && (len(rest) == 2 || unicode.IsSpace(rune(rest[2]))):
			i += mysqlUntil(rest, "\n")
			continue
		case strings.HasPrefix(rest, "/*!"), strings.HasPrefix(rest, "/*T!"):
			runs, i = true, i+3
			continue
		case strings.HasPrefix(rest, "/*"):
			i += 2 + mysqlUntil(rest[2:], "*/")
			continue
		case strings.HasPrefix(rest, "->"):
			return found, refuse(mysqlCharacter(s, i), "MariaDB has no -> and ->>: use JSON_EXTRACT or JSON_VALUE")
		case mysqlWordy(c):
			for i < len(s) && mysqlWordy(s[i]) {
				i++
			}
			word = strings.ToLower(rest[:len(rest)-len(s[i:])])
			if at := len(s) - len(rest); mysqlConstant(word) && !(last == "." && at > 1 && mysqlWordy(s[at-2])) {
				literals++
			}
			if last == "." {
				word = "name"
			}
		case unicode.IsSpace(rune(c)):
			i++
			continue
		default:
			if word = string(rune(c)); c == '(' {
				depth++
			} else if c == ')' {
				depth--
			} else if c == '?' {
				found.markers++
				literals++
			}
			i++
		}
		if depth > mysqlNesting {
			return found, refuse(mysqlCharacter(s, i-1), "the SQL is nested more than %d deep", mysqlNesting)
		}
		if literals > maxLiterals {
			return found, refuse(mysqlCharacter(s, i-1), "the SQL has more than %d numbers, strings and other constants", maxLiterals)
		}
		// The parser takes quadratic time for these.
		if strung++; word != "'" {
			strung = 0
		}
		if word == "join" {
			joins++
		}
		if strung > mysqlNesting || joins > mysqlNesting {
			return found, refuse(mysqlCharacter(s, i), "more than %d joins or strings in a row are not allowed", mysqlNesting)
		}
		if word == "with" {
			found.withs++
		}
		if word == "rollup" && last == "with" {
			found.withs--
		}
		last = word
	}
	if runs && found.markers > 0 {
		return found, refuse(0, "placeholders are not allowed beside comments that run")
	}
	return found, nil
}

// mysqlConstant tells whether a word stands for a value by itself.
func mysqlConstant(word string) bool {
	return word[0] >= '0' && word[0] <= '9' || word == "null" || word == "true" || word == "false"
}

// mysqlQuoted is the length of the string or name that s begins with.
func mysqlQuoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[0] != '`':
			i++
		case s[i] == s[0] && i+1 < len(s) && s[i+1] == s[0]:
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return len(s)
}

// mysqlUntil is the length of s up to and with end.
func mysqlUntil(s, end string) int {
	if i := strings.Index(s, end); i >= 0 {
		return i + len(end)
	}
	return len(s)
}

func mysqlWordy(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}
