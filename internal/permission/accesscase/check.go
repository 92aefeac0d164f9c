package accesscase

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// Run runs a case on the graph that it describes: it builds it, makes the
// writes of its steps and checks what is expected after each. Steps that are
// a PUT alone end the run, since only a server can make them. The error joins
// a *Mistake for everything that came out otherwise.
func (c *Case) Run() error {
	var wrong []error
	for _, engine := range Engines {
		if err := c.runOn(engine); err != nil {
			if engine == "sqlite" {
				return err // for the most part it is so on all
			}
			wrong = append(wrong, fmt.Errorf("on %s: %w", engine, err))
		}
	}
	return errors.Join(wrong...)
}

func (c *Case) runOn(engine string) error {
	g, w, err := c.graphOn(engine)
	if err != nil {
		return err
	}
	var wrong []error
	for i := range c.Steps {
		s := &c.Steps[i]
		if s.Put != nil && len(s.Write) == 0 {
			break
		}
		if g, _, err = c.Write(s, g, w); err != nil {
			return err
		}
		wrong = append(wrong, c.Check(s, g, w)...)
	}
	return errors.Join(wrong...)
}

// Check compares what is expected in a step with what the graph says. It asks
// in every way there is - check, list, explanation - and all must agree.
func (c *Case) Check(s *Step, g *permission.Graph, w *World) []error {
	ch := &checker{c: c, g: g, w: w}
	for _, e := range s.Expect {
		if e.On(w.Engine) {
			ch.expect(e)
		}
	}
	for _, l := range s.Sees {
		ch.sees(l)
	}
	for _, l := range s.Who {
		if l.Engines == nil || contains(l.Engines, w.Engine) {
			ch.who(l)
		}
	}
	for _, y := range s.Why {
		if y.Engines == nil || contains(y.Engines, w.Engine) {
			ch.why(y)
		}
	}
	return ch.wrong
}

type checker struct {
	c     *Case
	g     *permission.Graph
	w     *World
	wrong []error
}

func (ch *checker) bad(line int, format string, args ...any) {
	ch.wrong = append(ch.wrong, ch.c.mistake(line, fmt.Errorf(format, args...)))
}

// ask puts an action's demands to the engine; every way of asking must give
// the same answer.
func (ch *checker) ask(line int, person string, a Action) (can bool, reasons []permission.Decision) {
	id, err := ch.w.Person(person)
	if err != nil {
		ch.bad(line, "%w", err)
		return false, nil
	}
	demands, err := ch.c.Demands(a, ch.w)
	if err != nil {
		ch.bad(line, "%w", err)
		return false, nil
	}
	access := ch.g.AccessOf(id)
	can = true
	for _, d := range demands {
		can = can && d.Met(access)
		has := access.Can(d.Right, d.On)
		decision := access.Explain(d.Right, d.On)
		reasons = append(reasons, decision)
		if decision.Allowed != has {
			ch.bad(line, "a check says %v and the explanation %v: %s", has, decision.Allowed, decision)
		}
		if listed := slices.Contains(ch.g.Who(d.Right, d.On), id); listed != has {
			ch.bad(line, "a check says %v and the list of people %v: %s", has, listed, decision)
		}
		if err := access.Check(d.Right, d.On); (err == nil) != has {
			ch.bad(line, "a check says %v and the refusal %v", has, err)
		}
	}
	return can, reasons
}

func (ch *checker) expect(e Expectation) {
	can, reasons := ch.ask(e.Line, e.Person, e.Action)
	if can != e.Can && reasons != nil {
		ch.bad(e.Line, "%q is %v, and expected to be %v:\n%s", e.Text, can, e.Can, text(reasons))
	}
}

func text(reasons []permission.Decision) string {
	var lines []string
	for _, d := range reasons {
		lines = append(lines, d.String())
	}
	return strings.Join(lines, "\n")
}

func (ch *checker) sees(l Listing) {
	id, err := ch.w.Person(l.Person)
	if err != nil {
		ch.bad(l.Line, "%w", err)
		return
	}
	access := ch.g.AccessOf(id)
	var names []string
	switch l.Kind {
	case "databases":
		for name, id := range ch.w.Databases {
			if access.Can(permission.SeeDatabase, permission.ADatabase(id)) {
				names = append(names, name)
			}
		}
	case "tables":
		for name, id := range ch.w.Tables {
			if access.Can(permission.SeeTable, permission.ATable(id)) {
				names = append(names, name)
			}
		}
	case "collections": // of those that the case names; everybody's own go without saying
		for name, id := range ch.w.Collections {
			own := strings.Contains(name, personal)
			if !own && access.Can(permission.ReadCollection, permission.ACollection(id)) {
				names = append(names, name)
			}
		}
	case "rows":
		if names, err = ch.rows(access, l.Table); err != nil {
			ch.bad(l.Line, "%w", err)
			return
		}
	}
	ch.compare(l, names)
}

func (ch *checker) compare(l Listing, names []string) {
	want := slices.Clone(l.Names)
	if l.Kind == "tables" { // "shop.orders" may be a table in a schema
		for i, n := range want {
			ref, err := parseRef(n)
			if err != nil {
				ch.bad(l.Line, "%w", err)
				return
			}
			id, err := ch.w.Table(ref)
			if err != nil {
				ch.bad(l.Line, "%w", err)
				return
			}
			for key, t := range ch.w.Tables {
				if t == id {
					want[i] = key
				}
			}
		}
	}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		ch.bad(l.Line, "%q: it is %s", l.Text, cmp.Or(strings.Join(names, ", "), "nothing"))
	}
}

// rows lists the first values of the records that the person is shown.
func (ch *checker) rows(a permission.Access, r Ref) ([]string, error) {
	id, err := ch.w.Table(r)
	if err != nil {
		return nil, err
	}
	for _, table := range ch.c.Rows {
		if other, err := ch.w.Table(table.Table); err != nil || other != id {
			continue
		}
		allowed, err := a.Rows(permission.ShowTable, id)
		if err != nil {
			return nil, nil //nolint:nilerr // who is refused sees no rows
		}
		var names []string
		for _, rec := range table.Records {
			ok, err := ch.keeps(id, allowed, table.Fields, rec)
			if err != nil {
				return nil, err
			}
			if ok {
				names = append(names, rec[0])
			}
		}
		return names, nil
	}
	return nil, fmt.Errorf("the case holds no rows of %s", r)
}

func (ch *checker) keeps(t catalog.TableID, allowed permission.Rows, fields, rec []string) (bool, error) {
	if allowed.All() {
		return true, nil
	}
	values := map[catalog.FieldID]string{}
	for i, name := range fields {
		f, err := field(ch.g.Catalog(), t, name)
		if err != nil {
			return false, err
		}
		values[f] = rec[i]
	}
	for _, filter := range allowed.Filters() {
		kept := true
		for _, eq := range filter.Where {
			v, is := values[eq.Field]
			values, _ := permission.AttributeValues(eq.Value)
			kept = kept && is && slices.Contains(values, v)
		}
		if kept {
			return true, nil
		}
	}
	return false, nil
}

func (ch *checker) who(l Listing) {
	demands, err := ch.c.Demands(l.Action, ch.w)
	if err != nil {
		ch.bad(l.Line, "%w", err)
		return
	}
	names := []string{}
	for name, id := range ch.w.People {
		listed, met := true, true
		for _, d := range demands {
			listed = listed && slices.Contains(ch.g.Who(d.Right, d.On), id) != d.Not || d.Maybe
			met = met && d.Met(ch.g.AccessOf(id))
		}
		if met && !listed {
			ch.bad(l.Line, "%s may do it and is not listed", name)
		}
		if met {
			names = append(names, name)
		}
	}
	ch.compare(l, names)
}

// why looks for a reason that holds the fragment.
func (ch *checker) why(y Why) {
	_, reasons := ch.ask(y.Line, y.Person, y.Action)
	if reasons == nil {
		return
	}
	group := permission.GroupID(0)
	if y.Group != "" {
		var err error
		if group, err = ch.w.Group(y.Group); err != nil {
			ch.bad(y.Line, "%w", err)
			return
		}
	}
	for _, d := range reasons {
		for _, r := range d.Reasons {
			if (group == 0 || r.Group == group) && strings.Contains(r.String(), y.Fragment) {
				return
			}
		}
	}
	ch.bad(y.Line, "%q is not among the reasons:\n%s", y.Text, text(reasons))
}
