package caddymodule

import (
	"errors"
	"net/http"
	"slices"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// maxDisplayName is the longest display name, in characters.
const maxDisplayName = 128

// find returns the account that the operator named.
func (o *operation) find(name string) (account.Account, error) {
	a, err := o.engine.durable.AccountByIdentifier(o.ctx, account.NormaliseIdentifier(name))
	if errors.Is(err, account.ErrNotFound) {
		return a, refuse(http.StatusNotFound, "there is no account %q", name)
	}
	o.about = a
	return a, err
}

// newAccount makes an account of what an operator said, or tells what is
// wrong with it. The name is taken as it is: it is fixed for good.
func (o *operation) newAccount(said addArguments) (account.Account, error) {
	email := account.NormaliseIdentifier(said.Email)
	if err := checkName(said.Name); err != nil {
		return account.Account{}, err
	}
	if err := checkProfile(said.Email, said.DisplayName, said.Groups); err != nil {
		return account.Account{}, err
	}
	groups, _ := account.SplitGroups(said.Groups)
	a := account.Account{
		ID: account.ID(login.NewID()), Name: said.Name, Email: email, DisplayName: said.DisplayName,
		Groups: groups, Provider: said.Provider, Created: o.now,
	}
	return a, o.mayBeAt(a)
}

func checkName(name string) error {
	if err := account.CheckName(name); err != nil {
		return refuseValue("%q: %s", name, err)
	}
	return nil
}

// checkProfile refuses values that an app must not see.
func checkProfile(email, displayName string, groups []string) error {
	if kept := account.NormaliseIdentifier(email); kept != "" {
		if err := account.CheckEmail(kept); err != nil {
			return refuseValue("%s", err)
		}
		if !account.KeepsEmail(email) {
			return refuseValue("%q would be kept as %s, which may be somebody else's: write that if it is theirs, or the domain in its ASCII form (xn--…)", email, kept)
		}
	}
	if !printable(displayName, maxDisplayName) {
		return refuseValue("a display name is one line of at most %d characters", maxDisplayName)
	}
	for _, g := range groups {
		if !account.ValidGroup(g) {
			return refuseValue("%q is no group name: 1 to 64 characters of A-Z, a-z, 0-9 and . _ : @ -", g)
		}
	}
	return nil
}

// addAccount makes an account, and a link with which its owner begins.
func addAccount(o *operation, said addArguments) (any, error) {
	a, err := o.newAccount(said)
	if err != nil {
		return nil, err
	}
	managed := o.signsInAt(a) != ""
	if managed && said.Password != "" {
		return nil, refuseValue("%s would sign in at the identity provider %s, where the password is managed", a.Name, o.signsInAt(a))
	}
	if managed {
		o.warnForeignDomain(a)
	} else if said.Password == "" {
		if _, err := o.app.pagesOrigin(); err != nil {
			return nil, err
		}
	} else if err := o.setPassword(&a, secret.New(said.Password)); err != nil {
		return nil, err
	}
	e := o.event(audit.AccountAdded, a)
	if err := o.engine.durable.CreateAccount(o.ctx, a, e); err != nil {
		return nil, err
	}
	o.done(e)
	if said.Password != "" || managed {
		return changed{Account: o.view(a), SignIn: o.signInPlace(a)}, nil
	}
	link, err := o.link(a, account.LinkSetUp)
	if err != nil {
		o.app.log.Error("no set-up link for a new account", "error", err.Error())
		o.warn("the account was made, but no link: run `sallyport account set-up-link`")
	}
	return changed{Account: o.view(a), Link: link}, nil
}

// setPassword checks a password by the rules of the pages and hashes it, in
// turn with those who are signing in.
func (o *operation) setPassword(a *account.Account, pw secret.Text) error {
	s := o.app.machine.Settings
	rules := factor.Rules{Min: s.MinLength, Words: []string{a.Name, a.Email, a.DisplayName, s.Service}}
	if err := factor.CheckNew(pw, rules); err != nil {
		return refuseValue("%s", err)
	}
	leave, err := o.engine.gate.Enter(o.ctx, "admin", true)
	if err != nil {
		return err
	}
	defer leave()
	hash, err := factor.HashPassword(pw, s.Password)
	a.PasswordHash, a.PasswordChanged = secret.New(hash), o.now
	return err
}

// setAccount changes what apps are told of a person. Sessions go on; every
// node reads the account anew.
func setAccount(o *operation, said setArguments) (any, error) {
	a, err := o.find(said.Account)
	if err != nil {
		return nil, err
	}
	change := func(a *account.Account) error {
		if said.Email != nil {
			a.Email = account.NormaliseIdentifier(*said.Email)
		}
		if said.DisplayName != nil {
			a.DisplayName = *said.DisplayName
		}
		a.Groups = slices.DeleteFunc(append(a.Groups, said.Groups...), func(g string) bool {
			return slices.Contains(said.RemoveGroups, g)
		})
		a.Groups, _ = account.SplitGroups(a.Groups)
		return nil
	}
	email, name := "", ""
	if said.Email != nil {
		email = *said.Email
	}
	if said.DisplayName != nil {
		name = *said.DisplayName
	}
	if err := checkProfile(email, name, said.Groups); err != nil {
		return nil, err
	}
	if said.Provider != nil {
		return o.move(a, *said.Provider, change)
	}
	return o.change(a, false, audit.AccountChanged, change)
}

// change stores a change of the account, tells all nodes, and shows what the
// account is then.
func (o *operation) change(a account.Account, end bool, name audit.Name, change func(*account.Account) error) (any, error) {
	e := o.event(name, a)
	if err := o.engine.durable.ChangeAccount(o.ctx, a.ID, o.now, end, change, e); err != nil {
		return nil, err
	}
	o.done(e)
	return o.show(a.ID)
}

func (o *operation) show(id account.ID) (changed, error) {
	a, err := o.engine.durable.Account(o.ctx, id)
	return changed{Account: o.view(a)}, err
}
