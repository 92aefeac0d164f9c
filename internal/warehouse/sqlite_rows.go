package warehouse

import (
	"context"
	"database/sql/driver"
	"encoding/base64"
	"errors"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// sqliteRows are the rows of a statement on an SQLite file.
type sqliteRows struct {
	conn            *sqliteConn
	ctx             context.Context
	raw             driver.Rows
	names, declared []string
	dest            []driver.Value
	first           []string // base types of the first row's values
	unbind, unwatch func()
	done            func()
}

// prepare notes names and declared types of the columns, while the statement is
// there to be asked, and gives their number.
func (r *sqliteRows) prepare() int {
	r.names = r.raw.Columns()
	r.dest = make([]driver.Value, len(r.names))
	r.declared = make([]string, len(r.names))
	if types, ok := r.raw.(driver.RowsColumnTypeDatabaseTypeName); ok {
		for i := range r.declared {
			r.declared[i] = types.ColumnTypeDatabaseTypeName(i)
		}
	}
	return len(r.names)
}

func (r *sqliteRows) next(into []any) error {
	if err := r.raw.Next(r.dest); err != nil {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return r.conn.judge(r.ctx, err)
	}
	if r.first == nil {
		r.first = make([]string, len(r.dest))
		for i, v := range r.dest {
			r.first[i] = valueType(v)
		}
	}
	for i, v := range r.dest {
		into[i] = plain(v, r.declared[i])
	}
	return nil
}

// describe tells the types by what was declared, else by the first row.
func (r *sqliteRows) describe() []Column {
	columns := make([]Column, len(r.names))
	for i, name := range r.names {
		c := Column{Name: name, DatabaseType: r.declared[i], BaseType: anyType}
		if c.DatabaseType != "" {
			c.BaseType = baseType(c.DatabaseType)
		} else if r.first != nil {
			c.BaseType = r.first[i]
		}
		columns[i] = c
	}
	return columns
}

func (r *sqliteRows) end() {
	c := r.conn
	if err := r.raw.Close(); err != nil && r.ctx.Err() == nil {
		c.log.Warn("closing a statement", "error", err)
		c.broken = true
	}
	r.unwatch()
	r.unbind()
	c.broken = c.broken || r.ctx.Err() != nil
	c.busy = false
	c.rollback()
	r.done()
}

// plain is a value as Rows.Values promises it: times as the wire has them,
// text that is not UTF-8 and bytes that are no text in base64, and what no
// JSON number can be as nil.
func plain(v driver.Value, declared string) any {
	switch v := v.(type) {
	case int64:
		if (v == 0 || v == 1) && strings.HasPrefix(declared, "BOOL") {
			return v == 1
		}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	case string:
		if !utf8.ValidString(v) {
			return base64.StdEncoding.EncodeToString([]byte(v))
		}
	case []byte:
		return words(v)
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.999999999Z07:00")
	}
	return v
}
