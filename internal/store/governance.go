package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Governance is how SQL of people is held to what they may see inside of a
// database, as it was last proved. The zero value: it is not set up.
type Governance struct {
	Slots     int             `json:"slots"`      // statements that run at a time
	CheckedAt time.Time       `json:"checked_at"` // when that was looked at
	Passed    bool            `json:"passed"`     // and nothing stood against it
	Findings  json.RawMessage `json:"findings,omitempty"`
}

// SetGovernance notes what was found, for the connection as it was given: one
// with other details since is ErrChanged. SQL of people who may see a part of
// the database is possible on it from now on, or no longer, as it passed. That
// takes a data revision if it differs from before. ErrNotFound when there is no
// such database.
func (s *Store) SetGovernance(ctx context.Context, who Actor, was Database, g Governance) error {
	_, err := s.write(ctx, who, func(w *writer) error {
		is, err := s.readDatabase(ctx, w.conn, was.ID)
		if err != nil {
			return err
		}
		if string(is.Details) != string(was.Details) {
			return ErrChanged
		}
		return w.setGovernance(is.ID, g)
	})
	return err
}

func (w *writer) setGovernance(id catalog.DatabaseID, g Governance) error {
	text, err := json.Marshal(g)
	if err != nil {
		return err
	}
	now := *w.graph.Catalog().Database(id)
	if err := w.execOne(w.ctx, "update databases set governs = $1, governance = $2 where id = $3", g.Passed, json.RawMessage(text), id); err != nil {
		return err
	}
	if governs := g.Passed || catalog.Governs(now.Engine); governs != now.Governs {
		now.Governs = governs
		w.setCatalog(w.graph.Catalog().WithDatabase(now), id, "database %d holds SQL of people to what they may see: %v", id, governs)
	}
	return nil
}
