package warehouse

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func (p *place) survey(t *testing.T) *Survey {
	t.Helper()
	a := p.pool.Admin(p.db)
	s, err := a.Survey(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// count is the counter of the statements that were sent.
func (p *place) count() *counter {
	switch from := p.conns().from.(type) {
	case *sqliteFile:
		return from.count
	case *postgresServer:
		return from.count
	case *mysqlServer:
		return from.count
	}
	return nil
}

// names are the tables as schema.name, with their columns behind them.
func names(tables []Table) []string {
	var all []string
	for _, t := range tables {
		s := t.Schema + "." + t.Name
		for _, f := range t.Fields {
			s += " " + f.Name
			if f.SemanticType == "type/PK" {
				s += "!"
			}
			if f.References != nil {
				s += ">" + f.References.Schema + "." + f.References.Table + "." + f.References.Field
			}
		}
		all = append(all, s)
	}
	return all
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

func TestSurveyOfPostgreSQL(t *testing.T) {
	p := newPlace(t, "postgres")
	p.exec(t, `DROP TABLE secret`, `CREATE SCHEMA "Odd ""schema"`, `CREATE TABLE "Odd ""schema"."a b" (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "c;d" TEXT, gone INT)`,
		`ALTER TABLE "Odd ""schema"."a b" DROP COLUMN gone`, `COMMENT ON TABLE "Odd ""schema"."a b" IS 'a table'`, `COMMENT ON COLUMN "Odd ""schema"."a b"."c;d" IS 'a column'`,
		`CREATE TABLE kid (a INT, b INT, order_id INT REFERENCES orders, odd BIGINT REFERENCES "Odd ""schema"."a b", PRIMARY KEY (a, b))`,
		`CREATE TABLE pair (x INT, y INT, FOREIGN KEY (x, y) REFERENCES kid (a, b))`, `CREATE VIEW seen AS SELECT id, total FROM orders`, `CREATE MATERIALIZED VIEW kept AS SELECT 1 AS one`,
		`CREATE TABLE parted (id INT, day DATE) PARTITION BY RANGE (day)`, `CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')`,
		`CREATE TABLE empty ()`, `CREATE TEMPORARY TABLE passing (id INT)`, `CREATE INDEX some_index ON orders (status)`, `CREATE SEQUENCE some_sequence`, `CREATE TYPE some_type AS (a INT)`)
	s := p.survey(t)
	same(t, names(s.Tables), []string{
		`Odd "schema.a b id! c;d`, `public.empty`, `public.kept one`, `public.kid a! b! order_id>public.orders.id odd>Odd "schema.a b.id`,
		`public.orders id! organization_id total status`, `public.pair x y`, `public.parted id day`, `public.seen id total`})
	odd := s.Tables[0]
	if odd.Description != "a table" || odd.Fields[1].Description != "a column" || odd.View || odd.Fields[0].DatabaseType != "int8" {
		t.Errorf("%+v", odd)
	}
	if !s.Tables[2].View || !s.Tables[7].View {
		t.Error("views are not told from tables")
	}
	if s.Login != "test" || len(s.Hidden) != 0 || len(s.Notes) != 2 || !strings.Contains(s.Notes[0], "superuser") {
		t.Errorf("login %q, hidden %v, notes %v", s.Login, s.Hidden, s.Notes)
	}

	p.open(t, p.with(map[string]any{"schema-filters-type": "exclusion", "schema-filters-patterns": "pub*"}))
	same(t, names(p.survey(t).Tables), []string{`Odd "schema.a b id! c;d`})
}

func TestSurveyOfMySQL(t *testing.T) {
	p := newPlace(t, "mysql")
	other := p.server.Database(t)
	p.exec(t, "DROP TABLE secret", "CREATE TABLE `a b` (`c;d` INT COMMENT 'a column', id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY) COMMENT 'a table'",
		"CREATE TABLE "+other+".elsewhere (id INT PRIMARY KEY)",
		"CREATE TABLE kid (a INT, b INT, order_id INT, odd BIGINT UNSIGNED, away INT, PRIMARY KEY (a, b), FOREIGN KEY (order_id) REFERENCES orders (id), FOREIGN KEY (odd) REFERENCES `a b` (id), FOREIGN KEY (away) REFERENCES "+other+".elsewhere (id))",
		"CREATE TABLE pair (x INT, y INT, FOREIGN KEY (x, y) REFERENCES kid (a, b))", "CREATE VIEW seen AS SELECT id, total FROM orders",
		"CREATE TABLE passing (id INT)", "CREATE VIEW broken AS SELECT id FROM passing", "DROP TABLE passing", "CREATE SEQUENCE numbers")
	t.Cleanup(func() { p.exec(t, "DROP TABLE pair, kid") }) // before the other database goes
	s := p.survey(t)
	same(t, names(s.Tables), []string{".a b c;d id!", ".kid a! b! order_id>.orders.id odd>.a b.id away", ".orders id! organization_id total status", ".pair x y", ".seen id total"})
	if odd := s.Tables[0]; odd.Description != "a table" || odd.Fields[0].Description != "a column" || odd.View || odd.Fields[1].DatabaseType != "BIGINT" {
		t.Errorf("%+v", odd)
	}
	if !s.Tables[4].View || s.Tables[4].Description != "" {
		t.Errorf("a view: %+v", s.Tables[4])
	}
	if s.Login != "'root'@'localhost'" && s.Login != "'root'@'127.0.0.1'" {
		t.Errorf("login %s", s.Login)
	}
	if len(s.Notes) != 3 || !strings.Contains(s.Notes[0], "FILE") || !strings.Contains(s.Notes[1], "may write") || !strings.Contains(s.Notes[2], "broken") {
		t.Errorf("notes %q", s.Notes)
	}
}

// What the login cannot see is told with the statements that give it, and
// those do.
func TestSurveyTellsWhatTheLoginCannotSee(t *testing.T) {
	p := newPlace(t, "postgres")
	login := "reader_" + p.name
	p.server.Login(t, login)
	t.Cleanup(func() {
		_ = p.server.Try(context.Background(), p.name, "DROP OWNED BY "+login+" CASCADE", "DROP ROLE "+login)
	})
	p.exec(t, `CREATE SCHEMA hr`, `CREATE TABLE hr.people (id INT, salary INT)`, `CREATE TABLE hr.posts (id INT)`, `CREATE TABLE public.part (open INT, closed INT)`, `CREATE TABLE public.more (id INT)`,
		`CREATE SCHEMA half`, `CREATE TABLE half.granted (id INT)`, `GRANT SELECT ON half.granted TO `+login, `GRANT SELECT ON orders TO `+login, `GRANT SELECT (open) ON part TO `+login,
		`CREATE SCHEMA open_one`, `CREATE TABLE open_one.a (id INT)`, `GRANT USAGE ON SCHEMA open_one TO `+login)
	p.open(t, p.with(map[string]any{"user": login, "password": "secret"}))
	s := p.survey(t)
	same(t, names(s.Tables), []string{"public.orders id! organization_id total status", "public.part open"})
	q := `"` + login + `"`
	same(t, s.Hidden, []Hidden{
		{"half", "USAGE on schema half", []string{"granted"}, `GRANT USAGE ON SCHEMA "half" TO ` + q + `;`},
		{"hr", "USAGE on schema hr", []string{"people", "posts"}, `GRANT USAGE ON SCHEMA "hr" TO ` + q + `; GRANT SELECT ON ALL TABLES IN SCHEMA "hr" TO ` + q + `; ALTER DEFAULT PRIVILEGES FOR ROLE "test" IN SCHEMA "hr" GRANT SELECT ON TABLES TO ` + q + `;`},
		{"open_one", "SELECT on tables of schema open_one", []string{"a"}, `GRANT SELECT ON ALL TABLES IN SCHEMA "open_one" TO ` + q + `; ALTER DEFAULT PRIVILEGES FOR ROLE "test" IN SCHEMA "open_one" GRANT SELECT ON TABLES TO ` + q + `;`},
		{"public", "SELECT on tables of schema public", []string{"more", "secret"}, `GRANT SELECT ON "public"."more", "public"."secret" TO ` + q + `;`},
	})
	if want := "The role " + login + " sees 2 of 8 tables; 1 lacks USAGE on schema half; 2 lack USAGE on schema hr; 1 lacks SELECT on tables of schema open_one; 2 lack SELECT on tables of schema public."; s.Sentence() != want {
		t.Errorf("it says %q, want %q", s.Sentence(), want)
	}
	if len(s.Notes) != 0 {
		t.Errorf("notes %q", s.Notes)
	}
	for _, h := range s.Hidden {
		p.exec(t, h.Grant)
	}
	p.exec(t, `CREATE TABLE hr.later (id INT)`)
	s = p.survey(t)
	if len(s.Hidden) != 0 || len(s.Tables) != 9 {
		t.Errorf("after the grants %v, %v are hidden", names(s.Tables), s.Hidden)
	}
	if want := "The role " + login + " sees all 9 tables."; s.Sentence() != want {
		t.Errorf("it says %q", s.Sentence())
	}
	p.exec(t, `GRANT INSERT ON orders TO `+login, `ALTER TABLE orders ENABLE ROW LEVEL SECURITY`)
	if s = p.survey(t); len(s.Notes) != 2 || !strings.Contains(s.Notes[0], `may write to "public"."orders"`) || !strings.Contains(s.Notes[1], `hold rows back`) {
		t.Errorf("notes %q", s.Notes)
	}
}

func TestSurveyTellsWhatAMySQLLoginCannotSee(t *testing.T) {
	p := newPlace(t, "mysql")
	login := "reader_" + p.name
	p.server.Login(t, login)
	p.exec(t, "CREATE TABLE part (open INT, closed INT)", "CREATE TABLE kid (id INT PRIMARY KEY, order_id INT, FOREIGN KEY (order_id) REFERENCES orders (id))",
		"GRANT SELECT ON orders TO "+login, "GRANT SELECT ON kid TO "+login, "GRANT SELECT (open) ON part TO "+login, "GRANT INSERT ON secret TO "+login)
	p.open(t, p.with(map[string]any{"user": login, "password": "secret"}))
	s := p.survey(t)
	same(t, names(s.Tables), []string{".kid id! order_id>.orders.id", ".orders id! organization_id total status", ".part open"})
	same(t, s.Hidden, []Hidden{{"", "SELECT on tables", []string{"secret"}, "GRANT SELECT ON `" + p.name + "`.`secret` TO '" + login + "'@'%';"}})
	if want := "The login '" + login + "'@'%' sees 3 of 4 tables; 1 lacks SELECT on tables."; s.Sentence() != want {
		t.Errorf("it says %q", s.Sentence())
	}
	p.exec(t, s.Hidden[0].Grant)
	if s = p.survey(t); len(s.Hidden) != 0 || len(s.Tables) != 4 {
		t.Errorf("after the grant %v, hidden %v", names(s.Tables), s.Hidden)
	}

	role := "role_" + p.name
	p.exec(t, "REVOKE ALL PRIVILEGES, GRANT OPTION FROM "+login, "CREATE ROLE "+role, "GRANT SELECT ON "+p.name+".* TO "+role, "GRANT "+role+" TO "+login)
	t.Cleanup(func() { p.exec(t, "DROP ROLE "+role) })
	// Without any right the login may not even enter.
	p.exec(t, "GRANT USAGE ON *.* TO "+login, "GRANT EXECUTE ON "+p.name+".* TO "+login)
	p.open(t, p.with(map[string]any{"user": login, "password": "secret", "ssl": false}))
	s = p.survey(t)
	if len(s.Tables) != 0 || len(s.Notes) != 2 || !strings.Contains(s.Notes[0], "SET DEFAULT ROLE") || !strings.Contains(s.Notes[1], "sees no table") {
		t.Fatalf("tables %v, notes %q", names(s.Tables), s.Notes)
	}
	_, statement, _ := strings.Cut(s.Notes[0], ": ")
	p.exec(t, statement)
	p.open(t, p.with(map[string]any{"user": login, "password": "secret", "ssl": false, "json-unfolding": false}))
	if s = p.survey(t); len(s.Tables) != 4 {
		t.Errorf("with the role in force: %v, %q", names(s.Tables), s.Notes)
	}
}

func TestSurveySendsAsManyStatementsForManyTables(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		ctx := t.Context()
		grow := func(from, to int) {
			begin, end := "BEGIN; ", "COMMIT;"
			if p.engine == "mysql" {
				begin, end = "", ""
			}
			var b strings.Builder
			for i := from; i < to; i++ {
				fmt.Fprintf(&b, "CREATE TABLE many_%d (id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders (id), name VARCHAR(20)); ", i)
			}
			p.exec(t, begin+b.String()+end)
		}
		a := p.pool.Admin(p.db)
		measure := func(tables int) int64 {
			var told []int
			before := p.count().Load()
			s, err := a.Survey(ctx, func(n int) { told = append(told, n) })
			if err != nil || len(s.Tables) != tables {
				t.Fatalf("%d tables, %v", len(s.Tables), err)
			}
			if told == nil || told[len(told)-1] != tables {
				t.Errorf("the progress ended at %v of %d", told, tables)
			}
			return p.count().Load() - before
		}
		grow(0, 98)
		measure(100) // which also opens a connection
		a100 := measure(100)
		grow(98, 1998)
		if a2000 := measure(2000); a2000 != a100 || a100 == 0 {
			t.Errorf("%d statements for 100 tables and %d for 2000", a100, a2000)
		}
	})
}

func TestSurveyThatIsCancelledGivesNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		a := p.pool.Admin(p.db)
		ctx, cancel := context.WithCancel(t.Context())
		s, err := a.Survey(ctx, func(int) { cancel() })
		var e *Error
		if p.engine == "sqlite" && err == nil { // it is told when all is read
			return
		}
		if !errors.As(err, &e) || e.Kind != Cancelled || s != nil {
			t.Errorf("%v, %v", s, err)
		}
		p.quiet(t)
	})
}
