package permission_test

import (
	"fmt"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/permission/reference"
	"pgregory.net/rapid"
)

// The moments of a random history: tables come at one of arrivals, levels are
// written at one of writings, so that tables are newer than some grants.
var (
	arrivals = []catalog.Revision{1, 1, 5}
	writings = []catalog.Revision{2, 6}
	now      = catalog.Revision(9)
)

// somebody and something that no random graph holds.
const (
	nobody  = permission.UserID(99)
	nowhere = 999
)

// scene is a random graph, the reference that was told the same changes, and
// what there is to ask about.
type scene struct {
	graph   *permission.Graph
	ref     *reference.World
	changes []permission.Change
	tidy    bool
}

// draw makes a random scene, of everything that a graph can hold.
func draw(t *rapid.T) *scene { return drawScene(t, false) }

// drawTidy makes a random scene as drafts leave one, without things that
// refuse for a reason of their own: what is sandboxed is governed and has no
// conditions on missing columns, everybody has every attribute, and nothing is
// seen as a database role.
func drawTidy(t *rapid.T) *scene { return drawScene(t, true) }

func drawScene(t *rapid.T, tidy bool) *scene {
	c := drawCatalog(t)
	s := &scene{graph: permission.New(c).WithRevisions(now, 1), ref: reference.New(), tidy: tidy}
	if below(t, 2, "remembering") == 1 {
		s.graph = s.graph.Remembering(1 << 16)
	}
	s.ref.Fill(c)
	s.drawPeople(t)
	s.drawLevels(t)
	s.drawPolicies(t)
	s.drawCollections(t)
	s.graph = s.graph.Settled()
	return s
}

// do applies a change to the graph and tells the reference.
func (s *scene) do(t rapid.TB, c permission.Change) {
	g, err := s.graph.Apply(c)
	if err != nil {
		t.Fatalf("apply %s: %v", c, err)
	}
	s.graph = g
	s.ref.Write(c)
	s.changes = append(s.changes, c)
}

// below draws a number from 0 to n-1, each as likely as the other: rapid's own
// ranges prefer small numbers so much that rare rules would never meet. It is
// 0 when a failure is made smaller.
func below(t *rapid.T, n int, label string) int {
	v := 0
	for _, bit := range bits.Draw(t, label) {
		v *= 2
		if bit {
			v++
		}
	}
	return v * n / 256
}

var bits = rapid.SliceOfN(rapid.Bool(), 8, 8)

// chance is true in about percent of the draws, and false when a failure is
// made smaller.
func chance(t *rapid.T, percent int, label string) bool {
	return below(t, 100, label) >= 100-percent
}

// oneOf draws one of the values.
func oneOf[V any](t *rapid.T, label string, values ...V) V {
	return values[below(t, len(values), label)]
}

func drawCatalog(t *rapid.T) *catalog.Snapshot {
	c := &catalog.Snapshot{}
	table, field := catalog.TableID(0), catalog.FieldID(0)
	for d := range catalog.DatabaseID(below(t, 4, "databases") + 1) {
		db := catalog.Database{ID: d + 1, Name: fmt.Sprintf("db%d", d+1), Governs: chance(t, 50, "governs"), Engine: oneOf(t, "engine", "postgres", "mysql", "postgres", "sqlite", "")}
		c = c.WithDatabase(db)
		for range below(t, 5, "tables") {
			table++
			tb := catalog.Table{
				ID: table, Database: db.ID, Name: fmt.Sprintf("t%d", table),
				Schema: oneOf(t, "schema", "", "public", "sales"),
				Since:  oneOf(t, "since", arrivals...),
			}
			if chance(t, 15, "absent") {
				tb.Until = 7
			}
			fields := []catalog.Field{
				{ID: field + 1, Name: "id", BaseType: "type/Text"},
				{ID: field + 2, Name: "org", BaseType: "type/Text", Position: 1},
			}
			field += 2
			c = c.WithTable(tb, fields)
		}
	}
	return c
}

func (s *scene) drawPeople(t *rapid.T) {
	groups := permission.GroupID(below(t, 5, "groups") + 2)
	for g := permission.GroupID(1); g <= groups; g++ {
		s.do(t, permission.SetGroup{To: &permission.Group{ID: g, Name: fmt.Sprintf("group %d", g), Internal: chance(t, 20, "internal")}})
	}
	for p := range permission.UserID(below(t, 4, "people") + 1) {
		u := &permission.User{ID: p + 1, Name: fmt.Sprintf("p%d@example.com", p+1), Active: chance(t, 85, "active"), Attributes: map[string]string{}}
		for _, name := range []string{"org", "team"} {
			switch value := oneOf(t, name, "1", "2", "1", "2", "1", ""); {
			case s.tidy:
				u.Attributes[name] = "1"
			case chance(t, 85, "has "+name):
				u.Attributes[name] = value
			}
		}
		if !s.tidy {
			u.Attributes["role"], u.Attributes["post"] = s.drawRole(t), s.drawRole(t)
		}
		s.do(t, permission.SetUser{To: u})
		for g := permission.GroupID(1); g <= groups; g++ {
			percent := 55
			switch g {
			case permission.AllUsers:
				percent = 90
			case permission.Administrators:
				percent = 5
			}
			if chance(t, percent, "member") {
				s.do(t, permission.SetMembership{User: u.ID, Group: g, To: true})
			}
		}
	}
}

// drawRole draws the value of an attribute that names a role, or does not.
func (s *scene) drawRole(t *rapid.T) string {
	return oneOf(t, "role", "reader", "writer", "reader", "writer", "reader", "", "no role", "None", "\x1freader")
}

// impersonated is the cell by an attribute, if it is an impersonated view.
func impersonated(t *rapid.T, k permission.Kind, c permission.Cell) permission.Cell {
	if k == permission.View && c.Level == permission.Impersonated {
		c.Attribute = oneOf(t, "names the role", "role", "role", "role", "role", "post", "")
	}
	return c
}

// levelsAt are the levels of a kind that may stand at a depth.
func levelsAt(k permission.Kind, d permission.Depth) []permission.Level {
	switch {
	case k == permission.View && d == permission.OfDatabase:
		return []permission.Level{permission.None, permission.Blocked, permission.Impersonated, permission.Unrestricted, permission.Unrestricted}
	case k == permission.View && d == permission.OfSchema:
		return []permission.Level{permission.None, permission.Blocked, permission.Unrestricted}
	case k == permission.View:
		return []permission.Level{permission.None, permission.Blocked, permission.Sandboxed, permission.Sandboxed, permission.Sandboxed, permission.Unrestricted}
	case k == permission.Create && d == permission.OfDatabase:
		return []permission.Level{permission.None, permission.QueryBuilder, permission.Native}
	case k == permission.Create:
		return []permission.Level{permission.None, permission.QueryBuilder}
	case k == permission.Download:
		return []permission.Level{permission.None, permission.Limited, permission.Full}
	case k == permission.Details && d != permission.OfDatabase:
		return nil
	}
	return []permission.Level{permission.None, permission.Yes}
}

func (s *scene) drawLevels(t *rapid.T) {
	c := s.graph.Catalog()
	for d := range c.Databases() {
		if chance(t, 30, "strict") {
			s.do(t, permission.SetStrict{Database: d.ID, To: true})
		}
		scopes := []permission.Scope{permission.WholeDatabase(), permission.WholeSchema(""), permission.WholeSchema("public"), permission.WholeSchema("sales")}
		for tb := range c.Tables(d.ID) {
			scopes = append(scopes, permission.OneTable(tb.ID))
			if m := (permission.TableMark{Governed: chance(t, 20, "governed"), Shared: chance(t, 20, "shared")}); m != (permission.TableMark{}) {
				s.do(t, permission.SetTableMark{Table: tb.ID, To: m})
			}
		}
		for g := range s.graph.Groups() {
			s.drawEntry(t, g.ID, d.ID, scopes)
		}
	}
}

// drawEntry writes what one group has in one database: often nothing, often
// something wide, sometimes levels at every depth.
func (s *scene) drawEntry(t *rapid.T, g permission.GroupID, d catalog.DatabaseID, scopes []permission.Scope) {
	if chance(t, 30, "no entry") {
		return
	}
	if !s.tidy && chance(t, 12, "as a role") {
		view := permission.Cell{Set: true, Level: permission.Impersonated, At: 6, Attribute: "role"}
		s.do(t, permission.SetDataAccess{Group: g, Database: d, Kind: permission.View, To: view})
		s.do(t, permission.SetDataAccess{Group: g, Database: d, Kind: permission.Create, To: permission.Cell{Set: true, Level: permission.Native, At: 6}})
		return
	}
	deep := chance(t, 60, "deep")
	tenants := chance(t, 25, "tenants") // whose tables are sandboxed
	for k := permission.View; k <= permission.Details; k++ {
		for _, scope := range scopes {
			percent := 60
			if scope.Depth != permission.OfDatabase {
				if !deep {
					continue
				}
				percent = 25
			}
			levels := levelsAt(k, scope.Depth)
			if tenants && k == permission.View && scope.Depth == permission.OfTable {
				levels, percent = []permission.Level{permission.Sandboxed}, 90
			}
			if len(levels) == 0 || !chance(t, percent, "written") {
				continue
			}
			cell := permission.Cell{Set: true, Level: oneOf(t, "level", levels...), At: oneOf(t, "at", writings...)}
			if s.tidy && k == permission.View && cell.Level == permission.Impersonated {
				continue
			}
			if scope.Depth == permission.OfTable {
				cell.At = max(cell.At, s.graph.Catalog().Table(scope.Table).Since+1) // not before it was there
			}
			cell.Wide = k == permission.View && scope.Depth == permission.OfTable && cell.Level == permission.Unrestricted && chance(t, 40, "wide")
			s.do(t, permission.SetDataAccess{Group: g, Database: d, Kind: k, Scope: scope, To: impersonated(t, k, cell)})
		}
	}
}

func (s *scene) drawPolicies(t *rapid.T) {
	c := s.graph.Catalog()
	for g := range s.graph.Groups() {
		for d := range c.Databases() {
			for tb := range c.Tables(d.ID) {
				cell := s.graph.Cell(g.ID, d.ID, permission.View, permission.OneTable(tb.ID))
				sandboxed := cell.Level == permission.Sandboxed
				if s.tidy && cell.Level == permission.Unrestricted && !cell.Wide {
					continue // opening a table by name removes the policy
				}
				if !chance(t, map[bool]int{true: 85, false: 8}[sandboxed], "policy") {
					continue
				}
				p := &permission.Sandbox{Group: g.ID, Table: tb.ID, At: 6}
				for _, f := range c.Fields(tb.ID) {
					if chance(t, 55, "condition") {
						p.Where = append(p.Where, permission.AttributeEquality{Field: f.ID, Attribute: oneOf(t, "attribute", "org", "org", "team")})
					}
				}
				if !s.tidy && chance(t, 4, "broken policy") { // a column that is not there, or is another table's
					p.Where = append(p.Where, permission.AttributeEquality{Field: oneOf(t, "column", catalog.FieldID(nowhere), 1), Attribute: "org"})
				}
				if !s.tidy && chance(t, 15, "by a question") {
					p.Policy = s.byQuestion(t, tb, p.Where)
				}
				s.do(t, permission.SetSandbox{To: p})
			}
			if s.tidy {
				s.govern(t, d.ID)
			}
		}
	}
}

// govern marks the tables that are sandboxed for some group.
func (s *scene) govern(t *rapid.T, d catalog.DatabaseID) {
	for tb := range s.graph.Catalog().Tables(d) {
		for g := range s.graph.Groups() {
			m := s.graph.Mark(tb.ID)
			if m.Governed || s.graph.Sandbox(g.ID, tb.ID) == nil && s.graph.Cell(g.ID, d, permission.View, permission.OneTable(tb.ID)).Level != permission.Sandboxed {
				continue
			}
			s.do(t, permission.SetTableMark{Table: tb.ID, From: m, To: permission.TableMark{Governed: true, Shared: m.Shared}})
		}
	}
}

func (s *scene) drawCollections(t *rapid.T) {
	id := permission.CollectionID(0)
	for range below(t, 5, "collections") {
		id++
		node := &permission.CollectionNode{ID: id, Name: fmt.Sprintf("c%d", id)}
		switch {
		case chance(t, 25, "personal"):
			node.Owner = permission.UserID(below(t, 5, "owner") + 1)
		case id > 1 && chance(t, 50, "nested"):
			above := s.graph.Collection(permission.CollectionID(below(t, int(id)-1, "parent") + 1))
			node.Parent, node.Owner = above.ID, above.Owner
		}
		s.do(t, permission.SetCollection{To: node})
	}
	for g := range s.graph.Groups() {
		for c := permission.Root; c <= id; c++ {
			if chance(t, 35, "collection level") {
				cell := permission.Cell{Set: true, Level: oneOf(t, "level", permission.None, permission.Read, permission.Write)}
				s.do(t, permission.SetCollectionAccess{Group: g.ID, Collection: c, To: cell})
			}
		}
	}
}

// question is one thing that can be asked about a person.
type question struct {
	right  permission.Right
	object permission.Object
	id     int64
}

// questions are all rights on everything there is, and on what is not there.
func (s *scene) questions() []question {
	qs := []question{{permission.Administer, permission.Server, 0}, {0, permission.Server, 0}}
	databases := []catalog.DatabaseID{nowhere}
	tables := []catalog.TableID{nowhere}
	for d := range s.graph.Catalog().Databases() {
		databases = append(databases, d.ID)
		for tb := range s.graph.Catalog().Tables(d.ID) {
			tables = append(tables, tb.ID)
		}
	}
	for _, d := range databases {
		for _, r := range []permission.Right{permission.SeeDatabase, permission.QueryNatively, permission.ManageDatabase} {
			qs = append(qs, question{r, permission.ADatabase(d), int64(d)})
		}
	}
	for _, tb := range tables {
		for _, r := range []permission.Right{permission.SeeTable, permission.QueryTable, permission.ShowTable, permission.DescribeTable} {
			qs = append(qs, question{r, permission.ATable(tb), int64(tb)})
		}
	}
	collections := []permission.CollectionID{permission.Root, nowhere}
	for c := range s.graph.Collections() {
		collections = append(collections, c.ID)
	}
	for _, c := range collections {
		for _, r := range []permission.Right{permission.ReadCollection, permission.CurateCollection} {
			qs = append(qs, question{r, permission.ACollection(c), int64(c)})
		}
	}
	return qs
}

// people are everybody, and somebody unknown.
func (s *scene) people() []permission.UserID {
	ids := []permission.UserID{0, nobody}
	for u := range s.graph.Users() {
		ids = append(ids, u.ID)
	}
	return ids
}

// fatal stops with everything that is needed to judge who is wrong.
func (s *scene) fatal(t rapid.TB, format string, args ...any) {
	t.Helper()
	t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), s.ref)
}
