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
	unreadable := false // which of theirs it is, nobody can say: all have to end
	if known {
		// Before the request is spent: one that met a store away may come again.
		open, err = m.Sessions.SessionsOf(ctx, a.ID)
		if unreadable = errors.Is(err, session.ErrDamaged); err != nil && !unreadable {
			return 0, err
		}
	}
	err = m.Identities.SpendAssertion(ctx, OnceKey("saml logout\x00"+l.Entity+"\x00", l.ID), l.Until.Add(clocksApart), m.Now())
	if errors.Is(err, account.ErrTaken) {
		return 0, &SSORefused{Reason: "replayed", Detail: "this very logout request came before"}
	}
	if err != nil {
		return 0, err
	}
	if err := m.rememberLogout(ctx, l); err != nil || unreadable {
		if !known {
			return 0, err
		}
		if err := m.endAllOf(ctx, a); err != nil {
			return 0, err
		}
	}
	ended := 0
	for _, s := range open {
		if s.SSO == nil || s.SSO.Provider != l.Provider || s.SSO.Entity != l.Entity || s.SSO.NameID != l.NameID ||
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

// endFor ends a session, if need be with all others of the person's.
func (m *Machine) endFor(ctx context.Context, a account.Account, id session.ID) error {
	if m.Sessions.EndSession(ctx, id) == nil {
		return nil
	}
	return m.endAllOf(ctx, a)
}

// endAllOf ends by the account's row what a logout names, and all else of that
// person, where the store of sessions is away: the request is spent by now and
// will not come again.
func (m *Machine) endAllOf(ctx context.Context, a account.Account) error {
	ctx = context.WithoutCancel(ctx)
	err := m.Changer.ChangeAccount(ctx, a.ID, m.Now(), true, keepAccount)
	if err == nil {
		_ = m.Revoke(ctx) // tells the nodes; rows stay until done
	}
	return err
}

// overKey names a provider's session that has ended, index "" all of somebody's.
func overKey(provider, entity, nameID, index string) [32]byte {
	return OnceKey("saml over\x00"+provider+"\x00"+entity+"\x00"+nameID+"\x00", index)
}

// rememberLogout keeps, for as long as a sign-in can wait, what a logout
// named: who signed out there before they said yes here is not signed in by
// that.
func (m *Machine) rememberLogout(ctx context.Context, l ProviderLogout) error {
	now, indexes := m.Now(), l.Indexes
	if len(indexes) == 0 {
		indexes = []string{""}
	}
	for _, index := range indexes {
		key := overKey(l.Provider, l.Entity, l.NameID, index)
		if _, err := m.Once.TakeOnce(ctx, key, now); err != nil && !errors.Is(err, session.ErrNotFound) {
			return err
		}
		record, err := now.MarshalText()
		if err != nil {
			return err
		}
		err = m.Once.PutOnce(ctx, key, record, now.Add(FlowMost+AnswerLife+clocksApart))
		if err != nil && !errors.Is(err, ErrOnceTaken) { // another message of this very moment
			return err
		}
	}
	return nil
}

// signedOutThere reports whether the provider's session that a flow is of
// ended after the provider's answer.
func (m *Machine) signedOutThere(ctx context.Context, f Flow) (bool, error) {
	if f.SSO == nil || f.SSO.Proved == nil {
		return false, nil
	}
	p, indexes := f.SSO.Proved, []string{""}
	if p.Index != "" {
		indexes = append(indexes, p.Index)
	}
	for _, index := range indexes {
		record, err := m.Once.PeekOnce(ctx, overKey(p.Provider, p.Entity, p.NameID, index), m.Now())
		if errors.Is(err, session.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		var at time.Time
		if at.UnmarshalText(record) != nil || at.After(f.SSO.Answered) {
			return true, nil
		}
	}
	return false, nil
}
