package login

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// ProviderLogout is a provider's word that somebody signed out there.
type ProviderLogout struct {
	Provider, Entity string
	// ID is the request's own, which is good once until Until.
	ID    string
	Until time.Time
	// NameID is whom it is about; Indexes name sessions, none means all.
	NameID  string
	Indexes []string
}

// EndByProvider ends the sessions that a provider's logout request names: that
// person's, begun at that provider, and nobody else's (SPEC F6). It returns how
// many; none is no error. A request that comes again is an *SSORefused.
func (m *Machine) EndByProvider(ctx context.Context, c Client, l ProviderLogout) (int, error) {
	a, err := m.Identities.AccountByIdentity(ctx, account.Identity{Entity: l.Entity, NameID: l.NameID})
	known := !errors.Is(err, account.ErrNotFound)
	if err != nil && known {
		return 0, err
	}
	var open []session.Session
	if known {
		// Before the request is spent: one that met a store away may come again.
		if open, err = m.Sessions.SessionsOf(ctx, a.ID); err != nil {
			return 0, err
		}
	}
	err = m.Identities.SpendAssertion(ctx, onceKey("saml logout\x00"+l.Entity+"\x00", l.ID), l.Until.Add(clocksApart), m.Now())
	if errors.Is(err, account.ErrTaken) {
		return 0, &SSORefused{Reason: "replayed", Detail: "this very logout request came before"}
	}
	if err != nil {
		return 0, err
	}
	ended := 0
	for _, s := range open {
		if s.SSO == nil || s.SSO.Entity != l.Entity || s.SSO.NameID != l.NameID ||
			len(l.Indexes) > 0 && !slices.Contains(l.Indexes, s.SSO.Index) {
			continue
		}
		if err := m.endFor(ctx, a, s.ID); err != nil {
			return ended, err
		}
		ended++
		e := m.event(c, audit.SignedOutByProvider, a)
		e.Session, e.Method = string(s.ID), l.Provider
		m.Audit.Record(ctx, e)
	}
	return ended, nil
}

// endFor ends a session. The request that asks for it is spent by now and will
// not come again: where the store of sessions is away, the account's row ends
// all of the person's.
func (m *Machine) endFor(ctx context.Context, a account.Account, id session.ID) error {
	if m.Sessions.EndSession(ctx, id) == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	err := m.Changer.ChangeAccount(ctx, a.ID, m.Now(), true, func(*account.Account) error { return nil })
	if err == nil {
		_ = m.Revoke(ctx) // tells the nodes; rows stay until done
	}
	return err
}
