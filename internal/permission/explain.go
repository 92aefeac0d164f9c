package permission

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Decision is the answer to "may this person do that", with all its reasons
// in the order of the groups. It is made by the resolver that answered.
type Decision struct {
	User    UserID
	Right   Right
	Object  Object
	Allowed bool
	Reasons []Reason
}

// Reason is one fact that the resolver looked at.
type Reason struct {
	Group  GroupID          // 0 for facts that are not a group's
	Kind   Kind             // what Level is about
	Level  Level            // what the group gives
	Scope  Scope            // where it is written
	At     catalog.Revision // when it was written; 0 for what is not written
	Counts bool             // it carries the level that was decided on
	Note   string           // what the levels alone do not say
}

func (r Reason) String() string {
	var b strings.Builder
	if r.Group != 0 {
		fmt.Fprintf(&b, "group %d", r.Group)
		if r.Level != None || r.At != 0 {
			fmt.Fprintf(&b, ": %s %s%s", r.Kind, r.Kind.Word(r.Level), r.Scope)
		}
		if r.At != 0 {
			fmt.Fprintf(&b, " (revision %d)", r.At)
		}
	}
	if r.Note != "" {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(r.Note)
	}
	return b.String()
}

func (d Decision) String() string {
	word := "denied"
	if d.Allowed {
		word = "allowed"
	}
	lines := []string{fmt.Sprintf("user %d, %s %s: %s", d.User, d.Right, d.Object, word)}
	for _, r := range d.Reasons {
		lines = append(lines, "  "+r.String())
	}
	return strings.Join(lines, "\n")
}

// DeniedError is a refusal with its reasons. Its text is for administrators
// and logs; what the person reads says nothing of rules or names.
type DeniedError struct {
	Decision Decision
}

func (e *DeniedError) Error() string { return e.Decision.String() }

// Explain answers as Can does, and says why.
func (a Access) Explain(r Right, on Object) Decision {
	tr := &trace{}
	return tr.decision(a, r, on, a.decide(r, on, tr))
}

// trace collects reasons; nil collects none.
type trace struct {
	reasons []Reason
}

func (tr *trace) add(r Reason) {
	if tr != nil && (r.Level != None || r.At != 0 || r.Note != "") {
		tr.reasons = append(tr.reasons, r)
	}
}

// because notes why not; it returns false for the caller to return.
func (tr *trace) because(note string) bool {
	tr.add(Reason{Note: note})
	return false
}

// settle marks the reasons that carry the level decided on.
func (tr *trace) settle(k Kind, l Level) {
	if tr == nil {
		return
	}
	for i, r := range tr.reasons {
		if r.Kind == k && r.Level == l && (r.Group != 0 || l != None) {
			tr.reasons[i].Counts = true
		}
	}
}

func (tr *trace) decision(a Access, r Right, on Object, allowed bool) Decision {
	slices.SortStableFunc(tr.reasons, func(x, y Reason) int {
		if (x.Group == 0) != (y.Group == 0) { // facts of no group last
			return cmp.Compare(y.Group, x.Group)
		}
		return cmp.Or(cmp.Compare(x.Group, y.Group), cmp.Compare(x.Kind, y.Kind))
	})
	return Decision{User: a.User(), Right: r, Object: on, Allowed: allowed, Reasons: slices.Compact(tr.reasons)}
}
