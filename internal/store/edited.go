package store

import (
	"context"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Edit is who changed something last, and when.
type Edit struct {
	User permission.UserID
	At   time.Time
}

// LastEdits tells of cards and dashboards who changed them last. What nobody is
// known to have changed has no entry.
func (s *Store) LastEdits(ctx context.Context, items []Item) (map[Item]Edit, error) {
	ids := map[Kind][]int64{}
	for _, i := range items {
		ids[i.Kind] = append(ids[i.Kind], i.ID)
	}
	edits := map[Item]Edit{}
	for _, kind := range []Kind{OfCard, OfDashboard} {
		column := string(kind) + "_id"
		for _, part := range chunks(ids[kind]) {
			var w where
			in(&w, column, part)
			_, err := list(ctx, s.reader(), func(row scanner) (struct{}, error) {
				var id int64
				var e Edit
				err := row.Scan(&id, &e.User, moment{&e.At})
				edits[Item{kind, id}] = e
				return struct{}{}, err
			}, "select "+column+", user_id, at from pasts where user_id is not null and id in (select max(id) from pasts"+w.String()+" group by "+column+")", w.args...)
			if err != nil {
				return nil, err
			}
		}
	}
	return edits, nil
}
