package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Whatever is wrong with a question, nothing that a person wrote in it is
// recorded.
func TestNoWordOfAQuestionIsRecorded(t *testing.T) {
	const word = "Sekrit"
	on := func(w *world, native func(string) string) {
		t.Helper()
		for sql, outcome := range map[string]string{
			"SEKRIT 1": "denied", "DROP TABLE sekrit": "denied", "EXPLAIN SELECT 'sekrit' FROM sekrit": "denied", "SELECT 'sekrit' FROM sekrit": "denied", "SELECT * FROM sekrit.sekrit": "denied",
			"SELECT 1 WHERE {{snippet: sekrit}}": "denied", "SELECT {{sekrit}}": "failed", "SELECT sekrit FROM orders": "failed", "SELECT 1 AS sekrit FROM (SELECT": "failed",
			"(sekrit)": "", "SELECT 1; SELECT sekrit": "", "SELECT sekrit(1)": "", // engines differ
		} {
			if _, _, err := w.run(w.admin, ask(native(sql))); err == nil {
				t.Errorf("%s: it was answered", sql)
				continue
			}
			last := w.lastRun()
			if outcome != "" && last.Outcome != outcome || last.Reason == "" {
				t.Errorf("%s: recorded as %q, %q; want %q", sql, last.Outcome, last.Reason, outcome)
			}
			if row := strings.ToLower(fmt.Sprintf("%+v", last)); strings.Contains(row, strings.ToLower(word)) {
				t.Errorf("%s: recorded as %s", sql, row)
			}
		}
	}
	var log bytes.Buffer
	w := newWorld(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	t.Run("sqlite", func(*testing.T) { on(w, native) })
	eachServer(t, func(_ *testing.T, e *elsewhere) { on(e.world, e.native) })

	for name, question := range map[string]string{
		"an unknown key":   `{"database":1,"type":"query","query":{"source-table":%d,"Sekrit":1}}`,
		"an unknown word":  `{"database":1,"type":"query","query":{"source-table":%d,"filter":["Sekrit",1]}}`,
		"an expression":    `{"database":1,"type":"query","query":{"source-table":%d,"expressions":{"Sekrit":["+"]}}}`,
		"a name of a join": `{"database":1,"type":"query","query":{"source-table":%d,"joins":[{"alias":"Sekrit","source-table":99999}]}}`,
	} {
		if _, _, err := w.run(w.admin, ask(fmt.Sprintf(question, w.tables["orders"]))); err == nil {
			t.Errorf("%s: it was answered", name)
		}
		if last := w.lastRun(); last.Outcome == "completed" || strings.Contains(fmt.Sprintf("%+v", last), word) {
			t.Errorf("%s: recorded as %+v", name, last)
		}
	}

	// The engine's words are in the log, beside the request.
	log.Reset()
	from := WithOrigin(t.Context(), Origin{RequestID: "r-1", Viewer: w.admin})
	if _, err := w.door.Run(from, w.admin, ask(native("SELECT * FROM sekrit")), &answer{}); err == nil {
		t.Fatal("it was answered")
	}
	if text := log.String(); !strings.Contains(text, "request_id=r-1") || !strings.Contains(text, "sekrit") {
		t.Errorf("the log has %q", text)
	}
	if last := w.lastRun(); last.Request != "r-1" || last.Viewer == nil || *last.Viewer != w.admin {
		t.Errorf("recorded as %+v", last)
	}
}

// Who views as somebody else must administer the server as long as the question
// runs.
func TestWhoViewsAsSomebodyElseMustAdminister(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	as := func(viewer permission.UserID) error {
		_, err := w.door.Run(WithOrigin(t.Context(), Origin{Viewer: viewer}), w.person, ask(w.list("orders")), &answer{})
		return err
	}
	if err := as(w.admin); err != nil {
		t.Error(err)
	}
	var denied *permission.DeniedError
	if err := as(w.person); !errors.As(err, &denied) {
		t.Errorf("who administers nothing: %v", err)
	}
}
