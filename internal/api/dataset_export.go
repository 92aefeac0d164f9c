package api

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/query"
)

// retryBusy is after how many seconds a question that found no connection may
// be asked again.
const retryBusy = "10"

// exportQuery runs a question and sends its result as a file. One that the
// person may not ask is forbidden; one that cannot be answered is a 400 in the
// shape of a failed result. If it fails after the first byte, the connection
// is cut.
func (a *API) exportQuery(r *request, format string, ask dataset.Request) (any, error) {
	ask.Context = format + "-download"
	return stream(func(w http.ResponseWriter) error {
		out := &exportSink{w: recorderOf(w)}
		switch format {
		case "csv":
			out.kind, out.table = "text/csv; charset=utf-8", &csvTable{csv.NewWriter(&out.buf)}
		case "json":
			out.kind, out.table = "application/json; charset=utf-8", &jsonTable{buf: &out.buf}
		case "xlsx":
			out.kind, out.table = xlsxKind, newXLSX(&out.buf)
		default:
			return errNoRoute
		}
		out.name = fmt.Sprintf("query_result_%s.%s", a.now().UTC().Format("2006-01-02T15-04-05Z"), format)
		_, err := a.runQuestion(r, ask, out)
		var failure *dataset.QueryError
		if errors.As(err, &failure) && !out.sent {
			return exportFailure(failure)
		}
		if err != nil {
			return err
		}
		return out.finish()
	}), nil
}

func exportFailure(failure *dataset.QueryError) error {
	if failure.Type == dataset.MissingPermissions {
		return errForbidden
	}
	status, header := http.StatusBadRequest, http.Header{}
	if failure.Type == dataset.Busy {
		status = http.StatusServiceUnavailable
		header.Set("Retry-After", retryBusy)
	}
	return failed{status: status, header: header, body: map[string]any{"status": "failed", "error": failure.Message,
		"error_type": failure.Type, "message": failure.Message, "row_count": 0, "data": map[string]any{"rows": []any{}, "cols": []any{}}}}
}

// exportSink sends a result as a file while it comes.
type exportSink struct {
	w     *recorder
	buf   bytes.Buffer
	table interface { // the format
		begin(columns []query.Column, names []string) error
		row(values []any) error
		end() error
	}
	kind, name string
	sent       bool
}

// Begin writes the names of the columns, each another one.
func (s *exportSink) Begin(h dataset.Head) error {
	names, used := make([]string, 0, len(h.Columns)), map[string]int{}
	for _, c := range h.Columns {
		name := c.DisplayName
		if used[c.DisplayName]++; used[c.DisplayName] > 1 {
			name += "_" + strconv.Itoa(used[c.DisplayName])
		}
		names = append(names, name)
	}
	return s.table.begin(h.Columns, names)
}

// Row writes one row.
func (s *exportSink) Row(values []any) error {
	if err := s.table.row(values); err != nil || s.buf.Len() < flushAt {
		return err
	}
	return s.send()
}

// Interrupt ends a write that the client does not take.
func (s *exportSink) Interrupt() { s.w.line.interrupt() }

func (s *exportSink) finish() error {
	s.w.line.resume()
	if err := s.table.end(); err != nil {
		return err
	}
	return s.send()
}

func (s *exportSink) send() error {
	if !s.sent {
		s.sent = true
		s.w.Header().Set("Content-Type", s.kind)
		s.w.Header().Set("Content-Disposition", `attachment; filename="`+s.name+`"`)
	}
	_, err := s.buf.WriteTo(s.w)
	return err
}

// csvTable writes a header and a line for each row.
type csvTable struct{ w *csv.Writer }

func (t *csvTable) begin(_ []query.Column, names []string) error { return t.w.Write(names) }

func (t *csvTable) row(values []any) error {
	line := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case nil:
		case float64:
			line[i] = strconv.FormatFloat(v, 'f', -1, 64)
		case json.RawMessage:
			line[i] = string(v)
		default:
			line[i] = fmt.Sprint(v)
		}
	}
	if err := t.w.Write(line); err != nil {
		return err
	}
	t.w.Flush()
	return t.w.Error()
}

func (t *csvTable) end() error {
	t.w.Flush()
	return t.w.Error()
}

// jsonTable writes an array with an object for each row.
type jsonTable struct {
	buf  *bytes.Buffer
	keys [][]byte
	rows int
}

func (t *jsonTable) begin(_ []query.Column, names []string) error {
	for _, n := range names {
		var key bytes.Buffer
		if err := appendJSON(&key, n); err != nil {
			return err
		}
		t.keys = append(t.keys, append(key.Bytes(), ':'))
	}
	_, err := io.WriteString(t.buf, "[")
	return err
}

func (t *jsonTable) row(values []any) error {
	if t.rows > 0 {
		t.buf.WriteByte(',')
	}
	t.rows++
	t.buf.WriteByte('{')
	for i, v := range values {
		if i > 0 {
			t.buf.WriteByte(',')
		}
		t.buf.Write(t.keys[i])
		if err := appendCell(t.buf, v); err != nil {
			return err
		}
	}
	t.buf.WriteByte('}')
	return nil
}

func (t *jsonTable) end() error {
	t.buf.WriteByte(']')
	return nil
}
