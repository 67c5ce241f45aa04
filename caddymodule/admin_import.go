package caddymodule

import (
	"errors"
	"net/http"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// importArguments are the accounts of one file.
type importArguments struct {
	Accounts []importedAccount `json:"accounts"`
}

// importedAccount is an account as another system had it.
type importedAccount struct {
	Line         int      `json:"line"`
	Name         string   `json:"name"`
	Email        string   `json:"email,omitempty"`
	DisplayName  string   `json:"display_name,omitempty"`
	Groups       []string `json:"groups,omitempty"`
	Provider     string   `json:"provider,omitempty"`
	PasswordHash string   `json:"password_hash,omitempty"`
	Disabled     bool     `json:"disabled,omitempty"`
}

// imported is what `account import` tells.
type imported struct {
	Imported int `json:"imported"`
	// WithoutPassword cannot sign in before they get a set-up link. Who signs in
	// at a provider is not among them.
	WithoutPassword []string `json:"without_password"`
}

// importAccounts makes all accounts of a file or none, and tells every fault
// with its line.
func importAccounts(o *operation, said importArguments) (any, error) {
	if len(said.Accounts) == 0 {
		return nil, refuseValue("the file holds no account")
	}
	accounts, faults := o.readImport(said.Accounts)
	if len(faults) > 0 {
		return nil, importProblem(faults)
	}
	done := imported{Imported: len(accounts), WithoutPassword: []string{}}
	events := make([]audit.Event, 0, len(accounts))
	for _, a := range accounts {
		events = append(events, o.event(audit.AccountAdded, a))
		if a.PasswordHash.IsZero() && o.signsInAt(a) == "" {
			done.WithoutPassword = append(done.WithoutPassword, a.Name)
		}
	}
	taken, err := o.engine.durable.CreateAccounts(o.ctx, accounts, events...)
	if errors.Is(err, account.ErrTaken) {
		for _, i := range taken {
			faults = append(faults, lineFault{said.Accounts[i].Line, "the name or e-mail address is, or once was, another account's"})
		}
		return nil, importProblem(faults)
	}
	if err != nil {
		return nil, err
	}
	o.done(events...)
	return done, nil
}

func (o *operation) readImport(rows []importedAccount) (accounts []account.Account, faults []lineFault) {
	seen := map[string]int{} // identifiers of this file, and their lines
	for _, row := range rows {
		a, err := o.newAccount(addArguments{Name: row.Name, Email: row.Email, DisplayName: row.DisplayName, Groups: row.Groups, Provider: row.Provider})
		if err == nil && row.Provider != "" && row.PasswordHash != "" {
			err = refuseValue("it has a provider and a password hash: passwords are the provider's then; leave one of them out")
		}
		if err == nil && row.PasswordHash != "" {
			if err = factor.CheckImported(row.PasswordHash); err != nil {
				// The cause names the kind at most, never the hash.
				err = refuseValue("%s; leave it out, and send the person a set-up link", err)
			}
			a.PasswordHash, a.PasswordChanged = secret.New(row.PasswordHash), o.now
		}
		if err != nil {
			faults = append(faults, lineFault{row.Line, err.Error()})
		}
		if first := max(seen[a.Name], seen[a.Email]); first > 0 {
			faults = append(faults, lineFault{row.Line, refuseValue("its name or e-mail address is in line %d too", first).Error()})
		}
		for _, identifier := range []string{a.Name, a.Email} {
			if identifier != "" {
				seen[identifier] = row.Line
			}
		}
		a.Disabled = row.Disabled
		accounts = append(accounts, a)
	}
	return accounts, faults
}

func importProblem(faults []lineFault) error {
	return &problem{
		Status: http.StatusUnprocessableEntity, Lines: faults,
		Detail: "nothing was imported: mend these lines, or take them out",
	}
}

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
		if said.WithHashes {
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
