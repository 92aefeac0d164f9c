package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bodies are read into typed structs before any handler runs. What a struct
// field accepts is decided by its type alone:
//
//	string, bool, float64   a JSON string, boolean, number
//	int, int64              an integral JSON number
//	ID                      an integral JSON number or a decimal string
//	Object, Array           a JSON object or array, kept as it was sent
//	json.RawMessage, any    any JSON value
//	Opt[T], *T              a T; Opt also tells null from absent
//	[]T, map[string]T       an array or object of T
//	struct                  an object; unknown keys are ignored
//	a wireType              what it says itself
//
// null stands for "not given", as clients send it. Keys are compared exactly.
// A field's tag rule:"required,nonblank,email,positive" asks for more; and
//
//	max=n        at most n characters of text, bytes of an Object or Array, or
//	             entries of a list (which has at most defaultEntries without)
//	locale       the tag of a language, such as de or pt-BR
//	parameters   an Array of parameters, see parameterWire
//	mappings     an Array of what parameters go to, see mappingWire

// defaultEntries is the most entries that a list may have if its field does
// not say otherwise.
const defaultEntries = 10_000

// decodeBody reads the request's body into a new value of the type of like.
// Every mistake is reported, by field. An absent body is an empty object.
func decodeBody(r *http.Request, like any, form bool) (any, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err // *http.MaxBytesError, or the client went away
	}
	into := reflect.New(reflect.TypeOf(like))
	if form && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		items, err := formItems(data, into.Type().Elem())
		if err != nil {
			return nil, err
		}
		var d binder
		d.fields("", items, into.Elem())
		return into.Interface(), d.problems()
	}
	if len(bytes.TrimSpace(data)) == 0 {
		data = []byte("{}")
	}
	return into.Interface(), decodeJSON(data, into.Elem())
}

// decodeJSON reads a whole JSON text into v.
func decodeJSON(data []byte, v reflect.Value) error {
	var raw json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at := min(int(syntax.Offset), len(data))
			line := 1 + bytes.Count(data[:at], []byte{'\n'})
			return message{http.StatusBadRequest, fmt.Sprintf("The body is not valid JSON: %s at line %d, byte %d.", syntax, line, at)}
		}
		return message{http.StatusBadRequest, "The body is not valid JSON."}
	}
	raw = bytes.TrimSpace(raw)
	var d binder
	if kindOf(raw) == "null" {
		raw = []byte("{}")
	}
	d.value("", raw, v, "")
	return d.problems()
}

// binder fills a value from JSON and collects what does not fit.
type binder struct{ found invalid }

func (d *binder) problems() error {
	if len(d.found.Errors) == 0 {
		return nil
	}
	return d.found
}

func (d *binder) wrong(path, must, received string) {
	if path == "" {
		path = "body"
	}
	d.found.add(path, "value must be "+must+".", "should be "+must+", received: "+received)
}

func (d *binder) value(path string, raw []byte, v reflect.Value, rule string) {
	if d.found.full() {
		return
	}
	if w, ok := v.Addr().Interface().(wireType); ok {
		d.wire(path, raw, v, w, rule)
		return
	}
	kind := kindOf(raw)
	switch v.Kind() {
	case reflect.Pointer:
		n := reflect.New(v.Type().Elem())
		d.value(path, raw, n.Elem(), rule)
		v.Set(n)
	case reflect.String:
		d.text(path, raw, v, rule)
	case reflect.Bool:
		if kind != "a boolean" {
			d.wrong(path, "a boolean", kind)
			return
		}
		v.SetBool(raw[0] == 't')
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		switch {
		case err != nil:
			d.wrong(path, "an integer", kind)
		case has(rule, "positive") && n <= 0:
			d.wrong(path, "an integer greater than zero", string(raw))
		default:
			v.SetInt(n)
		}
	case reflect.Float64:
		n, err := strconv.ParseFloat(string(raw), 64)
		if kind != "a number" || err != nil {
			d.wrong(path, "a number", kind)
			return
		}
		v.SetFloat(n)
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes(slices.Clone(raw))
			return
		}
		d.array(path, raw, v, most(rule, defaultEntries))
	case reflect.Map:
		d.table(path, raw, v)
	case reflect.Struct:
		d.object(path, raw, v)
	case reflect.Interface:
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var a any
		if dec.Decode(&a) == nil && a != nil {
			v.Set(reflect.ValueOf(a))
		}
	default:
		panic("api: a body cannot hold a " + v.Type().String())
	}
}

// wire reads what reads itself.
func (d *binder) wire(path string, raw []byte, v reflect.Value, w wireType, rule string) {
	must := w.fromWire(raw)
	switch {
	case must != "":
		d.wrong(path, must, kindOf(raw))
	case has(rule, "positive") && v.Kind() == reflect.Int64 && v.Int() <= 0:
		d.wrong(path, "an integer greater than zero", string(raw))
	case v.Kind() == reflect.Slice && v.Len() > most(rule, v.Len()):
		d.wrong(path, fmt.Sprintf("at most %d bytes long", most(rule, 0)), strconv.Itoa(v.Len())+" bytes")
	case has(rule, "parameters"):
		d.value(path, raw, reflect.ValueOf(new([]parameterWire)).Elem(), "")
	case has(rule, "mappings"):
		d.value(path, raw, reflect.ValueOf(new([]mappingWire)).Elem(), "")
	}
}

func (d *binder) text(path string, raw []byte, v reflect.Value, rule string) {
	must := "a string"
	if has(rule, "nonblank") {
		must = "a non-blank string"
	}
	s, ok := unquote(raw)
	switch {
	case !ok:
		d.wrong(path, must, kindOf(raw))
	case strings.ContainsRune(s, 0): // which PostgreSQL cannot store
		d.wrong(path, "a string without NUL characters", "one with such a character")
	case has(rule, "nonblank") && strings.TrimSpace(s) == "":
		d.wrong(path, must, "a blank string")
	case has(rule, "email") && !plausibleEmail(s):
		d.wrong(path, "a valid email address", "something else")
	case has(rule, "locale") && !plausibleLocale(s):
		d.wrong(path, "the tag of a language, such as de or pt-BR", "something else")
	case utf8.RuneCountInString(s) > most(rule, len(s)):
		d.wrong(path, fmt.Sprintf("at most %d characters long", most(rule, 0)), strconv.Itoa(utf8.RuneCountInString(s))+" characters")
	default:
		v.SetString(s)
	}
}

func (d *binder) array(path string, raw []byte, v reflect.Value, limit int) {
	var items []json.RawMessage
	if kindOf(raw) != "an array" || json.Unmarshal(raw, &items) != nil {
		d.wrong(path, "an array", kindOf(raw))
		return
	}
	if len(items) > limit {
		d.wrong(path, fmt.Sprintf("a list of at most %d entries", limit), strconv.Itoa(len(items))+" entries")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		if d.found.full() {
			return
		}
		d.member(fmt.Sprintf("%s[%d]", path, i), bytes.TrimSpace(item), v.Index(i))
	}
}

func (d *binder) table(path string, raw []byte, v reflect.Value) {
	var items map[string]json.RawMessage
	if kindOf(raw) != "an object" || json.Unmarshal(raw, &items) != nil {
		d.wrong(path, "a map", kindOf(raw))
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(items)))
	for key, item := range items {
		if d.found.full() {
			return
		}
		at := join(path, key)
		if strings.ContainsRune(key, 0) {
			d.wrong(at, "a key without NUL characters", "one with such a character")
			continue
		}
		n := reflect.New(v.Type().Elem()).Elem()
		if item = bytes.TrimSpace(item); kindOf(item) == "null" && n.Kind() != reflect.Interface && n.Kind() != reflect.Slice {
			continue // not given
		}
		d.value(at, item, n, "")
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), n)
	}
}

// member reads an element of an array, where null is not "not given".
func (d *binder) member(path string, raw []byte, v reflect.Value) {
	_, own := v.Addr().Interface().(wireType)
	if kindOf(raw) == "null" && (own || v.Kind() != reflect.Interface && v.Kind() != reflect.Pointer && v.Kind() != reflect.Slice) {
		d.wrong(path, "given", "null")
		return
	}
	if kindOf(raw) != "null" || v.Kind() == reflect.Slice {
		d.value(path, raw, v, "")
	}
}

func (d *binder) object(path string, raw []byte, v reflect.Value) {
	var items map[string]json.RawMessage
	if kindOf(raw) != "an object" || json.Unmarshal(raw, &items) != nil {
		d.wrong(path, "a map", kindOf(raw))
		return
	}
	d.fields(path, items, v)
}

func (d *binder) fields(path string, items map[string]json.RawMessage, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			d.fields(path, items, v.Field(i))
			continue
		}
		name := jsonName(f)
		if name == "" {
			continue
		}
		at, rule := join(path, name), f.Tag.Get("rule")
		item, sent := items[name]
		item = bytes.TrimSpace(item)
		given := sent && kindOf(item) != "null"
		into := v.Field(i)
		if isOpt(f.Type) {
			into.FieldByName("Set").SetBool(sent)
			into.FieldByName("Null").SetBool(sent && !given)
			into = into.FieldByName("Value")
		}
		switch {
		case given:
			d.value(at, item, into, rule)
		case has(rule, "required"):
			must := mustBe(into.Type(), rule)
			d.found.add(at, "value must be "+must+".", "missing required key")
		}
	}
}

// mustBe says in words what a type accepts.
func mustBe(t reflect.Type, rule string) string {
	if has(rule, "email") {
		return "a valid email address"
	}
	if has(rule, "nonblank") {
		return "a non-blank string"
	}
	if has(rule, "positive") {
		return "an integer greater than zero"
	}
	if w, ok := reflect.New(t).Interface().(wireType); ok {
		return w.fromWire([]byte("null"))
	}
	var d binder
	d.value("x", []byte("null"), reflect.New(t).Elem(), rule)
	if text, ok := d.found.Errors["x"]; ok {
		return strings.TrimSuffix(strings.TrimPrefix(text, "value must be "), ".")
	}
	return "given"
}

// kindOf names the kind of a JSON value.
func kindOf(raw []byte) string {
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

func unquote(raw []byte) (string, bool) {
	var s string
	if kindOf(raw) != "a string" || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

func isOpt(t reflect.Type) bool {
	_, ok := reflect.Zero(t).Interface().(interface{ optional() })
	return ok && t.Kind() == reflect.Struct
}

// jsonName is the field's key in JSON; "" when it has none.
func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if !f.IsExported() || name == "-" {
		return ""
	}
	if name == "" {
		panic("api: field " + f.Name + " of a wire type has no json tag")
	}
	return name
}

func has(rule, word string) bool { return slices.Contains(strings.Split(rule, ","), word) }

// most is the n of max=n in a rule, or what holds without.
func most(rule string, without int) int {
	for word := range strings.SplitSeq(rule, ",") {
		if n, given := strings.CutPrefix(word, "max="); given {
			limit, err := strconv.Atoi(n)
			if err != nil {
				panic("api: the rule " + rule + " has no number after max=")
			}
			return limit
		}
	}
	return without
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// plausibleEmail asks for something@something without spaces; the mail
// servers know the rest.
func plausibleEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && len(s) <= 254 && !strings.ContainsAny(s, " \t\r\n,;<>") && !strings.Contains(domain, "@")
}

// plausibleLocale asks for what tags of languages are made of.
func plausibleLocale(s string) bool {
	return s != "" && len(s) <= 20 && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// formItems turns a form body into the members of the JSON object of the same
// fields: a field that is not text holds JSON text, as Metabase's own pages
// send it.
func formItems(data []byte, t reflect.Type) (map[string]json.RawMessage, error) {
	form, err := url.ParseQuery(string(data))
	if err != nil {
		return nil, message{http.StatusBadRequest, "The body is not a valid form."}
	}
	items := map[string]json.RawMessage{}
	for i := range t.NumField() {
		f := t.Field(i)
		name := jsonName(f)
		values, sent := form[name]
		if !sent {
			continue
		}
		if text := []byte(values[0]); f.Type.Kind() != reflect.String && json.Valid(text) {
			items[name] = text
		} else {
			items[name], _ = json.Marshal(values[0])
		}
	}
	return items, nil
}
