package permission

import "github.com/sluice-bi/sluice/internal/catalog"

// Field is a field of a table that the person may see, as they may see it: a
// foreign key to a table that they may not see is a field like any other.
func (a Access) Field(f catalog.Field) catalog.Field {
	if f.Target == 0 {
		return f
	}
	if to := a.g.Catalog().Field(f.Target); to == nil || !a.Can(SeeTable, ATable(to.Table)) {
		f.Target = 0
		if f.SemanticType == "type/FK" {
			f.SemanticType = ""
		}
	}
	return f
}
