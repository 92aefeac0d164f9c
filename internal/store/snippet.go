package store

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Snippet is SQL that people share under a name, to stand in SQL as
// {{snippet: name}}. Questions with one that is archived go on.
type Snippet struct {
	ID          int64
	Name        string // as given; unique without regard to case, archived ones included
	Description *string
	Content     string
	Archived    bool
	Creator     permission.UserID
	EntityID    string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// SnippetUpdate changes a snippet; what is nil stays as it is.
type SnippetUpdate struct {
	Name, Content *string
	Description   **string
	Archived      *bool
}

const snippetColumns = "id, name, description, content, archived, creator_id, entity_id, created_at, updated_at"

func scanSnippet(row scanner) (s Snippet, err error) {
	return s, row.Scan(&s.ID, &s.Name, &s.Description, &s.Content, &s.Archived, &s.Creator, &s.EntityID, moment{&s.CreatedAt}, moment{&s.UpdatedAt})
}

// Snippets lists snippets by name without regard to case.
func (s *Store) Snippets(ctx context.Context, which Archived) ([]Snippet, error) {
	var w where
	w.archived(which, "archived")
	return list(ctx, s.reader(), scanSnippet, "select "+snippetColumns+" from snippets"+w.String()+" order by name_fold")
}

// Snippet returns a snippet, archived or not, or ErrNotFound.
func (s *Store) Snippet(ctx context.Context, id int64) (Snippet, error) {
	return readSnippet(ctx, s.reader(), id)
}

func readSnippet(ctx context.Context, c conn, id int64) (Snippet, error) {
	return one(ctx, c, scanSnippet, "select "+snippetColumns+" from snippets where id = $1", id)
}

// SnippetNamed returns the snippet of that name, in whatever case, or
// ErrNotFound.
func (s *Store) SnippetNamed(ctx context.Context, name string) (Snippet, error) {
	return one(ctx, s.reader(), scanSnippet, "select "+snippetColumns+" from snippets where name_fold = $1", fold(name))
}

// SnippetWrite is a write of a snippet's content or name, for who decides about
// it in the transaction that writes. Until that has ended no question is saved
// and nobody's rights change.
type SnippetWrite struct {
	Graph     *permission.Graph
	Questions []json.RawMessage // of all cards, archived ones too, that may have a snippet in them
	ids       map[int64]bool
	names     map[string]bool
}

// Reaches tells whether SQL that names a snippet by that id, or by name where
// it knows none (0), had the written one in it before, or has now; in other
// snippets too.
func (w SnippetWrite) Reaches(id int64, name string) bool {
	if id != 0 {
		return w.ids[id]
	}
	return w.names[fold(name)]
}

// unchanged fails with ErrChanged when a snippet is not what it was. On
// PostgreSQL it must come after the write of a card: that waits for those who
// write snippets, and they for it.
func (c conn) unchanged(ctx context.Context, seen []Snippet) error {
	for _, was := range seen {
		is, err := readSnippet(ctx, c, was.ID)
		if err != nil {
			return err
		}
		if is.Content != was.Content || is.Name != was.Name {
			return fmt.Errorf("snippet %d: %w", was.ID, ErrChanged)
		}
	}
	return nil
}

// CreateSnippet makes a snippet; its id, entity id and times are set here.
// *InvalidError for a name that is taken or cannot stand between {{ and }};
// what may says, as SQL may name it already.
func (s *Store) CreateSnippet(ctx context.Context, who Actor, n Snippet, may func(SnippetWrite) error) (made Snippet, err error) {
	if err := nameable(n.Name); err != nil {
		return Snippet{}, err
	}
	_, err = s.write(ctx, who, func(w *writer) error {
		made, err = one(ctx, w.conn, scanSnippet, `insert into snippets (name, name_fold, description, content, archived, creator_id, entity_id, created_at, updated_at)
			values ($1, $2, $3, $4, false, $5, $6, $7, $7) returning `+snippetColumns,
			n.Name, fold(n.Name), n.Description, n.Content, who.User, newEntityID(), w.now)
		if err != nil {
			return taken(err)
		}
		return w.ask(may, made)
	})
	return made, err
}

// UpdateSnippet changes a snippet, and asks may when its content or name
// changes. The snippets that name it by its old name name it by the new one
// then; questions know its id. Errors as CreateSnippet, and ErrNotFound.
func (s *Store) UpdateSnippet(ctx context.Context, who Actor, id int64, u SnippetUpdate, may func(SnippetWrite) error) (is Snippet, err error) {
	_, err = s.write(ctx, who, func(w *writer) error {
		// Writing the row first makes whatever else would change it wait.
		was, err := one(ctx, w.conn, scanSnippet, "update snippets set updated_at = $1 where id = $2 returning "+snippetColumns, w.now, id)
		if err != nil {
			return err
		}
		n := was
		set(&n.Name, u.Name)
		set(&n.Content, u.Content)
		set(&n.Description, u.Description)
		set(&n.Archived, u.Archived)
		if err := nameable(n.Name); err != nil {
			return err
		}
		is, err = one(ctx, w.conn, scanSnippet, "update snippets set name = $1, name_fold = $2, description = $3, content = $4, archived = $5 where id = $6 returning "+snippetColumns,
			n.Name, fold(n.Name), n.Description, n.Content, n.Archived, id)
		if err != nil {
			return taken(err)
		}
		if n.Content != was.Content || n.Name != was.Name {
			if err := w.ask(may, was, is); err != nil {
				return err
			}
		}
		if n.Name == was.Name {
			return nil
		}
		return w.renameInSnippets(ctx, was.Name, n.Name)
	})
	return is, err
}

// ask lets may decide about the write of a snippet, given as it was and is.
func (w *writer) ask(may func(SnippetWrite) error, states ...Snippet) error {
	if w.s.postgres != nil { // SQLite has one writer
		if _, err := w.exec(w.ctx, "lock table cards in share mode"); err != nil {
			return err
		}
	}
	to := SnippetWrite{Graph: w.graph, ids: map[int64]bool{}, names: map[string]bool{}}
	for _, s := range states {
		to.add(s)
	}
	others, err := w.namingOthers(w.ctx)
	if err != nil {
		return err
	}
	for more := true; more; {
		more = false
		for _, s := range others {
			if !to.ids[s.ID] && slices.ContainsFunc(mentioned(s.Content), func(name string) bool { return to.Reaches(0, name) }) {
				to.add(s)
				more = true
			}
		}
	}
	// JSON can say the word with escapes.
	to.Questions, err = list(w.ctx, w.conn, scanQuestion, `select dataset_query from cards where dataset_query like '%snippet:%' or dataset_query like '%!\u%' escape '!'`)
	if err != nil {
		return err
	}
	return may(to)
}

func (w SnippetWrite) add(s Snippet) {
	w.ids[s.ID] = true
	w.names[fold(s.Name)] = true
}

func scanQuestion(row scanner) (q json.RawMessage, err error) { return q, row.Scan(document{&q}) }

// namingOthers lists the snippets that may have others in them.
func (c conn) namingOthers(ctx context.Context) ([]Snippet, error) {
	return list(ctx, c, scanSnippet, "select "+snippetColumns+" from snippets where content like '%snippet:%'")
}

// mentioned are the names that may be meant by {{snippet: name}} in the content
// of a snippet, also where it is not right yet and somebody may mend it.
func mentioned(content string) (names []string) {
	for {
		_, after, found := strings.Cut(content, "snippet:")
		if !found {
			return names
		}
		name, _, _ := strings.Cut(after, "}}")
		names = append(names, strings.TrimSpace(name))
		content = after
	}
}

// snippetTag is a snippet that stands in SQL.
var snippetTag = regexp.MustCompile(`\{\{\s*snippet:([^}]*)\}\}`)

// renameInSnippets writes a snippet's new name where snippets name it.
func (c conn) renameInSnippets(ctx context.Context, was, is string) error {
	all, err := c.namingOthers(ctx)
	for _, s := range all {
		content := snippetTag.ReplaceAllStringFunc(s.Content, func(tag string) string {
			if fold(strings.TrimSpace(snippetTag.FindStringSubmatch(tag)[1])) != fold(was) {
				return tag
			}
			return "{{snippet: " + is + "}}"
		})
		if err == nil && content != s.Content {
			err = c.execOne(ctx, "update snippets set content = $1 where id = $2", content, s.ID)
		}
	}
	return err
}

// nameable refuses names that {{snippet: name}} could not name.
func nameable(name string) error {
	switch {
	case blank(name), strings.TrimSpace(name) != name, strings.Contains(name, "}"):
		return invalid("name", "The name of a snippet is not blank, has no } in it, and neither begins nor ends with a space.")
	case len(name) > 255: // so much query reads
		return invalid("name", "The name of a snippet has at most 255 bytes.")
	}
	return nil
}

func taken(err error) error {
	if isUnique(err) {
		return invalid("name", "A snippet with that name already exists. Please pick a different name.")
	}
	return err
}
