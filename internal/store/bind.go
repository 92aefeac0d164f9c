package store

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

// instant is how times are stored: fixed width, so that text sorts as time.
const instant = "2006-01-02T15:04:05.000000Z"

// bind makes an argument into what both drivers take in the same way. Text
// that PostgreSQL could not hold is refused for both.
func bind(a any) (any, error) {
	switch v := a.(type) {
	case nil, bool, int64, []byte:
		return v, nil
	case string:
		if strings.ContainsRune(v, 0) || !utf8.ValidString(v) {
			return nil, &InvalidError{Message: "A text contains a NUL character or is not valid UTF-8."}
		}
		return v, nil
	case time.Time:
		return v.UTC().Format(instant), nil
	case json.RawMessage:
		if v == nil {
			return nil, nil
		}
		return bind(string(v))
	}
	switch v := reflect.ValueOf(a); v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.String:
		return bind(v.String())
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return bind(v.Elem().Interface())
	}
	return nil, fmt.Errorf("store: a %T cannot be an argument of a statement", a)
}

// null is v, or nil for the zero value: for columns that say null where the
// struct has 0.
func null[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

// moment scans a stored time; null is the zero time.
type moment struct{ t *time.Time }

// Scan implements sql.Scanner.
func (m moment) Scan(src any) error {
	if src == nil {
		*m.t = time.Time{}
		return nil
	}
	text, err := scanText(src)
	if err == nil {
		*m.t, err = time.Parse(instant, text)
	}
	return err
}

// moments scans a stored time that may be null.
type moments struct{ t **time.Time }

// Scan implements sql.Scanner.
func (m moments) Scan(src any) error {
	*m.t = nil
	if src == nil {
		return nil
	}
	t := new(time.Time)
	*m.t = t
	return moment{t}.Scan(src)
}

// document scans stored JSON; null is nil.
type document struct{ raw *json.RawMessage }

// Scan implements sql.Scanner.
func (d document) Scan(src any) error {
	*d.raw = nil
	if src == nil {
		return nil
	}
	text, err := scanText(src)
	*d.raw = json.RawMessage(text)
	return err
}

func scanText(src any) (string, error) {
	switch v := src.(type) {
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	}
	return "", fmt.Errorf("a %T is stored where text belongs", src)
}
