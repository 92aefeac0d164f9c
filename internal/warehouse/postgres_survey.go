package warehouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// What counts as a table: tables, partitioned tables, views, materialized
// views and foreign tables. Not partitions: the rows are those of the parent,
// whose restrictions would not hold for them. Not what belongs to extensions.
const postgresRelations = `pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
	AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname !~ '` + boundaryNames + `'
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::regclass AND x.objid = c.oid AND x.deptype = 'e')`

const postgresTablesSQL = `
	SELECT c.oid, n.nspname, c.relname, c.relkind IN ('v', 'm'), coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), ''),
		pg_catalog.pg_get_userbyid(c.relowner), coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE'), false),
		coalesce(pg_catalog.has_table_privilege(c.oid, 'SELECT'), false), coalesce(pg_catalog.has_any_column_privilege(c.oid, 'SELECT'), false),
		coalesce(pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'), false),
		coalesce(pg_catalog.row_security_active(c.oid), false)
	FROM ` + postgresRelations + ` ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`

// Of a domain, the type below it counts.
const postgresColumnsSQL = `
	SELECT a.attrelid, a.attname, coalesce(b.typname, t.typname), coalesce(b.typtype, t.typtype), coalesce(b.typcategory, t.typcategory),
		coalesce(pg_catalog.col_description(a.attrelid, a.attnum), ''), coalesce(pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT'), false)
	FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
	LEFT JOIN pg_catalog.pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
	WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid IN (SELECT c.oid FROM ` + postgresRelations + `)
	ORDER BY a.attrelid, a.attnum`

// Foreign keys of several columns are left out: none of them alone points to
// a row.
const postgresKeysSQL = `
	SELECT k.conrelid, a.attname, k.contype, k.confrelid, coalesce(f.attname, '')
	FROM pg_catalog.pg_constraint k
	JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
	LEFT JOIN pg_catalog.pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = k.confkey[1]
	WHERE k.contype = 'p' OR k.contype = 'f' AND pg_catalog.array_length(k.conkey, 1) = 1
	ORDER BY k.contype DESC, k.conrelid, k.conname COLLATE "C"`

const postgresLoginSQL = `
	SELECT current_user, r.rolsuper, r.rolbypassrls, pg_catalog.current_database()
	FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`

// postgresTable is a table with what the login may do with it.
type postgresTable struct {
	Table
	owner                        string
	usage, reads, readsSomething bool
}

func (c *postgresConn) survey(ctx context.Context, told func(tables int)) (_ *Survey, err error) {
	c.busy = true
	defer c.rollback(ctx, false)
	if err := c.begin(ctx, "repeatable read", nil); err != nil {
		return nil, c.judge(ctx, err)
	}
	// Whatever the customer has under the same names, the catalog's own is meant.
	if err := c.exec(ctx, "set local search_path = pg_catalog"); err != nil {
		return nil, c.judge(ctx, err)
	}
	s := &Survey{}
	var all []*postgresTable
	byID := map[string]*postgresTable{}
	var writable, secured []string
	err = c.each(ctx, postgresTablesSQL, func(v []string) {
		t := &postgresTable{Table: Table{Schema: v[1], Name: v[2], View: v[3] == "t", Description: v[4]}, owner: v[5],
			usage: v[6] == "t", reads: v[7] == "t", readsSomething: v[8] == "t"}
		if !c.server.filter.takes(t.Schema) {
			return
		}
		all = append(all, t)
		byID[v[0]] = t
		name := quoteIdent(t.Schema) + "." + quoteIdent(t.Name)
		if t.usage && v[9] == "t" {
			writable = append(writable, name)
		}
		if v[10] == "t" {
			secured = append(secured, name)
		}
	})
	if err != nil {
		return nil, err
	}
	seen, last := 0, ""
	err = c.each(ctx, postgresColumnsSQL, func(v []string) {
		t := byID[v[0]]
		if t == nil || !t.usage || v[6] != "t" {
			return
		}
		if v[0] != last {
			last = v[0]
			seen++
			told(seen)
		}
		f := Field{Name: v[1], DatabaseType: v[2], BaseType: postgresBase(v[2], v[3], v[4]), Description: v[5]}
		f.SemanticType = semanticType(f.Name, f.BaseType)
		t.Fields = append(t.Fields, f)
	})
	if err != nil {
		return nil, err
	}
	field := func(table, name string) *Field {
		if t := byID[table]; t != nil {
			for i := range t.Fields {
				if t.Fields[i].Name == name {
					return &t.Fields[i]
				}
			}
		}
		return nil
	}
	err = c.each(ctx, postgresKeysSQL, func(v []string) { // primary keys come first
		f := field(v[0], v[1])
		if f == nil {
			return
		}
		if v[2] == "p" {
			f.SemanticType = "type/PK"
			return
		}
		if to := field(v[3], v[4]); to != nil && f.References == nil {
			f.References = &Reference{byID[v[3]].Schema, byID[v[3]].Name, to.Name}
			if f.SemanticType != "type/PK" {
				f.SemanticType = "type/FK"
			}
		}
	})
	if err != nil {
		return nil, err
	}
	err = c.each(ctx, postgresLoginSQL, func(v []string) {
		s.Login = v[0]
		if v[1] == "t" {
			s.Notes = append(s.Notes, "The login "+v[0]+" is a superuser: SQL of people could read files of the database server. Give Sluice a login of its own.")
		}
	})
	if err != nil {
		return nil, err
	}
	if len(writable) > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("The login %s may write to %s. Sluice only reads: SELECT is enough.", s.Login, few(writable)))
	}
	if len(secured) > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("Policies of the database hold rows back from the login %s in %s.", s.Login, few(secured)))
	}
	for _, t := range all {
		if t.usage && t.readsSomething {
			s.Tables = append(s.Tables, t.Table)
		}
	}
	s.Hidden = postgresHidden(s.Login, all)
	return s, nil
}

// few is the beginning of a list.
func few(names []string) string {
	if len(names) <= 3 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more tables", strings.Join(names[:3], ", "), len(names)-3)
}

// postgresHidden groups the tables that the login may not read, with the
// statements that would let it.
func postgresHidden(login string, all []*postgresTable) []Hidden {
	schemas := map[string][]*postgresTable{}
	for _, t := range all {
		schemas[t.Schema] = append(schemas[t.Schema], t)
	}
	var hidden []Hidden
	for name, tables := range schemas {
		var out, closed []*postgresTable // without rights; of them or of the schema
		for _, t := range tables {
			if !t.usage || !t.readsSomething {
				out = append(out, t)
			}
			if !t.readsSomething {
				closed = append(closed, t)
			}
		}
		if len(out) == 0 {
			continue
		}
		h := Hidden{Schema: name, Lacks: "SELECT on tables of schema " + name}
		var grant []string
		if !tables[0].usage {
			h.Lacks = "USAGE on schema " + name
			grant = append(grant, fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;", quoteIdent(name), quoteIdent(login)))
		}
		for _, t := range out {
			h.Tables = append(h.Tables, t.Name)
		}
		slices.Sort(h.Tables)
		h.Grant = strings.Join(append(grant, postgresGrants(login, name, closed, len(closed) == len(tables))...), " ")
		hidden = append(hidden, h)
	}
	slices.SortFunc(hidden, func(a, b Hidden) int { return strings.Compare(a.Schema, b.Schema) })
	return hidden
}

// postgresGrants let the login read tables of a schema; all of them, and those
// that their owners will make, if they are all there are.
func postgresGrants(login, schema string, tables []*postgresTable, whole bool) []string {
	if len(tables) == 0 {
		return nil
	}
	if !whole {
		names := make([]string, len(tables))
		for i, t := range tables {
			names[i] = quoteIdent(schema) + "." + quoteIdent(t.Name)
		}
		return []string{fmt.Sprintf("GRANT SELECT ON %s TO %s;", strings.Join(names, ", "), quoteIdent(login))}
	}
	grants := []string{fmt.Sprintf("GRANT SELECT ON ALL TABLES IN SCHEMA %s TO %s;", quoteIdent(schema), quoteIdent(login))}
	var owners []string
	for _, t := range tables {
		owners = append(owners, t.owner)
	}
	slices.Sort(owners)
	for _, owner := range slices.Compact(owners) {
		grants = append(grants, fmt.Sprintf("ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA %s GRANT SELECT ON TABLES TO %s;", quoteIdent(owner), quoteIdent(schema), quoteIdent(login)))
	}
	return grants
}

// each runs a statement of our own and hands the text of each row to f.
func (c *postgresConn) each(ctx context.Context, sql string, f func([]string)) error {
	c.server.count.Add(1)
	r := c.pg.ExecParams(ctx, sql, nil, nil, nil, nil)
	row := make([]string, len(r.FieldDescriptions()))
	for r.NextRow() {
		for i, v := range r.Values() {
			row[i] = string(v)
		}
		f(row)
	}
	if _, err := r.Close(); err != nil {
		return c.judge(ctx, err)
	}
	return nil
}
