package web

import (
	"errors"
	"net/url"
	"slices"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// showMetadata is what a provider has to know of us. It is public.
func showMetadata(v *visit) error {
	p, err := v.provider(v.tail)
	if err != nil && len(p.Keys.Signing) == 0 { // before the provider is known it may need this
		return err
	}
	document, err := p.Metadata()
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/samlmetadata+xml; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = v.w.Write(document) // a client that went away is no fault of ours
	return nil
}

// beginSAML is a provider's own way in: a button leads here, a site that
// accepts no other, or a bookmark. It makes a flow, so it counts as a form.
func beginSAML(v *visit) error {
	if _, ok := v.Machine.Settings.Providers[v.tail]; !ok {
		return errNotFound
	}
	if !v.navigates() {
		return errCrossSite
	}
	if err := v.Machine.TakeForm(v.ctx(), v.client); err != nil {
		return err
	}
	if err := v.bindBrowser(); err != nil {
		return err
	}
	wish, err := v.openWish(v.r.URL.Query().Get("wish"))
	if err != nil {
		wish = nil
	}
	f, err := v.Machine.Begin(v.ctx(), v.client, wish)
	if err != nil {
		return err
	}
	if f, err = v.Machine.AskProvider(v.ctx(), f, v.tail, false); err != nil {
		return err
	}
	return v.next(f)
}

// navigates reports whether a request that stores something, or costs work, is
// a person's own step: another site's images or a browser's guesses must not
// use up what this browser may ask for.
func (v *visit) navigates() bool {
	dest := v.r.Header.Get("Sec-Fetch-Dest")
	return (dest == "" || dest == "document") && v.r.Header.Get("Sec-Purpose") == "" && v.r.Header.Get("Purpose") == ""
}

// consume takes a provider's answer (the assertion consumer service of SAML
// Profiles section 4.1). It comes from another site, with no cookie of ours,
// and makes no session: what was verified is kept for two minutes under a key
// that the browser takes to /sso/complete. Whatever is wrong, the browser goes
// to a page that says so.
func consume(v *visit) error {
	p, err := v.provider(v.tail)
	if err != nil {
		return err
	}
	if !v.navigates() { // no provider does that: it is not worth a look
		return errCrossSite
	}
	form, bad := v.samlForm()
	undo, err := v.Machine.CountAnswer(v.ctx(), v.client, form.Get("RelayState"))
	if err != nil {
		return err
	}
	key := ""
	if err = bad; err == nil {
		key, err = v.judge(p, form)
	}
	if err != nil {
		v.waitForMark() // how long it took tells nothing of what was wrong
		return v.ssoProblem(p.Name, err)
	}
	undo()
	return v.to("/sso/complete", "answer", key)
}

// judge reads, verifies and keeps an answer.
func (v *visit) judge(p samlsp.Provider, form url.Values) (key string, err error) {
	response, refusal := samlsp.Read(form.Get("SAMLResponse"))
	if refusal != nil {
		return "", refusal
	}
	request, err := v.requested(p.Name, response.InResponseTo(), form.Get("RelayState"))
	if err != nil {
		return "", err
	}
	var asked *samlsp.Asked
	if request != nil {
		asked = &samlsp.Asked{ID: request.ID, At: request.Asked, Fresh: request.Fresh}
	}
	a, refusal := p.Verify(response, asked, v.Machine.Now())
	if refusal != nil {
		return "", tryAgain(refusal, request)
	}
	key, err = v.Machine.KeepAnswer(v.ctx(), request, assertedBy(v.Machine.Settings.Providers[p.Name], a))
	return key, err
}

// tryAgain adds to a refusal which flow it ends: the page offers to go on with
// that, in the browser whose it is.
func tryAgain(refusal *samlsp.Refusal, request *login.SSORequest) error {
	if request == nil {
		return refusal
	}
	return &login.SSORefused{Reason: string(refusal.Reason), Detail: refusal.Detail, Flow: request.Flow}
}

// samlForm reads a form that a provider's page sent; each field once.
func (v *visit) samlForm() (url.Values, error) {
	form, err := readFormOf(v.w, v.r, samlsp.MaxMessage)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, &samlsp.Refusal{Reason: samlsp.TooLarge, Detail: "a form of more than 256 KiB"}
	case errors.Is(err, errBadForm):
		return nil, &samlsp.Refusal{Reason: samlsp.BadForm, Detail: err.Error()}
	}
	return form, err
}

// requested finds the request that an answer says it answers; nil where it
// says none.
func (v *visit) requested(provider, id, state string) (*login.SSORequest, error) {
	if id == "" {
		return nil, nil
	}
	r, err := v.Machine.PendingRequest(v.ctx(), id)
	if errors.Is(err, account.ErrNotFound) {
		return nil, &samlsp.Refusal{Reason: samlsp.WrongRequest, Detail: "it answers a request that is not ours, or is over"}
	}
	if err != nil {
		return nil, err
	}
	if r.Provider != provider {
		return nil, &samlsp.Refusal{Reason: samlsp.WrongRequest, Detail: "it answers a request to another provider"}
	}
	if !r.Went(state) {
		return nil, &samlsp.Refusal{Reason: samlsp.WrongState, Detail: "RelayState is not the one that went with the request"}
	}
	return &r, nil
}

// assertedBy takes of an assertion what the configuration names.
func assertedBy(p login.Provider, a samlsp.Assertion) login.Asserted {
	first := func(name string) string {
		if values := a.Attributes[name]; name != "" && len(values) > 0 {
			return values[0]
		}
		return ""
	}
	as := login.Asserted{
		Provider: p.Name, ID: a.ID, Until: a.Until, ProvedAt: a.AuthnInstant, Methods: login.MethodsOf(a.Context), SessionUntil: a.SessionUntil,
		SSO: session.SSO{
			Provider: p.Name, Entity: a.Issuer, NameID: a.NameID, Format: a.Format,
			NameQualifier: a.NameQualifier, SPNameQualifier: a.SPNameQualifier, Index: a.SessionIndex,
		},
		User: first(p.Attributes.User), Name: first(p.Attributes.Name), Email: first(p.Attributes.Email),
	}
	switch {
	case p.Attributes.Email == "" && a.Format == samlsp.FormatEmail:
		as.Email = a.NameID
	case p.Attributes.Email != "": // of several, one that is the provider's to give
		addresses := a.Attributes[p.Attributes.Email]
		if i := slices.IndexFunc(addresses, func(e string) bool { return p.Owns(login.AssertedIdentifier(e)) }); i >= 0 {
			as.Email = addresses[i]
		}
	}
	if p.Attributes.Groups != "" {
		as.Groups, as.HasGroups = a.Attributes[p.Attributes.Groups], true
	}
	return as
}
