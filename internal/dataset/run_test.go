package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

const endless = `WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT x FROM n`

func TestResultHasColumnsAndRows(t *testing.T) {
	w := newWorld(t, Options{})
	f := w.fields
	a, sum, err := w.run(w.admin, ask(fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"aggregation":[["sum",["field",%d,null]]],
		"breakout":[["field",%d,{"temporal-unit":"year"}]],"order-by":[["asc",["field",%d,{"temporal-unit":"year"}]]]}}`,
		w.tables["orders"], f["orders.quantity"], f["orders.created_at"], f["orders.created_at"])))
	if err != nil {
		t.Fatal(err)
	}
	if sum.Rows != 3 || sum.Truncated || a.rows[0][0] != "2023-01-01T00:00:00Z" || a.rows[2][0] != "2025-01-01T00:00:00Z" {
		t.Errorf("%+v: %v", sum, a.rows)
	}
	if a.head.Columns[0].BaseType != "type/DateTime" && a.head.Columns[0].BaseType != "type/Date" || a.head.Columns[1].Source != "aggregation" {
		t.Errorf("columns %+v", a.head.Columns)
	}
	if a.head.Database != sampleID || a.head.Native || a.head.Context != "ad-hoc" || a.head.Started.IsZero() {
		t.Errorf("head %+v", a.head)
	}

	a, _, err = w.run(w.admin, ask(native(`SELECT id, active, birth_date, created_at, name, 1.5 AS x, NULL AS nil, id FROM people WHERE id = 1`)))
	if err != nil {
		t.Fatal(err)
	}
	if len(a.rows) != 1 || len(a.rows[0]) != 8 || a.rows[0][1] != true || !strings.HasSuffix(a.rows[0][2].(string), "T00:00:00Z") || a.rows[0][5] != 1.5 || a.rows[0][6] != nil {
		t.Errorf("rows %v", a.rows)
	}
	var names, types []string
	for _, c := range a.head.Columns {
		names, types = append(names, c.Name), append(types, c.BaseType)
	}
	if want := []string{"id", "active", "birth_date", "created_at", "name", "x", "nil", "id_2"}; !reflect.DeepEqual(names, want) {
		t.Errorf("names %v", names)
	}
	if want := []string{"type/Integer", "type/Boolean", "type/Date", "type/DateTime", "type/Text", "type/Float", "type/*", "type/Integer"}; !reflect.DeepEqual(types, want) {
		t.Errorf("types %v", types)
	}
}

func TestMomentsAreWrittenAsTheWireHasThem(t *testing.T) {
	for in, want := range map[string]string{
		"2024-02-03":                "2024-02-03T00:00:00Z",
		"2024-02-03 04:05:06":       "2024-02-03T04:05:06Z",
		"2024-02-03 04:05:06.000":   "2024-02-03T04:05:06Z",
		"2024-02-03 04:05:06.250":   "2024-02-03T04:05:06.25Z",
		"2024-02-03T04:05:06Z":      "2024-02-03T04:05:06Z",
		"2024-02-03 04:05:06+02:00": "2024-02-03T04:05:06+02:00",
		"04:05:06":                  "04:05:06",
		"":                          "",
		"not a date, really":        "not a date, really",
		"2024-02-03 early":          "2024-02-03 early",
	} {
		if got := moment(in, time.UTC); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestMomentsWithoutAZoneAreOfTheZoneOfTheReport(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"2024-07-03": "2024-07-03T00:00:00+02:00", "2024-01-03 04:05:06.50": "2024-01-03T04:05:06.5+01:00",
		"2024-07-03T04:05:06Z": "2024-07-03T04:05:06Z", "2024-07-03T04:05:06-03:00": "2024-07-03T04:05:06-03:00", "2024-02-30": "2024-02-30T00:00:00Z",
	} {
		if got := moment(in, berlin); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestRowLimits(t *testing.T) {
	w := newWorld(t, Options{})
	grouped := fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"breakout":[["field",%d,null]]}}`, w.tables["orders"], w.fields["orders.id"])
	limited := fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"limit":7}}`, w.tables["orders"])
	for _, tt := range []struct {
		name      string
		request   Request
		rows      int
		truncated bool
	}{
		{"raw", ask(w.list("orders")), 2000, true},
		{"raw, fewer than the limit", ask(w.list("products")), 108, false},
		{"raw, exactly what was asked for", ask(limited), 7, false},
		{"aggregated", ask(grouped), 10000, true},
		{"SQL", ask(native("SELECT id FROM orders")), 2000, true},
		{"SQL, exactly the limit", ask(native("SELECT id FROM orders LIMIT 2000")), 2000, false},
		{"SQL without end", ask(native(endless)), 2000, true},
		{"raw, lowered", Request{Query: json.RawMessage(w.list("orders")), MaxRawRows: 10}, 10, true},
		{"raw, lowered in general", Request{Query: json.RawMessage(w.list("orders")), MaxRows: 10}, 10, true},
		{"raw, not raised", Request{Query: json.RawMessage(w.list("orders")), MaxRows: 100000, MaxRawRows: 100000}, 2000, true},
		{"aggregated, lowered", Request{Query: json.RawMessage(grouped), MaxRows: 10, MaxRawRows: 5}, 10, true},
		{"export", Request{Query: json.RawMessage(w.list("orders")), Context: "csv-download"}, 20000, false},
	} {
		a, sum, err := w.run(w.admin, tt.request)
		if err != nil || len(a.rows) != tt.rows || sum.Rows != tt.rows || sum.Truncated != tt.truncated {
			t.Errorf("%s: %d rows, %+v, %v", tt.name, len(a.rows), sum, err)
		}
		if last := w.lastRun(); last.Rows != int64(tt.rows) || last.Outcome != "completed" {
			t.Errorf("%s: recorded as %+v", tt.name, last)
		}
	}
}

func TestRunEndsWithTheTimeoutAndWithTheCaller(t *testing.T) {
	w := newWorld(t, Options{Timeout: shortly})
	if says := fails(t, second(w.run(w.admin, ask(native(endless+" WHERE x < 0")))), TimedOut); !strings.Contains(says, shortly.String()) {
		t.Errorf("the message is %q", says)
	}
	if last := w.lastRun(); last.Outcome != "failed" || last.Reason != "timed out" {
		t.Errorf("recorded as %+v", last)
	}

	w.door.timeout = defaultTimeout
	ctx, cancel := context.WithCancel(t.Context())
	a := &answer{row: func(n int) error {
		if n == 3 {
			cancel()
		}
		return nil
	}}
	_, err := w.door.Run(ctx, w.admin, ask(native(endless)), a)
	fails(t, err, Cancelled)
	if len(a.rows) > 5 {
		t.Errorf("%d rows after the caller had gone", len(a.rows))
	}
	if last := w.lastRun(); last.Outcome != "cancelled" {
		t.Errorf("recorded as %+v", last)
	}
	if n := w.pool.InUse(sampleID); n != 0 {
		t.Errorf("%d connections are still in use", n)
	}
}

func TestErrorOfTheSinkEndsTheRun(t *testing.T) {
	w := newWorld(t, Options{})
	stop := errors.New("enough")
	a := &answer{row: func(n int) error {
		if n == 2 {
			return stop
		}
		return nil
	}}
	if _, err := w.door.Run(t.Context(), w.admin, ask(w.list("orders")), a); !errors.Is(err, stop) || len(a.rows) != 2 {
		t.Errorf("%d rows, %v", len(a.rows), err)
	}
	if last := w.lastRun(); last.Outcome != "cancelled" || last.Rows != 1 {
		t.Errorf("recorded as %+v", last)
	}
}

func TestPermissionsThatChangeBeforeTheStatementRunsCount(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	p, err := w.door.prepare(t.Context(), w.person, ask(w.ordersByOrganization()), w.door.now())
	if err != nil {
		t.Fatal(err)
	}
	if same, err := w.door.current(t.Context(), p); err != nil || same.graph != p.graph {
		t.Errorf("nothing changed, and yet: %v", err)
	}
	w.sandbox("3")
	next, err := w.door.current(t.Context(), p)
	if err != nil || !next.statement.Sandboxed() {
		t.Errorf("the sandbox is not in the statement: %v", err)
	}
	w.grant(permission.Blocked, permission.None)
	if _, err := w.door.current(t.Context(), p); err == nil {
		t.Error("a question that is no longer allowed was compiled")
	}
}

func TestRunThatWaitedForAConnectionIsPutUnderTheNewPermissions(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	var taken []*warehouse.Conn
	for { // until there are no more
		ctx, cancel := context.WithTimeout(t.Context(), shortly)
		c, err := w.pool.Acquire(ctx, w.sample())
		cancel()
		if err != nil {
			break
		}
		taken = append(taken, c)
	}
	statements, done := w.store.Statements(), make(chan error)
	a := &answer{}
	go func() {
		_, err := w.door.Run(t.Context(), w.person, ask(w.ordersByOrganization()), a)
		done <- err
	}()
	for w.store.Statements() == statements { // it asks for the connection's details when it has compiled
		time.Sleep(time.Millisecond)
	}
	w.grant(permission.Blocked, permission.None)
	for _, c := range taken {
		c.Release()
	}
	fails(t, <-done, MissingPermissions)
	if len(a.rows) != 0 || a.head.Columns != nil {
		t.Errorf("%d rows were sent, columns %v", len(a.rows), a.head.Columns)
	}
}

func TestNarrowingEndsAResultThatIsBeingSent(t *testing.T) {
	w := newWorld(t, Options{})
	for name, narrow := range map[string]func(){
		"blocked":   func() { w.grant(permission.Blocked, permission.None) },
		"sandboxed": func() { w.sandbox("3") },
	} {
		w.grant(permission.Unrestricted, permission.QueryBuilder)
		w.draft(func(d *permission.Draft) error {
			return d.Set(w.group, sampleID, permission.View, permission.OneTable(w.tables["orders"]), permission.Unrestricted)
		})
		a := &answer{row: func(n int) error {
			if n == 5 {
				narrow()
			}
			return nil
		}}
		_, err := w.door.Run(t.Context(), w.person, ask(w.list("orders")), a)
		fails(t, err, MissingPermissions)
		if len(a.rows) != 5 {
			t.Errorf("%s: %d rows were sent, 5 of them before", name, len(a.rows))
		}
		if last := w.lastRun(); last.Outcome != "denied" {
			t.Errorf("%s: recorded as %+v", name, last)
		}
	}
	// A change that is none for this person ends nothing.
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	w.draft(func(d *permission.Draft) error {
		return d.Set(w.group, sampleID, permission.View, permission.OneTable(w.tables["orders"]), permission.Unrestricted)
	})
	a := &answer{row: func(n int) error {
		if n == 5 {
			w.collection("another")
			w.share(w.closed, permission.Read)
		}
		return nil
	}}
	if _, err := w.door.Run(t.Context(), w.person, ask(w.list("orders")), a); err != nil || len(a.rows) != maxRawRows {
		t.Errorf("%d rows, %v", len(a.rows), err)
	}
}

func TestCardOnADashboard(t *testing.T) {
	w := newWorld(t, Options{})
	one, two, hidden := w.card(w.open, w.list("products")), w.card(w.open, w.list("products")), w.card(w.closed, w.list("products"))
	board, err := w.store.CreateDashboard(t.Context(), store.Actor{User: w.admin}, store.Dashboard{Name: "Board", Collection: w.open,
		Dashcards: []store.Dashcard{{Card: &one.ID, SizeX: 4, SizeY: 4, Series: []int64{two.ID}}, {Card: &hidden.ID, SizeX: 4, SizeY: 4, Row: 5}, {SizeX: 4, SizeY: 1, Row: 9}}})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := w.store.CreateDashboard(t.Context(), store.Actor{User: w.admin}, store.Dashboard{Name: "Secret", Collection: w.closed,
		Dashcards: []store.Dashcard{{Card: &one.ID, SizeX: 4, SizeY: 4}}})
	if err != nil {
		t.Fatal(err)
	}
	first, second, text := board.Dashcards[0].ID, board.Dashcards[1].ID, board.Dashcards[2].ID

	for _, tt := range []struct {
		name string
		r    Request
		want string // "rows", "missing" or "denied"
	}{
		{"in its place", Request{Dashboard: board.ID, Dashcard: first, Card: one.ID}, "rows"},
		{"as a series", Request{Dashboard: board.ID, Dashcard: first, Card: two.ID}, "rows"},
		{"in another's place", Request{Dashboard: board.ID, Dashcard: second, Card: one.ID}, "missing"},
		{"in the place of a text", Request{Dashboard: board.ID, Dashcard: text, Card: one.ID}, "missing"},
		{"in a place of another dashboard", Request{Dashboard: board.ID, Dashcard: secret.Dashcards[0].ID, Card: one.ID}, "missing"},
		{"in no place", Request{Dashboard: board.ID, Dashcard: 9999, Card: one.ID}, "missing"},
		{"no such card", Request{Dashboard: board.ID, Dashcard: first, Card: 9999}, "missing"},
		{"no such dashboard", Request{Dashboard: 9999, Dashcard: first, Card: one.ID}, "missing"},
		{"of a collection that is closed", Request{Dashboard: board.ID, Dashcard: second, Card: hidden.ID}, "denied"},
		{"on a dashboard that is closed", Request{Dashboard: secret.ID, Dashcard: secret.Dashcards[0].ID, Card: one.ID}, "denied"},
	} {
		a, _, err := w.run(w.person, tt.r)
		var denied *permission.DeniedError
		got := "rows"
		switch {
		case errors.Is(err, ErrNotFound):
			got = "missing"
		case errors.As(err, &denied):
			got = "denied"
		case err != nil || len(a.rows) != 108:
			got = fmt.Sprint(len(a.rows), " rows, ", err)
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		last := w.lastRun()
		if want := map[bool]string{true: "completed", false: "denied"}[err == nil]; last.Outcome != want {
			t.Errorf("%s: recorded as %+v", tt.name, last)
		}
		if tt.r.Dashboard != 0 && (last.Dashboard == nil || *last.Dashboard != tt.r.Dashboard) {
			t.Errorf("%s: the dashboard is not recorded: %+v", tt.name, last)
		}
	}
	if _, _, err := w.run(w.admin, Request{Dashboard: board.ID, Dashcard: second, Card: hidden.ID}); err != nil {
		t.Errorf("an administrator: %v", err)
	}
}

func TestNobodyAndTheDeactivatedGetNothing(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.Unrestricted, permission.Native)
	card := w.card(w.open, w.list("products"))
	if err := w.store.DeactivateUser(t.Context(), store.Actor{}, w.person); err != nil {
		t.Fatal(err)
	}
	for _, who := range []permission.UserID{0, w.person, 4711} {
		for _, r := range []Request{ask(w.list("products")), ask(native("SELECT 1")), {Card: card.ID}} {
			if a, _, err := w.run(who, r); err == nil || len(a.rows) != 0 {
				t.Errorf("person %d got %d rows", who, len(a.rows))
			}
		}
		if _, err := w.door.FieldValues(t.Context(), who, w.fields["orders.status"]); err == nil {
			t.Errorf("person %d got values", who)
		}
		if w.door.CanRunAdHoc(t.Context(), who, card) {
			t.Errorf("person %d can run", who)
		}
	}
}

func TestRequestThatIsNoneIsRefused(t *testing.T) {
	w := newWorld(t, Options{})
	for _, r := range []Request{{}, {Query: json.RawMessage(`{}`), Card: 1}, {Dashboard: 1}, {Dashboard: 1, Dashcard: 1}, {Card: 1, Dashcard: 2}} {
		if _, _, err := w.run(w.admin, r); err == nil {
			t.Errorf("%+v was run", r)
		}
	}
	for _, question := range []string{`{`, `[]`, `{"database":1,"type":"query","query":{"source-table":1,"filtre":[]}}`, `{"database":1}`} {
		fails(t, second(w.run(w.admin, ask(question))), InvalidQuery)
	}
}

func TestWarehouseThatCannotBeReachedIsToldToAdministratorsOnly(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	db, err := w.store.Database(t.Context(), sampleID)
	if err != nil {
		t.Fatal(err)
	}
	gone := store.DatabaseUpdate{Details: json.RawMessage(`{"db":"/no/such/place/secret.db"}`)}
	if _, err := w.store.UpdateDatabase(t.Context(), store.Actor{}, db, gone); err != nil {
		t.Fatal(err)
	}
	if says := fails(t, second(w.run(w.admin, ask(w.list("orders")))), QueryFailed); !strings.Contains(says, "/no/such/place/secret.db") {
		t.Errorf("an administrator reads %q", says)
	}
	if says := fails(t, second(w.run(w.person, ask(w.list("orders")))), QueryFailed); says != unreachable {
		t.Errorf("a person reads %q", says)
	}
	var wrong *ConnectionError
	if err := w.door.Sync(t.Context(), store.Actor{}, sampleID); !errors.As(err, &wrong) || wrong.Field != "db" || !strings.Contains(wrong.Message, "there is no file") {
		t.Errorf("a sync: %v", err)
	}
}
