package warehouse

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// postgresTypes are the types that PostgreSQL brings and that Metabase has a
// word for, by the number that a result names them with. All others are text.
var postgresTypes = map[uint32]struct{ name, base string }{
	16: {"bool", "type/Boolean"}, 17: {"bytea", anyType}, 18: {"char", "type/Text"}, 19: {"name", "type/Text"}, 20: {"int8", "type/BigInteger"},
	21: {"int2", "type/Integer"}, 23: {"int4", "type/Integer"}, 25: {"text", "type/Text"}, 26: {"oid", "type/Integer"}, 114: {"json", "type/JSON"},
	142: {"xml", "type/Structured"}, 650: {"cidr", "type/Structured"}, 700: {"float4", "type/Float"}, 701: {"float8", "type/Float"},
	790: {"money", "type/Decimal"}, 829: {"macaddr", "type/Structured"}, 869: {"inet", "type/IPAddress"}, 1042: {"bpchar", "type/Text"},
	1043: {"varchar", "type/Text"}, 1082: {"date", "type/Date"}, 1083: {"time", "type/Time"}, 1114: {"timestamp", "type/DateTime"},
	1184: {"timestamptz", "type/DateTimeWithLocalTZ"}, 1186: {"interval", anyType}, 1266: {"timetz", "type/TimeWithLocalTZ"},
	1560: {"bit", anyType}, 1562: {"varbit", anyType}, 1700: {"numeric", "type/Decimal"}, 2950: {"uuid", "type/UUID"}, 3802: {"jsonb", "type/JSON"},
}

// postgresArrays are the types of lists, with those of their elements.
var postgresArrays = map[uint32]uint32{
	199: 114, 651: 650, 1000: 16, 1001: 17, 1002: 18, 1003: 19, 1005: 21, 1007: 23, 1009: 25, 1014: 1042, 1015: 1043, 1016: 20, 1021: 700, 1022: 701,
	1028: 26, 1041: 869, 1115: 1114, 1182: 1082, 1183: 1083, 1185: 1184, 1187: 1186, 1231: 1700, 1270: 1266, 2951: 2950, 3807: 3802, 143: 142, 791: 790,
	1040: 829, 1561: 1560, 1563: 1562,
}

func postgresTypeOf(oid uint32) (name, base string) {
	if t, ok := postgresTypes[oid]; ok {
		return t.name, t.base
	}
	if of, ok := postgresArrays[oid]; ok {
		return "_" + postgresTypes[of].name, "type/Array"
	}
	return "", anyType
}

// postgresBase is the type of a column by the catalog: category and kind tell
// what the name does not.
func postgresBase(name, kind, category string) string {
	switch {
	case kind == "e":
		return "type/PostgresEnum"
	case category == "A":
		return "type/Array"
	case name == "citext":
		return "type/Text"
	case name == "hstore":
		return "type/Dictionary"
	}
	for _, t := range postgresTypes {
		if t.name == name {
			return t.base
		}
	}
	return anyType
}

// postgresReader is how the text of a value becomes one of ours.
func postgresReader(oid uint32) func([]byte) any {
	switch oid {
	case 16:
		return func(b []byte) any { return len(b) > 0 && b[0] == 't' }
	case 20, 21, 23, 26:
		return func(b []byte) any {
			n, err := strconv.ParseInt(string(b), 10, 64)
			if err != nil {
				return words(b)
			}
			return n
		}
	case 700, 701:
		return func(b []byte) any {
			f, err := strconv.ParseFloat(string(b), 64)
			if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
				return nil
			}
			return f
		}
	case 1700:
		return func(b []byte) any { return number(string(b)) }
	case 790: // -$1,234.50, as the locale C writes it
		return func(b []byte) any {
			return number(strings.Map(func(c rune) rune {
				if c == '$' || c == ',' {
					return -1
				}
				return c
			}, string(b)))
		}
	case 17:
		return postgresBytes
	case 1114, 1184:
		return func(b []byte) any { return isoMoment(string(b)) }
	}
	if of, ok := postgresArrays[oid]; ok {
		element := postgresReader(of)
		return func(b []byte) any { return postgresList(string(b), element) }
	}
	return func(b []byte) any { return words(b) }
}

// postgresBytes reads \x6162; bytes that are text are given as text.
func postgresBytes(b []byte) any {
	if len(b) < 2 || b[0] != '\\' || b[1] != 'x' {
		return words(b)
	}
	raw := make([]byte, hex.DecodedLen(len(b)-2))
	if _, err := hex.Decode(raw, b[2:]); err != nil {
		return words(b)
	}
	return words(raw)
}

// isoMoment writes 2006-01-02 15:04:05.999+01 as 2006-01-02T15:04:05.999+01:00,
// and +00 as Z. What has another form, as infinity and years before Christ,
// stays as it is.
func isoMoment(s string) string {
	if len(s) < len("2006-01-02 15:04:05") || s[4] != '-' || s[10] != ' ' || strings.HasSuffix(s, "BC") {
		return s
	}
	day, clock, zone := s[:10], s[11:], ""
	if i := strings.LastIndexAny(clock, "+-"); i > 0 {
		clock, zone = clock[:i], clock[i:]
		switch {
		case zone == "+00":
			zone = "Z"
		case len(zone) == len("+01"):
			zone += ":00"
		}
	}
	return day + "T" + clock + zone
}

// postgresList reads a list as PostgreSQL writes it, {1,NULL,"a,b"}, at any
// depth, and gives it as JSON. What does not read as one is text.
func postgresList(s string, element func([]byte) any) any {
	text := s
	if i := strings.Index(s, "={"); i > 0 && s[0] == '[' { // [0:1]={1,2}
		s = s[i+1:]
	}
	p := listReader{rest: s, element: element}
	v := p.list()
	if p.wrong || p.rest != "" {
		return text
	}
	out, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return json.RawMessage(out)
}

type listReader struct {
	rest    string
	element func([]byte) any
	wrong   bool
}

func (p *listReader) list() []any {
	all := []any{}
	p.skip('{')
	if p.has('}') {
		return all
	}
	for !p.wrong {
		switch {
		case p.rest == "":
			p.wrong = true
		case p.rest[0] == '{':
			all = append(all, p.list())
		case p.rest[0] == '"':
			all = append(all, p.element(p.quoted()))
		default:
			i := strings.IndexAny(p.rest, ",}")
			if i < 0 {
				p.wrong = true
				break
			}
			if word := p.rest[:i]; word == "NULL" {
				all = append(all, nil)
			} else {
				all = append(all, p.element([]byte(word)))
			}
			p.rest = p.rest[i:]
		}
		if p.has('}') {
			return all
		}
		p.skip(',')
	}
	return all
}

func (p *listReader) quoted() []byte {
	var b []byte
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '\\':
			if i++; i < len(p.rest) {
				b = append(b, p.rest[i])
			}
		case '"':
			p.rest = p.rest[i+1:]
			return b
		default:
			b = append(b, c)
		}
	}
	p.wrong = true
	return b
}

func (p *listReader) has(c byte) bool {
	if p.rest != "" && p.rest[0] == c {
		p.rest = p.rest[1:]
		return true
	}
	return false
}

func (p *listReader) skip(c byte) {
	if !p.has(c) {
		p.wrong = true
	}
}
