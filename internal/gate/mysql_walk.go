package gate

import (
	"regexp"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/model"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	"github.com/pingcap/tidb/pkg/parser/test_driver"
)

// mysqlWalk visits a tree, refuses what is on no list, re-points tables and
// shapes the rest for printing.
type mysqlWalk struct {
	sql          string
	names        Names
	err          error
	path         []ast.Node // from the statement to the node
	blocks       []*mysqlBlock
	pointed      map[*ast.TableName]bool
	at           int // in sql, of the last node that knows
	withs        int
	markers      int
	placeholders []int // as they were printed
}

// refuse keeps the first refusal, which ends the walk. at is a byte of the
// text.
func (w *mysqlWalk) refuse(at int, format string, args ...any) {
	if !refusing || w.err != nil {
		return
	}
	if at > 0 && at < len(w.sql) {
		at = mysqlCharacter(w.sql, at)
	} else {
		at = 0
	}
	w.err = refuse(at, format, args...)
}

func (w *mysqlWalk) parent() ast.Node {
	if len(w.path) < 2 {
		return nil
	}
	return w.path[len(w.path)-2]
}

// Enter implements ast.Visitor.
func (w *mysqlWalk) Enter(n ast.Node) (ast.Node, bool) {
	if w.pointed == nil {
		w.pointed = map[*ast.TableName]bool{}
	}
	w.path = append(w.path, n)
	if at := n.OriginTextPosition(); at > 0 {
		w.at = at
	}
	if len(w.path) > mysqlNesting {
		w.refuse(w.at, "the SQL is nested more than %d deep", mysqlNesting)
	}
	switch n.(type) {
	case *ast.SelectStmt, *ast.SetOprStmt, *ast.SetOprSelectList:
		w.blocks = append(w.blocks, &mysqlBlock{})
	}
	w.check(n)
	return n, w.err != nil
}

// Leave implements ast.Visitor.
func (w *mysqlWalk) Leave(n ast.Node) (ast.Node, bool) {
	if w.err != nil {
		return n, false
	}
	switch n := n.(type) {
	case *ast.CommonTableExpression:
		w.query(n)
	case *ast.SelectStmt, *ast.SetOprStmt, *ast.SetOprSelectList:
		w.leave()
	}
	shaped := w.shape(n)
	w.path = w.path[:len(w.path)-1]
	return shaped, w.err == nil
}

// check is the list of nodes. What it does not name is refused.
func (w *mysqlWalk) check(n ast.Node) {
	switch n := n.(type) {
	case *ast.SetOprStmt, *ast.SetOprSelectList, *ast.CommonTableExpression, *ast.SubqueryExpr, *ast.FieldList, *ast.TableRefsClause, *ast.OnCondition, *ast.ByItem,
		*ast.GroupByClause, *ast.HavingClause, *ast.OrderByClause, *ast.Limit, *ast.WindowSpec, *ast.PartitionByClause, *ast.FrameBound:
	case *ast.BetweenExpr, *ast.BinaryOperationExpr, *ast.CaseExpr, *ast.WhenClause, *ast.ColumnNameExpr, *ast.CompareSubqueryExpr, *ast.ExistsSubqueryExpr,
		*ast.IsNullExpr, *ast.IsTruthExpr, *ast.ParenthesesExpr, *ast.PatternInExpr, *ast.PatternRegexpExpr, *ast.PositionExpr, *ast.RowExpr, *ast.UnaryOperationExpr,
		*ast.TimeUnitExpr, *ast.TrimDirectionExpr, *ast.GetFormatSelectorExpr, *test_driver.ParamMarkerExpr:
	case *ast.SelectStmt:
		w.selectOptions(n)
	case *ast.WithClause:
		w.with(n)
	case *ast.SelectField:
		if c := n.WildCard; c != nil {
			w.qualified(&c.Schema, &c.Table, n.Offset)
		}
	case *ast.ColumnName:
		w.qualified(&n.Schema, &n.Table, w.at)
	case *ast.Join:
		if n.StraightJoin {
			w.refuse(0, "STRAIGHT_JOIN is not allowed")
		}
	case *ast.TableSource:
		w.source(n)
	case *ast.TableName:
		if !w.pointed[n] {
			w.refuse(0, "the table %s cannot be named in this place", n.Name.O)
			w.point(n)
		}
	case *ast.FrameClause:
		if n.Type == ast.Groups {
			w.refuse(w.at, "frames of GROUPS are not allowed")
		}
	case *ast.PatternLikeOrIlikeExpr:
		if !n.IsLike {
			w.refuse(w.at, "ILIKE is not allowed")
		}
	case *ast.SetCollationExpr:
		if !mysqlPlain.MatchString(n.Collate) {
			w.refuse(w.at, "the collation %s is not allowed", n.Collate)
		}
	case *test_driver.ValueExpr:
		w.value(n)
	case *ast.FuncCallExpr:
		w.call(n)
	case *ast.FuncCastExpr:
		w.cast(n)
	case *ast.AggregateFuncExpr:
		if !mysqlAggregates[strings.ToLower(n.F)] {
			w.refuse(w.at, "the function %s is not allowed", n.F)
		}
	case *ast.WindowFuncExpr:
		if name := strings.ToLower(n.Name); !mysqlAggregates[name] && !mysqlWindows[name] {
			w.refuse(w.at, "the function %s is not allowed", n.Name)
		}
		if n.FromLast || n.IgnoreNull {
			w.refuse(w.at, "FROM LAST and IGNORE NULLS are not allowed")
		}
	case *ast.VariableExpr:
		w.refuse(w.at, "variables are not allowed")
	case *ast.DefaultExpr:
		w.refuse(w.at, "DEFAULT is not allowed")
	case *ast.ValuesExpr:
		w.refuse(w.at, "VALUES is not allowed")
	case *ast.MatchAgainst:
		w.refuse(w.at, "MATCH is not allowed")
	default:
		w.refuse(w.at, "the SQL holds something that is not allowed")
	}
}

var mysqlPlain = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

func (w *mysqlWalk) qualified(schema, table *model.CIStr, at int) {
	if b := w.block(); schema.O != "" && b != nil {
		b.columns = append(b.columns, mysqlColumn{schema, table, at})
	}
}

func (w *mysqlWalk) selectOptions(n *ast.SelectStmt) {
	o := n.SelectStmtOpts
	switch {
	case n.Kind != ast.SelectStmtKindSelect:
		w.refuse(0, "%s is not allowed: use SELECT", n.Kind.String())
	case n.SelectIntoOpt != nil:
		w.refuse(0, "INTO is not allowed")
	case n.LockInfo != nil && n.LockInfo.LockType != ast.SelectLockNone:
		w.refuse(0, "FOR UPDATE and LOCK IN SHARE MODE are not allowed")
	case len(n.TableHints) > 0 || o != nil && len(o.TableHints) > 0:
		w.refuse(0, "hints are not allowed")
	case o != nil && o.StraightJoin:
		w.refuse(0, "STRAIGHT_JOIN is not allowed")
	case o != nil && o.CalcFoundRows:
		w.refuse(0, "SQL_CALC_FOUND_ROWS is not allowed")
	case o != nil && (o.Priority != mysql.NoPriority || o.SQLBigResult || o.SQLSmallResult || o.SQLBufferResult || !o.SQLCache):
		w.refuse(0, "HIGH_PRIORITY and the options SQL_... of SELECT are not allowed")
	}
}

func (w *mysqlWalk) value(n *test_driver.ValueExpr) {
	switch n.Kind() {
	case test_driver.KindNull, test_driver.KindInt64, test_driver.KindUint64, test_driver.KindFloat64, test_driver.KindMysqlDecimal:
	case test_driver.KindString:
		if c := n.Type.GetCharset(); c != "" && c != "utf8mb4" && c != "binary" {
			w.refuse(w.at, "strings of the character set %s are not allowed", c)
		}
	case test_driver.KindBinaryLiteral:
		// MariaDB takes x'31' for a string and 0x31 for a number. The tree does
		// not tell them apart.
		w.refuse(w.at, "hexadecimal and bit literals are not allowed: use UNHEX or CONV")
	default:
		w.refuse(w.at, "the SQL holds a value that is not allowed")
	}
}

func (w *mysqlWalk) call(n *ast.FuncCallExpr) {
	name := n.FnName.L
	switch {
	case n.Schema.O != "":
		w.refuse(w.at, "the function %s.%s is not allowed", n.Schema.O, n.FnName.O)
	case name == ast.DateLiteral || name == ast.TimeLiteral || name == ast.TimestampLiteral:
	case name == ast.JSONMemberOf:
		w.refuse(w.at, "MEMBER OF is not allowed: use JSON_CONTAINS")
	case name == ast.CharFunc && (len(n.Args) < 2 || !mysqlNull(n.Args[len(n.Args)-1])):
		w.refuse(w.at, "CHAR with USING is not allowed")
	case !mysqlFunctions[name]:
		w.refuse(w.at, "the function %s is not allowed", n.FnName.O)
	case name == ast.Trim && len(n.Args) > 1 && mysqlNull(n.Args[1]):
		// The printer takes the NULL for an argument that is not there.
		w.refuse(w.at, "TRIM(NULL FROM ...) is not allowed")
	case name == ast.Convert && len(n.Args) == 2:
		if v, ok := n.Args[1].(*test_driver.ValueExpr); !ok || !mysqlCharsets[strings.ToLower(v.GetString())] {
			w.refuse(w.at, "CONVERT to this character set is not allowed")
		}
	}
}

func mysqlNull(e ast.ExprNode) bool {
	v, ok := e.(*test_driver.ValueExpr)
	return ok && v.Kind() == test_driver.KindNull
}

func (w *mysqlWalk) cast(n *ast.FuncCastExpr) {
	switch n.Tp.GetType() {
	case mysql.TypeVarString, mysql.TypeString:
		if !mysqlCharsets[n.Tp.GetCharset()] {
			w.refuse(w.at, "CAST to the character set %s is not allowed", n.Tp.GetCharset())
		}
	case mysql.TypeDate, mysql.TypeDatetime, mysql.TypeDuration, mysql.TypeNewDecimal, mysql.TypeLonglong, mysql.TypeDouble, mysql.TypeFloat:
	default:
		w.refuse(w.at, "CAST to this type is not allowed")
	}
	if n.Tp.IsArray() {
		w.refuse(w.at, "CAST to arrays is not allowed")
	}
}
