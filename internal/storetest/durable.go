package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// DurableStore is what every durable engine offers.
type DurableStore interface {
	login.Accounts
	session.Accounts
	login.SignIns
	login.Prover
	login.Changer
	login.Links
	login.Revocations
	login.Identities
	login.Trusts
	login.APIKeys
	login.Mails
	login.History
	audit.Writer

	CreateAccount(ctx context.Context, a account.Account, events ...audit.Event) error
	AccountsAfter(ctx context.Context, after string, limit int) ([]account.Account, error)
	AccountsByLookup(ctx context.Context, hashes [][]byte) ([]account.Account, error)
	DeleteAccount(ctx context.Context, id account.ID, events ...audit.Event) error
	CreateLink(ctx context.Context, l account.Link, events ...audit.Event) error
	ClaimMails(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]account.Mail, error)
	SealMail(ctx context.Context, id string, sealed []byte, l account.Link) error
	KeepMail(ctx context.Context, id string, due time.Time, unsure bool) error
	EndMail(ctx context.Context, id string, events ...audit.Event) error
	UnlockFactors(ctx context.Context, id account.ID, events ...audit.Event) error
	BindRing(ctx context.Context, fingerprint string) error
	CheckMarks(ctx context.Context, marks []keyring.Mark) error
	KeepMarks(ctx context.Context, marks []keyring.Mark) error
	SavedMetadata(ctx context.Context, provider string) (source string, document []byte, fetched time.Time, err error)
	SaveMetadata(ctx context.Context, provider, source string, document []byte, fetched time.Time) error
	Empty(ctx context.Context) (bool, error)
}

// Durable is a durable store, and a way to read its audit: the events about
// one account, newest first.
type Durable struct {
	DurableStore
	EventsOf func(ctx context.Context, account string) ([]audit.Event, error)
}

func newAccount(name string, created time.Time) account.Account {
	return account.Account{
		ID: newAccountID(), Name: name, Email: name + "@example.com", DisplayName: "Ä " + name,
		Groups: []string{"staff", "ops"}, PasswordHash: secret.New("$argon2id$" + name),
		PasswordChanged: created, Generation: 1, Created: created,
	}
}

// withAccount makes one account in a new store.
func withAccount(t *testing.T, s Durable) account.Account {
	t.Helper()
	a := newAccount("alice", start())
	must(t, s.CreateAccount(deadline(t), a))
	return a
}

func newApp(owner account.ID, created time.Time) account.Factor {
	return account.Factor{
		ID: newID(), Account: owner, Kind: account.KindApp, Label: "Phone", Created: created, Sealed: []byte{0, 1, 0xff},
	}
}

// newPhone has a keyed hash that no other number has.
func newPhone(owner account.ID, created time.Time) account.Factor {
	hash := newHash()
	return account.Factor{
		ID: newID(), Account: owner, Kind: account.KindPhone, Created: created,
		Sealed: []byte("number"), Lookup: hash[:], LookupKey: 1,
	}
}

func newSet(owner account.ID, created time.Time) (set account.Factor, hashes [][32]byte) {
	for range 10 {
		hashes = append(hashes, newHash())
	}
	return account.Factor{
		ID: newID(), Account: owner, Kind: account.KindBackup, Created: created, Salt: []byte("salt"), Pepper: 1<<32 - 1,
	}, hashes
}

func event(name audit.Name, a account.ID) audit.Event {
	return audit.Event{Time: start(), Name: name, Account: string(a)}
}

// wantFactors wants exactly these factors, in order of enrolment.
func wantFactors(t testing.TB, s Durable, a account.ID, want ...account.Factor) {
	t.Helper()
	got, err := s.Factors(deadline(t), a)
	must(t, err)
	wantEqual(t, got, account.Factors(want))
}

// wantEvents compares the names of the account's events, newest first.
func wantEvents(t *testing.T, s Durable, a account.ID, want ...audit.Name) {
	t.Helper()
	events, err := s.EventsOf(deadline(t), string(a))
	must(t, err)
	var got []audit.Name
	for _, e := range events {
		got = append(got, e.Name)
	}
	wantEqual(t, got, want)
}

// wantRevocations takes away the revocations there are, and wants these, in
// short: the account's generation and whether its sessions end.
func wantRevocations(t *testing.T, s Durable, a account.ID, sessions ...bool) {
	t.Helper()
	ctx := deadline(t)
	all, err := s.Revocations(ctx, 1000)
	must(t, err)
	var got []bool
	var ids []int64
	for _, r := range all {
		if r.Account != a {
			t.Fatalf("revocation of another account: %+v", r)
		}
		got = append(got, r.Sessions)
		ids = append(ids, r.ID)
	}
	wantEqual(t, got, sessions)
	must(t, s.Revoked(ctx, ids))
}

// wantAccount reads the account and compares its generation and the moment
// from which sessions are valid.
func wantAccount(t *testing.T, s Durable, id account.ID, generation int64, validFrom time.Time) account.Account {
	t.Helper()
	a, err := s.Account(deadline(t), id)
	must(t, err)
	if a.Generation != generation || !a.SessionsValidFrom.Equal(validFrom) {
		t.Fatalf("generation %d, sessions valid from %s; want %d, %s", a.Generation, a.SessionsValidFrom, generation, validFrom)
	}
	return a
}

func runDurable(t *testing.T, open func(t *testing.T) Durable, tests map[string]func(*testing.T, Durable)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

var errRefused = fmt.Errorf("the change is refused")
