package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
)

// resultWire is the answer to a question (reference 4.10, clients 6). It is
// documentation: [resultSink] writes it, as rows come.
type resultWire struct {
	Data                 resultDataWire     `json:"data"`
	DatabaseID           catalog.DatabaseID `json:"database_id"`
	StartedAt            time.Time          `json:"started_at"`
	JSONQuery            Object             `json:"json_query"`
	Cached               *time.Time         `json:"cached"`                 // when the rows were made, if they are kept from then
	AverageExecutionTime *int64             `json:"average_execution_time"` // how long that took, in milliseconds
	Status               string             `json:"status"`                 // "completed" or "failed"
	Context              string             `json:"context"`
	RowCount             int                `json:"row_count"`
	RunningTime          int64              `json:"running_time"` // milliseconds
	Error                string             `json:"error,omitempty"`
	ErrorType            string             `json:"error_type,omitempty"`
}

type resultDataWire struct {
	Rows            [][]any             `json:"rows"`
	Cols            []query.Column      `json:"cols"`
	NativeForm      *nativeFormWire     `json:"native_form,omitempty"` // for people who may write SQL
	ResultsMetadata resultsMetadataWire `json:"results_metadata"`
	Timezone        string              `json:"results_timezone"`
	DownloadPerms   string              `json:"download_perms"`
	Sandboxed       bool                `json:"is_sandboxed,omitempty"`
	Filtered        []dataset.Filtered  `json:"filtered_for_you,omitempty"` // the tables of which the person is shown a part
	RowsTruncated   int                 `json:"rows_truncated,omitempty"`
}

type resultsMetadataWire struct {
	Columns []query.Column `json:"columns"`
}

// answerQuery runs a question and streams its result. A question that cannot
// be answered is a result with status "failed"; what the person may not reach
// at all is an error as everywhere.
func (a *API) answerQuery(r *request, ask dataset.Request, question json.RawMessage) (any, error) {
	return stream(func(w http.ResponseWriter) error {
		out := &resultSink{w: recorderOf(w), started: a.now(), head: dataset.Head{Query: question, Context: ask.Context}}
		sum, err := a.runQuestion(r, ask, out)
		var failure *dataset.QueryError
		if err != nil && !errors.As(err, &failure) {
			if !out.headed {
				return err
			}
			// The answer has begun: it can only end with the news.
			a.log.Error("query failed while its result was sent", "request_id", r.rec.id, "error", err)
			failure = &dataset.QueryError{Type: dataset.QueryFailed, Message: "The query failed."}
		}
		return out.finish(sum, failure, a.now().Sub(out.started))
	}), nil
}

// flushAt is how much of a result is held back before it is sent: a question
// that fails within it is answered as if it had failed at once. With an
// ordinary row on top it is less than a piece that is written at a time, so
// that an interruption falls between rows.
const flushAt = writePiece * 3 / 4

// resultSink writes a result as JSON while it comes.
type resultSink struct {
	w       *recorder
	buf     bytes.Buffer
	started time.Time
	head    dataset.Head
	begun   bool // Begin was called
	headed  bool // the status has been sent
	busy    bool // no connection was free: try again
	sent    bool // something has left the buffer
	broken  bool // a write ended half way
	rows    int
	gone    int   // rows that have left the buffer
	err     error // that a value could not be written
}

// Begin writes everything that stands before the rows.
func (s *resultSink) Begin(h dataset.Head) error {
	if len(h.Query) == 0 {
		h.Query = s.head.Query
	}
	if h.Context == "" {
		h.Context = s.head.Context
	}
	s.head, s.begun = h, true
	if !h.Started.IsZero() {
		s.started = h.Started
	}
	columns := append([]query.Column{}, h.Columns...)
	s.text(`{"data":{"cols":`)
	s.value(columns)
	s.text(`,"results_metadata":`)
	s.value(resultsMetadataWire{columns})
	s.text(`,"results_timezone":`)
	s.value(cmp.Or(h.Zone, "UTC"))
	s.text(`,"download_perms":`)
	s.value(permission.Download.Word(h.Download))
	if h.NativeForm != nil {
		s.text(`,"native_form":`)
		s.value(h.NativeForm)
	}
	if h.Sandboxed {
		s.text(`,"is_sandboxed":true`)
	}
	if len(h.Filtered) > 0 {
		s.text(`,"filtered_for_you":`)
		s.value(h.Filtered)
	}
	s.text(`,"rows":[`)
	return s.err
}

// Row writes one row.
func (s *resultSink) Row(values []any) error {
	if s.rows > 0 {
		s.buf.WriteByte(',')
	}
	s.rows++
	s.buf.WriteByte('[')
	for i, v := range values {
		if i > 0 {
			s.buf.WriteByte(',')
		}
		s.cell(v)
	}
	s.buf.WriteByte(']')
	if s.err == nil && s.buf.Len() >= flushAt {
		s.err = s.send()
	}
	return s.err
}

// Interrupt ends a write that the client does not take.
func (s *resultSink) Interrupt() { s.w.line.interrupt() }

// finish ends the answer, as failed when there is a failure: rows that were
// held back are not sent then.
func (s *resultSink) finish(sum dataset.Summary, failure *dataset.QueryError, took time.Duration) error {
	s.w.line.resume()
	if failure != nil {
		s.busy = failure.Type == dataset.Busy
		s.buf.Reset()
		s.begun, s.rows = s.sent, s.gone
		if !s.broken {
			s.err = nil // what could not be written is what was held back
		}
	}
	if !s.begun {
		s.text(`{"data":{"rows":[],"cols":[]}`)
	} else {
		s.text(`]`)
		if sum.Truncated {
			s.text(`,"rows_truncated":` + strconv.Itoa(s.rows))
		}
		s.text(`}`)
	}
	s.field("database_id", databaseOrNull(s.head))
	s.field("started_at", s.started.UTC())
	s.field("json_query", rawOr(s.head.Query, "{}"))
	if k := sum.Kept; k != nil {
		s.field("cached", k.At.UTC())
		s.field("average_execution_time", k.Took.Milliseconds())
	} else {
		s.field("cached", nil)
		s.field("average_execution_time", nil)
	}
	s.field("context", s.head.Context)
	s.field("row_count", s.rows)
	s.field("running_time", took.Milliseconds())
	if failure != nil {
		s.field("error", failure.Message)
		s.field("error_type", failure.Type)
		s.text(`,"status":"failed"}`)
	} else {
		s.text(`,"status":"completed"}`)
	}
	if s.err != nil {
		return s.err
	}
	return s.send()
}

// databaseOrNull is the database that was asked: the one that answered, else
// the one that the question names.
func databaseOrNull(h dataset.Head) *catalog.DatabaseID {
	if h.Database != 0 {
		return &h.Database
	}
	var named struct {
		Database *catalog.DatabaseID `json:"database"`
	}
	_ = json.Unmarshal(h.Query, &named) // a question that names none has none
	return named.Database
}

func (s *resultSink) send() error {
	if !s.headed {
		s.headed = true
		s.w.Header().Set("Content-Type", "application/json")
		status := http.StatusAccepted
		if s.busy {
			status = http.StatusServiceUnavailable
			s.w.Header().Set("Retry-After", retryBusy)
		}
		s.w.WriteHeader(status)
	}
	n, err := s.buf.WriteTo(s.w)
	s.sent = s.sent || n > 0
	if err == nil {
		s.gone = s.rows
	} else {
		s.broken = n > 0
	}
	return err
}

func (s *resultSink) text(t string) { s.buf.WriteString(t) }

func (s *resultSink) field(name string, v any) {
	s.text(`,"` + name + `":`)
	s.value(v)
}

func (s *resultSink) value(v any) {
	if err := appendJSON(&s.buf, v); err != nil && s.err == nil {
		s.err = err
	}
}

func (s *resultSink) cell(v any) {
	if err := appendCell(&s.buf, v); err != nil && s.err == nil {
		s.err = err
	}
}

// appendJSON writes a value without a line's end and without HTML escapes.
func appendJSON(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1)
	return nil
}

// appendCell writes a value of a row. A number that JSON cannot write is null.
func appendCell(b *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case int64:
		b.Write(strconv.AppendInt(b.AvailableBuffer(), v, 10))
	case bool:
		b.Write(strconv.AppendBool(b.AvailableBuffer(), v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			b.WriteString("null")
			return nil
		}
		return appendJSON(b, v)
	default:
		return appendJSON(b, v)
	}
	return nil
}
