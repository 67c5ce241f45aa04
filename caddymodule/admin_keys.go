package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// keyView is one key without its material.
type keyView struct {
	Purpose string    `json:"purpose"`
	Version uint32    `json:"version"`
	State   string    `json:"state"`
	Created time.Time `json:"created"`
	// Nodes is how many nodes can check values with it.
	Nodes int `json:"nodes"`
}

// keyList is the key ring in force on the node that answered.
type keyList struct {
	Fingerprint string    `json:"fingerprint"`
	File        string    `json:"file"`
	Nodes       int       `json:"nodes"` // that are live
	Keys        []keyView `json:"keys"`
}

// keyArguments name a key; Version is absent for a new one.
type keyArguments struct {
	Purpose string `json:"purpose"`
	Version uint32 `json:"version,omitempty"`
}

// changingKeys lets one call at a time read, change and replace the file.
var changingKeys sync.Mutex

func listKeys(o *operation, _ noArguments) (any, error) { return o.showKeys(), nil }

func (o *operation) showKeys() keyList {
	ring := o.engine.keys.Load().ring
	nodes, err := o.engine.nodes.live(o.ctx)
	if err != nil {
		o.app.log.Warn("the nodes cannot be asked for their keys", "error", err.Error())
		o.warn("the other nodes could not be asked for their keys; they are told of this node's as soon as their store answers")
	}
	if names := foreignTo(ring.Fingerprint(), nodes); len(names) > 0 {
		o.warn(fmt.Sprintf(foreignNodes, strings.Join(names, ", ")))
	}
	list := keyList{Fingerprint: ring.Fingerprint(), File: o.engine.keyFile, Nodes: len(nodes)}
	for _, v := range ring.Versions() {
		k := keyView{string(v.Purpose), v.Version, string(v.State), v.Created.UTC(), 0}
		for _, n := range nodes {
			if slices.Contains(n.Keys, keyName(v.Purpose, v.Version)) {
				k.Nodes++
			}
		}
		list.Keys = append(list.Keys, k)
	}
	return list
}

// addKey makes a key that is accepted and not yet used, or the first of its
// purpose.
func addKey(o *operation, said keyArguments) (any, error) {
	return o.changeRing(audit.KeyAdded, said, func(r *keyring.Ring) (*keyring.Ring, uint32, error) {
		return r.Add(keyring.Purpose(said.Purpose), o.now)
	})
}

// promoteKey makes an accepted key the one that is used. A node without that
// key would refuse whatever this one makes with it.
func promoteKey(o *operation, said keyArguments) (any, error) {
	return o.changeRing(audit.KeyPromoted, said, func(r *keyring.Ring) (*keyring.Ring, uint32, error) {
		o.warnOfUnknown(r, said)
		next, err := r.Promote(keyring.Purpose(said.Purpose), said.Version)
		if err == nil {
			err = o.everyNodeHas(said)
		}
		return next, said.Version, err
	})
}

// warnOfUnknown tells of a key that signs assertions sooner than an app that
// keeps the key set for as long as it may has seen it. It is no refusal: after
// a theft nobody should have to wait.
func (o *operation) warnOfUnknown(r *keyring.Ring, said keyArguments) {
	for _, v := range r.Versions() {
		if v.Purpose == keyring.Assertion && said.Purpose == string(v.Purpose) && v.Version == said.Version &&
			v.State == keyring.Accepted && o.now.Sub(v.Created) < keySetAge {
			o.warn(fmt.Sprintf("%s key %d is less than five minutes old: until %s, apps that have not fetched the keys again may refuse what it signs",
				v.Purpose, v.Version, v.Created.Add(keySetAge).UTC().Format(time.TimeOnly+" MST")))
		}
	}
}

// foreignNodes tells of another installation, on a terminal.
const foreignNodes = "nodes with another key ring use the same store: %s; give each installation a prefix or a Redis of its own"

// everyNodeHas refuses while some live node lacks a key. It asks the store
// anew: a node may have started a moment ago.
func (o *operation) everyNodeHas(said keyArguments) error {
	nodes, err := o.engine.nodes.live(o.ctx)
	if err != nil {
		return err
	}
	if names := foreignTo(o.engine.keys.Load().ring.Fingerprint(), nodes); len(names) > 0 {
		return refuse(http.StatusConflict, foreignNodes, strings.Join(names, ", "))
	}
	if names := lacking(keyName(keyring.Purpose(said.Purpose), said.Version), nodes); len(names) > 0 {
		return refuse(http.StatusConflict, "%s key %d is not in force on %s: copy the key ring there and run `sallyport keys reload`; "+
			"a node that was ended counts for a minute more", said.Purpose, said.Version, strings.Join(names, ", "))
	}
	return nil
}

// retireKey ends a key. What lasts and needs it is counted first.
func retireKey(o *operation, said keyArguments) (any, error) {
	n, err := o.needing(keyring.Purpose(said.Purpose), said.Version)
	if err != nil {
		return nil, err
	}
	if n > 0 {
		return nil, refuse(http.StatusConflict, "%d second factors and API keys can only be read or found with %s key %d", n, said.Purpose, said.Version)
	}
	return o.changeRing(audit.KeyRetired, said, func(r *keyring.Ring) (*keyring.Ring, uint32, error) {
		next, err := r.Retire(keyring.Purpose(said.Purpose), said.Version)
		return next, said.Version, err
	})
}

// needing counts the second factors and API keys that need one key.
func (o *operation) needing(p keyring.Purpose, version uint32) (n int, err error) {
	if p != keyring.Seal && p != keyring.Pepper && p != keyring.Lookup {
		return 0, nil
	}
	err = o.eachPage(func(page []account.Account) error {
		of, err := o.neededBy(idsOf(page), p, version)
		n += of
		return err
	})
	return n, err
}

// neededBy is needing for a page of accounts.
func (o *operation) neededBy(ids []account.ID, p keyring.Purpose, version uint32) (n int, err error) {
	factors, err := o.engine.durable.FactorsOfAccounts(o.ctx, ids)
	if err != nil {
		return 0, err
	}
	for _, f := range factors {
		if needsKey(f, p, version) {
			n++
		}
	}
	if p != keyring.Pepper {
		return n, nil
	}
	keys, err := o.engine.durable.APIKeysOfAccounts(o.ctx, ids)
	for _, k := range keys {
		if k.Pepper == version || k.OldPepper == version && k.OldUntil.After(o.now) {
			n++
		}
	}
	return n, err
}

// needsKey reports whether a second factor is lost without that key.
func needsKey(f account.Factor, p keyring.Purpose, version uint32) bool {
	switch p {
	case keyring.Seal:
		sealed, ok := keyring.SealedVersion(f.Sealed)
		return ok && sealed == version
	case keyring.Pepper:
		return f.Kind == account.KindBackup && f.Pepper == version
	case keyring.Lookup:
		return f.Kind == account.KindPhone && f.LookupKey == version
	}
	return false
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
	ring, err := o.engine.reread()
	if err != nil {
		return nil, refuse(http.StatusConflict, "%s", err)
	}
	next, version, err := change(ring)
	if errors.Is(err, keyring.ErrUnknownKey) || errors.Is(err, keyring.ErrActiveKey) {
		return nil, refuse(http.StatusConflict, "%s", err)
	}
	var refused *problem
	if errors.As(err, &refused) || errors.Is(err, session.ErrUnavailable) {
		return nil, err
	}
	if err != nil {
		return nil, refuseValue("%s", err)
	}
	err = o.engine.keepRing(o.ctx, ring, next)
	if errors.Is(err, sqlstore.ErrOldRing) || errors.Is(err, errKeyFile) {
		return nil, refuse(http.StatusConflict, "%s", err)
	}
	if err != nil {
		return nil, err
	}
	e := o.event(name, account.Account{})
	if version > 0 {
		e.Subject = fmt.Sprintf("%s key %d", said.Purpose, version)
	}
	o.engine.Record(o.ctx, e)
	return o.showKeys(), nil
}
