package login

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// ErrStale: a change needs the password and a factor proved anew.
var ErrStale = errors.New("confirm it's you first")

// Person is somebody signed in at the portal, read from the stores and never
// from a cache.
type Person struct {
	Account account.Account
	Factors account.Factors
	Session session.Session
	Token   session.Token
}

// Person completes what a session entry says with the account's factors and
// the session's record.
func (m *Machine) Person(ctx context.Context, e *session.Entry) (Person, error) {
	s, err := m.Sessions.Session(ctx, e.Session)
	if err != nil {
		return Person{}, err
	}
	fs, err := m.Accounts.Factors(ctx, e.Account.ID)
	return Person{e.Account, fs, s, e.Token}, err
}

// Fresh reports whether the person proved the password and, where the account
// has one, a factor within the last minutes (SPEC D2).
func (m *Machine) Fresh(p Person) bool {
	since := m.Now().Add(-m.Settings.Reauthenticate)
	if p.Token.PasswordAt.Before(since) {
		return false
	}
	return !p.Factors.Protected() || !p.Token.FactorAt.Before(since)
}

// mayChange says whether the person may change their second factors now: a
// provider's people have none here, and others must have proved themselves
// lately.
func (m *Machine) mayChange(p Person) error {
	switch {
	case p.Session.SSO != nil:
		return ErrNotAllowed
	case !m.Fresh(p):
		return ErrStale
	}
	return nil
}

// SignOut ends the session on every host.
func (m *Machine) SignOut(ctx context.Context, c Client, p Person) error {
	if err := m.Sessions.EndSession(ctx, p.Session.ID); err != nil {
		return err
	}
	e := m.event(c, audit.SignedOut, p.Account)
	e.Session = string(p.Session.ID)
	m.Audit.Record(ctx, e)
	return nil
}

// Rotate gives the session a new token for the place; the old one is dead. A
// changed cookie is what makes browsers drop pages that they kept for the
// Back button.
func (m *Machine) Rotate(ctx context.Context, p Person, at Place) (session.Credential, error) {
	cred := session.NewCredential(p.Session.ID, p.Account.ID)
	t := p.Token
	t.Hash, t.Purpose, t.Host, t.Issued = cred.Hash(), at.Purpose, at.Host, m.Now()
	return cred, m.Sessions.SetToken(ctx, p.Session.ID, t)
}

// replace gives the browser a new session in place of one that ended with all
// of the account's by a change at that moment: same proofs, same absolute end,
// a token for the place alone. Other hosts get theirs through a new ticket. It
// is as old as the change, so that whoever ends all sessions after it ends this
// one too; session.ErrNotFound when that has happened already.
func (m *Machine) replace(ctx context.Context, p Person, at Place, changed time.Time) (session.Credential, error) {
	a, err := m.Accounts.Account(ctx, p.Account.ID)
	if err != nil {
		return session.Credential{}, err
	}
	if changed.Before(a.SessionsValidFrom) {
		return session.Credential{}, session.ErrNotFound
	}
	s, now := p.Session, m.Now()
	s.ID, s.Created = session.NewID(), changed
	cred := session.NewCredential(s.ID, p.Account.ID)
	t := p.Token
	t.Hash, t.Purpose, t.Host, t.Issued = cred.Hash(), at.Purpose, at.Host, now
	s.Tokens = []session.Token{t}
	return cred, m.Sessions.CreateSession(ctx, s)
}
