package api

import (
	"context"
	"net/http"
	"time"
)

type healthWire struct {
	Status string `json:"status"`
}

// getHealth and getLive say that the process answers.
func (a *API) getHealth(*request) (any, error) { return healthWire{"ok"}, nil }

// getReady says whether the server can do its work: the application database
// answers.
func (a *API) getReady(r *request) (any, error) {
	ctx, cancel := context.WithTimeout(r.ctx(), 5*time.Second)
	defer cancel()
	if err := a.store.Ping(ctx); err != nil {
		a.log.Warn("not ready", "request_id", r.rec.id, "error", err)
		return answer{http.StatusServiceUnavailable, healthWire{"the application database does not answer"}}, nil
	}
	return healthWire{"ok"}, nil
}
