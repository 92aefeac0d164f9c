package query_test

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"modernc.org/sqlite"
)

// viewHash is what stands for the function that views hash with.
const viewHash = "view_hash"

// TestMain gives connections to SQLite what warehouse gives its own.
func TestMain(m *testing.M) {
	give := func(name string, hashed func(first, value driver.Value) string) {
		sqlite.MustRegisterDeterministicScalarFunction(name, 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			if args[1] == nil {
				return nil, nil
			}
			return hashOf(hashed(args[0], args[1])), nil
		})
	}
	give(query.SQLiteHash, func(key, value driver.Value) string { return fmt.Sprint(key, value) })
	give(viewHash, func(field, value driver.Value) string {
		return fmt.Sprint(query.HashKey(maskKey, catalog.FieldID(field.(int64))), value)
	})
	os.Exit(m.Run())
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

const maskKey = "a key"

// shown is a column as a policy shows it.
func shown(f catalog.FieldID, m ...permission.Mask) permission.ColumnRule {
	return permission.ColumnRule{Field: f, Mask: append(m, permission.Mask{})[0]}
}

// policies gives persons sandboxes in the place of those that they have.
func policies(t *testing.T, s query.Source, who permission.UserID, of map[permission.GroupID]map[catalog.TableID]permission.Policy) query.Source {
	t.Helper()
	g := s.Access.Graph()
	var changes []permission.Change
	for group, tables := range of {
		for table, p := range tables {
			changes = append(changes, permission.SetSandbox{From: g.Sandbox(group, table), To: &permission.Sandbox{Group: group, Table: table, Policy: p, At: 3}})
		}
	}
	g, err := g.Apply(changes...)
	if err != nil {
		t.Fatal(err)
	}
	s.Access, s.MaskKey = g.AccessOf(who), maskKey
	return s
}

// What a policy says of columns holds whatever is asked: hidden ones are not
// there, and masked values are what is compared, grouped and sorted.
func TestColumnsAreShownAsThePolicySays(t *testing.T) {
	org, status := permission.AttributeEquality{Field: 402, Attribute: "org"}, permission.AttributeEquality{Field: 407, Attribute: "state"}
	hash := func(field int, v any) string {
		return hashOf(fmt.Sprint(query.HashKey(maskKey, catalog.FieldID(field)), v))
	}
	tenants := map[permission.GroupID]map[catalog.TableID]permission.Policy{12: {
		orders: {Where: []permission.AttributeEquality{org}, Columns: []permission.ColumnRule{shown(401), shown(403, permission.Mask{Kind: permission.MaskHash}),
			shown(404), shown(405, permission.Mask{Kind: permission.MaskNull}), shown(407, permission.Mask{Kind: permission.MaskPartial, Last: 2}),
			shown(409, permission.Mask{Kind: permission.MaskDate, Unit: "month"})}},
		people: {AllRows: true, Columns: []permission.ColumnRule{shown(201), shown(203)}},
	}}
	doubles := map[permission.GroupID]map[catalog.TableID]permission.Policy{
		13: {orders: {Where: []permission.AttributeEquality{org}, Columns: []permission.ColumnRule{shown(401), shown(402), shown(405)}}},
		14: {orders: {Where: []permission.AttributeEquality{status}, Columns: []permission.ColumnRule{shown(401), shown(405, permission.Mask{Kind: permission.MaskPartial, Last: 1}), shown(407)}}},
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			db := warehouseOn(t, engine)
			for _, tt := range []struct {
				name string
				who  permission.UserID
				of   map[permission.GroupID]map[catalog.TableID]permission.Policy
				ask  string
				want string // lines of rows, or the beginning of a refusal after "!"
			}{
				{"all columns", tenant, tenants, `{"source-table":4,"order-by":[["asc",["field",401,null]]]}`,
					"1 | " + hash(403, 1) + " | 1 | <nil> | ***en | 2026-06-01\n2 | " + hash(403, 3) + " | 2 | <nil> | ***ed | 2026-06-01\n5 | " + hash(403, 1) + " | 4 | <nil> | <nil> | 2025-12-01"},
				{"a hidden column", tenant, tenants, `{"source-table":4,"fields":[["field",406,null]]}`, "!"},
				{"one that is not there", tenant, tenants, `{"source-table":4,"fields":[["field",499,null]]}`, "!"},
				{"a filter by a hidden column", tenant, tenants, `{"source-table":4,"aggregation":[["count"]],"filter":[">",["field",406,null],10]}`, "!"},
				{"a filter by what was", tenant, tenants, `{"source-table":4,"aggregation":[["count"]],"filter":["=",["field",407,null],"open"]}`, "0"},
				{"a filter by what is shown", tenant, tenants, `{"source-table":4,"aggregation":[["count"]],"filter":["=",["field",407,null],"***en"]}`, "1"},
				{"groups of hashes", tenant, tenants, `{"source-table":4,"aggregation":[["count"]],"breakout":[["field",403,null]],"order-by":[["asc",["aggregation",0]]]}`, hash(403, 3) + " | 1\n" + hash(403, 1) + " | 2"},
				{"the most of nulls", tenant, tenants, `{"source-table":4,"aggregation":[["max",["field",405,null]]]}`, "<nil>"},
				{"over a key that is hashed", tenant, tenants, `{"source-table":4,"fields":[["field",203,{"source-field":403}]]}`, "!"},
				{"over a key that is shown", tenant, tenants, `{"source-table":4,"fields":[["field",302,{"source-field":404}]],"order-by":[["asc",["field",401,null]]]}`, "Anvil\nBell\nDrum 100%"},
				{"all rows and some columns", tenant, tenants, `{"source-table":2,"order-by":[["asc",["field",201,null]]]}`, "1 | Ann\n2 | Bob\n3 | <nil>"},
				{"below a stage", tenant, tenants, `{"source-query":{"source-table":2},"filter":["not-null",["field","birth_date",{"base-type":"type/Date"}]]}`, "!"},
				{"each cell by the sandboxes of its row", double, doubles, `{"source-table":4,"order-by":[["asc",["field",401,null]]]}`,
					"1 | 7 | 2 | open\n2 | 7 | 1 | <nil>\n3 | <nil> | *** | open\n5 | 7 | 1 | <nil>\n6 | <nil> | *** | open"},
			} {
				t.Run(tt.name, func(t *testing.T) {
					s := policies(t, sourceOn(t, engine, tt.who), tt.who, tt.of)
					q := parse(t, `{"database":1,"type":"query","query":`+tt.ask+`}`)
					st, err := query.Compile(q, s)
					if wanted, is := strings.CutPrefix(tt.want, "!"); is {
						if err == nil || !strings.Contains(err.Error(), wanted) {
							t.Fatalf("got %v, want a refusal %q; it is %s", err, wanted, st.SQL())
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					lines, err := run(db, st)
					if err != nil {
						t.Fatalf("%v\n%s", err, st.SQL())
					}
					if got := strings.Join(lines, "\n"); got != tt.want {
						t.Errorf("got\n%s\nwant\n%s\n%s", got, tt.want, st.SQL())
					}
					if strings.Contains(st.SQL(), maskKey) {
						t.Errorf("the key stands in the text: %s", st.SQL())
					}
					if form, is := st.NativeForm(); is && strings.Contains(string(form), maskKey) {
						t.Errorf("the key is told: %s", form)
					}
				})
			}
		})
	}
}

// An attribute may be a list of values, of which any may be equal.
func TestAnAttributeCanBeAList(t *testing.T) {
	where := []permission.AttributeEquality{{Field: 402, Attribute: "orgs"}}
	for _, engine := range engines {
		db := warehouseOn(t, engine)
		for name, tt := range map[string]struct {
			items []string
			want  string
		}{
			"one":             {[]string{"8"}, "3"},
			"several":         {[]string{"7", "8"}, "6"},
			"none":            {nil, "!"},
			"an empty one":    {[]string{"7", ""}, "!"},
			"not all numbers": {[]string{"7", "8 or 1=1"}, "!"},
			"a comma":         {[]string{"7,8"}, "!"},
			"many":            {strings.Fields(strings.Repeat("9 ", 999) + "8"), "3"},
		} {
			s := policies(t, sourceOn(t, engine, tenant), tenant, map[permission.GroupID]map[catalog.TableID]permission.Policy{12: {orders: {Where: where}}})
			u := *s.Access.Graph().User(tenant)
			was := u
			u.Attributes = map[string]string{"orgs": permission.AttributeList(tt.items)}
			g, err := s.Access.Graph().Apply(permission.SetUser{From: &was, To: &u})
			if err != nil {
				t.Fatal(err)
			}
			s.Access = g.AccessOf(tenant)
			st, err := query.Compile(parse(t, `{"database":1,"type":"query","query":{"source-table":4,"aggregation":[["count"]]}}`), s)
			if tt.want == "!" {
				if err == nil {
					t.Errorf("%s, %s: it is answered", engine, name)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s, %s: %v", engine, name, err)
			}
			if lines, err := run(db, st); err != nil || strings.Join(lines, " ") != tt.want {
				t.Errorf("%s, %s: %v rows, %v; want %s", engine, name, lines, err, tt.want)
			}
		}
	}
}

// A table is refused when its policy cannot be applied.
func TestAMaskThatIsNotPossibleRefuses(t *testing.T) {
	s := policies(t, source(t, tenant), tenant, map[permission.GroupID]map[catalog.TableID]permission.Policy{12: {
		orders: {AllRows: true, Columns: []permission.ColumnRule{shown(405, permission.Mask{Kind: permission.MaskDate, Unit: "year"})}},
		people: {AllRows: true, Columns: []permission.ColumnRule{shown(203, permission.Mask{Kind: permission.MaskHash})}}}})
	var wrong *query.PolicyError
	if _, err := query.Compile(parse(t, `{"database":1,"type":"query","query":{"source-table":4}}`), s); !errors.As(err, &wrong) || wrong.Field != 405 {
		t.Errorf("a number cut to its year: %v", err)
	}
	s.MaskKey = ""
	if _, err := query.Compile(parse(t, `{"database":1,"type":"query","query":{"source-table":2}}`), s); !errors.As(err, &wrong) || wrong.Field != 203 {
		t.Errorf("a hash without a key: %v", err)
	}
}

func TestFieldsAreHashedWithKeysOfTheirOwn(t *testing.T) {
	if query.HashKey(maskKey, 1) == query.HashKey(maskKey, 2) || query.HashKey(maskKey, 1) == query.HashKey("another", 1) {
		t.Error("keys are shared")
	}
}
