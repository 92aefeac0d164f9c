package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

type newDatabaseWire struct {
	Name             string  `json:"name" rule:"required,nonblank,max=254"`
	Engine           string  `json:"engine" rule:"required,nonblank"`
	Details          Object  `json:"details" rule:"required,max=262144"`
	Description      *string `json:"description" rule:"max=65536"`
	Caveats          *string `json:"caveats" rule:"max=65536"`
	PointsOfInterest *string `json:"points_of_interest" rule:"max=65536"`
	IsFullSync       *bool   `json:"is_full_sync"`
	IsOnDemand       *bool   `json:"is_on_demand"`
	AutoRunQueries   *bool   `json:"auto_run_queries"`
	Refingerprint    *bool   `json:"refingerprint"`
	CacheTTL         *int    `json:"cache_ttl" rule:"positive"`
	Schedules        Object  `json:"schedules" rule:"max=262144"`
	Settings         Object  `json:"settings" rule:"max=262144"`
}

// createDatabase tries the connection before it is stored, and reads its
// tables after. No group has anything on it.
func (a *API) createDatabase(r *request) (any, error) {
	b := bodyOf[newDatabaseWire](r)
	if err := knownEngine(b.Engine); err != nil {
		return nil, err
	}
	if err := a.connects(r, b.Engine, json.RawMessage(b.Details)); err != nil {
		return nil, err
	}
	yes := func(v *bool) bool { return v == nil || *v }
	d, err := a.store.CreateDatabase(r.ctx(), r.actor(), store.Database{Name: b.Name, Engine: b.Engine, Details: json.RawMessage(b.Details),
		Description: b.Description, Caveats: b.Caveats, PointsOfInterest: b.PointsOfInterest, CacheTTL: b.CacheTTL,
		Settings: json.RawMessage(b.Settings), Schedules: json.RawMessage(b.Schedules), FullSync: yes(b.IsFullSync),
		OnDemand: orZero(b.IsOnDemand), AutoRunQueries: yes(b.AutoRunQueries), Refingerprint: b.Refingerprint,
		SyncStatus: "incomplete", Creator: r.access.User()})
	if err != nil {
		return nil, err
	}
	if _, err := a.sync(r, d.ID); err != nil {
		a.log.Warn("first sync of a database failed", "request_id", r.rec.id, "database", d.ID, "error", err)
	}
	return a.databaseNow(r, d)
}

func knownEngine(name string) error {
	if engines := dataset.Engines(); !slices.Contains(engines, name) {
		return wrongField("engine", "The engine "+name+" is not supported. Supported: "+strings.Join(engines, ", ")+".")
	}
	return nil
}

// databaseNow is the database after a write by the person.
func (a *API) databaseNow(r *request, d store.Database) (any, error) {
	d, err := a.store.Database(r.ctx(), d.ID)
	if err != nil {
		return nil, err
	}
	if err := a.lookAgain(r); err != nil {
		return nil, err
	}
	return databaseOf(r.access, d), nil
}

// connects tries a connection. Why it cannot be made is for the person who
// wrote its details.
func (a *API) connects(r *request, engine string, details json.RawMessage) error {
	return connectionError(a.door.TestConnection(r.ctx(), engine, details))
}

// connectionError is the 400 of a connection that cannot be made: what is
// wrong, under the name of the option that is to blame. Other errors stay.
func connectionError(err error) error {
	var wrong *dataset.ConnectionError
	if !errors.As(err, &wrong) {
		return err
	}
	return failed{status: http.StatusBadRequest, body: map[string]any{"message": wrong.Message, "errors": map[string]string{cmp.Or(wrong.Field, "details"): wrong.Message}}}
}

// validateWire is a connection to try, as Metabase wraps it.
type validateWire struct {
	Details struct {
		Engine  string `json:"engine" rule:"required,nonblank"`
		Details Object `json:"details" rule:"required,max=262144"`
	} `json:"details" rule:"required"`
}

type validWire struct {
	Valid bool `json:"valid"`
}

// validateDatabase tries a connection that is not stored.
func (a *API) validateDatabase(r *request) (any, error) {
	b := bodyOf[validateWire](r)
	if err := knownEngine(b.Details.Engine); err != nil {
		return nil, err
	}
	if err := a.connects(r, b.Details.Engine, json.RawMessage(b.Details.Details)); err != nil {
		return nil, err
	}
	return validWire{true}, nil
}

type databaseUpdateWire struct {
	Name             *string     `json:"name" rule:"nonblank,max=254"`
	Engine           *string     `json:"engine"`
	Details          Object      `json:"details" rule:"max=262144"`
	Description      Opt[string] `json:"description" rule:"max=65536"`
	Caveats          Opt[string] `json:"caveats" rule:"max=65536"`
	PointsOfInterest Opt[string] `json:"points_of_interest" rule:"max=65536"`
	IsFullSync       *bool       `json:"is_full_sync"`
	IsOnDemand       *bool       `json:"is_on_demand"`
	AutoRunQueries   *bool       `json:"auto_run_queries"`
	Refingerprint    *bool       `json:"refingerprint"`
	CacheTTL         Opt[int]    `json:"cache_ttl" rule:"positive"`
	Schedules        Object      `json:"schedules" rule:"max=262144"`
	Settings         Object      `json:"settings" rule:"max=262144"`
}

// updateDatabase changes what was given; null is not given, except for texts
// and numbers that may be absent.
func (a *API) updateDatabase(r *request) (any, error) {
	b := bodyOf[databaseUpdateWire](r)
	d, err := a.store.Database(r.ctx(), r.database())
	if err != nil {
		return nil, err
	}
	if b.Engine != nil && *b.Engine != d.Engine {
		return nil, wrongField("engine", "The engine of a database cannot be changed; connect it as a new one.")
	}
	u := store.DatabaseUpdate{Name: b.Name, Description: b.Description.Change(), Caveats: b.Caveats.Change(), PointsOfInterest: b.PointsOfInterest.Change(),
		FullSync: b.IsFullSync, OnDemand: b.IsOnDemand, AutoRunQueries: b.AutoRunQueries, Refingerprint: b.Refingerprint,
		CacheTTL: b.CacheTTL.Change(), Schedules: json.RawMessage(b.Schedules), Settings: json.RawMessage(b.Settings)}
	if b.Details != nil {
		if details := unmasked(json.RawMessage(b.Details), d.Details); !sameJSON(details, d.Details) {
			if err := a.mayReconnect(r, d, json.RawMessage(b.Details), details); err != nil {
				return nil, err
			}
			u.Details = details
		}
	}
	if d, err = a.store.UpdateDatabase(r.ctx(), r.actor(), d, u); err != nil {
		return nil, err
	}
	if u.Details != nil {
		if _, err := a.sync(r, d.ID); err != nil {
			a.log.Warn("sync after a change of the connection failed", "request_id", r.rec.id, "database", d.ID, "error", err)
		}
	}
	return a.databaseNow(r, d)
}

// mayReconnect tries the new details of a connection, which were sent with or
// without the secrets that are stored. That may take its time, so that the
// right to do it is asked before and after.
func (a *API) mayReconnect(r *request, d store.Database, sent, details json.RawMessage) error {
	may := func() error {
		err := r.access.Check(permission.ManageDatabase, permission.ADatabase(d.ID))
		// Details can name files of this server, and it must not be for the
		// manager of one database to have any file read.
		if !within(dataset.ServerFiles(d.Engine, details), dataset.ServerFiles(d.Engine, d.Details)) {
			err = r.access.Check(permission.Administer, permission.Server)
		}
		return err
	}
	if err := may(); err != nil {
		return err
	}
	// Nor may a stored secret be sent to another server by who does not know it.
	if moved(sent, d.Details) && r.access.Check(permission.Administer, permission.Server) != nil {
		return wrongField("password", "The connection goes to another place: enter its secrets again.")
	}
	if err := a.connects(r, d.Engine, details); err != nil {
		return err
	}
	if err := a.lookAgain(r); err != nil {
		return err
	}
	return may()
}

// within tells whether all of some files are among the others.
func within(some, others []string) bool {
	return !slices.ContainsFunc(some, func(f string) bool { return !slices.Contains(others, f) })
}

func (a *API) deleteDatabase(r *request) (any, error) {
	if err := a.store.DeleteDatabase(r.ctx(), r.actor(), r.database()); err != nil {
		return nil, err
	}
	a.door.Forget(r.database())
	return noContent(), nil
}
