package acceptance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// acknowledged notes what a write has done.
func (w *world) acknowledged(name string, n write, r reply, took time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.flight, name)
	w.state = w.state.with(n.to)
	w.acked[n.id] = true
	w.acks[name]++
	if took < time.Second {
		w.took = (7*w.took + took) / 8
	}
	if n.makes == "" {
		return nil
	}
	var made struct{ ID int64 }
	if err := json.Unmarshal(r.text, &made); err != nil {
		return fmt.Errorf("%s %s: %w in %s", n.method, n.path, err, r)
	}
	w.ids[n.makes] = made.ID
	return nil
}

// check compares a server that was started again with what is known.
func (w *world) check(ctx context.Context) error {
	got, err := readFacts(ctx, w.admin(), w.ids)
	if err != nil {
		return err
	}
	for email, who := range w.sessions {
		r, err := w.server.as(who, w.client).ask(ctx, "GET", "/api/user/current", nil, nil)
		switch {
		case err != nil:
			return err
		case r.status == http.StatusOK:
			got[fact("session", email)] = "yes"
		case r.status != http.StatusUnauthorized:
			return fmt.Errorf("the session of %s: %s", email, r)
		}
	}
	done := map[string]bool{}
	for _, n := range w.flight {
		switch is := got.agrees(n.to); {
		case is:
			w.state = w.state.with(n.to)
			done[n.id] = true
			w.tally.done++
		default:
			w.tally.undone++ // if it was done in part, the comparison shows it
		}
	}
	if wrong := differ(w.state, got); len(wrong) > 0 {
		return fmt.Errorf("after the crash %s; in flight were %v", strings.Join(wrong, ", "), w.flight)
	}
	if err := w.checkWritten(ctx, done); err != nil {
		return err
	}
	if err := w.checkPeople(ctx); err != nil {
		return err
	}
	return w.checkAnswers(ctx)
}

// checkWritten compares the history since the last check with the writes: each
// that was acknowledged or found done is there once, and no other.
func (w *world) checkWritten(ctx context.Context, done map[string]bool) error {
	entries, err := w.history(ctx)
	if err != nil {
		return err
	}
	seen := map[string]int{}
	for _, e := range entries {
		seen[e.Request]++
		if !w.acked[e.Request] && !done[e.Request] {
			return fmt.Errorf("revision %d is of %q, which was not done", e.ID, e.Request)
		}
	}
	for _, set := range []map[string]bool{w.acked, done} {
		for id := range set {
			if seen[id] != 1 {
				return fmt.Errorf("the history has %d revisions of %q, which was done once", seen[id], id)
			}
		}
	}
	return nil
}

func (w *world) checkHistory(ctx context.Context) error {
	_, err := w.history(ctx)
	return err
}

type revision struct {
	ID, Revision int64
	Collection   int64  `json:"collection_revision"`
	Request      string `json:"request_id"`
}

// history reads the revisions since the last time. They are consecutive, and
// so are both counters.
func (w *world) history(ctx context.Context) ([]revision, error) {
	var all struct{ Data []revision }
	if err := w.admin().get(ctx, "/api/permissions/history?limit=1000", &all); err != nil {
		return nil, err
	}
	var fresh []revision
	for i, e := range all.Data {
		if i+1 < len(all.Data) {
			before := all.Data[i+1]
			follows := func(is, was int64) bool { return is == was || is == was+1 }
			if e.ID != before.ID+1 || !follows(e.Revision, before.Revision) || !follows(e.Collection, before.Collection) {
				return nil, fmt.Errorf("revision %+v does not follow %+v", e, before)
			}
		}
		if e.ID > w.last {
			fresh = append(fresh, e)
		}
	}
	if w.last != 0 && !slices.ContainsFunc(all.Data, func(e revision) bool { return e.ID == w.last }) {
		return nil, fmt.Errorf("revision %d has gone from the history", w.last)
	}
	w.last = all.Data[0].ID
	return fresh, nil
}

// checkPeople signs in who can: those who were signed out, and one of those
// who were made.
func (w *world) checkPeople(ctx context.Context) error {
	try := slices.Clone(leaving)
	if w.last == 0 || len(w.sessions) == 0 {
		try = slices.Concat(staying, leaving)
	}
	if people := w.state.names("person"); len(people) > len(staying)+len(leaving) {
		if email := any1(w.dice, people); strings.HasPrefix(email, "tenant") {
			try = append(try, email)
		}
	}
	for _, email := range try {
		active := w.state[fact("person", email)] == "active"
		if active && w.state[fact("session", email)] != "" {
			continue
		}
		who, in, err := w.server.as(nil, w.client).signIn(ctx, email, secret(email))
		if err != nil {
			return err
		}
		if in != active {
			return fmt.Errorf("%s is %s, and signing in is %v", email, w.state[fact("person", email)], in)
		}
		if in && !strings.HasPrefix(email, "tenant") {
			w.sessions[email] = who
			w.state = w.state.with(facts{fact("session", email): "yes"})
		}
	}
	return nil
}

// checkAnswers asks what everybody may do: the administrator by the
// explanation, and those who are signed in by questions.
func (w *world) checkAnswers(ctx context.Context) error {
	people := w.state.names("person")
	active := func(email string) bool { return w.state[fact("person", email)] == "active" }
	left := slices.DeleteFunc(slices.Clone(people), active)
	people = slices.DeleteFunc(people, func(email string) bool { return !active(email) })
	if len(left) > 0 {
		people = append(people, any1(w.dice, left))
	}
	for _, email := range people {
		explain := func(right, object string, id int64, want bool) error {
			var d struct{ Allowed bool }
			path := fmt.Sprintf("/api/permissions/explain?user_id=%d&right=%s&%s_id=%d", w.ids[fact("person", email)], right, object, id)
			if err := w.admin().get(ctx, path, &d); err != nil {
				return err
			}
			if d.Allowed != want {
				return fmt.Errorf("%s: %s %s %d is %v in the state %v", email, right, object, id, d.Allowed, w.state)
			}
			return nil
		}
		ask, signedIn := w.server.as(w.sessions[email], w.client), w.state[fact("session", email)] != ""
		for _, table := range w.ids.tables() {
			id, may := w.ids[fact("table", table)], w.state.may("query-table", email, table)
			if err := explain("query-table", "table", id, may); err != nil {
				return err
			}
			if err := explain("show-table", "table", id, w.state.may("show-table", email, table)); err != nil {
				return err
			}
			if !signedIn {
				continue
			}
			n, answered, err := ask.rows(ctx, id)
			if err != nil {
				return err
			}
			if answered != may || may && n == 0 {
				return fmt.Errorf("%s is shown %d rows of %s (%v) in the state %v", email, n, table, answered, w.state)
			}
		}
		if err := explain("query-natively", "database", 1, w.state.native(email)); err != nil {
			return err
		}
		for _, folder := range folders {
			id, level := w.ids[fact("folder", folder)], w.state.folder(email, folder)
			if err := explain("read-collection", "collection", id, level != ""); err != nil {
				return err
			}
			if err := explain("curate-collection", "collection", id, level == "write"); err != nil {
				return err
			}
			if !signedIn {
				continue
			}
			want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[level != ""]
			if err := ask.need(ctx, want, "GET", fmt.Sprintf("/api/collection/%d", id), nil, nil); err != nil {
				return fmt.Errorf("%s with %q: %w", email, level, err)
			}
		}
	}
	return nil
}
