package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// streamed is the member of a body that is read while it comes; see
// readMembers.
const streamed = "groups"

// shapeError is what a streamed member must be and is not. Its text goes on
// from "value must be".
type shapeError string

func (e shapeError) Error() string { return string(e) }

// readMembers reads a body into a struct as decodeBody does, but for the
// member "groups": if that is an object, it is handed to read when it comes,
// so that nobody need hold it, and the struct's field of that name gets an
// empty one. read returns the decoder's errors as they are, or a shapeError.
//
// No key may stand twice. The decoder is told not to look, which would cost it
// memory for every key, and leaves that to the readers.
func readMembers(body io.Reader, into any, read func(*jsontext.Decoder) error) error {
	lines := &lineCounter{from: body}
	dec := jsontext.NewDecoder(lines, jsontext.AllowDuplicateNames(true))
	v := reflect.ValueOf(into).Elem()
	var d binder
	items, err := readItems(dec, v.Type(), read)
	switch shape := shapeError(""); {
	case errors.As(err, &shape):
		d.wrong(streamed, string(shape), "something else")
	case err != nil:
		err = lines.explain(dec, err)
	case items == nil:
		d.wrong("", "a map", "something else")
	default:
		d.fields("", items, v)
		return d.problems()
	}
	// One who is still sending would not hear the answer.
	_, _ = io.Copy(io.Discard, body)
	if d.problems() != nil {
		return d.problems()
	}
	return err
}

// readItems reads what the fields of t are for and skips the rest. It returns
// nil for a body that is no object; none and null are empty ones.
func readItems(dec *jsontext.Decoder, t reflect.Type, read func(*jsontext.Decoder) error) (map[string]json.RawMessage, error) {
	items := map[string]json.RawMessage{}
	var known []string
	for i := range t.NumField() {
		known = append(known, jsonName(t.Field(i)))
	}
	var err error
	switch dec.PeekKind() {
	case '{':
		err = readObject(dec, func(key []byte) error {
			name := string(key)
			if name == "" || !slices.Contains(known, name) {
				return dec.SkipValue()
			}
			if _, twice := items[name]; twice {
				return shapeError(fmt.Sprintf("one of a body in which no key stands twice, as %q does", name))
			}
			if name == streamed && dec.PeekKind() == '{' {
				items[name] = json.RawMessage("{}")
				return read(dec)
			}
			raw, err := dec.ReadValue()
			items[name] = json.RawMessage(slices.Clone(raw))
			return err
		})
	case 'n':
		_, err = dec.ReadToken()
	default:
		var raw jsontext.Value
		if raw, err = dec.ReadValue(); err == nil || len(raw) > 0 {
			items = nil
		} else if errors.Is(err, io.EOF) {
			return items, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = &jsontext.SyntacticError{ByteOffset: dec.InputOffset(), Err: errors.New("something follows the value")}
		}
		return nil, err
	}
	return items, nil
}

// readObject reads an object; each reads the value that follows a key. The key
// holds until then.
func readObject(dec *jsontext.Decoder, each func(key []byte) error) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	var plain []byte
	for dec.PeekKind() != '}' {
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		key := raw[1 : len(raw)-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			if plain, err = jsontext.AppendUnquote(plain[:0], raw); err != nil {
				return err
			}
			key = plain
		}
		if err := each(key); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// lineCounter counts the lines of what is read through it, and keeps the error
// that ended it, which the decoder may take for one of the text.
type lineCounter struct {
	from   io.Reader
	lines  int
	broken error
}

func (l *lineCounter) Read(p []byte) (int, error) {
	n, err := l.from.Read(p)
	l.lines += bytes.Count(p[:n], []byte{'\n'})
	if err != nil && !errors.Is(err, io.EOF) {
		l.broken = err
	}
	return n, err
}

// explain makes a 400 that names the place out of an error of JSON; others,
// of the connection, it leaves as they are.
func (l *lineCounter) explain(dec *jsontext.Decoder, err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(l.broken, io.ErrUnexpectedEOF):
		return message{http.StatusBadRequest, "The body is not valid JSON: it ended in the middle."}
	case l.broken != nil:
		return l.broken
	case !errors.As(err, &syntax):
		return err
	}
	line, rest := l.lines+1, dec.UnreadBuffer()
	if ahead := syntax.ByteOffset - dec.InputOffset(); 0 < ahead && ahead < int64(len(rest)) {
		rest = rest[ahead:]
	}
	line -= bytes.Count(rest, []byte{'\n'})
	text := fmt.Sprintf("The body is not valid JSON: %v at line %d, byte %d", syntax.Err, line, syntax.ByteOffset)
	if at := slices.Collect(syntax.JSONPointer.Tokens()); len(at) > 0 {
		text += ", in " + strings.TrimSuffix(strings.Join(at, "."), ".")
	}
	return message{http.StatusBadRequest, text + "."}
}
