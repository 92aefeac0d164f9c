package api

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dbtest"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// lawEngines are the engines on which the law is tested.
var lawEngines = []string{"sqlite", "postgres", "mysql"}

// hiddenTables are made in the first and in the second of two warehouses. Only
// zoe and administrators may see them. The first of a world is decided on for
// nobody, the second blocked for All Users, the third governed; further ones
// are there in one world only. Their names come after the others', so that
// those have the same ids.
var hiddenTables = [2][]string{
	{
		"w_payroll (id integer primary key, person varchar(60), salary integer, currency varchar(3))",
		"x_layoffs (id integer primary key, account_id integer, reason varchar(60), foreign key (account_id) references accounts (id))",
		"y_mergers (id integer primary key, good_id integer, partner varchar(60), price integer, foreign key (good_id) references goods (id))",
		"zz_only (id integer primary key, visit_id integer, foreign key (visit_id) references visits (id))",
	},
	{
		"w_garden (id integer primary key, height numeric(10,2), plant varchar(60), planted date)",
		"x_birds (id integer primary key, seen date)",
		"y_trees (id integer primary key, age integer, bark varchar(60))",
	},
}

var hiddenRows = [2][]string{
	{
		"w_payroll values (1, 'Ada', 90, 'EUR'), (2, 'Bob', 20, 'EUR'), (3, 'Cem', 70, 'USD')", "x_layoffs values (1, 2, 'cost'), (2, 2, 'cost')",
		"y_mergers values (1, 1, 'Globex', 1000)", "zz_only values (1, 1)",
		"visits values (4, 2, 1, '2026-03-01', 999, 'secretly', '555-98', 100), (5, 3, 2, '2031-01-01', -5, 'secretly', NULL, 7)",
	},
	{
		"w_garden values (1, 3.5, 'oak', '2020-01-01')", "y_trees values (1, 7, 'rough'), (2, 900, 'smooth'), (3, 5, 'none')",
		"visits values (4, 2, 2, '1999-12-31', 31, 'quietly', '1', 'x'), (5, 2, 2, '2026-03-02', 0, NULL, NULL, NULL), (6, 2, NULL, NULL, NULL, '', '', ''), (7, 4, 3, '2026-03-03', 7, 'calmly', '33', 'y')",
	},
}

// shownTables are alike in both, but for a foreign key to a hidden table and a
// hidden column of visits, the last. Of visits, people are shown those of their
// account, which is the first, and of phone the last character.
var shownTables = []string{
	"accounts (id integer primary key, name varchar(60), region varchar(60), boss_id integer%s)",
	"goods (id integer primary key, title varchar(60), price numeric(10,2))",
	"visits (id integer primary key, account_id integer, good_id integer, day date, minutes integer, note varchar(60), phone varchar(60), %h, " +
		"foreign key (account_id) references accounts (id), foreign key (good_id) references goods (id))",
}

var shownRows = []string{
	"accounts values (1, 'Acme', 'north', 1), (2, 'Bolt', 'south', NULL), (3, 'Crux', 'north', NULL), (4, 'Dash', NULL, NULL)",
	"goods values (1, 'Anvil', 12.50), (2, 'Bell', 3.00), (3, 'Clock', 40.25)",
	"visits values (1, 1, 1, '2026-03-01', 30, 'first', '%p12', %h), (2, 1, 2, '2026-03-02', 45, NULL, NULL, %h), (3, 1, 1, '2026-02-01', 5, 'late', '%p7', NULL)",
}

// secretWords are names that only hidden things have, in one of the worlds.
var secretWords = [2][]string{
	{"w_payroll", "x_layoffs", "y_mergers", "zz_only", "salary", "Layoffs plan", "Who goes", "Takeovers"},
	{"w_garden", "x_birds", "y_trees", "plant", "Garden club", "What grows", "Hedges"},
}

// lawSite is what there is on both servers, with the same ids.
type lawSite struct {
	database    catalog.DatabaseID
	tables      map[string]catalog.TableID
	fields      map[string]catalog.FieldID // of shown tables, as table.field
	hidden      []catalog.TableID          // of the second server; the first has one more
	blocked     catalog.FieldID            // the first of the blocked table
	lastField   catalog.FieldID
	groups      map[string]permission.GroupID
	people      map[string]permission.UserID
	sessions    map[string]string
	collections map[string]permission.CollectionID
	cards       map[string]int64
	dashboards  map[string]int64
	dashcards   []int64
}

// lawPair is two servers at rest that differ in what the tested people may not
// see and in nothing else.
type lawPair struct {
	files [2]string
	site  lawSite
	// extra are tables that only the first has.
	extra []catalog.TableID
	told  map[string]int // how many answers were of which kind
	made  [2]int64       // the card that was saved last; 0 for none
}

// newLawPair makes two servers with a warehouse of the engine each.
func newLawPair(t *testing.T, engine string) *lawPair {
	t.Helper()
	p, dir := &lawPair{told: map[string]int{}}, t.TempDir()
	for i := range 2 {
		details := lawWarehouse(t, engine, i)
		p.files[i] = filepath.Join(dir, fmt.Sprint(i))
		made := t.Run(fmt.Sprintf("make %d", i), func(t *testing.T) {
			t.TempDir() // to be removed after the copy
			var s settled
			t.Cleanup(func() { // when the server has stopped
				data, err := os.ReadFile(s.file)
				if err == nil {
					err = os.WriteFile(p.files[i], data, 0o600)
				}
				if err != nil {
					t.Error(err)
				}
			})
			s = settledWorld(t)
			b := lawBuilder{settled: s, world: i}
			site, extra := b.build(engine, details)
			if i == 0 {
				p.site, p.extra = site, extra
				return
			}
			is, was := fmt.Sprintf("%+v", site.comparable()), fmt.Sprintf("%+v", p.site.comparable())
			if is != was {
				t.Fatalf("the ids differ:\n%s\n%s", was, is)
			}
			for w, id := range site.sessions {
				p.site.sessions[fmt.Sprint(w, i)] = id
			}
			p.site.hidden, p.site.lastField = site.hidden, max(p.site.lastField, site.lastField)
		})
		if !made {
			t.Fatal("the servers could not be made")
		}
	}
	return p
}

// comparable is the site without what may differ.
func (s lawSite) comparable() lawSite {
	s.sessions, s.hidden, s.lastField = nil, nil, 0
	return s
}

// lawWarehouse makes the i-th warehouse and gives its connection details.
func lawWarehouse(t *testing.T, engine string, i int) map[string]any {
	t.Helper()
	var statements []string
	key := ""
	if i == 0 {
		key = ", foreign key (boss_id) references w_payroll (id)"
	}
	statements = append(statements, "create table "+hiddenTables[i][0])
	for _, tb := range shownTables {
		statements = append(statements, "create table "+strings.NewReplacer("%s", key, "%h", []string{"wage integer", "mood varchar(60)"}[i]).Replace(tb))
	}
	// The index that a foreign key brings on some engines lies on what is shown,
	// and decides on the order of rows for which nobody asked.
	statements = append(statements, "create index by_boss on accounts (boss_id)")
	for _, tb := range hiddenTables[i][1:] {
		statements = append(statements, "create table "+tb)
	}
	rows := slices.Concat(hiddenRows[i][:1], shownRows, hiddenRows[i][1:])
	for _, r := range rows {
		statements = append(statements, "insert into "+strings.NewReplacer("%p", []string{"555-", "0900-"}[i], "%h", []string{"4200", "'merry'"}[i]).Replace(r))
	}
	if engine == "sqlite" {
		file := filepath.Join(t.TempDir(), "law.db")
		db, err := sql.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, q := range statements {
			if _, err := db.ExecContext(t.Context(), q); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		}
		return map[string]any{"db": file}
	}
	server := map[string]func(testing.TB) *dbtest.Server{"postgres": dbtest.PostgreSQL, "mysql": dbtest.MariaDB}[engine](t)
	database := server.Database(t)
	server.Exec(t, database, statements...)
	return server.Details(database, "")
}

// servers starts both servers of the pair.
func (p *lawPair) servers(t *testing.T) (both [2]settled) {
	t.Helper()
	p.made = [2]int64{}
	for i := range both {
		data, err := os.ReadFile(p.files[i])
		if err != nil {
			t.Fatal(err)
		}
		c := storetest.SQLite(t)
		if err := os.WriteFile(c.Path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		both[i] = reopened(t, c, settle.fixture)
	}
	return both
}

// caller is a person on the i-th server.
func (p *lawPair) caller(both [2]settled, i int, name string) caller {
	return both[i].with(p.site.sessions[name+[]string{"", "1"}[i]])
}

// lawLevel is one level of a group, on the database or on a shown table.
type lawLevel struct {
	group, table string
	kind         permission.Kind
	level        permission.Level
}

// standingIn are the columns of the question that can stand in for the visits.
var standingIn = []string{"id", "account_id", "good_id", "day", "minutes", "note"}

// lawGraph is what the tested people's groups have.
type lawGraph struct {
	byCard  bool // the readers' policy on the visits is by a saved question
	levels  []lawLevel
	hidden  map[string][3]permission.Level // of a group, on the hidden tables
	folders map[string]map[string]permission.Level
}

// decide writes a graph on the i-th server. Levels that do not fit are left
// out. Whatever was drawn, hidden tables are hidden and visits are held to the
// person's account.
func (p *lawPair) decide(t *testing.T, s settled, i int, g lawGraph) {
	t.Helper()
	hidden := slices.Clone(p.site.hidden)
	if i == 0 {
		hidden = append(hidden, p.extra...)
	}
	site := p.site
	seal, err := s.door.Seal(t.Context(), site.cards["stands in"])
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.store.Change(t.Context(), store.Actor{}, func(now *permission.Graph) ([]permission.Change, store.Bump, error) {
		d := now.Draft()
		visits := site.tables["visits"]
		own := &permission.Policy{Where: []permission.AttributeEquality{{Field: site.fields["visits.account_id"], Attribute: "account"}}}
		if err := d.SetSandbox(site.groups["Directors"], visits, own); err != nil {
			return nil, store.Bump{}, err
		}
		own = &permission.Policy{Where: own.Where}
		for _, name := range []string{"id", "account_id", "good_id", "day", "minutes", "note", "phone"} {
			c := permission.ColumnRule{Field: site.fields["visits."+name]}
			if name == "phone" {
				c.Mask = permission.Mask{Kind: permission.MaskPartial, Last: 1}
			}
			own.Columns = append(own.Columns, c)
		}
		byCard := &permission.Policy{Card: site.cards["stands in"], Seal: seal, Where: own.Where}
		for _, name := range standingIn {
			byCard.Columns = append(byCard.Columns, permission.ColumnRule{Field: site.fields["visits."+name]})
		}
		if err := d.SetSandbox(site.groups["Directors"], hidden[2], &permission.Policy{}); err != nil {
			return nil, store.Bump{}, err
		}
		for _, l := range g.levels {
			scope := permission.WholeDatabase()
			if l.table != "" {
				scope = permission.OneTable(site.tables[l.table])
			}
			if l.kind == permission.Create {
				_ = d.SetCreate(site.groups[l.group], site.database, scope, l.level) // where it does not fit it is not written
			} else {
				_ = d.Set(site.groups[l.group], site.database, l.kind, scope, l.level)
			}
			if l.table == "visits" && l.kind == permission.View && l.level == permission.Sandboxed {
				policy := own
				if g.byCard && l.group == "Readers" {
					policy = byCard
				}
				if err := d.SetSandbox(site.groups[l.group], visits, policy); err != nil {
					return nil, store.Bump{}, err
				}
			}
		}
		for group, levels := range g.hidden {
			for n, tb := range hidden {
				level := levels[min(n, 2)]
				if n != 2 && level == permission.Sandboxed {
					level = permission.None
				}
				if n == 1 && group == "All Users" {
					level = permission.Blocked
				}
				if err := d.Set(site.groups[group], site.database, permission.View, permission.OneTable(tb), level); err != nil {
					return nil, store.Bump{}, err
				}
			}
		}
		changes, _ := d.Changes()
		for group, folders := range g.folders {
			for key, level := range folders {
				id := site.collections[key]
				changes = append(changes, permission.SetCollectionAccess{Group: site.groups[group], Collection: id, From: now.CollectionLevel(site.groups[group], id),
					To: permission.Cell{Set: true, Level: level, At: catalog.Revision(now.CollectionRevision() + 1)}})
			}
		}
		return changes, store.Bump{Data: true, Collection: true}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range tested {
		a := s.store.Graph().AccessOf(site.people[name])
		for n, tb := range hidden {
			if a.Can(permission.SeeTable, permission.ATable(tb)) || a.Can(permission.QueryTable, permission.ATable(tb)) || (n == 1 || n == 2) && a.Can(permission.ShowTable, permission.ATable(tb)) {
				t.Fatalf("%s may see the hidden table %d under %+v", name, n, g)
			}
		}
		if rows, err := a.Rows(permission.ShowTable, site.tables["visits"]); err == nil && rows.All() {
			t.Fatalf("%s is shown all visits under %+v", name, g)
		}
		if a.SeesField(s.store.Graph().Catalog().Field(site.fields["visits.hidden"])) {
			t.Fatalf("%s sees the hidden column under %+v", name, g)
		}
		for _, key := range []string{"closed", "inner", "below"} {
			if a.Can(permission.ReadCollection, permission.ACollection(site.collections[key])) {
				t.Fatalf("%s may read the collection %s", name, key)
			}
		}
	}
}

// tested are the people of whom the law is asked.
var tested = []string{"ann", "bea", "cid", "dov"}
