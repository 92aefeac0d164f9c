package acceptance_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// refused runs a server that must not start and returns what it said.
func refused(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("exit code %d, not 1:\n%s", cmd.ProcessState.ExitCode(), out)
	}
	if strings.Contains(string(out), "goroutine") || strings.Contains(string(out), "Sluice is up") {
		t.Errorf("not a refusal:\n%s", out)
	}
	return string(out)
}

func TestAFreshServerIsSetUpByItsTokenOnce(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "data"))
	for _, path := range []string{"/api/health", "/api/health/live", "/api/health/ready", "/metrics", "/", "/api/docs/openapi.json"} {
		s.must(200, nil, "GET", path, nil, nil)
	}
	token := s.setupToken()
	body := map[string]any{"token": "not " + token, "user": map[string]string{"email": adminEmail, "password": adminPassword}}
	if status, text := s.call(nil, "POST", "/api/setup", body, nil); status < 400 || status > 499 {
		t.Fatalf("a wrong token: %d %s", status, text)
	}
	admin := s.setUp()
	var me struct {
		IsSuperuser bool `json:"is_superuser"`
	}
	s.must(200, admin, "GET", "/api/user/current", nil, &me)
	if !me.IsSuperuser {
		t.Error("the first person is no administrator")
	}
	body["token"] = token
	if status, text := s.call(nil, "POST", "/api/setup", body, nil); status < 400 || status > 499 {
		t.Errorf("the token worked twice: %d %s", status, text)
	}
	var databases struct {
		Data []struct {
			ID       int
			IsSample bool `json:"is_sample"`
		}
	}
	s.must(200, admin, "GET", "/api/database", nil, &databases)
	if len(databases.Data) != 1 || databases.Data[0].ID != 1 || !databases.Data[0].IsSample {
		t.Errorf("databases: %+v, want the sample warehouse as 1", databases.Data)
	}
	if strings.Contains(grepped(s.output.String(), "level="), token) {
		t.Error("the set-up token is in the log")
	}
}

// grepped are the lines that contain a word.
func grepped(text, word string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestEveryStartMakesAFreshTokenUntilSetUpIsDone(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	first := start(t, data)
	old := first.setupToken()
	first.stop()
	second := start(t, data)
	if second.setupToken() == old {
		t.Error("the token of the first start came again")
	}
	body := map[string]any{"token": old, "user": map[string]string{"email": adminEmail, "password": adminPassword}}
	if status, text := second.call(nil, "POST", "/api/setup", body, nil); status < 400 || status > 499 {
		t.Errorf("the first start's token still works: %d %s", status, text)
	}
	second.setUp()
	second.stop()
	third := start(t, data)
	third.signIn(adminEmail, adminPassword)
	if strings.Contains(third.output.String(), "setup token") {
		t.Error("a server that was set up printed a token")
	}
	database, err := os.ReadFile(filepath.Join(data, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(database, []byte(old)) {
		t.Error("the application database holds the token itself")
	}
}

func TestTheFirstAdministratorCanBeMadeUnattended(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	env := []string{"SLUICE_ADMIN_EMAIL=" + adminEmail, "SLUICE_ADMIN_PASSWORD=" + adminPassword}
	s := start(t, data, env...)
	s.signIn(adminEmail, adminPassword)
	if out := s.output.String(); strings.Contains(out, "setup token") || strings.Contains(out, adminPassword) {
		t.Errorf("printed a token or the password:\n%s", out)
	}
	s.stop()
	// The variables stay where they are; a restart neither fails nor resets.
	again := start(t, data, env[0], "SLUICE_ADMIN_PASSWORD=another good passphrase")
	again.signIn(adminEmail, adminPassword)
}

func TestASecondServerOnTheSameFolderIsRefused(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	first := start(t, data)
	said := refused(t, command(data, nil))
	for _, word := range []string{"another server", fmt.Sprintf("process %d", first.cmd.Process.Pid), data, "--data"} {
		if !strings.Contains(said, word) {
			t.Errorf("the refusal does not say %q: %s", word, said)
		}
	}
	first.must(200, nil, "GET", "/api/health/ready", nil, nil)
}

func TestAnAddressThatIsTakenIsRefusedWithAWayOut(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	said := refused(t, command(filepath.Join(t.TempDir(), "data"), nil, "--addr", taken.Addr().String()))
	for _, word := range []string{taken.Addr().String(), "in use", "--addr"} {
		if !strings.Contains(said, word) {
			t.Errorf("the refusal does not say %q: %s", word, said)
		}
	}
}

func TestUnsafeSettingsStopTheStart(t *testing.T) {
	folder := func(t *testing.T) string { return filepath.Join(t.TempDir(), "data") }
	used := func(t *testing.T) string {
		data := folder(t)
		start(t, data).stop()
		return data
	}
	for _, c := range []struct {
		name string
		cmd  func(t *testing.T) *exec.Cmd
		want string
	}{
		{"the whole network in the clear", func(t *testing.T) *exec.Cmd { return command(folder(t), nil, "--addr", "0.0.0.0:0") }, "--trusted-proxy"},
		{"a folder that others may enter", func(t *testing.T) *exec.Cmd {
			data := used(t)
			chmod(t, data, 0o755)
			return command(data, nil)
		}, "chmod 700"},
		{"a key that others may read", func(t *testing.T) *exec.Cmd {
			data := used(t)
			chmod(t, filepath.Join(data, "key"), 0o644)
			return command(data, nil)
		}, "chmod 600"},
		{"a lost key", func(t *testing.T) *exec.Cmd {
			data := used(t)
			if err := os.Remove(filepath.Join(data, "key")); err != nil {
				t.Fatal(err)
			}
			return command(data, nil)
		}, "backup"},
		{"another key", func(t *testing.T) *exec.Cmd {
			data := used(t)
			if err := os.Remove(filepath.Join(data, "key")); err != nil {
				t.Fatal(err)
			}
			return command(data, []string{"SLUICE_SECRET_KEY=" + strings.Repeat("A", 43)})
		}, "key"},
		{"PostgreSQL without a key", func(t *testing.T) *exec.Cmd {
			return command(folder(t), []string{"SLUICE_DATABASE_URL=postgres://sluice:hush@127.0.0.1:1/sluice"})
		}, "SLUICE_SECRET_KEY"},
		{"a weak password", func(t *testing.T) *exec.Cmd {
			return command(folder(t), []string{"SLUICE_ADMIN_EMAIL=" + adminEmail, "SLUICE_ADMIN_PASSWORD=password"})
		}, "SLUICE_ADMIN_PASSWORD"},
		{"an address that is none", func(t *testing.T) *exec.Cmd {
			return command(folder(t), []string{"SLUICE_ADMIN_EMAIL=admin", "SLUICE_ADMIN_PASSWORD=" + adminPassword})
		}, "SLUICE_ADMIN_EMAIL"},
		{"half an administrator", func(t *testing.T) *exec.Cmd {
			return command(folder(t), []string{"SLUICE_ADMIN_EMAIL=" + adminEmail})
		}, "SLUICE_ADMIN_PASSWORD"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if said := refused(t, c.cmd(t)); !strings.Contains(said, c.want) {
				t.Errorf("the refusal does not say %q: %s", c.want, said)
			}
		})
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// A database server that is not there must not cost its password.
func TestADatabaseThatDoesNotAnswerIsNamedWithoutItsPassword(t *testing.T) {
	said := refused(t, command(filepath.Join(t.TempDir(), "data"), []string{
		"SLUICE_DATABASE_URL=postgres://sluice:hush@127.0.0.1:1/sluice", "SLUICE_SECRET_KEY=" + strings.Repeat("A", 43),
	}))
	if strings.Contains(said, "hush") {
		t.Errorf("the password is shown: %s", said)
	}
	if !strings.Contains(said, "database") {
		t.Errorf("what is wrong is not said: %s", said)
	}
}

// half is a request that has reached its handler, which now waits for the
// rest of the body.
type half struct {
	conn net.Conn
	read *bufio.Reader
	rest string
}

func halfARequest(s *server) *half {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.site, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	body := fmt.Sprintf(`{"username":%q,"password":%q}`, adminEmail, adminPassword)
	fmt.Fprintf(conn, "POST /api/session HTTP/1.1\r\nHost: sluice\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(body))
	h := &half{conn, bufio.NewReader(conn), body}
	// The server says this when the handler asks for the body.
	if line, err := h.read.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		s.t.Fatalf("%q, %v", line, err)
	}
	if _, err := h.read.ReadString('\n'); err != nil {
		s.t.Fatal(err)
	}
	return h
}

// closing waits until the server takes no new connections.
func (s *server) closing() {
	s.t.Helper()
	s.eventually("the end of listening", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.site, "http://"))
		return err != nil || conn.Close() != nil
	})
}

func TestARunningRequestIsFinishedBeforeTheServerStops(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			s := start(t, filepath.Join(t.TempDir(), "data"))
			s.setUp()
			h := halfARequest(s)
			if err := s.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			s.closing()
			fmt.Fprint(h.conn, h.rest)
			res, err := http.ReadResponse(h.read, nil)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			defer res.Body.Close()
			if res.StatusCode != 200 {
				t.Errorf("status %d", res.StatusCode)
			}
			<-s.exited
			if code := s.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("exit code %d:\n%s", code, s.output)
			}
		})
	}
}

func TestASecondSignalEndsTheServerAtOnce(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "data"))
	s.setUp()
	halfARequest(s)
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.closing()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.exited
	if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("ended by itself: %v", s.cmd.ProcessState)
	}
}

func TestEveryCommandHelpsWithAnExample(t *testing.T) {
	for _, args := range [][]string{{}, {"serve"}, {"version"}, {"completion"}} {
		out, err := exec.Command(sluice, append(args, "--help")...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Examples:\n  ") {
			t.Errorf("sluice %s --help: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	out, err := exec.Command(sluice, "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "sluice v0.0.0-test ") {
		t.Errorf("sluice version: %v %s", err, out)
	}
	out, err = exec.Command(sluice, "completion", "bash").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "__start_sluice") {
		t.Errorf("sluice completion bash: %v %.200s", err, out)
	}
}
