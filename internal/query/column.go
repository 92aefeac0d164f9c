package query

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// column is a column of a relation: what is reported of it, and how to name
// it in SQL and in the stage above. Column.Name is unique in the relation.
type column struct {
	Column
	sql    string          // quoted
	raw    fragment        // in place of it, for a column of SQL typed by a person
	field  catalog.FieldID // 0 when it is computed
	join   string          // alias of the join it came by, below
	via    catalog.FieldID // foreign key that it was reached through, below
	shape                  // that it was given, below
	masked bool            // other values than the table's stand in it
}

// class is what a type allows to be done with its values.
type class uint8

const (
	aThing class = iota // anything else: no rule, no conversion
	aNumber
	aText
	aBoolean
	aDate
	aDateTime
	aTime
	aInstant // a date with time that knows its zone
	aUUID
)

var classNames = [...]string{"a value", "a number", "text", "true or false", "a date", "a date with time", "a time of the day", "a date with time", "a UUID"}

func (c class) String() string { return classNames[c] }

// ofDay tells whether values of the class have a date.
func (c class) ofDay() bool { return c == aDate || c == aDateTime || c == aInstant }

// kin folds classes whose values can be compared with each other.
func (c class) kin() class {
	switch c {
	case aDate, aInstant:
		return aDateTime
	case aUUID:
		return aText
	}
	return c
}

func classOf(baseType string) class {
	name := strings.TrimPrefix(baseType, "type/")
	switch name {
	case "Number", "Integer", "BigInteger", "SmallInteger", "Float", "Decimal":
		return aNumber
	case "Text", "TextLike":
		return aText
	case "UUID":
		return aUUID
	case "Boolean":
		return aBoolean
	case "Date":
		return aDate
	case "Instant":
		return aInstant
	}
	switch {
	case strings.HasPrefix(name, "DateTimeWith"):
		return aInstant
	case strings.HasPrefix(name, "DateTime"):
		return aDateTime
	case strings.HasPrefix(name, "Time"):
		return aTime
	}
	return aThing
}

// whole tells whether a type holds whole numbers only.
func whole(baseType string) bool {
	return baseType == "type/Integer" || baseType == "type/BigInteger" || baseType == "type/SmallInteger"
}

// describe is a field as a column of results, as the person may see it.
func (c *compiler) describe(of *catalog.Field) Column {
	f := c.Access.Field(*of) // a copy: the catalog's records are shared
	d := Column{Name: f.Name, DisplayName: f.DisplayName, BaseType: f.BaseType, EffectiveType: f.BaseType,
		Source: "fields", ID: &f.ID, TableID: &f.Table}
	if d.DisplayName == "" {
		d.DisplayName = f.Name
	}
	if d.BaseType == "" {
		d.BaseType, d.EffectiveType = "type/*", "type/*"
	}
	if f.Description != "" {
		d.Description = &f.Description
	}
	if f.SemanticType != "" {
		d.SemanticType = &f.SemanticType
	}
	if f.Target != 0 {
		d.Target = &f.Target
	}
	return d
}

// reference is the column's field_ref.
func reference(e expr) json.RawMessage {
	raw, err := json.Marshal(e.mbql())
	if err != nil {
		return json.RawMessage("null") // cannot be: clauses are lists, text and numbers
	}
	return raw
}

// names gives every column of a stage a name of its own: count, count_2.
type names map[string]bool

func (n names) unique(name string) string {
	try := name
	for i := 2; n[try]; i++ {
		try = name + "_" + strconv.Itoa(i)
	}
	n[try] = true
	return try
}
