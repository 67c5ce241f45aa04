package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

const selectAccount = `SELECT a.id, a.name, a.email, a.display_name, a.group_names,
	a.password_hash, a.password_changed, a.provider, a.disabled,
	a.generation, a.sessions_valid_from, a.created, a.last_sign_in, a.last_method, a.enrol_by_link, a.locked, a.language
	FROM accounts a `

const (
	selectAccountByID   = selectAccount + `WHERE a.id = $1`
	selectAccountsAfter = selectAccount + `WHERE a.name > $1 ORDER BY a.name LIMIT $2`
	// The second condition leaves out what the account was called once.
	selectAccountByIdentifier = selectAccount + `JOIN identifiers i ON i.account = a.id
		WHERE i.identifier = $1 AND (a.name = $1 OR a.email = $1)`
)

func selectAccountsByID(n int) string { return selectAccount + `WHERE a.id IN (` + places(1, n) + `)` }

// row is one row of a result.
type row interface{ Scan(...any) error }

func scanAccount(r row) (account.Account, error) {
	var a account.Account
	var hash string
	err := r.Scan(&a.ID, &a.Name, &a.Email, &a.DisplayName, list{&a.Groups},
		&hash, stamp{&a.PasswordChanged}, &a.Provider, flag{&a.Disabled},
		&a.Generation, stamp{&a.SessionsValidFrom}, stamp{&a.Created}, stamp{&a.LastSignIn}, &a.LastMethod, flag{&a.EnrolByLink}, stamp{&a.Locked}, &a.Language)
	if errors.Is(err, sql.ErrNoRows) {
		return a, refuse(account.ErrNotFound)
	}
	if err != nil {
		return account.Account{}, err
	}
	if a.ID == "" || account.CheckName(a.Name) != nil || a.Generation < 1 {
		return account.Account{}, corrupt("account %q has name %q and generation %d", a.ID, a.Name, a.Generation)
	}
	if hash != "" {
		a.PasswordHash = secret.New(hash)
	}
	return a, nil
}

// AccountByIdentifier implements login.Accounts.
func (s *Store) AccountByIdentifier(ctx context.Context, identifier string) (a account.Account, err error) {
	if identifier == "" || !storable(identifier) {
		return a, account.ErrNotFound
	}
	err = s.db.view(ctx, "finding an account", func(ctx context.Context, q querier) error {
		a, err = scanAccount(q.QueryRowContext(ctx, selectAccountByIdentifier, identifier))
		return err
	})
	return a, err
}

// Account implements login.Accounts.
func (s *Store) Account(ctx context.Context, id account.ID) (a account.Account, err error) {
	err = s.db.view(ctx, "reading an account", func(ctx context.Context, q querier) error {
		a, err = scanAccount(q.QueryRowContext(ctx, selectAccountByID, id))
		return err
	})
	return a, err
}

// AccountsOfIDs implements session.Accounts.
func (s *Store) AccountsOfIDs(ctx context.Context, ids []account.ID) (map[account.ID]account.Account, error) {
	found := map[account.ID]account.Account{}
	if len(ids) == 0 {
		return found, nil
	}
	values := filled(ids)
	err := s.db.view(ctx, "reading accounts", func(ctx context.Context, q querier) error {
		clear(found)
		return each(ctx, q, func(rows *sql.Rows) error {
			a, err := scanAccount(rows)
			found[a.ID] = a
			return err
		}, selectAccountsByID(len(values)), values...)
	})
	return found, err
}

// AccountsAfter returns at most limit accounts by name, from the first whose
// name is greater than after: "" gives the first page, the last name of a page
// the next one. Names are compared byte by byte, by their index.
func (s *Store) AccountsAfter(ctx context.Context, after string, limit int) (page []account.Account, err error) {
	err = s.db.view(ctx, "listing accounts", func(ctx context.Context, q querier) error {
		page = nil
		return each(ctx, q, func(rows *sql.Rows) error {
			a, err := scanAccount(rows)
			page = append(page, a)
			return err
		}, selectAccountsAfter, after, limit)
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// Empty reports whether no account was ever made here.
func (s *Store) Empty(ctx context.Context) (empty bool, err error) {
	err = s.db.view(ctx, "looking for accounts", func(ctx context.Context, q querier) error {
		empty, err = noAccounts(ctx, q)
		return err
	})
	return empty, err
}

// noAccounts counts deleted ones too: what they left may be sealed.
func noAccounts(ctx context.Context, q querier) (bool, error) {
	var some bool
	err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM identifiers)`).Scan(&some)
	return !some, err
}

// CreateAccount stores a new account and writes its events with it.
// account.ErrTaken when its name or e-mail address is, or once was, another
// account's name or e-mail address; account.ErrName, or an error of
// account.CheckEmail, for one that nobody may have. Its generation begins
// at 1.
func (s *Store) CreateAccount(ctx context.Context, a account.Account, events ...audit.Event) error {
	if err := checkNew(a); err != nil {
		return err
	}
	return s.db.change(ctx, "creating an account", func(ctx context.Context, q querier) error {
		if err := create(ctx, q, a); err != nil {
			return err
		}
		return insertEvents(ctx, q, events)
	})
}

// checkNew refuses what needs no look into the database.
func checkNew(a account.Account) error {
	if a.ID == "" {
		return errors.New("an account needs an id")
	}
	if err := account.CheckName(a.Name); err != nil {
		return err
	}
	return checkEmail(a.Email)
}

// create claims the account's name and address and stores it.
func create(ctx context.Context, q querier, a account.Account) error {
	if err := claim(ctx, q, a.ID, a.Name); err != nil {
		return err
	}
	if err := claim(ctx, q, a.ID, a.Email); err != nil {
		return err
	}
	return insertAccounts(ctx, q, []account.Account{a})
}

// checkEmail refuses an address that sign-in could not find again, because
// it looks for the normalised form.
func checkEmail(email string) error {
	if email == "" {
		return nil
	}
	if email != account.NormaliseIdentifier(email) {
		return errors.New("the e-mail address is not normalised")
	}
	return account.CheckEmail(email)
}

// claim makes identifier the account's for ever, or refuses it.
func claim(ctx context.Context, q querier, id account.ID, identifier string) error {
	if identifier == "" {
		return nil
	}
	if _, err := q.ExecContext(ctx, `INSERT INTO identifiers (identifier, account) VALUES ($1, $2)
		ON CONFLICT (identifier) DO NOTHING`, identifier, id); err != nil {
		return err
	}
	var owner account.ID
	if err := q.QueryRowContext(ctx, `SELECT account FROM identifiers WHERE identifier = $1`, identifier).Scan(&owner); err != nil {
		return err
	}
	if owner != id {
		return refuse(account.ErrTaken)
	}
	return nil
}

// insertAccounts stores at most a batch of accounts.
func insertAccounts(ctx context.Context, q querier, all []account.Account) error {
	var values []any
	for _, a := range all {
		groups, err := encodeGroups(a.Groups)
		if err != nil {
			return err
		}
		values = append(values, a.ID, a.Name, a.Email, a.DisplayName, groups,
			a.PasswordHash.Reveal(), micros(a.PasswordChanged), a.Provider, a.Disabled,
			max(a.Generation, 1), micros(a.SessionsValidFrom), micros(a.Created), micros(a.LastSignIn), a.LastMethod, a.EnrolByLink,
			micros(a.Locked), cleaned(a.Language))
	}
	_, err := q.ExecContext(ctx, `INSERT INTO accounts (id, name, email, display_name, group_names,
		password_hash, password_changed, provider, disabled,
		generation, sessions_valid_from, created, last_sign_in, last_method, enrol_by_link, locked, language)
		VALUES `+tuples(len(all), 17), values...)
	return err
}

func encodeGroups(groups []string) (string, error) {
	if groups == nil {
		groups = []string{}
	}
	return encode(groups)
}

// DeleteAccount removes the account with its factors, codes, links and
// identities, and
// leaves the work of ending its sessions. Its name and e-mail addresses stay
// taken for ever, and what the audit says of it stays too.
func (s *Store) DeleteAccount(ctx context.Context, id account.ID, events ...audit.Event) error {
	return s.db.change(ctx, "deleting an account", func(ctx context.Context, q querier) error {
		n, err := affected(ctx, q, `DELETE FROM accounts WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return refuse(account.ErrNotFound)
		}
		if err := insertRevocation(ctx, q, id, true); err != nil {
			return err
		}
		return insertEvents(ctx, q, events)
	})
}
