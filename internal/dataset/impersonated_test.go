package dataset

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// asRoles is a server in which the person is seen as the role that the
// attribute "role" names. The roles see the orders of their region through
// "mine", and the one of the north no salaries.
func asRoles(t *testing.T, engine string, o ...func(*elsewhere)) *elsewhere {
	t.Helper()
	e := newElsewhere(t, engine)
	for _, f := range o {
		f(e)
	}
	name, login := e.databaseName(), e.named("app")
	e.server.Login(t, login)
	north, south, stranger := e.named("north"), e.named("south"), e.named("stranger")
	whole, ctx := e.named("whole"), context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		for _, role := range []string{north, south, stranger, whole} {
			if engine == "postgres" {
				_ = e.server.Try(ctx, name, "DROP OWNED BY "+role)
			}
			_ = e.server.Try(ctx, name, "DROP ROLE IF EXISTS "+role)
		}
	})
	e.server.Exec(t, name, "CREATE ROLE "+north, "CREATE ROLE "+south, "CREATE ROLE "+stranger)
	if engine == "postgres" {
		e.server.Exec(t, name, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
			fmt.Sprintf("CREATE POLICY by_role ON orders USING (region = CASE current_user WHEN '%s' THEN 'north' WHEN '%s' THEN 'south' ELSE region END)", north, south),
			"CREATE VIEW mine WITH (security_invoker) AS SELECT * FROM orders",
			"GRANT SELECT ON orders, mine, salaries TO "+login, fmt.Sprintf("GRANT SELECT ON orders, mine TO %s, %s, %s", north, south, stranger),
			"GRANT SELECT ON salaries TO "+south, fmt.Sprintf("GRANT %s, %s TO %s", north, south, login))
	} else {
		// What the login may it may through a role alone.
		e.server.Exec(t, name, "CREATE ROLE "+whole,
			fmt.Sprintf("CREATE SQL SECURITY INVOKER VIEW mine AS SELECT * FROM orders WHERE region = CASE CURRENT_ROLE() WHEN '%s' THEN 'north' WHEN '%s' THEN 'south' ELSE region END", north, south),
			fmt.Sprintf("GRANT SELECT, SHOW VIEW ON `%s`.* TO %s", name, whole))
		for _, role := range []string{north, south, stranger} {
			e.server.Exec(t, name, fmt.Sprintf("GRANT SELECT ON `%s`.orders TO %s", name, role), fmt.Sprintf("GRANT SELECT ON `%s`.mine TO %s", name, role))
		}
		e.server.Exec(t, name, fmt.Sprintf("GRANT SELECT ON `%s`.salaries TO %s", name, south))
		for _, role := range []string{north, south, whole} {
			e.server.Exec(t, name, fmt.Sprintf("GRANT %s TO '%s'", role, login))
		}
		e.server.Exec(t, name, fmt.Sprintf("SET DEFAULT ROLE %s FOR '%s'", whole, login))
	}
	e.connect(login)
	if err := e.door.Sync(t.Context(), store.Actor{}, e.id); err != nil {
		t.Fatal(err)
	}
	e.draft(func(d *permission.Draft) error {
		if err := d.Set(e.group, e.id, permission.View, permission.WholeDatabase(), permission.Impersonated); err != nil {
			return err
		}
		if err := d.Impersonate(e.group, e.id, "role"); err != nil {
			return err
		}
		return d.SetCreate(e.group, e.id, permission.WholeDatabase(), permission.Native)
	})
	e.seenAs("north")
	return e
}

// named is a name for one test on the server.
func (e *elsewhere) named(what string) string { return what + "_" + e.databaseName() }

// connect has the connection of the database be somebody's.
func (e *elsewhere) connect(login string) {
	e.t.Helper()
	details, err := json.Marshal(e.server.Details(e.databaseName(), login))
	if err != nil {
		e.t.Fatal(err)
	}
	db, err := e.store.Database(e.t.Context(), e.id)
	if err == nil {
		_, err = e.store.UpdateDatabase(e.t.Context(), store.Actor{}, db, store.DatabaseUpdate{Details: details})
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// seenAs says as which role the person is seen; "" for none.
func (e *elsewhere) seenAs(role string) {
	e.t.Helper()
	attributes := map[string]string{}
	if role != "" {
		attributes["role"] = e.named(role)
	}
	if _, err := e.store.UpdateUser(e.t.Context(), store.Actor{}, e.person, store.UserUpdate{LoginAttributes: &attributes}); err != nil {
		e.t.Fatal(err)
	}
}

// mine is a question of the query builder for the ids of the person's orders.
func (e *elsewhere) mine() string {
	id, field := e.tableNamed("mine")
	return fmt.Sprintf(`{"database":%d,"type":"query","query":{"source-table":%d,"fields":[["field",%d,null]],"order-by":[["asc",["field",%d,null]]]}}`, e.id, id, field["id"], field["id"])
}

func (e *elsewhere) tableNamed(name string) (id int64, fields map[string]int64) {
	e.t.Helper()
	cat := e.store.Graph().Catalog()
	fields = map[string]int64{}
	for table := range cat.Tables(e.id) {
		if table.Name == name && table.Active() {
			id = int64(table.ID)
			for _, f := range cat.Fields(table.ID) {
				fields[f.Name] = int64(f.ID)
			}
		}
	}
	if id == 0 {
		e.t.Fatalf("there is no table %s", name)
	}
	return id, fields
}

func eachRoleServer(t *testing.T, f func(t *testing.T, e *elsewhere)) {
	for _, engine := range []string{"postgres", "mysql"} {
		t.Run(engine, func(t *testing.T) { f(t, asRoles(t, engine)) })
	}
}

// Whatever somebody asks who is seen as a role runs as it, and nothing that
// others ask does.
func TestQuestionsRunAsTheRoleOfTheirPerson(t *testing.T) {
	eachRoleServer(t, func(t *testing.T, e *elsewhere) {
		built, typed := e.card(e.open, e.mine()), e.card(e.open, e.native("SELECT id FROM mine ORDER BY id"))
		saved, err := e.door.CheckSave(t.Context(), e.admin, json.RawMessage(e.native("SELECT id FROM mine")))
		if err != nil {
			t.Fatal(err)
		}
		columns, err := json.Marshal(saved.Columns)
		if err != nil {
			t.Fatal(err)
		}
		known := e.cardWith(store.Card{Collection: e.open, Database: &e.id, DatasetQuery: json.RawMessage(e.native("SELECT id FROM mine")), ResultMetadata: columns})
		asks := map[string]Request{
			"the query builder": ask(e.mine()), "SQL": ask(e.native("SELECT id FROM mine ORDER BY id")), "a saved question": {Card: built.ID}, "saved SQL": {Card: typed.ID},
			"SQL on a question":    ask(e.native(fmt.Sprintf("SELECT id FROM {{#%d}} AS x ORDER BY id", built.ID))),
			"SQL on SQL":           ask(e.native(fmt.Sprintf("SELECT id FROM {{#%d}} AS x ORDER BY id", typed.ID))),
			"SQL with its schema":  ask(e.native("SELECT m.id FROM " + map[string]string{"postgres": "public", "mysql": "`" + e.databaseName() + "`"}[e.server.Engine] + ".mine AS m ORDER BY m.id")),
			"SQL on the table":     ask(e.native("SELECT m.id FROM mine AS m JOIN orders o ON o.id = m.id ORDER BY m.id")),
			"SQL with a WITH":      ask(e.native("WITH o AS (SELECT * FROM mine) SELECT id FROM o ORDER BY id")),
			"the builder on SQL":   ask(fmt.Sprintf(`{"database":%d,"type":"query","query":{"source-table":"card__%d","order-by":[["asc",["field","id",{"base-type":"type/Integer"}]]]}}`, e.id, known.ID)),
			"an export of the SQL": {Query: json.RawMessage(e.native("SELECT id FROM mine ORDER BY id")), Context: "csv-download"},
		}
		e.draft(func(d *permission.Draft) error {
			return d.Set(e.group, e.id, permission.Download, permission.WholeDatabase(), permission.Full)
		})
		expect := func(role, want string) {
			t.Helper()
			for what, r := range asks {
				a, _, err := e.run(e.person, r)
				if err != nil || fmt.Sprint(a.rows) != want {
					t.Errorf("as %s, %s: %v, %v, want %s", role, what, a.rows, err, want)
				} else if len(a.head.Filtered) == 0 {
					t.Errorf("as %s, %s: it is not told that rows may be hidden", role, what)
				}
				if a, _, err := e.run(e.admin, r); err != nil || fmt.Sprint(a.rows) != "[[1] [2] [3]]" {
					t.Errorf("after %s as %s the administrator reads %v, %v", what, role, a.rows, err)
				}
			}
			_, fields := e.tableNamed("mine")
			values, err := e.door.FieldValues(t.Context(), e.person, catalog.FieldID(fields["region"]))
			if err != nil || fmt.Sprint(values.Values) != "[["+role+"]]" {
				t.Errorf("as %s there are the values %v, %v", role, values.Values, err)
			}
		}
		expect("north", "[[1] [3]]")
		e.seenAs("south")
		expect("south", "[[2]]")

		// What the role may not read is refused, and by no name of the server's.
		e.seenAs("north")
		salaries, _ := e.tableNamed("salaries")
		for what, r := range map[string]Request{"SQL": ask(e.native("SELECT amount FROM salaries")),
			"the query builder": ask(fmt.Sprintf(`{"database":%d,"type":"query","query":{"source-table":%d}}`, e.id, salaries))} {
			_, _, err := e.run(e.person, r)
			if says := fails(t, err, MissingPermissions); strings.Contains(says, "salaries") || strings.Contains(says, "north_") {
				t.Errorf("%s says %q", what, says)
			}
		}
		e.seenAs("south")
		if got, err := e.typed("SELECT amount FROM salaries"); err != nil || got != "[[4711]]" {
			t.Errorf("the south reads %s, %v", got, err)
		}
		viewing := WithOrigin(t.Context(), Origin{Viewer: e.admin})
		a := &answer{}
		if _, err := e.door.Run(viewing, e.person, ask(e.mine()), a); err != nil || fmt.Sprint(a.rows) != "[[2]]" {
			t.Errorf("an administrator who views as the person reads %v, %v", a.rows, err)
		}
		if shows := e.door.Shows(t.Context(), e.person, typed); shows {
			t.Error("what is known of SQL that others ran is told")
		}
	})
}

// SQL cannot leave the role: what could is read by the gate, and refused.
func TestSQLCannotLeaveItsRole(t *testing.T) {
	eachRoleServer(t, func(t *testing.T, e *elsewhere) {
		south, login := e.named("south"), e.named("app")
		attacks := map[string][]string{
			"postgres": {
				"SELECT set_config('role', 'none', true)", "SELECT set_config('role', '" + south + "', false), id FROM mine",
				"WITH a AS MATERIALIZED (SELECT set_config('role','none',true) r) SELECT query_to_xml('select * from salaries',true,true,'') FROM a",
				"WITH a AS MATERIALIZED (SELECT pg_catalog.set_config('role','none',true) r) SELECT id FROM mine, a",
				"RESET ROLE", "SET ROLE NONE", "SET LOCAL ROLE " + south, "SET SESSION AUTHORIZATION DEFAULT", "SELECT 1; RESET ROLE; SELECT id FROM orders", "COMMIT", "ROLLBACK",
				"UPDATE pg_settings SET setting = 'none' WHERE name = 'role'", "SELECT rolname FROM pg_roles", "SELECT current_setting('role')",
				"DO $$ BEGIN RESET ROLE; END $$", "SELECT * FROM query_to_xml('reset role', true, true, '')", "SELECT relname FROM pg_class",
				"SELECT dblink('dbname=postgres', 'select 1')", "EXPLAIN SELECT id FROM mine", "SELECT mine.set_config FROM (SELECT 1) AS mine",
			},
			"mysql": {
				"SET ROLE NONE", "SET ROLE " + south, "SET DEFAULT ROLE NONE", "SET STATEMENT sql_mode='' FOR SELECT 1", "SELECT 1; SET ROLE NONE",
				"SELECT id FROM mine; SET ROLE " + south, "COMMIT", "EXECUTE IMMEDIATE 'SET ROLE NONE'", "PREPARE s FROM 'SET ROLE NONE'", "SELECT CURRENT_ROLE()",
				"SELECT * FROM information_schema.applicable_roles", "SELECT user FROM mysql.user", "SHOW GRANTS", "SHOW TABLES", "SELECT /*!100000 amount FROM salaries UNION SELECT */ 1",
				"SELECT @@sql_mode", "SELECT SLEEP(0)", "BEGIN NOT ATOMIC SET ROLE NONE; SELECT 1; END",
			},
		}[e.server.Engine]
		saved := e.card(e.open, e.native("SELECT 1"))
		for _, sql := range attacks {
			if got, err := e.typed(sql); err == nil {
				t.Errorf("%s gives %s", sql, got)
			} else if strings.Contains(err.Error(), login) {
				t.Errorf("%s tells of the login: %v", sql, err)
			}
			card := e.card(e.open, e.native(sql))
			if a, _, err := e.run(e.person, Request{Card: card.ID}); err == nil {
				t.Errorf("saved, %s gives %v", sql, a.rows)
			}
			if got, err := e.typed("SELECT id FROM mine ORDER BY id"); err != nil || got != "[[1] [3]]" {
				t.Fatalf("after %s the person reads %s, %v", sql, got, err)
			}
		}
		if _, _, err := e.run(e.person, Request{Card: saved.ID}); err != nil {
			t.Errorf("SQL that reads nothing: %v", err)
		}
	})
}

// Where the role cannot be told or taken nothing runs, whatever reads what.
func TestWithoutItsRoleNothingRuns(t *testing.T) {
	eachRoleServer(t, func(t *testing.T, e *elsewhere) {
		card := e.card(e.open, e.native("SELECT id FROM mine"))
		none := func(when string, reason ...string) {
			t.Helper()
			for what, r := range map[string]Request{"the query builder": ask(e.mine()), "SQL": ask(e.native("SELECT id FROM mine")), "SQL on nothing": ask(e.native("SELECT 1")), "saved SQL": {Card: card.ID}} {
				_, _, err := e.run(e.person, r)
				if says := fails(t, err, MissingPermissions); says != refusal {
					t.Errorf("%s, %s: the person is told %q", when, what, says)
				}
				last := e.lastRun()
				for _, part := range reason {
					if last.Outcome != "denied" || !strings.Contains(last.Reason, part) {
						t.Errorf("%s, %s: recorded as %+v, without %q", when, what, last, part)
					}
				}
			}
			if a, _, err := e.run(e.admin, ask(e.mine())); err != nil || len(a.rows) != 3 {
				t.Errorf("%s: the administrator reads %v, %v", when, a.rows, err)
			}
		}
		e.seenAs("")
		none("without the attribute", `"role"`, "has no value")
		e.seenAs("north; SET ROLE NONE")
		none("with what is no name", "is no name of a database role")
		e.seenAs("nobody")
		none("with a role that is not there", "cannot take the database role "+e.named("nobody"), "GRANT ")
		e.seenAs("stranger")
		none("with a role of which the login is no member", "cannot take the database role "+e.named("stranger"), "GRANT ")
		e.seenAs("app")
		none("as the login itself", "it is the login itself")
		if e.server.Engine == "mysql" {
			e.seenAs("north")
			own := fmt.Sprintf("SELECT ON `%s`.salaries", e.databaseName())
			e.server.Exec(t, e.databaseName(), "GRANT "+own+" TO '"+e.named("app")+"'")
			none("where the login has rights of its own", "rights of its own", "salaries")
			e.server.Exec(t, e.databaseName(), "REVOKE "+own+" FROM '"+e.named("app")+"'")
		}
		e.seenAs("north")
		if got, err := e.typed("SELECT id FROM mine ORDER BY id"); err != nil || got != "[[1] [3]]" {
			t.Errorf("with its role again: %s, %v", got, err)
		}
		e.draft(func(d *permission.Draft) error {
			return d.Set(e.group, e.id, permission.View, permission.OneTable(e.orders), permission.Unrestricted)
		})
		if _, err := e.typed("SELECT id FROM orders"); err == nil {
			t.Error("SQL runs beside a table that is open without the role")
		}
		if got, err := e.ids(e.allOrders()); err != nil || got != 3 {
			t.Errorf("the open table by itself: %d rows, %v", got, err)
		}
		mine, fields := e.tableNamed("mine")
		_, of := e.tableNamed("orders")
		join := fmt.Sprintf(`{"database":%d,"type":"query","query":{"source-table":%d,"joins":[{"alias":"m","source-table":%d,"condition":["=",["field",%d,null],["field",%d,{"join-alias":"m"}]]}]}}`,
			e.id, e.orders, mine, of["id"], fields["id"])
		if _, err := e.ids(join); err == nil {
			t.Error("a table under the role is joined to one without")
		}
	})
}

func (e *elsewhere) ids(question string) (int, error) {
	a, _, err := e.run(e.person, ask(question))
	return len(a.rows), err
}

// A kept result is shown again to who is seen as the same role, and not to
// others.
func TestResultsAreNotKeptAcrossRoles(t *testing.T) {
	for _, engine := range []string{"postgres", "mysql"} {
		t.Run(engine, func(t *testing.T) {
			e := asRoles(t, engine, func(e *elsewhere) {
				now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
				e.door.now = func() time.Time { return now }
			})
			for what, question := range map[string]string{"the query builder": e.mine(), "SQL": e.native("SELECT id FROM mine ORDER BY id")} {
				r := Request{Card: e.keptCard(question).ID}
				read := func(who permission.UserID, want string, kept bool) {
					t.Helper()
					a, sum, err := e.run(who, r)
					if err != nil || fmt.Sprint(a.rows) != want || (sum.Kept != nil) != kept {
						t.Errorf("%s: %v, kept %v, %v; want %s, kept %v", what, a.rows, sum.Kept != nil, err, want, kept)
					}
				}
				e.seenAs("north")
				read(e.admin, "[[1] [2] [3]]", false)
				read(e.person, "[[1] [3]]", false)
				read(e.person, "[[1] [3]]", true)
				e.seenAs("south")
				read(e.person, "[[2]]", false)
				e.seenAs("north")
				read(e.person, "[[1] [3]]", true)
				read(e.admin, "[[1] [2] [3]]", true)
			}
		})
	}
}

// Another role ends what runs.
func TestAnotherRoleEndsARunningQuestion(t *testing.T) {
	eachRoleServer(t, func(t *testing.T, e *elsewhere) {
		a := &answer{row: func(n int) error {
			if n == 1 {
				e.seenAs("south")
			}
			return nil
		}}
		_, err := e.door.Run(t.Context(), e.person, ask(e.mine()), a)
		fails(t, err, MissingPermissions)
		if len(a.rows) != 1 {
			t.Errorf("%d rows were sent", len(a.rows))
		}
	})
}
