package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Trust is what the cookie of a remembered browser carries: which record it is
// of, and a secret that the next use replaces. It prints as [redacted].
//
// It stands in for a second factor when its owner signs in with the password,
// and for nothing else: not for the password, and not for a proof that a change
// to the account asks for (SPEC B4). NIST SP 800-63B-4 would have it end with
// the overall time-out of a session; that it lives longer is why it is off
// unless an operator turns it on.
type Trust struct {
	ID      string
	Account account.ID
	secret  [32]byte
}

func (Trust) String() string   { return "[redacted]" }
func (Trust) GoString() string { return "[redacted]" }

func newTrust(id string, a account.ID) Trust {
	t := Trust{ID: id, Account: a}
	rand.Read(t.secret[:]) //nolint:errcheck // never fails since Go 1.24
	return t
}

func (t Trust) hash() [32]byte { return sha256.Sum256(t.secret[:]) }

// Marshal gives the text that the cookie seals.
func (t Trust) Marshal() []byte {
	return []byte(t.ID + "." + string(t.Account) + "." + hex.EncodeToString(t.secret[:]))
}

// ParseTrust reads what Marshal made.
func ParseTrust(text []byte) (Trust, error) {
	parts := strings.Split(string(text), ".")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || len(parts[2]) != hex.EncodedLen(32) {
		return Trust{}, errors.New("not a remembered browser")
	}
	t := Trust{ID: parts[0], Account: account.ID(parts[1])}
	_, err := hex.Decode(t.secret[:], []byte(parts[2]))
	return t, err
}

// trustedBy returns the id of the record that the browser's cookie is of, if it
// stands in for a second factor of the account now; "" otherwise. It spends
// nothing: Finish does. A secret that was replaced ends its record.
func (m *Machine) trustedBy(ctx context.Context, c Client, a account.Account) (string, error) {
	if c.Trust == nil || c.Trust.Account != a.ID || m.Settings.TrustBrowser <= 0 {
		return "", nil
	}
	all, err := m.Trusts.TrustedBrowsers(ctx, a.ID, m.Now())
	if err != nil {
		return "", err
	}
	want := c.Trust.hash()
	for _, t := range all {
		switch {
		case t.ID != c.Trust.ID || t.Created.Before(a.SessionsValidFrom):
			continue
		case subtle.ConstantTimeCompare(t.Hash[:], want[:]) == 1:
			return t.ID, nil
		}
		// The secret was used by somebody, of whom this one is a copy or the
		// original: see UseTrust.
		if err := m.Trusts.EndTrust(ctx, a.ID, t.ID); err != nil && !errors.Is(err, account.ErrNotFound) {
			return "", err
		}
	}
	return "", nil
}

// spendTrust ends a sign-in's second step: with the factor that was proved, and
// then this browser may be remembered; or with the browser that was remembered,
// whose secret is replaced. It returns the level that was reached.
func (m *Machine) spendTrust(ctx context.Context, c Client, f *Flow, a account.Account, fs account.Factors) (*Trust, session.Level, error) {
	switch {
	case f.FactorAt.IsZero() && f.trusts(fs):
		t, err := m.useTrust(ctx, c, f)
		return t, session.LevelSecondFactor, err
	case f.Remember && !f.FactorAt.IsZero() && m.Settings.TrustBrowser > 0 && f.SSO == nil:
		t, err := m.rememberBrowser(ctx, c, a, f.Since)
		return t, f.Level(), err
	}
	return nil, f.Level(), nil
}

// useTrust replaces the secret. One that was used meanwhile proves nothing: the
// flow then waits for a factor.
func (m *Machine) useTrust(ctx context.Context, c Client, f *Flow) (*Trust, error) {
	if c.Trust == nil || c.Trust.ID != f.Trusted || c.Trust.Account != f.Account {
		return nil, m.distrust(ctx, f)
	}
	next := newTrust(f.Trusted, f.Account)
	err := m.Trusts.UseTrust(ctx, TrustUse{
		ID: f.Trusted, Account: f.Account, Hash: c.Trust.hash(), Next: next.hash(), At: m.Now(), Browser: c.agent(), Network: c.Network,
	})
	if errors.Is(err, account.ErrNotFound) {
		return nil, m.distrust(ctx, f)
	}
	return &next, err
}

func (m *Machine) distrust(ctx context.Context, f *Flow) error {
	f.Trusted = ""
	saved, err := m.Flows.SaveFlow(ctx, *f)
	if err != nil {
		return err
	}
	*f = saved
	return ErrNotNext
}

// rememberBrowser makes a record in place of one that the browser had, as old as
// the proofs that it is made by.
func (m *Machine) rememberBrowser(ctx context.Context, c Client, a account.Account, since time.Time) (*Trust, error) {
	if c.Trust != nil && c.Trust.Account == a.ID {
		if err := m.Trusts.EndTrust(ctx, a.ID, c.Trust.ID); err != nil && !errors.Is(err, account.ErrNotFound) {
			return nil, err
		}
	}
	t := newTrust(NewID(), a.ID)
	e := m.event(c, audit.BrowserTrusted, a)
	err := m.Trusts.TrustBrowser(ctx, account.TrustedBrowser{
		ID: t.ID, Account: a.ID, Hash: t.hash(), Created: since, Expires: m.Now().Add(m.Settings.TrustBrowser), Browser: c.agent(), Network: c.Network,
	}, e)
	if errors.Is(err, account.ErrEnded) {
		return nil, ErrNoFlow
	}
	if err != nil {
		return nil, err
	}
	m.Audit.Written(ctx, e)
	return &t, nil
}

// ForgetBrowser makes one of the owner's remembered browsers ask again.
// account.ErrNotFound when there is no such.
func (m *Machine) ForgetBrowser(ctx context.Context, c Client, p Person, id string) error {
	if id == "" {
		return account.ErrNotFound
	}
	e := m.event(c, audit.TrustEnded, p.Account)
	if err := m.Trusts.EndTrust(ctx, p.Account.ID, id, e); err != nil {
		return err
	}
	m.Audit.Written(ctx, e)
	return nil
}
