package dataset

import (
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// MayWriteSnippet decides whether the person may write SQL that people share:
// it becomes part of every saved question that names it, which then runs for
// whoever may see its result. So it needs what writing those questions needs:
// SQL on the database of each. A *[permission.DeniedError] tells of none.
func MayWriteSnippet(who permission.UserID) func(store.SnippetWrite) error {
	return func(w store.SnippetWrite) error {
		access := w.Graph.AccessOf(who)
		for _, raw := range w.Questions {
			q, err := query.Parse(raw)
			if err != nil || w.Graph.Catalog().Database(q.Database()) == nil {
				continue // it runs for nobody, until somebody may write it anew
			}
			for id, name := range q.Snippets() {
				if !w.Reaches(id, name) {
					continue
				}
				if err := access.Check(permission.QueryNatively, permission.ADatabase(q.Database())); err != nil {
					return err
				}
			}
		}
		return nil
	}
}
