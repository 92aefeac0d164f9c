package dbtest

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

var postgres = once(startPostgres)

// hba lets the administrator in without a password and nobody else.
const hba = `host all test samehost trust
host all all samehost scram-sha-256
`

func startPostgres() (*Server, error) {
	initdb, err := program("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := program("postgres")
	if err != nil {
		return nil, err
	}
	dir, as, err := folder("sluice-postgres-", "postgres")
	if err != nil {
		return nil, err
	}
	s := &Server{Engine: "postgres", Host: "127.0.0.1", Admin: "test", open: openPostgres}
	data := filepath.Join(dir, "data")
	if err := prepare(dir, as, initdb, "-D", data, "-U", s.Admin, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"); err != nil {
		return nil, err
	}
	if err := s.certify(dir, as); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return nil, err
	}
	if s.Port, err = freePort(); err != nil {
		return nil, err
	}
	return s, s.serve(dir, as, "QUIT", postgres, "-D", data, "-p", strconv.Itoa(s.Port), "-k", "",
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "shared_buffers=32MB",
		"-c", "max_locks_per_transaction=256", "-c", "max_connections=300", "-c", "ssl=on", "-c", "ssl_cert_file="+filepath.Join(dir, "server.crt"),
		"-c", "ssl_key_file="+filepath.Join(dir, "server.key"), "-c", "ssl_ca_file="+filepath.Join(dir, "ca.crt"))
}

// program finds one of PostgreSQL's programs: the newest that Debian installs,
// or what is in the path.
func program(name string) (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) > 0 {
		return found[0], nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", errAbsent
	}
	return path, nil
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

// URL is the address of a database of the server, for its administrator.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=disable", s.Admin, s.Host, s.Port, database)
}

func openPostgres(s *Server, database string) (*sql.DB, error) {
	if database == "" {
		database = "postgres"
	}
	c, err := pgx.ParseConfig(s.URL(database))
	if err != nil {
		return nil, err
	}
	c.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol // several statements in one text
	return stdlib.OpenDB(*c), nil
}
