// Package api is the server's HTTP face: Metabase's addresses, shapes,
// statuses and words, so that the clients of that ecosystem work unchanged.
//
// It says what can be asked (the route table), reads what was sent into typed
// values, finds out who asks, and turns results and errors into answers. It
// never decides who may do what - it asks permission.Access - and it cannot
// reach a warehouse but through dataset.Door. A handler is a few lines between
// a decoded body and one or two calls.
//
// Start reading at [Route], then routes.go, which lists them all.
package api

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/store"
)

// Config is what an API needs.
type Config struct {
	// Store is the application database, Door the way to the warehouses.
	Store *store.Store
	Door  *dataset.Door
	// Logger gets one line per request and every failure; nil is slog's default.
	Logger *slog.Logger
	// Version is the version of this program.
	Version string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// SessionLife is how long a sign-in lasts; 0 is 14 days.
	SessionLife time.Duration
	// TrustedProxies are the addresses of reverse proxies whose
	// X-Forwarded-For and X-Forwarded-Proto count. Proxies on this machine
	// always do.
	TrustedProxies []netip.Prefix
}

// API answers HTTP requests. Make one with [New].
type API struct {
	store       *store.Store
	door        *dataset.Door
	log         *slog.Logger
	version     string
	now         func() time.Time
	started     time.Time
	sessionLife time.Duration
	proxies     []netip.Prefix
	patience    patience

	origin    *http.CrossOriginProtection
	passwords *passwords
	throttle  *throttle
	metrics   *metrics
	texts     texts
	routes    []Route
	openapi   []byte
	handler   http.Handler
}

// New makes the API. It refuses a route table with a route that does not say
// what it needs.
func New(c Config) (*API, error) {
	if c.Store == nil {
		return nil, errNoStore
	}
	a := &API{
		store: c.Store, door: c.Door, log: c.Logger, version: c.Version, now: c.Now,
		sessionLife: c.SessionLife, proxies: c.TrustedProxies, routes: routes(),
		origin: http.NewCrossOriginProtection(), patience: standardPatience(),
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.sessionLife == 0 {
		a.sessionLife = 14 * 24 * time.Hour
	}
	if a.version == "" {
		a.version = "unknown"
	}
	a.started = a.now()
	a.passwords = newPasswords(standardCost())
	a.throttle = newThrottle(a.now)
	a.metrics = newMetrics(a.store)
	mux := http.NewServeMux()
	for i := range a.routes {
		rt := &a.routes[i]
		if err := rt.valid(); err != nil {
			return nil, err
		}
		mux.HandleFunc(rt.Method+" "+rt.pattern(), func(w http.ResponseWriter, r *http.Request) { a.serve(rt, w, r) })
	}
	noRoute := func(w http.ResponseWriter, _ *http.Request) { writeText(w, errNoRoute.status, errNoRoute.text) }
	mux.HandleFunc("/api", noRoute)
	mux.HandleFunc("/api/", noRoute)
	mux.HandleFunc("GET /metrics", a.serveMetrics)
	mux.HandleFunc("GET /{$}", a.index)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { writeText(w, errNotFound.status, errNotFound.text) })
	var err error
	if a.openapi, err = describe(a.routes, a.version); err != nil {
		return nil, err
	}
	a.handler = a.observe(sameWithSlash(mux))
	return a, nil
}

// Handler answers everything the server is asked.
func (a *API) Handler() http.Handler { return a.handler }
