package warehouse

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Bounds on a result, whatever its number of rows.
const (
	maxRowBytes    = 64 << 20
	maxResultBytes = 1 << 30
)

// Column is a column of a result as the engine describes it.
type Column struct {
	Name         string
	DatabaseType string // the declared type it comes from, in the engine's words; "" where the engine tells none
	BaseType     string // "type/Integer", ...; "type/*" when nothing tells
}

// Rows are the rows of one statement, read one after the other. Next, then
// Values; after the last Next, Err; in any case Close. They are never held in
// memory together.
type Rows struct {
	ctx     context.Context
	cursor  cursor
	columns []Column
	values  []any
	peeked  bool // values are a row that Next has not given yet
	bytes   int  // of all values so far
	done    bool
	err     error
}

// cursor is a running statement of an engine.
type cursor interface {
	// next reads a row. io.EOF after the last; every other error is an *Error.
	next(into []any) error
	// end closes the statement, wherever it is, and its transaction.
	end()
}

// startRows reads the first row. describe is called when it is there, or when
// there is none.
func startRows(ctx context.Context, c cursor, width int, describe func() []Column) (*Rows, error) {
	r := &Rows{ctx: ctx, cursor: c, values: make([]any, width)}
	r.peeked = r.fetch()
	if r.err != nil {
		return nil, r.err
	}
	r.columns = describe()
	return r, nil
}

// Columns describes the columns. The slice is shared.
func (r *Rows) Columns() []Column { return r.columns }

// Next reads the next row. It is false after the last one, when the context
// has ended, and after an error; Err tells which.
func (r *Rows) Next() bool {
	if r.peeked {
		r.peeked = false
		return true
	}
	return r.fetch()
}

// Values is the row that Next read. A value is an int64, float64, string, bool
// or nil; a json.Number where those would lose digits; or a json.RawMessage
// that is a list. Dates are 2006-01-02, with a time 2006-01-02T15:04:05.999999
// and, where the engine knows the zone, its offset. The slice is used again by
// the next Next.
func (r *Rows) Values() []any { return r.values }

// Err is the *Error that ended the rows, or nil after the last row.
func (r *Rows) Err() error { return r.err }

// Close ends the statement. Calling it again does nothing.
func (r *Rows) Close() error {
	r.done = true
	if r.cursor != nil {
		r.cursor.end()
		r.cursor = nil
	}
	return nil
}

// fetch reads a row into values.
func (r *Rows) fetch() bool {
	if r.done {
		return false
	}
	err := r.cursor.next(r.values)
	if err == nil && r.ctx.Err() == nil {
		for _, v := range r.values {
			r.bytes += size(v)
		}
		if r.bytes <= maxResultBytes {
			return true
		}
		err = tooLarge("result", maxResultBytes)
	}
	if !errors.Is(err, io.EOF) {
		if r.err = err; r.ctx.Err() != nil {
			r.err = ended(r.ctx, err)
		}
	}
	_ = r.Close()
	return false
}

func tooLarge(what string, most int) *Error {
	return failed(Failed, fmt.Sprintf("the %s is larger than %d MB", what, most>>20), nil)
}

func size(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case json.Number:
		return len(v)
	case json.RawMessage:
		return len(v)
	}
	return 8
}

// words is text as a value: what is not UTF-8 is in base64.
func words(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// number is a decimal in JSON's form; nil for what is none, as NaN.
func number(text string) any {
	minus := ""
	if len(text) > 0 && text[0] == '-' {
		minus, text = "-", text[1:]
	}
	for len(text) > 1 && text[0] == '0' && text[1] != '.' {
		text = text[1:] // JSON has no leading zeros
	}
	if text == "" {
		return nil
	}
	if text[0] == '.' {
		text = "0" + text
	}
	dot := false
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9':
		case c == '.' && !dot && i < len(text)-1:
			dot = true
		default:
			return nil
		}
	}
	return json.Number(minus + text)
}
