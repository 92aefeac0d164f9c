package permission_test

import (
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
)

func TestAnAttributeIsATextOrAList(t *testing.T) {
	for _, tt := range []struct {
		attribute string
		values    []string
		list      bool
	}{
		{"1", []string{"1"}, false},
		{`["1"]`, []string{`["1"]`}, false},
		{"", nil, false},
		{permission.AttributeList([]string{"1"}), []string{"1"}, true},
		{permission.AttributeList([]string{"1", "b,c"}), []string{"1", "b,c"}, true},
		{permission.AttributeList(nil), nil, true},
		{permission.AttributeList([]string{"1", ""}), nil, true},
		{permission.AttributeList([]string{""}), nil, true},
	} {
		values, list := permission.AttributeValues(tt.attribute)
		if !slices.Equal(values, tt.values) || list != tt.list {
			t.Errorf("%q has the values %q, a list: %v; want %q, %v", tt.attribute, values, list, tt.values, tt.list)
		}
	}
}
