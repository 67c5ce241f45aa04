package login

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// SubmitIdentifier keeps who the person says they are, for the password page,
// or asks the provider that the identifier's domain belongs to. It looks
// nothing up: the next page is the same for every identifier of a domain.
func (m *Machine) SubmitIdentifier(ctx context.Context, f Flow, typed string) (Flow, error) {
	if f.Purpose != SignIn || f.Account != "" {
		return f, ErrNotNext
	}
	f.Identifier = clip(typed)
	identifier := account.NormaliseIdentifier(typed)
	if identifier == "" {
		return m.refuse(ctx, f, Problem{Field: "username", Key: "id.empty"})
	}
	if p, ok := m.Settings.ProviderOf(identifier); ok {
		return m.AskProvider(ctx, f, p.Name, false)
	}
	f.SSO, f.Problems, f.Notices = nil, nil, nil
	return m.Flows.SaveFlow(ctx, f)
}

// SubmitPassword checks a password and, when it is right, names the account in
// the flow. Whatever is wrong (no such account, disabled, managed elsewhere)
// costs the same work and reads the same (ASVS 6.3.8). The returned flow has
// Problems when the person has to try again.
func (m *Machine) SubmitPassword(ctx context.Context, c Client, f Flow, typed string, pw secret.Text) (Flow, error) {
	if f.Purpose != SignIn || f.Account != "" {
		return f, ErrNotNext
	}
	f.Identifier = clip(typed)
	identifier := account.NormaliseIdentifier(typed)
	var missing []Problem
	if identifier == "" {
		missing = append(missing, Problem{Field: "username", Key: "id.empty"})
	}
	if pw.IsZero() {
		missing = append(missing, Problem{Field: "password", Key: "pw.empty"})
	}
	if missing != nil {
		return m.unread(ctx, c, f, missing...)
	}
	began := m.Now() // comparing takes a while, in which the password may be changed
	a, problem, err := m.provePassword(ctx, c, identifier, pw)
	if err != nil {
		return f, err
	}
	if problem != nil {
		return m.refuse(ctx, f, *problem)
	}
	f.Account, f.PasswordAt, f.SSO = a.ID, m.Now(), nil
	f.Since, f.NeedsLink = sinceThen(a, began), a.EnrolByLink
	if f.Trusted, err = m.trustedBy(ctx, c, a); err != nil {
		return f, err
	}
	f.Problems, f.Notices = nil, nil
	return m.advance(ctx, f)
}

// provePassword counts the try, compares, and gives the try back when the
// password was right. It returns either the account or what to tell.
func (m *Machine) provePassword(ctx context.Context, c Client, identifier string, pw secret.Text) (account.Account, *Problem, error) {
	a, found, err := m.lookUp(ctx, identifier)
	if err != nil {
		return a, nil, err
	}
	// Hashed: what is typed is as long as a form, and in the form of a key.
	subject := fmt.Sprintf("identifier:%x", sha256.Sum256([]byte(identifier)))
	if found {
		subject = string(a.ID)
	}
	known := found && c.Knows(a)
	counts := m.passwordCounts(c, subject, known)
	taken, err := m.take(ctx, counts)
	if err != nil {
		return a, nil, m.limited(ctx, c, a, clip(identifier), err)
	}
	right, rehash, err := m.comparePassword(ctx, c, a, known, pw)
	if err != nil { // not the person's fault
		m.giveBack(ctx, taken)
		return a, nil, err
	}
	if !right || !m.usable(a) {
		m.recordRefusal(ctx, c, a, clip(identifier), right)
		return account.Account{}, &Problem{Field: "password", Key: "signin.failed", Left: taken.left()}, nil
	}
	m.giveBack(ctx, taken)
	// Only this network's counter is forgotten: a sign-in of the attacker's
	// own, or of the owner, never resets one that others fill (T35). Whoever
	// goes away while it is compared has given the right password all the same.
	if err := m.Limiter.Clear(context.WithoutCancel(ctx), counts[0].key); err != nil {
		return a, nil, err
	}
	m.Audit.Record(ctx, m.event(c, audit.PasswordRight, a))
	m.brokeGlass(ctx, c, a)
	if rehash {
		m.upgradeHash(ctx, c, a, pw)
	}
	return a, nil, nil
}

// brokeGlass raises the alarm of SPEC F2 where a listed account gets in here,
// whoever owns its domain.
func (m *Machine) brokeGlass(ctx context.Context, c Client, a account.Account) {
	if !m.Settings.IsBreakGlass(a) {
		return
	}
	e := m.event(c, audit.BreakGlassUsed, a)
	if provider := m.Settings.ManagedBy(a); provider != "" {
		e.Reason = "managed by " + provider
	}
	m.Audit.Record(ctx, e)
}

// usable reports whether a right password opens anything for the account.
func (m *Machine) usable(a account.Account) bool {
	return a.ID != "" && !a.Disabled && a.Locked.IsZero() && m.Settings.SignsInHere(a) && !a.PasswordHash.IsZero()
}

func (m *Machine) lookUp(ctx context.Context, identifier string) (account.Account, bool, error) {
	a, err := m.Accounts.AccountByIdentifier(ctx, identifier)
	if errors.Is(err, account.ErrNotFound) {
		return account.Account{}, false, nil
	}
	return a, err == nil, err
}

// comparePassword hashes exactly once, for unknown accounts too.
func (m *Machine) comparePassword(ctx context.Context, c Client, a account.Account, known bool, pw secret.Text) (right, rehash bool, err error) {
	encoded := a.PasswordHash.Reveal()
	if encoded == "" {
		encoded = factor.DummyHash(m.Settings.Password)
	}
	enter := m.Gate.Enter
	if factor.MemoryKiB(encoded, m.Settings.Password) > m.Settings.Password.MemoryKiB {
		enter = m.Gate.EnterHeavy
	}
	leave, err := enter(ctx, c.Network, known)
	if err != nil {
		if errors.Is(err, ErrBusy) {
			m.Audit.Record(ctx, m.event(c, audit.Busy, account.Account{}))
		}
		return false, false, err
	}
	defer leave()
	right, rehash, err = factor.VerifyPassword(encoded, pw, m.Settings.Password)
	if errors.Is(err, factor.ErrPasswordTooLong) {
		// Nobody has such a password; the work is done all the same, so that
		// its length tells nothing.
		_, _, err = factor.VerifyPassword(factor.DummyHash(m.Settings.Password), secret.New("x"), m.Settings.Password)
		return false, false, err
	}
	if errors.Is(err, factor.ErrHashUnusable) {
		// Compared, at full cost, with a hash that nothing fits: to the person
		// a wrong password, to the operator a damaged record.
		e := m.event(c, audit.StoreRecordRejected, a)
		e.Reason = "password hash"
		m.Audit.Record(ctx, e)
		return false, false, nil
	}
	return right, rehash, err
}

// recordRefusal tells the operator what the person is not told.
func (m *Machine) recordRefusal(ctx context.Context, c Client, a account.Account, subject string, right bool) {
	e := m.event(c, audit.PasswordWrong, a)
	switch {
	case a.ID == "":
		e.Subject, e.Reason = subject, "no such account"
	case right && a.Disabled:
		e.Name, e.Reason = audit.SignInRefused, "disabled"
	case right && !a.Locked.IsZero():
		e.Name, e.Reason = audit.SignInRefused, "locked by its owner"
	case right && !m.Settings.SignsInHere(a):
		e.Name, e.Reason = audit.SignInRefused, "managed by "+m.Settings.ManagedBy(a)
	case a.PasswordHash.IsZero():
		e.Reason = "no password chosen yet"
	}
	m.Audit.Record(ctx, e)
}

// upgradeHash replaces an imported or weaker hash after a right password. A
// failure leaves the old hash, which still works.
func (m *Machine) upgradeHash(ctx context.Context, c Client, a account.Account, pw secret.Text) {
	leave, err := m.Gate.Enter(ctx, c.Network, true)
	if err != nil {
		return
	}
	hash, err := factor.HashPassword(pw, m.Settings.Password)
	leave()
	if err != nil {
		return
	}
	old := a.PasswordHash
	e := m.event(c, audit.PasswordUpgraded, a)
	err = m.Changer.ChangeAccount(ctx, a.ID, m.Now(), false, func(a *account.Account) error {
		if !a.PasswordHash.Equal(old) {
			return ErrConflict // chosen anew meanwhile
		}
		a.PasswordHash = secret.New(hash)
		return nil
	}, e)
	if err == nil {
		m.Audit.Written(ctx, e)
	}
}

// clip bounds what is kept of a typed identifier.
func clip(s string) string {
	if r := []rune(s); len(r) > account.MaxIdentifier {
		return string(r[:account.MaxIdentifier])
	}
	return s
}
