package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// many is a JSON list of n times the same.
func many(n int, of string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(of+",", n), ",") + "]"
}

// A mistake that is made a hundred thousand times takes no more memory and no
// longer answer than one that is made a few times.
func TestOnlyTheFirstMistakesAreTold(t *testing.T) {
	for name, body := range map[string]string{
		"in entries of a list":    `{"name":"x","inners":` + many(5000, "{}") + `}`,
		"in texts of a list":      `{"name":"x","tags":` + many(5000, "1") + `}`,
		"in lists of a map":       `{"name":"x","deep":{"a":` + many(5000, "1") + `}}`,
		"in a map":                `{"name":"x","levels":{` + strings.TrimSuffix(manyKeys(5000), ",") + `}}`,
		"in one field repeatedly": `{"name":"x","deep":{"a":` + many(30, "1") + `,"b":` + many(30, "1") + `}}`,
	} {
		_, err := decodeText[sampleBody](t, body)
		var found invalid
		if !errors.As(err, &found) || len(found.Errors) != mostMistakes+1 || len(found.Specific) != mostMistakes {
			t.Errorf("%s: %d fields blamed, want %d and a last line", name, len(found.Errors), mostMistakes)
			continue
		}
		if want := "There are more mistakes; these are the first 20."; found.Errors["body"] != want {
			t.Errorf("%s: the last line is %q", name, found.Errors["body"])
		}
	}
	s := settledWorld(t)
	r := s.admin().put(path("/api/dashboard/%d", s.Dashboard), `{"dashcards":`+many(330_000, "{}")+`}`)
	r.wrong("dashcards", "value must be a list of at most 1000 entries.")
	s.admin().post("/api/user", `{"email":"many@example.org","group_ids":`+many(10_001, "1")+`}`).wrong("group_ids", "value must be a list of at most 10000 entries.")
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":"x",`, i)
	}
	return b.String()
}

func TestNamesTextsAndSettingsHaveASize(t *testing.T) {
	s := settledWorld(t)
	name, prose, settings := strings.Repeat("\u00e9", 255), strings.Repeat("x", 65_537), fields{"text": strings.Repeat("x", 256<<10)}
	long := func(noun string, n int) string { return fmt.Sprintf("value must be at most %d %s long.", n, noun) }
	card, board := path("/api/card/%d", s.Card), path("/api/dashboard/%d", s.Dashboard)
	for _, c := range []struct{ method, path, field, want string }{
		{"POST", "/api/card", "name", "name"}, {"PUT", card, "name", "name"}, {"PUT", card, "description", "prose"},
		{"PUT", card, "visualization_settings", "settings"}, {"PUT", card, "display", "name"},
		{"POST", "/api/dashboard", "name", "name"}, {"PUT", board, "name", "name"}, {"PUT", board, "description", "prose"},
		{"POST", "/api/collection", "name", "name"}, {"PUT", path("/api/collection/%d", s.Collection), "description", "prose"},
		{"POST", "/api/permissions/group", "name", "name"}, {"PUT", path("/api/permissions/group/%d", s.Group), "name", "name"},
		{"POST", "/api/api-key", "name", "name"}, {"POST", "/api/user", "first_name", "name"}, {"PUT", path("/api/user/%d", s.Member), "last_name", "name"},
		{"PUT", path("/api/database/%d", s.Database), "name", "name"}, {"PUT", path("/api/table/%d", s.Table), "display_name", "name"},
		{"PUT", path("/api/field/%d", s.Field), "description", "prose"},
	} {
		value, want := any(name), long("characters", 254)
		switch c.want {
		case "prose":
			value, want = prose, long("characters", 65_536)
		case "settings":
			value, want = settings, long("bytes", 262_144)
		}
		s.admin().send(c.method, c.path, fields{c.field: value}).wrong(c.field, want)
	}
	s.admin().put(card, fields{"name": name[2:]}).want(200)
	s.admin().put(board, fields{"dashcards": []any{placeOf(s.Dashcard, s.Card, fields{"visualization_settings": settings})}}).
		wrong("dashcards[0].visualization_settings", long("bytes", 262_144))
	s.admin().put(board, fields{"parameters": []any{settings, settings}}).wrong("parameters", long("bytes", 262_144))
}

// A dashboard is answered with every card as often as it is shown.
func TestADashboardShowsSoManyCardsAndIsSentOneByOne(t *testing.T) {
	s := settledWorld(t)
	board := path("/api/dashboard/%d", s.Dashboard)
	series := make([]any, 20)
	for i := range series {
		series[i] = fields{"id": s.ClosedCard}
	}
	var places []any
	for i := range 48 {
		places = append(places, placeOf(-1-i, s.Card, fields{"series": series}))
	}
	s.admin().put(board, fields{"dashcards": places}).wrong("dashcards", "A dashboard shows at most 1000 questions, those of series among them; these are 1008.")
	places[0] = placeOf(-1, s.Card, fields{"series": slices.Concat(series, series)})
	s.admin().put(board, fields{"dashcards": places[:1]}).wrong("dashcards[0].series", "value must be a list of at most 20 entries.")

	big := fields{"note": strings.Repeat("x", 100_000)}
	s.admin().put(path("/api/card/%d", s.Card), fields{"visualization_settings": big}).want(200)
	var thirty []any
	for i := range 30 {
		thirty = append(thirty, placeOf(-1-i, s.Card))
	}
	if n := len(s.admin().put(board, fields{"dashcards": thirty}).dashcards()); n != 30 {
		t.Fatalf("%d dashcards", n)
	}
	req := httptest.NewRequest("GET", "http://sluice.test"+board, nil)
	req.Header.Set(sessionHeader, s.AdminSession)
	to := &largestWrite{ResponseRecorder: httptest.NewRecorder()}
	s.api.Handler().ServeHTTP(to, req)
	var whole struct{ Dashcards []fields }
	if err := json.Unmarshal(to.Body.Bytes(), &whole); err != nil || to.Code != http.StatusOK || len(whole.Dashcards) != 30 {
		t.Fatalf("status %d, %d dashcards, %v", to.Code, len(whole.Dashcards), err)
	}
	if to.largest > 200_000 {
		t.Errorf("%d of %d bytes were held at once", to.largest, to.Body.Len())
	}
}

// largestWrite notes how much was written at once.
type largestWrite struct {
	*httptest.ResponseRecorder
	largest int
}

func (w *largestWrite) Write(p []byte) (int, error) {
	w.largest = max(w.largest, len(p))
	return w.ResponseRecorder.Write(p)
}

func TestALocaleIsATag(t *testing.T) {
	s := settledWorld(t)
	at := path("/api/user/%d", s.Member)
	for _, bad := range []string{"de DE", "<b>", "x'", strings.Repeat("d", 21)} {
		s.member().put(at, fields{"locale": bad}).wrong("locale", "value must be the tag of a language, such as de or pt-BR.")
	}
	for _, good := range []string{"de", "pt-BR", "zh_Hant_TW"} {
		s.member().put(at, fields{"locale": good}).keeps(fields{"locale": good})
	}
}

func TestTheKeysOfConnectionDetailsAreExact(t *testing.T) {
	s := settledWorld(t)
	for _, details := range []fields{{"DB": s.Warehouse}, {"Db": s.Warehouse}, {"db": s.Warehouse, "DB": s.Warehouse}, {}} {
		s.admin().post("/api/database", fields{"name": "Again", "engine": "sqlite", "details": details}).want(400)
	}
	s.admin().post("/api/database", fields{"name": "Again", "engine": "sqlite", "details": fields{"db": s.Warehouse}}).want(200)
}
