package query

import (
	"errors"
	"fmt"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// ComparesWithAttributes is nil for a field that a policy can compare with
// attributes, else it says why not.
func ComparesWithAttributes(f *catalog.Field) error {
	switch classOf(f.BaseType) {
	case aText, aUUID, aNumber, aBoolean, aDate:
		return nil
	}
	return incomparable(f.BaseType)
}

func incomparable(baseType string) error {
	return fmt.Errorf("fields of the type %s cannot be compared with attributes", baseType)
}

// FitsAttribute is nil for an attribute whose values a policy can compare with a
// field of a database with the engine, else it says what one of them is not. A
// person with such an attribute is refused.
func FitsAttribute(engine string, f *catalog.Field, value string) error {
	d, err := DialectOf(engine)
	if err != nil {
		return err
	}
	values, _ := permission.AttributeValues(value)
	for _, v := range values {
		if _, err := attributeValue(d, v, f.BaseType); err != nil {
			return err
		}
	}
	if len(values) == 0 {
		return errors.New("it has no value")
	}
	return nil
}

// FitsMask is nil for a field whose values the mask can be put on, else it says
// why not.
func FitsMask(f *catalog.Field, m permission.Mask) error {
	if err := m.Check(); err != nil {
		return err
	}
	if m.Kind == permission.MaskDate && !classOf(f.BaseType).ofDay() {
		return errors.New(noDate)
	}
	return nil
}

const noDate = "it is no date"
