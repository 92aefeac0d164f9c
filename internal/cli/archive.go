package cli

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// archiveFormat is the number of the form below. A later form that this
// program cannot read has a higher one.
const archiveFormat = 1

// manifestFile is the first member of an archive and says what the others are.
const manifestFile = "manifest.json"

// manifest describes a backup. Its sums find damage; they are no seal: whoever
// can write the archive can write the permissions in it.
type manifest struct {
	Format         int       `json:"format"`
	Sluice         string    `json:"sluice"` // the version that made it
	Schema         int64     `json:"schema"`
	MadeAt         time.Time `json:"made_at"`
	KeyFingerprint string    `json:"key_fingerprint"`
	Members        []member  `json:"members"` // in the order of the archive
}

// member is one file of a backup, named as in the data folder.
type member struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// largest is how large a member may be, so that no archive fills a disk with
// what cannot be meant; 0 for what is no member.
func largest(name string) int64 {
	switch name {
	case databaseFile, sampleFile:
		return 64 << 30
	case keyFile:
		return 1 << 10
	}
	return 0
}

func (m manifest) has(name string) bool {
	return slices.ContainsFunc(m.Members, func(f member) bool { return f.Name == name })
}

// pack writes the named files of a folder, and before them the manifest that it
// completes with their sizes and sums.
func (m manifest) pack(ctx context.Context, w io.Writer, dir string, names ...string) error {
	m.Format = archiveFormat
	for _, name := range names {
		size, sum, err := digest(ctx, filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if size > largest(name) {
			return fmt.Errorf("%s has %d bytes, more than the %d that a backup can hold", name, size, largest(name))
		}
		m.Members = append(m.Members, member{name, size, sum})
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	add := func(name string, size int64, r io.Reader) error {
		if err := archive.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: m.MadeAt, Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err := io.Copy(archive, reader{ctx, r})
		return err
	}
	if err := add(manifestFile, int64(len(text)), bytes.NewReader(text)); err != nil {
		return err
	}
	for _, f := range m.Members {
		file, err := os.Open(filepath.Join(dir, f.Name))
		if err != nil {
			return err
		}
		if err := errors.Join(add(f.Name, f.Size, file), file.Close()); err != nil {
			return err
		}
	}
	return archive.Close()
}

// unpack writes the members of an archive, compressed or not, into a folder
// when they are what its manifest says. What it leaves there on an error is for
// the caller to remove. A member is only ever written under a name of the data
// folder; an archive cannot choose another.
func unpack(ctx context.Context, r io.Reader, dir string) (manifest, error) {
	buffered := bufio.NewReader(reader{ctx, r})
	var plain io.Reader = buffered
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		if plain, err = gzip.NewReader(buffered); err != nil {
			return manifest{}, damaged(ctx, err)
		}
	}
	archive := tar.NewReader(plain)
	m, err := readManifest(ctx, archive)
	if err != nil {
		return manifest{}, err
	}
	for _, f := range m.Members {
		head, err := archive.Next()
		if err != nil {
			return manifest{}, damaged(ctx, err)
		}
		if head.Name != f.Name || head.Typeflag != tar.TypeReg || head.Size != f.Size {
			return manifest{}, fmt.Errorf("it holds %.100q where its manifest says %s; no backup of Sluice does", head.Name, f.Name)
		}
		if err := f.extract(ctx, archive, dir); err != nil {
			return manifest{}, err
		}
	}
	if head, err := archive.Next(); err == nil {
		return manifest{}, fmt.Errorf("it holds %.100q, which its manifest does not name; no backup of Sluice does", head.Name)
	} else if !errors.Is(err, io.EOF) {
		return manifest{}, damaged(ctx, err)
	}
	// Compression has its own sum, after the last byte.
	if _, err := io.Copy(io.Discard, io.LimitReader(plain, 1<<20)); err != nil {
		return manifest{}, damaged(ctx, err)
	}
	return m, nil
}

func readManifest(ctx context.Context, archive *tar.Reader) (m manifest, err error) {
	head, err := archive.Next()
	if err != nil {
		return m, damaged(ctx, err)
	}
	if head.Name != manifestFile || head.Typeflag != tar.TypeReg || head.Size > 64<<10 {
		return m, fmt.Errorf("it begins with %.100q and not with %s: it is no backup of Sluice", head.Name, manifestFile)
	}
	text, err := io.ReadAll(archive)
	if err != nil {
		return m, damaged(ctx, err)
	}
	// The format before all else: what a newer one holds cannot be known.
	if err := json.Unmarshal(text, &struct {
		Format *int    `json:"format"`
		Sluice *string `json:"sluice"`
	}{&m.Format, &m.Sluice}); err != nil || m.Format < 1 {
		return m, fmt.Errorf("its %s cannot be read; the backup is damaged", manifestFile)
	}
	if m.Format > archiveFormat {
		return m, fmt.Errorf("it was made by a newer Sluice (%.100q): its format is number %d and this Sluice knows number %d; restore it with the newer one",
			m.Sluice, m.Format, archiveFormat)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("its %s cannot be read; the backup is damaged", manifestFile)
	}
	seen := map[string]bool{}
	for _, f := range m.Members {
		if largest(f.Name) == 0 || seen[f.Name] {
			return m, fmt.Errorf("it is to hold %.100q, which no backup of Sluice does", f.Name)
		}
		if f.Size < 1 || f.Size > largest(f.Name) {
			return m, fmt.Errorf("its %s is to have %d bytes; at least 1 and at most %d are possible", f.Name, f.Size, largest(f.Name))
		}
		seen[f.Name] = true
	}
	if !seen[databaseFile] {
		return m, fmt.Errorf("it holds no %s; the backup is damaged", databaseFile)
	}
	return m, nil
}

func (f member) extract(ctx context.Context, r io.Reader, dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, f.Name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(file, io.TeeReader(r, sum)); err != nil {
		var written *os.PathError // the disk's fault, not the archive's
		if errors.As(err, &written) && written.Path == file.Name() {
			return err
		}
		return damaged(ctx, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != strings.ToLower(f.SHA256) {
		return fmt.Errorf("%s is not what was backed up: its SHA-256 is not the one in the manifest; the backup was damaged or altered", f.Name)
	}
	return file.Sync()
}

// damaged says what a reader's error means for the person who restores.
func damaged(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends too early: the backup was cut off")
	}
	return fmt.Errorf("it cannot be read (%w): it is damaged, or no backup of Sluice", err)
}

// digest returns the size and the SHA-256 of a file.
func digest(ctx context.Context, path string) (int64, string, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer file.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, reader{ctx, file})
	return n, hex.EncodeToString(sum.Sum(nil)), err
}

// reader ends with its context, so that a signal ends the copying of a large
// file.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(b)
}
