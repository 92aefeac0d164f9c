package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// Run answers a question and streams its rows to out. The statement and the
// sending of its rows have the door's timeout together, and end when ctx does.
// Whatever happens is recorded, with the reason and without values.
//
// Errors: [ErrNotFound] and *permission.DeniedError when the person may not
// reach the card or dashboard at all; *[QueryError] when the question itself
// is refused or fails, which can be after some rows; [ErrNoDownload]; what out returns, wrapped;
// anything else is a fault of the server.
//
// If the permissions change meanwhile the question is put again under the new
// ones: before the statement runs it is compiled anew, and from then on a
// change that makes it another statement or none, or that takes the right to
// download from an export, ends the statement, and no further row is sent. A
// saved question that moves out of the person's reach or is edited ends within
// [watchEvery].
//
// A person has at most half of a database's connections at a time. Who waits
// longer than the door's wait for one is told so ([Busy]).
func (d *Door) Run(ctx context.Context, who permission.UserID, r Request, out Sink) (sum Summary, err error) {
	start := d.now()
	p := prepared{who: who, ask: r, at: start}
	defer func() {
		sum.Duration = d.now().Sub(start)
		d.record(ctx, p.run(), sum, err)
	}()
	ctx, stop := context.WithTimeout(ctx, d.timeout)
	defer stop()

	if p, err = d.prepare(ctx, who, r, start); err != nil {
		return sum, d.answer(ctx, p, err)
	}
	db, err := d.database(ctx, p.database)
	if err != nil {
		return sum, d.answer(ctx, p, err)
	}
	kept, err := d.again(&p, db)
	if err != nil {
		return sum, d.answer(ctx, p, err)
	}
	if kept != nil {
		watched, stop := d.watch(ctx, p, out)
		defer stop()
		sum, err = d.stream(watched, p, kept.replay(), out)
		sum.Kept = &kept.Kept
		return sum, d.answer(ctx, p, ended(watched, err))
	}
	conn, release, p, err := d.ready(ctx, p, db)
	if err != nil {
		return sum, d.answer(ctx, p, err)
	}
	defer release()
	watched, stop := d.watch(ctx, p, out)
	defer stop()
	sum, err = d.put(watched, conn, p, db, out)
	return sum, d.answer(ctx, p, ended(watched, err))
}

// prepared is a question under one state of the permissions.
type prepared struct {
	who    permission.UserID
	ask    Request
	at     time.Time
	graph  *permission.Graph
	access permission.Access

	question
	snippets  []store.Snippet // read for it
	statement query.Statement
	exported  permission.Level // how much of the result the person may export
	zone      *time.Location   // that times are told in; nil before it is known
}

// run is what is recorded of it.
func (p *prepared) run() store.QueryRun {
	return store.QueryRun{At: p.at, User: p.who, Context: p.ask.context(),
		Card: p.card, Dashboard: p.dashboard, Database: p.database, Native: p.native}
}

// prepare takes the permissions as they are now, finds the question, and
// compiles it for the person. What it returns beside an error is as far as it
// came.
func (d *Door) prepare(ctx context.Context, who permission.UserID, r Request, at time.Time) (p prepared, err error) {
	p = prepared{who: who, ask: r, at: at, graph: d.store.Graph()}
	p.access = p.graph.AccessOf(who)
	if viewer := originOf(ctx).Viewer; viewer != 0 {
		if err := p.graph.AccessOf(viewer).Check(permission.Administer, permission.Server); err != nil {
			return p, err
		}
	}
	if p.question, err = d.find(ctx, p.access, r); err != nil {
		return p, err
	}
	source, err := d.source(ctx, &p)
	if err != nil {
		return p, err
	}
	compile := query.Compile
	if p.query.Native() {
		compile = query.Check
	}
	if p.statement, err = compile(p.query, source); err != nil {
		return p, err
	}
	p.database, p.exported = p.statement.Database(), p.download()
	if r.exports() && p.exported < permission.Limited {
		return p, ErrNoDownload
	}
	return p, nil
}

// most is how many rows the person may be handed.
func (p *prepared) most() int {
	if p.ask.exports() && p.exported < permission.Full {
		return min(p.statement.Limit(), limitedExport)
	}
	return p.statement.Limit()
}

// current is p, or p under the permissions of now if they have changed.
func (d *Door) current(ctx context.Context, p prepared) (prepared, error) {
	if d.store.Graph() == p.graph {
		return p, nil
	}
	next, err := d.prepare(ctx, p.who, p.ask, p.at)
	if err == nil && next.database != p.database {
		err = fmt.Errorf("the question moved to database %d while it waited for database %d", next.database, p.database)
	}
	return next, err
}

// ready is a connection for the question as it is when that has come, which can
// be long. The caller calls release.
func (d *Door) ready(ctx context.Context, p prepared, db store.Database) (_ *warehouse.Conn, release func(), now prepared, err error) {
	for {
		conn, release, err := d.connect(ctx, p, db)
		if err != nil {
			return nil, nil, p, err
		}
		leased := p.statement.Leased()
		if p, err = d.current(ctx, p); err == nil && p.statement.Leased() == leased {
			return conn, release, p, nil
		}
		release()
		if err != nil {
			return nil, nil, p, err
		}
	}
}

// source is what the question is compiled against.
func (d *Door) source(ctx context.Context, p *prepared) (query.Source, error) {
	engine := "sqlite"
	if db := p.graph.Catalog().Database(p.database); db != nil {
		engine = db.Engine
	}
	var err error
	calendar, err := d.calendar(ctx, engine)
	if err != nil {
		return query.Source{}, err
	}
	p.zone = calendar.zone
	s := query.Source{Access: p.access, Saved: p.saved, Card: d.cards(ctx, p.access), Snippet: d.snippets(ctx, &p.snippets), Policy: d.standIns(ctx),
		Now: p.at.In(p.zone), FirstDay: calendar.week, MaxRows: p.ask.limit(p.query), MaskKey: d.store.MaskKey(p.database)}
	database := p.database
	s.Boundary = func() (*query.Boundary, error) { return d.held(ctx, database) }
	s.Gate = func() (*query.Boundary, error) { return d.gate(ctx, database) }
	if s.Dialect, err = query.DialectOf(engine); err != nil {
		return s, &QueryError{InvalidQuery, err.Error(), err}
	}
	return s, nil
}

// stream sends the rows, as long as the person may have them.
func (d *Door) stream(ctx context.Context, p prepared, rows rows, out Sink) (sum Summary, err error) {
	may := func() error {
		if d.store.Graph() == p.graph {
			return nil
		}
		var err error
		p.graph, err = d.still(ctx, p)
		return err
	}
	if err := may(); err != nil {
		return sum, err
	}
	columns, shapes := columnsOf(p.statement, rows.Columns())
	as := shaper{shapes, p.zone}
	if err := out.Begin(p.head(columns)); err != nil {
		return sum, &sinkError{err}
	}
	for rows.Next() {
		if sum.Rows == p.most() {
			sum.Truncated = true
			return sum, may()
		}
		if err := may(); err != nil {
			return sum, err
		}
		if err := out.Row(as.row(rows.Values())); err != nil {
			return sum, &sinkError{err}
		}
		sum.Rows++
	}
	if err := rows.Err(); err != nil {
		return sum, err
	}
	return sum, may() // the sink holds rows back that it sends now
}

// sinkError is an error of whoever takes the result.
type sinkError struct{ err error }

func (e *sinkError) Error() string { return e.err.Error() }
func (e *sinkError) Unwrap() error { return e.err }

// head is what is told before the rows.
func (p *prepared) head(columns []query.Column) Head {
	h := Head{Database: p.database, Query: p.json, Context: p.ask.context(), Columns: columns, Native: p.statement.Native(),
		Sandboxed: p.statement.Sandboxed(), Filtered: p.filtered(), Download: p.exported, Zone: p.zone.String(), Started: p.at}
	h.NativeForm, _ = p.statement.NativeForm()
	return h
}

// filtered tells what of the result's tables the person is not shown.
func (p *prepared) filtered() (all []Filtered) {
	tables := p.statement.Tables()
	if p.statement.Native() && p.statement.Role() == "" { // it may read more than it names
		tables = nil
		for _, v := range p.statement.Views() {
			tables = append(tables, v.Table())
		}
	}
	for _, t := range tables {
		rows, err := p.access.Rows(permission.ShowTable, t.ID)
		if err != nil || rows.All() || !p.access.Can(permission.SeeTable, permission.ATable(t.ID)) {
			continue
		}
		f := Filtered{Table: t.ID}
		parts := rows.Filters()
		if !slices.ContainsFunc(parts, func(p permission.Filter) bool { return p.All }) {
			f.Hidden = append(f.Hidden, "rows")
		}
		if slices.ContainsFunc(parts, func(p permission.Filter) bool { return p.Columns != nil }) {
			f.Hidden = append(f.Hidden, "columns")
		}
		all = append(all, f)
	}
	return all
}

// download is how much of the result the person may export: the least of what
// its tables give. SQL may read any table that it is allowed: where the gate or the
// engine tells which those are, it is the least of them, and elsewhere of all of the database.
func (p *prepared) download() permission.Level {
	least := permission.Full
	if d := p.graph.Catalog().Database(p.database); p.statement.Native() && p.statement.Role() == "" && (d == nil || !d.Governs) {
		for t := range p.graph.Catalog().Tables(p.database) {
			if t.Active() {
				least = min(least, p.access.Download(t.ID))
			}
		}
		return least
	}
	for _, t := range p.statement.Tables() {
		least = min(least, p.access.Download(t.ID))
	}
	return least
}

// connect takes a connection to a question's database when it is the person's
// turn. The caller calls release.
func (d *Door) connect(ctx context.Context, p prepared, db store.Database) (_ *warehouse.Conn, release func(), err error) {
	at, err := d.place(db)
	if err != nil {
		return nil, nil, err
	}
	waiting, stop := context.WithTimeoutCause(ctx, d.wait, errBusy)
	defer stop()
	most := warehouse.MaxConnections
	if p.statement.Leased() {
		b := d.boundary(db)
		at.Boundary, most = &b, b.Slots
	}
	share := max(most/2, 1)
	done, ok := d.turns.take(waiting, turn{db.ID, p.who, p.statement.Leased()}, share)
	if !ok {
		return nil, nil, busy(waiting, fmt.Sprintf("You have as many questions running in this database as one person may (%d). Wait for one of them to finish.", share))
	}
	conn, err := d.warehouses.Acquire(waiting, at)
	if err != nil {
		done()
		if waiting.Err() != nil {
			err = busy(waiting, "Too many questions run in this database at the moment. Try again later.")
		}
		return nil, nil, err
	}
	return conn, func() { conn.Release(); done() }, nil
}

// database is a database with its details as they are now.
func (d *Door) database(ctx context.Context, id catalogID) (store.Database, error) {
	db, err := d.store.Database(ctx, id)
	if errors.Is(err, ErrNotFound) {
		d.warehouses.Forget(id)
	}
	if err != nil {
		return db, fmt.Errorf("database %d: %w", id, err)
	}
	return db, nil
}

// place is where a database is, with these details.
func (d *Door) place(db store.Database) (at warehouse.Database, err error) {
	at = warehouse.Database{ID: db.ID, Engine: db.Engine, Details: db.Details}
	if db.Sample {
		at.Details, err = d.sampleHere(db.Details)
	}
	return at, err
}
