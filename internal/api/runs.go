package api

import (
	"fmt"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

type runsQuery struct {
	Before    ID     `query:"before"` // an id; only what is older
	Limit     int    `query:"limit"`
	User      ID     `query:"user_id"`
	Card      ID     `query:"card_id"`
	Dashboard ID     `query:"dashboard_id"`
	Database  ID     `query:"database_id"`
	Outcome   string `query:"outcome" enum:"completed,failed,denied,cancelled"`
}

type runsWire struct {
	Data []runWire `json:"data"`
}

// runWire is one question that was put to a database, or refused. It has no
// value that a person gave or a row held.
type runWire struct {
	ID          int64              `json:"id"`
	StartedAt   time.Time          `json:"started_at"`
	UserID      permission.UserID  `json:"user_id"`
	ViewerID    *permission.UserID `json:"viewer_id"`   // the administrator who asked as the person
	DatabaseID  catalog.DatabaseID `json:"database_id"` // 0 when it did not come to one
	CardID      *int64             `json:"card_id"`
	DashboardID *int64             `json:"dashboard_id"`
	Context     string             `json:"context"` // "ad-hoc", "question", "csv-download", ...
	Native      bool               `json:"native"`
	Cached      bool               `json:"cached"`
	RowCount    int64              `json:"row_count"`
	RunningTime float64            `json:"running_time"` // milliseconds
	Outcome     string             `json:"outcome"`
	Reason      string             `json:"reason"`
	RequestID   string             `json:"request_id"`
}

func (a *API) runs(r *request) (any, error) {
	q := queryOf[runsQuery](r)
	if q.Limit < 0 || q.Limit > maxHistory {
		return nil, wrongField("limit", fmt.Sprintf("value must be between 1 and %d.", maxHistory))
	}
	all, err := a.store.QueryRuns(r.ctx(), store.RunQuery{Before: int64(q.Before), Limit: q.Limit, User: permission.UserID(q.User), Card: int64(q.Card),
		Dashboard: int64(q.Dashboard), Database: catalog.DatabaseID(q.Database), Outcome: q.Outcome})
	if err != nil {
		return nil, err
	}
	answer := runsWire{Data: []runWire{}}
	for _, v := range all {
		answer.Data = append(answer.Data, runWire{ID: v.ID, StartedAt: v.At, UserID: v.User, ViewerID: v.Viewer, DatabaseID: v.Database, CardID: v.Card, DashboardID: v.Dashboard,
			Context: v.Context, Native: v.Native, Cached: v.Cached, RowCount: v.Rows, RunningTime: float64(v.Duration) / float64(time.Millisecond),
			Outcome: v.Outcome, Reason: v.Reason, RequestID: v.Request})
	}
	return answer, nil
}
