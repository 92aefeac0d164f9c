package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// ViewContext is how somebody came upon something.
type ViewContext string

// The contexts.
const (
	Viewed   ViewContext = "view"      // opened it
	Selected ViewContext = "selection" // picked it in a list
)

// keptViews is how many things of each kind a person's views remember.
const keptViews = 20

// viewAgain is how long it takes until opening something again counts.
const viewAgain = time.Minute

// View is something that a person opened, and when last.
type View struct {
	Item
	At time.Time
}

// RecordView notes that the person opened or picked something; of each kind the
// last ones are kept. Who opens it again within a minute writes nothing.
// ErrNotFound when the thing or the person is not there.
func (s *Store) RecordView(ctx context.Context, who permission.UserID, how ViewContext, what Item) error {
	column, err := what.Kind.column()
	if err != nil {
		return err
	}
	now := s.now()
	last, err := list(ctx, s.reader(), value[string], "select at from views where user_id = $1 and context = $2 and "+column+" = $3 and at > $4",
		who, how, what.ID, now.Add(-viewAgain))
	if err != nil || len(last) > 0 {
		return err
	}
	return s.tx(ctx, func(c conn) error {
		_, err := c.exec(ctx, fmt.Sprintf(`insert into views (user_id, context, %[1]s, at) values ($1, $2, $3, $4)
			on conflict (user_id, context, %[1]s) do update set at = excluded.at`, column), who, how, what.ID, now)
		if isForeign(err) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		_, err = c.exec(ctx, fmt.Sprintf(`delete from views where user_id = $1 and context = $2 and %[1]s is not null and id not in
			(select id from views where user_id = $1 and context = $2 and %[1]s is not null order by at desc, id desc limit %[2]d)`, column, keptViews), who, how)
		return err
	})
}

// Views lists what the person opened or picked, the last first, once each. It
// asks nobody whether the person may see it still.
func (s *Store) Views(ctx context.Context, who permission.UserID, how ...ViewContext) ([]View, error) {
	var w where
	w.and("user_id = ?", who)
	in(&w, "context", how)
	return list(ctx, s.reader(), func(row scanner) (v View, err error) {
		return v, scanItem(row, &v.Item, moment{&v.At})
	}, "select "+itemColumns+", max(at) from views"+w.String()+" group by "+itemColumns+" order by max(at) desc, max(id) desc", w.args...)
}

// Popularity is how many people opened something lately, and when last.
type Popularity struct {
	View
	People int
}

// Popular lists what these people opened lately, what most of them opened
// first. It asks nobody who may see it.
func (s *Store) Popular(ctx context.Context, people []permission.UserID) ([]Popularity, error) {
	all, at := []Popularity{}, map[Item]int{}
	for _, part := range chunks(people) {
		var w where
		w.and("context = ?", Viewed)
		in(&w, "user_id", part)
		some, err := list(ctx, s.reader(), func(row scanner) (p Popularity, err error) {
			return p, scanItem(row, &p.Item, moment{&p.At}, &p.People)
		}, "select "+itemColumns+", max(at), count(*) from views"+w.String()+" group by "+itemColumns, w.args...)
		if err != nil {
			return nil, err
		}
		for _, p := range some {
			i, known := at[p.Item]
			if !known {
				at[p.Item] = len(all)
				all = append(all, p)
				continue
			}
			all[i].People += p.People
			if p.At.After(all[i].At) {
				all[i].At = p.At
			}
		}
	}
	slices.SortFunc(all, func(a, b Popularity) int {
		return cmp.Or(cmp.Compare(b.People, a.People), b.At.Compare(a.At), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}
