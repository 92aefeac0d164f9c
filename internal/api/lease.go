package api

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/sluice-bi/sluice/internal/store"
)

// What is answered when several servers share one application database: only
// what this server has a lease for (see store.Lease), and to whoever has just
// written by another server only what comes after that.

const (
	// writtenHeader is on the answer to what may have written: the recorded
	// change that this server is at after it.
	writtenHeader = "X-Sluice-Written"
	// atLeastHeader asks to be answered from that change or a later one.
	atLeastHeader = "X-Sluice-At-Least"
	// retryLease is after how many seconds one without a lease is asked again.
	retryLease = "1"
)

// noLease is the answer of a server without a lease.
func noLease() error {
	return failed{http.StatusServiceUnavailable, http.Header{"Retry-After": {retryLease}},
		map[string]string{"message": "This server has lost touch with the others that share its database. Try again."}}
}

// admit lets a request in as long as this server has its lease. From then on
// the request's context and what is written to the client end with the lease.
// The caller calls leave.
func (a *API) admit(r *request) (leave func(), err error) {
	lease := a.store.Lease()
	if !lease.Held() {
		return nil, noLease()
	}
	r.rec.lease, r.rec.leased = lease, true
	r.rec.conn.under(&lease)
	ctx, leave := lease.Context(r.http.Context())
	r.http = r.http.WithContext(ctx)
	return leave, nil
}

// atLeast brings this server to the change that the client asks for.
func (a *API) atLeast(r *request) error {
	text := r.http.Header.Get(atLeastHeader)
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return message{http.StatusBadRequest, atLeastHeader + " takes the number that " + writtenHeader + " gave."}
	}
	err = a.store.AtLeast(r.ctx(), n)
	if errors.Is(err, store.ErrStale) {
		return message{http.StatusBadRequest, atLeastHeader + " asks for change " + text + ", which is not in the database. Was it written to another one?"}
	}
	return err
}

// cut tells whether nothing may be written any more, because the lease ended
// that the request was let in with.
func (rec *recorder) cut() bool {
	if rec.leased && !rec.lease.Held() {
		rec.lapsed = true
	}
	return rec.lapsed
}

// free lets an answer be written that says nothing of what was asked.
func (rec *recorder) free() {
	h := rec.Header()
	clear(h)
	secureHeaders(h, rec.id)
	rec.leased, rec.lapsed = false, false
	if rec.status == 0 { // nothing of the other answer is on its way
		rec.conn.under(nil)
	}
}

// tellWritten says on a success which change the server is at.
func (a *API) tellWritten(rec *recorder) {
	rec.Header().Set(writtenHeader, strconv.FormatInt(a.store.Node().Revision, 10))
}
