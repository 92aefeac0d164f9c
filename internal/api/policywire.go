package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// policyWire is a policy as clients know it. all_rows and columns are Sluice's.
type policyWire struct {
	ID           int64                `json:"id"`
	Group        int64                `json:"group_id"`
	Table        int64                `json:"table_id"`
	Card         *int64               `json:"card_id"`
	PermissionID *int64               `json:"permission_id"` // always null
	Remappings   map[string]any       `json:"attribute_remappings"`
	AllRows      bool                 `json:"all_rows"`
	Columns      map[string]any       `json:"columns"` // null shows all
	Warnings     []permission.Warning `json:"warnings,omitempty"`
}

func wirePolicy(row store.SandboxRow) policyWire {
	w := policyWire{ID: row.ID, Group: int64(row.Group), Table: int64(row.Table), Remappings: map[string]any{}, AllRows: row.AllRows}
	for _, eq := range row.Where {
		w.Remappings[eq.Attribute] = []any{"dimension", []any{"field", int64(eq.Field), nil}}
	}
	for _, v := range row.Variables {
		w.Remappings[v.Attribute] = []any{"variable", []any{"template-tag", v.Variable}}
	}
	if row.Card != 0 { // which says the columns
		w.Card = &row.Card
		return w
	}
	if row.Columns != nil {
		w.Columns = map[string]any{}
	}
	for _, c := range row.Columns {
		w.Columns[strconv.FormatInt(int64(c.Field), 10)] = wireMask(c.Mask)
	}
	return w
}

func wireMask(m permission.Mask) any {
	switch m.Kind {
	case permission.Unmasked:
		return nil
	case permission.MaskPartial:
		return map[string]any{"mask": m.Kind, "last": m.Last}
	case permission.MaskDate:
		return map[string]any{"mask": m.Kind, "unit": m.Unit}
	}
	return m.Kind
}

// policyParts are what a body says of a policy besides whose it is. What is
// left out stays as it was.
type policyParts struct {
	Card       Opt[ID]     `json:"card_id" rule:"positive"`
	Remappings Opt[Object] `json:"attribute_remappings" rule:"max=262144"`
	AllRows    Opt[bool]   `json:"all_rows"`
	Columns    Opt[Object] `json:"columns" rule:"max=262144"`
}

// policyError is what is wrong with a policy, and where.
type policyError struct{ path, text string }

func (e *policyError) Error() string { return e.path + ": " + e.text }

// asField makes a 400 that names the field of an error about a policy.
func asField(err error) error {
	var wrong *policyError
	if errors.As(err, &wrong) {
		return wrongField(wrong.path, wrong.text+".")
	}
	return err
}

// edit is the edit that makes the policy, out of one that was there. Questions
// that it may be by were tried before.
func (p policyParts) edit(g *permission.Graph, group permission.GroupID, table catalog.TableID, was permission.Policy, tried standIns) (permission.Edit, error) {
	t := g.Catalog().Table(table)
	switch {
	case group == permission.Administrators:
		return permission.Edit{}, &policyError{"group_id", "group 2, Administrators, is never sandboxed"}
	case g.Group(group) == nil:
		return permission.Edit{}, &policyError{"group_id", fmt.Sprintf("there is no group %d", group)}
	case t == nil, !t.Active() && g.Sandbox(group, table) == nil:
		return permission.Edit{}, &policyError{"table_id", fmt.Sprintf("there is no table %d", table)}
	}
	policy, err := p.onto(policyTable{g.Catalog(), t}, was, tried)
	return permission.Edit{Op: permission.OpPolicy, Group: group, Database: t.Database, Scope: permission.OneTable(table), Policy: &policy}, err
}

// onto reads the parts over a policy.
func (p policyParts) onto(t policyTable, to permission.Policy, tried standIns) (permission.Policy, error) {
	if id, given := p.Card.Get(); given {
		to.Card, to.AllRows = int64(id), false
	} else if p.Card.Set { // the columns that the question showed stay
		to.Card, to.Seal, to.Variables = 0, "", nil
	}
	var err error
	if p.Remappings.Set {
		if to.Where, to.Variables, err = t.conditions("attribute_remappings", p.Remappings.Value, to.Card != 0); err != nil {
			return to, err
		}
	}
	if to.Card != 0 {
		return t.byQuestion(p, to, tried)
	}
	// Which rows are shown is one thing, whichever of the two says it.
	if all, given := p.AllRows.Get(); given {
		if to.AllRows = all; all && !p.Remappings.Set {
			to.Where = nil
		}
	} else if p.Remappings.Set && len(to.Where) > 0 {
		to.AllRows = false
	}
	if p.Columns.Set {
		if to.Columns, err = t.columns("columns", p.Columns.Value); err != nil {
			return to, err
		}
	}
	if to.AllRows && len(to.Where) > 0 {
		return to, &policyError{"all_rows", "a policy shows all rows, or those of its attribute_remappings; send all_rows false, or attribute_remappings {}"}
	}
	return to, nil
}

// policyTable reads what is said of a table's columns.
type policyTable struct {
	catalog *catalog.Snapshot
	table   *catalog.Table
}

// eachMember reads an object in which no key stands twice.
func eachMember(path string, raw []byte, each func(path, key string, value []byte) error) error {
	var wrong *policyError
	keys := map[string]bool{}
	dec := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true))
	err := readObject(dec, func(k []byte) error {
		key := string(k)
		at := step(path, key)
		if keys[key] {
			return &policyError{at, "stands twice"}
		}
		keys[key] = true
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		return each(at, key, value)
	})
	if err != nil && !errors.As(err, &wrong) {
		return &policyError{path, "is not valid JSON"}
	}
	return err
}

// conditions reads attribute_remappings; nothing is no condition. They are in
// the order of the attributes. Variables are those of a saved question.
func (t policyTable) conditions(path string, raw []byte, byCard bool) (all []permission.AttributeEquality, variables []permission.AttributeVariable, err error) {
	if len(raw) == 0 {
		return nil, nil, nil
	}
	folded := map[string]string{}
	err = eachMember(path, raw, func(at, name string, value []byte) error {
		switch other, taken := folded[strings.ToLower(name)]; {
		case strings.TrimSpace(name) == "":
			return &policyError{at, "an attribute needs a name"}
		case strings.HasPrefix(name, "@tenant."):
			return &policyError{at, "the attribute is reserved: there are no tenants yet"}
		case strings.HasPrefix(name, "@"):
			return &policyError{at, "names that begin with @ belong to the server, and there is no such attribute"}
		case strings.ContainsRune(name, 0), utf8.RuneCountInString(name) > 254:
			return &policyError{at, "the name of an attribute has at most 254 characters, and no NUL"}
		case taken:
			return &policyError{at, fmt.Sprintf("differs from %q only in case: nobody can have both", other)}
		}
		folded[strings.ToLower(name)] = name
		if variable, is := variableOf(value); is && byCard {
			variables = append(variables, permission.AttributeVariable{Variable: variable, Attribute: name})
			return nil
		}
		f, err := t.target(at, value)
		if err != nil {
			return err
		}
		if err := query.ComparesWithAttributes(f); err != nil {
			return &policyError{at, fmt.Sprintf("field %d %q: %v", f.ID, f.Name, err)}
		}
		all = append(all, permission.AttributeEquality{Field: f.ID, Attribute: name})
		return nil
	})
	slices.SortFunc(all, func(a, b permission.AttributeEquality) int { return cmp.Compare(a.Attribute, b.Attribute) })
	slices.SortFunc(variables, func(a, b permission.AttributeVariable) int { return cmp.Compare(a.Attribute, b.Attribute) })
	return all, variables, err
}

// target reads what an attribute goes to: ["dimension", ["field", 12, null]],
// the same with "field-id", an id, or the name of a column.
func (t policyTable) target(at string, raw []byte) (*catalog.Field, error) {
	if kindOf(raw) != "an array" {
		return t.field(at, raw)
	}
	outer := listItems(raw)
	switch word, _ := unquote(firstItem(outer)); {
	case word == "variable":
		return nil, &policyError{at, `variables are those of a saved question, as ["variable", ["template-tag", NAME]]; without its card_id, name a column`}
	case word != "dimension" || len(outer) < 2 || len(outer) > 3 || len(outer) == 3 && !ofFirstStage(outer[2]):
		return nil, &policyError{at, `must be ["dimension", ["field", ID, null]], the id of a field, or the name of a column`}
	}
	inner := listItems(outer[1])
	switch word, _ := unquote(firstItem(inner)); {
	case word == "field" && (len(inner) == 2 || len(inner) == 3 && ofItself(inner[2])), word == "field-id" && len(inner) == 2:
		return t.field(at, inner[1])
	case word == "field" && len(inner) == 3:
		return nil, &policyError{at, "the column must be one of the table itself, as it is: no source-field, join-alias, temporal-unit or binning"}
	}
	return nil, &policyError{at, `the dimension must be ["field", ID, null]`}
}

func listItems(raw []byte) (items []json.RawMessage) {
	if kindOf(raw) != "an array" || json.Unmarshal(raw, &items) != nil {
		return nil
	}
	for i := range items {
		items[i] = bytes.TrimSpace(items[i])
	}
	return items
}

func firstItem(items []json.RawMessage) []byte {
	if len(items) == 0 {
		return nil
	}
	return items[0]
}

// ofItself tells whether options of a field say nothing but its type.
func ofItself(raw []byte) bool { return onlyKeys(raw, "base-type", "effective-type") }

// ofFirstStage tells whether options of a dimension name the table's own stage.
func ofFirstStage(raw []byte) bool {
	var at struct {
		Stage json.Number `json:"stage-number"`
	}
	return onlyKeys(raw, "stage-number") && json.Unmarshal(raw, &at) == nil && (at.Stage == "" || at.Stage == "0")
}

// onlyKeys tells whether a value is null or an object with no other keys.
func onlyKeys(raw []byte, keys ...string) bool {
	if kindOf(raw) == "null" {
		return true
	}
	return kindOf(raw) == "an object" && eachMember("", raw, func(_, key string, _ []byte) error {
		if !slices.Contains(keys, key) {
			return &policyError{key, "is not known"}
		}
		return nil
	}) == nil
}

// field finds a column of the table by its id, or by a text that is its name or
// its id.
func (t policyTable) field(at string, raw []byte) (*catalog.Field, error) {
	switch kindOf(raw) {
	case "a number":
		id, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return nil, &policyError{at, fmt.Sprintf("%s is no id of a field", raw)}
		}
		return t.found(at, fmt.Sprint(id), nil, catalog.FieldID(id))
	case "a string":
		text, _ := unquote(raw)
		return t.named(at, text)
	}
	return nil, &policyError{at, "must name a column of the table, not " + kindOf(raw)}
}

func (t policyTable) named(at, text string) (*catalog.Field, error) {
	var byName *catalog.Field
	for _, f := range t.catalog.Fields(t.table.ID) {
		if f.Name == text {
			byName = f
		}
	}
	id, _ := number(text)
	return t.found(at, text, byName, catalog.FieldID(id))
}

// found is what a word names: a column by name, or by id.
func (t policyTable) found(at, word string, byName *catalog.Field, id catalog.FieldID) (*catalog.Field, error) {
	byID := t.catalog.Field(id)
	here := byID != nil && byID.Table == t.table.ID
	switch {
	case byName != nil && here && byID != byName:
		return nil, &policyError{at, fmt.Sprintf("%q is the name of field %d, and the id of field %d %q; use an id as a number, or another name", word, byName.ID, byID.ID, byID.Name)}
	case byName != nil:
		return byName, nil
	case here:
		return byID, nil
	case byID != nil:
		return nil, &policyError{at, fmt.Sprintf("field %d %q is one of table %d, not of table %d %q", byID.ID, byID.Name, byID.Table, t.table.ID, t.table.Name)}
	}
	return nil, &policyError{at, fmt.Sprintf("table %d %q has no field %q", t.table.ID, t.table.Name, word)}
}

// columns reads columns: nothing shows all, an object what it names. They are
// in the order of their ids.
func (t policyTable) columns(path string, raw []byte) ([]permission.ColumnRule, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	shown, named := []permission.ColumnRule{}, map[catalog.FieldID]bool{}
	err := eachMember(path, raw, func(at, key string, value []byte) error {
		f, err := t.named(at, key)
		if err != nil {
			return err
		}
		if named[f.ID] {
			return &policyError{at, fmt.Sprintf("field %d %q is named twice", f.ID, f.Name)}
		}
		named[f.ID] = true
		mask, hidden, err := readMask(at, value)
		if err != nil || hidden {
			return err
		}
		if err := query.FitsMask(f, mask); err != nil {
			return &policyError{at, fmt.Sprintf("field %d %q: %v", f.ID, f.Name, err)}
		}
		shown = append(shown, permission.ColumnRule{Field: f.ID, Mask: mask})
		return nil
	})
	slices.SortFunc(shown, func(a, b permission.ColumnRule) int { return cmp.Compare(a.Field, b.Field) })
	return shown, err
}

// readMask reads how a column is shown.
func readMask(at string, raw []byte) (m permission.Mask, hidden bool, err error) {
	const must = `must be null (as it is), "hidden", "null", "hash", {"mask": "partial", "last": 4} or {"mask": "date-trunc", "unit": "month"}`
	switch kindOf(raw) {
	case "null":
		return m, false, nil
	case "a string":
		word, _ := unquote(raw)
		m.Kind = permission.MaskKind(word)
		if m.Kind != permission.MaskNull && m.Kind != permission.MaskHash && word != "hidden" {
			return m, false, &policyError{at, must}
		}
		return m, word == "hidden", nil
	case "an object":
		err = eachMember(at, raw, func(at, key string, value []byte) error {
			var ok bool
			switch key {
			case "mask":
				var word string
				word, ok = unquote(value)
				m.Kind = permission.MaskKind(word)
			case "last":
				m.Last, err = strconv.Atoi(string(value))
				ok = err == nil
			case "unit":
				m.Unit, ok = unquote(value)
			default:
				return &policyError{at, "is not known of a mask, which has mask, last and unit"}
			}
			if !ok {
				return &policyError{at, "must be " + map[string]string{"mask": "text", "last": "a whole number", "unit": "text"}[key]}
			}
			return nil
		})
		if err == nil && m.Kind == permission.Unmasked {
			err = &policyError{at, must}
		}
		return m, false, err
	}
	return m, false, &policyError{at, must}
}
