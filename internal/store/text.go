package store

import (
	"crypto/rand"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// fold is the form of a name by which two names are told to be the same:
// without regard to case and to how accents are encoded. It is computed here
// and never by the database, whose notion of case depends on its engine and
// locale.
func fold(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) {
		return strings.ToLower(s) // the same, and most of what there is
	}
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(s)))
}

// slug is the form of a collection's name for addresses.
func slug(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return '_'
	}, name)
}

// contains is the pattern of "like ... escape '\'" for text that holds part.
func contains(part string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(part) + "%"
}

// newEntityID makes an id that stays the same when content moves between
// servers: 21 characters, as Metabase's.
func newEntityID() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	b := make([]byte, 21)
	rand.Read(b) // never fails
	for i := range b {
		b[i] = letters[b[i]%64]
	}
	return string(b)
}

// blank tells whether there is nothing to read in a name.
func blank(s string) bool { return strings.TrimSpace(s) == "" }
