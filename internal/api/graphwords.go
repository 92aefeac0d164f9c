package api

import (
	"github.com/sluice-bi/sluice/internal/permission"
)

// wildcard stands, in a granular map, for everything that it does not name.
// The server writes it on strict databases, where spreading a wide level over
// tables would say more than the level does; it is read everywhere.
const wildcard = "*"

// Keys of a database's entry.
const (
	keySchemas = "schemas"
	keyNative  = "native"
	keyData    = "data"
)

// part is a member of a database's entry: one kind of the split form, or the
// schemas of the seeds'. Words stand in it as they do in the text, with the
// comma after them; "" is nothing.
type part struct {
	kind    permission.Kind
	wrapped bool // its value is held under "schemas"
	seeds   bool // it is the seeds' form, of two kinds
	kinds   permission.Kinds
	begin   string
	words   []string // by level
}

func splitPart(k permission.Kind, wrapped bool) part {
	p := part{kind: k, kinds: permission.KindsOf(k), wrapped: wrapped, begin: `"` + k.String() + `":`, words: []string{""}}
	if wrapped {
		p.begin += `{"` + keySchemas + `":`
	}
	for l := permission.None + 1; l <= top(k); l++ {
		p.words = append(p.words, `"`+k.Word(l)+`",`)
	}
	return p
}

// top is the highest level of a kind.
func top(k permission.Kind) permission.Level {
	switch k {
	case permission.View:
		return permission.Unrestricted
	case permission.Create:
		return permission.Native
	case permission.Download:
		return permission.Full
	default:
		return permission.Yes
	}
}

// splitParts are the parts of the split form in the order of the wire.
var splitParts = [...]part{
	splitPart(permission.View, false),
	splitPart(permission.Create, false),
	splitPart(permission.Download, true),
	splitPart(permission.DataModel, true),
	splitPart(permission.Details, false),
}

var seedPart = part{seeds: true, kinds: permission.KindsOf(permission.View, permission.Create), begin: `"` + keySchemas + `":`}

// The words of the seeds' form.
const (
	seedAll       = `"all",`
	seedSandboxed = `"sandboxed",`
	seedNative    = `"` + keyNative + `":"write",`
)

// entry writes the entry that was read last.
func (m *emitter) entry(b []byte) said {
	begin := len(b)
	b = append(b, '{')
	for i := range splitParts {
		b = m.part(b, &splitParts[i])
	}
	at := len(b) - begin
	b = m.part(b, &seedPart)
	if whole := &m.sheet.Whole; m.sheet.Open && whole.Levels[permission.Create] == permission.Native {
		b = append(b, seedNative...)
	}
	if len(b) == begin+1 {
		return said{text: b[:begin], seed: at}
	}
	b[len(b)-1] = '}'
	return said{text: b, seed: at}
}

// part writes a member of an entry; nothing where it has no value.
func (m *emitter) part(b []byte, p *part) []byte {
	key := len(b)
	b = append(b, p.begin...)
	value := len(b)
	b = m.value(b, p)
	if len(b) == value {
		return b[:key]
	}
	if p.wrapped {
		b[len(b)-1] = '}'
		b = append(b, ',')
	}
	return b
}

// value writes a level: one word where it is the same for the whole database,
// else words by schema, and by table where single tables differ.
func (m *emitter) value(b []byte, p *part) []byte {
	s := &m.sheet
	whole := m.word(p, &s.Whole, s.Open)
	if s.Written&p.kinds == 0 {
		return append(b, whole...)
	}
	begin := len(b)
	b = append(b, '{')
	if m.g.Strict(s.Database) {
		b = m.strict(b, p, whole)
	} else {
		b = m.spread(b, p)
	}
	return endedOrNot(b, begin)
}

// word is the word for a scope; open tells whether something can be viewed
// there, without which nothing can be asked.
func (m *emitter) word(p *part, l *permission.Line, open bool) string {
	switch {
	case !p.seeds && (p.kind != permission.Create || open):
		return p.words[l.Levels[p.kind]]
	case !p.seeds || l.Levels[permission.Create] < permission.QueryBuilder:
		return ""
	}
	switch l.Levels[permission.View] {
	case permission.Unrestricted, permission.Impersonated:
		return seedAll
	case permission.Sandboxed:
		return seedSandboxed
	}
	return ""
}

// schemaWord is the word for a schema.
func (m *emitter) schemaWord(p *part, in *permission.SheetSchema) string {
	return m.word(p, &in.Whole, in.Open || opens(&in.Whole))
}

// tableWord is the word for a table.
func (m *emitter) tableWord(p *part, l *permission.Line) string { return m.word(p, l, opens(l)) }

func opens(l *permission.Line) bool { return l.Levels[permission.View] > permission.Blocked }

// spread writes what reaches every schema, and every table of those in which
// single tables differ.
func (m *emitter) spread(b []byte, p *part) []byte {
	s := &m.sheet
	rest := m.word(p, &s.Whole, opens(&s.Whole))
	if rest == "" {
		for i := range s.Schemas {
			if m.lay(i).there {
				b = m.schema(b, p, i)
			}
		}
		return b
	}
	i := 0
	for _, name := range m.names() {
		for i < len(s.Schemas) && s.Schemas[i].Name < name {
			i++
		}
		if i < len(s.Schemas) && s.Schemas[i].Name == name {
			b = m.schema(b, p, i)
		} else {
			b = append(appendKey(b, name), rest...)
		}
	}
	return b
}

// schema writes a schema in which something is written, of whatever kind.
func (m *emitter) schema(b []byte, p *part, i int) []byte {
	in := &m.sheet.Schemas[i]
	key := len(b)
	b = appendKey(b, in.Name)
	if in.ByTable&p.kinds == 0 {
		if w := m.schemaWord(p, in); w != "" {
			return append(b, w...)
		}
		return b[:key]
	}
	b = append(b, '{')
	for j := range m.lay(i).rows {
		r := &m.lay(i).rows[j]
		if w := m.tableWord(p, &r.Line); w != "" {
			b = append(m.tableKey(b, p, r), w...)
		}
	}
	return endedOrNot(b, key)
}

// strict writes only what is written, with the wildcard for the wide levels.
func (m *emitter) strict(b []byte, p *part, whole string) []byte {
	b = put(b, wildcard, whole, "")
	for i := range m.sheet.Schemas {
		in := &m.sheet.Schemas[i]
		if in.Written&p.kinds == 0 {
			continue
		}
		wide := m.schemaWord(p, in)
		if in.ByTable&p.kinds == 0 {
			b = put(b, in.Name, wide, whole)
			continue
		}
		key := len(b)
		b = append(appendKey(b, in.Name), '{')
		if in.Whole.Set&p.kinds != 0 {
			b = put(b, wildcard, wide, whole)
		}
		for j := range m.lay(i).rows {
			r := &m.lay(i).rows[j]
			if r.Set&p.kinds == 0 {
				continue
			}
			w := m.strictWord(p, &r.Line)
			if w == "" && wide != "" {
				w = null
			}
			if w != "" {
				b = append(m.tableKey(b, p, r), w...)
			}
		}
		b = endedOrNot(b, key)
	}
	return b
}

// strictWord is the word for a table of a strict database. For single tables
// there is a word for what a wide level gives, and whoever copies the entry to
// another group must not open the table with it.
func (m *emitter) strictWord(p *part, l *permission.Line) string {
	if l.Levels[permission.View] == permission.Unrestricted && l.Wide.Has(permission.View) {
		n := *l
		n.Levels[permission.View] = permission.Sandboxed
		l = &n
	}
	return m.tableWord(p, l)
}

const null = "null,"

// put writes a word; null where there is none and something wider would reach.
func put(b []byte, key, word, wider string) []byte {
	if word == "" && wider != "" {
		word = null
	}
	if word == "" {
		return b
	}
	return append(appendKey(b, key), word...)
}
