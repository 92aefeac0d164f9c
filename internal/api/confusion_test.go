package api

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// wrongValues are JSON values by type; each is put where its type does not
// belong. The texts are what injections are made of.
var wrongValues = map[string][]string{
	"object":  {`{"$gt":""}`, `{"raw":"1 OR 1=1"}`, `{}`},
	"array":   {`["=","1"]`, `[[]]`, `[]`},
	"string":  {`"1 OR 1=1"`, `"x'; DROP TABLE users; --"`, `""`},
	"number":  {`1.5`, `-0.1e3`},
	"integer": {`1`},
	"boolean": {`true`},
}

// accepts tells which JSON types a schema takes; none means any.
func (doc *openapiDoc) accepts(s *openapiSchema) map[string]bool {
	s = doc.resolve(s)
	types := map[string]bool{}
	for _, name := range s.Type {
		types[name] = true
	}
	for _, alternative := range slices.Concat(s.OneOf, s.AnyOf) {
		inner := doc.accepts(alternative)
		if len(inner) == 0 {
			return inner
		}
		maps.Copy(types, inner)
	}
	if types["number"] {
		types["integer"] = true
	}
	return types
}

// spoil calls f with every variant of a working body in which one property,
// at any depth, has a value of a wrong type.
func (doc *openapiDoc) spoil(s *openapiSchema, body any, path string, f func(path, value string, body any)) {
	s = doc.resolve(s)
	for _, alternative := range slices.Concat(s.OneOf, s.AnyOf) {
		doc.spoil(alternative, body, path, f)
	}
	object, _ := body.(map[string]any)
	for name, property := range s.Properties {
		at := join(path, name)
		types := doc.accepts(property)
		for kind, values := range wrongValues {
			if len(types) == 0 || types[kind] && doc.resolve(property).Pattern == "" && !doc.isID(property) || kind == "integer" && doc.isID(property) {
				continue
			}
			for _, value := range values {
				f(at, value, with(object, name, json.RawMessage(value)))
			}
		}
		doc.spoil(property, doc.example(property), at, func(path, value string, inner any) {
			f(path, value, with(object, name, inner))
		})
	}
	if s.Items != nil {
		doc.spoil(s.Items, doc.example(s.Items), path+"[0]", func(path, value string, inner any) { f(path, value, []any{inner}) })
		doc.spoilValue(s.Items, func(value string) { f(path+"[0]", value, []any{json.RawMessage(value)}) })
	}
	if s.Additional != nil {
		doc.spoilValue(s.Additional, func(value string) { f(path+".key", value, map[string]any{"key": json.RawMessage(value)}) })
	}
}

func (doc *openapiDoc) spoilValue(s *openapiSchema, f func(value string)) {
	types := doc.accepts(s)
	for kind, values := range wrongValues {
		if len(types) == 0 || types[kind] {
			continue
		}
		for _, value := range values {
			f(value)
		}
	}
}

// isID tells whether a schema is that of ID: integers and decimal strings.
func (doc *openapiDoc) isID(s *openapiSchema) bool {
	s = doc.resolve(s)
	for _, alternative := range slices.Concat(s.OneOf, s.AnyOf) {
		if alternative.Pattern != "" || doc.isID(alternative) {
			return true
		}
	}
	return false
}

// example is a value that the schema takes, with what is required.
func (doc *openapiDoc) example(s *openapiSchema) any {
	s = doc.resolve(s)
	types := doc.accepts(s)
	switch {
	case doc.isID(s), types["integer"]:
		return 1
	case s.Format == "email":
		return "somebody@example.org"
	case types["string"]:
		return "text"
	case types["object"]:
		for _, alternative := range slices.Concat(s.OneOf, s.AnyOf) {
			if inner := doc.resolve(alternative); inner.Properties != nil {
				return doc.example(inner)
			}
		}
		object := map[string]any{}
		for _, name := range s.Required {
			object[name] = doc.example(s.Properties[name])
		}
		return object
	case types["array"]:
		return []any{}
	case types["boolean"]:
		return true
	}
	return 1
}

// with is a copy of an object with one member set.
func with(object map[string]any, name string, value any) map[string]any {
	c := maps.Clone(object)
	if c == nil {
		c = map[string]any{}
	}
	c[name] = value
	return c
}

// A value of a wrong type is a 400 that reaches no SQL: after the statements
// that find out who asks, none is run.
func TestAWrongTypeAnywhereInABodyIsA400BeforeAnySQL(t *testing.T) {
	t.Parallel()
	doc, w := readOpenAPI(t), settledWorld(t)
	admin := w.admin()
	bodies := readBodies(t)
	tried := 0
	all := routes()
	for i := range all {
		rt := &all[i]
		op := doc.Paths[rt.pattern()][strings.ToLower(rt.Method)]
		if op.RequestBody == nil {
			continue
		}
		address := w.address(rt)
		var working any
		if err := json.Unmarshal([]byte(w.fill(bodies[rt.Method+" "+rt.Path])), &working); err != nil {
			t.Errorf("%s %s: no working body: %v", rt.Method, rt.Path, err)
			continue
		}
		before := w.store.Statements()
		admin.send(rt.Method, address, "{").want(400)
		signingIn := w.store.Statements() - before
		s := op.RequestBody.Content["application/json"].Schema
		doc.spoil(s, working, "", func(path, value string, body any) {
			tried++
			before := w.store.Statements()
			r := admin.send(rt.Method, address, body)
			if r.status != 400 {
				t.Errorf("%s %s with %s = %s: status %d: %.200s", rt.Method, rt.Path, path, value, r.status, r.body)
			}
			if n := w.store.Statements() - before; n != signingIn {
				t.Errorf("%s %s with %s = %s: %d statements, signing in takes %d", rt.Method, rt.Path, path, value, n, signingIn)
			}
			var in invalid
			if json.Unmarshal(r.body, &in) != nil || len(in.Errors) == 0 && !rt.Raw {
				t.Errorf("%s %s with %s = %s: the answer names no field: %.200s", rt.Method, rt.Path, path, value, r.body)
			}
		})
		for _, whole := range []string{`[]`, `"text"`, `5`, `true`} {
			tried++
			if r := admin.send(rt.Method, address, whole); r.status != 400 {
				t.Errorf("%s %s with the body %s: status %d", rt.Method, rt.Path, whole, r.status)
			}
		}
	}
	if tried < 300 {
		t.Errorf("only %d bodies were tried", tried)
	}
	t.Logf("%d bodies were tried", tried)
}

// Parameters of paths and queries are typed as bodies are.
func TestAWrongTypeInAnAddressReachesNoSQL(t *testing.T) {
	doc, w := readOpenAPI(t), settledWorld(t)
	admin := w.admin()
	all := routes()
	for i := range all {
		rt := &all[i]
		op := doc.Paths[rt.pattern()][strings.ToLower(rt.Method)]
		for _, p := range op.Parameters {
			if p.In == "path" && slices.Contains(p.Schema.Type, "integer") {
				for _, value := range []string{"x", "1.5", "-1", "+1", "1'", "1 OR 1=1", "1;", "99999999999999999999", "%00", "[1]", "０"} {
					address := w.address(&Route{Path: replaceParameter(rt.Path, p.Name)})
					address = strings.ReplaceAll(address, "PARAMETER", url.PathEscape(value))
					before := w.store.Statements()
					admin.send(rt.Method, address, nil).text(404, "API endpoint does not exist.")
					if n := w.store.Statements() - before; n != 0 {
						t.Errorf("%s %s: %d statements", rt.Method, address, n)
					}
				}
			}
			if p.In != "query" {
				continue
			}
			wrong := []string{"\x00"}
			switch {
			case slices.Contains(p.Schema.Type, "integer"):
				wrong = append(wrong, "x", "1.5", "1 OR 1=1", "99999999999999999999", `{"a":1}`)
			case slices.Contains(p.Schema.Type, "boolean"):
				wrong = append(wrong, "1", "yes", "TRUE", "[]")
			case len(p.Schema.Enum) > 0, p.Schema.Items != nil && len(p.Schema.Items.Enum) > 0:
				wrong = append(wrong, "other", "'")
			}
			before := w.store.Statements()
			admin.send(rt.Method, w.address(rt)+"?"+url.QueryEscape(p.Name)+"=%00", nil).want(400)
			signingIn := w.store.Statements() - before
			for _, value := range wrong {
				before := w.store.Statements()
				r := admin.send(rt.Method, w.address(rt)+"?"+url.Values{p.Name: {value}}.Encode(), nil)
				if r.status != 400 {
					t.Errorf("%s %s?%s=%q: status %d: %.200s", rt.Method, rt.Path, p.Name, value, r.status, r.body)
				}
				if n := w.store.Statements() - before; n != signingIn {
					t.Errorf("%s %s?%s=%q: %d statements", rt.Method, rt.Path, p.Name, value, n)
				}
			}
		}
	}
}

// replaceParameter puts the word PARAMETER in place of one parameter.
func replaceParameter(path, name string) string {
	return strings.Replace(path, "{"+name+"}", "PARAMETER", 1)
}

// Odd but well-typed texts are stored, found or refused, never a failure.
func TestOddTextsNeverBreakARoute(t *testing.T) { onEachEngine(t, oddTextsNeverBreakARoute) }

func oddTextsNeverBreakARoute(t *testing.T, w settled) {
	t.Helper()
	doc := readOpenAPI(t)
	odd := []string{"'", "x' OR '1'='1", "%_\\", " ", "\u0000", "🙂\u202e\ufeff", strings.Repeat("long ", 20_000), "$1 ?"}
	bodies := readBodies(t)
	all := routes()
	for i := range all {
		rt := &all[i]
		op := doc.Paths[rt.pattern()][strings.ToLower(rt.Method)]
		if op.RequestBody != nil {
			var working map[string]any
			if json.Unmarshal([]byte(w.fill(bodies[rt.Method+" "+rt.Path])), &working) != nil {
				continue
			}
			s := doc.resolve(op.RequestBody.Content["application/json"].Schema)
			for name, property := range s.Properties {
				if types := doc.accepts(property); !types["string"] || name == "password" || rt.Path == "/api/session" {
					continue
				}
				for _, text := range odd {
					if r := w.member().send(rt.Method, w.address(rt), with(working, name, text)); r.status >= 500 {
						t.Errorf("%s %s with %s = %.40q: status %d\n%s", rt.Method, rt.Path, name, text, r.status, w.log)
					}
					w.log.Reset()
					if r := w.admin().send(rt.Method, w.address(rt), with(working, name, text)); r.status >= 500 {
						t.Errorf("%s %s with %s = %.40q: status %d\n%s", rt.Method, rt.Path, name, text, r.status, w.log)
					}
					w.log.Reset()
				}
			}
		}
		for _, p := range op.Parameters {
			for _, text := range odd {
				address := w.address(rt) + "?" + url.Values{p.Name: {text}}.Encode()
				if p.In == "path" {
					if !slices.Contains(p.Schema.Type, "string") {
						continue
					}
					address = strings.ReplaceAll(w.address(&Route{Path: replaceParameter(rt.Path, p.Name+":text")}), "PARAMETER", url.PathEscape(text))
				}
				if len(address) > 20_000 && rt.Method != "GET" {
					continue
				}
				if r := w.admin().send(rt.Method, address, nil); r.status >= 500 {
					t.Errorf("%s %.200s: status %d\n%s", rt.Method, address, r.status, w.log)
				}
				w.log.Reset()
			}
		}
	}
}
