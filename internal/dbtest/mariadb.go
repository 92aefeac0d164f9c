package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/go-sql-driver/mysql"
)

var mariadb = once(startMariaDB)

// light keeps a server small and lets it lose what it wrote when it crashes.
var light = []string{"--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"}

func startMariaDB() (*Server, error) {
	install, err := exec.LookPath("mariadb-install-db")
	if err != nil {
		return nil, errAbsent
	}
	server, err := exec.LookPath("mariadbd")
	if err != nil {
		if server, err = exec.LookPath("/usr/sbin/mariadbd"); err != nil {
			return nil, errAbsent
		}
	}
	dir, as, err := folder("sluice-mariadb-", "mysql")
	if err != nil {
		return nil, err
	}
	s := &Server{Engine: "mysql", Host: "127.0.0.1", Admin: "root", open: openMariaDB}
	data := filepath.Join(dir, "data")
	args := append([]string{"--no-defaults", "--datadir=" + data, "--auth-root-authentication-method=normal", "--skip-test-db"}, light...)
	if err := prepare(dir, as, install, args...); err != nil {
		return nil, err
	}
	if err := s.certify(dir, as); err != nil {
		return nil, err
	}
	if s.Port, err = freePort(); err != nil {
		return nil, err
	}
	args = append([]string{"--no-defaults", "--datadir=" + data, "--port=" + strconv.Itoa(s.Port), "--bind-address=127.0.0.1", "--socket=" + filepath.Join(dir, "s.sock"),
		"--skip-log-bin", "--skip-name-resolve", "--max-connections=300", "--character-set-server=utf8mb4", "--secure-file-priv=", "--ssl-ca=" + filepath.Join(dir, "ca.crt"),
		"--ssl-cert=" + filepath.Join(dir, "server.crt"), "--ssl-key=" + filepath.Join(dir, "server.key")}, light...)
	if err := s.serve(dir, as, "KILL", server, args...); err != nil {
		return nil, err
	}
	return s, s.zones()
}

// zones loads the one time zone that tests speak of.
func (s *Server) zones() error {
	convert, err := exec.LookPath("mariadb-tzinfo-to-sql")
	if err != nil {
		return fmt.Errorf("time zone tables: %w", err)
	}
	const name = "Europe/Berlin"
	out, err := exec.Command(convert, "/usr/share/zoneinfo/"+name, name).Output()
	if err != nil {
		return fmt.Errorf("time zone tables: %w", err)
	}
	return s.Try(context.Background(), "mysql", string(out))
}

func openMariaDB(s *Server, database string) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.DBName, c.MultiStatements = "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), s.Admin, database, true
	c.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}
