package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// What the tests of collections, questions, dashboards and data share.

// fields is an object of the wire.
type fields = map[string]any

// nothing is an entry of the data graph that takes everything away.
var nothing = fields{"view-data": nil, "create-queries": "no"}

// data writes an entry of the data graph for the group that the member is in.
func (s settled) data(entry any) {
	s.t.Helper()
	s.admin().put("/api/permissions/graph", fields{"force": true, "revision": 0,
		"groups": fields{fmt.Sprint(s.Group): fields{fmt.Sprint(s.Database): entry}}}).want(200)
}

// folder writes the member's group's level on a collection; 0 is the root.
func (s settled) folder(id int64, level string) {
	s.t.Helper()
	key := "root"
	if id != 0 {
		key = fmt.Sprint(id)
	}
	s.admin().put("/api/collection/graph", fields{"force": true, "revision": 0, "groups": fields{fmt.Sprint(s.Group): fields{key: level}}}).want(200)
}

// newCollection makes a collection as the administrator; parent 0 is the root.
func (s settled) newCollection(name string, parent int64) int64 {
	s.t.Helper()
	body := fields{"name": name}
	if parent != 0 {
		body["parent_id"] = parent
	}
	return s.admin().post("/api/collection", body).id()
}

// tableNamed is the id of a table of the sample.
func (s settled) tableNamed(name string) catalog.TableID {
	s.t.Helper()
	for t := range s.store.Graph().Catalog().Tables(catalog.DatabaseID(s.Database)) {
		if t.Name == name {
			return t.ID
		}
	}
	s.t.Fatalf("the sample has no table %q", name)
	return 0
}

// fieldNamed is the id of a field of a table of the sample.
func (s settled) fieldNamed(table, name string) catalog.FieldID {
	s.t.Helper()
	for _, f := range s.store.Graph().Catalog().Fields(s.tableNamed(table)) {
		if f.Name == name {
			return f.ID
		}
	}
	s.t.Fatalf("the sample's table %q has no field %q", table, name)
	return 0
}

// question is a question about a table; more goes into its "query".
func (s settled) question(table catalog.TableID, more ...fields) fields {
	q := fields{"source-table": table}
	for _, m := range more {
		for k, v := range m {
			q[k] = v
		}
	}
	return fields{"database": s.Database, "type": "query", "query": q}
}

// sql is a native question.
func (s settled) sql(text string) fields {
	return fields{"database": s.Database, "type": "native", "native": fields{"query": text}}
}

// newCard is the body that saves a question; more replaces what it has.
func (s settled) newCard(collection int64, question any, more ...fields) fields {
	c := fields{"name": "A question", "display": "table", "visualization_settings": fields{}, "dataset_query": question}
	if collection != 0 {
		c["collection_id"] = collection
	}
	for _, m := range more {
		for k, v := range m {
			c[k] = v
		}
	}
	return c
}

func path(format string, a ...any) string { return fmt.Sprintf(format, a...) }

// unsavable demands the refusal to save what one may not ask.
func (r reply) unsavable() {
	r.t.Helper()
	r.text(http.StatusForbidden, "You cannot save this Question because you do not have permissions to run its query.")
}

func (r reply) forbidden() {
	r.t.Helper()
	r.text(http.StatusForbidden, "You don't have permissions to do that.")
}

// missing demands a 404 that blames a field.
func (r reply) missing(field, text string) {
	r.t.Helper()
	var in invalid
	r.want(http.StatusNotFound).into(&in)
	if in.Errors[field] != text {
		r.t.Errorf("%s: errors %v, want %s: %q", r.what, in.Errors, field, text)
	}
}

// keeps demands that fields of the answer are what was sent.
func (r reply) keeps(sent fields) reply {
	r.t.Helper()
	got := r.want(200).object()
	for name, value := range sent {
		if diff := cmp.Diff(plainJSON(r.t, value), got[name]); diff != "" {
			r.t.Errorf("%s: %s differs (-sent +got):\n%s", r.what, name, diff)
		}
	}
	return r
}

// plainJSON is the value as JSON reads it back.
func plainJSON(t *testing.T, v any) any {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

// typesOf says of each field of an object what kind of JSON it has, for
// comparison with what clients need.
func typesOf(object fields) map[string]string {
	kinds := map[string]string{}
	for name, v := range object {
		kind := "null"
		switch v := v.(type) {
		case string:
			kind = "string"
		case bool:
			kind = "bool"
		case float64:
			kind = "number"
			if v == float64(int64(v)) {
				kind = "int"
			}
		case []any:
			kind = "array"
		case map[string]any:
			kind = "object"
		}
		kinds[name] = kind
	}
	return kinds
}

// hasKinds demands fields of these kinds, "a|b" for one of several.
func hasKinds(t *testing.T, what string, object fields, want map[string]string) {
	t.Helper()
	kinds := typesOf(object)
	for name, kind := range want {
		if !slices.Contains(strings.Split(kind, "|"), kinds[name]) {
			t.Errorf("%s: field %q is %q, clients need %s", what, name, kinds[name], kind)
		}
	}
}

// leaks demands that nothing of the words is in the answer.
func (r reply) leaks(words ...string) {
	r.t.Helper()
	for _, w := range words {
		if strings.Contains(string(r.body), w) {
			r.t.Errorf("%s: the answer has %q in it: %.300s", r.what, w, r.body)
		}
	}
}

// names are the names in the answer's list, or in its data.
func (r reply) names() []string {
	r.t.Helper()
	r.want(200)
	var list []struct{ Name string }
	if len(r.body) > 0 && r.body[0] == '{' {
		var in struct{ Data []struct{ Name string } }
		r.into(&in)
		list = in.Data
	} else {
		r.into(&list)
	}
	names := []string{}
	for _, item := range list {
		names = append(names, item.Name)
	}
	return names
}

// listsExactly demands names in this order.
func (r reply) listsExactly(names ...string) {
	r.t.Helper()
	if diff := cmp.Diff(append([]string{}, names...), r.names()); diff != "" {
		r.t.Errorf("%s (-want +got):\n%s", r.what, diff)
	}
}

// lists demands that names are, or are not, among those of the answer.
func (r reply) lists(is bool, names ...string) {
	r.t.Helper()
	got := r.names()
	for _, n := range names {
		if slices.Contains(got, n) != is {
			r.t.Errorf("%s: is %q in %q? want %v", r.what, n, got, is)
		}
	}
}

// ended demands how a question ended.
func (r reply) ended(status string) reply {
	r.t.Helper()
	if got := r.object()["status"]; got != status {
		r.t.Errorf("%s: status %q, want %q: %.300s", r.what, got, status, r.body)
	}
	return r
}

// slowBody does something before its bytes come.
type slowBody struct {
	io.Reader
	do func()
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.do != nil {
		b.do()
		b.do = nil
	}
	return b.Reader.Read(p)
}

func TestWhatOneMayDoIsLookedUpWhenTheBodyHasCome(t *testing.T) {
	for _, c := range []struct {
		name, method, path string
		body               func(settled) string
		do                 func(settled) // before the body comes
		status             int
	}{
		{"level taken", "POST", "/api/collection",
			func(s settled) string { return path(`{"name":"Late","parent_id":%d}`, s.Collection) },
			func(s settled) { s.folder(s.Collection, "none") }, http.StatusForbidden},
		{"deactivated", "POST", "/api/collection",
			func(s settled) string { return path(`{"name":"Late","parent_id":%d}`, s.Collection) },
			func(s settled) { s.admin().delete(path("/api/user/%d", s.Member)).want(200) }, http.StatusUnauthorized},
		{"administration taken, data graph", "PUT", "/api/permissions/graph",
			func(s settled) string { return path(`{"revision":%d,"groups":{}}`, s.store.Graph().Revision()) },
			func(s settled) { s.administer(s.Member, false) }, http.StatusForbidden},
		{"administration taken, collection graph", "PUT", "/api/collection/graph",
			func(s settled) string {
				return path(`{"revision":%d,"groups":{}}`, s.store.Graph().CollectionRevision())
			},
			func(s settled) { s.administer(s.Member, false) }, http.StatusForbidden},
		{"administration taken, SQL of a question", "POST", "/api/dataset/native",
			func(s settled) string {
				return s.fill(`{"database":$database,"type":"query","query":{"source-table":$table}}`)
			},
			func(s settled) { s.administer(s.Member, false) }, http.StatusForbidden},
		{"deactivated, question", "POST", "/api/dataset",
			func(s settled) string {
				return s.fill(`{"database":$database,"type":"query","query":{"source-table":$table}}`)
			},
			func(s settled) { s.admin().delete(path("/api/user/%d", s.Member)).want(200) }, http.StatusUnauthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := settledWorld(t)
			if strings.HasPrefix(c.name, "administration") {
				s.administer(s.Member, true)
			}
			body := &slowBody{strings.NewReader(c.body(s)), func() { c.do(s) }}
			req := httptest.NewRequest(c.method, "http://sluice.test"+c.path, body)
			req.Header.Set(sessionHeader, s.MemberSession)
			rec := httptest.NewRecorder()
			s.api.Handler().ServeHTTP(rec, req)
			if rec.Code != c.status {
				t.Errorf("status %d, want %d: %s", rec.Code, c.status, rec.Body)
			}
		})
	}
}

// administer makes somebody an administrator, or no longer.
func (s settled) administer(id int64, is bool) {
	s.t.Helper()
	s.admin().put(path("/api/user/%d", id), map[string]any{"is_superuser": is}).want(200)
}

// unescaped is the value as JSON in the bytes that browsers write.
func unescaped(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	if err := appendJSON(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
