package api

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dbtest"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/permission/accesscase"
	"github.com/sluice-bi/sluice/internal/store"
)

// The case files, over HTTP, with real queries on real databases: the people
// sign in, and do what the file says that they can and cannot do.
func TestCasesHoldOverHTTP(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/access/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	cases, matrix := []*accesscase.Case{}, 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := accesscase.Parse(file, data)
		if err != nil {
			t.Fatal(err)
		}
		if !httpCase(c) {
			continue
		}
		cases = append(cases, c)
		if everywhere(c) {
			matrix++
		}
	}
	if matrix < 22 || len(cases) < 67 {
		t.Errorf("%d cases run, %d of them on all engines; want at least 67 and 22", len(cases), matrix)
	}
	for _, engine := range accesscase.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			var details map[string]any
			if engine != "sqlite" {
				details = sampleOn(t, engine)
			}
			for _, c := range cases {
				if engine == "sqlite" || everywhere(c) {
					t.Run(c.Name, func(t *testing.T) {
						t.Parallel()
						newHTTPCase(t, c, engine, details).run()
					})
				}
			}
		})
	}
}

// everywhere tells whether a case is run on all engines: those that say what
// can be done with each kind of thing. The others are about who has what.
func everywhere(c *accesscase.Case) bool {
	return strings.HasPrefix(c.Name, "matrix-") || strings.HasPrefix(c.Name, "shape-")
}

// sampleOn makes the tables of the sample warehouse on a server, which all
// cases read and none writes, with a row of organization 3 in each, and gives
// its connection details.
func sampleOn(t *testing.T, engine string) map[string]any {
	t.Helper()
	c, err := accesscase.Parse("sample", []byte("A sample.\n-- catalog --\ndatabase shop, the sample warehouse\n-- people --\nbob is in Sales\n-- cannot --\nbob administers\n"))
	if err != nil {
		t.Fatal(err)
	}
	server := map[string]func(testing.TB) *dbtest.Server{"postgres": dbtest.PostgreSQL, "mysql": dbtest.MariaDB}[engine](t)
	database := server.Database(t)
	for _, tb := range c.Databases[0].Tables {
		var columns, values []string
		for _, f := range tb.Fields {
			values = append(values, "'3'")
			column := f.Name + " varchar(60)"
			if f.Type == "integer" {
				column = f.Name + " integer"
			}
			if columns == nil {
				column += " primary key"
			}
			columns = append(columns, column)
		}
		for _, f := range tb.Fields {
			if to, is := map[string]string{"organization_id": "organizations", "person_id": "people", "product_id": "products", "order_id": "orders"}[f.Name]; is {
				columns = append(columns, fmt.Sprintf("foreign key (%s) references %s (id)", f.Name, to))
			}
		}
		server.Exec(t, database, fmt.Sprintf("create table %s (%s)", tb.Name, strings.Join(columns, ", ")),
			fmt.Sprintf("insert into %s values (%s)", tb.Name, strings.Join(values, ", ")))
	}
	return server.Details(database, "")
}

// The seed about understanding permissions has three data levels and three
// collection levels; permissions.md adds blocked, and tells two ways to the
// third data level. Every cell has a case that speaks of the query builder, of
// SQL, of a dashboard's card and of personal collections.
func TestTheMatrixIsWhole(t *testing.T) {
	spoken := []accesscase.Verb{
		accesscase.Asks, accesscase.RunsQuestion, accesscase.EditsQuestion, accesscase.RenamesQuestion, accesscase.BuildsOn,
		accesscase.WritesSQL, accesscase.SavesSQL, accesscase.OpensDashboard, accesscase.SeesCard, accesscase.SeesCardLocked,
		accesscase.RunsCard, accesscase.SavesQuestion, accesscase.OpensCollection, accesscase.SeesDatabase, accesscase.IsShown,
	}
	for _, data := range []string{"1", "2", "3", "3-viewable", "blocked"} {
		for _, level := range []string{"write", "read", "none"} {
			file := fmt.Sprintf("../../testdata/access/matrix-data-%s-collection-%s.txtar", data, level)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Errorf("a cell has no case: %v", err)
				continue
			}
			c, err := accesscase.Parse(file, text)
			if err != nil {
				t.Fatal(err)
			}
			if !httpCase(c) {
				t.Errorf("%s does not run over HTTP", c.Name)
			}
			verbs, native, own := map[accesscase.Verb]bool{}, false, false
			for _, e := range c.Steps[0].Expect {
				verbs[e.Verb] = true
				if q, err := c.Question(e.Question); err == nil && q.Native && e.Verb == accesscase.RunsQuestion {
					native = true
				}
				own = own || e.Collection == accesscase.PersonalCollection(e.Person)
			}
			for _, v := range spoken {
				if !verbs[v] {
					t.Errorf("%s does not say whether somebody %s", c.Name, v)
				}
			}
			if !native || !own {
				t.Errorf("%s says nothing of saved SQL or of the person's own collection", c.Name)
			}
		}
	}
}

// httpCase tells whether a case is about a state that can be made over HTTP
// today: tables of SQLite files that were all there before the grants, and
// no policies.
func httpCase(c *accesscase.Case) bool {
	for _, d := range c.Databases {
		if d.Strict {
			return false
		}
		for _, tb := range d.Tables {
			if tb.Schema != "" || tb.Governed || tb.Shared || tb.New || tb.Absent {
				return false
			}
		}
	}
	for _, g := range c.Groups {
		if g.Internal {
			return false
		}
	}
	for _, s := range c.Grants {
		if s.Do == accesscase.Policy && everywhere(c) {
			continue
		}
		if s.Do != accesscase.Levels && s.Do != accesscase.OnCollection {
			return false
		}
		for _, l := range s.Levels {
			if l.Wide || l.Level == permission.Impersonated && l.Kind == permission.View {
				return false
			}
		}
	}
	for _, s := range c.Steps {
		if len(s.Write) > 0 && s.Put == nil {
			return false
		}
	}
	return true
}

type httpCaseRun struct {
	t          *testing.T
	c          *accesscase.Case
	s          settled
	admin      caller
	world      *accesscase.World
	sessions   map[string]caller
	questions  map[string]int64
	dashboards map[string]int64
	dashcards  map[string]int64 // by dashboard and question
	shown      int64            // a collection that everybody reads
	engine     string
	details    map[string]any // of the sample on a server
	schema     string         // of all tables
}

func newHTTPCase(t *testing.T, c *accesscase.Case, engine string, details map[string]any) *httpCaseRun {
	s := settledWorld(t)
	r := &httpCaseRun{t: t, c: c, s: s, admin: s.admin(), world: accesscase.NewWorld(),
		sessions: map[string]caller{}, questions: map[string]int64{}, dashboards: map[string]int64{}, dashcards: map[string]int64{}, engine: engine, details: details}
	r.databases()
	r.people()
	r.shown = r.collection("shown to everybody", nil)
	for _, path := range c.Collections {
		var parent any
		name := path
		if i := strings.LastIndexByte(path, '/'); i >= 0 {
			parent, name = r.world.Collections[path[:i]], path[i+1:]
		}
		r.world.Collections[path] = permission.CollectionID(r.collection(name, parent))
	}
	for _, q := range c.Questions {
		r.questions[q.Name] = r.card(q, r.world.Collections[q.Collection])
	}
	for _, d := range c.Dashboards {
		r.dashboard(d)
	}
	r.grants()
	return r
}

func (r *httpCaseRun) collection(name string, parent any) int64 {
	return r.admin.post("/api/collection", map[string]any{"name": name, "parent_id": parent}).id()
}

// databases connects a file for each database of the case; the sample
// warehouse is there.
func (r *httpCaseRun) databases() {
	for _, d := range r.c.Databases {
		id := r.s.Database
		switch {
		case r.details != nil:
			id = r.admin.post("/api/database", map[string]any{"name": d.Name, "engine": r.engine, "details": r.details}).id()
		case !d.Sample:
			id = r.admin.post("/api/database", map[string]any{"name": d.Name, "engine": "sqlite", "details": map[string]any{"db": r.file(d)}}).id()
		}
		r.world.Databases[d.Name] = catalog.DatabaseID(id)
		var found struct {
			Tables []struct {
				ID     int64
				Name   string
				Schema string
			}
		}
		r.admin.get(fmt.Sprintf("/api/database/%d?include=tables", id)).want(200).into(&found)
		if len(found.Tables) != len(d.Tables) {
			r.t.Fatalf("database %q has %d tables, want %d", d.Name, len(found.Tables), len(d.Tables))
		}
		for _, tb := range found.Tables {
			r.world.AddTable(d.Name, "", tb.Name, catalog.TableID(tb.ID))
			r.schema = tb.Schema
		}
	}
}

func (r *httpCaseRun) file(d accesscase.Database) string {
	path := filepath.Join(r.t.TempDir(), d.Name+".db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	for _, tb := range d.Tables {
		columns := []string{}
		for _, f := range tb.Fields {
			columns = append(columns, fmt.Sprintf("%q %s", f.Name, f.Type))
		}
		if len(columns) == 0 {
			columns = []string{"id integer"}
		}
		if _, err := db.Exec(fmt.Sprintf("create table %q (%s)", tb.Name, strings.Join(columns, ", "))); err != nil {
			r.t.Fatal(err)
		}
	}
	return path
}

func (r *httpCaseRun) people() {
	group := func(name string) permission.GroupID {
		id, ok := r.world.Groups[name]
		if !ok {
			id = permission.GroupID(r.admin.post("/api/permissions/group", map[string]any{"name": "case " + name}).id())
			r.world.Groups[name] = id
		}
		return id
	}
	for _, g := range r.c.Groups {
		group(g.Name)
	}
	for _, p := range r.c.People {
		ids := []permission.GroupID{permission.AllUsers}
		for _, name := range p.Groups {
			ids = append(ids, group(name))
		}
		email := p.Name + "@example.com"
		user := r.admin.post("/api/user", map[string]any{"email": email, "password": testPassword, "group_ids": ids, "login_attributes": p.Attributes}).want(200).object()
		id := int64(user["id"].(float64))
		r.world.People[p.Name] = permission.UserID(id)
		var in sessionWire
		r.s.nobody().post("/api/session", map[string]any{"username": email, "password": testPassword}).want(200).into(&in)
		r.sessions[p.Name] = r.s.with(in.ID)
		if own, ok := user["personal_collection_id"].(float64); ok {
			r.world.Collections[accesscase.PersonalCollection(p.Name)] = permission.CollectionID(own)
		} else {
			own := r.s.store.Graph()
			for c := range own.Collections() {
				if c.Owner == permission.UserID(id) && c.Parent == permission.Root {
					r.world.Collections[accesscase.PersonalCollection(p.Name)] = c.ID
				}
			}
		}
		if p.Deactivated {
			r.admin.delete(fmt.Sprint("/api/user/", id)).want(200)
		}
	}
}

// query is a question on tables of one database, by the builder or as SQL.
func (r *httpCaseRun) query(q accesscase.Question, limit int) map[string]any {
	db := r.world.Databases[q.Tables[0].Database]
	if q.Native {
		var from []string
		for _, ref := range q.Tables {
			from = append(from, fmt.Sprintf("(select count(*) from %s)", ref.Table))
		}
		if q.On != "" {
			from = []string{fmt.Sprintf("(select count(*) from {{#%d}} as x)", r.questions[q.On])}
		}
		return native(db, fmt.Sprintf("select %d as id, %s as n", limit, strings.Join(from, " + ")))
	}
	first := r.table(q.Tables[0])
	inner := map[string]any{"source-table": first, "limit": limit}
	switch {
	case q.Kind == "metric":
		return map[string]any{"database": db, "type": "query", "query": map[string]any{"source-table": first, "aggregation": []any{[]any{"count"}}}}
	case q.On != "":
		inner["source-table"] = fmt.Sprint("card__", r.questions[q.On])
		return map[string]any{"database": db, "type": "query", "query": inner}
	}
	var joins []any
	for i, ref := range q.Tables[1:] {
		to := r.table(ref)
		alias := fmt.Sprint("j", i)
		joins = append(joins, map[string]any{"source-table": to, "alias": alias, "fields": "none",
			"condition": []any{"=", []any{"field", r.field(first), nil}, []any{"field", r.field(to), map[string]any{"join-alias": alias}}}})
	}
	if joins != nil {
		inner["joins"] = joins
	}
	return map[string]any{"database": db, "type": "query", "query": inner}
}

func native(db catalog.DatabaseID, text string) map[string]any {
	return map[string]any{"database": db, "type": "native", "native": map[string]any{"query": text}}
}

func (r *httpCaseRun) table(ref accesscase.Ref) catalog.TableID {
	id, err := r.world.Table(ref)
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *httpCaseRun) field(id catalog.TableID) catalog.FieldID {
	return r.s.store.Graph().Catalog().Fields(id)[0].ID
}

func (r *httpCaseRun) cardBody(name string, query map[string]any, in permission.CollectionID) map[string]any {
	body := map[string]any{"name": name, "display": "table", "visualization_settings": map[string]any{}, "dataset_query": query, "collection_id": nil}
	if in != permission.Root {
		body["collection_id"] = in
	}
	return body
}

func (r *httpCaseRun) card(q accesscase.Question, in permission.CollectionID) int64 {
	body := r.cardBody(q.Name, r.query(q, 3), in)
	body["type"] = cmp.Or(q.Kind, "question")
	return r.admin.post("/api/card", body).id()
}

func (r *httpCaseRun) dashboard(d accesscase.Dashboard) {
	id := r.admin.post("/api/dashboard", map[string]any{"name": d.Name, "collection_id": r.world.Collections[d.Collection]}).id()
	r.dashboards[d.Name] = id
	var cards, parameters []any
	for i, name := range d.Questions {
		place := map[string]any{"id": -1 - i, "card_id": r.questions[name], "row": i, "col": 0, "size_x": 4, "size_y": 4}
		q, err := r.c.Question(name)
		if err != nil {
			r.t.Fatal(err)
		}
		if !q.SQL {
			p := parameterFor(r.questions[name])
			parameters = append(parameters, map[string]any{"id": p, "name": p, "slug": p, "type": "id"})
			place["parameter_mappings"] = []any{map[string]any{"parameter_id": p, "card_id": r.questions[name], "target": []any{"dimension", r.columnOf(*q, nil)}}}
		}
		cards = append(cards, place)
	}
	r.admin.put(fmt.Sprint("/api/dashboard/", id), map[string]any{"dashcards": cards, "parameters": parameters}).want(200)
	for _, dc := range r.dashcardsOf(r.admin, id) {
		for _, q := range d.Questions {
			if dc.CardID != nil && *dc.CardID == r.questions[q] {
				r.dashcards[d.Name+"/"+q] = dc.ID
			}
		}
	}
}

// parameterFor is the id of the parameter that filters a card on its dashboards.
func parameterFor(card int64) string { return fmt.Sprint("p", card) }

type dashcardSeen struct {
	ID     int64  `json:"id"`
	CardID *int64 `json:"card_id"`
	Card   struct {
		ID           int64           `json:"id"`
		Name         *string         `json:"name"`
		DatasetQuery json.RawMessage `json:"dataset_query"`
	} `json:"card"`
}

func (r *httpCaseRun) dashcardsOf(who caller, id int64) []dashcardSeen {
	var d struct{ Dashcards []dashcardSeen }
	if got := who.get(fmt.Sprint("/api/dashboard/", id)); got.status == 200 {
		got.into(&d)
	}
	return d.Dashcards
}

// grants writes the levels as an administrator would: one PUT of the data
// graph in the split form, and one of the collections' graph.
func (r *httpCaseRun) grants() {
	collections := map[string]any{}
	give := func(group, collection any, word string) {
		of, _ := collections[fmt.Sprint(group)].(map[string]any)
		if of == nil {
			of = map[string]any{}
			collections[fmt.Sprint(group)] = of
		}
		of[fmt.Sprint(collection)] = word
	}
	give(permission.AllUsers, r.shown, "read")
	data, policies := map[string]any{}, []accesscase.Statement{}
	for _, s := range r.c.Grants {
		group := r.world.Groups[s.Group]
		if s.Do == accesscase.Policy {
			policies = append(policies, s)
			continue
		}
		if s.Do == accesscase.OnCollection {
			give(group, r.world.Collections[s.Collection], permission.Collection.Word(s.Level))
			continue
		}
		db, scope, err := r.world.Scope(s.Scope)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, l := range s.Levels {
			of := map[string]any{fmt.Sprint(group): map[string]any{fmt.Sprint(db): map[string]any{l.Kind.String(): r.wireLevel(l, scope)}}}
			data = mergedGraph(data, of).(map[string]any)
		}
	}
	r.put("/api/permissions/graph", data)
	r.put("/api/collection/graph", collections)
	for _, s := range policies {
		r.policy(s)
	}
}

// policy writes a policy where there is no address for it yet.
func (r *httpCaseRun) policy(s accesscase.Statement) {
	table := r.table(s.Scope)
	_, err := r.s.store.Change(r.t.Context(), store.Actor{}, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		var where []permission.AttributeEquality
		for _, c := range s.Where {
			for _, f := range g.Catalog().Fields(table) {
				if f.Name == c.Field {
					where = append(where, permission.AttributeEquality{Field: f.ID, Attribute: c.Attribute})
				}
			}
		}
		d := g.Draft()
		err := d.SetSandbox(r.world.Groups[s.Group], table, &permission.Policy{Where: where})
		changes, _ := d.Changes()
		return changes, store.Bump{Data: true}, err
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// mergedGraph merges two parts of a graph; a word beside an object is what the
// object does not name.
func mergedGraph(a, b any) any {
	of, ok := a.(map[string]any)
	if !ok {
		of = map[string]any{wildcard: a}
	}
	with, ok := b.(map[string]any)
	if !ok {
		with = map[string]any{wildcard: b}
	}
	for key, v := range with {
		if was, is := of[key]; is {
			v = mergedGraph(was, v)
		}
		of[key] = v
	}
	return of
}

func (r *httpCaseRun) put(path string, groups map[string]any) {
	revision := r.admin.get(path).want(200).object()["revision"]
	r.admin.put(path, map[string]any{"revision": revision, "groups": groups}).want(200)
}

func (r *httpCaseRun) wireLevel(l accesscase.Level, s permission.Scope) any {
	var v any = l.Kind.Word(l.Level)
	if l.Level == permission.None && l.Kind == permission.View {
		v = nil
	}
	switch s.Depth {
	case permission.OfSchema:
		v = map[string]any{cmp.Or(s.Schema, r.schema): v}
	case permission.OfTable:
		v = map[string]any{r.schema: map[string]any{fmt.Sprint(s.Table): v}}
	}
	if l.Kind == permission.Download || l.Kind == permission.DataModel {
		v = map[string]any{"schemas": v}
	}
	return v
}

func (r *httpCaseRun) run() {
	for _, step := range r.c.Steps {
		if step.Put != nil {
			r.sends(step.Put)
		}
		for _, e := range step.Expect {
			if !e.On(r.engine) {
				continue
			}
			if got := r.does(r.sessions[e.Person], e.Person, e.Action); got != e.Can {
				r.t.Errorf("line %d: %s: %v over HTTP", e.Line, e.Text, got)
			}
		}
		for _, l := range step.Sees {
			if names, ok := r.sees(r.sessions[l.Person], l); ok && !slices.Equal(names, slices.Sorted(slices.Values(l.Names))) {
				r.t.Errorf("line %d: %s: over HTTP %v", l.Line, l.Text, names)
			}
		}
	}
}

// sends makes the PUT of a step, with the revision that the graph has then.
func (r *httpCaseRun) sends(p *accesscase.Put) {
	path := "/api/permissions/graph"
	if p.Graph == "collections" {
		path = "/api/collection/graph"
	}
	revision := int64(r.admin.get(path).want(200).object()["revision"].(float64))
	body, err := r.world.Fill(p.Body, revision)
	if err != nil {
		r.t.Fatalf("line %d: %v", p.Line, err)
	}
	if p.Query != "" {
		path += "?" + p.Query
	}
	answer := r.admin.put(path, body).want(cmp.Or(p.Status, http.StatusOK))
	for _, text := range p.Mention {
		if !strings.Contains(string(answer.body), text) {
			r.t.Errorf("line %d: the answer does not mention %q: %s", p.Line, text, answer.body)
		}
	}
}
