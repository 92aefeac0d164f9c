package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// reply answers with what a handler returned.
func (a *API) reply(w http.ResponseWriter, r *request, result any) {
	switch v := result.(type) {
	case answer:
		if v.body == nil {
			w.WriteHeader(v.status)
			return
		}
		a.writeJSON(w, r, v.status, v.body)
	case stream:
		if err := v(w); err != nil {
			if r.rec.status == 0 {
				a.fail(w, r, err)
				return
			}
			a.log.Warn("answer cut short", "request_id", r.rec.id, "route", r.rec.route, "error", err)
			panic(http.ErrAbortHandler)
		}
	case document:
		w.Header().Set("Content-Type", v.kind)
		w.Header().Set("Content-Length", strconv.Itoa(len(v.data)))
		_, _ = w.Write(v.data)
	default:
		a.writeJSON(w, r, http.StatusOK, result)
	}
}

// writeJSON encodes the whole value before it sends anything, so that a value
// that cannot be encoded is a 500 and not half an answer.
func (a *API) writeJSON(w http.ResponseWriter, r *request, status int, v any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		a.log.Error("answer cannot be encoded", "request_id", r.rec.id, "route", r.rec.route, "error", err)
		a.internal(w, r)
		return
	}
	if w.Header().Get("Content-Type") == "" { // else a kind of JSON that has a name of its own
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Content-Length", strconv.Itoa(buf.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes())
}
