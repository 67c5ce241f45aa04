package caddymodule

import (
	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// exportArguments say whether password hashes come too.
type exportArguments struct {
	WithHashes bool `json:"with_hashes,omitempty"`
}

// exportAccounts gives all accounts, by name. With their hashes it is as secret
// as the database; without second factors it is no backup.
func exportAccounts(o *operation, said exportArguments, l *listing) error {
	l.event = func() audit.Event {
		e := o.event(audit.AccountsExported, account.Account{})
		if said.WithHashes {
			e.Subject = "with password hashes"
		}
		return e
	}
	view := func(a account.Account) accountView {
		v := o.view(a)
		// Whoever belongs to a provider has one from before at most, which opens
		// nothing and cannot be imported. That of who said "This wasn't me" opens
		// nothing here, but would where it is imported.
		if said.WithHashes && a.Provider == "" && a.Locked.IsZero() {
			v.PasswordHash = a.PasswordHash.Reveal()
		}
		return v
	}
	return o.eachPage(func(page []account.Account) error { return o.sendViews(l, page, view) })
}
