package gate

import (
	"strings"
	"unicode"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/model"
)

// mysqlBlock is a SELECT or a set operation: what its WITH names, what its FROM
// names, and the columns in it that name a schema.
type mysqlBlock struct {
	named     map[string]string // by WITH, so far, as defined, by mysqlFold
	relations []mysqlRelation
	columns   []mysqlColumn
}

// mysqlRelation is something in a FROM clause as the person typed it.
type mysqlRelation struct {
	schema, name string // of a table that was re-pointed under its own name
	exposed      string // what columns call it
}

// mysqlColumn is a reference whose schema has to go.
type mysqlColumn struct {
	schema, table *model.CIStr
	at            int
}

func (w *mysqlWalk) block() *mysqlBlock {
	if len(w.blocks) == 0 {
		return nil
	}
	return w.blocks[len(w.blocks)-1]
}

// with adds what WITH RECURSIVE names, all of which see each other.
func (w *mysqlWalk) with(n *ast.WithClause) {
	w.withs++
	b := w.block()
	before := map[string]bool{}
	for _, e := range n.CTEs {
		name := mysqlFold(e.Name.O)
		if before[name] {
			w.refuse(0, "WITH names %s twice", e.Name.O)
		}
		if w.err != nil {
			return
		}
		before[name] = true
		if n.IsRecursive && b != nil {
			b.name(e.Name.O)
		}
	}
}

// name adds a name of WITH. The first of the same letters stays.
func (b *mysqlBlock) name(as string) {
	if b.named == nil {
		b.named = map[string]string{}
	}
	if _, is := b.named[mysqlFold(as)]; !is {
		b.named[mysqlFold(as)] = as
	}
}

// mysqlFold is the same for those names that strings.EqualFold takes for equal.
func mysqlFold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, name)
}

// query adds a name of WITH after its query, so that neither that query nor
// those before it see it.
func (w *mysqlWalk) query(n *ast.CommonTableExpression) {
	if with, ok := w.parent().(*ast.WithClause); ok && !with.IsRecursive && w.block() != nil {
		w.block().name(n.Name.O)
	}
}

// common finds the name of WITH that a table name means here, innermost first.
func (w *mysqlWalk) common(name string) (as string, ok bool) {
	folded := mysqlFold(name)
	for i := len(w.blocks) - 1; i >= 0; i-- {
		if as, ok := w.blocks[i].named[folded]; ok {
			return as, true
		}
	}
	return "", false
}

// source notes what stands in a FROM clause, and re-points it if it is a table.
func (w *mysqlWalk) source(n *ast.TableSource) {
	r := mysqlRelation{exposed: n.AsName.O}
	if t, ok := n.Source.(*ast.TableName); ok {
		typed, bare := t.Name, n.AsName.O == ""
		schema, table := t.Schema.O, t.Name.O
		changed := w.point(t)
		if bare && changed && len(w.blocks) > 0 {
			n.AsName = typed
		}
		if bare {
			r.exposed = typed.O
			if changed {
				r.schema, r.name = schema, table
			}
		}
	}
	b := w.block()
	if b == nil || r.exposed == "" {
		return
	}
	for _, other := range b.relations {
		// MariaDB takes two tables of one name from two schemas. They are told
		// apart by the schema, which is not in the print.
		if strings.EqualFold(other.exposed, r.exposed) {
			w.refuse(0, "FROM names %s twice: use aliases", r.exposed)
		}
	}
	b.relations = append(b.relations, r)
}

// point re-points a table, and says whether its name is another now or may be
// taken for another. Names of WITH are spelled as they were defined, so that
// it does not matter what MariaDB takes for the same letters.
func (w *mysqlWalk) point(t *ast.TableName) bool {
	w.pointed[t] = true
	if len(t.IndexHints) > 0 {
		w.refuse(0, "index hints are not allowed")
	}
	if len(t.PartitionNames) > 0 {
		w.refuse(0, "PARTITION is not allowed")
	}
	if t.TableSample != nil {
		w.refuse(0, "TABLESAMPLE is not allowed")
	}
	if t.AsOf != nil {
		w.refuse(0, "AS OF is not allowed")
	}
	schema, name := t.Schema.O, t.Name.O
	if schema == "" {
		if as, ok := w.common(name); ok {
			t.Name = model.NewCIStr(as)
			return as != name
		}
	}
	toSchema, to, ok := w.names(schema, name)
	if !ok || to == "" {
		if schema != "" {
			name = schema + "." + name
		}
		w.refuse(0, "there is no table %s that you may read", name)
		return false
	}
	if _, hidden := w.common(to); hidden && toSchema == "" {
		w.refuse(0, "WITH names %s, which is the name of a table", to)
	}
	t.Schema, t.Name = model.NewCIStr(toSchema), model.NewCIStr(to)
	return true
}

// leave ends a block. Columns that name the schema of a table of its FROM lose
// it, the others may belong to a block around.
func (w *mysqlWalk) leave() {
	b := w.block()
	w.blocks = w.blocks[:len(w.blocks)-1]
	for _, c := range b.columns {
		if !w.settle(b, c) {
			if around := w.block(); around != nil {
				around.columns = append(around.columns, c)
				continue
			}
			w.refuse(c.at, "there is no table %s.%s in FROM", c.schema.O, c.table.O)
		}
	}
}

func (w *mysqlWalk) settle(b *mysqlBlock, c mysqlColumn) bool {
	for _, r := range b.relations {
		if r.name != "" && r.schema == c.schema.O && r.name == c.table.O {
			*c.schema = model.CIStr{}
			return true
		}
	}
	for _, r := range b.relations {
		if strings.EqualFold(r.exposed, c.table.O) {
			w.refuse(c.at, "it is not certain which table %s.%s means here: use aliases", c.schema.O, c.table.O)
		}
	}
	return false
}
