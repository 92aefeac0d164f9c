package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/sluice-bi/sluice/internal/permission"
)

// MoveCards puts cards into a collection: all of them, or none. Each is as it
// was when it was decided that who may move it; ErrChanged when one has been
// moved, archived or restored since. What was pinned is pinned there behind
// what is. ErrNotFound when a card is gone, *InvalidError for a collection that
// is missing or archived.
func (s *Store) MoveCards(ctx context.Context, who Actor, cards []Card, to permission.CollectionID) error {
	now := s.now()
	cards = slices.SortedFunc(slices.Values(cards), func(a, b Card) int { // one order for all who lock them
		return cmp.Compare(a.ID, b.ID)
	})
	return s.tx(ctx, func(c conn) error {
		if err := c.lockPins(ctx); err != nil {
			return err
		}
		if err := c.checkPlace(ctx, to); err != nil {
			return err
		}
		last, err := c.lastPin(ctx, to)
		if err != nil {
			return err
		}
		for _, was := range cards {
			is, err := one(ctx, c, scanCard, "update cards set updated_at = $1 where id = $2 returning "+cardColumns, now, was.ID)
			switch {
			case err != nil:
				return err
			case is.Collection != was.Collection || is.Archived != was.Archived:
				return fmt.Errorf("card %d: %w", was.ID, ErrChanged)
			case is.Collection == to:
				continue
			}
			before, next := Past{At: was.UpdatedAt, Card: new(is)}, is.CollectionPosition
			if next != nil && !is.Archived {
				last++
				next = &last
				if err := c.repin(ctx, is.place(), place{}); err != nil {
					return err
				}
			}
			is, err = one(ctx, c, scanCard, "update cards set collection_id = $1, collection_position = $2 where id = $3 returning "+cardColumns, null(to), next, is.ID)
			if err != nil {
				return gone(err)
			}
			if err := c.keep(ctx, who, before, Past{At: now, Card: &is}); err != nil {
				return err
			}
		}
		return nil
	})
}
