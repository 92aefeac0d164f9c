package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// QueryRun is one question put to a warehouse, or refused before it got there.
type QueryRun struct {
	At        time.Time // set by RecordQuery when zero
	User      permission.UserID
	Database  catalog.DatabaseID
	Card      *int64
	Dashboard *int64
	Native    bool
	Context   string // "ad-hoc", "question", "csv-download", ...
	Rows      int64
	Duration  time.Duration
	Outcome   string // "completed", "failed", "denied" or "cancelled"
	Reason    string // why it was not completed, for administrators
	Request   string
}

// RecordQuery writes a run down.
func (s *Store) RecordQuery(ctx context.Context, run QueryRun) error { return errPending }

// QueryRuns lists runs newest first, at most limit of them (0: 100).
func (s *Store) QueryRuns(ctx context.Context, limit int) ([]QueryRun, error) {
	return nil, errPending
}

// AuditEvent is one recorded act: a change of permissions, or what else an
// administrator may have to explain later.
type AuditEvent struct {
	ID       int64
	At       time.Time
	Kind     string // "permissions", "setting", ...
	Actor    Actor
	Revision int64 // the Revision it belongs to; 0 for none
	Widens   bool  // somebody gained access
	Gain     []permission.UserID
	Lose     []permission.UserID
	Details  json.RawMessage
}

// AuditQuery selects audit events.
type AuditQuery struct {
	Before int64 // ids below it; 0 for the newest
	Limit  int   // 0: 100
	Kind   string
	Widens bool // only events that widened access
}

// AuditEvents lists events newest first.
func (s *Store) AuditEvents(ctx context.Context, q AuditQuery) ([]AuditEvent, error) {
	return nil, errPending
}
