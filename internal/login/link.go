package login

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// Lives of one-time links (SPEC I2, I3).
const (
	SetUpLinkLife = 24 * time.Hour
	EnrolLinkLife = time.Hour
)

// LinkHash is what stores keep of a link's token.
func LinkHash(token string) [32]byte { return sha256.Sum256([]byte(token)) }

// LinkHolder returns whom an unused link is for, and the link.
// account.ErrNotFound when it opens nothing (any more).
func (m *Machine) LinkHolder(ctx context.Context, token string) (account.Account, account.Link, error) {
	l, err := m.Links.Link(ctx, LinkHash(token), m.Now())
	if err != nil {
		return account.Account{}, l, err
	}
	a, err := m.Accounts.Account(ctx, l.Account)
	if err == nil && (a.Disabled || !m.Settings.SignsInHere(a)) {
		err = account.ErrNotFound
	}
	return a, l, err
}

// ChoosePassword spends a set-up link: the person's password becomes pw, and a
// flow begins that may enrol. The problems say why a password is refused; the
// link is unspent then.
func (m *Machine) ChoosePassword(ctx context.Context, c Client, token string, pw secret.Text) (Flow, []Problem, error) {
	a, l, err := m.LinkHolder(ctx, token)
	if err != nil {
		return Flow{}, nil, err
	}
	if l.Purpose != account.LinkSetUp {
		return Flow{}, nil, account.ErrNotFound
	}
	if problem := m.checkNew(a, pw); problem != nil {
		return Flow{}, []Problem{*problem}, nil
	}
	if a, err = m.chooseByLink(ctx, c, a, token, pw, audit.SetUpLinkUsed); err != nil {
		return Flow{}, nil, err
	}
	m.brokeGlass(ctx, c, a)
	f, err := m.linkFlow(ctx, c, a)
	return f, nil, err
}

// UseEnrolLink spends a link that lets somebody whose second factor an
// operator reset enrol anew: the password is asked for first.
func (m *Machine) UseEnrolLink(ctx context.Context, c Client, token string, pw secret.Text) (Flow, []Problem, error) {
	began := m.Now()
	a, l, err := m.LinkHolder(ctx, token)
	if err != nil {
		return Flow{}, nil, err
	}
	if l.Purpose != account.LinkEnrol {
		return Flow{}, nil, account.ErrNotFound
	}
	if pw.IsZero() {
		return Flow{}, []Problem{{Field: "password", Key: "pw.empty"}}, nil
	}
	proved, problem, err := m.provePassword(ctx, c, a.Name, pw)
	if err != nil {
		return Flow{}, nil, err
	}
	if problem != nil {
		problem.Key = "pw.current"
		return Flow{}, []Problem{*problem}, nil
	}
	used := m.event(c, audit.SetUpLinkUsed, a)
	a, err = m.Links.UseLink(ctx, LinkHash(token), m.Now(), func(a *account.Account) error {
		if sinceThen(proved, began).Before(a.SessionsValidFrom) {
			return account.ErrNotFound // the password was changed while it was compared
		}
		return nil
	}, used)
	if err != nil {
		return Flow{}, nil, err
	}
	m.Audit.Written(ctx, used)
	_ = m.Revoke(ctx)
	f, err := m.linkFlow(ctx, c, a)
	return f, nil, err
}

// linkFlow begins a sign-in whose password part a link has just proved.
func (m *Machine) linkFlow(ctx context.Context, c Client, a account.Account) (Flow, error) {
	f := m.newFlow(c, SignIn)
	f.Account, f.Identifier, f.ByLink = a.ID, a.Label(), true
	f.PasswordAt = m.Now()
	f.Since, f.Needs = m.since(a), m.Settings.PortalNeeds
	return f, m.Flows.CreateFlow(ctx, f)
}

// checkNew says why a password may not be chosen, or nil.
func (m *Machine) checkNew(a account.Account, pw secret.Text) *Problem {
	if pw.IsZero() {
		return &Problem{Field: "password", Key: "pw.empty"}
	}
	words := []string{a.Name, a.Email, a.DisplayName, m.Settings.Service}
	return newPasswordProblem(factor.CheckNew(pw, factor.Rules{Min: m.Settings.MinLength, Words: words}))
}
