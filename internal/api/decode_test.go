package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type sampleBody struct {
	Name   string              `json:"name" rule:"required,nonblank"`
	Mail   *string             `json:"mail" rule:"email"`
	Count  int                 `json:"count"`
	Ratio  float64             `json:"ratio"`
	On     bool                `json:"on"`
	Owner  ID                  `json:"owner" rule:"positive"`
	Parent Opt[ID]             `json:"parent"`
	Query  Object              `json:"query"`
	List   Array               `json:"list"`
	Raw    json.RawMessage     `json:"raw"`
	Tags   []string            `json:"tags"`
	Inner  sampleInner         `json:"inner"`
	Inners []sampleInner       `json:"inners"`
	Attrs  *attributes         `json:"attrs"`
	Levels map[string]ID       `json:"levels"`
	Any    any                 `json:"any"`
	Deep   map[string][]string `json:"deep"`
	groupsBody
}

type sampleInner struct {
	ID ID `json:"id" rule:"required"`
}

func decodeText[T any](t *testing.T, text string) (T, error) {
	t.Helper()
	var like T
	r := httptest.NewRequest("POST", "/", strings.NewReader(text))
	v, err := decodeBody(r, like, true)
	if v == nil {
		return like, err
	}
	return *v.(*T), err
}

func TestBodiesAreReadAsClientsSendThem(t *testing.T) {
	for _, c := range []struct {
		text string
		want sampleBody
	}{
		{`{"name":"x"}`, sampleBody{Name: "x"}},
		{" {\"name\": \"x\" }\n", sampleBody{Name: "x"}},
		{`{"name":"x","unknown":{"a":[1]}}`, sampleBody{Name: "x"}},
		{`{"name":"x","NAME":5}`, sampleBody{Name: "x"}},
		{`{"name":"x","mail":null,"count":null,"on":null,"owner":null,"query":null,"tags":null,"inner":null,"attrs":null,"any":null}`, sampleBody{Name: "x"}},
		{`{"name":"x","owner":"12"}`, sampleBody{Name: "x", Owner: 12}},
		{`{"name":"x","owner":12,"count":-3,"ratio":1.5,"on":true}`, sampleBody{Name: "x", Owner: 12, Count: -3, Ratio: 1.5, On: true}},
		{`{"name":"x","parent":null}`, sampleBody{Name: "x", Parent: Opt[ID]{Set: true, Null: true}}},
		{`{"name":"x","parent":"7"}`, sampleBody{Name: "x", Parent: Opt[ID]{Set: true, Value: 7}}},
		{`{"name":"x","query":{ "b":1, "a" : 2 },"list":[ 1],"raw": {"z": null} }`,
			sampleBody{Name: "x", Query: Object(`{ "b":1, "a" : 2 }`), List: Array(`[ 1]`), Raw: json.RawMessage(`{"z": null}`)}},
		{`{"name":"x","tags":["a","b"],"inner":{"id":1},"inners":[{"id":"2","more":1}],"levels":{"1":"3","2":null},"deep":{"a":["b"]}}`,
			sampleBody{Name: "x", Tags: []string{"a", "b"}, Inner: sampleInner{1}, Inners: []sampleInner{{2}}, Levels: map[string]ID{"1": 3}, Deep: map[string][]string{"a": {"b"}}}},
		{`{"name":"x","attrs":{"org":99,"big":12345678901234567890,"ok":true,"s":"t","gone":null}}`,
			sampleBody{Name: "x", Attrs: &attributes{"org": "99", "big": "12345678901234567890", "ok": "true", "s": "t"}}},
		{`{"name":"x","group_ids":["1",2]}`, sampleBody{Name: "x", groupsBody: groupsBody{GroupIDs: Opt[[]ID]{Set: true, Value: []ID{1, 2}}}}},
		{`{"name":"x","any":{"n":1.0}}`, sampleBody{Name: "x", Any: map[string]any{"n": json.Number("1.0")}}},
	} {
		got, err := decodeText[sampleBody](t, c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(sampleBody{})); diff != "" {
			t.Errorf("%s:\n%s", c.text, diff)
		}
	}
}

func TestWrongTypesAreAllNamedByField(t *testing.T) {
	for _, c := range []struct {
		text string
		want map[string]string
	}{
		{`{}`, map[string]string{"name": "value must be a non-blank string."}},
		{``, map[string]string{"name": "value must be a non-blank string."}},
		{`null`, map[string]string{"name": "value must be a non-blank string."}},
		{`[]`, map[string]string{"body": "value must be a map."}},
		{`"x"`, map[string]string{"body": "value must be a map."}},
		{`{"name":" "}`, map[string]string{"name": "value must be a non-blank string."}},
		{`{"name":{"a":1},"mail":5,"count":"3","ratio":"1","on":"true","owner":{},"query":[],"list":{},"tags":"a","inner":[],"attrs":[],"levels":1}`, map[string]string{
			"name": "value must be a non-blank string.", "mail": "value must be a string.", "count": "value must be an integer.", "ratio": "value must be a number.",
			"on": "value must be a boolean.", "owner": "value must be an integer or a string of decimal digits.", "query": "value must be a map.", "list": "value must be an array.",
			"tags": "value must be an array.", "inner": "value must be a map.", "attrs": "value must be a map of texts, numbers or booleans, or of lists of at most 1000 of them.", "levels": "value must be a map."}},
		{`{"name":"x","count":1.5}`, map[string]string{"count": "value must be an integer."}},
		{`{"name":"x","count":1e3}`, map[string]string{"count": "value must be an integer."}},
		{`{"name":"x","owner":"12a"}`, map[string]string{"owner": "value must be an integer or a string of decimal digits."}},
		{`{"name":"x","owner":""}`, map[string]string{"owner": "value must be an integer or a string of decimal digits."}},
		{`{"name":"x","owner":"+1"}`, map[string]string{"owner": "value must be an integer or a string of decimal digits."}},
		{`{"name":"x","owner":99999999999999999999}`, map[string]string{"owner": "value must be an integer or a string of decimal digits."}},
		{`{"name":"x","owner":0}`, map[string]string{"owner": "value must be an integer greater than zero."}},
		{`{"name":"x","mail":"nobody"}`, map[string]string{"mail": "value must be a valid email address."}},
		{`{"name":"a\u0000b"}`, map[string]string{"name": "value must be a string without NUL characters."}},
		{`{"name":"x","tags":["a",5,null]}`, map[string]string{"tags[1]": "value must be a string.", "tags[2]": "value must be given."}},
		{`{"name":"x","inner":{},"inners":[{"id":[]},null]}`, map[string]string{"inner.id": "value must be an integer or a string of decimal digits.",
			"inners[0].id": "value must be an integer or a string of decimal digits.", "inners[1]": "value must be given."}},
		{`{"name":"x","attrs":{"a":{}}}`, map[string]string{"attrs": "value must be a map of texts, numbers or booleans, or of lists of at most 1000 of them."}},
		{`{"name":"x","attrs":{"@tenant":"a"}}`, map[string]string{"attrs": "value must be a map without keys that start with @, which are the server's own (@tenant)."}},
		{`{"name":"x","deep":{"a":["b",1]}}`, map[string]string{"deep.a[1]": "value must be a string."}},
	} {
		_, err := decodeText[sampleBody](t, c.text)
		var got invalid
		if !errors.As(err, &got) {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if diff := cmp.Diff(c.want, got.Errors); diff != "" {
			t.Errorf("%s:\n%s", c.text, diff)
		}
		for field := range c.want {
			if len(got.Specific[field]) == 0 {
				t.Errorf("%s: no specific error for %s", c.text, field)
			}
		}
	}
}

func TestMalformedJSONIsRefusedWithItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"{\"name\":\"x\",\n\"count\":}":  "line 2",
		"{\"name\":\"x\"}\n\n{\"a\":1}":  "line 3",
		"{\"name\":\"x\"} trailing":      "line 1",
		"{\"name\":":                     "unexpected end",
		"name=x":                         "line 1",
		strings.Repeat("[", 20_000):      "depth",
		"{\"name\": \"\x01\"}":           "line 1",
		"\xef\xbb\xbf{\"name\":\"bom\"}": "line 1",
	} {
		_, err := decodeText[sampleBody](t, text)
		var got message
		if !errors.As(err, &got) || got.status != http.StatusBadRequest || !strings.Contains(got.text, want) {
			t.Errorf("%.40q: %v, want a 400 with %q", text, err, want)
		}
	}
}

func TestFormBodiesHoldJSONInTheirFields(t *testing.T) {
	form := url.Values{"name": {"x y"}, "query": {`{"a": 1}`}, "on": {"true"}, "list": {"null"}, "count": {"oops"}}
	r := httptest.NewRequest("POST", "/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	v, err := decodeBody(r, sampleBody{}, true)
	got := v.(*sampleBody)
	if got.Name != "x y" || string(got.Query) != `{"a": 1}` || !got.On || got.List != nil {
		t.Errorf("got %+v", got)
	}
	var bad invalid
	if !errors.As(err, &bad) || bad.Errors["count"] != "value must be an integer." {
		t.Errorf("got %v, want an error for count", err)
	}
}

func TestQueryValuesAreTyped(t *testing.T) {
	type values struct {
		paging
		Text   string   `query:"q"`
		On     bool     `query:"on"`
		Group  ID       `query:"group"`
		Status string   `query:"status" enum:"a,b"`
		Models []string `query:"models" enum:"card,dashboard"`
	}
	three := 3
	for _, c := range []struct {
		query string
		want  values
		wrong map[string]string
	}{
		{"", values{}, nil},
		{"limit=3&q=x&on=true&group=5&status=b&models=card&models=dashboard&more=1",
			values{paging: paging{Limit: &three}, Text: "x", On: true, Group: 5, Status: "b", Models: []string{"card", "dashboard"}}, nil},
		{"limit=&on=&group=", values{}, nil},
		{"limit=x&on=1&group=a&status=c&models=card&models=other&q=%00", values{Models: []string{"card", "other"}}, map[string]string{
			"limit": "value must be an integer.", "on": "value must be a boolean.", "group": "value must be an integer.", "status": "value must be one of a, b.",
			"models": "value must be one of card, dashboard.", "q": "value must be a string without NUL characters."}},
		{"limit=1&limit=2", values{}, map[string]string{"limit": "value must be given once."}},
	} {
		q, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeQuery(q, values{})
		var bad invalid
		errors.As(err, &bad)
		if diff := cmp.Diff(c.wrong, bad.Errors); diff != "" {
			t.Errorf("%s:\n%s", c.query, diff)
		}
		if diff := cmp.Diff(&c.want, got, cmp.AllowUnexported(values{})); diff != "" {
			t.Errorf("%s:\n%s", c.query, diff)
		}
	}
}

// Every body type of the table can be decoded: a field of a type that the
// decoder does not know would panic here and not in a request.
func TestEveryBodyOfTheRouteTableCanBeDecoded(t *testing.T) {
	for _, rt := range routes() {
		if rt.Body == nil || rt.Raw {
			continue
		}
		text := exampleOf(reflect.TypeOf(rt.Body))
		r := httptest.NewRequest(rt.Method, "/", strings.NewReader(text))
		if _, err := decodeBody(r, rt.Body, rt.Form); err != nil {
			t.Errorf("%s %s: %s: %v", rt.Method, rt.Path, text, err)
		}
	}
}

// exampleOf is a JSON text with every field of a body type.
func exampleOf(t reflect.Type) string {
	data, err := json.Marshal(exampleValue(t, ""))
	if err != nil {
		panic(err)
	}
	return string(data)
}

func exampleValue(t reflect.Type, rule string) any {
	switch reflect.New(t).Interface().(type) {
	case *ID:
		return "1"
	case *scalar:
		return "text"
	case *Array:
		return []any{}
	case wireType:
		return map[string]any{}
	}
	if isOpt(t) {
		f, _ := t.FieldByName("Value")
		return exampleValue(f.Type, rule)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return exampleValue(t.Elem(), rule)
	case reflect.String:
		if has(rule, "email") {
			return "somebody@example.org"
		}
		return "text"
	case reflect.Bool:
		return true
	case reflect.Int, reflect.Int64, reflect.Float64:
		return 1
	case reflect.Slice:
		if t == reflect.TypeFor[json.RawMessage]() {
			return map[string]any{}
		}
		return []any{exampleValue(t.Elem(), "")}
	case reflect.Map:
		return map[string]any{"1": exampleValue(t.Elem(), "")}
	case reflect.Struct:
		out := map[string]any{}
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Anonymous {
				for k, v := range exampleValue(f.Type, "").(map[string]any) {
					out[k] = v
				}
			} else if name := jsonName(f); name != "" {
				out[name] = exampleValue(f.Type, f.Tag.Get("rule"))
			}
		}
		return out
	}
	return "anything"
}
