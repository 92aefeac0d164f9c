package api

import (
	"context"
	"net/http"
	"time"
)

type healthWire struct {
	Status string `json:"status"`
}

// getLive says that the process answers. One that has lost its lease need not
// be started again: it comes back by itself.
func (a *API) getLive(*request) (any, error) { return healthWire{"ok"}, nil }

// getHealth says whether the server answers people, which it does not without
// a lease. It asks nothing of the database.
func (a *API) getHealth(*request) (any, error) {
	if !a.store.Lease().Held() {
		return unhealthy("this server has lost touch with the others that share its database and answers nobody")
	}
	return healthWire{"ok"}, nil
}

func unhealthy(why string) (any, error) {
	return answer{http.StatusServiceUnavailable, healthWire{why}}, nil
}

// getReady says whether the server can do its work: it answers people, and the
// application database answers it.
func (a *API) getReady(r *request) (any, error) {
	if !a.store.Lease().Held() {
		return a.getHealth(r)
	}
	ctx, cancel := context.WithTimeout(r.ctx(), 5*time.Second)
	defer cancel()
	if err := a.store.Ping(ctx); err != nil {
		a.log.Warn("not ready", "request_id", r.rec.id, "error", err)
		return unhealthy("the application database does not answer")
	}
	return healthWire{"ok"}, nil
}
