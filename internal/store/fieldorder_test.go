package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

func TestFieldsStandInTheOrderThatTheirTableIsGiven(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		ctx := t.Context()
		storetest.SetUp(t, s)
		column := func(name, base, semantic string) store.SyncedField {
			return store.SyncedField{Name: name, DatabaseType: "X", BaseType: base, SemanticType: semantic}
		}
		found := store.SyncedTable{Schema: "main", Name: "events", Fields: []store.SyncedField{
			column("visits", "type/Integer", ""), column("title", "type/Text", "type/Name"), column("Began", "type/DateTime", ""), column("id", "type/Integer", "type/PK"), column("amount", "type/Float", "")}}
		d := shop(t, s)
		sync := func() {
			t.Helper()
			must[*permission.Graph](t)(s.ApplySync(ctx, store.Actor{}, d, append(shopTables(), found)))
		}
		sync()
		events := table(t, s, d, "events").ID
		order := func(by, names string) {
			t.Helper()
			for _, s := range []*store.Store{s, storetest.Open(t, c)} {
				var inCatalog, listed []string
				for i, f := range s.Graph().Catalog().Fields(events) {
					if inCatalog = append(inCatalog, f.Name); f.Position != i {
						t.Errorf("%s is at %d, and says %d", f.Name, i, f.Position)
					}
				}
				for _, f := range must[[]store.Field](t)(s.Fields(ctx, []catalog.TableID{events})) {
					listed = append(listed, f.Name)
				}
				if got := strings.Join(inCatalog, " "); got != names || !slices.Equal(listed, inCatalog) || s.Graph().Catalog().Table(events).FieldOrder != by {
					t.Errorf("by %s: %q, listed as %q, want %s: %q", s.Graph().Catalog().Table(events).FieldOrder, got, listed, by, names)
				}
			}
		}
		by := func(word string) {
			t.Helper()
			before := s.Graph().Revision()
			if got := must[store.Table](t)(s.UpdateTable(ctx, store.Actor{}, events, store.TableUpdate{FieldOrder: &word})); got.FieldOrder != word || s.Graph().Revision() != before+1 {
				t.Errorf("%s is %s, after revision %d %d", word, got.FieldOrder, before, s.Graph().Revision())
			}
		}
		ids := func(names string) (all []catalog.FieldID) {
			for _, name := range strings.Fields(names) {
				all = append(all, field(s, events, name).ID)
			}
			return all
		}
		order("database", "visits title Began id amount")
		by("alphabetical")
		order("alphabetical", "amount Began id title visits")
		by("smart")
		order("smart", "id title Began amount visits")
		if f := must[store.Field](t)(s.UpdateField(ctx, store.Actor{}, field(s, events, "visits").ID, store.FieldUpdate{SemanticType: ptr(ptr("type/PK"))})); f.Position != 1 {
			t.Errorf("what is a key now is %+v", f)
		}
		order("smart", "id visits title Began amount")
		by("custom") // nobody has put them anywhere
		order("custom", "visits title Began id amount")

		before := s.Graph().Revision()
		check(t, s.OrderFields(ctx, store.Actor{}, events, ids("amount id visits Began title")))
		check(t, s.OrderFields(ctx, store.Actor{}, events, ids("amount id visits Began title")))
		if s.Graph().Revision() != before+1 {
			t.Errorf("one order, twice, took %d revisions", s.Graph().Revision()-before)
		}
		order("custom", "amount id visits Began title")

		// The database has other columns, in another order.
		found.Fields = []store.SyncedField{column("new", "type/Text", ""), column("title", "type/Text", "type/Name"), column("amount", "type/Float", ""), column("id", "type/Integer", "type/PK"), column("also new", "type/Text", "")}
		sync()
		order("custom", "amount id title new also new")
		if f := field(s, events, "id"); f.DatabasePosition != 3 {
			t.Errorf("%+v", f)
		}
		unchanged := s.Graph()
		sync()
		if s.Graph() != unchanged {
			t.Error("the same sync made a revision")
		}
		by("database")
		order("database", "new title amount id also new")
		by("custom")
		order("custom", "amount id title new also new")

		// What was away while others were put in order is new when it comes back.
		check(t, s.OrderFields(ctx, store.Actor{}, events, append(ids("new title id amount"), s.Graph().Catalog().Fields(events)[4].ID)))
		found.Fields = append([]store.SyncedField{column("Began", "type/DateTime", "")}, found.Fields...)
		sync()
		order("custom", "new title id amount also new Began")

		all, stranger := ids("new title id amount Began"), field(s, table(t, s, d, "people").ID, "id").ID
		all = append(all, s.Graph().Catalog().Fields(events)[4].ID)
		unchanged = s.Graph()
		for name, wrong := range map[string][]catalog.FieldID{"too few": all[1:], "one twice": append(slices.Clone(all[1:]), all[1]), "one of another table": append(slices.Clone(all[1:]), stranger),
			"one too many": append(slices.Clone(all), stranger), "one that is nowhere": append(slices.Clone(all[1:]), 99999), "none": nil} {
			if err := s.OrderFields(ctx, store.Actor{}, events, wrong); err == nil {
				t.Errorf("%s: taken", name)
			} else {
				refused(t, err, "body", "value must be the ids of all fields of the table, each once.")
			}
		}
		if s.Graph() != unchanged {
			t.Error("what was refused made a revision")
		}
		if err := s.OrderFields(ctx, store.Actor{}, 99999, nil); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("no such table: %v", err)
		}
		if d := cmp.Diff(dumpCatalog(s.Graph().Catalog()), dumpCatalog(storetest.Open(t, c).Graph().Catalog())); d != "" {
			t.Errorf("loaded again, the catalog differs:\n%s", d)
		}
	})
}
