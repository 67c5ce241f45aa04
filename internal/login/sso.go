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

func onceKey(context, text string) [32]byte { return sha256.Sum256([]byte(context + text)) }

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
// nobody yet. An older request of the flow is over with that.
func (m *Machine) AskProvider(ctx context.Context, f Flow, provider string, fresh bool) (Flow, error) {
	if f.Account != "" && f.Purpose != StepUp || f.Purpose == Enrol {
		return f, ErrNotNext
	}
	if _, ok := m.Settings.Providers[provider]; !ok {
		return f, account.ErrNotFound
	}
	now := m.Now()
	request, state := "_"+secret.Token(20).Reveal(), secret.NewToken().Reveal()
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
	hash := onceKey(onceState, state)
	record, err := json.Marshal(SSORequest{request, provider, hash[:], now, fresh, f.Browser, f.ID})
	if err != nil {
		return f, err
	}
	return f, m.Once.PutOnce(ctx, onceKey(onceRequest, request), record, f.Expires)
}

// RelayState is what goes to the provider with the flow's request, and comes
// back with the answer.
func (m *Machine) RelayState(f Flow) (string, error) {
	state, err := m.Keys.Open(sealState, []byte(f.SSO.Request), f.SSO.State)
	return string(state), err
}

// Went reports whether a RelayState is the one that went with the request.
func (r SSORequest) Went(state string) bool {
	hash := onceKey(onceState, state)
	return subtle.ConstantTimeCompare(hash[:], r.State) == 1
}

// PendingRequest finds the request that an answer says it answers, and leaves
// it there. account.ErrNotFound for none: it is over, or never was.
func (m *Machine) PendingRequest(ctx context.Context, id string) (SSORequest, error) {
	record, err := m.Once.PeekOnce(ctx, onceKey(onceRequest, id), m.Now())
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

// answer is a verified answer on its way to the browser that asked for it.
type answer struct {
	Request  SSORequest // zero for an answer that nobody asked for
	Asserted Asserted
}

// KeepAnswer spends a verified assertion and its request, and keeps the result
// for the browser, which fetches it by the key: no session yet (SPEC F3).
// Of one answer that comes many times, on any nodes, one is kept; the others
// are an *SSORefused.
func (m *Machine) KeepAnswer(ctx context.Context, r *SSORequest, as Asserted) (key string, err error) {
	now := m.Now()
	kept := answer{Asserted: as}
	if r != nil {
		kept.Request = *r
	}
	plain, err := json.Marshal(kept)
	if err != nil {
		return "", err
	}
	if len(plain) > maxAnswer {
		// Leaving some out could leave out one that is denied.
		return "", &SSORefused{Reason: "too_many_attributes", Detail: fmt.Sprintf("%d groups, or very long ones: let the provider send those that matter", len(as.Groups))}
	}
	err = m.Identities.SpendAssertion(ctx, onceKey("saml assertion\x00"+as.SSO.Entity+"\x00", as.ID), as.Until.Add(clocksApart), now)
	if errors.Is(err, account.ErrTaken) {
		return "", &SSORefused{Reason: "replayed", Detail: "this very assertion was used before"}
	}
	if err != nil {
		return "", err
	}
	if r != nil {
		_, err := m.Once.TakeOnce(ctx, onceKey(onceRequest, r.ID), now)
		if errors.Is(err, session.ErrNotFound) {
			return "", &SSORefused{Reason: "wrong_request", Detail: "the request was answered before"}
		}
		if err != nil {
			return "", err
		}
	}
	key = secret.NewToken().Reveal()
	hash := onceKey(onceAnswer, key)
	sealed, err := m.Keys.Seal(sealAnswer, hash[:], plain)
	if err != nil {
		return "", err
	}
	return key, m.Once.PutOnce(ctx, hash, sealed, now.Add(AnswerLife))
}

// takeAnswer fetches an answer. Any presentation ends it, right or wrong.
func (m *Machine) takeAnswer(ctx context.Context, key string) (answer, error) {
	hash := onceKey(onceAnswer, key)
	sealed, err := m.Once.TakeOnce(ctx, hash, m.Now())
	if errors.Is(err, session.ErrNotFound) {
		return answer{}, &SSORefused{Reason: "answer_gone", Detail: "the answer was fetched before, or not within two minutes"}
	}
	if err != nil {
		return answer{}, err
	}
	var got answer
	plain, err := m.Keys.Open(sealAnswer, hash[:], sealed)
	if err == nil {
		err = json.Unmarshal(plain, &got)
	}
	if err != nil {
		return answer{}, &SSORefused{Reason: "answer_gone", Detail: "the answer cannot be read"}
	}
	return got, nil
}

// Complete turns an answer into a flow of this browser's that knows who it is.
// It is the flow that asked; or, where the provider began, a new one in which
// the person still has to say that they mean it.
func (m *Machine) Complete(ctx context.Context, c Client, key string) (Flow, error) {
	got, err := m.takeAnswer(ctx, key)
	if err != nil {
		return Flow{}, err
	}
	f, err := m.complete(ctx, c, got)
	if errors.Is(err, ErrNoFlow) {
		err = &SSORefused{Reason: "flow_gone", Detail: "the sign-in that it belongs to is over", cause: err}
	}
	if r := (*SSORefused)(nil); errors.As(err, &r) {
		r.Provider = got.Asserted.Provider
	}
	return f, err
}

func (m *Machine) complete(ctx context.Context, c Client, got answer) (Flow, error) {
	f, err := m.flowOf(ctx, c, got)
	if err != nil {
		return f, err
	}
	p, ok := m.Settings.Providers[got.Asserted.Provider]
	if !ok {
		return f, &SSORefused{Reason: "no_provider", Detail: "it is not configured any more"}
	}
	a, err := m.personOf(ctx, c, p, got.Asserted)
	if err != nil {
		return f, refusedFor(err, f)
	}
	if f.Purpose == StepUp {
		s, err := m.Sessions.Session(ctx, f.Session)
		if err != nil {
			return f, err
		}
		if s.Account != a.ID {
			return f, &SSORefused{Reason: "wrong_person", Detail: "somebody else signed in there than here", Flow: f.ID}
		}
	}
	proved := got.Asserted.SSO
	f.SSO.Proved, f.SSO.Methods, f.SSO.Until = &proved, got.Asserted.Methods, got.Asserted.SessionUntil
	f.Account, f.Since, f.Identifier = a.ID, m.since(a), a.Label()
	f.PasswordAt = got.Asserted.ProvedAt
	if now := m.Now(); f.PasswordAt.After(now) { // their clock may be ahead of ours
		f.PasswordAt = now
	}
	f.FactorAt = f.PasswordAt
	if f.SSO.Unasked {
		return f, m.Flows.CreateFlow(ctx, f)
	}
	return m.advance(ctx, f)
}

// flowOf finds the flow that an answer belongs to. A flow is only found with
// the cookie of the browser that began it, so an answer that was put into
// another browser (login CSRF) ends here.
func (m *Machine) flowOf(ctx context.Context, c Client, got answer) (Flow, error) {
	r := got.Request
	if r.ID == "" {
		f := m.newFlow(c, SignIn)
		f.Needs = m.Settings.PortalNeeds
		f.SSO = &SSO{Provider: got.Asserted.Provider, Unasked: true}
		return f, nil
	}
	if c.Browser != r.Browser {
		return Flow{}, &SSORefused{Reason: "wrong_browser", Detail: "it was asked for by another browser"}
	}
	f, err := m.Load(ctx, c, r.Flow)
	if err == nil && (f.SSO == nil || f.SSO.Request != r.ID || f.Account != "") {
		err = ErrNoFlow // begun anew meanwhile
	}
	return f, err
}

// ConfirmUnasked is the person's word that they mean a sign-in that the
// provider began.
func (m *Machine) ConfirmUnasked(ctx context.Context, f Flow) (Flow, error) {
	if _, _, err := m.Holder(ctx, f); err != nil {
		return f, err
	}
	if f.SSO == nil || f.SSO.Proved == nil || !f.SSO.Unasked {
		return f, ErrNotNext
	}
	return m.raise(ctx, f, func(f *Flow) {
		sso := *f.SSO
		sso.Confirmed = true
		f.SSO = &sso
	})
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

// CountAnswer counts an answer as a form before it is looked at, so that a
// flood of them costs no more than the limit allows. undo takes that back for
// one that was good: an office signs in at nine o'clock.
func (m *Machine) CountAnswer(ctx context.Context, c Client) (undo func(), err error) {
	counts := []count{{"forms", "forms:" + c.Network, m.Settings.Limits.Forms}}
	counts = append(counts, wide(c, "forms", "forms:", m.Settings.Limits.Forms)...)
	taken, err := m.take(ctx, counts)
	if err != nil {
		return nil, err
	}
	return func() { m.giveBack(ctx, taken) }, nil
}
