package login

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
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
	err := m.Identities.SpendAssertion(ctx, onceKey("saml logout\x00"+l.Entity+"\x00", l.ID), l.Until.Add(clocksApart), m.Now())
	if errors.Is(err, account.ErrTaken) {
		return 0, &SSORefused{Reason: "replayed", Detail: "this very logout request came before"}
	}
	if err != nil {
		return 0, err
	}
	a, err := m.Identities.AccountByIdentity(ctx, account.Identity{Entity: l.Entity, NameID: l.NameID})
	if errors.Is(err, account.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	open, err := m.Sessions.SessionsOf(ctx, a.ID)
	if err != nil {
		return 0, err
	}
	ended := 0
	for _, s := range open {
		if s.SSO == nil || s.SSO.Entity != l.Entity || s.SSO.NameID != l.NameID ||
			len(l.Indexes) > 0 && !slices.Contains(l.Indexes, s.SSO.Index) {
			continue
		}
		if err := m.Sessions.EndSession(ctx, s.ID); err != nil {
			return ended, err
		}
		ended++
		e := m.event(c, audit.SignedOutByProvider, a)
		e.Session, e.Method = string(s.ID), l.Provider
		m.Audit.Record(ctx, e)
	}
	return ended, nil
}
