package caddymodule

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/keyring"
)

// ensureSAMLKeys tells the engine that a configuration needs keys for SAML, and
// whether its sessions are embedded, so that this node is the only one. It is
// called before start: a ring that start makes then has the keys from the
// beginning. An engine that is not ready does what is to be done once it can
// reach its stores, and start returns what is wrong; one that is ready does it
// at once.
//
// To a ring without them they are added on an only node; the error says why
// that cannot be done. One of several nodes would make others than the rest, so
// there the log says what an operator has to do, and everything else works.
func (e *engine) ensureSAMLKeys(embedded bool) error {
	e.samlOnly.Store(&embedded)
	if !e.ready.Load() {
		e.wakeSAML() // open may have looked already
		return nil
	}
	err := e.addSAMLKeys(context.Background())
	if err != nil && !permanent(err) {
		e.log.Error("no keys for SAML yet: a store cannot be reached; trying again every second", "error", err.Error())
		e.wakeSAML()
		return nil
	}
	return err
}

// addSAMLKeys does what ensureSAMLKeys asked for, to the ring in force. It
// changes nothing when nobody asked or nothing is missing.
func (e *engine) addSAMLKeys(ctx context.Context) error {
	only := e.samlOnly.Load()
	if only == nil {
		return nil
	}
	if missing := withoutSAML(e.keys.Load().ring); len(missing) == 0 {
		return nil
	} else if !*only {
		if e.samlTold.Swap(only) != only { // once for each configuration
			e.log.Error("the key ring lacks keys for SAML: on one node run "+commandsFor(missing)+
				", then copy the key ring to the others and run `sallyport keys reload` there", "file", e.keyFile)
		}
		return nil
	}
	changingKeys.Lock()
	defer changingKeys.Unlock()
	missing := withoutSAML(e.keys.Load().ring) // again: an operator may have been faster
	if len(missing) == 0 {
		return nil
	}
	// The file may be newer than the ring in force: what was copied here and not
	// reloaded is not to be overwritten with less.
	ring, err := e.reread()
	if err != nil {
		return fmt.Errorf("adding keys for SAML: %w", err)
	}
	next, err := ring.WithSAML(time.Now())
	if err != nil {
		return fmt.Errorf("adding keys for SAML: %w", err)
	}
	if err := within(ctx, func(ctx context.Context) error { return e.keepRing(ctx, ring, next) }); err != nil {
		return fmt.Errorf("adding keys for SAML: %w", err)
	}
	e.log.Info("added keys for SAML to the key ring; make a new backup of it", "file", e.keyFile)
	for _, p := range missing {
		e.recordSoon(ctx, audit.Event{
			Time: time.Now(), Name: audit.KeyAdded, Reason: "SAML is configured",
			Subject: fmt.Sprintf("%s key %d", p, next.ActiveVersion(p)),
		})
	}
	return nil
}

// addSAMLLater does what could not be done when it was asked for: a store was
// away, or the engine was just becoming ready.
func (e *engine) addSAMLLater(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.samlLater:
		}
		err := e.addSAMLKeys(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		if permanent(err) {
			e.log.Error("no keys for SAML, and there will be none without your help", "error", err.Error())
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryEvery):
			e.wakeSAML()
		}
	}
}

func (e *engine) wakeSAML() {
	select {
	case e.samlLater <- struct{}{}:
	default: // it will look anyway
	}
}

// withoutSAML lists the SAML purposes of which a ring has no key.
func withoutSAML(r *keyring.Ring) (missing []keyring.Purpose) {
	for _, p := range []keyring.Purpose{keyring.SAMLSigning, keyring.SAMLDecryption} {
		if r.ActiveVersion(p) == 0 {
			missing = append(missing, p)
		}
	}
	return missing
}

// commandsFor is what an operator runs to add keys.
func commandsFor(purposes []keyring.Purpose) string {
	commands := make([]string, len(purposes))
	for i, p := range purposes {
		commands[i] = "`sallyport keys add " + string(p) + "`"
	}
	return strings.Join(commands, " and ")
}

// recordSoon is Record, and keeps events of an engine that is not ready until
// it is.
func (e *engine) recordSoon(ctx context.Context, event audit.Event) {
	e.mu.Lock()
	waits := !e.ready.Load()
	if waits {
		e.unrecorded = append(e.unrecorded, event)
	}
	e.mu.Unlock()
	if !waits {
		e.Record(ctx, event)
	}
}
