package store_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

func TestAFieldHasOneDimensionAndOneListOfLabels(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		d := shop(t, s)
		orders := table(t, s, d, "orders")
		one, two := field(s, orders.ID, "id").ID, field(s, orders.ID, "person_id").ID
		fields := []catalog.FieldID{one, two}
		made := must[store.Dimension](t)(s.SetDimension(ctx, store.Dimension{Field: one, Type: store.External, Name: "Other", Target: two}))
		again := must[store.Dimension](t)(s.SetDimension(ctx, store.Dimension{Field: one, Type: store.Internal, Name: "Words"}))
		all := must[[]store.Dimension](t)(s.Dimensions(ctx, fields))
		if made.Target != two || again.ID != made.ID || again.EntityID != made.EntityID || again.Target != 0 || len(all) != 1 || all[0] != again {
			t.Errorf("%+v, then %+v: %+v", made, again, all)
		}
		var wrong *store.InvalidError
		for _, sent := range []store.Dimension{{Field: one, Type: store.External}, {Field: one, Type: store.Internal, Target: two}, {Field: one, Type: "odd"},
			{Field: one, Type: store.External, Target: 99999}} {
			if _, err := s.SetDimension(ctx, sent); !errors.As(err, &wrong) {
				t.Errorf("%+v: %v", sent, err)
			}
		}
		check(t, s.DeleteDimension(ctx, one))
		check(t, s.DeleteDimension(ctx, one))
		if all := must[[]store.Dimension](t)(s.Dimensions(ctx, fields)); len(all) != 0 {
			t.Errorf("%+v", all)
		}
		if labels := must[json.RawMessage](t)(s.Labels(ctx, one)); labels != nil {
			t.Errorf("%s", labels)
		}
		for _, labels := range []string{`[[1,"One"]]`, `[[1,"Uno"]]`} {
			check(t, s.SetLabels(ctx, one, json.RawMessage(labels)))
			if got := must[json.RawMessage](t)(s.Labels(ctx, one)); string(got) != labels {
				t.Errorf("%s, want %s", got, labels)
			}
		}
		if err := s.SetLabels(ctx, catalog.FieldID(99999), json.RawMessage(`[]`)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("no such field: %v", err)
		}
		// They go with their field.
		_ = must[store.Dimension](t)(s.SetDimension(ctx, store.Dimension{Field: one, Type: store.External, Name: "Other", Target: two}))
		check(t, s.DeleteDatabase(ctx, store.Actor{User: 1}, d))
		if all := must[[]store.Dimension](t)(s.Dimensions(ctx, fields)); len(all) != 0 {
			t.Errorf("%+v", all)
		}
	})
}
