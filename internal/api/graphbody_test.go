package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// heardText is what reading a body says, for one that is refused.
func heardText(body string) string {
	b := &graphBody{heard: newHeard(permission.New(&catalog.Snapshot{}))}
	if err := readMembers(strings.NewReader(body), b, b.heard.read); err != nil {
		return describeError(err)
	}
	return "taken\n"
}

func TestABodyThatIsNoGraphIsRefusedWithItsPlace(t *testing.T) {
	for body, want := range map[string]string{
		``:                                 `map[groups:value must be a map.]`,
		` null `:                           `map[groups:value must be a map.]`,
		`{}`:                               `map[groups:value must be a map.]`,
		`[]`:                               `map[body:value must be a map.]`,
		`"x"`:                              `map[body:value must be a map.]`,
		`{"groups":null}`:                  `map[groups:value must be a map.]`,
		`{"groups":"all"}`:                 `map[groups:value must be a map.]`,
		`{"groups":[1,2]}`:                 `map[groups:value must be a graph without lists.]`,
		`{"groups":{"5":[1]}}`:             `map[groups:value must be a graph without lists.]`,
		`{"groups":{"5":{"1":{"a":[1]}}}}`: `map[groups:value must be a graph without lists.]`,
		`{"groups":{"5":{"1":{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":"i"}}}}}}}}}}}`:      `map[groups:value must be a graph that is at most 9 levels deep.]`,
		`{"groups":{"5":{"1":{}},"5":{}}}`:                                                `map[groups:value must be a graph in which no key stands twice, as "5" does.]`,
		`{"groups":{"5":{"1":{},"1":{}}}}`:                                                `map[groups:value must be a graph in which no key stands twice, as "1" does.]`,
		`{"groups":{"5":{"x":{},"\u0078":{}}}}`:                                           `map[groups:value must be a graph in which no key stands twice, as "x" does.]`,
		`{"groups":{"5":{"1":{"a":{"b":"c","b":"c"}}}}}`:                                  `map[groups:value must be a graph in which no key stands twice, as "b" does.]`,
		`{"revision":1,"groups":{},"revision":1}`:                                         `map[groups:value must be one of a body in which no key stands twice, as "revision" does.]`,
		`{"groups":{},"groups":{}}`:                                                       `map[groups:value must be one of a body in which no key stands twice, as "groups" does.]`,
		`{"groups":{},"revision":"x","force":1}`:                                          `map[force:value must be a boolean. revision:value must be an integer or a string of decimal digits.]`,
		`{"groups":{},"other":[{"a":1,"a":2}],"other":3,"revision":null,"complete":null}`: "taken",
		"{\"revision\":1,\n\"groups\":{\"5\":{\n\"1\":{\"a\":x}}}}":                       `400 The body is not valid JSON: invalid character 'x' at start of value at line 3, byte 40, in groups.5.1.a.`,
		`{"groups":{"5":{"1":{"a":"b"}}}} x`:                                              `400 The body is not valid JSON: invalid character 'x' at start of value at line 1, byte 33.`,
		`{"groups":{}}{}`:                                                                 `400 The body is not valid JSON: something follows the value at line 1, byte 14.`,
		`{"groups":{"5":{"1":{"a":"b"`:                                                    `400 The body is not valid JSON: unexpected EOF at line 1, byte 28, in groups.5.1.`,
		"{\"groups\":{\"5\":{\"1\":{\"a\":\"\xff\"}}}}":                                   `400 The body is not valid JSON: invalid UTF-8 at line 1, byte 26, in groups.5.1.a.`,
		`{groups:{}}`: `400 The body is not valid JSON: invalid character 'g' at start of value at line 1, byte 1.`,
	} {
		got := heardText(body)
		if got = strings.TrimPrefix(strings.TrimSpace(got), "invalid request: "); got != want {
			t.Errorf("%s\nsaid %s\nwant %s", body, got, want)
		}
	}
}

// A body that is too long, or whose line breaks, is no mistake of JSON; one
// that is cut is.
func TestWhatTheConnectionSaysOfABodyIsNotChanged(t *testing.T) {
	body := `{"groups":{"5":{"1":{"view-data":"unrestricted"}}}}`
	read := func(from io.Reader) error {
		b := &graphBody{heard: newHeard(permission.New(&catalog.Snapshot{}))}
		return readMembers(from, b, b.heard.read)
	}
	for cut := range len(body) {
		var tooLarge *http.MaxBytesError
		if err := read(http.MaxBytesReader(nil, io.NopCloser(strings.NewReader(body)), int64(cut))); !errors.As(err, &tooLarge) {
			t.Errorf("at most %d bytes: %v", cut, err)
		}
		if err := read(io.MultiReader(strings.NewReader(body[:cut]), failing{})); err == nil || !strings.Contains(err.Error(), "the client went away") {
			t.Errorf("broken after %d bytes: %v", cut, err)
		}
		for name, from := range map[string]io.Reader{"ended": strings.NewReader(body[:cut]), "cut": io.MultiReader(strings.NewReader(body[:cut]), iotest.ErrReader(io.ErrUnexpectedEOF))} {
			var is400 message
			if err := read(from); cut > 0 && (!errors.As(err, &is400) || is400.status != http.StatusBadRequest) {
				t.Errorf("%s after %d bytes: %v", name, cut, err)
			}
		}
	}
}

// One who sends a long body hears what is wrong with it: it is read to its end.
func TestABodyWithAMistakeIsReadToItsEnd(t *testing.T) {
	for _, body := range []string{`{"groups":[`, `{"groups":{"5":[1]`, `[`, `{"groups":{"5":{},"5":{}`} {
		rest := strings.NewReader(body + strings.Repeat(" ", 1<<20) + "x")
		b := &graphBody{heard: newHeard(permission.New(&catalog.Snapshot{}))}
		if err := readMembers(rest, b, b.heard.read); err == nil || rest.Len() > 0 {
			t.Errorf("%s: %v, and %d bytes were not read", body, err, rest.Len())
		}
	}
}

// An entry that was read in other words than what is emitted is known again
// where the same is emitted, and nowhere else.
func TestTheWordsOfOneEntryAreNotTakenForThoseOfAnother(t *testing.T) {
	w := newGraphWorld(t)
	w.put("", `{"revision":0,"groups":{"5":{"1":{"view-data":"unrestricted","download":{"schemas":"full"}},"2":{"view-data":"unrestricted","download":{"schemas":"full"}}},
		"6":{"1":{"view-data":"unrestricted","download":{"schemas":"limited"}}}}}`)
	const other = `{"download":{"schemas":"full"},"view-data":"unrestricted"}`
	said := w.put("", fmt.Sprintf(`{"revision":1,"groups":{"5":{"1":%s,"2":%s},"6":{"1":%s}}}`, other, other, other))
	if got := w.get(split); said != "revision 2\n" || !strings.Contains(got, `6/1 {"view-data":"unrestricted","download":{"schemas":"full"}}`) {
		t.Errorf("%s%s", said, got)
	}
	if changes := permission.Diff(w.history[1], w.now()); len(changes) != 1 {
		t.Errorf("changed: %v", changes)
	}
}

// What a body says is compared with its own revision, also where it began to
// come when the graph was as it says already.
func TestABodyIsComparedWithItsOwnRevision(t *testing.T) {
	const open = `{"view-data":"unrestricted","create-queries":"query-builder","download":{"schemas":"full"},"schemas":"all"}`
	w := newGraphWorld(t)
	w.put("", `{"revision":0,"groups":{"5":{"1":`+open+`}}}`)
	for _, body := range []string{`{"revision":0,"groups":{"5":{"1":%s,"2":%s}}}`, `{"groups":{"5":{"2":%s,"1":%s}},"revision":0}`} {
		said := w.put("", fmt.Sprintf(body, open, open))
		if want := "409 Somebody else changed the same entries since. [groups/5/1]\n"; said != want {
			t.Errorf("said %s, want %s", said, want)
		}
	}
	for _, twice := range []string{`"1":` + open + `,"1":` + open, `"1":{},"1":` + open, `"1":` + open + `,"1":{}`} {
		said := w.put("", `{"revision":1,"groups":{"5":{`+twice+`}}}`)
		if !strings.Contains(said, `no key stands twice, as "1" does`) {
			t.Errorf("%s: said %s", twice, said)
		}
	}
	closed := strings.ReplaceAll(open, "full", "limited")
	w.put("", `{"revision":1,"groups":{"5":{"1":`+closed+`}}}`)
	if said := w.put("", `{"groups":{"5":{"1":`+closed+`}},"revision":1}`); !strings.HasPrefix(said, "409") {
		t.Errorf("said %s", said)
	}
	if said := w.put("", `{"groups":{"5":{"1":`+open+`}},"revision":1}`); said != "revision 3\n" || !strings.Contains(w.get(split), "limited") {
		t.Errorf("said %s", said)
	}
	// Forced, it is compared with the graph as it began to come: what others
	// change while it comes stays.
	began := w.now()
	w.put("", `{"revision":3,"groups":{"6":{"1":`+open+`}}}`)
	said := w.putFrom(began, "complete", strings.NewReader(`{"force":true,"groups":{"1":{},"2":{},"5":{"3":`+open+`},"6":{}}}`))
	if got := w.get(seed); !strings.HasPrefix(said, "revision 5\n") || got != "5/3 {\"schemas\":\"all\"}\n6/1 {\"schemas\":\"all\"}\n" {
		t.Errorf("said %sthe graph is\n%s", said, got)
	}
}

// A table that came since the body's revision was not in what was read: a body
// that names it wants something of it.
func TestABodyIsComparedWithTheTablesOfItsRevision(t *testing.T) {
	w := newGraphWorld(t)
	w.history[0] = w.now().WithCatalog(w.now().Catalog().WithTable(catalog.Table{ID: 4, Database: 1, Name: "late", Since: 2}, nil))
	w.put("", `{"revision":0,"groups":{"5":{"1":{"view-data":"unrestricted","download":{"schemas":{"*":"full","":{"1":"limited"}}}}}}}`)
	w.put("", `{"revision":1,"groups":{}}`)
	const said = `{"view-data":"unrestricted","download":{"schemas":{"":{"1":"limited","2":"full","3":"full","4":"full"}}}}`
	if got := w.get(split); got != "5/1 "+said+"\n" {
		t.Fatalf("the graph is %s", got)
	}
	before := w.now()
	if got := w.put("", `{"revision":1,"groups":{"5":{"1":`+said+`}}}`); got != "revision 3\n" {
		t.Errorf("said %s", got)
	}
	if changes := permission.Diff(before, w.now()); len(changes) != 1 || !strings.Contains(changes[0].String(), "late") && !strings.Contains(changes[0].String(), "table 4") {
		t.Errorf("changed: %v", changes)
	}
}

// largeWorld is a server with a database of so many tables, and so many groups
// of which each has everything on it but one table: what it sends of each is a
// word for every table.
func largeWorld(t *testing.T, tables, groups int) settled {
	s := settledWorld(t)
	who := store.Actor{User: permission.UserID(s.Admin)}
	d, err := s.store.CreateDatabase(t.Context(), who, store.Database{Name: "Large", Engine: "sqlite", Details: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	found := make([]store.SyncedTable, tables)
	for i := range found {
		found[i] = store.SyncedTable{Schema: "main", Name: fmt.Sprint("table_", i)}
	}
	g, err := s.store.ApplySync(t.Context(), who, d.ID, found)
	if err != nil {
		t.Fatal(err)
	}
	var last catalog.TableID
	for tb := range g.Catalog().Tables(d.ID) {
		last = tb.ID
	}
	var ids []permission.GroupID
	for i := range groups {
		gr, err := s.store.CreateGroup(t.Context(), who, store.NewGroup{Name: fmt.Sprint("Large ", i)})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, gr.ID)
	}
	_, err = s.store.Change(t.Context(), who, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		var changes []permission.Change
		for _, id := range ids {
			for k, l := range []permission.Level{permission.View: permission.Unrestricted, permission.Create: permission.QueryBuilder, permission.Download: permission.Limited} {
				of := permission.SetDataAccess{Group: id, Database: d.ID, Kind: permission.Kind(k), To: permission.Cell{Set: true, Level: l, At: g.Revision() + 1}}
				none := of
				none.Scope, none.To.Level = permission.OneTable(last), permission.None
				changes = append(changes, of, none)
			}
		}
		return changes, store.Bump{Data: true}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask sends a request whose body is read and whose answer is written as they
// come.
func (s settled) ask(method, path string, body io.Reader, to io.Writer) *httptest.ResponseRecorder {
	s.t.Helper()
	req := httptest.NewRequest(method, "http://sluice.test"+path, body)
	req.Header = s.admin().header.Clone()
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	s.api.Handler().ServeHTTP(writesTo{rec, to}, req)
	return rec
}

// writesTo passes the body on.
type writesTo struct {
	*httptest.ResponseRecorder
	to io.Writer
}

func (w writesTo) Write(p []byte) (int, error) {
	w.ResponseRecorder.WriteHeader(http.StatusOK)
	return w.to.Write(p)
}

// A graph of 100 MB is read and written back while it is read: neither side
// holds it.
func TestTheMemoryForAGraphDoesNotGrowWithIt(t *testing.T) {
	s := largeWorld(t, 4000, 320)
	r, w := io.Pipe()
	var sent counter
	go func() {
		s.ask("GET", "/api/permissions/graph", nil, io.MultiWriter(&sent, w))
		_ = w.Close()
	}()
	before := s.store.Graph()
	var start, end runtime.MemStats
	runtime.ReadMemStats(&start)
	var answer bytes.Buffer
	rec := s.ask("PUT", "/api/permissions/graph?skip-graph=true", r, &answer)
	runtime.ReadMemStats(&end)
	if rec.Code != http.StatusOK || !strings.Contains(answer.String(), `"mode":"complete"`) {
		t.Fatalf("%d %.300s", rec.Code, answer.String())
	}
	if changes := permission.Diff(before, s.store.Graph()); len(changes) > 0 {
		t.Errorf("writing back what was read changed %.500v", changes)
	}
	allocated := end.TotalAlloc - start.TotalAlloc
	t.Logf("%d bytes, %d allocated", sent, allocated)
	if sent < 100e6 || allocated > 16e6+mostTexts {
		t.Errorf("%d bytes were allocated in reading and writing %d", allocated, sent)
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
