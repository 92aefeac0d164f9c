package warehouse

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestTablesAreReadWithKeysAndTypes(t *testing.T) {
	p, db := samplePool(t)
	survey, err := p.Admin(db).Survey(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	tables := survey.Tables
	var names []string
	for _, table := range tables {
		names = append(names, table.Name)
	}
	if want := []string{"invoices", "orders", "organizations", "people", "products", "reviews"}; !reflect.DeepEqual(names, want) {
		t.Fatalf("tables %v, want %v", names, want)
	}
	orders := []Field{
		{"id", "", "INTEGER", "type/Integer", "type/PK", nil},
		{"organization_id", "", "INTEGER", "type/Integer", "type/FK", &Reference{"", "organizations", "id"}},
		{"person_id", "", "INTEGER", "type/Integer", "type/FK", &Reference{"", "people", "id"}},
		{"product_id", "", "INTEGER", "type/Integer", "type/FK", &Reference{"", "products", "id"}},
		{"quantity", "", "INTEGER", "type/Integer", "", nil}, {"subtotal", "", "REAL", "type/Float", "", nil},
		{"discount", "", "REAL", "type/Float", "", nil}, {"tax", "", "REAL", "type/Float", "", nil}, {"total", "", "REAL", "type/Float", "", nil},
		{"status", "", "TEXT", "type/Text", "type/Category", nil}, {"created_at", "", "DATETIME", "type/DateTime", "type/CreationTimestamp", nil},
	}
	if got := tables[1].Fields; !reflect.DeepEqual(got, orders) {
		t.Errorf("orders\n%v, want\n%v", got, orders)
	}
	if n := p.InUse(1); n != 0 {
		t.Errorf("%d connections in use after reading the schema", n)
	}
}

func TestTablesOfAnOddSchema(t *testing.T) {
	file := shopFile(t)
	exec(t, file, `CREATE TABLE "odd ""name" (a INT, b VARCHAR(20), "c;d" NUMERIC(10, 2), PRIMARY KEY (a, b)) WITHOUT ROWID`,
		`CREATE TABLE kid (id INTEGER PRIMARY KEY, order_id REFERENCES orders, x INT, y TEXT, gone INT REFERENCES nowhere (id),
			both AS (x + 1), FOREIGN KEY (x, y) REFERENCES "odd ""name" (a, b))`)
	p := New(nil)
	defer p.Close()
	survey, err := p.Admin(inFile(1, file)).Survey(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	tables := survey.Tables
	byName := map[string]Table{}
	for _, table := range tables {
		byName[table.Name] = table
	}
	for _, hidden := range []string{"notes", "notes_data", "sqlite_schema"} {
		if _, ok := byName[hidden]; ok {
			t.Errorf("%s is among the tables", hidden)
		}
	}
	if v := byName["secret_view"]; !v.View || len(v.Fields) != 2 {
		t.Errorf("a view: %+v", v)
	}
	if v := byName[`odd "name`]; len(v.Fields) != 3 || v.Fields[2].BaseType != "type/Decimal" || v.Fields[1].SemanticType != "type/PK" {
		t.Errorf("a table with an odd name: %+v", v)
	}
	kid := byName["kid"].Fields
	if len(kid) != 6 || kid[1].References == nil || *kid[1].References != (Reference{"", "orders", "id"}) {
		t.Errorf("a key without a column: %+v", kid)
	}
	for _, f := range kid[2:] {
		if f.References != nil || f.SemanticType == "type/FK" {
			t.Errorf("%s is no foreign key of one column: %+v", f.Name, f)
		}
	}
}

func TestBrokenViewDoesNotHideTheOtherTables(t *testing.T) {
	file := shopFile(t)
	exec(t, file, `CREATE TABLE passing (id INT)`, `CREATE VIEW broken AS SELECT id FROM passing`, `PRAGMA writable_schema = 1`, `DELETE FROM sqlite_schema WHERE name = 'passing'`)
	p := New(nil)
	defer p.Close()
	survey, err := p.Admin(inFile(1, file)).Survey(t.Context(), nil)
	if err != nil || len(survey.Tables) < 4 || len(survey.Notes) != 1 || !strings.Contains(survey.Notes[0], "broken") {
		t.Fatalf("%+v, %v", survey, err)
	}
	for _, table := range survey.Tables {
		if table.Name == "broken" {
			t.Errorf("a view that cannot be read is there: %v", table)
		}
	}
}

func TestConnectionTroubleIsToldPlainly(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte("certainly not a database, but long enough"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := shopFile(t)
	for _, tt := range []struct{ engine, details, says string }{
		{"sqlite", `{"db":"` + good + `"}`, ""},
		{"sqlite", `{"db":"` + dir + `/none.db"}`, "there is no file"},
		{"sqlite", `{"db":"` + dir + `"}`, "is not a file"},
		{"sqlite", `{"db":"` + text + `"}`, "is not an SQLite database"},
		{"sqlite", `{"db":"shop.db"}`, "absolute path"},
		{"sqlite", `{"db":""}`, "absolute path"},
		{"sqlite", `{}`, "absolute path"},
		{"sqlite", `{"db":":memory:"}`, "absolute path"},
		{"sqlite", `{"db":"` + good + `?mode=rwc"}`, "there is no file"},
		{"sqlite", `{"db":"` + good + `","_pragma":"query_only(0)"}`, "details._pragma: there is no such option"},
		{"sqlite", `{"db":7}`, "details.db: must be a text"},
		{"sqlite", ``, "are a JSON object"},
		{"oracle", `{"db":"` + good + `"}`, `"oracle" is not supported`},
	} {
		err := New(nil).Try(t.Context(), tt.engine, []byte(tt.details))
		if tt.says == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.details, err)
			}
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Kind != Unusable || !strings.Contains(e.Message, tt.says) {
			t.Errorf("%s %s: %v, want it to say %q", tt.engine, tt.details, err, tt.says)
		}
	}
}

func TestFileWithAnOddNameIsOpenedAsItIs(t *testing.T) {
	odd := filepath.Join(t.TempDir(), "a b%20?mode=rwc#&_pragma=x.db")
	if err := os.Rename(shopFile(t), odd); err != nil {
		t.Fatal(err)
	}
	c := openShop(t, odd)
	if rows, err := read(t.Context(), c, task{sql: `SELECT count(*) FROM orders`, tables: only("orders")}); err != nil || rows[0][0] != int64(2) {
		t.Errorf("%v, %v", rows, err)
	}
}

// The second door is for dataset and dbrole. Nobody else may name it, in
// whatever way: as a method, a type or a value.
func TestOnlyDatasetAndDbroleNameTheSecondDoor(t *testing.T) {
	const module = "github.com/sluice-bi/sluice"
	root := filepath.Join("..", "..")
	seen := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		for _, may := range []string{"internal/warehouse/", "internal/dataset/", "internal/dbrole/"} {
			if strings.HasPrefix(rel, may) {
				return nil
			}
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		seen++
		imports := false
		for _, i := range file.Imports {
			imports = imports || i.Path.Value == `"`+module+`/internal/warehouse"`
		}
		if !imports {
			return nil
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && (s.Sel.Name == "Admin" || s.Sel.Name == "Try") {
				t.Errorf("%s names %s, the second door of the warehouses; ask dataset", rel, s.Sel.Name)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 10 {
		t.Errorf("only %d files were looked at", seen)
	}
}

func TestDeclaredTypesAreMapped(t *testing.T) {
	for declared, want := range map[string]string{
		"INTEGER": "type/Integer", "int": "type/Integer", "BIGINT": "type/BigInteger", "VARCHAR(255)": "type/Text", "text": "type/Text",
		"DOUBLE PRECISION": "type/Float", "REAL": "type/Float", "DECIMAL(10,2)": "type/Decimal", "BOOLEAN": "type/Boolean", "DATE": "type/Date",
		"DATETIME": "type/DateTime", "TIMESTAMP": "type/DateTime", "timestamp with time zone": "type/DateTimeWithTZ", "TIME": "type/Time",
		"BLOB": "type/*", "": "type/*", "GEOMETRY": "type/*", "UUID": "type/UUID",
	} {
		if got := baseType(declared); got != want {
			t.Errorf("%q is %s, want %s", declared, got, want)
		}
	}
}
