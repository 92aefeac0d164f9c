package store_test

import (
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// A row that is not there any more, or says something else, may have been a
// restriction; nothing points to it, and what is left is in order.
func TestALostOrAlteredRowStopsTheStart(t *testing.T) {
	cases := []struct{ name, harm, mend string }{
		{"level lost", "delete from data_grants where kind = 'create-queries'", ""},
		{"level altered", "update data_grants set level = 'query-builder-and-native' where kind = 'create-queries'", ""},
		{"level of another group", "update data_grants set group_id = 4 where level = 'blocked'", ""},
		{"level older than it is", "update data_grants set revision = revision - 1 where level = 'blocked'", ""},
		{"attribute of a role lost", "update data_grants set attribute = ''", ""},
		{"attribute of a role altered", "update data_grants set attribute = 'post' where level = 'impersonated'", ""},
		{"block lost", "delete from data_grants where level = 'blocked'", ""},
		{"policy lost", "delete from sandboxes", ""},
		{"policy altered", "update sandboxes set policy = replace(policy, 'org', 'team')", ""},
		{"mark lost", "delete from table_marks", ""},
		{"mark altered", "update table_marks set shared = true", ""},
		{"strictness lost", "update databases set strict = false", "update databases set strict = true"},
		{"membership lost", "delete from memberships where group_id = 3", ""},
		{"membership added", "insert into memberships (user_id, group_id) select id, 4 from users where active", ""},
		{"active again", "update users set active = true where email = 'gone@example.com'", "update users set active = false where email = 'gone@example.com'"},
		{"attributes lost", "update users set login_attributes = null where id = 2", `update users set login_attributes = '{"org":"1"}' where id = 2`},
		{"group internal", "update groups set internal = true where id = 3", "update groups set internal = false where id = 3"},
		{"collection level lost", "delete from collection_grants", ""},
		{"collection with another name", "update collections set name = 'Board' where name = 'Reports'", "update collections set name = 'Reports' where name = 'Board'"},
		{"nothing of a kind is left", "delete from sandboxes; delete from table_marks; delete from collection_grants", ""},
	}
	kept := []string{"data_grants", "sandboxes", "table_marks", "memberships", "collection_grants"}
	storetest.EachConfig(t, func(t *testing.T, config store.Config) {
		s := must[*store.Store](t)(store.Open(t.Context(), config))
		storetest.SetUp(t, s)
		d := shop(t, s)
		three := storetest.Group(t, s, "Three")
		storetest.Group(t, s, "Four")
		five := storetest.Group(t, s, "Five")
		ann, gone := storetest.Person(t, s, "ann", three), storetest.Person(t, s, "gone", three)
		was := s.Graph().User(ann.ID)
		change(t, s, permission.SetUser{From: was, To: &permission.User{ID: was.ID, Name: was.Name, Active: true, Attributes: map[string]string{"org": "1"}}})
		check(t, s.DeactivateUser(t.Context(), store.Actor{}, gone.ID))
		give(t, s, 1, d, permission.View, permission.Unrestricted)
		give(t, s, 1, d, permission.Create, permission.QueryBuilder)
		give(t, s, three.ID, d, permission.View, permission.Blocked)
		change(t, s, permission.SetDataAccess{Group: five.ID, Database: d, Kind: permission.View, To: permission.Cell{Set: true, Level: permission.Impersonated, Attribute: "role", At: 1}})
		orders := table(t, s, d, "orders")
		reports := must[store.Collection](t)(s.CreateCollection(t.Context(), store.Actor{}, store.NewCollection{Name: "Reports"}))
		change(t, s, permission.SetSandbox{To: &permission.Sandbox{Group: three.ID, Table: orders.ID, Policy: permission.Policy{Where: []permission.AttributeEquality{{Field: s.Graph().Catalog().Fields(orders.ID)[2].ID, Attribute: "org"}}}}},
			permission.SetTableMark{Table: orders.ID, To: permission.TableMark{Governed: true}}, permission.SetStrict{Database: d, To: true},
			permission.SetCollectionAccess{Group: 1, Collection: reports.ID, To: permission.Cell{Set: true, Level: permission.Read, At: 1}})
		want := dump(s.Graph())
		check(t, s.Close())
		db := raw(t, config)
		run := func(t *testing.T, statements string) {
			t.Helper()
			for statement := range strings.SplitSeq(statements, "; ") {
				_, err := db.Exec(statement)
				check(t, err)
			}
		}
		for _, name := range kept {
			run(t, "create table kept_"+name+" as select * from "+name)
		}
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				run(t, c.harm)
				s, err := store.Open(t.Context(), config)
				if err == nil {
					s.Close()
					t.Error("the store opened")
				} else if !strings.Contains(err.Error(), "rows are missing, were added or differ from what revision") || !strings.Contains(err.Error(), "Restore a backup") {
					t.Errorf("the error says %v", err)
				}
				for _, name := range kept {
					run(t, "delete from "+name+"; insert into "+name+" select * from kept_"+name)
				}
				if c.mend != "" {
					run(t, c.mend)
				}
			})
		}
		s = must[*store.Store](t)(store.Open(t.Context(), config))
		if got := dump(s.Graph()); got != want {
			t.Errorf("mended, the state is\n%s\nand not\n%s", got, want)
		}
		check(t, s.Close())

		// A Sluice without digests wrote last: the state is taken as it is, once.
		run(t, "delete from sandboxes; update head set digested = 0")
		check(t, must[*store.Store](t)(store.Open(t.Context(), config)).Close())
		run(t, "delete from collection_grants")
		if s, err := store.Open(t.Context(), config); err == nil {
			s.Close()
			t.Error("what was taken as it is was not noted")
		}
	})
}
