package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// as is the caller who views as somebody.
func (c caller) as(whom string) caller {
	h := c.header.Clone()
	h.Set(viewAsHeader, whom)
	return caller{c.w, h}
}

// Who views as a person gets what that person gets, byte by byte.
func TestAnAdministratorSeesWhatAPersonSees(t *testing.T) {
	s := settledWorld(t)
	member, as := s.member(), s.admin().as(path("user:%d", s.Member))
	for _, address := range []string{"/api/user/current", "/api/database", path("/api/database/%d/metadata", s.Database), "/api/table", "/api/collection",
		"/api/collection/root/items", path("/api/collection/%d/items", s.Closed), path("/api/card/%d", s.Card), path("/api/dashboard/%d", s.Dashboard), "/api/search?q=a",
		"/api/permissions/graph", "/api/permissions/runs", "/api/user", path("/api/field/%d/values", s.Field), "/api/activity/recents?context=views"} {
		own, seen := member.get(address), as.get(address)
		if own.status != seen.status || string(own.body) != string(seen.body) {
			t.Errorf("%s\nthe person gets %d %s\nthe viewer     %d %s", address, own.status, own.body, seen.status, seen.body)
		}
		if got := seen.header.Get(viewAsHeader); got != path("user:%d", s.Member) {
			t.Errorf("%s does not say as whom it was answered: %q", address, got)
		}
	}
	question := s.question(s.tableNamed("orders"), fields{"limit": 3})
	own, seen := member.post("/api/dataset", question).result(), as.post("/api/dataset", question).result()
	if own.Status != seen.Status || own.RowCount != seen.RowCount || own.RowCount == 0 {
		t.Errorf("the person gets %s with %d rows, the viewer %s with %d", own.Status, own.RowCount, seen.Status, seen.RowCount)
	}
	var runs runsWire
	s.admin().get(path("/api/permissions/runs?user_id=%d", s.Member)).want(200).into(&runs)
	if v := runs.Data[0].ViewerID; v == nil || *v != permission.UserID(s.Admin) {
		t.Errorf("the newest run is recorded with the viewer %v", v)
	}
	if v := runs.Data[1].ViewerID; v != nil {
		t.Errorf("the person's own run is recorded with the viewer %v", *v)
	}
	if !strings.Contains(s.log.String(), path("view_as=%d", s.Member)) {
		t.Error("the log does not tell who was viewed as")
	}

	// What was opened for somebody else is nothing recent of theirs.
	views, err := s.store.Views(t.Context(), permission.UserID(s.Member), store.Viewed)
	if err != nil {
		t.Fatal(err)
	}
	before := len(views)
	as.get(path("/api/dashboard/%d", s.Dashboard)).want(200)
	if views, err = s.store.Views(t.Context(), permission.UserID(s.Member), store.Viewed); err != nil || len(views) != before {
		t.Errorf("the person has %d views, had %d: %v", len(views), before, err)
	}
}

func TestViewingAsSomebodyElseIsForAdministratorsAndChangesNothing(t *testing.T) {
	s := settledWorld(t)
	whom := path("user:%d", s.Outsider)
	for name, tt := range map[string]struct {
		who    caller
		status int
	}{
		"a member":              {s.member().as(whom), 403},
		"nobody":                {s.nobody().as(whom), 401},
		"as an administrator":   {s.admin().as(path("user:%d", s.Admin)), 200},
		"as nobody there is":    {s.admin().as("user:4711"), 400},
		"as zero":               {s.admin().as("user:0"), 400},
		"as a name":             {s.admin().as("user:ann"), 400},
		"as a group":            {s.admin().as("group:1"), 400},
		"as nothing":            {s.admin().as(""), 400},
		"with words behind":     {s.admin().as(whom + " x"), 400},
		"as two in one header":  {s.admin().as(whom + "," + whom), 400},
		"as a number too large": {s.admin().as("user:99999999999999999999"), 400},
	} {
		if got := tt.who.get("/api/user/current"); got.status != tt.status {
			t.Errorf("%s: %d %s, want %d", name, got.status, got.body, tt.status)
		}
	}
	// Whatever is no reading is refused before anything is looked at.
	as := s.admin().as(path("user:%d", s.Admin))
	refused := 0
	for _, rt := range routes() {
		if rt.Method == http.MethodGet || rt.Reads || rt.Need.public {
			continue
		}
		address := strings.NewReplacer("{id}", "1", "{dashcard_id}", "1", "{card_id}", "1").Replace(rt.Path)
		for strings.Contains(address, "{") {
			open, end := strings.Index(address, "{"), strings.Index(address, "}")
			address = address[:open] + "1" + address[end+1:]
		}
		got := as.send(rt.Method, address, "{}")
		if got.status != 403 || !strings.Contains(string(got.body), "nothing can be changed") {
			t.Errorf("%s %s: %d %s", rt.Method, address, got.status, got.body)
		}
		refused++
	}
	if refused < 50 {
		t.Errorf("only %d routes change something", refused)
	}
	for _, rt := range routes() {
		if rt.Reads && rt.Method != http.MethodPost {
			t.Errorf("%s %s needs no word that it reads", rt.Method, rt.Path)
		}
	}
}
