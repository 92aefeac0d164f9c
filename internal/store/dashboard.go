package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Dashboard is a page of cards. Lists leave out Tabs and Dashcards.
type Dashboard struct {
	ID                 int64
	Name               string
	Description        *string
	Parameters         json.RawMessage
	Width              string // "fixed" (also "") or "full"
	AutoApplyFilters   bool
	Collection         permission.CollectionID
	CollectionPosition *int
	CacheTTL           *int
	Archived           bool
	ArchivedDirectly   bool
	Creator            permission.UserID
	EntityID           string
	CreatedAt          time.Time
	UpdatedAt          time.Time
	Tabs               []Tab
	Dashcards          []Dashcard
}

// Tab is one of several pages of a dashboard.
type Tab struct {
	ID       int64
	Name     string
	Position int
	EntityID string
}

// Dashcard is a card, or a text without card, at a place of a dashboard.
type Dashcard struct {
	ID                    int64
	Card                  *int64
	Tab                   *int64
	Row, Col              int
	SizeX, SizeY          int
	VisualizationSettings json.RawMessage
	ParameterMappings     json.RawMessage
	InlineParameters      json.RawMessage
	Series                []int64 // further cards drawn with Card
	EntityID              string
	CreatedAt             time.Time
	UpdatedAt             time.Time
}

// DashboardQuery selects dashboards.
type DashboardQuery struct {
	Archived   Archived
	Collection *permission.CollectionID
	IDs        []int64           // among these; nil for all
	Creator    permission.UserID // 0 for anybody
	Card       *int64            // that show the card
}

const dashboardColumns = `id, name, description, parameters, width, auto_apply_filters, coalesce(collection_id, 0), collection_position,
	cache_ttl, archived, archived_directly, creator_id, entity_id, created_at, updated_at`

func scanDashboard(row scanner) (d Dashboard, err error) {
	return d, row.Scan(&d.ID, &d.Name, &d.Description, document{&d.Parameters}, &d.Width, &d.AutoApplyFilters, &d.Collection,
		&d.CollectionPosition, &d.CacheTTL, &d.Archived, &d.ArchivedDirectly, &d.Creator, &d.EntityID, moment{&d.CreatedAt}, moment{&d.UpdatedAt})
}

// Dashboard returns a dashboard with its tabs by position and its dashcards,
// or ErrNotFound.
func (s *Store) Dashboard(ctx context.Context, id int64) (d Dashboard, err error) {
	err = s.view(ctx, func(c conn) error {
		d, err = readDashboard(ctx, c, "id", id)
		return err
	})
	return d, err
}

// DashboardByEntityID returns the dashboard with the entity id, or ErrNotFound.
func (s *Store) DashboardByEntityID(ctx context.Context, id string) (d Dashboard, err error) {
	err = s.view(ctx, func(c conn) error {
		d, err = readDashboard(ctx, c, "entity_id", id)
		return err
	})
	return d, err
}

func readDashboard(ctx context.Context, c conn, column string, id any) (Dashboard, error) {
	d, err := one(ctx, c, scanDashboard, "select "+dashboardColumns+" from dashboards where "+column+" = $1", id)
	if err != nil {
		return d, err
	}
	if d.Tabs, err = readTabs(ctx, c, d.ID); err != nil {
		return d, err
	}
	d.Dashcards, err = readDashcards(ctx, c, d.ID)
	return d, err
}

func readTabs(ctx context.Context, c conn, dashboard int64) ([]Tab, error) {
	return list(ctx, c, func(row scanner) (t Tab, err error) {
		return t, row.Scan(&t.ID, &t.Name, &t.Position, &t.EntityID)
	}, "select id, name, position, entity_id from dashboard_tabs where dashboard_id = $1 order by position, id", dashboard)
}

func readDashcards(ctx context.Context, c conn, dashboard int64) ([]Dashcard, error) {
	cards, err := list(ctx, c, func(row scanner) (d Dashcard, err error) {
		return d, row.Scan(&d.ID, &d.Card, &d.Tab, &d.Row, &d.Col, &d.SizeX, &d.SizeY, document{&d.VisualizationSettings},
			document{&d.ParameterMappings}, document{&d.InlineParameters}, &d.EntityID, moment{&d.CreatedAt}, moment{&d.UpdatedAt})
	}, `select id, card_id, tab_id, place_row, place_col, size_x, size_y, visualization_settings, parameter_mappings, inline_parameters,
		entity_id, created_at, updated_at from dashcards where dashboard_id = $1 order by id`, dashboard)
	if err != nil {
		return nil, err
	}
	at := map[int64]*Dashcard{}
	for i := range cards {
		at[cards[i].ID] = &cards[i]
	}
	_, err = list(ctx, c, func(row scanner) (struct{}, error) {
		var dashcard, card int64
		err := row.Scan(&dashcard, &card)
		if d := at[dashcard]; d != nil {
			d.Series = append(d.Series, card)
		}
		return struct{}{}, err
	}, `select s.dashcard_id, s.card_id from dashcard_series s join dashcards d on d.id = s.dashcard_id
		where d.dashboard_id = $1 order by s.dashcard_id, s.position`, dashboard)
	return cards, err
}

// Dashboards lists the dashboards that the query selects, by name without
// regard to case, without tabs and dashcards.
func (s *Store) Dashboards(ctx context.Context, q DashboardQuery) ([]Dashboard, error) {
	all := []Dashboard{}
	for _, ids := range chunks(q.IDs) {
		var w where
		w.archived(q.Archived, "archived")
		if q.IDs != nil {
			in(&w, "id", ids)
		}
		if q.Collection != nil {
			w.place("collection_id", int64(*q.Collection))
		}
		if q.Creator != 0 {
			w.and("creator_id = ?", q.Creator)
		}
		if q.Card != nil {
			w.and(`id in (select d.dashboard_id from dashcards d where d.card_id = ? union
				select d.dashboard_id from dashcards d join dashcard_series s on s.dashcard_id = d.id where s.card_id = ?)`, *q.Card, *q.Card)
		}
		some, err := list(ctx, s.reader(), scanDashboard, "select "+dashboardColumns+" from dashboards"+w.String()+" order by name_fold, id", w.args...)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// CreateDashboard makes a dashboard, with the tabs and dashcards it is given.
// Creator is who when zero. Errors as UpdateDashboard.
func (s *Store) CreateDashboard(ctx context.Context, who Actor, n Dashboard) (made Dashboard, err error) {
	if n.Creator == 0 {
		n.Creator = who.User
	}
	now := s.now()
	err = s.tx(ctx, func(c conn) error {
		if err := c.checkDashboard(ctx, &n, Dashboard{}); err != nil {
			return err
		}
		id, err := one(ctx, c, value[int64], `insert into dashboards (name, name_fold, description, parameters, width, auto_apply_filters,
			collection_id, collection_position, cache_ttl, archived, archived_directly, creator_id, entity_id, created_at, updated_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12, $13, $13) returning id`,
			n.Name, fold(n.Name), n.Description, n.Parameters, n.Width, n.AutoApplyFilters, null(n.Collection), n.CollectionPosition,
			n.CacheTTL, n.Archived, n.Creator, newEntityID(), now)
		if err != nil {
			return gone(err)
		}
		if err := (layout{conn: c, ctx: ctx, now: now, dashboard: id}).write(n, Dashboard{}); err != nil {
			return err
		}
		made, err = readDashboard(ctx, c, "id", id)
		return err
	})
	return made, err
}

// UpdateDashboard writes the dashboard with the id as given, but for its
// creator, entity id and creation time. Tabs and Dashcards are the complete
// new lists: ids <= 0 create, and a dashcard may name a new tab by the
// negative id it has in Tabs; what the lists leave out is removed; nil lists
// leave as it is. ErrNotFound; *InvalidError for a blank name, a collection or
// card that is missing or archived, an id that is not of this dashboard.
func (s *Store) UpdateDashboard(ctx context.Context, who Actor, n Dashboard) (is Dashboard, err error) {
	now := s.now()
	err = s.tx(ctx, func(c conn) error {
		// Writing the row first makes concurrent updates wait for each other.
		n2, err := c.exec(ctx, "update dashboards set updated_at = $1 where id = $2", now, n.ID)
		if err == nil && n2 == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		was, err := readDashboard(ctx, c, "id", n.ID)
		if err != nil {
			return err
		}
		if err := c.checkDashboard(ctx, &n, was); err != nil {
			return err
		}
		err = c.execOne(ctx, `update dashboards set name = $1, name_fold = $2, description = $3, parameters = $4, width = $5, auto_apply_filters = $6,
			collection_id = $7, collection_position = $8, cache_ttl = $9, archived = $10,
			archived_directly = $10 and (archived_directly or not archived), archived_with = case when $10 then archived_with end where id = $11`,
			n.Name, fold(n.Name), n.Description, n.Parameters, n.Width, n.AutoApplyFilters, null(n.Collection), n.CollectionPosition,
			n.CacheTTL, n.Archived, n.ID)
		if err != nil {
			return gone(err)
		}
		if err := (layout{conn: c, ctx: ctx, now: now, dashboard: n.ID}).write(n, was); err != nil {
			return err
		}
		is, err = readDashboard(ctx, c, "id", n.ID)
		return err
	})
	return is, err
}

// checkDashboard fills in what may be left out and refuses what cannot be
// saved. What was so before is not asked again.
func (c conn) checkDashboard(ctx context.Context, n *Dashboard, was Dashboard) error {
	if blank(n.Name) {
		return invalid("name", "value must be a non-blank string.")
	}
	if n.Width == "" {
		n.Width = "fixed"
	}
	if !n.Archived && (was.ID == 0 || was.Archived || n.Collection != was.Collection) {
		return c.checkPlace(ctx, n.Collection)
	}
	return nil
}

// DeleteDashboard removes a dashboard for good, with the questions that live
// in it. ErrNotFound when there is none.
func (s *Store) DeleteDashboard(ctx context.Context, who Actor, id int64) error {
	return s.remove(ctx, who, "dashboard", "delete from dashboards where id = $1", id)
}
