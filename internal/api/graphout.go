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
	w    http.ResponseWriter
	buf  []byte
	hold int // nothing is sent before so much has gathered; 0 is a piece
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
		if len(a.Warnings) > 0 {
			var list bytes.Buffer
			enc := json.NewEncoder(&list)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(a.Warnings); err != nil {
				return err
			}
			o.buf = append(append(o.buf, `"warnings":`...), bytes.TrimSpace(list.Bytes())...)
			o.buf = append(o.buf, ',')
		}
		_, err := w.Write(ended(o.buf))
		return err
	}
}

// all writes all groups with their entries.
func (o *graphOut) all(g *permission.Graph, d dialect) error {
	m := newEmitter(g)
	for gr := range g.Groups() {
		if err := o.entries(m, gr.ID, d); err != nil {
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
	if last < max(writePiece, o.hold) {
		return nil
	}
	o.hold = 0
	_, err := o.w.Write(o.buf[:last])
	o.buf = append(o.buf[:0], o.buf[last])
	return err
}

// add writes members that were made before.
func (o *graphOut) add(text []byte) error {
	if len(text) < writePiece {
		o.buf = append(o.buf, text...)
		return o.pass()
	}
	last := len(text) - 1
	for _, piece := range [][]byte{o.buf, text[:last]} {
		if _, err := o.w.Write(piece); err != nil {
			return err
		}
	}
	o.buf = append(o.buf[:0], text[last])
	return nil
}
