package acceptance_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// facts is the state of the permissions as an administrator can read it. What
// is not there has no entry, or "".
//
//	group/<group>             yes
//	person/<email>            active, or deactivated
//	member/<group>/<email>    yes
//	database/<group>          all or native: the whole sample warehouse
//	table/<group>/<table>     open or blocked, where it is said of one table
//	folder/<group>/<folder>   read or write
//	session/<email>           yes: the person's session is alive
type facts map[string]string

func fact(parts ...string) string { return strings.Join(parts, "/") }

// with is the state after something.
func (f facts) with(to facts) facts {
	n := maps.Clone(f)
	for k, v := range to {
		if v == "" {
			delete(n, k)
		} else {
			n[k] = v
		}
	}
	return n
}

// agrees tells whether the state holds what to says.
func (f facts) agrees(to facts) bool {
	for k, v := range to {
		if f[k] != v {
			return false
		}
	}
	return true
}

// names are the last parts of what begins with the kind, such as "group".
func (f facts) names(kind string) []string {
	var list []string
	for k := range f {
		if name, is := strings.CutPrefix(k, kind+"/"); is {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// differ lists what two states say differently.
func differ(want, got facts) []string {
	keys := maps.Clone(want)
	maps.Copy(keys, got)
	var list []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if want[k] != got[k] {
			list = append(list, fmt.Sprintf("%s is %q instead of %q", k, got[k], want[k]))
		}
	}
	return list
}

// groupsOf are the groups that somebody is in.
func (f facts) groupsOf(email string) []string {
	var list []string
	for _, g := range f.names("group") {
		if f[fact("member", g, email)] != "" {
			list = append(list, g)
		}
	}
	return list
}

// may is what a person may do with a table, by the rules for levels that
// several groups have: an open table opens, and else a block closes.
func (f facts) may(right, email, table string) bool {
	if f[fact("person", email)] != "active" {
		return false
	}
	blocked := false
	for _, g := range f.groupsOf(email) {
		level := f[fact("table", g, table)]
		if level == "open" || f[fact("database", g)] != "" {
			return true
		}
		blocked = blocked || level == "blocked"
	}
	return right == "show-table" && !blocked // by a saved question
}

// native tells whether a person may write SQL.
func (f facts) native(email string) bool {
	return f[fact("person", email)] == "active" &&
		slices.ContainsFunc(f.groupsOf(email), func(g string) bool { return f[fact("database", g)] == "native" })
}

// folder is what a person may do with a folder: "", read or write.
func (f facts) folder(email, folder string) string {
	level := ""
	if f[fact("person", email)] != "active" {
		return level
	}
	for _, g := range f.groupsOf(email) {
		level = max(level, f[fact("folder", g, folder)]) // "write" sorts last
	}
	return level
}

// book knows the ids of what facts name: by group/<group>, person/<email>,
// folder/<folder>, table/<table>.
type book map[string]int64

func (b book) name(kind string, id int64) string {
	for k, v := range b {
		if name, is := strings.CutPrefix(k, kind+"/"); is && v == id {
			return name
		}
	}
	return fmt.Sprintf("?%d", id)
}

// readFacts reads the state from a server, and into the book what groups and
// people there are. Sessions are left out.
func readFacts(ctx context.Context, admin asker, ids book) (facts, error) {
	var groups []struct {
		ID   int64
		Name string
	}
	var people struct {
		Data []struct {
			ID       int64
			Email    string
			IsActive bool    `json:"is_active"`
			GroupIDs []int64 `json:"group_ids"`
		}
	}
	var data struct {
		Groups map[string]map[string]entryWire
	}
	var folders struct {
		Groups map[string]map[string]string
	}
	err := cmp.Or(admin.get(ctx, "/api/permissions/group", &groups), admin.get(ctx, "/api/user?status=all", &people),
		admin.get(ctx, "/api/permissions/graph", &data), admin.get(ctx, "/api/collection/graph", &folders))
	if err != nil {
		return nil, err
	}
	f := facts{}
	magic := map[int64]bool{1: true, 2: true} // All Users and Administrators
	for _, g := range groups {
		if magic[g.ID] {
			continue
		}
		ids[fact("group", g.Name)] = g.ID
		f[fact("group", g.Name)] = "yes"
		key := strconv.FormatInt(g.ID, 10)
		for db, e := range data.Groups[key] {
			if db != "1" {
				return nil, fmt.Errorf("an entry for database %s", db)
			}
			e.facts(f, g.Name, ids)
		}
		for id, level := range folders.Groups[key] {
			n, _ := strconv.ParseInt(id, 10, 64)
			f[fact("folder", g.Name, ids.name("folder", n))] = level
		}
	}
	for _, p := range people.Data {
		if p.Email == adminEmail {
			continue
		}
		ids[fact("person", p.Email)] = p.ID
		f[fact("person", p.Email)] = map[bool]string{true: "active", false: "deactivated"}[p.IsActive]
		for _, g := range p.GroupIDs {
			if !magic[g] {
				f[fact("member", ids.name("group", g), p.Email)] = "yes"
			}
		}
	}
	return f, nil
}

// entryWire is what a group has on the sample warehouse, in both forms.
type entryWire struct {
	View     json.RawMessage `json:"view-data"`
	Create   json.RawMessage `json:"create-queries"`
	Download struct{ Schemas json.RawMessage }
	Schemas  json.RawMessage
	Native   string
}

// facts are what the entry says. A level of a table that was written in part
// is shown as it is, and so agrees with nothing.
func (e entryWire) facts(f facts, group string, ids book) {
	word := func(raw json.RawMessage) (w string) { _ = json.Unmarshal(raw, &w); return w }
	byTable := func(raw json.RawMessage) map[string]string {
		var m map[string]map[string]string // by schema, of which there is one
		_ = json.Unmarshal(raw, &m)
		return m[""]
	}
	if word(e.Schemas) == "all" {
		level := map[string]string{"": "all", "write": "native"}[e.Native]
		wide := map[string]string{"all": "query-builder", "native": "query-builder-and-native"}[level]
		if word(e.View) != "unrestricted" || word(e.Create) != wide || word(e.Download.Schemas) != "full" {
			level = fmt.Sprintf("%s %s %s %s %s", e.Schemas, e.Native, e.View, e.Create, e.Download.Schemas)
		}
		f[fact("database", group)] = level
		return
	}
	view, create, download, seeds := byTable(e.View), byTable(e.Create), byTable(e.Download.Schemas), byTable(e.Schemas)
	for _, table := range ids.tables() {
		id := strconv.FormatInt(ids[fact("table", table)], 10)
		switch all := fact(view[id], create[id], download[id], seeds[table]); all {
		case "///":
		case "unrestricted/query-builder/full/all":
			f[fact("table", group, table)] = "open"
		case "blocked///":
			f[fact("table", group, table)] = "blocked"
		default:
			f[fact("table", group, table)] = all
		}
	}
}

func (b book) tables() []string { return b.names("table") }

func (b book) names(kind string) []string {
	f := facts{}
	for k := range b {
		f[k] = "yes"
	}
	return f.names(kind)
}
