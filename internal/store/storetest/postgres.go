package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// errAbsent says that PostgreSQL is not installed.
var errAbsent = errors.New("the PostgreSQL programs initdb and postgres are not installed; apt-get install postgresql brings them")

// server starts the test binary's server once. Somebody may take its port just
// before it does: then once more.
var server = sync.OnceValues(func() (*running, error) {
	s, err := start()
	if err != nil && !errors.Is(err, errAbsent) {
		s, err = start()
	}
	return s, err
})

// running is a server that was started here.
type running struct {
	port   int
	alive  io.Closer // what tells the watcher that this process lives
	mu     sync.Mutex
	number int // of schemas made so far
}

// URL is the address of a fresh place in PostgreSQL, removed when the test
// ends: a schema of its own, which is quicker to make than a database and, to
// who connects there, as empty.
func URL(t *testing.T) string {
	t.Helper()
	s, err := server()
	switch {
	case errors.Is(err, errAbsent) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	s.mu.Lock()
	s.number++
	name := fmt.Sprintf("test_%d", s.number)
	s.mu.Unlock()
	if err := s.run("create schema " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.run("drop schema " + name + " cascade"); err != nil {
			t.Error(err)
		}
	})
	return s.url() + "&search_path=" + name
}

func (s *running) url() string {
	return fmt.Sprintf("postgres://test@127.0.0.1:%d/postgres?sslmode=disable", s.port)
}

func (s *running) run(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, s.url())
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, statement)
	return err
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

// start makes a server with an empty data folder.
func start() (*running, error) {
	initdb, err := program("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := program("postgres")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-postgres-")
	if err != nil {
		return nil, err
	}
	as, err := ordinary(dir)
	if err != nil {
		return nil, err
	}
	init := exec.Command(initdb, "-D", filepath.Join(dir, "data"), "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	init.Dir, init.SysProcAttr = dir, as
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return serve(postgres, dir, as)
}

// ordinary gives the folder to the user that PostgreSQL is to run as: it
// refuses to run as root.
func ordinary(dir string) (*syscall.SysProcAttr, error) {
	as := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return as, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return as, os.Chown(dir, int(uid), int(gid))
}

// watch runs the server and waits for the end of its input, which comes when
// the test binary ends, in whatever way; then it stops the server and removes
// the folder.
const watch = `cd / ; "$@" >"$0/log" 2>&1 & server=$!
cat >/dev/null
kill -QUIT $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$0"`

func serve(postgres, dir string, as *syscall.SysProcAttr) (*running, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	c := exec.Command("/bin/sh", "-c", watch, dir, postgres, "-D", filepath.Join(dir, "data"), "-p", strconv.Itoa(port), "-k", "",
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "shared_buffers=32MB",
		"-c", "max_locks_per_transaction=256", "-c", "max_connections=300")
	c.Dir, c.SysProcAttr = dir, as
	alive, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	s := &running{port: port, alive: alive}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if err = s.run("select 1"); err == nil {
			return s, nil
		}
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		if time.Now().After(deadline) || strings.Contains(string(log), "could not create") {
			alive.Close()
			return nil, fmt.Errorf("PostgreSQL does not answer: %w: %s", err, log)
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
