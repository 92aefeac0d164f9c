package api

import (
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// decodeQuery reads query values into a new value of the type of like, a
// struct whose fields bear query:"name" tags and are string, bool, int, ID,
// pointers to those (nil when not given) or []string (repeated values).
// Unknown names are ignored; a value that is empty counts as not given unless
// it is text. Every mistake is reported, by name.
func decodeQuery(values url.Values, like any) (any, error) {
	into := reflect.New(reflect.TypeOf(like))
	var d binder
	d.query(values, into.Elem())
	return into.Interface(), d.problems()
}

func (d *binder) query(values url.Values, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			d.query(values, v.Field(i))
			continue
		}
		name := f.Tag.Get("query")
		sent := values[name]
		into := v.Field(i)
		if into.Kind() == reflect.Slice {
			for _, s := range sent {
				d.param(name, s, f)
			}
			into.Set(reflect.ValueOf(sent))
			continue
		}
		if len(sent) == 0 {
			continue
		}
		if len(sent) > 1 {
			d.wrong(name, "given once", strconv.Itoa(len(sent))+" values")
			continue
		}
		t := into.Type()
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if sent[0] == "" && t.Kind() != reflect.String {
			continue
		}
		if !d.param(name, sent[0], f) {
			continue
		}
		n := reflect.New(t).Elem()
		switch t.Kind() {
		case reflect.String:
			n.SetString(sent[0])
		case reflect.Bool:
			if sent[0] != "true" && sent[0] != "false" {
				d.wrong(name, "a boolean", "something else")
				continue
			}
			n.SetBool(sent[0] == "true")
		default: // int, ID
			number, err := strconv.ParseInt(sent[0], 10, 64)
			if err != nil {
				d.wrong(name, "an integer", "something else")
				continue
			}
			n.SetInt(number)
		}
		if into.Kind() == reflect.Pointer {
			p := reflect.New(t)
			p.Elem().Set(n)
			n = p
		}
		into.Set(n)
	}
}

// param checks a value's text, and that it is one of those that an
// enum:"a,b" tag lists.
func (d *binder) param(name, s string, f reflect.StructField) bool {
	if strings.ContainsRune(s, 0) {
		d.wrong(name, "a string without NUL characters", "one with such a character")
		return false
	}
	if enum := f.Tag.Get("enum"); enum != "" && !has(enum, s) {
		d.wrong(name, "one of "+strings.ReplaceAll(enum, ",", ", "), "something else")
		return false
	}
	return true
}
