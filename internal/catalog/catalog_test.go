package catalog_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"pgregory.net/rapid"
)

// TestTheIndexesSayWhatTheTablesSay: schemas, the tables in them, where an
// active table lies and the newest revision follow the tables through every
// change, in the old snapshots as in the new.
func TestTheIndexesSayWhatTheTablesSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &catalog.Snapshot{}
		plain := map[catalog.TableID]catalog.Table{}
		for d := range catalog.DatabaseID(2) {
			s = s.WithDatabase(catalog.Database{ID: d + 1})
		}
		old, was := s, ""
		for i := range rapid.IntRange(1, 30).Draw(t, "changes") {
			if i == 5 {
				old, was = s, describe(s)
			}
			tb := catalog.Table{
				ID:     catalog.TableID(rapid.IntRange(1, 12).Draw(t, "id")),
				Schema: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "schema"),
				Since:  catalog.Revision(rapid.IntRange(0, 9).Draw(t, "since")),
				Until:  catalog.Revision(rapid.IntRange(0, 1).Draw(t, "until")),
			}
			tb.Database = catalog.DatabaseID(tb.ID%2 + 1) // a table stays in its database
			s = s.WithTable(tb, []catalog.Field{{ID: catalog.FieldID(tb.ID)}})
			plain[tb.ID] = tb
			if rapid.IntRange(0, 9).Draw(t, "rename") == 0 {
				s = s.WithDatabase(catalog.Database{ID: tb.Database, Name: "other"})
			}
		}
		for d := range catalog.DatabaseID(3) {
			var schemas, all []string
			tables := map[string][]catalog.TableID{}
			newest, count := catalog.Revision(0), 0
			for id := range catalog.TableID(13) {
				tb, ok := plain[id]
				if !ok || tb.Database != d {
					continue
				}
				count++
				all = append(all, tb.Schema)
				newest = max(newest, tb.Since)
				tables[tb.Schema] = append(tables[tb.Schema], id)
				where := catalog.DatabaseID(0)
				if tb.Active() {
					schemas, where = append(schemas, tb.Schema), d
				}
				if s.DatabaseOf(id) != where {
					t.Fatalf("table %d lies in %d, want %d", id, s.DatabaseOf(id), where)
				}
			}
			slices.Sort(schemas)
			if got := s.Schemas(d); !slices.Equal(got, slices.Compact(schemas)) {
				t.Fatalf("schemas of %d: %q, want %q", d, got, schemas)
			}
			for _, name := range []string{"", "a", "b", "c"} {
				var got []catalog.TableID
				for tb := range s.TablesIn(d, name) {
					got = append(got, tb.ID)
				}
				if !slices.Equal(got, tables[name]) || s.HasSchema(d, name) != slices.Contains(all, name) {
					t.Fatalf("schema %q of %d: %v, want %v", name, d, got, tables[name])
				}
			}
			if s.Newest(d) < newest || s.TablesOf(d) != count {
				t.Fatalf("database %d: newest %d, %d tables; want %d, %d", d, s.Newest(d), s.TablesOf(d), newest, count)
			}
		}
		if was != "" && describe(old) != was {
			t.Fatalf("an old snapshot changed:\n%s\n%s", was, describe(old))
		}
		gone := s.WithoutDatabase(1)
		for id := range plain {
			if tb := s.Table(id); tb.Database == 1 && (gone.Table(id) != nil || gone.DatabaseOf(id) != 0) {
				t.Fatalf("table %d outlives its database", id)
			}
		}
	})
}

func describe(s *catalog.Snapshot) string {
	text := ""
	for d := range s.Databases() {
		text += fmt.Sprintln(*d, s.Schemas(d.ID), s.Newest(d.ID))
		for tb := range s.Tables(d.ID) {
			text += fmt.Sprintln(*tb, s.DatabaseOf(tb.ID))
		}
	}
	return text
}

// TestChangesNamesEveryDatabaseThatDiffers: and leaves the others alone.
func TestChangesNamesEveryDatabaseThatDiffers(t *testing.T) {
	a := &catalog.Snapshot{}
	for d := range catalog.DatabaseID(5) {
		a = a.WithDatabase(catalog.Database{ID: d + 1})
	}
	b := a.WithTable(catalog.Table{ID: 1, Database: 2}, nil).WithDatabase(catalog.Database{ID: 9}).WithoutDatabase(4)
	if got := slices.Collect(catalog.Changes(a, b)); !slices.Equal(got, []catalog.DatabaseID{2, 4, 9}) {
		t.Fatalf("changed: %v", got)
	}
	if got := slices.Collect(catalog.Changes(a, a)); len(got) > 0 {
		t.Fatalf("nothing changed, and %v is named", got)
	}
}
