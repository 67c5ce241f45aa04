package login

import (
	"context"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// NotMeHolder returns whose unused link "This wasn't me" is, and the link.
// account.ErrNotFound when it opens nothing (any more). It works for accounts
// of identity providers too, and for locked ones.
func (m *Machine) NotMeHolder(ctx context.Context, token string) (account.Account, account.Link, error) {
	l, err := m.Links.Link(ctx, LinkHash(token), m.Now())
	if err != nil {
		return account.Account{}, l, err
	}
	if l.Purpose != account.LinkNotMe {
		return account.Account{}, l, account.ErrNotFound
	}
	a, err := m.Accounts.Account(ctx, l.Account)
	if err == nil && a.Disabled {
		err = account.ErrNotFound
	}
	return a, l, err
}

// NotMe ends all sessions of the link's account, forgets its remembered
// browsers and locks it until recovery (SPEC K): nobody gets in, not with the
// right password and code either, and not by way of an identity provider.
func (m *Machine) NotMe(ctx context.Context, c Client, token string) (account.Account, error) {
	a, _, err := m.NotMeHolder(ctx, token)
	if err != nil {
		return a, err
	}
	now := m.since(a)
	e := m.event(c, audit.AccountLocked, a)
	a, err = m.Links.UseLink(ctx, LinkHash(token), now, func(a *account.Account) error {
		a.Locked = now
		return nil
	}, e)
	if err != nil {
		return a, err
	}
	m.Audit.Written(ctx, e)
	_ = m.Revoke(ctx) // rows stay until done; the loop goes on
	return a, nil
}
