package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/sluice-bi/sluice/internal/dbtest"
)

// Contracts are what programs written for Metabase send and need, as text
// files: testdata/contract/README says how to read them.

// exchange is one request of a contract and what must come of it.
type exchange struct {
	method, path string // with $names in it
	who          string
	header       http.Header
	body         string
	status       int
	text         string      // the whole body, where it is a line of text
	answer       http.Header // how headers of the answer begin
	want         string      // the pattern of the body, or the text where it is no JSON
}

// readContract reads a file's steps.
func readContract(t *testing.T, file string) []exchange {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var steps []exchange
	for _, f := range archive.Files {
		s := exchange{who: "key", header: http.Header{}, answer: http.Header{}}
		var ok bool
		if s.method, s.path, ok = strings.Cut(f.Name, " "); !ok {
			t.Fatalf("%s: %q is not METHOD PATH", file, f.Name)
		}
		answered := false
		var body, want []string
		for line := range strings.SplitSeq(string(f.Data), "\n") {
			name, value, isHeader := strings.Cut(line, ": ")
			switch {
			case strings.HasPrefix(line, "#"):
			case answered && want == nil && isHeader && headerName.MatchString(name):
				s.answer.Set(name, value)
			case answered:
				want = append(want, line)
			case strings.HasPrefix(line, "=> "):
				answered = true
				code, text, _ := strings.Cut(strings.TrimPrefix(line, "=> "), " ")
				if _, err := fmt.Sscan(code, &s.status); err != nil {
					t.Fatalf("%s: %s: %q is no status", file, f.Name, code)
				}
				s.text = text
			case strings.HasPrefix(line, "as ") && body == nil:
				s.who = strings.TrimPrefix(line, "as ")
			case isHeader && body == nil && headerName.MatchString(name):
				s.header.Set(name, value)
			default:
				body = append(body, line)
			}
		}
		for len(want) > 0 && want[len(want)-1] == "" {
			want = want[:len(want)-1]
		}
		if !answered {
			t.Fatalf("%s: %s has no line with =>", file, f.Name)
		}
		if want == nil && s.text == "" && len(s.answer) == 0 && s.status != http.StatusNoContent {
			t.Fatalf("%s: %s does not say what comes back", file, f.Name)
		}
		s.body, s.want = strings.TrimSpace(strings.Join(body, "\n")), strings.TrimSpace(strings.Join(want, "\n"))
		steps = append(steps, s)
	}
	if len(steps) == 0 {
		t.Fatalf("%s has no steps", file)
	}
	return steps
}

var headerName = regexp.MustCompile(`^[A-Z][A-Za-z-]+$`)

// conversation plays a contract; what answers have named is kept for the
// steps after.
type conversation struct {
	settled
	named map[string]string
}

// fill puts what has a name in the place of $names.
func (c *conversation) fill(text string) string {
	for _, name := range slices.SortedFunc(maps.Keys(c.named), func(a, b string) int { return len(b) - len(a) }) {
		text = strings.ReplaceAll(text, name, c.named[name])
	}
	return text
}

func (c *conversation) caller(who string) caller {
	switch who {
	case "nobody":
		return c.nobody()
	case "admin":
		return c.admin()
	case "member":
		return c.member()
	case "outsider":
		return c.outsider()
	case "key":
		return c.key(c.AdminKey)
	}
	c.t.Fatalf("who is %q?", who)
	return caller{}
}

// play sends a step's request and compares the answer.
func (c *conversation) play(s exchange) error {
	from := c.caller(s.who)
	from.header = maps.Clone(from.header)
	for name, values := range s.header {
		from.header.Set(name, c.fill(values[0]))
	}
	var sent any
	if s.body != "" {
		sent = c.fill(s.body)
	}
	r := from.send(s.method, c.fill(s.path), sent)
	answered := fmt.Errorf("answered %d %s: %.1500s", r.status, r.header.Get("Content-Type"), r.body)
	if r.status != s.status {
		return answered
	}
	for name, values := range s.answer {
		if !strings.HasPrefix(r.header.Get(name), values[0]) {
			return answered
		}
	}
	isJSON := strings.HasPrefix(r.header.Get("Content-Type"), "application/json")
	switch {
	case s.text != "" || s.status == http.StatusNoContent:
		if string(r.body) != s.text {
			return answered
		}
		return nil
	case s.want == "":
		return nil // headers have said all
	case !isJSON && strings.TrimSpace(string(r.body)) == c.fill(s.want):
		return nil
	case !isJSON:
		return answered
	}
	want, err := decoded(c.fill(s.want))
	if err != nil {
		return fmt.Errorf("the pattern: %w", err)
	}
	got, err := decoded(string(r.body))
	if err != nil {
		return fmt.Errorf("%w in %s", err, r.body)
	}
	asked, _ := decoded(c.fill(s.body)) // a form is none
	if err := c.match("", want, got, asked); err != nil {
		return fmt.Errorf("%w\n%w", err, answered)
	}
	return nil
}

func decoded(text string) (v any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return v, d.Decode(&v)
}

// match compares a value with a pattern. sent is what stood at the same place
// of the request.
func (c *conversation) match(at string, want, got, sent any) error {
	switch want := want.(type) {
	case string:
		if len(want) > 2 && want[0] == '<' && want[len(want)-1] == '>' { // "<" is an operator
			return c.kind(at, want[1:len(want)-1], got, sent)
		}
	case map[string]any:
		object, is := got.(map[string]any)
		if !is {
			return fmt.Errorf("%s: %v is no object", at, got)
		}
		asked, _ := sent.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(want)) {
			value, there := object[key]
			if absent := want[key] == "<absent>"; absent == there {
				return fmt.Errorf("%s.%s: there is %v of it", at, key, there)
			} else if absent {
				continue
			}
			if err := c.match(at+"."+key, want[key], value, asked[key]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		list, is := got.([]any)
		if !is {
			return fmt.Errorf("%s: %v is no array", at, got)
		}
		return c.list(at, want, list, sent)
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Errorf("%s: %v, want %v", at, got, want)
	}
	return nil
}

// list compares an array: ["<each>", p] demands p of every element and that
// there are some, ["<some>", p, q] an element for each of p and q, ["<none>",
// p] that there is none; another pattern has as many elements as the array.
func (c *conversation) list(at string, want, got []any, sent any) error {
	var how any
	if len(want) > 1 {
		how = want[0]
	}
	switch how {
	case "<each>":
		if len(got) == 0 {
			return fmt.Errorf("%s is empty", at)
		}
		for i := range got {
			if err := c.match(fmt.Sprintf("%s[%d]", at, i), want[1], got[i], nil); err != nil {
				return err
			}
		}
		return nil
	case "<some>", "<none>":
		for _, p := range want[1:] {
			var last error
			found := slices.ContainsFunc(got, func(v any) bool {
				last = c.match(at+"[]", p, v, nil)
				return last == nil
			})
			if found != (how == "<some>") {
				return fmt.Errorf("%s: %v of %v found; the last one: %w", at, found, p, last)
			}
		}
		return nil
	}
	if len(want) != len(got) {
		return fmt.Errorf("%s: %d elements, want %d", at, len(got), len(want))
	}
	asked, _ := sent.([]any)
	for i := range want {
		var a any
		if i < len(asked) {
			a = asked[i]
		}
		if err := c.match(fmt.Sprintf("%s[%d]", at, i), want[i], got[i], a); err != nil {
			return err
		}
	}
	return nil
}

// kind tells whether a value is of one of the kinds, and names it: int|null,
// string:session.
func (c *conversation) kind(at, kinds string, got, sent any) error {
	if part, is := strings.CutPrefix(kinds, "contains "); is {
		if s, _ := got.(string); !strings.Contains(s, part) {
			return fmt.Errorf("%s: %v does not contain %q", at, got, part)
		}
		return nil
	}
	kinds, name, named := strings.Cut(kinds, ":")
	if !slices.ContainsFunc(strings.Split(kinds, "|"), func(k string) bool { return isKind(c.t, k, got, sent) }) {
		return fmt.Errorf("%s: %v (%T) is not %s", at, got, got, kinds)
	}
	if named {
		c.named["$"+name] = fmt.Sprint(got)
	}
	return nil
}

func isKind(t *testing.T, kind string, v, sent any) bool {
	s, isText := v.(string)
	n, isNumber := v.(json.Number)
	switch kind {
	case "any":
		return true
	case "same":
		return reflect.DeepEqual(v, sent)
	case "null":
		return v == nil
	case "string":
		return isText
	case "email":
		return isText && plausibleEmail(s)
	case "time":
		_, err := time.Parse(time.RFC3339, s)
		return isText && err == nil
	case "eid":
		return isText && len(s) == 21
	case "number":
		return isNumber
	case "int":
		_, err := n.Int64()
		return isNumber && err == nil
	case "bool":
		return v == true || v == false
	case "object":
		return reflect.ValueOf(v).Kind() == reflect.Map
	case "array":
		return reflect.ValueOf(v).Kind() == reflect.Slice
	}
	t.Fatalf("there is no kind %q", kind)
	return false
}

// contracts are the files, each a conversation of its own.
func contracts(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/contract/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no contracts: %v", err)
	}
	return files
}

// What the clients of testdata/contract send is answered with what they need.
func TestClientsAreAnsweredAsTheirContractsSay(t *testing.T) {
	t.Parallel()
	for _, file := range contracts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			c := conversation{named: map[string]string{}}
			if strings.HasSuffix(file, "/setup.txtar") { // before there is anybody
				c.world = emptyWorld(t)
				token, err := c.api.IssueSetupToken(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				c.named["$token"] = token
			} else {
				c.settled = settledWorld(t)
				maps.Copy(c.named, c.names())
				if strings.HasSuffix(file, "/schemas.txtar") { // those of SQLite have no names
					c.named["$server"] = schemasOn(t)
				}
				for _, table := range []string{"orders", "people", "reviews"} {
					c.named["$"+table] = fmt.Sprint(c.tableNamed(table))
				}
			}
			for _, s := range readContract(t, file) {
				if err := c.play(s); err != nil {
					t.Fatalf("%s %s as %s: %v", s.method, s.path, s.who, err)
				}
			}
		})
	}
}

// schemasOn is the connection to a server with a table in a schema of a name.
func schemasOn(t *testing.T) string {
	t.Helper()
	server := dbtest.PostgreSQL(t)
	name := server.Database(t)
	server.Exec(t, name, "create schema sales", "create table sales.orders (id integer primary key, total numeric)", "create table customers (id integer primary key)")
	details, err := json.Marshal(server.Details(name, ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(details)
}

// testdata/contract/calls.txt lists the calls that clients were seen to make.
// Each has a step that succeeds, and is in the API's description.
func TestEveryCallOfClientsHasAContract(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/contract/calls.txt")
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, file := range contracts(t) {
		for _, s := range readContract(t, file) {
			if s.status < 300 {
				kept[s.method+" "+routeOf(s.path)] = true
			}
		}
	}
	calls := 0
	for line := range bytes.Lines(data) {
		words := strings.Fields(string(line))
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if calls++; len(words) < 3 || !kept[words[1]+" "+words[2]] {
			t.Errorf("no contract has a step that succeeds for: %s", strings.TrimSpace(string(line)))
		}
	}
	if calls < 80 {
		t.Errorf("testdata/contract/calls.txt has only %d calls", calls)
	}
}

// routeOf is a path as calls.txt writes it: without query and slash at the
// end, :id in the place of names and numbers, :fmt in that of formats.
func routeOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	words := strings.Split(strings.TrimRight(path, "/"), "/")
	for i, w := range words {
		switch {
		case strings.HasPrefix(w, "$"), w != "" && strings.Trim(w, "0123456789") == "":
			words[i] = ":id"
		case w == "json", w == "csv", w == "xlsx":
			words[i] = ":fmt"
		case i > 0 && (words[i-1] == "setting" || words[i-1] == "schema"):
			words[i] = ":name"
		}
	}
	return strings.Join(words, "/")
}
