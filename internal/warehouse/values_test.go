package warehouse

import (
	"encoding/json"
	"strconv"
	"testing"
)

// kindOf is a type of an engine, a literal of it, and what becomes of that on
// the way out.
type kindOf struct {
	declared, literal string
	base              string // of the column, by the catalog
	want              string // JSON
}

// TestEveryTypeHasItsJSON reads a value of each type through a table, and
// compares what the catalog and the result say about it.
func TestEveryTypeHasItsJSON(t *testing.T) {
	tests := map[string][]kindOf{
		"postgres": {
			{"boolean", "true", "type/Boolean", "true"}, {"boolean", "false", "type/Boolean", "false"}, {"boolean", "null", "type/Boolean", "null"},
			{"smallint", "-32768", "type/Integer", "-32768"}, {"integer", "2147483647", "type/Integer", "2147483647"},
			{"bigint", "9223372036854775807", "type/BigInteger", "9223372036854775807"}, {"serial", "7", "type/Integer", "7"}, {"oid", "4294967295", "type/Integer", "4294967295"},
			{"numeric(30,10)", "12345678901234567890.0123456789", "type/Decimal", "12345678901234567890.0123456789"}, {"numeric", "-0.5", "type/Decimal", "-0.5"},
			{"numeric", "'NaN'", "type/Decimal", "null"}, {"numeric", "'Infinity'", "type/Decimal", "null"}, {"numeric", "1e3", "type/Decimal", "1000"},
			{"real", "0.1", "type/Float", "0.1"}, {"double precision", "1e300", "type/Float", "1e+300"}, {"double precision", "'NaN'", "type/Float", "null"}, {"double precision", "'-Infinity'", "type/Float", "null"},
			{"money", "'-$1,234.50'", "type/Decimal", "-1234.50"},
			{"text", "'ä\u2028'", "type/Text", `"ä\u2028"`}, {"varchar(9)", "''", "type/Text", `""`}, {"char(3)", "'a'", "type/Text", `"a  "`}, {`"char"`, "'c'", "type/Text", `"c"`}, {"name", "'n'", "type/Text", `"n"`},
			{"bytea", `'\xff00'`, "type/*", `"/wA="`}, {"bytea", `'\x6162'`, "type/*", `"ab"`}, {"bytea", `''`, "type/*", `""`},
			{"date", "'2024-02-29'", "type/Date", `"2024-02-29"`}, {"date", "'infinity'", "type/Date", `"infinity"`}, {"date", "'0044-03-15 BC'", "type/Date", `"0044-03-15 BC"`}, {"date", "'12024-01-01'", "type/Date", `"12024-01-01"`},
			{"timestamp", "'2024-02-29 01:02:03.4567'", "type/DateTime", `"2024-02-29T01:02:03.4567"`}, {"timestamp", "'-infinity'", "type/DateTime", `"-infinity"`},
			{"timestamptz", "'2024-02-29 01:02:03+05:30'", "type/DateTimeWithLocalTZ", `"2024-02-28T19:32:03Z"`}, {"timestamptz", "'infinity'", "type/DateTimeWithLocalTZ", `"infinity"`},
			{"time", "'01:02:03.5'", "type/Time", `"01:02:03.5"`}, {"timetz", "'01:02:03+02'", "type/TimeWithLocalTZ", `"01:02:03+02"`}, {"interval", "'1 year 2 days 03:00'", "type/*", `"1 year 2 days 03:00:00"`},
			{"uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "type/UUID", `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`},
			{"json", `'{"a": [1, "x"]}'`, "type/JSON", `"{\"a\": [1, \"x\"]}"`}, {"jsonb", `'{"b":1,"a":null}'`, "type/JSON", `"{\"a\": null, \"b\": 1}"`}, {"xml", "'<a/>'", "type/Structured", `"\u003ca/\u003e"`},
			{"inet", "'10.0.0.1/8'", "type/IPAddress", `"10.0.0.1/8"`}, {"cidr", "'10.0.0.0/8'", "type/Structured", `"10.0.0.0/8"`}, {"macaddr", "'08:00:2b:01:02:03'", "type/Structured", `"08:00:2b:01:02:03"`},
			{"bit(3)", "B'101'", "type/*", `"101"`}, {"mood", "'so so'", "type/PostgresEnum", `"so so"`}, {"positive", "5", "type/Integer", "5"}, {"point", "'(1,2)'", "type/*", `"(1,2)"`},
			{"int4range", "'[1,5)'", "type/*", `"[1,5)"`}, {"tsvector", "'a b'", "type/*", `"'a' 'b'"`}, {"pair", "'(1,x)'", "type/*", `"(1,x)"`},
			{"integer[]", "'{1,NULL,3}'", "type/Array", "[1,null,3]"}, {"integer[]", "'{}'", "type/Array", "[]"}, {"integer[]", "'[0:1]={1,2}'", "type/Array", "[1,2]"}, {"integer[]", "'{{1,2},{3,4}}'", "type/Array", "[[1,2],[3,4]]"},
			{"text[]", `'{a,"b,c","d\"e","\\x",NULL,"NULL",""}'`, "type/Array", `["a","b,c","d\"e","\\x",null,"NULL",""]`}, {"numeric[]", "'{1.50,NaN}'", "type/Array", "[1.50,null]"},
			{"boolean[]", "'{t,f}'", "type/Array", "[true,false]"}, {"timestamptz[]", "'{2024-01-01 00:00:00+00}'", "type/Array", `["2024-01-01T00:00:00Z"]`}, {"jsonb[]", `array['{"a":1}'::jsonb]`, "type/Array", `["{\"a\": 1}"]`},
			{"mood[]", "'{happy}'", "type/Array", `"{happy}"`},
		},
		"mysql": {
			{"BOOLEAN", "TRUE", "type/Boolean", "1"}, {"TINYINT", "-128", "type/Integer", "-128"}, {"TINYINT UNSIGNED", "255", "type/Integer", "255"},
			{"SMALLINT UNSIGNED", "65535", "type/Integer", "65535"}, {"MEDIUMINT", "-8388608", "type/Integer", "-8388608"}, {"MEDIUMINT UNSIGNED", "16777215", "type/Integer", "16777215"},
			{"INT", "-2147483648", "type/Integer", "-2147483648"}, {"INT UNSIGNED", "4294967295", "type/Integer", "4294967295"}, {"INT(5) ZEROFILL", "42", "type/Integer", "42"},
			{"BIGINT", "-9223372036854775808", "type/BigInteger", "-9223372036854775808"}, {"BIGINT UNSIGNED", "18446744073709551615", "type/BigInteger", "18446744073709551615"}, {"BIGINT UNSIGNED", "7", "type/BigInteger", "7"},
			{"DECIMAL(30,10)", "12345678901234567890.0123456789", "type/Decimal", "12345678901234567890.0123456789"}, {"DECIMAL(5,2)", "-0.5", "type/Decimal", "-0.50"}, {"DECIMAL(8,2) ZEROFILL", "12.5", "type/Decimal", "12.50"},
			{"FLOAT", "0.1", "type/Float", "0.1"}, {"DOUBLE", "1e300", "type/Float", "1e+300"}, {"YEAR", "2024", "type/Integer", "2024"},
			{"BIT(1)", "b'1'", "type/Boolean", "1"}, {"BIT(10)", "b'1000000001'", "type/Integer", "513"}, {"BIT(64)", "18446744073709551615", "type/Integer", "18446744073709551615"},
			{"CHAR(3)", "'a'", "type/Text", `"a"`}, {"VARCHAR(20)", "'ä😀'", "type/Text", `"ä😀"`}, {"VARCHAR(20) CHARACTER SET latin1", "'ä'", "type/Text", `"ä"`}, {"TEXT", "''", "type/Text", `""`}, {"LONGTEXT", "NULL", "type/Text", "null"},
			{"BINARY(2)", "x'ff00'", "type/*", `"/wA="`}, {"VARBINARY(2)", "x'6162'", "type/*", `"ab"`}, {"BLOB", "x'ff'", "type/*", `"/w=="`},
			{"ENUM('a','b c')", "'b c'", "type/MySQLEnum", `"b c"`}, {"SET('x','y')", "'x,y'", "type/*", `"x,y"`}, {"JSON", `'{"a": [1]}'`, "type/Text", `"{\"a\": [1]}"`},
			{"DATE", "'2024-02-29'", "type/Date", `"2024-02-29"`}, {"DATE", "'0000-00-00'", "type/Date", "null"}, {"DATE", "'2024-00-00'", "type/Date", "null"}, {"DATE", "'9999-12-31'", "type/Date", `"9999-12-31"`},
			{"DATETIME", "'2024-02-29 01:02:03'", "type/DateTime", `"2024-02-29T01:02:03"`}, {"DATETIME(6)", "'2024-02-29 01:02:03.450000'", "type/DateTime", `"2024-02-29T01:02:03.45"`}, {"DATETIME", "'0000-00-00 00:00:00'", "type/DateTime", "null"},
			{"TIMESTAMP NULL", "'2024-02-29 01:02:03'", "type/DateTimeWithLocalTZ", `"2024-02-29T01:02:03Z"`}, {"TIMESTAMP(3) NULL", "'2024-02-29 01:02:03.500'", "type/DateTimeWithLocalTZ", `"2024-02-29T01:02:03.5Z"`},
			{"TIMESTAMP NULL", "'0000-00-00 00:00:00'", "type/DateTimeWithLocalTZ", "null"}, {"TIME", "'-838:59:59'", "type/Time", `"-838:59:59"`}, {"TIME(2)", "'01:02:03.50'", "type/Time", `"01:02:03.50"`},
			{"POINT", "POINT(1,2)", "type/*", `"AAAAAAEBAAAAAAAAAAAA8D8AAAAAAAAAQA=="`}, {"UUID", "'123e4567-e89b-12d3-a456-426655440000'", "type/UUID", `"123e4567-e89b-12d3-a456-426655440000"`}, {"INET6", "'::1'", "type/IPAddress", `"::1"`},
		},
	}
	for _, engine := range []string{"postgres", "mysql"} {
		t.Run(engine, func(t *testing.T) {
			p := newPlace(t, engine)
			if engine == "postgres" {
				p.exec(t, "CREATE TYPE mood AS ENUM ('happy', 'so so')", "CREATE DOMAIN positive AS integer CHECK (value > 0)", "CREATE TYPE pair AS (a integer, b text)")
			}
			for i, k := range tests[engine] {
				begin := "SET client_min_messages = warning; "
				if engine == "mysql" {
					begin = "SET time_zone = '+00:00', sql_mode = ''; "
				}
				name := "v" + strconv.Itoa(i)
				p.exec(t, begin+"CREATE TABLE "+name+" (x "+k.declared+")", begin+"INSERT INTO "+name+" VALUES ("+k.literal+")")
			}
			a := p.pool.Admin(p.db)
			survey, err := a.Survey(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			found := map[string]string{}
			for _, table := range survey.Tables {
				if len(table.Fields) > 0 {
					found[table.Name] = table.Fields[0].BaseType
				}
			}
			for i, k := range tests[engine] {
				name := "v" + strconv.Itoa(i)
				if found[name] != k.base {
					t.Errorf("%s is %s in the catalog, want %s", k.declared, found[name], k.base)
				}
				for _, native := range []bool{false, true} {
					columns, rows, err := p.ask(t.Context(), task{sql: "SELECT x FROM " + name, native: native})
					if err != nil || len(rows) != 1 {
						t.Errorf("%s %s: %v, %v", k.declared, k.literal, rows, err)
						continue
					}
					out, err := json.Marshal(rows[0][0])
					if err != nil || string(out) != k.want {
						t.Errorf("%s %s is %s, want %s (%v)", k.declared, k.literal, out, k.want, err)
					}
					if base := columns[0].BaseType; base != k.base && base != anyType && engine == "postgres" {
						t.Errorf("%s is %s in a result", k.declared, base)
					}
				}
			}
		})
	}
}

func TestDecimalsAreWrittenAsJSONWritesThem(t *testing.T) {
	for text, want := range map[string]any{"1": json.Number("1"), "-1.50": json.Number("-1.50"), "000.50": json.Number("0.50"), "-007": json.Number("-7"), "0": json.Number("0"),
		".5": json.Number("0.5"), "": nil, "-": nil, "NaN": nil, "Infinity": nil, "1.": nil, "1e5": nil, "1.2.3": nil} {
		if got := number(text); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

func FuzzPostgresList(f *testing.F) {
	for _, s := range []string{"{}", "{1,2}", `{"a\"b",NULL}`, "{{1},{2}}", "[0:1]={1,2}", "{", `{"`, "{a,}", "{,}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		switch v := postgresList(s, func(b []byte) any { return words(b) }).(type) {
		case string:
		case json.RawMessage:
			if !json.Valid(v) {
				t.Errorf("%q is %s", s, v)
			}
		default:
			t.Errorf("%q is a %T", s, v)
		}
	})
}
