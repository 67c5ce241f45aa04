package keyring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// fileFormat is the number of the file's layout.
const fileFormat = 1

// maxFileBytes bounds what Load reads: some thousand keys, or two hundred of SAML.
const maxFileBytes = 1 << 20

// ErrPermissions: the file or its folder is open to others than its owner.
var ErrPermissions = errors.New("key ring is open to others")

// ringFile is the file's layout. Byte strings are base64 in JSON.
type ringFile struct {
	Format int       `json:"format"`
	ID     []byte    `json:"id"`
	Keys   []keyFile `json:"keys"`
}

type keyFile struct {
	Purpose Purpose   `json:"purpose"`
	Version uint32    `json:"version"`
	State   State     `json:"state"`
	Created time.Time `json:"created"`
	Key     []byte    `json:"key"`
}

// New makes a ring with one active key of each purpose but those for SAML, which
// WithSAML adds, without a file.
func New(now time.Time) (*Ring, error) {
	ring := newRing(secret.NewKey(KeyBytes), nil)
	for _, p := range Purposes() {
		if p.optional() {
			continue
		}
		k, err := newKey(p, 1, Active, now)
		if err != nil {
			return nil, err
		}
		ring.keys = append(ring.keys, k)
	}
	ring.keys = sorted(ring.keys)
	return ring, nil
}

// Create makes a new ring, as New does, in a new file, as SaveNew does.
func Create(path string, now time.Time) (*Ring, error) {
	ring, err := New(now)
	if err != nil {
		return nil, err
	}
	if err := ring.SaveNew(path); err != nil {
		return nil, err
	}
	return ring, nil
}

// SaveNew writes a ring to a new file of mode 0600. A missing folder is made
// with mode 0700; one that others may write to is refused with ErrPermissions.
// An existing file is never touched: the error then wraps fs.ErrExist.
func (r *Ring) SaveNew(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("create key ring folder: %w", err)
	}
	if err := checkFolder(filepath.Dir(path)); err != nil { // as Load would at the next start
		return fmt.Errorf("create key ring: %w", err)
	}
	temporary, err := r.write(path)
	if err != nil {
		return fmt.Errorf("create key ring: %w", err)
	}
	defer os.Remove(temporary)
	// A hard link fails when the name exists, where a rename would replace the
	// keys of a running installation; and the name never holds half a file.
	if err := os.Link(temporary, path); err != nil {
		return fmt.Errorf("create key ring: %w", err)
	}
	if err := syncFolder(path); err != nil {
		return fmt.Errorf("create key ring: %w", err)
	}
	return nil
}

// Load reads and checks a ring. A file that its group or others may read or
// write is refused with ErrPermissions, as is one in a folder that they may
// write to; a missing file gives fs.ErrNotExist.
func Load(path string) (*Ring, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load key ring: %w", err)
	}
	defer file.Close()
	// The mode of the opened file, not of the path: the path may be swapped.
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("load key ring: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("load key ring: %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("load key ring: %w: %s has mode %04o, it must be 0600 (chmod 600)", ErrPermissions, path, mode)
	}
	if err := checkFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("load key ring: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("load key ring: %w", err)
	}
	ring, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("load key ring %s: %w", path, err)
	}
	return ring, nil
}

// Save replaces the file atomically: a reader sees the old ring or the new one.
func (r *Ring) Save(path string) error {
	temporary, err := r.write(path)
	if err != nil {
		return fmt.Errorf("save key ring: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		_ = os.Remove(temporary)
		return fmt.Errorf("save key ring: %w", err)
	}
	if err := syncFolder(path); err != nil {
		return fmt.Errorf("save key ring: %w", err)
	}
	return nil
}

// Parse reads the content of a key ring file. Its errors hold no key material.
func Parse(data []byte) (*Ring, error) {
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("larger than %d bytes", maxFileBytes)
	}
	var content ringFile
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&content); err != nil {
		// The decoder's own text may quote the file, which is all secrets.
		return nil, errors.New("not a key ring: the JSON cannot be read")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not a key ring: something follows the JSON object")
	}
	if content.Format != fileFormat {
		return nil, fmt.Errorf("format %d is not known, only %d is", content.Format, fileFormat)
	}
	ring := newRing(secret.NewBytes(content.ID), nil)
	for _, k := range content.Keys {
		ring.keys = append(ring.keys, key{
			Version:  Version{Purpose: k.Purpose, Version: k.Version, State: k.State, Created: k.Created},
			material: secret.NewBytes(k.Key),
		})
	}
	ring.keys = sorted(ring.keys)
	return ring, ring.check()
}

// write makes a synced temporary file beside path and returns its name.
func (r *Ring) write(path string) (name string, err error) {
	content := ringFile{Format: fileFormat, ID: r.id.Reveal()}
	for _, k := range r.keys {
		content.Keys = append(content.Keys, keyFile{
			Purpose: k.Purpose, Version: k.Version.Version, State: k.State,
			Created: k.Created, Key: k.material.Reveal(),
		})
	}
	data, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return "", err
	}
	if data = append(data, '\n'); len(data) > maxFileBytes { // nobody could load it
		return "", fmt.Errorf("it would be larger than %d bytes", maxFileBytes)
	}
	// CreateTemp opens with O_EXCL and mode 0600.
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	return file.Name(), errors.Join(err, file.Close())
}

// checkFolder refuses a folder in which others could put a ring of their own.
// A sticky folder lets only the owner replace a file.
func checkFolder(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("%w: folder %s has mode %04o, it should be 0700 (chmod 700)", ErrPermissions, path, info.Mode().Perm())
	}
	return nil
}

// syncFolder makes a new name survive a power failure.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
