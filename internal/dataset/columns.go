package dataset

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// shape says how values of a column are written.
type shape uint8

const (
	asIs shape = iota
	asMoment
	asBoolean
)

// columnsOf describes the columns of a result: as the question says, with
// types that only the engine knows from the engine; for SQL typed by a person
// the engine alone knows them.
func columnsOf(s query.Statement, engine []warehouse.Column) ([]query.Column, []shape) {
	columns := s.Columns()
	if columns == nil {
		columns = nativeColumns(engine)
	}
	shapes := make([]shape, len(columns))
	for i := range columns {
		c := &columns[i]
		if c.BaseType == "type/*" && i < len(engine) {
			c.BaseType, c.EffectiveType = engine[i].BaseType, engine[i].BaseType
		}
		switch {
		case c.BaseType == "type/Boolean":
			shapes[i] = asBoolean
		case c.BaseType == "type/Date", strings.HasPrefix(c.BaseType, "type/DateTime"), c.BaseType == "type/Instant":
			shapes[i] = asMoment
		}
	}
	return columns, shapes
}

// nativeColumns are the columns of SQL typed by a person. Names that come
// twice are told apart by a number.
func nativeColumns(engine []warehouse.Column) []query.Column {
	columns := make([]query.Column, len(engine))
	taken := map[string]bool{}
	for i, c := range engine {
		name := c.Name
		for n := 2; taken[name]; n++ {
			name = c.Name + "_" + strconv.Itoa(n)
		}
		taken[name] = true
		ref, err := json.Marshal([]any{"field", name, map[string]string{"base-type": c.BaseType}})
		if err != nil {
			ref = []byte("null") // cannot be: text only
		}
		columns[i] = query.Column{Name: name, DisplayName: c.Name, BaseType: c.BaseType, EffectiveType: c.BaseType, FieldRef: ref, Source: "native"}
	}
	return columns
}

// shaper writes values as their columns have them.
type shaper struct {
	shapes []shape
	zone   *time.Location
}

// row writes the values of a row. It changes the row.
func (a shaper) row(row []any) []any {
	for i, s := range a.shapes {
		switch s {
		case asMoment:
			if text, ok := row[i].(string); ok {
				row[i] = moment(text, a.zone)
			}
		case asBoolean:
			if n, ok := row[i].(int64); ok && (n == 0 || n == 1) {
				row[i] = n == 1
			}
		}
	}
	return row
}

// moment writes a date, or a date with time, as the wire has it:
// 2026-01-02T00:00:00Z. One that names no zone is one of the zone. What is
// neither stays as it is.
func moment(s string, zone *time.Location) string {
	if len(s) < len("2006-01-02") || s[4] != '-' || s[7] != '-' {
		return s
	}
	switch rest := s[10:]; {
	case rest == "":
		return local(s+"T00:00:00", zone)
	case len(rest) < len(" 15:04:05") || rest[0] != ' ' && rest[0] != 'T' || rest[3] != ':' || rest[6] != ':':
		return s
	case strings.ContainsAny(rest[9:], "Z+-"):
		return s[:10] + "T" + rest[1:]
	default:
		if strings.Contains(rest, ".") {
			rest = strings.TrimRight(strings.TrimRight(rest, "0"), ".")
		}
		return local(s[:10]+"T"+rest[1:], zone)
	}
}

// local adds the offset that a zone has at a time.
func local(s string, zone *time.Location) string {
	if zone == time.UTC {
		return s + "Z"
	}
	t, err := time.ParseInLocation("2006-01-02T15:04:05.999999999", s, zone)
	if err != nil {
		return s + "Z"
	}
	return s + t.Format("Z07:00")
}
