// Package dbtest gives tests real database servers: one PostgreSQL and one
// MariaDB for each test binary, started at first need from the installed
// programs and stopped when the binary ends. Tests that want an application
// database take them from store/storetest, which stands on this.
//
// Where a server's programs are not installed the test is skipped visibly;
// where CI is set it fails. Start at [PostgreSQL] and [MariaDB].
package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is a database server that only this test binary uses. Its
// administrator signs in without a password; everybody else needs one.
type Server struct {
	Engine string // "postgres" or "mysql", as Sluice calls it
	Host   string // 127.0.0.1; the certificate is for this name and no other
	Port   int
	Admin  string // the name of the administrator

	// CA signed the server's certificate, and Client the pair that a client
	// may show. All in PEM.
	CA, ClientCert, ClientKey []byte

	alive  io.Closer // what tells the watcher that this process lives
	mu     sync.Mutex
	number int // of databases made so far
	open   func(s *Server, database string) (*sql.DB, error)
}

// errAbsent says that a server is not installed.
var errAbsent = errors.New("its programs are not installed")

// PostgreSQL is the test binary's PostgreSQL server.
func PostgreSQL(t testing.TB) *Server { return started(t, postgres, "PostgreSQL", "postgresql") }

// MariaDB is the test binary's MariaDB server.
func MariaDB(t testing.TB) *Server {
	return started(t, mariadb, "MariaDB", "mariadb-server-core mariadb-client")
}

func started(t testing.TB, server func() (*Server, error), name, packages string) *Server {
	t.Helper()
	s, err := server()
	switch {
	case errors.Is(err, errAbsent) && os.Getenv("CI") == "":
		t.Skipf("%s: %v; apt-get install %s brings them", name, err, packages)
	case err != nil:
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

// Database makes an empty database and removes it when the test ends.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	s.number++
	name := fmt.Sprintf("test_%d", s.number)
	s.mu.Unlock()
	s.Exec(t, "", "CREATE DATABASE "+name)
	t.Cleanup(func() {
		drop := "DROP DATABASE " + name
		if s.Engine == "postgres" {
			drop += " WITH (FORCE)"
		}
		if err := s.Try(context.Background(), "", drop); err != nil {
			t.Errorf("%s: %v", drop, err)
		}
	})
	return name
}

// Exec runs statements in a database as the administrator, when the test ends
// too.
func (s *Server) Exec(t testing.TB, database string, statements ...string) {
	t.Helper()
	if err := s.Try(context.WithoutCancel(t.Context()), database, statements...); err != nil {
		t.Fatal(err)
	}
}

// Try is Exec for callers that look at the error.
func (s *Server) Try(ctx context.Context, database string, statements ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	db, err := s.open(s, database)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // what one statement sets holds for the next
	for _, q := range statements {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%w in %.200s", err, q)
		}
	}
	return nil
}

// Login makes somebody who signs in with the password "secret" and may do
// nothing yet, and removes them when the test ends. Databases that they have
// rights in are to be made before.
func (s *Server) Login(t testing.TB, name string) {
	t.Helper()
	make, drop := "CREATE ROLE "+name+" LOGIN PASSWORD 'secret'", "DROP ROLE "+name
	if s.Engine == "mysql" {
		make, drop = "CREATE USER "+name+"@'%' IDENTIFIED BY 'secret'", "DROP USER "+name+"@'%'"
	}
	s.Exec(t, "", make)
	t.Cleanup(func() {
		// Rights in databases that are still there keep a role alive.
		if err := s.Try(context.Background(), "", drop); err != nil && s.Engine != "postgres" {
			t.Errorf("%s: %v", drop, err)
		}
	})
}

// Disconnect ends the sessions that somebody has with the server.
func (s *Server) Disconnect(t testing.TB, login string) {
	t.Helper()
	end := "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '" + login + "'"
	if s.Engine == "mysql" {
		end = "KILL CONNECTION USER " + login
	}
	s.Exec(t, "", end)
}

// Details are connection details as Metabase names them. The empty login is
// the administrator.
func (s *Server) Details(database, login string) map[string]any {
	d := map[string]any{"host": s.Host, "port": s.Port, "dbname": database, "user": login, "password": "secret"}
	if login == "" {
		d["user"] = s.Admin
		delete(d, "password")
	}
	return d
}

// once starts a server a second time if it fails: somebody may take its port
// just before it does.
func once(start func() (*Server, error)) func() (*Server, error) {
	return sync.OnceValues(func() (*Server, error) {
		s, err := start()
		if err != nil && !errors.Is(err, errAbsent) {
			s, err = start()
		}
		return s, err
	})
}

// folder makes an empty folder, in memory where the system has a place there,
// and gives it to the user that a server is to run as: servers refuse to run
// as root.
func folder(prefix string, users ...string) (string, *syscall.SysProcAttr, error) {
	base := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, prefix)
	if err != nil && base != "" {
		dir, err = os.MkdirTemp("", prefix)
	}
	if err != nil {
		return "", nil, err
	}
	as := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return dir, as, nil
	}
	for _, name := range append(users, "nobody") {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return "", nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return "", nil, err
		}
		as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return dir, as, os.Chown(dir, int(uid), int(gid))
	}
	return "", nil, errors.New("there is no user that the server could run as")
}

// prepare runs a program to its end.
func prepare(dir string, as *syscall.SysProcAttr, program string, args ...string) error {
	c := exec.Command(program, args...)
	c.Dir, c.SysProcAttr = dir, as
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, out)
	}
	return nil
}

// watch runs a server and waits for the end of its input, which comes when the
// test binary ends, in whatever way; then it stops the server and removes the
// folder.
const watch = `cd / ; signal=$1; shift; "$@" >"$0/log" 2>&1 & server=$!
cat >/dev/null
kill -$signal $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$0"`

// serve starts a server, which the signal will stop at once, and waits until it
// answers.
func (s *Server) serve(dir string, as *syscall.SysProcAttr, signal, program string, args ...string) error {
	c := exec.Command("/bin/sh", append([]string{"-c", watch, dir, signal, program}, args...)...)
	c.Dir, c.SysProcAttr = dir, as
	alive, err := c.StdinPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	s.alive = alive
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if err = s.Try(context.Background(), "", "SELECT 1"); err == nil {
			return nil
		}
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		if time.Now().After(deadline) || strings.Contains(string(log), "could not create") || strings.Contains(string(log), "Aborting") {
			return errors.Join(fmt.Errorf("the server does not answer: %w: %s", err, log), alive.Close())
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Two gives the two numbers that a query is for.
func (s *Server) Two(ctx context.Context, database, query string) (a, b int, err error) {
	db, err := s.open(s, database)
	if err != nil {
		return 0, 0, err
	}
	defer db.Close()
	return a, b, db.QueryRowContext(ctx, query).Scan(&a, &b)
}
