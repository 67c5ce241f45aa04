package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/sallyport-auth/sallyport/internal/keyring"
)

// errNoKeys: accounts exist whose secrets a key ring seals, and the ring is
// not there.
var errNoKeys = errors.New("the key ring is missing, and the database is not empty: without its own key ring the database cannot be read; restore the file from a backup")

// loadKeys reads the key ring. It is made only for a database without
// accounts: a new ring for an old database would lock everybody out.
func (e *engine) loadKeys(ctx context.Context) (*keyring.Ring, error) {
	ring, err := keyring.Load(e.keyFile)
	if err == nil {
		return ring, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("key ring %s: %w", e.keyFile, err)
	}
	empty, err := e.durable.Empty(ctx)
	if err != nil {
		return nil, err
	}
	if !empty {
		return nil, fmt.Errorf("%s: %w", e.keyFile, errNoKeys)
	}
	ring, err = keyring.Create(e.keyFile, time.Now())
	if errors.Is(err, fs.ErrExist) { // another process was faster
		return keyring.Load(e.keyFile)
	}
	if err != nil {
		return nil, fmt.Errorf("make key ring %s: %w", e.keyFile, err)
	}
	e.log.Info("made a key ring; keep a backup of it apart from the database", "file", e.keyFile)
	return ring, nil
}
