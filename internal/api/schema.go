package api

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// schema is a JSON schema (draft 2020-12, as OpenAPI 3.1 uses it).
type schema map[string]any

// typed is the schema of one JSON type.
func typed(name string) schema { return schema{"type": name} }

// schemas makes schemas out of the types that bodies are read into and answers
// are written from. Structs become named components.
type schemas struct {
	components map[string]schema
	types      map[string]reflect.Type
}

func (s *schemas) of(t reflect.Type, rule string) schema {
	if w, ok := reflect.New(t).Interface().(wireType); ok {
		return w.wireSchema()
	}
	if isOpt(t) {
		f, _ := t.FieldByName("Value")
		return nullable(s.of(f.Type, rule))
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		return schema{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return schema{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return nullable(s.of(t.Elem(), rule))
	case reflect.String:
		out := typed("string")
		if has(rule, "nonblank") {
			out["minLength"] = 1
		}
		if has(rule, "email") {
			out["format"] = "email"
		}
		if n := most(rule, 0); n > 0 {
			out["maxLength"] = n
		}
		return out
	case reflect.Bool:
		return typed("boolean")
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint64:
		out := typed("integer")
		if has(rule, "positive") {
			out["minimum"] = 1
		}
		return out
	case reflect.Float64:
		return typed("number")
	case reflect.Slice:
		out := schema{"type": "array", "items": s.of(t.Elem(), "")}
		if n := most(rule, 0); n > 0 {
			out["maxItems"] = n
		}
		return out
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": s.of(t.Elem(), "")}
	case reflect.Struct:
		return s.named(t)
	}
	return schema{} // any value
}

// named is a reference to a struct's component, which it makes when needed.
func (s *schemas) named(t reflect.Type) schema {
	if t.Name() == "" {
		return s.object(t)
	}
	name := componentName(t)
	switch s.types[name] {
	case nil:
		s.types[name] = t
		s.components[name] = s.object(t)
	case t:
	default:
		panic("api: two wire types are called " + name)
	}
	return schema{"$ref": "#/components/schemas/" + name}
}

// packagePath is what stands before the name of a type argument.
var packagePath = regexp.MustCompile(`[\w./-]+\.`)

// componentName is the type's name in the document: UserWire for userWire,
// PageUserWire for page[userWire].
func componentName(t reflect.Type) string {
	var name strings.Builder
	for word := range strings.FieldsFuncSeq(packagePath.ReplaceAllString(t.Name(), ""), func(c rune) bool { return strings.ContainsRune("[], *", c) }) {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

func (s *schemas) object(t reflect.Type) schema {
	properties := map[string]any{}
	var required []string
	s.properties(t, properties, &required)
	out := schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func (s *schemas) properties(t reflect.Type, into map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			e := f.Type
			if e.Kind() == reflect.Pointer {
				e = e.Elem()
			}
			s.properties(e, into, required)
			continue
		}
		name := jsonName(f)
		if name == "" {
			continue
		}
		rule := f.Tag.Get("rule")
		into[name] = s.of(f.Type, rule)
		if has(rule, "required") {
			*required = append(*required, name)
		}
	}
}

// nullable is the schema with null added.
func nullable(s schema) schema {
	if name, ok := s["type"].(string); ok {
		out := schema{}
		for k, v := range s {
			out[k] = v
		}
		out["type"] = []string{name, "null"}
		return out
	}
	if len(s) == 0 {
		return s
	}
	return schema{"anyOf": []schema{s, typed("null")}}
}

func (*ID) wireSchema() schema {
	return schema{"oneOf": []schema{typed("integer"), {"type": "string", "pattern": "^-?[0-9]+$"}}}
}

func (*Object) wireSchema() schema { return typed("object") }

func (*Array) wireSchema() schema { return typed("array") }
