package permission_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/permission/reference"
	"pgregory.net/rapid"
)

// TestWhoIsAFilterOverAllPeople: the reverse look-up forgets nobody, invents
// nobody and is sorted.
func TestWhoIsAFilterOverAllPeople(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		for _, q := range s.questions() {
			var want []permission.UserID
			for _, p := range slices.Sorted(maps.Keys(s.ref.People)) {
				if s.ref.Can(p, q.right, q.id) {
					want = append(want, p)
				}
			}
			if got := s.graph.Who(q.right, q.object); !slices.Equal(got, want) {
				s.fatal(t, "who can %s %s: the engine says %v, the reference %v", q.right, q.object, got, want)
			}
		}
	})
}

// answers is everything that a person may do, asked one by one.
type answers struct {
	can      []bool
	download []permission.Level
	cells    []cells                 // what each right shows of the records of each table
	filters  [][][]permission.Filter // as the engine gives them
	roles    []string                // as which each right reads each table
	whole    []bool                  // nothing of it is hidden
}

type cells []map[catalog.FieldID]reference.Shown

func (s *scene) answers(p permission.UserID, ref *reference.World, g *permission.Graph) answers {
	var a answers
	access := g.AccessOf(p)
	for _, q := range s.questions() {
		a.can = append(a.can, ref.Can(p, q.right, q.id))
	}
	for _, id := range slices.Sorted(maps.Keys(ref.Tables)) {
		a.download = append(a.download, ref.Download(p, id))
		var filters [][]permission.Filter
		for _, r := range []permission.Right{permission.QueryTable, permission.ShowTable} {
			shown, _ := ref.Cells(p, r, id, recordsOf(g.Catalog().Fields(id)))
			a.cells = append(a.cells, shown)
			rows, _ := access.Rows(r, id)
			filters = append(filters, rows.Filters())
			view, role := ref.Effective(p, ref.Tables[id]), ""
			if shown != nil {
				role = ref.SeenAs(p, ref.Tables[id])
			}
			a.roles = append(a.roles, role)
			a.whole = append(a.whole, shown != nil && (ref.Almighty(p) || view == permission.Unrestricted || view == permission.None))
		}
		a.filters = append(a.filters, filters)
	}
	return a
}

// exceeds tells whether a holds something that b does not.
func (a answers) exceeds(b answers) bool {
	for i := range a.can {
		if a.can[i] && !b.can[i] {
			return true
		}
	}
	for i := range a.download {
		if a.download[i] > b.download[i] {
			return true
		}
	}
	for i := range a.cells {
		some := slices.ContainsFunc(a.cells[i], func(c map[catalog.FieldID]reference.Shown) bool { return c != nil })
		if some && a.roles[i] != b.roles[i] && !b.whole[i] { // what a role sees is not known
			return true
		}
		for rec, cell := range a.cells[i] {
			other := map[catalog.FieldID]reference.Shown(nil)
			if rec < len(b.cells[i]) {
				other = b.cells[i][rec]
			}
			if cell != nil && other == nil {
				return true
			}
			for field, shown := range cell {
				if shown > other[field] {
					return true
				}
			}
		}
	}
	return false
}

// TestEffectNamesEverybodyWhoGainsOrLoses: compared with asking everybody
// everything before and after, with the reference. Whoever is named is
// concerned indeed: has other rights, or other rows by other conditions.
func TestEffectNamesEverybodyWhoGainsOrLoses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		before := s.graph
		old := map[permission.UserID]answers{}
		almighty := map[permission.UserID]bool{}
		for p := range s.ref.People {
			old[p], almighty[p] = s.answers(p, s.ref, before), s.ref.Almighty(p)
		}
		done := len(s.changes)
		s.mutate(t)
		effect := permission.EffectOf(before, s.graph)
		for p := range s.ref.People {
			is := s.answers(p, s.ref, s.graph)
			gain, lose := is.exceeds(old[p]), old[p].exceeds(is)
			named := [2]bool{slices.Contains(effect.Gain, p), slices.Contains(effect.Lose, p)}
			if almighty[p] && s.ref.Almighty(p) && named != [2]bool{} {
				s.fatal(t, "person %d stays an administrator and is named by %+v", p, effect)
			}
			if gain && !named[0] || lose && !named[1] {
				s.fatal(t, "person %d gains %v, loses %v and is named %v after %v", p, gain, lose, named, s.changes[done:])
			}
			other := gain || lose || !slices.Equal(old[p].roles, is.roles) || !reflect.DeepEqual(old[p].filters, is.filters)
			if (named[0] || named[1]) && !other {
				s.fatal(t, "person %d is named %v and nothing is different after %v", p, named, s.changes[done:])
			}
		}
		if !slices.IsSorted(effect.Gain) || !slices.IsSorted(effect.Lose) {
			t.Fatalf("people are not sorted: %+v", effect)
		}
		if effect.Widens() != (len(effect.Gain) > 0) || effect.Narrows() != (len(effect.Lose) > 0) {
			t.Fatalf("%+v widens %v, narrows %v", effect, effect.Widens(), effect.Narrows())
		}
	})
}

// unwritten puts in place of what a person may do with a table that is not
// there what everybody may do with one of which nothing is written.
func (s *scene) unwritten(a answers, id catalog.TableID) answers {
	a.can, a.cells = slices.Clone(a.can), slices.Clone(a.cells)
	for i, q := range s.questions() {
		if q.right == permission.ShowTable && q.object == permission.ATable(id) {
			a.can[i] = true
		}
	}
	i := slices.Index(slices.Sorted(maps.Keys(s.ref.Tables)), id)
	a.cells[2*i+1] = nil
	a.roles, a.whole = slices.Clone(a.roles), slices.Clone(a.whole)
	a.roles[2*i+1], a.whole[2*i+1] = "", true
	for _, rec := range recordsOf(s.graph.Catalog().Fields(id)) {
		all := map[catalog.FieldID]reference.Shown{}
		for field := range rec {
			all[field] = reference.All
		}
		a.cells[2*i+1] = append(a.cells[2*i+1], all)
	}
	return a
}

// TestEffectOfTheCatalog: tables that come and go give and take what a level
// gives on them, and nobody is named for what is the same for all.
func TestEffectOfTheCatalog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		tb := s.drawTable(t)
		if tb == nil {
			return
		}
		old := map[permission.UserID]answers{}
		for p := range s.ref.People {
			old[p] = s.answers(p, s.ref, s.graph)
		}
		to := *tb
		if tb.Until == 0 {
			to.Until = now + 1
		} else {
			to.Until = 0
		}
		var fields []catalog.Field
		for _, f := range s.graph.Catalog().Fields(tb.ID) {
			fields = append(fields, *f)
		}
		before := s.graph
		s.graph = before.WithCatalog(before.Catalog().WithTable(to, fields))
		s.ref.Tables[tb.ID] = to
		effect := permission.EffectOf(before, s.graph)
		for p := range s.ref.People {
			if s.ref.Almighty(p) {
				continue
			}
			was, is := old[p], s.answers(p, s.ref, s.graph)
			gain, lose := is.exceeds(s.unwritten(was, tb.ID)), was.exceeds(is)
			if to.Until != 0 {
				gain, lose = is.exceeds(was), was.exceeds(s.unwritten(is, tb.ID))
			}
			if s.ref.Known(p) && (gain != slices.Contains(effect.Gain, p) || lose != slices.Contains(effect.Lose, p)) {
				s.fatal(t, "person %d gains %v, loses %v by table %d being there until %d, and the effect is %+v", p, gain, lose, tb.ID, to.Until, effect)
			}
		}
	})
}

// What another question shows is not known: that a policy gets one, or another,
// is gain and loss.
func TestAnotherQuestionIsGainAndLoss(t *testing.T) {
	c := (&catalog.Snapshot{}).WithDatabase(catalog.Database{ID: 1, Engine: "sqlite"}).
		WithTable(catalog.Table{ID: 7, Database: 1, Name: "orders", Since: 1}, []catalog.Field{{ID: 70, Name: "id", BaseType: "type/Integer"}})
	byCard := func(change func(*permission.Policy)) permission.Policy {
		p := permission.Policy{Card: 3, Seal: "s", Columns: []permission.ColumnRule{{Field: 70}}, Variables: []permission.AttributeVariable{{Variable: "v", Attribute: "org"}}}
		change(&p)
		return p
	}
	base, err := permission.New(c).Apply(permission.SetUser{To: &permission.User{ID: 1, Name: "1", Active: true, Attributes: map[string]string{"org": "1", "team": "2"}}},
		permission.SetGroup{To: &permission.Group{ID: 5, Name: "five"}}, permission.SetMembership{User: 1, Group: 5, To: true},
		permission.SetDataAccess{Group: 5, Database: 1, Kind: permission.View, Scope: permission.OneTable(7), To: permission.Cell{Set: true, Level: permission.Sandboxed, At: 2}})
	if err != nil {
		t.Fatal(err)
	}
	first := &permission.Sandbox{Group: 5, Table: 7, Policy: byCard(func(*permission.Policy) {}), At: 2}
	before, err := base.Apply(permission.SetSandbox{To: first})
	if err != nil {
		t.Fatal(err)
	}
	for what, p := range map[string]permission.Policy{
		"another question": byCard(func(p *permission.Policy) { p.Card = 4 }), "another seal": byCard(func(p *permission.Policy) { p.Seal = "t" }),
		"another variable":  byCard(func(p *permission.Policy) { p.Variables[0].Variable = "w" }),
		"another attribute": byCard(func(p *permission.Policy) { p.Variables[0].Attribute = "team" }),
		"a condition":       byCard(func(p *permission.Policy) { p.Where = []permission.AttributeEquality{{Field: 70, Attribute: "org"}} }),
		"all rows":          {AllRows: true},
	} {
		after, err := before.Apply(permission.SetSandbox{From: first, To: &permission.Sandbox{Group: 5, Table: 7, Policy: p, At: 3}})
		if err != nil {
			t.Fatal(err)
		}
		if e := permission.EffectOf(before, after); len(e.Gain) != 1 || len(e.Lose) != 1 {
			t.Errorf("%s: %+v", what, e)
		}
		if e := permission.EffectOf(after, before); len(e.Gain) != 1 || len(e.Lose) != 1 {
			t.Errorf("back from %s: %+v", what, e)
		}
	}
}
