package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// AuditEvent is one recorded act: a change of permissions, or what else an
// administrator may have to explain later.
type AuditEvent struct {
	ID       int64
	At       time.Time
	Kind     string // "permissions", "setting", ...
	Actor    Actor
	Revision int64 // the Revision it belongs to; 0 for none
	Widens   bool  // somebody gained access
	// Gained and Lost count the people whose access was widened and narrowed;
	// Gain and Lose name the first hundred of each.
	Gained, Lost int
	Gain, Lose   []permission.UserID
	Details      json.RawMessage // for "permissions" the changes, as EncodeChanges wrote them
}

// AuditQuery selects audit events.
type AuditQuery struct {
	Before int64 // ids below it; 0 for the newest
	Limit  int   // 0: 100
	Kind   string
	Widens bool // only events that widened access
}

// people is how the people of an event are stored.
type people struct {
	Gain []permission.UserID `json:"gain,omitempty"`
	Lose []permission.UserID `json:"lose,omitempty"`
}

func recordEvent(ctx context.Context, c conn, e AuditEvent) error {
	const most = 100
	named, err := json.Marshal(people{e.Gain[:min(len(e.Gain), most)], e.Lose[:min(len(e.Lose), most)]})
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `insert into audit_events (at, kind, user_id, reason, request, revision, widens, gained, lost, people, details)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		e.At, e.Kind, null(e.Actor.User), e.Actor.Reason, e.Actor.Request, e.Revision, e.Widens, e.Gained, e.Lost, string(named), e.Details)
	return err
}

// AuditEvents lists events newest first.
func (s *Store) AuditEvents(ctx context.Context, q AuditQuery) ([]AuditEvent, error) {
	var w where
	if q.Before > 0 {
		w.and("id < ?", q.Before)
	}
	if q.Kind != "" {
		w.and("kind = ?", q.Kind)
	}
	if q.Widens {
		w.and("widens")
	}
	return list(ctx, s.reader(), func(row scanner) (e AuditEvent, err error) {
		var named string
		err = row.Scan(&e.ID, moment{&e.At}, &e.Kind, &e.Actor.User, &e.Actor.Reason, &e.Actor.Request, &e.Revision,
			&e.Widens, &e.Gained, &e.Lost, &named, document{&e.Details})
		if err != nil {
			return e, err
		}
		var p people
		err = json.Unmarshal([]byte(named), &p)
		e.Gain, e.Lose = p.Gain, p.Lose
		return e, err
	}, "select id, at, kind, coalesce(user_id, 0), reason, request, revision, widens, gained, lost, people, details from audit_events"+
		w.String()+fmt.Sprintf(" order by id desc limit %d", orHundred(q.Limit)), w.args...)
}
