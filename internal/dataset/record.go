package dataset

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-bi/sluice/internal/store"
)

// record writes a run down, also when whoever asked has gone. A run that
// cannot be recorded is logged; the person has had the rows by then.
func (d *Door) record(ctx context.Context, run store.QueryRun, sum Summary, err error) {
	run.Rows, run.Duration, run.Cached = int64(sum.Rows), sum.Duration, sum.Kept != nil
	run.Outcome, run.Reason = reason(err)
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	if err := d.store.RecordQuery(ctx, run); err != nil && !errors.Is(err, store.ErrClosed) {
		d.log.Error("a query was not recorded", "user", run.User, "database", run.Database, "outcome", run.Outcome, "reason", run.Reason, "error", err)
	}
}
