package api

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// resultOf is a result as clients read it.
type resultOf struct {
	Status    string
	Error     string
	ErrorType string `json:"error_type"`
	RowCount  int    `json:"row_count"`
	Data      struct {
		Rows      [][]any
		Cols      []struct{ Name string }
		Truncated int                `json:"rows_truncated"`
		Native    map[string]any     `json:"native_form"`
		Sandboxed bool               `json:"is_sandboxed"`
		Filtered  []dataset.Filtered `json:"filtered_for_you"`
	}
}

func (r reply) result() resultOf {
	r.t.Helper()
	var v resultOf
	r.want(http.StatusAccepted).into(&v)
	return v
}

func TestAResultHasWhatClientsRead(t *testing.T) {
	s := settledWorld(t)
	question := s.question(s.tableNamed("products"), fields{"limit": 3})
	dashcard := path("/api/dashboard/%d/dashcard/%d/card/%d/query", s.Dashboard, s.Dashcard, s.Card)
	for _, ask := range []struct {
		address, context string
		body             any
	}{
		{"/api/dataset", "ad-hoc", question},
		{"/api/dataset/", "ad-hoc", question},
		{path("/api/card/%d/query", s.Card), "question", nil},
		{path("/api/card/%d/query", s.Card), "question", fields{"parameters": []any{}, "ignore_cache": false}},
		{dashcard, "dashboard", fields{"parameters": []any{}}},
	} {
		r := s.member().post(ask.address, ask.body).want(http.StatusAccepted)
		got := r.object()
		hasKinds(t, "result", got, map[string]string{"status": "string", "row_count": "int", "data": "object", "database_id": "int", "started_at": "string",
			"running_time": "int", "json_query": "object", "average_execution_time": "null", "context": "string"})
		data := got["data"].(map[string]any)
		hasKinds(t, "data", data, map[string]string{"rows": "array", "cols": "array", "results_metadata": "object"})
		if got["status"] != "completed" || got["row_count"] != 3.0 || got["context"] != ask.context || data["native_form"] != nil {
			t.Errorf("%s: %.400s", ask.address, r.body)
		}
		if diff := cmp.Diff(plainJSON(t, question), got["json_query"]); diff != "" {
			t.Errorf("%s: json_query: %s", ask.address, diff)
		}
		cols := data["cols"].([]any)
		hasKinds(t, "column", cols[0].(map[string]any), map[string]string{"name": "string", "display_name": "string", "base_type": "string", "semantic_type": "null|string"})
		for _, row := range data["rows"].([]any) {
			if len(row.([]any)) != len(cols) {
				t.Errorf("%s: a row of %d values under %d columns", ask.address, len(row.([]any)), len(cols))
			}
		}
	}
}

func TestValuesAreWrittenAsTheyAre(t *testing.T) {
	s := settledWorld(t)
	r := s.admin().post("/api/dataset", s.sql(`select null as a, '<é>&"' as b, 1.5 as c, 9007199254740993 as d, 9e999 as e, '' as f`)).want(202)
	if want := `"rows":[[null,"<é>&\"",1.5,9007199254740993,null,""]]`; !strings.Contains(string(r.body), want) {
		t.Errorf("no %s in %s", want, r.body)
	}
}

// The seeds' matrix and reference 7.11, 7.14, 7.15, 7.19 as permissions.md has
// them: what one may not ask fails in the words of what does not exist.
func TestAQuestionThatOneMayNotAskFailsLikeOneAboutNothing(t *testing.T) {
	s := settledWorld(t)
	products := s.question(s.tableNamed("products"))
	onTop := func(card any) fields {
		return fields{"database": s.Database, "type": "query", "query": fields{"source-table": card}}
	}
	refused := func(who caller, question any) resultOf {
		t.Helper()
		got := who.post("/api/dataset", question).result()
		if got.Status != "failed" || got.ErrorType != "missing-required-permissions" || got.RowCount != 0 || len(got.Data.Rows) != 0 || len(got.Data.Cols) != 0 {
			t.Errorf("%v: %+v", question, got)
		}
		return got
	}
	s.member().post("/api/dataset", products).want(202).ended("completed")
	refused(s.member(), s.sql("select 1"))
	refused(s.outsider(), products)
	if a, b := refused(s.member(), onTop(path("card__%d", s.ClosedCard))), refused(s.member(), onTop("card__99999")); a.Error != b.Error {
		t.Errorf("a hidden question fails with %q, a missing one with %q", a.Error, b.Error)
	}
	if a, b := refused(s.outsider(), products), refused(s.outsider(), s.question(99999)); a.Error != b.Error {
		t.Errorf("a hidden table fails with %q, a missing one with %q", a.Error, b.Error)
	}
	if a, b := refused(s.outsider(), products), refused(s.outsider(), fields{"database": 99999, "type": "query", "query": fields{"source-table": s.Table}}); a.Error != b.Error {
		t.Errorf("a hidden database fails with %q, a missing one with %q", a.Error, b.Error)
	}
	s.member().post(path("/api/card/%d/query", s.ClosedCard), nil).forbidden()

	// No data access, the collection readable: the saved chart shows, nothing
	// further.
	s.data(nothing)
	s.member().post(path("/api/card/%d/query", s.Card), nil).want(202).ended("completed")
	refused(s.member(), products)
	refused(s.member(), onTop(path("card__%d", s.Card)))
	s.member().get(path("/api/table/%d", s.Table)).forbidden()

	// Native for those who have it.
	s.data(fields{"view-data": "unrestricted", "create-queries": "query-builder-and-native"})
	got := s.member().post("/api/dataset", s.sql("select count(*) as n from products")).result()
	if got.Status != "completed" || len(got.Data.Rows) != 1 || got.Data.Native == nil {
		t.Errorf("native: %+v", got)
	}
	if got := s.member().post("/api/dataset", products).result(); got.Data.Native["query"] == "" {
		t.Errorf("who may write SQL is not shown it: %+v", got.Data.Native)
	}
}

func TestAFailedQuestionSaysWhatWasWrong(t *testing.T) {
	s := settledWorld(t)
	wrong := s.question(s.tableNamed("products"), fields{"filter": []any{"nonsense", 1}})
	r := s.member().post("/api/dataset", wrong)
	got := r.result()
	if got.Status != "failed" || got.ErrorType != "invalid-query" || !strings.Contains(got.Error, "filter") {
		t.Errorf("%+v", got)
	}
	hasKinds(t, "failed result", r.object(), map[string]string{"database_id": "int", "started_at": "string", "json_query": "object", "status": "string",
		"error": "string", "row_count": "int", "running_time": "int", "context": "string", "data": "object"})
	if got := s.admin().post("/api/dataset", s.sql("selekt 1")).result(); got.Status != "failed" || got.Error == "" {
		t.Errorf("%+v", got)
	}
	// What failed before anything was sent is answered as if it had failed at once.
	late := s.admin().post("/api/dataset", s.sql("select case when id > 5 then abs(-9223372036854775807 - 1) else id end as n from products order by id")).result()
	if late.Status != "failed" || late.RowCount != 0 || len(late.Data.Rows) != 0 || len(late.Data.Cols) != 0 {
		t.Errorf("%+v", late)
	}
	if got := s.admin().post("/api/dataset", s.sql("select 1; drop table products")).result(); got.Status != "failed" {
		t.Errorf("%+v", got)
	}
	for _, body := range []any{"", "[]", `"x"`, `{"database":{}}`, `{"database":1,"type":["query"]}`, `{"database":1,"type":"query","query":"select"}`} {
		s.admin().post("/api/dataset", body).want(400)
	}
}

func TestRowLimitsHoldAndCanBeLowered(t *testing.T) {
	s := settledWorld(t)
	orders := s.question(s.tableNamed("orders"))
	if got := s.member().post("/api/dataset", orders).result(); got.RowCount != 2000 || len(got.Data.Rows) != 2000 || got.Data.Truncated != 2000 {
		t.Errorf("%d rows, row_count %d, truncated %d", len(got.Data.Rows), got.RowCount, got.Data.Truncated)
	}
	orders["constraints"] = fields{"max-results": 10, "max-results-bare-rows": 5}
	if got := s.member().post("/api/dataset", orders).result(); got.RowCount != 5 || got.Data.Truncated != 5 {
		t.Errorf("row_count %d, truncated %d", got.RowCount, got.Data.Truncated)
	}
	orders["constraints"] = fields{"max-results": 1000000, "max-results-bare-rows": -1}
	if got := s.member().post("/api/dataset", orders).result(); got.RowCount != 2000 {
		t.Errorf("row_count %d", got.RowCount)
	}
}

// onFirstByte does something when the first byte of an answer is sent.
type onFirstByte struct {
	*httptest.ResponseRecorder
	do func()
}

func (w *onFirstByte) Write(b []byte) (int, error) {
	if w.do != nil {
		w.do()
		w.do = nil
	}
	return w.ResponseRecorder.Write(b)
}

// A result is sent while it comes. When it fails half way, what was sent ends
// as JSON that says so.
func TestAResultThatFailsHalfWaySaysSoAtItsEnd(t *testing.T) {
	s := settledWorld(t)
	body, err := json.Marshal(s.question(s.tableNamed("orders")))
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest("POST", "http://sluice.test/api/dataset", strings.NewReader(string(body)))
	req.Header.Set(sessionHeader, s.MemberSession)
	rec := httptest.NewRecorder()
	s.api.Handler().ServeHTTP(&onFirstByte{rec, func() { s.data(nothing) }}, req)
	var got resultOf
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatalf("the answer is not JSON: %v", err)
	}
	if rec.Code != http.StatusAccepted || got.Status != "failed" || got.Error == "" || got.RowCount != len(got.Data.Rows) || got.RowCount == 0 || got.RowCount >= 2000 {
		t.Errorf("status %d %q, error %q, row_count %d, %d rows", rec.Code, got.Status, got.Error, got.RowCount, len(got.Data.Rows))
	}
}

func TestASandboxedResultSaysSo(t *testing.T) {
	s := settledWorld(t)
	s.admin().put(path("/api/user/%d", s.Member), fields{"login_attributes": fields{"org": "2"}}).want(200)
	orders, organization := s.tableNamed("orders"), s.fieldNamed("orders", "organization_id")
	_, err := s.store.Change(t.Context(), store.Actor{User: permission.UserID(s.Admin)}, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		group, at := permission.GroupID(s.Group), g.Revision()+1
		return []permission.Change{
			permission.SetTableMark{Table: orders, To: permission.TableMark{Governed: true}},
			permission.SetDataAccess{Group: group, Database: catalog.DatabaseID(s.Database), Kind: permission.View, Scope: permission.OneTable(orders),
				To: permission.Cell{Set: true, Level: permission.Sandboxed, At: at}},
			permission.SetSandbox{To: &permission.Sandbox{Group: group, Table: orders, At: at, Policy: permission.Policy{Where: []permission.AttributeEquality{{Field: organization, Attribute: "org"}}}}},
		}, store.Bump{Data: true}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	count := s.question(orders, fields{"aggregation": []any{[]any{"count"}}, "breakout": []any{[]any{"field", organization, nil}}})
	got := s.member().post("/api/dataset", count).result()
	if f := got.Data.Filtered; len(f) != 1 || f[0].Table != orders || !slices.Equal(f[0].Hidden, []string{"rows"}) {
		t.Errorf("it was filtered by %+v", f)
	}
	if got.Status != "completed" || !got.Data.Sandboxed || len(got.Data.Rows) != 1 || got.Data.Rows[0][0] != 2.0 {
		t.Errorf("%+v", got)
	}
	if all := s.admin().post("/api/dataset", count).result(); all.Data.Sandboxed || all.Data.Filtered != nil || len(all.Data.Rows) < 2 {
		t.Errorf("the administrator's: %+v", all)
	}
}

func TestExportsAreFilesAndNeedTheDownloadLevel(t *testing.T) {
	s := settledWorld(t)
	question := s.question(s.tableNamed("products"), fields{"limit": 2, "fields": []any{[]any{"field", s.fieldNamed("products", "id"), nil}, []any{"field", s.fieldNamed("products", "title"), nil}}})
	text := unescaped(t, question)
	card := s.admin().post("/api/card", s.newCard(s.Collection, question)).id()
	s.admin().put(path("/api/dashboard/%d", s.Dashboard), fields{"dashcards": []any{placeOf(s.Dashcard, card)}}).want(200)
	form := func(address string, values url.Values) reply {
		c := s.member()
		c.header = c.header.Clone()
		c.header.Set("Content-Type", "application/x-www-form-urlencoded")
		return c.send("POST", address, values.Encode())
	}
	exports := map[string]func(format string) reply{
		"form": func(f string) reply {
			return form("/api/dataset/"+f, url.Values{"query": {text}, "format_rows": {"false"}})
		},
		"body": func(f string) reply { return s.member().post("/api/dataset/"+f, fields{"query": question}) },
		"text": func(f string) reply { return s.member().post("/api/dataset/"+f, fields{"query": text}) },
		"card": func(f string) reply { return s.member().post(path("/api/card/%d/query/%s", card, f), nil) },
		"card form": func(f string) reply {
			return form(path("/api/card/%d/query/%s", card, f), url.Values{"parameters": {"null"}, "pivot_results": {"false"}})
		},
		"dashcard": func(f string) reply {
			return s.member().post(path("/api/dashboard/%d/dashcard/%d/card/%d/query/%s", s.Dashboard, s.Dashcard, card, f), fields{"parameters": []any{}})
		},
	}
	s.data(fields{"download": fields{"schemas": "none"}})
	for name, export := range exports {
		for _, format := range []string{"csv", "json", "xlsx"} {
			export(format).text(http.StatusForbidden, "You do not have permissions to download the results of this query.")
		}
		export("exe").text(http.StatusNotFound, "API endpoint does not exist.")
		if t.Failed() {
			t.Fatal("by ", name)
		}
	}
	s.data(fields{"download": fields{"schemas": "full"}})
	for name, export := range exports {
		r := export("csv").want(200)
		rows, err := csv.NewReader(strings.NewReader(string(r.body))).ReadAll()
		if err != nil || len(rows) != 3 || rows[0][0] != "ID" || rows[0][1] != "Title" || !strings.HasPrefix(r.header.Get("Content-Type"), "text/csv") ||
			!strings.HasPrefix(r.header.Get("Content-Disposition"), "attachment; filename=") {
			t.Errorf("%s: %v %v %q", name, err, r.header, r.body)
		}
		var objects []map[string]any
		if r := export("json").want(200); json.Unmarshal(r.body, &objects) != nil || len(objects) != 2 || objects[0]["ID"] == nil || objects[0]["Title"] == nil {
			t.Errorf("%s: %s", name, r.body)
		}
	}
	s.outsider().post("/api/dataset/json", fields{"query": question}).forbidden()
	s.member().post("/api/dataset/json", fields{"query": s.question(s.tableNamed("products"), fields{"filter": []any{"nonsense"}})}).want(400).ended("failed")
	s.member().post("/api/dataset/json", fields{"query": "not JSON"}).want(400)
	s.member().post("/api/dataset/json", fields{}).want(400)
}

// What counts is what the tables behind a question give, however deep they lie,
// and for SQL what every table of its database gives.
func TestDownloadLevelsHoldForEveryFormatAndQuestion(t *testing.T) {
	s := settledWorld(t)
	orders := s.question(s.tableNamed("orders"))
	saved := s.admin().post("/api/card", s.newCard(s.Collection, orders)).id()
	sql := s.admin().post("/api/card", s.newCard(s.Collection, s.sql("select id from orders"))).id()
	nested := func(card int64) fields {
		return fields{"database": s.Database, "type": "query", "query": fields{"source-table": path("card__%d", card)}}
	}
	rows := map[string]func(body []byte) int{
		"csv": func(body []byte) int { return strings.Count(string(body), "\n") - 1 },
		"json": func(body []byte) int {
			var all []map[string]any
			if err := json.Unmarshal(body, &all); err != nil {
				t.Error(err)
			}
			return len(all)
		},
		"xlsx": func(body []byte) int { return len(sheetOf(t, body)) - 1 },
	}
	exports := map[string]func(format string) reply{
		"asked":          func(f string) reply { return s.member().post("/api/dataset/"+f, fields{"query": orders}) },
		"asked on SQL":   func(f string) reply { return s.member().post("/api/dataset/"+f, fields{"query": nested(sql)}) },
		"asked on saved": func(f string) reply { return s.member().post("/api/dataset/"+f, fields{"query": nested(saved)}) },
		"saved":          func(f string) reply { return s.member().post(path("/api/card/%d/query/%s", saved, f), nil) },
		"saved SQL":      func(f string) reply { return s.member().post(path("/api/card/%d/query/%s", sql, f), nil) },
	}
	const all, limited = 20_000, 10_000
	for _, tt := range []struct {
		level any
		want  int
		named string
	}{
		{"full", all, ""}, {"limited", limited, ""}, {"none", -1, ""},
		// One table is enough for all SQL, and for nothing else.
		{fields{"": fields{fmt.Sprint(s.tableNamed("products")): "none", fmt.Sprint(s.tableNamed("orders")): "full"}}, all, "tables"},
	} {
		s.data(fields{"view-data": "unrestricted", "create-queries": "query-builder-and-native", "download": fields{"schemas": tt.level}})
		for name, export := range exports {
			for format, count := range rows {
				if want := tt.want; want < 0 || tt.named == "tables" && strings.Contains(name, "SQL") {
					export(format).text(http.StatusForbidden, noDownloadText)
				} else if n := count(export(format).want(200).body); n != want {
					t.Errorf("%s as %s at %v: %d rows, want %d", name, format, tt.level, n, want)
				}
			}
		}
	}
}

func TestTheSQLOfAQuestionIsForThoseWhoMayWriteIt(t *testing.T) {
	s := settledWorld(t)
	question := s.question(s.tableNamed("products"), fields{"limit": 1})
	before, _ := s.store.QueryRuns(t.Context(), store.RunQuery{})
	s.member().post("/api/dataset/native", question).forbidden()
	runs, err := s.store.QueryRuns(t.Context(), store.RunQuery{})
	if err != nil || len(runs) != len(before)+1 || runs[0].Outcome != "denied" || int64(runs[0].User) != s.Member || int64(runs[0].Database) != s.Database ||
		runs[0].Request == "" || runs[0].Context != "sql-of-question" {
		t.Errorf("the refusal is not recorded: %+v, %v", runs, err)
	}
	s.member().post("/api/dataset/native", fields{"database": 99999, "type": "query", "query": fields{"source-table": 1}}).forbidden()
	s.data(fields{"view-data": "unrestricted", "create-queries": "query-builder-and-native"})
	form := s.member().post("/api/dataset/native", question).want(200).object()
	if sql, _ := form["query"].(string); !strings.Contains(strings.ToLower(sql), "select") {
		t.Errorf("%v", form)
	}
	s.admin().post("/api/dataset/native", s.question(99999)).want(404)
}

func TestSearchFindsOnlyWhatOneMaySee(t *testing.T) {
	s := settledWorld(t)
	s.admin().get("/api/search?q=products").listsExactly("Products", "Products", "Board products")
	s.member().get("/api/search?q=PRODUCTS").listsExactly("Products", "Products")
	s.member().get("/api/search?q=products&models=card").keeps(fields{"total": 1, "models": []string{"card"}, "available_models": []string{"card", "table"}})
	s.member().get("/api/search?q=products&models=table&models=dashboard").listsExactly("Products")
	s.member().get("/api/search?q=&limit=2&offset=1").keeps(fields{"limit": 2, "offset": 1})
	s.member().get("/api/search/").leaks("Board", "outsider")
	s.outsider().get("/api/search?q=").listsExactly("outsider@example.org's Personal Collection")
	found := s.member().get("/api/search?q=products&models=card").object()["data"].([]any)[0].(map[string]any)
	hasKinds(t, "found", found, map[string]string{"id": "int", "name": "string", "model": "string", "description": "null", "archived": "bool", "collection": "object"})
	hasKinds(t, "collection", found["collection"].(map[string]any), map[string]string{"id": "int", "name": "string", "authority_level": "null", "type": "null"})
	s.member().put(path("/api/card/%d", s.Card), fields{"archived": true}).want(200)
	s.member().get("/api/search?q=products&archived=true").listsExactly("Products")
	s.member().get("/api/search?q=products").listsExactly("Products")
	s.member().get(path("/api/search?q=products&table_db_id=%d", s.Database)).listsExactly("Products")
	s.member().get("/api/search?models=nonsense").want(400)
}
