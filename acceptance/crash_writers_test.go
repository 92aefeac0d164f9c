package acceptance_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// write is one request that changes facts: all that it names, or none.
type write struct {
	id           string // under which the history knows it
	method, path string
	header       credential
	body         any
	to           facts
	makes        string // the key of what it makes, whose id is in the answer
}

// pen decides what to write next. What a pen writes about is its own, so that
// what one write in flight has done can be told whatever the others did. A
// write without an id is none: there is nothing to do just now.
type pen func(ctx context.Context, w *world, dice *rand.Rand) (write, error)

// pens are all that write at the same time.
func pens() map[string]pen {
	return map[string]pen{
		"members": writeMembers, "cells": writeCells, "graph": writeGraph,
		"folders": writeFolders, "people": writePeople, "tenants": writeTenants,
	}
}

// The groups, folders and people that are there from the beginning. The
// people of the first list stay active.
var (
	celled  = []string{"cells 1", "cells 2"} // have levels on tables
	wholly  = []string{"whole 1", "whole 2"} // have the database or nothing
	fixed   = append(slices.Clone(celled), wholly...)
	folders = []string{"folder 1", "folder 2", "folder 3"}
	staying = []string{"karen@example.com", "mary@example.com", "olive@example.com"}
	leaving = []string{"peter@example.com", "quinn@example.com"}
)

func any1[T any](dice *rand.Rand, of []T) T { return of[dice.IntN(len(of))] }

// writeMembers moves people in and out of the fixed groups: one membership, or
// all of a person's, or all of a group's.
func writeMembers(_ context.Context, w *world, dice *rand.Rand) (write, error) {
	known, ids := w.known()
	group := any1(dice, fixed)
	member := func(email string) string { return fact("member", group, email) }
	switch dice.IntN(6) {
	case 0: // everybody leaves
		to := facts{}
		for _, email := range slices.Concat(staying, leaving) {
			if known[member(email)] != "" {
				to[member(email)] = ""
			}
		}
		return write{method: "PUT", path: fmt.Sprintf("/api/permissions/membership/%d/clear", ids[fact("group", group)]), to: to}, nil
	case 1, 2: // a person goes from some groups to others
		email, in, to := any1(dice, staying), []int64{1}, facts{}
		for _, g := range fixed {
			is, will := known[fact("member", g, email)], []string{"", "yes"}[dice.IntN(2)]
			if is != will {
				to[fact("member", g, email)] = will
			}
			if will != "" {
				in = append(in, ids[fact("group", g)])
			}
		}
		return write{method: "PUT", path: fmt.Sprintf("/api/user/%d", ids[fact("person", email)]), body: map[string]any{"group_ids": in}, to: to}, nil
	}
	email := any1(dice, slices.Concat(staying, leaving))
	g, u := ids[fact("group", group)], ids[fact("person", email)]
	if known[member(email)] != "" {
		return write{method: "DELETE", path: fmt.Sprintf("/api/permissions/group/%d/membership/user/%d", g, u), to: facts{member(email): ""}}, nil
	}
	return write{method: "POST", path: "/api/permissions/membership", body: map[string]any{"group_id": g, "user_id": u}, to: facts{member(email): "yes"}}, nil
}

// writeCells sets levels on single tables of several groups with one PATCH.
func writeCells(_ context.Context, w *world, dice *rand.Rand) (write, error) {
	return patch(w, dice, celled, 2+dice.IntN(6)), nil
}

func patch(w *world, dice *rand.Rand, groups []string, n int) write {
	known, ids := w.known()
	to, changes := facts{}, []any{}
	for range n {
		group, table := any1(dice, groups), any1(dice, ids.tables())
		key := fact("table", group, table)
		if _, again := to[key]; again {
			continue
		}
		set := func(kind string, level any) {
			changes = append(changes, map[string]any{"group_id": ids[fact("group", group)], "database_id": 1,
				"table_id": ids[fact("table", table)], "kind": kind, "level": level})
		}
		switch is := known[key]; {
		case is == "" && dice.IntN(3) > 0:
			to[key] = "open"
			set("view-data", "unrestricted")
			set("create-queries", "query-builder")
			set("download", "full")
		case is == "blocked" || is == "open" && dice.IntN(2) == 0:
			to[key] = ""
			set("view-data", nil)
			set("download", nil)
		default:
			to[key] = "blocked"
			set("view-data", "blocked")
		}
	}
	return write{method: "PATCH", path: "/api/permissions/graph", header: credential{"If-Match": "*"}, body: map[string]any{"changes": changes}, to: to}
}

// writeGraph does as provisioning programs do: it reads the whole graph, edits
// some entries and writes all of it back.
func writeGraph(ctx context.Context, w *world, dice *rand.Rand) (write, error) {
	var graph map[string]any
	if err := w.admin().get(ctx, "/api/permissions/graph", &graph); err != nil {
		return write{}, err
	}
	known, ids := w.known()
	to, groups := facts{}, graph["groups"].(map[string]any)
	for _, group := range wholly[:1+dice.IntN(2)] {
		entry := groups[fmt.Sprint(ids[fact("group", group)])].(map[string]any)
		key := fact("database", group)
		switch is := known[key]; {
		case is == "native" || is == "all" && dice.IntN(2) == 0:
			delete(entry, "1")
			to[key] = ""
		case is == "all" || dice.IntN(2) == 0:
			entry["1"] = map[string]any{"schemas": "all", "native": "write"}
			to[key] = "native"
		default:
			entry["1"] = map[string]any{"schemas": "all"}
			to[key] = "all"
		}
	}
	return write{method: "PUT", path: "/api/permissions/graph", body: graph, to: to}, nil
}

// writeFolders does the same with the collection graph.
func writeFolders(ctx context.Context, w *world, dice *rand.Rand) (write, error) {
	var graph map[string]any
	if err := w.admin().get(ctx, "/api/collection/graph", &graph); err != nil {
		return write{}, err
	}
	known, ids := w.known()
	to, groups := facts{}, graph["groups"].(map[string]any)
	for range 1 + dice.IntN(6) {
		group, folder := any1(dice, fixed), any1(dice, folders)
		key, level := fact("folder", group, folder), any1(dice, []string{"", "read", "write"})
		if known[key] == level {
			delete(to, key)
		} else {
			to[key] = level
		}
		if level == "" {
			level = "none"
		}
		groups[fmt.Sprint(ids[fact("group", group)])].(map[string]any)[fmt.Sprint(ids[fact("folder", folder)])] = level
	}
	return write{method: "PUT", path: "/api/collection/graph", body: graph, to: to}, nil
}

// writePeople deactivates and reactivates people. Who is deactivated is signed
// out, and stays so.
func writePeople(_ context.Context, w *world, dice *rand.Rand) (write, error) {
	known, ids := w.known()
	email := any1(dice, leaving)
	path := fmt.Sprintf("/api/user/%d", ids[fact("person", email)])
	if known[fact("person", email)] == "active" {
		return write{method: "DELETE", path: path, to: facts{fact("person", email): "deactivated", fact("session", email): ""}}, nil
	}
	return write{method: "PUT", path: path + "/reactivate", to: facts{fact("person", email): "active"}}, nil
}

// writeTenants makes groups, people in them and levels for them, and takes
// them away again.
func writeTenants(_ context.Context, w *world, dice *rand.Rand) (write, error) {
	known, ids := w.known()
	ours := func(kind string) []string {
		return slices.DeleteFunc(known.names(kind), func(name string) bool {
			return !strings.HasPrefix(name, "tenant") || known[fact(kind, name)] == "deactivated"
		})
	}
	groups, people := ours("group"), ours("person")
	switch roll := dice.IntN(4); {
	case len(groups) < 3:
		key := fact("group", w.fresh("tenant"))
		return write{method: "POST", path: "/api/permissions/group", body: map[string]any{"name": strings.TrimPrefix(key, "group/")}, to: facts{key: "yes"}, makes: key}, nil
	case roll == 0 && len(people) < 5:
		email, one, other := w.fresh("tenant")+"@example.com", any1(dice, groups), any1(dice, groups)
		key := fact("person", email)
		return write{method: "POST", path: "/api/user", makes: key,
			body: map[string]any{"email": email, "password": secret(email), "group_ids": []int64{1, ids[fact("group", one)], ids[fact("group", other)]}},
			to:   facts{key: "active", fact("member", one, email): "yes", fact("member", other, email): "yes"}}, nil
	case roll == 0:
		email := any1(dice, people)
		return write{method: "DELETE", path: fmt.Sprintf("/api/user/%d", ids[fact("person", email)]), to: facts{fact("person", email): "deactivated"}}, nil
	case roll == 1:
		group, to := any1(dice, groups), facts{}
		for k := range known {
			if k == fact("group", group) || strings.HasPrefix(k, fact("member", group, "")) || strings.HasPrefix(k, fact("table", group, "")) {
				to[k] = ""
			}
		}
		return write{method: "DELETE", path: fmt.Sprintf("/api/permissions/group/%d", ids[fact("group", group)]), to: to}, nil
	}
	return patch(w, dice, groups, 2+dice.IntN(4)), nil
}

// secret is a person's password.
func secret(email string) string { return "needles and pins of " + email }
