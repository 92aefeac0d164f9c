package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRunsTellAdministratorsWhoAskedWhatAtWhatCost(t *testing.T) {
	s := settledWorld(t)
	card := path("/api/card/%d/query", s.Card)
	const value = "a value that a person typed"
	s.member().post(card, nil).want(202).ended("completed")
	s.clock.advance(time.Minute)
	s.member().post("/api/dataset", s.question(s.tableNamed("products"), fields{"filter": []any{"=", []any{"field", s.fieldNamed("products", "title"), nil}, value}})).want(202).ended("completed")
	s.outsider().post("/api/dataset", s.question(s.tableNamed("products"))).want(202).ended("failed")
	s.admin().post("/api/dataset", s.sql("select abs(-9223372036854775807 - 1), '"+value+"'")).want(202).ended("failed")

	var all runsWire
	s.admin().get("/api/permissions/runs?limit=4").want(200).into(&all)
	if len(all.Data) != 4 {
		t.Fatalf("%+v", all)
	}
	type line struct {
		user     int64
		outcome  string
		rows     int64
		native   bool
		context  string
		reasoned bool
	}
	for i, want := range []line{
		{s.Admin, "failed", 0, true, "ad-hoc", true}, {s.Outsider, "denied", 0, false, "ad-hoc", true},
		{s.Member, "completed", 0, false, "ad-hoc", false}, {s.Member, "completed", 3, false, "question", false},
	} {
		r := all.Data[i]
		if got := (line{int64(r.UserID), r.Outcome, r.RowCount, r.Native, r.Context, r.Reason != ""}); got != want || int64(r.DatabaseID) != s.Database || r.RequestID == "" || r.Cached {
			t.Errorf("%d: %+v, want %+v", i, r, want)
		}
	}
	first := all.Data[3]
	if first.CardID == nil || *first.CardID != s.Card || all.Data[2].CardID != nil || !all.Data[2].StartedAt.Equal(first.StartedAt.Add(time.Minute)) {
		t.Errorf("%+v", all.Data)
	}
	for query, ids := range map[string][]int64{
		path("user_id=%d&limit=1", s.Member):                           {all.Data[2].ID},
		path("card_id=%d&limit=1", s.Card):                             {first.ID},
		path("user_id=%d&before=%d&limit=1", s.Member, all.Data[2].ID): {first.ID},
		"outcome=denied&limit=1":                                       {all.Data[1].ID},
		path("outcome=failed&database_id=%d&limit=1", s.Database):      {all.Data[0].ID},
		"database_id=99999":                                            {},
		"dashboard_id=99999":                                           {},
	} {
		var some runsWire
		s.admin().get("/api/permissions/runs?" + query).want(200).into(&some)
		got := []int64{}
		for _, r := range some.Data {
			got = append(got, r.ID)
		}
		if fmt.Sprint(got) != fmt.Sprint(ids) {
			t.Errorf("%s: %v, want %v", query, got, ids)
		}
	}
	if body := string(s.admin().get("/api/permissions/runs?limit=1000").want(200).body); strings.Contains(body, value) {
		t.Error("a value is recorded")
	}
	for _, query := range []string{"limit=1001", "limit=-1", "outcome=lost", "user_id=x"} {
		s.admin().get("/api/permissions/runs?" + query).want(http.StatusBadRequest)
	}
	s.member().get("/api/permissions/runs").forbidden()
}

func TestACardTellsWhatItCosts(t *testing.T) {
	s := settledWorld(t)
	card := s.member().post("/api/card", s.newCard(s.Collection, s.question(s.tableNamed("products")))).id()
	s.member().get(path("/api/card/%d", card)).keeps(fields{"average_query_time": nil, "last_query_start": nil})
	s.member().post(path("/api/card/%d/query", card), nil).want(202).ended("completed")
	got := s.member().get(path("/api/card/%d", card)).object()
	if got["last_query_start"] != s.clock.Now().Format(time.RFC3339) {
		t.Errorf("last_query_start %v", got["last_query_start"])
	}
}

func TestAKeptResultSaysSo(t *testing.T) {
	s := settledWorld(t)
	card := s.member().post("/api/card", s.newCard(s.Collection, s.question(s.tableNamed("products"), fields{"limit": 3}))).id()
	s.member().put(path("/api/card/%d", card), fields{"cache_ttl": 2}).want(200)
	run := func(who caller, body any) map[string]any {
		t.Helper()
		return who.post(path("/api/card/%d/query", card), body).want(202).object()
	}
	made := s.clock.Now().Format(time.RFC3339)
	first := run(s.member(), nil)
	s.clock.advance(time.Hour)
	again := run(s.admin(), fields{"ignore_cache": false})
	if first["cached"] != nil || first["average_execution_time"] != nil || again["cached"] != made || again["average_execution_time"] == nil || again["row_count"] != 3.0 {
		t.Errorf("first %v, again %v", first, again)
	}
	if a, b := fmt.Sprint(first["data"].(map[string]any)["rows"]), fmt.Sprint(again["data"].(map[string]any)["rows"]); a != b {
		t.Errorf("%s, again %s", a, b)
	}
	if fresh := run(s.member(), fields{"ignore_cache": true}); fresh["cached"] != nil {
		t.Errorf("%v", fresh)
	}
	var runs runsWire
	s.admin().get(path("/api/permissions/runs?card_id=%d", card)).want(200).into(&runs)
	if len(runs.Data) != 3 || runs.Data[0].Cached || !runs.Data[1].Cached || runs.Data[2].Cached {
		t.Errorf("%+v", runs.Data)
	}
}
