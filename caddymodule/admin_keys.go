package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/keyring"
)

// keyView is one key without its material.
type keyView struct {
	Purpose string    `json:"purpose"`
	Version uint32    `json:"version"`
	State   string    `json:"state"`
	Created time.Time `json:"created"`
}

// keyList is the key ring in force on the node that answered.
type keyList struct {
	Fingerprint string    `json:"fingerprint"`
	File        string    `json:"file"`
	Keys        []keyView `json:"keys"`
}

// keyArguments name a key; Version is absent for a new one.
type keyArguments struct {
	Purpose string `json:"purpose"`
	Version uint32 `json:"version,omitempty"`
	// AllNodes says that every node has this key already.
	AllNodes bool `json:"all_nodes,omitempty"`
}

// changingKeys lets one call at a time read, change and replace the file.
var changingKeys sync.Mutex

func listKeys(o *operation, _ noArguments) (any, error) { return o.showKeys(), nil }

func (o *operation) showKeys() keyList {
	ring := o.engine.keys.Load().ring
	list := keyList{Fingerprint: ring.Fingerprint(), File: o.engine.keyFile}
	for _, v := range ring.Versions() {
		list.Keys = append(list.Keys, keyView{string(v.Purpose), v.Version, string(v.State), v.Created.UTC()})
	}
	return list
}

// addKey makes a key that is accepted and not yet used.
func addKey(o *operation, said keyArguments) (any, error) {
	return o.changeRing(audit.KeyAdded, said, func(r *keyring.Ring) (*keyring.Ring, uint32, error) {
		return r.Add(keyring.Purpose(said.Purpose), o.now)
	})
}

// promoteKey makes an accepted key the one that is used. A node without that
// key would refuse whatever this one makes with it.
func promoteKey(o *operation, said keyArguments) (any, error) {
	if !said.AllNodes && o.app.mayHaveNodes() {
		return nil, refuse(http.StatusConflict, "with Redis and PostgreSQL there may be other nodes: copy the key ring to each, "+
			"run `sallyport keys reload` there, then repeat this with --all-nodes-have-it")
	}
	return o.changeRing(audit.KeyPromoted, said, func(r *keyring.Ring) (*keyring.Ring, uint32, error) {
		next, err := r.Promote(keyring.Purpose(said.Purpose), said.Version)
		return next, said.Version, err
	})
}

// mayHaveNodes reports whether another node can use the same stores: embedded
// ones let one process in.
func (a *App) mayHaveNodes() bool {
	return a.Sessions.Engine != EngineEmbedded && a.Database.Engine == EnginePostgres
}

// retireKey ends a key. What lasts and needs it is counted first.
func retireKey(o *operation, said keyArguments) (any, error) {
	n, err := o.factorsWith(keyring.Purpose(said.Purpose), said.Version)
	if err != nil {
		return nil, err
	}
	if n > 0 {
		return nil, refuse(http.StatusConflict, "%d second factors can only be read with %s key %d", n, said.Purpose, said.Version)
	}
	return o.changeRing(audit.KeyRetired, said, func(r *keyring.Ring) (*keyring.Ring, uint32, error) {
		next, err := r.Retire(keyring.Purpose(said.Purpose), said.Version)
		return next, said.Version, err
	})
}

// factorsWith counts the second factors that need one key.
func (o *operation) factorsWith(p keyring.Purpose, version uint32) (n int, err error) {
	if p != keyring.Seal && p != keyring.Pepper {
		return 0, nil
	}
	all, err := o.engine.durable.ListAccounts(o.ctx)
	if err != nil {
		return 0, err
	}
	for _, a := range all {
		factors, err := o.engine.durable.Factors(o.ctx, a.ID)
		if err != nil {
			return 0, err
		}
		for _, f := range factors {
			sealed, ok := keyring.SealedVersion(f.Sealed)
			if p == keyring.Seal && ok && sealed == version || p == keyring.Pepper && f.Kind == account.KindBackup && f.Pepper == version {
				n++
			}
		}
	}
	return n, nil
}

// reloadKeys puts the file in force that an operator copied here from the node
// where keys were changed.
func reloadKeys(o *operation, _ noArguments) (any, error) {
	return o.changeRing(keysReloaded, keyArguments{}, func(r *keyring.Ring) (*keyring.Ring, uint32, error) { return r, 0, nil })
}

// changeRing changes the key ring's file and puts it in force here.
func (o *operation) changeRing(name audit.Name, said keyArguments, change func(*keyring.Ring) (*keyring.Ring, uint32, error)) (any, error) {
	changingKeys.Lock()
	defer changingKeys.Unlock()
	ring, err := keyring.Load(o.engine.keyFile)
	if err != nil {
		return nil, refuse(http.StatusConflict, "%s", err)
	}
	if ring.Fingerprint() != o.engine.keys.Load().ring.Fingerprint() {
		return nil, refuse(http.StatusConflict, "the file %s holds another key ring than the running one", o.engine.keyFile)
	}
	next, version, err := change(ring)
	if errors.Is(err, keyring.ErrUnknownKey) || errors.Is(err, keyring.ErrActiveKey) {
		return nil, refuse(http.StatusConflict, "%s", err)
	}
	if err != nil {
		return nil, refuseValue("%s", err)
	}
	if next != ring {
		if err := next.Save(o.engine.keyFile); err != nil {
			return nil, refuse(http.StatusConflict, "%s", err)
		}
	}
	if err := o.engine.useKeys(next); err != nil {
		return nil, err
	}
	// Remembered sessions may stand on a cookie that no key opens any more.
	o.engine.cache.Reset()
	e := o.event(name, account.Account{})
	if version > 0 {
		e.Subject = fmt.Sprintf("%s key %d", said.Purpose, version)
	}
	o.engine.Record(o.ctx, e)
	return o.showKeys(), nil
}
