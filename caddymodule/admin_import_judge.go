package caddymodule

import (
	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// takenText tells of a name that cannot be had, and not whose it is.
const takenText = "the name or e-mail address is, or once was, another account's"

// importRow is a line's account as it would be stored.
type importRow struct {
	line    int
	account account.Account
}

// judgeImport parts the accounts that can be made from the faults of all
// others: those of the file itself, of our rules, and of names that are taken.
func (o *operation) judgeImport(said importArguments) (good []importRow, faults []lineFault, err error) {
	owners, err := o.takenBefore(said.Accounts)
	if err != nil {
		return nil, nil, err
	}
	faults = append([]lineFault{}, said.Faults...)
	seen := map[string]int{} // identifiers of this file, and their lines
	for _, row := range said.Accounts {
		a, texts := o.judgeRow(row)
		if owners[a.Name] != "" || owners[a.Email] != "" {
			texts = append(texts, takenText)
		}
		if first := firstLine(seen, a, row.Line); first > 0 {
			texts = append(texts, refuseValue("its name or e-mail address is in line %d too", first).Error())
		}
		for _, text := range texts {
			faults = append(faults, lineFault{row.Line, text})
		}
		if len(texts) == 0 && !row.Faulty {
			good = append(good, importRow{row.Line, a})
		}
	}
	return good, byLine(faults), nil
}

// takenBefore asks whose the names and addresses are; most are nobody's. The
// transaction that stores them has the last word.
func (o *operation) takenBefore(rows []importedAccount) (map[string]account.ID, error) {
	var identifiers []string
	for _, row := range rows {
		for _, identifier := range []string{row.Name, account.NormaliseIdentifier(row.Email)} {
			if identifier != "" && len(identifier) <= account.MaxIdentifier {
				identifiers = append(identifiers, identifier)
			}
		}
	}
	return o.engine.durable.TakenIdentifiers(o.ctx, identifiers)
}

// judgeRow makes an account of a line, and tells everything that is wrong with
// it. Its name and address are there even when they are wrong.
func (o *operation) judgeRow(row importedAccount) (a account.Account, texts []string) {
	groups, _ := account.SplitGroups(row.Groups)
	a = account.Account{
		ID: account.ID(login.NewID()), Name: row.Name, Email: account.NormaliseIdentifier(row.Email), DisplayName: row.DisplayName,
		Groups: groups, Provider: row.Provider, Disabled: row.Disabled, Created: o.now,
	}
	checks := []error{checkName(row.Name), checkProfile(row.Email, "", nil), checkProfile("", row.DisplayName, nil)}
	for _, g := range row.Groups {
		checks = append(checks, checkProfile("", "", []string{g}))
	}
	checks = append(checks, o.mayBeAt(a))
	if row.PasswordHash != "" {
		checks = append(checks, checkImportedHash(row))
		a.PasswordHash, a.PasswordChanged = secret.New(row.PasswordHash), o.now
	}
	for _, err := range checks {
		if err != nil {
			texts = append(texts, err.Error())
		}
	}
	return a, texts
}

func checkImportedHash(row importedAccount) error {
	if row.Provider != "" {
		return refuseValue("it has a provider and a password hash: passwords are the provider's then; leave one of them out")
	}
	if err := factor.CheckImported(row.PasswordHash); err != nil {
		// The cause names the kind at most, never the hash.
		return refuseValue("%s; leave it out, and send the person a set-up link", err)
	}
	return nil
}

// firstLine is the line of this file that has the account's name or address
// already, 0 for none. Both are remembered for the lines that follow.
func firstLine(seen map[string]int, a account.Account, line int) (first int) {
	for _, identifier := range []string{a.Name, a.Email} {
		if first == 0 {
			first = seen[identifier]
		}
	}
	for _, identifier := range []string{a.Name, a.Email} {
		if identifier != "" && seen[identifier] == 0 {
			seen[identifier] = line
		}
	}
	return first
}
