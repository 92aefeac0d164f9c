package warehouse

import (
	"database/sql/driver"
	"strings"
	"time"
)

// anyType is the base type of what may hold anything.
const anyType = "type/*"

// baseType is Metabase's type for a type that an SQLite column was declared
// with. SQLite takes any word there; what decides is a part of it, as for
// SQLite itself.
func baseType(declared string) string {
	d := strings.ToUpper(declared)
	if i := strings.IndexByte(d, '('); i >= 0 {
		d = strings.TrimSpace(d[:i])
	}
	switch d {
	case "":
		return anyType
	case "DATE":
		return "type/Date"
	case "TIME":
		return "type/Time"
	case "BOOL", "BOOLEAN":
		return "type/Boolean"
	case "UUID":
		return "type/UUID"
	case "BIGINT", "INT8", "UNSIGNED BIG INT":
		return "type/BigInteger"
	case "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
		return "type/DateTimeWithTZ"
	}
	for _, t := range []struct{ part, base string }{
		{"DATETIME", "type/DateTime"}, {"TIMESTAMP", "type/DateTime"},
		{"INT", "type/Integer"}, {"SERIAL", "type/Integer"},
		{"CHAR", "type/Text"}, {"CLOB", "type/Text"}, {"TEXT", "type/Text"}, {"JSON", "type/Text"}, {"STRING", "type/Text"},
		{"DEC", "type/Decimal"}, {"NUMERIC", "type/Decimal"}, {"NUMBER", "type/Decimal"}, {"MONEY", "type/Decimal"},
		{"REAL", "type/Float"}, {"FLOAT", "type/Float"}, {"DOUBLE", "type/Float"},
	} {
		if strings.Contains(d, t.part) {
			return t.base
		}
	}
	return anyType
}

// valueType is the base type of a value that comes from no column.
func valueType(v driver.Value) string {
	switch v.(type) {
	case int64:
		return "type/Integer"
	case float64:
		return "type/Float"
	case string:
		return "type/Text"
	case bool:
		return "type/Boolean"
	case time.Time:
		return "type/DateTime"
	}
	return anyType
}

// semanticType is what a column's name says for certain; "" for most.
func semanticType(name, base string) string {
	n := strings.ToLower(name)
	switch base {
	case "type/Text":
		switch n {
		case "name", "title":
			return map[string]string{"name": "type/Name", "title": "type/Title"}[n]
		case "email", "e_mail", "email_address":
			return "type/Email"
		case "city", "state", "country":
			return "type/" + strings.ToUpper(n[:1]) + n[1:]
		case "zip", "zip_code", "postal_code":
			return "type/ZipCode"
		case "category", "status", "type", "source", "plan":
			return "type/Category"
		}
	case "type/Float", "type/Decimal":
		if n == "latitude" || n == "longitude" {
			return "type/" + strings.ToUpper(n[:1]) + n[1:]
		}
	case "type/DateTime", "type/DateTimeWithTZ", "type/Date":
		switch n {
		case "created_at", "created_on", "joined_at", "created":
			return "type/CreationTimestamp"
		case "updated_at", "updated_on", "modified_at":
			return "type/UpdatedTimestamp"
		}
	}
	return ""
}
