package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// second world's door: another server on the same store.
func (w *world) another(t *testing.T) *Door {
	t.Helper()
	pool := warehouse.New(nil)
	d := New(w.store, pool, Options{})
	d.folder = w.dir
	t.Cleanup(func() {
		d.Close()
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// held makes the jobs of a door wait until the function that it returns is
// called, or until they are ended.
func held(d *Door) (started <-chan struct{}, release func()) {
	in, gate := make(chan struct{}, 16), make(chan struct{})
	d.work.every = 20 * time.Millisecond
	do := d.work.do
	d.work.do = func(ctx context.Context, job store.Job, at *progress) (json.RawMessage, error) {
		at.set("reading", 7)
		in <- struct{}{}
		select {
		case <-gate:
			return do(ctx, job, at)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return in, sync.OnceFunc(func() { close(gate) })
}

func TestSyncIsAJobThatTellsWhatItFound(t *testing.T) {
	w := newWorld(t, Options{})
	by := store.Actor{User: w.admin, Reason: "asked", Request: "r"}
	started, release := held(w.door)
	s, err := w.door.StartSync(t.Context(), by, sampleID)
	if err != nil || s.State != store.JobRunning || s.Job == 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	<-started
	again, err := w.door.StartSync(t.Context(), by, sampleID)
	if err != nil || again.Job != s.Job {
		t.Errorf("a second one beside it: %+v, %v", again, err)
	}
	// Its progress is in the row, for whoever looks.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		now, err := w.door.LastSync(t.Context(), sampleID)
		if err != nil {
			t.Fatal(err)
		}
		if now.Step == "reading" && now.Tables == 7 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the progress is %+v", now)
		}
	}
	release()
	if err := w.door.awaitSync(t.Context(), s.Job); err != nil {
		t.Fatal(err)
	}
	s, err = w.door.LastSync(t.Context(), sampleID)
	if err != nil || s.State != store.JobDone || s.Job != again.Job || s.Report == nil || s.Report.Tables != 6 || s.Report.Fields < 40 || s.Report.Sentence != "Sluice sees all 6 tables." || s.EndedAt.IsZero() {
		t.Errorf("%+v, %+v, %v", s, s.Report, err)
	}
	if _, err := w.door.StartSync(t.Context(), by, 99); !errors.Is(err, ErrNotFound) {
		t.Errorf("a database that is not there: %v", err)
	}
}

func TestSyncCanBeCancelledFromAnyServer(t *testing.T) {
	for _, where := range []string{"the one that runs it", "another"} {
		t.Run(where, func(t *testing.T) {
			w := newWorld(t, Options{})
			door := w.door
			if where == "another" {
				door = w.another(t)
			}
			started, _ := held(w.door)
			begun, err := w.door.StartSync(t.Context(), store.Actor{}, sampleID)
			if err != nil {
				t.Fatal(err)
			}
			<-started
			if err := door.CancelSync(t.Context(), sampleID); err != nil {
				t.Fatal(err)
			}
			var wrong *ConnectionError
			if err := door.awaitSync(t.Context(), begun.Job); !errors.As(err, &wrong) || !strings.Contains(wrong.Message, "cancelled") {
				t.Errorf("who waited is told %v", err)
			}
			s, err := w.door.LastSync(t.Context(), sampleID)
			if err != nil || s.State != store.JobCancelled || s.Report != nil {
				t.Errorf("%+v, %v", s, err)
			}
			if err := door.CancelSync(t.Context(), sampleID); !errors.Is(err, ErrNotFound) {
				t.Errorf("cancelled once more: %v", err)
			}
		})
	}
}

func TestSyncGoesOnWhenWhoAskedGoes(t *testing.T) {
	w := newWorld(t, Options{})
	started, release := held(w.door)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	if err := w.door.Sync(ctx, store.Actor{}, sampleID); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	release()
	if err := w.door.Sync(t.Context(), store.Actor{}, sampleID); err != nil {
		t.Errorf("it did not go on: %v", err)
	}
}

func TestFailedSyncSaysWhyAndChangesNothing(t *testing.T) {
	w := newWorld(t, Options{})
	before := w.store.Graph().Revision()
	db, err := w.store.Database(t.Context(), sampleID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.UpdateDatabase(t.Context(), store.Actor{}, db, store.DatabaseUpdate{Details: json.RawMessage(`{"db":"/no/such/file"}`)}); err != nil {
		t.Fatal(err)
	}
	other := w.another(t)
	started, release := held(w.door)
	if _, err := w.door.StartSync(t.Context(), store.Actor{}, sampleID); err != nil {
		t.Fatal(err)
	}
	<-started
	told := make(chan error)
	go func() { told <- other.Sync(t.Context(), store.Actor{}, sampleID) }() // waits for another server's
	release()
	for _, err := range []error{<-told, w.door.Sync(t.Context(), store.Actor{}, sampleID)} {
		var wrong *ConnectionError
		if !errors.As(err, &wrong) || wrong.Field != "db" || !strings.Contains(wrong.Message, "there is no file") {
			t.Errorf("who waited is told %v", err)
		}
	}
	s, err := w.door.LastSync(t.Context(), sampleID)
	if err != nil || s.State != store.JobFailed || !strings.Contains(s.Error, "there is no file") {
		t.Errorf("%+v, %v", s, err)
	}
	if after := w.store.Graph().Revision(); after != before {
		t.Errorf("the catalog changed: revision %d after %d", after, before)
	}
	if db, err = w.store.Database(t.Context(), sampleID); err != nil || db.SyncStatus != syncAborted {
		t.Errorf("the status is %q, %v", db.SyncStatus, err)
	}
}

func TestJobThatAServerLeftIsDoneByAnother(t *testing.T) {
	w := newWorld(t, Options{})
	started, _ := held(w.door)
	s, err := w.door.StartSync(t.Context(), store.Actor{}, sampleID)
	if err != nil {
		t.Fatal(err)
	}
	<-started
	w.door.Close() // stops without an end to its job
	if _, err := w.door.StartSync(t.Context(), store.Actor{}, sampleID); err != nil {
		t.Fatal(err)
	}
	other := w.another(t)
	r := &rounds{worker: other.work, stale: 50 * time.Millisecond, seen: map[int64]pulse{}}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if err := r.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		job, err := w.store.Job(t.Context(), s.Job)
		if err != nil {
			t.Fatal(err)
		}
		if job.State == store.JobDone {
			if job.Attempts != 2 || job.Runner != other.work.runner {
				t.Errorf("%+v", job)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody did it: %+v", job)
		}
	}
}

func TestJobThatBeatsIsLeftToItsServer(t *testing.T) {
	w := newWorld(t, Options{})
	started, release := held(w.door)
	if _, err := w.door.StartSync(t.Context(), store.Actor{}, sampleID); err != nil {
		t.Fatal(err)
	}
	<-started
	r := &rounds{worker: w.another(t).work, stale: 2 * time.Second, seen: map[int64]pulse{}}
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err := r.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	release()
	if err := w.door.Sync(t.Context(), store.Actor{}, sampleID); err != nil {
		t.Fatal(err)
	}
	if job, err := w.store.LastJob(t.Context(), syncKind, sampleID); err != nil || job.Attempts != 1 {
		t.Errorf("%+v, %v", job, err)
	}
}

func TestSchedulesAddTheSyncsThatAreDue(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 30, 0, 0, time.UTC) // a Wednesday
	c := storetest.SQLite(t)
	c.Now = func() time.Time { return now }
	s := storetest.Open(t, c)
	pool := warehouse.New(nil)
	defer pool.Close()
	d := New(s, pool, Options{})
	defer d.Close()
	db, err := s.CreateDatabase(t.Context(), store.Actor{}, store.Database{Name: "x", Engine: "sqlite",
		Schedules: json.RawMessage(`{"metadata_sync":{"schedule_type":"daily","schedule_hour":2},"cache_field_values":null}`)})
	if err != nil {
		t.Fatal(err)
	}
	sample, err := s.CreateDatabase(t.Context(), store.Actor{}, store.Database{Name: "sample", Engine: "sqlite", Sample: true})
	if err != nil {
		t.Fatal(err)
	}
	last := func() int64 {
		t.Helper()
		if err := d.plan(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		job, err := s.LastJob(t.Context(), syncKind, db.ID)
		if err != nil {
			t.Fatal(err)
		}
		return job.ID
	}
	first := last() // one that was never read is due
	if again := last(); again != first {
		t.Error("a second job beside an open one")
	}
	if err := s.CancelJob(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	now = now.Add(13 * time.Hour) // 01:30
	if again := last(); again != first {
		t.Error("it was due too early")
	}
	now = now.Add(time.Hour) // 02:30
	next := last()
	if next == first {
		t.Error("it was not due")
	}
	if err := s.CancelJob(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if again := last(); again != next {
		t.Error("it was due twice")
	}
	if _, err := s.LastJob(t.Context(), syncKind, sample.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the sample is read by schedule: %v", err)
	}
}

func TestScheduleIsMetabases(t *testing.T) {
	at := func(s string) time.Time {
		x, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, tt := range []struct{ schedules, now, due string }{
		{`{"metadata_sync":{"schedule_type":"hourly","schedule_minute":15}}`, "2026-03-04 12:30", "2026-03-04 12:15"},
		{`{"metadata_sync":{"schedule_type":"hourly","schedule_minute":45}}`, "2026-03-04 12:30", "2026-03-04 11:45"},
		{`{"metadata_sync":{"schedule_type":"daily","schedule_hour":13,"schedule_minute":5}}`, "2026-03-04 12:30", "2026-03-03 13:05"},
		{`{"metadata_sync":{"schedule_type":"daily","schedule_hour":12}}`, "2026-03-04 12:30", "2026-03-04 12:00"},
		{`{"metadata_sync":{"schedule_type":"weekly","schedule_day":"tue","schedule_hour":1}}`, "2026-03-04 12:30", "2026-03-03 01:00"},
		{`{"metadata_sync":{"schedule_type":"weekly","schedule_day":"wed","schedule_hour":13}}`, "2026-03-04 12:30", "2026-02-25 13:00"},
		{`{"metadata_sync":{"schedule_type":"weekly"}}`, "2026-03-04 12:30", "2026-03-01 00:00"},
		{`{"metadata_sync":{"schedule_type":"monthly","schedule_frame":"first"}}`, "2026-03-04 12:30", "2026-03-01 00:00"},
		{`{"metadata_sync":{"schedule_type":"monthly","schedule_frame":"first","schedule_day":"mon"}}`, "2026-03-04 12:30", "2026-03-02 00:00"},
		{`{"metadata_sync":{"schedule_type":"monthly","schedule_frame":"last","schedule_day":"fri"}}`, "2026-03-04 12:30", "2026-02-27 00:00"},
		{`{"metadata_sync":{"schedule_type":"monthly","schedule_frame":"last"}}`, "2026-03-04 12:30", "2026-02-28 00:00"},
		{`{"metadata_sync":{"schedule_type":"monthly","schedule_frame":"mid"}}`, "2026-03-04 12:30", "2026-02-15 00:00"},
		{`{"metadata_sync":null}`, "2026-03-04 12:30", "2026-03-04 12:07"}, {``, "2026-03-04 12:03", "2026-03-04 11:07"}, {`[]`, "2026-03-04 12:30", "2026-03-04 12:07"},
		{`{"metadata_sync":{"schedule_type":"never"}}`, "2026-03-04 12:30", "2026-03-04 12:07"}, {`{"metadata_sync":{"schedule_type":"daily","schedule_hour":99}}`, "2026-03-04 12:30", "2026-03-04 12:07"},
	} {
		got := scheduleOf(store.Database{ID: 1, Schedules: json.RawMessage(tt.schedules)}).before(at(tt.now))
		if !got.Equal(at(tt.due)) {
			t.Errorf("%s at %s: %s, want %s", tt.schedules, tt.now, got.Format("2006-01-02 15:04"), tt.due)
		}
	}
}

func TestServerTakesUpWhatWaits(t *testing.T) {
	w := newWorld(t, Options{})
	job, _, err := w.store.AddJob(t.Context(), store.Actor{Reason: "the schedule"}, syncKind, sampleID)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() { w.door.Work(ctx) })
	done, err := w.door.work.wait(t.Context(), job.ID)
	stop()
	working.Wait()
	w.door.Close()
	if err != nil || done.State != store.JobDone || done.Runner != w.door.work.runner {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := w.door.StartSync(t.Context(), store.Actor{}, sampleID); err == nil {
		t.Error("a closed door began a job")
	}
}
