package api

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// openapi is the part of the document that the tests read.
type openapiDoc struct {
	OpenAPI    string                                  `json:"openapi"`
	Paths      map[string]map[string]*openapiOperation `json:"paths"`
	Components struct {
		Schemas map[string]*openapiSchema `json:"schemas"`
	} `json:"components"`
}

type openapiOperation struct {
	OperationID string             `json:"operationId"`
	Need        string             `json:"x-need"`
	Parameters  []openapiParameter `json:"parameters"`
	RequestBody *struct {
		Content map[string]struct {
			Schema *openapiSchema `json:"schema"`
		} `json:"content"`
	} `json:"requestBody"`
	Responses map[string]json.RawMessage `json:"responses"`
	Security  *[]any                     `json:"security"`
}

type openapiParameter struct {
	Name   string         `json:"name"`
	In     string         `json:"in"`
	Schema *openapiSchema `json:"schema"`
}

type openapiSchema struct {
	Ref        string                    `json:"$ref"`
	Type       typeNames                 `json:"type"`
	Properties map[string]*openapiSchema `json:"properties"`
	Required   []string                  `json:"required"`
	Items      *openapiSchema            `json:"items"`
	Additional *openapiSchema            `json:"additionalProperties"`
	OneOf      []*openapiSchema          `json:"oneOf"`
	AnyOf      []*openapiSchema          `json:"anyOf"`
	Pattern    string                    `json:"pattern"`
	Format     string                    `json:"format"`
	MinLength  int                       `json:"minLength"`
	Enum       []string                  `json:"enum"`
}

// UnmarshalJSON also reads the schemas true and false, which say nothing here.
func (s *openapiSchema) UnmarshalJSON(data []byte) error {
	if text := string(data); text == "true" || text == "false" {
		return nil
	}
	type plain openapiSchema
	return json.Unmarshal(data, (*plain)(s))
}

// typeNames is one name or a list of them.
type typeNames []string

func (t *typeNames) UnmarshalJSON(data []byte) error {
	if strings.HasPrefix(string(data), "[") {
		return json.Unmarshal(data, (*[]string)(t))
	}
	*t = typeNames{""}
	return json.Unmarshal(data, &(*t)[0])
}

func readOpenAPI(t *testing.T) *openapiDoc {
	t.Helper()
	data, err := describe(routes(), "test")
	if err != nil {
		t.Fatal(err)
	}
	var doc openapiDoc
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	return &doc
}

// resolve follows references.
func (doc *openapiDoc) resolve(s *openapiSchema) *openapiSchema {
	for s != nil && s.Ref != "" {
		s = doc.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	return s
}

func TestTheOpenAPIDocumentDescribesEveryRouteAndNothingElse(t *testing.T) {
	doc := readOpenAPI(t)
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi is %q", doc.OpenAPI)
	}
	all := routes()
	ids := map[string]bool{}
	described := 0
	for _, methods := range doc.Paths {
		described += len(methods)
	}
	if described != len(all) {
		t.Errorf("%d operations are described, there are %d routes", described, len(all))
	}
	for i := range all {
		rt := &all[i]
		op := doc.Paths[rt.pattern()][strings.ToLower(rt.Method)]
		if op == nil {
			t.Errorf("%s %s is not described", rt.Method, rt.Path)
			continue
		}
		if ids[op.OperationID] {
			t.Errorf("two operations are called %s", op.OperationID)
		}
		ids[op.OperationID] = true
		if op.Need != rt.Need.String() {
			t.Errorf("%s %s: the document says it needs %q", rt.Method, rt.Path, op.Need)
		}
		if (op.Security != nil) != rt.Need.public {
			t.Errorf("%s %s: the document is wrong about whether one must sign in", rt.Method, rt.Path)
		}
		if (op.RequestBody != nil) != (rt.Body != nil) {
			t.Errorf("%s %s: the document is wrong about whether there is a body", rt.Method, rt.Path)
		}
		inPath := 0
		for _, p := range op.Parameters {
			if p.In == "path" {
				inPath++
			}
		}
		if inPath != len(rt.parameters()) || inPath != strings.Count(rt.pattern(), "{") {
			t.Errorf("%s %s: %d path parameters are described", rt.Method, rt.Path, inPath)
		}
	}
}

func TestTheOpenAPIDocumentIsWhole(t *testing.T) {
	doc := readOpenAPI(t)
	name := regexp.MustCompile(`^[a-zA-Z0-9._-]+$`) // what OpenAPI allows
	for n := range doc.Components.Schemas {
		if !name.MatchString(n) {
			t.Errorf("a schema is called %q", n)
		}
	}
	data, err := describe(routes(), "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"\$ref":"#/components/schemas/([^"]*)"`).FindAllStringSubmatch(string(data), -1) {
		if doc.Components.Schemas[m[1]] == nil {
			t.Errorf("a reference leads to %s, which is not there", m[1])
		}
	}
	again, err := describe(routes(), "test")
	if err != nil || string(again) != string(data) {
		t.Error("the document is not the same twice")
	}
}

func TestARouteThatDoesNotSayWhatItNeedsDoesNotStart(t *testing.T) {
	handle := func(*API, *request) (any, error) { return nil, nil }
	whole := Route{Method: http.MethodGet, Path: "/api/thing/{id}", Need: person(), Summary: "Get a thing", handle: handle}
	if err := whole.valid(); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(*Route){
		"need":    func(r *Route) { r.Need = Need{} },
		"handler": func(r *Route) { r.handle = nil },
		"summary": func(r *Route) { r.Summary = "" },
		"path":    func(r *Route) { r.Path = "/thing" },
		"slash":   func(r *Route) { r.Path = "/api/thing/" },
	} {
		spoilt := whole
		spoil(&spoilt)
		if spoilt.valid() == nil {
			t.Errorf("a route with a bad %s is let through", what)
		}
	}
	all := routes()
	for i := range all {
		if err := all[i].valid(); err != nil {
			t.Error(err)
		}
	}
}
