package acceptance_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// postgres is a PostgreSQL server of one test, which it may shut down and
// start again. Unlike that of storetest it keeps whatever was committed.
type postgres struct {
	url    string
	dir    string
	words  io.WriteCloser // to the watcher
	echoed *bufio.Scanner // a word when it is done
}

// watcher starts and stops the server on the words start, INT (fast) and QUIT
// (immediate). When the test ends, in whatever way, its input does, and it
// stops the server and removes the folder.
const watcher = `cd /
while read word; do
	case $word in
	start) "$@" >>"$0/log" 2>&1 & server=$! ;;
	*) kill -$word $server; wait $server ;;
	esac
	echo $word
done
kill -QUIT $server; wait $server; rm -rf "$0"`

// ownPostgres makes a server and starts it.
func ownPostgres(t *testing.T) *postgres {
	t.Helper()
	initdb, server := postgresProgram(t, "initdb"), postgresProgram(t, "postgres")
	dir, err := os.MkdirTemp("", "sluice-postgres-") //nolint:usetesting // PostgreSQL's user may not enter the folder of a test
	if err != nil {
		t.Fatal(err)
	}
	as, err := ordinaryUser(dir)
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	create := exec.Command(initdb, "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	create.Dir, create.SysProcAttr = dir, as
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	// The machine does not crash, so that nothing need be forced to its disk.
	c := exec.Command("/bin/sh", "-c", watcher, dir, server, "-D", data, "-p", strconv.Itoa(port), "-k", "",
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=32MB")
	c.Dir, c.SysProcAttr = dir, as
	p := &postgres{url: fmt.Sprintf("postgres://test@127.0.0.1:%d/postgres?sslmode=disable", port), dir: dir}
	if p.words, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	echoed, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.echoed = bufio.NewScanner(echoed)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.words.Close()
		if err := c.Wait(); err != nil {
			t.Errorf("the watcher of PostgreSQL: %v", err)
		}
	})
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// say gives the watcher a word and waits until it is done.
func (p *postgres) say(word string) error {
	if _, err := fmt.Fprintln(p.words, word); err != nil {
		return err
	}
	if !p.echoed.Scan() || p.echoed.Text() != word {
		return fmt.Errorf("%s: %q %w", word, p.echoed.Text(), p.echoed.Err())
	}
	return nil
}

// start starts the server and waits until it answers.
func (p *postgres) start(ctx context.Context) error {
	if err := p.say("start"); err != nil {
		return err
	}
	err := eventually(ctx, "PostgreSQL", func() (bool, error) {
		c, err := pgx.Connect(ctx, p.url)
		if err != nil {
			return false, err
		}
		return true, c.Close(ctx)
	})
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
		return fmt.Errorf("%w\n%s", err, log)
	}
	return nil
}

// stop shuts the server down: "fast", in good order, or "immediate", as a
// crash does.
func (p *postgres) stop(how string) error {
	return p.say(map[string]string{"fast": "INT", "immediate": "QUIT"}[how])
}

// postgresProgram finds one of PostgreSQL's programs: what Debian installs, or
// what is in the path. Without it the test is skipped.
func postgresProgram(t *testing.T, name string) string {
	t.Helper()
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(installed) > 0 {
		return installed[len(installed)-1]
	}
	path, err := exec.LookPath(name)
	if err != nil {
		absent(t, "PostgreSQL is not installed; apt-get install postgresql brings it")
	}
	return path
}

// ordinaryUser gives the folder to the user that PostgreSQL is to run as: it
// refuses to run as root.
func ordinaryUser(dir string) (*syscall.SysProcAttr, error) {
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
	uid, bad := strconv.ParseUint(u.Uid, 10, 32)
	gid, worse := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(bad, worse); err != nil {
		return nil, err
	}
	as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return as, os.Chown(dir, int(uid), int(gid))
}
