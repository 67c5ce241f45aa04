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
	var empty bool
	err = within(ctx, func(ctx context.Context) (err error) { empty, err = e.durable.Empty(ctx); return err })
	if err != nil {
		return nil, err
	}
	if !empty {
		return nil, fmt.Errorf("%s: %w", e.keyFile, errNoKeys)
	}
	ring, err = e.makeKeys(time.Now())
	if errors.Is(err, fs.ErrExist) { // another process was faster
		return keyring.Load(e.keyFile)
	}
	if err != nil {
		return nil, fmt.Errorf("make key ring %s: %w", e.keyFile, err)
	}
	e.log.Info("made a key ring; keep a backup of it apart from the database", "file", e.keyFile)
	return ring, nil
}

// makeKeys makes the ring's file, with keys for SAML if they are known to be
// needed: whoever copies the ring to other nodes then copies them too.
func (e *engine) makeKeys(now time.Time) (*keyring.Ring, error) {
	ring, err := keyring.New(now)
	if err != nil {
		return nil, err
	}
	if e.samlOnly.Load() != nil {
		if ring, err = ring.WithSAML(now); err != nil {
			return nil, err
		}
	}
	return ring, ring.SaveNew(e.keyFile)
}

// reread reads the file of the ring in force. changingKeys is held.
func (e *engine) reread() (*keyring.Ring, error) {
	ring, err := keyring.Load(e.keyFile)
	if err != nil {
		return nil, err
	}
	if ring.Fingerprint() != e.keys.Load().ring.Fingerprint() {
		return nil, fmt.Errorf("the file %s holds another key ring than the running one", e.keyFile)
	}
	return ring, nil
}

// errKeyFile: the file cannot be replaced; the ring in force stays.
var errKeyFile = errors.New("the key ring's file cannot be changed")

// keepRing writes the file if it is to change, and puts the ring in force.
// changingKeys is held.
func (e *engine) keepRing(ctx context.Context, was, next *keyring.Ring) error {
	// Compared before the file is changed, remembered after: a file that could
	// not be written must not be taken for an older copy.
	if err := e.durable.CheckMarks(ctx, next.Marks()); err != nil {
		return err
	}
	if next != was {
		if err := next.Save(e.keyFile); err != nil {
			return fmt.Errorf("%w: %w", errKeyFile, err)
		}
	}
	if err := e.durable.KeepMarks(ctx, next.Marks()); err != nil {
		return err
	}
	if err := e.useKeys(next); err != nil {
		return err
	}
	// Remembered sessions may stand on a cookie that no key opens any more.
	e.cache.Reset()
	return nil
}
