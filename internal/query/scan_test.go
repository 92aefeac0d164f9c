package query

import (
	"errors"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// permission refuses these before they get here; should it ever not, the scan
// still shows nothing or refuses.
func TestRowConditionsFailClosed(t *testing.T) {
	table := catalog.Table{ID: 4, Database: 1, Name: "orders", Since: 1}
	snapshot := (&catalog.Snapshot{}).WithDatabase(catalog.Database{ID: 1, Engine: "sqlite"}).
		WithTable(table, []catalog.Field{{ID: 401, Name: "id", BaseType: "type/Integer"}}).
		WithTable(catalog.Table{ID: 5, Database: 1, Name: "people", Since: 1}, []catalog.Field{{ID: 501, Name: "id", BaseType: "type/Integer"}})
	g, err := permission.New(snapshot).Apply(permission.SetUser{To: &permission.User{ID: 1, Active: true}})
	if err != nil {
		t.Fatal(err)
	}
	c := &compiler{Source: Source{Access: g.AccessOf(1), Dialect: SQLite()}}
	for name, filters := range map[string][]permission.Filter{"no filter": nil, "a filter without conditions": {{}}} {
		f, err := c.rowCondition(&table, filters)
		if err != nil {
			t.Fatal(err)
		}
		if sql, args := f.render(c.Dialect, true); sql != "1 = 0" || len(args) > 0 {
			t.Errorf("%s: the condition is %q %v, want one that never holds", name, sql, args)
		}
	}
	for name, field := range map[string]catalog.FieldID{"a field of another table": 501, "an absent field": 999} {
		f, err := c.rowCondition(&table, []permission.Filter{{Where: []permission.Equality{{Field: field, Value: "1"}}}})
		var invalid *PolicyError
		if !errors.As(err, &invalid) || f != nil {
			t.Errorf("%s: got %v and %v, want a refusal", name, f, err)
		}
	}
}
