package permission_test

import (
	"fmt"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/permission/reference"
	"pgregory.net/rapid"
)

// TestRandomGraphsReachEveryRule: the scenes are worth asking about: every
// right is given to and kept from somebody who is no administrator, every view
// comes about, and so does every special rule.
func TestRandomGraphsReachEveryRule(t *testing.T) {
	seen := map[string]int{}
	scenes := rapid.Custom(func(t *rapid.T) *scene { return draw(t) })
	for seed := range 300 {
		scenes.Example(seed).count(seen)
	}
	want := []string{"seen as a role", "role refused", "SQL as a role", "pending", "wide on strict", "policy under a wide level", "rows filtered", "rows by several filters", "attribute missing", "no policy contributes"}
	for r := permission.Administer; r <= permission.CurateCollection; r++ {
		if r != permission.Administer {
			want = append(want, r.String()+" true")
		}
		want = append(want, r.String()+" false")
	}
	for _, l := range []permission.Level{permission.None, permission.Blocked, permission.Impersonated, permission.Sandboxed, permission.Unrestricted, reference.Conflict} {
		want = append(want, fmt.Sprintf("view %d", l))
	}
	for _, w := range want {
		if seen[w] < 3 {
			t.Errorf("%q came about %d times in 300 random graphs", w, seen[w])
		}
	}
}

func (s *scene) count(seen map[string]int) {
	for p := range s.ref.People {
		if !s.ref.Known(p) || s.ref.Almighty(p) {
			continue
		}
		for _, q := range s.questions() {
			seen[fmt.Sprintf("%s %v", q.right, s.ref.Can(p, q.right, q.id))]++
		}
		roles := map[catalog.DatabaseID]bool{}
		for _, tb := range s.ref.Tables {
			if s.ref.Effective(p, tb) == permission.Impersonated && tb.Until == 0 {
				_, ok := s.ref.Role(p, tb)
				seen[map[bool]string{true: "seen as a role", false: "role refused"}[ok]]++
				roles[tb.Database] = roles[tb.Database] || ok
			}
		}
		for d := range roles {
			if roles[d] && s.ref.Can(p, permission.QueryNatively, int64(d)) {
				seen["SQL as a role"]++
			}
		}
		for _, tb := range s.ref.Tables {
			if tb.Until != 0 {
				continue
			}
			view := s.ref.Effective(p, tb)
			seen[fmt.Sprintf("view %d", view)]++
			filters, ok := s.ref.SandboxFilters(p, tb)
			switch {
			case view != permission.Sandboxed:
			case ok:
				seen["rows filtered"]++
				if len(filters) > 1 {
					seen["rows by several filters"]++
				}
			case filters == nil:
				seen["no policy contributes"]++
			}
			for _, g := range s.ref.GroupsOf(p) {
				cell, wide := s.ref.Written(g, permission.View, tb)
				pol, has := s.ref.Policies[reference.Policy{Group: g, Table: tb.ID}]
				open := cell.Level == permission.Unrestricted && wide
				for name, is := range map[string]bool{
					"pending":                   open && s.ref.Pending(g, tb),
					"wide on strict":            open && s.ref.ClosedToWide(tb) && !s.ref.Internal(g),
					"policy under a wide level": open && has && s.ref.View(g, tb) == permission.Sandboxed,
					"attribute missing":         has && len(pol.Where) > 0 && s.ref.View(g, tb) == permission.Sandboxed && s.ref.People[p].Attributes[pol.Where[0].Attribute] == "",
				} {
					if is {
						seen[name]++
					}
				}
			}
		}
	}
}
