package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Dimension is what is shown in place of a field's values. A field has at most
// one.
type Dimension struct {
	ID        int64
	Field     catalog.FieldID
	Type      string // External or Internal
	Name      string
	Target    catalog.FieldID // of an external one, the field that is shown; else 0
	EntityID  string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// The types of dimensions: the values of another field, and words (see Labels).
const (
	External = "external"
	Internal = "internal"
)

const dimensionColumns = "id, field_id, type, name, coalesce(target_id, 0), entity_id, created_at, updated_at"

func scanDimension(row scanner) (d Dimension, err error) {
	return d, row.Scan(&d.ID, &d.Field, &d.Type, &d.Name, &d.Target, &d.EntityID, moment{&d.CreatedAt}, moment{&d.UpdatedAt})
}

// Dimensions lists the dimensions of the fields.
func (s *Store) Dimensions(ctx context.Context, fields []catalog.FieldID) ([]Dimension, error) {
	var all []Dimension
	for _, ids := range chunks(fields) {
		if len(ids) == 0 {
			continue
		}
		var w where
		in(&w, "field_id", ids)
		some, err := list(ctx, s.reader(), scanDimension, "select "+dimensionColumns+" from dimensions"+w.String()+" order by id", w.args...)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// SetDimension gives a field its dimension, in place of the one it has. Its id
// and times are set here. *InvalidError when a field is not there or the type
// does not fit.
func (s *Store) SetDimension(ctx context.Context, d Dimension) (made Dimension, err error) {
	if d.Type != External && d.Type != Internal || (d.Type == External) != (d.Target != 0) {
		return made, invalid("human_readable_field_id", "an external dimension has a field that is shown, an internal one has none.")
	}
	err = s.tx(ctx, func(c conn) error {
		made, err = one(ctx, c, scanDimension, `insert into dimensions (field_id, type, name, target_id, entity_id, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $6)
			on conflict (field_id) do update set type = excluded.type, name = excluded.name, target_id = excluded.target_id, updated_at = excluded.updated_at
			returning `+dimensionColumns,
			d.Field, d.Type, d.Name, null(d.Target), newEntityID(), s.now())
		if isForeign(err) {
			return invalid("human_readable_field_id", "There is no field %d.", d.Target)
		}
		return err
	})
	return made, err
}

// DeleteDimension takes the dimension of a field away, if it has one.
func (s *Store) DeleteDimension(ctx context.Context, field catalog.FieldID) error {
	return s.tx(ctx, func(c conn) error {
		_, err := c.exec(ctx, "delete from dimensions where field_id = $1", field)
		return err
	})
}

// Labels are the words for values of a field, as SetLabels was given them; nil
// for none.
func (s *Store) Labels(ctx context.Context, field catalog.FieldID) (json.RawMessage, error) {
	labels, err := one(ctx, s.reader(), func(row scanner) (labels json.RawMessage, err error) {
		return labels, row.Scan(document{&labels})
	}, "select labels from field_labels where field_id = $1", field)
	return labels, otherwise(err, nil)
}

// SetLabels keeps words for values of a field, as JSON: a list of pairs.
// ErrNotFound when there is no such field.
func (s *Store) SetLabels(ctx context.Context, field catalog.FieldID, labels json.RawMessage) error {
	return s.tx(ctx, func(c conn) error {
		_, err := c.exec(ctx, `insert into field_labels (field_id, labels, updated_at) values ($1, $2, $3)
			on conflict (field_id) do update set labels = excluded.labels, updated_at = excluded.updated_at`, field, labels, s.now())
		if isForeign(err) {
			return ErrNotFound
		}
		return err
	})
}
