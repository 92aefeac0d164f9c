package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/store"
)

// Work does what goes on behind the requests until ctx ends: it reads schemas
// when their schedules say, and takes up jobs that other servers left. Every
// server of a store calls it; each job is done by one of them.
func (d *Door) Work(ctx context.Context) {
	r := &rounds{worker: d.work, stale: staleAfter, seen: map[int64]pulse{}}
	look, plan := time.NewTicker(lookEvery), time.NewTicker(planEvery)
	defer look.Stop()
	defer plan.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			err = r.look(ctx)
		case <-plan.C:
			err = d.plan(ctx, d.now())
		}
		if err != nil && ctx.Err() == nil {
			d.log.Warn("work behind the requests", "error", err)
		}
	}
}

// Close ends what goes on behind the requests and waits for it. The caller
// closes the pool and the store after it.
func (d *Door) Close() { d.work.close() }

// plan adds the syncs that are due, and forgets old jobs and runs.
func (d *Door) plan(ctx context.Context, now time.Time) error {
	all, err := d.store.Databases(ctx)
	if err != nil {
		return err
	}
	for _, db := range all {
		if db.Sample { // which does not change
			continue
		}
		last, err := d.store.LastJob(ctx, syncKind, db.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if last.State.Open() || !last.CreatedAt.Before(scheduleOf(db).before(now.UTC())) {
			continue
		}
		if _, _, err := d.store.AddJob(ctx, store.Actor{Reason: "the schedule"}, syncKind, db.ID); err != nil {
			return err
		}
	}
	return errors.Join(d.store.TrimJobs(ctx, now.Add(-keepJobs)), d.store.TrimQueryRuns(ctx, now.Add(-keepRuns), mostRuns))
}

// schedule is when something is done, in Metabase's words. Times are in UTC.
type schedule struct {
	Type   string `json:"schedule_type"`   // "hourly", "daily", "weekly" or "monthly"
	Minute int    `json:"schedule_minute"` // of the hour
	Hour   int    `json:"schedule_hour"`   // of the day
	Day    string `json:"schedule_day"`    // "sun", "mon", ...
	Frame  string `json:"schedule_frame"`  // of the month: "first", "mid" or "last"
}

// scheduleOf is when the schema of a database is read: every hour unless
// somebody chose otherwise, each database at a minute of its own.
func scheduleOf(db store.Database) schedule {
	standard := schedule{Type: "hourly", Minute: int(db.ID*7) % 60}
	var chosen struct {
		Sync *schedule `json:"metadata_sync"`
	}
	if len(db.Schedules) == 0 || json.Unmarshal(db.Schedules, &chosen) != nil || chosen.Sync == nil {
		return standard
	}
	s := *chosen.Sync
	if !slices.Contains([]string{"hourly", "daily", "weekly", "monthly"}, s.Type) || s.Minute < 0 || s.Minute > 59 || s.Hour < 0 || s.Hour > 23 {
		return standard
	}
	return s
}

// before is the last time up to now at which it is due.
func (s schedule) before(now time.Time) time.Time {
	hour := now.Truncate(time.Hour).Add(time.Duration(s.Minute) * time.Minute)
	if s.Type == "hourly" {
		if hour.After(now) {
			hour = hour.Add(-time.Hour)
		}
		return hour
	}
	day := time.Date(now.Year(), now.Month(), now.Day(), s.Hour, s.Minute, 0, 0, time.UTC)
	for day.After(now) || !s.on(day) {
		day = day.AddDate(0, 0, -1)
	}
	return day
}

// on tells whether it is due on a day.
func (s schedule) on(day time.Time) bool {
	wanted := slices.Index(weekdays, strings.ToLower(s.Day)) // -1: none
	is := wanted == int(day.Weekday())
	switch {
	case s.Type == "daily":
		return true
	case s.Type == "weekly":
		return is || wanted < 0 && day.Weekday() == time.Sunday
	case s.Frame == "mid":
		return day.Day() == 15
	case s.Frame == "last" && wanted < 0:
		return day.AddDate(0, 0, 1).Month() != day.Month()
	case s.Frame == "last":
		return is && day.AddDate(0, 0, 7).Month() != day.Month()
	case wanted < 0:
		return day.Day() == 1
	}
	return is && day.Day() <= 7
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
