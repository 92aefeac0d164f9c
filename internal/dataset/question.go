package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

type catalogID = catalog.DatabaseID

// question is what a Request comes to.
type question struct {
	query     *query.Query
	json      json.RawMessage // as it was sent or saved
	saved     bool            // it is run as it was saved
	native    bool
	database  catalog.DatabaseID
	card      *int64
	dashboard *int64
	ttl       []*int // hours that its result is kept: what the card, then the dashboard says
}

// find reads the question of a request and checks that the person may reach
// it: the dashboard, the card, and that they belong together.
func (d *Door) find(ctx context.Context, access permission.Access, r Request) (q question, err error) {
	if r.choice != nil {
		return d.findChoice(ctx, access, r.choice)
	}
	if (len(r.Query) > 0) == (r.Card != 0) || (r.Dashboard != 0) != (r.Dashcard != 0) || r.Dashboard != 0 && r.Card == 0 {
		return q, errors.New("dataset: a request is for a question, a card, or a card on a dashboard")
	}
	if r.Card == 0 {
		if q, err = parse(question{json: r.Query}); err == nil && q.database == 0 {
			q.database = d.below(ctx, access, q.query)
		}
		return q, err
	}
	var board *store.Dashboard
	var place store.Dashcard
	if r.Dashboard != 0 {
		q.dashboard = &r.Dashboard
		if board, err = d.dashboard(ctx, access, r.Dashboard); err != nil {
			return q, err
		}
		if place, err = placed(board, r.Dashcard, r.Card); err != nil {
			return q, err
		}
	}
	q.card, q.saved = &r.Card, true
	card, err := d.card(ctx, access, r.Card)
	if err != nil {
		return q, err
	}
	q.json, q.ttl = card.DatasetQuery, []*int{card.CacheTTL}
	if board != nil {
		q.ttl = append(q.ttl, board.CacheTTL)
	}
	if card.Database != nil {
		q.database = *card.Database
	}
	if q, err = parse(q); err != nil {
		return q, err
	}
	given, err := given(r, card, q.query, board, place)
	if err == nil && given != nil {
		q.query, err = q.query.WithParameters(given)
	}
	return q, err
}

// below is the database of the saved question that a question stands on; 0 if
// the person may not read it, which compiling tells them.
func (d *Door) below(ctx context.Context, access permission.Access, q *query.Query) catalog.DatabaseID {
	_, id := q.Begins()
	card, err := d.card(ctx, access, id)
	if err != nil || card.Database == nil {
		return 0
	}
	return *card.Database
}

// parse reads the JSON of a question.
func parse(q question) (question, error) {
	var err error
	if q.query, err = query.Parse(q.json); err != nil {
		return q, err
	}
	q.native = q.query.Native()
	if id := q.query.Database(); id != 0 {
		q.database = id
	}
	return q, nil
}

// card reads a saved question that the person may read: one in a collection
// that they may read.
func (d *Door) card(ctx context.Context, access permission.Access, id int64) (store.Card, error) {
	card, err := d.store.Card(ctx, id)
	if err != nil {
		return card, fmt.Errorf("card %d: %w", id, err)
	}
	if err := access.Check(permission.ReadCollection, permission.ACollection(card.Collection)); err != nil {
		return store.Card{}, err
	}
	return card, nil
}

// dashboard reads a dashboard that the person may read.
func (d *Door) dashboard(ctx context.Context, access permission.Access, id int64) (*store.Dashboard, error) {
	board, err := d.store.Dashboard(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("dashboard %d: %w", id, err)
	}
	if err := access.Check(permission.ReadCollection, permission.ACollection(board.Collection)); err != nil {
		return nil, err
	}
	return &board, nil
}

// placed is the place of a card on a dashboard.
func placed(board *store.Dashboard, dashcard, card int64) (store.Dashcard, error) {
	for _, p := range board.Dashcards {
		if p.ID == dashcard && (p.Card != nil && *p.Card == card || slices.Contains(p.Series, card)) {
			return p, nil
		}
	}
	return store.Dashcard{}, fmt.Errorf("card %d at dashcard %d of dashboard %d: %w", card, dashcard, board.ID, ErrNotFound)
}

// cards is how a question finds the saved questions that it stands on. One
// that the person may not read is answered as one that is not there.
func (d *Door) cards(ctx context.Context, access permission.Access) func(int64) (*query.Card, error) {
	return func(id int64) (*query.Card, error) {
		card, err := d.card(ctx, access, id)
		var denied *permission.DeniedError
		switch {
		case errors.As(err, &denied), errors.Is(err, ErrNotFound):
			return nil, fmt.Errorf("card %d: %w", id, ErrNotFound)
		case err != nil:
			return nil, err
		}
		return asSource(card)
	}
}

// asSource is a saved question as others stand on it.
func asSource(card store.Card) (*query.Card, error) {
	q, err := query.Parse(card.DatasetQuery)
	if err != nil {
		return nil, fmt.Errorf("card %d: %w", card.ID, err)
	}
	found := &query.Card{ID: card.ID, Name: card.Name, Query: q, Collection: card.Collection}
	if q.Native() {
		found.Columns = savedColumns(card.ResultMetadata)
	}
	return found, nil
}

// snippets is how a question finds the SQL that people share. It is shared with
// whoever runs a question with it: what it may read is what they may.
func (d *Door) snippets(ctx context.Context, read *[]store.Snippet) func(int64, string) (string, error) {
	return func(id int64, name string) (string, error) {
		find := func() (store.Snippet, error) { return d.store.Snippet(ctx, id) }
		if id == 0 {
			find = func() (store.Snippet, error) { return d.store.SnippetNamed(ctx, name) }
		}
		s, err := find()
		if err == nil && read != nil {
			*read = append(*read, s)
		}
		return s.Content, err
	}
}

// savedColumns are the columns that a saved question had when it last ran.
// What cannot be read counts for none.
func savedColumns(data json.RawMessage) []query.Column {
	var columns []query.Column
	if len(data) == 0 || json.Unmarshal(data, &columns) != nil {
		return nil
	}
	return columns
}

// context is what is recorded as the request's context.
func (r Request) context() string {
	switch {
	case r.Context != "":
		return r.Context
	case r.Dashboard != 0:
		return "dashboard"
	case r.Card != 0:
		return "question"
	}
	return "ad-hoc"
}

// exports tells whether the result is to be taken away as a file.
func (r Request) exports() bool { return strings.HasSuffix(r.Context, "-download") }

// limit is the row limit of the request.
func (r Request) limit(q *query.Query) int {
	if r.exports() {
		return maxExportedRows
	}
	n, lower := maxRawRows, r.MaxRawRows
	if q.Aggregated() {
		n, lower = maxAggregatedRows, 0
	}
	for _, l := range []int{lower, r.MaxRows} {
		if l > 0 {
			n = min(n, l)
		}
	}
	return n
}
