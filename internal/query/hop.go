package query

import (
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// hopKey is a table that is reached through a foreign key of a stage's source
// or of one of its joins.
type hopKey struct {
	hop
	table catalog.TableID
}

// hop finds a field that is reached through a foreign key, and joins its table
// to the stage unless it is already. The table was decided on with all other
// sources; it is scanned as any of them.
func (c *compiler) hop(s *scope, f *fieldRef) (*relation, column, error) {
	from, key, err := c.lookup(s, &fieldRef{at: f.at, id: f.via.id, join: f.via.join})
	if err != nil {
		return nil, column{}, err
	}
	if s.joining && from == &s.joins[len(s.joins)-1] {
		return nil, column{}, f.at.errorf("the condition of a join cannot use what is reached through the join")
	}
	if key.masked {
		return nil, column{}, unreachable(f)
	}
	to, err := c.target(f)
	if err != nil {
		return nil, column{}, err
	}
	k := hopKey{*f.via, to.Table}
	r := s.hops[k]
	if r == nil {
		scan, err := c.scan(to.Table, f.at)
		if err != nil {
			return nil, column{}, err
		}
		r = &relation{sql: c.alias(), columns: scan.columns, body: scan.sql, via: f.via, label: hopLabel(key)}
		other, ok := r.find(&fieldRef{id: to.ID}, "")
		if !ok || other.masked {
			return nil, column{}, unreachable(f)
		}
		s.extra = cat(s.extra, " LEFT JOIN (", scan.sql, ") AS "+r.sql+" ON ("+from.sql+"."+key.sql+" = "+r.sql+"."+other.sql+")")
		s.hops[k] = r
	}
	col, ok := r.find(&fieldRef{id: f.id, shape: f.shape}, "")
	if !ok {
		return nil, column{}, unreachable(f)
	}
	return r, col, nil
}

// target is the field that the foreign key of a reference points to: one of
// the table of the field that is wanted.
func (c *compiler) target(f *fieldRef) (*catalog.Field, error) {
	key, wanted := c.catalog().Field(f.via.id), c.catalog().Field(f.id)
	if key == nil || wanted == nil || key.Target == 0 {
		return nil, unreachable(f)
	}
	to := c.catalog().Field(key.Target)
	if to == nil || to.Table != wanted.Table {
		return nil, unreachable(f)
	}
	return to, nil
}

func unreachable(f *fieldRef) error {
	return f.at.errorf("field %d cannot be reached through field %d", f.id, f.via.id)
}

// hopLabel is what display names call the table behind a foreign key: the key
// without the word ID.
func hopLabel(key column) string {
	for _, suffix := range []string{" ID", " Id", " id"} {
		if name, is := strings.CutSuffix(key.DisplayName, suffix); is && name != "" {
			return name
		}
	}
	return key.DisplayName
}
