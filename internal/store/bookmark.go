package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Bookmark is something that a person marked to find it again.
type Bookmark struct {
	Item
	ID        int64
	CreatedAt time.Time
}

// Bookmarks lists what the person has marked: first what they have put in an
// order, then the rest, the last marked first. It asks nobody whether the
// person may see it still.
func (s *Store) Bookmarks(ctx context.Context, who permission.UserID) ([]Bookmark, error) {
	return list(ctx, s.reader(), func(row scanner) (b Bookmark, err error) {
		ids := make([]*int64, len(kinds)-1)
		err = row.Scan(&b.ID, moment{&b.CreatedAt}, &ids[0], &ids[1], &ids[2])
		b.Item = itemIs(ids)
		return b, err
	}, `select id, created_at, card_id, dashboard_id, collection_id from bookmarks where user_id = $1
		order by case when position is null then 1 else 0 end, position, created_at desc, id desc`, who)
}

// AddBookmark marks something for the person. ErrConflict when it is marked,
// ErrNotFound when it is not there.
func (s *Store) AddBookmark(ctx context.Context, who permission.UserID, what Item) (made Bookmark, err error) {
	column, err := bookmarked(what)
	if err != nil {
		return made, err
	}
	made = Bookmark{Item: what, CreatedAt: s.now()}
	err = s.tx(ctx, func(c conn) error {
		made.ID, err = one(ctx, c, value[int64], fmt.Sprintf("insert into bookmarks (user_id, %s, created_at) values ($1, $2, $3) returning id", column),
			who, what.ID, made.CreatedAt)
		switch {
		case isUnique(err):
			return fmt.Errorf("%w: %s %d is bookmarked", ErrConflict, what.Kind, what.ID)
		case isForeign(err):
			return ErrNotFound
		}
		return err
	})
	return made, err
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
