package gate

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/format"
	"github.com/pingcap/tidb/pkg/parser/model"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	"github.com/pingcap/tidb/pkg/parser/opcode"
	"github.com/pingcap/tidb/pkg/parser/test_driver"
)

// shape changes a node, whose children are done, so that its print leaves
// nothing to precedence and is the same when it is read and printed again.
func (w *mysqlWalk) shape(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.ParenthesesExpr:
		// The printer puts parentheses around these itself.
		if _, ok := n.Expr.(*ast.BinaryOperationExpr); ok {
			return n.Expr
		}
	case *ast.BinaryOperationExpr:
		mysqlGroup(&n.L, &n.R)
	case *ast.BetweenExpr:
		mysqlGroup(&n.Expr, &n.Left, &n.Right)
	case *ast.PatternInExpr:
		mysqlGroup(&n.Expr)
	case *ast.PatternLikeOrIlikeExpr:
		mysqlGroup(&n.Expr, &n.Pattern)
	case *ast.PatternRegexpExpr:
		mysqlGroup(&n.Expr, &n.Pattern)
	case *ast.IsNullExpr:
		mysqlGroup(&n.Expr)
	case *ast.IsTruthExpr:
		mysqlGroup(&n.Expr)
	case *ast.CompareSubqueryExpr:
		mysqlGroup(&n.L)
	case *ast.UnaryOperationExpr:
		if mysqlGroup(&n.V); mysqlUnary(n.V) {
			n.V = &ast.ParenthesesExpr{Expr: n.V}
		}
	case *ast.SetCollationExpr:
		if mysqlGroup(&n.Expr); mysqlUnary(n.Expr) {
			n.Expr = &ast.ParenthesesExpr{Expr: n.Expr}
		}
	case *ast.FuncCastExpr:
		if n.FunctionType == ast.CastBinaryOperator {
			mysqlGroup(&n.Expr)
		}
	case *ast.FuncCallExpr:
		mysqlShapeCall(n)
	case *ast.Join:
		// A join of one table prints parentheses that are not there when it is
		// read again.
		if l, ok := n.Left.(*ast.Join); ok && l.Right == nil {
			n.Left = l.Left
		}
	case *ast.Limit:
		count, ok1 := n.Count.(mysqlMarker)
		offset, ok2 := n.Offset.(mysqlMarker)
		if ok1 && ok2 && count.Offset < offset.Offset {
			n.Count, n.Offset = mysqlCountFirst{count, offset}, nil
		}
	case *ast.SelectField:
		w.label(n)
	case *test_driver.ParamMarkerExpr:
		w.markers++
		return mysqlMarker{n, &w.placeholders}
	}
	return n
}

// mysqlGroup puts parentheses around operands whose precedence dialects may see in
// different ways.
func mysqlGroup(operands ...*ast.ExprNode) {
	for _, o := range operands {
		loose := false
		switch e := (*o).(type) {
		case *ast.BetweenExpr, *ast.PatternInExpr, *ast.PatternLikeOrIlikeExpr, *ast.PatternRegexpExpr, *ast.IsNullExpr, *ast.IsTruthExpr, *ast.CompareSubqueryExpr:
			loose = true
		case *ast.ExistsSubqueryExpr:
			loose = e.Not
		case *ast.UnaryOperationExpr:
			loose = e.Op == opcode.Not || e.Op == opcode.Not2
		}
		if loose {
			*o = &ast.ParenthesesExpr{Expr: *o}
		}
	}
}

func mysqlUnary(e ast.ExprNode) bool {
	_, ok := e.(*ast.UnaryOperationExpr)
	return ok
}

// mysqlShapeCall gives functions the names that they are called by, where the
// parser has names of its own.
func mysqlShapeCall(n *ast.FuncCallExpr) {
	switch n.FnName.L {
	case ast.InsertFunc:
		n.FnName = model.NewCIStr("INSERT")
	case ast.CharFunc:
		// The last argument is the character set.
		if last := len(n.Args) - 1; last > 0 && mysqlNull(n.Args[last]) {
			n.FnName, n.Args = model.NewCIStr("CHAR"), n.Args[:last]
		}
	case "position":
		mysqlGroup(&n.Args[0])
	}
}

// mysqlLabel bounds the names of result columns, in characters.
const mysqlLabel = 255

// label keeps the name that a result column has from the words of the person,
// where printing changes these: COUNT(*) stays COUNT(*).
func (w *mysqlWalk) label(n *ast.SelectField) {
	if n.Expr == nil || n.AsName.O != "" || !w.labelled() {
		return
	}
	switch e := n.Expr.(type) {
	case *ast.ColumnNameExpr, mysqlMarker:
		return
	case *test_driver.ValueExpr:
		// MariaDB names these after what they are.
		if e.Kind() == test_driver.KindString || e.Kind() == test_driver.KindNull || e.Type.GetFlag()&mysql.IsBooleanFlag != 0 {
			return
		}
	}
	printed, err := mysqlPrint(n.Expr)
	text := n.Text()
	if err != nil || printed == text {
		return
	}
	if text == "" || strings.Contains(text, "/*") || strings.Contains(text, "*/") || strings.Contains(text, "--") || strings.Contains(text, "#") {
		text = printed
	}
	if runes := []rune(text); len(runes) > mysqlLabel {
		text = string(runes[:mysqlLabel])
	}
	n.AsName = model.NewCIStr(strings.TrimSpace(text))
}

// labelled says whether the names of the columns of the SELECT on top of the
// path can be seen or referred to.
func (w *mysqlWalk) labelled() bool {
	var below ast.Node
	for i := len(w.path) - 1; i >= 0; i-- {
		switch n := w.path[i].(type) {
		case *ast.SelectField, *ast.FieldList, *ast.SetOprStmt:
		case *ast.SelectStmt:
			below = n
		case *ast.SetOprSelectList:
			if n.Selects[0] != below {
				return false
			}
			below = n
		case *ast.SubqueryExpr:
			if i == 0 {
				return false
			}
			_, named := w.path[i-1].(*ast.CommonTableExpression)
			return named
		default:
			_, derived := n.(*ast.TableSource)
			return derived
		}
	}
	return true
}

// mysqlMarker prints a placeholder and notes which one it is.
type mysqlMarker struct {
	*test_driver.ParamMarkerExpr
	printed *[]int
}

// Restore implements ast.Node.
func (p mysqlMarker) Restore(ctx *format.RestoreCtx) error {
	*p.printed = append(*p.printed, p.Offset)
	return p.ParamMarkerExpr.Restore(ctx)
}

// inOrder says whether each placeholder was printed once, in the order in which
// they were typed.
func (w *mysqlWalk) inOrder() bool {
	for i, at := range w.placeholders {
		if i > 0 && at <= w.placeholders[i-1] {
			return false
		}
	}
	return len(w.placeholders) == w.markers
}

// mysqlCountFirst is LIMIT ? OFFSET ?, which the printer would turn around.
type mysqlCountFirst struct {
	mysqlMarker
	offset mysqlMarker
}

// Restore implements ast.Node.
func (c mysqlCountFirst) Restore(ctx *format.RestoreCtx) error {
	if err := c.mysqlMarker.Restore(ctx); err != nil {
		return err
	}
	ctx.WriteKeyWord(" OFFSET ")
	return c.offset.Restore(ctx)
}
