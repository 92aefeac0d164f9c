package dbrole

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-bi/sluice/internal/warehouse"
)

// postgres looks at a boundary in PostgreSQL. All that it asks of the catalog
// any login may read.
type postgres struct {
	ctx      context.Context
	admin    *warehouse.Admin
	b        warehouse.Boundary
	login    *warehouse.Login // that of the details
	report   *Report
	version  int             // such as 150018
	database string          // quoted
	base     string          // a relation that slots must not read, quoted; "" if there is none
	dblink   string          // the schema of that extension, quoted; "" if there is none
	told     map[string]bool // logins whose absence is reported
}

func postgresDoctor(ctx context.Context, admin *warehouse.Admin, b warehouse.Boundary) (Report, error) {
	l, err := admin.Login(ctx, "", "")
	if err != nil {
		return Report{}, err
	}
	defer l.Close()
	// One state of the catalog, and nothing that somebody named like it. To compile
	// queries would take longer than they do.
	if err := l.Exec(ctx, "SET search_path = pg_catalog; SET quote_all_identifiers = off; SET jit = off; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
		return Report{}, err
	}
	rows, err := l.Query(ctx, "SELECT current_setting('server_version'), current_setting('server_version_num'), format('%I', current_database())")
	if err != nil || len(rows) != 1 {
		return Report{}, fmt.Errorf("dbrole: the version of the server: %w", err)
	}
	r := Report{Findings: []Finding{}, Version: rows[0][0]}
	d := &postgres{ctx: ctx, admin: admin, b: b, login: l, report: &r, database: rows[0][2], told: map[string]bool{}}
	if d.version, err = strconv.Atoi(rows[0][1]); err != nil {
		return Report{}, fmt.Errorf("dbrole: the version of the server: %w", err)
	}
	there, err := d.objects()
	if err != nil {
		return Report{}, err
	}
	if !there { // nothing below can be asked of what is not there
		return r, nil
	}
	for _, check := range []func() error{d.roles, d.memberships, d.ownership, d.settings, d.relations, d.systemRelations, d.functions,
		d.systemFunctions, d.largeObjects, d.foreign, d.schemas, d.databaseRights, d.parameters, d.defaults, d.lease, d.loginReads, d.views, d.control, d.ownerReads} {
		if err := check(); err != nil {
			return Report{}, err
		}
	}
	if err := d.findBase(); err != nil {
		return Report{}, err
	}
	if err := l.Exec(ctx, "ROLLBACK"); err != nil {
		return Report{}, err
	}
	if err := d.live(); err != nil {
		return Report{}, err
	}
	return r, nil
}

// slotsSQL begins the queries about slots; $1 is their names. A superuser may
// do everything, which is one finding of its own and not one for each table.
const slotsSQL = "WITH slots AS (SELECT oid, rolname FROM pg_roles WHERE rolname = ANY ($1::name[]) AND NOT rolsuper) "

// grantees names those among PUBLIC and the slots who have something by a list
// of rights, and granteesOf those who have one of them.
func grantees(acl string) string { return granteesOf("a.privilege_type", acl) }

func granteesOf(right, acl string) string {
	return "(SELECT string_agg(DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE format('%I', pg_get_userbyid(a.grantee)) END, ', ') FROM aclexplode(" + acl +
		") a WHERE (a.grantee = 0 OR a.grantee IN (SELECT oid FROM slots)) AND a.privilege_type = " + right + ")"
}

// array is a value for $1. The names need no quotes: see names.
func array(list []string) string { return "{" + strings.Join(list, ",") + "}" }

// ask runs a query about slots.
func (d *postgres) ask(sql string, f func(v []string)) error {
	return d.query(slotsSQL+sql, f, array(slots(d.b)))
}

func (d *postgres) query(sql string, f func(v []string), args ...string) error {
	rows, err := d.login.Query(d.ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("dbrole: asking the catalog: %w", err)
	}
	for _, v := range rows {
		f(v)
	}
	return nil
}

// objects tells whether the schemas, the lease and the roles beside the slots
// are there at all.
func (d *postgres) objects() (bool, error) {
	// By names in the catalog: to resolve one, as regclass does, needs USAGE.
	var missing []string
	err := d.query(`SELECT 'the role ' || r FROM unnest($1::text[]) r WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r)
		UNION ALL SELECT 'the schema ' || s FROM unnest($2::text[]) s WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = s)
		UNION ALL SELECT 'the relation ' || t FROM unnest($3::text[]) t
			WHERE NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname || '.' || c.relname = t)`,
		func(v []string) { missing = append(missing, v[0]) },
		array([]string{d.b.Owner(), d.b.Control()}), array([]string{d.b.Home(), d.b.Views()}), array([]string{d.b.Home() + ".lease", d.b.Home() + ".mine", d.b.Views() + ".lease"}))
	if err != nil {
		return false, err
	}
	if len(missing) > 0 {
		d.report.fatal("setup", "", "The boundary is not set up in this database, or not wholly; it lacks: %s. Run the set-up script.", strings.Join(missing, ", "))
	}
	return len(missing) == 0, nil
}

// again says what mends a slot that is missing or not as it should be.
func (d *postgres) again(login string) string {
	sql, err := postgresSlot(d.b, login)
	if login == d.b.Control() {
		sql, err = postgresRole(d.b, login, "LOGIN")
	}
	if err != nil {
		return ""
	}
	sql += fmt.Sprintf(";\nGRANT CONNECT ON DATABASE %s TO %s", d.database, ident(login))
	if login != d.b.Control() {
		sql += ";\n" + asOwner(d.b, postgresReads(d.b, []string{login}))
	}
	return inTransaction(sql)
}

// roles are looked at by their attributes.
func (d *postgres) roles() error {
	seen := map[string]bool{}
	attributes := []string{"SUPERUSER", "BYPASSRLS", "CREATEROLE", "CREATEDB", "REPLICATION"}
	all := append(slots(d.b), d.b.Owner(), d.b.Control())
	err := d.query(`SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolcanlogin, rolinherit, rolconnlimit
		FROM pg_roles WHERE rolname = ANY ($1::name[]) ORDER BY rolname`, func(v []string) {
		name := v[0]
		seen[name] = true
		for i, a := range attributes {
			if v[i+1] == "t" {
				d.report.fatal("attributes", fmt.Sprintf("ALTER ROLE %s NO%s;", ident(name), a), "%s has the attribute %s, which lifts it above what the boundary grants.", name, a)
			}
		}
		if name == d.b.Owner() {
			if v[6] == "t" {
				d.report.fatal("attributes", "ALTER ROLE "+ident(name)+" NOLOGIN;", "%s owns the views and may sign in; nobody should.", name)
			}
			return
		}
		if v[6] != "t" {
			d.told[name] = true
			d.report.fatal("logins", "ALTER ROLE "+ident(name)+" LOGIN;", "%s may not sign in.", name)
		}
		if v[7] == "t" {
			d.report.fatal("attributes", "ALTER ROLE "+ident(name)+" NOINHERIT;", "%s inherits the rights of roles that it is a member of.", name)
		}
		if want := map[bool]string{true: "-1", false: "1"}[name == d.b.Control()]; v[8] != want {
			d.report.fatal("connection-limit", fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT %s;", ident(name), want),
				"The CONNECTION LIMIT of %s is %s and not %s: one statement at a time may run under a lease.", name, v[8], want)
		}
	}, array(all))
	for _, name := range slots(d.b) {
		if err == nil && !seen[name] {
			d.told[name] = true
			d.report.fatal("logins", d.again(name), "There is no login %s. Run the set-up script again.", name)
		}
	}
	return err
}

// memberships of slots there may be none, whatever is inherited: SQL can act as
// any role that it is a member of. Nor may anybody act as a role of the
// boundary.
func (d *postgres) memberships() error {
	acts := "true"
	if d.version >= 160000 { // who made a role may grant it since, and is not thereby let act as it
		acts = "(a.set_option OR a.inherit_option)"
	}
	return d.query(`SELECT m.rolname, r.rolname FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
		WHERE m.rolname = ANY ($1::name[]) OR r.rolname = ANY ($1::name[]) AND `+acts+` ORDER BY m.rolname, r.rolname`, func(v []string) {
		member, role := v[0], v[1]
		fix := fmt.Sprintf("REVOKE %s FROM %s;", ident(role), ident(member))
		switch {
		case member == d.b.Control() && role == d.b.Owner():
		case member == d.b.Owner():
			d.report.warn("membership", fix, "%s is a member of %s, so that views can read more than they are granted.", member, role)
		default:
			d.report.fatal("membership", fix, "%s is a member of %s, and can act as it.", member, role)
		}
	}, array(append(slots(d.b), d.b.Owner(), d.b.Control())))
}

// ownership is looked for in all databases of the server.
func (d *postgres) ownership() error {
	return d.query(`SELECT r.rolname, CASE WHEN s.dbid = 0 OR s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
			THEN coalesce(pg_describe_object(s.classid, s.objid, s.objsubid), 'something') ELSE 'something in another database of the server' END
		FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
		WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype = 'o' AND r.rolname = ANY ($1::name[]) ORDER BY 1, 2`, func(v []string) {
		d.report.fatal("ownership", "REASSIGN OWNED BY "+ident(v[0])+" TO CURRENT_USER;", "%s owns %s; owners may do everything with it.", v[0], v[1])
	}, array(append(slots(d.b), d.b.Control())))
}

// harmless are settings that an administrator may give a slot.
var harmless = []string{"temp_file_limit", "work_mem", "idle_in_transaction_session_timeout", "idle_session_timeout", "lock_timeout", "transaction_timeout",
	"max_parallel_workers_per_gather", "log_statement", "log_min_duration_statement"}

// settings of slots are those of the set-up, for all databases.
func (d *postgres) settings() error {
	has := map[string]map[string]string{}
	err := d.query(`SELECT r.rolname, s.setdatabase <> 0, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1),
			coalesce((SELECT format('%I', datname) FROM pg_database WHERE oid = s.setdatabase), '')
		FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole CROSS JOIN unnest(s.setconfig) c WHERE r.rolname = ANY ($1::name[]) ORDER BY 1, 2, 3`, func(v []string) {
		slot, local, name := v[0], v[1] == "t", v[2]
		expected := slices.ContainsFunc(slotSettings, func(s struct{ name, value, sql string }) bool { return s.name == name })
		switch {
		case local && !slices.Contains(harmless, name):
			d.report.fatal("settings", fmt.Sprintf("ALTER ROLE %s IN DATABASE %s RESET %s;", ident(slot), v[4], ident(name)), "%s has the setting %s = %s in the database %s, which the set-up does not give.", slot, name, v[3], v[4])
		case !local && expected:
			if has[slot] == nil {
				has[slot] = map[string]string{}
			}
			has[slot][name] = v[3]
		case !slices.Contains(harmless, name):
			d.report.fatal("settings", fmt.Sprintf("ALTER ROLE %s RESET %s;", ident(slot), ident(name)), "%s has the setting %s = %s, which the set-up does not give.", slot, name, v[3])
		}
	}, array(slots(d.b)))
	if err != nil {
		return err
	}
	return d.query("SELECT rolname FROM pg_roles WHERE rolname = ANY ($1::name[]) ORDER BY 1", func(v []string) {
		for _, s := range slotSettings {
			if has[v[0]][s.name] != s.value {
				d.report.fatal("settings", fmt.Sprintf("ALTER ROLE %s SET %s = %s;", ident(v[0]), s.name, s.sql), "The sessions of %s do not begin with %s = %s.", v[0], s.name, s.value)
			}
		}
	}, array(slots(d.b)))
}
