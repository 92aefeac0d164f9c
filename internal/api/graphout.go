package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/sluice-bi/sluice/internal/permission"
)

// graphOut writes an answer that is a graph while it is made. It holds no more
// of it than a piece and an entry.
type graphOut struct {
	w   http.ResponseWriter
	buf []byte
	// held is up to where the buffer may grow before it is sent: to the end of
	// a group whose text is to be remembered.
	held int
}

// streamed answers with a, whose groups are written by each, as members with a
// comma after them.
func (a graphAnswer) streamed(each func(*graphOut) error) stream {
	return func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/json")
		o := &graphOut{w: w, buf: make([]byte, 0, writePiece+writePiece/4)}
		o.buf = fmt.Appendf(o.buf, `{"revision":%d,`, a.Revision)
		if a.Complete != "" {
			o.buf = fmt.Appendf(o.buf, `"complete":%q,`, a.Complete)
		}
		o.buf = append(o.buf, `"groups":{`...)
		if err := each(o); err != nil {
			return err
		}
		o.buf = append(ended(o.buf), ',')
		if a.Mode != "" {
			o.buf = fmt.Appendf(o.buf, `"mode":%q,`, a.Mode)
		}
		for _, list := range []struct {
			name string
			of   any
			some bool
		}{{"sandboxes", a.Sandboxes, len(a.Sandboxes) > 0}, {"impersonations", a.Impersonations, len(a.Impersonations) > 0},
			{"warnings", a.Warnings, len(a.Warnings) > 0}} {
			if !list.some {
				continue
			}
			var text bytes.Buffer
			enc := json.NewEncoder(&text)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(list.of); err != nil {
				return err
			}
			o.buf = append(append(fmt.Appendf(o.buf, "%q:", list.name), bytes.TrimSpace(text.Bytes())...), ',')
		}
		_, err := w.Write(ended(o.buf))
		return err
	}
}

// all writes all groups of the present graph with their entries, those that
// have not changed as they were remembered.
func (o *graphOut) all(g *permission.Graph, d dialect, known *texts) error {
	m := newEmitter(g)
	known.forget(g)
	for gr := range g.Groups() {
		key, edition := textKey{gr.ID, d}, g.Edition(gr.ID)
		if text := known.get(key, edition); text != nil {
			o.buf = append(o.buf, text...)
			if err := o.pass(); err != nil {
				return err
			}
			continue
		}
		begin := len(o.buf)
		o.held = begin + mostText
		if err := o.entries(m, gr.ID, d); err != nil {
			return err
		}
		if o.held > 0 { // nothing of it was sent yet
			known.put(key, edition, o.buf[begin:])
			o.held = 0
		}
		if err := o.pass(); err != nil {
			return err
		}
	}
	return nil
}

// entries writes a group with its entries.
func (o *graphOut) entries(m *emitter, id permission.GroupID, d dialect) error {
	o.buf = append(appendNumber(o.buf, int64(id)), '{')
	for db := range m.entries(id) {
		o.buf = m.member(o.buf, db, d)
		if err := o.pass(); err != nil {
			return err
		}
	}
	o.buf = append(ended(o.buf), ',')
	return nil
}

// pass sends what has gathered if it is a piece. The last byte stays: it may
// be the comma that becomes a bracket.
func (o *graphOut) pass() error {
	last := len(o.buf) - 1
	if last < max(writePiece, o.held) {
		return nil
	}
	o.held = 0
	_, err := o.w.Write(o.buf[:last])
	o.buf = append(o.buf[:0], o.buf[last])
	return err
}
