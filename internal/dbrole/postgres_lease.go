package dbrole

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// leaseColumns are those of the contract.
const leaseColumns = "slot name, nonce text, grants jsonb, expires timestamp with time zone"

// lease looks at the table of the leases and at what is between it and views.
func (d *postgres) lease() error {
	home, owner, control := ident(d.b.Home()), d.b.Owner(), d.b.Control()
	err := d.query(`SELECT n.nspname, pg_get_userbyid(n.nspowner) FROM pg_namespace n WHERE n.nspname = ANY ($1::name[]) ORDER BY 1`, func(v []string) {
		if v[1] != owner {
			d.report.fatal("lease", fmt.Sprintf("ALTER SCHEMA %s OWNER TO %s;", ident(v[0]), ident(owner)), "The schema %s belongs to %s and not to %s.", v[0], v[1], owner)
		}
	}, array([]string{d.b.Home(), d.b.Views()}))
	if err != nil {
		return err
	}
	err = d.query(`SELECT c.relkind, c.relpersistence, pg_get_userbyid(c.relowner), c.relhasrules OR c.relhastriggers OR c.relhassubclass OR c.relrowsecurity,
			(SELECT string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
			EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] WHERE i.indrelid = c.oid AND i.indisprimary AND i.indnatts = 1 AND a.attname = 'slot')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = 'lease'`, func(v []string) {
		if v[2] != owner {
			d.report.fatal("lease", fmt.Sprintf("ALTER TABLE %s.lease OWNER TO %s;", home, ident(owner)), "The leases belong to %s and not to %s.", v[2], owner)
		}
		if v[0] != "r" || v[4] != leaseColumns || v[5] != "t" || v[3] == "t" {
			d.report.fatal("lease", "", "The table %s.lease is not the one that the set-up makes: other columns or key, or rules, triggers, policies or children. Drop it and run the set-up script.", d.b.Home())
		}
		if v[1] != "u" {
			d.report.warn("lease", fmt.Sprintf("ALTER TABLE %s.lease SET UNLOGGED;", home), "Leases are kept beyond a crash of the server.")
		}
	}, d.b.Home())
	if err != nil {
		return err
	}
	for _, view := range []struct{ schema, name, want, make string }{
		{d.b.Home(), "mine", "select nonce,grants from home.lease where slot=session_user and expires>statement_timestamp", mineView(d.b)},
		{d.b.Views(), "lease", "select nonce from home.mine", nonceView(d.b)},
	} {
		quoted, name := ident(view.schema)+"."+view.name, view.schema+"."+view.name
		err := d.query(`SELECT pg_get_viewdef(c.oid), pg_get_userbyid(c.relowner), c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`, func(v []string) {
			if v[2] != "v" || d.plain(v[0]) != view.want {
				d.report.fatal("lease", inTransaction(asOwner(d.b, view.make)), "The view %s does not say what the set-up says.", name)
			}
			if v[1] != owner {
				d.report.fatal("lease", fmt.Sprintf("ALTER VIEW %s OWNER TO %s;", quoted, ident(owner)), "The view %s belongs to %s and not to %s.", name, v[1], owner)
			}
		}, view.schema, view.name)
		if err != nil {
			return err
		}
	}
	return d.leaseRights(home, owner, control)
}

var blanks = regexp.MustCompile(`\s+`)

// plain is the text of one of our views as all versions of the server would
// print it: with one blank, without parentheses and names that are understood.
func (d *postgres) plain(text string) string {
	text = strings.ToLower(strings.NewReplacer("(", " ", ")", " ", ";", " ", ident(d.b.Home())+".", "home.").Replace(text))
	text = strings.ReplaceAll(text, " "+d.b.Home()+".", " home.")
	text = strings.NewReplacer(" lease.", " ", " mine.", " ", ",", ", ").Replace(text)
	text = blanks.ReplaceAllString(strings.TrimSpace(text), " ")
	return strings.NewReplacer(", ", ",", " = ", "=", " > ", ">").Replace(text)
}

// leaseRights are those of control, and of nobody else.
func (d *postgres) leaseRights(home, owner, control string) error {
	wanted := []string{"DELETE", "INSERT", "SELECT", "UPDATE"}
	var has []string
	err := d.query(`SELECT c.relname::text, CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END, g.privilege_type, g.is_grantable
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(`+columnACL+`) g
		WHERE n.nspname = $1 AND c.relname IN ('lease', 'mine') AND g.grantee <> c.relowner AND pg_get_userbyid(g.grantee) <> $2 ORDER BY 1, 2, 3`, func(v []string) {
		if v[0] == "lease" && v[1] == control && slices.Contains(wanted, v[2]) && v[3] != "t" {
			has = append(has, v[2])
			return
		}
		who := v[1]
		if who != "PUBLIC" {
			who = ident(who)
		}
		what := v[2]
		if v[3] == "t" && v[0] == "lease" && v[1] == control && slices.Contains(wanted, v[2]) {
			what = "GRANT OPTION FOR " + what
			has = append(has, v[2])
		}
		d.report.fatal("lease", revoke(fmt.Sprintf("%s ON %s.%s", what, home, v[0]), who), "%s has %s on %s.%s: whoever reads or writes leases is not held by them.", v[1], v[2], d.b.Home(), v[0])
	}, d.b.Home(), owner)
	if err != nil {
		return err
	}
	usage := false
	err = d.query("SELECT has_schema_privilege($1::name, $2::text, 'USAGE')", func(v []string) { usage = v[0] == "t" }, control, d.b.Home())
	slices.Sort(has)
	if err == nil && (!usage || len(slices.Compact(has)) < len(wanted)) {
		d.report.fatal("lease", inTransaction(asOwner(d.b, leaseGrants(d.b))), "%s cannot write leases.", control)
	}
	return err
}

// loginReads warns if the login of the details may read leases.
func (d *postgres) loginReads() error {
	return d.query(`SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = 'lease'
		AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')`, func([]string) { readsLeases(d.report, d.b) }, d.b.Home())
}

// views are all that may be in their schema, with a barrier, and the owner's.
// Their comment tells what they said when they were made.
func (d *postgres) views() error {
	err := d.query(`SELECT format('%I.%I', n.nspname, c.relname), pg_get_userbyid(c.relowner),
			EXISTS (SELECT FROM unnest(c.reloptions) o WHERE lower(o) IN ('security_barrier=true', 'security_barrier=on', 'security_barrier=1', 'security_barrier=yes')),
			c.relname = 'lease' OR md5(pg_get_viewdef(c.oid)) IS NOT DISTINCT FROM obj_description(c.oid, 'pg_class')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'v' ORDER BY 1`, func(v []string) {
		if v[1] != d.b.Owner() {
			d.report.fatal("views", fmt.Sprintf("ALTER VIEW %s OWNER TO %s;", v[0], ident(d.b.Owner())), "The view %s belongs to %s, with whose rights it reads, and not to %s.", v[0], v[1], d.b.Owner())
		}
		if v[2] != "t" {
			d.report.fatal("views", fmt.Sprintf("ALTER VIEW %s SET (security_barrier = true);", v[0]), "The view %s has no barrier: conditions of people would see rows that it hides.", v[0])
		}
		if v[3] != "t" {
			// Statements look for themselves, in their own transaction.
			d.report.warn("views", "DROP VIEW "+v[0]+";", "The view %s is not as it was made, or something below it was renamed. SQL of people does not use it; Sluice makes it again when it is needed.", v[0])
		}
	}, d.b.Views())
	if err != nil {
		return err
	}
	return d.query(`SELECT pg_describe_object(x.classid, x.objid, 0) FROM pg_depend x JOIN pg_namespace n ON n.oid = x.refobjid
		WHERE x.refclassid = 'pg_namespace'::regclass AND n.nspname = $1 AND x.classid <> 'pg_default_acl'::regclass
		AND NOT (x.classid = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_class c WHERE c.oid = x.objid AND c.relkind = 'v')) ORDER BY 1`, func(v []string) {
		d.report.fatal("views", "", "The schema %s is for views and holds the %s. Move it elsewhere or drop it.", d.b.Views(), v[0])
	}, d.b.Views())
}

// control has nothing but the leases, and may act as the owner.
func (d *postgres) control() error {
	return d.query(`SELECT format('%I.%I', n.nspname, c.relname), c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_roles s ON s.rolname = $1 AND NOT s.rolsuper
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND `+own+` AND n.nspname NOT IN ($2, $3) AND `+d.rightOn(tableRights, columnRights)+`
		AND NOT EXISTS (SELECT FROM aclexplode(`+columnACL+`) g WHERE g.grantee = 0) ORDER BY 1`, func(v []string) {
		kind := "TABLE"
		if v[1] == "S" {
			kind = "SEQUENCE"
		}
		d.report.fatal("control", revoke("ALL ON "+kind+" "+v[0], ident(d.b.Control())), "%s has rights on %s; it should write leases and nothing else.", d.b.Control(), v[0])
	}, d.b.Control(), d.b.Home(), d.b.Views())
}

// ownerReads finds tables that structured questions can read and views cannot.
func (d *postgres) ownerReads() error {
	tables, order := map[string][]string{}, []string{}
	err := d.query(`SELECT format('%I', n.nspname), format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND `+own+` AND n.nspname NOT IN ($2, $3)
		AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.deptype = 'e')
		AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
		AND NOT (has_schema_privilege($1::name, n.oid, 'USAGE') AND has_table_privilege($1::name, c.oid, 'SELECT')) ORDER BY 1, 2`, func(v []string) {
		if tables[v[0]] == nil {
			order = append(order, v[0])
		}
		tables[v[0]] = append(tables[v[0]], v[1])
	}, d.b.Owner(), d.b.Home(), d.b.Views())
	for _, schema := range order {
		list := tables[schema]
		d.report.warn("tables", fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;\nGRANT SELECT ON %s TO %[2]s;", schema, ident(d.b.Owner()), strings.Join(list, ", ")),
			"SQL of people cannot read %d tables of the schema %s that questions can: %s may not.", len(list), schema, d.b.Owner())
	}
	return err
}

// findBase looks for a relation to attack, best one whose schema is open, and
// for a known door.
func (d *postgres) findBase() error {
	err := d.query("SELECT format('%I', n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'dblink'", func(v []string) { d.dblink = v[0] })
	if err != nil {
		return err
	}
	return d.ask(`SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND `+own+` AND n.nspname NOT IN (`+literal(d.b.Home())+`, `+literal(d.b.Views())+`)
		ORDER BY NOT EXISTS (SELECT FROM slots s WHERE has_schema_privilege(s.oid, n.oid, 'USAGE')), c.relkind IN ('v', 'f'), c.oid LIMIT 1`, func(v []string) { d.base = v[0] })
}
