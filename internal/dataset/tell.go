package dataset

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// What can be told of a question without running it.

// SQL is what a question that the person asks ad hoc becomes: {"query",
// "params"}, for people who may write SQL on its database. Nothing is run; a
// refusal is recorded as that of a run is. Errors as Run.
func (d *Door) SQL(ctx context.Context, who permission.UserID, r Request) (form json.RawMessage, err error) {
	start := d.now()
	p, err := d.prepare(ctx, who, r, start)
	if err == nil || p.database != 0 { // whoever may not write SQL there learns of no other mistake
		if denied := p.access.Check(permission.QueryNatively, permission.ADatabase(p.database)); denied != nil {
			err = denied
		}
	}
	if err != nil {
		err = d.answer(ctx, p, err)
		d.record(ctx, p.run(), Summary{Duration: d.now().Sub(start)}, err)
		return nil, err
	}
	if form, ok := p.statement.NativeForm(); ok {
		return form, nil
	}
	return nil, &QueryError{MissingPermissions, refusal, errors.New("the SQL cannot be told without the policies in it")}
}

// CanRunAdHoc tells whether the person may ask the question of a card anew:
// edit it, drill into it, build on it. It asks for nothing but that.
func (d *Door) CanRunAdHoc(ctx context.Context, who permission.UserID, card store.Card) bool {
	return d.allowed(ctx, who, card, false)
}

// CanFilter tells whether the person may ask the question of a card anew and
// filter it by the target, be it of a table that a foreign key leads to.
func (d *Door) CanFilter(ctx context.Context, who permission.UserID, card store.Card, by query.Target) bool {
	q, err := query.Parse(card.DatasetQuery)
	if err != nil || !d.allowed(ctx, who, card, false) {
		return false
	}
	access := d.store.Graph().AccessOf(who)
	if !q.Native() {
		values, err := q.Values(by)
		if err != nil || query.Allowed(values, query.Source{Access: access, Card: d.cards(ctx, access), Snippet: d.snippets(ctx, nil), Policy: d.standIns(ctx)}) != nil {
			return false
		}
	}
	id, _ := q.Field(by)
	if id == 0 || access.User() == 0 {
		return access.User() != 0
	}
	f := access.Graph().Catalog().Field(id)
	return access.SeesField(f) && access.Can(permission.QueryTable, permission.ATable(f.Table))
}

// Shows tells whether the person may be told what is known of the results of a
// card that they may read: its columns, the table below it, what it costs. That
// is known from what others ran. Of a card with SQL in it at any depth, it is
// told to those who may be shown every table of its database whole; others may
// run it all the same, where the SQL is held to what they may see.
func (d *Door) Shows(ctx context.Context, who permission.UserID, card store.Card) bool {
	if !d.allowed(ctx, who, card, true) {
		return false
	}
	q, err := query.Parse(card.DatasetQuery)
	if err != nil {
		return false
	}
	access := d.store.Graph().AccessOf(who)
	reach, err := query.ReachOf(q, query.Source{Access: access, Card: d.cards(ctx, access)})
	if err != nil || !reach.Native {
		return err == nil
	}
	database := q.Database()
	if database == 0 {
		database = d.below(ctx, access, q)
	}
	return whole(access, database)
}

// whole tells whether the person may be shown every table of a database whole.
func whole(access permission.Access, database catalog.DatabaseID) bool {
	if access.User() == 0 || access.Graph().Catalog().Database(database) == nil {
		return false
	}
	for t := range access.Graph().Catalog().Tables(database) {
		if !t.Active() {
			continue
		}
		if rows, err := access.Rows(permission.ShowTable, t.ID); err != nil || !rows.All() {
			return false
		}
	}
	return true
}

// veiled tells whether a mistake in the question could tell of what the person
// may not be shown: somebody's SQL is in it, of which the engine says only
// where it runs whether they may read its tables. Which columns it has, and
// whether it is right, is told to those who may read all.
func (d *Door) veiled(ctx context.Context, p prepared) bool {
	reach, err := query.ReachOf(p.query, query.Source{Access: p.access, Card: d.cards(ctx, p.access)})
	return err == nil && reach.Native && !whole(p.access, p.database)
}

func (d *Door) allowed(ctx context.Context, who permission.UserID, card store.Card, saved bool) bool {
	access := d.store.Graph().AccessOf(who)
	q, err := query.Parse(card.DatasetQuery)
	return err == nil && query.Allowed(q, query.Source{Access: access, Saved: saved, Card: d.cards(ctx, access), Snippet: d.snippets(ctx, nil), Policy: d.standIns(ctx)}) == nil
}

// Reach is what a card's question reads, as far as the person may read the
// saved questions in it; nothing when that cannot be told.
func (d *Door) Reach(ctx context.Context, who permission.UserID, card store.Card) query.Reach {
	q, err := query.Parse(card.DatasetQuery)
	if err != nil {
		return query.Reach{}
	}
	access := d.store.Graph().AccessOf(who)
	reach, err := query.ReachOf(q, query.Source{Access: access, Card: d.cards(ctx, access), Snippet: d.snippets(ctx, nil)})
	if err != nil {
		return query.Reach{}
	}
	return reach
}
