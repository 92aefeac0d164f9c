package acceptance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// provisioner makes tenants with the calls of the published program
// (testdata/seed/provisioning.js), whole graphs read and written back, and
// tries again where the answer is a 409.
type provisioner struct {
	asker
	shared    int64 // the folder that holds all tenants'
	conflicts *atomic.Int64
}

// tenant is what was made.
type tenant struct {
	name                string
	group, user, folder int64
}

func (t tenant) email() string { return t.name + "@example.com" }

func (p provisioner) provision(ctx context.Context, name string) (tenant, error) {
	t := tenant{name: name}
	for _, step := range []func(context.Context, *tenant) error{p.group, p.user, p.membership, p.folder, p.readFolder, p.readDatabase} {
		if err := step(ctx, &t); err != nil {
			return t, fmt.Errorf("%s: %w", name, err)
		}
	}
	return t, nil
}

func (p provisioner) group(ctx context.Context, t *tenant) error {
	var groups []struct {
		ID   int64
		Name string
	}
	if err := p.get(ctx, "/api/permissions/group", &groups); err != nil {
		return err
	}
	for _, g := range groups {
		if g.Name == "Tenant: "+t.name {
			return fmt.Errorf("%q is there already", g.Name)
		}
	}
	var made struct{ ID int64 }
	err := p.need(ctx, 200, "POST", "/api/permissions/group", map[string]any{"name": "Tenant: " + t.name}, &made)
	t.group = made.ID
	return err
}

func (p provisioner) user(ctx context.Context, t *tenant) error {
	var found struct{ Data []struct{ Email string } }
	if err := p.get(ctx, "/api/user?query="+url.QueryEscape(t.email()), &found); err != nil {
		return err
	}
	if len(found.Data) > 0 {
		return fmt.Errorf("%s is there already: %+v", t.email(), found)
	}
	var made struct{ ID int64 }
	err := p.need(ctx, 200, "POST", "/api/user", map[string]any{"first_name": "Olive", "last_name": t.name, "email": t.email(), "password": secret(t.email())}, &made)
	if err != nil {
		return err
	}
	t.user = made.ID
	return p.need(ctx, 200, "PUT", fmt.Sprintf("/api/user/%d", t.user), map[string]any{"login_attributes": map[string]any{"organization_id": t.name}}, nil)
}

func (p provisioner) membership(ctx context.Context, t *tenant) error {
	var user struct {
		GroupIDs []int64 `json:"group_ids"`
	}
	if err := p.get(ctx, fmt.Sprintf("/api/user/%d", t.user), &user); err != nil {
		return err
	}
	if slices.Contains(user.GroupIDs, t.group) {
		return errors.New("is a member already")
	}
	return p.need(ctx, 200, "POST", fmt.Sprintf("/api/permissions/group/%d/membership", t.group), map[string]any{"user_id": t.user}, nil)
}

func (p provisioner) folder(ctx context.Context, t *tenant) error {
	var all []struct {
		ID             json.RawMessage
		Name, Location string
	}
	if err := p.get(ctx, "/api/collection", &all); err != nil {
		return err
	}
	name := t.name + " Dashboards"
	for _, c := range all {
		if c.Name == name && strings.HasSuffix(c.Location, fmt.Sprintf("/%d/", p.shared)) {
			return fmt.Errorf("%q is there already", name)
		}
	}
	var made struct{ ID int64 }
	err := p.need(ctx, 200, "POST", "/api/collection", map[string]any{"name": name, "parent_id": p.shared}, &made)
	t.folder = made.ID
	return err
}

func (p provisioner) readFolder(ctx context.Context, t *tenant) error {
	return p.edit(ctx, "/api/collection/graph", t.group, t.folder, to("read"))
}

func (p provisioner) readDatabase(ctx context.Context, t *tenant) error {
	return p.edit(ctx, "/api/permissions/graph", t.group, 1, to(map[string]any{"schemas": "all"}))
}

// to puts an entry in the place of whatever is there.
func to(entry any) func(any) any { return func(any) any { return entry } }

// edit reads a whole graph, changes an entry of it and writes all of it back,
// until that is no conflict.
func (p provisioner) edit(ctx context.Context, path string, group, object int64, change func(any) any) error {
	for {
		var graph map[string]any
		if err := p.get(ctx, path, &graph); err != nil {
			return err
		}
		groups := graph["groups"].(map[string]any)
		of, ok := groups[fmt.Sprint(group)].(map[string]any)
		if !ok {
			return fmt.Errorf("GET %s: group %d, which was just made, is not there", path, group)
		}
		of[fmt.Sprint(object)] = change(of[fmt.Sprint(object)])
		r, err := p.ask(ctx, http.MethodPut, path, nil, graph)
		switch {
		case err != nil:
			return err
		case r.status == http.StatusOK:
			return nil
		case r.status != http.StatusConflict:
			return fmt.Errorf("PUT %s: %s", path, r)
		}
		p.conflicts.Add(1)
	}
}

// digits are levels of a table, as those of a number.
var digits = []string{"", "blocked", "unrestricted"}

// count adds one to the number that the levels of a group on the six tables
// stand for. Who reads it while another does the same must come to a conflict,
// or one of them is lost.
func (p provisioner) count(ctx context.Context, group int64) error {
	return p.edit(ctx, "/api/permissions/graph", group, 1, func(entry any) any {
		n, levels := counted(entry)+1, map[string]any{}
		for table := range 6 {
			if levels[fmt.Sprint(table+1)] = digits[n%3]; n%3 == 0 {
				levels[fmt.Sprint(table+1)] = nil
			}
			n /= 3
		}
		return map[string]any{"view-data": map[string]any{"": levels}}
	})
}

func counted(entry any) int {
	n := 0
	of, _ := entry.(map[string]any)
	view, _ := of["view-data"].(map[string]any)
	levels, _ := view[""].(map[string]any)
	for table := 6; table > 0; table-- {
		level, _ := levels[fmt.Sprint(table)].(string)
		n = 3*n + slices.Index(digits, level)
	}
	return n
}

// 200 tenants are provisioned by 16 clients at once, while somebody else works
// on an unrelated entry, and then count in a common one. Every tenant is
// complete in the end, nobody's update is lost, and what was there before is
// as it was.
func TestManyClientsProvisionTenantsAtOnce(t *testing.T) {
	const tenants, clients = 200, 16
	onBothEngines(t, func(t *testing.T, s *server) {
		ctx := t.Context()
		client := newClient()
		client.Transport.(*http.Transport).MaxIdleConnsPerHost = 2 * clients
		root := s.setUp()
		patient := s.as(credential{"X-Api-Key": s.apiKey(root)}, client)
		patient.patient = true
		p := provisioner{asker: patient, conflicts: new(atomic.Int64)}
		before, err := p.others(ctx)
		if err != nil {
			t.Fatal(err)
		}
		p.shared = before.folders[5] // on which nobody has anything

		var running sync.WaitGroup
		errs := make(chan error, clients+1)
		names := make(chan string, tenants)
		for i := range tenants {
			names <- fmt.Sprintf("tenant%d", i)
		}
		close(names)
		var mu sync.Mutex
		var ready sync.WaitGroup // to count, all at once
		ready.Add(clients)
		made := map[string]tenant{}
		begun := time.Now()
		for range clients {
			running.Go(func() {
				for name := range names {
					n, err := p.provision(ctx, name)
					if err != nil {
						errs <- err
						ready.Done()
						return
					}
					mu.Lock()
					made[name] = n
					mu.Unlock()
				}
				ready.Done()
				ready.Wait()
				if err := p.count(ctx, before.common); err != nil {
					errs <- err
				}
			})
		}
		done := make(chan struct{})
		var edits int
		worked := make(chan error, 1)
		go func() { // as long as there is a race to lose
			var err error
			for {
				select {
				case <-done:
					worked <- err
					return
				default:
				}
				if err == nil {
					err = p.work(ctx, before.busy, edits)
					edits++
				}
			}
		}()
		running.Wait()
		close(done)
		errs <- <-worked
		close(errs)
		for err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
		if p.conflicts.Load() == 0 {
			t.Error("nobody was told to try again: the clients did not get in each other's way")
		}
		t.Logf("%d tenants in %s: %d counted with %d conflicts, %d edits beside them",
			tenants, time.Since(begun).Round(10*time.Millisecond), clients, p.conflicts.Load(), edits)
		if err := p.complete(ctx, before, made, clients); err != nil {
			t.Error(err)
		}
		for _, name := range []string{"tenant0", "tenant77", fmt.Sprintf("tenant%d", tenants-1)} {
			if err := p.lives(ctx, made[name], made["tenant1"].folder); err != nil {
				t.Error(err)
			}
		}
	})
}

// unrelated is what was there before the tenants.
type unrelated struct {
	data, levels map[string]any // of the two graphs, by group
	folders      []int64
	// Groups that are worked on meanwhile, by one client and by many.
	busy, common int64
}

// others makes groups and folders with levels of several kinds.
func (p provisioner) others(ctx context.Context) (u unrelated, err error) {
	var made struct{ ID int64 }
	for i := range 6 {
		if err := p.need(ctx, 200, "POST", "/api/collection", map[string]any{"name": fmt.Sprintf("Folder %d", i)}, &made); err != nil {
			return u, err
		}
		u.folders = append(u.folders, made.ID)
	}
	for i := range 22 {
		if err := p.need(ctx, 200, "POST", "/api/permissions/group", map[string]any{"name": fmt.Sprintf("Group %d", i)}, &made); err != nil {
			return u, err
		}
		u.busy, u.common = u.common, made.ID // the last two, which get nothing here
		entry := []any{
			map[string]any{"schemas": "all", "native": "write"},
			map[string]any{"view-data": map[string]any{"": map[string]string{"1": "unrestricted", "2": "blocked"}}, "create-queries": map[string]any{"": map[string]string{"1": "query-builder"}}},
			map[string]any{"view-data": "blocked"},
			map[string]any{"schemas": map[string]any{"": map[string]string{"orders": "all", "people": "all"}}},
		}[i%4]
		if i >= 20 {
			continue
		}
		if err := p.edit(ctx, "/api/permissions/graph", made.ID, 1, to(entry)); err != nil {
			return u, err
		}
		if err := p.edit(ctx, "/api/collection/graph", made.ID, u.folders[i%5], to([]string{"read", "write"}[i%2])); err != nil {
			return u, err
		}
	}
	u.data, u.levels, err = p.graphs(ctx)
	return u, err
}

// graphs reads both graphs.
func (p provisioner) graphs(ctx context.Context) (data, levels map[string]any, err error) {
	var graph struct{ Groups map[string]any }
	if err := p.get(ctx, "/api/permissions/graph", &graph); err != nil {
		return nil, nil, err
	}
	data, graph.Groups = graph.Groups, nil
	err = p.get(ctx, "/api/collection/graph", &graph)
	return data, graph.Groups, err
}

// work changes the busy group's level on one table, and sees that what it did
// before is still there.
func (p provisioner) work(ctx context.Context, group int64, n int) error {
	table := n%6 + 1
	level := any("unrestricted")
	if n/6%2 == 1 {
		level = nil
	}
	change := map[string]any{"group_id": group, "database_id": 1, "table_id": table, "kind": "view-data", "level": level}
	r, err := p.ask(ctx, http.MethodPatch, "/api/permissions/graph", credential{"If-Match": "*"}, map[string]any{"changes": []any{change}})
	if err != nil {
		return err
	}
	var graph struct {
		Groups map[string]map[string]struct {
			View map[string]map[string]string `json:"view-data"`
		}
	}
	if err := json.Unmarshal(r.text, &graph); r.status != http.StatusOK || err != nil {
		return errors.Join(errors.New(r.String()), err)
	}
	want := map[string]string{}
	for t := range 6 { // those up to this one are as in this round, the others as in the last
		if (n/6%2 == 0) == (t < table) {
			want[fmt.Sprint(t+1)] = "unrestricted"
		}
	}
	if got := graph.Groups[fmt.Sprint(group)]["1"].View[""]; !maps.Equal(got, want) {
		return fmt.Errorf("after %d edits the group has %v instead of %v", n+1, got, want)
	}
	return nil
}

// complete compares everything with what was made.
func (p provisioner) complete(ctx context.Context, before unrelated, made map[string]tenant, counts int) error {
	data, levels, err := p.graphs(ctx)
	if err != nil {
		return err
	}
	var people struct {
		Data []struct {
			ID         int64
			Email      string
			GroupIDs   []int64           `json:"group_ids"`
			Attributes map[string]string `json:"login_attributes"`
		}
	}
	if err := p.get(ctx, "/api/user", &people); err != nil {
		return err
	}
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, graph := range []struct {
		name     string
		was, now map[string]any
	}{{"data", before.data, data}, {"collection", before.levels, levels}} {
		for group, was := range graph.was {
			switch group {
			case fmt.Sprint(before.busy), fmt.Sprint(before.common):
				continue
			case fmt.Sprint(permission.Administrators): // they have every folder
				continue
			}
			if !reflect.DeepEqual(was, graph.now[group]) {
				say("group %s had %v in the %s graph and has %v", group, was, graph.name, graph.now[group])
			}
		}
		if len(graph.now) != len(graph.was)+len(made) {
			say("the %s graph has %d groups", graph.name, len(graph.now))
		}
	}
	common, _ := data[fmt.Sprint(before.common)].(map[string]any)
	if n := counted(common["1"]); n != counts {
		say("of %d that counted %d were lost", counts, counts-n)
	}
	known := map[string]int{}
	for i, u := range people.Data {
		known[u.Email] = i
	}
	if len(people.Data) != len(made)+1 { // and the administrator
		say("there are %d people", len(people.Data))
	}
	for name, t := range made {
		group := fmt.Sprint(t.group)
		entry, _ := data[group].(map[string]any)["1"].(map[string]any)
		if entry["schemas"] != "all" || entry["view-data"] != "unrestricted" || entry["create-queries"] != "query-builder" {
			say("%s has %v", name, data[group])
		}
		if want := map[string]any{fmt.Sprint(t.folder): "read"}; !reflect.DeepEqual(levels[group], want) {
			say("%s has the folders %v instead of %v", name, levels[group], want)
		}
		i, ok := known[t.email()]
		if !ok {
			say("%s is not there", t.email())
			continue
		}
		if u := people.Data[i]; !slices.Equal(u.GroupIDs, []int64{1, t.group}) || u.Attributes["organization_id"] != name {
			say("%s: %+v", name, u)
		}
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "\n"))
	}
	return nil
}

// lives signs a tenant's person in, and asks for what it has been given and
// what it has not.
func (p provisioner) lives(ctx context.Context, t tenant, others int64) error {
	who, ok, err := p.signIn(ctx, t.email(), secret(t.email()))
	if err != nil || !ok {
		return errors.Join(fmt.Errorf("%s cannot sign in", t.name), err)
	}
	person := asker{site: p.site, who: who, client: p.client}
	if n, answered, err := person.rows(ctx, 2); err != nil || !answered || n == 0 {
		return errors.Join(fmt.Errorf("%s gets %d rows, %v", t.name, n, answered), err)
	}
	for folder, status := range map[int64]int{t.folder: http.StatusOK, others: http.StatusForbidden, p.shared: http.StatusForbidden} {
		if err := person.need(ctx, status, "GET", fmt.Sprintf("/api/collection/%d", folder), nil, nil); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}
