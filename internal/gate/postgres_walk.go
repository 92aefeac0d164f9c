package gate

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxDepth bounds the nesting of a tree. The printer of C recurses, with about
// a kilobyte for each level.
const maxDepth = 300

// walk goes through a tree, asks each node whether it is allowed, and
// re-points the tables.
type walk struct {
	sql     string
	names   Names
	depth   int
	at      int // the byte where the nearest node around stands
	exposed map[string][]exposed
	refs    []ref
}

func (w *walk) refuse(format string, args ...any) *Refusal {
	at := 0
	if w.at > 0 {
		at = position(w.sql, w.at)
	}
	return refuse(at, format, args...)
}

// message visits a node and what is below it. In are the names of WITH that
// may be used there.
func (w *walk) message(m protoreflect.Message, in *scope) *Refusal {
	if _, wraps := m.Interface().(*pg.Node); !wraps {
		defer func(at int) { w.depth, w.at = w.depth-1, at }(w.at)
		w.depth++
		if f := m.Descriptor().Fields().ByName("location"); f != nil && m.Get(f).Int() > 0 {
			w.at = int(m.Get(f).Int())
		}
		if w.depth > maxDepth {
			return w.refuse("this SQL is nested too deeply")
		}
		if refusing {
			if r := w.allowed(m); r != nil {
				return r
			}
		}
	}
	switch n := m.Interface().(type) {
	case *pg.RangeVar:
		return w.relation(n, in)
	case *pg.RangeFunction:
		w.exposeFunction(n)
	case *pg.RangeSubselect:
		w.expose(n.GetAlias().GetAliasname(), exposed{})
	case *pg.JoinExpr:
		w.expose(n.GetAlias().GetAliasname(), exposed{})
		w.expose(n.GetJoinUsingAlias().GetAliasname(), exposed{})
	case *pg.JsonTable:
		name := n.GetAlias().GetAliasname()
		if name == "" {
			name = "json_table"
		}
		w.expose(name, exposed{})
	case *pg.ColumnRef:
		w.refs = append(w.refs, ref{n, w.at})
	case *pg.WithClause:
		return nil // seen by the statement that it belongs to
	}
	if f := m.Descriptor().Fields().ByName("with_clause"); f != nil && m.Has(f) {
		with, is := m.Get(f).Message().Interface().(*pg.WithClause)
		if !is {
			return w.refuse("WITH may not be used like this in governed SQL")
		}
		var r *Refusal
		if in, r = w.with(with, in); r != nil {
			return r
		}
	}
	return w.below(m, in)
}

// below visits what a node consists of.
func (w *walk) below(m protoreflect.Message, in *scope) *Refusal {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Kind() != protoreflect.MessageKind || !m.Has(f) {
			continue
		}
		if !f.IsList() {
			if r := w.message(m.Get(f).Message(), in); r != nil {
				return r
			}
			continue
		}
		list := m.Get(f).List()
		for j := range list.Len() {
			if r := w.message(list.Get(j).Message(), in); r != nil {
				return r
			}
		}
	}
	return nil
}

// allowed refuses a node that is on no list.
func (w *walk) allowed(m protoreflect.Message) *Refusal {
	kind := string(m.Descriptor().Name())
	if !kinds[kind] {
		called := kindNames[kind]
		if called == "" {
			called = strings.TrimSuffix(kind, "Stmt")
		}
		return w.refuse("%s may not be used in governed SQL", called)
	}
	if len(m.GetUnknown()) > 0 {
		return w.refuse("%s may not be used like this in governed SQL", kind)
	}
	switch n := m.Interface().(type) {
	case *pg.FuncCall:
		if name := builtin(n.GetFuncname()); !functions[name] {
			return w.refuse("the function %s is not one that may be used in governed SQL", spelled(n.GetFuncname()))
		}
	case *pg.RangeFunction:
		return w.allowedInFrom(n)
	case *pg.TypeName:
		if name := builtin(n.GetNames()); !types[name] || n.GetTypeOid() != 0 || n.GetSetof() || n.GetPctType() {
			return w.refuse("the type %s is not one that may be used in governed SQL", spelled(n.GetNames()))
		}
	case *pg.ColumnDef:
		// With a name and a type, as in AS t(id int): nothing else fits there.
		if n.GetRawDefault() != nil || n.GetCookedDefault() != nil || n.GetIdentitySequence() != nil || len(n.GetConstraints()) > 0 || len(n.GetFdwoptions()) > 0 {
			return w.refuse("a column definition may hold only a name and a type in governed SQL")
		}
	case *pg.SQLValueFunction:
		if !clocks[n.GetOp()] {
			name, _, _ := strings.Cut(strings.TrimPrefix(n.GetOp().String(), "SVFOP_"), "_N")
			return w.refuse("%s is not one that may be used in governed SQL", name)
		}
	case *pg.A_Expr:
		return w.operator(n.GetName())
	case *pg.SubLink:
		return w.operator(n.GetOperName())
	case *pg.SortBy:
		return w.operator(n.GetUseOp())
	case *pg.CollateClause:
		if name := builtin(n.GetCollname()); !collations[name] {
			return w.refuse("the collation %s is not one that may be used in governed SQL", spelled(n.GetCollname()))
		}
	case *pg.A_Indirection:
		// (x).f calls the function f where x has no column f.
		for _, part := range n.GetIndirection() {
			if s := part.GetString_(); s != nil && !selectable(s.GetSval()) {
				return w.refuse("the field %.100s of an expression may not be used in governed SQL: give the expression a name in FROM", s.GetSval())
			}
		}
	case *pg.ParamRef:
		if n.GetNumber() < 1 {
			return w.refuse("parameters are written $1, $2 and so on")
		}
	}
	return nil
}

// allowedInFrom refuses what stands for a table in FROM and is no function
// that gives rows. What else may stand there, as coalesce(x) AS t, makes t a
// text, and t.f a call of f.
func (w *walk) allowedInFrom(n *pg.RangeFunction) *Refusal {
	for _, item := range n.GetFunctions() {
		parts := item.GetList().GetItems()
		if len(parts) == 0 {
			return w.refuse("this may not be used in FROM in governed SQL")
		}
		call := parts[0].GetFuncCall()
		if call == nil {
			return w.refuse("only a function that gives rows may be used in FROM in governed SQL")
		}
		if _, ok := tableFunctions[builtin(call.GetFuncname())]; !ok {
			return w.refuse("the function %s is not one that may be used in FROM in governed SQL", spelled(call.GetFuncname()))
		}
	}
	return nil
}

func (w *walk) operator(name []*pg.Node) *Refusal {
	switch {
	case len(name) == 0:
		return nil
	case len(name) > 1:
		return w.refuse("operators may not be named with a schema in governed SQL")
	case !operators[text(name[0])]:
		return w.refuse("the operator %s is not one that may be used in governed SQL", spelled(name))
	}
	return nil
}
