// Package acceptance_test runs the real program, as people get it, and asks it
// by HTTP what people ask.
package acceptance_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	// The tests run a binary that is built apart. Importing what it is made
	// of lets the test cache see when it changes.
	_ "github.com/sluice-bi/sluice/internal/cli"
)

// sluice is the program under test, built once by TestMain.
var sluice string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sluice-acceptance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	sluice = filepath.Join(dir, "sluice")
	build := exec.Command("go", "build", "-ldflags", "-X main.version=v0.0.0-test", "-o", sluice, "../cmd/sluice")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// patience is how long a test waits for what happens within a moment on any
// machine; it ends a test that would hang, and decides nothing else.
const patience = time.Minute

// server is a running sluice.
type server struct {
	t      *testing.T
	cmd    *exec.Cmd
	site   string // http://127.0.0.1:port
	output *output
	said   chan string   // where it is, once
	exited chan struct{} // closed when it has ended
	killed atomic.Bool   // by the test
	data   string
}

// output collects what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// command is `sluice serve` on a free port, with the data folder and exactly
// the environment given.
func command(data string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(sluice, append([]string{"serve", "--addr", "127.0.0.1:0", "--data", data}, args...)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
	return cmd
}

// start starts the server and waits until it says where it is. It is stopped
// at the end of the test.
func start(t *testing.T, data string, env ...string) *server {
	t.Helper()
	s, err := launch(t, data, env...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// launch is start for any goroutine of a test.
func launch(t *testing.T, data string, env ...string) (*server, error) {
	s, err := begin(t, data, env...)
	if err != nil {
		return nil, err
	}
	return s, s.up()
}

// begin starts the server, and up waits for it.
func begin(t *testing.T, data string, env ...string) (*server, error) {
	s := &server{t: t, cmd: command(data, env), output: new(output), said: make(chan string, 1), exited: make(chan struct{}), data: data}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.cmd.Stderr = s.output
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.exited)
		lines := bufio.NewScanner(io.TeeReader(stdout, s.output))
		for lines.Scan() {
			if site, is := strings.CutPrefix(lines.Text(), "Sluice is up at "); is {
				s.said <- site
			}
		}
		_ = s.cmd.Wait() // tests that care read ProcessState
	}()
	t.Cleanup(s.stop)
	return s, nil
}

func (s *server) up() error {
	select {
	case s.site = <-s.said:
		return nil
	case <-s.exited:
		return fmt.Errorf("the server did not start:\n%s", s.output)
	case <-time.After(patience):
		return fmt.Errorf("the server did not say where it is:\n%s", s.output)
	}
}

// kill ends the server as a crash does, and waits until it is gone.
func (s *server) kill() {
	s.killed.Store(true)
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.exited
}

// setupToken is the token that the server printed.
func (s *server) setupToken() string {
	s.t.Helper()
	var found []string
	s.eventually("a set-up token", func() bool {
		found = regexp.MustCompile(`setup token: (\S+)`).FindStringSubmatch(s.output.String())
		return found != nil
	})
	return found[1]
}

// eventually waits until something holds.
func (s *server) eventually(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("never came: %s\n%s", what, s.output)
		}
	}
}

// stop ends the server politely and waits for it.
func (s *server) stop() {
	if s.killed.Load() {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-s.exited:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		s.t.Errorf("the server did not stop:\n%s", s.output)
	}
	if s.t.Failed() {
		s.t.Logf("the server wrote:\n%s", s.output)
	}
}

// credential is the header that says who asks; nil asks as nobody.
type credential map[string]string

// call makes one request; body and answer are JSON. It returns the status and
// the text of the answer, and reads it into out if that is not nil.
func (s *server) call(who credential, method, path string, body, out any) (int, string) {
	s.t.Helper()
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.site+path, sent)
	if err != nil {
		s.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range who {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, path, err, s.output)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	if out != nil && res.StatusCode < 300 {
		if err := json.Unmarshal(text, out); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return res.StatusCode, string(text)
}

// must is call that demands the status.
func (s *server) must(status int, who credential, method, path string, body, out any) {
	s.t.Helper()
	if got, text := s.call(who, method, path, body, out); got != status {
		s.t.Fatalf("%s %s: %d instead of %d: %s", method, path, got, status, text)
	}
}

const (
	adminEmail    = "admin@example.com"
	adminPassword = "correct horse battery"
)

// setUp makes the first administrator by the printed token, signed in.
func (s *server) setUp() credential {
	s.t.Helper()
	var session struct{ ID string }
	s.must(200, nil, "POST", "/api/setup", map[string]any{
		"token": s.setupToken(), "user": map[string]string{"email": adminEmail, "password": adminPassword},
	}, &session)
	return credential{"X-Metabase-Session": session.ID}
}

// signIn signs a person in.
func (s *server) signIn(email, password string) credential {
	s.t.Helper()
	var session struct{ ID string }
	s.must(200, nil, "POST", "/api/session", map[string]string{"username": email, "password": password}, &session)
	return credential{"X-Metabase-Session": session.ID}
}

// apiKey makes a key with an administrator's rights.
func (s *server) apiKey(admin credential) string {
	s.t.Helper()
	var key struct {
		Unmasked string `json:"unmasked_key"`
	}
	s.must(200, admin, "POST", "/api/api-key", map[string]any{"name": "acceptance", "group_id": 2}, &key)
	return key.Unmasked
}
