package permission

import (
	"fmt"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Policy says which rows and columns of a table a group's members see. An
// empty one shows nothing.
type Policy struct {
	// Where must all hold in a row.
	Where []AttributeEquality `json:"where,omitempty"`
	// AllRows shows every row: the policy is about columns. Where is empty then.
	AllRows bool `json:"all_rows,omitempty"`
	// Columns are the columns that are shown, by their ids; a column that is not
	// among them is hidden, be it one that the table gets later. Nil shows all.
	Columns []ColumnRule `json:"columns,omitzero"`
	// Card is a saved question whose result stands in place of the table; 0 for
	// none. Columns are those of the table that it had when the policy was saved,
	// as they are, and Where is on them.
	Card int64 `json:"card,omitempty"`
	// Seal is what the question was then, with all that it is made of. While it is
	// anything else the policy shows nothing.
	Seal string `json:"seal,omitempty"`
	// Variables are those of the question's SQL that take attributes.
	Variables []AttributeVariable `json:"variables,omitempty"`
}

// AttributeVariable is a variable of SQL whose value is an attribute.
type AttributeVariable struct {
	Variable  string `json:"variable"`
	Attribute string `json:"attribute"`
}

// AttributeEquality is one condition of a Policy: a field that must equal an
// attribute of the person.
type AttributeEquality struct {
	Field     catalog.FieldID `json:"field"`
	Attribute string          `json:"attribute"`
}

// ColumnRule is a column that is shown, as it is or masked.
type ColumnRule struct {
	Field catalog.FieldID `json:"field"`
	Mask  Mask            `json:"mask,omitzero"`
}

// Mask says what stands in place of a value. Its zero value is the value
// itself.
type Mask struct {
	Kind MaskKind `json:"kind,omitempty"`
	Last int      `json:"last,omitempty"` // of MaskPartial: how many characters are left, 1 to 32
	Unit string   `json:"unit,omitempty"` // of MaskDate: "year", "quarter" or "month"
}

// MaskKind is a way to mask a value.
type MaskKind string

// The ways to mask a value. A value that is null stays so.
const (
	Unmasked    MaskKind = ""
	MaskNull    MaskKind = "null"       // null in every row
	MaskHash    MaskKind = "hash"       // a keyed hash: equal values stay equal
	MaskPartial MaskKind = "partial"    // stars, and the last characters
	MaskDate    MaskKind = "date-trunc" // the first day of the unit that the date is in
)

// Check tells what is wrong with a mask by itself.
func (m Mask) Check() error {
	partial, date := m.Kind == MaskPartial, m.Kind == MaskDate
	switch {
	case !slices.Contains([]MaskKind{Unmasked, MaskNull, MaskHash, MaskPartial, MaskDate}, m.Kind):
		return fmt.Errorf("%q is no mask; it is one of null, hash, partial, date-trunc", m.Kind)
	case partial && (m.Last < 1 || m.Last > 32):
		return fmt.Errorf("a partial mask leaves the last 1 to 32 characters, not %d", m.Last)
	case date && !slices.Contains([]string{"year", "quarter", "month"}, m.Unit):
		return fmt.Errorf("a date is cut to its year, quarter or month, not to %q", m.Unit)
	case !partial && m.Last != 0, !date && m.Unit != "":
		return fmt.Errorf("the mask %q takes no such option", m.Kind)
	}
	return nil
}

// empty tells whether the policy shows no row. A question whose columns are not
// known shows none.
func (p Policy) empty() bool {
	if p.Card != 0 {
		return p.Columns == nil
	}
	return len(p.Where) == 0 && !p.AllRows
}

// Equal tells whether two policies say the same.
func (p Policy) Equal(o Policy) bool {
	return p.AllRows == o.AllRows && p.Card == o.Card && p.Seal == o.Seal && slices.Equal(p.Variables, o.Variables) && slices.Equal(p.Where, o.Where) && slices.Equal(p.Columns, o.Columns) && (p.Columns == nil) == (o.Columns == nil)
}

// Fields are the columns that the policy names.
func (p Policy) Fields() (all []catalog.FieldID) {
	for _, w := range p.Where {
		all = append(all, w.Field)
	}
	for _, c := range p.Columns {
		all = append(all, c.Field)
	}
	return all
}

// PoliciesBy lists the policies by a saved question.
func (g *Graph) PoliciesBy(card int64) (all []*Sandbox) {
	for gr := range g.Groups() {
		for s := range g.Sandboxes(gr.ID) {
			if s.Card == card && card != 0 {
				all = append(all, s)
			}
		}
	}
	return all
}

// AuthorOfPolicies may what administrators may, and is nobody: the questions of
// policies are read by it, for people who may read less.
func (g *Graph) AuthorOfPolicies() Access {
	return Access{g: g, u: &user{User: User{Active: true}, groups: []GroupID{Administrators}}}
}
