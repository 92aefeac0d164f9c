package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Past is a revision of a card or dashboard: what it was after a write. It is
// kept in the transaction of the write. Of the card or dashboard only what
// people set is there, without pins, and of one that was too large to keep (see
// mostPast) only the collection that it lay in.
type Past struct {
	ID        int64
	At        time.Time
	User      permission.UserID // who wrote; 0 for a state found in which nobody had left it
	Creation  bool
	Reversion bool
	TooLarge  bool
	Card      *Card
	Dashboard *Dashboard
}

// Bounds of what is kept of one card or dashboard.
const (
	mostPasts = 15      // as Metabase
	mostPast  = 4 << 20 // bytes
)

// Collection is where it lay.
func (p Past) Collection() permission.CollectionID {
	if p.Card != nil {
		return p.Card.Collection
	}
	return p.Dashboard.Collection
}

// Pasts lists what a card or dashboard was, newest first; the first is what it
// is.
func (s *Store) Pasts(ctx context.Context, of Item) ([]Past, error) {
	column, err := of.Kind.column()
	if err != nil {
		return nil, err
	}
	return list(ctx, s.reader(), func(row scanner) (p Past, err error) {
		var state json.RawMessage
		if err := row.Scan(&p.ID, moment{&p.At}, &p.User, &p.Creation, &p.Reversion, document{&state}); err != nil {
			return p, err
		}
		return p, p.decode(state, of)
	}, "select id, at, coalesce(user_id, 0), creation, reversion, state from pasts where "+column+" = $1 order by id desc", of.ID)
}

// item is what has the past.
func (p Past) item() Item {
	if p.Card != nil {
		return Item{OfCard, p.Card.ID}
	}
	return Item{OfDashboard, p.Dashboard.ID}
}

// keepFirst keeps what was created.
func (c conn) keepFirst(ctx context.Context, who Actor, made Past) error {
	made.User, made.Creation = who.User, true
	state, err := made.encode()
	if err != nil {
		return err
	}
	return c.insertPast(ctx, made, state)
}

// keep keeps what a write made of something, if it is anything else than
// before. What it was before is kept, too, if that came about in another way
// than by such a write: with a collection, by the deletion of a card, or by a
// Sluice that kept nothing.
func (c conn) keep(ctx context.Context, who Actor, before, after Past) error {
	was, err := before.encode()
	if err != nil {
		return err
	}
	is, err := after.encode()
	if err != nil || was == is {
		return err
	}
	of := after.item()
	column, err := of.Kind.column()
	if err != nil {
		return err
	}
	last, err := one(ctx, c, value[string], "select state from pasts where "+column+" = $1 order by id desc limit 1", of.ID)
	if otherwise(err, nil) != nil {
		return err
	}
	if last != was {
		if err := c.insertPast(ctx, before, was); err != nil {
			return err
		}
	}
	after.User = who.User
	if err := c.insertPast(ctx, after, is); err != nil {
		return err
	}
	_, err = c.exec(ctx, fmt.Sprintf(`delete from pasts where %[1]s = $1 and id <
		(select min(id) from (select id from pasts where %[1]s = $1 order by id desc limit %[2]d) as newest)`, column, mostPasts), of.ID)
	return err
}

func (c conn) insertPast(ctx context.Context, p Past, state string) error {
	of := p.item()
	column, err := of.Kind.column()
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, "insert into pasts ("+column+", at, user_id, creation, reversion, state) values ($1, $2, $3, $4, $5, $6)",
		of.ID, p.At, null(p.User), p.Creation, p.Reversion, state)
	return err
}

// Edit is who changed something last, and when.
type Edit struct {
	User permission.UserID
	At   time.Time
}

// LastEdits tells of cards and dashboards who changed them last. What nobody is
// known to have changed has no entry.
func (s *Store) LastEdits(ctx context.Context, items []Item) (map[Item]Edit, error) {
	ids := map[Kind][]int64{}
	for _, i := range items {
		ids[i.Kind] = append(ids[i.Kind], i.ID)
	}
	edits := map[Item]Edit{}
	for _, kind := range []Kind{OfCard, OfDashboard} {
		column, err := kind.column()
		if err != nil {
			return nil, err
		}
		for _, part := range chunks(ids[kind]) {
			var w where
			in(&w, column, part)
			_, err := list(ctx, s.reader(), func(row scanner) (struct{}, error) {
				var id int64
				var e Edit
				err := row.Scan(&id, &e.User, moment{&e.At})
				edits[Item{kind, id}] = e
				return struct{}{}, err
			}, "select "+column+", user_id, at from pasts where user_id is not null and id in (select max(id) from pasts"+w.String()+" group by "+column+")", w.args...)
			if err != nil {
				return nil, err
			}
		}
	}
	return edits, nil
}

// The stored form: what people set, and where it lay. It is compared as a text,
// so that the order of the fields stays.
type (
	pastState struct {
		Name             string                  `json:"name"`
		Description      *string                 `json:"description,omitempty"`
		Display          string                  `json:"display,omitempty"`    // of a card
		Type             string                  `json:"type,omitempty"`       // of a card
		Query            exact                   `json:"query,omitempty"`      // of a card
		QueryType        *string                 `json:"query_type,omitempty"` // of a card
		Settings         exact                   `json:"settings,omitempty"`   // of a card
		Parameters       exact                   `json:"parameters,omitempty"`
		Mappings         exact                   `json:"mappings,omitempty"`   // of a card
		Width            string                  `json:"width,omitempty"`      // of a dashboard
		AutoApplyFilters bool                    `json:"auto_apply,omitempty"` // of a dashboard
		Collection       permission.CollectionID `json:"collection"`
		CacheTTL         *int                    `json:"cache_ttl,omitempty"`
		Archived         bool                    `json:"archived,omitempty"`
		Tabs             []tabState              `json:"tabs,omitempty"`      // of a dashboard
		Dashcards        []dashcardState         `json:"dashcards,omitempty"` // of a dashboard
		TooLarge         string                  `json:"too_large,omitempty"` // the digest of what it was
	}
	tabState struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	dashcardState struct {
		ID         int64   `json:"id"`
		Card       *int64  `json:"card,omitempty"`
		Tab        *int64  `json:"tab,omitempty"`
		Row        int     `json:"row"`
		Col        int     `json:"col"`
		SizeX      int     `json:"size_x"`
		SizeY      int     `json:"size_y"`
		Settings   exact   `json:"settings,omitempty"`
		Mappings   exact   `json:"mappings,omitempty"`
		Parameters exact   `json:"parameters,omitempty"`
		Series     []int64 `json:"series,omitempty"`
	}
)

// exact is JSON in JSON that keeps its bytes, as a text.
type exact json.RawMessage

// MarshalJSON writes the bytes as a text.
func (e exact) MarshalJSON() ([]byte, error) { return json.Marshal(string(e)) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *exact) UnmarshalJSON(data []byte) error {
	var text string
	err := json.Unmarshal(data, &text)
	*e = exact(text)
	return err
}

func (p Past) encode() (string, error) {
	data, err := json.Marshal(p.state())
	if len(data) > mostPast {
		data, err = json.Marshal(pastState{Collection: p.Collection(), TooLarge: fmt.Sprintf("%x", sha256.Sum256(data))})
	}
	return string(data), err
}

func (p Past) state() pastState {
	if c := p.Card; c != nil {
		return pastState{Name: c.Name, Description: c.Description, Display: c.Display, Type: c.Type, Query: exact(c.DatasetQuery), QueryType: c.QueryType,
			Settings: exact(c.VisualizationSettings), Parameters: exact(c.Parameters), Mappings: exact(c.ParameterMappings),
			Collection: c.Collection, CacheTTL: c.CacheTTL, Archived: c.Archived}
	}
	d := p.Dashboard
	s := pastState{Name: d.Name, Description: d.Description, Parameters: exact(d.Parameters), Width: d.Width, AutoApplyFilters: d.AutoApplyFilters,
		Collection: d.Collection, CacheTTL: d.CacheTTL, Archived: d.Archived}
	for _, t := range d.Tabs {
		s.Tabs = append(s.Tabs, tabState{ID: t.ID, Name: t.Name})
	}
	for _, dc := range d.Dashcards {
		s.Dashcards = append(s.Dashcards, dashcardState{ID: dc.ID, Card: dc.Card, Tab: dc.Tab, Row: dc.Row, Col: dc.Col, SizeX: dc.SizeX, SizeY: dc.SizeY,
			Settings: exact(dc.VisualizationSettings), Mappings: exact(dc.ParameterMappings), Parameters: exact(dc.InlineParameters), Series: dc.Series})
	}
	return s
}

func (p *Past) decode(state json.RawMessage, of Item) error {
	var s pastState
	if err := json.Unmarshal(state, &s); err != nil {
		return err
	}
	p.TooLarge = s.TooLarge != ""
	if of.Kind == OfCard {
		p.Card = &Card{ID: of.ID, Name: s.Name, Description: s.Description, Display: s.Display, Type: s.Type, DatasetQuery: json.RawMessage(s.Query),
			QueryType: s.QueryType, VisualizationSettings: json.RawMessage(s.Settings), Parameters: json.RawMessage(s.Parameters),
			ParameterMappings: json.RawMessage(s.Mappings), Collection: s.Collection, CacheTTL: s.CacheTTL, Archived: s.Archived}
		return nil
	}
	p.Dashboard = &Dashboard{ID: of.ID, Name: s.Name, Description: s.Description, Parameters: json.RawMessage(s.Parameters), Width: s.Width,
		AutoApplyFilters: s.AutoApplyFilters, Collection: s.Collection, CacheTTL: s.CacheTTL, Archived: s.Archived}
	for i, t := range s.Tabs {
		p.Dashboard.Tabs = append(p.Dashboard.Tabs, Tab{ID: t.ID, Name: t.Name, Position: i})
	}
	for _, d := range s.Dashcards {
		p.Dashboard.Dashcards = append(p.Dashboard.Dashcards, Dashcard{ID: d.ID, Card: d.Card, Tab: d.Tab, Row: d.Row, Col: d.Col, SizeX: d.SizeX, SizeY: d.SizeY,
			Series: d.Series, DashcardSettings: DashcardSettings{VisualizationSettings: json.RawMessage(d.Settings),
				ParameterMappings: json.RawMessage(d.Mappings), InlineParameters: json.RawMessage(d.Parameters)}})
	}
	return nil
}
