package api

import (
	"fmt"
	"time"

	"github.com/sluice-bi/sluice/internal/dataset"
)

// governanceRoutes are about how SQL of people is held to what they may see in
// a database (docs/security.md). Metabase has nothing of the kind.
func governanceRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/api/database/{id}/governance", Need: administrator(), Answer: governanceWire{},
			Summary: "Prove that SQL of people is held to what they may see in a database", handle: (*API).checkGovernance},
		{Method: "POST", Path: "/api/database/{id}/governance", Need: administrator(), Body: setUpWire{}, Answer: governanceWire{},
			Summary: "Set up what holds SQL of people, over the connection of the database itself", handle: (*API).setUpGovernance},
		{Method: "GET", Path: "/api/database/{id}/governance/script", Need: administrator(), Query: scriptQuery{}, Answer: scriptWire{},
			Summary: "Print the SQL with which an administrator of the database server sets up what holds SQL of people", handle: (*API).governanceScript},
	}
}

// governanceWire is what holds SQL of people in a database.
type governanceWire struct {
	Governs   bool          `json:"governs"`    // people who may see a part of the database may run SQL on it
	HeldBy    string        `json:"held_by"`    // "views" or "logins"
	Slots     int           `json:"slots"`      // statements that run at a time
	CheckedAt *time.Time    `json:"checked_at"` // null where there is nothing to check
	Findings  []findingWire `json:"findings"`   // what stands against it
}

type findingWire struct {
	Severity string `json:"severity"` // "fatal": SQL of people does not run; "warning"
	Check    string `json:"check"`
	Message  string `json:"message"`
	Fix      string `json:"fix"` // the SQL that mends it; may be ""
}

func governanceOf(g dataset.Governance) governanceWire {
	w := governanceWire{Governs: g.Governs, HeldBy: g.Held, Slots: g.Slots, Findings: []findingWire{}}
	if !g.CheckedAt.IsZero() {
		w.CheckedAt = &g.CheckedAt
	}
	for _, f := range g.Findings {
		w.Findings = append(w.Findings, findingWire{string(f.Severity), f.Check, f.Message, f.Fix})
	}
	return w
}

func (a *API) checkGovernance(r *request) (any, error) {
	g, err := a.door.CheckGovernance(r.ctx(), r.actor(), r.database(), 0)
	return governanceOf(g), connectionError(err)
}

type setUpWire struct {
	Slots  *int `json:"slots" rule:"positive"` // null: as many as there are, or 8
	ByHand bool `json:"by_hand"`               // somebody has run the script: only prove it
}

func (a *API) setUpGovernance(r *request) (any, error) {
	slots := 0
	if n := bodyOf[setUpWire](r).Slots; n != nil {
		slots = *n
	}
	if err := fewSlots(slots); err != nil {
		return nil, err
	}
	do := a.door.SetUpBoundary
	if bodyOf[setUpWire](r).ByHand {
		do = a.door.CheckGovernance
	}
	g, err := do(r.ctx(), r.actor(), r.database(), slots)
	return governanceOf(g), connectionError(err)
}

type scriptQuery struct {
	Slots  int    `query:"slots"`
	Views  string `query:"views" enum:"true,false"`
	MySQL8 bool   `query:"mysql8"` // the server is MySQL itself: the script is unverified
}

type scriptWire struct {
	SQL string `json:"sql"`
}

func (a *API) governanceScript(r *request) (any, error) {
	q := queryOf[scriptQuery](r)
	if err := fewSlots(q.Slots); err != nil {
		return nil, err
	}
	sql, err := a.door.BoundarySQL(r.ctx(), r.database(), q.Slots, q.Views != "false", q.MySQL8)
	return scriptWire{sql}, connectionError(err)
}

// fewSlots refuses more than a boundary can have; 0 says nothing.
func fewSlots(n int) error {
	if n < 0 || n > dataset.MaxSlots {
		return wrongField("slots", fmt.Sprintf("There are from 1 to %d slots.", dataset.MaxSlots))
	}
	return nil
}
