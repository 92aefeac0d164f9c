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

// Column is a column of a result as the engine describes it.
type Column struct {
	Name         string
	DatabaseType string // the declared type it comes from, in upper case; "" for expressions
	BaseType     string // from the declared type, else from the first row's value; "type/*" when neither tells
}

// Rows are the rows of one statement, read one after the other. Next, then
// Values; after the last Next, Err; in any case Close.
type Rows struct {
	ctx     context.Context
	conn    *sqliteConn
	raw     driver.Rows
	columns []Column
	dest    []driver.Value
	values  []any
	peeked  bool // dest holds a row that Next has not given yet
	done    bool
	err     error
	close   func()
}

// Columns describes the columns. The slice is shared.
func (r *Rows) Columns() []Column { return r.columns }

// Next reads the next row. It is false after the last one, when the context
// has ended, and after an error; Err tells which.
func (r *Rows) Next() bool {
	if r.peeked {
		r.peeked = false
	} else if !r.fetch() {
		return false
	}
	for i, v := range r.dest {
		r.values[i] = plain(v, r.columns[i].DatabaseType)
	}
	return true
}

// Values is the row that Next read: int64, float64, string, bool or nil. The
// slice is used again by the next Next.
func (r *Rows) Values() []any { return r.values }

// Err is the *Error that ended the rows, or nil after the last row.
func (r *Rows) Err() error { return r.err }

// Close ends the statement. Calling it again does nothing.
func (r *Rows) Close() error {
	r.done = true
	if r.close != nil {
		r.close()
		r.close = nil
	}
	return nil
}

// fetch reads a row into dest.
func (r *Rows) fetch() bool {
	if r.done {
		return false
	}
	err := r.raw.Next(r.dest)
	if err == nil && r.ctx.Err() == nil {
		return true
	}
	if !errors.Is(err, io.EOF) {
		r.err = r.conn.judge(r.ctx, err)
	}
	_ = r.Close()
	return false
}

// describe finds the columns, with the help of the first row.
func (r *Rows) describe() {
	names := r.raw.Columns()
	r.columns = make([]Column, len(names))
	r.dest = make([]driver.Value, len(names))
	r.values = make([]any, len(names))
	r.peeked = r.fetch()
	types, _ := r.raw.(driver.RowsColumnTypeDatabaseTypeName)
	for i, name := range names {
		c := Column{Name: name, BaseType: anyType}
		if types != nil {
			c.DatabaseType = types.ColumnTypeDatabaseTypeName(i)
		}
		if c.DatabaseType != "" {
			c.BaseType = baseType(c.DatabaseType)
		} else if r.peeked {
			c.BaseType = valueType(r.dest[i])
		}
		r.columns[i] = c
	}
}

// plain is a value as Values promises it. Times are written as the wire has
// them, text that is not UTF-8 and bytes that are no text in base64, and what
// no JSON number can be as nil.
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
		if utf8.Valid(v) {
			return string(v)
		}
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.999999999Z07:00")
	}
	return v
}
