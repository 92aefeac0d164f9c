package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Reference 7.21 and 7.22, permissions.md: who may not ask does not even see
// that the database exists.
func TestOnlyDatabasesAndTablesThatOneMaySeeExist(t *testing.T) {
	s := settledWorld(t)
	database := path("/api/database/%d", s.Database)
	orders, products := s.tableNamed("orders"), s.tableNamed("products")
	field := s.fieldNamed("orders", "id")
	hidden := []string{database, database + "?include=tables", database + "/metadata", database + "/schemas", database + "/schema/", database + "/fields",
		database + "/idfields", path("/api/table/%d", orders), path("/api/table/%d/query_metadata", orders), path("/api/table/%d/fks", orders),
		path("/api/field/%d", field), path("/api/field/%d/values", field), "/api/database/99999", "/api/table/99999", "/api/field/99999"}
	closed := map[string]any{"nothing": nothing, "no questions": fields{"view-data": "unrestricted", "create-queries": "no"}, "blocked": fields{"view-data": "blocked"}}
	for _, name := range slices.Sorted(maps.Keys(closed)) {
		entry := closed[name]
		t.Log("with", name)
		s.data(entry)
		for _, address := range hidden {
			s.member().get(address).forbidden()
		}
		s.member().get("/api/database").listsExactly()
		s.member().get("/api/table").listsExactly()
		s.member().get("/api/search?q=orders").listsExactly()
	}

	s.data(nothing)
	s.data(fields{"view-data": fields{"": fields{path("%d", products): "unrestricted"}}, "create-queries": fields{"": fields{path("%d", products): "query-builder"}}})
	s.member().get("/api/table").listsExactly("products")
	s.member().get(path("/api/table/%d", orders)).forbidden()
	s.member().get(path("/api/field/%d", field)).forbidden()
	s.member().get(database).keeps(fields{"native_permissions": "none"}).leaks("details", "sample.db")
	for _, address := range []string{database + "?include=tables", database + "?include=tables.fields", database + "/metadata?include_hidden=true", "/api/database?include=tables", database + "/fields", database + "/idfields", database + "/schema", "/api/search?q="} {
		s.member().get(address).want(200).leaks("orders", "invoices")
	}
	s.data(fields{"view-data": "unrestricted", "create-queries": "query-builder-and-native"})
	s.member().get(database).keeps(fields{"native_permissions": "write"})
	s.admin().get("/api/database/99999").text(http.StatusNotFound, "Not found.")
	s.admin().get("/api/table/99999").text(http.StatusNotFound, "Not found.")
	s.admin().get("/api/field/99999").text(http.StatusNotFound, "Not found.")
}

func TestADatabaseHasWhatClientsRead(t *testing.T) {
	s := settledWorld(t)
	list := s.admin().get("/api/database/").keeps(fields{"total": 1}).object()["data"].([]any)
	d := list[0].(map[string]any)
	hasKinds(t, "database", d, map[string]string{"id": "int", "name": "string", "engine": "string", "details": "object", "features": "array", "settings": "null|object",
		"schedules": "null|object", "timezone": "string", "native_permissions": "string", "auto_run_queries": "bool", "is_full_sync": "bool", "is_sample": "bool",
		"is_on_demand": "bool", "can_upload": "bool", "can-manage": "bool", "is_saved_questions": "bool", "initial_sync_status": "string",
		"created_at": "string", "updated_at": "string"})
	if d["initial_sync_status"] != "complete" || d["is_sample"] != true {
		t.Errorf("sample: %v", d)
	}
	var metadata struct {
		Tables []fields
	}
	s.admin().get(path("/api/database/%d/metadata", s.Database)).want(200).into(&metadata)
	if len(metadata.Tables) < 6 {
		t.Fatalf("%d tables", len(metadata.Tables))
	}
	for _, table := range metadata.Tables {
		if _, has := table["db"]; has {
			t.Errorf("table %v has a db object, which dbt-metabase cannot take there", table["name"])
		}
		hasKinds(t, "table", table, map[string]string{"id": "int", "db_id": "int", "name": "string", "display_name": "string", "schema": "null",
			"entity_type": "string", "description": "null|string", "visibility_type": "null", "fields": "array", "active": "bool"})
		for _, f := range table["fields"].([]any) {
			hasKinds(t, "field", f.(map[string]any), map[string]string{"id": "int", "table_id": "int", "name": "string", "display_name": "string",
				"description": "null|string", "base_type": "string", "semantic_type": "null|string", "fk_target_field_id": "null|int",
				"has_field_values": "string", "visibility_type": "string", "database_type": "string"})
		}
	}
	table := s.admin().get("/api/table").want(200).list()[0]
	hasKinds(t, "table", table, map[string]string{"db": "object"})
	hasKinds(t, "table", s.admin().get(path("/api/table/%v/query_metadata", table["id"])).want(200).object(),
		map[string]string{"fields": "array", "db": "object", "dimension_options": "object"})
	var schemas []string
	s.admin().get(path("/api/database/%d/schemas", s.Database)).want(200).into(&schemas)
	if diff := cmp.Diff([]string{""}, schemas); diff != "" {
		t.Error("schemas:", diff)
	}
	if fks := s.admin().get(path("/api/table/%d/fks", s.tableNamed("products"))).want(200).list(); len(fks) == 0 {
		t.Error("no foreign key points to products")
	}
	f := s.admin().get(path("/api/field/%d", s.Field)).want(200).object()
	hasKinds(t, "field", f, map[string]string{"table": "object"})
}

func TestConnectingADatabaseTriesItAndGivesNobodyAnything(t *testing.T) {
	s := settledWorld(t)
	s.admin().get(path("/api/database/%d", s.Database)).keeps(fields{"details": fields{"db": "sample.db"}})
	s.data(fields{"view-data": "unrestricted", "create-queries": "query-builder"})
	body := fields{"name": "Second", "engine": "sqlite", "details": fields{"db": s.Warehouse}, "is_full_sync": nil, "schedules": nil, "cache_ttl": nil}
	made := s.admin().post("/api/database", body).keeps(fields{"name": "Second", "engine": "sqlite", "initial_sync_status": "complete", "is_full_sync": true})
	address := path("/api/database/%d", made.id())
	s.admin().get(address + "?include=tables").want(200).leaks(`"tables":[]`)
	s.member().get("/api/database").listsExactly("Sample Database")
	s.member().get(address).forbidden()
	s.member().post("/api/database", body).forbidden()

	s.admin().post("/api/database", fields{"name": "x", "engine": "oracle", "details": fields{}}).wrong("engine", "The engine oracle is not supported. Supported: mysql, postgres, sqlite.")
	text := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, db := range []string{"relative.db", filepath.Join(t.TempDir(), "absent.db"), text} {
		r := s.admin().post("/api/database", fields{"name": "x", "engine": "sqlite", "details": fields{"db": db}}).want(400)
		if why, _ := r.object()["message"].(string); !strings.Contains(why, "db") {
			t.Errorf("the message %q does not name the field", why)
		}
		if _, err := os.Stat("relative.db"); err == nil {
			t.Error("trying a connection made a file")
		}
	}
	s.admin().get("/api/database").listsExactly("Sample Database", "Second")

	s.admin().put(address, fields{"name": "Third", "engine": nil, "details": nil, "description": "d"}).keeps(fields{"name": "Third", "description": "d", "details": fields{"db": s.Warehouse}})
	s.admin().put(address, fields{"engine": "postgres"}).want(400)
	s.admin().put(address, fields{"details": fields{"db": "/no/such.db"}}).want(400)
	s.admin().post(address+"/sync_schema", nil).keeps(fields{"status": "ok"})
	s.admin().post(address+"/rescan_values", fields{}).keeps(fields{"status": "ok"})
	s.admin().delete(address).want(204)
	s.admin().get(address).text(http.StatusNotFound, "Not found.")
}

// Reference 7.23 and 7.24.
func TestManagingAConnectionIsNoRightToTheServersFiles(t *testing.T) {
	s := settledWorld(t)
	address := path("/api/database/%d", s.Database)
	s.data(fields{"view-data": "blocked", "details": "yes"})
	s.member().get(address).keeps(fields{"can-manage": true})
	s.member().put(address, fields{"name": "Renamed"}).keeps(fields{"name": "Renamed"})
	s.member().put(address, fields{"details": fields{"db": s.file}}).forbidden()
	s.member().post(address+"/sync_schema", nil).want(200)
	s.member().delete(address).forbidden()
	s.member().get("/api/table").listsExactly()
}

func TestSecretsOfAConnectionAreMaskedAndKept(t *testing.T) {
	stored := json.RawMessage(`{"host":"h","password":"s3cret","tunnel-private-key":"k3y","ssl":true,"service-account-json":"{\"k\":1}","pass-empty":""}`)
	shown := masked(stored)
	for _, secret := range []string{"s3cret", "k3y", `\"k\"`} {
		if strings.Contains(string(shown), secret) {
			t.Errorf("%s shows %s", shown, secret)
		}
	}
	if !strings.Contains(string(shown), `"host":"h"`) || strings.Count(string(shown), mask) != 3 {
		t.Errorf("masked: %s", shown)
	}
	if back := unmasked(shown, stored); !sameJSON(back, stored) {
		t.Errorf("sent back it is %s, want %s", back, stored)
	}
	if back := unmasked(json.RawMessage(`{"host":"h","password":"new"}`), stored); !sameJSON(back, json.RawMessage(`{"host":"h","password":"new"}`)) {
		t.Errorf("a new password is %s", back)
	}
	if none := masked(nil); string(none) != "{}" {
		t.Errorf("no details are %s", none)
	}
}

func TestDescribingATableNeedsItsRight(t *testing.T) {
	s := settledWorld(t)
	table, field := path("/api/table/%d", s.Table), path("/api/field/%d", s.Field)
	s.member().put(table, fields{"display_name": "x"}).forbidden()
	s.member().put(field, fields{"display_name": "x"}).forbidden()
	s.data(fields{"view-data": "blocked", "data-model": fields{"schemas": "all"}})
	whole := s.member().get(table).want(200).object()
	whole["display_name"], whole["description"] = "Wares", "what we sell"
	s.member().put(table, whole).keeps(fields{"display_name": "Wares", "description": "what we sell"})
	s.member().put(table, fields{"visibility_type": "hidden"}).keeps(fields{"visibility_type": "hidden", "description": "what we sell"})
	s.admin().get(path("/api/database/%d/metadata", s.Database)).leaks(`"Wares"`)
	s.member().put(table, fields{"visibility_type": "odd"}).want(400)
	s.member().put(table, fields{"display_name": " "}).want(400)
	s.member().put(field, fields{"display_name": "Number", "semantic_type": "type/Category", "description": nil, "has_field_values": "list"}).
		keeps(fields{"display_name": "Number", "semantic_type": "type/Category", "has_field_values": "list"})
	s.member().put(field, fields{"semantic_type": nil}).keeps(fields{"semantic_type": nil, "display_name": "Number"})
	s.member().put(field, fields{"semantic_type": "nonsense"}).want(400)
	s.member().put(field, fields{"fk_target_field_id": 99999}).forbidden()
	s.member().put(field, fields{"fk_target_field_id": s.fieldNamed("orders", "id")}).keeps(fields{"fk_target_field_id": s.fieldNamed("orders", "id")})
	// Describing shows no rows.
	s.member().get(field + "/values").forbidden()
}

func TestFieldValuesAreThoseOfTheRowsOneMaySee(t *testing.T) {
	s := settledWorld(t)
	address := path("/api/field/%d/values", s.fieldNamed("products", "category"))
	var all struct {
		FieldID int64   `json:"field_id"`
		Values  [][]any `json:"values"`
		More    bool    `json:"has_more_values"`
	}
	s.member().get(address).want(200).into(&all)
	if all.FieldID != int64(s.fieldNamed("products", "category")) || len(all.Values) < 2 || all.More || len(all.Values[0]) != 1 {
		t.Errorf("values %+v", all)
	}
}

func TestARemovedDatabaseKeepsNoConnection(t *testing.T) {
	s := settledWorld(t)
	id := catalog.DatabaseID(s.Database)
	s.admin().post("/api/dataset", s.question(s.tableNamed("orders"))).want(202)
	if s.pool.Idle(id) == 0 {
		t.Fatal("no connection was kept")
	}
	s.admin().delete(path("/api/database/%d", s.Database)).want(204)
	if n := s.pool.Idle(id); n != 0 {
		t.Errorf("the pool keeps %d connections to a database that was removed", n)
	}
}
