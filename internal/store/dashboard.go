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

// Dashboard returns a dashboard with its tabs by position and its dashcards,
// or ErrNotFound.
func (s *Store) Dashboard(ctx context.Context, id int64) (Dashboard, error) {
	return Dashboard{}, errPending
}

// DashboardByEntityID returns the dashboard with the entity id, or ErrNotFound.
func (s *Store) DashboardByEntityID(ctx context.Context, id string) (Dashboard, error) {
	return Dashboard{}, errPending
}

// Dashboards lists the dashboards that the query selects, by name without
// regard to case, without tabs and dashcards.
func (s *Store) Dashboards(ctx context.Context, q DashboardQuery) ([]Dashboard, error) {
	return nil, errPending
}

// CreateDashboard makes a dashboard, with the tabs and dashcards it is given.
// Errors as UpdateDashboard.
func (s *Store) CreateDashboard(ctx context.Context, who Actor, d Dashboard) (Dashboard, error) {
	return Dashboard{}, errPending
}

// UpdateDashboard writes the dashboard with the id as given, but for its
// creator, entity id and creation time. Tabs and Dashcards are the complete
// new lists: ids <= 0 create, and a dashcard may name a new tab by the
// negative id it has in Tabs; what the lists leave out is removed; nil lists
// leave as it is. ErrNotFound; *InvalidError for a blank name, a collection or
// card that is missing or archived, an id that is not of this dashboard.
func (s *Store) UpdateDashboard(ctx context.Context, who Actor, d Dashboard) (Dashboard, error) {
	return Dashboard{}, errPending
}

// DeleteDashboard removes a dashboard for good, with the questions that live
// in it. ErrNotFound when there is none.
func (s *Store) DeleteDashboard(ctx context.Context, who Actor, id int64) error { return errPending }
