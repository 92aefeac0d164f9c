package dbrole

import (
	"fmt"
	"strings"
)

// What there is to have on relations, as has_table_privilege wants it.
const (
	tableRights  = "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER"
	columnRights = "SELECT, INSERT, UPDATE, REFERENCES"
)

// rightOn is a condition: the slot s has any right on the relation c.
func (d *postgres) rightOn(table, column string) string {
	if d.version >= 170000 {
		table += ", MAINTAIN"
	}
	return `(CASE c.relkind WHEN 'S' THEN has_sequence_privilege(s.oid, c.oid, 'USAGE, SELECT, UPDATE')
		ELSE has_table_privilege(s.oid, c.oid, '` + table + `') OR has_any_column_privilege(s.oid, c.oid, '` + column + `') END)`
}

// columnACL are the rights on a relation and on its columns, in one list.
const columnACL = `(SELECT array_agg(x) FROM (SELECT unnest(c.relacl) UNION ALL
	SELECT unnest(a.attacl) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL) AS u (x))`

// own is a condition: the namespace n is none that the server brings or keeps
// for a session.
const own = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'`

// revoke is the statement that takes a right from those who have it by a grant;
// "" if nobody has, as with rights that come from elsewhere.
func revoke(what, from string) string {
	if from == "" {
		return ""
	}
	return "REVOKE " + what + " FROM " + from + ";"
}

// relations that slots have rights on outside of the schema of the views.
func (d *postgres) relations() error {
	err := d.ask(`SELECT format('%I.%I', n.nspname, c.relname), c.relkind, coalesce(`+grantees(columnACL)+`, '')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND (c.oid >= 16384 AND n.nspname !~ '^pg_(toast|temp)' OR `+own+`) AND n.nspname <> `+literal(d.b.Views())+`
		AND EXISTS (SELECT FROM slots s WHERE `+d.rightOn(tableRights, columnRights)+`) ORDER BY 1`, func(v []string) {
		kind := "TABLE"
		if v[1] == "S" {
			kind = "SEQUENCE"
		}
		d.report.fatal("relations", revoke("ALL ON "+kind+" "+v[0], v[2]), "SQL of people has rights on %s outside of the views%s. Logins that need what PUBLIC had want a grant of their own.", v[0], through(v[2]))
	})
	if err != nil {
		return err
	}
	writes := strings.TrimPrefix(tableRights, "SELECT, ")
	err = d.ask(`SELECT format('%I.%I', n.nspname, c.relname), coalesce(`+grantees(columnACL)+`, '')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname = `+literal(d.b.Views())+`
		AND EXISTS (SELECT FROM slots s WHERE `+d.rightOn(writes, strings.TrimPrefix(columnRights, "SELECT, "))+`) ORDER BY 1`, func(v []string) {
		d.report.fatal("views", revoke(writes+" ON TABLE "+v[0], v[1]), "SQL of people has more than SELECT on the view %s%s.", v[0], through(v[1]))
	})
	if err != nil {
		return err
	}
	return d.ask(`SELECT format('%I.%I', n.nspname, c.relname), string_agg(format('%I', s.rolname), ', ' ORDER BY s.rolname)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN slots s
		WHERE c.relkind = 'v' AND n.nspname = `+literal(d.b.Views())+` AND NOT (has_table_privilege(s.oid, c.oid, 'SELECT') AND has_schema_privilege(s.oid, n.oid, 'USAGE'))
		GROUP BY 1 ORDER BY 1`, func(v []string) {
		d.report.fatal("views", fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;\nGRANT SELECT ON %s TO %[2]s;", ident(d.b.Views()), v[1], v[0]),
			"SQL of people cannot read the view %s as %s.", v[0], v[1])
	})
}

func through(from string) string {
	if from == "" {
		return ""
	}
	return ", granted to " + from
}

// systemRelations that more may be done with than in a fresh database.
func (d *postgres) systemRelations() error {
	return d.ask(`SELECT format('%I.%I', n.nspname, c.relname), g.right, CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE format('%I', pg_get_userbyid(g.grantee)) END
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		CROSS JOIN LATERAL (
			SELECT a.grantee, a.privilege_type, a.privilege_type AS right, 0 AS column FROM aclexplode(c.relacl) a
			UNION ALL SELECT a.grantee, a.privilege_type, format('%s (%I)', a.privilege_type, t.attname), t.attnum
			FROM pg_attribute t CROSS JOIN LATERAL aclexplode(t.attacl) a WHERE t.attrelid = c.oid AND t.attacl IS NOT NULL) g
		WHERE c.oid < 16384 AND n.nspname IN ('pg_catalog', 'information_schema') AND (g.grantee = 0 OR g.grantee IN (SELECT oid FROM slots))
		AND NOT (n.nspname = 'information_schema' AND g.privilege_type = 'SELECT')
		AND NOT EXISTS (SELECT FROM pg_init_privs i CROSS JOIN LATERAL aclexplode(i.initprivs) x WHERE i.classoid = 'pg_class'::regclass AND i.objoid = c.oid
			AND i.objsubid = g.column AND x.grantee IN (0, g.grantee) AND x.privilege_type = g.privilege_type) ORDER BY 1, 2, 3`, func(v []string) {
		d.report.fatal("catalog", revoke(v[1]+" ON "+v[0], v[2]), "%s has %s on %s, which a fresh database keeps from everybody.", v[2], v[1], v[0])
	})
}

// functions outside of the catalog that slots can call: by name, or by a cast or
// an operator.
func (d *postgres) functions() error {
	type group struct {
		count int
		usage string
	}
	plain, order := map[string]*group{}, []string{}
	err := d.ask(`SELECT p.oid::regprocedure, p.prosecdef, NOT l.lanpltrusted AND l.lanname NOT IN ('c', 'internal'), coalesce(e.extname, ''), format('%I', n.nspname),
			coalesce(`+grantees("coalesce(p.proacl, acldefault('f', p.proowner))")+`, ''), coalesce(`+granteesOf("'USAGE'", "coalesce(n.nspacl, acldefault('n', n.nspowner))")+`, '')
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
		LEFT JOIN pg_depend x ON x.classid = 'pg_proc'::regclass AND x.objid = p.oid AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
		LEFT JOIN pg_extension e ON e.oid = x.refobjid
		WHERE (p.oid >= 16384 OR `+own+`) AND EXISTS (SELECT FROM slots s WHERE has_function_privilege(s.oid, p.oid, 'EXECUTE') AND (has_schema_privilege(s.oid, n.oid, 'USAGE')
			OR EXISTS (SELECT FROM pg_cast k WHERE k.castfunc = p.oid)
			OR EXISTS (SELECT FROM pg_operator o WHERE o.oprcode = p.oid AND has_schema_privilege(s.oid, o.oprnamespace, 'USAGE')))) ORDER BY 1`, func(v []string) {
		fix := revoke("EXECUTE ON ROUTINE "+v[0], v[5])
		switch {
		case v[1] == "t":
			d.report.fatal("functions", fix, "SQL of people can call %s, which runs with the rights of its owner.", v[0])
		case v[2] == "t":
			d.report.fatal("functions", fix, "SQL of people can call %s, whose language reaches the server itself.", v[0])
		case v[3] == "dblink":
			d.report.fatal("functions", fix, "SQL of people can call %s, which connects to other databases.", v[0])
		default:
			if plain[v[4]] == nil {
				plain[v[4]] = &group{usage: v[6]}
				order = append(order, v[4])
			}
			plain[v[4]].count++
		}
	})
	for _, schema := range order {
		g := plain[schema]
		d.report.warn("functions", revoke("USAGE ON SCHEMA "+schema, g.usage), "SQL of people can call functions of the schema %s (%d), with its own rights. Logins that need what PUBLIC had want a grant of their own.", schema, g.count)
	}
	return err
}

// systemFunctions that more may call than in a fresh database, such as those
// that read files.
func (d *postgres) systemFunctions() error {
	return d.ask(`SELECT p.oid::regprocedure, CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE format('%I', pg_get_userbyid(g.grantee)) END
		FROM pg_proc p CROSS JOIN LATERAL aclexplode(p.proacl) g JOIN pg_init_privs i ON i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid AND i.objsubid = 0
		WHERE p.oid < 16384 AND (g.grantee = 0 OR g.grantee IN (SELECT oid FROM slots))
		AND NOT EXISTS (SELECT FROM aclexplode(i.initprivs) x WHERE x.grantee IN (0, g.grantee)) ORDER BY 1, 2`, func(v []string) {
		d.report.fatal("catalog", revoke("EXECUTE ON FUNCTION "+v[0], v[1]), "%s may call %s, which a fresh database keeps from everybody.", v[1], v[0])
	})
}

func (d *postgres) largeObjects() error {
	return d.ask(`SELECT o.oid, `+grantees("o.lomacl")+` FROM pg_largeobject_metadata o WHERE `+grantees("o.lomacl")+` IS NOT NULL ORDER BY 1`, func(v []string) {
		d.report.fatal("large-objects", revoke("ALL ON LARGE OBJECT "+v[0], v[1]), "SQL of people has rights on the large object %s%s.", v[0], through(v[1]))
	})
}

// foreign servers and what connects to them.
func (d *postgres) foreign() error {
	err := d.ask(`SELECT format('%I', f.srvname), coalesce(`+grantees("f.srvacl")+`, '') FROM pg_foreign_server f
		WHERE EXISTS (SELECT FROM slots s WHERE has_server_privilege(s.oid, f.oid, 'USAGE')) ORDER BY 1`, func(v []string) {
		d.report.fatal("foreign", revoke("USAGE ON FOREIGN SERVER "+v[0], v[1]), "SQL of people may use the foreign server %s%s.", v[0], through(v[1]))
	})
	if err != nil {
		return err
	}
	return d.ask(`SELECT format('%I', f.fdwname), coalesce(`+grantees("f.fdwacl")+`, '') FROM pg_foreign_data_wrapper f
		WHERE EXISTS (SELECT FROM slots s WHERE has_foreign_data_wrapper_privilege(s.oid, f.oid, 'USAGE')) ORDER BY 1`, func(v []string) {
		d.report.fatal("foreign", revoke("USAGE ON FOREIGN DATA WRAPPER "+v[0], v[1]), "SQL of people may use the foreign data wrapper %s%s.", v[0], through(v[1]))
	})
}

// schemas that slots may make things in, and the one of the leases.
func (d *postgres) schemas() error {
	acl := granteesOf("r.right", "coalesce(n.nspacl, acldefault('n', n.nspowner))")
	return d.ask(`SELECT format('%I', n.nspname), r.right, coalesce(`+acl+`, '')
		FROM pg_namespace n CROSS JOIN (VALUES ('CREATE'), ('USAGE')) r ("right") WHERE n.nspname !~ '^pg_(toast|temp)' AND (r.right = 'CREATE' OR n.nspname = `+literal(d.b.Home())+`)
		AND EXISTS (SELECT FROM slots s WHERE has_schema_privilege(s.oid, n.oid, r.right)) ORDER BY 1, 2`, func(v []string) {
		if v[1] == "CREATE" {
			d.report.fatal("schemas", revoke("CREATE ON SCHEMA "+v[0], v[2]), "SQL of people may make tables and functions in the schema %s%s.", v[0], through(v[2]))
			return
		}
		d.report.warn("schemas", revoke("USAGE ON SCHEMA "+v[0], v[2]), "SQL of people has USAGE on the schema %s of the leases, which it does not need.", v[0])
	})
}

func (d *postgres) databaseRights() error {
	acl := granteesOf("r.right", "coalesce(b.datacl, acldefault('d', b.datdba))")
	return d.ask(`SELECT r.right, coalesce(`+acl+`, '') FROM pg_database b CROSS JOIN (VALUES ('CREATE'), ('TEMPORARY')) r ("right")
		WHERE b.datname = current_database() AND EXISTS (SELECT FROM slots s WHERE has_database_privilege(s.oid, b.oid, r.right)) ORDER BY 1`, func(v []string) {
		fix := revoke(v[0]+" ON DATABASE "+d.database, v[1])
		if v[0] == "CREATE" {
			d.report.fatal("database", fix, "SQL of people may make schemas in the database.")
			return
		}
		d.report.warn("database", fix, "SQL of people may fill the disk with temporary tables. Logins that need what PUBLIC had want a grant of their own.")
	})
}

// parameters that slots were let set; there is such a thing since 15.
func (d *postgres) parameters() error {
	if d.version < 150000 {
		return nil
	}
	return d.ask(`SELECT a.parname, `+grantees("a.paracl")+` FROM pg_parameter_acl a WHERE `+grantees("a.paracl")+` IS NOT NULL ORDER BY 1`, func(v []string) {
		d.report.fatal("settings", revoke("ALL ON PARAMETER "+v[0], v[1]), "SQL of people may set %s, which only superusers should%s.", v[0], through(v[1]))
	})
}

// defaults open what will be made later: to slots the views, and nothing else.
func (d *postgres) defaults() error {
	words := map[string]string{"r": "TABLES", "S": "SEQUENCES", "n": "SCHEMAS"}
	err := d.ask(`SELECT format('%I', pg_get_userbyid(f.defaclrole)), coalesce(format('%I', n.nspname), ''), f.defaclobjtype, a.privilege_type,
			CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE format('%I', pg_get_userbyid(a.grantee)) END
		FROM pg_default_acl f LEFT JOIN pg_namespace n ON n.oid = f.defaclnamespace CROSS JOIN LATERAL aclexplode(f.defaclacl) a
		WHERE f.defaclobjtype IN ('r', 'S', 'n') AND (a.grantee = 0 OR a.grantee IN (SELECT oid FROM slots))
		AND NOT (a.grantee <> 0 AND f.defaclobjtype = 'r' AND a.privilege_type = 'SELECT' AND n.nspname IS NOT DISTINCT FROM `+literal(d.b.Views())+`
			AND pg_get_userbyid(f.defaclrole) = `+literal(d.b.Owner())+`) ORDER BY 1, 2, 3, 4, 5`, func(v []string) {
		in := ""
		if v[1] != "" {
			in = " IN SCHEMA " + v[1]
		}
		d.report.fatal("defaults", fmt.Sprintf("ALTER DEFAULT PRIVILEGES FOR ROLE %s%s REVOKE %s ON %s FROM %s;", v[0], in, v[3], words[v[2]], v[4]),
			"What %s makes%s will be open to %s (%s).", v[0], strings.ToLower(in), v[4], v[3])
	})
	if err != nil {
		return err
	}
	return d.ask(`SELECT s.rolname FROM slots s WHERE NOT EXISTS (SELECT FROM pg_default_acl f JOIN pg_namespace n ON n.oid = f.defaclnamespace
			CROSS JOIN LATERAL aclexplode(f.defaclacl) a WHERE f.defaclobjtype = 'r' AND a.grantee = s.oid AND a.privilege_type = 'SELECT'
			AND n.nspname = `+literal(d.b.Views())+` AND pg_get_userbyid(f.defaclrole) = `+literal(d.b.Owner())+`) ORDER BY 1`, func(v []string) {
		d.report.fatal("defaults", inTransaction(asOwner(d.b, postgresReads(d.b, []string{v[0]}))), "Views that are made from now on will not be open to %s.", v[0])
	})
}
