package query_test

import (
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
)

// What is told of a policy before it is written is what a question is told.
func TestPoliciesFitTheTypesOfColumns(t *testing.T) {
	month := permission.Mask{Kind: permission.MaskDate, Unit: "month"}
	for _, c := range []struct {
		base      string
		compares  bool
		date      bool
		fits, not []string
	}{
		{"type/Integer", true, false, []string{"7", "-1"}, []string{"", "7.5", "seven", "0x7"}},
		{"type/Float", true, false, []string{"7", "7.5"}, []string{"", "seven", "NaN"}},
		{"type/Text", true, false, []string{"a", "7"}, []string{"", "a\x00"}},
		{"type/UUID", true, false, []string{"2f0c6a1e-0000-4000-8000-000000000001"}, []string{"", "a"}},
		{"type/Boolean", true, false, []string{"true", "0"}, []string{"", "yes"}},
		{"type/Date", true, true, []string{"2026-01-31"}, []string{"", "2026-01", "2026-01-31T00:00:00"}},
		{"type/DateTime", false, true, nil, []string{"2026-01-31"}},
		{"type/DateTimeWithLocalTZ", false, true, nil, []string{"2026-01-31"}},
		{"type/Time", false, false, nil, []string{"10:00"}},
		{"type/*", false, false, nil, []string{"a"}},
	} {
		f := &catalog.Field{ID: 1, Name: "x", BaseType: c.base}
		if err := query.ComparesWithAttributes(f); (err == nil) != c.compares {
			t.Errorf("%s compares: %v", c.base, err)
		}
		for _, v := range c.fits {
			if err := query.FitsAttribute("postgres", f, v); err != nil {
				t.Errorf("%s takes no %q: %v", c.base, v, err)
			}
		}
		for _, v := range c.not {
			if err := query.FitsAttribute("postgres", f, v); err == nil {
				t.Errorf("%s takes %q", c.base, v)
			}
		}
		if err := query.FitsMask(f, month); (err == nil) != c.date {
			t.Errorf("%s is cut to months: %v", c.base, err)
		}
		if err := query.FitsMask(f, permission.Mask{Kind: permission.MaskHash}); err != nil {
			t.Errorf("%s is not hashed: %v", c.base, err)
		}
		if err := query.FitsMask(f, permission.Mask{Kind: "rot13"}); err == nil {
			t.Errorf("%s takes a mask that is none", c.base)
		}
	}
	if err := query.FitsAttribute("oracle", &catalog.Field{BaseType: "type/Text"}, "a"); err == nil {
		t.Error("an engine that is none takes an attribute")
	}
}
