package query

import (
	"errors"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// walk visits every source of a question at any depth, in their order.
type walk struct {
	table  func(source) error
	card   func(source) (*Card, error)
	native func(source) error // a saved question that is SQL
	open   []int64            // cards that are being visited, to tell circles
	depth  int
	count  int
}

func (w *walk) block(b *block) error {
	if w.depth++; w.depth > maxStages {
		return b.at.errorf("questions stand on top of one another more than %d deep", maxStages)
	}
	defer func() { w.depth-- }()
	if err := w.source(b.source); err != nil {
		return err
	}
	for _, j := range b.joins {
		if err := w.source(j.source); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) source(src source) error {
	if w.count++; w.count > maxSources {
		return src.at.errorf("there are more than %d sources in the question, with those of the saved questions in it", maxSources)
	}
	switch {
	case src.table != 0:
		return w.table(src)
	case src.card == 0:
		return w.block(src.block)
	}
	if slices.Contains(w.open, src.card) {
		return src.at.errorf("card %d is made of itself", src.card)
	}
	card, err := w.card(src)
	if err != nil {
		return err
	}
	if card.Query.Native() {
		return w.native(src)
	}
	w.open = append(w.open, src.card)
	defer func() { w.open = w.open[:len(w.open)-1] }()
	return inCard(src, w.block(card.Query.block))
}

// inCard puts an error from inside a saved question where the question that
// was asked names it.
func inCard(src source, err error) error {
	var inner *Error
	if !errors.As(err, &inner) {
		return err
	}
	return &Error{Path: src.at.path(), Message: "card " + itoa(src.card) + ": " + inner.Error(), cause: inner.cause}
}

// lookup asks Source.Card. The answer for a card that is not there and for
// one that may not be read is the same.
func (s *Source) lookup(src source) (*Card, error) {
	missing := &Error{Path: src.at.path(), Message: "card " + itoa(src.card) + ": not found or no access"}
	if s.Card == nil {
		return nil, missing
	}
	card, err := s.Card(src.card)
	var mistake *Error
	if errors.As(err, &mistake) { // it is there, and does not parse
		return nil, inCard(src, mistake)
	}
	if missing.cause = err; err != nil || card == nil || card.Query == nil {
		return nil, missing
	}
	return card, nil
}

// card is a saved question that the person may build on.
func (c *compiler) card(src source) (*Card, error) {
	if card, ok := c.cards[src.card]; ok {
		return card, nil
	}
	card, err := c.lookup(src)
	if err != nil {
		return nil, err
	}
	if !c.Access.Can(permission.ReadCollection, permission.ACollection(card.Collection)) {
		return nil, &Error{Path: src.at.path(), Message: "card " + itoa(src.card) + ": not found or no access"}
	}
	c.cards[src.card] = card
	return card, nil
}

// sources decides about every source before any clause is looked at, so that
// no other error can tell of what the person may not see.
func (c *compiler) sources(b *block) error {
	w := &walk{
		card:  c.card,
		table: func(src source) error { _, err := c.scan(src.table, src.at); return err },
		native: func(src source) error {
			return src.at.errorf("card %d is SQL; questions on top of SQL are not supported yet", src.card)
		},
	}
	return w.block(b)
}

// Reach is what a question reads at any depth.
type Reach struct {
	Tables []catalog.TableID // sorted
	Cards  []int64           // sorted
	Native bool              // somewhere in it is SQL, which may read anything of the database
}

// ReachOf lists the tables and saved questions that a question reads. It
// decides nothing; a card that Source.Card does not give is an *[Error]. Of
// the source only Card is used.
func ReachOf(q *Query, s Source) (Reach, error) {
	if q == nil || q.block == nil {
		return Reach{Native: q != nil && q.native != nil}, nil
	}
	var r Reach
	w := &walk{
		table:  func(src source) error { r.Tables = append(r.Tables, src.table); return nil },
		native: func(source) error { r.Native = true; return nil },
		card: func(src source) (*Card, error) {
			r.Cards = append(r.Cards, src.card)
			return s.lookup(src)
		},
	}
	if err := w.block(q.block); err != nil {
		return Reach{}, err
	}
	slices.Sort(r.Tables)
	slices.Sort(r.Cards)
	r.Tables, r.Cards = slices.Compact(r.Tables), slices.Compact(r.Cards)
	return r, nil
}

// Allowed makes the decisions about people that Compile or Check would make,
// with the same errors, and looks at nothing else: "may this person run this".
// Of the source only Access, Saved and Card are used.
func Allowed(q *Query, s Source) error {
	s.Dialect, s.MaxRows = SQLite(), 1 // nothing that is written leaves here
	c, err := start(q, s)
	if err != nil {
		return err
	}
	if q.Native() {
		return c.mayRunNative()
	}
	return c.sources(q.block)
}
