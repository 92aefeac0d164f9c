package query

import (
	"encoding/json"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Statement is SQL that the person it was made for may run: [Compile] and
// [Check] make it and nothing can alter it. The zero value is no statement and
// must be refused ([Statement.IsZero]).
type Statement struct {
	sql       string
	args      []any
	columns   []Column
	database  catalog.DatabaseID
	engine    string
	revision  catalog.Revision
	tables    []Table
	below     []Table
	limit     int
	native    bool
	sandboxed bool
	views     []View
	maskKey   string
	leased    bool
	role      string
	open      bool
	form      string
	formArgs  []any
	showForm  bool
}

// Table is a table that a statement may read, by its name in the warehouse.
type Table struct {
	ID     catalog.TableID
	Schema string
	Name   string
}

// Column describes a column of the result in Metabase's words.
type Column struct {
	Name          string           `json:"name"`
	DisplayName   string           `json:"display_name"`
	Description   *string          `json:"description"`
	BaseType      string           `json:"base_type"`
	EffectiveType string           `json:"effective_type"`
	SemanticType  *string          `json:"semantic_type"`
	FieldRef      json.RawMessage  `json:"field_ref"`
	Source        string           `json:"source"` // "breakout", "aggregation", "fields" or "native"
	ID            *catalog.FieldID `json:"id,omitempty"`
	TableID       *catalog.TableID `json:"table_id,omitempty"`
	Unit          string           `json:"unit,omitempty"`         // of a date that was cut to it, or a part of one
	Binning       json.RawMessage  `json:"binning_info,omitempty"` // the bins that a number was put into
	SourceAlias   string           `json:"source_alias,omitempty"` // the join it came by
	Key           *catalog.FieldID `json:"fk_field_id,omitempty"`  // the foreign key it was reached through
	Target        *catalog.FieldID `json:"fk_target_field_id,omitempty"`
}

// IsZero tells whether this is no statement at all.
func (s Statement) IsZero() bool { return s.sql == "" }

// SQL is the text, with the dialect's placeholders for [Statement.Args].
func (s Statement) SQL() string { return s.sql }

// Args are the values to bind: string, int64, float64, bool or nil.
func (s Statement) Args() []any { return slices.Clone(s.args) }

// Columns describe the result of a structured question. Those of a native
// one are known only when it has run: then it is nil.
func (s Statement) Columns() []Column { return slices.Clone(s.columns) }

// Database is the warehouse to run it in.
func (s Statement) Database() catalog.DatabaseID { return s.database }

// Engine is that warehouse's, by its name in the catalog: the SQL is written
// in its dialect.
func (s Statement) Engine() string { return s.engine }

// Revision is the data revision of the permissions it was made under.
func (s Statement) Revision() catalog.Revision { return s.revision }

// Sandboxed tells whether rows or columns are held back from the person.
func (s Statement) Sandboxed() bool { return s.sandboxed }

// Native tells whether the text, or a part of it, was typed by a person. An
// engine that can holds it to [Statement.Views]; for one that cannot there is
// such a statement only when every row of every table of the database is open
// to the person.
func (s Statement) Native() bool { return s.native }

// Limit is the most rows that may be handed out, always above 0. SQL made by
// [Compile] asks for at most one row more, whose arrival says that the result
// was cut; a native statement asks for what it likes.
func (s Statement) Limit() int { return s.limit }

// Views are the tables that a native statement may read, as the person sees
// them, where the engine holds it to them: those that its text can name. They
// are sorted by the ids of their tables.
func (s Statement) Views() []View { return slices.Clone(s.views) }

// SameViews tells whether two statements may read the same, as the same role.
func (s Statement) SameViews(o Statement) bool {
	return s.maskKey == o.maskKey && s.open == o.open && s.leased == o.leased && s.role == o.role && slices.EqualFunc(s.views, o.views, func(a, b View) bool { return a.Key() == b.Key() })
}

// MaskKey is the secret with which the views hash; "" when none does.
func (s Statement) MaskKey() string { return s.maskKey }

// Leased tells that the views stay in the database, and that the statement is
// for a login to which a lease opens them.
func (s Statement) Leased() bool { return s.leased }

// Role is the role inside of the database that it must run as; "" for the
// connection's own. Native SQL under a role was read and printed by the gate.
func (s Statement) Role() string { return s.role }

// Open tells of a native statement with views that nothing of the database is
// hidden from the person: the engine's words may be told.
func (s Statement) Open() bool { return s.open }

// Tables are all the tables that it may read, sorted by id. For a structured
// question they are those it does read.
func (s Statement) Tables() []Table { return slices.Clone(s.tables) }

// Below are the tables that are read, or may be, by saved questions that stand
// in for others of the Tables. No right of the person on them is needed.
func (s Statement) Below() []Table { return slices.Clone(s.below) }

// Reads tells whether it may read the table of this schema and name.
func (s Statement) Reads(schema, name string) bool {
	return slices.ContainsFunc(slices.Concat(s.tables, s.below), func(t Table) bool { return t.Schema == schema && t.Name == name })
}

// NativeForm is the SQL as {"query": ..., "params": ...}, and whether the
// person may be shown it: it is for people who may write SQL themselves. It
// holds nothing of the policies that the person is under.
func (s Statement) NativeForm() (json.RawMessage, bool) {
	if s.IsZero() || !s.showForm {
		return nil, false
	}
	var params any
	if len(s.formArgs) > 0 {
		params = s.formArgs
	}
	form, err := json.Marshal(map[string]any{"query": s.form, "params": params})
	return form, err == nil
}
