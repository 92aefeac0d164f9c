package api

import (
	"fmt"
	"slices"
	"testing"
)

// What has to do with a table is told as far as the person sees it: tables
// that one may not see and metrics in collections that one may not read are
// not there.
func TestWhatIsRelatedToATableIsWhatOneMaySee(t *testing.T) {
	t.Parallel()
	s := settledWorld(t)
	metric := func(name string, collection int64) {
		s.admin().post("/api/card", fields{"name": name, "type": "metric", "display": "scalar", "collection_id": collection, "visualization_settings": fields{},
			"dataset_query": fields{"database": s.Database, "type": "query", "query": fields{"source-table": s.Table, "aggregation": []any{[]any{"count"}}}}}).want(200)
	}
	metric("Number of products", s.Collection)
	metric("Number for the board", s.Closed)
	s.admin().post("/api/card", fields{"name": "Number of what the board chose", "type": "metric", "display": "scalar", "collection_id": s.Collection, "visualization_settings": fields{},
		"dataset_query": fields{"database": s.Database, "type": "query", "query": fields{"source-table": fmt.Sprint("card__", s.ClosedCard), "aggregation": []any{[]any{"count"}}}}}).want(200)
	related := func(who caller) map[string][]string {
		names := map[string][]string{}
		for part, list := range who.get(fmt.Sprint("/api/table/", s.Table, "/related")).want(200).object() {
			names[part] = []string{}
			for _, v := range list.([]any) {
				names[part] = append(names[part], v.(map[string]any)["name"].(string))
			}
			slices.Sort(names[part])
		}
		return names
	}
	expect := func(who caller, part string, want ...string) {
		t.Helper()
		if got := related(who)[part]; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", part, got, want)
		}
	}
	expect(s.admin(), "linked-from", "orders", "reviews")
	expect(s.admin(), "tables", "invoices", "organizations", "people")
	expect(s.admin(), "metrics", "Number for the board", "Number of products", "Number of what the board chose")

	expect(s.member(), "metrics", "Number of products")
	s.data(fields{"view-data": fields{"": fields{fmt.Sprint(s.Table): "unrestricted", fmt.Sprint(s.tableNamed("reviews")): "unrestricted", fmt.Sprint(s.tableNamed("people")): "unrestricted",
		fmt.Sprint(s.tableNamed("orders")): "blocked", fmt.Sprint(s.tableNamed("invoices")): "blocked", fmt.Sprint(s.tableNamed("organizations")): "blocked"}},
		"create-queries": "query-builder"})
	expect(s.member(), "linked-from", "reviews")
	expect(s.member(), "tables", "people")
}
