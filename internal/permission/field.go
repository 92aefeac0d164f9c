package permission

import (
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Fields are the fields of a table that the person may know of, in their order:
// none of a table that they may not see, and none that a policy hides from them
// unless they describe the table.
// The list is shared and must not be written to.
func (a Access) Fields(id catalog.TableID) []*catalog.Field {
	if !a.Can(SeeTable, ATable(id)) {
		return nil
	}
	all := a.g.Catalog().Fields(id)
	if a.admin(nil) {
		return all
	}
	t := a.g.Catalog().Table(id)
	r := a.resolve(t, nil)
	if r.view != Sandboxed || r.model == Yes { // who describes a table must know of all
		return all
	}
	rows := a.rows(r, t)
	return slices.DeleteFunc(slices.Clone(all), func(f *catalog.Field) bool { return !rows.Shows(f.ID) })
}

// SeesField tells whether a field is one of [Access.Fields].
func (a Access) SeesField(f *catalog.Field) bool {
	return f != nil && slices.Contains(a.Fields(f.Table), f)
}

// Field is a field of a table that the person may see, as they may see it: a
// foreign key to a field that they may not see is a field like any other.
func (a Access) Field(f catalog.Field) catalog.Field {
	if f.Target == 0 {
		return f
	}
	if !a.SeesField(a.g.Catalog().Field(f.Target)) {
		f.Target = 0
		if f.SemanticType == "type/FK" {
			f.SemanticType = ""
		}
	}
	return f
}
