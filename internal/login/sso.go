package login

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// SSO is a flow's way through an identity provider: what was asked for, and
// then who it was.
type SSO struct {
	Provider string
	// Request is the ID of the request under way, State its RelayState, sealed
	// (see Machine.RelayState). Both are empty for a sign-in that the provider
	// began.
	Request string
	State   []byte
	Asked   time.Time
	// Fresh: a new proof was asked for (ForceAuthn).
	Fresh bool

	// Proved is the provider's session, nil until it has answered.
	Proved *session.SSO `json:",omitempty"`
	// Unasked: the provider began. The person has to say that they mean it.
	Unasked, Confirmed bool `json:",omitempty"`
	// Methods are what the provider asserts, as RFC 8176 names them.
	Methods []string `json:",omitempty"`
	// Until is when the session has to end, zero for no limit of theirs.
	Until time.Time `json:",omitzero"`
	// Answered is when the provider's answer came.
	Answered time.Time `json:",omitzero"`
}

// Asserted is who a provider says somebody is. All of it was signed.
type Asserted struct {
	Provider string // name in the configuration
	SSO      session.SSO
	// ID is the assertion's own, which is good once until Until.
	ID    string
	Until time.Time
	// ProvedAt is when they signed in there, Methods how.
	ProvedAt time.Time
	Methods  []string
	// SessionUntil: no session outlives it; zero for no limit.
	SessionUntil time.Time
	// User, Email, Name and Groups are the attributes that the configuration
	// names; HasGroups says that groups are the provider's to give.
	User, Email, Name string
	Groups            []string
	HasGroups         bool
}

// maxAnswer bounds what is kept of an answer, in bytes: some hundred groups.
const maxAnswer = 48 << 10

// AnswerLife is how long a verified answer waits for its browser (SPEC F3).
const AnswerLife = 2 * time.Minute

// The contexts that keys of one-time records are hashed with, and that what is
// in them is sealed for.
const (
	onceRequest = "saml request\x00"
	onceAnswer  = "saml answer\x00"
	onceState   = "saml state\x00"
	sealAnswer  = "saml answer"
	sealState   = "saml state"
)

// clocksApart is how much longer what was spent is remembered: another node's
// clock may be ahead of ours, and clears up.
const clocksApart = time.Minute

// OnceKey is the key of a one-time record: what the store knows of a random
// text, for one use of it.
func OnceKey(context, text string) [32]byte { return sha256.Sum256([]byte(context + text)) }

// SSORequest is what any node has to know of a request to judge its answer.
type SSORequest struct {
	ID       string
	Provider string
	State    []byte // hash of its RelayState
	Asked    time.Time
	Fresh    bool
	// Browser and Flow are who asked.
	Browser BrowserHash
	Flow    FlowID
}

// AskProvider makes a request to the provider part of a flow that waits for
// nobody yet. An older request of the flow is over with that. With fresh, or
// where the wish says so, the provider has to ask the person anew.
func (m *Machine) AskProvider(ctx context.Context, f Flow, provider string, fresh bool) (Flow, error) {
	if f.Account != "" && f.Purpose != StepUp || f.Purpose == Enrol {
		return f, ErrNotNext
	}
	if _, ok := m.Settings.Providers[provider]; !ok {
		return f, account.ErrNotFound
	}
	fresh = fresh || f.fresh()
	now := m.Now()
	request, state := "_"+secret.Token(20).Reveal(), m.newState()
	sealed, err := m.Keys.Seal(sealState, []byte(request), []byte(state))
	if err != nil {
		return f, err
	}
	f.SSO = &SSO{Provider: provider, Request: request, State: sealed, Asked: now, Fresh: fresh}
	f.Account, f.PasswordAt, f.FactorAt = "", time.Time{}, time.Time{}
	f.Problems, f.Notices = nil, nil
	if f, err = m.advance(ctx, f); err != nil {
		return f, err
	}
	hash := OnceKey(onceState, state)
	record, err := json.Marshal(SSORequest{request, provider, hash[:], now, fresh, f.Browser, f.ID})
	if err != nil {
		return f, err
	}
	return f, m.Once.PutOnce(ctx, OnceKey(onceRequest, request), record, f.Expires)
}

// RelayState is what goes to the provider with the flow's request, and comes
// back with the answer.
func (m *Machine) RelayState(f Flow) (string, error) {
	state, err := m.Keys.Open(sealState, []byte(f.SSO.Request), f.SSO.State)
	return string(state), err
}

// Went reports whether a RelayState is the one that went with the request.
func (r SSORequest) Went(state string) bool {
	hash := OnceKey(onceState, state)
	return subtle.ConstantTimeCompare(hash[:], r.State) == 1
}

// PendingRequest finds the request that an answer says it answers, and leaves
// it there. account.ErrNotFound for none: it is over, or never was.
func (m *Machine) PendingRequest(ctx context.Context, id string) (SSORequest, error) {
	record, err := m.Once.PeekOnce(ctx, OnceKey(onceRequest, id), m.Now())
	if errors.Is(err, session.ErrNotFound) {
		return SSORequest{}, account.ErrNotFound
	}
	if err != nil {
		return SSORequest{}, err
	}
	var r SSORequest
	if err := json.Unmarshal(record, &r); err != nil || r.ID != id {
		return SSORequest{}, account.ErrNotFound
	}
	return r, nil
}

// SSORefused is the error of an answer that a provider gave and that opens
// nothing. Its text is for operators.
type SSORefused struct {
	Reason, Detail string
	// Provider is whose answer it was, "" where only the caller knows.
	Provider string
	// Flow is where the person can try again, "" for nowhere.
	Flow FlowID

	cause error // ErrNoFlow, or nil
}

func (e *SSORefused) Error() string { return fmt.Sprintf("%s: %s", e.Reason, e.Detail) }

// Unwrap tells what the refusal comes from, for errors.Is.
func (e *SSORefused) Unwrap() error { return e.cause }

// refusedFor adds to a refusal where to try again.
func refusedFor(err error, f Flow) error {
	if r := (*SSORefused)(nil); errors.As(err, &r) && r.Flow == "" && f.SSO != nil && !f.SSO.Unasked {
		r.Flow = f.ID
	}
	return err
}

// RecordSSORefused tells the operator what the person is not told.
func (m *Machine) RecordSSORefused(ctx context.Context, c Client, provider, reason string) {
	e := m.event(c, audit.SSORefused, account.Account{})
	e.Method, e.Reason = provider, reason
	m.Audit.Record(ctx, e)
}
