package store

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// What the fields of a table are ordered by, as Metabase calls it.
const (
	OrderDatabase     = "database"     // as the columns lie in the database
	OrderAlphabetical = "alphabetical" // by name
	OrderSmart        = "smart"        // keys, names, dates and times, the rest; each by name
	OrderCustom       = "custom"       // as somebody has put them; what nobody has put comes last
)

// OrderFields puts the fields of a table into an order of their own, which
// syncs keep. It takes a data revision when the order changes by it.
// ErrNotFound; *InvalidError unless the ids are those of all fields, each once.
func (s *Store) OrderFields(ctx context.Context, who Actor, id catalog.TableID, order []catalog.FieldID) error {
	_, err := s.write(ctx, who, func(w *writer) error {
		cat := w.graph.Catalog()
		t := cat.Table(id)
		if t == nil {
			return ErrNotFound
		}
		fields, places := fieldsOf(cat, id), map[catalog.FieldID]int{}
		for i, f := range order {
			places[f] = i + 1
		}
		whole := len(order) == len(fields)
		for i := range fields {
			fields[i].CustomPosition = places[fields[i].ID]
			whole = whole && fields[i].CustomPosition > 0
		}
		if !whole {
			return invalid("body", "value must be the ids of all fields of the table, each once.")
		}
		ordered := *t
		ordered.FieldOrder = OrderCustom
		changed, err := w.arrange(ordered, fields)
		if err != nil || !changed && ordered == *t {
			return err
		}
		if err := w.execOne(ctx, "update tables set field_order = $1, updated_at = $2 where id = $3", OrderCustom, w.now, id); err != nil {
			return err
		}
		// A column that comes back some day is new to this order.
		if _, err := w.exec(ctx, "update fields set custom_position = 0 where table_id = $1 and not active", id); err != nil {
			return err
		}
		w.setCatalog(cat.WithTable(ordered, fields), t.Database, "order the fields of table %d %q", id, t.Name)
		return nil
	})
	return err
}

// arrange puts the fields of a table where its order wants them, and writes
// and tells which places have changed.
func (w *writer) arrange(t catalog.Table, fields []catalog.Field) (changed bool, err error) {
	number(t.FieldOrder, fields)
	cat := w.graph.Catalog()
	for _, f := range fields {
		if was := cat.Field(f.ID); was.Position == f.Position && was.CustomPosition == f.CustomPosition {
			continue
		}
		changed = true
		if err := w.execOne(w.ctx, "update fields set position = $1, custom_position = $2, updated_at = $3 where id = $4", f.Position, f.CustomPosition, w.now, f.ID); err != nil {
			return false, err
		}
	}
	return changed, nil
}

// number gives each field its position by what its table is ordered by.
func number(order string, fields []catalog.Field) {
	sorted := make([]*catalog.Field, len(fields))
	for i := range fields {
		sorted[i] = &fields[i]
	}
	slices.SortFunc(sorted, func(a, b *catalog.Field) int {
		first := 0
		switch order {
		case OrderAlphabetical:
			first = strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
		case OrderSmart:
			first = cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)))
		case OrderCustom:
			first = cmp.Compare(cmp.Or(a.CustomPosition, math.MaxInt), cmp.Or(b.CustomPosition, math.MaxInt))
		}
		return cmp.Or(first, cmp.Compare(a.DatabasePosition, b.DatabasePosition))
	})
	for i, f := range sorted {
		f.Position = i
	}
}

// rank is how early a field comes in the smart order.
func rank(f *catalog.Field) int {
	switch {
	case f.SemanticType == "type/PK":
		return 0
	case f.SemanticType == "type/Name":
		return 1
	case strings.HasPrefix(f.BaseType, "type/Date"), strings.HasPrefix(f.BaseType, "type/Time"), f.BaseType == "type/Instant":
		return 2
	}
	return 3
}
