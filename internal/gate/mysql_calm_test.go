package gate

import "testing"

func TestCalmStatementsCompare(t *testing.T) {
	for sql, want := range map[string]bool{
		"select * from orders where id = 5": true,
		"select o.id, c.name from orders o join customers c on c.id = o.customer_id where o.id in (1, 2, ?) order by 1 limit 3":          true,
		"select kind, count(*), sum(amount) from orders where (note like 'a%' or not note is null) and id between 1 and 9 group by kind": true,
		"select min(id) from orders where placed >= '2026-01-01'":                                                                        true,
		"select * from orders /* where id = exp(note) */":                                                                                true,
		"select * from orders where id = 101 and exp(if(note like 'x%', 1000, 0)) > 0":                                                   false,
		"select exp(note) from orders where id = 5":                                                                                      false,
		"select * from orders where id = 5 order by exp(note)":                                                                           false,
		"select * from orders where note + 1 = 2":                                                                                        false,
		"select * from orders where -note = 2":                                                                                           false,
		"select * from orders where id = (select max(id) from orders)":                                                                   false,
		"select * from orders where id in (select id from orders)":                                                                       false,
		"select * from orders where exists (select 1 from plans)":                                                                        false,
		"select * from (select * from orders) x where id = 5":                                                                            false,
		"with x as (select * from orders) select * from x":                                                                               false,
		"select * from orders union select * from orders":                                                                                false,
		"select case when id = 5 then note end from orders":                                                                              false,
		"select * from orders where cast(note as signed) = 5":                                                                            false,
		"select * from orders where note regexp 'a'":                                                                                     false,
		"select sum(exp(note)) from orders":                                                                                              false,
		"select group_concat(note) from orders":                                                                                          false,
		"select count(*) over () from orders":                                                                                            false,
		"select * from orders where id = @x":                                                                                             false,
		"select * from orders where id = 5; select 1":                                                                                    false,
		"select * from orders where placed = date '2026-01-01' + interval id day":                                                        false,
		"select * from orders where /*!50000 exp(note) = */ 1":                                                                           false,
		"selec": false,
		"":      false,
	} {
		if got := CalmMySQL(sql); got != want {
			t.Errorf("%s: %v", sql, got)
		}
	}
}
