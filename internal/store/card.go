package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

	// Snippets are what was read of the SQL in the question when it was decided
	// that it may be saved. They are not stored.
	Snippets []Snippet
}

// CardUpdate changes a card; what is nil stays as it is.
type CardUpdate struct {
	Name, Display, Type           *string
	Description, QueryType        **string
	Question                      *CardQuestion
	VisualizationSettings         json.RawMessage
	Parameters, ParameterMappings json.RawMessage
	Collection                    *permission.CollectionID // moves it
	Archived                      *bool
	CollectionPosition, CacheTTL  **int
	Reversion                     bool // it brings back what the card was
}

// CardQuestion is what a card asks, with what was found out about it.
type CardQuestion struct {
	DatasetQuery, ResultMetadata json.RawMessage
	QueryType                    *string
	Database                     *catalog.DatabaseID
	Table                        *catalog.TableID
	Snippets                     []Snippet // as in Card
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

const cardColumns = `id, name, description, display, dataset_query, visualization_settings, parameters, parameter_mappings, result_metadata,
	type, query_type, database_id, table_id, coalesce(collection_id, 0), collection_position, cache_ttl, archived, archived_directly,
	creator_id, entity_id, created_at, updated_at, dashboard_id`

func scanCard(row scanner) (c Card, err error) {
	return c, row.Scan(&c.ID, &c.Name, &c.Description, &c.Display, document{&c.DatasetQuery}, document{&c.VisualizationSettings},
		document{&c.Parameters}, document{&c.ParameterMappings}, document{&c.ResultMetadata}, &c.Type, &c.QueryType, &c.Database, &c.Table,
		&c.Collection, &c.CollectionPosition, &c.CacheTTL, &c.Archived, &c.ArchivedDirectly, &c.Creator, &c.EntityID,
		moment{&c.CreatedAt}, moment{&c.UpdatedAt}, &c.Dashboard)
}

// Card returns a card, archived or not, or ErrNotFound.
func (s *Store) Card(ctx context.Context, id int64) (Card, error) {
	return readCard(ctx, s.reader(), id)
}

func readCard(ctx context.Context, c conn, id int64) (Card, error) {
	return one(ctx, c, scanCard, "select "+cardColumns+" from cards where id = $1", id)
}

// Cards lists the cards that the query selects, by name without regard to
// case.
func (s *Store) Cards(ctx context.Context, q CardQuery) ([]Card, error) {
	all := []Card{}
	for _, ids := range chunks(q.IDs) {
		var w where
		w.archived(q.Archived, "archived")
		if q.IDs != nil {
			in(&w, "id", ids)
		}
		if q.Collection != nil {
			w.place("collection_id", int64(*q.Collection))
		}
		if q.Database != nil {
			w.and("database_id = ?", *q.Database)
		}
		if q.Table != nil {
			w.and("table_id = ?", *q.Table)
		}
		if q.Creator != 0 {
			w.and("creator_id = ?", q.Creator)
		}
		if q.Dashboard != nil {
			w.and("dashboard_id = ?", *q.Dashboard)
		}
		some, err := list(ctx, s.reader(), scanCard, "select "+cardColumns+" from cards"+w.String()+" order by name_fold, id", w.args...)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// CreateCard saves a new card; its id, entity id and times are set here.
// Creator is who when zero. *InvalidError for a blank name or a collection,
// database, table or dashboard that is missing or archived; ErrChanged when one
// of its snippets has changed.
func (s *Store) CreateCard(ctx context.Context, who Actor, n Card) (made Card, err error) {
	now := s.now()
	err = s.tx(ctx, func(c conn) error {
		made, err = c.createCard(ctx, who, n, now)
		return err
	})
	return made, err
}

func (c conn) createCard(ctx context.Context, who Actor, n Card, now time.Time) (Card, error) {
	if n.Creator == 0 {
		n.Creator = who.User
	}
	if err := c.enter(ctx, place{}, n.place(), false); err != nil {
		return Card{}, err
	}
	if err := c.checkCard(ctx, &n, Card{}); err != nil {
		return Card{}, err
	}
	if err := c.repin(ctx, place{}, n.place()); err != nil {
		return Card{}, err
	}
	made, err := one(ctx, c, scanCard, `insert into cards (name, name_fold, description, display, dataset_query, visualization_settings,
		parameters, parameter_mappings, result_metadata, type, query_type, database_id, table_id, collection_id, collection_position,
		cache_ttl, archived, archived_directly, creator_id, entity_id, created_at, updated_at, dashboard_id)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17, $18, $19, $20, $20, $21) returning `+cardColumns,
		n.Name, fold(n.Name), n.Description, n.Display, n.DatasetQuery, n.VisualizationSettings, n.Parameters, n.ParameterMappings,
		n.ResultMetadata, n.Type, n.QueryType, n.Database, n.Table, null(n.Collection), n.CollectionPosition, n.CacheTTL, n.Archived,
		n.Creator, newEntityID(), now, n.Dashboard)
	if err != nil {
		return Card{}, gone(err)
	}
	if err := c.unchanged(ctx, n.Snippets); err != nil {
		return Card{}, err
	}
	return made, c.keepFirst(ctx, who, Past{At: now, Card: &made})
}

// UpdateCard changes a card that was as given when it was decided that who may
// change it so. Nothing is written, and the error is ErrChanged, when that no
// longer holds: when it was moved, archived or restored since, or got another
// question or other parameters and the update says something about them, or when
// a snippet of the new question has changed. Other errors as CreateCard, and
// ErrNotFound.
func (s *Store) UpdateCard(ctx context.Context, who Actor, was Card, u CardUpdate) (is Card, err error) {
	now := s.now()
	err = s.tx(ctx, func(c conn) error {
		if err := c.enter(ctx, was.place(), u.over(was).place(), u.CollectionPosition != nil); err != nil {
			return err
		}
		// Writing the row first makes whatever else would change it wait.
		is, err = one(ctx, c, scanCard, "update cards set updated_at = $1 where id = $2 returning "+cardColumns, now, was.ID)
		if err != nil {
			return err
		}
		if u.stale(was, is) {
			return fmt.Errorf("card %d: %w", was.ID, ErrChanged)
		}
		before, n := Past{At: was.UpdatedAt, Card: new(is)}, u.over(is)
		if err := c.checkCard(ctx, &n, is); err != nil {
			return err
		}
		if err := c.repin(ctx, is.place(), n.place()); err != nil {
			return err
		}
		is, err = one(ctx, c, scanCard, `update cards set name = $1, name_fold = $2, description = $3, display = $4, dataset_query = $5,
			visualization_settings = $6, parameters = $7, parameter_mappings = $8, result_metadata = $9, type = $10, query_type = $11,
			database_id = $12, table_id = $13, collection_id = $14, collection_position = $15, cache_ttl = $16, archived = $17,
			archived_directly = $17 and (archived_directly or not archived), archived_with = case when $17 then archived_with end
			where id = $18 returning `+cardColumns,
			n.Name, fold(n.Name), n.Description, n.Display, n.DatasetQuery, n.VisualizationSettings, n.Parameters, n.ParameterMappings,
			n.ResultMetadata, n.Type, n.QueryType, n.Database, n.Table, null(n.Collection), n.CollectionPosition, n.CacheTTL, n.Archived,
			n.ID)
		if err != nil {
			return gone(err)
		}
		if u.Question != nil {
			if err := c.unchanged(ctx, u.Question.Snippets); err != nil {
				return err
			}
		}
		return c.keep(ctx, who, before, Past{At: now, Reversion: u.Reversion, Card: &is})
	})
	return is, err
}

// stale tells whether a card is no longer what it was in that on which the
// right to change it so depends. Who may give it a question or parameters
// depends on both that it has.
func (u CardUpdate) stale(was, is Card) bool {
	asks := u.Question != nil || u.Parameters != nil
	return is.Collection != was.Collection || is.Archived != was.Archived ||
		asks && (!bytes.Equal(is.DatasetQuery, was.DatasetQuery) || !bytes.Equal(is.Parameters, was.Parameters))
}

func (c Card) place() place { return place{c.Collection, c.CollectionPosition, c.Archived} }

// over is the card with the changes.
func (u CardUpdate) over(c Card) Card {
	set(&c.Name, u.Name)
	set(&c.Display, u.Display)
	set(&c.Type, u.Type)
	set(&c.Description, u.Description)
	if q := u.Question; q != nil {
		c.DatasetQuery, c.ResultMetadata, c.QueryType, c.Database, c.Table = q.DatasetQuery, q.ResultMetadata, q.QueryType, q.Database, q.Table
	}
	set(&c.QueryType, u.QueryType)
	setJSON(&c.VisualizationSettings, u.VisualizationSettings)
	setJSON(&c.Parameters, u.Parameters)
	setJSON(&c.ParameterMappings, u.ParameterMappings)
	set(&c.Collection, u.Collection)
	set(&c.CollectionPosition, u.CollectionPosition)
	set(&c.CacheTTL, u.CacheTTL)
	if u.Archived != nil && *u.Archived && !c.Archived {
		c.CollectionPosition = nil // it comes back unpinned
	}
	set(&c.Archived, u.Archived)
	return c
}

func setJSON(into *json.RawMessage, v json.RawMessage) {
	if v != nil {
		*into = v
	}
}

// checkCard fills in what may be left out and refuses what cannot be saved.
// What was so before is not asked again.
func (c conn) checkCard(ctx context.Context, n *Card, was Card) error {
	if blank(n.Name) {
		return invalid("name", "value must be a non-blank string.")
	}
	if n.Type == "" {
		n.Type = "question"
	}
	if n.Display == "" {
		n.Display = "table"
	}
	cat := c.s.Graph().Catalog()
	if n.Database != nil && !same(n.Database, was.Database) && cat.Database(*n.Database) == nil {
		return invalid("database_id", "There is no database %d.", *n.Database)
	}
	if n.Table != nil && !same(n.Table, was.Table) && cat.Table(*n.Table) == nil {
		return invalid("table_id", "There is no table %d.", *n.Table)
	}
	if n.Dashboard != nil && !same(n.Dashboard, was.Dashboard) {
		if _, err := one(ctx, c, value[int64], "select id from dashboards where id = $1", *n.Dashboard); err != nil {
			return otherwise(err, invalid("dashboard_id", "There is no dashboard %d.", *n.Dashboard))
		}
	}
	return nil
}

// checkPlace refuses a collection that content cannot be put into. Until the
// transaction ends it is not archived. Who writes content as well calls this
// first, as who archives a collection writes that first and then what is in it.
func (c conn) checkPlace(ctx context.Context, id permission.CollectionID) error {
	if id == permission.Root {
		return nil
	}
	find := "select archived from collections where id = $1"
	if c.s.postgres != nil { // SQLite has one writer
		find += " for share"
	}
	archived, err := one(ctx, c, value[bool], find, id)
	switch {
	case err != nil:
		return otherwise(err, invalid("collection_id", "There is no collection %d.", id))
	case archived:
		return invalid("collection_id", "Collection %d is archived.", id)
	}
	return nil
}

// otherwise is instead when err says that something was not found.
func otherwise(err, instead error) error {
	if errors.Is(err, ErrNotFound) {
		return instead
	}
	return err
}

// gone makes an InvalidError of something that is referred to and has gone
// since it was looked up.
func gone(err error) error {
	if isForeign(err) {
		return invalid("", "Something that this refers to is not there.")
	}
	return err
}

func same[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// DeleteCard removes a card for good, also from dashboards. ErrNotFound when
// there is none; ErrChanged when it was moved, archived or restored since it was
// as given.
func (s *Store) DeleteCard(ctx context.Context, who Actor, was Card) error {
	return s.remove(ctx, who, Item{OfCard, was.ID}, was.Collection, was.Archived)
}

// remove deletes content for good that lies where it was decided that who may
// do so, and notes it.
func (s *Store) remove(ctx context.Context, who Actor, what Item, from permission.CollectionID, archived bool) error {
	now, kind := s.now(), string(what.Kind)
	return s.tx(ctx, func(c conn) error {
		n, err := c.exec(ctx, "delete from "+kind+"s where id = $1 and coalesce(collection_id, 0) = $2 and archived = $3", what.ID, from, archived)
		if err == nil && n == 0 {
			if _, err = one(ctx, c, value[int64], "select id from "+kind+"s where id = $1", what.ID); err == nil {
				err = fmt.Errorf("%s %d: %w", kind, what.ID, ErrChanged)
			}
		}
		if err != nil {
			return err
		}
		return recordEvent(ctx, c, AuditEvent{At: now, Kind: kind, Actor: who, Details: fmt.Appendf(nil, `{"id":%d,"deleted":true}`, what.ID)})
	})
}
