package api

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// explainRoutes answer administrators who ask why somebody may do something,
// how the permissions became what they are, and what waits for a decision.
func explainRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/api/permissions/explain", Need: administrator(), Query: explainQuery{}, Answer: explainWire{},
			Summary: "Whether a person has a right, with every reason that was looked at.", handle: (*API).explain},
		{Method: "GET", Path: "/api/permissions/history", Need: administrator(), Query: historyQuery{}, Answer: historyWire{},
			Summary: "What was changed about permissions, by whom, when and why; the newest first.", handle: (*API).history},
		{Method: "GET", Path: "/api/permissions/pending", Need: administrator(), Answer: []pendingWire{},
			Summary: "Tables that are newer than what a group has on their database, and about which nobody has decided.", handle: (*API).pending},
		{Method: "GET", Path: "/api/permissions/runs", Need: administrator(), Query: runsQuery{}, Answer: runsWire{},
			Summary: "The questions that were put to databases: by whom, with what outcome and at what cost, and why not; the newest first.", handle: (*API).runs},
	}
}

type explainQuery struct {
	User       ID     `query:"user_id"`
	Right      string `query:"right"` // such as query-table
	Database   ID     `query:"database_id"`
	Table      ID     `query:"table_id"`
	Collection string `query:"collection_id"` // a number or "root"
}

type explainWire struct {
	Allowed bool         `json:"allowed"`
	User    int64        `json:"user_id"`
	Right   string       `json:"right"`
	Object  string       `json:"object"`
	Reasons []reasonWire `json:"reasons"`
}

type reasonWire struct {
	Group    int64            `json:"group_id,omitempty"`
	Name     string           `json:"group,omitempty"`
	Kind     string           `json:"kind,omitempty"`
	Level    string           `json:"level,omitempty"`
	Scope    permission.Scope `json:"scope"`
	Revision int64            `json:"revision,omitempty"`
	Counts   bool             `json:"counts"` // it carries the decision
	Text     string           `json:"text"`
}

// object is what the query asks about: the one thing that it names, or the
// server.
func (q *explainQuery) object() (permission.Object, error) {
	var found []permission.Object
	if q.Database != 0 {
		found = append(found, permission.ADatabase(catalog.DatabaseID(q.Database)))
	}
	if q.Table != 0 {
		found = append(found, permission.ATable(catalog.TableID(q.Table)))
	}
	if q.Collection != "" {
		var id ID
		if q.Collection != permission.Root.String() {
			if must := id.fromWire([]byte(q.Collection)); must != "" {
				return permission.Object{}, wrongField("collection_id", "value must be "+must+" or \"root\".")
			}
		}
		found = append(found, permission.ACollection(permission.CollectionID(id)))
	}
	switch len(found) {
	case 0:
		return permission.Server, nil
	case 1:
		return found[0], nil
	}
	return permission.Object{}, wrongField("right", "name one of database_id, table_id and collection_id.")
}

func (a *API) explain(r *request) (any, error) {
	q := queryOf[explainQuery](r)
	right, err := permission.ParseRight(q.Right)
	if err != nil {
		return nil, wrongField("right", err.Error()+".")
	}
	on, err := q.object()
	if err != nil {
		return nil, err
	}
	g := a.store.Graph()
	if g.User(permission.UserID(q.User)) == nil {
		return nil, wrongField("user_id", fmt.Sprintf("there is no user %d.", q.User))
	}
	d := g.AccessOf(permission.UserID(q.User)).Explain(right, on)
	answer := explainWire{Allowed: d.Allowed, User: int64(q.User), Right: right.String(), Object: on.String(), Reasons: []reasonWire{}}
	for _, reason := range d.Reasons {
		w := reasonWire{Group: int64(reason.Group), Scope: reason.Scope, Revision: int64(reason.At), Counts: reason.Counts, Text: reason.String()}
		if gr := g.Group(reason.Group); gr != nil {
			w.Name = gr.Name
		}
		if reason.Level != permission.None || reason.At != 0 {
			w.Kind, w.Level = reason.Kind.String(), reason.Kind.Word(reason.Level)
		}
		answer.Reasons = append(answer.Reasons, w)
	}
	return answer, nil
}

type historyQuery struct {
	Before ID  `query:"before"` // an id; only what is older
	Limit  int `query:"limit"`
}

type historyWire struct {
	Data []revisionWire `json:"data"`
}

type revisionWire struct {
	ID         int64           `json:"id"`
	Revision   int64           `json:"revision"` // of the data graph, after it
	Collection int64           `json:"collection_revision"`
	At         time.Time       `json:"at"`
	User       *int64          `json:"user_id"` // null for the server itself
	Reason     string          `json:"reason"`
	Request    string          `json:"request_id"`
	Widens     bool            `json:"widens"` // somebody gained access
	Texts      []string        `json:"texts"`
	Changes    json.RawMessage `json:"changes"`
}

// maxHistory is the most revisions in one answer.
const maxHistory = 1000

func (a *API) history(r *request) (any, error) {
	q := queryOf[historyQuery](r)
	if q.Limit < 0 || q.Limit > maxHistory {
		return nil, wrongField("limit", fmt.Sprintf("value must be between 1 and %d.", maxHistory))
	}
	revisions, err := a.store.Revisions(r.ctx(), int64(q.Before), q.Limit)
	if err != nil {
		return nil, err
	}
	answer := historyWire{Data: []revisionWire{}}
	for _, v := range revisions {
		w := revisionWire{ID: v.ID, Revision: int64(v.Data), Collection: v.Collection, At: v.At, Reason: v.Actor.Reason, Request: v.Actor.Request, Widens: v.Widens, Texts: []string{}}
		if v.Actor.User != 0 {
			id := int64(v.Actor.User)
			w.User = &id
		}
		if v.Note != "" {
			w.Texts = append(w.Texts, v.Note)
		}
		for _, c := range v.Changes {
			w.Texts = append(w.Texts, c.String())
		}
		if w.Changes, err = permission.EncodeChanges(v.Changes); err != nil {
			return nil, err
		}
		answer.Data = append(answer.Data, w)
	}
	return answer, nil
}

type pendingWire struct {
	Group    int64  `json:"group_id"`
	Database int64  `json:"database_id"`
	Table    int64  `json:"table_id"`
	Schema   string `json:"schema"`
	Name     string `json:"name"`
}

func (a *API) pending(*request) (any, error) {
	g := a.store.Graph()
	list := []pendingWire{}
	for gr := range g.Groups() {
		for db := range g.Entries(gr.ID) {
			for _, id := range g.Pending(gr.ID, db) {
				t := g.Catalog().Table(id)
				list = append(list, pendingWire{int64(gr.ID), int64(db), int64(id), t.Schema, t.Name})
			}
		}
	}
	return list, nil
}
