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

// kinds are those that views know; bookmarks know them but for tables.
var kinds = [...]Kind{OfCard, OfDashboard, OfCollection, OfTable}

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

// itemIs is the item that one of the columns names that kinds lists.
func itemIs(ids []*int64) Item {
	for i, id := range ids {
		if id != nil {
			return Item{kinds[i], *id}
		}
	}
	return Item{}
}
