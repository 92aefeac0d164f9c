package api

import (
	"fmt"
	"slices"
	"testing"
)

// Everything that shows the fields of a table follows their order: lists, and
// the results of questions that name no columns.
func TestResultsFollowTheOrderOfFields(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s settled) {
		table, order := path("/api/table/%d", s.Table), path("/api/table/%d/fields/order", s.Table)
		listed := func() (ids []int64, names []string) {
			for i, f := range s.member().get(table + "/query_metadata").want(200).object()["fields"].([]any) {
				of := f.(map[string]any)
				if ids, names = append(ids, int64(of["id"].(float64))), append(names, of["name"].(string)); of["position"] != float64(i) {
					t.Errorf("%s is at %d, and says %v", of["name"], i, of["position"])
				}
			}
			return ids, names
		}
		result := func() (names []string) {
			ran := s.member().post("/api/dataset", s.question(s.tableNamed("products"))).want(202).ended("completed").object()
			for _, column := range ran["data"].(map[string]any)["cols"].([]any) {
				names = append(names, column.(map[string]any)["name"].(string))
			}
			return names
		}
		ids, names := listed()
		expect := func(by string, want []string) {
			t.Helper()
			_, now := listed()
			if ran := result(); !slices.Equal(now, want) || !slices.Equal(ran, want) {
				t.Errorf("by %s: %v, results %v, want %v", by, now, ran, want)
			}
			s.admin().get(table).want(200).keeps(fields{"field_order": by})
		}
		expect("database", names)
		slices.Reverse(ids)
		if got := s.admin().put(order, ids).want(200).object(); got["status"] != "success" {
			t.Errorf("%v", got)
		}
		reversed := slices.Clone(names)
		slices.Reverse(reversed)
		expect("custom", reversed)
		s.admin().put(table, fields{"field_order": "alphabetical"}).want(200).keeps(fields{"field_order": "alphabetical"})
		expect("alphabetical", slices.Sorted(slices.Values(names)))
		s.admin().put(table, fields{"field_order": "custom"}).want(200)
		expect("custom", reversed)
		s.admin().put(table, fields{"field_order": "database", "description": nil}).want(200)
		expect("database", names)

		// What is no order of this table is refused, and says of no other.
		const wrong = "value must be the ids of all fields of the table, each once."
		stranger := int64(s.fieldNamed("people", "email"))
		for _, sent := range []any{ids[1:], append(slices.Clone(ids[1:]), ids[1]), append(slices.Clone(ids[1:]), stranger), append(slices.Clone(ids[1:]), 99999), []int64{}} {
			s.admin().put(order, sent).wrong("body", wrong)
		}
		s.admin().put(order, fields{"order": ids}).wrong("body", "value must be an array.")
		s.admin().put(order, nil).wrong("body", "value must be an array.")
		s.admin().put(table, fields{"field_order": "random"}).wrong("field_order", "value must be one of database, alphabetical, smart, custom.")
		s.member().put(order, ids).forbidden()
		s.admin().put("/api/table/99999/fields/order", ids).text(404, "Not found.")
		expect("database", names)

		// Describing the table is enough.
		s.data(fields{"view-data": "unrestricted", "create-queries": "query-builder", "data-model": fields{"schemas": fields{"": fields{fmt.Sprint(s.Table): "all"}}}})
		s.member().put(order, ids).want(200)
		expect("custom", reversed)
	})
}
