package dbrole

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/warehouse"
)

// administrators are what a plain one is given: no superuser anywhere.
var administrators = map[string][]string{
	Postgres: {`ALTER ROLE $ADMIN CREATEROLE`, `GRANT CREATE ON DATABASE $DB TO $ADMIN`, `GRANT USAGE ON SCHEMA public, shop TO $ADMIN WITH GRANT OPTION`,
		`GRANT SELECT ON ALL TABLES IN SCHEMA public, shop TO $ADMIN WITH GRANT OPTION`},
	MySQL: {`GRANT CREATE USER, SET USER ON *.* TO $ADMIN@'%'`, `GRANT SELECT ON $DB.* TO $ADMIN@'%' WITH GRANT OPTION`,
		`GRANT ALL ON $HOME.* TO $ADMIN@'%' WITH GRANT OPTION`, "GRANT ALL ON `${E}`.* TO $ADMIN@'%' WITH GRANT OPTION"},
}

func eachEngine(t *testing.T, f func(t *testing.T, p *place)) {
	for _, engine := range []string{Postgres, MySQL} {
		t.Run(engine, func(t *testing.T) { f(t, newPlace(t, engine)) })
	}
}

func TestPlainAdministratorsSetUpAndTakeDown(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		dba := p.b.Name + "_dba"
		p.server.Login(t, dba)
		for _, s := range administrators[p.engine] {
			p.exec(t, strings.ReplaceAll(s, "$ADMIN", dba))
		}
		p.admin = p.as(t, dba)
		for _, when := range []string{"after the set-up", "after a second one"} {
			if err := Apply(t.Context(), p.admin, p.setup(t)); err != nil {
				t.Fatal(when, err)
			}
			p.passes(t, when)
		}
		if p.engine == Postgres {
			if n, _, err := p.server.Two(t.Context(), p.name, "SELECT count(*), 0 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE NOT m.admin_option AND r.rolname = '"+dba+"'"); err != nil || n != 0 {
				t.Errorf("the administrator stays a member of %d roles (%v)", n, err)
			}
		}
		// With other passwords, more slots, and without the right to write views.
		p.b.Key, p.b.Slots, p.options.WritesViews = "another key", 4, false
		if r := p.doctor(t); r.Passed() {
			t.Error("the doctor passes passwords of another key")
		}
		if err := Apply(t.Context(), p.admin, p.setup(t)); err != nil {
			t.Fatal(err)
		}
		p.passes(t, "with another key")
		down, err := Teardown(p.engine, p.b, p.options)
		if err != nil {
			t.Fatal(err)
		}
		if err := Apply(t.Context(), p.admin, down); err != nil {
			t.Fatal(err)
		}
		if r := p.doctor(t); r.Passed() {
			t.Error("the doctor passes what was taken down")
		}
	})
}

func TestControlWritesViewsOnlyIfItMay(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		for _, may := range []bool{false, true, false} {
			if p.engine == MySQL && !may {
				continue // its script takes nothing back
			}
			p.options.WritesViews = may
			if err := Apply(t.Context(), p.admin, p.setup(t)); err != nil {
				t.Fatal(err)
			}
			l := p.login(t, p.b.Control())
			err := l.Exec(t.Context(), p.text(p.view()))
			if (err == nil) != may {
				t.Errorf("may write views: %v, and got %v", may, err)
			}
			l.Close()
		}
	})
}

// view is one over the orders, by the contract: it shows the organizations that
// the lease names under "orders".
func (p *place) view() string {
	if p.engine == MySQL {
		return "CREATE OR REPLACE DEFINER = $CONTROL@'%' SQL SECURITY DEFINER VIEW $VIEWS.orders AS SELECT id, total FROM $DB.orders WHERE " +
			"(SELECT JSON_CONTAINS(JSON_EXTRACT(`grants`, '$.orders'), CAST(organization_id AS CHAR)) FROM $HOME.mine)"
	}
	return `BEGIN; SET LOCAL ROLE $OWNER; CREATE OR REPLACE VIEW $VIEWS.orders WITH (security_barrier) AS SELECT id, total FROM shop.orders
		WHERE organization_id IN (SELECT x::int FROM $HOME.mine, jsonb_array_elements_text(grants -> 'orders') x); COMMIT`
}

// lease gives slot 1 a lease that ends after so many seconds.
func (p *place) lease(t *testing.T, grants string, seconds string) {
	t.Helper()
	l := p.login(t, p.b.Control())
	defer l.Close()
	sql := `INSERT INTO $HOME.lease VALUES ('$SLOT', 'n', $1::jsonb, statement_timestamp() + $2::interval) ON CONFLICT (slot) DO UPDATE SET grants = excluded.grants, expires = excluded.expires`
	if p.engine == MySQL {
		sql = `REPLACE INTO $HOME.lease VALUES ('$SLOT', 'n', ?, UTC_TIMESTAMP(6) + INTERVAL ? SECOND)`
	} else {
		seconds += " seconds"
	}
	if _, err := l.Query(t.Context(), p.text(sql), grants, seconds); err != nil {
		t.Fatal(err)
	}
}

func (p *place) login(t *testing.T, name string) *warehouse.Login {
	t.Helper()
	var l *warehouse.Login
	err := wait(t.Context(), freeWithin, func() (bool, error) { // a slot that was closed just now may still be taken
		var how answer
		var err error
		l, how, err = signIn(t.Context(), p.admin, p.b, name)
		return how == in, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestOnlyTheLeasedSlotReads(t *testing.T) {
	eachEngine(t, func(t *testing.T, p *place) {
		if err := Apply(t.Context(), p.admin, p.setup(t)); err != nil {
			t.Fatal(err)
		}
		c := p.login(t, p.b.Control())
		defer c.Close()
		if err := c.Exec(t.Context(), p.text(p.view())); err != nil {
			t.Fatal(err)
		}
		one, two := p.login(t, p.b.Slot(1)), p.login(t, p.b.Slot(2))
		defer one.Close()
		defer two.Close()
		sees := func(l *warehouse.Login, when, want string) {
			t.Helper()
			rows, err := l.Query(t.Context(), p.text("SELECT id FROM $VIEWS.orders ORDER BY id"))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, v := range rows {
				got += v[0]
			}
			if got != want {
				t.Errorf("%s: sees the orders %q, want %q", when, got, want)
			}
		}
		sees(one, "without a lease", "")
		p.lease(t, `{"orders": [1]}`, "600")
		sees(one, "under a lease", "13")
		sees(two, "under the lease of another", "")
		p.lease(t, `{"orders": [2]}`, "600")
		sees(one, "under another lease", "2")
		p.lease(t, `{"others": [1]}`, "600")
		sees(one, "under a lease for something else", "")

		p.lease(t, `{"orders": [1]}`, "600")
		for _, sql := range []string{
			"UPDATE $HOME.lease SET slot = '$OTHER'", "INSERT INTO $HOME.lease SELECT * FROM $VIEWS.lease", "DELETE FROM $HOME.lease", "UPDATE $VIEWS.lease SET nonce = 'x'",
			"SELECT * FROM $HOME.lease", "SELECT * FROM $HOME.mine", "SET ROLE $CONTROL", "SELECT * FROM shop.orders", "SELECT * FROM $DB.orders",
			"SET ROLE $OWNER", "SET SESSION AUTHORIZATION $SLOT, $OTHER", "CREATE VIEW $VIEWS.x AS SELECT 1", "DROP VIEW $VIEWS.orders",
		} {
			if p.engine == Postgres {
				sql = "BEGIN READ WRITE; " + sql
			}
			if err := two.Exec(t.Context(), p.text(sql)); err == nil {
				t.Errorf("a slot may %s", p.text(sql))
			}
			_ = two.Exec(t.Context(), "ROLLBACK")
		}
		sees(one, "after attacks of another", "13")
		sees(two, "after its attacks", "")
		p.lease(t, `{"orders": [1]}`, "-1")
		sees(one, "after its lease ran out", "")
		if p.engine == MySQL {
			if err := one.Exec(t.Context(), "SET timestamp = 1"); err != nil {
				t.Fatal(err)
			}
			sees(one, "after its lease ran out, with its time set back", "")
		}
	})
}

// A canary that nobody could make succeed would prove nothing.
func TestCanariesSucceedForWhoMayDoAll(t *testing.T) {
	p := newPlace(t, Postgres)
	if err := Apply(t.Context(), p.admin, p.setup(t)); err != nil {
		t.Fatal(err)
	}
	l, err := p.admin.Login(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := &postgres{ctx: t.Context(), b: p.b, report: &Report{}, base: "shop.orders"}
	for _, c := range d.canaries(p.b.Slot(1)) {
		d.report.Findings = nil
		if err := d.attack(l, c); err != nil {
			t.Fatal(err)
		}
		if len(d.report.Findings) != 1 {
			t.Errorf("a superuser cannot %s", c.what)
		}
	}
	p.passes(t, "after all canaries succeeded")

	p = newPlace(t, MySQL)
	if err := Apply(t.Context(), p.admin, p.setup(t)); err != nil {
		t.Fatal(err)
	}
	p.exec(t, "CREATE DATABASE IF NOT EXISTS test")
	l, err = p.admin.Login(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m := &maria{ctx: t.Context(), b: p.b, report: &Report{}, base: ticks(p.name) + ".orders"}
	for _, c := range m.canaries() {
		m.report.Findings = nil
		if err := m.attack(l, c); err != nil {
			t.Fatal(err)
		}
		if none := c.what == "act as the login of the leases"; len(m.report.Findings) != 1 && !none { // it is no role
			t.Errorf("root cannot %s", c.what)
		}
	}
	p.passes(t, "after all canaries succeeded")
}

func TestDoctorWaitsForASlot(t *testing.T) {
	defer func(d time.Duration) { freeWithin = d }(freeWithin)
	eachEngine(t, func(t *testing.T, p *place) {
		freeWithin = time.Second
		p.b.Slots = 2
		if err := Apply(t.Context(), p.admin, p.setup(t)); err != nil {
			t.Fatal(err)
		}
		take := func(name string) *warehouse.Login {
			l := p.login(t, name)
			if p.engine == MySQL {
				if how, err := taken(t.Context(), l, name); how != in || err != nil {
					t.Fatal(how, err)
				}
			}
			return l
		}
		l := take(p.b.Slot(1))
		r := p.passes(t, "with a slot in use")
		if got := p.engine == MySQL; got != slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Check == "busy" && strings.Contains(f.Message, p.b.Slot(1)) }) {
			t.Errorf("what is said of a slot in use:\n%s", list(r.Findings))
		}
		defer take(p.b.Slot(2)).Close()
		r, err := Doctor(t.Context(), p.admin, p.b, p.engine)
		if !errors.Is(err, ErrBusy) || r.Passed() {
			t.Errorf("with all slots in use the doctor says %v and %v", r, err)
		}
		freeWithin = 10 * time.Second
		time.AfterFunc(200*time.Millisecond, l.Close)
		p.passes(t, "after a wait")
	})
}

func TestLoginsThatReadLeasesAreWarnedOf(t *testing.T) {
	reader := map[string][]string{
		Postgres: {`GRANT USAGE ON SCHEMA shop TO $READER`, `GRANT SELECT ON shop.orders TO $READER`},
		MySQL:    {`GRANT SELECT ON $DB.* TO $READER@'%'`},
	}
	eachEngine(t, func(t *testing.T, p *place) {
		if err := Apply(t.Context(), p.admin, p.setup(t)); err != nil {
			t.Fatal(err)
		}
		warned := func(when string) bool {
			t.Helper()
			return slices.ContainsFunc(p.passes(t, when).Findings, func(f Finding) bool { return f.Severity == Warning && f.Check == "login" })
		}
		if !warned("as the administrator") {
			t.Error("no warning that the administrator reads leases")
		}
		name := p.b.Name + "_reader"
		p.server.Login(t, name)
		for _, s := range reader[p.engine] {
			p.exec(t, strings.ReplaceAll(s, "$READER", name))
		}
		p.admin = p.as(t, name)
		if warned("as who reads tables") {
			t.Error("a warning of a login that cannot read leases")
		}
	})
}

func TestScriptsHoldNoPassword(t *testing.T) {
	b := warehouse.Boundary{Name: "sluice", Key: "a key", Slots: 2}
	for _, engine := range []string{Postgres, MySQL, MySQL8} {
		s, err := Setup(engine, b, SetupOptions{Database: `a"b`, Schemas: []string{"public"}})
		if err != nil {
			t.Fatal(err)
		}
		text := Script(s)
		for _, login := range []string{b.Owner(), b.Control(), b.Slot(1), b.Slot(2)} {
			if strings.Contains(text, b.Password(login)) {
				t.Errorf("%s: the script holds the password of %s", engine, login)
			}
		}
		if got := strings.HasPrefix(text, "-- UNVERIFIED"); got != (engine == MySQL8) {
			t.Errorf("%s: the script says that it is unverified: %v", engine, got)
		}
		for line := range strings.Lines(text) {
			if strings.Contains(line, "FROM PUBLIC") && !strings.HasPrefix(line, "--") {
				t.Errorf("%s: the script takes from everybody: %s", engine, line)
			}
		}
	}
}

func TestWhatCannotBeSetUp(t *testing.T) {
	good := warehouse.Boundary{Name: "sluice", Key: "k", Slots: 1}
	with := func(name string) warehouse.Boundary { b := good; b.Name = name; return b }
	for _, c := range []struct {
		engine string
		b      warehouse.Boundary
		o      SetupOptions
	}{
		{"sqlite", good, SetupOptions{Database: "d", Schemas: []string{"public"}}},
		{"", good, SetupOptions{Database: "d", Schemas: []string{"public"}}},
		{Postgres, warehouse.Boundary{}, SetupOptions{Database: "d", Schemas: []string{"public"}}},
		{Postgres, with("pg_x"), SetupOptions{Database: "d", Schemas: []string{"public"}}},
		{Postgres, with("a;b"), SetupOptions{Database: "d", Schemas: []string{"public"}}},
		{Postgres, with("a'b"), SetupOptions{Database: "d", Schemas: []string{"public"}}},
		{Postgres, with(strings.Repeat("a", 32)), SetupOptions{Database: "d", Schemas: []string{"public"}}},
		{MySQL, with("test_x"), SetupOptions{Database: "d"}},
		{Postgres, good, SetupOptions{Schemas: []string{"public"}}},
		{Postgres, good, SetupOptions{Database: "d"}},
		{Postgres, good, SetupOptions{Database: "d", Schemas: []string{"sluice_views"}}},
		{Postgres, good, SetupOptions{Database: "d", Schemas: []string{"pg_catalog"}}},
		{Postgres, good, SetupOptions{Database: "d\rDROP TABLE x", Schemas: []string{"public"}}},
		{MySQL, good, SetupOptions{Database: "d\nDROP TABLE x"}},
		{MySQL, good, SetupOptions{Database: "sluice"}},
		{MySQL, good, SetupOptions{Database: "mysql"}},
	} {
		if s, err := Setup(c.engine, c.b, c.o); err == nil || s != nil {
			t.Errorf("%s, %q, %v: set up", c.engine, c.b.Name, c.o)
		}
	}
}

func TestReportsPassOnlyWithoutFatalFindings(t *testing.T) {
	for _, c := range []struct {
		r    Report
		want bool
	}{
		{Report{}, false},
		{Report{Version: "15"}, true},
		{Report{Version: "15", Findings: []Finding{{Severity: Warning}}}, true},
		{Report{Version: "15", Findings: []Finding{{Severity: Warning}, {Severity: Fatal}}}, false},
		{Report{Version: "15", Findings: []Finding{{}}}, false},
	} {
		if got := c.r.Passed(); got != c.want {
			t.Errorf("%v passes: %v", c.r, got)
		}
	}
	raw, err := json.Marshal(Report{Version: "15", Findings: []Finding{{Fatal, "c", "m", "f"}}})
	if want := `{"findings":[{"severity":"fatal","check":"c","message":"m","fix":"f"}],"version":"15"}`; err != nil || string(raw) != want {
		t.Errorf("%s, %v", raw, err)
	}
}

// The example of RFC 7677, and MariaDB's own PASSWORD('secret').
func TestVerifiers(t *testing.T) {
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	v, err := scramWith("pencil", salt)
	if want := "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="; err != nil || v != want {
		t.Errorf("%s, %v", v, err)
	}
	if got := nativeHash("secret"); got != "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7" {
		t.Error(got)
	}
}
