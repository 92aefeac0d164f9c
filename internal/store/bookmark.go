package store

import (
	"context"
	"fmt"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Bookmarks lists what the person has marked: first what they have put in an
// order, then the rest, the last marked first. It asks nobody whether the
// person may see it still.
func (s *Store) Bookmarks(ctx context.Context, who permission.UserID) ([]Item, error) {
	return list(ctx, s.reader(), func(row scanner) (i Item, err error) {
		return i, scanItem(row, &i)
	}, `select card_id, dashboard_id, collection_id, null from bookmarks where user_id = $1
		order by case when position is null then 1 else 0 end, position, created_at desc, id desc`, who)
}

// AddBookmark marks something for the person. ErrConflict when it is marked,
// ErrNotFound when it is not there.
func (s *Store) AddBookmark(ctx context.Context, who permission.UserID, what Item) error {
	column, err := bookmarked(what)
	if err != nil {
		return err
	}
	now := s.now()
	return s.tx(ctx, func(c conn) error {
		_, err := c.exec(ctx, fmt.Sprintf("insert into bookmarks (user_id, %s, created_at) values ($1, $2, $3)", column), who, what.ID, now)
		switch {
		case isUnique(err):
			return fmt.Errorf("%w: %s %d is bookmarked", ErrConflict, what.Kind, what.ID)
		case isForeign(err):
			return ErrNotFound
		}
		return err
	})
}

// RemoveBookmark takes the person's mark off something, if there is one.
func (s *Store) RemoveBookmark(ctx context.Context, who permission.UserID, what Item) error {
	column, err := bookmarked(what)
	if err != nil {
		return err
	}
	return s.tx(ctx, func(c conn) error {
		_, err := c.exec(ctx, fmt.Sprintf("delete from bookmarks where user_id = $1 and %s = $2", column), who, what.ID)
		return err
	})
}

// OrderBookmarks puts the person's bookmarks in this order; those that it does
// not name come behind, and what is not bookmarked is not looked at.
func (s *Store) OrderBookmarks(ctx context.Context, who permission.UserID, order []Item) error {
	return s.tx(ctx, func(c conn) error {
		if _, err := c.exec(ctx, "update bookmarks set position = null where user_id = $1", who); err != nil {
			return err
		}
		for i, what := range order {
			column, err := bookmarked(what)
			if err != nil {
				return err
			}
			if _, err := c.exec(ctx, fmt.Sprintf("update bookmarks set position = $1 where user_id = $2 and %s = $3", column), i, who, what.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// bookmarked is the column of a kind that can be bookmarked.
func bookmarked(what Item) (string, error) {
	if what.Kind == OfTable {
		return "", invalid("model", "A table cannot be bookmarked.")
	}
	return what.Kind.column()
}
