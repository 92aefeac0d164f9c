package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-bi/sluice/internal/store"
)

func (p Program) restoreCommand() *cobra.Command {
	var o copying
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a data folder from a backup",
		Long: `Make a data folder from a file that "sluice backup" wrote. The folder must be
empty or not there yet; no server may have it. Run it as the user that runs the
server.

The backup is checked first: that it is whole, that this Sluice can read it,
that the key fits, and that the permissions in it are whole. Only then does the
folder appear, all of it at once; a restore that fails or is interrupted leaves
what was there.

The key comes from the backup when it was made with --with-key, else from the
file named with --key, else from SLUICE_SECRET_KEY, where the server will then
look for it too.

Everything is as it was when the backup was made, and what happened since is
undone: people who were deactivated, keys that were withdrawn and permissions
that were revoked after that are in force again. Look at them before the server
is reachable. Sessions are ended; everybody signs in again.`,
		Example: `  # with the key that was kept in another place
  sluice restore --data /var/lib/sluice --key /somewhere/else/sluice-key backup.tar.gz

  # a backup made with --with-key
  sluice restore --data /var/lib/sluice move.tar

  # to look at a backup beside the running server
  sluice restore --data /tmp/look --key /var/lib/sluice/key backup.tar.gz
  sluice serve --data /tmp/look --addr 127.0.0.1:3001`,
		Args: oneFile("name one file that the backup is in: sluice restore /backups/sluice.tar.gz"),
	}
	o.flags(c)
	c.Flags().StringVar(&o.keyFile, "key", "", "file that holds the key, when it is not in the backup")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := o.complete(c, p.Env); err != nil {
			return err
		}
		return p.restore(c.Context(), o, args[0])
	}
	return c
}

// restore makes the folder beside its place and moves it there when it is
// whole.
func (p Program) restore(ctx context.Context, o copying, file string) error {
	if real, err := filepath.EvalSymlinks(o.data); err == nil {
		o.data = real
	}
	if err := mayBecome(o.data); err != nil {
		return err
	}
	archive, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("the backup cannot be read: %w", err)
	}
	defer archive.Close()
	parent := filepath.Dir(o.data)
	path, err := os.MkdirTemp(parent, "."+filepath.Base(o.data)+".restore-") // mode 0700
	if err != nil {
		return fmt.Errorf("the data folder cannot be made: %w", err)
	}
	defer os.RemoveAll(path) // nothing is there any more once it was moved
	stage := &folder{path: path}
	m, err := unpack(ctx, archive, path)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := m.readable(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	key, err := p.restoredKey(stage, m, o, file)
	if err != nil {
		return err
	}
	sessions, err := stage.proveRestored(ctx, m, key, slog.New(slog.NewTextHandler(p.Stderr, nil)))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := syncFolder(path); err != nil {
		return fmt.Errorf("the data folder cannot be written: %w", err)
	}
	// The kernel's rename replaces an empty folder and nothing else.
	if err := syscall.Rename(path, o.data); err != nil {
		return notMoved(o.data, err)
	}
	if err := syncFolder(parent); err != nil {
		return fmt.Errorf("the data folder is in its place, but may not be on the disk yet: %w", err)
	}
	fmt.Fprintf(p.Stdout, "Restored %s as it was on %s; ended %d sessions. What was revoked or deactivated after that is in force again: look at it before others reach the server.\n",
		o.data, m.MadeAt.Format(time.RFC3339), sessions)
	if _, err := os.Stat(filepath.Join(o.data, keyFile)); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(p.Stdout, "The key is not in the folder: start the server with SLUICE_SECRET_KEY as it is set now.")
	}
	return nil
}

// mayBecome refuses a place that a restored folder cannot be moved to.
func mayBecome(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder; give the name of one that is empty or not there yet with --data", path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if len(entries) > 0 {
		if held(filepath.Join(path, lockFile)) {
			return fmt.Errorf("a server is running on the data folder %s; stop it and move the folder away, or restore to another with --data", path)
		}
		return fmt.Errorf("the data folder %s is not empty, and what is in it would be lost; move it away, or restore to another with --data", path)
	}
	beside, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	here, ok := info.Sys().(*syscall.Stat_t)
	there, too := beside.Sys().(*syscall.Stat_t)
	if ok && too && here.Dev != there.Dev {
		return notMoved(path, syscall.EXDEV)
	}
	return nil
}

// held tells whether a server has the lock.
func held(lock string) bool {
	f, err := os.Open(lock)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

func notMoved(path string, err error) error {
	switch {
	case errors.Is(err, syscall.EXDEV), errors.Is(err, syscall.EBUSY):
		return fmt.Errorf("the data folder %s is where a disk is mounted, and cannot be put in place at once; give a folder in it: --data %s",
			path, filepath.Join(path, "sluice"))
	case errors.Is(err, syscall.ENOTEMPTY), errors.Is(err, syscall.EEXIST):
		return fmt.Errorf("somebody has put something into the data folder %s meanwhile; it was left as it is", path)
	}
	return fmt.Errorf("the data folder %s cannot be put in its place: %w", path, err)
}

// readable refuses the application database of a newer Sluice.
func (m manifest) readable() error {
	newest, err := store.Schema()
	if err == nil && m.Schema > newest {
		err = fmt.Errorf("it was made by a newer Sluice (%.100q): its schema is number %d and this Sluice knows number %d; restore it with the newer one",
			m.Sluice, m.Schema, newest)
	}
	return err
}

// restoredKey returns the key of a backup that was unpacked. Of the keys that
// are there each must fit: a wrong one would stop the server later. A key that
// came from a file is in the folder afterwards.
func (p Program) restoredKey(stage *folder, m manifest, o copying, file string) (key []byte, err error) {
	if o.secretKey != "" {
		if key, err = parseKey(o.secretKey); err != nil {
			return nil, fmt.Errorf("SLUICE_SECRET_KEY is %w", err)
		}
		if err := fits(key, m.KeyFingerprint, "SLUICE_SECRET_KEY"); err != nil {
			return nil, err
		}
	}
	if m.has(keyFile) {
		if key, err = stage.keptKey(); err != nil {
			return nil, fmt.Errorf("%s: the key in it is not %d bytes in base64", file, keyBytes)
		}
		if err := fits(key, m.KeyFingerprint, "the key in "+file); err != nil {
			return nil, err
		}
	}
	if o.keyFile != "" {
		text, err := os.ReadFile(o.keyFile)
		if err != nil {
			return nil, fmt.Errorf("key file: %w", err)
		}
		if key, err = parseKey(string(text)); err != nil {
			return nil, fmt.Errorf("the key file %s is %w", o.keyFile, err)
		}
		if err := fits(key, m.KeyFingerprint, "the key in "+o.keyFile); err != nil {
			return nil, err
		}
		if !m.has(keyFile) {
			return stage.writeKey(key)
		}
	}
	if key == nil {
		return nil, fmt.Errorf("the key is not in %s; give the file that holds it with --key, or set SLUICE_SECRET_KEY. "+
			"Without the key that the server had (the file %s in its data folder) the backup cannot be used", file, keyFile)
	}
	return key, nil
}

// proveRestored opens the application database once, as the server will: its
// permissions are whole, its schema is this program's. Sessions end with it.
func (f *folder) proveRestored(ctx context.Context, m manifest, key []byte, log *slog.Logger) (sessions int64, err error) {
	c := store.Config{Path: f.file(databaseFile), Key: key, Logger: log}
	about, err := store.Inspect(ctx, c)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", databaseFile, err)
	}
	if about.Schema != m.Schema || about.KeyFingerprint != m.KeyFingerprint {
		return 0, fmt.Errorf("its %s does not speak of the application database that is in it; the backup was altered", manifestFile)
	}
	st, err := store.Open(ctx, c)
	if err != nil {
		return 0, err
	}
	sessions, err = st.Restored(ctx, store.Actor{Reason: "restored from the backup of " + m.MadeAt.Format(time.RFC3339)})
	return sessions, errors.Join(err, st.Close())
}
