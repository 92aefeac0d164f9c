package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// keepingWorld is a world whose clock stands still until somebody moves it.
func keepingWorld(t *testing.T) (w *world, now *time.Time) {
	now = new(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	return newWorld(t, Options{Now: func() time.Time { return *now }}), now
}

// keptCard is a saved question whose results are kept for an hour.
func (w *world) keptCard(question string) store.Card {
	w.t.Helper()
	return w.cardWith(store.Card{Collection: w.open, DatasetQuery: json.RawMessage(question), CacheTTL: new(1)})
}

// gets runs a question that must be answered, and tells its first value and
// whether it is that of an earlier run.
func (w *world) gets(who permission.UserID, r Request) (value any, kept bool) {
	w.t.Helper()
	a, sum, err := w.run(who, r)
	if err != nil || len(a.rows) == 0 {
		w.t.Fatalf("%+v: %d rows, %v", r, len(a.rows), err)
	}
	if last := w.lastRun(); last.Cached != (sum.Kept != nil) || last.Rows != int64(sum.Rows) || last.Outcome != "completed" {
		w.t.Errorf("recorded as %+v", last)
	}
	return a.rows[0][0], sum.Kept != nil
}

func TestAResultIsKeptAsLongAsSomebodyChose(t *testing.T) {
	w, now := keepingWorld(t)
	price := native("SELECT cast(price AS INTEGER) AS n FROM products WHERE id = 1")
	hour, two, three := new(1), new(2), new(3)
	database := func(ttl *int) {
		db, err := w.store.Database(t.Context(), sampleID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.UpdateDatabase(t.Context(), store.Actor{}, db, store.DatabaseUpdate{CacheTTL: &ttl}); err != nil {
			t.Fatal(err)
		}
	}
	costs := int64(100)
	raise := func() {
		w.exec(fmt.Sprintf("UPDATE products SET price = %d WHERE id = 1", costs+1))
		costs++
	}
	raise()
	for _, tt := range []struct {
		name                  string
		card, board, database *int
		hours                 int
	}{
		{"nobody", nil, nil, nil, 0}, {"the card", hour, nil, nil, 1}, {"the dashboard", nil, two, nil, 2}, {"the database", nil, nil, three, 3},
		{"all", hour, two, three, 1}, {"the dashboard and the database", nil, two, three, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			database(tt.database)
			card := w.cardWith(store.Card{Collection: w.open, DatasetQuery: json.RawMessage(strings.Replace(price, " n ", fmt.Sprintf(" n%d ", now.Unix()), 1)), CacheTTL: tt.card})
			board, err := w.store.CreateDashboard(t.Context(), store.Actor{User: w.admin}, store.Dashboard{Name: "x", Creator: w.admin, Collection: w.open, CacheTTL: tt.board,
				Dashcards: []store.Dashcard{{Card: &card.ID, SizeX: 1, SizeY: 1}}})
			if err != nil {
				t.Fatal(err)
			}
			ask := Request{Card: card.ID, Dashboard: board.ID, Dashcard: board.Dashcards[0].ID}
			expect := func(what string, r Request, value int64, kept bool) {
				t.Helper()
				if v, k := w.gets(w.admin, r); v != value || k != kept {
					t.Errorf("%s: %v, kept %v", what, v, k)
				}
			}
			*now = now.Add(time.Hour)
			old := costs
			expect("first", ask, old, false)
			raise()
			if tt.hours == 0 {
				expect("again", ask, costs, false)
				return
			}
			*now = now.Add(time.Duration(tt.hours)*time.Hour - time.Second)
			expect("just before", ask, old, true)
			if tt.card == nil && tt.database == nil {
				expect("not on the dashboard", Request{Card: card.ID}, costs, false)
			}
			expect("asked ad hoc", Request{Query: card.DatasetQuery}, costs, false)
			*now = now.Add(time.Second)
			expect("just after", ask, costs, false)
			raise()
			expect("again", ask, costs-1, true)
			fresh := ask
			fresh.Fresh = true
			expect("a fresh one", fresh, costs, false)
			expect("after a fresh one", ask, costs, true)
		})
	}
}

// Each pair is of questions whose answers differ; the second is not shown what
// was kept of the first.
func TestAKeptResultIsShownOnlyWhereTheSameWouldCome(t *testing.T) {
	w, _ := keepingWorld(t)
	w.grant(permission.Unrestricted, permission.Native)
	byOrg := w.keptCard(w.ordersByOrganization())
	sql := w.keptCard(native("SELECT count(*) FROM orders"))
	variable := w.cardWith(store.Card{Collection: w.open, CacheTTL: new(1), DatasetQuery: json.RawMessage(
		`{"database":1,"type":"native","native":{"query":"SELECT {{x}} AS x","template-tags":{"x":{"id":"x","name":"x","display-name":"X","type":"text"}}}}`)})
	value := func(v string) Request {
		return Request{Card: variable.ID, Parameters: json.RawMessage(`[{"id":"x","value":"` + v + `"}]`)}
	}
	w.gets(w.admin, Request{Card: byOrg.ID})
	if _, kept := w.gets(w.person, Request{Card: byOrg.ID}); !kept {
		t.Error("two people who may see the same do not share a result")
	}
	w.gets(w.admin, Request{Card: sql.ID})

	w.gets(w.person, value("a"))
	if v, kept := w.gets(w.person, value("b")); v != "b" || kept {
		t.Errorf("another value gets %v", v)
	}

	// A sandbox, and another value of its attribute.
	w.sandbox("3")
	if v, kept := w.gets(w.person, Request{Card: byOrg.ID}); v != int64(3) || kept {
		t.Errorf("who sees one organization gets %v", v)
	}
	w.sandbox("2")
	if v, kept := w.gets(w.person, Request{Card: byOrg.ID}); v != int64(2) || kept {
		t.Errorf("who sees another organization gets %v", v)
	}
	if v, kept := w.gets(w.admin, Request{Card: byOrg.ID}); v == int64(2) || !kept {
		t.Errorf("who sees all gets %v", v)
	}

	// SQL, which is held to the same rows.
	whole, _ := w.gets(w.admin, Request{Card: sql.ID})
	first, kept := w.gets(w.person, Request{Card: sql.ID})
	if first == whole || kept {
		t.Errorf("SQL of who sees one organization gets %v of %v", first, whole)
	}
	w.sandbox("3")
	if v, kept := w.gets(w.person, Request{Card: sql.ID}); v == whole || v == first || kept {
		t.Errorf("SQL of who sees another organization gets %v, kept %v", v, kept)
	}
	// No access at all, to the data or to the card.
	w.grant(permission.Blocked, permission.None)
	w.draft(func(d *permission.Draft) error {
		return d.Set(w.group, sampleID, permission.View, permission.OneTable(w.tables["orders"]), permission.Blocked)
	})
	fails(t, second(w.run(w.person, Request{Card: byOrg.ID})), MissingPermissions)
	if last := w.lastRun(); last.Cached || last.Outcome != "denied" {
		t.Errorf("recorded as %+v", last)
	}
	w.move(byOrg, w.closed)
	var denied *permission.DeniedError
	if err := second(w.run(w.person, Request{Card: byOrg.ID})); !errors.As(err, &denied) {
		t.Errorf("a card that moved away: %v", err)
	}
}

// What is kept of SQL is for those whom the engine would let read the same
// tables: the text alone says nothing.
func TestAKeptResultOfSQLIsForWhoMayReadItsTables(t *testing.T) {
	w, _ := keepingWorld(t)
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	sql := w.keptCard(native("SELECT count(*) FROM orders"))
	w.gets(w.person, Request{Card: sql.ID})
	w.draft(func(d *permission.Draft) error {
		return d.Set(w.group, sampleID, permission.View, permission.OneTable(w.tables["orders"]), permission.Blocked)
	})
	if says := fails(t, second(w.run(w.person, Request{Card: sql.ID})), MissingPermissions); says != refusal {
		t.Errorf("the person reads %q", says)
	}
}

func TestAKeptResultIsExportedAsFarAsTheDownloadLevel(t *testing.T) {
	w, _ := keepingWorld(t)
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	download := func(l permission.Level) {
		w.draft(func(d *permission.Draft) error {
			return d.Set(w.group, sampleID, permission.Download, permission.WholeDatabase(), l)
		})
	}
	export := Request{Card: w.keptCard(fmt.Sprintf(
		`{"database":1,"type":"query","query":{"source-table":%d,"fields":[["field",%d,null]]}}`, w.tables["orders"], w.fields["orders.id"])).ID, Context: "csv-download"}
	if _, sum, err := w.run(w.admin, export); err != nil || sum.Rows != 20_000 {
		t.Fatalf("%+v, %v", sum, err)
	}
	download(permission.Full)
	if _, sum, err := w.run(w.person, export); err != nil || sum.Rows != 20_000 || sum.Kept == nil {
		t.Errorf("full: %+v, %v", sum, err)
	}
	download(permission.Limited)
	for range 2 {
		if _, sum, err := w.run(w.person, export); err != nil || sum.Rows != 10_000 || !sum.Truncated {
			t.Errorf("limited: %+v, %v", sum, err)
		}
	}
	download(permission.None)
	if _, sum, err := w.run(w.person, export); !errors.Is(err, ErrNoDownload) || sum.Kept != nil {
		t.Errorf("none: %+v, %v", sum, err)
	}
	download(permission.Full)
	if _, sum, err := w.run(w.person, export); err != nil || sum.Rows != 20_000 || sum.Truncated {
		t.Errorf("full again: %+v, %v", sum, err)
	}
}

func TestANarrowingEndsAResultThatIsShownAgain(t *testing.T) {
	w, _ := keepingWorld(t)
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	ask := Request{Card: w.keptCard(w.list("orders")).ID}
	w.gets(w.person, ask)
	a := &answer{row: func(n int) error {
		if n == 5 {
			w.grant(permission.Blocked, permission.None)
		}
		return nil
	}}
	sum, err := w.door.Run(t.Context(), w.person, ask, a)
	if says := fails(t, err, MissingPermissions); says != refusal || len(a.rows) != 5 || sum.Kept == nil {
		t.Errorf("%q after %d rows, %+v", says, len(a.rows), sum)
	}
}

func TestWhatEndsEarlyIsNotKeptAndWhatIsCutStaysCut(t *testing.T) {
	w, _ := keepingWorld(t)
	ask := Request{Card: w.keptCard(w.list("orders")).ID}
	gone := errors.New("gone")
	if _, err := w.door.Run(t.Context(), w.admin, ask, &answer{row: func(int) error { return gone }}); !errors.Is(err, gone) {
		t.Fatal(err)
	}
	first, sum, err := w.run(w.admin, ask)
	if err != nil || sum.Kept != nil || !sum.Truncated {
		t.Errorf("%+v, %v", sum, err)
	}
	again, sum, err := w.run(w.admin, ask)
	if err != nil || sum.Kept == nil || !sum.Truncated || !reflect.DeepEqual(again.rows, first.rows) || !reflect.DeepEqual(again.head.Columns, first.head.Columns) {
		t.Errorf("%+v, %v: %d rows instead of %d", sum, err, len(again.rows), len(first.rows))
	}
	lists := Request{Card: w.keptCard(native("SELECT id, name, birth_date, active FROM people ORDER BY id")).ID}
	first, _, err = w.run(w.admin, lists)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if again, sum, err = w.run(w.admin, lists); err != nil || sum.Kept == nil || !reflect.DeepEqual(again.rows, first.rows) {
			t.Errorf("%+v, %v", sum, err)
		}
	}
}

// Each part of the key counts by itself.
func TestTheKeyOfAResultHoldsAllThatItDependsOn(t *testing.T) {
	w, now := keepingWorld(t)
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	ask := Request{Card: w.keptCard(w.ordersByOrganization()).ID}
	prepare := func(who permission.UserID) prepared {
		t.Helper()
		p, err := w.door.prepare(t.Context(), who, ask, *now)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	db, err := w.store.Database(t.Context(), sampleID)
	if err != nil {
		t.Fatal(err)
	}
	all := prepare(w.person)
	w.sandbox("3")
	three := prepare(w.person)
	w.sandbox("2")
	two := prepare(w.person)
	if _, err := w.store.UpdateField(t.Context(), store.Actor{}, w.fields["orders.id"], store.FieldUpdate{SemanticType: new(new("type/Category"))}); err != nil {
		t.Fatal(err)
	}
	described := prepare(w.person)

	with := func(f func(*prepared, *store.Database)) keptKey {
		t.Helper()
		p, db := two, db
		f(&p, &db)
		key, err := p.key(db)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	same := func(*prepared, *store.Database) {}
	base := with(same)
	if with(same) != base {
		t.Error("the same question has two keys")
	}
	for name, f := range map[string]func(*prepared, *store.Database){
		"the arguments":              func(p *prepared, _ *store.Database) { p.statement = three.statement },
		"the SQL":                    func(p *prepared, _ *store.Database) { p.statement = all.statement },
		"the policy":                 func(p *prepared, _ *store.Database) { p.access = all.access },
		"the value of the attribute": func(p *prepared, _ *store.Database) { p.access = three.access },
		"the schema":                 func(p *prepared, _ *store.Database) { p.graph = described.graph },
		"the connection":             func(_ *prepared, db *store.Database) { db.Details = json.RawMessage(`{"db":"another"}`) },
		"the database":               func(_ *prepared, db *store.Database) { db.ID++ },
		"the zone":                   func(p *prepared, _ *store.Database) { p.zone = time.FixedZone("elsewhere", 3600) },
	} {
		if with(f) == base {
			t.Errorf("the key does not depend on %s", name)
		}
	}
}

func TestWhatIsKeptHasABound(t *testing.T) {
	var r results
	key := func(i int) (k keptKey) { k[0], k[1] = byte(i), byte(i>>8); return k }
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	put := func(i, size int) {
		r.put(&result{key: key(i), bytes: size, Kept: Kept{At: at}, until: at.Add(time.Hour)}, at)
	}
	there := func(i int) bool { return r.find(key(i), at, time.Second) != nil }
	for i := range 4 {
		put(i, keptBytes/4)
	}
	if !there(0) {
		t.Fatal("what fits is not kept")
	}
	put(4, keptBytes/4) // 0 was used since, 1 longest ago
	if !there(0) || there(1) || !there(2) || !there(3) || !there(4) {
		t.Error("not the one that was used longest ago has gone")
	}
	put(4, 10)
	put(5, keptBytes/4-10)
	if !there(0) || r.bytes != keptBytes || r.order.Len() != 5 || len(r.by) != 5 {
		t.Errorf("%d bytes in %d results", r.bytes, r.order.Len())
	}
	if r.find(key(4), at, 0) != nil {
		t.Error("what is too old is found")
	}
	// What nobody shows any more goes, and what somebody keeps longer stays.
	if r.find(key(5), at.Add(time.Minute), 2*time.Hour) == nil {
		t.Error("what is kept longer is not found")
	}
	r.put(&result{key: key(6), bytes: 1, Kept: Kept{At: at.Add(time.Hour)}, until: at.Add(2 * time.Hour)}, at.Add(time.Hour))
	if r.order.Len() != 2 || len(r.by) != 2 || r.bytes != keptBytes/4-10+1 || r.find(key(5), at.Add(time.Hour), 2*time.Hour) == nil {
		t.Errorf("%d bytes in %d results after an hour", r.bytes, r.order.Len())
	}
	for i := range keptResults + 1 {
		put(i, 1)
	}
	if r.order.Len() != keptResults || len(r.by) != keptResults || there(0) || !there(keptResults) {
		t.Errorf("%d results are kept", r.order.Len())
	}

	w, _ := keepingWorld(t)
	empty := Request{Card: w.keptCard(native("SELECT id FROM orders WHERE id < 0")).ID}
	if _, sum, err := w.run(w.admin, empty); err != nil || sum.Rows != 0 || w.door.results.order.Len() != 1 || w.door.results.bytes < 512 {
		t.Errorf("a result without rows weighs %d bytes, %v", w.door.results.bytes, err)
	}
	weight := w.door.results.bytes
	big := Request{Card: w.keptCard(native(`WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n LIMIT 1500) SELECT x, printf('%4000d', x) AS y FROM n`)).ID}
	for range 2 {
		if _, kept := w.gets(w.admin, big); kept || w.door.results.bytes != weight {
			t.Errorf("a result of more than %d bytes is kept", keptResult)
		}
	}
}
