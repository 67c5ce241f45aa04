package web

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/pages"
)

// Single logout (SAML Profiles section 4.4), both ways. Who signs out here is
// signed out here first, and then offered to sign out there: an absent
// provider keeps nobody signed in.

// leaving is what the offer to sign out at the provider carries in its
// address, sealed: the session is over by then.
type leaving struct {
	SSO     session.SSO
	Expires time.Time
}

// leavingLife is how long the offer stands.
const leavingLife = 10 * time.Minute

const sealLeaving = "saml logout"

// offerLogout gives the text for the address, "" where there is nothing to
// offer.
func (v *visit) offerLogout(s session.Session) string {
	if s.SSO == nil {
		return ""
	}
	text, err := sealText(v.keys, sealLeaving, leaving{*s.SSO, v.Machine.Now().Add(leavingLife)})
	if err != nil {
		return ""
	}
	return text
}

func (v *visit) openLeaving(text string) (leaving, bool) {
	l, err := openText[leaving](v.keys, sealLeaving, text, maxSealed)
	return l, err == nil && v.Machine.Now().Before(l.Expires)
}

// signedOutView says that it is done, and what else can be ended.
func (v *visit) signedOutView() pages.SignedOut {
	q := v.r.URL.Query()
	view := pages.SignedOut{Frame: v.frame()}
	if l, ok := v.openLeaving(q.Get("out")); ok {
		view.Org = v.org(l.SSO.Provider)
		p, err := v.provider(l.SSO.Provider)
		if err == nil && p.Rules.SingleLogout && len(p.IdP.Logout) > 0 && p.IdP.EntityID == l.SSO.Entity {
			view.SignOutOrg = "/sso?out=" + q.Get("out")
		}
		return view
	}
	if org := v.org(q.Get("provider")); org != "" {
		view.Org, view.OrgDone, view.OrgFailed = org, q.Get("done") == "yes", q.Get("done") == "no"
	}
	return view
}

// left is what is remembered of a logout request of ours.
type left struct{ Provider, ID string }

func leftKey(state string) [32]byte { return sha256.Sum256([]byte("saml left\x00" + state)) }

// leaveProvider asks the provider to end its session too.
func (v *visit) leaveProvider(text string) error {
	l, ok := v.openLeaving(text)
	if !ok {
		return v.to("/signed-out")
	}
	p, err := v.provider(l.SSO.Provider)
	if err != nil {
		return err
	}
	if !p.Rules.SingleLogout || p.IdP.EntityID != l.SSO.Entity {
		return v.to("/signed-out")
	}
	if !v.navigates() {
		return errCrossSite
	}
	if err := v.Machine.TakeForm(v.ctx(), v.client); err != nil { // it stores something
		return err
	}
	id, state := "_"+secret.Token(20).Reveal(), secret.NewToken().Reveal()
	record, err := json.Marshal(left{p.Name, id})
	if err != nil {
		return err
	}
	now := v.Machine.Now()
	if err := v.Machine.Once.PutOnce(v.ctx(), leftKey(state), record, now.Add(leavingLife)); err != nil {
		return err
	}
	out := samlsp.Logout{
		ID: id, NameID: l.SSO.NameID, Format: l.SSO.Format,
		NameQualifier: l.SSO.NameQualifier, SPNameQualifier: l.SSO.SPNameQualifier, RelayState: state,
	}
	if l.SSO.Index != "" {
		out.Indexes = []string{l.SSO.Index}
	}
	message, err := p.LogoutRequest(out, now)
	if errors.Is(err, samlsp.ErrNoPlace) {
		return v.to("/signed-out")
	}
	if err != nil {
		return err
	}
	return v.lead(message, pages.SSO{Frame: v.frame(), Org: v.org(p.Name), Leaving: true})
}

// singleLogout takes a logout message that a browser brings from the provider,
// by either binding.
func singleLogout(v *visit) error {
	p, err := v.provider(v.tail)
	if err != nil {
		return err
	}
	if !p.Rules.SingleLogout {
		return errNotFound
	}
	request, answer, err := v.countedLogout(p)
	if err != nil {
		return v.logoutRefused(p.Name, err)
	}
	if answer != nil {
		return v.logoutAnswered(p.Name, *answer)
	}
	message, err := p.LogoutResponse("_"+secret.Token(20).Reveal(), *request, v.Machine.Now())
	if errors.Is(err, samlsp.ErrNoPlace) {
		return v.to("/signed-out", "provider", p.Name, "done", "yes") // it began, and takes no answer
	}
	if err != nil {
		return err
	}
	if message.Binding == samlsp.Redirect {
		// Without a page between: some providers do this in a frame.
		v.w.Header().Set("Cache-Control", "no-store")
		v.w.Header().Set("Location", message.URL)
		v.w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	return v.lead(message, pages.SSO{Frame: v.frame(), Org: v.org(p.Name), Leaving: true})
}

// countedLogout carries a logout message out under its limit. The signature of
// a query is looked at before anything else and costs next to nothing, so only
// those that are refused count: no rubbish keeps a good one out.
func (v *visit) countedLogout(p samlsp.Provider) (*samlsp.Logout, *samlsp.LogoutAnswer, error) {
	if v.r.Method == http.MethodPost {
		undo, err := v.Machine.CountLogout(v.ctx(), v.client)
		if err != nil {
			return nil, nil, err
		}
		request, answer, err := v.hearLogout(p)
		if err == nil {
			undo()
		}
		return request, answer, err
	}
	request, answer, err := v.hearLogout(p)
	if err != nil {
		if _, limited := v.Machine.CountLogout(v.ctx(), v.client); limited != nil {
			return nil, nil, limited
		}
	}
	return request, answer, err
}

// hearLogout ends what a request names; an answer is only read.
func (v *visit) hearLogout(p samlsp.Provider) (*samlsp.Logout, *samlsp.LogoutAnswer, error) {
	request, answer, err := v.readLogout(p)
	if err != nil || request == nil {
		return nil, answer, err
	}
	_, err = v.Machine.EndByProvider(v.ctx(), v.client, login.ProviderLogout{
		Provider: p.Name, Entity: p.IdP.EntityID, ID: request.ID, Until: request.Until, NameID: request.NameID, Indexes: request.Indexes,
	})
	return request, nil, err
}

func (v *visit) readLogout(p samlsp.Provider) (*samlsp.Logout, *samlsp.LogoutAnswer, error) {
	var in samlsp.Incoming
	var refusal *samlsp.Refusal
	if v.r.Method == http.MethodPost {
		form, err := v.samlForm()
		if err != nil {
			return nil, nil, err
		}
		in, refusal = samlsp.FromForm(form)
	} else {
		in, refusal = samlsp.FromQuery(v.r.URL.RawQuery)
	}
	if refusal != nil {
		return nil, nil, refusal
	}
	request, answer, refusal := p.ReadLogout(in, v.Machine.Now())
	if refusal != nil { // a nil *Refusal would be an error that is not nil
		return nil, nil, refusal
	}
	return request, answer, nil
}

// logoutRefused ends nobody's session (SECURITY R75).
func (v *visit) logoutRefused(provider string, err error) error {
	refused, judged := (*login.SSORefused)(nil), (*samlsp.Refusal)(nil)
	if !errors.As(err, &refused) && !errors.As(err, &judged) {
		return err
	}
	v.Audit.Record(v.ctx(), audit.Event{
		Time: v.Machine.Now(), Name: audit.LogoutRefused, Method: provider, Reason: err.Error(), Host: v.arrival.Host,
		Network: v.client.Network, Browser: v.client.Agent(), Request: v.arrival.RequestID,
	})
	v.log(slog.LevelWarn, err)
	return v.to("/sso/problem", "kind", pages.SSOTechnical, "provider", provider, "reference", v.arrival.RequestID)
}

// logoutAnswered says what became of a request of ours. An answer changes
// nothing here, so one that fits no request is only not shown.
func (v *visit) logoutAnswered(provider string, a samlsp.LogoutAnswer) error {
	record, err := v.Machine.Once.TakeOnce(v.ctx(), leftKey(a.RelayState), v.Machine.Now())
	if errors.Is(err, session.ErrNotFound) {
		return v.to("/signed-out")
	}
	if err != nil {
		return err
	}
	var l left
	if json.Unmarshal(record, &l) != nil || l.Provider != provider || l.ID != a.InResponseTo {
		return v.to("/signed-out")
	}
	done := "no"
	if a.Success {
		done = "yes"
	}
	return v.to("/signed-out", "provider", provider, "done", done)
}
