package acceptance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/dbtest"
)

// The administrator of a database server sets up what holds SQL of people with
// the printed script and the server's own client, over a connection that Sluice
// does not have, and asks the doctor.
func TestABoundaryIsSetUpByItsScriptAndProvedByTheDoctor(t *testing.T) {
	for _, server := range []func(testing.TB) *dbtest.Server{dbtest.PostgreSQL, dbtest.MariaDB} {
		at := server(t)
		t.Run(at.Engine, func(t *testing.T) {
			t.Parallel()
			name := at.Database(t)
			at.Exec(t, name, "create table orders (id integer primary key, tenant integer)", "insert into orders values (1, 1), (2, 2)")
			reader := "reader_of_" + name
			at.Login(t, reader)
			if at.Engine == "postgres" {
				at.Exec(t, name, "grant select on orders to "+reader)
			} else {
				at.Exec(t, name, "grant select on "+name+".* to "+reader+"@'%'")
			}
			client := func(sql string) {
				t.Helper()
				cmd := exec.Command("psql", "-v", "ON_ERROR_STOP=1", "-q", "-h", at.Host, "-p", strconv.Itoa(at.Port), "-U", at.Admin, "-d", name)
				if at.Engine == "mysql" {
					cmd = exec.Command("mariadb", "--no-defaults", "-h", at.Host, "-P", strconv.Itoa(at.Port), "-u", at.Admin, name)
				}
				cmd.Stdin = strings.NewReader(sql)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %s\n%s", err, out, sql)
				}
			}
			s := start(t, filepath.Join(t.TempDir(), "data"))
			key := s.apiKey(s.setUp())
			var database struct{ ID int64 }
			s.must(200, credential{"X-Api-Key": key}, "POST", "/api/database", map[string]any{"name": "Shop", "engine": at.Engine, "details": at.Details(name, reader)}, &database)
			sluiced := func(args ...string) (string, error) {
				cmd := exec.Command(sluice, args...)
				cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SLUICE_URL=" + s.site, "SLUICE_API_KEY=" + key}
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			if out, err := sluiced("db", "doctor", "Shop"); err == nil || !strings.Contains(out, "fatal") || !strings.Contains(out, "does not hold") {
				t.Errorf("before the set-up the doctor says: %v\n%s", err, out)
			}
			script, err := sluiced("db", "setup", "Shop", "--slots", "2")
			if err != nil {
				t.Fatalf("%v: %s", err, script)
			}
			client(script)
			// The doctor is told of two slots by whoever set them up.
			out, err := sluiced("db", "doctor", "Shop", "--slots", "2")
			if err != nil || !strings.Contains(out, "Shop holds SQL of people") || !strings.Contains(out, "2 statements") {
				t.Errorf("after it: %v\n%s", err, out)
			}
			open := "grant select on orders to public;"
			if at.Engine == "mysql" {
				open = fmt.Sprintf("grant select on %s.orders to '%s'@'%%';", name, slotName(script))
			}
			client(open)
			out, err = sluiced("db", "doctor", fmt.Sprint(database.ID))
			if err == nil || !strings.Contains(out, "REVOKE") {
				t.Errorf("with a table open to slots: %v\n%s", err, out)
			}
			for line := range strings.Lines(out) {
				if line = strings.TrimSpace(line); strings.HasPrefix(line, "REVOKE SELECT") || strings.HasPrefix(line, "REVOKE ALL") {
					client(line)
				}
			}
			if out, err := sluiced("db", "doctor", "Shop"); err != nil {
				t.Errorf("after its advice: %v\n%s", err, out)
			}
		})
	}
	for _, args := range [][]string{{"db"}, {"db", "doctor"}, {"db", "setup"}} {
		out, err := exec.Command(sluice, append(args, "--help")...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Examples:\n  ") {
			t.Errorf("sluice %s --help: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, c := range []struct{ env, says string }{{"", "SLUICE_API_KEY"}, {"SLUICE_URL=nowhere", "--url"}} {
		cmd := exec.Command(sluice, "db", "doctor", "Shop")
		cmd.Env = []string{c.env}
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), c.says) {
			t.Errorf("with %q: %v %s", c.env, err, out)
		}
	}
}

// slotName is the first slot that a script names.
func slotName(script string) string {
	i := strings.Index(script, "_slot_01")
	return script[strings.LastIndexAny(script[:i], "'\"`")+1 : i+len("_slot_01")]
}
