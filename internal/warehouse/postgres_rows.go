package warehouse

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The types that arguments are sent as: what literals in SQL are, so that the
// engine resolves operators as it would for them. 0 lets it find out.
const (
	typeUnknown = 0
	typeBool    = 16
	typeInt8    = 20
	typeInt4    = 23
	typeText    = 25
	typeFloat8  = 701
	typeNumeric = 1700
)

// postgresArgs writes arguments as text. Those that are text take the type that
// the engine finds for them, or that of text.
func postgresArgs(args []any, texts bool) (values [][]byte, types []uint32, err error) {
	for i, a := range args {
		var v []byte
		as := uint32(typeUnknown)
		switch a := a.(type) {
		case nil:
		case string:
			if v = []byte(a); texts {
				as = typeText
			}
		case bool:
			v, as = strconv.AppendBool(nil, a), typeBool
		case int64:
			v, as = strconv.AppendInt(nil, a, 10), typeInt8
			if a == int64(int32(a)) {
				as = typeInt4
			}
		case float64:
			v, as = strconv.AppendFloat(nil, a, 'g', -1, 64), typeNumeric
			if math.IsNaN(a) || math.IsInf(a, 0) {
				as = typeFloat8
			}
		case time.Time:
			v = []byte(a.Format("2006-01-02 15:04:05.999999Z07:00"))
		default:
			return nil, nil, fmt.Errorf("warehouse: argument %d: a %T cannot be bound", i+1, a)
		}
		values, types = append(values, v), append(types, as)
	}
	return values, types, nil
}

// postgresRows are the rows of a running statement.
type postgresRows struct {
	conn    *postgresConn
	ctx     context.Context
	reader  *pgconn.ResultReader
	stop    context.CancelFunc // ends the statement
	native  bool
	columns []Column
	read    []func([]byte) any
	over    bool // the server has said that there is no more
}

func (r *postgresRows) prepare() {
	for _, f := range r.reader.FieldDescriptions() {
		name, base := postgresTypeOf(f.DataTypeOID)
		r.columns = append(r.columns, Column{Name: words([]byte(f.Name)), DatabaseType: name, BaseType: base})
		r.read = append(r.read, postgresReader(f.DataTypeOID))
	}
}

func (r *postgresRows) next(into []any) error {
	if r.over {
		return io.EOF
	}
	if r.reader.NextRow() {
		for i, v := range r.reader.Values() {
			if v == nil {
				into[i] = nil
			} else {
				into[i] = r.read[i](v)
			}
		}
		return nil
	}
	r.over = true
	if _, err := r.reader.Close(); err != nil {
		return r.conn.judge(r.ctx, err)
	}
	return io.EOF
}

func (r *postgresRows) end() {
	if !r.over && !r.native && r.ctx.Err() == nil {
		// A compiled statement has a limit, after which the next thing is the
		// end; SQL of people may go on for ever.
		r.over = !r.reader.NextRow()
		if r.over {
			_, _ = r.reader.Close()
		}
	}
	r.stop()
	for !r.over { // what is here already; then the driver sees that it is over
		r.over = !r.reader.NextRow()
	}
	_, _ = r.reader.Close()
	r.conn.rollback(r.ctx, r.native)
}
