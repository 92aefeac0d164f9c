package store_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/permission/reference"
)

// What can happen in a race, and what is asked meanwhile.

// steps are what can happen; writes more often.
var steps = [...]string{"hold", "lapse", "trim", "release", "cut", "deafen", "delay", "write", "write", "write", "write", "write"}

// step draws something of a kind that happens.
func (r *race) step(t *rapid.T, what string) func() {
	line := r.lines[rapid.IntRange(0, 1).Draw(t, "line")]
	switch what {
	case "hold":
		return func() { r.note(what); line.Hold() }
	case "release":
		return func() { r.note(what); line.Release() }
	case "cut":
		return func() { r.note(what); line.Cut() }
	case "deafen":
		return func() { r.note(what); line.CutListeners() }
	case "delay":
		d := time.Duration(rapid.IntRange(0, 4).Draw(t, "ms")) * time.Millisecond
		return func() { r.note(what); line.Delay(d) }
	case "trim":
		return func() {
			r.note(what)
			_, err := r.p.db.Exec("with gone as (delete from revisions where id < (select revision from head) returning *) insert into trimmed select * from gone")
			check(r.t, err)
		}
	case "lapse":
		return func() { r.note(what); time.Sleep(testLease * 3 / 2) } // somebody who is held up loses the lease
	}
	var all []func()
	for range rapid.IntRange(1, 4).Draw(t, "writers") {
		server, change := rapid.IntRange(0, 1).Draw(t, "server"), r.change(t)
		all = append(all, func() { r.write(server, change) })
	}
	return func() {
		for _, w := range all {
			r.writing.Go(w)
		}
	}
}

func (r *race) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[what]++
}

// change draws what is written, given the graph that it is written to.
func (r *race) change(t *rapid.T) func(*permission.Graph) []permission.Change {
	person, group := rapid.SampledFrom(r.people).Draw(t, "person"), rapid.SampledFrom(r.groups).Draw(t, "group")
	level, table := rapid.Uint64().Draw(t, "level"), r.scopes[rapid.IntRange(2, len(r.scopes)-1).Draw(t, "table")].Table
	scope, kind := rapid.SampledFrom(r.scopes).Draw(t, "scope"), permission.Kind(rapid.IntRange(0, int(permission.Collection)-1).Draw(t, "kind"))
	value := rapid.SampledFrom([]string{"1", "2", ""}).Draw(t, "value")
	switch rapid.IntRange(0, 6).Draw(t, "kind of change") {
	case 0:
		return func(g *permission.Graph) []permission.Change {
			if group == permission.AllUsers {
				return nil
			}
			is := g.IsMember(person, group)
			return []permission.Change{permission.SetMembership{User: person, Group: group, From: is, To: !is}}
		}
	case 1:
		return func(g *permission.Graph) []permission.Change {
			from := g.User(person)
			to := *from
			if to.Attributes = map[string]string{"org": value}; value == "" {
				to.Active = !to.Active
			}
			return []permission.Change{permission.SetUser{From: from, To: &to}}
		}
	case 2:
		return func(g *permission.Graph) []permission.Change {
			from := g.Sandbox(group, table)
			to := &permission.Sandbox{Group: group, Table: table, At: g.Revision() + 1,
				Policy: permission.Policy{Where: []permission.AttributeEquality{{Field: g.Catalog().Fields(table)[level%2].ID, Attribute: "org"}}}}
			if from != nil {
				to = nil
			}
			return []permission.Change{permission.SetSandbox{From: from, To: to}}
		}
	case 3:
		return func(g *permission.Graph) []permission.Change {
			c := rapidCollection(g, level)
			cell := permission.Cell{Set: true, Level: permission.Level(level % 3), At: catalog.Revision(g.CollectionRevision() + 1)}
			return []permission.Change{permission.SetCollectionAccess{Group: group, Collection: c, From: g.CollectionLevel(group, c), To: cell}}
		}
	}
	return func(g *permission.Graph) []permission.Change {
		cell := permission.Cell{Set: true, Level: permission.Level(level % 5), At: g.Revision() + 1}
		return []permission.Change{permission.SetDataAccess{Group: group, Database: r.p.shop, Kind: kind, Scope: scope, From: g.Cell(group, r.p.shop, kind, scope), To: cell}}
	}
}

func rapidCollection(g *permission.Graph, n uint64) permission.CollectionID {
	all := []permission.CollectionID{permission.Root}
	for c := range g.Collections() {
		if c.Owner == 0 {
			all = append(all, c.ID)
		}
	}
	return all[n%uint64(len(all))]
}

// asked is one question in both tongues. Each bit of an answer is something
// that is allowed.
type asked struct {
	name   string
	engine func(permission.Access) uint64
	slow   func(*reference.World, permission.UserID) uint64
}

func bit(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

// recordsOf are records with every combination of a few values.
func recordsOf(fields []*catalog.Field) (records []reference.Record) {
	for _, a := range []string{"", "1", "2"} {
		for _, b := range []string{"", "1", "2"} {
			records = append(records, reference.Record{fields[0].ID: a, fields[1].ID: b})
		}
	}
	return records
}

// rows asks which of the records are shown.
func (r *race) rows(right permission.Right, on catalog.TableID, records []reference.Record) {
	r.asked = append(r.asked, asked{fmt.Sprintf("%s rows of table %d", right, on),
		func(a permission.Access) (kept uint64) {
			rows, err := a.Rows(right, on)
			for i, rec := range records {
				if err == nil && (rows.All() || slices.ContainsFunc(rows.Filters(), func(f permission.Filter) bool { return reference.Keeps(f, rec) })) {
					kept |= 1 << i
				}
			}
			return kept
		},
		func(w *reference.World, p permission.UserID) (kept uint64) {
			which, _ := w.Rows(p, right, on, records)
			for _, i := range which {
				kept |= 1 << i
			}
			return kept
		}})
}
