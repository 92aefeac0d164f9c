package store

import (
	"context"
	"encoding/json"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// SandboxRow is a policy with its id, which it has as long as the group has a
// policy on the table. No other ever gets it.
type SandboxRow struct {
	ID int64
	permission.Sandbox
}

// SandboxQuery selects policies; what is zero does not narrow.
type SandboxQuery struct {
	ID    int64
	Group permission.GroupID
	Table catalog.TableID
}

// Sandboxes lists policies by their ids. They are made, altered and removed by
// Change.
func (s *Store) Sandboxes(ctx context.Context, q SandboxQuery) ([]SandboxRow, error) {
	var w where
	if q.ID != 0 {
		w.and("id = ?", q.ID)
	}
	if q.Group != 0 {
		w.and("group_id = ?", q.Group)
	}
	if q.Table != 0 {
		w.and("table_id = ?", q.Table)
	}
	return list(ctx, s.reader(), scanSandbox, "select id, "+sandboxColumns+" from sandboxes"+w.String()+" order by id", w.args...)
}

// Sandbox returns a policy, or ErrNotFound.
func (s *Store) Sandbox(ctx context.Context, id int64) (SandboxRow, error) {
	return one(ctx, s.reader(), scanSandbox, "select id, "+sandboxColumns+" from sandboxes where id = $1", id)
}

const sandboxColumns = "group_id, table_id, policy, revision"

func scanSandbox(row scanner) (b SandboxRow, err error) {
	var policy string
	if err := row.Scan(&b.ID, &b.Group, &b.Table, &policy, &b.At); err != nil {
		return b, err
	}
	return b, json.Unmarshal([]byte(policy), &b.Policy)
}

func (w *writer) sandboxRow(c permission.SetSandbox) error {
	if c.To == nil {
		return w.execOne(w.ctx, "delete from sandboxes where group_id = $1 and table_id = $2", c.From.Group, c.From.Table)
	}
	policy, err := json.Marshal(c.To.Policy)
	if err != nil {
		return err
	}
	if c.From != nil {
		return w.execOne(w.ctx, "update sandboxes set policy = $1, revision = $2 where group_id = $3 and table_id = $4",
			string(policy), c.To.At, c.To.Group, c.To.Table)
	}
	id, err := w.newIDs("sandbox", 1)
	if err != nil {
		return err
	}
	err = w.execOne(w.ctx, "insert into sandboxes (id, group_id, table_id, policy, revision) values ($1, $2, $3, $4, $5)",
		id, c.To.Group, c.To.Table, string(policy), c.To.At)
	if isForeign(err) {
		return invalid("table_id", "There is no table %d.", c.To.Table)
	}
	return err
}
