package api

import (
	"fmt"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// edits are what the body wants of the data graph, which is current now: where
// it differs from the graph that it is relative to.
func (h *heard) edits(r *request, current *permission.Graph, complete dialect) ([]permission.Edit, error) {
	if complete != "" {
		if missing := h.unnamed(current); len(missing) > 0 {
			return nil, r.stale(&staleError{Revision: int64(current.Revision()),
				Message: fmt.Sprintf("The body says that it is complete, and does not name the groups %s.", strings.Join(missing, ", "))})
		}
	}
	var edits []permission.Edit
	e := newEntryReader(h.than, current, complete)
	for i := range h.groups {
		of, err := h.groups[i].edits(e)
		if err != nil {
			return nil, err
		}
		edits = append(edits, of...)
	}
	return edits, nil
}

// unnamed lists the groups that a complete body has to name and does not:
// those that were there at its revision and still are.
func (h *heard) unnamed(current *permission.Graph) []string {
	var missing []string
	named := map[permission.GroupID]bool{}
	for i := range h.groups {
		named[h.groups[i].id] = true
	}
	for gr := range current.Groups() {
		if h.than.Group(gr.ID) != nil && !named[gr.ID] {
			missing = append(missing, fmt.Sprintf("%d %q", gr.ID, gr.Name))
		}
	}
	return missing
}

func (gr *heardGroup) edits(e *entryReader) ([]permission.Edit, error) {
	path := "groups." + gr.key
	switch {
	case gr.id == 0:
		return nil, graphError(path, "a group's key must be its id, a positive number")
	case gr.notObject != nil && !gr.notObject.null:
		return nil, graphError(path, "a group must be an object by database, not %q", gr.notObject.word)
	}
	var edits []permission.Edit
	for _, other := range gr.others {
		at := path + "." + other.key
		n, ok := number(other.key)
		if !ok {
			return nil, graphError(at, "a database's key must be its id, a positive number")
		}
		entry, err := readTree(other.text, entryDepth)
		if err != nil {
			return nil, graphError(at, "must be %v", err)
		}
		of, err := e.entry(at, gr.id, catalog.DatabaseID(n), entry)
		if err != nil {
			return nil, err
		}
		edits = append(edits, of...)
	}
	if e.complete == "" {
		return edits, nil
	}
	for _, db := range gr.leftOut(e.base) {
		of, err := e.entry(path+"."+databaseKey(db), gr.id, db, nil)
		if err != nil {
			return nil, err
		}
		edits = append(edits, of...)
	}
	return edits, nil
}

// entry reads one entry of the body, or one that it leaves out, which is nil.
func (r *entryReader) entry(path string, id permission.GroupID, db catalog.DatabaseID, body *tree) ([]permission.Edit, error) {
	r.group, r.db = id, db
	says := body != nil && len(body.kids) > 0
	switch {
	case r.current.Group(id) == nil, r.current.Catalog().Database(db) == nil:
		// It went since, and took its levels with it. What the body says of it
		// is no change if it is what was emitted.
		if !says || r.unchanged(body) || r.dropped() {
			return nil, nil
		}
		if r.current.Group(id) == nil {
			return nil, graphError(path, "there is no group %d", id)
		}
		return nil, graphError(path, "there is no database %d", db)
	}
	edits, err := r.read(path, body)
	if err == nil && id == permission.Administrators {
		if !says || len(edits) == 0 {
			return nil, nil
		}
		err = graphError(path, "group %d, Administrators, always has full access; its permissions cannot be changed", id)
	}
	return edits, err
}
