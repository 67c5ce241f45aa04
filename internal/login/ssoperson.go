package login

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// personOf finds the account of whom a provider asserts, or makes it. Who
// somebody is, the pair of provider and NameID says, and nothing else (SPEC
// F4): an address or a name only ever leads to an account that the provider
// owns by its domain, or that the operator gave it.
func (m *Machine) personOf(ctx context.Context, c Client, p Provider, as Asserted) (account.Account, error) {
	id := account.Identity{Entity: as.SSO.Entity, NameID: as.SSO.NameID}
	for again := true; ; again = false {
		a, err := m.Identities.AccountByIdentity(ctx, id)
		if err == nil {
			return m.returning(ctx, c, p, as, a)
		}
		if !errors.Is(err, account.ErrNotFound) {
			return account.Account{}, err
		}
		a, err = m.firstTime(ctx, c, p, as, id)
		if errors.Is(err, account.ErrTaken) && again {
			continue // another request was faster, or somebody took the name
		}
		if errors.Is(err, account.ErrTaken) {
			err = &SSORefused{Reason: "name_taken", Detail: "the name or address is, or was, another account's"}
		}
		return a, err
	}
}

// mayPass refuses accounts that a provider cannot open, known ones or found.
func (m *Machine) mayPass(a account.Account) error {
	switch {
	case a.Disabled:
		return &SSORefused{Reason: "account_disabled", Detail: a.Name + " is disabled"}
	case !a.Locked.IsZero():
		return &SSORefused{Reason: "account_locked", Detail: a.Name + ` is locked, because its owner said "This wasn't me"; ` + "`sallyport account unlock " + a.Name + "` opens it"}
	case m.Settings.IsBreakGlass(a):
		// Else a provider in wrong hands had the accounts that are left when
		// it fails.
		return &SSORefused{Reason: "break_glass", Detail: a.Name + " is in `break_glass`: it signs in here, and never at a provider"}
	}
	return nil
}

func movedAway(a account.Account) error {
	return &SSORefused{Reason: "other_provider", Detail: fmt.Sprintf("%s belongs to provider %q", a.Name, a.Provider)}
}

// returning is somebody whose identity is known: their account gets what the
// provider says of them now.
func (m *Machine) returning(ctx context.Context, c Client, p Provider, as Asserted, a account.Account) (account.Account, error) {
	if err := m.mayPass(a); err != nil {
		return a, err
	}
	if a.Provider != p.Name {
		return a, movedAway(a)
	}
	update := m.profile(ctx, c, p, as, a)
	if same(a, update) {
		return a, nil
	}
	e := m.event(c, audit.AccountUpdatedBySSO, a)
	e.Method = p.Name
	change := func(now *account.Account) error {
		if now.Provider != a.Provider {
			return movedAway(*now)
		}
		takeOver(now, a, update)
		return nil
	}
	err := m.Changer.ChangeAccount(ctx, a.ID, m.Now(), false, change, e)
	if errors.Is(err, account.ErrTaken) { // the address is another's: all but that
		m.dropEmail(ctx, c, p, a, update.Email, "another account has or had it")
		update.Email = a.Email
		err = m.Changer.ChangeAccount(ctx, a.ID, m.Now(), false, change, e)
	}
	if err != nil {
		return a, err
	}
	m.Audit.Written(ctx, e)
	_ = m.Revoke(ctx) // tells the nodes; rows stay until done
	return m.Accounts.Account(ctx, a.ID)
}

// takeOver changes in the account what the provider says otherwise than it was
// read. What it says nothing of may have been changed by an operator meanwhile.
func takeOver(now *account.Account, read, update account.Account) {
	if update.Email != read.Email {
		now.Email = update.Email
	}
	if update.DisplayName != read.DisplayName {
		now.DisplayName = update.DisplayName
	}
	if !slices.Equal(update.Groups, read.Groups) {
		now.Groups = update.Groups
	}
}

func same(a, b account.Account) bool {
	return a.Email == b.Email && a.DisplayName == b.DisplayName && slices.Equal(a.Groups, b.Groups)
}

// firstTime is somebody whose identity is not known: an account that is
// theirs already gets it, else they get one.
func (m *Machine) firstTime(ctx context.Context, c Client, p Provider, as Asserted, id account.Identity) (account.Account, error) {
	a, found, err := m.theirs(ctx, p, as)
	if err != nil {
		return a, err
	}
	if found {
		return m.link(ctx, c, p, as, id, a)
	}
	if !p.CreateAccounts {
		return a, &SSORefused{Reason: "no_account", Detail: "nobody here is that person, and `create_accounts` is off"}
	}
	name, err := m.newName(p, as)
	if err != nil {
		return a, err
	}
	a = account.Account{ID: account.ID(NewID()), Name: name, Provider: p.Name, Created: m.Now()}
	a = m.profile(ctx, c, p, as, a)
	e := m.event(c, audit.AccountMadeBySSO, a)
	e.Method = p.Name
	err = m.Identities.CreateWithIdentity(ctx, id, a, e)
	if errors.Is(err, account.ErrTaken) && a.Email != "" && a.Email != a.Name {
		// Nobody loses their sign-in over an address that is another's.
		email := a.Email
		a.Email = ""
		if err = m.Identities.CreateWithIdentity(ctx, id, a, e); err == nil {
			m.dropEmail(ctx, c, p, a, email, "another account has or had it")
		}
	}
	if err != nil {
		return a, err
	}
	m.Audit.Written(ctx, e)
	return m.Accounts.Account(ctx, a.ID)
}

// theirs finds the account that an unknown identity may have: by the asserted
// address, or by the asserted name where the operator gave the account to this
// very provider.
func (m *Machine) theirs(ctx context.Context, p Provider, as Asserted) (account.Account, bool, error) {
	type by struct {
		identifier string
		owned      bool // the provider owns whatever is called that
	}
	email := as.email()
	ways := []by{{email, p.Owns(email)}}
	if other := otherSpelling(email); p.Owns(other) {
		ways = append(ways, by{other, true})
	}
	for _, by := range append(ways, by{AssertedIdentifier(as.User), false}) {
		if by.identifier == "" {
			continue
		}
		a, found, err := m.lookUp(ctx, by.identifier)
		if err != nil {
			return a, false, err
		}
		if found && (a.Provider == p.Name || by.owned && a.Provider == "") {
			return a, true, m.mayPass(a)
		}
		if found && by.owned {
			return a, false, movedAway(a)
		}
	}
	return account.Account{}, false, nil
}

// link gives an account that is the provider's already to the identity.
func (m *Machine) link(ctx context.Context, c Client, p Provider, as Asserted, id account.Identity, a account.Account) (account.Account, error) {
	others, err := m.Identities.IdentitiesOf(ctx, a.ID)
	if err != nil {
		return a, err
	}
	if len(others) > 0 {
		// An address that the provider gave to somebody new does not give
		// them what was the old one's.
		return a, &SSORefused{Reason: "other_identity", Detail: a.Name + " is another person of this provider; `sallyport account set " + a.Name + " --sso " + p.Name + "` forgets that"}
	}
	update := m.profile(ctx, c, p, as, a)
	if a.Email != "" {
		update.Email = a.Email
	}
	e := m.event(c, audit.IdentityLinked, a)
	e.Method = p.Name
	err = m.Identities.LinkIdentity(ctx, id, a.ID, m.Now(), func(now *account.Account) error {
		// What an operator decided since it was read stands.
		if now.Provider != a.Provider || now.Email != a.Email {
			return movedAway(*now)
		}
		if err := m.mayPass(*now); err != nil {
			return err
		}
		now.Provider = p.Name
		takeOver(now, a, update)
		return nil
	}, e)
	if err != nil {
		return a, err
	}
	m.Audit.Written(ctx, e)
	_ = m.Revoke(ctx)
	return m.Accounts.Account(ctx, a.ID)
}

// profile is the account with what the provider says of it: an address only of
// a domain that is the provider's (`allow email_domain` decides by it), groups
// under their local names, each as far as the configuration reads it.
func (m *Machine) profile(ctx context.Context, c Client, p Provider, as Asserted, a account.Account) account.Account {
	if email := as.email(); email != "" && email != a.Email {
		switch {
		case !p.Owns(email):
			m.dropEmail(ctx, c, p, a, email, "its domain is not one of the provider's `domains`")
		case slices.Contains(m.Settings.BreakGlass, email):
			m.dropEmail(ctx, c, p, a, email, "it is in `break_glass`")
		default:
			a.Email = email
		}
	}
	if as.Name != "" {
		a.DisplayName = displayName(as.Name)
	}
	if as.HasGroups {
		var dropped []string
		a.Groups, dropped = account.SplitGroups(localGroups(p, as.Groups))
		if len(dropped) > 0 {
			e := m.event(c, audit.GroupDropped, a)
			e.Method, e.Reason = p.Name, fmt.Sprintf("%.500q", dropped)
			m.Audit.Record(ctx, e)
		}
	}
	return a
}

func localGroups(p Provider, theirs []string) []string {
	local := make([]string, 0, len(theirs))
	for _, g := range theirs {
		name, mapped := p.Groups[g]
		if !mapped {
			name = p.Name + ":" + g
		}
		local = append(local, name)
	}
	return local
}

func (m *Machine) dropEmail(ctx context.Context, c Client, p Provider, a account.Account, email, why string) {
	e := m.event(c, audit.EmailDropped, a)
	e.Method, e.Reason = p.Name, fmt.Sprintf("%.254q: %s", email, why)
	m.Audit.Record(ctx, e)
}

// AssertedIdentifier is a name or address of a provider's as identifiers are.
// Only letters of ASCII have no case there: "" for a text that becomes another
// one here by more than that (full width, ligatures, blanks around it). To the
// provider it is somebody else than whoever has the plain spelling.
func AssertedIdentifier(text string) string {
	lower := strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, text)
	if lower != account.NormaliseIdentifier(text) {
		return ""
	}
	return lower
}

// email is the asserted address as identifiers are, "" for none that is one.
func (as Asserted) email() string {
	email := AssertedIdentifier(as.Email)
	if account.CheckEmail(email) != nil {
		return ""
	}
	return email
}

// otherSpelling is an address with its domain as letters in place of an A-label,
// or the reverse (RFC 5890): accounts are kept as somebody wrote them.
func otherSpelling(email string) string {
	local, domain, _ := strings.Cut(email, "@")
	plain, err := idna.Lookup.ToASCII(domain)
	if err == nil && plain == domain {
		plain, err = idna.Lookup.ToUnicode(domain)
	}
	if err != nil || plain == domain {
		return ""
	}
	return account.NormaliseIdentifier(local + "@" + plain)
}

// maxDisplayName is in characters.
const maxDisplayName = 128

func displayName(name string) string {
	name = strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f }), " ")
	return strings.TrimSpace(string([]rune(name)[:min(len([]rune(name)), maxDisplayName)]))
}

// newName is what apps will know somebody by for good: the configured
// attribute, or the NameID, or the address, whichever comes first and may be a
// name; else one that is made of the identity. A name with an @ has to be of
// the provider's domains.
func (m *Machine) newName(p Provider, as Asserted) (string, error) {
	usable := func(name string) bool {
		return account.CheckName(name) == nil && !slices.Contains(m.Settings.BreakGlass, name) &&
			(!strings.Contains(name, "@") || p.Owns(name))
	}
	if p.Attributes.User != "" {
		name := AssertedIdentifier(as.User)
		if !usable(name) {
			return "", &SSORefused{Reason: "bad_user", Detail: fmt.Sprintf("the attribute %q has %.130q, which is no name that this provider may give", p.Attributes.User, as.User)}
		}
		return name, nil
	}
	for _, candidate := range []string{AssertedIdentifier(as.SSO.NameID), as.email()} {
		if usable(candidate) {
			return candidate, nil
		}
	}
	sum := sha256.Sum256([]byte(as.SSO.Entity + "\x00" + as.SSO.NameID))
	return p.Name + "." + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:10])), nil
}
