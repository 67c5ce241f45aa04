package caddymodule

import (
	"context"
	"errors"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// accountListView is what `account list` tells.
type accountListView struct {
	Accounts []accountView `json:"accounts"`
}

func listAccounts(o *operation, said listArguments) (any, error) {
	list := o.engine.durable.ListAccounts
	if said.Phone != "" {
		hashes, err := o.lookups(said.Phone)
		if err != nil {
			return nil, err
		}
		list = func(ctx context.Context) ([]account.Account, error) {
			return o.engine.durable.AccountsByLookup(ctx, hashes)
		}
	}
	return o.listOf(list)
}

func (o *operation) listOf(read func(context.Context) ([]account.Account, error)) (any, error) {
	all, err := read(o.ctx)
	list := accountListView{Accounts: []accountView{}}
	for _, a := range all {
		list.Accounts = append(list.Accounts, o.view(a))
	}
	return list, err
}

// lookups are the keyed hashes under which a number may be filed. A number
// that gets no codes is looked for too: it may have got them once.
func (o *operation) lookups(typed string) (hashes [][]byte, err error) {
	n, _, err := phone.Known(typed)
	if err != nil {
		n, _, err = phone.Rules{DefaultRegion: o.app.machine.Settings.Phone.Rules.DefaultRegion}.Parse(typed)
	}
	if refused := (*phone.Refused)(nil); errors.As(err, &refused) {
		return nil, refuseValue("such a number gets no codes; to look for it all the same write it as + and its digits")
	}
	if err != nil {
		return nil, refuseValue("that is not a telephone number; write it with its country, like +44 7700 900982")
	}
	for _, mac := range o.engine.keys.Load().ring.MACs(login.LookupPhone, []byte(n.E164())) {
		hashes = append(hashes, mac.Sum)
	}
	return hashes, nil
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
	identities, err := o.engine.durable.IdentitiesOf(o.ctx, a.ID)
	if err != nil {
		return nil, err
	}
	detail := accountDetail{accountView: o.view(a), Identities: []identityView{}, Factors: []factorView{}}
	for _, id := range identities {
		detail.Identities = append(detail.Identities, identityView(id))
	}
	for _, f := range factors {
		v := factorView{
			Kind: string(f.Kind), Label: f.Label, Created: f.Created.UTC(), LastUsed: f.LastUsed.UTC(),
			Failures: f.Failures, Locked: f.Locked,
		}
		switch f.Kind {
		case account.KindBackup:
			v.Left = &f.Left
		case account.KindPhone:
			v.CallOnly = f.CallOnly
			if n, _, err := o.app.machine.Number(f); err == nil {
				v.Ending = n.Ending()
			} else {
				o.warn("the number of a phone cannot be read: " + err.Error())
			}
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
		v := sessionView{
			ID: string(s.ID), Account: a.Name, Created: s.Created.UTC(), Expires: s.Expires.UTC(), LastUsed: s.LastUsed.UTC(),
			Methods: s.AMR, Provider: s.Provider(), Network: s.Network, Browser: s.Browser, Hosts: []string{},
		}
		for _, t := range s.Tokens {
			v.Hosts = append(v.Hosts, t.Host)
		}
		list = append(list, v)
	}
	return list, nil
}
