package caddymodule

import (
	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// exportArguments say whether password hashes come too.
type exportArguments struct {
	WithHashes bool `json:"with_hashes,omitempty"`
}

// exportAccounts gives all accounts. With their hashes it is as secret as the
// database; without second factors it is no backup.
func exportAccounts(o *operation, said exportArguments) (any, error) {
	all, err := o.engine.durable.ListAccounts(o.ctx)
	if err != nil {
		return nil, err
	}
	list := accountListView{Accounts: []accountView{}}
	for _, a := range all {
		v := o.view(a)
		// Whoever belongs to a provider has one from before at most, which opens
		// nothing and cannot be imported. That of who said "This wasn't me" opens
		// nothing here, but would where it is imported.
		if said.WithHashes && a.Provider == "" && a.Locked.IsZero() {
			v.PasswordHash = a.PasswordHash.Reveal()
		}
		list.Accounts = append(list.Accounts, v)
	}
	e := o.event(audit.AccountsExported, account.Account{})
	if said.WithHashes {
		e.Subject = "with password hashes"
	}
	o.engine.Record(o.ctx, e)
	return list, nil
}
