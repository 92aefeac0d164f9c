package dataset

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sluice-bi/sluice/internal/store"
)

// Work behind the requests is rows in the store: whoever wants something done
// adds a job, and one server does it. A job that is asked for here begins here
// at once; the loop of [Door.Work] takes up those that the schedule wants, and
// those whose server is gone.

const (
	beatEvery  = time.Second      // while a job runs
	staleAfter = 10 * time.Second // without a beat its runner is gone
	lookEvery  = 2 * time.Second  // for jobs to take up
	planEvery  = 30 * time.Second // for what the schedules want
	keepJobs   = 30 * 24 * time.Hour
	keepRuns   = 90 * 24 * time.Hour
	mostRuns   = 1_000_000
	maxJob     = time.Hour // of one job
	maxTries   = 3         // of one job, when servers go away under it
	atOnce     = 2         // jobs that one server takes up from others
)

var (
	errJobCancelled = errors.New("somebody cancelled it")
	errJobLost      = errors.New("another server has it")
	errStopping     = errors.New("the server is stopping")
)

// worker runs jobs of this process.
type worker struct {
	store  *store.Store
	log    *slog.Logger
	runner string        // names this process in the rows
	every  time.Duration // between beats
	do     func(context.Context, store.Job, *progress) (json.RawMessage, error)

	ctx     context.Context // of all jobs
	stop    context.CancelCauseFunc
	running sync.WaitGroup

	mu     sync.Mutex
	own    map[int64]*running
	closed bool
}

// running is a job that runs here.
type running struct {
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when its row says how it ended
}

// progress is how far a job has come.
type progress struct {
	mu   sync.Mutex
	step string
	done int
}

func (p *progress) set(step string, done int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step, p.done = step, done
}

func (p *progress) get() (step string, done int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.step, int64(p.done)
}

func newWorker(s *store.Store, log *slog.Logger) *worker {
	w := &worker{store: s, log: log, runner: rand.Text(), every: beatEvery, own: map[int64]*running{}}
	w.ctx, w.stop = context.WithCancelCause(context.Background())
	return w
}

// begin claims a waiting job and runs it. The job of somebody who was quicker
// is returned as it is now.
func (w *worker) begin(ctx context.Context, job store.Job) (store.Job, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return job, errStopping
	}
	claimed, err := w.store.ClaimJob(ctx, job.ID, w.runner)
	if errors.Is(err, store.ErrConflict) {
		return w.store.Job(ctx, job.ID)
	}
	if err != nil {
		return job, err
	}
	runs, cancel := context.WithCancelCause(w.ctx)
	r := &running{cancel, make(chan struct{})}
	w.own[job.ID] = r
	w.running.Go(func() {
		w.run(runs, claimed, cancel)
		cancel(nil)
		w.mu.Lock()
		delete(w.own, job.ID)
		w.mu.Unlock()
		close(r.done)
	})
	return claimed, nil
}

// run does a job, beating meanwhile, and writes down how it ended. One that
// ends because the server stops is left to others.
func (w *worker) run(ctx context.Context, job store.Job, cancel context.CancelCauseFunc) {
	ctx, stop := context.WithTimeout(ctx, maxJob)
	defer stop()
	at := &progress{}
	var beating sync.WaitGroup
	over := make(chan struct{})
	beating.Go(func() { w.beat(ctx, job.ID, at, cancel, over) })
	result, err := w.do(ctx, job, at)
	close(over)
	beating.Wait()
	state, why := store.JobDone, ""
	switch cause := context.Cause(ctx); {
	case err == nil:
	case errors.Is(cause, errJobCancelled):
		state, result = store.JobCancelled, nil
	case errors.Is(cause, errJobLost), errors.Is(cause, errStopping):
		return
	default:
		state, why = store.JobFailed, err.Error()
		w.log.Warn("a job failed", "job", job.ID, "kind", job.Kind, "database", job.Database, "error", err)
	}
	step, done := at.get()
	end, stop2 := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop2()
	if _, err := w.store.BeatJob(end, job.ID, w.runner, step, done); err != nil && !errors.Is(err, store.ErrConflict) {
		w.log.Error("how far a job came is not noted", "job", job.ID, "error", err)
	}
	if err := w.store.EndJob(end, job.ID, w.runner, state, result, why); err != nil && !errors.Is(err, store.ErrConflict) {
		w.log.Error("the end of a job is not noted", "job", job.ID, "state", state, "error", err)
	}
}

// beat shows that the job is worked on until it is over, and ends it when
// somebody wants that.
func (w *worker) beat(ctx context.Context, id int64, at *progress, cancel context.CancelCauseFunc, over <-chan struct{}) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		step, done := at.get()
		switch wanted, err := w.store.BeatJob(ctx, id, w.runner, step, done); {
		case errors.Is(err, store.ErrConflict):
			cancel(errJobLost)
			return
		case err != nil && ctx.Err() == nil: // it may come back; if not, others take over
			w.log.Warn("a job's progress is not noted", "job", id, "error", err)
		case wanted:
			cancel(errJobCancelled)
			return
		}
	}
}

// cancel ends a job at once if it runs here. Elsewhere its runner looks.
func (w *worker) cancel(id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.own[id]; r != nil {
		r.cancel(errJobCancelled)
	}
}

// wait waits until a job is closed, wherever it runs. One whose runner is gone
// is taken up here: who waits, as a server does that starts, may be the only
// one left.
func (w *worker) wait(ctx context.Context, id int64) (store.Job, error) {
	const look = 200 * time.Millisecond // at one that runs elsewhere
	var last pulse
	for {
		w.mu.Lock()
		r := w.own[id]
		w.mu.Unlock()
		if r == nil {
			job, err := w.store.Job(ctx, id)
			if err != nil || !job.State.Open() {
				return job, err
			}
			switch {
			case job.State == store.JobWaiting:
				if _, err := w.begin(ctx, job); err != nil {
					return job, err
				}
			case last.since.IsZero() || last.beat != job.Beat:
				last = pulse{job.Beat, time.Now()}
			case time.Since(last.since) >= staleAfter:
				if err := w.store.ReleaseJob(ctx, id, job.Beat); ignore(err, store.ErrConflict) != nil {
					return job, err
				}
			}
			select {
			case <-time.After(look):
			case <-ctx.Done():
				return job, ctx.Err()
			}
			continue
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return store.Job{}, ctx.Err()
		}
	}
}

// close ends the jobs that run here; they are left to other servers, or to
// this one when it is back.
func (w *worker) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.stop(errStopping)
	w.running.Wait()
}

// count is how many jobs run here.
func (w *worker) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.own)
}

// rounds looks for jobs to take up.
type rounds struct {
	*worker
	stale time.Duration
	seen  map[int64]pulse // of jobs that run elsewhere
}

// pulse is when a job's beat was first seen as it is.
type pulse struct {
	beat  int64
	since time.Time
}

// look takes up what waits, and releases what its runner has left.
func (r *rounds) look(ctx context.Context) error {
	open, err := r.store.OpenJobs(ctx)
	if err != nil {
		return err
	}
	seen := map[int64]pulse{}
	for _, job := range open {
		if job.State == store.JobWaiting {
			if job.Attempts >= maxTries {
				err = errors.Join(err, r.store.CancelJob(ctx, job.ID))
			} else if r.count() < atOnce {
				_, err2 := r.begin(ctx, job)
				err = errors.Join(err, err2)
			}
			continue
		}
		if job.Runner == r.runner {
			continue
		}
		p, known := r.seen[job.ID]
		if !known || p.beat != job.Beat {
			p = pulse{job.Beat, time.Now()}
		}
		seen[job.ID] = p
		if time.Since(p.since) >= r.stale {
			r.log.Warn("a job was left by its server", "job", job.ID, "kind", job.Kind, "database", job.Database)
			err = errors.Join(err, ignore(r.store.ReleaseJob(ctx, job.ID, job.Beat), store.ErrConflict))
		}
	}
	r.seen = seen
	return err
}
