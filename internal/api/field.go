package api

import (
	"slices"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// fieldRoutes are about fields, the columns of tables. A field is seen through
// its table.
func fieldRoutes() []Route {
	see, describe := fieldNeed(permission.SeeTable), fieldNeed(permission.DescribeTable)
	return []Route{
		{Method: "GET", Path: "/api/field/{id}", Need: see, Answer: fieldWire{},
			Summary: "Get a field", handle: (*API).getField},
		{Method: "PUT", Path: "/api/field/{id}", Need: describe, Body: fieldUpdateWire{}, Answer: fieldWire{},
			Summary: "Describe a field", handle: (*API).updateField},
	}
}

// fieldNeed is the right on the table of the field that {id} names.
func fieldNeed(right permission.Right) Need {
	return object(right.String(), func(_ *API, r *request) error {
		f := r.access.Graph().Catalog().Field(catalog.FieldID(r.id("id")))
		if f == nil {
			return store.ErrNotFound
		}
		if err := r.access.Check(right, permission.ATable(f.Table)); err != nil {
			return err
		}
		if !r.access.SeesField(f) {
			return store.ErrNotFound
		}
		return nil
	})
}

// fieldWire is a field.
type fieldWire struct {
	ID               catalog.FieldID  `json:"id"`
	TableID          catalog.TableID  `json:"table_id"`
	Table            *tableWire       `json:"table,omitempty"`
	Name             string           `json:"name"`
	DisplayName      string           `json:"display_name"`
	Description      *string          `json:"description"`
	DatabaseType     string           `json:"database_type"`
	BaseType         string           `json:"base_type"`
	EffectiveType    string           `json:"effective_type"`
	SemanticType     *string          `json:"semantic_type"`
	TargetID         *catalog.FieldID `json:"fk_target_field_id"` // null when one may not see where it points
	VisibilityType   string           `json:"visibility_type"`
	HasFieldValues   string           `json:"has_field_values"`
	PointsOfInterest *string          `json:"points_of_interest"`
	Caveats          *string          `json:"caveats"`
	Position         int              `json:"position"`
	DatabasePosition int              `json:"database_position"`
	Active           bool             `json:"active"`
	PreviewDisplay   bool             `json:"preview_display"`
	Dimensions       []dimensionWire  `json:"dimensions"`
	DimensionOptions []any            `json:"dimension_options"`
	DefaultDimension *string          `json:"default_dimension_option"`
	Fingerprint      *string          `json:"fingerprint"`
	Settings         *string          `json:"settings"`
	CreatedAt        time.Time        `json:"created_at"`
	UpdatedAt        time.Time        `json:"updated_at"`
}

func fieldOf(access permission.Access, f store.Field) fieldWire {
	f.Field = access.Field(f.Field)
	if seen := access.Fields(f.Table); len(seen) < len(access.Graph().Catalog().Fields(f.Table)) {
		// Gaps would tell of what is hidden, and where.
		f.Position = slices.IndexFunc(seen, func(o *catalog.Field) bool { return o.ID == f.ID })
		f.DatabasePosition = f.Position
	}
	w := fieldWire{ID: f.ID, TableID: f.Table, Name: f.Name, DisplayName: f.DisplayName, Description: nullText(f.Description),
		DatabaseType: f.DatabaseType, BaseType: f.BaseType, EffectiveType: f.BaseType, SemanticType: nullText(f.SemanticType),
		VisibilityType: f.VisibilityType, HasFieldValues: "none", PointsOfInterest: f.PointsOfInterest, Caveats: f.Caveats,
		Position: f.Position, DatabasePosition: f.DatabasePosition, Active: true, PreviewDisplay: true, Dimensions: []dimensionWire{},
		DimensionOptions: []any{}, CreatedAt: f.CreatedAt, UpdatedAt: f.UpdatedAt}
	switch {
	case f.HasFieldValues != nil:
		w.HasFieldValues = *f.HasFieldValues
	case f.SemanticType == "type/Category":
		w.HasFieldValues = "list"
	case f.BaseType == "type/Text" && f.SemanticType != "type/PK" && f.SemanticType != "type/FK":
		w.HasFieldValues = "search"
	}
	if f.Target != 0 {
		w.TargetID = &f.Target
	}
	return w
}

// fieldWithTable is a field with its table, both of which the person may see.
func (a *API) fieldWithTable(r *request, id catalog.FieldID) (fieldWire, error) {
	f, err := a.store.Field(r.ctx(), id)
	if err != nil {
		return fieldWire{}, err
	}
	t, err := a.store.Table(r.ctx(), f.Table)
	if err != nil {
		return fieldWire{}, err
	}
	w := fieldOf(r.access, f)
	w.Table = new(tableOf(t))
	return w, a.addDimensions(r, []*fieldWire{&w})
}

func (a *API) getField(r *request) (any, error) {
	return a.fieldWithTable(r, catalog.FieldID(r.id("id")))
}

type fieldUpdateWire struct {
	DisplayName      *string     `json:"display_name" rule:"nonblank,max=254"`
	Description      Opt[string] `json:"description" rule:"max=65536"`
	SemanticType     Opt[string] `json:"semantic_type"`
	TargetID         Opt[ID]     `json:"fk_target_field_id"`
	VisibilityType   *string     `json:"visibility_type"`
	HasFieldValues   Opt[string] `json:"has_field_values"`
	PointsOfInterest Opt[string] `json:"points_of_interest" rule:"max=65536"`
	Caveats          Opt[string] `json:"caveats" rule:"max=65536"`
}

func (a *API) updateField(r *request) (any, error) {
	b := bodyOf[fieldUpdateWire](r)
	if v, given := b.SemanticType.Get(); given && !strings.HasPrefix(v, "type/") && !strings.HasPrefix(v, "Semantic/") && !strings.HasPrefix(v, "Relation/") {
		return nil, wrongField("semantic_type", "value must be a semantic type such as type/Category, or null.")
	}
	if err := oneWord("visibility_type", b.VisibilityType, "normal", "details-only", "hidden", "sensitive", "retired"); err != nil {
		return nil, err
	}
	if err := oneWord("has_field_values", b.HasFieldValues.Ptr(), "none", "list", "search", "auto-list"); err != nil {
		return nil, err
	}
	u := store.FieldUpdate{DisplayName: b.DisplayName, Description: b.Description.Change(), SemanticType: b.SemanticType.Change(),
		VisibilityType: b.VisibilityType, HasFieldValues: b.HasFieldValues.Change(), PointsOfInterest: b.PointsOfInterest.Change(), Caveats: b.Caveats.Change()}
	if b.TargetID.Set {
		u.Target = new((*catalog.FieldID)(nil))
		if v, given := b.TargetID.Get(); given {
			to := r.access.Graph().Catalog().Field(catalog.FieldID(v))
			if !r.access.SeesField(to) {
				return nil, r.missing("fk_target_field_id", "field", int64(v))
			}
			u.Target = new(&to.ID)
		}
	}
	f, err := a.store.UpdateField(r.ctx(), r.actor(), catalog.FieldID(r.id("id")), u)
	if err != nil {
		return nil, err
	}
	return a.fieldWithTable(r, f.ID)
}

// oneWord refuses a text that is none of those there are.
func oneWord(field string, v *string, words ...string) error {
	if v == nil {
		return nil
	}
	for _, w := range words {
		if *v == w {
			return nil
		}
	}
	return wrongField(field, "value must be one of "+strings.Join(words, ", ")+".")
}
