package permission

import (
	"encoding/json"
	"fmt"
)

// kindOf names each type of change in the JSON of a revision. The names are
// stored: they must not change.
func kindOf(c Change) string {
	switch c.(type) {
	case SetGroup:
		return "group"
	case SetUser:
		return "user"
	case SetMembership:
		return "membership"
	case SetDataAccess:
		return "data"
	case SetCollectionAccess:
		return "collection-access"
	case SetSandbox:
		return "sandbox"
	case SetTableMark:
		return "table-mark"
	case SetStrict:
		return "strict"
	case SetCollection:
		return "collection"
	}
	panic(fmt.Sprintf("permission: a change of unknown type %T", c))
}

// EncodeChanges writes changes as JSON, one object with one key - its type -
// for each, for [DecodeChanges] to read.
func EncodeChanges(changes []Change) ([]byte, error) {
	list := make([]map[string]Change, len(changes))
	for i, c := range changes {
		list[i] = map[string]Change{kindOf(c): c}
	}
	return json.Marshal(list)
}

// DecodeChanges reads what EncodeChanges wrote.
func DecodeChanges(data []byte) ([]Change, error) {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("changes: %w", err)
	}
	changes := make([]Change, 0, len(list))
	for i, object := range list {
		if len(object) != 1 {
			return nil, fmt.Errorf("change %d: want one key, the type; there are %d", i, len(object))
		}
		for kind, raw := range object {
			c, err := decodeChange(kind, raw)
			if err != nil {
				return nil, fmt.Errorf("change %d: %w", i, err)
			}
			changes = append(changes, c)
		}
	}
	return changes, nil
}

func decodeChange(kind string, raw json.RawMessage) (Change, error) {
	switch kind {
	case "group":
		return decodeAs[SetGroup](raw)
	case "user":
		return decodeAs[SetUser](raw)
	case "membership":
		return decodeAs[SetMembership](raw)
	case "data":
		return decodeAs[SetDataAccess](raw)
	case "collection-access":
		return decodeAs[SetCollectionAccess](raw)
	case "sandbox":
		return decodeAs[SetSandbox](raw)
	case "table-mark":
		return decodeAs[SetTableMark](raw)
	case "strict":
		return decodeAs[SetStrict](raw)
	case "collection":
		return decodeAs[SetCollection](raw)
	}
	return nil, fmt.Errorf("%q is not a type of change", kind)
}

func decodeAs[C Change](raw json.RawMessage) (Change, error) {
	var c C
	err := json.Unmarshal(raw, &c)
	return c, err
}

// MarshalText writes the kind's wire name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a kind's wire name.
func (k *Kind) UnmarshalText(text []byte) error {
	kind, err := ParseKind(string(text))
	*k = kind
	return err
}
