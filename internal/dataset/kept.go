package dataset

import (
	"bytes"
	lru "container/list"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// Results of saved questions are kept for as long as somebody chose. A result
// is found by what it was made from and by nothing that a client says: the
// statement with its arguments and views, the tables that it may read as they
// were then, whose rows the person may see there and as which role, and the connection. So a person is shown
// what another one's question gave only where their own would have been the
// same, and a question is compiled under the permissions of now before anybody
// looks for its result.

// Bounds on what one server keeps.
const (
	keptBytes   = 64 << 20
	keptResult  = keptBytes / 16
	keptResults = 10_000
)

// Kept is a result that is shown again.
type Kept struct {
	At   time.Time     // when it was made
	Took time.Duration // making it
}

// keptKey is what a result is found by; the zero value finds nothing.
type keptKey [sha256.Size]byte

// policed is a table as a result depends on it.
type policed struct {
	Table  query.Table
	Since  catalog.Revision
	Fields []catalog.Field
	All    bool                // the person may see all its rows
	Rows   []permission.Filter // else those, with the values of the person's attributes
}

// key is what the result of a saved question in the database is found by.
func (p *prepared) key(db store.Database) (keptKey, error) {
	var tables []policed
	for _, t := range p.statement.Tables() {
		rows, err := p.access.Rows(permission.ShowTable, t.ID)
		if err != nil {
			return keptKey{}, err
		}
		x := policed{Table: t, Since: p.graph.Catalog().Table(t.ID).Since, All: rows.All(), Rows: rows.Filters()}
		for _, f := range p.graph.Catalog().Fields(t.ID) {
			x.Fields = append(x.Fields, *f)
		}
		tables = append(tables, x)
	}
	for _, t := range p.statement.Below() { // that all of it is read is the policies' to say
		x := policed{Table: t, Since: p.graph.Catalog().Table(t.ID).Since, All: true}
		for _, f := range p.graph.Catalog().Fields(t.ID) {
			x.Fields = append(x.Fields, *f)
		}
		tables = append(tables, x)
	}
	var args []string // with their types: 1 is not "1"
	for _, a := range p.statement.Args() {
		args = append(args, fmt.Sprintf("%T %v", a, a))
	}
	var views []string // what SQL of people is held to
	for _, v := range p.statement.Views() {
		views = append(views, v.Key())
	}
	text, err := json.Marshal(struct {
		Database  catalog.DatabaseID
		Engine    string
		Details   []byte
		SQL       string
		Args      []string
		Views     []string
		Columns   []query.Column
		Tables    []policed
		Native    bool
		Role      string
		Sandboxed bool
		Limit     int
		Zone      string
	}{db.ID, db.Engine, db.Details, p.statement.SQL(), args, views, p.statement.Columns(), tables,
		p.statement.Native(), p.statement.Role(), p.statement.Sandboxed(), p.most(), p.zone.String()})
	return sha256.Sum256(text), err
}

// keepFor is how long the result of a question is kept: as its card says, else
// its dashboard, else the database. Questions that are not saved are not kept.
func (p *prepared) keepFor(db store.Database) time.Duration {
	if p.card == nil {
		return 0
	}
	for _, hours := range slices.Concat(p.ttl, []*int{db.CacheTTL}) {
		if hours != nil {
			return time.Duration(*hours) * time.Hour
		}
	}
	return 0
}

// results are those that one server keeps, the latest used first. Its zero
// value is ready.
type results struct {
	mu    sync.Mutex
	by    map[keptKey]*lru.Element // of *result
	order lru.List
	bytes int
}

// result is the rows of a statement as the engine gave them. It does not
// change, but for until.
type result struct {
	Kept
	key     keptKey
	columns []warehouse.Column
	rows    [][]any
	bytes   int       // more than nothing for no rows, too
	until   time.Time // nobody shows it after this
}

// begun is a result without rows yet.
func begun(key keptKey, columns []warehouse.Column) *result {
	x := &result{key: key, columns: columns, bytes: 512}
	for _, c := range columns {
		x.bytes += 64 + len(c.Name) + len(c.DatabaseType) + len(c.BaseType)
	}
	return x
}

// find is the result of that key that may be shown now by whoever keeps it so
// long; nil for none.
func (r *results) find(key keptKey, now time.Time, long time.Duration) *result {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.by[key]
	if e == nil || !e.Value.(*result).At.After(now.Add(-long)) {
		return nil
	}
	x := e.Value.(*result)
	if until := x.At.Add(long); until.After(x.until) { // somebody keeps it longer
		x.until = until
	}
	r.order.MoveToFront(e)
	return x
}

// put keeps a result, and lets go of those that nobody shows any more, and then
// of those that were used longest ago.
func (r *results) put(x *result, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[keptKey]*lru.Element{}
	}
	if e := r.by[x.key]; e != nil {
		r.drop(e)
	}
	r.by[x.key] = r.order.PushFront(x)
	r.bytes += x.bytes
	for e := r.order.Back(); e != nil; {
		before := e.Prev()
		if !e.Value.(*result).until.After(now) {
			r.drop(e)
		}
		e = before
	}
	for r.bytes > keptBytes || r.order.Len() > keptResults {
		r.drop(r.order.Back())
	}
}

func (r *results) drop(e *lru.Element) {
	x := r.order.Remove(e).(*result)
	delete(r.by, x.key)
	r.bytes -= x.bytes
}

// rows are the rows of a statement: from a warehouse, or kept.
type rows interface {
	Columns() []warehouse.Column
	Next() bool
	Values() []any // may be changed, until the next Next
	Err() error
}

// replay gives the rows of a result again.
func (x *result) replay() rows { return &replayed{result: x, values: make([]any, len(x.columns))} }

type replayed struct {
	*result
	next   int
	values []any
}

func (r *replayed) Columns() []warehouse.Column { return r.columns }
func (r *replayed) Values() []any               { return r.values }
func (r *replayed) Err() error                  { return nil }

func (r *replayed) Next() bool {
	if r.next == len(r.rows) {
		return false
	}
	copy(r.values, r.rows[r.next])
	r.next++
	return true
}

// keeping copies rows while they are read, as long as they are not too many.
type keeping struct {
	*warehouse.Rows
	into *result // nil when it is too large
}

func (k *keeping) Next() bool {
	if !k.Rows.Next() {
		return false
	}
	if k.into == nil {
		return true
	}
	row := make([]any, len(k.Values()))
	size := 24 + 16*len(row)
	for i, v := range k.Values() {
		switch v := v.(type) {
		case string:
			size += len(v)
		case json.Number:
			size += len(v)
		case json.RawMessage:
			size += len(v)
			row[i] = bytes.Clone(v)
			continue
		}
		row[i] = v
	}
	if k.into.bytes += size; k.into.bytes > keptResult {
		k.into = nil
		return true
	}
	k.into.rows = append(k.into.rows, row)
	return true
}

// again finds the result of a question if it may be shown again; nil if the
// question must be put.
func (d *Door) again(p *prepared, db store.Database) (*result, error) {
	long := p.keepFor(db)
	if long <= 0 || p.ask.Fresh {
		return nil, nil
	}
	key, err := p.key(db)
	if err != nil {
		return nil, err
	}
	return d.results.find(key, d.now(), long), nil
}

// put runs the statement of a question and sends its rows, and keeps them if
// they may be shown again.
func (d *Door) put(ctx context.Context, conn *warehouse.Conn, p prepared, db store.Database, out Sink) (sum Summary, err error) {
	began := d.now()
	read, err := conn.Run(ctx, p.statement, p.zone)
	if err != nil {
		return sum, err
	}
	defer read.Close()
	long := p.keepFor(db)
	if long <= 0 {
		return d.stream(ctx, p, read, out)
	}
	key, err := p.key(db)
	if err != nil {
		return sum, err
	}
	k := &keeping{read, begun(key, read.Columns())}
	if sum, err = d.stream(ctx, p, k, out); err == nil && k.into != nil {
		now := d.now()
		k.into.Kept, k.into.until = Kept{began, now.Sub(began)}, began.Add(long)
		d.results.put(k.into, now)
	}
	return sum, err
}
