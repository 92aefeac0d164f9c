package permission_test

import (
	"errors"
	"flag"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/permission/reference"
	"pgregory.net/rapid"
)

// TestMain runs the tests with more random graphs than rapid's default, and
// without files about failures, unless the command line says otherwise.
func TestMain(m *testing.M) {
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{"rapid.checks": "400", "rapid.nofailfile": "true", "rapid.shrinktime": "10s"} {
		if given[name] {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestCanEqualsTheReference: on random graphs the engine gives the answers
// that the text of the rules gives, for everybody and everything.
func TestCanEqualsTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		for _, p := range s.people() {
			a := s.graph.AccessOf(p)
			for _, q := range s.questions() {
				if got, want := a.Can(q.right, q.object), s.ref.Can(p, q.right, q.id); got != want {
					s.fatal(t, "person %d, %s %s: the engine says %v, the reference %v\n%s", p, q.right, q.object, got, want, a.Explain(q.right, q.object))
				}
			}
		}
	})
}

// TestDownloadEqualsTheReference: the most permissive group says how much.
func TestDownloadEqualsTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		for _, p := range s.people() {
			a := s.graph.AccessOf(p)
			for id := range s.ref.Tables {
				if got, want := a.Download(id), s.ref.Download(p, id); got != want {
					s.fatal(t, "person %d, download of table %d: the engine says %s, the reference %s", p, id,
						permission.Download.Word(got), permission.Download.Word(want))
				}
			}
		}
	})
}

// TestExplainCheckAndCanAgree: they are one answer, told three ways.
func TestExplainCheckAndCanAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		for _, p := range s.people() {
			a := s.graph.AccessOf(p)
			for _, q := range s.questions() {
				can, d, err := a.Can(q.right, q.object), a.Explain(q.right, q.object), a.Check(q.right, q.object)
				if d.Allowed != can {
					s.fatal(t, "person %d, %s %s: Can says %v, Explain %v", p, q.right, q.object, can, d.Allowed)
				}
				if (err == nil) != can {
					s.fatal(t, "person %d, %s %s: Can says %v, Check %v", p, q.right, q.object, can, err)
				}
				var denied *permission.DeniedError
				if err != nil && (!errors.As(err, &denied) || denied.Decision.String() != d.String()) {
					s.fatal(t, "the refusal %v has not the reasons of %s", err, d)
				}
				if d.Right != q.right || d.Object != q.object {
					s.fatal(t, "asked %s %s, explained %s", q.right, q.object, d)
				}
			}
		}
	})
}

// TestReasonsAreSortedAndStable: groups come in the order of their ids, facts
// of no group last, nothing twice, and asking again gives the same text.
func TestReasonsAreSortedAndStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		for _, p := range s.people() {
			a := s.graph.AccessOf(p)
			for _, q := range s.questions() {
				d := a.Explain(q.right, q.object)
				if again := s.graph.AccessOf(p).Explain(q.right, q.object); again.String() != d.String() {
					s.fatal(t, "explained once as\n%s\nand once as\n%s", d, again)
				}
				last := permission.GroupID(0)
				for i, r := range d.Reasons {
					rank := r.Group
					if rank == 0 {
						rank = 1 << 40
					}
					if rank < last {
						s.fatal(t, "reasons out of order: %s", d)
					}
					last = rank
					if slices.Contains(d.Reasons[:i], r) {
						s.fatal(t, "reason %q twice: %s", r, d)
					}
					if r.Group != 0 && !s.graph.IsMember(p, r.Group) {
						s.fatal(t, "reason of a group that is not the person's: %s", d)
					}
				}
			}
		}
	})
}

// TestRowsEqualTheReference: the filters keep exactly the records that the
// rules show, on tables small enough to hold every combination of values.
func TestRowsEqualTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		for _, p := range s.people() {
			a := s.graph.AccessOf(p)
			for _, id := range append(slices.Sorted(maps.Keys(s.ref.Tables)), nowhere) {
				records := recordsOf(s.graph.Catalog().Fields(id))
				for _, r := range []permission.Right{permission.QueryTable, permission.ShowTable, permission.SeeTable} {
					rows, err := a.Rows(r, id)
					want, ok := s.ref.Rows(p, r, id, records)
					if (err == nil) != ok {
						s.fatal(t, "person %d, rows of table %d to %s: the engine says %v, the reference %v", p, id, r, err, ok)
					}
					if err != nil {
						var denied *permission.DeniedError
						if !errors.As(err, &denied) {
							s.fatal(t, "rows are refused by %v, which is no DeniedError", err)
						}
						if rows.All() || rows.Role() != "" || len(rows.Filters()) > 0 {
							s.fatal(t, "person %d is refused table %d and given rows", p, id)
						}
						continue
					}
					if role := s.ref.SeenAs(p, s.ref.Tables[id]); rows.Role() != role || role != "" && rows.All() {
						s.fatal(t, "person %d, table %d: the engine reads as the role %q, the reference as %q", p, id, rows.Role(), role)
					}
					var got []int
					for i, rec := range records {
						if rows.All() || rows.Role() != "" || slices.ContainsFunc(rows.Filters(), func(f permission.Filter) bool { return reference.Keeps(f, rec) }) {
							got = append(got, i)
						}
					}
					if !slices.Equal(got, want) {
						s.fatal(t, "person %d, table %d: the engine keeps %v, the reference %v of %v", p, id, got, want, records)
					}
				}
			}
		}
	})
}

// recordsOf are records with every combination of a few values.
func recordsOf(fields []*catalog.Field) []reference.Record {
	records := []reference.Record{{}}
	for _, f := range fields {
		var more []reference.Record
		for _, rec := range records {
			for _, v := range []string{"", "1", "2", "3"} {
				n := reference.Record{f.ID: v}
				for k, old := range rec {
					n[k] = old
				}
				more = append(more, n)
			}
		}
		records = more
	}
	return records
}

// TestZeroAccessDeniesEverything: nobody may do nothing, with or without a
// graph behind it.
func TestZeroAccessDeniesEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		for name, a := range map[string]permission.Access{
			"the zero access":        {},
			"nobody":                 s.graph.AccessOf(0),
			"somebody unknown":       s.graph.AccessOf(nobody),
			"the empty graph":        (&permission.Graph{}).AccessOf(1),
			"a graph without people": permission.New(s.graph.Catalog()).AccessOf(1),
		} {
			for _, q := range s.questions() {
				if a.Can(q.right, q.object) {
					t.Fatalf("%s may %s %s", name, q.right, q.object)
				}
				if a.Check(q.right, q.object) == nil || a.Explain(q.right, q.object).Allowed {
					t.Fatalf("%s is refused %s %s by Can alone", name, q.right, q.object)
				}
			}
			for id := range s.ref.Tables {
				if rows, err := a.Rows(permission.ShowTable, id); err == nil || rows.All() {
					t.Fatalf("%s is shown rows of table %d", name, id)
				}
				if a.Download(id) != permission.None {
					t.Fatalf("%s may export table %d", name, id)
				}
			}
			if a.User() != 0 {
				t.Fatalf("%s is user %d", name, a.User())
			}
		}
	})
}

// TestZeroRightAndObjectAreDenied: what is not named is not given, not even to
// administrators.
func TestZeroRightAndObjectAreDenied(t *testing.T) {
	g, err := permission.New(&catalog.Snapshot{}).Apply(
		permission.SetGroup{To: &permission.Group{ID: permission.Administrators, Name: "Administrators"}},
		permission.SetUser{To: &permission.User{ID: 1, Active: true}},
		permission.SetMembership{User: 1, Group: permission.Administrators, To: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	a := g.AccessOf(1)
	if !a.Can(permission.Administer, permission.Server) {
		t.Fatal("the administrator is not one")
	}
	for r := range permission.Right(255) {
		if a.Can(r, permission.Object{}) {
			t.Errorf("the administrator may %s nothing in particular", r)
		}
		if r != permission.Administer && a.Can(r, permission.Server) {
			t.Errorf("the administrator may %s the server", r)
		}
	}
	if a.Can(0, permission.ACollection(permission.Root)) {
		t.Error("the zero right is given")
	}
}

// TestCanDoesNotAllocate: a check costs no memory, whatever the answer.
func TestCanDoesNotAllocate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		people, questions := s.people(), s.questions()
		accesses := make([]permission.Access, len(people))
		for i, p := range people {
			accesses[i] = s.graph.AccessOf(p)
		}
		n := testing.AllocsPerRun(2, func() {
			for _, a := range accesses {
				for _, q := range questions {
					a.Can(q.right, q.object)
				}
			}
		})
		if n != 0 {
			t.Fatalf("%v allocations for %d checks", n, len(people)*len(questions))
		}
	})
}
