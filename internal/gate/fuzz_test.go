//go:build !gateoff

package gate

import (
	"testing"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Whatever comes, the gate does not panic; what it prints is read again as the
// same, and names no table but those that Names gave.
func FuzzPostgres(f *testing.F) {
	for _, c := range ordinary {
		f.Add(c.sql)
	}
	for _, c := range attacks {
		if len(c.sql) < 1000 {
			f.Add(c.sql)
		}
	}
	f.Fuzz(func(t *testing.T, sql string) {
		const schema = "s f" // which no SQL of the seeds names
		given := map[relation]bool{}
		printed, err := Postgres(sql, func(in, name string) (string, string, bool) {
			given[relation{schema, name}] = true
			return schema, name, in != schema
		})
		if err != nil {
			return
		}
		again, err := Postgres(printed, func(in, name string) (string, string, bool) {
			if !given[relation{in, name}] {
				t.Fatalf("%q is printed as %q, which names %s.%s", sql, printed, in, name)
			}
			return in, name, true
		})
		if err != nil || again != printed {
			t.Fatalf("%q is printed as %q, and this as %q with the error %v", sql, printed, again, err)
		}
		tree, err := parse(printed)
		if err != nil {
			t.Fatal(err)
		}
		if len(tree.GetStmts()) != 1 {
			t.Fatalf("%q is printed as %q, which is not one statement", sql, printed)
		}
		each(tree.ProtoReflect(), func(n any) {
			if r, is := n.(*pg.RangeVar); is && r.GetSchemaname() != "" && !given[relation{r.GetSchemaname(), r.GetRelname()}] {
				t.Fatalf("%q is printed as %q, which names %s.%s", sql, printed, r.GetSchemaname(), r.GetRelname())
			}
			if c, is := n.(*pg.FuncCall); is && !functions[builtin(c.GetFuncname())] {
				t.Fatalf("%q is printed as %q, which calls %s", sql, printed, spelled(c.GetFuncname()))
			}
		})
	})
}

// each calls do for every node of a tree.
func each(m protoreflect.Message, do func(any)) {
	do(m.Interface())
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Kind() != protoreflect.MessageKind:
		case f.IsList():
			for i := range v.List().Len() {
				each(v.List().Get(i).Message(), do)
			}
		default:
			each(v.Message(), do)
		}
		return true
	})
}
