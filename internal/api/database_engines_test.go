package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/dbtest"
)

// connected are the servers of other engines that can be connected, each with
// a database and somebody who may read it.
func connected(t *testing.T, f func(t *testing.T, s settled, server *dbtest.Server, details fields)) {
	t.Helper()
	for name, start := range map[string]func(testing.TB) *dbtest.Server{"postgres": dbtest.PostgreSQL, "mysql": dbtest.MariaDB} {
		t.Run(name, func(t *testing.T) {
			server := start(t)
			database := server.Database(t)
			login := "api_" + database
			server.Login(t, login)
			server.Exec(t, database, "CREATE TABLE orders (id INT PRIMARY KEY, total DECIMAL(10,2))", "CREATE TABLE salaries (id INT)", "GRANT SELECT ON orders TO "+login)
			t.Cleanup(func() {
				if name == "postgres" {
					server.Exec(t, database, "DROP OWNED BY "+login)
				}
			})
			f(t, settledWorld(t), server, server.Details(database, login))
		})
	}
}

func changed(details, changes fields) fields {
	d := maps.Clone(details)
	maps.Copy(d, changes)
	return d
}

func TestServersAreConnectedReadAndToldApart(t *testing.T) {
	connected(t, func(t *testing.T, s settled, server *dbtest.Server, details fields) {
		r := s.admin().post("/api/database", fields{"name": "Shop", "engine": server.Engine, "details": details,
			"schedules": fields{"metadata_sync": fields{"schedule_type": "daily", "schedule_hour": 3}}}).
			keeps(fields{"engine": server.Engine, "initial_sync_status": "complete"})
		r.leaks("secret")
		address := path("/api/database/%d", r.id())
		shown := s.admin().get(address).want(200).object()["details"].(map[string]any)
		if shown["password"] != mask || shown["host"] != details["host"] || shown["port"] != float64(server.Port) {
			t.Errorf("details %v", shown)
		}
		var tables []struct{ Name string }
		s.admin().get(path("/api/table?db=%d", r.id())).want(200).into(&tables)
		metadata := s.admin().get(address + "/metadata").want(200)
		if !strings.Contains(string(metadata.body), `"orders"`) || strings.Contains(string(metadata.body), `"salaries"`) {
			t.Errorf("metadata %.2000s", metadata.body)
		}
		s.member().get(address).forbidden()

		// What the login cannot see is told to who manages the connection.
		var sync struct {
			Job    int64
			State  string
			Report struct {
				Tables   int
				Sentence string
				Hidden   []struct {
					Tables []string
					Grant  string
				}
			}
		}
		s.admin().get(address + "/sync").want(200).into(&sync)
		if sync.State != "done" || sync.Report.Tables != 1 || !strings.Contains(sync.Report.Sentence, "sees") {
			t.Errorf("the sync is told as %+v", sync)
		}
		if server.Engine == "postgres" {
			if len(sync.Report.Hidden) != 1 || sync.Report.Hidden[0].Tables[0] != "salaries" || !strings.Contains(sync.Report.Sentence, "sees 1 of 2 tables") {
				t.Fatalf("hidden are %+v", sync.Report)
			}
			server.Exec(t, fmt.Sprint(details["dbname"]), sync.Report.Hidden[0].Grant)
			s.admin().post(address+"/sync_schema", nil).keeps(fields{"status": "ok"})
			s.admin().get(address + "/sync").want(200).into(&sync)
			if sync.Report.Tables != 2 {
				t.Errorf("after the grant %+v", sync.Report)
			}
		}
		s.member().get(address + "/sync").forbidden()
		s.member().delete(address + "/sync").forbidden()
		s.admin().delete(address+"/sync").text(http.StatusNotFound, "Not found.")
	})
}

func TestSecretsOfAServerNeverComeBack(t *testing.T) {
	connected(t, func(t *testing.T, s settled, server *dbtest.Server, details fields) {
		details = changed(details, fields{"ssl": true, "ssl-use-client-auth": true, "ssl-client-cert-value": string(server.ClientCert), "ssl-key-value": string(server.ClientKey)})
		key := strings.Split(string(server.ClientKey), "\n")[1]
		made := s.admin().post("/api/database", fields{"name": "Shop", "engine": server.Engine, "details": details})
		address := path("/api/database/%d", made.id())
		s.data(fields{"view-data": "unrestricted"})
		s.admin().put("/api/permissions/graph", fields{"force": true, "revision": 0, "groups": fields{fmt.Sprint(s.Group): fields{fmt.Sprint(made.id()): fields{"details": "yes"}}}}).want(200)
		for _, at := range []string{address, address + "?include=tables", address + "/metadata", "/api/database", "/api/database?include=tables", address + "/sync", "/api/table"} {
			s.admin().get(at).want(200).leaks("secret", key, "PRIVATE KEY")
		}
		s.member().get(address).keeps(fields{"can-manage": true}).leaks("secret", key, "PRIVATE KEY")
		for _, word := range []string{`"secret"`, key} {
			if strings.Contains(s.dump(), word) {
				t.Errorf("%s lies in the application database", word)
			}
		}
		if strings.Contains(s.log.String(), key) {
			t.Error("a key is in the log")
		}

		// What was masked and comes back is kept; what is new is tried first.
		whole := s.admin().get(address).want(200).object()
		s.admin().put(address, whole).want(200)
		s.admin().put(address, fields{"details": changed(details, fields{"password": "wrong"})}).want(400).leaks("secret", "wrong")
		s.admin().put(address, fields{"details": changed(details, fields{"password": mask, "ssl-key-value": mask})}).want(200)
		s.admin().post(address+"/sync_schema", nil).keeps(fields{"state": "done"})
	})
}

// Whoever manages a connection does not learn its secrets by sending them to a
// server of their own, nor what is in files of ours.
func TestManagerOfAConnectionCannotLeadItsSecretsAway(t *testing.T) {
	connected(t, func(t *testing.T, s settled, server *dbtest.Server, details fields) {
		made := s.admin().post("/api/database", fields{"name": "Shop", "engine": server.Engine, "details": details})
		address := path("/api/database/%d", made.id())
		s.admin().put("/api/permissions/graph", fields{"force": true, "revision": 0, "groups": fields{fmt.Sprint(s.Group): fields{fmt.Sprint(made.id()): fields{"details": "yes"}}}}).want(200)
		trap, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer trap.Close()
		caught := make(chan struct{}, 1)
		go func() {
			if c, err := trap.Accept(); err == nil {
				caught <- struct{}{}
				c.Close()
			}
		}()
		shown := s.member().get(address).want(200).object()["details"].(map[string]any)
		away := func(changes fields) fields { return fields{"details": changed(shown, changes)} }
		for _, changes := range []fields{{"port": trap.Addr().(*net.TCPAddr).Port}, {"host": "localhost", "port": trap.Addr().(*net.TCPAddr).Port}, {"ssl": true, "ssl-mode": "require"}} {
			s.member().put(address, away(changes)).wrong("password", "The connection goes to another place: enter its secrets again.")
		}
		select {
		case <-caught:
			t.Error("the server connected to where the manager led it")
		default:
		}
		s.member().put(address, away(fields{"ssl-root-cert-path": "/etc/passwd", "ssl": true})).forbidden()
		s.member().put(address, fields{"details": changed(details, fields{"ssl": true, "ssl-root-cert-path": "/etc/passwd"})}).forbidden()
		// With the secret known, and in ways that lead nowhere else, they may.
		s.member().put(address, fields{"details": changed(details, fields{"ssl": true})}).want(200)
		s.member().put(address, fields{"details": changed(details, fields{"ssl": true, "password": mask, "json-unfolding": false})}).want(200)
		s.admin().put(address, fields{"details": changed(details, fields{"password": mask, "ssl": false})}).want(200)
	})
}

func TestWhatIsWrongWithAConnectionIsUnderItsOption(t *testing.T) {
	connected(t, func(t *testing.T, s settled, server *dbtest.Server, details fields) {
		for _, tt := range []struct {
			field   string
			changes fields
		}{
			{"host", fields{"host": "no-such-host.invalid"}}, {"password", fields{"password": "wrong"}}, {"additional-options", fields{"additional-options": "allowAllFiles=true"}},
			{"dbname", fields{"dbname": "none", "user": server.Admin, "password": ""}}, {"multiStatements", fields{"multiStatements": true}}, {"host", fields{"host": fields{"select": 1}}},
		} {
			body := fields{"name": "x", "engine": server.Engine, "details": changed(details, tt.changes)}
			for _, r := range []reply{s.admin().post("/api/database", body), s.admin().post("/api/database/validate", fields{"details": body})} {
				var wrong struct {
					Message string
					Errors  map[string]string
				}
				if err := json.Unmarshal(r.want(400).body, &wrong); err != nil || wrong.Errors[tt.field] == "" || wrong.Message == "" {
					t.Errorf("%v: %s", tt.changes, r.body)
				}
				r.leaks("secret", "wrong password")
			}
		}
		s.admin().post("/api/database/validate", fields{"details": fields{"engine": server.Engine, "details": details}}).keeps(fields{"valid": true})
		s.member().post("/api/database/validate", fields{"details": fields{"engine": server.Engine, "details": details}}).forbidden()
		s.admin().get("/api/database").listsExactly("Sample Database")
	})
}
