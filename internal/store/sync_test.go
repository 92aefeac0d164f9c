package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// field returns the field of a table with the name, or nil.
func field(s *store.Store, table catalog.TableID, name string) *catalog.Field {
	for _, f := range s.Graph().Catalog().Fields(table) {
		if f.Name == name {
			return f
		}
	}
	return nil
}

func TestASyncMakesTheCatalogWhatItFound(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		ctx := t.Context()
		storetest.SetUp(t, s)
		d := shop(t, s)
		sync := func(tables []store.SyncedTable) {
			t.Helper()
			must[*permission.Graph](t)(s.ApplySync(ctx, store.Actor{}, d, tables))
		}
		orders, people := table(t, s, d, "orders"), table(t, s, d, "people")
		if orders.Schema != "main" || orders.DisplayName != "Orders" || orders.Since != s.Graph().Revision() {
			t.Errorf("got %+v", orders)
		}
		target := field(s, orders.ID, "person_id")
		if target.Target != field(s, people.ID, "id").ID || target.SemanticType != "type/FK" || target.DisplayName != "Person ID" || target.Position != 1 || target.DatabaseType != "INTEGER" {
			t.Errorf("the foreign key is %+v", target)
		}

		// Nothing new: no revision, the same catalog.
		before := s.Graph()
		sync(shopTables())
		if s.Graph() != before {
			t.Errorf("the same sync made revision %d of %d", s.Graph().Revision(), before.Revision())
		}

		// A table and a column go, a table comes, a type changes.
		found := shopTables()[1:]
		found[0].Fields = []store.SyncedField{{Name: "organization_id", DatabaseType: "BIGINT", BaseType: "type/BigInteger"}, {Name: "id", DatabaseType: "INTEGER", BaseType: "type/Integer", SemanticType: "type/PK"}}
		sync(append(found, store.SyncedTable{Schema: "other", Name: "orders", Description: "another", EntityType: "entity/Event"}))
		now := s.Graph()
		if now.Revision() != before.Revision()+1 {
			t.Errorf("the sync took %d revisions", now.Revision()-before.Revision())
		}
		if gone := now.Catalog().Table(people.ID); gone.Active() || gone.Until != now.Revision() || !gone.At(before.Revision()) {
			t.Errorf("the absent table is %+v", gone)
		}
		if same := now.Catalog().Table(orders.ID); !same.Active() || same.Since != orders.Since {
			t.Errorf("the table that stayed is %+v", same)
		}
		if f := field(s, orders.ID, "organization_id"); f.DatabaseType != "BIGINT" || f.BaseType != "type/BigInteger" || f.Position != 0 {
			t.Errorf("the altered field is %+v", f)
		}
		if f := field(s, orders.ID, "person_id"); f != nil {
			t.Errorf("the dropped field is %+v", f)
		}

		// Back again: the column is the same one, the table another.
		sync(shopTables())
		if f := field(s, orders.ID, "person_id"); f == nil || f.ID != target.ID {
			t.Errorf("the column came back as %+v, it was %d", f, target.ID)
		}
		back := table(t, s, d, "people")
		if back.ID == people.ID || back.Since != s.Graph().Revision() || s.Graph().Catalog().Table(people.ID).Active() {
			t.Errorf("the table came back as %+v, it was %+v", back, people)
		}
		if f := field(s, orders.ID, "person_id"); f.Target != field(s, back.ID, "id").ID {
			t.Errorf("the foreign key points to %d", f.Target)
		}
		if got := must[[]store.Table](t)(s.Tables(ctx, store.TableQuery{Database: d})); len(got) != 2 {
			t.Errorf("%d tables are listed", len(got))
		}
		if got := must[[]store.Table](t)(s.Tables(ctx, store.TableQuery{Database: d, Absent: true})); len(got) != 4 {
			t.Errorf("%d tables were ever there", len(got))
		}
		if d := cmp.Diff(dumpCatalog(s.Graph().Catalog()), dumpCatalog(storetest.Open(t, c).Graph().Catalog())); d != "" {
			t.Errorf("loaded again, the catalog differs:\n%s", d)
		}
		history := must[[]store.Revision](t)(s.Revisions(ctx, 0, 1))
		if !history[0].Catalog || history[0].Note != fmt.Sprintf("sync database %d: 1 new tables, 1 gone, 2 there", d) {
			t.Errorf("the history says %q", history[0].Note)
		}

		twice := shopTables()
		twice[0].Fields = append(twice[0].Fields, twice[0].Fields[0])
		refused(t, second(s.ApplySync(ctx, store.Actor{}, d, twice)), "", "field \"id\" of table \"people\" twice")
		refused(t, second(s.ApplySync(ctx, store.Actor{}, d, append(shopTables(), shopTables()[0]))), "", "table \"people\" of schema \"main\" twice")
		if err := second(s.ApplySync(ctx, store.Actor{}, 99, nil)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("synced nothing: %v", err)
		}
	})
}

func TestWhatPeopleWroteAboutTablesStays(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		ctx := t.Context()
		storetest.SetUp(t, s)
		d := shop(t, s)
		orders := table(t, s, d, "orders")
		organization := field(s, orders.ID, "organization_id")
		before := s.Graph().Revision()
		tb := must[store.Table](t)(s.UpdateTable(ctx, store.Actor{}, orders.ID, store.TableUpdate{VisibilityType: ptr(ptr("hidden")), Caveats: ptr(ptr("c")), PointsOfInterest: ptr(ptr("p"))}))
		if *tb.VisibilityType != "hidden" || *tb.Caveats != "c" || *tb.PointsOfInterest != "p" || s.Graph().Revision() != before {
			t.Errorf("got %+v at revision %d after %d", tb, s.Graph().Revision(), before)
		}
		tb = must[store.Table](t)(s.UpdateTable(ctx, store.Actor{}, orders.ID, store.TableUpdate{DisplayName: ptr("Sales"), Description: ptr(ptr("what was sold")), EntityType: ptr(ptr("entity/Sale")), Caveats: ptr[*string](nil)}))
		if tb.DisplayName != "Sales" || tb.Caveats != nil || s.Graph().Revision() != before+1 || s.Graph().Catalog().Table(orders.ID).Description != "what was sold" {
			t.Errorf("got %+v at revision %d after %d", tb, s.Graph().Revision(), before)
		}
		people := field(s, table(t, s, d, "people").ID, "id").ID
		f := must[store.Field](t)(s.UpdateField(ctx, store.Actor{}, organization.ID, store.FieldUpdate{DisplayName: ptr("Tenant"), Description: ptr(ptr("whose")), SemanticType: ptr(ptr("type/FK")),
			Target: ptr(&people), VisibilityType: ptr("details-only"), HasFieldValues: ptr(ptr("list"))}))
		if f.DisplayName != "Tenant" || f.Target != people || f.VisibilityType != "details-only" || *f.HasFieldValues != "list" {
			t.Errorf("got %+v", f)
		}
		found := shopTables()
		found[1].Description = "from the database"
		must[*permission.Graph](t)(s.ApplySync(ctx, store.Actor{}, d, found))
		again := storetest.Open(t, c)
		for _, s := range []*store.Store{s, again} {
			if tb := s.Graph().Catalog().Table(orders.ID); tb.DisplayName != "Sales" || tb.Description != "what was sold" || tb.EntityType != "entity/Sale" {
				t.Errorf("after a sync the table is %+v", tb)
			}
			f := s.Graph().Catalog().Field(organization.ID)
			if f.DisplayName != "Tenant" || f.Description != "whose" || f.SemanticType != "type/FK" || f.Target != people {
				t.Errorf("after a sync the field is %+v", f)
			}
		}
		fields := must[[]store.Field](t)(s.Fields(ctx, []catalog.TableID{orders.ID}))
		if len(fields) != 3 || fields[0].Name != "id" || fields[2].DisplayName != "Tenant" || fields[0].VisibilityType != "normal" {
			t.Errorf("the fields are %+v", fields)
		}
		if d := cmp.Diff(must[store.Field](t)(s.Field(ctx, organization.ID)), fields[2]); d != "" {
			t.Error(d)
		}
		if got := must[store.Table](t)(s.Table(ctx, orders.ID)); got.DisplayName != "Sales" || *got.VisibilityType != "hidden" {
			t.Errorf("got %+v", got)
		}
		f = must[store.Field](t)(s.UpdateField(ctx, store.Actor{}, organization.ID, store.FieldUpdate{SemanticType: ptr[*string](nil), Target: ptr[*catalog.FieldID](nil)}))
		if f.SemanticType != "" || f.Target != 0 {
			t.Errorf("got %+v", f)
		}
		refused(t, second(s.UpdateTable(ctx, store.Actor{}, orders.ID, store.TableUpdate{DisplayName: ptr("")})), "display_name", "non-blank")
		refused(t, second(s.UpdateField(ctx, store.Actor{}, organization.ID, store.FieldUpdate{DisplayName: ptr("")})), "display_name", "non-blank")
		refused(t, second(s.UpdateField(ctx, store.Actor{}, organization.ID, store.FieldUpdate{Target: ptr(ptr(catalog.FieldID(99)))})), "fk_target_field_id", "no field 99")
		for _, err := range []error{second(s.Table(ctx, 99)), second(s.Field(ctx, 99)), second(s.UpdateTable(ctx, store.Actor{}, 99, store.TableUpdate{})), second(s.UpdateField(ctx, store.Actor{}, 99, store.FieldUpdate{}))} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("want ErrNotFound, got %v", err)
			}
		}
	})
}

func TestATableInPlaceOfAGovernedOneIsBornGovernedAndPending(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		storetest.SetUp(t, s)
		d := shop(t, s)
		g := storetest.Group(t, s, "Tenant")
		u := must[store.User](t)(s.CreateUser(ctx, store.Actor{}, store.NewUser{Email: "bo@example.com", Active: true, Groups: []permission.GroupID{g.ID}, LoginAttributes: map[string]string{"org": "7"}}))
		must[*permission.Graph](t)(s.Change(ctx, store.Actor{}, func(now *permission.Graph) ([]permission.Change, store.Bump, error) {
			draft := now.Draft()
			check(t, draft.Grant(g.ID, d, permission.WholeDatabase()))
			check(t, draft.Set(g.ID, d, permission.View, permission.OneTable(table(t, s, d, "orders").ID), permission.Sandboxed))
			changes, _ := draft.Changes()
			return changes, store.Bump{Data: true}, nil
		}))
		old := table(t, s, d, "orders").ID
		if !s.Graph().Mark(old).Governed {
			t.Fatal("a sandboxed table is not governed")
		}
		must[*permission.Graph](t)(s.ApplySync(ctx, store.Actor{}, d, shopTables()[:1]))
		must[*permission.Graph](t)(s.ApplySync(ctx, store.Actor{}, d, append(shopTables(), store.SyncedTable{Schema: "main", Name: "notes"})))
		reborn, fresh := table(t, s, d, "orders"), table(t, s, d, "notes")
		if reborn.ID == old || !s.Graph().Mark(reborn.ID).Governed || s.Graph().Mark(fresh.ID).Governed {
			t.Errorf("reborn %d with %+v, fresh with %+v", reborn.ID, s.Graph().Mark(reborn.ID), s.Graph().Mark(fresh.ID))
		}
		access := s.Graph().AccessOf(u.ID)
		for _, right := range []permission.Right{permission.SeeTable, permission.QueryTable, permission.ShowTable} {
			if access.Can(right, permission.ATable(reborn.ID)) {
				t.Errorf("the group may %s on the reborn table", right)
			}
		}
		if access.Can(permission.QueryTable, permission.ATable(fresh.ID)) {
			t.Error("the group may query a table that came after its grant beside a sandbox")
		}
	})
}

func TestASandboxOnADroppedColumnStaysAndStandsInTheWayOfNoStart(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		storetest.SetUp(t, s)
		d := shop(t, s)
		g := storetest.Group(t, s, "Tenant")
		orders := table(t, s, d, "orders").ID
		organization := field(s, orders, "organization_id").ID
		change(t, s, permission.SetSandbox{To: &permission.Sandbox{Group: g.ID, Table: orders, Policy: permission.Policy{Where: []permission.AttributeEquality{{Field: organization, Attribute: "org"}}}, At: 1}})
		found := shopTables()
		found[1].Fields = found[1].Fields[:2]
		must[*permission.Graph](t)(s.ApplySync(t.Context(), store.Actor{}, d, found))
		again := storetest.Open(t, c)
		if b := again.Graph().Sandbox(g.ID, orders); b == nil || b.Where[0].Field != organization {
			t.Errorf("the sandbox is %+v", b)
		}
		if again.Graph().Catalog().Field(organization) != nil {
			t.Error("the column is still in the catalog")
		}
	})
}

// A column that was away may hold something else when it comes back.
func TestAColumnThatComesBackIsHiddenUntilSomebodyDecides(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		storetest.SetUp(t, s)
		d := shop(t, s)
		g := storetest.Group(t, s, "Tenant")
		orders := table(t, s, d, "orders").ID
		fields := s.Graph().Catalog().Fields(orders)
		policy := permission.Policy{AllRows: true}
		for _, f := range fields {
			policy.Columns = append(policy.Columns, permission.ColumnRule{Field: f.ID})
		}
		change(t, s, permission.SetSandbox{To: &permission.Sandbox{Group: g.ID, Table: orders, Policy: policy, At: 1}})
		less := shopTables()
		less[1].Fields = less[1].Fields[:2]
		must[*permission.Graph](t)(s.ApplySync(t.Context(), store.Actor{}, d, less))
		if b := s.Graph().Sandbox(g.ID, orders); len(b.Columns) != len(fields) {
			t.Errorf("while it is away the policy has %d columns", len(b.Columns))
		}
		must[*permission.Graph](t)(s.ApplySync(t.Context(), store.Actor{}, d, shopTables()))
		for _, s := range []*store.Store{s, storetest.Open(t, c)} {
			b := s.Graph().Sandbox(g.ID, orders)
			if len(b.Columns) != 2 || b.Columns[0].Field != fields[0].ID || b.Columns[1].Field != fields[1].ID {
				t.Errorf("the policy has the columns %v of %d", b.Columns, len(fields))
			}
		}
		must[*permission.Graph](t)(s.ApplySync(t.Context(), store.Actor{}, d, shopTables()))
	})
}

func TestALargeSyncFits(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		storetest.SetUp(t, s)
		d := must[store.Database](t)(s.CreateDatabase(t.Context(), store.Actor{}, store.Database{Name: "Large", Engine: "postgres"}))
		var found []store.SyncedTable
		for i := range 150 {
			tb := store.SyncedTable{Schema: "public", Name: fmt.Sprintf("table_%d", i)}
			for j := range 20 {
				tb.Fields = append(tb.Fields, store.SyncedField{Name: fmt.Sprintf("field_%d", j), BaseType: "type/Text"})
			}
			found = append(found, tb)
		}
		before := s.Statements()
		must[*permission.Graph](t)(s.ApplySync(t.Context(), store.Actor{}, d.ID, found))
		if n := s.Statements() - before; n > 60 {
			t.Errorf("a first sync of 150 tables took %d statements", n)
		}
		if n := rows(t, raw(t, c), "fields"); n != 3000 {
			t.Errorf("there are %d fields", n)
		}
		if n := len(s.Graph().Catalog().Fields(table(t, s, d.ID, "table_149").ID)); n != 20 {
			t.Errorf("the last table has %d fields", n)
		}
	})
}

func TestADatabaseComesAndGoesWithWhatIsWrittenAboutIt(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := storetest.Open(t, c)
		ctx := t.Context()
		storetest.SetUp(t, s)
		before := s.Graph().Revision()
		want := store.Database{Name: "Warehouse", Engine: "postgres", Details: json.RawMessage(`{"host": "h"}`), Sample: true, Strict: true, Description: ptr("d"), Caveats: ptr("c"),
			PointsOfInterest: ptr("p"), CacheTTL: ptr(5), Timezone: ptr("UTC"), Settings: json.RawMessage(`{"a":"b"}`), Schedules: json.RawMessage(`{}`), FullSync: true, OnDemand: true,
			AutoRunQueries: true, Refingerprint: ptr(false), SyncStatus: "complete"}
		made := must[store.Database](t)(s.CreateDatabase(ctx, store.Actor{User: 1}, want))
		if d := cmp.Diff(must[store.Database](t)(s.Database(ctx, made.ID)), made); d != "" {
			t.Error(d)
		}
		want.ID, want.Creator, want.CreatedAt, want.UpdatedAt = made.ID, 1, made.CreatedAt, made.UpdatedAt
		if d := cmp.Diff(want, made); d != "" {
			t.Error(d)
		}
		d := made.ID
		if s.Graph().Revision() != before+1 || !s.Graph().Strict(d) || s.Graph().Catalog().Database(d).Engine != "postgres" || !s.Graph().Catalog().Database(d).Sample {
			t.Errorf("the catalog has %+v", s.Graph().Catalog().Database(d))
		}
		for g := range s.Graph().Groups() {
			if s.Graph().Cell(g.ID, d, permission.View, permission.WholeDatabase()).Set {
				t.Errorf("group %d has something on the new database", g.ID)
			}
		}
		// What is not the catalog's takes no revision; a new name does.
		made = must[store.Database](t)(s.UpdateDatabase(ctx, store.Actor{}, made, store.DatabaseUpdate{CacheTTL: ptr((*int)(nil)), Details: json.RawMessage(`{"host":"other"}`)}))
		if made.CacheTTL != nil || string(made.Details) != `{"host":"other"}` || s.Graph().Revision() != before+1 {
			t.Errorf("got %+v at revision %d", made, s.Graph().Revision())
		}
		made = must[store.Database](t)(s.UpdateDatabase(ctx, store.Actor{}, made, store.DatabaseUpdate{Name: ptr("Renamed")}))
		if !made.Strict || !made.Sample || s.Graph().Revision() != before+2 || s.Graph().Catalog().Database(d).Name != "Renamed" {
			t.Errorf("got %+v at revision %d", made, s.Graph().Revision())
		}
		check(t, s.SetSyncStatus(ctx, d, "aborted"))
		if got := must[[]store.Database](t)(s.Databases(ctx)); len(got) != 1 || got[0].SyncStatus != "aborted" {
			t.Errorf("got %+v", got)
		}

		must[*permission.Graph](t)(s.ApplySync(ctx, store.Actor{}, d, shopTables()))
		g := storetest.Group(t, s, "Tenant")
		orders := table(t, s, d, "orders").ID
		give(t, s, g.ID, d, permission.Download, permission.Full)
		card := must[store.Card](t)(s.CreateCard(ctx, store.Actor{User: 1}, store.Card{Name: "card", Database: &d, Table: &orders, DatasetQuery: json.RawMessage(`{"database":1}`)}))
		change(t, s,
			permission.SetDataAccess{Group: g.ID, Database: d, Kind: permission.View, Scope: permission.OneTable(orders), To: permission.Cell{Set: true, Level: permission.Sandboxed, At: 1}},
			permission.SetSandbox{To: &permission.Sandbox{Group: g.ID, Table: orders, At: 1}},
			permission.SetTableMark{Table: orders, To: permission.TableMark{Governed: true}})
		last := s.Graph()
		check(t, s.DeleteDatabase(ctx, store.Actor{User: 1}, d))
		if s.Graph().Revision() != last.Revision()+1 || s.Graph().Catalog().Database(d) != nil || s.Graph().Catalog().Table(orders) != nil {
			t.Errorf("after the deletion:\n%s%s", dump(s.Graph()), dumpCatalog(s.Graph().Catalog()))
		}
		db := raw(t, c)
		for _, tb := range []string{"databases", "tables", "fields", "data_grants", "sandboxes", "table_marks"} {
			if n := rows(t, db, tb); n != 0 {
				t.Errorf("%s still has %d rows", tb, n)
			}
		}
		if got := must[store.Card](t)(s.Card(ctx, card.ID)); got.Database != nil || got.Table != nil || string(got.DatasetQuery) != `{"database":1}` {
			t.Errorf("the question is %+v", got)
		}
		back, err := s.GraphAt(ctx, last.Revision())
		check(t, err)
		if changes := permission.Diff(last, back); len(changes) > 0 {
			t.Errorf("undone, the deletion differs by %v", changes)
		}
		if again := must[store.Database](t)(s.CreateDatabase(ctx, store.Actor{}, store.Database{Name: "x", Engine: "sqlite"})); again.ID == d || string(again.Details) != "{}" || again.SyncStatus != "incomplete" {
			t.Errorf("got %+v", again)
		}
		refused(t, second(s.CreateDatabase(ctx, store.Actor{}, store.Database{Engine: "sqlite"})), "name", "non-blank")
		refused(t, second(s.CreateDatabase(ctx, store.Actor{}, store.Database{Name: "x"})), "engine", "non-blank")
		for _, err := range []error{second(s.Database(ctx, d)), s.DeleteDatabase(ctx, store.Actor{}, d), second(s.UpdateDatabase(ctx, store.Actor{}, made, store.DatabaseUpdate{})), s.SetSyncStatus(ctx, d, "complete")} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("want ErrNotFound, got %v", err)
			}
		}
	})
}
