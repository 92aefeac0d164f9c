package permission

import "github.com/sluice-bi/sluice/internal/catalog"

// SeesField tells whether the person may know of a field: it is one of a table
// that they may see, and no policy hides it from them.
func (a Access) SeesField(f *catalog.Field) bool {
	if f == nil || !a.Can(SeeTable, ATable(f.Table)) {
		return false
	}
	if a.admin(nil) {
		return true
	}
	t := a.g.Catalog().Table(f.Table)
	r := a.resolve(t, nil)
	return r.view != Sandboxed || a.rows(r, t).Shows(f.ID)
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
