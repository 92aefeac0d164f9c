package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// metrics is what /metrics shows, in a registry of its own.
type metrics struct {
	handler  http.Handler
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	queries  *prometheus.CounterVec
	signIns  *prometheus.CounterVec
}

func newMetrics(s *store.Store) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_http_requests_total", Help: "HTTP requests answered, by route and status."}, []string{"method", "route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluice_http_request_duration_seconds", Help: "How long requests took.",
			Buckets: []float64{.001, .005, .025, .1, .5, 1, 5, 30, 120}}, []string{"route"}),
		queries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_queries_total", Help: "Questions asked of warehouses, by outcome."}, []string{"outcome"}),
		signIns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_sign_ins_total", Help: "Attempts to sign in with a password, by outcome."}, []string{"outcome"}),
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(m.requests, m.duration, m.queries, m.signIns,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sluice_graph_revision", Help: "Revision of the data permissions graph."},
			func() float64 { return float64(s.Graph().Revision()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sluice_collection_graph_revision", Help: "Revision of the collection permissions graph."},
			func() float64 { return float64(s.Graph().CollectionRevision()) }),
		nodeGauge(s, "sluice_revision", "The recorded change of permissions that this server answers from.", func(n store.Node) float64 { return float64(n.Revision) }),
		nodeGauge(s, "sluice_revision_head", "The newest recorded change that this server has seen in the application database.", func(n store.Node) float64 { return float64(n.Head) }),
		nodeGauge(s, "sluice_revision_lag", "How many recorded changes this server is behind.", func(n store.Node) float64 { return float64(n.Head - n.Revision) }),
		nodeGauge(s, "sluice_lease_held", "1 while this server may answer people, else 0.", func(n store.Node) float64 {
			if n.Held {
				return 1
			}
			return 0
		}),
		nodeGauge(s, "sluice_lease_seconds", "How long the lease lasts if it is not renewed; 0 when there is none or none is needed.", func(n store.Node) float64 { return n.Left.Seconds() }),
		nodeGauge(s, "sluice_nodes", "Servers that share the application database, this one included.", func(n store.Node) float64 { return float64(n.Servers) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "sluice_store_statements_total", Help: "SQL statements run on the application database."},
			func() float64 { return float64(s.Statements()) }),
	)
	m.handler = promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
	return m
}

// nodeGauge shows how this server stands among the others.
func nodeGauge(s *store.Store, name, help string, of func(store.Node) float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return of(s.Node()) })
}

// request counts an answered request. Methods and routes are of the route
// table, so that clients cannot make up series.
func (m *metrics) request(method, route string, status int, took time.Duration) {
	if route == "" {
		method, route = "any", "none"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(route).Observe(took.Seconds())
}

// runQuestion is the door's Run, counted by outcome: "completed", "denied" or
// "failed".
func (a *API) runQuestion(r *request, ask dataset.Request, out dataset.Sink) (dataset.Summary, error) {
	sum, err := a.door.Run(r.ctx(), r.access.User(), ask, out)
	outcome := "completed"
	var (
		denied  *permission.DeniedError
		failure *dataset.QueryError
	)
	switch {
	case err == nil:
	case errors.As(err, &failure) && failure.Type == dataset.MissingPermissions, errors.As(err, &denied), errors.Is(err, store.ErrNotFound),
		errors.Is(err, dataset.ErrNoDownload):
		outcome = "denied"
	default:
		outcome = "failed"
	}
	a.metrics.queries.WithLabelValues(outcome).Inc()
	return sum, err
}

// serveMetrics shows the metrics to administrators, and without a credential
// to programs on this machine, which is where collectors usually run.
func (a *API) serveMetrics(w http.ResponseWriter, hr *http.Request) {
	r := &request{http: hr, w: w, rec: recorderOf(w)}
	r.rec.route = "/metrics"
	if !local(hr) {
		err := a.authenticate(r)
		switch {
		case err != nil:
		case r.access.User() == 0:
			err = errUnauthenticated
		case !r.administers():
			err = errForbidden
		}
		if err != nil {
			a.fail(w, r, err)
			return
		}
	}
	a.metrics.handler.ServeHTTP(w, hr)
}
