package warehouse

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"modernc.org/sqlite"
)

// schema is what an SQLite file had at one version of it.
type schema struct {
	version int64
	names   map[string]bool            // of tables and views, folded; true for views
	spelled map[string]string          // a folded name as the file has it
	reach   map[string]map[string]bool // of a view: what it reads, as via
}

func (s *schema) has(name string) bool {
	_, ok := s.names[name]
	return ok
}

// system runs a statement of the server's own and hands each row to f.
func (c *sqliteConn) system(ctx context.Context, sql string, f func(row []driver.Value) error) error {
	unbind, unwatch := c.guard.bind(policy{home: c.home, system: true}), c.watch(ctx)
	defer unbind()
	defer unwatch()
	raw, err := c.query(ctx, sql, nil)
	if err != nil {
		return c.judge(ctx, err)
	}
	defer raw.Close()
	row := make([]driver.Value, len(raw.Columns()))
	for {
		switch err := raw.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return c.judge(ctx, err)
		}
		if err := f(row); err != nil {
			return err
		}
	}
}

// begin opens a read transaction.
func (c *sqliteConn) begin(ctx context.Context) error {
	if err := c.system(ctx, "BEGIN", nil); err != nil {
		return err
	}
	c.begun = true
	return nil
}

// rollback ends the transaction, whatever the context of the statement.
func (c *sqliteConn) rollback() {
	if !c.begun || c.broken {
		return // closing a spent connection ends it
	}
	c.begun = false
	if err := c.system(context.Background(), "ROLLBACK", nil); err != nil {
		c.broken = true
	}
}

// learn finds out what can be read by a name in the file. The file's own
// counter says whether what the connection knows still holds.
func (c *sqliteConn) learn(ctx context.Context) (*schema, error) {
	s := &schema{names: map[string]bool{}, spelled: map[string]string{}, reach: map[string]map[string]bool{}}
	err := c.system(ctx, "PRAGMA "+c.home+".schema_version", func(row []driver.Value) error {
		s.version, _ = row[0].(int64)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if c.schema != nil && c.schema.version == s.version {
		return c.schema, nil
	}
	all := "SELECT name, type = 'view' FROM " + c.home + ".sqlite_schema WHERE type IN ('table', 'view')"
	err = c.system(ctx, all, func(row []driver.Value) error {
		name, _ := row[0].(string)
		s.names[fold(name)] = row[1] == int64(1)
		s.spelled[fold(name)] = name
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.schema = s
	return s, nil
}

// viewsOf is what the views among the tables read, at any depth, as keys of
// via. It holds for statements that the compiler wrote: the engine names the
// view that reads a table, but a common table expression that a person writes
// can bear the same name.
func (c *sqliteConn) viewsOf(tables map[string]bool) (map[string]bool, error) {
	var through map[string]bool
	for name := range tables {
		if !c.schema.names[name] {
			continue
		}
		reach, known := c.schema.reach[name]
		if !known {
			var err error
			if reach, err = c.follow(name); err != nil {
				return nil, err
			}
			c.schema.reach[name] = reach
		}
		if through == nil {
			through = map[string]bool{}
		}
		for key := range reach {
			through[key] = true
		}
	}
	return through, nil
}

// follow has the engine prepare a reading of a view, which runs nothing, and
// notes what it asks the guard.
func (c *sqliteConn) follow(view string) (map[string]bool, error) {
	describer, ok := c.raw.(interface {
		ColumnInfo(query string) ([]sqlite.ColumnInfo, error)
	})
	if !ok {
		return nil, errors.New("warehouse: the SQLite driver cannot prepare without running")
	}
	reach := map[string]bool{}
	defer c.guard.bind(policy{home: c.home, system: true, record: func(view, table string) { reach[via(view, table)] = true }})()
	sql := fmt.Sprintf(`SELECT * FROM %s."%s"`, c.home, strings.ReplaceAll(view, `"`, `""`))
	if _, err := describer.ColumnInfo(sql); err != nil {
		return nil, failed(Failed, "a view that the statement reads cannot be read", err)
	}
	return reach, nil
}
