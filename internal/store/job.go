package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// JobState is how far a job has come.
type JobState string

// The states of a job. The first two are open: there is one such job of a kind
// for a database.
const (
	JobWaiting   JobState = "waiting"
	JobRunning   JobState = "running"
	JobDone      JobState = "done"
	JobFailed    JobState = "failed"
	JobCancelled JobState = "cancelled"
)

// Open tells whether something is still to come of it.
func (s JobState) Open() bool { return s == JobWaiting || s == JobRunning }

// Job is work that goes on behind the requests, such as reading the schema of
// a database. It is a row, so that every server that shares the store sees it
// and one of them does it: who claims it, and from then on beats. A job whose
// beat stands still was left by a server that is gone, and can be released for
// others.
type Job struct {
	ID       int64
	Kind     string
	Database catalog.DatabaseID
	State    JobState
	Runner   string // names who claimed it last
	Beat     int64
	Attempts int    // how often it was claimed
	Step     string // what is done now, in a word or two
	Done     int64  // how much of it, in whatever the step counts
	Cancel   bool   // somebody wants it to end
	Result   json.RawMessage
	Error    string // why it failed, in a sentence for administrators
	Actor    Actor  // who asked for it

	CreatedAt, StartedAt, EndedAt time.Time // zero where it has not come to it
}

const jobColumns = `id, kind, database_id, state, runner, beat, attempts, step, done, cancel, result, error, coalesce(user_id, 0), reason, request,
	created_at, started_at, ended_at`

func scanJob(row scanner) (j Job, err error) {
	return j, row.Scan(&j.ID, &j.Kind, &j.Database, &j.State, &j.Runner, &j.Beat, &j.Attempts, &j.Step, &j.Done, &j.Cancel, document{&j.Result}, &j.Error,
		&j.Actor.User, &j.Actor.Reason, &j.Actor.Request, moment{&j.CreatedAt}, moment{&j.StartedAt}, moment{&j.EndedAt})
}

// AddJob puts a job down to be done, and returns it; or the open one that is
// there already, with made false.
func (s *Store) AddJob(ctx context.Context, who Actor, kind string, database catalog.DatabaseID) (job Job, made bool, err error) {
	err = s.tx(ctx, func(c conn) error {
		n, err := c.exec(ctx, `insert into jobs (kind, database_id, state, runner, beat, attempts, step, done, cancel, error, user_id, reason, request, created_at)
			values ($1, $2, 'waiting', '', 0, 0, '', 0, false, '', $3, $4, $5, $6)
			on conflict (kind, database_id) where state in ('waiting', 'running') do nothing`,
			kind, database, null(who.User), who.Reason, who.Request, s.now())
		if err != nil {
			return err
		}
		made = n == 1
		job, err = one(ctx, c, scanJob, "select "+jobColumns+" from jobs where kind = $1 and database_id = $2 order by id desc limit 1", kind, database)
		return err
	})
	return job, made, err
}

// Job returns a job, or ErrNotFound.
func (s *Store) Job(ctx context.Context, id int64) (Job, error) {
	return one(ctx, s.reader(), scanJob, "select "+jobColumns+" from jobs where id = $1", id)
}

// LastJob returns the newest job of a kind for a database, or ErrNotFound.
func (s *Store) LastJob(ctx context.Context, kind string, database catalog.DatabaseID) (Job, error) {
	return one(ctx, s.reader(), scanJob, "select "+jobColumns+" from jobs where kind = $1 and database_id = $2 order by id desc limit 1", kind, database)
}

// OpenJobs lists the jobs that wait or run, oldest first.
func (s *Store) OpenJobs(ctx context.Context) ([]Job, error) {
	return list(ctx, s.reader(), scanJob, "select "+jobColumns+" from jobs where state in ('waiting', 'running') order by id")
}

// ClaimJob makes a waiting job the runner's. ErrConflict when it is not waiting
// any more.
func (s *Store) ClaimJob(ctx context.Context, id int64, runner string) (Job, error) {
	var job Job
	err := s.tx(ctx, func(c conn) error {
		err := touched(c.exec(ctx, `update jobs set state = 'running', runner = $1, beat = beat + 1, attempts = attempts + 1, started_at = $2
			where id = $3 and state = 'waiting' and not cancel`, runner, s.now(), id))
		if err != nil {
			return err
		}
		job, err = one(ctx, c, scanJob, "select "+jobColumns+" from jobs where id = $1", id)
		return err
	})
	return job, err
}

// BeatJob shows that the runner is at work on its job, and how far it is. It
// tells whether somebody wants the job to end. ErrConflict when the job is not
// the runner's any more.
func (s *Store) BeatJob(ctx context.Context, id int64, runner, step string, done int64) (cancel bool, err error) {
	err = s.tx(ctx, func(c conn) error {
		err := touched(c.exec(ctx, "update jobs set beat = beat + 1, step = $1, done = $2 where id = $3 and runner = $4 and state = 'running'", step, done, id, runner))
		if err != nil {
			return err
		}
		cancel, err = one(ctx, c, value[bool], "select cancel from jobs where id = $1", id)
		return err
	})
	return cancel, err
}

// EndJob closes a job of the runner's. Result and why may be empty.
// ErrConflict when the job is not the runner's any more.
func (s *Store) EndJob(ctx context.Context, id int64, runner string, state JobState, result json.RawMessage, why string) error {
	return touched(conn{s, s.writes}.exec(ctx, "update jobs set state = $1, result = $2, error = $3, ended_at = $4 where id = $5 and runner = $6 and state = 'running'",
		string(state), result, why, s.now(), id, runner))
}

// CancelJob asks for the end of an open job. One that waits ends at once, one
// that runs when its runner looks. ErrNotFound when there is no such open job.
func (s *Store) CancelJob(ctx context.Context, id int64) error {
	n, err := conn{s, s.writes}.exec(ctx, `update jobs set cancel = true, ended_at = case state when 'waiting' then $1 else ended_at end,
		state = case state when 'waiting' then 'cancelled' else state end where id = $2 and state in ('waiting', 'running')`, s.now(), id)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// ReleaseJob lets others claim a job whose beat is still as given: its runner
// is gone. ErrConflict when it is not.
func (s *Store) ReleaseJob(ctx context.Context, id, beat int64) error {
	return touched(conn{s, s.writes}.exec(ctx, "update jobs set state = 'waiting', runner = '' where id = $1 and beat = $2 and state = 'running'", id, beat))
}

// releaseJobs releases all jobs that run.
func (s *Store) releaseJobs(ctx context.Context) error {
	_, err := conn{s, s.writes}.exec(ctx, "update jobs set state = 'waiting', runner = '' where state = 'running'")
	return err
}

// TrimJobs forgets closed jobs that were made before a time, but for the
// newest of each kind and database.
func (s *Store) TrimJobs(ctx context.Context, before time.Time) error {
	_, err := conn{s, s.writes}.exec(ctx, `delete from jobs where created_at < $1 and state not in ('waiting', 'running')
		and id not in (select max(id) from jobs group by kind, database_id)`, before)
	return err
}

// touched is ErrConflict when no row was touched.
func touched(n int64, err error) error {
	if err == nil && n == 0 {
		err = ErrConflict
	}
	return err
}
