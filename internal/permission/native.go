package permission

import (
	"fmt"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// What SQL needs that a person types.

// plain tells whether every table of the database is plainly unrestricted for
// the person: what SQL needs where nothing governs it.
func (a Access) plain(d catalog.DatabaseID, tr *trace) bool {
	for t := range a.g.Catalog().Tables(d) {
		if !t.Active() {
			continue
		}
		if r := a.resolve(t, nil); r.view != Unrestricted {
			if tr != nil {
				tr.because(fmt.Sprintf("SQL needs every table of the database unrestricted, and table %d %q is %s", t.ID, t.Name, View.Word(r.view)))
			}
			return false
		}
	}
	return true
}

// opens tells whether rows of some table of the database reach the person by a
// level: what SQL needs where it is held to what they may see. A database
// without tables hides nothing.
func (a Access) opens(d catalog.DatabaseID, tr *trace) bool {
	empty := true
	for t := range a.g.Catalog().Tables(d) {
		if !t.Active() {
			continue
		}
		if empty = false; a.open(a.resolve(t, nil), t, nil) {
			return true
		}
	}
	return empty || tr.because("SQL needs a table of the database that is open to the person, and there is none")
}

// Unmet is why a table is refused to a person whose groups give the right: a
// policy on it has a condition that cannot be put, as the attribute is missing,
// or the role that the person is seen as cannot be told. It is a *DeniedError, or nil when it is refused for another reason or not at
// all. SQL that may read the table or not is refused for it too.
func (a Access) Unmet(right Right, id catalog.TableID) error {
	on := ATable(id)
	if right != QueryTable && right != ShowTable || a.u == nil || a.Can(right, on) {
		return nil
	}
	t := a.g.Catalog().Table(id)
	if t == nil || !t.Active() {
		return nil
	}
	r := a.resolve(t, nil)
	if right == QueryTable && r.create < QueryBuilder {
		return nil
	}
	switch {
	case r.view == Impersonated: // what else is refused of it
	case r.view != Sandboxed || r.impersonated:
		return nil
	default:
		if _, broken := a.filters(t, nil, nil); !broken {
			return nil
		}
	}
	return &DeniedError{a.Explain(right, on)}
}
