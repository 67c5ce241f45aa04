package caddymodule

import (
	"errors"
	"net/http"
	"slices"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// signsInAt is the identity provider where an account has to sign in, "" for
// one that signs in here: by its provider or a domain, and not when it is one
// of the few of `break_glass`.
func (o *operation) signsInAt(a account.Account) string {
	settings := o.app.machine.Settings
	if settings.SignsInHere(a) {
		return ""
	}
	return settings.ManagedBy(a)
}

// signInPlace is where such a person signs in, "" for others, and where the
// provider is configured no more.
func (o *operation) signInPlace(a account.Account) string {
	name := o.signsInAt(a)
	if _, known := o.app.machine.Settings.Providers[name]; !known {
		return ""
	}
	return o.app.samlAddress(name, "login")
}

// here refuses what has no meaning for somebody who signs in at a provider.
func (o *operation) here(a account.Account) error {
	at := o.signsInAt(a)
	if at == "" {
		return nil
	}
	back := "`sallyport account set " + a.Name + " --local` brings it back"
	local := a
	local.Provider = ""
	if o.signsInAt(local) != "" {
		back = "its address or name is of a domain of that provider"
	}
	return refuse(http.StatusConflict, "%s signs in at the identity provider %s, where password and second factor are managed; %s", a.Name, at, back)
}

// mayBeAt refuses a provider that an account cannot sign in at.
func (o *operation) mayBeAt(a account.Account) error {
	if a.Provider == "" {
		return nil
	}
	settings := o.app.machine.Settings
	if _, known := settings.Providers[a.Provider]; !known {
		return refuseValue("%s", o.app.noProvider(a.Provider))
	}
	if settings.IsBreakGlass(a) {
		return refuseValue("%s is in `break_glass`: it signs in here, and never at a provider", a.Name)
	}
	return nil
}

// warnForeignDomain tells of an address that leads its owner somewhere else.
func (o *operation) warnForeignDomain(a account.Account) {
	for _, identifier := range []string{a.Email, a.Name} {
		if p, owned := o.app.machine.Settings.ProviderOf(identifier); owned && p.Name != o.signsInAt(a) {
			o.warn(identifier + " is of a domain of the provider " + p.Name + ": who types it is sent there, and not to " + o.signsInAt(a))
			return
		}
	}
}

// move gives an account to a provider, or back to a password here, beside what
// else is changed. Its sessions and links end, and who the person was to a
// provider is forgotten: also where it is at that provider already, since that
// is how an operator lets somebody in who has another NameID now.
func (o *operation) move(a account.Account, to string, change func(*account.Account) error) (any, error) {
	then := a
	then.Groups = slices.Clone(a.Groups) // change works in place
	if err := change(&then); err != nil {
		return nil, err
	}
	then.Provider = to
	if err := o.mayBeAt(then); err != nil {
		return nil, err
	}
	if at := o.signsInAt(then); to == "" && at != "" {
		return nil, refuse(http.StatusConflict, "the address or name of %s is of a domain of the identity provider %s, so that it signs in there; "+
			"give it another address, or name it in `break_glass`", a.Name, at)
	}
	o.warnForeignDomain(then)
	identities, err := o.engine.durable.IdentitiesOf(o.ctx, a.ID)
	if err != nil {
		return nil, err
	}
	events := []audit.Event{o.event(audit.AccountChanged, a)}
	forgotten := o.event(audit.IdentitiesForgotten, a)
	if moves := to != a.Provider; moves && len(identities) > 0 {
		events = append(events, forgotten) // the store does both at once
	}
	err = o.engine.durable.ChangeAccount(o.ctx, a.ID, o.now, true, func(a *account.Account) error {
		a.Provider = to
		return change(a)
	}, events...)
	if err != nil {
		return nil, err
	}
	o.done(events...)
	if to == a.Provider {
		if err := o.forget(a.ID, forgotten); err != nil {
			return nil, err
		}
	}
	// A link from before would be good again when the account comes back.
	if err := o.engine.durable.EndLinks(o.ctx, a.ID); err != nil {
		return nil, err
	}
	shown, err := o.show(a.ID)
	shown.SignIn = o.signInPlace(then)
	return shown, err
}

// forget ends the account's ties to identities; none is no error.
func (o *operation) forget(id account.ID, e audit.Event) error {
	err := o.engine.durable.UnlinkIdentities(o.ctx, id, o.now, e)
	if errors.Is(err, account.ErrNotFound) {
		return nil
	}
	if err == nil {
		o.done(e)
	}
	return err
}
