package api

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dataset"
)

// syncWithin is how long a request waits for the sync that it asks for. One
// that takes longer goes on behind it.
const syncWithin = 10 * time.Second

// syncWire is the reading of a database's tables. It is Sluice's own.
type syncWire struct {
	Status    string              `json:"status"` // "ok": it is under way or done
	Job       int64               `json:"job"`
	State     string              `json:"state"`  // "waiting", "running", "done", "failed" or "cancelled"
	Step      string              `json:"step"`   // "connecting", "reading" or "writing"
	Tables    int64               `json:"tables"` // read so far
	Cancel    bool                `json:"cancel"` // somebody wants it to end
	Error     *string             `json:"error"`
	Report    *dataset.SyncReport `json:"report"` // what the login sees and what it lacks
	CreatedAt time.Time           `json:"created_at"`
	StartedAt *time.Time          `json:"started_at"`
	EndedAt   *time.Time          `json:"ended_at"`
}

func syncOf(s dataset.Sync) syncWire {
	moment := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	return syncWire{Status: "ok", Job: s.Job, State: string(s.State), Step: s.Step, Tables: s.Tables, Cancel: s.Cancel, Error: nullText(s.Error), Report: s.Report,
		CreatedAt: s.CreatedAt, StartedAt: moment(s.StartedAt), EndedAt: moment(s.EndedAt)}
}

// sync reads the tables of a database, or joins who does, and waits for that
// for a while.
func (a *API) sync(r *request, id catalog.DatabaseID) (syncWire, error) {
	ctx, stop := context.WithTimeout(r.ctx(), syncWithin)
	defer stop()
	if err := a.door.Sync(ctx, r.actor(), id); err != nil && (!errors.Is(err, context.DeadlineExceeded) || r.ctx().Err() != nil) {
		return syncWire{}, connectionError(err)
	}
	s, err := a.door.LastSync(r.ctx(), id)
	return syncOf(s), err
}

func (a *API) syncDatabase(r *request) (any, error) { return a.sync(r, r.database()) }

func (a *API) lastSync(r *request) (any, error) {
	s, err := a.door.LastSync(r.ctx(), r.database())
	return syncOf(s), err
}

func (a *API) cancelSync(r *request) (any, error) {
	if err := a.door.CancelSync(r.ctx(), r.database()); err != nil {
		return nil, err
	}
	return noContent(), nil
}
