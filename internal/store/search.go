package store

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// Text is what somebody types to find something. All of its words have to be
// found, in whatever order and case. Its zero value finds everything.
type Text struct {
	whole string
	words []string
}

// NewText reads a text.
func NewText(s string) Text {
	words := strings.Fields(fold(s))
	return Text{strings.Join(words, " "), words}
}

// Match tells how well a text fits; less is better.
type Match uint8

// The matches.
const (
	NameIs     Match = iota // the name is the text
	NameBegins              // the name begins with the text
	NameWords               // every word begins a word of the name
	NameParts               // every word is in the name
	Described               // some word is only in the description
	Asked                   // some word is only in the SQL
)

// Match tells how the text fits something, if it does. Without SQL to look into
// sql is empty.
func (t Text) Match(name, description, sql string) (Match, bool) {
	name = strings.Join(strings.Fields(fold(name)), " ")
	switch {
	case t.whole == "" || name == t.whole:
		return NameIs, true
	case strings.HasPrefix(name, t.whole):
		return NameBegins, true
	}
	match := NameWords
	for _, word := range t.words {
		switch {
		case beginsWord(name, word):
		case strings.Contains(name, word):
			match = max(match, NameParts)
		case description != "" && strings.Contains(fold(description), word):
			match = max(match, Described)
		case sql != "" && strings.Contains(fold(sql), word):
			match = Asked
		default:
			return 0, false
		}
	}
	return match, true
}

// beginsWord tells whether a word of the text begins so.
func beginsWord(text, word string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		at := from + i
		if r, _ := utf8.DecodeLastRuneInString(text[:at]); at == 0 || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return true
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		from = at + size
	}
}

// Search selects cards, dashboards and collections. What is zero selects
// everything.
type Search struct {
	Text     Text
	SQL      bool // looks into the SQL of cards as well
	Archived Archived
	IDs      []int64 // among these; nil for all
	Database catalog.DatabaseID
	Creators []permission.UserID
	Created  Span
	Edited   Span
}

// Span is a stretch of time, from its beginning to before its end; what is zero
// is open.
type Span struct{ From, Until time.Time }

// Found is something that a search has selected: just enough to say whether
// somebody may see it and to put it in its place.
type Found struct {
	Item
	Model       string // what the wire calls the kind: of cards also dataset and metric
	Name        string
	Description *string
	Collection  permission.CollectionID // that it is, or lies in
	Position    *int
	Display     *string
	Database    *catalog.DatabaseID
	Table       *catalog.TableID
	Archived    bool
	Creator     permission.UserID // 0 for collections
	CreatedAt   time.Time
	EditedAt    time.Time // zero for collections
	Match       Match
}

// Search lists what fits, in no order. It asks nobody who may see it: names,
// counts and kinds of what somebody may not see are not to be told.
func (s *Store) Search(ctx context.Context, q Search) ([]Found, error) {
	var found []Found
	for _, source := range []struct {
		query func(Search) (string, []any)
		skip  bool
	}{
		{Search.cards, false},
		{Search.dashboards, q.Database != 0},
		{Search.collections, q.Database != 0 || len(q.Creators) > 0 || q.Edited != Span{}},
	} {
		if source.skip {
			continue
		}
		query, args := source.query(q)
		some, err := list(ctx, s.reader(), q.scan, query, args...)
		if err != nil {
			return nil, err
		}
		for _, f := range some {
			if f != nil {
				found = append(found, *f)
			}
		}
	}
	return found, nil
}

// scan reads what a statement selected; nil for what does not fit after all.
func (q Search) scan(row scanner) (*Found, error) {
	var f Found
	var question json.RawMessage
	err := row.Scan(&f.Kind, &f.Model, &f.ID, &f.Name, &f.Description, &f.Collection, &f.Position, &f.Display, &f.Database, &f.Table, &f.Archived,
		&f.Creator, moment{&f.CreatedAt}, moment{&f.EditedAt}, document{&question})
	if err != nil {
		return nil, err
	}
	var fits bool
	f.Match, fits = q.Text.Match(f.Name, text(f.Description), sqlOf(question))
	if !fits {
		return nil, nil
	}
	return &f, nil
}

func (q Search) cards() (string, []any) {
	var w where
	q.common(&w, q.SQL)
	if q.Database != 0 {
		w.and("database_id = ?", q.Database)
	}
	q.made(&w)
	question := "null"
	if q.SQL {
		question = "case when query_type = 'native' then dataset_query end"
	}
	return `select 'card', case type when 'model' then 'dataset' when 'metric' then 'metric' else 'card' end, id, name, description,
		coalesce(collection_id, 0), collection_position, display, database_id, table_id, archived, creator_id, created_at, updated_at, ` + question +
		" from cards" + w.String(), w.args
}

func (q Search) dashboards() (string, []any) {
	var w where
	q.common(&w, false)
	q.made(&w)
	return `select 'dashboard', 'dashboard', id, name, description, coalesce(collection_id, 0), collection_position, null, null, null, archived,
		creator_id, created_at, updated_at, null from dashboards` + w.String(), w.args
}

func (q Search) collections() (string, []any) {
	var w where
	q.common(&w, false)
	w.and("namespace is null")
	q.Created.within(&w, "created_at")
	return `select 'collection', 'collection', id, name, description, id, null, null, null, null, archived, 0, created_at, null, null
		from collections` + w.String(), w.args
}

// made adds who made it, and when it was made and edited.
func (q Search) made(w *where) {
	if len(q.Creators) > 0 {
		in(w, "creator_id", q.Creators)
	}
	q.Created.within(w, "created_at")
	q.Edited.within(w, "updated_at")
}

func (s Span) within(w *where, column string) {
	if !s.From.IsZero() {
		w.and(column+" >= ?", s.From)
	}
	if !s.Until.IsZero() {
		w.and(column+" < ?", s.Until)
	}
}

// mostWords is how many words of a text the database looks for; the others are
// looked for in what it has found.
const mostWords = 8

// common adds what selects things of every kind, with sql also by what is only in
// SQL. The database cannot fold as fold does: it leaves out only what has no
// chance, and of texts that are not plain ASCII nothing.
func (q Search) common(w *where, sql bool) {
	w.archived(q.Archived, "archived")
	if q.IDs != nil {
		in(w, "id", q.IDs)
	}
	for _, word := range q.Text.words[:min(len(q.Text.words), mostWords)] {
		like := contains(word)
		condition, values := `name_fold like ? escape '\' or lower(description) like ? escape '\' or octet_length(description) > length(description)`, []any{like, like}
		if sql {
			condition += " or query_type = 'native'"
		}
		w.and("("+condition+")", values...)
	}
}

// sqlOf is the SQL that people wrote in a question, in either form of it.
func sqlOf(question json.RawMessage) string {
	if len(question) == 0 {
		return ""
	}
	var q struct {
		Native struct{ Query string }
		Stages []struct{ Native json.RawMessage }
	}
	if json.Unmarshal(question, &q) != nil {
		return ""
	}
	all := []string{q.Native.Query}
	for _, s := range q.Stages {
		var sql string
		if json.Unmarshal(s.Native, &sql) == nil {
			all = append(all, sql)
		}
	}
	return strings.Join(all, "\n")
}
