package warehouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
)

const mysqlTablesSQL = `
	SELECT TABLE_NAME, TABLE_TYPE, CASE TABLE_TYPE WHEN 'VIEW' THEN '' ELSE TABLE_COMMENT END
	FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE <> 'SEQUENCE'
	ORDER BY BINARY TABLE_NAME`

const mysqlColumnsSQL = `
	SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, COLUMN_COMMENT, COLUMN_KEY, PRIVILEGES
	FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
	ORDER BY BINARY TABLE_NAME, ORDINAL_POSITION`

const mysqlKeysSQL = `
	SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME
	FROM information_schema.KEY_COLUMN_USAGE
	WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME IS NOT NULL
	ORDER BY BINARY TABLE_NAME, BINARY CONSTRAINT_NAME, ORDINAL_POSITION`

// What the login may do beside reading.
const mysqlRightsSQL = `
	SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = ?
	UNION SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES WHERE GRANTEE = ?
	UNION SELECT PRIVILEGE_TYPE FROM information_schema.TABLE_PRIVILEGES WHERE GRANTEE = ?`

const mysqlRolesSQL = `
	SELECT DISTINCT ROLE_NAME FROM information_schema.APPLICABLE_ROLES
	WHERE ROLE_NAME NOT IN (SELECT ROLE_NAME FROM information_schema.ENABLED_ROLES WHERE ROLE_NAME IS NOT NULL)`

// survey reads the schema of one database. MySQL has no schemas in databases.
func (c *mysqlConn) survey(ctx context.Context, told func(tables int)) (*Survey, error) {
	if err := c.settle(ctx, nil); err != nil {
		return nil, c.judge(ctx, err)
	}
	if err := c.exec(ctx, "START TRANSACTION READ ONLY"); err != nil {
		return nil, c.judge(ctx, err)
	}
	defer func() {
		if ctx.Err() != nil || c.exec(ctx, "ROLLBACK") != nil {
			c.broken = true
		}
	}()
	s := &Survey{}
	var all []*Table
	byName := map[string]*Table{}
	err := c.each(ctx, mysqlTablesSQL, nil, func(v []string) {
		t := &Table{Name: v[0], View: v[1] == "VIEW", Description: v[2]}
		all, byName[t.Name] = append(all, t), t
	})
	if err != nil {
		return nil, err
	}
	last, seen, rights := "", 0, map[string]bool{} // tables with columns, and whether any may be read
	err = c.each(ctx, mysqlColumnsSQL, nil, func(v []string) {
		t := byName[v[0]]
		if t == nil {
			return
		}
		if v[0] != last {
			last = v[0]
			seen++
			told(seen)
		}
		reads := slices.Contains(strings.Split(v[6], ","), "select")
		if rights[v[0]] = rights[v[0]] || reads; !reads {
			return
		}
		f := Field{Name: v[1], DatabaseType: strings.ToUpper(v[2]), Description: v[4]}
		f.BaseType = mysqlBase(f.DatabaseType)
		switch kind := strings.ToLower(v[3]); {
		case strings.HasPrefix(kind, "tinyint(1)"): // what BOOLEAN is
			f.BaseType = "type/Boolean"
		case f.DatabaseType == "BIT" && kind != "bit(1)":
			f.BaseType = "type/Integer"
		}
		f.SemanticType = semanticType(f.Name, f.BaseType)
		if v[5] == "PRI" {
			f.SemanticType = "type/PK"
		}
		t.Fields = append(t.Fields, f)
	})
	if err != nil {
		return nil, err
	}
	if err := c.keys(ctx, byName); err != nil {
		return nil, err
	}
	if err := c.login(ctx, s); err != nil {
		return nil, err
	}
	var hidden, broken []string
	for _, t := range all {
		reads, known := rights[t.Name]
		switch {
		case reads:
			s.Tables = append(s.Tables, *t)
		case known:
			hidden = append(hidden, t.Name)
		default: // a view over what is not there any more
			broken = append(broken, t.Name)
		}
	}
	c.remark(s, hidden, broken)
	return s, nil
}

// keys fills in the foreign keys of one column.
func (c *mysqlConn) keys(ctx context.Context, tables map[string]*Table) error {
	type key struct{ table, name string }
	type part struct{ column, table, target string }
	parts := map[key][]part{}
	var order []key
	err := c.each(ctx, mysqlKeysSQL, nil, func(v []string) {
		k := key{v[0], v[1]}
		if parts[k] == nil {
			order = append(order, k)
		}
		parts[k] = append(parts[k], part{v[2], v[3], v[4]})
	})
	if err != nil {
		return err
	}
	field := func(t *Table, name string) *Field {
		if t != nil {
			for i := range t.Fields {
				if strings.EqualFold(t.Fields[i].Name, name) {
					return &t.Fields[i]
				}
			}
		}
		return nil
	}
	for _, k := range order {
		if len(parts[k]) != 1 {
			continue
		}
		p := parts[k][0]
		f, to := field(tables[k.table], p.column), field(tables[p.table], p.target)
		if f == nil || to == nil || f.References != nil {
			continue
		}
		f.References = &Reference{Table: p.table, Field: to.Name}
		if f.SemanticType != "type/PK" {
			f.SemanticType = "type/FK"
		}
	}
	return nil
}

// login notes who the login is and what it may do that it need not.
func (c *mysqlConn) login(ctx context.Context, s *Survey) error {
	if err := c.each(ctx, "SELECT CURRENT_USER()", nil, func(v []string) { s.Login = mysqlGrantee(v[0]) }); err != nil {
		return err
	}
	var rights []string
	err := c.each(ctx, mysqlRightsSQL, []any{s.Login, s.Login, s.Login}, func(v []string) { rights = append(rights, v[0]) })
	if err != nil {
		return err
	}
	if slices.Contains(rights, "FILE") {
		s.Notes = append(s.Notes, fmt.Sprintf("The login %s has the right FILE: SQL of people could read files of the database server. REVOKE FILE ON *.* FROM %s;", s.Login, s.Login))
	}
	if slices.ContainsFunc(rights, func(r string) bool {
		return slices.Contains([]string{"INSERT", "UPDATE", "DELETE", "DROP", "ALTER"}, r)
	}) {
		s.Notes = append(s.Notes, fmt.Sprintf("The login %s may write. Sluice only reads: SELECT and SHOW VIEW are enough.", s.Login))
	}
	var idle []string
	err = c.each(ctx, mysqlRolesSQL, nil, func(v []string) { idle = append(idle, quoteText(v[0])) })
	var my *mysql.MySQLError
	if errors.As(err, &my) && (my.Number == 1109 || my.Number == 1146) { // a server without roles
		err = nil
	}
	if len(idle) > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("The login %s has the roles %s, which are not in force: SET DEFAULT ROLE %s %s %s;",
			s.Login, strings.Join(idle, ", "), strings.Join(idle, ", "), map[bool]string{true: "FOR", false: "TO"}[c.maria], s.Login))
	}
	return err
}

// remark says what the login cannot see, as far as the server tells.
func (c *mysqlConn) remark(s *Survey, hidden, broken []string) {
	db := quoteTicks(c.server.config.DBName)
	if len(hidden) > 0 {
		grants := make([]string, len(hidden))
		for i, name := range hidden {
			grants[i] = fmt.Sprintf("GRANT SELECT ON %s.%s TO %s;", db, quoteTicks(name), s.Login)
		}
		s.Hidden = []Hidden{{Lacks: "SELECT on tables", Tables: hidden, Grant: strings.Join(grants, " ")}}
	}
	if len(broken) > 0 {
		s.Notes = append(s.Notes, "Views that cannot be read, because of what they stand on or of rights on it, are left out: "+strings.Join(broken, ", ")+".")
	}
	if len(s.Tables) == 0 && len(hidden) == 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("The login %s sees no table of the database, which may be empty or closed to it: GRANT SELECT, SHOW VIEW ON %s.* TO %s;", s.Login, db, s.Login))
	}
}

// mysqlGrantee writes user@host as grants name it.
func mysqlGrantee(user string) string {
	i := strings.LastIndex(user, "@")
	if i < 0 {
		return quoteText(user)
	}
	return quoteText(user[:i]) + "@" + quoteText(user[i+1:])
}
