package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// standIns is how a question finds the saved questions of policies, as they are
// now. Whoever asks need not be able to read them: an administrator has decided
// that the people of a group see what they show. Each is looked up once.
func (d *Door) standIns(ctx context.Context) func(int64) (*query.StandIn, error) {
	found := map[int64]*query.StandIn{}
	return func(id int64) (*query.StandIn, error) {
		if s := found[id]; s != nil {
			return s, nil
		}
		s, err := d.standIn(ctx, id)
		if err == nil {
			found[id] = s
		}
		return s, err
	}
}

// sealed is what a seal depends on: all that is known of a question, and of the
// questions and snippets that it is made of.
type sealed struct {
	Cards    []sealedCard
	Snippets []sealedSnippet
}

type sealedCard struct {
	ID       int64
	Question string
	Columns  []query.Column // of SQL that another question stands on
}

type sealedSnippet struct {
	ID            int64
	Name, Content string
}

// standIn is the saved question of a policy. What is not there and what does not
// parse is a *query.Error.
func (d *Door) standIn(ctx context.Context, id int64) (*query.StandIn, error) {
	read := func(id int64) (store.Card, *query.Card, error) {
		card, err := d.store.Card(ctx, id)
		if errors.Is(err, ErrNotFound) {
			return card, nil, &query.Error{Message: fmt.Sprintf("there is no question %d", id)}
		}
		if err != nil {
			return card, nil, fmt.Errorf("card %d: %w", id, err)
		}
		q, err := asSource(card)
		return card, q, err
	}
	card, top, err := read(id)
	if err != nil {
		return nil, err
	}
	if card.Archived {
		return nil, &query.Error{Message: fmt.Sprintf("question %d is archived", id)}
	}
	content := sealed{Cards: []sealedCard{{ID: id, Question: string(card.DatasetQuery)}}}
	type called struct {
		id   int64
		name string
	}
	cards, texts := map[int64]*query.Card{}, map[called]string{}
	var snippets []store.Snippet
	snippet := d.snippets(ctx, &snippets)
	_, err = query.ReachOf(top.Query, query.Source{
		Card: func(id int64) (*query.Card, error) {
			card, q, err := read(id)
			if err == nil {
				cards[id] = q
				content.Cards = append(content.Cards, sealedCard{id, string(card.DatasetQuery), q.Columns})
			}
			return q, err
		},
		Snippet: func(id int64, name string) (string, error) {
			text, err := snippet(id, name)
			if err == nil {
				texts[called{id, name}] = text
			}
			return text, err
		},
	})
	if err != nil {
		return nil, err
	}
	for _, s := range snippets {
		content.Snippets = append(content.Snippets, sealedSnippet{s.ID, s.Name, s.Content})
	}
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	// What is compiled is what was sealed: nothing of it is read a second time.
	return &query.StandIn{Card: *top, Seal: hex.EncodeToString(sum[:]),
		Below: func(id int64) (*query.Card, error) { return cards[id], nil },
		Snippet: func(id int64, name string) (string, error) {
			text, known := texts[called{id, name}]
			if !known {
				return "", ErrNotFound
			}
			return text, nil
		}}, nil
}

// StandIn is what a saved question is that may stand in for a table.
type StandIn struct {
	Card     int64
	Query    *query.Query
	Database catalog.DatabaseID
	Columns  []query.Column
	Seal     string
}

// Seal is what a policy by a saved question is sealed with, as the question is
// now.
func (d *Door) Seal(ctx context.Context, card int64) (string, error) {
	found, err := d.standIn(ctx, card)
	if err != nil {
		return "", err
	}
	return found.Seal, nil
}

// TryStandIn finds out what a saved question shows, for an administrator who
// wants it to stand in for a table. SQL is run for that, up to its first row, with
// some value for each variable that has no default; the run is recorded with the
// context "save".
//
// Errors: *[QueryError] when there is no such question or it cannot be run.
func (d *Door) TryStandIn(ctx context.Context, who permission.UserID, card int64) (StandIn, error) {
	found, err := d.standIn(ctx, card)
	var wrong *query.Error
	if errors.As(err, &wrong) {
		return StandIn{}, &QueryError{InvalidQuery, wrong.Error(), err}
	}
	if err != nil {
		return StandIn{}, err
	}
	s := StandIn{Card: card, Query: found.Query, Seal: found.Seal}
	question, err := found.Query.Tried().MarshalJSON()
	if err != nil {
		return s, err
	}
	r := Request{Query: question, Context: "save", MaxRawRows: 1}
	if found.Query.Native() {
		var only columnSink
		if _, err := d.Run(ctx, who, r, &only); err != nil {
			return s, err
		}
		s.Database, s.Columns = found.Query.Database(), only.columns
		return s, nil
	}
	p, err := d.prepare(ctx, who, r, d.now())
	if err != nil {
		return s, d.answer(ctx, p, err)
	}
	s.Database, s.Columns = p.database, p.statement.Columns()
	return s, nil
}
