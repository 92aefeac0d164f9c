package store

import (
	"context"
	"fmt"

	"github.com/sluice-bi/sluice/internal/permission"
)

// pin is where a card or dashboard stands among what is pinned in its
// collection. Its zero position is not pinned.
type pin struct {
	collection permission.CollectionID
	position   int
}

// pinOf is the pin of something; what is in the trash has none.
func pinOf(collection permission.CollectionID, position *int, archived bool) pin {
	if position == nil || archived {
		return pin{}
	}
	return pin{collection, *position}
}

// lockPins makes those who pin, unpin, move, and archive or delete whole
// collections wait for each other: each of them writes rows that another one has
// begun with. It is called before any of them is locked.
func (c conn) lockPins(ctx context.Context) error {
	return c.execOne(ctx, "update installation set id = id where id = 1")
}

// repin makes room for something that is about to be pinned, moved or
// unpinned: what stands behind the place that it leaves moves up, what stands
// at its new place and behind it moves down.
func (c conn) repin(ctx context.Context, was, is pin) error {
	if was == is {
		return nil
	}
	shift := func(p pin, by int, which string) error {
		if p.position == 0 {
			return nil
		}
		for _, table := range []string{"cards", "dashboards"} {
			var w where
			w.place("collection_id", int64(p.collection))
			w.and("not archived")
			w.and("collection_position "+which+" ?", p.position)
			if _, err := c.exec(ctx, fmt.Sprintf("update %s set collection_position = collection_position + %d", table, by)+w.String(), w.args...); err != nil {
				return err
			}
		}
		return nil
	}
	if err := shift(was, -1, ">"); err != nil {
		return err
	}
	return shift(is, 1, ">=")
}

// lastPin is the last position that is taken in a collection; 0 for none.
func (c conn) lastPin(ctx context.Context, id permission.CollectionID) (int, error) {
	var last int
	for _, table := range []string{"cards", "dashboards"} {
		var w where
		w.place("collection_id", int64(id))
		w.and("not archived")
		n, err := one(ctx, c, value[int], "select coalesce(max(collection_position), 0) from "+table+w.String(), w.args...)
		if err != nil {
			return 0, err
		}
		last = max(last, n)
	}
	return last, nil
}
