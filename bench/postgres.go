package main

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
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

var errNoPostgres = errors.New("the programs initdb and postgres are not installed, so what needs PostgreSQL is not measured")

// postgres is a server of the run's own, as it is installed: it syncs its
// commits to the disk.
type postgres struct {
	port    int
	version string
	alive   io.Closer
	watcher *exec.Cmd
}

// watch runs the server until the input ends, which it does in whatever way
// the bench ends; then it stops the server and removes its folder.
const watch = `cd / ; "$@" >"$0/log" 2>&1 & server=$!
cat >/dev/null
kill -INT $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$0"`

// startPostgres starts a server on a free port; errNoPostgres where its
// programs are not installed.
func startPostgres() (*postgres, error) {
	initdb, err := program("initdb")
	if err != nil {
		return nil, err
	}
	server, err := program("postgres")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-bench-postgres-")
	if err != nil {
		return nil, err
	}
	as, err := ordinary(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	init := exec.Command(initdb, "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	init.Dir, init.SysProcAttr = dir, as
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	// Whoever else signs in needs a password: slots whose logins are open to
	// everybody are no boundary.
	const hba = "host all bench 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &postgres{port: port}
	p.watcher = exec.Command("/bin/sh", "-c", watch, dir, server, "-D", data, "-p", strconv.Itoa(port), "-k", "",
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200")
	p.watcher.Dir, p.watcher.SysProcAttr = dir, as
	if p.alive, err = p.watcher.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.watcher.Start(); err != nil {
		return nil, err
	}
	return p, p.wait()
}

// wait waits until the server answers.
func (p *postgres) wait() error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := inPostgres(context.Background(), p.url(), func(ctx context.Context, c *pgx.Conn) error {
			return c.QueryRow(ctx, "show server_version").Scan(&p.version)
		})
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			p.stop()
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		}
	}
}

func (p *postgres) stop() {
	_ = p.alive.Close()
	_ = p.watcher.Wait()
}

func (p *postgres) url() string {
	return fmt.Sprintf("postgres://bench@127.0.0.1:%d/postgres?sslmode=disable", p.port)
}

func inPostgres(ctx context.Context, address string, f func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	return f(ctx, c)
}

// newDatabase is the address of an empty database of this promise's.
func (b *bench) newDatabase(name string) (string, error) {
	err := inPostgres(b.ctx, b.postgres, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "create database "+name)
		return err
	})
	return strings.Replace(b.postgres, "/postgres?", "/"+name+"?", 1), err
}

// dropDatabase makes room.
func (b *bench) dropDatabase(name string) error {
	return inPostgres(b.ctx, b.postgres, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "drop database "+name+" with (force)")
		return err
	})
}

// program finds one of PostgreSQL's programs: the newest that Debian installs,
// or what is in the path.
func program(name string) (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) > 0 {
		return found[0], nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", errNoPostgres
	}
	return path, nil
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
		return nil, err
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

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
