package acceptance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
)

// gate is one thing that one person is granted and that is revoked again, and
// whether it is: as far as those who do so have been told.
type gate struct {
	name          string
	who           credential // the person's
	user, group   int64
	folder, table int64
	kind          gateKind

	mu     sync.Mutex
	epoch  int  // raised before anybody asks for a grant
	closed bool // from when a revoke was answered until the next epoch
}

// gateKind is a way to grant and revoke, and what tells.
type gateKind struct {
	grant, revoke func(ctx context.Context, g *gate, by asker, from credential) (reply, error)
	shown         func(ctx context.Context, g *gate, by asker, from credential) (reply, error)
}

func gateKinds() map[string]gateKind {
	return map[string]gateKind{
		"membership": {addToGroup, removeFromGroup, countRows},
		"level":      {openTable, closeTable, countRows},
		"graph":      {putDatabase, deleteDatabase, countRows},
		"folder":     {readFolder, closeFolder, openFolder},
	}
}

// newGate makes a person in a group that may be given what the gate is about.
func newGate(ctx context.Context, admin asker, name string, kind gateKind) (*gate, error) {
	g := &gate{name: name, kind: kind, closed: true, table: 3} // organizations, the smallest
	email := name + "@example.com"
	var made struct{ ID int64 }
	if err := admin.need(ctx, 200, "POST", "/api/permissions/group", map[string]any{"name": name}, &made); err != nil {
		return nil, err
	}
	g.group = made.ID
	if err := admin.need(ctx, 200, "POST", "/api/user", map[string]any{"email": email, "password": secret(email), "group_ids": []int64{1, g.group}}, &made); err != nil {
		return nil, err
	}
	g.user = made.ID
	if err := admin.need(ctx, 200, "POST", "/api/collection", map[string]any{"name": name}, &made); err != nil {
		return nil, err
	}
	g.folder = made.ID
	who, ok, err := admin.signIn(ctx, email, secret(email))
	if err != nil || !ok {
		return nil, fmt.Errorf("%s cannot sign in: %w", name, err)
	}
	g.who = who
	if name == "membership" { // the level is there already
		if r, err := openTable(ctx, g, admin, nil); err != nil || r.status != http.StatusOK {
			return nil, fmt.Errorf("%s: %s %w", name, r, err)
		}
		if r, err := removeFromGroup(ctx, g, admin, nil); err != nil || r.status != http.StatusNoContent {
			return nil, fmt.Errorf("%s: %s %w", name, r, err)
		}
	}
	return g, nil
}

// look tells how the gate is.
func (g *gate) look() (epoch int, closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.epoch, g.closed
}

func (g *gate) opens() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.epoch++
	g.closed = false
}

func (g *gate) isClosed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// told reads an answer to the person: whether something is shown or refused.
// An answer that is neither is an error, except that a node may say that it
// answers nobody.
func told(r reply) (shown, refused bool, err error) {
	var result struct {
		Status string
		Data   struct{ Rows [][]int64 }
	}
	switch r.status {
	case http.StatusServiceUnavailable:
		return false, false, nil
	case http.StatusForbidden:
		return false, true, nil
	case http.StatusOK: // the folder
		return true, false, nil
	case http.StatusAccepted:
		if err := json.Unmarshal(r.text, &result); err == nil {
			shown = len(result.Data.Rows) > 0
			if shown == (result.Status == "completed") {
				return shown, !shown, nil
			}
		}
	}
	return false, false, fmt.Errorf("neither shown nor refused: %s", r)
}

func addToGroup(ctx context.Context, g *gate, by asker, from credential) (reply, error) {
	return by.ask(ctx, "POST", "/api/permissions/membership", from, map[string]any{"group_id": g.group, "user_id": g.user})
}

func removeFromGroup(ctx context.Context, g *gate, by asker, from credential) (reply, error) {
	return by.ask(ctx, "DELETE", fmt.Sprintf("/api/permissions/group/%d/membership/user/%d", g.group, g.user), from, nil)
}

func openTable(ctx context.Context, g *gate, by asker, from credential) (reply, error) {
	return g.patch(ctx, by, from, map[string]any{"view-data": "unrestricted", "create-queries": "query-builder"})
}

func closeTable(ctx context.Context, g *gate, by asker, from credential) (reply, error) {
	return g.patch(ctx, by, from, map[string]any{"view-data": nil})
}

func (g *gate) patch(ctx context.Context, by asker, from credential, levels map[string]any) (reply, error) {
	header := credential{"If-Match": "*"}
	for name, value := range from {
		header[name] = value
	}
	var changes []any
	for kind, level := range levels {
		changes = append(changes, map[string]any{"group_id": g.group, "database_id": 1, "table_id": g.table, "kind": kind, "level": level})
	}
	return by.ask(ctx, "PATCH", "/api/permissions/graph", header, map[string]any{"changes": changes})
}

func countRows(ctx context.Context, g *gate, by asker, from credential) (reply, error) {
	return by.ask(ctx, "POST", "/api/dataset", from, map[string]any{"database": 1, "type": "query",
		"query": map[string]any{"source-table": g.table, "aggregation": []any{[]any{"count"}}}})
}

func putDatabase(ctx context.Context, g *gate, by asker, from credential) (reply, error) {
	return g.edit(ctx, by, from, "/api/permissions/graph", func(of map[string]any) { of["1"] = map[string]any{"schemas": "all"} })
}

func deleteDatabase(ctx context.Context, g *gate, by asker, from credential) (reply, error) {
	return g.edit(ctx, by, from, "/api/permissions/graph", func(of map[string]any) { delete(of, "1") })
}

func readFolder(ctx context.Context, g *gate, by asker, from credential) (reply, error) {
	return g.edit(ctx, by, from, "/api/collection/graph", func(of map[string]any) { of[strconv.FormatInt(g.folder, 10)] = "read" })
}

func closeFolder(ctx context.Context, g *gate, by asker, from credential) (reply, error) {
	return g.edit(ctx, by, from, "/api/collection/graph", func(of map[string]any) { of[strconv.FormatInt(g.folder, 10)] = "none" })
}

func openFolder(ctx context.Context, g *gate, by asker, from credential) (reply, error) {
	return by.ask(ctx, "GET", fmt.Sprintf("/api/collection/%d", g.folder), from, nil)
}

// edit reads a whole graph, changes what the group has and writes it back.
func (g *gate) edit(ctx context.Context, by asker, from credential, path string, change func(map[string]any)) (reply, error) {
	r, err := by.ask(ctx, "GET", path, from, nil)
	if err != nil || r.status != http.StatusOK {
		return r, err
	}
	var graph map[string]any
	if err := json.Unmarshal(r.text, &graph); err != nil {
		return r, err
	}
	of, ok := graph["groups"].(map[string]any)[strconv.FormatInt(g.group, 10)].(map[string]any)
	if !ok {
		return r, fmt.Errorf("GET %s does not show group %d", path, g.group)
	}
	change(of)
	return by.ask(ctx, "PUT", path, from, graph)
}
