package login

import (
	"context"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Place is where a session token opens: a purpose and a host.
type Place struct {
	Purpose session.Purpose
	Host    string
}

// SignedIn is what a browser gets for a finished flow.
type SignedIn struct {
	Account    account.Account
	Session    session.Session
	Credential session.Credential // for the cookie at the place
	Device     Device             // for the known-browser cookie
	Trust      *Trust             // for the remembered-browser cookie; nil leaves it as it is
}

// Finish turns a flow whose steps are all done into a NEW session with a token
// at the place, and removes the flow. old is the session that this browser had
// before, "" for none: it ends.
func (m *Machine) Finish(ctx context.Context, c Client, f Flow, at Place, old session.ID) (SignedIn, error) {
	a, fs, err := m.Holder(ctx, f)
	if err != nil {
		return SignedIn{}, err
	}
	if f.Purpose != SignIn || m.Next(f, fs) != StepDone {
		return SignedIn{}, ErrNotNext
	}
	trust, level, err := m.spendTrust(ctx, c, &f, a, fs)
	if err != nil {
		return SignedIn{}, err
	}
	now := m.Now()
	s := session.Session{
		// As old as its proofs: what ends the account's sessions just now ends
		// this one too.
		ID: session.NewID(), Account: a.ID, Created: f.Since, Expires: now.Add(m.Settings.SessionLife),
		Idle: m.Settings.SessionIdle, AMR: methods(f), Network: c.Network, Browser: c.agent(),
		Previous: a.LastSignIn,
	}
	if f.SSO != nil {
		s.SSO = f.SSO.Proved
		if f.SSO.endsBefore(s) {
			s.Expires = f.SSO.Until // SAML Profiles section 4.1.4.3
		}
	}
	cred := session.NewCredential(s.ID, a.ID)
	s.Tokens = []session.Token{{
		Hash: cred.Hash(), Purpose: at.Purpose, Host: at.Host, Level: level,
		PasswordAt: f.PasswordAt, FactorAt: f.FactorAt, FactorKind: f.FactorMethod.Kind(), Issued: now,
	}}
	if err := m.Sessions.CreateSession(ctx, s); err != nil {
		return SignedIn{}, err
	}
	events := m.signedInEvents(c, a, f, s)
	if err := m.SignIns.RecordSignIn(ctx, a.ID, now, f.FactorMethod, c.Language, events...); err != nil {
		_ = m.Sessions.EndSession(ctx, s.ID) // nobody has its token
		return SignedIn{}, err
	}
	m.Audit.Written(ctx, events...)
	if old != "" {
		_ = m.Sessions.EndSession(ctx, old) // its cookie is replaced in any case
	}
	_ = m.Flows.DeleteFlow(ctx, f.Browser, f.ID) // it ends by itself too
	return SignedIn{a, s, cred, m.device(c, a), trust}, nil
}

// signedInEvents are what a sign-in is told by: to an operator always, and to
// the owner where the browser was not known. The account's first is no news.
func (m *Machine) signedInEvents(c Client, a account.Account, f Flow, s session.Session) []audit.Event {
	e := m.event(c, audit.SignedIn, a)
	e.Session, e.Method = string(s.ID), string(f.FactorMethod)
	switch {
	case s.SSO != nil:
		e.Method = s.SSO.Provider
	case f.Trusted != "" && f.FactorAt.IsZero():
		e.Reason = "remembered browser"
	}
	if c.Knows(a) || a.LastSignIn.IsZero() {
		return []audit.Event{e}
	}
	fresh := e
	fresh.Name = audit.NewBrowser
	return []audit.Event{e, fresh}
}

// device is the known-browser mark after a complete sign-in: kept when the
// browser has one for this account, so that its counters stay its own.
func (m *Machine) device(c Client, a account.Account) Device {
	d := Device{ID: NewID(), Account: a.ID, Issued: m.Now()}
	if c.Knows(a) {
		d.ID = c.Device.ID
	}
	return d
}

// Level is what the flow's proofs amount to.
func (f Flow) Level() session.Level {
	switch {
	case f.PasswordAt.IsZero():
		return session.LevelNone
	case f.FactorAt.IsZero():
		return session.LevelPassword
	}
	return session.LevelSecondFactor
}

// methods lists the flow's proofs as RFC 8176 names them.
func methods(f Flow) []string {
	if f.SSO != nil {
		return f.SSO.Methods
	}
	if f.Level() < session.LevelSecondFactor {
		return []string{"pwd"}
	}
	switch f.FactorMethod {
	case account.MethodText:
		return []string{"pwd", "sms", "mfa"}
	case account.MethodCall:
		return []string{"pwd", "tel", "mfa"}
	}
	return []string{"pwd", "otp", "mfa"}
}
