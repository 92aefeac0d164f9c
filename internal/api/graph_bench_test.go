package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// largeGraph has n databases, each with so many tables in two schemas, and n
// groups, each with an entry on so many databases, of what administrators
// write: on the whole database, on a schema, on three tables, on all but two.
// kinds says how often out of 20.
func largeGraph(tb testing.TB, n, tables, entries int, kinds [4]int) *permission.Graph {
	var list []catalog.Table
	cat := &catalog.Snapshot{}
	for db := range catalog.DatabaseID(n) {
		cat = cat.WithDatabase(catalog.Database{ID: db + 1, Name: fmt.Sprint("db", db+1)})
		for i := range tables {
			list = append(list, catalog.Table{ID: catalog.TableID(len(list) + 1), Database: db + 1, Schema: []string{"public", "sales"}[i*2/tables], Name: fmt.Sprint("table_", i)})
		}
	}
	cat = cat.WithTables(list, func(catalog.TableID) []catalog.Field { return nil })
	changes := []permission.Change{permission.SetGroup{To: &permission.Group{ID: 1, Name: "All Users"}}, permission.SetGroup{To: &permission.Group{ID: 2, Name: "Administrators"}}}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range permission.GroupID(n) {
		gr := i + 3
		changes = append(changes, permission.SetGroup{To: &permission.Group{ID: gr, Name: fmt.Sprint("group ", gr)}})
		for _, db := range r.Perm(n)[:entries] {
			set := func(k permission.Kind, s permission.Scope, l permission.Level) {
				changes = append(changes, permission.SetDataAccess{Group: gr, Database: catalog.DatabaseID(db + 1), Kind: k, Scope: s, To: permission.Cell{Set: true, Level: l}})
			}
			open := func(s permission.Scope) {
				set(permission.View, s, permission.Unrestricted)
				set(permission.Create, s, permission.QueryBuilder)
				set(permission.Download, s, permission.Full)
			}
			first := catalog.TableID(db*tables + 1)
			switch pick := r.IntN(20); {
			case pick < kinds[0]:
				open(permission.WholeDatabase())
			case pick < kinds[0]+kinds[1]:
				open(permission.WholeSchema("sales"))
			case pick < kinds[0]+kinds[1]+kinds[2]:
				for t := range catalog.TableID(3) {
					open(permission.OneTable(first + 3*t))
				}
			case pick < kinds[0]+kinds[1]+kinds[2]+kinds[3]:
				open(permission.WholeDatabase())
				for t := range catalog.TableID(2) {
					set(permission.View, permission.OneTable(first+4*t), permission.Blocked)
					set(permission.Create, permission.OneTable(first+4*t), permission.None)
				}
			default:
				for t := range catalog.TableID(tables) {
					open(permission.OneTable(first + t))
				}
			}
		}
	}
	g, err := permission.New(cat).Apply(changes...)
	if err != nil {
		tb.Fatal(err)
	}
	return g.WithRevisions(1, 1)
}

// discarded takes an answer and throws it away.
type discarded struct{ bytes int64 }

func (*discarded) Header() http.Header { return http.Header{} }
func (*discarded) WriteHeader(int)     {}
func (d *discarded) Write(p []byte) (int, error) {
	d.bytes += int64(len(p))
	return len(p), nil
}

// BenchmarkWholeGraph compares the answer of GET with encoding/json.Marshal of
// the same content held in maps.
func BenchmarkWholeGraph(b *testing.B) {
	for _, c := range []struct {
		name               string
		n, tables, entries int
		kinds              [4]int
	}{
		{"whole databases", 300, 20, 300, [4]int{20}},
		{"of everything", 100, 20, 10, [4]int{8, 5, 5, 2}},
		{"of everything, large", 1500, 20, 10, [4]int{8, 5, 5, 2}},
		{"every table", 20, 200, 20, [4]int{}},
	} {
		g := largeGraph(b, c.n, c.tables, c.entries, c.kinds)
		b.Run(c.name, func(b *testing.B) {
			var maps map[string]any
			if err := json.Unmarshal((&graphWorld{history: []*permission.Graph{g}}).text(both), &maps); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			var marshal time.Duration
			for b.Loop() {
				var to discarded
				if err := (graphAnswer{Revision: 1, Complete: both}).streamed(func(o *graphOut) error { return o.all(g, both, &texts{}) })(&to); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(to.bytes)
				b.StopTimer()
				begun := time.Now()
				if _, err := json.Marshal(maps); err != nil {
					b.Fatal(err)
				}
				marshal += time.Since(begun)
				b.StartTimer()
			}
			b.ReportMetric(float64(marshal)/float64(b.Elapsed()), "times-faster")
		})
	}
}

// BenchmarkUnchangedPut is the reading of a body that says what GET said,
// byte for byte or as a client in Python or Go writes it.
func BenchmarkUnchangedPut(b *testing.B) {
	for _, c := range []struct {
		name               string
		n, tables, entries int
		kinds              [4]int
	}{
		{"whole databases", 300, 20, 300, [4]int{20}},
		{"of everything", 1500, 20, 10, [4]int{8, 5, 5, 2}},
	} {
		g := largeGraph(b, c.n, c.tables, c.entries, c.kinds)
		text := (&graphWorld{history: []*permission.Graph{g}}).text(both)
		var maps map[string]any
		if err := json.Unmarshal(text, &maps); err != nil {
			b.Fatal(err)
		}
		sorted, err := json.Marshal(maps)
		if err != nil {
			b.Fatal(err)
		}
		spaced := bytes.ReplaceAll(bytes.ReplaceAll(text, []byte(`":`), []byte(`": `)), []byte(`,"`), []byte(`, "`))
		for name, body := range map[string][]byte{"as sent": text, "spaced": spaced, "sorted": sorted} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					said := newHeard(g)
					if err := readMembers(bytes.NewReader(body), &graphBody{}, said.read); err != nil {
						b.Fatal(err)
					}
					for i := range said.groups {
						if len(said.groups[i].others) > 0 {
							b.Fatalf("%s", said.groups[i].others[0].text)
						}
					}
				}
			})
		}
	}
}
