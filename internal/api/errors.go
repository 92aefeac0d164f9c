package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// plain is an error whose body is text, as Metabase answers where a status
// says it all.
type plain struct {
	status int
	text   string
}

func (e plain) Error() string { return e.text }

// The texts that clients compare.
var (
	errUnauthenticated = plain{http.StatusUnauthorized, "Unauthenticated"}
	errForbidden       = plain{http.StatusForbidden, "You don't have permissions to do that."}
	errNotFound        = plain{http.StatusNotFound, "Not found."}
	errNoRoute         = plain{http.StatusNotFound, "API endpoint does not exist."}
)

// message is an error whose body is {"message": text}.
type message struct {
	status int
	text   string
}

func (e message) Error() string { return e.text }

// invalid is a 400 that names the fields that are wrong.
type invalid struct {
	Errors   map[string]string   `json:"errors"`
	Specific map[string][]string `json:"specific-errors,omitempty"`
}

func (e invalid) Error() string { return fmt.Sprint("invalid request: ", e.Errors) }

// mostMistakes is how many fields a 400 blames. One who sent more mistakes than
// that mends the first ones first.
const mostMistakes = 20

// full tells whether no further mistakes are collected.
func (e *invalid) full() bool { return len(e.Errors) > mostMistakes }

// add blames a field; the last line that it takes says that there are more.
func (e *invalid) add(field, text, specific string) {
	if e.Errors == nil {
		e.Errors, e.Specific = map[string]string{}, map[string][]string{}
	}
	switch _, blamed := e.Errors[field]; {
	case blamed && len(e.Specific[field]) == mostMistakes:
		return
	case !blamed && len(e.Errors) >= mostMistakes:
		e.Errors["body"] = fmt.Sprintf("There are more mistakes; these are the first %d.", mostMistakes)
		return
	}
	e.Errors[field] = text
	e.Specific[field] = append(e.Specific[field], specific)
}

// wrongField is the 400 for one field that fits its type but not its purpose.
func wrongField(field, text string) error {
	return invalid{Errors: map[string]string{field: text}}
}

// failed is an error with a status, fields and headers of its own.
type failed struct {
	status int
	header http.Header
	body   any
}

func (e failed) Error() string { return fmt.Sprintf("status %d: %v", e.status, e.body) }

// statusGone is logged when nobody waits for the answer any more.
const statusGone = 499

// fail answers with an error. It is the only place where errors become
// statuses and words; what it does not know is logged and becomes a 500 that
// says nothing.
func (a *API) fail(w http.ResponseWriter, r *request, err error) {
	var (
		asPlain   plain
		asMessage message
		asInvalid invalid
		asFailed  failed
		denied    *permission.DeniedError
		field     *store.InvalidError
		inQuery   *query.Error
		notRun    *dataset.QueryError
		tooLarge  *http.MaxBytesError
	)
	if errors.Is(err, store.ErrNoLease) || r.rec.cut() {
		r.rec.free()
		err = noLease()
	}
	switch {
	case errors.As(err, &asPlain):
		writeText(w, asPlain.status, asPlain.text)
	case errors.As(err, &asMessage):
		a.writeJSON(w, r, asMessage.status, map[string]string{"message": asMessage.text})
	case errors.As(err, &asInvalid):
		a.writeJSON(w, r, http.StatusBadRequest, asInvalid)
	case errors.As(err, &asFailed):
		for k, v := range asFailed.header {
			w.Header()[k] = v
		}
		a.writeJSON(w, r, asFailed.status, asFailed.body)
	case errors.As(err, &denied), errors.Is(err, store.ErrNotFound),
		errors.As(err, &notRun) && notRun.Type == dataset.MissingPermissions:
		// What one may not see is answered as what does not exist. For
		// administrators, who may see all, both mean that it does not.
		if r.administers() {
			writeText(w, errNotFound.status, errNotFound.text)
		} else {
			writeText(w, errForbidden.status, errForbidden.text)
		}
	case errors.Is(err, dataset.ErrNoDownload):
		writeText(w, http.StatusForbidden, noDownloadText)
	case errors.As(err, &field) && field.Field == "":
		writeText(w, http.StatusBadRequest, field.Message)
	case errors.As(err, &field):
		a.writeJSON(w, r, http.StatusBadRequest, invalid{Errors: map[string]string{field.Field: field.Message}})
	case errors.As(err, &notRun) && notRun.Type == dataset.Busy:
		w.Header().Set("Retry-After", retryBusy)
		a.writeJSON(w, r, http.StatusServiceUnavailable, map[string]string{"message": notRun.Message, "error_type": notRun.Type})
	case errors.As(err, &notRun):
		a.writeJSON(w, r, http.StatusBadRequest, map[string]string{"message": notRun.Message, "error_type": notRun.Type})
	case errors.As(err, &inQuery):
		a.writeJSON(w, r, http.StatusBadRequest, map[string]any{"message": inQuery.Error(), "path": inQuery.Path})
	case errors.Is(err, store.ErrChanged):
		a.writeJSON(w, r, http.StatusConflict, map[string]string{"message": changedText})
	case errors.Is(err, store.ErrStale), errors.Is(err, store.ErrConflict):
		writeText(w, http.StatusConflict, staleText)
	case errors.As(err, &tooLarge):
		a.writeJSON(w, r, http.StatusRequestEntityTooLarge, map[string]string{
			"message": fmt.Sprintf("The body is too large: this address takes at most %d bytes.", tooLarge.Limit)})
	case r.http.Context().Err() != nil:
		w.WriteHeader(statusGone)
	case errors.Is(err, context.DeadlineExceeded):
		a.writeJSON(w, r, http.StatusServiceUnavailable, map[string]string{"message": "This took too long and was stopped."})
	default:
		a.log.Error("request failed", "request_id", r.rec.id, "route", r.rec.route, "error", err)
		a.internal(w, r)
	}
}

// staleText is Metabase's text for a graph that somebody else changed.
const staleText = "Looks like someone else edited the permissions and your data is out of date. Please fetch new data and try again."

// noDownloadText is Metabase's text for an export of what may only be looked at.
const noDownloadText = "You do not have permissions to download the results of this query."

// changedText is the answer to an update of what somebody else has moved,
// archived or changed since the right to update it was asked.
const changedText = "Somebody else moved, archived or changed this at the same time, so nothing was saved. Fetch it again and repeat what you did."

// internal is the answer when something broke that the client cannot mend.
func (a *API) internal(w http.ResponseWriter, r *request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusInternalServerError)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": "Internal error.", "request_id": r.rec.id})
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
