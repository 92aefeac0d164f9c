package cli

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// copying is what `sluice backup` and `sluice restore` were told.
type copying struct {
	data        string
	databaseURL string
	secretKey   string
	force       bool   // backup
	withKey     bool   // backup
	keyFile     string // restore
}

// complete takes from the environment what no flag said. It refuses an
// application database that is not in the data folder.
func (o *copying) complete(c *cobra.Command, env func(string) string) error {
	if value := env("SLUICE_DATA"); value != "" && !c.Flags().Changed("data") {
		o.data = value
	}
	if o.data == "" {
		return errors.New("the data folder has no name: give one with --data")
	}
	if o.databaseURL != "" || env("SLUICE_DATABASE_URL") != "" {
		return errors.New("the application database is in PostgreSQL, which has tools of its own for this: pg_dump and pg_restore. " +
			"Keep SLUICE_SECRET_KEY apart from the dump. For a data folder, leave out --database-url and SLUICE_DATABASE_URL")
	}
	o.secretKey = env("SLUICE_SECRET_KEY")
	var err error
	o.data, err = filepath.Abs(o.data)
	return err
}

func (o *copying) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.data, "data", "data", "data folder (SLUICE_DATA)")
	c.Flags().StringVar(&o.databaseURL, "database-url", "", "refused: PostgreSQL has tools of its own, pg_dump and pg_restore (SLUICE_DATABASE_URL)")
}

// oneFile demands one argument, with a sentence that says which.
func oneFile(otherwise string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return errors.New(otherwise)
		}
		return nil
	}
}

func (p Program) backupCommand() *cobra.Command {
	var o copying
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the data folder into one file, also while the server runs",
		Long: `Copy the data folder into one file, from which "sluice restore" makes it anew.

The server may run and be written to: the copy is one state of the application
database, with everything that had been acknowledged when the copy began. The
file is an archive in the tar format; when its name ends in .gz or .tgz it is
compressed. It is its owner's alone (mode 0600), for it holds people, password
hashes and permissions. It appears under its name when it is whole.

Without further ado the key is not in it. Keep the key apart, and once: it
never changes. The sample warehouse is left out as long as it is as Sluice made
it. Other databases that are connected are not in the backup.`,
		Example: `  # every night
  sluice backup --data /var/lib/sluice "/backups/sluice-$(date +%F).tar.gz"

  # the key, once, in another place
  cp /var/lib/sluice/key /somewhere/else/sluice-key

  # everything in one file, to be kept as safe as a password
  sluice backup --data /var/lib/sluice --with-key move.tar`,
		Args: oneFile("name one file that the backup is written to: sluice backup /backups/sluice.tar.gz"),
	}
	o.flags(c)
	c.Flags().BoolVar(&o.force, "force", false, "replace FILE when it is there")
	c.Flags().BoolVar(&o.withKey, "with-key", false, "put the key in as well; whoever has the file can then read the connection details")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := o.complete(c, p.Env); err != nil {
			return err
		}
		return p.backup(c.Context(), o, args[0])
	}
	return c
}

// backup writes the archive. What it makes on the way is in a folder beside
// the file, on the same disk and closed to others, and goes with it.
func (p Program) backup(ctx context.Context, o copying, file string) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	if err := mayWrite(file, o.force); err != nil {
		return err
	}
	from := &folder{path: o.data}
	if info, err := os.Stat(from.file(databaseFile)); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("there is no application database in %s (no file %s); name the server's data folder with --data", o.data, databaseFile)
	}
	stage, err := os.MkdirTemp(filepath.Dir(file), "."+filepath.Base(file)+".tmp-") // mode 0700
	if err != nil {
		return fmt.Errorf("the backup cannot be written: %w", err)
	}
	defer os.RemoveAll(stage)

	m := manifest{Sluice: p.Version, MadeAt: time.Now().UTC().Truncate(time.Second)}
	names := []string{databaseFile}
	log := slog.New(slog.NewTextHandler(p.Stderr, nil))
	about, err := store.Copy(ctx, store.Config{Path: from.file(databaseFile), Logger: log}, filepath.Join(stage, databaseFile))
	if err != nil {
		return err
	}
	m.Schema, m.KeyFingerprint = about.Schema, about.KeyFingerprint
	if own, err := from.stageSample(ctx, stage); err != nil {
		return err
	} else if own {
		names = append(names, sampleFile)
	}
	if o.withKey {
		if err := from.stageKey(o.secretKey, about.KeyFingerprint, stage); err != nil {
			return err
		}
		names = append(names, keyFile)
	}
	whole := filepath.Join(stage, "archive")
	if err := writeArchive(ctx, whole, compressed(file), func(w io.Writer) error { return m.pack(ctx, w, stage, names...) }); err != nil {
		return fmt.Errorf("the backup cannot be written: %w", err)
	}
	if err := mayWrite(file, o.force); err != nil { // somebody may have been faster
		return err
	}
	if err := errors.Join(os.Rename(whole, file), syncFolder(filepath.Dir(file))); err != nil {
		return fmt.Errorf("the backup cannot be put in its place: %w", err)
	}
	if o.withKey {
		fmt.Fprintf(p.Stderr, "warning: the key is in %s; whoever has the file can read the connection details of all databases\n", file)
		fmt.Fprintf(p.Stdout, "Backed up %s to %s, with its key.\n", o.data, file)
		return nil
	}
	fmt.Fprintf(p.Stdout, "Backed up %s to %s. The key is not in it: keep a copy of it (%s, or SLUICE_SECRET_KEY) in another place.\n",
		o.data, file, from.file(keyFile))
	return nil
}

// mayWrite refuses to replace what nobody said may be replaced.
func mayWrite(file string, force bool) error {
	info, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("the backup cannot be written: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is there and is not a file; give another name", file)
	case !force:
		return fmt.Errorf("%s is there already; give another name, or --force to replace it", file)
	}
	return nil
}

func compressed(file string) bool {
	return strings.HasSuffix(file, ".gz") || strings.HasSuffix(file, ".tgz")
}

// writeArchive makes a file of what f writes, and has it on the disk when it
// returns.
func writeArchive(ctx context.Context, path string, compress bool, f func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if !compress {
		err = f(file)
	} else {
		w := gzip.NewWriter(file)
		if err = f(w); err == nil {
			err = w.Close()
		}
	}
	if err != nil {
		return err
	}
	return errors.Join(context.Cause(ctx), file.Sync(), file.Close())
}

// stageSample copies the sample warehouse into a folder, unless it is as every
// server makes it: then it need not be kept.
func (f *folder) stageSample(ctx context.Context, stage string) (own bool, err error) {
	_, is, err := digest(ctx, f.file(sampleFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("sample warehouse: %w", err)
	}
	for _, pending := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(f.file(sampleFile + pending)); err == nil && info.Size() > 0 {
			return false, fmt.Errorf("somebody is writing to the sample warehouse (there is a %s); try again when they have finished", f.file(sampleFile+pending))
		}
	}
	made := filepath.Join(stage, sampleFile)
	if err := warehouse.WriteSample(made); err != nil {
		return false, err
	}
	_, fresh, err := digest(ctx, made)
	if err != nil || is == fresh {
		return false, err
	}
	from, err := os.Open(f.file(sampleFile))
	if err != nil {
		return false, fmt.Errorf("sample warehouse: %w", err)
	}
	defer from.Close()
	to, err := os.Create(made)
	if err != nil {
		return false, err
	}
	_, err = io.Copy(to, reader{ctx, from})
	return true, errors.Join(err, to.Close())
}

// stageKey writes the key into a folder, when it is the one of the database.
func (f *folder) stageKey(given, fingerprint, stage string) error {
	key, err := f.key(given, false)
	if err != nil {
		return err
	}
	if err := fits(key, fingerprint, "the key of "+f.path); err != nil {
		return err
	}
	_, err = (&folder{path: stage}).writeKey(key)
	return err
}

// fits refuses a key that is not the one of a fingerprint.
func fits(key []byte, fingerprint, name string) error {
	if is, err := store.Fingerprint(key); err != nil || is != fingerprint {
		return errors.Join(err, fmt.Errorf("%s is not the one that the application database was made with; connection details could not be read with it", name))
	}
	return nil
}

// syncFolder has the names in a folder on the disk when it returns.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
