package login

import (
	"context"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// MayChangePassword says whether the person may choose another password now:
// the form asks for the present one itself, so that only a second factor, where
// the account has one, has to be proved before (SPEC D2).
func (m *Machine) MayChangePassword(p Person) error {
	switch {
	case p.Session.SSO != nil:
		return ErrNotAllowed
	case p.Factors.Protected() && p.Token.FactorAt.Before(m.Now().Add(-m.Settings.Reauthenticate)):
		return ErrStale
	}
	return nil
}

// ChangePassword proves the present password and puts another in its place. It
// ends all of the account's sessions (ASVS 5.0 7.4.3), remembered browsers and
// links for a password; the browser that asked gets a new session, and is known
// again by the device that is returned.
func (m *Machine) ChangePassword(ctx context.Context, c Client, p Person, at Place, present, wanted secret.Text) (session.Credential, Device, []Problem, error) {
	none := session.Credential{}
	if err := m.MayChangePassword(p); err != nil {
		return none, Device{}, nil, err
	}
	if problems := m.refuseNew(p.Account, present, wanted); problems != nil {
		return none, Device{}, problems, m.TakeForm(ctx, c)
	}
	problem, err := m.ownPassword(ctx, c, p, present)
	if err != nil {
		return none, Device{}, nil, err
	}
	if problem != nil {
		problem.Field = "current"
		return none, Device{}, []Problem{*problem}, nil
	}
	hash, err := m.hashNew(ctx, c, wanted)
	if err != nil {
		return none, Device{}, nil, err
	}
	now := m.since(p.Account)
	if err := m.changeOwn(ctx, p, now, choose(hash, now), m.event(c, audit.PasswordChanged, p.Account)); err != nil {
		return none, Device{}, nil, err
	}
	p.Token.PasswordAt = now
	cred, err := m.replace(ctx, p, at, now)
	return cred, Device{ID: NewID(), Account: p.Account.ID, Issued: now.Add(time.Microsecond)}, nil, err
}

// refuseNew says what can be said without looking at the present password.
func (m *Machine) refuseNew(a account.Account, present, wanted secret.Text) (problems []Problem) {
	if present.IsZero() {
		problems = append(problems, Problem{Field: "current", Key: "pw.nocurrent"})
	}
	switch problem := m.checkNew(a, wanted); {
	case wanted.IsZero():
		problems = append(problems, Problem{Field: "password", Key: "pw.newempty"})
	case problem != nil:
		problems = append(problems, *problem)
	case wanted.Equal(present):
		problems = append(problems, Problem{Field: "password", Key: "pw.same"})
	}
	return problems
}

// hashNew hashes a password that was chosen, in its turn.
func (m *Machine) hashNew(ctx context.Context, c Client, pw secret.Text) (secret.Text, error) {
	leave, err := m.Gate.Enter(ctx, c.Network, true)
	if err != nil {
		return secret.Text{}, err
	}
	defer leave()
	hash, err := factor.HashPassword(pw, m.Settings.Password)
	return secret.New(hash), err
}

// choose is the change of an account to a password that was chosen now. It
// opens an account that its owner had locked: whoever chose it came by the
// owner's mailbox or by an operator's link, or was signed in.
func choose(hash secret.Text, now time.Time) func(*account.Account) error {
	return func(a *account.Account) error {
		a.PasswordHash, a.PasswordChanged, a.Locked = hash, now, time.Time{}
		return nil
	}
}
