package permission

import "strings"

// An attribute of a person is a text, or a list of texts of which any may be
// equal. A list is kept as one text, in which the control character "unit
// separator" stands before each item; no text has it otherwise.
const beforeItem = "\x1f"

// AttributeList is the attribute that is a list of the items.
func AttributeList(items []string) string {
	if len(items) == 0 {
		return beforeItem // as a list of one empty item, which is none
	}
	return beforeItem + strings.Join(items, beforeItem)
}

// AttributeValues are the values that an attribute stands for, and whether it is
// a list. An empty text is no value, and a list with one in it has none, since
// it is not known what was meant.
func AttributeValues(attribute string) (values []string, list bool) {
	rest, list := strings.CutPrefix(attribute, beforeItem)
	switch {
	case !hasValue(attribute):
		return nil, list
	case !list:
		return []string{attribute}, false
	}
	return strings.Split(rest, beforeItem), true
}

// hasValue tells whether an attribute has values. It does not allocate.
func hasValue(attribute string) bool {
	return attribute != "" && !strings.HasSuffix(attribute, beforeItem) && !strings.Contains(attribute, beforeItem+beforeItem)
}
