package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// recorder is the ResponseWriter of every request. It remembers what the log
// line says about it.
type recorder struct {
	http.ResponseWriter
	id     string // request id
	route  string // the route's pattern; "" where no route matched
	user   permission.UserID
	viewed permission.UserID // as whom the user looks; 0 for themselves
	status int               // 0 until the header is written
	bytes  int64
	line   line
	conn   *leasedConn // nil where it is not known

	lease  store.Lease // what the request was let in with
	leased bool        // whether it was
	lapsed bool        // whether the lease was found to be over
	before func()      // runs before the header of a success is sent; nil for nothing
}

func recorderOf(w http.ResponseWriter) *recorder { return w.(*recorder) }

func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 && !rec.cut() {
		rec.status = status
		if rec.before != nil && status < 400 {
			rec.before()
		}
		if status == statusGone { // for the log; nobody reads it
			status = http.StatusServiceUnavailable
		}
		_ = rec.line.extend() // an answer without a body ends with this
		rec.ResponseWriter.WriteHeader(status)
	}
}

func (rec *recorder) Write(b []byte) (int, error) {
	if rec.status == 0 {
		rec.WriteHeader(http.StatusOK)
	}
	done := 0
	for done < len(b) { // in pieces, so that progress is seen
		if rec.cut() {
			return done, store.ErrNoLease
		}
		if err := rec.line.extend(); err != nil {
			return done, err
		}
		n, err := rec.ResponseWriter.Write(b[done:min(len(b), done+writePiece)])
		done += n
		rec.bytes += int64(n)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// Unwrap lets http.ResponseController flush and set deadlines.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// observe wraps everything the server answers: request id, security headers,
// one log line per request, metrics, and a 500 in place of a panic. The line
// has no body, token or query string.
func (a *API) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := a.now()
		rec := &recorder{ResponseWriter: w, id: requestID(r.Header.Get("X-Request-Id")), conn: connOf(r.Context())}
		rec.conn.under(nil)
		rec.line.open(w, a.patience)
		secureHeaders(rec.Header(), rec.id)
		defer func() {
			broken := recover()
			lapsed := rec.cut()
			if lapsed {
				rec.line.interrupt() // for what the HTTP server still holds of an answer
			}
			cut := (broken != nil || lapsed) && rec.status != 0  // half an answer is out
			if broken != nil && broken != http.ErrAbortHandler { //nolint:errorlint // panics carry the value itself
				a.log.Error("panic", "request_id", rec.id, "route", rec.route, "panic", fmt.Sprint(broken), "stack", string(debug.Stack()))
				if rec.status == 0 && !lapsed {
					a.internal(rec, &request{http: r, rec: rec})
				}
			}
			if rec.status == 0 && lapsed {
				rec.line.resume()
				a.fail(rec, &request{http: r, rec: rec}, noLease())
			}
			if rec.status == 0 {
				rec.status = http.StatusOK
			}
			took := a.now().Sub(start)
			a.metrics.request(r.Method, rec.route, rec.status, took)
			a.log.LogAttrs(r.Context(), level(rec), "request", slog.String("request_id", rec.id), slog.String("method", r.Method),
				slog.String("route", rec.route), slog.Int("status", rec.status), slog.Int64("user", int64(rec.user)), slog.Int64("view_as", int64(rec.viewed)),
				slog.Int64("bytes", rec.bytes), slog.Duration("duration", took.Round(time.Microsecond)))
			if cut {
				panic(http.ErrAbortHandler) // cuts the connection: half an answer is none
			}
		}()
		if r.Body != nil && r.Body != http.NoBody {
			body := rec.line.body(r.Body)
			defer body.leave()
			r.Body = body
		}
		next.ServeHTTP(rec, r)
	})
}

// level keeps probes and scrapes out of the log unless they fail.
func level(rec *recorder) slog.Level {
	switch {
	case rec.status >= 500:
		return slog.LevelError
	case rec.status < 400 && (strings.HasPrefix(rec.route, "/api/health") || rec.route == "/metrics"):
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// requestID is the client's own id when it is short and plain, else a new one.
func requestID(given string) string {
	plainText := func(c rune) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune("-_.", c)
	}
	if len(given) > 0 && len(given) <= 64 && strings.IndexFunc(given, func(c rune) bool { return !plainText(c) }) < 0 {
		return given
	}
	return newToken()[:22]
}

func secureHeaders(h http.Header, id string) {
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// sameWithSlash routes an address with a slash at its end as the one without,
// as clients send both.
func sameWithSlash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// What counts is how the address was written: "%2F" is no slash.
		if p := r.URL.EscapedPath(); len(p) > 1 && strings.HasSuffix(p, "/") {
			u, n := *r.URL, *r
			slashes := len(p) - len(strings.TrimRight(p, "/"))
			u.Path = u.Path[:len(u.Path)-slashes]
			if u.RawPath != "" {
				u.RawPath = u.RawPath[:len(u.RawPath)-slashes]
			}
			if u.Path == "" {
				u.Path = "/"
			}
			n.URL = &u
			r = &n
		}
		next.ServeHTTP(w, r)
	})
}

var errNoStore = errors.New("api: no store was given")
