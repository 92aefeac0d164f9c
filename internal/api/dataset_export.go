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
	"github.com/sluice-bi/sluice/internal/permission"
)

// limitedExport is how many rows may be exported at the download level
// "limited" (reference 1.7).
const limitedExport = 10000

// errNoDownload is the refusal to export what may be looked at.
var errNoDownload = plain{http.StatusForbidden, "You do not have permissions to download the results of this query."}

// retryBusy is after how many seconds a question that found no connection may
// be asked again.
const retryBusy = "10"

// errEnough ends a run when as much is exported as may be.
var errEnough = errors.New("enough rows")

// exportQuery runs a question and sends its result as a file. One that the
// person may not ask is forbidden; one that cannot be answered is a 400 in the
// shape of a failed result. If it fails after the first byte, the connection
// is cut.
func (a *API) exportQuery(r *request, format string, ask dataset.Request) (any, error) {
	ask.RequestID = r.rec.id
	ask.Context = format + "-download"
	return stream(func(w http.ResponseWriter) error {
		out := &exportSink{w: recorderOf(w)}
		switch format {
		case "csv":
			out.kind, out.table = "text/csv; charset=utf-8", &csvTable{csv.NewWriter(&out.buf)}
		case "json":
			out.kind, out.table = "application/json; charset=utf-8", &jsonTable{buf: &out.buf}
		case "xlsx":
			return message{http.StatusBadRequest, "Export as xlsx is not supported; use csv or json."}
		default:
			return errNoRoute
		}
		out.name = fmt.Sprintf("query_result_%s.%s", a.now().UTC().Format("2006-01-02T15-04-05Z"), format)
		_, err := a.runQuestion(r, ask, out)
		var failure *dataset.QueryError
		switch {
		case errors.Is(err, errEnough):
			err = nil
		case errors.As(err, &failure) && !out.sent:
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
		begin(names []string) error
		row(values []any) error
		end() error
	}
	kind, name string
	limit      int // 0: as many as come
	rows       int
	sent       bool
}

// Begin refuses what may not be exported and writes the names of the columns.
func (s *exportSink) Begin(h dataset.Head) error {
	switch h.Download {
	case permission.Full:
	case permission.Limited:
		s.limit = limitedExport
	default:
		return errNoDownload
	}
	names, used := make([]string, 0, len(h.Columns)), map[string]int{}
	for _, c := range h.Columns {
		name := c.DisplayName
		if used[c.DisplayName]++; used[c.DisplayName] > 1 {
			name += "_" + strconv.Itoa(used[c.DisplayName])
		}
		names = append(names, name)
	}
	return s.table.begin(names)
}

// Row writes one row.
func (s *exportSink) Row(values []any) error {
	if s.limit > 0 && s.rows == s.limit {
		return errEnough
	}
	s.rows++
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

func (t *csvTable) begin(names []string) error { return t.w.Write(names) }

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

func (t *jsonTable) begin(names []string) error {
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
