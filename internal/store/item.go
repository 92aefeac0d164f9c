package store

import (
	"fmt"
)

// Kind is a kind of thing that people open, bookmark and search for.
type Kind string

// The kinds. A model or metric is a card here.
const (
	OfCard       Kind = "card"
	OfDashboard  Kind = "dashboard"
	OfCollection Kind = "collection"
	OfTable      Kind = "table"
)

// kinds are those that views know; bookmarks know them but for tables. In a row
// one of itemColumns, which are in the same order, names an item.
var kinds = [...]Kind{OfCard, OfDashboard, OfCollection, OfTable}

const itemColumns = "card_id, dashboard_id, collection_id, table_id"

// Item names something of a kind.
type Item struct {
	Kind Kind
	ID   int64
}

// column is the column that names things of the kind.
func (k Kind) column() (string, error) {
	switch k {
	case OfCard, OfDashboard, OfCollection, OfTable:
		return string(k) + "_id", nil
	}
	return "", fmt.Errorf("store: %q is not a kind of thing", string(k))
}

// scanItem scans a row that begins with itemColumns.
func scanItem(row scanner, is *Item, others ...any) error {
	var ids [len(kinds)]*int64
	var all []any
	for i := range ids {
		all = append(all, &ids[i])
	}
	err := row.Scan(append(all, others...)...)
	for i, id := range ids {
		if id != nil {
			*is = Item{kinds[i], *id}
		}
	}
	return err
}
