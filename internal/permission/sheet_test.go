package permission_test

import (
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"pgregory.net/rapid"
)

// What a sheet says of an entry is what the graph says of each of its parts,
// whatever was read into the sheet before.
func TestASheetSaysWhatTheGraphSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		var sheet permission.Sheet
		for gr := range s.graph.Groups() {
			var entries []catalog.DatabaseID
			for read := range s.graph.Sheets(gr.ID, &sheet) {
				entries = append(entries, read.Database)
			}
			if want := slices.Collect(s.graph.Entries(gr.ID)); !slices.Equal(entries, want) {
				t.Fatalf("group %d has sheets on %v and entries on %v", gr.ID, entries, want)
			}
			for d := range s.graph.Catalog().Databases() {
				if there := s.graph.Sheet(gr.ID, d.ID, &sheet); there != slices.Contains(entries, d.ID) {
					t.Fatalf("group %d, database %d: there is a sheet: %v", gr.ID, d.ID, there)
				}
				sheetAgrees(t, s.graph, gr.ID, d.ID, &sheet)
			}
		}
	})
}

func sheetAgrees(t *rapid.T, g *permission.Graph, id permission.GroupID, d catalog.DatabaseID, sheet *permission.Sheet) {
	same := func(at permission.Scope, l *permission.Line, own bool) {
		t.Helper()
		for k := permission.View; k < permission.Collection; k++ {
			if got, want := l.Levels[k], g.Level(id, d, k, at); got != want {
				t.Fatalf("group %d, database %d%s: %s is %s on the sheet and %s in the graph", id, d, at, k, k.Word(got), k.Word(want))
			}
			if c := g.Cell(id, d, k, at); own && (l.Set.Has(k) != c.Set || l.Wide.Has(k) != c.Wide) {
				t.Fatalf("group %d, database %d%s: %s is set %v, wide %v on the sheet; the cell is %+v", id, d, at, k, l.Set.Has(k), l.Wide.Has(k), c)
			}
		}
	}
	same(permission.WholeDatabase(), &sheet.Whole, true)
	var written permission.Kinds
	open := sheet.Whole.Levels[permission.View] > permission.Blocked
	read := map[catalog.TableID]bool{}
	around := map[string]*permission.Line{}
	for i := range sheet.Schemas {
		in := &sheet.Schemas[i]
		around[in.Name] = &in.Whole
		same(permission.WholeSchema(in.Name), &in.Whole, true)
		for j := range in.Tables {
			same(permission.OneTable(in.Tables[j].ID), &in.Tables[j].Line, true)
			read[in.Tables[j].ID] = true
		}
		if i > 0 && sheet.Schemas[i-1].Name >= in.Name || !slices.IsSortedFunc(in.Tables, func(a, b permission.TableLine) int { return int(a.ID - b.ID) }) {
			t.Fatalf("the sheet is out of order: %+v", sheet.Schemas)
		}
	}
	for k := permission.View; k < permission.Collection; k++ {
		schemas, byTable := g.Granular(id, d, k)
		for name, tables := range byTable {
			in := slices.IndexFunc(sheet.Schemas, func(s permission.SheetSchema) bool { return s.Name == name })
			if in < 0 || !sheet.Schemas[in].Written.Has(k) || sheet.Schemas[in].ByTable.Has(k) != tables {
				t.Fatalf("group %d, database %d, schema %q, %s: by table %v in the graph; the sheet is %+v", id, d, name, k, tables, sheet.Schemas)
			}
		}
		for _, in := range sheet.Schemas {
			if in.Written.Has(k) != slices.Contains(schemas, in.Name) {
				t.Fatalf("group %d, database %d, schema %q: %s is written on the sheet: %v", id, d, in.Name, k, in.Written.Has(k))
			}
		}
		for at, c := range g.Cells(id, d, k) {
			open = open || k == permission.View && c.Level > permission.Blocked
			if tb := g.Catalog().Table(at.Table); tb != nil && !read[tb.ID] {
				t.Fatalf("table %d has a cell and no line", tb.ID)
			}
			if at.Depth != permission.OfDatabase {
				written |= permission.KindsOf(k)
			}
		}
	}
	if sheet.Written != written || sheet.Open != open {
		t.Fatalf("on the sheet %b is written below, open %v; want %b, %v", sheet.Written, sheet.Open, written, open)
	}
	for tb := range g.Catalog().Tables(d) {
		if read[tb.ID] {
			continue
		}
		wide := around[tb.Schema]
		if wide == nil {
			wide = &sheet.Whole
		}
		under := sheet.Under(wide, tb)
		same(permission.OneTable(tb.ID), &under, true)
	}
}
