package store

import (
	"context"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Archived selects by whether something is in the trash. Its zero value leaves
// out what is.
type Archived uint8

// The selections.
const (
	NotArchived Archived = iota
	OnlyArchived
	WithArchived
)

// Collection is a folder of questions, dashboards and other collections.
type Collection struct {
	ID               permission.CollectionID
	Name             string
	Slug             string
	Description      *string
	Parent           permission.CollectionID // permission.Root at the top level
	Location         string                  // the ids above it: "/1/2/"
	Archived         bool
	ArchivedDirectly bool // false for what was archived with a collection above
	Type             *string
	Namespace        *string
	AuthorityLevel   *string
	Owner            permission.UserID // of a personal root collection only
	EntityID         string
	CreatedAt        time.Time
}

// CollectionQuery selects collections.
type CollectionQuery struct {
	Archived Archived
	Parent   *permission.CollectionID  // directly in it; permission.Root for the top level
	IDs      []permission.CollectionID // among these; nil for all
}

// NewCollection is a collection to create.
type NewCollection struct {
	Name           string
	Description    *string
	Parent         permission.CollectionID
	Type           *string
	Namespace      *string
	AuthorityLevel *string
	// InheritRead copies the parent's read rows as well as its write rows.
	InheritRead bool
}

// CollectionUpdate says what to change about a collection; nil leaves as it
// is.
type CollectionUpdate struct {
	Name           *string
	Description    **string
	Parent         *permission.CollectionID // moves it; with Archived false, where to restore it
	Archived       *bool
	AuthorityLevel **string
	Type           **string
}

// Collections lists the collections that the query selects, by name without
// regard to case.
func (s *Store) Collections(ctx context.Context, q CollectionQuery) ([]Collection, error) {
	return nil, errPending
}

// Collection returns a collection, or ErrNotFound.
func (s *Store) Collection(ctx context.Context, id permission.CollectionID) (Collection, error) {
	return Collection{}, errPending
}

// CollectionByEntityID returns the collection with the entity id, or
// ErrNotFound.
func (s *Store) CollectionByEntityID(ctx context.Context, id string) (Collection, error) {
	return Collection{}, errPending
}

// CollectionContents tells which kinds of live content lie directly in each
// collection that has any: "card", "dataset", "metric", "dashboard", sorted.
func (s *Store) CollectionContents(ctx context.Context) (map[permission.CollectionID][]string, error) {
	return nil, errPending
}

// CreateCollection makes a collection. It takes the parent's write rows, and
// its read rows with InheritRead; inside a personal collection there are none.
// *InvalidError for a blank name, a parent that is missing or archived, or a
// namespace other than the parent's.
func (s *Store) CreateCollection(ctx context.Context, who Actor, n NewCollection) (Collection, error) {
	return Collection{}, errPending
}

// UpdateCollection renames, describes, moves, archives or restores a
// collection. Archiving takes everything in it along; restoring brings back
// what went with it. A move between an ordinary and a personal tree changes
// the owner of everything below; into a personal one the rows are deleted, out
// of it the new parent's rows are copied. ErrNotFound, and *InvalidError for a
// move into itself, a missing or archived target, a name that is blank, and
// for moving or archiving a personal root.
func (s *Store) UpdateCollection(ctx context.Context, who Actor, id permission.CollectionID, u CollectionUpdate) (Collection, error) {
	return Collection{}, errPending
}
