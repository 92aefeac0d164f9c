package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// The states of a database's last sync.
const (
	syncComplete = "complete"
	syncAborted  = "aborted"
)

// syncKind is what the jobs that read schemas are called.
const syncKind = "sync"

// ConnectionError is what keeps the server from a warehouse, in words for who
// manages the connection.
type ConnectionError struct {
	Field   string // the option of the connection details that is to blame; may be ""
	Message string
	Cause   error // for logs; may be nil
}

func (e *ConnectionError) Error() string { return e.Message }

// Unwrap is the cause: a *warehouse.Error.
func (e *ConnectionError) Unwrap() error { return e.Cause }

// connectionError tells a warehouse's error to who manages the connection;
// other errors stay as they are.
func connectionError(err error) error {
	var engine *warehouse.Error
	if errors.As(err, &engine) {
		return &ConnectionError{engine.Field, engine.Message, err}
	}
	return err
}

// Sync is the reading of a database's schema, under way or ended.
type Sync struct {
	Job       int64
	State     store.JobState
	Step      string // "connecting", "reading" or "writing"
	Tables    int64  // read so far
	Cancel    bool   // somebody wants it to end
	Error     string // why it failed, for who manages the connection
	Report    *SyncReport
	CreatedAt time.Time
	StartedAt time.Time // zero while it waits
	EndedAt   time.Time // zero while it goes on
}

// SyncReport is what a sync found: what the login sees, and what it does not.
type SyncReport struct {
	Tables   int                `json:"tables"`
	Fields   int                `json:"fields"`
	Sentence string             `json:"sentence"`
	Hidden   []warehouse.Hidden `json:"hidden,omitempty"`
	Notes    []string           `json:"notes,omitempty"`
}

// StartSync begins to read the schema of a database, or joins the reading that
// is under way, and does not wait for it. ErrNotFound when there is no such
// database.
func (d *Door) StartSync(ctx context.Context, by store.Actor, id catalog.DatabaseID) (Sync, error) {
	if _, err := d.store.Database(ctx, id); err != nil {
		return Sync{}, fmt.Errorf("database %d: %w", id, err)
	}
	job, _, err := d.store.AddJob(ctx, by, syncKind, id)
	if err != nil {
		return Sync{}, err
	}
	if job.State == store.JobWaiting {
		if job, err = d.work.begin(ctx, job); err != nil {
			return Sync{}, err
		}
	}
	return syncOf(job), nil
}

// Sync reads the schema of a database and makes the catalog say what it found;
// it waits until that is done or ctx ends, and the reading goes on when ctx
// ends first. A schema that cannot be read whole changes nothing: what cannot
// be read is not absent. Errors: [ErrNotFound]; *[ConnectionError].
func (d *Door) Sync(ctx context.Context, by store.Actor, id catalog.DatabaseID) error {
	s, err := d.StartSync(ctx, by, id)
	if err != nil {
		return err
	}
	return d.awaitSync(ctx, s.Job)
}

// awaitSync waits for the end of a sync, wherever it runs.
func (d *Door) awaitSync(ctx context.Context, id int64) error {
	job, err := d.work.wait(ctx, id)
	switch {
	case err != nil:
		return err
	case job.State == store.JobFailed:
		var r failure
		if json.Unmarshal(job.Result, &r) != nil || r.Message == "" {
			return errors.New(job.Error)
		}
		return &ConnectionError{Field: r.Field, Message: r.Message}
	case job.State == store.JobCancelled:
		return &ConnectionError{Message: "the sync was cancelled"}
	}
	return nil
}

// failure is the result of a sync that failed because of its connection.
type failure struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// LastSync is the newest sync of a database, or [ErrNotFound].
func (d *Door) LastSync(ctx context.Context, id catalog.DatabaseID) (Sync, error) {
	job, err := d.store.LastJob(ctx, syncKind, id)
	return syncOf(job), err
}

// CancelSync ends the sync of a database that is under way, wherever it runs.
// [ErrNotFound] when there is none.
func (d *Door) CancelSync(ctx context.Context, id catalog.DatabaseID) error {
	job, err := d.store.LastJob(ctx, syncKind, id)
	if err != nil {
		return err
	}
	if err := d.store.CancelJob(ctx, job.ID); err != nil {
		return err
	}
	d.work.cancel(job.ID)
	return nil
}

func syncOf(job store.Job) Sync {
	s := Sync{Job: job.ID, State: job.State, Step: job.Step, Tables: job.Done, Cancel: job.Cancel, Error: job.Error,
		CreatedAt: job.CreatedAt, StartedAt: job.StartedAt, EndedAt: job.EndedAt}
	var r SyncReport
	if job.State == store.JobDone && json.Unmarshal(job.Result, &r) == nil {
		s.Report = &r
	}
	return s
}

// sync does the work of a job: it reads the schema and writes the catalog.
func (d *Door) sync(ctx context.Context, by store.Actor, id catalog.DatabaseID, at *progress) (json.RawMessage, error) {
	report, err := d.readSchema(ctx, by, id, at)
	status := syncComplete
	if err != nil {
		status = syncAborted
	}
	noted := ignore(d.store.SetSyncStatus(context.WithoutCancel(ctx), id, status), ErrNotFound)
	if err != nil {
		var wrong *ConnectionError
		if !errors.As(err, &wrong) {
			return nil, err
		}
		result, err2 := json.Marshal(failure{wrong.Field, wrong.Message})
		return result, errors.Join(err, err2)
	}
	result, err := json.Marshal(report)
	return result, errors.Join(noted, err)
}

func (d *Door) readSchema(ctx context.Context, by store.Actor, id catalog.DatabaseID, at *progress) (*SyncReport, error) {
	at.set("connecting", 0)
	db, err := d.database(ctx, id)
	if err != nil {
		return nil, err
	}
	place, err := d.place(db)
	if err != nil {
		return nil, err
	}
	survey, err := d.warehouses.Admin(place).Survey(ctx, func(tables int) { at.set("reading", tables) })
	if err != nil {
		return nil, connectionError(fmt.Errorf("reading the schema of database %d: %w", id, err))
	}
	at.set("writing", len(survey.Tables))
	report := &SyncReport{Tables: len(survey.Tables), Sentence: survey.Sentence(), Hidden: survey.Hidden, Notes: survey.Notes}
	tables := make([]store.SyncedTable, 0, len(survey.Tables))
	for _, t := range survey.Tables {
		report.Fields += len(t.Fields)
		tables = append(tables, synced(t))
	}
	tables = append(tables, d.unreadable(id, survey)...)
	if _, err = d.store.ApplySync(ctx, by, id, tables); err != nil {
		return nil, err
	}
	if err := d.stillHeld(ctx, by, id); err != nil { // what was proved before counts for its day
		d.log.Warn("whether SQL of people is held could not be checked", "database", id, "error", err)
	}
	return report, nil
}

func synced(t warehouse.Table) store.SyncedTable {
	out := store.SyncedTable{Schema: t.Schema, Name: t.Name, Description: t.Description, EntityType: entityType(t.Name)}
	for _, f := range t.Fields {
		s := store.SyncedField{Name: f.Name, Description: f.Description, DatabaseType: f.DatabaseType, BaseType: f.BaseType, SemanticType: f.SemanticType}
		if r := f.References; r != nil {
			s.Target = &store.SyncedColumn{Schema: r.Schema, Table: r.Table, Field: r.Field}
		}
		out.Fields = append(out.Fields, s)
	}
	return out
}

// unreadable are the tables of the catalog that are there but that the login
// may no longer read: they stay as they are known.
func (d *Door) unreadable(id catalog.DatabaseID, survey *warehouse.Survey) []store.SyncedTable {
	type name struct{ schema, table string }
	hidden := map[name]bool{}
	for _, h := range survey.Hidden {
		for _, t := range h.Tables {
			hidden[name{h.Schema, t}] = true
		}
	}
	var kept []store.SyncedTable
	cat := d.store.Graph().Catalog()
	for t := range cat.Tables(id) {
		if !t.Active() || !hidden[name{t.Schema, t.Name}] {
			continue
		}
		s := store.SyncedTable{Schema: t.Schema, Name: t.Name, Description: t.Description, EntityType: t.EntityType}
		for _, f := range cat.Fields(t.ID) {
			s.Fields = append(s.Fields, store.SyncedField{Name: f.Name, Description: f.Description, DatabaseType: f.DatabaseType, BaseType: f.BaseType, SemanticType: f.SemanticType})
		}
		kept = append(kept, s)
	}
	return kept
}

// entityType is what the rows of a table are, as far as its name tells.
func entityType(table string) string {
	name := strings.ToLower(table)
	for _, e := range []struct{ part, entity string }{
		{"order", "Transaction"}, {"invoice", "Transaction"}, {"payment", "Transaction"}, {"transaction", "Transaction"},
		{"people", "User"}, {"user", "User"}, {"customer", "User"}, {"person", "User"},
		{"product", "Product"}, {"organization", "Company"}, {"compan", "Company"}, {"subscription", "Subscription"}, {"event", "Event"},
	} {
		if strings.Contains(name, e.part) {
			return "entity/" + e.entity + "Table"
		}
	}
	return "entity/GenericTable"
}

// Engines names the kinds of databases that can be connected, sorted.
func Engines() []string { return warehouse.Engines() }

// SecretOption tells whether an option of connection details must not be
// shown to anybody.
func SecretOption(name string) bool { return warehouse.Secret(name) }

// ServerFiles lists the files of this server that connection details name.
func ServerFiles(engine string, details json.RawMessage) []string {
	return warehouse.Files(engine, details)
}

// TestConnection tries a connection that is not stored yet. A
// *[ConnectionError] says in plain words what is wrong with it; only those who
// manage the connection may ask.
func (d *Door) TestConnection(ctx context.Context, engine string, details json.RawMessage) error {
	return connectionError(d.warehouses.Try(ctx, engine, details))
}

// Forget closes the connections to a database that was removed. Statements
// that run on them end by themselves.
func (d *Door) Forget(id catalog.DatabaseID) { d.warehouses.Forget(id) }
