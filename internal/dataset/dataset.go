// Package dataset is the only door from a person to a warehouse. Whatever
// shows rows - a question asked ad hoc, a saved one, a card of a dashboard,
// the values of a field - comes through [Door.Run] or stands on it: the
// person's access is taken from one state of the permissions, the question is
// compiled under it, the statement runs, the rows are streamed, and what
// happened is recorded, refusals too.
//
// It also holds what the server itself does with warehouses: connecting,
// reading their schema into the catalog, on demand and by schedule, and making
// the sample.
//
// It decides nothing - permission does - and writes no SQL - query does - and
// it knows nothing of HTTP. Start reading at [Door.Run].
package dataset

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// Options are what a Door can be told; the zero value is good.
type Options struct {
	Timeout time.Duration    // of one statement; 0 is a minute
	Wait    time.Duration    // for a connection; 0 is 20 seconds
	Now     func() time.Time // nil is time.Now
	Logger  *slog.Logger     // nil discards
}

// Limits that hold unless the options or a request say less.
const (
	defaultTimeout    = 60 * time.Second
	defaultWait       = 20 * time.Second
	maxRawRows        = 2000
	maxAggregatedRows = 10000
	maxExportedRows   = 1_048_575 // what fits into a sheet below its header
	limitedExport     = 10_000    // at the download level "limited" (reference 1.7)
	maxFieldValues    = 1000
)

// Door is the one way to the warehouses. It is safe for concurrent use.
type Door struct {
	store      *store.Store
	warehouses *warehouse.Pool
	timeout    time.Duration
	wait       time.Duration
	turns      turns
	results    results
	reading    chan struct{} // who reads SQL of people
	zones      zones
	work       *worker
	now        func() time.Time
	log        *slog.Logger
	folder     string // of the sample, on this machine; set by AddSample
}

// New is the door to the warehouses whose connections the store knows. The
// caller closes the door after the last call, then the pool.
func New(s *store.Store, w *warehouse.Pool, o Options) *Door {
	d := &Door{store: s, warehouses: w, timeout: o.Timeout, wait: o.Wait, now: o.Now, log: o.Logger, reading: make(chan struct{}, runtime.GOMAXPROCS(0))}
	if d.timeout <= 0 {
		d.timeout = defaultTimeout
	}
	if d.wait <= 0 {
		d.wait = defaultWait
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	d.work = newWorker(s, d.log)
	d.work.do = func(ctx context.Context, job store.Job, at *progress) (json.RawMessage, error) {
		if job.Kind != syncKind { // of a newer Sluice
			return nil, fmt.Errorf("nothing is known of jobs of the kind %q", job.Kind)
		}
		return d.sync(ctx, job.Actor, job.Database, at)
	}
	return d
}
