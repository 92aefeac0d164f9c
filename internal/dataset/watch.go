package dataset

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
)

// What happens to a question while its statement runs: other permissions,
// another place of its card, a client that takes nothing.

// watchEvery is how often a running question is put again although no
// permission has changed: content that moved or was edited is noticed by then.
const watchEvery = time.Second

// Interrupter is a Sink that can wait for somebody, as one that writes to a
// client does. Interrupt is called from another goroutine when the run is over
// before its rows are, and what waits then must return. It is not called after
// Run has returned.
type Interrupter interface {
	Interrupt()
}

// watch gives the context that the statement runs under. It ends with ctx, and
// as soon as the person may not have the result any longer; ended tells why.
// The caller calls stop when the statement is closed.
func (d *Door) watch(ctx context.Context, p prepared, out Sink) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	interrupted, off := make(chan struct{}), func() bool { return true }
	if i, ok := out.(Interrupter); ok {
		off = context.AfterFunc(ctx, func() {
			defer close(interrupted)
			i.Interrupt()
		})
	}
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			changed := d.store.Changed()
			if d.store.Graph() == p.graph {
				select {
				case <-ctx.Done():
					return
				case <-changed:
				case <-tick.C:
				}
			}
			graph, err := d.still(ctx, p)
			if err != nil {
				cancel(&stoppedError{err})
				return
			}
			p.graph = graph
		}
	})
	return ctx, func() {
		if !off() {
			<-interrupted
		}
		cancel(nil)
		watching.Wait()
	}
}

// stoppedError is the cause of a context that watch ended.
type stoppedError struct{ err error }

func (e *stoppedError) Error() string { return e.err.Error() }

// ended is why a run under a watched context ended: what the watch found, else
// err.
func ended(watched context.Context, err error) error {
	var stopped *stoppedError
	if errors.As(context.Cause(watched), &stopped) {
		return stopped.err
	}
	return err
}

var (
	// errNarrowed ends a result that the person may no longer have in the
	// same way.
	errNarrowed = errors.New("the permissions changed while the question ran")
	// errEdited ends a result whose saved question has become another.
	errEdited = errors.New("the saved question was changed while it ran")
)

// still puts a running question again, under the permissions and with the
// content of now, and gives the permissions that it did so under. An error is
// what the run ends with: the person may not have the result, or the question
// has become another. Where that cannot be told, only a change of the
// permissions ends the run.
func (d *Door) still(ctx context.Context, p prepared) (*permission.Graph, error) {
	next, err := d.prepare(ctx, p.who, p.ask, p.at)
	narrowed := func(cause error) error { return &QueryError{MissingPermissions, refusal, cause} }
	switch {
	case ctx.Err() != nil:
		return p.graph, context.Cause(ctx)
	case err != nil && refused(err):
		return p.graph, narrowed(err)
	case err != nil && next.graph != p.graph:
		return p.graph, err
	case err != nil:
		d.log.Error("it cannot be told whether a question that runs may go on", "user", p.who, "error", err)
		return p.graph, nil
	case same(next, p):
		return next.graph, nil
	case next.graph != p.graph:
		return p.graph, narrowed(errNarrowed)
	}
	return p.graph, &QueryError{Cancelled, "The question was changed while it ran. Ask it again.", errEdited}
}

// refused tells errors that are about the question and the person from faults.
func refused(err error) bool {
	var (
		told      *QueryError
		denied    *permission.DeniedError
		attribute *query.PolicyError
		wrong     *query.Error
	)
	return errors.As(err, &told) || errors.As(err, &denied) || errors.As(err, &attribute) || errors.As(err, &wrong) ||
		errors.Is(err, ErrNotFound) || errors.Is(err, ErrNoDownload)
}

// same tells whether a question, put again, shows the same rows and may still
// be exported as far as it is.
func same(next, p prepared) bool {
	a, b := next.statement, p.statement
	return a.Database() == b.Database() && a.SQL() == b.SQL() && slices.Equal(a.Args(), b.Args()) && slices.Equal(a.Tables(), b.Tables()) &&
		a.SameViews(b) && a.Native() == b.Native() && (!p.ask.exports() || next.exported >= p.exported)
}
