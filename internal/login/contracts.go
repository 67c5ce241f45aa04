package login

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Accounts is what sign-in reads of the durable store.
type Accounts interface {
	// AccountByIdentifier finds an account by a normalised user name or
	// e-mail address; account.ErrNotFound when there is none.
	AccountByIdentifier(ctx context.Context, identifier string) (account.Account, error)
	Account(ctx context.Context, id account.ID) (account.Account, error)
	// Factors lists the account's factors in order of enrolment, backup sets
	// with Left filled.
	Factors(ctx context.Context, id account.ID) (account.Factors, error)
}

// SignIns remembers completed sign-ins.
type SignIns interface {
	// RecordSignIn sets when the account last signed in, in which language
	// and, unless it is empty, by which method of second factor, and writes the
	// events with it. It raises no generation: nothing that caches hold changes.
	RecordSignIn(ctx context.Context, id account.ID, at time.Time, method account.Method, language string, events ...audit.Event) error
}

// Prover compares and spends codes. Each call is one transaction that holds
// the rows it decides on, so that of any number of equal calls, on any number
// of nodes, at most one succeeds.
type Prover interface {
	// Prove gives try the account's factors of one kind (locked ones too; not
	// backup codes, which SpendBackupCode spends),
	// stores what try changed in them, and writes the events that try
	// returns. try does no I/O and may run more than once.
	Prove(ctx context.Context, id account.ID, kind account.Kind, try func([]*account.Factor) []audit.Event) error
	// SpendBackupCode marks the code with that hash as used when it belongs
	// to the set, is unused and the set is not locked; else it counts one
	// failure of the set and locks it at hard failures in a row. It returns
	// the set as it is afterwards and whether a code was spent, and writes
	// the events that describe returns for that outcome.
	SpendBackupCode(ctx context.Context, id account.ID, set string, hash [32]byte, hard int, now time.Time,
		describe func(set account.Factor, spent bool) []audit.Event) (account.Factor, bool, error)
}

// Changer makes changes to accounts. Each call is one transaction, writes its
// events with it, raises the account's generation and leaves a
// account.Revocation row: whoever calls then runs Revocations at once.
type Changer interface {
	// Since is the same store for changes that rest on proofs given since then: account.ErrEnded where the account's sessions were
	// ended after that, decided with the account's row held.
	Since(since time.Time) Changer
	// ChangeAccount stores what change made of the account. ID, Name and
	// Created are kept whatever change does. An error of change stops it. A
	// change of Provider also forgets the account's identities; one of
	// PasswordChanged ends the links that would choose another password; one
	// that locks the account ends its API keys.
	// endSessions also raises SessionsValidFrom to now, and forgets remembered
	// browsers, as every change does that ends the account's sessions.
	ChangeAccount(ctx context.Context, id account.ID, now time.Time, endSessions bool,
		change func(*account.Account) error, events ...audit.Event) error
	// AddFactor stores a confirmed factor; replaces names one to remove in
	// the same step, or "". It ends the account's sessions. account.ErrTaken
	// when a factor with that id is there already, or it is a second
	// telephone number.
	AddFactor(ctx context.Context, f account.Factor, replaces string, now time.Time, events ...audit.Event) error
	// AddFirstFactor is AddFactor for somebody who proved only a password:
	// account.ErrTaken when the account has a method by now, so that of an
	// owner and a thief at the same instant one is first.
	AddFirstFactor(ctx context.Context, f account.Factor, now time.Time, events ...audit.Event) error
	// ReplaceBackupCodes stores a new set with the hashes of its codes and
	// removes the old set. It ends no session, and forgets remembered
	// browsers. account.ErrTaken when that
	// very set is stored already: its spent codes would be good again.
	ReplaceBackupCodes(ctx context.Context, set account.Factor, hashes [][32]byte, now time.Time, events ...audit.Event) error
	// RemoveFactors removes the named factors, or all when ids is empty, and
	// ends the account's sessions. account.ErrNotFound when none was there,
	// account.ErrLastMethod when the named ones are the last methods: only
	// ids left empty removes those.
	RemoveFactors(ctx context.Context, id account.ID, ids []string, now time.Time, events ...audit.Event) error
	// RenameFactor gives a method, not a set of backup codes, its owner's name.
	// It ends nothing and raises no generation. account.ErrNotFound when the
	// account has no such method.
	RenameFactor(ctx context.Context, id account.ID, factor, label string, events ...audit.Event) error
	// AddAPIKey stores a new key. account.ErrTooManyKeys when the account has
	// account.MaxAPIKeys. Changes to API keys end no session.
	AddAPIKey(ctx context.Context, k account.APIKey, events ...audit.Event) error
	// RotateAPIKey stores what change made of a key's secrets and times;
	// account.ErrNotFound when the account has no such key. change does no I/O
	// and may run more than once.
	RotateAPIKey(ctx context.Context, id account.ID, key string, change func(*account.APIKey), events ...audit.Event) error
	// RevokeAPIKey removes one; account.ErrNotFound when the account has no
	// such key.
	RevokeAPIKey(ctx context.Context, id account.ID, key string, events ...audit.Event) error
}

// APIKeys reads API keys. Changes to them are a Changer's.
type APIKeys interface {
	// APIKey returns a key by its id, expired ones too; account.ErrNotFound
	// when there is none.
	APIKey(ctx context.Context, id string) (account.APIKey, error)
	// APIKeysOf lists the account's keys, newest first.
	APIKeysOf(ctx context.Context, id account.ID) ([]account.APIKey, error)
	// TouchAPIKey notes a use at a time, if it is the newest. It raises no
	// generation: it empties no cache.
	TouchAPIKey(ctx context.Context, id string, at time.Time) error
}

// Links are one-time links.
type Links interface {
	// Link finds an unused, unexpired link; account.ErrNotFound otherwise.
	Link(ctx context.Context, hash [32]byte, now time.Time) (account.Link, error)
	// UseLink spends the link and changes its account in one transaction,
	// ending the account's sessions and its other links, but for those that say
	// "This wasn't me". account.ErrNotFound when it was used meanwhile.
	UseLink(ctx context.Context, hash [32]byte, now time.Time,
		change func(*account.Account) error, events ...audit.Event) (account.Account, error)
}

// MaxTrusted bounds the remembered browsers of one account.
const MaxTrusted = 20

// TrustUse is a remembered browser that stands in for a second factor: the
// secret that it showed, and the one that takes its place, as SHA-256.
type TrustUse struct {
	ID               string
	Account          account.ID
	Hash, Next       [32]byte
	At               time.Time
	Browser, Network string
}

// Trusts keeps browsers that are not asked for a second factor.
type Trusts interface {
	// TrustBrowser remembers a browser. account.ErrEnded when the account's
	// sessions were ended after t.Created. Of more than MaxTrusted the oldest
	// are forgotten.
	TrustBrowser(ctx context.Context, t account.TrustedBrowser, events ...audit.Event) error
	// TrustedBrowsers lists those that have not expired, newest first.
	TrustedBrowsers(ctx context.Context, id account.ID, now time.Time) ([]account.TrustedBrowser, error)
	// UseTrust replaces the secret, if it is the present one: of any number of
	// equal calls, on any number of nodes, one succeeds. Otherwise
	// account.ErrNotFound, and a browser of that id is forgotten.
	UseTrust(ctx context.Context, use TrustUse) error
	// EndTrust forgets one browser of the account, or all when id is "".
	// account.ErrNotFound when there was none.
	EndTrust(ctx context.Context, id account.ID, browser string, events ...audit.Event) error
}

// Mails takes e-mails that carry a link. All others are written by the store
// of events with the events that they tell of.
type Mails interface {
	// MailLink stores a one-time link and the mail that carries it in one
	// transaction, and ends the account's older links of that purpose.
	// account.ErrNotFound for an account that is gone or disabled.
	MailLink(ctx context.Context, l account.Link, m account.Mail, events ...audit.Event) error
}

// History reads what happened to an account.
type History interface {
	// RecentEvents lists the account's events of these names, newest first.
	RecentEvents(ctx context.Context, id account.ID, names []audit.Name, limit int) ([]audit.Event, error)
}

// Revocations are rows of ended sessions that are still to be carried out.
type Revocations interface {
	// Revocations lists what is left to do, oldest first, at most limit.
	Revocations(ctx context.Context, limit int) ([]account.Revocation, error)
	// Revoked removes rows that were carried out.
	Revoked(ctx context.Context, ids []int64) error
}

// Flows keeps flows. Each belongs to one browser, and every look-up names the
// browser too.
type Flows interface {
	// CreateFlow stores a new flow until f.Expires. The browser's oldest
	// flows beyond FlowsPerBrowser are removed.
	CreateFlow(ctx context.Context, f Flow) error
	// Flow returns ErrNoFlow for one that is absent, expired or another
	// browser's.
	Flow(ctx context.Context, b BrowserHash, id FlowID, now time.Time) (Flow, error)
	// SaveFlow stores f if the stored version is still f.Version, and
	// returns it with the next version; ErrConflict or ErrNoFlow otherwise.
	SaveFlow(ctx context.Context, f Flow) (Flow, error)
	DeleteFlow(ctx context.Context, b BrowserHash, id FlowID) error
	// FlowsOf lists the browser's flows, newest first.
	FlowsOf(ctx context.Context, b BrowserHash, now time.Time) ([]Flow, error)
}

// Sessions keeps sessions.
type Sessions interface {
	// CreateSession stores s with its tokens until s.Expires. Its last use is
	// session.Activity's to record.
	CreateSession(ctx context.Context, s session.Session) error
	// Session returns the session with its last use;
	// session.ErrNotFound for one that ended.
	Session(ctx context.Context, id session.ID) (session.Session, error)
	// SetToken sets the session's token for t.Purpose and t.Host in place of
	// an older one; session.ErrNotFound when the session has ended.
	SetToken(ctx context.Context, id session.ID, t session.Token) error
	// EndSession removes the session and all its tokens; nil when it had
	// ended already.
	EndSession(ctx context.Context, id session.ID) error
	// SessionsOf lists the account's sessions with their last uses, newest
	// first, exactly.
	SessionsOf(ctx context.Context, id account.ID) ([]session.Session, error)
	// AccountChanged tells every node to read the account anew.
	AccountChanged(ctx context.Context, id account.ID) error
}

// Limiter counts tries. Every call is atomic over all nodes; an error means
// that nothing was counted and that the try must be refused.
type Limiter interface {
	// Take counts one try under key, or refuses it with a *Limited error and
	// counts nothing. now is the caller's clock.
	Take(ctx context.Context, key string, l Limit, now time.Time) (Taken, error)
	// GiveBack takes counted tries back, as if they had not been made: a
	// right password, or a failure that was not the person's. One that is not
	// counted any more is passed over. An error may leave some counted.
	GiveBack(ctx context.Context, tries ...Taken) error
	// Clear forgets all tries under key, and how often its window filled.
	Clear(ctx context.Context, key string) error
}

// Tickets are consumed by the first presentation.
type Tickets interface {
	PutTicket(ctx context.Context, hash [32]byte, t session.Ticket) error
	// TakeTicket removes and returns the ticket; session.ErrNotFound when
	// there is none (any more).
	TakeTicket(ctx context.Context, hash [32]byte, now time.Time) (session.Ticket, error)
}

// Identities ties accounts to who their owners are at identity providers. Each
// change is one transaction, writes its events with it, raises the account's
// generation and leaves a account.Revocation row, as Changer's do.
type Identities interface {
	// AccountByIdentity returns account.ErrNotFound when nobody here is that.
	AccountByIdentity(ctx context.Context, id account.Identity) (account.Account, error)
	// IdentitiesOf lists the account's identities, in no order.
	IdentitiesOf(ctx context.Context, id account.ID) ([]account.Identity, error)
	// LinkIdentity ties an identity to an account that has none at that
	// provider yet, and stores what change made of the account (see
	// Changer.ChangeAccount), ending its sessions. account.ErrTaken when the
	// identity is somebody's, or the account has another one at the provider;
	// an error of change stops it.
	LinkIdentity(ctx context.Context, id account.Identity, to account.ID, now time.Time,
		change func(*account.Account) error, events ...audit.Event) error
	// CreateWithIdentity stores a new account and ties the identity to it.
	// account.ErrTaken when the identity is somebody's, or the name or e-mail
	// address is, or once was, another account's.
	CreateWithIdentity(ctx context.Context, id account.Identity, a account.Account, events ...audit.Event) error
	// UnlinkIdentities forgets all of the account's identities and ends its
	// sessions; account.ErrNotFound when it had none.
	UnlinkIdentities(ctx context.Context, id account.ID, now time.Time, events ...audit.Event) error
	// SpendAssertion remembers that an assertion (or a logout request) was
	// used, until expires. account.ErrTaken when it was used before: of any
	// number of equal calls, on any number of nodes, one succeeds. Rows whose
	// time is over at now are removed now and then, so expires is not before
	// the last moment, by any node's clock, at which it would be believed; one
	// that is over already is an error.
	SpendAssertion(ctx context.Context, hash [32]byte, expires, now time.Time) error
}

// MaxOnce is the longest record of Once, in bytes.
const MaxOnce = 64 << 10

// ErrOnceTaken says that a record is there already under that key. Keys are
// random, so this is a fault of the caller.
var ErrOnceTaken = errors.New("a record is there already under this key")

// Once keeps small records that are taken by one who knows their key: what was
// asked of an identity provider, and what it answered. Keys are hashes of
// random texts, so that a reader of the store can present none.
type Once interface {
	// PutOnce stores a record of at most MaxOnce bytes until expires.
	// ErrOnceTaken when one is there.
	PutOnce(ctx context.Context, key [32]byte, record []byte, expires time.Time) error
	// PeekOnce reads it and leaves it there; session.ErrNotFound when there is
	// none (any more).
	PeekOnce(ctx context.Context, key [32]byte, now time.Time) ([]byte, error)
	// TakeOnce removes and returns it; session.ErrNotFound when there is none
	// (any more). Of any number of equal calls, on any number of nodes, at
	// most one gets it.
	TakeOnce(ctx context.Context, key [32]byte, now time.Time) ([]byte, error)
}
