package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// setPolicy writes a policy as a draft does; nil removes it.
func setPolicy(t *testing.T, s *store.Store, group permission.GroupID, on catalog.TableID, p *permission.Policy) *permission.Graph {
	t.Helper()
	return must[*permission.Graph](t)(s.Change(t.Context(), store.Actor{}, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		d := g.Draft()
		err := d.SetSandbox(group, on, p)
		changes, _ := d.Changes()
		return changes, store.Bump{Data: true}, err
	}))
}

// policyOf names every part of a policy on a table with three columns.
func policyOf(fields []*catalog.Field) *permission.Policy {
	return &permission.Policy{Where: []permission.AttributeEquality{{Field: fields[2].ID, Attribute: "org"}}, Columns: []permission.ColumnRule{
		{Field: fields[0].ID}, {Field: fields[1].ID, Mask: permission.Mask{Kind: permission.MaskPartial, Last: 4}},
		{Field: fields[2].ID, Mask: permission.Mask{Kind: permission.MaskHash}}}}
}

func TestAPolicyKeepsItsIDAndNoOtherGetsIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.SetUp(t, s)
		d := shop(t, s)
		one, two := storetest.Group(t, s, "One"), storetest.Group(t, s, "Two")
		orders := table(t, s, d, "orders").ID
		fields := s.Graph().Catalog().Fields(orders)
		ids := func(q store.SandboxQuery) (ids []int64) {
			t.Helper()
			for _, b := range must[[]store.SandboxRow](t)(s.Sandboxes(t.Context(), q)) {
				ids = append(ids, b.ID)
				if want := s.Graph().Sandbox(b.Group, b.Table); want == nil || !cmp.Equal(b.Sandbox, *want) {
					t.Errorf("the row of policy %d says %+v, the graph %+v", b.ID, b.Sandbox, want)
				}
			}
			return ids
		}
		want := func(q store.SandboxQuery, want ...int64) {
			t.Helper()
			if got := ids(q); !cmp.Equal(got, want) {
				t.Errorf("%+v: the policies %v, want %v", q, got, want)
			}
		}
		setPolicy(t, s, one.ID, orders, policyOf(fields))
		setPolicy(t, s, two.ID, orders, &permission.Policy{})
		want(store.SandboxQuery{}, 1, 2)
		setPolicy(t, s, one.ID, orders, &permission.Policy{AllRows: true, Columns: []permission.ColumnRule{}})
		want(store.SandboxQuery{Group: one.ID}, 1)
		setPolicy(t, s, one.ID, orders, &permission.Policy{Card: 7, Seal: "s", Columns: []permission.ColumnRule{{Field: fields[0].ID}},
			Variables: []permission.AttributeVariable{{Variable: "v", Attribute: "org"}}})
		want(store.SandboxQuery{Group: one.ID}, 1)
		setPolicy(t, s, one.ID, orders, &permission.Policy{AllRows: true, Columns: []permission.ColumnRule{}})
		want(store.SandboxQuery{Group: two.ID, Table: orders}, 2)
		want(store.SandboxQuery{Table: orders + 100})
		setPolicy(t, s, two.ID, orders, nil)
		if _, err := s.Sandbox(t.Context(), 2); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("what was removed is answered with %v", err)
		}
		setPolicy(t, s, two.ID, orders, &permission.Policy{})
		want(store.SandboxQuery{}, 1, 3)
		check(t, s.DeleteGroup(t.Context(), store.Actor{}, two.ID))
		want(store.SandboxQuery{}, 1)
		if b := must[store.SandboxRow](t)(s.Sandbox(t.Context(), 1)); !b.AllRows || b.Columns == nil || len(b.Columns) != 0 {
			t.Errorf("no columns came back as %+v", b)
		}
	})
}

func TestPoliciesOfBeforeGetIDs(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, c store.Config) {
		s := must[*store.Store](t)(store.Open(t.Context(), c))
		storetest.SetUp(t, s)
		d := shop(t, s)
		orders, people := table(t, s, d, "orders").ID, table(t, s, d, "people").ID
		one, two := storetest.Group(t, s, "One"), storetest.Group(t, s, "Two")
		for _, at := range []struct {
			group permission.GroupID
			table catalog.TableID
		}{{two.ID, people}, {two.ID, orders}, {one.ID, people}} {
			setPolicy(t, s, at.group, at.table, &permission.Policy{AllRows: true})
		}
		want := dump(s.Graph())
		check(t, s.Close())
		db := raw(t, c)
		for _, statement := range []string{"drop index sandboxes_id", "alter table sandboxes drop column id", "delete from ids where kind = 'sandbox'",
			"alter table query_runs drop column viewer_id", "alter table databases drop column governs",
			"alter table databases drop column governance", "alter table data_grants drop column attribute", "delete from goose_db_version where version_id >= 12"} {
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		s = storetest.Open(t, c)
		if got := dump(s.Graph()); got != want {
			t.Errorf("the state is\n%s\nand was\n%s", got, want)
		}
		for id := range int64(3) {
			must[store.SandboxRow](t)(s.Sandbox(t.Context(), id+1))
		}
		setPolicy(t, s, one.ID, orders, &permission.Policy{})
		if b := must[store.SandboxRow](t)(s.Sandbox(t.Context(), 4)); b.Group != one.ID || b.Table != orders {
			t.Errorf("the next policy is %+v", b)
		}
	})
}

// What the history says of a policy is what it was, columns and masks
// included.
func TestTheHistoryKnowsThePoliciesOfThen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.SetUp(t, s)
		d := shop(t, s)
		group := storetest.Group(t, s, "One")
		orders := table(t, s, d, "orders").ID
		whole := policyOf(s.Graph().Catalog().Fields(orders))
		states := []*permission.Graph{setPolicy(t, s, group.ID, orders, whole)}
		none := *whole
		none.Columns = []permission.ColumnRule{}
		all := *whole
		all.Columns = nil
		byCard := *whole
		byCard.Card, byCard.Seal, byCard.Columns = 7, "s", whole.Columns[:1]
		byCard.Variables = []permission.AttributeVariable{{Variable: "v", Attribute: "org"}}
		other := byCard
		other.Seal = "t"
		for _, p := range []*permission.Policy{&none, &all, &byCard, &other, whole, nil} {
			states = append(states, setPolicy(t, s, group.ID, orders, p))
		}
		for _, g := range states {
			then := must[*permission.Graph](t)(s.GraphAt(t.Context(), g.Revision()))
			was, is := g.Sandbox(group.ID, orders), then.Sandbox(group.ID, orders)
			if (was == nil) != (is == nil) || was != nil && !was.Policy.Equal(is.Policy) {
				t.Errorf("revision %d had the policy %+v, and the history says %+v", g.Revision(), was, is)
			}
		}
	})
}

func TestAPolicyThatMakesNoSenseIsNotWritten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.SetUp(t, s)
		d := shop(t, s)
		group := storetest.Group(t, s, "One")
		orders, people := table(t, s, d, "orders").ID, table(t, s, d, "people").ID
		own, other := s.Graph().Catalog().Fields(orders)[0].ID, s.Graph().Catalog().Fields(people)[0].ID
		equals := func(f catalog.FieldID, attribute string) permission.AttributeEquality {
			return permission.AttributeEquality{Field: f, Attribute: attribute}
		}
		for what, p := range map[string]permission.Policy{
			"a column of another table":        {Columns: []permission.ColumnRule{{Field: other}}},
			"a condition on another table":     {Where: []permission.AttributeEquality{equals(other, "org")}},
			"a column twice":                   {Columns: []permission.ColumnRule{{Field: own}, {Field: own, Mask: permission.Mask{Kind: permission.MaskNull}}}},
			"a mask that is none":              {Columns: []permission.ColumnRule{{Field: own, Mask: permission.Mask{Kind: "rot13"}}}},
			"an attribute without a name":      {Where: []permission.AttributeEquality{equals(own, "")}},
			"an attribute twice":               {Where: []permission.AttributeEquality{equals(own, "org"), equals(own, "org")}},
			"variables without a question":     {Variables: []permission.AttributeVariable{{Variable: "v", Attribute: "org"}}},
			"a seal without a question":        {Seal: "s"},
			"a question without a seal":        {Card: 1, Columns: []permission.ColumnRule{}},
			"a question without columns":       {Card: 1, Seal: "s"},
			"a question and all rows":          {Card: 1, Seal: "s", Columns: []permission.ColumnRule{}, AllRows: true},
			"a question and a mask":            {Card: 1, Seal: "s", Columns: []permission.ColumnRule{{Field: own, Mask: permission.Mask{Kind: permission.MaskNull}}}},
			"a variable twice":                 {Card: 1, Seal: "s", Columns: []permission.ColumnRule{}, Variables: []permission.AttributeVariable{{Variable: "v", Attribute: "a"}, {Variable: "v", Attribute: "b"}}},
			"a variable without an attribute":  {Card: 1, Seal: "s", Columns: []permission.ColumnRule{}, Variables: []permission.AttributeVariable{{Variable: "v"}}},
			"all rows and those of attributes": {AllRows: true, Where: []permission.AttributeEquality{equals(own, "org")}},
		} {
			_, err := s.Change(t.Context(), store.Actor{}, func(*permission.Graph) ([]permission.Change, store.Bump, error) {
				return []permission.Change{permission.SetSandbox{To: &permission.Sandbox{Group: group.ID, Table: orders, Policy: p}}}, store.Bump{Data: true}, nil
			})
			var wrong *store.InvalidError
			if !errors.As(err, &wrong) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if rows := must[[]store.SandboxRow](t)(s.Sandboxes(t.Context(), store.SandboxQuery{})); len(rows) != 0 {
			t.Errorf("there are %+v", rows)
		}
	})
}
