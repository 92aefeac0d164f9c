package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dbrole"
	"github.com/sluice-bi/sluice/internal/gate"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// How SQL of people is held to what they may see inside of a server
// (docs/security.md): a boundary is set up in it by somebody who may, and is in
// force for a day after it was last proved.

// provedFor is how long what was proved of a boundary counts.
const provedFor = 24 * time.Hour

// MaxSlots is how many statements of people one database can run at a time.
const MaxSlots = warehouse.MaxSlots

// Governance is how SQL of people is held to what they may see in a database.
type Governance struct {
	Governs   bool             // such SQL runs, for people who may see a part of the database too
	Held      string           // by what: "views", which Sluice makes for a statement, or "logins"
	Slots     int              // statements that run at a time, by logins
	CheckedAt time.Time        // zero where there is nothing to check
	Findings  []dbrole.Finding // what stands against it
}

// gates read SQL of people with the grammar of their engine.
var gates = map[string]func(string, gate.Names) (string, error){"postgres": gate.Postgres, "mysql": gate.MySQL}

// boundary is that of a database, set up or not.
func (d *Door) boundary(db store.Database) warehouse.Boundary {
	key := d.store.BoundaryKey(db.ID)
	name := sha256.Sum256([]byte("name in " + nameOf(db) + " of " + key))
	b := warehouse.Boundary{Name: warehouse.BoundaryName([4]byte(name[:4])), Key: key, Slots: db.Governance.Slots}
	if b.Slots == 0 {
		b.Slots = warehouse.MaxConnections
	}
	return b
}

// held is what holds SQL of people in a database, for the compiler.
func (d *Door) held(ctx context.Context, id catalogID) (*query.Boundary, error) {
	db, err := d.database(ctx, id)
	if err != nil {
		return nil, err
	}
	const mend = "An administrator can have it checked (sluice db doctor)."
	switch reads, ok := gates[db.Engine]; {
	case !ok || !db.Governance.Passed:
		return nil, errors.New("SQL cannot be held to what you may see in this database at the moment. " + mend)
	case d.now().Sub(db.Governance.CheckedAt) >= provedFor:
		return nil, errors.New("That SQL is held to what you may see in this database was not proved within the last 24 hours. " + mend)
	default:
		b := d.boundary(db)
		is := &query.Boundary{Home: b.Home(), Views: b.Views(), Base: nameOf(db), Gate: func(sql string, names func(schema, name string) (string, string, bool)) (string, error) {
			return d.read(ctx, reads, sql, names)
		}}
		if db.Engine == "mysql" {
			is.Calm = gate.CalmMySQL
		}
		return is, nil
	}
}

// gate is what reads SQL of people who are seen as a database role. Nothing
// needs to be set up for it.
func (d *Door) gate(ctx context.Context, id catalogID) (*query.Boundary, error) {
	db, err := d.database(ctx, id)
	if err != nil {
		return nil, err
	}
	reads, ok := gates[db.Engine]
	if !ok {
		return nil, fmt.Errorf("databases of the engine %s have no roles", db.Engine)
	}
	return &query.Boundary{Base: nameOf(db), Gate: func(sql string, names func(schema, name string) (string, string, bool)) (string, error) {
		return d.read(ctx, reads, sql, names)
	}}, nil
}

// read reads SQL of a person, as many at a time as there are processors: before
// it waits for a connection somebody can send text that takes long to read.
func (d *Door) read(ctx context.Context, reads func(string, gate.Names) (string, error), sql string, names gate.Names) (string, error) {
	select {
	case d.reading <- struct{}{}:
		defer func() { <-d.reading }()
		return reads(sql, names)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// nameOf is what a server calls the database.
func nameOf(db store.Database) string {
	var details struct {
		Name string `json:"dbname"`
	}
	_ = json.Unmarshal(db.Details, &details) // else it has none
	return details.Name
}

// BoundarySQL is the script that sets a boundary up, for who administers the
// database server. With views Sluice may make the views that it needs by
// itself. For MySQL itself, which is not MariaDB, the script is written too:
// nobody has run it, and the doctor refuses what it makes. [ErrNotFound].
func (d *Door) BoundarySQL(ctx context.Context, id catalogID, slots int, views, mysql8 bool) (string, error) {
	db, err := d.database(ctx, id)
	if err != nil {
		return "", err
	}
	if catalog.Governs(db.Engine) {
		return "-- Nothing has to be set up: Sluice holds SQL of people in this database by itself.\n", nil
	}
	if mysql8 && db.Engine == dbrole.MySQL {
		db.Engine = dbrole.MySQL8
	}
	statements, err := d.setUp(db, slots, views)
	return dbrole.Script(statements), err
}

func (d *Door) setUp(db store.Database, slots int, views bool) ([]dbrole.Statement, error) {
	b := d.boundary(db)
	if slots > 0 {
		b.Slots = slots
	}
	o := dbrole.SetupOptions{Database: nameOf(db), WritesViews: views}
	for t := range d.store.Graph().Catalog().Tables(db.ID) {
		if t.Active() && t.Schema != "" {
			o.Schemas = append(o.Schemas, t.Schema)
		}
	}
	slices.Sort(o.Schemas)
	o.Schemas = slices.Compact(o.Schemas)
	return dbrole.Setup(db.Engine, b, o)
}

// SetUpBoundary sets a boundary up over the connection of the database itself,
// where its login may, and proves it. *[ConnectionError] where it may not. There
// is nothing to do for an engine that needs none.
func (d *Door) SetUpBoundary(ctx context.Context, by store.Actor, id catalogID, slots int) (Governance, error) {
	db, err := d.database(ctx, id)
	if err != nil {
		return Governance{}, err
	}
	if catalog.Governs(db.Engine) {
		return d.CheckGovernance(ctx, by, id, 0)
	}
	statements, err := d.setUp(db, slots, true)
	if err != nil {
		return Governance{}, err
	}
	at, err := d.place(db)
	if err != nil {
		return Governance{}, err
	}
	if err := dbrole.Apply(ctx, d.warehouses.Admin(at), statements); err != nil {
		return Governance{}, connectionError(fmt.Errorf("setting up database %d: %w", id, err))
	}
	return d.CheckGovernance(ctx, by, id, slots)
}

// CheckGovernance proves that SQL of people is held to what they may see in a
// database, by what its server says and by attacks that must fail, and notes
// what it found: such SQL runs from now on, or no longer. slots says how many
// there are if that changed, or 0; another number than before counts only if it
// is right. Errors: [ErrNotFound]; *[ConnectionError]
// when the database cannot be looked at, which changes nothing.
func (d *Door) CheckGovernance(ctx context.Context, by store.Actor, id catalog.DatabaseID, slots int) (Governance, error) {
	db, err := d.database(ctx, id)
	if err != nil {
		return Governance{}, err
	}
	if catalog.Governs(db.Engine) {
		return Governance{Governs: true, Held: "views"}, nil
	}
	at, err := d.place(db)
	if err != nil {
		return Governance{}, err
	}
	b := d.boundary(db)
	at.Boundary = &b
	const busy = "All slots run SQL of people at the moment. Try again later."
	waiting, stop := context.WithTimeout(ctx, d.wait)
	defer stop()
	release, err := d.warehouses.Spare(waiting, at)
	if err != nil {
		if ctx.Err() == nil && waiting.Err() != nil {
			err = &QueryError{Busy, busy, err}
		}
		return Governance{}, connectionError(err)
	}
	defer release()
	other := slots > 0 && slots != b.Slots
	if slots > 0 {
		b.Slots = slots
	}
	report, err := dbrole.Doctor(ctx, d.warehouses.Admin(at), b, db.Engine)
	switch {
	case errors.Is(err, dbrole.ErrBusy):
		return Governance{}, &QueryError{Busy, busy, err}
	case err != nil:
		return Governance{}, connectionError(fmt.Errorf("checking database %d: %w", id, err))
	case other && !report.Passed(): // what there was is not touched by a wrong number
		return Governance{Held: "logins", Slots: slots, CheckedAt: d.now(), Findings: report.Findings}, nil
	}
	found, err := json.Marshal(report.Findings)
	if err != nil {
		return Governance{}, err
	}
	g := store.Governance{Slots: b.Slots, CheckedAt: d.now(), Passed: report.Passed(), Findings: found}
	if err := d.store.SetGovernance(ctx, by, db, g); err != nil {
		return Governance{}, err
	}
	return Governance{Governs: g.Passed, Held: "logins", Slots: g.Slots, CheckedAt: g.CheckedAt, Findings: report.Findings}, nil
}

// stillHeld checks a boundary again that was set up once, as the database may
// have changed.
func (d *Door) stillHeld(ctx context.Context, by store.Actor, id catalogID) error {
	db, err := d.database(ctx, id)
	if err != nil || db.Governance.CheckedAt.IsZero() {
		return err
	}
	_, err = d.CheckGovernance(ctx, by, id, 0)
	return err
}
