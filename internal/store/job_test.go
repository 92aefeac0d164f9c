package store_test

import (
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

func TestOneJobOfAKindIsOpenForADatabase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		who := store.Actor{Reason: "somebody asked", Request: "r1"}
		first, made, err := s.AddJob(ctx, who, "sync", 7)
		if err != nil || !made || first.State != store.JobWaiting || first.Actor != who || first.CreatedAt.IsZero() || !first.StartedAt.IsZero() {
			t.Fatalf("%+v, %v, %v", first, made, err)
		}
		again, made, err := s.AddJob(ctx, store.Actor{}, "sync", 7)
		if err != nil || made || again.ID != first.ID {
			t.Errorf("a second one: %+v, %v, %v", again, made, err)
		}
		if other, made, err := s.AddJob(ctx, who, "sync", 8); err != nil || !made || other.ID == first.ID {
			t.Errorf("for another database: %+v, %v, %v", other, made, err)
		}
		var claimed atomic.Int64
		var group sync.WaitGroup
		for _, runner := range []string{"a", "b", "c", "d", "e", "f"} {
			group.Go(func() {
				if _, err := s.ClaimJob(ctx, first.ID, runner); err == nil {
					claimed.Add(1)
				} else if !errors.Is(err, store.ErrConflict) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if claimed.Load() != 1 {
			t.Fatalf("%d claimed one job", claimed.Load())
		}
		open, err := s.OpenJobs(ctx)
		if err != nil || len(open) != 2 || open[0].State != store.JobRunning || open[0].Attempts != 1 || open[0].StartedAt.IsZero() {
			t.Fatalf("%+v, %v", open, err)
		}
		runner := open[0].Runner
		if cancel, err := s.BeatJob(ctx, first.ID, runner, "tables", 41); err != nil || cancel {
			t.Errorf("%v, %v", cancel, err)
		}
		if _, err := s.BeatJob(ctx, first.ID, "somebody else", "", 0); !errors.Is(err, store.ErrConflict) {
			t.Errorf("somebody else beats: %v", err)
		}
		if err := s.EndJob(ctx, first.ID, "somebody else", store.JobDone, nil, ""); !errors.Is(err, store.ErrConflict) {
			t.Errorf("somebody else ends it: %v", err)
		}
		if err := s.EndJob(ctx, first.ID, runner, store.JobDone, json.RawMessage(`{"tables":41}`), ""); err != nil {
			t.Fatal(err)
		}
		done, err := s.Job(ctx, first.ID)
		if err != nil || done.State != store.JobDone || done.Step != "tables" || done.Done != 41 || string(done.Result) != `{"tables":41}` || done.EndedAt.IsZero() {
			t.Errorf("%+v, %v", done, err)
		}
		next, made, err := s.AddJob(ctx, who, "sync", 7)
		if err != nil || !made || next.ID == first.ID {
			t.Errorf("after it was done: %+v, %v, %v", next, made, err)
		}
		if last, err := s.LastJob(ctx, "sync", 7); err != nil || last.ID != next.ID {
			t.Errorf("%+v, %v", last, err)
		}
		if _, err := s.LastJob(ctx, "sync", 9); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestJobThatItsRunnerLeftCanBeClaimedAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		job, _, err := s.AddJob(ctx, store.Actor{}, "sync", 1)
		if err != nil {
			t.Fatal(err)
		}
		job, err = s.ClaimJob(ctx, job.ID, "gone")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.ReleaseJob(ctx, job.ID, job.Beat-1); !errors.Is(err, store.ErrConflict) {
			t.Errorf("one that beat since was released: %v", err)
		}
		if err := s.ReleaseJob(ctx, job.ID, job.Beat); err != nil {
			t.Fatal(err)
		}
		if err := s.EndJob(ctx, job.ID, "gone", store.JobDone, nil, ""); !errors.Is(err, store.ErrConflict) {
			t.Errorf("who lost it ended it: %v", err)
		}
		if job, err = s.ClaimJob(ctx, job.ID, "next"); err != nil || job.Attempts != 2 || job.Runner != "next" {
			t.Errorf("%+v, %v", job, err)
		}
	})
}

func TestCancellingAJobEndsItOrTellsItsRunner(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		job, _, err := s.AddJob(ctx, store.Actor{}, "sync", 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CancelJob(ctx, job.ID); err != nil {
			t.Fatal(err)
		}
		if job, err = s.Job(ctx, job.ID); err != nil || job.State != store.JobCancelled || job.EndedAt.IsZero() {
			t.Errorf("%+v, %v", job, err)
		}
		if _, err := s.ClaimJob(ctx, job.ID, "r"); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a cancelled job was claimed: %v", err)
		}
		if err := s.CancelJob(ctx, job.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("cancelled twice: %v", err)
		}
		if job, _, err = s.AddJob(ctx, store.Actor{}, "sync", 1); err != nil {
			t.Fatal(err)
		}
		if _, err = s.ClaimJob(ctx, job.ID, "r"); err != nil {
			t.Fatal(err)
		}
		if err := s.CancelJob(ctx, job.ID); err != nil {
			t.Fatal(err)
		}
		if cancel, err := s.BeatJob(ctx, job.ID, "r", "", 0); err != nil || !cancel {
			t.Errorf("the runner is not told: %v, %v", cancel, err)
		}
	})
}

func TestOldJobsAreForgottenButTheLast(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		var ids []int64
		for range 3 {
			job, _, err := s.AddJob(ctx, store.Actor{}, "sync", 1)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, job.ID)
			if err := s.CancelJob(ctx, job.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.TrimJobs(ctx, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Job(ctx, ids[0]); err != nil {
			t.Errorf("one that is not old: %v", err)
		}
		if err := s.TrimJobs(ctx, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			if _, err := s.Job(ctx, id); errors.Is(err, store.ErrNotFound) != (i < 2) {
				t.Errorf("job %d of 3: %v", i+1, err)
			}
		}
	})
}
