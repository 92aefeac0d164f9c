package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// QueryRun is one question put to a warehouse, or refused before it got there.
type QueryRun struct {
	ID        int64     // set by RecordQuery
	At        time.Time // set by RecordQuery when zero
	User      permission.UserID
	Viewer    *permission.UserID // the administrator who asked as the user
	Database  catalog.DatabaseID
	Card      *int64
	Dashboard *int64
	Native    bool
	Cached    bool   // the rows were kept from an earlier run
	Context   string // "ad-hoc", "question", "csv-download", ...
	Rows      int64
	Duration  time.Duration
	Outcome   string // "completed", "failed", "denied" or "cancelled"
	Reason    string // why it was not completed, for administrators
	Request   string
}

// RunQuery selects runs; what is zero selects nothing out.
type RunQuery struct {
	Before    int64 // ids below it
	Limit     int   // 0: 100
	User      permission.UserID
	Database  catalog.DatabaseID
	Card      int64
	Dashboard int64
	Outcome   string
}

// Cost is what the latest runs of a saved question took.
type Cost struct {
	Last    time.Time     // when the newest began; zero for none
	Average time.Duration // of those that the warehouse answered; 0 for none
}

// costOf is how many runs an average is made of.
const costOf = 50

const runColumns = "id, at, user_id, database_id, card_id, dashboard_id, native, cached, context, row_count, microseconds, outcome, reason, request, viewer_id"

func scanRun(row scanner) (r QueryRun, err error) {
	var micros int64
	err = row.Scan(&r.ID, moment{&r.At}, &r.User, &r.Database, &r.Card, &r.Dashboard, &r.Native, &r.Cached, &r.Context, &r.Rows, &micros, &r.Outcome, &r.Reason, &r.Request, &r.Viewer)
	r.Duration = time.Duration(micros) * time.Microsecond
	return r, err
}

// RecordQuery writes a run down. It does not wait until that is on the disk: a
// run is told as soon as it returns, also after the process is killed, and the
// newest may be forgotten when the machine fails.
func (s *Store) RecordQuery(ctx context.Context, run QueryRun) error {
	if run.At.IsZero() {
		run.At = s.now()
	}
	_, err := conn{s, s.notes}.exec(ctx, `insert into query_runs (at, user_id, database_id, card_id, dashboard_id, native, cached, context, row_count,
		microseconds, outcome, reason, request, viewer_id) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		run.At, run.User, run.Database, run.Card, run.Dashboard, run.Native, run.Cached, run.Context, run.Rows,
		run.Duration.Microseconds(), run.Outcome, run.Reason, run.Request, run.Viewer)
	return err
}

// QueryRuns lists the runs that the query selects, newest first.
func (s *Store) QueryRuns(ctx context.Context, q RunQuery) ([]QueryRun, error) {
	var w where
	for _, by := range []struct {
		column string
		id     int64
	}{{"user_id", int64(q.User)}, {"card_id", q.Card}, {"dashboard_id", q.Dashboard}, {"database_id", int64(q.Database)}} {
		if by.id != 0 {
			w.and(by.column+" = ?", by.id)
		}
	}
	if q.Before > 0 {
		w.and("id < ?", q.Before)
	}
	if q.Outcome != "" {
		w.and("outcome = ?", q.Outcome)
	}
	return list(ctx, s.reader(), scanRun, "select "+runColumns+" from query_runs"+w.String()+fmt.Sprintf(" order by id desc limit %d", orHundred(q.Limit)), w.args...)
}

// CardCost tells what a saved question costs, by its latest runs. It is zero
// for one that was never answered.
func (s *Store) CardCost(ctx context.Context, card int64) (cost Cost, err error) {
	latest, err := list(ctx, s.reader(), scanRun, "select "+runColumns+fmt.Sprintf(` from query_runs where card_id = $1 and outcome = 'completed' and viewer_id is null
		order by id desc limit %d`, costOf), card)
	n := time.Duration(0)
	for i, r := range latest {
		if i == 0 {
			cost.Last = r.At
		}
		if !r.Cached {
			n++
			cost.Average += r.Duration
		}
	}
	if n > 0 {
		cost.Average /= n
	}
	return cost, err
}

// TrimQueryRuns forgets runs that began before a time, and all but the newest
// most of them.
func (s *Store) TrimQueryRuns(ctx context.Context, before time.Time, most int64) error {
	newest, err := one(ctx, s.reader(), value[int64], "select id from query_runs order by id desc limit 1")
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		_, err = conn{s, s.writes}.exec(ctx, "delete from query_runs where at < $1 or id <= $2", before, newest-most)
	}
	return err
}
