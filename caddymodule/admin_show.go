package caddymodule

import (
	"context"
	"errors"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// accountListView is what `account list` tells.
type accountListView struct {
	Accounts []accountView `json:"accounts"`
}

func listAccounts(o *operation, _ noArguments) (any, error) {
	all, err := o.engine.durable.ListAccounts(o.ctx)
	list := accountListView{Accounts: []accountView{}}
	for _, a := range all {
		list.Accounts = append(list.Accounts, viewOf(a))
	}
	return list, err
}

func showAccount(o *operation, said namedArguments) (any, error) {
	a, err := o.find(said.Account)
	if err != nil {
		return nil, err
	}
	factors, err := o.engine.durable.Factors(o.ctx, a.ID)
	if err != nil {
		return nil, err
	}
	detail := accountDetail{accountView: viewOf(a), Factors: []factorView{}}
	for _, f := range factors {
		v := factorView{
			Kind: string(f.Kind), Label: f.Label, Created: f.Created.UTC(), LastUsed: f.LastUsed.UTC(),
			Failures: f.Failures, Locked: f.Locked,
		}
		if f.Kind == account.KindBackup {
			v.Left = &f.Left
		}
		detail.Factors = append(detail.Factors, v)
	}
	detail.Sessions, err = o.sessionsOf(o.ctx, a)
	return detail, err
}

// sessionsOf lists the account's living sessions, newest first.
func (o *operation) sessionsOf(ctx context.Context, a account.Account) ([]sessionView, error) {
	list := []sessionView{}
	all, err := o.engine.short.SessionsOf(ctx, a.ID)
	if errors.Is(err, session.ErrDamaged) { // nobody can use such a session
		o.warn("sessions of " + a.Name + " are left out: one of their records does not decode")
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if !s.Alive(o.now, a.SessionsValidFrom) {
			continue
		}
		used, err := o.engine.short.LastUsed(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		v := sessionView{
			ID: string(s.ID), Account: a.Name, Created: s.Created.UTC(), Expires: s.Expires.UTC(), LastUsed: used.UTC(),
			Methods: s.AMR, Network: s.Network, Browser: s.Browser, Hosts: []string{},
		}
		for _, t := range s.Tokens {
			v.Hosts = append(v.Hosts, t.Host)
		}
		list = append(list, v)
	}
	return list, nil
}
