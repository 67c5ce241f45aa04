package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// answer is a verified answer on its way to the browser that asked for it.
type answer struct {
	Request  SSORequest // zero for an answer that nobody asked for
	Asserted Asserted
	Kept     time.Time
}

// KeepAnswer spends a verified assertion and its request, and keeps the result
// for the browser, which fetches it by the key: no session yet (SPEC F3).
// Of one answer that comes many times, on any nodes, one is kept; the others
// are an *SSORefused.
func (m *Machine) KeepAnswer(ctx context.Context, r *SSORequest, as Asserted) (key string, err error) {
	now := m.Now()
	kept := answer{Asserted: as, Kept: now}
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
	err = m.Identities.SpendAssertion(ctx, OnceKey("saml assertion\x00"+as.SSO.Entity+"\x00", as.ID), as.Until.Add(clocksApart), now)
	if errors.Is(err, account.ErrTaken) {
		return "", &SSORefused{Reason: "replayed", Detail: "this very assertion was used before"}
	}
	if err != nil {
		return "", err
	}
	if r != nil {
		_, err := m.Once.TakeOnce(ctx, OnceKey(onceRequest, r.ID), now)
		if errors.Is(err, session.ErrNotFound) {
			return "", &SSORefused{Reason: "wrong_request", Detail: "the request was answered before"}
		}
		if err != nil {
			return "", err
		}
	}
	key = secret.NewToken().Reveal()
	hash := OnceKey(onceAnswer, key)
	sealed, err := m.Keys.Seal(sealAnswer, hash[:], plain)
	if err != nil {
		return "", err
	}
	return key, m.Once.PutOnce(ctx, hash, sealed, now.Add(AnswerLife))
}

// takeAnswer fetches an answer. Any presentation ends it, right or wrong.
func (m *Machine) takeAnswer(ctx context.Context, key string) (answer, error) {
	hash := OnceKey(onceAnswer, key)
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
	f.SSO.Answered = got.Kept
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
