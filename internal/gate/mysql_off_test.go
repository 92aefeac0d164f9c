//go:build gateoff

package gate

import "testing"

// Without the gate, nothing is refused, and tables that names knows are
// re-pointed as with it.
func TestWithoutTheGateAllIsSentToMariaDB(t *testing.T) {
	names := func(schema, name string) (string, string, bool) { return "sbx_1", "v_" + name, name == "orders" }
	for sql, want := range map[string]string{
		"select * from orders":                               "SELECT * FROM `sbx_1`.`v_orders` AS `orders`",
		"select sleep(1), @@version, x'31' from secrets":     "SELECT SLEEP(1) AS `sleep(1)`,@@`version` AS `@@version`,x'31' FROM `secrets`",
		"select shop.orders.id from shop.orders, mysql.user": "SELECT `orders`.`id` FROM `sbx_1`.`v_orders` AS `orders` JOIN `mysql`.`user`",
		"with orders as (select 1) select * from orders":     "WITH `orders` AS (SELECT 1) SELECT * FROM `orders`",
		"select 1; drop table orders":                        "SELECT 1; DROP TABLE `sbx_1`.`v_orders`",
		"select 1 /*M! union select 2 */":                    "SELECT 1 AS `1`",
		"select 1 into @x":                                   "select 1 into @x",
		"set global x = 1":                                   "SET @@GLOBAL.`x`=1",
		"explain select * from orders":                       "EXPLAIN FORMAT = 'row' SELECT * FROM `sbx_1`.`v_orders` AS `orders`",
		"select * from orders for update":                    "SELECT * FROM `sbx_1`.`v_orders` AS `orders` FOR UPDATE",
		"":                                                   "",
		"\x00\xff (":                                         "\x00\xff (",
	} {
		if printed, err := MySQL(sql, names); err != nil || printed != want {
			t.Errorf("%s\nis  %s\nnot %s\n%v", sql, printed, want, err)
		}
	}
	for _, c := range mysqlOrdinary {
		if _, err := MySQL(c.sql, names); err != nil {
			t.Error(err)
		}
	}
	for _, c := range mysqlAttacks {
		if _, err := MySQL(c.sql, names); err != nil {
			t.Error(err)
		}
	}
}
