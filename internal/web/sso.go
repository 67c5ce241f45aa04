package web

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/pages"
)

// Providers gives the identity providers (SAML) as they are at the moment.
type Providers interface {
	// Provider is how to speak to one. account.ErrNotFound when none has that
	// name; an error that wraps session.ErrUnavailable while its metadata is
	// not known, or there is no key to sign with.
	Provider(ctx context.Context, name string) (samlsp.Provider, error)
}

// provider finds a configured provider by its name.
func (v *visit) provider(name string) (samlsp.Provider, error) {
	if v.Providers == nil {
		return samlsp.Provider{}, account.ErrNotFound
	}
	return v.Providers.Provider(v.ctx(), name)
}

// org is what people know a provider as.
func (v *visit) org(name string) string { return v.Machine.Settings.Providers[name].Title }

// personOrg is the organisation that manages how the person signs in, "" for
// somebody who signed in here.
func (v *visit) personOrg() string {
	if v.person == nil || v.person.Session.SSO == nil {
		return ""
	}
	return v.org(v.person.Session.SSO.Provider)
}

// showSSO leads to the identity provider: with the redirect binding by itself,
// with the other by a form that the script sends. Seeing the page again asks
// nothing anew; the request is the flow's. It also leads to single logout.
func showSSO(v *visit) error {
	if out := v.r.URL.Query().Get("out"); out != "" {
		return v.leaveProvider(out)
	}
	f, err := v.flow()
	if err != nil {
		return err
	}
	if f.SSO == nil || f.SSO.Request == "" || f.Account != "" {
		return v.next(f)
	}
	p, err := v.provider(f.SSO.Provider)
	if err != nil {
		return err
	}
	state, err := v.Machine.RelayState(f)
	if err != nil {
		return err
	}
	message, err := p.AuthnRequest(samlsp.Ask{ID: f.SSO.Request, RelayState: state, Fresh: f.SSO.Fresh}, v.Machine.Now())
	if err != nil {
		return err
	}
	if err := v.bindBrowser(); err != nil { // the way there and back counts as a step
		return err
	}
	person, err := v.signedIn()
	if err != nil {
		return err
	}
	return v.lead(message, pages.SSO{
		Frame: v.flowFrame(f), Org: v.org(p.Name), Fresh: f.SSO.Fresh,
		Switch: person != nil && f.Purpose == login.SignIn,
		Typed:  f.Identifier != "",
	})
}

// lead shows the page from which a browser takes a message to a provider.
func (v *visit) lead(m samlsp.Message, view pages.SSO) error {
	if m.Binding == samlsp.Redirect {
		view.Target = m.URL
		if !view.Switch {
			v.w.Header().Set("Refresh", "0; url="+m.URL)
		}
		return v.show(http.StatusOK, view)
	}
	view.Action = m.URL
	for _, f := range m.Fields {
		view.Fields = append(view.Fields, pages.HiddenField(f))
	}
	return v.show(http.StatusOK, view)
}

// submitSSO asks the flow's provider once more, after a problem.
func submitSSO(v *visit) error {
	f, err := v.flow()
	if err != nil {
		return err
	}
	if f.SSO == nil {
		return v.next(f)
	}
	if f, err = v.Machine.AskProvider(v.ctx(), f, f.SSO.Provider, f.SSO.Fresh); err != nil {
		return err
	}
	return v.next(f)
}

// showSSOComplete turns an answer that the consumer kept into this browser's
// sign-in. The answer came by a POST from the provider, with no cookie of ours;
// here is the first request that brings the binding cookie.
func showSSOComplete(v *visit) error {
	key := v.r.URL.Query().Get("answer")
	if key == "" {
		return v.showSSOConfirm()
	}
	if err := v.bindBrowser(); err != nil { // an answer that nobody asked for has none yet
		return err
	}
	f, err := v.Machine.Complete(v.ctx(), v.client, key)
	if err != nil {
		provider := "" // unknown for an answer that is gone
		if f.SSO != nil {
			provider = f.SSO.Provider
		}
		return v.ssoProblem(provider, err)
	}
	if f.Session != "" { // a change is being confirmed: only its own session goes on
		p, err := v.signedIn()
		if err != nil {
			return err
		}
		if p == nil || !f.Of(*p) {
			return login.ErrNoFlow
		}
	}
	return v.next(f)
}

// showSSOConfirm asks whether a sign-in that the provider began is meant.
func (v *visit) showSSOConfirm() error {
	f, a, _, here, err := v.expect(login.StepConfirmSSO)
	if err != nil || !here {
		return err
	}
	if _, err := v.signedIn(); err != nil { // the page names who is signed in now
		return err
	}
	return v.show(http.StatusOK, pages.SSOConfirm{Frame: v.flowFrame(f), Org: v.org(f.SSO.Provider), Name: a.Label()})
}

// submitSSOComplete is the word that it is.
func submitSSOComplete(v *visit) error {
	f, err := v.flow()
	if err != nil {
		return err
	}
	if f, err = v.Machine.ConfirmUnasked(v.ctx(), f); err != nil {
		return err
	}
	return v.next(f)
}

// ssoProblem records why an answer opened nothing, and leads to the page that
// says as much of it as is the person's business.
func (v *visit) ssoProblem(provider string, err error) error {
	kind, reason, flow := pages.SSOTechnical, "", login.FlowID("")
	refused, judged := (*login.SSORefused)(nil), (*samlsp.Refusal)(nil)
	switch {
	case errors.As(err, &refused):
		kind, reason, flow = problemKind(refused.Reason), refused.Error(), refused.Flow
		provider = cmp.Or(provider, refused.Provider)
	case errors.As(err, &judged):
		kind, reason = problemKind(string(judged.Reason)), judged.Error()
	default:
		return err
	}
	v.Machine.RecordSSORefused(v.ctx(), v.client, provider, reason)
	v.log(slog.LevelWarn, err)
	return v.to("/sso/problem", "kind", kind, "provider", provider, "reference", v.arrival.RequestID, "flow", string(flow))
}

// problemKinds are what people are told of a reason; all others are technical.
var problemKinds = map[string]string{
	string(samlsp.Expired): pages.SSOExpired, string(samlsp.Replayed): pages.SSOExpired, string(samlsp.WrongRequest): pages.SSOExpired,
	string(samlsp.SessionOver): pages.SSOExpired, "answer_gone": pages.SSOExpired, "flow_gone": pages.SSOExpired,
	string(samlsp.StatusNotSuccess): pages.SSOCancelled,
	string(samlsp.NoRequest):        pages.SSOUnasked,
	string(samlsp.WrongBrowser):     pages.SSOBrowser,
	"account_disabled":              pages.SSONotAllowed, "account_locked": pages.SSONotAllowed, "no_account": pages.SSONotAllowed, "name_taken": pages.SSONotAllowed,
	"other_provider": pages.SSONotAllowed, "other_identity": pages.SSONotAllowed, "break_glass": pages.SSONotAllowed,
	"bad_user": pages.SSONotAllowed, "wrong_person": pages.SSONotAllowed,
	string(samlsp.WeakContext): pages.SSONotAllowed,
}

func problemKind(reason string) string {
	if kind, ok := problemKinds[reason]; ok {
		return kind
	}
	return pages.SSOTechnical
}

var (
	goodKind      = regexp.MustCompile(`^(technical|expired|cancelled|notallowed|browser|unasked)$`)
	goodReference = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// showSSOProblem tells what the address names. Nothing of it is believed: it
// is one of a few kinds, a reference, and a flow of this browser's own.
func showSSOProblem(v *visit) error {
	q := v.r.URL.Query()
	view := pages.SSOProblem{Frame: v.frame(), Org: v.org(q.Get("provider")), Kind: q.Get("kind")}
	if !goodKind.MatchString(view.Kind) {
		view.Kind = pages.SSOTechnical
	}
	if reference := q.Get("reference"); goodReference.MatchString(reference) {
		view.RequestID = reference
	}
	if f, err := v.flow(); err == nil && f.SSO != nil && f.Account == "" {
		view.Retry = string(f.ID)
	}
	return v.show(http.StatusOK, view)
}
