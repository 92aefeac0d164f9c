package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// describe makes the OpenAPI document out of the route table.
func describe(routes []Route, version string) ([]byte, error) {
	s := &schemas{components: map[string]schema{}, types: map[string]reflect.Type{}}
	paths := map[string]map[string]any{}
	for i := range routes {
		rt := &routes[i]
		path := rt.pattern()
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		method := strings.ToLower(rt.Method)
		if paths[path][method] != nil {
			return nil, fmt.Errorf("api: two routes for %s %s", rt.Method, path)
		}
		paths[path][method] = s.operation(rt)
	}
	doc := schema{
		"openapi": "3.1.0",
		"info": schema{"title": "Sluice", "version": version,
			"description": "The API follows Metabase's. Errors without a body of their own are plain text; 400 carries {\"errors\": {field: text}}."},
		"paths": paths,
		"components": schema{
			"schemas": s.components,
			"securitySchemes": schema{
				"session": schema{"type": "apiKey", "in": "cookie", "name": sessionCookie},
				"header":  schema{"type": "apiKey", "in": "header", "name": sessionHeader},
				"key":     schema{"type": "apiKey", "in": "header", "name": keyHeader},
			},
		},
		"security": []schema{{"session": []string{}}, {"header": []string{}}, {"key": []string{}}},
	}
	return json.Marshal(doc)
}

func (s *schemas) operation(rt *Route) schema {
	op := schema{
		"summary":     rt.Summary,
		"operationId": operationID(rt),
		"tags":        []string{strings.Split(rt.Path, "/")[2]},
		"x-need":      rt.Need.String(),
		"responses":   s.responses(rt),
	}
	if rt.Need.public {
		op["security"] = []schema{}
	}
	var parameters []schema
	for _, p := range rt.parameters() {
		kind := typed("string")
		if p.number {
			kind = typed("integer")
		}
		parameters = append(parameters, schema{"name": p.name, "in": "path", "required": true, "schema": kind})
	}
	if rt.Query != nil {
		parameters = s.queryParameters(reflect.TypeOf(rt.Query), parameters)
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	if rt.Body != nil {
		body := schema{"schema": s.of(reflect.TypeOf(rt.Body), "")}
		content := schema{"application/json": body}
		if rt.Form {
			content["application/x-www-form-urlencoded"] = body
		}
		op["requestBody"] = schema{"content": content}
	}
	return op
}

func (s *schemas) queryParameters(t reflect.Type, into []schema) []schema {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			into = s.queryParameters(f.Type, into)
			continue
		}
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		kind := typed("integer")
		if ft != reflect.TypeFor[ID]() {
			kind = s.of(ft, "")
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			values := strings.Split(enum, ",")
			if ft.Kind() == reflect.Slice {
				kind["items"] = schema{"type": "string", "enum": values}
			} else {
				kind["enum"] = values
			}
		}
		into = append(into, schema{"name": f.Tag.Get("query"), "in": "query", "schema": kind})
	}
	return into
}

func (s *schemas) responses(rt *Route) schema {
	out := schema{}
	if rt.Answer == nil {
		out["204"] = schema{"description": http.StatusText(http.StatusNoContent)}
	} else {
		status := rt.Status
		if status == 0 {
			status = http.StatusOK
		}
		out[strconv.Itoa(status)] = schema{"description": http.StatusText(status), "content": schema{"application/json": schema{"schema": s.of(reflect.TypeOf(rt.Answer), "")}}}
	}
	if rt.Query != nil || rt.Body != nil {
		out["400"] = schema{"description": "A value is wrong; the body names it.",
			"content": schema{"application/json": schema{"schema": s.of(reflect.TypeFor[invalid](), "")}}}
	}
	if !rt.Need.public {
		out["401"] = schema{"description": errUnauthenticated.text}
		out["403"] = schema{"description": errForbidden.text}
	}
	if len(rt.parameters()) > 0 {
		out["404"] = schema{"description": errNotFound.text}
	}
	return out
}

// operationID is the method and the words of the path.
func operationID(rt *Route) string {
	id := strings.ToLower(rt.Method)
	for _, word := range strings.Split(rt.pattern(), "/")[2:] {
		id += "-" + strings.Trim(word, "{}")
	}
	return id
}

func (a *API) getOpenAPI(*request) (any, error) {
	return document{"application/json", a.openapi}, nil
}
