package warehouse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// options reads the connection details that somebody wrote. Each option is
// asked for by its name and with its type; what nobody asked for is unknown
// and refused. There is no place for a connection string or for words that a
// driver would read. Keys are compared exactly; null is not given.
type options struct {
	engine string
	has    map[string]json.RawMessage
	known  map[string]bool
	files  []string // of this server, that the details name
	err    *Error   // the first mistake
}

func readOptions(engine string, details json.RawMessage) *options {
	o := &options{engine: engine, known: map[string]bool{}}
	if err := json.Unmarshal(details, &o.has); err != nil || o.has == nil {
		o.err = failed(Unusable, "the details of a "+engine+" database are a JSON object", err)
	}
	return o
}

// wrong notes a mistake in an option.
func (o *options) wrong(name, format string, args ...any) {
	if o.err == nil {
		o.err = detailError(name, nil, format, args...)
	}
}

// detailError is a connection that cannot be made because of one option.
func detailError(name string, cause error, format string, args ...any) *Error {
	return &Error{Kind: Unusable, Field: name, Message: "details." + name + ": " + fmt.Sprintf(format, args...), Cause: cause}
}

// take is the value of an option, nil when it was not given.
func (o *options) take(name string) json.RawMessage {
	o.known[name] = true
	if v := bytes.TrimSpace(o.has[name]); !bytes.Equal(v, []byte("null")) {
		return v
	}
	return nil
}

// text is a text option; "" when it was not given.
func (o *options) text(name string) string {
	raw := o.take(name)
	if raw == nil {
		return ""
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		o.wrong(name, "must be a text")
		return ""
	}
	// The protocols end texts with a NUL: what stands behind one would be
	// read as further options.
	if strings.ContainsRune(s, 0) {
		o.wrong(name, "contains a NUL character")
	}
	return s
}

// required is a text option that must be given.
func (o *options) required(name string) string {
	s := o.text(name)
	if strings.TrimSpace(s) == "" {
		o.wrong(name, "must be given")
	}
	return s
}

// flag is an option that is true or false; false when it was not given.
func (o *options) flag(name string) bool {
	switch raw := string(o.take(name)); raw {
	case "", "false", `"false"`, `""`:
		return false
	case "true", `"true"`:
		return true
	}
	o.wrong(name, "must be true or false")
	return false
}

// choice is one of the words; the first when it was not given.
func (o *options) choice(name string, words ...string) string {
	s := o.text(name)
	if s == "" {
		return words[0]
	}
	if !slices.Contains(words, s) {
		o.wrong(name, "must be one of %s, not %q", strings.Join(words, ", "), s)
	}
	return s
}

// port is a port number, as a number or in decimal.
func (o *options) port(name string, standard uint16) uint16 {
	raw := string(o.take(name))
	if raw == "" || raw == `""` {
		return standard
	}
	n, err := strconv.ParseUint(strings.Trim(raw, `"`), 10, 16)
	if err != nil || n == 0 {
		o.wrong(name, "must be a number from 1 to 65535")
	}
	return uint16(n)
}

// host is the name or address of a server. What drivers would read as a path,
// a list or another network is refused.
func (o *options) host(name string) string {
	s := o.required(name)
	if len(s) > 253 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:") != "" {
		o.wrong(name, "must be the name or the address of one server, without a port")
	}
	return s
}

// without refuses an option of Metabase that there is not, unless it is off.
func (o *options) without(name, why string) {
	switch raw := string(o.take(name)); raw {
	case "", "false", `""`, `"false"`:
	default:
		o.wrong(name, "%s", why)
	}
}

// unused passes over options that clients send and that change nothing here.
func (o *options) unused(names ...string) {
	for _, name := range names {
		o.known[name] = true
	}
}

// done refuses what is left and gives the first mistake.
func (o *options) done() *Error {
	for _, name := range slices.Sorted(maps.Keys(o.has)) {
		if !o.known[name] {
			o.wrong(name, "there is no such option of a %s database", o.engine)
		}
	}
	return o.err
}

// secrets are the options, of all engines, whose values are never shown.
var secrets = set("password ssl-key-value ssl-key-password-value tunnel-pass tunnel-private-key tunnel-private-key-passphrase")

// Secret tells whether an option of connection details holds a secret, which
// must not be shown to anybody. One that is not known is taken for a secret
// when its name looks like one.
func Secret(name string) bool {
	if secrets[name] {
		return true
	}
	name = strings.ToLower(name)
	for _, word := range []string{"pass", "secret", "token", "private-key", "key-value", "service-account", "credential"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// schemaFilter tells which schemas are read.
type schemaFilter struct {
	kind     string // "all", "inclusion" or "exclusion"
	patterns []string
}

func (o *options) schemaFilter() schemaFilter {
	f := schemaFilter{kind: o.choice("schema-filters-type", "all", "inclusion", "exclusion")}
	for p := range strings.SplitSeq(o.text("schema-filters-patterns"), ",") {
		if p = strings.TrimSpace(p); p != "" {
			f.patterns = append(f.patterns, p)
		}
	}
	if f.kind != "all" && f.patterns == nil {
		o.wrong("schema-filters-patterns", "must name at least one schema, as in public,auth*")
	}
	return f
}

// takes tells whether the tables of a schema are read.
func (f schemaFilter) takes(schema string) bool {
	if f.kind == "all" || f.kind == "" {
		return true
	}
	return slices.ContainsFunc(f.patterns, func(p string) bool { return like(p, schema) }) == (f.kind == "inclusion")
}

// like matches a name with a pattern in which * stands for any text.
func like(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
