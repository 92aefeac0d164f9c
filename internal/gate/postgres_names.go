package gate

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// scope is a name of WITH that may be used, and those around it.
type scope struct {
	name  string
	outer *scope
}

func (s *scope) has(name string) bool {
	for ; s != nil; s = s.outer {
		if s.name == name {
			return true
		}
	}
	return false
}

// with visits the queries of a WITH clause, and returns the names that may be
// used in the statement that the clause belongs to. A query sees those before
// it; with RECURSIVE it sees all and itself.
func (w *walk) with(clause *pg.WithClause, in *scope) (*scope, *Refusal) {
	if refusing {
		if r := w.allowed(clause.ProtoReflect()); r != nil {
			return nil, r
		}
	}
	if clause.GetRecursive() {
		for _, item := range clause.GetCtes() {
			in = &scope{item.GetCommonTableExpr().GetCtename(), in}
		}
	}
	for _, item := range clause.GetCtes() {
		if r := w.message(item.ProtoReflect(), in); r != nil {
			return nil, r
		}
		if !clause.GetRecursive() {
			in = &scope{item.GetCommonTableExpr().GetCtename(), in}
		}
	}
	return in, nil
}

// exposed is what a name before a dot can stand for in the statement.
type exposed struct {
	target  relation        // of a table without an alias
	columns map[string]bool // of a function in FROM; nil for all else
}

type relation struct{ schema, name string }

func (w *walk) expose(name string, as exposed) {
	if name != "" {
		w.exposed[name] = append(w.exposed[name], as)
	}
}

// exposeFunction notes a function in FROM with the columns that it is known
// to have.
func (w *walk) exposeFunction(n *pg.RangeFunction) {
	columns := map[string]bool{}
	name := n.GetAlias().GetAliasname()
	for _, item := range n.GetFunctions() {
		parts := item.GetList().GetItems()
		if len(parts) == 0 || parts[0].GetFuncCall() == nil {
			continue
		}
		function := builtin(parts[0].GetFuncCall().GetFuncname())
		if name == "" {
			name = function
		}
		for _, c := range tableFunctions[function] {
			columns[c] = true
		}
		if len(tableFunctions[function]) == 0 && len(n.GetAlias().GetColnames()) == 0 {
			// One column, named after the alias, or else after the function.
			if len(n.GetFunctions()) == 1 {
				columns[name] = true
			} else {
				columns[function] = true
			}
		}
		for _, more := range parts[1:] {
			for _, d := range more.GetList().GetItems() {
				columns[d.GetColumnDef().GetColname()] = true
			}
		}
	}
	for _, d := range n.GetColdeflist() {
		columns[d.GetColumnDef().GetColname()] = true
	}
	for _, c := range n.GetAlias().GetColnames() {
		columns[text(c)] = true
	}
	if n.GetOrdinality() {
		columns["ordinality"] = true
	}
	w.expose(name, exposed{columns: columns})
}

// relation re-points a table. A name of WITH is left alone.
func (w *walk) relation(n *pg.RangeVar, in *scope) *Refusal {
	schema, name, alias := n.GetSchemaname(), n.GetRelname(), n.GetAlias().GetAliasname()
	if schema == "" && n.GetCatalogname() == "" && in.has(name) {
		if alias == "" {
			alias = name
		}
		w.expose(alias, exposed{})
		return nil
	}
	if n.GetCatalogname() != "" {
		if !refusing {
			return nil
		}
		return w.refuse("tables may not be named with a database in governed SQL")
	}
	inSchema, to, ok := w.names(schema, name)
	if !ok || to == "" {
		if !refusing {
			return nil
		}
		return w.refuse("there is no table %s that you may read", dotted(schema, name))
	}
	n.Schemaname, n.Relname, n.Inh = inSchema, to, true
	if n.GetAlias() == nil {
		n.Alias = &pg.Alias{Aliasname: name}
		w.expose(name, exposed{target: relation{inSchema, to}})
	} else {
		w.expose(alias, exposed{})
	}
	return nil
}

func dotted(schema, name string) string {
	if schema != "" {
		return schema + "." + name
	}
	return name
}

// ref is a name of a column, with the byte where it stands.
type ref struct {
	*pg.ColumnRef
	at int
}

// columns looks at the names of columns, when all that stands in FROM is
// known.
func (w *walk) columns() *Refusal {
	for _, n := range w.refs {
		w.at = n.at
		if r := w.column(n.ColumnRef); r != nil && refusing {
			return r
		}
	}
	return nil
}

func (w *walk) column(n *pg.ColumnRef) *Refusal {
	fields := n.GetFields()
	if len(fields) == 0 || len(fields) > 3 {
		return w.refuse("columns may not be named with a database in governed SQL")
	}
	last := fields[len(fields)-1].GetString_().GetSval() // "" for *
	if systemColumns[last] {
		return w.refuse("the column %s is not one that may be used in governed SQL", last)
	}
	if len(fields) == 1 {
		return nil
	}
	named := w.exposed[text(fields[len(fields)-2])]
	if len(fields) == 3 {
		schema, table := text(fields[0]), text(fields[1])
		inSchema, to, ok := w.names(schema, table)
		is := func(e exposed) bool { return e.target == relation{inSchema, to} }
		if !ok || len(named) == 0 || !slices.ContainsFunc(named, is) {
			return w.refuse("there is no table %s in FROM that you may read", dotted(schema, table))
		}
		// Without its schema the name must stand for nothing else.
		if slices.ContainsFunc(named, func(e exposed) bool { return !is(e) }) {
			return w.refuse("the name %s stands for several things here: name them apart with AS", table)
		}
		n.Fields = fields[1:]
		fields = n.Fields
	}
	return w.qualified(text(fields[0]), last, named)
}

// qualified refuses table.column where it may be something else than a column.
// PostgreSQL calls the function f for t.f where t has no column f. What t is
// decides how far that goes: the row of a table fits no function that could do
// harm, but t is a text in FROM unnest(ARRAY['select 1']) AS t, and t.ts_stat
// runs it.
func (w *walk) qualified(table, column string, named []exposed) *Refusal {
	if len(named) == 0 {
		return w.refuse("there is no %.100s in FROM", table)
	}
	if column == "" {
		return nil
	}
	for _, e := range named {
		if e.columns != nil && !e.columns[column] {
			return w.refuse("%s is not known as a column of the function %s: name its columns, as in AS %s(a, b)", column, table, table)
		}
	}
	if strings.HasPrefix(column, "pg_") {
		return w.refuse("the column %s is not one that may be used in governed SQL", column)
	}
	return nil
}
