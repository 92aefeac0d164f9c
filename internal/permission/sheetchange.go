package permission

import (
	"iter"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/intmap"
)

// SheetsChanged yields the groups of which a sheet, or the tables that it
// speaks of, may differ between two graphs; some of them more than once.
// Groups that only one of the graphs has are among them, and Administrators
// never are. It costs what differs: what the graphs share is skipped.
func SheetsChanged(a, b *Graph) iter.Seq[GroupID] {
	return func(yield func(GroupID) bool) {
		for id := range intmap.Changes(a.groups, b.groups) {
			was, _ := a.groups.Get(id)
			is, _ := b.groups.Get(id)
			if was != is && id != Administrators && !yield(id) {
				return
			}
		}
		for d := range databasesChanged(a, b) {
			// A group that is on the database in one of them only was yielded.
			for id := range b.GroupsOn(d) {
				if !yield(id) {
					return
				}
			}
		}
	}
}

// databasesChanged yields the databases that differ, themselves, in their
// tables, or in what is said of these and of no group.
func databasesChanged(a, b *Graph) iter.Seq[catalog.DatabaseID] {
	return func(yield func(catalog.DatabaseID) bool) {
		for d := range catalog.Changes(a.Catalog(), b.Catalog()) {
			if !yield(d) {
				return
			}
		}
		for d := range intmap.Changes(a.strict, b.strict) {
			if a.Strict(d) != b.Strict(d) && !yield(d) {
				return
			}
		}
		for id := range intmap.Changes(a.marks, b.marks) {
			if t := b.Catalog().Table(id); t != nil && a.Mark(id) != b.Mark(id) && !yield(t.Database) {
				return
			}
		}
	}
}
