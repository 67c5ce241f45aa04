package caddymodule

import (
	"github.com/sallyport-auth/sallyport/internal/assertion"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// useKeys puts a ring in force.
func (e *engine) useKeys(ring *keyring.Ring) error {
	codecs, err := web.NewCodecs(ring)
	if err != nil {
		return err
	}
	assertions, err := assertion.NewKeys(ring.AssertionKeys())
	if err != nil {
		return err
	}
	e.keys.Store(&engineKeys{ring, codecs, assertions})
	return nil
}

// codecs returns those of the present ring; with no ring yet, codecs that
// open nothing.
func (e *engine) codecs() web.Codecs {
	if k := e.keys.Load(); k != nil {
		return k.codecs
	}
	return web.Codecs{}
}

// webKeys gives the pages the present ring.
func (e *engine) webKeys() (*keyring.Ring, web.Codecs) {
	k := e.keys.Load()
	if k == nil {
		return nil, web.Codecs{}
	}
	return k.ring, k.codecs
}

// Seal, Open, ActivePepper, Pepper and MAC are the present ring's.
func (e *engine) Seal(purpose string, associated, plaintext []byte) ([]byte, error) {
	k := e.keys.Load()
	if k == nil {
		return nil, errNotReady
	}
	return k.ring.Seal(purpose, associated, plaintext)
}

// Open opens what Seal sealed.
func (e *engine) Open(purpose string, associated, sealed []byte) ([]byte, error) {
	k := e.keys.Load()
	if k == nil {
		return nil, errNotReady
	}
	return k.ring.Open(purpose, associated, sealed)
}

// ActivePepper is what new hashes are peppered with.
func (e *engine) ActivePepper(purpose string) (uint32, secret.Bytes) {
	k := e.keys.Load()
	if k == nil {
		return 0, secret.Bytes{}
	}
	return k.ring.ActivePepper(purpose)
}

// Pepper is an older one.
func (e *engine) Pepper(purpose string, version uint32) (secret.Bytes, error) {
	k := e.keys.Load()
	if k == nil {
		return secret.Bytes{}, errNotReady
	}
	return k.ring.Pepper(purpose, version)
}

// MAC is the keyed hash by which data is found, and its key's version. Without
// a ring nothing is served that could ask for one.
func (e *engine) MAC(context string, data []byte) (version uint32, sum []byte) {
	k := e.keys.Load()
	if k == nil {
		return 0, nil
	}
	return k.ring.MAC(context, data)
}
