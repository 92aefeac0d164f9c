package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// databaseWire is a connection. Details and tables are there only for who may
// see them and asked for them.
type databaseWire struct {
	ID                catalog.DatabaseID `json:"id"`
	Name              string             `json:"name"`
	Engine            string             `json:"engine"`
	Description       *string            `json:"description"`
	Details           json.RawMessage    `json:"details,omitempty"`
	Features          []string           `json:"features"`
	Settings          json.RawMessage    `json:"settings"`
	Schedules         json.RawMessage    `json:"schedules"`
	Timezone          string             `json:"timezone"`
	NativePermissions string             `json:"native_permissions"` // "write" or "none"
	AutoRunQueries    bool               `json:"auto_run_queries"`
	IsFullSync        bool               `json:"is_full_sync"`
	IsOnDemand        bool               `json:"is_on_demand"`
	IsSample          bool               `json:"is_sample"`
	IsSavedQuestions  bool               `json:"is_saved_questions"`
	Refingerprint     *bool              `json:"refingerprint"`
	CanUpload         bool               `json:"can_upload"`
	CanManage         bool               `json:"can-manage"`
	CacheTTL          *int               `json:"cache_ttl"`
	Caveats           *string            `json:"caveats"`
	PointsOfInterest  *string            `json:"points_of_interest"`
	InitialSyncStatus string             `json:"initial_sync_status"`
	CreatorID         *permission.UserID `json:"creator_id"`
	CreatedAt         time.Time          `json:"created_at"`
	UpdatedAt         time.Time          `json:"updated_at"`
	Tables            *[]tableWire       `json:"tables,omitempty"`
}

// features are what every engine that Sluice runs questions on can do, in the
// words that clients look for.
var features = [...]string{"basic-aggregations", "expressions", "foreign-keys", "left-join", "native-parameters", "nested-queries", "temporal-extract"}

// further are what some engines can do beside that.
var further = map[string][]string{"postgres": {"schemas", "set-timezone"}, "mysql": {"set-timezone"}}

func databaseOf(access permission.Access, d store.Database) databaseWire {
	w := databaseWire{
		ID: d.ID, Name: d.Name, Engine: d.Engine, Description: d.Description, Features: slices.Concat(features[:], further[d.Engine]),
		Settings: rawOr(d.Settings, "null"), Schedules: rawOr(d.Schedules, "null"), Timezone: "UTC", NativePermissions: "none",
		AutoRunQueries: d.AutoRunQueries, IsFullSync: d.FullSync, IsOnDemand: d.OnDemand, IsSample: d.Sample,
		Refingerprint: d.Refingerprint, CacheTTL: d.CacheTTL, Caveats: d.Caveats, PointsOfInterest: d.PointsOfInterest,
		InitialSyncStatus: d.SyncStatus, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
		CanManage: access.Can(permission.ManageDatabase, permission.ADatabase(d.ID)),
	}
	if d.Timezone != nil {
		w.Timezone = *d.Timezone
	}
	if access.Can(permission.QueryNatively, permission.ADatabase(d.ID)) {
		w.NativePermissions = "write"
	}
	if w.CanManage {
		w.Details = masked(d.Details)
	}
	if d.Creator != 0 {
		w.CreatorID = &d.Creator
	}
	return w
}

// mask stands on the wire for a secret. Sent back, it means the secret that is
// stored.
const mask = "**MetabasePass**"

// masked is the connection details without their secrets.
func masked(details json.RawMessage) json.RawMessage {
	return eachSecret(details, func(string, json.RawMessage) json.RawMessage { return json.RawMessage(`"` + mask + `"`) })
}

// unmasked puts the stored secrets where the details that were sent have the
// mask.
func unmasked(sent, stored json.RawMessage) json.RawMessage {
	var old map[string]json.RawMessage
	_ = json.Unmarshal(stored, &old) // what is stored is an object or nothing
	return eachSecret(sent, func(key string, v json.RawMessage) json.RawMessage {
		if string(bytes.TrimSpace(v)) == `"`+mask+`"` {
			return old[key]
		}
		return v
	})
}

// moved tells whether details that were sent lead a stored secret to another
// place than the stored ones, or by a less safe way.
func moved(sent, stored json.RawMessage) bool {
	var is, was map[string]json.RawMessage
	if json.Unmarshal(sent, &is) != nil || json.Unmarshal(stored, &was) != nil {
		return true
	}
	kept := false
	for key, v := range is {
		kept = kept || dataset.SecretOption(key) && string(bytes.TrimSpace(v)) == `"`+mask+`"`
	}
	if !kept {
		return false
	}
	keys := maps.Clone(is)
	maps.Copy(keys, was)
	for key := range keys {
		if (key == "host" || key == "port" || strings.HasPrefix(key, "ssl") || strings.HasPrefix(key, "tunnel")) && !dataset.SecretOption(key) && !sameJSON(orNull(is[key]), orNull(was[key])) {
			return true
		}
	}
	return false
}

func orNull(v json.RawMessage) json.RawMessage {
	if len(v) == 0 {
		return json.RawMessage("null")
	}
	return v
}

// eachSecret replaces the secrets in connection details; those that become
// nil, or were null or empty, are left as they are or out.
func eachSecret(details json.RawMessage, f func(string, json.RawMessage) json.RawMessage) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(details, &object) != nil || object == nil {
		return json.RawMessage("{}")
	}
	changed := false
	for key, v := range object {
		if text := string(v); !dataset.SecretOption(key) || text == "null" || text == `""` {
			continue
		}
		changed = true
		if n := f(key, v); n != nil {
			object[key] = n
		} else {
			delete(object, key)
		}
	}
	if !changed {
		return details
	}
	out, err := json.Marshal(object)
	if err != nil { // cannot be: all of it came from JSON
		return json.RawMessage("{}")
	}
	return out
}
