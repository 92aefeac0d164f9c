package api

import (
	"bytes"

	"github.com/sluice-bi/sluice/internal/permission"
)

// comparer tells whether entries of a body say what is emitted of a graph.
type comparer struct {
	*emitter
	last naming // most bodies keep to one form
	// known are short texts that were read and found to say the same as what
	// is emitted in other words. Some clients write every entry so.
	known map[string]knownText
}

type knownText struct {
	emitted string
	how     naming
}

// The most texts that are remembered, and the longest.
const (
	knownTexts  = 1000
	knownLength = 1000
)

func newComparer(g *permission.Graph) *comparer {
	return &comparer{emitter: newEmitter(g), known: map[string]knownText{}}
}

// compare compares a text with the entry that was read last: byte by byte, but
// for white space, and else key by key. It fails for one that is no graph.
func (c *comparer) compare(text []byte) (naming, error) {
	s := c.say()
	for _, how := range []naming{c.last, asBoth, asSplit, asSeed} {
		if begin, end := s.pieces(how.dialect()); len(begin) > 0 && sameText(text, begin, end) {
			c.last = how
			return how, nil
		}
	}
	if k, ok := c.known[string(text)]; ok && k.emitted == string(s.text) {
		return k.how, nil
	}
	t, err := readTree(text, entryDepth)
	if err != nil {
		return asOther, err
	}
	for _, how := range []naming{asBoth, asSplit, asSeed} {
		emitted := s.in(how.dialect(), nil)
		if len(emitted) == 0 {
			continue
		}
		if e, err := readTree(emitted, entryDepth); err == nil && t.equal(e) {
			if len(c.known) < knownTexts && len(text) <= knownLength {
				c.known[string(text)] = knownText{string(s.text), how}
			}
			return how, nil
		}
	}
	return asOther, nil
}

// sameText tells whether a text is begin and end one after the other, in which
// there is no white space between the tokens, while there may be in the text.
func sameText(text, begin, end []byte) bool {
	if len(text) == len(begin)+len(end) {
		return bytes.HasPrefix(text, begin) && bytes.HasSuffix(text, end)
	}
	var quoted, escaped bool
	rest := begin
	for _, c := range text {
		if !quoted && (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
			continue
		}
		if len(rest) == 0 {
			rest, end = end, nil
		}
		if len(rest) == 0 || rest[0] != c {
			return false
		}
		rest = rest[1:]
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		}
	}
	return len(rest) == 0 && len(end) == 0
}
