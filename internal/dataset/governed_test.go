package dataset

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// policy gives the group a policy on a table of the sample.
func (w *world) policy(table string, p permission.Policy) {
	w.t.Helper()
	w.draft(func(d *permission.Draft) error {
		if err := d.Set(w.group, sampleID, permission.View, permission.OneTable(w.tables[table]), permission.Sandboxed); err != nil {
			return err
		}
		return d.SetSandbox(w.group, w.tables[table], &p)
	})
}

// tenant lets the person write SQL, and shows them of orders the rows of
// organization 3 without the total, and of people the names cut short, and
// their e-mail addresses hashed.
func (w *world) tenant() {
	w.t.Helper()
	w.grant(permission.Unrestricted, permission.Native)
	w.sandbox("3")
	var all []permission.ColumnRule
	for _, f := range w.store.Graph().Catalog().Fields(w.tables["orders"]) {
		if f.Name != "total" {
			all = append(all, permission.ColumnRule{Field: f.ID})
		}
	}
	w.policy("orders", permission.Policy{Where: []permission.AttributeEquality{{Field: w.fields["orders.organization_id"], Attribute: "organization_id"}}, Columns: all})
	w.policy("people", permission.Policy{AllRows: true, Columns: []permission.ColumnRule{{Field: w.fields["people.id"]},
		{Field: w.fields["people.name"], Mask: permission.Mask{Kind: permission.MaskPartial, Last: 2}},
		{Field: w.fields["people.email"], Mask: permission.Mask{Kind: permission.MaskHash}}}})
	w.draft(func(d *permission.Draft) error {
		if err := d.Set(w.group, sampleID, permission.View, permission.OneTable(w.tables["reviews"]), permission.Blocked); err != nil {
			return err
		}
		return d.SetCreate(w.group, sampleID, permission.WholeDatabase(), permission.Native) // which the block took
	})
}

// sql runs SQL that the person types.
func (w *world) sql(text string) (string, error) {
	a, _, err := w.run(w.person, ask(native(text)))
	return fmt.Sprint(a.rows), err
}

// SQL of somebody from whom something is hidden reads what they may see, and
// what they may not see is answered as what is not there.
func TestSQLReadsWhatItsAuthorMaySee(t *testing.T) {
	w := newWorld(t, Options{})
	w.tenant()
	count := fmt.Sprintf("[[%d]]", w.owned)
	for text, want := range map[string]string{
		"SELECT count(*) FROM orders":                                                                           count,
		"SELECT count(*) FROM orders WHERE organization_id <> 3":                                                "[[0]]",
		"SELECT DISTINCT organization_id FROM orders o JOIN products p ON p.id = o.product_id":                  "[[3]]",
		"SELECT count(*) FROM people WHERE name NOT LIKE '***__' OR length(email) <> 32":                        "[[0]]",
		"WITH mine AS (SELECT * FROM orders) SELECT count(*), max(organization_id) FROM mine":                   fmt.Sprintf("[[%d 3]]", w.owned),
		"SELECT count(*) > 0 FROM products":                                                                     "[[1]]",
		fmt.Sprintf("SELECT count(*) FROM {{#%d}} AS x", w.card(w.open, w.list("orders")).ID):                   count,
		fmt.Sprintf("SELECT count(*) FROM {{#%d}} AS x", w.card(w.open, native("SELECT * FROM orders")).ID):     count,
		"SELECT count(DISTINCT email) FROM people WHERE email IN (SELECT email FROM people GROUP BY 1 LIMIT 2)": "[[2]]",
	} {
		if got, err := w.sql(text); err != nil || got != want {
			t.Errorf("%s gives %s, %v, want %s", text, got, err, want)
		}
	}
	a, _, err := w.run(w.person, ask(native("SELECT * FROM orders")))
	if err != nil || !a.head.Sandboxed || !a.head.Native {
		t.Errorf("%+v, %v", a.head, err)
	}
	for _, c := range a.head.Columns {
		if c.Name == "total" {
			t.Error("a hidden column is among those of all")
		}
	}
	if form := string(a.head.NativeForm); !strings.Contains(form, "SELECT * FROM orders") || strings.Contains(form, "OFFSET") {
		t.Errorf("the form is %s", form)
	}
	messages := map[string]bool{}
	for _, text := range []string{"SELECT total FROM orders", "SELECT word FROM nowhere", "SELECT * FROM reviews", "SELECT count(*) FROM reviews", "SELECT * FROM nowhere",
		"SELECT foo() FROM reviews", "SELECT name FROM sqlite_master", "SELECT * FROM main.orders", "SELECT birth_date FROM people"} {
		_, err := w.sql(text)
		messages[fails(t, err, MissingPermissions)] = true
	}
	if len(messages) != 1 {
		t.Errorf("what is hidden and what is not there are told apart: %v", messages)
	}
	_, err = w.sql("SELECT FROM orders")
	if says := fails(t, err, InvalidQuery); !strings.Contains(says, "syntax error") {
		t.Errorf("a mistake is told as %q", says)
	}
	// The hash is the one that the query builder shows.
	built, _, err := w.run(w.person, ask(fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"fields":[["field",%d,null]],"order-by":[["asc",["field",%d,null]]],"limit":3}}`,
		w.tables["people"], w.fields["people.email"], w.fields["people.id"])))
	if got, err2 := w.sql("SELECT email FROM people ORDER BY id LIMIT 3"); err != nil || err2 != nil || got != fmt.Sprint(built.rows) {
		t.Errorf("SQL shows the hashes %s, %v, and the query builder %v, %v", got, err2, built.rows, err)
	}
}

// A field filter compares what the person sees; one on a hidden column is as
// one on a column that is not there.
func TestFieldFiltersCompareWhatIsShown(t *testing.T) {
	w := newWorld(t, Options{})
	w.tenant()
	of := func(field string, value string) (string, error) {
		a, _, err := w.run(w.person, ask(fmt.Sprintf(`{"database":1,"type":"native","native":{"query":"SELECT count(*) FROM people WHERE {{f}}","template-tags":{"f":{"id":"f","name":"f","display-name":"F","type":"dimension","widget-type":"string/=","dimension":["field",%d,null],"default":[%q]}}}}`,
			w.fields[field], value)))
		return fmt.Sprint(a.rows), err
	}
	masked, err := w.sql("SELECT name FROM people WHERE id = 1")
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.Trim(masked, "[]")
	if got, err := of("people.name", shown); err != nil || got == "[[0]]" {
		t.Errorf("by %q there are %s, %v", shown, got, err)
	}
	whole, _, err := w.run(w.admin, ask(native("SELECT name FROM people WHERE id = 1")))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := of("people.name", fmt.Sprint(whole.rows[0][0])); err != nil || got != "[[0]]" {
		t.Errorf("by the name itself there are %s, %v", got, err)
	}
	if _, err := of("people.birth_date", "x"); err == nil {
		t.Error("a hidden column filters")
	}
}

// Without the attribute that a policy needs there is no SQL, whatever it reads;
// only administrators are told why.
func TestAMissingAttributeRefusesSQL(t *testing.T) {
	w := newWorld(t, Options{})
	w.tenant()
	for _, attributes := range []map[string]string{{}, {"organization_id": "3 or 1=1"}} {
		if _, err := w.store.UpdateUser(t.Context(), store.Actor{}, w.person, store.UserUpdate{LoginAttributes: &attributes}); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"SELECT count(*) FROM orders", "SELECT count(*) FROM products", "SELECT 1"} {
			_, err := w.sql(text)
			if says := fails(t, err, MissingPermissions); says != refusal {
				t.Errorf("the person is told %q", says)
			}
			if last := w.lastRun(); last.Outcome != "denied" || !strings.Contains(last.Reason, `"organization_id"`) {
				t.Errorf("recorded as %+v", last)
			}
		}
	}
}

// What a running statement shows changes with its policies, and ends it.
func TestANarrowerPolicyEndsRunningSQL(t *testing.T) {
	w := newWorld(t, Options{Timeout: 20 * time.Second})
	w.tenant()
	if _, err := w.sql("SELECT 1 FROM orders LIMIT 1"); err != nil {
		t.Fatal(err)
	}
	over := "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT n.x, o.id FROM n LEFT JOIN orders o ON o.id = n.x WHERE x < 0"
	err := w.meanwhile(ask(native(over)), func() { w.sandbox("2") })
	if says := fails(t, err, MissingPermissions); says != refusal {
		t.Errorf("the person reads %q", says)
	}
}

// SQL is exported as far as the tables allow that it may read.
func TestSQLIsExportedAsFarAsItsTables(t *testing.T) {
	w := newWorld(t, Options{})
	w.tenant()
	export := Request{Query: []byte(native("SELECT id FROM orders")), Context: "csv-download"}
	if _, _, err := w.run(w.person, export); !errors.Is(err, ErrNoDownload) {
		t.Errorf("without a level: %v", err)
	}
	level := func(tables ...string) {
		w.draft(func(d *permission.Draft) error {
			for _, name := range tables {
				if err := d.Set(w.group, sampleID, permission.Download, permission.OneTable(w.tables[name]), permission.Full); err != nil {
					return err
				}
			}
			return nil
		})
	}
	var all []string
	for name, id := range w.tables {
		if name != "reviews" && w.store.Graph().Catalog().Table(id).Database == sampleID && name != "products" {
			all = append(all, name)
		}
	}
	level(all...)
	if _, _, err := w.run(w.person, export); !errors.Is(err, ErrNoDownload) {
		t.Errorf("with a table that may not be exported: %v", err)
	}
	level("products")
	if a, _, err := w.run(w.person, export); err != nil || int64(len(a.rows)) != w.owned {
		t.Errorf("with all but the blocked one: %d rows, %v", len(a.rows), err)
	}
}
