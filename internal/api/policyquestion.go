package api

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// standIns are the saved questions that policies of a request name, tried before
// anything is written: a question can take long, and no transaction waits for
// one.
type standIns map[int64]dataset.StandIn

// try tries the question that a policy is by when the parts are put over what
// it was. What is wrong with it is a *policyError.
func (a *API) try(r *request, into standIns, p policyParts, was permission.Policy) error {
	id := was.Card
	if p.Card.Set {
		id = int64(p.Card.Value)
	}
	if _, tried := into[id]; id == 0 || tried {
		return nil
	}
	found, err := a.door.TryStandIn(r.ctx(), r.access.User(), id)
	if err := a.lookAgain(r); err != nil {
		return err
	}
	if err := r.access.Check(permission.Administer, permission.Server); err != nil {
		return err
	}
	var wrong *dataset.QueryError
	if errors.As(err, &wrong) {
		return &policyError{"card_id", fmt.Sprintf("question %d cannot stand in for a table: %s", id, wrong.Message)}
	}
	if err == nil {
		into[id] = found
	}
	return err
}

// byQuestion completes a policy by a saved question out of what that shows. It
// says itself which rows and columns there are.
func (t policyTable) byQuestion(p policyParts, to permission.Policy, tried standIns) (permission.Policy, error) {
	s, known := tried[to.Card]
	wrong := func(path, format string, args ...any) (permission.Policy, error) {
		return to, &policyError{path, fmt.Sprintf(format, args...)}
	}
	switch all, _ := p.AllRows.Get(); {
	case !known:
		return wrong("card_id", "somebody else changed the policy meanwhile; send it again")
	case all:
		return wrong("all_rows", "question %d says which rows are shown; leave all_rows out", s.Card)
	case p.Columns.Set && len(p.Columns.Value) > 0:
		return wrong("columns", "question %d says which columns are shown; leave columns out", s.Card)
	case s.Database != t.table.Database:
		return wrong("card_id", "question %d is about database %d, and table %d %q is of database %d", s.Card, s.Database, t.table.ID, t.table.Name, t.table.Database)
	case s.Query.Native() && len(to.Where) > 0:
		return wrong("attribute_remappings", `question %d is SQL: attributes go to its variables, as in ["variable", ["template-tag", NAME]]`, s.Card)
	}
	if err := query.FitsTable(t.catalog, t.table, s.Columns); err != nil {
		return wrong("card_id", "question %d cannot stand in for the table: %v", s.Card, err)
	}
	if err := query.FitsVariables(s.Query, to.Variables); err != nil {
		return wrong("attribute_remappings", "question %d: %v", s.Card, err)
	}
	to.AllRows, to.Seal, to.Columns = false, s.Seal, []permission.ColumnRule{}
	for _, f := range t.catalog.Fields(t.table.ID) {
		if slices.ContainsFunc(s.Columns, func(c query.Column) bool { return c.Name == f.Name }) {
			to.Columns = append(to.Columns, permission.ColumnRule{Field: f.ID})
		}
	}
	slices.SortFunc(to.Columns, func(a, b permission.ColumnRule) int { return cmp.Compare(a.Field, b.Field) })
	for _, w := range to.Where {
		if !slices.ContainsFunc(to.Columns, func(c permission.ColumnRule) bool { return c.Field == w.Field }) {
			return wrong("attribute_remappings", "question %d does not show field %d, which the attribute %s is compared with", s.Card, w.Field, w.Attribute)
		}
	}
	return to, nil
}

// variableOf reads ["variable", ["template-tag", NAME]]; false for anything else.
func variableOf(raw []byte) (name string, is bool) {
	outer := listItems(raw)
	if word, _ := unquote(firstItem(outer)); word != "variable" || len(outer) != 2 {
		return "", false
	}
	inner := listItems(outer[1])
	if word, _ := unquote(firstItem(inner)); word != "template-tag" || len(inner) != 2 {
		return "", false
	}
	name, is = unquote(inner[1])
	return name, is && name != ""
}

// mayChangeStandIn refuses to change a question that stands in for a table to
// whoever may not write policies.
func (a *API) mayChangeStandIn(r *request, cards ...int64) error {
	if r.administers() {
		return nil
	}
	for _, id := range cards {
		if len(a.store.Graph().PoliciesBy(id)) > 0 {
			return plain{http.StatusForbidden, fmt.Sprintf("Question %d stands in for a table in a policy: only administrators change, move or delete it.", id)}
		}
	}
	return nil
}

// rewriteCard changes a card. When an administrator gives another question to
// one that stands in for tables, the policies that it was good for are saved
// again with it, as far as it still fits; the others show nothing until they are.
func (a *API) rewriteCard(r *request, was store.Card, u store.CardUpdate) (store.Card, error) {
	if err := a.mayChangeStandIn(r, was.ID); err != nil {
		return was, err
	}
	var good []*permission.Sandbox
	if policies := a.store.Graph().PoliciesBy(was.ID); u.Question != nil && len(policies) > 0 {
		if before, err := a.door.Seal(r.ctx(), was.ID); err == nil {
			good = slices.DeleteFunc(policies, func(s *permission.Sandbox) bool { return s.Seal != before })
		}
	}
	c, err := a.store.UpdateCard(r.ctx(), r.actor(), was, u)
	if err != nil || len(good) == 0 {
		return c, err
	}
	tried := standIns{}
	var wrong *policyError
	if err := a.try(r, tried, policyParts{}, good[0].Policy); errors.As(err, &wrong) {
		return c, nil
	} else if err != nil {
		return c, err
	}
	_, _, err = a.changeGraph(r, nil, true, func(current *permission.Graph) (edits []permission.Edit, err error) {
		for _, s := range good {
			now := current.Sandbox(s.Group, s.Table)
			if now == nil || !now.Policy.Equal(s.Policy) {
				continue
			}
			if e, err := (policyParts{}).edit(current, s.Group, s.Table, now.Policy, tried); err == nil {
				edits = append(edits, e)
			}
		}
		return edits, nil
	})
	return c, err
}

// contradicted warns of people to whom a policy does not apply, as another one
// of theirs goes not together with it.
func contradicted(g *permission.Graph, group permission.GroupID, table catalog.TableID, warn func(people int, format string, args ...any)) {
	with := g.Contradicts(group, table)
	for _, other := range slices.Sorted(maps.Keys(with)) {
		n := with[other]
		warn(n, "group %d %q has a policy on the table for %s of this group, and one of the two is by a saved question: they cannot be combined, and %s cannot ask", other, g.Group(other).Name, people(n), form(n, "that person", "those people"))
	}
}
