package permission

import (
	"fmt"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Download is how much of a table's rows the person may export: None where
// none may be shown.
func (a Access) Download(id catalog.TableID) Level {
	switch {
	case !a.Can(ShowTable, ATable(id)):
		return None
	case a.admin(nil):
		return Full
	}
	return a.resolve(a.g.Catalog().Table(id), nil).download
}

// Rows says which rows of a table a person may see. Its zero value is none.
type Rows struct {
	all     bool
	role    string
	filters []Filter
}

// Filter is what one sandbox shows: the rows in which all of Where hold, or all
// rows, and of those the columns. With a Card they are not those of the table
// but of the saved question, all of them when there is no Where; it is the only
// filter then.
type Filter struct {
	All       bool
	Where     []Equality
	Columns   []ColumnRule // nil for all
	Card      int64
	Seal      string // see Policy.Seal
	Variables []VariableValue
}

// VariableValue is a variable of a Filter's saved question with its value.
type VariableValue struct {
	AttributeVariable
	Value string // the attribute; see AttributeValues
}

// Equality is a field that must equal a value of the person's attribute.
type Equality struct {
	Field catalog.FieldID
	Value string // the attribute; see AttributeValues
}

// Column tells how the filter shows a column, if it does.
func (f Filter) Column(id catalog.FieldID) (Mask, bool) {
	if f.Columns == nil {
		return Mask{}, true
	}
	i := slices.IndexFunc(f.Columns, func(c ColumnRule) bool { return c.Field == id })
	if i < 0 {
		return Mask{}, false
	}
	return f.Columns[i].Mask, true
}

// Shows tells whether anything of a column may be shown, be it masked or in
// some rows.
func (r Rows) Shows(id catalog.FieldID) bool {
	return r.all || slices.ContainsFunc(r.filters, func(f Filter) bool { _, shows := f.Column(id); return shows })
}

// All tells whether no row is hidden.
func (r Rows) All() bool { return r.all && r.role == "" }

// Role is the database role that the rows must be read as, which may hide any
// of them; "" for the connection's own. There are no Filters beside one.
func (r Rows) Role() string { return r.role }

// Filters are what shows the rows, each for itself; when there are none, and
// not All, there are no rows.
func (r Rows) Filters() []Filter { return r.filters }

// Rows returns the rows of a table that the person may see with the right
// QueryTable or ShowTable, or a *DeniedError. Query compilation asks it for
// every table it reads.
func (a Access) Rows(right Right, id catalog.TableID) (Rows, error) {
	if right != QueryTable && right != ShowTable {
		right = 0
	}
	if err := a.Check(right, ATable(id)); err != nil {
		return Rows{}, err
	}
	if a.admin(nil) {
		return Rows{all: true}, nil
	}
	t := a.g.Catalog().Table(id)
	return a.rows(a.resolve(t, nil), t), nil
}

// rows are those of a table that may be shown or queried.
func (a Access) rows(r table, t *catalog.Table) (rows Rows) {
	if r.view == Unrestricted || r.view == None { // None: ShowTable was granted by the collection
		return Rows{all: true}
	}
	if r.view == Impersonated {
		if role, ok := a.role(r, t, nil); ok {
			return Rows{all: true, role: role}
		}
		return Rows{}
	}
	a.filters(t, &rows.filters, nil)
	return rows
}

// filters collects the row conditions of the person's sandboxes on a table. It
// tells whether some sandbox shows rows, and whether one is broken: it misses
// its attribute, or is by a saved question and not the only one, as rows of a
// table and of a question cannot be told apart. Then none counts.
func (a Access) filters(t *catalog.Table, into *[]Filter, tr *trace) (found, broken bool) {
	byCard := false
	for _, gid := range a.u.groups {
		gr, ok := a.g.groups.Get(gid)
		if !ok {
			continue
		}
		e, ok := gr.entries.Get(t.Database)
		if !ok {
			continue
		}
		if view, _, _, _ := a.given(gr, e, t); view != Sandboxed {
			continue
		}
		s, ok := gr.sandboxes.Get(t.ID)
		if !ok || s.empty() {
			if tr != nil {
				tr.add(Reason{Group: gid, Kind: View, Level: Sandboxed, Note: "sandboxed without a policy: contributes no rows"})
			}
			continue
		}
		if found && (byCard || s.Card != 0) {
			if tr != nil {
				tr.because(fmt.Sprintf("several groups of the person have policies on the table, one of them by a saved question, which goes together with no other; group %d is one of them", gid))
			}
			return false, true
		}
		byCard = s.Card != 0
		f := Filter{All: s.AllRows, Columns: s.Columns, Card: s.Card, Seal: s.Seal}
		for _, w := range s.Where {
			if f := a.g.Catalog().Field(w.Field); f == nil || f.Table != t.ID {
				if tr != nil {
					tr.because(fmt.Sprintf("the sandbox of group %d compares column %d, which is not in the table", gid, w.Field))
				}
				return false, true
			}
			v := a.u.Attributes[w.Attribute]
			if !hasValue(v) {
				if tr != nil {
					tr.because(fmt.Sprintf("the person has no value for the attribute %q that the sandbox of group %d needs", w.Attribute, gid))
				}
				return false, true
			}
			if into != nil {
				f.Where = append(f.Where, Equality{w.Field, v})
			}
		}
		for _, v := range s.Variables {
			value := a.u.Attributes[v.Attribute]
			if !hasValue(value) {
				if tr != nil {
					tr.because(fmt.Sprintf("the person has no value for the attribute %q that the sandbox of group %d needs", v.Attribute, gid))
				}
				return false, true
			}
			if into != nil {
				f.Variables = append(f.Variables, VariableValue{v, value})
			}
		}
		found = true
		if into != nil {
			*into = append(*into, f)
		}
	}
	return found, false
}
