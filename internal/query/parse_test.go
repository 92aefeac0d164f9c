package query_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/query"
)

// onOrders is a question on the orders with these further keys.
func onOrders(keys string) string {
	if keys != "" {
		keys = "," + keys
	}
	return `{"database":1,"type":"query","query":{"source-table":4` + keys + `}}`
}

// A question that is wrong is refused with the place of the mistake.
func TestMistakesAreNamedWithTheirPath(t *testing.T) {
	deep := strings.Repeat(`["not",`, 58) + `["is-null",["field",401,null]]` + strings.Repeat(`]`, 58)
	sum := `["field",401,null]`
	for range 55 {
		sum = `["+",` + sum + `,1]`
	}
	for _, c := range []struct{ name, question, path, message string }{
		{"no JSON", `{"database":`, "", "not JSON"},
		{"not an object", `[1]`, "", "must be a JSON object"},
		{"something behind", `{"database":1,"query":{"source-table":4}} x`, "", "after the end"},
		{"no database", `{"type":"query","query":{"source-table":4}}`, "database", "must be an id"},
		{"database of a wrong type", `{"database":{},"query":{"source-table":4}}`, "database", "must be an id"},
		{"negative database", `{"database":-5,"query":{"source-table":4}}`, "database", "must be an id"},
		{"unknown type", `{"database":1,"type":"sql","query":{}}`, "type", `"sql" is not a type`},
		{"no query", `{"database":1,"type":"query"}`, "query", "is missing"},
		{"query of a wrong type", `{"database":1,"query":"select 1"}`, "query", "must be an object, not text"},
		{"no source", `{"database":1,"query":{}}`, "query", "source-table"},
		{"two sources", onOrders(`"source-query":{"source-table":3}`), "query.source-query", "another source"},
		{"a source that is no id", `{"database":1,"query":{"source-table":"orders"}}`, "query.source-table", "must be an id"},
		{"a source that is no card", `{"database":1,"query":{"source-table":"card__x"}}`, "query.source-table", "must be an id"},
		{"a source of zero", `{"database":1,"query":{"source-table":0}}`, "query.source-table", "must be an id"},
		{"a fraction as a source", `{"database":1,"query":{"source-table":1.5}}`, "query.source-table", "must be an id"},
		{"an unknown key", onOrders(`"filters":[]`), "query.filters", "no such key"},
		{"an odd unknown key", onOrders(`"a b":[]`), `query["a b"]`, "no such key"},
		{"a key twice", onOrders(`"limit":1,"limit":2`), "query", `"limit" stands twice`},
		{"an unknown clause", onOrders(`"filter":["and",["=",["field",401,null],1],["like",["field",401,null],1]]`), "query.filter[2][0]", `no clause "like"`},
		{"a clause for later", onOrders(`"filter":["segment",3]`), "query.filter[0]", "not supported: there are none"},
		{"a clause that is text", onOrders(`"filter":"x = 1"`), "query.filter", "must be a list, not text"},
		{"an empty clause", onOrders(`"filter":[]`), "query.filter", "empty list"},
		{"a clause without a name", onOrders(`"filter":[["=",1,2]]`), "query.filter[0]", "must be text"},
		{"too few arguments", onOrders(`"filter":["=",["field",401,null]]`), "query.filter", `"=" takes at least 2`},
		{"too many arguments", onOrders(`"filter":["between",["field",401,null],1,2,3]`), "query.filter", `"between" takes 3`},
		{"a value as a condition", onOrders(`"filter":["+",1,2]`), "query.filter[0]", "must be a condition"},
		{"a field as a condition", onOrders(`"filter":["field",408,null]`), "query.filter[0]", "must be a condition"},
		{"a condition as a value", onOrders(`"expressions":{"x":["=",1,2]}`), "query.expressions.x[0]", "must be a value"},
		{"an aggregation as a condition", onOrders(`"filter":["count"]`), "query.filter[0]", "must be a condition"},
		{"a field as an aggregation", onOrders(`"aggregation":[["field",401,null]]`), "query.aggregation[0][0]", "must be an aggregation"},
		{"an object as a value", onOrders(`"filter":["=",["field",401,null],{"a":1}]`), "query.filter[2]", "not an object"},
		{"a number beyond all", onOrders(`"filter":["=",["field",401,null],1e999]`), "query.filter[2]", "too large"},
		{"null in an order", onOrders(`"filter":["<",["field",401,null],null]`), "query.filter[2]", "null"},
		{"an unknown option", onOrders(`"filter":["contains",["field",407,null],"x",{"regex":true}]`), "query.filter[3].regex", "no such option"},
		{"an option of a wrong type", onOrders(`"filter":["contains",["field",407,null],"x",{"case-sensitive":1}]`), "query.filter[3].case-sensitive", "true or false"},
		{"options where none are", onOrders(`"filter":["=",["field",407,null],"x",{"case-sensitive":true}]`), "query.filter[3]", "not an object"},
		{"an unknown unit", onOrders(`"breakout":[["field",409,{"temporal-unit":"fortnight"}]]`), "query.breakout[0][2].temporal-unit", `no unit "fortnight"`},
		{"a part as a stretch", onOrders(`"filter":["time-interval",["field",409,null],1,"day-of-week"]`), "query.filter[3]", "cannot stand here"},
		{"a stretch in words", onOrders(`"filter":["time-interval",["field",409,null],"yesterday","day"]`), "query.filter[2]", "must be a number"},
		{"an unknown field option", onOrders(`"fields":[["field",401,{"alias":"x"}]]`), "query.fields[0][2].alias", "no such option"},
		{"a hop to a name", onOrders(`"fields":[["field","title",{"source-field":404}]]`), "query.fields[0][1]", "must be an id"},
		{"a hop by a name", onOrders(`"fields":[["field",301,{"source-field":"product_id"}]]`), "query.fields[0][2].source-field", "must be an id"},
		{"a hop from a join alone", onOrders(`"fields":[["field",301,{"source-field-join-alias":"x"}]]`), "query.fields[0][2]", "no \"source-field\""},
		{"an older hop of names", onOrders(`"fields":[["fk->",["field","a",{"base-type":"type/Text"}],301]]`), "query.fields[0]", "ids of a foreign key"},
		{"a binning without a strategy", onOrders(`"breakout":[["field",406,{"binning":{"num-bins":8}}]]`), "query.breakout[0][2].binning", "strategy"},
		{"a binning without a number", onOrders(`"breakout":[["field",406,{"binning":{"strategy":"num-bins"}}]]`), "query.breakout[0][2].binning", "strategy"},
		{"a binning into too many", onOrders(`"breakout":[["field",406,{"binning":{"strategy":"num-bins","num-bins":1001}}]]`), "query.breakout[0][2].binning.num-bins", "from 1 to 1000"},
		{"a binning of no width", onOrders(`"breakout":[["field",406,{"binning":{"strategy":"bin-width","bin-width":0}}]]`), "query.breakout[0][2].binning.bin-width", "above 0"},
		{"an unknown option of a binning", onOrders(`"breakout":[["field",406,{"binning":{"strategy":"default","even":true}}]]`), "query.breakout[0][2].binning.even", "no such option"},
		{"a binning and a unit", onOrders(`"breakout":[["field",406,{"temporal-unit":"day","binning":{"strategy":"default"}}]]`), "query.breakout[0][2]", "either"},
		{"an unknown option of an expression", onOrders(`"fields":[["expression","x",{"as":1}]]`), "query.fields[0][2].as", "no such option"},
		{"SQL as a source", `{"database":1,"query":{"source-query":{"native":"select 1"}}}`, "query.source-query", "save it as a question"},
		{"SQL below a stage", `{"database":1,"stages":[{"native":"select 1"},{"limit":1}]}`, "stages[0]", "save it as a question"},
		{"a stretch moved by nothing", onOrders(`"filter":["relative-time-interval",["field",409,null],1,"day"]`), "query.filter", "takes 5 arguments"},
		{"a sum of intervals", onOrders(`"expressions":{"x":["+",["interval",1,"day"],["interval",1,"day"]]}`), "query.expressions.x", "added to a date"},
		{"a number in a sum of intervals", onOrders(`"expressions":{"x":["+",["field",409,null],["interval",1,"day"],5]}`), "query.expressions.x[3]", "must be a list"},
		{"an interval of a part", onOrders(`"expressions":{"x":["+",["field",409,null],["interval",1,"day-of-week"]]}`), "query.expressions.x[2][2]", "cannot stand here"},
		{"a date moved by a fraction", onOrders(`"expressions":{"x":["datetime-add",["field",409,null],1.5,"day"]}`), "query.expressions.x[2]", "whole number"},
		{"a way of counting weeks", onOrders(`"expressions":{"x":["get-week",["field",409,null],"solar"]}`), "query.expressions.x[2]", "not a way of counting"},
		{"a part that is a stretch", onOrders(`"expressions":{"x":["temporal-extract",["field",409,null],"day"]}`), "query.expressions.x[2]", "cannot stand here"},
		{"a date in another mode", onOrders(`"expressions":{"x":["datetime",["field",407,null],{"mode":"simple"}]}`), "query.expressions.x[2].mode", "ISO 8601"},
		{"a moment that is a number", onOrders(`"filter":["=",["field",409,null],["absolute-datetime",5,"day"]]`), "query.filter[2][1]", "must be text"},
		{"text with a NUL", onOrders(`"filter":["=",["field",407,null],"a\u0000b"]`), "query.filter[2]", "NUL"},
		{"bytes that are no text", onOrders(`"filter":["=",["field",407,null],"` + "\xff" + `"]`), "", "not valid UTF-8"},
		{"a field without an id", onOrders(`"fields":[["field",null,null]]`), "query.fields[0][1]", "must be an id"},
		{"a field of a list", onOrders(`"fields":[["field",[1],null]]`), "query.fields[0][1]", "must be an id"},
		{"something else as a field", onOrders(`"fields":[["count"]]`), "query.fields[0][0]", "not a field"},
		{"fields that are no list", onOrders(`"fields":"all"`), "query.fields", "must be a list"},
		{"an order in words", onOrders(`"order-by":[["ascending",["field",401,null]]]`), "query.order-by[0][0]", `must be "asc" or "desc"`},
		{"a limit of zero", onOrders(`"limit":0`), "query.limit", "whole number from 1"},
		{"a limit in words", onOrders(`"limit":"10"`), "query.limit", "must be a number"},
		{"a page of its own", onOrders(`"page":{"page":1}`), "query.page", `must have "page" and "items"`},
		{"a page and a limit", onOrders(`"limit":3,"page":{"page":1,"items":1}`), "query.page", "cannot stand beside"},
		{"a join without a condition", onOrders(`"joins":[{"source-table":3}]`), "query.joins[0]", "no condition"},
		{"a join without a source", onOrders(`"joins":[{"condition":["=",1,1]}]`), "query.joins[0]", "source-table"},
		{"two joins of one alias", onOrders(`"joins":[{"source-table":3,"condition":["=",1,1]},{"source-table":3,"condition":["=",1,1]}]`), "query.joins[1]", "two joins"},
		{"an unknown strategy", onOrders(`"joins":[{"source-table":3,"strategy":"cross-join","condition":["=",1,1]}]`), "query.joins[0].strategy", "cross-join"},
		{"an unknown key of a join", onOrders(`"joins":[{"source-table":3,"on":1,"condition":["=",1,1]}]`), "query.joins[0].on", "no such key"},
		{"fields of a join in words", onOrders(`"joins":[{"source-table":3,"fields":"some","condition":["=",1,1]}]`), "query.joins[0].fields", `"all", "none"`},
		{"an aggregation that is no list", onOrders(`"aggregation":{"count":true}`), "query.aggregation", "must be a list"},
		{"a case without pairs", onOrders(`"expressions":{"x":["case",[]]}`), "query.expressions.x[1]", "pairs"},
		{"a case with a broken pair", onOrders(`"expressions":{"x":["case",[[1]]]}`), "query.expressions.x[1][0]", "pair"},
		{"an expression without a name", onOrders(`"expressions":{"":["+",1,1]}`), `query.expressions[""]`, "name"},
		{"a mistake below", `{"database":1,"query":{"source-query":{"source-table":4,"filter":["x"]}}}`, "query.source-query.filter[0]", "no clause"},
		{"nested too deep", onOrders(`"filter":` + deep), "", "nested too deep"},
		{"too many values", onOrders(`"filter":["=",["field",401,null]` + strings.Repeat(",1", 10_001) + `]`), "query.filter", "at most 10000"},
		{"too large", onOrders(`"filter":["=",["field",401,null]` + strings.Repeat(",1", 60_000) + `]`), "", "too large"},
		{"stages without options", `{"database":1,"stages":[{"source-table":4,"filters":[["=",1,2]]}]}`, "stages[0].filters[0]", "options"},
		{"no stages", `{"database":1,"stages":[]}`, "stages", "must have a stage"},
		{"an older key in a stage", `{"database":1,"stages":[{"source-table":4,"filter":["=",{},1,2]}]}`, "stages[0].filter", "no such key"},
		{"a source in a later stage", `{"database":1,"stages":[{"source-table":4},{"source-table":3}]}`, "stages[1].source-table", "another source"},
		{"an unknown aggregation", `{"database":1,"stages":[{"source-table":4,"order-by":[["asc",{},["aggregation",{},"abc"]]]}]}`, "stages[0].order-by[0][2][2]", "no such aggregation"},
		{"a parameter without a target", `{"database":1,"query":{"source-table":4},"parameters":[{"value":1}]}`, "parameters[0]", "no target"},
		{"a parameter of an unknown type", `{"database":1,"query":{"source-table":4},"parameters":[{"value":1,"type":"x","target":["dimension",["field",1,null]]}]}`, "parameters[0]", "no parameters of the type"},
		{"a parameter for a variable", `{"database":1,"query":{"source-table":4},"parameters":[{"value":1,"target":["variable",["template-tag","x"]]}]}`, "parameters[0].target", "dimension"},
		{"a parameter with half a range", `{"database":1,"query":{"source-table":4},"parameters":[{"value":[1],"type":"number/between","target":["dimension",["field",1,null]]}]}`, "parameters[0].value", "takes 3 arguments"},
		{"a parameter that is no date", `{"database":1,"query":{"source-table":4},"parameters":[{"value":"soon","type":"date/all-options","target":["dimension",["field",1,null]]}]}`, "parameters[0].value", "not a date"},

		{"no SQL", `{"database":1,"type":"native","native":{}}`, "native", `has no "query"`},
		{"empty SQL", `{"database":1,"type":"native","native":{"query":" -- nothing\n /* at all */ ; "}}`, "native.query", "is empty"},
		{"SQL of a wrong type", `{"database":1,"type":"native","native":{"query":["select 1"]}}`, "native.query", "must be text"},
		{"SQL with a NUL", `{"database":1,"type":"native","native":{"query":"select 1\u0000"}}`, "native.query", "NUL"},
		{"SQL beyond all", `{"database":1,"type":"native","native":{"query":"` + strings.Repeat("x", 100_001) + `"}}`, "native.query", "longer than"},
		{"SQL without a database", `{"database":-1337,"type":"native","native":{"query":"select 1"}}`, "database", "must be an id"},
		{"an unknown key beside SQL", `{"database":1,"type":"native","native":{"query":"select 1","params":[1]}}`, "native.params", "no such key"},
		{"a variable without an end", `{"database":1,"type":"native","native":{"query":"select {{x"}}`, "native.query", "no end"},
		{"a part without an end", `{"database":1,"type":"native","native":{"query":"select 1 [[ and {{x}}","template-tags":{"x":{"type":"text"}}}}`, "native.query", "no end"},
		{"a variable nobody declared", `{"database":1,"type":"native","native":{"query":"select {{x}}"}}`, "native.query", "not among the template-tags"},
		{"a field filter without a field", `{"database":1,"type":"native","native":{"query":"select {{x}}","template-tags":{"x":{"type":"dimension"}}}}`, "native.template-tags.x", "has no \"dimension\""},
		{"a field filter on a column", `{"database":1,"type":"native","native":{"query":"select {{x}}","template-tags":{"x":{"type":"dimension","dimension":["field","a",{"base-type":"type/Text"}]}}}}`, "native.template-tags.x.dimension", "by its id"},
		{"a field filter on an expression", `{"database":1,"type":"native","native":{"query":"select {{x}}","template-tags":{"x":{"type":"dimension","dimension":["field",407,null],"alias":"lower(status)"}}}}`, "native.template-tags.x.alias", "name of a column"},
		{"a variable of a type for later", `{"database":1,"type":"native","native":{"query":"select {{x}}","template-tags":{"x":{"type":"temporal-unit"}}}}`, "native.template-tags.x", "not supported"},
		{"a question without a number", `{"database":1,"type":"native","native":{"query":"select * from {{#sales}}"}}`, "native.query", "by its number"},
		{"a snippet without a name", `{"database":1,"type":"native","native":{"query":"{{snippet: }}"}}`, "native.query", "the name of a snippet"},
		{"a tag without a type, in the other spelling", `{"database":1,"type":"native","native":{"query":"select 1","template_tags":{"x":{}}}}`, "native.template_tags.x", "no type"},
		{"a tag without a type", `{"database":1,"type":"native","native":{"query":"select 1","template-tags":{"x":{}}}}`, "native.template-tags.x", "no type"},
		{"a tag under another name", `{"database":1,"type":"native","native":{"query":"select 1","template-tags":{"x":{"name":"y","type":"text"}}}}`, "native.template-tags.x.name", "must be the name"},

		// What only Compile can tell.
		{"a field of another table", onOrders(`"filter":["=",["field",502,null],"xyzzy"]`), "query.filter[1]", "field 502 is not in a source"},
		{"a field that is not there", onOrders(`"filter":["=",["field",12345,null],"xyzzy"]`), "query.filter[1]", "field 12345 is not in a source"},
		{"a column that is not there", onOrders(`"fields":[["field","nope",{"base-type":"type/Text"}]]`), "query.fields[0]", `column "nope" is not in a source`},
		{"an alias that is not there", onOrders(`"fields":[["field",301,{"join-alias":"P"}]]`), "query.fields[0]", `not a field of a join "P"`},
		{"a field of two joins", onOrders(`"fields":[["field",301,null]],"joins":[{"alias":"a","source-table":3,"condition":["=",1,1]},{"alias":"b","source-table":3,"condition":["=",1,1]}]`), "query.fields[0]", "several joins"},
		{"a join that comes later", onOrders(`"joins":[{"alias":"a","source-table":3,"condition":["=",["field",401,null],["field",301,{"join-alias":"b"}]]},{"alias":"b","source-table":3,"condition":["=",1,1]}]`), "query.joins[0].condition[2]", "not a field of a join"},
		{"text for a number", onOrders(`"filter":["=",["field",401,null],"one"]`), "query.filter[2]", "must be a number"},
		{"hexadecimal for a number", onOrders(`"filter":["=",["field",406,null],"0x10"]`), "query.filter[2]", "must be a number"},
		{"a number for a date", onOrders(`"filter":["=",["field",409,null],2026]`), "query.filter[2]", "must be a date"},
		{"no date for a date", onOrders(`"filter":["=",["field",409,null],"2026-02-31"]`), "query.filter[2]", "must be a date"},
		{"a date for text", onOrders(`"filter":["=",["field",407,null],["relative-datetime",-1,"day"]]`), "query.filter[2]", "cannot be compared"},
		{"true for a number", onOrders(`"filter":["=",["field",401,null],true]`), "query.filter[2]", "must be a number"},
		{"an order of truth", onOrders(`"filter":["<",["field",408,null],true]`), "query.filter", "no order"},
		{"fields of different kinds", onOrders(`"filter":["=",["field",401,null],["field",407,null]]`), "query.filter[2]", "text cannot be compared with a number"},
		{"a part of a number", onOrders(`"filter":["contains",["field",401,null],"1"]`), "query.filter[1]", "needs text"},
		{"a pattern from a field", onOrders(`"filter":["contains",["field",407,null],["field",407,null]]`), "query.filter[2]", "written out"},
		{"a unit of text", onOrders(`"breakout":[["field",407,{"temporal-unit":"day"}]]`), "query.breakout[0]", "has no day"},
		{"an hour of a date", `{"database":1,"query":{"source-table":2,"breakout":[["field",204,{"temporal-unit":"hour"}]]}}`, "query.breakout[0]", "has no hour"},
		{"a sum of text", onOrders(`"aggregation":[["sum",["field",407,null]]]`), "query.aggregation[0][1]", "needs a number"},
		{"arithmetic with text", onOrders(`"expressions":{"x":["+",["field",407,null],1]}`), "query.expressions.x[1]", "needs a number"},
		{"an aggregation of text and number", onOrders(`"aggregation":[["+",["count"],"a"]]`), "query.aggregation[0][2]", "must be a number"},
		{"an expression of itself", onOrders(`"expressions":{"a":["+",["expression","b"],1],"b":["+",["expression","a"],1]}`), "query.expressions.b[1]", "made of itself"},
		{"an expression that is not there", onOrders(`"fields":[["expression","x"]]`), "query.fields[0]", "no expression"},
		{"an order by nothing broken out", onOrders(`"aggregation":[["count"]],"order-by":[["asc",["field",401,null]]]`), "query.order-by[0][1]", "must be broken out"},
		{"an order by an absent aggregation", onOrders(`"aggregation":[["count"]],"order-by":[["asc",["aggregation",1]]]`), "query.order-by[0][1]", "no aggregation 1"},
		{"an aggregation without any", onOrders(`"order-by":[["asc",["aggregation",0]]]`), "query.order-by[0][1]", "no such aggregation"},
		{"a time beyond the calendar", onOrders(`"filter":["time-interval",["field",409,null],-900000,"year"]`), "query.filter", "calendar"},
		{"clauses nested too deep", onOrders(`"expressions":{"x":` + sum + `}`), "query.expressions.x" + strings.Repeat("[1]", 49), "nested too deep"},
		{"a table of another database", `{"database":1,"query":{"source-table":20}}`, "query.source-table", "not in the database"},
		{"an unreadable card", `{"database":1,"query":{"source-table":"card__404"}}`, "query.source-table", "card 404: not found or no access"},
		{"a card made of itself", `{"database":1,"query":{"source-table":"card__4"}}`, "query.source-table", "made of itself"},
		{"a card with a mistake", `{"database":1,"query":{"source-table":"card__9"}}`, "query.source-table", "card 9: query.fields[0]: field 999"},
		{"a field that no key reaches", onOrders(`"fields":[["field",101,{"source-field":404}]]`), "query.fields[0]", "field 101 cannot be reached through field 404"},
		{"a key that points nowhere", onOrders(`"fields":[["field",301,{"source-field":405}]]`), "query.fields[0]", "field 301 cannot be reached through field 405"},
		{"a key that is not there", onOrders(`"fields":[["field",301,{"source-field":12345}]]`), "query.fields[0]", "field 12345 is not in a source"},
		{"a hop in the condition of its join", onOrders(`"joins":[{"alias":"e","source-table":7,"condition":["=",["field",406,{"source-field":707,"source-field-join-alias":"e"}],1]}]`), "query.joins[0].condition[1]", "reached through the join"},
		{"bins of text", onOrders(`"breakout":[["field",407,{"binning":{"strategy":"default"}}]]`), "query.breakout[0]", "text, which cannot be put into bins"},
		{"a number of bins of an expression", onOrders(`"expressions":{"x":["+",["field",406,null],1]},"breakout":[["expression","x",{"binning":{"strategy":"default"}}]]`), "query.breakout[0]", "need a width"},
		{"values of two kinds", onOrders(`"expressions":{"x":["coalesce",["field",406,null],"none"]}`), "query.expressions.x[2]", "text cannot stand beside a number"},
		{"cases of two kinds", onOrders(`"expressions":{"x":["case",[[["=",["field",406,null],1],"a"],[["=",["field",406,null],2],2]]]}`), "query.expressions.x[1][1][1]", "a number cannot stand beside text"},
		{"an engine without a function", onOrders(`"expressions":{"x":["regex-match-first",["field",407,null],"a"]}`), "query.expressions.x", "the engine sqlite has no function for \"regex-match-first\""},
		{"a pattern that is a field", onOrders(`"expressions":{"x":["regex-match-first",["field",407,null],["field",407,null]]}`), "query.expressions.x[2]", "written out"},
		{"a position from 0", onOrders(`"expressions":{"x":["substring",["field",407,null],0,2]}`), "query.expressions.x[2]", "from 1"},
		{"a negative length", onOrders(`"expressions":{"x":["substring",["field",407,null],1,-2]}`), "query.expressions.x[3]", "from 0"},
		{"the month of a number", onOrders(`"expressions":{"x":["get-month",["field",406,null]]}`), "query.expressions.x[1]", "needs a date"},
		{"the hour of a day", `{"database":1,"query":{"source-table":2,"expressions":{"x":["get-hour",["field",204,null]]}}}`, "query.expressions.x[1]", "has no hour-of-day"},
		{"a difference in milliseconds", onOrders(`"expressions":{"x":["datetime-diff",["field",409,null],["now"],"millisecond"]}`), "query.expressions.x", "do not differ in units"},
		{"a day in another zone", `{"database":1,"query":{"source-table":2,"expressions":{"x":["convert-timezone",["field",204,null],"Europe/Berlin"]}}}`, "query.expressions.x[1]", "same in every zone"},
		{"a zone that is none", onOrders(`"expressions":{"x":["convert-timezone",["field",409,null],"'; drop"]}`), "query.expressions.x[2]", "name of a time zone"},
		{"a percentile beyond all", onOrders(`"aggregation":[["percentile",["field",406,null],90]]`), "query.aggregation[0][2]", "from 0 to 1"},
		{"the deviation of text", onOrders(`"aggregation":[["stddev",["field",407,null]]]`), "query.aggregation[0][1]", "needs a number"},
		{"an offset by nothing", onOrders(`"aggregation":[["offset",["count"],0]],"breakout":[["field",407,null]]`), "query.aggregation[0][2]", "other than 0"},
		{"an offset of one group", onOrders(`"aggregation":[["offset",["count"],-1]]`), "query.aggregation[0]", "broken out"},
		{"a running sum of another group", onOrders(`"aggregation":[["offset",["cum-count"],-1]],"breakout":[["field",407,null]]`), "query.aggregation[0][1]", "cannot stand inside"},
		{"a box of fields", onOrders(`"filter":["inside",["field",406,null],["field",405,null],["field",401,null],1,2,3]`), "query.filter[3]", "written out"},
		{"a box of text", onOrders(`"filter":["inside",["field",406,null],["field",405,null],"n",1,2,3]`), "query.filter[3]", "must be a number"},
		{"a stretch of text", onOrders(`"filter":["time-interval",["field",407,null],-1,"day"]`), "query.filter[1]", "needs a date"},
		{"during a field", onOrders(`"filter":["during",["field",409,null],["field",409,null],"day"]`), "query.filter", "written out"},
		{"a metric that is not there", onOrders(`"aggregation":[["metric",404]]`), "query.aggregation[0]", "not found or no access"},
		{"a metric that is none", onOrders(`"aggregation":[["metric",1]]`), "query.aggregation[0]", "is no metric"},
		{"a metric that is SQL", onOrders(`"aggregation":[["metric",3]]`), "query.aggregation[0]", "is SQL"},
		{"a metric of another table", `{"database":1,"query":{"source-table":3,"aggregation":[["metric",10]]}}`, "query.aggregation[0]", "another source"},
		{"metrics of different rows", onOrders(`"aggregation":[["metric",10],["metric",11]]`), "query.aggregation[1]", "counts other rows"},
		{"a metric of itself", onOrders(`"aggregation":[["metric",18]]`), "query.aggregation[0]", "made of itself"},
		{"a card of SQL with half a parenthesis", `{"database":1,"query":{"source-table":"card__17"}}`, "query.source-table", "parentheses that do not match"},
		{"SQL made of itself", `{"database":1,"native":{"query":"select * from {{#14}}"}}`, "native.query", "made of itself"},
		{"a card inside SQL that is not there", `{"database":1,"native":{"query":"select * from {{#404}}"}}`, "native.query", "not found or no access"},
		{"a snippet that is not there", `{"database":1,"native":{"query":"{{snippet: x}}"}}`, "native.query", "snippet \"x\": not found or no access"},
		{"a snippet of itself", `{"database":1,"native":{"query":"select {{snippet: circle}}"}}`, "native.query", "more than 20 deep"},
		{"a snippet with a variable nobody declared", `{"database":1,"native":{"query":"select {{snippet: open ones}}"}}`, "native.query", "not among the template-tags"},
		{"a variable in quotes", `{"database":1,"native":{"query":"select '{{x}}'","template-tags":{"x":{"type":"text","default":"a"}}}}`, "native.query", "{{x}} stands between quotes"},
		{"a card in quotes", `{"database":1,"native":{"query":"select \"{{#1}}\""}}`, "native.query", "{{#1}} stands between quotes"},
		{"a field filter that needs a value", `{"database":1,"native":{"query":"select {{x}}","template-tags":{"x":{"type":"dimension","required":true,"dimension":["field",407,null]}}}}`, "native.template-tags.x", "needs a value"},
		{"a field filter with a wrong value", `{"database":1,"native":{"query":"select {{x}}","template-tags":{"x":{"type":"dimension","widget-type":"number/=","dimension":["field",406,null]}}},"parameters":[{"value":["much"],"target":["dimension",["template-tag","x"]]}]}`, "parameters[0].value[0]", "must be a number"},
		{"a variable without a value", `{"database":1,"type":"native","native":{"query":"select {{x}}","template-tags":{"x":{"type":"text"}}}}`, "native.template-tags.x", "needs a value"},
		{"a default that is no number", `{"database":1,"type":"native","native":{"query":"select {{x}}","template-tags":{"x":{"type":"number","default":"1; drop"}}}}`, "native.template-tags.x.default", "must be a number"},
		{"a value for nothing", `{"database":1,"type":"native","native":{"query":"select 1"},"parameters":[{"value":1,"target":["variable",["template-tag","x"]]}]}`, "parameters[0]", "no variable"},
		{"several values", `{"database":1,"type":"native","native":{"query":"select {{x}}","template-tags":{"x":{"type":"text"}}},"parameters":[{"value":["a","b"],"target":["variable",["template-tag","x"]]}]}`, "parameters[0].value", "a variable has one value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := query.Parse([]byte(c.question))
			if err == nil {
				_, err = write(q, source(t, admin))
			}
			var mistake *query.Error
			if !errors.As(err, &mistake) {
				t.Fatalf("got %v, want a *query.Error at %s", err, c.path)
			}
			if mistake.Path != c.path && !strings.HasPrefix(c.message, "nested too deep") && c.path != "" || !strings.Contains(mistake.Message, c.message) {
				t.Errorf("got %q %q\nwant %q ...%s...", mistake.Path, mistake.Message, c.path, c.message)
			}
		})
	}
}

// write compiles or checks, as the question wants.
func write(q *query.Query, s query.Source) (query.Statement, error) {
	if q.Native() {
		return query.Check(q, s)
	}
	return query.Compile(q, s)
}

// What clients send beside a question does not matter.
func TestKeysBesideTheQuestionAreIgnored(t *testing.T) {
	for _, text := range []string{
		`{"database":1,"type":"query","query":{"source-table":4,"filter":null,"limit":null,"source-metadata":[{}],"aggregation-idents":{}},"native":{"x":1},"middleware":{},"constraints":{"max-results":5},"pretty":true,"parameters":[{"id":"x","value":null}]}`,
		`{"database":1,"type":"native","native":{"query":"select 1","collection":"x","template-tags":{}},"query":{}}`,
		`{"database":1,"native":{"query":"select 1"}}`,
		`{"database":1,"type":"native","native":{"query":"select {{x}}","template_tags":{"x":{"type":"text"}}},"parameters":[]}`,
		`{"lib/type":"mbql/query","lib/metadata":null,"database":1,"stages":[{"lib/type":"mbql.stage/native","native":"select 1"}]}`,
	} {
		parse(t, text)
	}
}

// A snippet is found by its id whatever it is called by now; a question that
// knows no id finds it by its name.
func TestASnippetThatWasRenamedIsFoundByItsID(t *testing.T) {
	for _, c := range []struct {
		tag   string
		found bool
	}{
		{`{"type":"snippet","snippet-name":"as it was","snippet-id":1}`, true},
		{`{"type":"snippet","snippet-name":"as it was","snippet-id":"1"}`, true},
		{`{"type":"snippet","snippet-name":"as it was","snippet-id":9}`, false},
		{`{"type":"snippet","snippet-name":"as it was","snippet-id":null}`, false},
		{`{"type":"snippet","snippet-name":"another","snippet-id":1}`, false},
		{`{"type":"text","snippet-name":"as it was","snippet-id":1}`, false},
	} {
		q := parse(t, `{"database":1,"native":{"query":"select id from orders where {{ snippet:as it was }}","template-tags":{
			"low":{"type":"number","default":1},"not":{"type":"number"},"snippet: as it was":`+c.tag+`}}}`)
		s, err := query.Check(q, source(t, analyst))
		if c.found != (err == nil) {
			t.Errorf("%s: %v", c.tag, err)
		}
		if want := "select id from orders where (status = 'open' and total > ?1 )"; c.found && s.SQL() != want {
			t.Errorf("%s: %s, want %s", c.tag, s.SQL(), want)
		}
	}
	if _, err := query.Parse([]byte(`{"database":1,"native":{"query":"select 1","template-tags":{"snippet: x":{"type":"snippet","snippet-id":"x"}}}}`)); err == nil ||
		!strings.Contains(err.Error(), "must be an id") {
		t.Errorf("an id that is none: %v", err)
	}
}
