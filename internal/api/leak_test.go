package api

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

// The attacks of testdata/leaks, one a file. Each is put on two servers whose
// warehouses differ in what the attacker may not see: answers that differ, or
// that have a word in them which only hidden values have, are a leak. Where
// nothing protects - on a plain connection for SQL, with the rights of an
// administrator for questions - each must leak, else it proves nothing.

// leakCase is an attack, or an ordinary query that must go on working.
type leakCase struct {
	name, person        string
	engines             []string
	sql, question       string
	parameters          json.RawMessage
	tags                map[string]string // name: field, of field filters, or number or date
	works               bool
	refused             bool // the language knows no such thing: it is refused for everybody
	metadata            bool // it tells of names, sizes, plans or sessions, and of no row
	author, description string
}

var leakVariable = regexp.MustCompile(`\{\{\s*([a-zA-Z_]\w*)\s*\}\}`)

// readLeak reads the file of a case.
func readLeak(t *testing.T, file string) leakCase {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := leakCase{name: strings.TrimSuffix(filepath.Base(file), ".txt"), tags: map[string]string{}}
	parts := regexp.MustCompile(`(?m)^-- (\w+) --\n`).Split(string(data), -1)
	names := regexp.MustCompile(`(?m)^-- (\w+) --\n`).FindAllStringSubmatch(string(data), -1)
	for _, line := range strings.Split(strings.TrimSpace(parts[0]), "\n") {
		word, rest, _ := strings.Cut(line, ":")
		rest = strings.TrimSpace(rest)
		switch {
		case strings.HasPrefix(line, "#"):
			c.description = strings.TrimSpace(line[1:])
		case word == "engine":
			c.engines = strings.Fields(rest)
		case word == "author":
			c.author = rest
		case word == "person":
			c.person = rest
		case word == "works":
			c.works = rest == "yes"
		case word == "refused":
			c.refused = rest == "yes"
		case word == "metadata":
			c.metadata = rest == "yes"
		case word == "tag":
			tag := strings.Fields(rest)
			switch {
			case len(tag) == 3 && tag[1] == "dimension":
				c.tags[tag[0]] = tag[2]
			case len(tag) == 2 && (tag[1] == "number" || tag[1] == "date"):
				c.tags[tag[0]] = tag[1]
			default:
				t.Fatalf("%s: %q is no tag", file, line)
			}
		default:
			t.Fatalf("%s: %q is no line of a head", file, line)
		}
	}
	for i, n := range names {
		text := strings.TrimSuffix(parts[i+1], "\n")
		switch n[1] {
		case "sql":
			c.sql = text
		case "question":
			c.question = text
		case "parameters":
			c.parameters = json.RawMessage(text)
		default:
			t.Fatalf("%s: there is no section %s", file, n[1])
		}
	}
	if c.author == "" || c.person == "" || c.description == "" || len(c.engines) == 0 || (c.sql == "") == (c.question == "") {
		t.Fatalf("%s lacks something: %+v", file, c)
	}
	return c
}

var leakName = regexp.MustCompile(`"\$(\w+(?:\.\w+)?)"`)

// body is the request's, with the ids of the site. Names that the site does not
// have are ids that nothing has.
func (c leakCase) body(s *leakSite) string {
	ids := func(text string) string {
		return leakName.ReplaceAllStringFunc(text, func(name string) string {
			name = name[2 : len(name)-1]
			if id, is := s.fields[name]; is {
				return fmt.Sprint(id)
			}
			return fmt.Sprint(s.tables[name]) // 0 for none
		})
	}
	ask := fields{"database": s.database}
	if c.parameters != nil {
		ask["parameters"] = json.RawMessage(ids(string(c.parameters)))
	}
	if c.question != "" {
		ask["type"], ask["query"] = "query", json.RawMessage(ids(c.question))
	} else {
		tags := fields{}
		for _, m := range leakVariable.FindAllStringSubmatch(c.sql, -1) {
			tags[m[1]] = fields{"name": m[1], "display-name": m[1], "type": "text"}
			switch of, is := c.tags[m[1]]; {
			case is && !strings.HasPrefix(of, "$"):
				tags[m[1]] = fields{"name": m[1], "display-name": m[1], "type": of}
			case is:
				tags[m[1]] = fields{"name": m[1], "display-name": m[1], "type": "dimension", "widget-type": "category", "dimension": []any{"field", s.fields[strings.TrimPrefix(of, "$")], nil}}
			}
		}
		ask["type"], ask["native"] = "native", fields{"query": s.named(c.sql), "template-tags": tags}
	}
	text, err := json.Marshal(ask)
	if err != nil {
		return ""
	}
	return string(text)
}

// varies are the parts of an answer that are another each time.
var varies = regexp.MustCompile(`"(?:started_at|running_time|json_query|average_execution_time)":(?:"[^"]*"|[0-9.]+|\{[^{}]*\})`)

// answer is what the attacker gets, as far as it may not differ.
func (c leakCase) answer(s *leakSite, who caller) (text string, answered bool) {
	body := c.body(s)
	a := who.send("POST", "/api/dataset", body)
	var sent struct {
		Status string
		Query  json.RawMessage `json:"json_query"`
	}
	_ = json.Unmarshal(a.body, &sent)
	out := string(a.body)
	if len(sent.Query) > 0 {
		out = strings.ReplaceAll(out, string(sent.Query), "{}")
	}
	return s.unnamed(fmt.Sprint(a.status, " ", varies.ReplaceAllString(out, ""))), sent.Status == "completed"
}

// unprotected is what SQL gives on a plain connection.
func (c leakCase) unprotected(t *testing.T, s *leakSite) (text string) {
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	conn, err := s.raw.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	defer func() { text = s.unnamed(text) }()
	if several := strings.Contains(c.sql, ";"); several && c.simple(ctx, s, conn, &text) {
		return text
	}
	rows, err := tx.QueryContext(ctx, s.named(c.sql))
	if err != nil {
		return "error: " + err.Error()
	}
	defer func() { _ = rows.Close() }()
	for more := true; more; more = rows.NextResultSet() {
		names, err := rows.Columns()
		if err != nil {
			return text + "error: " + err.Error()
		}
		text += fmt.Sprintln(names)
		for n := 0; rows.Next() && n < 10_000; n++ {
			cells, into := make([]any, len(names)), make([]any, len(names))
			for i := range cells {
				into[i] = &cells[i]
			}
			if err := rows.Scan(into...); err != nil {
				return text + "error: " + err.Error()
			}
			for _, cell := range cells {
				if b, is := cell.([]byte); is {
					cell = string(b)
				}
				text += fmt.Sprint(cell, " | ")
			}
			text += "\n"
		}
	}
	if err := rows.Err(); err != nil {
		text += "error: " + err.Error()
	}
	return text
}

// simple sends several statements to PostgreSQL, of which database/sql shows the
// first result alone. False means that it is another engine.
func (c leakCase) simple(ctx context.Context, s *leakSite, conn *sql.Conn, text *string) (is bool) {
	_ = conn.Raw(func(driver any) error {
		var pg *stdlib.Conn
		if pg, is = driver.(*stdlib.Conn); !is {
			return nil
		}
		results, err := pg.Conn().PgConn().Exec(ctx, s.named(c.sql)).ReadAll()
		for _, r := range results {
			for _, row := range r.Rows {
				*text += fmt.Sprintf("%s\n", row)
			}
		}
		if err != nil {
			*text += "error: " + err.Error()
		}
		return nil
	})
	return is
}

// tells tells whether two answers give something hidden away.
func tells(a, b string) bool {
	return a != b || strings.Contains(strings.ToUpper(a), "LEAK")
}

func TestNoAttackLeaks(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/leaks/*.txt")
	if err != nil || len(files) < 300 {
		t.Fatalf("%d attacks, %v", len(files), err)
	}
	var cases []leakCase
	for _, f := range files {
		cases = append(cases, readLeak(t, f))
	}
	for _, engine := range lawEngines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			for audience, people := range map[string][]string{"ann": {"ann", "bob", "eve"}, "dan": {"dan"}} {
				both := [2]*leakSite{leakServer(t, engine, audience, 0), leakServer(t, engine, audience, 1)}
				count := map[string]int{}
				for _, c := range cases {
					if !slices.Contains(c.engines, engine) || !slices.Contains(people, c.person) {
						continue
					}
					var got, bare [2]string
					answered := false
					for i, s := range both {
						got[i], answered = c.answer(s, s.with(s.sessions[c.person]))
						if c.works {
							continue
						}
						if bare[i], _ = c.answer(s, s.admin()); c.sql != "" && !strings.Contains(c.sql, "{{") {
							bare[i] = c.unprotected(t, s)
						}
					}
					leaks := tells(got[0], got[1])
					if gateOff && c.metadata { // an engine cannot hide that
						leaks = tells(got[0], got[0]) || tells(got[1], got[1])
					}
					switch {
					case leaks:
						t.Errorf("%s leaks (%s)\n%s%s\n%.600s\n%.600s", c.name, c.description, c.sql, c.question, got[0], got[1])
					case c.works && !answered:
						t.Errorf("%s does not work (%s)\n%s%s\n%.600s", c.name, c.description, c.sql, c.question, got[0])
					case !c.works && !c.refused && !tells(bare[0], bare[1]):
						t.Errorf("%s proves nothing: it does not leak where nothing protects\n%s%s\n%.300s\n%.300s", c.name, c.sql, c.question, bare[0], bare[1])
					}
					if answered {
						count["answered"]++
					}
					count["all"]++
				}
				t.Logf("%s, %v: %d cases, %d answered", engine, people, count["all"], count["answered"])
			}
		})
	}
}
