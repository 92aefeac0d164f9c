package query_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
)

// asRole is the source of somebody who is seen as the role "north" on the
// shop, but for what the changes say.
func asRole(t *testing.T, engine string, changes ...permission.Change) query.Source {
	t.Helper()
	s := sourceOn(t, engine, analyst)
	g := s.Access.Graph()
	const id permission.UserID = 500
	cell := func(k permission.Kind, l permission.Level, by string) permission.Change {
		return permission.SetDataAccess{Group: 500, Database: shop, Kind: k, To: permission.Cell{Set: true, Level: l, At: 5, Attribute: by}}
	}
	g, err := g.Apply(append([]permission.Change{
		permission.SetGroup{To: &permission.Group{ID: 500, Name: "Roles"}},
		permission.SetUser{To: &permission.User{ID: id, Name: "rita", Active: true, Attributes: map[string]string{"role": "north"}}},
		permission.SetMembership{User: id, Group: 500, To: true},
		cell(permission.View, permission.Impersonated, "role"), cell(permission.Create, permission.Native, ""),
	}, changes...)...)
	if err != nil {
		t.Fatal(err)
	}
	s.Access = g.AccessOf(id)
	s.Boundary = func() (*query.Boundary, error) { return nil, errors.New("no boundary is asked for") }
	s.Gate = func() (*query.Boundary, error) { return &query.Boundary{Base: "shopdb", Gate: anything}, nil }
	return s
}

func onTable(id catalog.TableID, l permission.Level) permission.Change {
	return permission.SetDataAccess{Group: 500, Database: shop, Kind: permission.View, Scope: permission.OneTable(id), To: permission.Cell{Set: true, Level: l, At: 5}}
}

func typed(t *testing.T, s query.Source, sql string) (query.Statement, error) {
	t.Helper()
	return query.Check(parse(t, fmt.Sprintf(`{"database":1,"type":"native","native":{"query":%q}}`, sql)), s)
}

// Statements of somebody who is seen as a role run as it, and SQL that they
// type passes the gate, which leaves the tables as they are.
func TestStatementsSayTheirRole(t *testing.T) {
	list := fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d}}`, orders)
	for _, engine := range []string{"postgres", "mysql"} {
		s := asRole(t, engine)
		st, err := query.Compile(parse(t, list), s)
		if err != nil || st.Role() != "north" || st.Sandboxed() || st.Native() || strings.Contains(st.SQL(), "WHERE") {
			t.Errorf("%s: %q as %q, %v", engine, st.SQL(), st.Role(), err)
		}
		st, err = typed(t, s, "select id from orders")
		if err != nil || st.Role() != "north" || st.Leased() || st.SQL() != "select id from shopdb.orders" || len(st.Tables()) != 1 || len(st.Views()) != 0 {
			t.Errorf("%s: %q as %q of %v, %v", engine, st.SQL(), st.Role(), st.Tables(), err)
		}
		if _, err := typed(t, s, "select id from nothings"); err == nil || !strings.Contains(err.Error(), "nothings") {
			t.Errorf("%s: a table that is not there: %v", engine, err)
		}
		// A closed table is no table for SQL; the others are.
		closed := asRole(t, engine, onTable(secrets, permission.Blocked))
		if _, err := typed(t, closed, "select word from secrets"); err == nil {
			t.Errorf("%s: a blocked table is read", engine)
		}
		if _, err := typed(t, closed, "select id from orders"); err != nil {
			t.Errorf("%s: beside a blocked table: %v", engine, err)
		}
		// Without a gate there is no SQL.
		bare := s
		bare.Gate = nil
		_, err = typed(t, bare, "select id from orders")
		isDenied(t, engine+", without a gate", err)
		bare.Gate = func() (*query.Boundary, error) { return nil, errors.New("the gate is away") }
		if _, err = typed(t, bare, "select id from orders"); err == nil || !strings.Contains(err.Error(), "the gate is away") {
			t.Errorf("%s: a gate that is away: %v", engine, err)
		}
	}
	others, err := query.Compile(parse(t, list), sourceOn(t, "postgres", analyst))
	if err != nil || others.Role() != "" {
		t.Errorf("somebody else runs as %q, %v", others.Role(), err)
	}
	same, err := query.Compile(parse(t, list), asRole(t, "postgres"))
	if err != nil || same.SameViews(others) || !same.SameViews(same) {
		t.Errorf("a statement of a role is taken for one of none: %v", err)
	}
}

// What would need two roles, or one that the engine does not have, is refused.
func TestOneStatementIsOneRole(t *testing.T) {
	join := fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d,"joins":[{"alias":"p","source-table":%d,"condition":["=",["field",403,null],["field",201,{"join-alias":"p"}]]}]}}`, orders, people)
	list := fmt.Sprintf(`{"database":1,"type":"query","query":{"source-table":%d}}`, orders)
	mixed := asRole(t, "postgres", onTable(people, permission.Unrestricted))
	_, err := query.Compile(parse(t, join), mixed)
	isDenied(t, "a join of a table under the role and one that is open", err)
	if err := query.Allowed(parse(t, join), mixed); err == nil {
		t.Error("it is said that the join may be asked")
	}
	if st, err := query.Compile(parse(t, list), mixed); err != nil || st.Role() != "north" {
		t.Errorf("the table by itself: %v", err)
	}
	_, err = typed(t, mixed, "select id from orders")
	isDenied(t, "SQL where a table is open without the role", err)
	saved := mixed
	saved.Saved = true
	_, err = typed(t, saved, "select id from orders")
	isDenied(t, "saved SQL where a table is open without the role", err)

	lite := asRole(t, "sqlite")
	_, err = query.Compile(parse(t, list), lite)
	isDenied(t, "a question on SQLite", err)
	_, err = typed(t, lite, "select id from orders")
	isDenied(t, "SQL on SQLite", err)

	u := *mixed.Access.Graph().User(500)
	lost := u
	lost.Attributes = nil
	for _, engine := range []string{"postgres", "mysql"} {
		without := asRole(t, engine, permission.SetUser{From: &u, To: &lost})
		for _, isSaved := range []bool{false, true} {
			without.Saved = isSaved
			_, err = query.Compile(parse(t, list), without)
			isDenied(t, engine+", without the attribute", err)
			_, err = typed(t, without, "select 1")
			isDenied(t, engine+", SQL without the attribute", err)
		}
	}
}

func isDenied(t *testing.T, what string, err error) {
	t.Helper()
	if !denied(err) {
		t.Errorf("%s: %v", what, err)
	}
}
