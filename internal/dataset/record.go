package dataset

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// record writes a run down and logs what went wrong with it, also when whoever
// asked has gone. A run that cannot be recorded is logged; the person has had
// the rows by then.
func (d *Door) record(ctx context.Context, run store.QueryRun, sum Summary, err error) {
	run.Rows, run.Duration, run.Cached = int64(sum.Rows), sum.Duration, sum.Kept != nil
	run.Outcome, run.Reason = reason(err)
	from := originOf(ctx)
	if run.Request = from.RequestID; from.Viewer != 0 {
		run.Viewer = &from.Viewer
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	d.tell(ctx, run, err)
	if err := d.store.RecordQuery(ctx, run); err != nil && !errors.Is(err, store.ErrClosed) {
		d.log.Error("a query was not recorded", "request_id", run.Request, "user", run.User, "database", run.Database, "outcome", run.Outcome, "reason", run.Reason, "error", err)
	}
}

// tell logs a run that was refused or failed, by the id of its request: what
// the person who asked is not told. Of an error that the engine made it has
// the engine's words, which the record does not keep, and not what PostgreSQL
// sets apart as details, which quotes rows. Of a mistake in the question it
// has the kind alone: the rest is what the person typed.
func (d *Door) tell(ctx context.Context, run store.QueryRun, err error) {
	level := slog.LevelWarn
	switch run.Outcome {
	case "completed", "cancelled":
		return
	case "denied":
		level = slog.LevelInfo
	}
	said := []slog.Attr{slog.String("request_id", run.Request), slog.Int64("user", int64(run.User)), slog.Int64("database", int64(run.Database)),
		slog.String("outcome", run.Outcome), slog.String("reason", run.Reason)}
	if run.Card != nil {
		said = append(said, slog.Int64("card", *run.Card))
	}
	var (
		engine *warehouse.Error
		told   *QueryError
	)
	switch {
	case errors.As(err, &engine):
		said = append(said, slog.String("error", engine.Error()))
		if engine.Cause != nil {
			said = append(said, slog.String("cause", engine.Cause.Error()))
		}
	case run.Outcome == "failed" && !errors.As(err, &told):
		said = append(said, slog.String("error", err.Error()))
	}
	d.log.LogAttrs(ctx, level, "a query was not answered", said...)
}
