package warehouse

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"
)

// survey reads the schema. Search indexes and other virtual tables are left
// out: people cannot read them. A view that cannot be read any more is left
// out and noted.
func (c *sqliteConn) survey(ctx context.Context, told func(tables int)) (*Survey, error) {
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	defer c.rollback()
	s := &Survey{}
	tables, err := c.columns(ctx, nil)
	if err != nil && ctx.Err() == nil {
		// One view that cannot be read is enough to fail; do without those.
		broken, err2 := c.brokenViews(ctx)
		if err2 != nil || len(broken) == 0 {
			return nil, err
		}
		s.Notes = append(s.Notes, "Views that cannot be read any more are left out: "+strings.Join(broken, ", ")+".")
		tables, err = c.columns(ctx, broken)
	}
	if err != nil {
		return nil, err
	}
	told(len(tables))
	if err := c.keys(ctx, tables); err != nil {
		return nil, err
	}
	s.Tables = tables
	return s, nil
}

// columns reads the tables but for some, with their columns.
func (c *sqliteConn) columns(ctx context.Context, without []string) ([]Table, error) {
	names := make([]string, len(without))
	for i, name := range without {
		names[i] = "'" + strings.ReplaceAll(name, "'", "''") + "'"
	}
	columnsSQL := `
		WITH t AS MATERIALIZED (
			SELECT name, type = 'view' AS view FROM pragma_table_list
			WHERE schema = 'main' AND type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
			AND name NOT IN (` + strings.Join(names, ", ") + `)
		)
		SELECT t.name, t.view, c.name, c.type, c.pk
		FROM t JOIN pragma_table_xinfo(t.name, 'main') AS c
		WHERE c.hidden <> 1
		ORDER BY t.name, c.cid`
	var tables []Table
	err := c.system(ctx, columnsSQL, func(row []driver.Value) error {
		name, _ := row[0].(string)
		if n := len(tables); n == 0 || tables[n-1].Name != name {
			tables = append(tables, Table{Name: name, View: row[1] == int64(1)})
		}
		t := &tables[len(tables)-1]
		f := Field{}
		f.Name, _ = row[2].(string)
		f.DatabaseType, _ = row[3].(string)
		f.DatabaseType = strings.ToUpper(f.DatabaseType)
		f.BaseType = baseType(f.DatabaseType)
		f.SemanticType = semanticType(f.Name, f.BaseType)
		if pk, _ := row[4].(int64); pk > 0 {
			f.SemanticType = "type/PK"
		}
		t.Fields = append(t.Fields, f)
		return nil
	})
	return tables, err
}

// brokenViews are the views of which the engine can no longer find the columns.
func (c *sqliteConn) brokenViews(ctx context.Context) ([]string, error) {
	known, err := c.learn(ctx)
	if err != nil {
		return nil, err
	}
	var broken []string
	for name, view := range known.names {
		if view {
			if _, err := c.follow(name); err != nil {
				broken = append(broken, known.spelled[name])
			}
		}
	}
	slices.Sort(broken)
	return broken, nil
}

// Without a column the key points to the other table's primary key.
const keysSQL = `
	SELECT t.name, k."from", k."table", coalesce(k."to",
		(SELECT p.name FROM pragma_table_xinfo(k."table", 'main') AS p WHERE p.pk = 1))
	FROM pragma_table_list AS t JOIN pragma_foreign_key_list(t.name, 'main') AS k
	WHERE t.schema = 'main' AND t.type = 'table'
	GROUP BY t.name, k.id HAVING count(*) = 1
	ORDER BY t.name, k.id`

// keys fills in the foreign keys of one column.
func (c *sqliteConn) keys(ctx context.Context, tables []Table) error {
	byName := map[string]*Table{}
	for i := range tables {
		byName[fold(tables[i].Name)] = &tables[i]
	}
	field := func(table, name string) *Field {
		if t := byName[fold(table)]; t != nil {
			for i := range t.Fields {
				if fold(t.Fields[i].Name) == fold(name) {
					return &t.Fields[i]
				}
			}
		}
		return nil
	}
	return c.system(ctx, keysSQL, func(row []driver.Value) error {
		from, _ := row[0].(string)
		column, _ := row[1].(string)
		table, _ := row[2].(string)
		target, _ := row[3].(string)
		f, to := field(from, column), field(table, target)
		if f == nil || to == nil { // a key to a table that is not there
			return nil
		}
		if f.SemanticType != "type/PK" {
			f.SemanticType = "type/FK"
		}
		if f.References == nil {
			f.References = &Reference{Table: byName[fold(table)].Name, Field: to.Name}
		}
		return nil
	})
}
