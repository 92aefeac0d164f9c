package accesscase_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission/accesscase"
)

func Example() {
	c, err := accesscase.Parse("tenants.txtar", []byte(`
Tenants see the orders of their organization.

-- catalog --
database shop
table orders: id integer, organization_id integer

-- people --
bob is in Tenants
bob has organization_id = 99

-- grants --
Tenants: view sandboxed, create query-builder on shop.orders
Tenants: rows of shop.orders where organization_id = their organization_id

-- can --
bob asks shop.orders

-- cannot --
bob writes sql on shop

-- write --
bob has organization_id = ""

-- can --
bob asks shop.orders
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	err = c.Run()
	fmt.Println(strings.Split(err.Error(), "\n")[0])
	// Output: tenants.txtar:26: "bob asks shop.orders" is false, and expected to be true:
}

const beginning = "A promise.\n-- catalog --\ndatabase shop\ntable orders: id integer\n-- people --\nbob is in Sales\n"

// TestMistakesAreNamedWithTheirLine: whatever is wrong with a file is said
// with the line it is on, and in words that say what would be right.
func TestMistakesAreNamedWithTheirLine(t *testing.T) {
	const can = "-- can --\nbob asks shop.orders\n"
	for name, test := range map[string]struct{ file, want string }{
		"no promise":               {"-- can --\nbob administers\n", "case.txtar:1: the case promises nothing"},
		"nothing expected":         {beginning, "case.txtar:1: the case expects nothing"},
		"an unknown section":       {beginning + "-- wishes --\nx\n" + can, `case.txtar:7: there is no section called "wishes"`},
		"an unknown verb":          {beginning + "-- can --\nbob eats shop.orders\n", `case.txtar:8: "eats shop.orders" is none of the things`},
		"an unknown level":         {beginning + "-- grants --\nSales: view everything on shop\n" + can, `case.txtar:8: "everything" is not a level of view-data`},
		"an unknown kind":          {beginning + "-- grants --\nSales: look unrestricted on shop\n" + can, `case.txtar:8: "look" is not a kind`},
		"an unknown data level":    {beginning + "-- grants --\nSales: data level 4 on shop\n" + can, "case.txtar:8: a data level is 1"},
		"an unknown folder level":  {beginning + "-- grants --\nSales: collection level 0 on \"F\"\n" + can, "case.txtar:8: a collection level is 1"},
		"a deed among the grants":  {beginning + "-- grants --\nSales: everything on shop\n" + can, "case.txtar:8: \"Sales: everything on shop\" is a deed"},
		"a policy without their":   {beginning + "-- grants --\nSales: rows of shop.orders where id = 7\n" + can, "case.txtar:8: \"id = 7\" is not a condition"},
		"a policy of a database":   {beginning + "-- grants --\nSales: rows of shop where id = their id\n" + can, `case.txtar:8: "shop" is not a table`},
		"a wide block":             {beginning + "-- grants --\nSales: wide view blocked on shop.orders\n" + can, "case.txtar:8: only view unrestricted can be wide"},
		"an open quotation mark":   {beginning + "-- can --\nbob opens collection \"Finance\n", "case.txtar:8: a quotation mark is not closed"},
		"a collection unquoted":    {beginning + "-- can --\nbob opens collection Finance\n", "case.txtar:8: a collection is written in quotation marks"},
		"a table in quotes":        {beginning + "-- can --\nbob asks \"orders\"\n", "case.txtar:8: a table is written without quotation marks"},
		"a database for a table":   {beginning + "-- can --\nbob asks shop\n", `case.txtar:8: "shop" is not a table`},
		"a table for a database":   {beginning + "-- can --\nbob manages shop.orders\n", `case.txtar:8: "shop.orders" is not a database`},
		"an impossible deed":       {beginning + "-- write --\nopen sesame\n" + can, `case.txtar:8: "open sesame" is nothing that can be done`},
		"a table without database": {"A promise.\n-- catalog --\ntable orders\n" + can, "case.txtar:3: the catalog holds lines"},
		"a table twice":            {"A promise.\n-- catalog --\ndatabase shop\ntable orders\ntable orders\n" + can, `case.txtar:5: the database has a table "orders" already`},
		"a database twice":         {beginning + "-- catalog --\ndatabase shop\n" + can, `case.txtar:8: there is a database "shop" already`},
		"an odd table":             {"A promise.\n-- catalog --\ndatabase shop\ntable orders, purple\n" + can, `case.txtar:4: a table is governed, shared, new or absent, not "purple"`},
		"an odd database":          {"A promise.\n-- catalog --\ndatabase shop, open\n" + can, "case.txtar:3: a database is strict or the sample warehouse"},
		"a group in another case":  {beginning + "carl is in SALES\n" + can, `case.txtar:7: group "SALES" is called "Sales" already`},
		"a person of no sense":     {beginning + "bob is happy\n" + can, `case.txtar:7: "is happy" is said of no person`},
		"rows that do not fit":     {beginning + "-- rows shop.orders --\nid | status\n1\n" + can, "case.txtar:9: there are 2 columns and 1 values"},
		"a question of nothing":    {beginning + "-- questions --\n\"Revenue\", in \"Finance\"\n" + can, "case.txtar:8: a question is written"},
		"a list of nothing":        {beginning + "-- sees --\nbob sees tables:\n", "case.txtar:8: a list names what is in it"},
		"a list of strange things": {beginning + "-- sees --\nbob sees ghosts: casper\n", "case.txtar:8: people see databases, tables, collections or rows"},
		"who without a list":       {beginning + "-- who --\nasks shop.orders\n", "case.txtar:8: who may do something is written"},
		"a reason without because": {beginning + "-- why --\nbob asks shop.orders\n", "case.txtar:8: a reason is written"},
		"an answer to nothing":     {beginning + "-- answer --\nstatus 409\n" + can, "case.txtar:8: an answer comes after a PUT"},
		"an odd engine":            {beginning + "-- can on oracle --\nbob asks shop.orders\n", "case.txtar:7: what holds on some engines is written"},
		"a question on nothing":    {beginning + "-- questions --\n\"Again\" builds on \"Revenue\", in \"Finance\"\n" + can, `case.txtar:8: there is no question "Revenue"`},
		"an odd status":            {beginning + "-- put data --\n{}\n-- answer --\nstatus soon\n" + can, `case.txtar:10: "soon" is not a status`},
		"a PUT of something else":  {beginning + "-- put people --\n{}\n" + can, "case.txtar:7: a PUT is of the graph data or collections"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := accesscase.Parse("case.txtar", []byte(test.file))
			if err == nil {
				t.Fatalf("it is read; want %s", test.want)
			}
			if first, _, _ := strings.Cut(err.Error(), "\n"); !strings.Contains(first, test.want) {
				t.Errorf("%s\nwant %s", err, test.want)
			}
			var m *accesscase.Mistake
			if !errors.As(err, &m) {
				t.Errorf("%T is not a mistake", err)
			}
		})
	}
}

// TestUnknownNamesAreNamed: what a line speaks of must be in the file; a case
// about something that is not there would pass for the wrong reason.
func TestUnknownNamesAreNamed(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"a person":       {"-- can --\ncarl asks shop.orders\n", `case.txtar:8: there is no person "carl"`},
		"a person who":   {"-- cannot --\ncarl asks shop.orders\n", `case.txtar:8: there is no person "carl"`},
		"a table":        {"-- cannot --\nbob asks shop.people\n", `case.txtar:8: there are 0 tables "shop.people"`},
		"a database":     {"-- cannot --\nbob manages vault\n", `case.txtar:8: there is no database "vault"`},
		"a collection":   {"-- cannot --\nbob opens collection \"Finance\"\n", `case.txtar:8: there is no collection "Finance"`},
		"a question":     {"-- cannot --\nbob runs question \"Revenue\"\n", `case.txtar:8: there is no question "Revenue"`},
		"a dashboard":    {"-- cannot --\nbob opens dashboard \"Board\"\n", `case.txtar:8: there is no dashboard "Board"`},
		"a group":        {"-- grants --\nEurope: data level 1 on shop\n-- cannot --\nbob asks shop.orders\n", `case.txtar:8: there is no group "Europe"`},
		"a column":       {"-- grants --\nSales: rows of shop.orders where org = their org\n-- cannot --\nbob asks shop.orders\n", `case.txtar:8: table 1 has no column "org"`},
		"a written name": {"-- write --\nadd bob to Europe\n-- cannot --\nbob asks shop.orders\n", `case.txtar:8: there is no group "Europe"`},
		"in a list":      {"-- sees --\nbob sees tables: shop.people\n", `case.txtar:8: there are 0 tables "shop.people"`},
		"rows":           {"-- sees --\nbob sees rows of shop.orders: 1\n", "case.txtar:8: the case holds no rows of shop.orders"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := accesscase.Parse("case.txtar", []byte(beginning+test.file))
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Run(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v\nwant %s", err, test.want)
			}
		})
	}
}

// TestWrongExpectationsFail: each way of expecting something can fail. A case
// that could not would prove nothing.
func TestWrongExpectationsFail(t *testing.T) {
	const granted = beginning + "-- rows shop.orders --\nid\n1\n2\n-- grants --\nSales: data level 2 on shop\n"
	for name, test := range map[string]struct{ right, wrong string }{
		"can":    {"-- can --\nbob asks shop.orders\n", "-- can --\nbob writes sql on shop\n"},
		"cannot": {"-- cannot --\nbob writes sql on shop\n", "-- cannot --\nbob asks shop.orders\n"},
		"tables": {"-- sees --\nbob sees tables: shop.orders\n", "-- sees --\nbob sees tables: nothing\n"},
		"rows":   {"-- sees --\nbob sees rows of shop.orders: 1, 2\n", "-- sees --\nbob sees rows of shop.orders: 1\n"},
		"who":    {"-- who --\nasks shop.orders: bob\n", "-- who --\nasks shop.orders: nobody\n"},
		"why":    {"-- why --\nbob asks shop.orders because Sales: view-data unrestricted\n", "-- why --\nbob asks shop.orders because Sales: view-data blocked\n"},
		"after":  {"-- write --\nremove bob from Sales\n-- cannot --\nbob asks shop.orders\n", "-- write --\nremove bob from Sales\n-- can --\nbob asks shop.orders\n"},
	} {
		t.Run(name, func(t *testing.T) {
			for text, right := range map[string]bool{test.right: true, test.wrong: false} {
				c, err := accesscase.Parse("case.txtar", []byte(granted+text))
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Run(); (err == nil) != right {
					t.Errorf("%s\ncomes out as %v", text, err)
				}
			}
		})
	}
}

// TestFillPutsIdsForNames: and leaves the braces of JSON alone.
func TestFillPutsIdsForNames(t *testing.T) {
	c, err := accesscase.Parse("case.txtar", []byte(beginning+"-- collections --\nFinance\n-- can --\nbob asks shop.orders\n"))
	if err != nil {
		t.Fatal(err)
	}
	_, w, err := c.Graph()
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Fill(`{"revision": {revision}, "groups": {"{group Sales}": {"{database shop}": {"": {"{table shop.orders}": "all"}}}}, "x": [{collection Finance}, {person bob}]}`, 12)
	if want := `{"revision": 12, "groups": {"3": {"1": {"": {"1": "all"}}}}, "x": [2, 1]}`; got != want || err != nil {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
	for _, blank := range []string{"{group Europe}", "{database vault}", "{table shop.people}", "{collection HR}", "{person carl}"} {
		if _, err := w.Fill(blank, 1); err == nil {
			t.Errorf("%s is filled", blank)
		}
	}
}

// FuzzParse: no file, however damaged, does more than be refused with a line.
// What is read runs, without expectations coming out right.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("../../../testdata/access/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatalf("no case files: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := accesscase.Parse("fuzz.txtar", data)
		if c == nil {
			t.Fatal("neither a case nor what is wrong with it")
		}
		if err != nil {
			var m *accesscase.Mistake
			if !errors.As(err, &m) || m.Line < 1 || m.Line > strings.Count(string(data), "\n")+2 || m.Message == "" {
				t.Fatalf("%v is no mistake on a line of the file", err)
			}
			return
		}
		if len(c.Steps) == 0 {
			t.Fatal("a case without a step")
		}
		_ = c.Run()
	})
}
