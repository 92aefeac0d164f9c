package warehouse

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// mysqlRows are the rows of a running statement. They are read from the
// server one by one.
type mysqlRows struct {
	conn      *mysqlConn
	ctx       context.Context
	statement driver.Stmt
	raw       driver.Rows
	native    bool
	over      bool // the server has nothing more to send
	closed    bool
	columns   []Column
	dest      []driver.Value
	read      []func(driver.Value) any
}

// start prepares and runs a statement. Only one can be prepared at a time, and
// values then come in types and not as text.
func (r *mysqlRows) start(t task) error {
	c := r.conn
	c.server.count.Add(1)
	stmt, err := c.raw.(driver.ConnPrepareContext).PrepareContext(r.ctx, t.sql)
	if err != nil {
		return c.judge(r.ctx, err)
	}
	r.statement = stmt
	if n := stmt.NumInput(); n != len(t.args) {
		return failed(Invalid, fmt.Sprintf("the statement has %d placeholders and %d values", n, len(t.args)), nil)
	}
	args := make([]driver.NamedValue, len(t.args))
	for i, a := range t.args {
		if at, ok := a.(time.Time); ok {
			a = at.In(c.zone).Format("2006-01-02 15:04:05.999999")
		}
		v, err := driver.DefaultParameterConverter.ConvertValue(a)
		if err != nil {
			return fmt.Errorf("warehouse: argument %d: %w", i+1, err)
		}
		args[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	r.raw, err = stmt.(driver.StmtQueryContext).QueryContext(r.ctx, args)
	if err != nil {
		return c.judge(r.ctx, err)
	}
	r.over = false
	names := r.raw.Columns()
	types, _ := r.raw.(driver.RowsColumnTypeDatabaseTypeName)
	r.columns, r.dest = make([]Column, len(names)), make([]driver.Value, len(names))
	r.read = make([]func(driver.Value) any, len(names))
	for i, name := range names {
		word := types.ColumnTypeDatabaseTypeName(i)
		r.columns[i] = Column{Name: words([]byte(name)), DatabaseType: word, BaseType: mysqlBase(word)}
		r.read[i] = mysqlReader(word, c.zone)
	}
	return nil
}

func (r *mysqlRows) next(into []any) error {
	if r.over {
		return io.EOF
	}
	r.conn.meter.read.Store(0)
	if err := r.raw.Next(r.dest); err != nil {
		r.over = true
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return r.conn.judge(r.ctx, err)
	}
	for i, v := range r.dest {
		if v == nil {
			into[i] = nil
		} else {
			into[i] = r.read[i](v)
		}
	}
	return nil
}

func (r *mysqlRows) end() {
	if r.closed {
		return
	}
	c := r.conn
	r.closed = true
	defer func() {
		if c.busy = false; c.done != nil {
			c.done()
			c.done = nil
		}
	}()
	if !r.over && !r.native && r.ctx.Err() == nil {
		// A compiled statement has a limit, after which the next thing is the
		// end; SQL of people may go on for ever.
		r.over = errors.Is(r.raw.Next(r.dest), io.EOF)
	}
	// What SQL of people leaves behind in a session - locks, variables - stays
	// until the connection ends: the driver has no way to reset one. So does a
	// role.
	c.broken = c.broken || r.native || c.role != ""
	if !r.over || r.ctx.Err() != nil {
		// The driver would read all that is left.
		c.kill()
		_ = c.raw.Close()
		return
	}
	if r.raw != nil {
		if err := r.raw.Close(); err != nil {
			c.broken = true
		}
	}
	if r.statement != nil {
		if err := r.statement.Close(); err != nil {
			c.broken = true
		}
	}
}

// mysqlTypes are Metabase's words for MySQL's types.
var mysqlTypes = map[string]string{
	"BIGINT": "type/BigInteger", "BIT": "type/Boolean", "CHAR": "type/Text", "DATE": "type/Date", "DATETIME": "type/DateTime",
	"DECIMAL": "type/Decimal", "NUMERIC": "type/Decimal", "DOUBLE": "type/Float", "FLOAT": "type/Float", "REAL": "type/Float",
	"ENUM": "type/MySQLEnum", "INT": "type/Integer", "INTEGER": "type/Integer", "MEDIUMINT": "type/Integer", "SMALLINT": "type/Integer",
	"TINYINT": "type/Integer", "JSON": "type/JSON", "LONGTEXT": "type/Text", "MEDIUMTEXT": "type/Text", "TEXT": "type/Text",
	"TINYTEXT": "type/Text", "TIME": "type/Time", "TIMESTAMP": "type/DateTimeWithLocalTZ", "VARCHAR": "type/Text", "YEAR": "type/Integer",
	"UUID": "type/UUID", "INET4": "type/IPAddress", "INET6": "type/IPAddress",
}

// mysqlBase is the base type for a type's name, as the driver or the catalog
// writes it.
func mysqlBase(word string) string {
	if base, ok := mysqlTypes[strings.TrimPrefix(word, "UNSIGNED ")]; ok {
		return base
	}
	return anyType
}

// mysqlReader is how a value of the driver becomes one of ours.
func mysqlReader(word string, zone *time.Location) func(driver.Value) any {
	text := func(f func(string) any) func(driver.Value) any {
		return func(v driver.Value) any {
			if b, ok := v.([]byte); ok {
				return f(string(b))
			}
			return mysqlValue(v)
		}
	}
	switch word {
	case "DECIMAL", "NUMERIC":
		return text(number)
	case "UNSIGNED BIGINT":
		return text(func(s string) any { return number(s) }) // above what an int64 holds
	case "BIT":
		return text(mysqlBits)
	case "DATE":
		return text(mysqlDate)
	case "DATETIME":
		return text(mysqlMoment)
	case "TIMESTAMP":
		return text(func(s string) any {
			t, err := time.ParseInLocation("2006-01-02 15:04:05.999999", s, zone)
			if err != nil {
				return mysqlMoment(s)
			}
			return t.Format("2006-01-02T15:04:05.999999Z07:00")
		})
	}
	return mysqlValue
}

func mysqlValue(v driver.Value) any {
	switch v := v.(type) {
	case []byte:
		return words(v)
	case float32: // its shortest decimal, not that of the float64
		f, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return nil
		}
		return f
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return nil
		}
		return v
	case string:
		return words([]byte(v))
	case uint64:
		return number(strconv.FormatUint(v, 10))
	case time.Time:
		return v.Format("2006-01-02T15:04:05.999999Z07:00")
	}
	return v
}

// mysqlBits is the number that the bits are.
func mysqlBits(s string) any {
	var n uint64
	for i := range len(s) {
		n = n<<8 | uint64(s[i])
	}
	if n > math.MaxInt64 {
		return number(strconv.FormatUint(n, 10))
	}
	return int64(n)
}

// mysqlDate is nil for dates that there are none of, as 0000-00-00.
func mysqlDate(s string) any {
	if len(s) < len("2006-01-02") || s[5:7] == "00" || s[8:10] == "00" {
		return nil
	}
	return s
}

func mysqlMoment(s string) any {
	d, ok := mysqlDate(s).(string)
	if !ok || len(d) < len("2006-01-02 15:04:05") {
		return nil
	}
	return trimFraction(d[:10] + "T" + d[11:])
}

// trimFraction drops zeros at the end of a fraction of a second.
func trimFraction(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}
