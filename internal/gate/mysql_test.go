//go:build !gateoff

package gate

import (
	"errors"
	"strings"
	"testing"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// mysqlShop knows two tables, and leaves their names.
func mysqlShop(schema, name string) (string, string, bool) {
	return schema, name, (schema == "" || schema == "shop") && (name == "orders" || name == "customers")
}

// mysqlSandbox knows the same two by other names.
func mysqlSandbox(schema, name string) (string, string, bool) {
	_, _, ok := mysqlShop(schema, name)
	return "sbx_1", "v_" + name, ok
}

func TestMySQLPrintsOrdinaryQueries(t *testing.T) {
	for _, c := range mysqlOrdinary {
		printed, err := MySQL(c.sql, mysqlShop)
		if err != nil {
			t.Errorf("%s\nrefused: %v", c.sql, err)
		} else if c.print != "" && printed != c.print {
			t.Errorf("%s\nis  %s\nnot %s", c.sql, printed, c.print)
		}
	}
}

func TestMySQLRefuses(t *testing.T) {
	for _, c := range mysqlAttacks {
		printed, err := MySQL(c.sql, mysqlShop)
		var r *Refusal
		switch {
		case err == nil:
			t.Errorf("%s\npassed as %s", c.sql, printed)
		case !errors.As(err, &r) || printed != "" || strings.Contains(r.Message, "\n"):
			t.Errorf("%s\n%q with %T %v", c.sql, printed, err, err)
		case !strings.Contains(r.Message, c.words):
			t.Errorf("%s\nwas refused with %q, not %q", c.sql, r.Message, c.words)
		}
	}
}

func TestMySQLSaysWhere(t *testing.T) {
	for sql, at := range map[string]int{
		"select 'é', sleep(1)": 13, "select id from orders where @x": 29, "select 'é', a->'$'": 14, "select 1 frm orders": 14, "select * from secrets": 0,
	} {
		_, err := MySQL(sql, mysqlShop)
		if r := new(Refusal); !errors.As(err, &r) || r.Position != at {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// The texts that cost a parser much are refused, and soon.
func TestMySQLBoundsItsWork(t *testing.T) {
	for _, c := range []struct{ before, again, after string }{
		{"select ", "(", "1"}, {"select 1", "+1", ""}, {"select ", "!", "1"}, {"select ", "not ", "1"}, {"select 1", " or 1", ""}, {"select ", "'a' ", ""},
		{"select * from orders", " join orders", ""}, {"select * from orders", ",orders", ""}, {"select ", "case when ", ""}, {"", "with a as (", ""},
		{"select ", "if(1,", "1"}, {"select ", "/*! (", "1"}, {"select ", "'(", "1"},
	} {
		for _, size := range []int{maxSQL - 100, maxSQL + 100} {
			if _, err := MySQL(c.before+strings.Repeat(c.again, size/len(c.again))+c.after, mysqlShop); err == nil {
				t.Errorf("%d bytes of %q passed", size, c.again)
			}
		}
	}
	if _, err := MySQL("select "+strings.Repeat("1.5, ", maxLiterals-1)+"1", mysqlShop); err != nil {
		t.Error(err)
	}
	for _, again := range []string{"1,", "1.5,", ".5,", "0x1,", "'a',", `"a",`, "null,", "TRUE,", "?,", "-1,"} {
		_, err := MySQL("select * from orders where id in ("+strings.Repeat(again, maxLiterals)+"1)", mysqlShop)
		if err == nil || !strings.Contains(err.Error(), "constants") {
			t.Errorf("more than %d of %q: %v", maxLiterals, again, err)
		}
	}
	if _, err := MySQL("with a as (select 1)"+strings.Repeat(", a as (select 1)", 10_000-2)+" select 1", mysqlShop); err == nil || !strings.Contains(err.Error(), "WITH names a twice") {
		t.Error(err)
	}
}

func TestMySQLRepointsTables(t *testing.T) {
	for sql, want := range map[string]string{
		"select orders.id from orders":           "SELECT `orders`.`id` FROM `sbx_1`.`v_orders` AS `orders`",
		"select o.id from orders o":              "SELECT `o`.`id` FROM `sbx_1`.`v_orders` AS `o`",
		"select shop.orders.id from shop.orders": "SELECT `orders`.`id` FROM `sbx_1`.`v_orders` AS `orders`",
		"select 1 from shop.orders where exists (select 1 from customers where shop.orders.id)": "SELECT 1 FROM `sbx_1`.`v_orders` AS `orders` WHERE EXISTS (SELECT 1 FROM `sbx_1`.`v_customers` AS `customers` WHERE `orders`.`id`)",
		"select 1 from orders union select id from customers":                                   "SELECT 1 FROM `sbx_1`.`v_orders` AS `orders` UNION SELECT `id` FROM `sbx_1`.`v_customers` AS `customers`",
		"with c as (select 1 n) select C.n from C":                                              "WITH `c` AS (SELECT 1 AS `n`) SELECT `C`.`n` FROM `c` AS `C`",
	} {
		if printed, err := MySQL(sql, mysqlSandbox); printed != want {
			t.Errorf("%s\nis  %s\nnot %s\n%v", sql, printed, want, err)
		}
	}
	hidden := func(schema, name string) (string, string, bool) { return "", "c", name == "orders" }
	if printed, err := MySQL("with c as (select 1) select * from orders", hidden); err == nil {
		t.Errorf("a table behind a name of WITH: %s", printed)
	}
	for _, names := range []Names{func(s, n string) (string, string, bool) { return s, "", true }, func(s, n string) (string, string, bool) { return s, n, false }} {
		if printed, err := MySQL("select * from orders", names); err == nil {
			t.Errorf("no table: %s", printed)
		}
	}
}

func TestMySQLKeepsPlaceholders(t *testing.T) {
	for sql, want := range map[string]string{
		"select ? from orders where id = ? limit ? offset ?": "SELECT ? FROM `orders` AS `orders` WHERE (`id` = ?) LIMIT ? OFFSET ?",
		"select id from orders limit ?, ?":                   "SELECT `id` FROM `orders` AS `orders` LIMIT ?,?",
		"select trim(? from ?)":                              "", // printed from right to left or not, in the order that was typed or refused
		"select '?', `id` as `?`, ? /* ? */ from orders":     "SELECT '?',`id` AS `?`,? FROM `orders` AS `orders`",
	} {
		printed, err := MySQL(sql, mysqlShop)
		if want != "" && printed != want {
			t.Errorf("%s\nis %s, %v", sql, printed, err)
		}
	}
	if printed, err := MySQL("select id from orders limit 5 offset ?", mysqlShop); err != nil || !strings.HasSuffix(printed, "LIMIT ?,5") {
		t.Error(printed, err)
	}
	// The printer turns these around.
	if printed, err := MySQL("select interval ? day + ?", mysqlShop); err == nil {
		t.Error(printed)
	}
}

// mysqlTables collects the tables that a text names.
type mysqlTables struct{ names []string }

func (v *mysqlTables) Enter(n ast.Node) (ast.Node, bool) {
	if t, ok := n.(*ast.TableName); ok && t.Schema.O != "" {
		v.names = append(v.names, t.Schema.O+"."+t.Name.O)
	} else if ok {
		v.names = append(v.names, t.Name.O)
	}
	return n, false
}

func (v *mysqlTables) Leave(n ast.Node) (ast.Node, bool) { return n, true }

// Whatever is typed, nothing breaks. What passes is printed in a form that
// passes again and stays, and names the tables that may be read, and names of
// WITH, which the gate does not ask for.
func FuzzMySQL(f *testing.F) {
	for _, c := range mysqlOrdinary {
		f.Add(c.sql)
	}
	for _, c := range mysqlAttacks {
		f.Add(c.sql)
	}
	for _, sql := range mysqlScopes {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		printed, err := MySQL(sql, mysqlSandbox)
		if err != nil {
			if r := new(Refusal); !errors.As(err, &r) || printed != "" || r.Message == "" {
				t.Fatalf("%q, %v", printed, err)
			}
			return
		}
		again, err := MySQL(printed, func(schema, name string) (string, string, bool) {
			if schema != "sbx_1" || name != "v_orders" && name != "v_customers" {
				t.Fatalf("%s names %s.%s", printed, schema, name)
			}
			return schema, name, true
		})
		if err != nil || again != printed {
			t.Fatalf("%s\nis printed as %s, %v", printed, again, err)
		}
		statements, err := mysqlParse(printed)
		if err != nil || len(statements) != 1 {
			t.Fatal(printed, err)
		}
		var read mysqlTables
		statements[0].Accept(&read)
		for _, name := range read.names {
			with := !strings.Contains(name, ".") && strings.Contains(printed, "WITH ")
			if name != "sbx_1.v_orders" && name != "sbx_1.v_customers" && !with {
				t.Fatalf("%s reads %s", printed, name)
			}
		}
	})
}
