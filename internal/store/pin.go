package store

import (
	"context"
	"fmt"

	"github.com/sluice-bi/sluice/internal/permission"
)

// place is where a card or dashboard lies. Its zero value is that of one which
// is not made yet.
type place struct {
	collection permission.CollectionID
	position   *int
	archived   bool
}

// enters tells whether something is put into its collection that was not in it.
// What is made at the top enters nothing: that is always there.
func (p place) enters(was place) bool {
	return !p.archived && (was.archived || p.collection != was.collection)
}

// pin is where a card or dashboard stands among what is pinned in its
// collection. Its zero position is not pinned.
type pin struct {
	collection permission.CollectionID
	position   int
}

// pin is the pin of something; what is in the trash has none.
func (p place) pin() pin {
	if p.position == nil || p.archived {
		return pin{}
	}
	return pin{p.collection, *p.position}
}

// enter begins a write that makes the place of something another one, or pins
// it: it locks what the write may need, always in this order, before any row of
// cards and dashboards is locked. It refuses a collection that cannot be entered.
func (c conn) enter(ctx context.Context, was, is place, pins bool) error {
	if pins || is.pin() != was.pin() {
		if err := c.lockPins(ctx); err != nil {
			return err
		}
	}
	if is.enters(was) {
		return c.checkPlace(ctx, is.collection)
	}
	return nil
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
func (c conn) repin(ctx context.Context, before, after place) error {
	was, is := before.pin(), after.pin()
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
