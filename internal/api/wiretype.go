package api

import (
	"encoding/json"
	"slices"
	"strconv"
)

// ID is an id in a body: a JSON number or a decimal string, as clients send
// both.
type ID int64

// Opt is a field of a body of which it matters whether it was sent.
type Opt[T any] struct {
	// Set tells that the key was there.
	Set bool
	// Null tells that its value was null.
	Null  bool
	Value T
}

// Get returns the value, and whether one was given; null is not a value.
func (o Opt[T]) Get() (T, bool) { return o.Value, o.Set && !o.Null }

// Ptr is the value, or nil when none was given.
func (o Opt[T]) Ptr() *T {
	if v, ok := o.Get(); ok {
		return &v
	}
	return nil
}

// Change is what an update of something that may be absent says: nil nothing,
// a nil inside that it goes.
func (o Opt[T]) Change() **T {
	if !o.Set {
		return nil
	}
	return new(o.Ptr())
}

func (Opt[T]) optional() {}

// Object is a JSON object kept byte for byte; nil when none was sent.
type Object json.RawMessage

// MarshalJSON writes the object as it was read; nil is null.
func (o Object) MarshalJSON() ([]byte, error) { return json.RawMessage(o).MarshalJSON() }

// Array is a JSON array kept byte for byte; nil when none was sent.
type Array json.RawMessage

// MarshalJSON writes the array as it was read; nil is null.
func (a Array) MarshalJSON() ([]byte, error) { return json.RawMessage(a).MarshalJSON() }

// A wireType reads itself from JSON that is neither null nor malformed. It
// returns "" or what the value must be, such as "a boolean".
type wireType interface {
	fromWire(raw []byte) (must string)
	// wireSchema is its JSON schema in the OpenAPI document.
	wireSchema() schema
}

func (id *ID) fromWire(raw []byte) string {
	text := string(raw)
	if kindOf(raw) == "a string" {
		text, _ = unquote(raw)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || text[0] == '+' {
		return "an integer or a string of decimal digits"
	}
	*id = ID(n)
	return ""
}

func (o *Object) fromWire(raw []byte) string {
	if kindOf(raw) != "an object" {
		return "a map"
	}
	*o = slices.Clone(raw)
	return ""
}

func (a *Array) fromWire(raw []byte) string {
	if kindOf(raw) != "an array" {
		return "an array"
	}
	*a = slices.Clone(raw)
	return ""
}
