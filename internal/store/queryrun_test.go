package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

func TestQueryRunsAreRecorded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
		card, board := int64(7), int64(8)
		want := store.QueryRun{ID: 1, At: at, User: 3, Database: 1, Native: true, Cached: true, Context: "question", Rows: 12,
			Duration: 1500 * time.Microsecond, Outcome: "denied", Reason: "no", Request: "r"}
		sent := want
		sent.Card, sent.Dashboard = &card, &board
		check(t, s.RecordQuery(t.Context(), sent))
		got := must[[]store.QueryRun](t)(s.QueryRuns(t.Context(), store.RunQuery{}))
		if len(got) != 1 || *got[0].Card != card || *got[0].Dashboard != board {
			t.Fatalf("got %+v", got)
		}
		got[0].Card, got[0].Dashboard = nil, nil
		if got[0] != want {
			t.Errorf("got %+v, want %+v", got[0], want)
		}
	})
}

func TestQueryRunsAreFoundTrimmedAndCounted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		if cost := must[store.Cost](t)(s.CardCost(ctx, 1)); cost != (store.Cost{}) {
			t.Errorf("a card that never ran costs %+v", cost)
		}
		check(t, s.TrimQueryRuns(ctx, begin, 1))
		one, two := int64(1), int64(2)
		for i, r := range []store.QueryRun{ // ids 1 to 6
			{User: 1, Database: 1, Card: &one, Outcome: "completed", Duration: 2 * time.Second},
			{User: 2, Database: 1, Card: &one, Outcome: "completed", Duration: 4 * time.Second},
			{User: 2, Database: 2, Card: &two, Outcome: "completed", Duration: time.Hour},
			{User: 2, Database: 1, Card: &one, Outcome: "completed", Cached: true},
			{User: 1, Database: 1, Card: &one, Outcome: "denied"},
			{User: 1, Database: 2, Outcome: "failed", Dashboard: &two},
		} {
			r.At = begin.Add(time.Duration(i) * time.Minute)
			check(t, s.RecordQuery(ctx, r))
		}
		for _, tt := range []struct {
			q    store.RunQuery
			want []int64
		}{
			{store.RunQuery{}, []int64{6, 5, 4, 3, 2, 1}},
			{store.RunQuery{Limit: 2}, []int64{6, 5}},
			{store.RunQuery{Before: 5, Limit: 2}, []int64{4, 3}},
			{store.RunQuery{User: 1}, []int64{6, 5, 1}},
			{store.RunQuery{Card: 1, User: 2}, []int64{4, 2}},
			{store.RunQuery{Database: 2}, []int64{6, 3}},
			{store.RunQuery{Dashboard: 2}, []int64{6}},
			{store.RunQuery{Outcome: "denied"}, []int64{5}},
		} {
			got := must[[]store.QueryRun](t)(s.QueryRuns(ctx, tt.q))
			ids := make([]int64, len(got))
			for i, r := range got {
				ids[i] = r.ID
			}
			if d := cmp.Diff(tt.want, ids); d != "" {
				t.Errorf("%+v: %s", tt.q, d)
			}
		}
		cost := must[store.Cost](t)(s.CardCost(ctx, 1))
		if want := (store.Cost{Last: begin.Add(3 * time.Minute), Average: 3 * time.Second}); cost != want {
			t.Errorf("card 1 costs %+v, want %+v", cost, want)
		}
		check(t, s.TrimQueryRuns(ctx, begin.Add(2*time.Minute), 100))
		if got := must[[]store.QueryRun](t)(s.QueryRuns(ctx, store.RunQuery{})); len(got) != 4 || got[3].ID != 3 {
			t.Errorf("of what is old, %d stay", len(got))
		}
		check(t, s.TrimQueryRuns(ctx, begin, 3))
		if got := must[[]store.QueryRun](t)(s.QueryRuns(ctx, store.RunQuery{})); len(got) != 3 || got[2].ID != 4 {
			t.Errorf("of what is too much, %d stay", len(got))
		}
	})
}
