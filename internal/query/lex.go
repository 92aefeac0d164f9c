package query

import "strings"

// lexis is what an engine takes for quotations and comments in SQL.
type lexis struct {
	dollars     bool // $tag$ ... $tag$
	nested      bool // comments inside comments
	escapes     bool // E'...\'...'
	brackets    bool // [name]
	backticks   bool // `name`
	backslashes bool // '...\'...'
	hashes      bool // # comment
	commands    bool // /*! comments that are run
}

// lexer follows SQL that people typed through quotations and comments. It
// guards nothing by itself: engines hold such SQL to what it may read. It
// makes mistakes plain - a variable in quotes, a question that would end the
// parentheses that it is put into - before an engine meets them.
type lexer struct {
	lexis
	quote    byte   // that ends the quotation; 0 outside of one
	escaping bool   // in it, a backslash takes the next sign with it
	dollar   string // the tag that ends the quotation; "" outside of one
	line     bool   // in a comment to the end of the line
	block    int    // depth of comments

	depth   int  // of parentheses
	below   bool // more were closed than opened
	ended   bool // there was a semicolon
	after   bool // and something behind it
	command bool // there was a comment that is run
}

// code tells whether the text is outside of quotations and comments.
func (l *lexer) code() bool { return l.quote == 0 && l.dollar == "" && !l.comment() }

func (l *lexer) comment() bool { return l.line || l.block > 0 }

// read follows a stretch of text and gives it back without the semicolons
// that end a statement.
func (l *lexer) read(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		n := l.next(s, i)
		if l.code() && s[i] == ';' && n == 1 {
			l.ended = true
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// next follows the sign at i, or more that belong together, and counts them.
func (l *lexer) next(s string, i int) int {
	rest := s[i:]
	switch {
	case l.line:
		l.line = rest[0] != '\n'
		return 1
	case l.block > 0:
		switch {
		case strings.HasPrefix(rest, "*/"):
			l.block--
			return 2
		case l.nested && strings.HasPrefix(rest, "/*"):
			l.block++
			return 2
		}
		return 1
	case l.dollar != "":
		if strings.HasPrefix(rest, l.dollar) {
			n := len(l.dollar)
			l.dollar = ""
			return n
		}
		return 1
	case l.quote != 0:
		if l.escaping && rest[0] == '\\' && len(rest) > 1 {
			return 2
		}
		if rest[0] == l.quote { // a doubled one opens it anew
			l.quote = 0
		}
		return 1
	}
	return l.begin(s, i)
}

// begin follows a sign outside of quotations and comments.
func (l *lexer) begin(s string, i int) int {
	rest := s[i:]
	switch c := rest[0]; {
	case strings.HasPrefix(rest, "--") && (!l.hashes || len(rest) == 2 || rest[2] <= ' '), l.hashes && c == '#':
		l.line = true
		return 1
	case strings.HasPrefix(rest, "/*"):
		l.command = l.command || l.commands && (strings.HasPrefix(rest, "/*!") || strings.HasPrefix(rest, "/*M!"))
		l.block = 1
		return 2
	case c == '\'' || c == '"' || l.backticks && c == '`':
		l.escaping = l.backslashes && c != '`' || l.escapes && c == '\'' && escaped(s[:i])
		l.quote = c
	case l.brackets && c == '[':
		l.quote, l.escaping = ']', false
	case l.dollars && c == '$' && (i == 0 || !ofName(s[i-1])):
		if n := strings.IndexByte(rest[1:], '$'); n >= 0 && isTag(rest[1:1+n]) {
			l.dollar = rest[:n+2]
			return len(l.dollar)
		}
	case c == '(':
		l.depth++
	case c == ')':
		if l.depth--; l.depth < 0 {
			l.below = true
		}
	case c == ';', c <= ' ':
		return 1
	}
	l.after = l.after || l.ended
	return 1
}

// escaped tells whether the text before a quote makes backslashes count: an E
// that is a word of its own.
func escaped(before string) bool {
	n := len(before)
	return n > 0 && before[n-1]|0x20 == 'e' && (n == 1 || !ofName(before[n-2]))
}

// ofName tells whether a byte can be part of a name.
func ofName(c byte) bool {
	return c == '_' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func isTag(s string) bool {
	for i := range len(s) {
		if !ofName(s[i]) || i == 0 && '0' <= s[i] && s[i] <= '9' {
			return false
		}
	}
	return true
}

// enclosed is SQL of people as it can stand between parentheses: one
// statement, closed in itself. It says what is wrong with other SQL.
func enclosed(f fragment, of lexis) (inner fragment, wrong string) {
	l := lexer{lexis: of}
	for _, t := range f {
		switch {
		case t.bound || t.fence:
			l.after = l.after || l.ended && t.bound
		default:
			t.text = l.read(t.text)
		}
		inner = append(inner, t)
	}
	l.line = false // the line ends here
	switch {
	case l.after:
		return nil, "has more than one SQL statement"
	case !l.code():
		return nil, "has a quotation or a comment without an end"
	case l.below || l.depth != 0:
		return nil, "has parentheses that do not match"
	case l.command:
		return nil, "has a comment that is run"
	}
	return cat(inner, "\n"), ""
}
