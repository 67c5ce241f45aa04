package caddymodule

import (
	"errors"
	"net/http"
	"slices"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// maxImport is how many accounts one import makes: one transaction, for which
// a single node's database writes nothing else (a second, usually).
const maxImport = 10_000

// importArguments are the accounts of one file.
type importArguments struct {
	Accounts []importedAccount `json:"accounts"`
	// Faults are what the command could not read of the file.
	Faults     []lineFault `json:"faults,omitempty"`
	DryRun     bool        `json:"dry_run,omitempty"`
	SkipFaulty bool        `json:"skip_faulty,omitempty"`
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
	// Faulty: a value of it could not be read, which is among the faults. The
	// others are judged, and it is not imported.
	Faulty bool `json:"faulty,omitempty"`
}

// imported is what `account import` tells.
type imported struct {
	DryRun bool `json:"dry_run"`
	// Imported is how many accounts were made; in a dry run, how many are
	// without a fault.
	Imported int `json:"imported"`
	// WithoutPassword cannot sign in before they get a set-up link. Who signs in
	// at a provider is not among them.
	WithoutPassword []string `json:"without_password"`
	// Faults are of the lines that were left out.
	Faults []lineFault `json:"faults"`
}

// importAccounts makes all accounts of a file or none, and tells every fault
// with its line; or, where the operator asked for that, those without one.
func importAccounts(o *operation, said importArguments) (any, error) {
	switch n := len(said.Accounts); {
	case n == 0 && len(said.Faults) == 0:
		return nil, refuseValue("the file holds no account")
	case n > maxImport || len(said.Faults) > maxImport:
		return nil, refuseValue("an import makes at most %d accounts: split the file", maxImport)
	}
	good, faults, err := o.judgeImport(said)
	if err != nil {
		return nil, err
	}
	told := o.toldOf(good, faults)
	if said.DryRun {
		told.DryRun = true
		o.record(operatorRead)
		return told, nil
	}
	if len(good) == 0 || len(faults) > 0 && !said.SkipFaulty {
		return nil, importProblem(faults)
	}
	return told, o.createImported(good)
}

// createImported is the transaction.
func (o *operation) createImported(good []importRow) error {
	accounts, events := make([]account.Account, len(good)), make([]audit.Event, len(good))
	for i, row := range good {
		accounts[i], events[i] = row.account, o.event(audit.AccountAdded, row.account)
	}
	taken, err := o.engine.durable.CreateAccounts(o.ctx, accounts, events...)
	if errors.Is(err, account.ErrTaken) { // by somebody else, since it was judged
		var faults []lineFault
		for _, i := range taken {
			faults = append(faults, lineFault{good[i].line, takenText})
		}
		return importProblem(faults)
	}
	if err == nil {
		o.done(events...)
	}
	return err
}

func (o *operation) toldOf(good []importRow, faults []lineFault) imported {
	told := imported{Imported: len(good), WithoutPassword: []string{}, Faults: faults}
	for _, row := range good {
		if a := row.account; a.PasswordHash.IsZero() && o.signsInAt(a) == "" {
			told.WithoutPassword = append(told.WithoutPassword, a.Name)
		}
	}
	return told
}

func importProblem(faults []lineFault) error {
	return &problem{
		Status: http.StatusUnprocessableEntity, Lines: faults,
		Detail: "nothing was imported: mend these lines, or take them out",
	}
}

// byLine sorts faults as their file has them.
func byLine(faults []lineFault) []lineFault {
	slices.SortStableFunc(faults, func(a, b lineFault) int { return a.Line - b.Line })
	return faults
}
