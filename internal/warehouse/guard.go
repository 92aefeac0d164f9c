package warehouse

import (
	"fmt"
	"strings"

	"github.com/sluice-bi/sluice/internal/query"
	"modernc.org/sqlite"
)

// guard is the authorizer of one connection and the last judge of what a
// statement may do. The engine asks it about everything that it finds while it
// prepares a statement, and again when the schema changes under a running one.
//
// A policy is bound for the time of a run. When none is bound everything is
// denied, so a connection that comes back to the pool can do nothing.
type guard struct {
	bound  *policy
	denied string // what the last run was denied first
}

// policy is what one statement may do.
type policy struct {
	// home is the schema that the file is in.
	home string
	// tables are the tables and views that may be read, folded.
	tables map[string]bool
	// through are the further tables that a view may read, for statements
	// that no person wrote: keys are made by via.
	through map[string]bool
	// schema is what the file has.
	schema *schema
	// views are all that SQL of a person may read, by their folded names: views
	// that the connection has for it, over tables in a schema whose name nobody
	// knows. Not nil for such SQL, and then tables do not count.
	views map[string]view
	// shadows are further names of the file under which the connection has a
	// view that cannot be read, so that nobody reaches the table.
	shadows map[string]bool
	// hash is the function for hashes that views may call.
	hash string
	// setup lets the server itself prepare a connection for SQL of a person.
	setup bool
	// system lets the server itself read the schema. No other policy has it.
	system bool
	// record, of a system policy, is told which view reads which table.
	record func(view, table string)
}

// bind puts a policy in force until the function that it returns is called.
func (g *guard) bind(p policy) (unbind func()) {
	g.bound, g.denied = &p, ""
	return func() { g.bound = nil }
}

// authorize answers the engine. Whatever it does not know is denied.
func (g *guard) authorize(action sqlite.AuthorizerActionCode, arg1, arg2, schema, within string) sqlite.AuthorizerReturnCode {
	if g.bound == nil {
		return g.deny("nothing may run on this connection now")
	}
	switch action {
	case sqlite.AuthSelect, sqlite.AuthRecursive:
		return sqlite.AuthorizerOK
	case sqlite.AuthFunction:
		if g.bound.calls(fold(arg2), fold(within)) {
			return sqlite.AuthorizerOK
		}
		return g.deny(fmt.Sprintf("the function %s is not available", arg2))
	case sqlite.AuthRead:
		if g.bound.record != nil && within != "" {
			g.bound.record(fold(within), fold(arg1))
			g.bound.record("", fold(arg1))
		}
		if g.bound.reads(fold(arg1), arg2, schema, fold(within)) {
			return sqlite.AuthorizerOK
		}
		return g.deny(fmt.Sprintf("the table %s is not one that this statement may read", arg1))
	case sqlite.AuthPragma:
		if g.bound.system && systemPragmas[arg1] || g.bound.setup && arg1 == "query_only" {
			return sqlite.AuthorizerOK
		}
		return g.deny("PRAGMA is not allowed")
	case sqlite.AuthCreateTempView:
		if g.bound.setup {
			return sqlite.AuthorizerOK
		}
	case sqlite.AuthInsert, sqlite.AuthUpdate:
		if g.bound.setup && arg1 == tempSchema {
			return sqlite.AuthorizerOK
		}
	case sqlite.AuthAttach, sqlite.AuthDetach:
		if g.bound.setup && action == sqlite.AuthAttach {
			return sqlite.AuthorizerOK
		}
		return g.deny("ATTACH and DETACH are not allowed")
	case sqlite.AuthTransaction, sqlite.AuthSavepoint:
		if g.bound.system && action == sqlite.AuthTransaction {
			return sqlite.AuthorizerOK
		}
		return g.deny("transactions are not allowed")
	}
	return g.deny("only SELECT is allowed")
}

func (g *guard) deny(why string) sqlite.AuthorizerReturnCode {
	if g.denied == "" {
		g.denied = why
	}
	return sqlite.AuthorizerDeny
}

// reads decides about one column of one table; the column is empty where the
// engine reads rows and no column of them.
func (p *policy) reads(table, column, schema, within string) bool {
	switch {
	case p.setup:
		return table == tempSchema
	case p.views != nil:
		return p.readsViews(table, column, schema, within)
	case p.system && schema == "main" && tableFunctions[table]:
		return true
	case schema != p.home && schema != "":
		return false
	case p.system:
		return true
	case strings.HasPrefix(table, "sqlite_"), strings.HasPrefix(table, "pragma_"):
		return false
	case p.schema.has(table):
		return p.tables[table] || (within != "" || column == "") && p.through[via(within, table)]
	case schema != "":
		return tableFunctions[table]
	}
	// Of a source of which no column is used, as in count(*), the engine tells
	// no schema, and it asks also when that is a common table expression or a
	// subquery. It is one for certain if the file has nothing of that name.
	return column == "" && !modules[table]
}

// readsViews decides about SQL of a person. Their text cannot name the file's
// schema, and a name of theirs without a schema means a view of the connection
// wherever there is one, so that whatever the engine finds in that schema under
// such a name was found through a view. Which view it was is asked besides: its
// name alone would not do, as a common table expression can bear it.
func (p *policy) readsViews(table, column, schema, within string) bool {
	v, is := p.views[table]
	switch {
	case strings.HasPrefix(table, "sqlite_"), strings.HasPrefix(table, "pragma_"):
		return false
	case schema == "temp":
		return is && (column == "" || v.shows(column))
	case schema == p.home && column == "":
		return is || p.through[via("", table)]
	case schema == p.home:
		return is && within == table && v.needs(column) || within != "" && p.through[via(within, table)]
	case schema == "main":
		return tableFunctions[table]
	case schema != "" || column != "":
		return false
	case is || p.shadows[table]:
		return true // a view that is no view to read was refused before
	}
	return !p.schema.has(table) && !modules[table]
}

// calls decides about a function.
func (p *policy) calls(name, within string) bool {
	if p.views == nil {
		return functions[name]
	}
	_, inside := p.views[within]
	return name == p.hash && inside || functions[name] && name != query.SQLiteHash
}

// tempSchema is where the engine notes the views of a connection.
const tempSchema = "sqlite_temp_master"

// via is the key of "this view reads this table". Of a reading without columns
// the engine does not tell the view: the view is empty then.
func via(view, table string) string { return view + "\x00" + table }

// fold is a name as SQLite compares names: without regard to the case of ASCII
// letters.
func fold(name string) string {
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' {
			return strings.Map(func(r rune) rune {
				if 'A' <= r && r <= 'Z' {
					return r + 'a' - 'A'
				}
				return r
			}, name)
		}
	}
	return name
}

// systemPragmas are the pragmas that the server itself uses.
var systemPragmas = set("schema_version table_list table_xinfo foreign_key_list")

// modules are tables that SQLite brings itself and that any name can reach.
// Names that begin with sqlite_ or pragma_ are refused in any case.
var modules = set("bytecode carray dbstat fts3tokenize generate_series json_each json_tree tables_used")

// tableFunctions are those of them that people may use: they read nothing but
// their arguments.
var tableFunctions = set("json_each json_tree")

// functions are those that people may call; sluice_hash is ours, and tells
// nothing without its key. Left out on purpose are the ones
// that load code, write logs, tell of the server or of other statements, make
// values of any size, or belong to search and map indexes.
var functions = set(`
	-> ->> abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling char coalesce concat concat_ws
	cos cosh count cume_dist current_date current_time current_timestamp date datetime degrees
	dense_rank exp first_value floor format glob group_concat hex if ifnull iif instr json json_array
	json_array_insert json_array_length json_error_position json_extract json_group_array
	json_group_object json_insert json_object json_patch json_pretty json_quote json_remove
	json_replace json_set json_type json_valid jsonb jsonb_array jsonb_array_insert jsonb_extract
	jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_patch jsonb_remove
	jsonb_replace jsonb_set julianday lag last_value lead length like likelihood likely ln log log10
	log2 lower ltrim max median min mod nth_value ntile nullif octet_length percent_rank percentile
	percentile_cont percentile_disc pi pow power printf quote radians random rank replace round
	row_number rtrim sign sin sinh sluice_hash soundex sqrt strftime string_agg substr substring subtype sum tan
	tanh time timediff total trim trunc typeof unhex unicode unistr unistr_quote unixepoch unlikely
	upper`)

// set makes a set of words.
func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
