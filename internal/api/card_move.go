package api

import (
	"slices"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

type moveCardsWire struct {
	CardIDs      []ID `json:"card_ids" rule:"required,max=1000"`
	CollectionID *ID  `json:"collection_id" rule:"positive"`
}

// moveCards puts cards into a collection, if the person curates it and those
// that they lie in (reference 2.3). One that may not be moved leaves all where
// they are.
func (a *API) moveCards(r *request) (any, error) {
	b := bodyOf[moveCardsWire](r)
	var to permission.CollectionID
	if b.CollectionID != nil {
		to = permission.CollectionID(*b.CollectionID)
	}
	if err := a.mayPutInto(r, "collection_id", to); err != nil {
		return nil, err
	}
	ids := []int64{}
	for _, id := range b.CardIDs {
		ids = append(ids, int64(id))
	}
	cards, err := a.store.Cards(r.ctx(), store.CardQuery{Archived: store.WithArchived, IDs: ids})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		i := slices.IndexFunc(cards, func(c store.Card) bool { return c.ID == id })
		if i < 0 {
			return nil, r.missing("card_ids", "card", id)
		}
		if err := r.access.Check(permission.CurateCollection, permission.ACollection(cards[i].Collection)); err != nil {
			return nil, err
		}
	}
	if err := a.mayChangeStandIn(r, ids...); err != nil {
		return nil, err
	}
	return statusWire{"ok"}, a.store.MoveCards(r.ctx(), r.actor(), cards, to)
}
