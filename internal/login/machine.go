package login

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Errors of steps, besides those of the stores and *Limited.
var (
	// ErrNotNext: the step is not the flow's next one. The person is sent to
	// the one that is.
	ErrNotNext = errors.New("this step is not next")
	// ErrBusy: the queue for password hashing is full; try again soon.
	ErrBusy = errors.New("too many passwords are being checked")
	// ErrNotAllowed: a rule forbids the change.
	ErrNotAllowed = errors.New("a rule does not allow this")
)

// Stores are the stores that the steps use. One value may serve several
// fields.
type Stores struct {
	Accounts    Accounts
	SignIns     SignIns
	Prover      Prover
	Changer     Changer
	Links       Links
	Revocations Revocations
	Identities  Identities
	Trusts      Trusts
	APIKeys     APIKeys
	Mails       Mails
	History     History

	Flows    Flows
	Sessions Sessions
	Limiter  Limiter
	Once     Once
}

// Keys seals what is kept, and knows the peppers of backup codes and the
// look-up keys of numbers.
type Keys interface {
	// Seal encrypts for one purpose and one account.
	// Associated is the account's id, or that of whatever else it belongs to.
	Seal(context string, associated, plaintext []byte) ([]byte, error)
	Open(context string, associated, sealed []byte) ([]byte, error)
	// ActivePepper is what new backup codes are hashed with.
	ActivePepper(context string) (version uint32, pepper secret.Bytes)
	// Pepper returns an older one; an error when the ring does not have it.
	Pepper(context string, version uint32) (secret.Bytes, error)
	// MAC is the keyed hash by which data is found, and its key's version.
	MAC(context string, data []byte) (version uint32, sum []byte)
}

// Recorder takes events that need not commit with a change, and hears of
// those that did.
type Recorder interface {
	Record(ctx context.Context, events ...audit.Event)
	// Written is told of events that a store wrote with its change.
	Written(ctx context.Context, events ...audit.Event)
}

// Settings are the numbers and choices of the configuration.
type Settings struct {
	Limits    Limits
	Password  factor.Params
	MinLength int // characters of a new password
	// SessionLife and SessionIdle bound every session.
	SessionLife, SessionIdle time.Duration
	// TrustBrowser is for how long a browser may be remembered; 0 is not at all.
	TrustBrowser time.Duration
	// Reauthenticate is how fresh a proof must be for a change to an account.
	Reauthenticate time.Duration
	// EnrolByLink: a first factor is only enrolled from an operator's link.
	EnrolByLink bool
	// PortalNeeds is what a sign-in asks for that no app began.
	PortalNeeds session.Level
	// Providers are the identity providers, by name.
	Providers map[string]Provider
	// BreakGlass lists accounts, by name or address as identifiers are, that
	// sign in here although a provider owns them.
	BreakGlass []string
	// MayTurnOff: no rule asks for a second factor.
	MayTurnOff bool
	// Service is the issuer that authenticator apps show.
	Service string
	// Phone is for codes by text message and call.
	Phone PhoneSettings
}

// Machine carries out steps. It holds no state of its own but the gate that
// bounds password hashing, so any node continues what another began.
type Machine struct {
	Stores
	Keys Keys
	// Phones sends codes; nil where none is configured.
	Phones   Deliverer
	Audit    Recorder
	Gate     *HashGate
	Settings Settings
	Now      func() time.Time
	// KeyUseLost, where set, is told why the use of an API key was not noted.
	KeyUseLost func(error)

	keyUses keyUses
}

// Client is who is asking. It is made from the request by the caller and
// believed nowhere for who the person is.
type Client struct {
	Browser BrowserHash
	// Network is an IPv4 address or an IPv6 /64; Wide is the IPv6 /48, "" for
	// IPv4.
	Network, Wide string
	// Device is the known-browser cookie's content, nil without one.
	Device *Device
	// Trust is the remembered-browser cookie's content, nil without one.
	Trust *Trust
	// Language is that of the pages, a BCP 47 tag.
	Language string
	// Agent gives a shortened User-Agent such as "Firefox on Linux". It is
	// asked only where that is kept, because the first time costs memory.
	Agent   func() string
	Request string // the request's id
	Host    string
}

// agent is the browser's name, "" where nobody says.
func (c Client) agent() string {
	if c.Agent == nil {
		return ""
	}
	return c.Agent()
}

// Device says that a browser completed a sign-in to an account before.
type Device struct {
	ID      string
	Account account.ID
	Issued  time.Time
}

// Knows reports whether the browser has signed in to the account since its
// password was last changed.
func (c Client) Knows(a account.Account) bool {
	return c.Device != nil && c.Device.Account == a.ID && c.Device.Issued.After(a.PasswordChanged)
}

// event begins an audit event about the account.
func (m *Machine) event(c Client, name audit.Name, a account.Account) audit.Event {
	return audit.Event{
		Time: m.Now(), Name: name, Account: string(a.ID), Subject: a.Name,
		Network: c.Network, Browser: c.agent(), Request: c.Request, Host: c.Host,
	}
}

// Begin starts a flow for a sign-in.
func (m *Machine) Begin(ctx context.Context, c Client, w *Wish) (Flow, error) {
	f := m.newFlow(c, SignIn)
	f.Wish = w
	f.Needs = m.Settings.PortalNeeds
	if w != nil {
		f.Needs = w.Needs
	}
	return f, m.Flows.CreateFlow(ctx, f)
}

func (m *Machine) newFlow(c Client, p Purpose) Flow {
	now := m.Now()
	return Flow{
		ID: FlowID(NewID()), Browser: c.Browser, Purpose: p,
		Created: now, Expires: now.Add(FlowLife),
	}
}

// Load returns the browser's flow.
func (m *Machine) Load(ctx context.Context, c Client, id FlowID) (Flow, error) {
	if id == "" || c.Browser == "" {
		return Flow{}, ErrNoFlow
	}
	f, err := m.Flows.Flow(ctx, c.Browser, id, m.Now())
	if errors.Is(err, session.ErrDamaged) { // deny, tell, and let them begin anew
		m.Audit.Record(ctx, audit.Event{
			Time: m.Now(), Name: audit.StoreRecordRejected, Network: c.Network, Request: c.Request, Reason: "sign-in flow",
		})
		return Flow{}, ErrNoFlow
	}
	return f, err
}

// since is the moment from which something begun now counts: not before the
// account's sessions are valid from, which another node's clock, ahead of
// ours, may have set.
func (m *Machine) since(a account.Account) time.Time { return sinceThen(a, m.Now()) }

// sinceThen is since for a moment from before the account was read: what ends
// its sessions after that, while a password is compared say, is later.
func sinceThen(a account.Account, then time.Time) time.Time {
	if then.After(a.SessionsValidFrom) {
		return then
	}
	return a.SessionsValidFrom
}

// advance stores the flow and extends the flow's life, for a step that passed.
func (m *Machine) advance(ctx context.Context, f Flow) (Flow, error) {
	m.extend(&f)
	return m.Flows.SaveFlow(ctx, f)
}

func (m *Machine) extend(f *Flow) {
	f.Expires = m.Now().Add(FlowLife)
	if last := f.Created.Add(FlowMost); f.Expires.After(last) {
		f.Expires = last
	}
}

// raise is advance for what is a fact already, because a store has it or
// something was spent: others who change the flow meanwhile do not undo it.
func (m *Machine) raise(ctx context.Context, f Flow, change func(*Flow)) (Flow, error) {
	return m.amend(ctx, f, func(f *Flow) { change(f); m.extend(f) })
}

// mostAmends bounds how often a flow is read anew because others change it.
const mostAmends = 100

// amend changes a flow however often others change it meanwhile.
func (m *Machine) amend(ctx context.Context, f Flow, change func(*Flow)) (Flow, error) {
	for tries := 1; ; tries++ {
		changed := f
		if f.Sent != nil { // not shared with the flow that is read anew
			sent := *f.Sent
			changed.Sent = &sent
		}
		change(&changed)
		saved, err := m.Flows.SaveFlow(ctx, changed)
		if !errors.Is(err, ErrConflict) || tries == mostAmends {
			return saved, err
		}
		if f, err = m.Flows.Flow(ctx, f.Browser, f.ID, m.Now()); err != nil {
			return f, err
		}
	}
}

// refuse stores what was wrong with a step, for its page to tell.
func (m *Machine) refuse(ctx context.Context, f Flow, problems ...Problem) (Flow, error) {
	f.Problems, f.Notices = problems, nil
	return m.Flows.SaveFlow(ctx, f)
}

// unread refuses a form that no step compared and no step's limit counted: it
// counts as a form of any other kind.
func (m *Machine) unread(ctx context.Context, c Client, f Flow, problems ...Problem) (Flow, error) {
	if err := m.TakeForm(ctx, c); err != nil {
		return f, err
	}
	return m.refuse(ctx, f, problems...)
}

// tell keeps a notice for the flow's next page.
func (m *Machine) tell(f Flow, n Notice) Flow {
	f.Problems, f.Notices = nil, []Notice{n}
	return f
}

// NewID makes a random identity: 26 characters of lower-case base32, 130 bits
// of which the last two are zero.
func NewID() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // crypto/rand.Read never returns an error since Go 1.24
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}
