package cli

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// packed is a file of an archive that a test makes or changes.
type packed struct {
	name string
	data []byte
	link string // not a file but a link to it
}

func unpacked(t *testing.T, path string) (all []packed) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(must[[]byte](t)(os.ReadFile(path))))
	for {
		head, err := r.Next()
		if err == io.EOF {
			return all
		}
		check(t, err)
		all = append(all, packed{name: head.Name, data: must[[]byte](t)(io.ReadAll(r))})
	}
}

func repacked(t *testing.T, all []packed) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, p := range all {
		head := &tar.Header{Name: p.name, Size: int64(len(p.data)), Mode: 0o600}
		if p.link != "" {
			head.Typeflag, head.Linkname, head.Size = tar.TypeSymlink, p.link, 0
		}
		check(t, w.WriteHeader(head))
		if p.link == "" {
			must[int](t)(w.Write(p.data))
		}
	}
	check(t, w.Close())
	return b.Bytes()
}

// described changes the manifest of an archive.
func described(t *testing.T, all []packed, change func(m *manifest)) []packed {
	t.Helper()
	var m manifest
	check(t, json.Unmarshal(all[0].data, &m))
	change(&m)
	return append([]packed{{name: manifestFile, data: must[[]byte](t)(json.Marshal(m))}}, all[1:]...)
}

func TestWhatIsNotAWholeBackupIsRefusedAndLeavesNothing(t *testing.T) {
	f, _ := taken(t)
	good := filepath.Join(t.TempDir(), "good.tar")
	succeeds(t, "backup", "--data", f.path, "--with-key", good)
	all := unpacked(t, good)
	if len(all) != 3 || all[1].name != databaseFile || all[2].name != keyFile {
		t.Fatalf("the backup holds %d files", len(all))
	}
	whole := must[[]byte](t)(os.ReadFile(good))
	zipped := filepath.Join(t.TempDir(), "good.tgz")
	succeeds(t, "backup", "--data", f.path, "--with-key", zipped)
	small := must[[]byte](t)(os.ReadFile(zipped))
	other := filepath.Join(t.TempDir(), "other-key")
	check(t, os.WriteFile(other, []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{8}, keyBytes))), 0o600))
	keyless := described(t, all[:2], func(m *manifest) { m.Members = m.Members[:1] })
	altered := func(data []byte) []byte {
		data = bytes.Clone(data)
		data[len(data)/2] ^= 1
		return data
	}
	// swapped is an archive in which one member holds something else, with the
	// size and sum of that.
	swapped := func(name string, data []byte) []packed {
		sum := sha256.Sum256(data)
		s := described(t, all, func(m *manifest) {
			for i := range m.Members {
				if m.Members[i].Name == name {
					m.Members[i].Size, m.Members[i].SHA256 = int64(len(data)), hex.EncodeToString(sum[:])
				}
			}
		})
		for i := range s {
			if s[i].name == name {
				s[i].data = data
			}
		}
		return s
	}
	without := func(statement string) []byte {
		path := filepath.Join(t.TempDir(), databaseFile)
		check(t, os.WriteFile(path, all[1].data, 0o600))
		db := must[*sql.DB](t)(sql.Open("sqlite", path))
		must[sql.Result](t)(db.Exec(statement))
		check(t, db.Close())
		return must[[]byte](t)(os.ReadFile(path))
	}
	named := func(name string) []packed {
		s := described(t, all, func(m *manifest) { m.Members[1].Name = name })
		return []packed{s[0], s[1], {name: name, data: s[2].data}}
	}

	for _, c := range []struct {
		name string
		data []byte
		env  []string
		args []string
		want []string
	}{
		{"empty", nil, nil, nil, []string{"cut off"}},
		{"something else", []byte(strings.Repeat("no archive ", 200)), nil, nil, []string{"no backup of Sluice"}},
		{"cut in the manifest", whole[:700], nil, nil, []string{"cut off"}},
		{"cut in the database", whole[:len(whole)/2], nil, nil, []string{"cut off"}},
		{"compressed and cut", small[:len(small)/2], nil, nil, []string{"cut off"}},
		{"compressed and cut in its own sum", small[:len(small)-3], nil, nil, []string{"cut off"}},
		{"compressed and damaged", altered(small), nil, nil, []string{"damaged"}},
		{"a database that was altered", repacked(t, []packed{all[0], {name: databaseFile, data: altered(all[1].data)}, all[2]}), nil, nil, []string{databaseFile, "SHA-256"}},
		{"a database that is none", repacked(t, swapped(databaseFile, []byte("none"))), nil, nil, []string{databaseFile}},
		{"permissions that are not whole", repacked(t, swapped(databaseFile, without("delete from groups where id = 1"))), nil, nil, []string{"not whole"}},
		{"permissions of which a row is lost", repacked(t, swapped(databaseFile, without("delete from memberships where group_id = 2"))), nil, nil, []string{"not whole", "rows are missing"}},
		{"another key in the backup", repacked(t, swapped(keyFile, must[[]byte](t)(os.ReadFile(other)))), nil, nil, []string{"the key in", "not the one"}},
		{"a key in the backup that is none", repacked(t, swapped(keyFile, []byte("none"))), nil, nil, []string{"base64"}},
		{"no database", repacked(t, described(t, []packed{all[0], all[2]}, func(m *manifest) { m.Members = m.Members[1:] })), nil, nil, []string{databaseFile, "damaged"}},
		{"a newer format", repacked(t, described(t, all, func(m *manifest) { m.Format, m.Sluice = 2, "v9" })), nil, nil, []string{"newer Sluice", "v9", "number 2"}},
		{"a newer schema", repacked(t, described(t, all, func(m *manifest) { m.Schema, m.Sluice = 999, "v9" })), nil, nil, []string{"newer Sluice", "v9", "number 999"}},
		{"another schema than it says", repacked(t, described(t, all, func(m *manifest) { m.Schema = 0 })), nil, nil, []string{"altered"}},
		{"no format", repacked(t, described(t, all, func(m *manifest) { m.Format = 0 })), nil, nil, []string{"cannot be read"}},
		{"a name outside", repacked(t, named("../../outside")), nil, nil, []string{"../../outside", "no backup of Sluice"}},
		{"an absolute name", repacked(t, named("/outside")), nil, nil, []string{"/outside", "no backup of Sluice"}},
		{"a name that is not announced", repacked(t, []packed{all[0], all[1], {name: "../key", data: all[2].data}}), nil, nil, []string{"../key", "no backup of Sluice"}},
		{"one file more", repacked(t, append(all[:3:3], packed{name: "../more", data: []byte("x")})), nil, nil, []string{"../more", "no backup of Sluice"}},
		{"a link instead of a file", repacked(t, []packed{all[0], {name: databaseFile, link: f.file(databaseFile)}, all[2]}), nil, nil, []string{"no backup of Sluice"}},
		{"a file twice", repacked(t, described(t, all, func(m *manifest) { m.Members[1] = m.Members[0] })), nil, nil, []string{databaseFile}},
		{"a size beyond all measure", repacked(t, described(t, all, func(m *manifest) { m.Members[0].Size = 1 << 50 })), nil, nil, []string{"bytes"}},
		{"no key", repacked(t, keyless), nil, nil, []string{"--key", "SLUICE_SECRET_KEY"}},
		{"another key in a file", repacked(t, keyless), nil, []string{"--key", other}, []string{other, "not the one"}},
		{"another key beside the right one", whole, nil, []string{"--key", other}, []string{other, "not the one"}},
		{"another key in the environment", whole, []string{"SLUICE_SECRET_KEY=" + string(must[[]byte](t)(os.ReadFile(other)))}, nil, []string{"SLUICE_SECRET_KEY", "not the one"}},
		{"a key file that holds none", repacked(t, keyless), nil, []string{"--key", good}, []string{good, "base64"}},
		{"a key file that is not there", repacked(t, keyless), nil, []string{"--key", other + "-not"}, []string{other + "-not"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(t.TempDir(), "backup")
			check(t, os.WriteFile(file, c.data, 0o600))
			code, said := command(t, c.env, append([]string{"restore", "--data", filepath.Join(dir, "deep"), file}, c.args...)...)
			if code != 1 {
				t.Fatalf("exit code %d: %s", code, said)
			}
			for _, w := range c.want {
				if !strings.Contains(said, w) {
					t.Errorf("the refusal does not say %q: %s", w, said)
				}
			}
			if got := entries(t, dir); len(got) > 0 {
				t.Errorf("left behind: %v", got)
			}
		})
	}
}

func TestARestoreReplacesNothing(t *testing.T) {
	f, _ := taken(t)
	file := filepath.Join(t.TempDir(), "backup.tar")
	succeeds(t, "backup", "--data", f.path, "--with-key", file)
	full, plain := t.TempDir(), filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(filepath.Join(full, "note"), []byte("mine"), 0o600))
	check(t, os.WriteFile(plain, []byte("mine"), 0o600))
	for to, want := range map[string]string{f.path: "a server is running", full: "not empty", plain: "not a folder"} {
		beside := len(entries(t, filepath.Dir(to)))
		code, said := command(t, nil, "restore", "--data", to, file)
		if code != 1 || !strings.Contains(said, want) || !strings.Contains(said, "--data") {
			t.Errorf("restoring to %s: %d, %s", to, code, said)
		}
		if got := entries(t, filepath.Dir(to)); len(got) != beside {
			t.Errorf("left behind beside %s: %v", to, got)
		}
	}
	if got := string(must[[]byte](t)(os.ReadFile(filepath.Join(full, "note")))); got != "mine" {
		t.Errorf("the file that was there holds %q", got)
	}
}

func TestWhatIsInterruptedLeavesNothing(t *testing.T) {
	f, _ := taken(t)
	file := filepath.Join(t.TempDir(), "backup.tar")
	succeeds(t, "backup", "--data", f.path, "--with-key", file)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	dir := t.TempDir()
	for _, args := range [][]string{
		{"backup", "--data", f.path, filepath.Join(dir, "backup.tgz")},
		{"restore", "--data", filepath.Join(dir, "data"), file},
	} {
		var said bytes.Buffer
		code := Run(stopped, Program{Args: args, Stdout: &said, Stderr: &said, Env: func(string) string { return "" }})
		if code != 1 || !strings.Contains(said.String(), context.Canceled.Error()) {
			t.Errorf("%s: exit code %d, %s", args[0], code, said.String())
		}
		if got := entries(t, dir); len(got) > 0 {
			t.Errorf("%s left %v behind", args[0], got)
		}
	}
}

func TestABackupReplacesAFileOnlyWhenTold(t *testing.T) {
	f, _ := taken(t)
	file := filepath.Join(t.TempDir(), "backup.tar")
	check(t, os.WriteFile(file, []byte("mine"), 0o644))
	code, said := command(t, nil, "backup", "--data", f.path, file)
	if got := string(must[[]byte](t)(os.ReadFile(file))); code != 1 || !strings.Contains(said, "--force") || got != "mine" {
		t.Errorf("exit code %d, the file holds %d bytes: %s", code, len(got), said)
	}
	succeeds(t, "backup", "--data", f.path, "--force", file)
	if got := mode(t, file); got != 0o600 {
		t.Errorf("mode %o", got)
	}
	if all := unpacked(t, file); len(all) != 2 {
		t.Errorf("it holds %d files", len(all))
	}
}

func TestABackupNeedsADataFolderOfItsOwnKind(t *testing.T) {
	empty, theirs, dir := t.TempDir(), t.TempDir(), t.TempDir()
	check(t, os.WriteFile(filepath.Join(theirs, databaseFile), nil, 0o600))
	for _, c := range []struct {
		name      string
		env, args []string
		want      string
	}{
		{"no application database", nil, []string{"--data", empty}, "--data"},
		{"a file that is none", nil, []string{"--data", theirs}, "not an application database"},
		{"no file", nil, []string{"--data", empty, "another"}, "name one file"},
		{"PostgreSQL", nil, []string{"--data", empty, "--database-url", "postgres://u:hush@h/d"}, "pg_dump"},
		{"PostgreSQL in the environment", []string{"SLUICE_DATABASE_URL=postgres://u:hush@h/d"}, []string{"--data", empty}, "pg_dump"},
	} {
		for _, verb := range []string{"backup", "restore"} {
			if verb == "restore" && c.want != "pg_dump" && c.want != "name one file" {
				continue
			}
			t.Run(verb+", "+c.name, func(t *testing.T) {
				code, said := command(t, c.env, append([]string{verb, filepath.Join(dir, "backup.tar")}, c.args...)...)
				if code != 1 || !strings.Contains(said, c.want) || strings.Contains(said, "hush") {
					t.Errorf("exit code %d: %s", code, said)
				}
				if got := entries(t, dir); len(got) > 0 {
					t.Errorf("left behind: %v", got)
				}
			})
		}
	}
}
