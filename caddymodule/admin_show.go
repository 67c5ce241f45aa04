package caddymodule

import (
	"context"
	"errors"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// listAccounts lists those with a telephone number, or all, by name.
func listAccounts(o *operation, said listArguments, l *listing) error {
	if said.Phone == "" {
		return o.eachPage(func(page []account.Account) error { return o.sendViews(l, page, o.view) })
	}
	hashes, err := o.lookups(said.Phone)
	if err != nil {
		return err
	}
	found, err := o.engine.durable.AccountsByLookup(o.ctx, hashes)
	if err != nil {
		return err
	}
	return o.sendViews(l, found, o.view)
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
	all, err := o.engine.short.SessionsOf(ctx, a.ID)
	return o.viewSessions(a, session.Listed{Sessions: all, Err: err})
}

// viewSessions are those of the account that live.
func (o *operation) viewSessions(a account.Account, found session.Listed) ([]sessionView, error) {
	list := []sessionView{}
	if errors.Is(found.Err, session.ErrDamaged) { // nobody can use such a session
		o.warn("sessions of " + a.Name + " are left out: one of their records does not decode")
		return list, nil
	}
	if found.Err != nil {
		return nil, found.Err
	}
	for _, s := range found.Sessions {
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
