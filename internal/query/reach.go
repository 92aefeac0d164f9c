package query

import (
	"errors"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// saved asks Source.Card. The answer for a card that is not there and for
// one that may not be read is the same.
func (s *Source) saved(src source) (*Card, error) {
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
	card, err := c.Source.saved(src)
	if err != nil {
		return nil, err
	}
	if !c.Access.Can(permission.ReadCollection, permission.ACollection(card.Collection)) {
		return nil, &Error{Path: src.at.path(), Message: "card " + itoa(src.card) + ": not found or no access"}
	}
	c.cards[src.card] = card
	return card, nil
}

// shared asks Source.Snippet for SQL that people share, and takes it apart.
func (s *Source) shared(snippet snippetRef, at *node) (*native, error) {
	missing := &Error{Path: at.path(), Message: "snippet " + quoted(snippet.name) + ": not found or no access"}
	if s.Snippet == nil {
		return nil, missing
	}
	sql, err := s.Snippet(snippet.id, snippet.name)
	if err != nil {
		missing.cause = err
		return nil, missing
	}
	n := &native{at: at, text: sql, snippet: true}
	if err := n.check(); err != nil {
		return nil, err
	}
	return n, n.split()
}

func (c *compiler) snippet(snippet snippetRef, at *node) (*native, error) {
	if n, ok := c.snippets[snippet]; ok {
		return n, nil
	}
	n, err := c.Source.shared(snippet, at)
	if err == nil {
		c.snippets[snippet] = n
	}
	return n, err
}

// fieldTable decides about the table of a field as about any source. A field
// that is not there is refused as one of a table out of reach.
func (c *compiler) fieldTable(id catalog.FieldID, at *node) error {
	f := c.catalog().Field(id)
	if f == nil {
		return c.absent(id, at)
	}
	s, err := c.scan(f.Table, at)
	if err == nil && !s.has(id) {
		return c.absent(id, at)
	}
	return err
}

func (c *compiler) absent(id catalog.FieldID, at *node) error {
	return &Error{Path: at.path(), Message: "there is no field " + itoa(int64(id)), cause: c.Access.Check(c.right(), permission.ATable(0))}
}

// column refuses a field of a source that a policy hides. Once it hides any, one
// that is not there is refused alike, and so is one of a table that the person
// may not know of.
func (c *compiler) column(id catalog.FieldID, at *node) error {
	if !c.hiding {
		return nil
	}
	f := c.catalog().Field(id)
	if f == nil {
		return c.absent(id, at)
	}
	if s := c.scans[f.Table]; s != nil && !s.has(id) || s == nil && !c.Access.SeesField(f) {
		return c.absent(id, at)
	}
	return nil
}

func (s *scanned) has(id catalog.FieldID) bool {
	return slices.ContainsFunc(s.columns, func(col column) bool { return col.field == id })
}

// walk decides about every source before any clause is looked at, so that no
// other error can tell of what the person may not see.
func (c *compiler) walk() *walk {
	return &walk{
		card:    c.card,
		table:   func(id catalog.TableID, at *node) error { _, err := c.scan(id, at); return err },
		field:   c.fieldTable,
		column:  c.column,
		snippet: c.snippet,
		sql: func(q *Query, at *node) error {
			if c.database == 0 {
				c.database = q.database
			}
			if c.sql = true; q.database != c.database {
				return at.errorf("this is SQL for another database than that of the question, %d", c.database)
			}
			return nil
		},
	}
}

// sources decides about all of a structured question.
func (c *compiler) sources(b *block) error {
	if err := c.walk().block(b); err != nil {
		return err
	}
	return c.mayMix()
}

// mayMix decides about SQL that is part of the statement, whoever typed it:
// nothing of it may read what is hidden from the person. Where the engine can
// hold it to views of what they see, all tables of the statement are read
// through those. Where it cannot, nothing of the database may be hidden.
func (c *compiler) mayMix() error {
	if !c.sql {
		return nil
	}
	on := permission.ADatabase(c.database)
	d := c.catalog().Database(c.database)
	if d == nil {
		return c.Access.Check(permission.QueryNatively, on)
	}
	if held, err := c.hold(d); held || err != nil {
		return err
	}
	if c.sandboxed {
		return c.refused(permission.QueryNatively, on, "SQL cannot stand beside rows that are hidden from the person")
	}
	if t := c.hiddenTable(); t != 0 {
		return c.refused(c.right(), permission.ATable(t), "SQL on this engine can read every table of the database, all rows of it")
	}
	return nil
}

// whole lists the tables of the database of which the person may see every
// row, by the right that a structured question would need.
func (c *compiler) whole() []Table {
	var all []Table
	for t := range c.catalog().Tables(c.database) {
		if !t.Active() {
			continue
		}
		if rows, err := c.Access.Rows(c.right(), t.ID); err == nil && rows.All() {
			all = append(all, Table{t.ID, t.Schema, t.Name})
		}
	}
	return all
}

// Reach is what a question reads at any depth.
type Reach struct {
	Tables []catalog.TableID // sorted
	Cards  []int64           // sorted
	Native bool              // somewhere in it is SQL, which may read anything of the database
}

// ReachOf lists the tables and saved questions that a question reads. It
// decides nothing; a card that Source.Card does not give is an *[Error]. Of
// the source only Card and Snippet are used, and the catalog of Access to
// tell the tables of fields that are reached through foreign keys; without it
// they are left out, and so is what stands in snippets without Snippet.
func ReachOf(q *Query, s Source) (Reach, error) {
	var r Reach
	if q == nil || q.block == nil && q.native == nil {
		return r, nil
	}
	w := &walk{
		table: func(id catalog.TableID, _ *node) error { r.Tables = append(r.Tables, id); return nil },
		sql:   func(*Query, *node) error { r.Native = true; return nil },
		card: func(src source) (*Card, error) {
			r.Cards = append(r.Cards, src.card)
			return s.saved(src)
		},
	}
	if s.Snippet != nil {
		w.snippet = s.shared
	}
	if g := s.Access.Graph(); g != nil {
		w.field = func(id catalog.FieldID, _ *node) error {
			if f := g.Catalog().Field(id); f != nil {
				r.Tables = append(r.Tables, f.Table)
			}
			return nil
		}
	}
	if err := w.query(q, &node{}); err != nil {
		return Reach{}, err
	}
	slices.Sort(r.Tables)
	slices.Sort(r.Cards)
	r.Tables, r.Cards = slices.Compact(r.Tables), slices.Compact(r.Cards)
	return r, nil
}

// Allowed makes the decisions about people that Compile or Check would make,
// with the same errors, and looks at nothing else: "may this person run this".
// Of the source only Access, Saved, Card and Snippet are used.
func Allowed(q *Query, s Source) error {
	s.Dialect, s.MaxRows = SQLite(), 1 // nothing that is written leaves here
	c, err := start(q, s)
	if err != nil {
		return err
	}
	c.judging = true
	if q.Native() {
		return c.mayRunNative(q)
	}
	b, err := q.governed()
	if err != nil {
		return err
	}
	return c.sources(b)
}
