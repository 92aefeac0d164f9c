package cli

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func mustOpen(t *testing.T, path string) *folder {
	t.Helper()
	f, err := openFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// wants checks that an error is there and says each of the words.
func wants(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("nothing was refused")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the refusal does not say %q: %v", w, err)
		}
	}
}

func TestANewFolderIsItsOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "data")
	f := mustOpen(t, path)
	key, err := f.key("", false)
	if err != nil || len(key) != keyBytes {
		t.Fatalf("key of %d bytes, %v", len(key), err)
	}
	for name, want := range map[string]os.FileMode{path: 0o700, f.file(keyFile): 0o600, f.file(lockFile): 0o600} {
		if got := mode(t, name); got != want {
			t.Errorf("%s has mode %o, not %o", name, got, want)
		}
	}
	again, err := f.key("", false)
	if err != nil || !bytes.Equal(key, again) {
		t.Errorf("the key did not stay: %v", err)
	}
}

func TestAnEmptyFolderIsClosedToOthersAndAFullOneRefused(t *testing.T) {
	path := t.TempDir()
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := mustOpen(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if got := mode(t, path); got != 0o700 {
		t.Errorf("mode %o", got)
	}
	for _, open := range []os.FileMode{0o755, 0o750, 0o701} {
		if err := os.Chmod(path, open); err != nil {
			t.Fatal(err)
		}
		_, err := openFolder(path)
		wants(t, err, path, "chmod 700")
	}
}

func TestAFolderHasOneServer(t *testing.T) {
	path := t.TempDir()
	first := mustOpen(t, path)
	_, err := openFolder(path)
	wants(t, err, "another server", "process", path, "--data")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, path)
}

func TestADataFolderThatIsAFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := openFolder(path)
	wants(t, err, path)
}

func TestAKeyThatIsNotGoodIsRefused(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, keyBytes))
	other := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{8}, keyBytes))
	for _, c := range []struct {
		name     string
		kept     string // in the key file; "" for none
		mode     os.FileMode
		database bool   // there is an application database in the folder
		given    string // SLUICE_SECRET_KEY
		shared   bool
		want     []string // nil is accepted
	}{
		{name: "kept", kept: good, mode: 0o600},
		{name: "given", given: good},
		{name: "given without padding", given: strings.TrimRight(good, "=")},
		{name: "given and kept alike", kept: good, mode: 0o600, given: good, shared: true},
		{name: "kept for a shared database", kept: good, mode: 0o600, shared: true},
		{name: "given and kept, different", kept: good, mode: 0o600, given: other, want: []string{"different", keyFile}},
		{name: "given, too short", given: "c2hvcnQ=", want: []string{"SLUICE_SECRET_KEY", "openssl rand -base64 32"}},
		{name: "given, no base64", given: "!" + good, want: []string{"SLUICE_SECRET_KEY", "openssl"}},
		{name: "none for a shared database", shared: true, want: []string{"SLUICE_SECRET_KEY", "openssl"}},
		{name: "readable by the group", kept: good, mode: 0o640, want: []string{"chmod 600"}},
		{name: "readable by everybody, and another given", kept: good, mode: 0o604, given: good, want: []string{"chmod 600"}},
		{name: "damaged", kept: good[:10], mode: 0o600, want: []string{"backup"}},
		{name: "lost", database: true, want: []string{"missing", "backup", "SLUICE_SECRET_KEY"}},
		{name: "lost, and given", database: true, given: good},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := mustOpen(t, t.TempDir())
			if c.kept != "" {
				if err := os.WriteFile(f.file(keyFile), []byte(c.kept), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(f.file(keyFile), c.mode); err != nil {
					t.Fatal(err)
				}
			}
			if c.database {
				if err := os.WriteFile(f.file(databaseFile), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			key, err := f.key(c.given, c.shared)
			if c.want != nil {
				wants(t, err, c.want...)
				if strings.Contains(err.Error(), good[:10]) {
					t.Errorf("the refusal shows the key: %v", err)
				}
				return
			}
			if err != nil || len(key) != keyBytes {
				t.Errorf("key of %d bytes, %v", len(key), err)
			}
		})
	}
}
