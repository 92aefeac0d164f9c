package warehouse

import "strings"

// single refuses text that is not exactly one query: the driver would run all
// statements of it. The engine's authorizer asks about each of them, so this
// is the first wall and not the only one; where it is in doubt, it refuses.
// A query begins with SELECT, WITH or VALUES: of an EXPLAIN the authorizer is
// not told.
func single(sql string) *Error {
	if strings.ContainsRune(sql, 0) {
		return &Error{Kind: Invalid, Message: "the SQL contains a NUL character"}
	}
	rest, ok := skipSpace(sql)
	if !ok {
		return &Error{Kind: Invalid, Message: "a comment is not closed"}
	}
	switch word := strings.ToUpper(firstWord(rest)); word {
	case "SELECT", "WITH", "VALUES":
	case "":
		return &Error{Kind: Invalid, Message: "there is no SQL query"}
	default:
		return &Error{Kind: Denied, Message: "a query begins with SELECT, WITH or VALUES, not with " + word}
	}
	end, ok := statementEnd(rest)
	if !ok {
		return &Error{Kind: Invalid, Message: "a quotation or a comment is not closed"}
	}
	for rest = rest[end:]; rest != ""; {
		if rest[0] == ';' {
			rest = rest[1:]
			continue
		}
		after, ok := skipSpace(rest)
		if !ok || len(after) == len(rest) {
			return &Error{Kind: Denied, Message: "only one SQL statement is allowed; there is text after the first"}
		}
		rest = after
	}
	return nil
}

// skipSpace drops white space and comments at the beginning; false when a
// comment does not end.
func skipSpace(s string) (string, bool) {
	for {
		s = strings.TrimLeft(s, " \t\n\f\r")
		n, ok := comment(s)
		if n == 0 || !ok {
			return s, ok
		}
		s = s[n:]
	}
}

// comment is the length of the comment that s begins with, 0 if none; false
// when it does not end.
func comment(s string) (int, bool) {
	switch {
	case strings.HasPrefix(s, "--"):
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			return i + 1, true
		}
		return len(s), true
	case strings.HasPrefix(s, "/*"):
		if i := strings.Index(s[2:], "*/"); i >= 0 {
			return i + 4, true
		}
		return 0, false
	}
	return 0, true
}

func firstWord(s string) string {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return s[:i]
		}
	}
	return s
}

// statementEnd is where the first statement ends: at a semicolon outside of
// quotations and comments, or at the end of the text.
func statementEnd(s string) (int, bool) {
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case ';':
			return i, true
		case '\'', '"', '`', '[':
			n := quotation(s[i:], c)
			if n == 0 {
				return 0, false
			}
			i += n
		case '-', '/':
			n, ok := comment(s[i:])
			if !ok {
				return 0, false
			}
			i += max(n, 1)
		default:
			i++
		}
	}
	return len(s), true
}

// quotation is the length of the quotation that s begins with; 0 when it does
// not end. A doubled quote stands for one, except in brackets.
func quotation(s string, open byte) int {
	if open == '[' {
		return strings.IndexByte(s, ']') + 1
	}
	for i := 1; i < len(s); i++ {
		if s[i] != open {
			continue
		}
		if i+1 < len(s) && s[i+1] == open {
			i++
			continue
		}
		return i + 1
	}
	return 0
}
