package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// Card is a saved question, model or metric. Its JSON is kept and returned
// byte by byte as it was given; nil is absent.
type Card struct {
	ID                    int64
	Name                  string
	Description           *string
	Display               string
	DatasetQuery          json.RawMessage
	VisualizationSettings json.RawMessage
	Parameters            json.RawMessage
	ParameterMappings     json.RawMessage
	ResultMetadata        json.RawMessage
	Type                  string  // "question" (also ""), "model" or "metric"
	QueryType             *string // "query" or "native"
	Database              *catalog.DatabaseID
	Table                 *catalog.TableID
	Collection            permission.CollectionID // permission.Root for the root
	CollectionPosition    *int
	CacheTTL              *int
	Archived              bool
	ArchivedDirectly      bool // false for what was archived with its collection
	Creator               permission.UserID
	EntityID              string
	CreatedAt             time.Time
	UpdatedAt             time.Time
	Dashboard             *int64 // of a question that lives in a dashboard
}

// CardQuery selects cards.
type CardQuery struct {
	Archived   Archived
	Collection *permission.CollectionID
	IDs        []int64 // among these; nil for all
	Database   *catalog.DatabaseID
	Table      *catalog.TableID
	Creator    permission.UserID // 0 for anybody
	Dashboard  *int64
}

// Card returns a card, archived or not, or ErrNotFound.
func (s *Store) Card(ctx context.Context, id int64) (Card, error) { return Card{}, errPending }

// CardByEntityID returns the card with the entity id, or ErrNotFound.
func (s *Store) CardByEntityID(ctx context.Context, id string) (Card, error) {
	return Card{}, errPending
}

// Cards lists the cards that the query selects, by name without regard to
// case.
func (s *Store) Cards(ctx context.Context, q CardQuery) ([]Card, error) { return nil, errPending }

// CreateCard saves a new card; its id, entity id and times are set here.
// Creator is who when zero. *InvalidError for a blank name or a collection,
// database, table or dashboard that is missing or archived.
func (s *Store) CreateCard(ctx context.Context, who Actor, c Card) (Card, error) {
	return Card{}, errPending
}

// UpdateCard writes the card with the id as given, but for its creator, entity
// id and creation time. Errors as CreateCard, and ErrNotFound.
func (s *Store) UpdateCard(ctx context.Context, who Actor, c Card) (Card, error) {
	return Card{}, errPending
}

// DeleteCard removes a card for good, also from dashboards. ErrNotFound when
// there is none.
func (s *Store) DeleteCard(ctx context.Context, who Actor, id int64) error { return errPending }
