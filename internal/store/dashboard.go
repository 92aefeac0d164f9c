package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
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
	ID           int64
	Card         *int64
	Tab          *int64
	Row, Col     int
	SizeX, SizeY int
	DashcardSettings
	Series    []int64 // further cards drawn with Card
	EntityID  string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// DashcardSettings is what is set for a dashcard. All of it speaks of its cards,
// so that it is kept, copied and left out as a whole.
type DashcardSettings struct {
	VisualizationSettings json.RawMessage
	ParameterMappings     json.RawMessage
	InlineParameters      json.RawMessage
}

// DashboardUpdate changes a dashboard; what is nil stays as it is. Tabs and
// Dashcards are the complete new lists: ids <= 0 create, and a dashcard may
// name a new tab by the negative id it has in Tabs; what the lists leave out
// is removed.
type DashboardUpdate struct {
	Name, Width                  *string
	Description                  **string
	Parameters                   json.RawMessage
	AutoApplyFilters, Archived   *bool
	Collection                   *permission.CollectionID // moves it
	CollectionPosition, CacheTTL **int
	Tabs                         []Tab
	Dashcards                    []Dashcard
	Reversion                    bool // it brings back what the dashboard was
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
		d, err = readDashboard(ctx, c, id)
		return err
	})
	return d, err
}

func readDashboard(ctx context.Context, c conn, id int64) (Dashboard, error) {
	d, err := one(ctx, c, scanDashboard, "select "+dashboardColumns+" from dashboards where id = $1", id)
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

// CreateDashboard makes a dashboard, with the tabs and dashcards it is given,
// and saves the cards with it, which are not pinned: all or nothing. Dashcards
// and their mappings name those cards by the ids that they are given with, such
// as those of the cards that they are copies of. Creator is who when zero.
// Errors as UpdateDashboard and CreateCard, but for ErrNotFound and ErrChanged.
func (s *Store) CreateDashboard(ctx context.Context, who Actor, n Dashboard, cards ...Card) (made Dashboard, err error) {
	if n.Creator == 0 {
		n.Creator = who.User
	}
	now := s.now()
	err = s.tx(ctx, func(c conn) error {
		if err := c.enter(ctx, place{}, n.place(), false); err != nil {
			return err
		}
		if err := checkDashboard(&n); err != nil {
			return err
		}
		if err := c.repin(ctx, place{}, n.place()); err != nil {
			return err
		}
		saved := map[int64]int64{}
		for _, card := range cards {
			made, err := c.createCard(ctx, who, card, now)
			if err != nil {
				return err
			}
			saved[card.ID] = made.ID
		}
		n.Dashcards = named(n.Dashcards, saved)
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
		if made, err = readDashboard(ctx, c, id); err != nil {
			return err
		}
		return c.keepFirst(ctx, who, Past{At: now, Dashboard: &made})
	})
	return made, err
}

// named is the dashcards with the ids of saved cards in place of those that
// they were given by.
func named(dashcards []Dashcard, saved map[int64]int64) []Dashcard {
	id := func(id int64) int64 {
		if to, ok := saved[id]; ok {
			return to
		}
		return id
	}
	all := slices.Clone(dashcards)
	for i := range all {
		dc := &all[i]
		if dc.Card != nil {
			dc.Card = new(id(*dc.Card))
		}
		dc.Series = slices.Clone(dc.Series)
		for j := range dc.Series {
			dc.Series[j] = id(dc.Series[j])
		}
		if len(saved) > 0 {
			dc.ParameterMappings = remapped(dc.ParameterMappings, id)
		}
	}
	return all
}

// remapped is the mappings of a dashcard with other cards in them. Mappings that
// name none stay as they are, byte by byte.
func remapped(mappings json.RawMessage, id func(int64) int64) json.RawMessage {
	var all []map[string]json.RawMessage
	if json.Unmarshal(mappings, &all) != nil {
		return mappings
	}
	changed := false
	for _, m := range all {
		n, err := strconv.ParseInt(strings.Trim(string(m["card_id"]), `"`), 10, 64)
		if err == nil && id(n) != n {
			m["card_id"], changed = strconv.AppendInt(nil, id(n), 10), true
		}
	}
	data, err := json.Marshal(all)
	if err != nil || !changed {
		return mappings
	}
	return data
}

// UpdateDashboard changes a dashboard that was as given when it was decided
// that who may change it so. Nothing is written, and the error is ErrChanged,
// when it was moved, archived or restored since, or got other dashcards or
// parameters and the update has some: both together say who may filter what.
// ErrNotFound; *InvalidError for a blank name, a collection or card that is
// missing or archived, an id that is not of this dashboard.
func (s *Store) UpdateDashboard(ctx context.Context, who Actor, was Dashboard, u DashboardUpdate) (is Dashboard, err error) {
	now := s.now()
	err = s.tx(ctx, func(c conn) error {
		if err := c.enter(ctx, was.place(), u.over(was).place(), u.CollectionPosition != nil); err != nil {
			return err
		}
		// Writing the row first makes whatever else would change it wait.
		changed, err := c.exec(ctx, "update dashboards set updated_at = $1 where id = $2", now, was.ID)
		if err == nil && changed == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		if is, err = readDashboard(ctx, c, was.ID); err != nil {
			return err
		}
		connects := u.Dashcards != nil || u.Parameters != nil
		if is.Collection != was.Collection || is.Archived != was.Archived ||
			connects && (!bytes.Equal(is.Parameters, was.Parameters) || !slices.EqualFunc(is.Dashcards, was.Dashcards, Dashcard.same)) {
			return fmt.Errorf("dashboard %d: %w", was.ID, ErrChanged)
		}
		before, n := Past{At: was.UpdatedAt, Dashboard: new(is)}, u.over(is)
		if err := checkDashboard(&n); err != nil {
			return err
		}
		if err := c.repin(ctx, is.place(), n.place()); err != nil {
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
		if err := (layout{conn: c, ctx: ctx, now: now, dashboard: n.ID}).write(n, is); err != nil {
			return err
		}
		if is, err = readDashboard(ctx, c, n.ID); err != nil {
			return err
		}
		return c.keep(ctx, who, before, Past{At: now, Reversion: u.Reversion, Dashboard: &is})
	})
	return is, err
}

func (d Dashboard) place() place { return place{d.Collection, d.CollectionPosition, d.Archived} }

// over is the dashboard with the changes; its lists are those of the update.
func (u DashboardUpdate) over(d Dashboard) Dashboard {
	set(&d.Name, u.Name)
	set(&d.Width, u.Width)
	set(&d.Description, u.Description)
	setJSON(&d.Parameters, u.Parameters)
	set(&d.AutoApplyFilters, u.AutoApplyFilters)
	set(&d.Collection, u.Collection)
	set(&d.CollectionPosition, u.CollectionPosition)
	set(&d.CacheTTL, u.CacheTTL)
	if u.Archived != nil && *u.Archived && !d.Archived {
		d.CollectionPosition = nil // it comes back unpinned
	}
	set(&d.Archived, u.Archived)
	d.Tabs, d.Dashcards = u.Tabs, u.Dashcards
	return d
}

// same tells whether two dashcards are alike but for their times.
func (d Dashcard) same(o Dashcard) bool {
	d.CreatedAt, d.UpdatedAt = o.CreatedAt, o.UpdatedAt
	return reflect.DeepEqual(d, o)
}

// checkDashboard fills in what may be left out and refuses what cannot be
// saved.
func checkDashboard(n *Dashboard) error {
	if blank(n.Name) {
		return invalid("name", "value must be a non-blank string.")
	}
	if n.Width == "" {
		n.Width = "fixed"
	}
	return nil
}

// DeleteDashboard removes a dashboard for good, with the questions that live
// in it. Errors as DeleteCard.
func (s *Store) DeleteDashboard(ctx context.Context, who Actor, was Dashboard) error {
	return s.remove(ctx, who, Item{OfDashboard, was.ID}, was.Collection, was.Archived)
}
