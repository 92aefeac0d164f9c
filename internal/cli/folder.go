package cli

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// folder is the data folder of a running server: the application database
// (unless that is in PostgreSQL), the key, and the sample warehouse. It is
// locked for as long as it is open.
type folder struct {
	path string
	lock *os.File
}

// The files of a data folder.
const (
	databaseFile = "sluice.db"
	keyFile      = "key"
	sampleFile   = "sample.db"
	lockFile     = "lock"
)

const keyBytes = 32

// openFolder takes the data folder for this process, making it when it is not
// there. It refuses a folder that others may enter, unless it is still empty
// and can be closed to them, and one that another server has taken.
func openFolder(path string) (*folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", path, err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("the data folder cannot be made: %w", err)
	}
	if err := closeToOthers(path); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data folder cannot be locked: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer lock.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("the data folder %s cannot be locked (%w); put it on a local disk", path, err)
		}
		holder := ""
		if pid, err := os.ReadFile(lock.Name()); err == nil && len(pid) > 0 {
			holder = fmt.Sprintf(" (process %s)", strings.TrimSpace(string(pid)))
		}
		return nil, fmt.Errorf("another server%s is running on the data folder %s; stop it, or give this one another folder with --data", holder, path)
	}
	// For the refusal above only; the lock itself is the kernel's.
	if err := errors.Join(lock.Truncate(0), writeAt(lock, fmt.Sprintln(os.Getpid()))); err != nil {
		return nil, fmt.Errorf("the data folder cannot be written: %w", errors.Join(err, lock.Close()))
	}
	return &folder{path, lock}, nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// closeToOthers makes sure that only this user may enter the folder. What
// stood open with something in it may have been read already, which is for
// the administrator to judge.
func closeToOthers(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if len(entries) == 0 && os.Chmod(path, 0o700) == nil {
		return nil
	}
	return fmt.Errorf("other users of this machine may enter the data folder %s (mode %04o), which holds the application database and its key; run: chmod 700 %s",
		path, info.Mode().Perm(), path)
}

func (f *folder) file(name string) string { return filepath.Join(f.path, name) }

// Close lets another server have the folder.
func (f *folder) Close() error { return f.lock.Close() }

// key returns the key that seals connection details. given is SLUICE_SECRET_KEY
// and counts first. Without it the key file is read, or made when this is the
// first start of a folder with its own application database. shared says that
// the application database is elsewhere, so that a new key would fit nothing.
func (f *folder) key(given string, shared bool) ([]byte, error) {
	kept, err := f.keptKey()
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, err
	}
	if given != "" {
		key, err := parseKey(given)
		if err != nil {
			return nil, fmt.Errorf("SLUICE_SECRET_KEY is %w; make one with: openssl rand -base64 32", err)
		}
		if !missing && string(key) != string(kept) {
			return nil, fmt.Errorf("SLUICE_SECRET_KEY and the key file %s hold different keys; remove the one that is wrong", f.file(keyFile))
		}
		return key, nil
	}
	if !missing {
		return kept, nil
	}
	if shared {
		return nil, errors.New("an application database in PostgreSQL needs its key in SLUICE_SECRET_KEY, the same for every server of it; make one with: openssl rand -base64 32")
	}
	if _, err := os.Stat(f.file(databaseFile)); err == nil {
		return nil, fmt.Errorf("the key file %s is missing, and the connection details in %s are sealed with it; put it back from a backup, or set SLUICE_SECRET_KEY",
			f.file(keyFile), f.file(databaseFile))
	}
	return f.makeKey()
}

func (f *folder) keptKey() ([]byte, error) {
	name := f.file(keyFile)
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("other users of this machine may read the key file %s (mode %04o); run: chmod 600 %s", name, info.Mode().Perm(), name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	key, err := parseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("the key file %s is %w; put it back from a backup", name, err)
	}
	return key, nil
}

func (f *folder) makeKey() ([]byte, error) {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails
	return f.writeKey(key)
}

// writeKey writes a key beside its place and moves it there, so that no
// half-written key is ever found.
func (f *folder) writeKey(key []byte) ([]byte, error) {
	file, err := os.CreateTemp(f.path, keyFile+"-") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	_, err = fmt.Fprintln(file, base64.StdEncoding.EncodeToString(key))
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), f.file(keyFile))
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return key, nil
}

// parseKey reads a key as the key file and SLUICE_SECRET_KEY hold it. Its
// errors never show what was there.
func parseKey(text string) ([]byte, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if key, err := e.DecodeString(text); err == nil && len(key) == keyBytes {
			return key, nil
		}
	}
	return nil, fmt.Errorf("not %d bytes in base64", keyBytes)
}
