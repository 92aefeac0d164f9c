package query_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
)

// SQL that a person types shows of every table what the query builder shows of
// it, and is refused where that is.
func TestSQLShowsWhatTheQueryBuilderShows(t *testing.T) {
	db := warehouseOn(t, "sqlite")
	names := map[catalog.TableID]string{organizations: "organizations", people: "people", products: "products", orders: "orders", secrets: "secrets", events: "events"}
	for who := admin; who <= masked; who++ {
		for _, saved := range []bool{false, true} {
			s := source(t, who)
			s.Saved = saved
			for id, name := range names {
				st, structured := query.Compile(parse(t, fmt.Sprintf(`{"database":1,"query":{"source-table":%d,"order-by":[["asc",["field",%d,null]]]}}`, id, int(id)*100+1)), s)
				typed, native := query.Check(parse(t, fmt.Sprintf(`{"database":1,"native":{"query":"select * from %s order by id"}}`, name)), s)
				if native != nil {
					continue // the right to write SQL is another
				}
				is := slices.ContainsFunc(typed.Views(), func(v query.View) bool { return v.Table().Name == name })
				if is != (structured == nil) {
					t.Errorf("person %d, saved %v: of %s there is a view %v, and the query builder says %v", who, saved, name, is, structured)
				}
				if structured != nil || !is {
					continue
				}
				want, err := run(db, st)
				if err != nil {
					t.Fatal(err)
				}
				got, err := run(db, typed)
				if err != nil {
					t.Fatal(err)
				}
				// SQL tells no types, by which the lines of some values differ.
				if len(got) != len(want) || typed.Sandboxed() != st.Sandboxed() {
					t.Errorf("person %d, saved %v: of %s SQL shows\n%s\nand the query builder\n%s", who, saved, name, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				if st.Sandboxed() && strings.Join(got, "\n") != strings.Join(want, "\n") && id != orders {
					t.Errorf("person %d: of %s SQL shows\n%s\nand the query builder\n%s", who, name, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		}
	}
}

// A policy that cannot be applied refuses all SQL, and names the attribute in
// its error; a table that is closed for another reason is just not there.
func TestAPolicyThatCannotBeAppliedRefusesSQL(t *testing.T) {
	sql := parse(t, `{"database":1,"native":{"query":"select 1 from products"}}`)
	g := newGraph(t)
	from := g.User(coder)
	for value, refused := range map[string]bool{"7": false, "": true, "x": true, "7.0": true} {
		to := *from
		to.Attributes = map[string]string{"org": value}
		if value == "" {
			to.Attributes = nil
		}
		h, err := g.Apply(permission.SetUser{From: from, To: &to})
		if err != nil {
			t.Fatal(err)
		}
		s := source(t, coder)
		s.Access = h.AccessOf(coder)
		for _, saved := range []bool{true, false} {
			s.Saved = saved
			st, err := query.Check(sql, s)
			var wrong *query.PolicyError
			if (err != nil) != refused || refused && (!denied(err) && !errors.As(err, &wrong) || !strings.Contains(err.Error(), `"org"`) || !st.IsZero()) {
				t.Errorf("the attribute %q, saved %v: %v", value, saved, err)
			}
			if allowed := query.Allowed(sql, s); (allowed == nil) != (err == nil) {
				t.Errorf("the attribute %q, saved %v: Allowed says %v, writing it %v", value, saved, allowed, err)
			}
		}
	}
}

// What a person is told of the SQL of their question holds nothing of the
// policies that they are under, and can be asked as it is.
func TestTheFormShowsNoPolicy(t *testing.T) {
	db := warehouseOn(t, "sqlite")
	for who, at := range map[permission.UserID]string{coder: "the rows of coder", masked: "the masks of masked"} {
		st, err := query.Compile(parse(t, onOrders(`"order-by":[["asc",["field",401,null]]],"limit":2`)), source(t, who))
		if err != nil {
			t.Fatal(err)
		}
		raw, is := st.NativeForm()
		var form struct {
			Query  string
			Params []any
		}
		if err := json.Unmarshal(raw, &form); err != nil || !is || len(form.Params) != 0 {
			t.Fatalf("%s: %s, %v", at, raw, err)
		}
		for _, word := range []string{"WHERE", "sluice_hash", "***", "CASE", maskKey} {
			if strings.Contains(form.Query, word) {
				t.Errorf("%s: the form has %s in it: %s", at, word, form.Query)
			}
		}
		text, err := json.Marshal(form.Query)
		if err != nil {
			t.Fatal(err)
		}
		typed, err := query.Check(parse(t, fmt.Sprintf(`{"database":1,"native":{"query":%s}}`, text)), source(t, who))
		if err != nil {
			t.Fatal(err)
		}
		if raw, is := typed.NativeForm(); !is || strings.Contains(string(raw), "OFFSET 0") || strings.Contains(string(raw), "the file") {
			t.Errorf("%s: the form of SQL is %s", at, raw)
		}
		want, err := run(db, st)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := run(db, typed); err != nil || len(got) != len(want) {
			t.Errorf("%s: typed, the form gives %v, %v; want %v", at, got, err, want)
		}
	}
}

// Statements of people who see other rows have other views, and none has the
// key of hashes in its text.
func TestViewsAreComparedByWhatTheyShow(t *testing.T) {
	sql := parse(t, `{"database":1,"native":{"query":"select * from orders"}}`)
	check := func(who permission.UserID) query.Statement {
		t.Helper()
		st, err := query.Check(sql, source(t, who))
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	all, some, less := check(analyst), check(coder), check(masked)
	if all.SameViews(some) || some.SameViews(less) || !some.SameViews(check(coder)) || !all.SameViews(check(admin)) {
		t.Error("statements are taken for the same that are not, or for others that are the same")
	}
	if !all.Open() || some.Open() || less.Open() || all.Sandboxed() || !some.Sandboxed() || !less.Sandboxed() {
		t.Error("what is hidden is not told")
	}
	if less.MaskKey() != maskKey || some.MaskKey() != "" {
		t.Error("the key goes with statements that need none, or does not with one that does")
	}
	for _, v := range less.Views() {
		if text := v.Select("s", "h", false); strings.Contains(text, maskKey) {
			t.Errorf("the key stands in %s", text)
		}
		if v.Table().Name == "orders" && (slices.Contains(v.Columns(), "total") || slices.Contains(v.Columns(), "organization_id") || !slices.Contains(v.Reads(), "organization_id") || slices.Contains(v.Reads(), "total")) {
			t.Errorf("it shows %v and reads %v", v.Columns(), v.Reads())
		}
	}
	if v := (query.Statement{}); v.Open() || v.Views() != nil {
		t.Error("the zero statement is open to somebody")
	}
}
