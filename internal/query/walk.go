package query

import (
	"errors"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// walk visits every source of a question at any depth, in their order: tables,
// saved questions, the tables that fields are reached in through foreign keys,
// and what stands in SQL typed by people.
type walk struct {
	table   func(catalog.TableID, *node) error
	field   func(catalog.FieldID, *node) error // one whose table is a source
	column  func(catalog.FieldID, *node) error // one of a source; nil to pass over them
	card    func(source) (*Card, error)
	sql     func(*Query, *node) error
	snippet func(s snippetRef, at *node) (*native, error)

	open  []int64 // cards that are being visited, to tell circles
	depth int
	count int
}

// query visits what stands in a question; at is where it is named.
func (w *walk) query(q *Query, at *node) error {
	if q.Native() {
		return w.native(q, at)
	}
	b, err := q.governed()
	if err != nil {
		return err
	}
	return w.block(b)
}

// deeper counts questions on top of one another; leave must be called when
// done.
func (w *walk) deeper(at *node) (leave func(), err error) {
	if w.depth++; w.depth > maxStages {
		err = at.errorf("questions stand on top of one another more than %d deep", maxStages)
	}
	return func() { w.depth-- }, err
}

func (w *walk) block(b *block) error {
	leave, err := w.deeper(b.at)
	defer leave()
	if err != nil {
		return err
	}
	if err := w.source(b.source); err != nil {
		return err
	}
	for _, j := range b.joins {
		if err := w.source(j.source); err != nil {
			return err
		}
	}
	keys := map[hop]bool{}
	b.each(func(e expr) {
		if err != nil {
			return
		}
		switch e := e.(type) {
		case *fieldRef:
			if e.via != nil {
				if !keys[*e.via] { // it joins a table
					keys[*e.via] = true
					err = w.counted(e.at)
				}
				if err == nil {
					err = w.reached(e.id, e.at)
				}
			}
			if w.column == nil || err != nil {
				return
			}
			if e.via != nil {
				err = w.column(e.via.id, e.at)
			} else if e.id != 0 {
				err = w.column(e.id, e.at)
			}
		case *metricRef:
			err = w.source(source{at: e.at, card: e.card})
		default:
		}
	})
	return err
}

// counted counts a source.
func (w *walk) counted(at *node) error {
	if w.count++; w.count > maxSources {
		return at.errorf("there are more than %d sources in the question, with those of the saved questions in it", maxSources)
	}
	return nil
}

func (w *walk) source(src source) error {
	if err := w.counted(src.at); err != nil {
		return err
	}
	switch {
	case src.table != 0:
		return w.table(src.table, src.at)
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
	w.open = append(w.open, src.card)
	defer func() { w.open = w.open[:len(w.open)-1] }()
	return inCard(src, w.query(card.Query, src.at))
}

// reached visits a field that is a source by itself.
func (w *walk) reached(id catalog.FieldID, at *node) error {
	if w.field == nil {
		return nil
	}
	return w.field(id, at)
}

func (w *walk) native(q *Query, at *node) error {
	leave, err := w.deeper(at)
	defer leave()
	if err != nil {
		return err
	}
	if err := w.sql(q, at); err != nil {
		return err
	}
	// A variable that stands nowhere in the text is one of the question, too.
	for _, t := range q.native.tags {
		if t.field == nil {
			continue
		}
		if err := w.reached(t.field.id, t.field.at); err != nil {
			return err
		}
	}
	return w.pieces(q.native, q.native.tree, at)
}

// pieces visits what stands in the text of SQL. Questions and snippets in
// comments count.
func (w *walk) pieces(q *native, tree []piece, at *node) error {
	for _, p := range tree {
		var err error
		switch {
		case p.optional != nil:
			err = w.pieces(q, p.optional, at)
		case p.card != 0:
			err = w.source(source{at: q.at, card: p.card})
		case p.snippet.name != "":
			err = w.shared(q, p.snippet, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) shared(q *native, snippet snippetRef, at *node) error {
	leave, err := w.deeper(q.at)
	defer leave()
	if err == nil {
		err = w.counted(q.at)
	}
	if err != nil || w.snippet == nil {
		return err
	}
	s, err := w.snippet(snippet, q.at)
	if err != nil {
		return err
	}
	return w.pieces(q.with(s), s.tree, at)
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
