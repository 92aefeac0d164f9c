package gate

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
	"github.com/pingcap/tidb/pkg/parser/test_driver"
)

// CalmMySQL tells whether no part of a statement can fail for a row: it is a
// SELECT of columns and plain aggregates from tables, whose conditions compare.
// MariaDB may try such conditions on any row, also on one that a view holds back,
// and nobody learns of it: so they may go into the view and use its indexes.
// False for everything else, and for what cannot be read.
func CalmMySQL(sql string) (calm bool) {
	defer func() {
		if recover() != nil { // the parser is not ours
			calm = false
		}
	}()
	if _, err := scanMySQL(sql); err != nil || len(sql) > maxSQL {
		return false
	}
	statements, err := mysqlParse(sql)
	if err != nil || len(statements) != 1 {
		return false
	}
	if _, is := statements[0].(*ast.SelectStmt); !is {
		return false
	}
	w := &mysqlCalm{calm: true}
	statements[0].Accept(w)
	return w.calm
}

// mysqlCalm looks for what is not calm.
type mysqlCalm struct {
	calm bool
	deep int
}

// mysqlCompares are operators that give an answer for whatever they compare.
var mysqlCompares = map[opcode.Op]bool{opcode.LogicAnd: true, opcode.LogicOr: true, opcode.EQ: true, opcode.NE: true, opcode.LT: true, opcode.LE: true,
	opcode.GT: true, opcode.GE: true, opcode.NullEQ: true}

var mysqlCalmAggregates = map[string]bool{"count": true, "sum": true, "avg": true, "min": true, "max": true}

// Enter implements ast.Visitor.
func (w *mysqlCalm) Enter(n ast.Node) (ast.Node, bool) {
	w.deep++
	ok := w.deep <= mysqlNesting
	switch n := n.(type) {
	case *ast.SelectStmt:
		ok = ok && w.deep == 1 && n.With == nil && len(n.WindowSpecs) == 0 && n.SelectIntoOpt == nil
	case *ast.TableRefsClause, *ast.Join, *ast.OnCondition, *ast.TableName, *ast.FieldList, *ast.SelectField, *ast.WildCardField, *ast.ColumnNameExpr, *ast.ColumnName,
		*ast.ParenthesesExpr, *ast.BetweenExpr, *ast.IsNullExpr, *ast.GroupByClause, *ast.OrderByClause, *ast.ByItem, *ast.Limit, *ast.PositionExpr,
		*test_driver.ValueExpr, *test_driver.ParamMarkerExpr:
	case *ast.TableSource:
		_, is := n.Source.(*ast.TableName)
		ok = ok && is
	case *ast.BinaryOperationExpr:
		ok = ok && mysqlCompares[n.Op]
	case *ast.UnaryOperationExpr:
		ok = ok && (n.Op == opcode.Not || n.Op == opcode.Not2)
	case *ast.PatternInExpr:
		ok = ok && n.Sel == nil
	case *ast.PatternLikeOrIlikeExpr:
		ok = ok && n.IsLike
	case *ast.AggregateFuncExpr:
		ok = ok && mysqlCalmAggregates[strings.ToLower(n.F)]
	default:
		ok = false
	}
	w.calm = w.calm && ok
	return n, !w.calm
}

// Leave implements ast.Visitor.
func (w *mysqlCalm) Leave(n ast.Node) (ast.Node, bool) {
	w.deep--
	return n, w.calm
}
