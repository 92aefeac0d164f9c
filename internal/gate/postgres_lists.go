package gate

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// What is on no list here is refused.

func words(text string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(text) {
		m[w] = true
	}
	return m
}

// kinds are the nodes of a tree that may stand in SQL.
var kinds = words(`
	SelectStmt WithClause CommonTableExpr CTESearchClause CTECycleClause
	RangeVar RangeSubselect RangeFunction JoinExpr Alias ColumnDef
	ResTarget ColumnRef A_Star SortBy WindowDef GroupingSet GroupingFunc
	A_Const Integer Float Boolean String BitString List ParamRef
	A_Expr BoolExpr NullTest BooleanTest SubLink CaseExpr CaseWhen CoalesceExpr MinMaxExpr
	RowExpr A_ArrayExpr A_Indirection A_Indices FuncCall NamedArgExpr
	TypeCast TypeName CollateClause SQLValueFunction
	JsonTable JsonTableColumn JsonTablePathSpec JsonFuncExpr JsonBehavior JsonArgument JsonOutput JsonReturning
	JsonFormat JsonValueExpr JsonKeyValue JsonIsPredicate JsonParseExpr JsonScalarExpr JsonSerializeExpr
	JsonObjectConstructor JsonArrayConstructor JsonArrayQueryConstructor JsonObjectAgg JsonArrayAgg JsonAggConstructor
`)

// kindNames says what people call the nodes that they are likely to type and
// that are refused.
var kindNames = map[string]string{
	"InsertStmt":       "INSERT",
	"UpdateStmt":       "UPDATE",
	"DeleteStmt":       "DELETE",
	"MergeStmt":        "MERGE",
	"IntoClause":       "SELECT INTO",
	"LockingClause":    "FOR UPDATE or FOR SHARE",
	"RangeTableSample": "TABLESAMPLE",
	"RangeTableFunc":   "XMLTABLE",
	"XmlExpr":          "XML",
	"XmlSerialize":     "XMLSERIALIZE",
	"SetToDefault":     "DEFAULT",
	"CurrentOfExpr":    "CURRENT OF",
	"MergeSupportFunc": "MERGE_ACTION",
}

// types are the built-in types that a value may be cast to. Missing are those
// that look up names (regclass and the like), oid and xid, record and the
// other pseudo-types, xml, refcursor, and types that somebody has made.
var types = words(`
	bool int2 int4 int8 float4 float8 numeric money
	text varchar bpchar bytea bit varbit uuid
	date time timetz timestamp timestamptz interval
	json jsonb jsonpath
	inet cidr macaddr macaddr8
	point line lseg box path polygon circle
	int4range int8range numrange daterange tsrange tstzrange
	int4multirange int8multirange nummultirange datemultirange tsmultirange tstzmultirange
	tsvector tsquery
`)

var collations = words(`C POSIX default ucs_basic`)

// systemColumns are columns that a table has and nobody made. Views have none.
var systemColumns = words(`tableoid ctid xmin xmax cmin cmax`)

// clocks are the functions without parentheses that tell the time.
var clocks = map[pg.SQLValueFunctionOp]bool{
	pg.SQLValueFunctionOp_SVFOP_CURRENT_DATE:        true,
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME:        true,
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N:      true,
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP:   true,
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N: true,
	pg.SQLValueFunctionOp_SVFOP_LOCALTIME:           true,
	pg.SQLValueFunctionOp_SVFOP_LOCALTIME_N:         true,
	pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP:      true,
	pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N:    true,
}

// operators are those of PostgreSQL 17, and what the grammar calls
// comparisons in words.
var operators = with(words(`
	+ - * / % ^ |/ ||/ @ & | # ~ << >> = < > <= >= <> !=
	|| ~~ !~~ ~~* !~~* ~* !~ !~* ~=~ ~<~ ~<=~ ~>=~ ~>~ ^@ !!
	-> ->> #> #>> @> <@ ? ?| ?& #- @? @@ @@@
	&& &< &> -|- <<| |>> &<| |&> <<= >>= &<=
	@-@ @@ ## <-> <^ >^ ?# ?- ?-| ?|| ~=
	*= *<> *< *> *<= *>=
	IN LIKE ILIKE SIMILAR BETWEEN nullif
`), "NOT BETWEEN", "BETWEEN SYMMETRIC", "NOT BETWEEN SYMMETRIC")

// with adds names of several words to a set.
func with(m map[string]bool, more ...string) map[string]bool {
	for _, w := range more {
		m[w] = true
	}
	return m
}

// selectable tells whether (x).name can be nothing but a field: the fields of
// ROW, and the columns of functions.
func selectable(name string) bool {
	digits := strings.TrimPrefix(name, "f")
	if digits != name && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return true
	}
	return fieldNames[name]
}

var fieldNames = words(`key value lexeme positions weights`)

// tableFunctions are the functions that may stand in FROM, with the names of
// their columns. Where there are none the function gives one column, named
// after its alias, or takes the columns from a definition.
var tableFunctions = map[string][]string{
	"generate_series":           nil,
	"generate_subscripts":       nil,
	"json_array_elements":       {"value"},
	"json_array_elements_text":  {"value"},
	"json_each":                 {"key", "value"},
	"json_each_text":            {"key", "value"},
	"json_object_keys":          nil,
	"json_populate_record":      nil,
	"json_populate_recordset":   nil,
	"json_to_record":            nil,
	"json_to_recordset":         nil,
	"jsonb_array_elements":      {"value"},
	"jsonb_array_elements_text": {"value"},
	"jsonb_each":                {"key", "value"},
	"jsonb_each_text":           {"key", "value"},
	"jsonb_object_keys":         nil,
	"jsonb_path_query":          nil,
	"jsonb_path_query_tz":       nil,
	"jsonb_populate_record":     nil,
	"jsonb_populate_recordset":  nil,
	"jsonb_to_record":           nil,
	"jsonb_to_recordset":        nil,
	"regexp_matches":            nil,
	"regexp_split_to_table":     nil,
	"string_to_table":           nil,
	"unnest":                    nil,
}
