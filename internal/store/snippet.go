package store

import (
	"context"
	"regexp"
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

// CreateSnippet makes a snippet; its id, entity id and times are set here.
// *InvalidError for a name that is taken or cannot stand between {{ and }}.
func (s *Store) CreateSnippet(ctx context.Context, who Actor, n Snippet) (made Snippet, err error) {
	if err := nameable(n.Name); err != nil {
		return Snippet{}, err
	}
	now := s.now()
	err = s.tx(ctx, func(c conn) error {
		made, err = one(ctx, c, scanSnippet, `insert into snippets (name, name_fold, description, content, archived, creator_id, entity_id, created_at, updated_at)
			values ($1, $2, $3, $4, false, $5, $6, $7, $7) returning `+snippetColumns,
			n.Name, fold(n.Name), n.Description, n.Content, who.User, newEntityID(), now)
		return taken(err)
	})
	return made, err
}

// UpdateSnippet changes a snippet. The snippets that name it by its old name
// name it by the new one then; questions know its id. Errors as CreateSnippet,
// and ErrNotFound.
func (s *Store) UpdateSnippet(ctx context.Context, id int64, u SnippetUpdate) (is Snippet, err error) {
	now := s.now()
	err = s.tx(ctx, func(c conn) error {
		// Writing the row first makes whatever else would change it wait.
		was, err := one(ctx, c, scanSnippet, "update snippets set updated_at = $1 where id = $2 returning "+snippetColumns, now, id)
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
		is, err = one(ctx, c, scanSnippet, "update snippets set name = $1, name_fold = $2, description = $3, content = $4, archived = $5 where id = $6 returning "+snippetColumns,
			n.Name, fold(n.Name), n.Description, n.Content, n.Archived, id)
		if err != nil || n.Name == was.Name {
			return taken(err)
		}
		return c.renameInSnippets(ctx, was.Name, n.Name)
	})
	return is, err
}

// inSnippet is a snippet that stands in SQL.
var inSnippet = regexp.MustCompile(`\{\{\s*snippet:([^}]*)\}\}`)

// renameInSnippets writes a snippet's new name where snippets name it.
func (c conn) renameInSnippets(ctx context.Context, was, is string) error {
	all, err := list(ctx, c, scanSnippet, "select "+snippetColumns+" from snippets where content like '%snippet:%'")
	for _, s := range all {
		content := inSnippet.ReplaceAllStringFunc(s.Content, func(tag string) string {
			if fold(strings.TrimSpace(inSnippet.FindStringSubmatch(tag)[1])) != fold(was) {
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
