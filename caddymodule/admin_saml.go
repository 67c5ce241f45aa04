package caddymodule

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// shownRefusals is how many of a provider's last refusals `saml check` tells.
const shownRefusals = 10

// listProviders tells what is known of all identity providers, without a look
// at any.
func listProviders(o *operation, _ noArguments) (any, error) {
	list := providerList{Providers: []providerView{}}
	for i := range o.app.SAML {
		s := &o.app.SAML[i]
		v := providerView{Name: s.Name, Title: s.Title, Domains: given(s.Domains)}
		if idp, ok := o.app.providers.byName[s.Name].source.Current(); ok {
			days := int(idp.DaysLeft(o.now))
			v.EntityID, v.DaysLeft = idp.EntityID, &days
		}
		list.Providers = append(list.Providers, v)
	}
	return list, nil
}

// checkProvider looks at a provider's metadata at once, as the refresh does,
// and tells what is known and what is wrong.
func checkProvider(o *operation, said providerArguments) (any, error) {
	s, err := o.providerNamed(said.Provider)
	if err != nil {
		return nil, err
	}
	one := o.app.providers.byName[s.Name]
	// What it says is in the state, and the audit hears of it as of any look.
	_ = one.source.Look(o.ctx)
	state := one.source.State()
	_, usable := one.source.Current()
	v := providerCheck{
		Name: s.Name, Title: s.Title, Domains: given(s.Domains),
		Metadata: metadataView{Location: s.Metadata, Good: state.Looked.UTC()},
		SP:       o.ourSide(s), Attributes: s.mapped(), RequireContext: given(s.RequireContext),
		ClockSkew: timeText(s.ClockSkew), IdPInitiated: s.IdPInitiated, CreateAccounts: *s.CreateAccounts,
		Problems: []string{}, Remarks: []string{},
	}
	if state.Failed != nil {
		v.Metadata.Error = state.Failed.Error()
	}
	if state.Ahead != nil {
		seconds := int(state.Ahead.Seconds())
		v.Metadata.Ahead = &seconds
	}
	if state.IdP != nil {
		v.IdP = viewIdP(*state.IdP, o.now)
	}
	v.SingleLogout, v.NoLogout = singleLogoutOf(s, state.IdP)
	v.judgeMetadata(state, usable, o.now)
	v.judgeClock(state.Ahead, s.ClockSkew)
	v.judgeKeys()
	if other := o.app.providers.twin(s.Name); other != "" {
		v.problem("the provider %s has the same entity ID: only one of the two can be it, and people can sign in at %s alone; take the wrong one out", other, other)
	}
	v.Refusals, err = o.refusalsOf(s.Name)
	return v, err
}

// providerNamed finds a provider's settings, or says which there are.
func (o *operation) providerNamed(name string) (*SAML, error) {
	if s := o.app.samlNamed(name); s != nil {
		return s, nil
	}
	return nil, refuse(http.StatusNotFound, "%s", o.app.noProvider(name))
}

// noProvider says that there is none of that name, and which there are.
func (a *App) noProvider(name string) string {
	if len(a.SAML) == 0 {
		return fmt.Sprintf("no identity provider %q is configured; there is none at all", name)
	}
	return fmt.Sprintf("no identity provider %q is configured; write %s", name, either(a.providerNames()))
}

func (a *App) providerNames() (names []string) {
	for _, s := range a.SAML {
		names = append(names, s.Name)
	}
	return names
}

// ourSide is what we are to a provider.
func (o *operation) ourSide(s *SAML) spView {
	ring, sp := o.engine.keys.Load().ring, o.app.samlSP(s)
	v := spView{
		EntityID: sp.EntityID, Consumer: sp.ACS, Metadata: o.app.samlAddress(s.Name, "metadata"), SignIn: o.app.samlAddress(s.Name, "login"),
		Signing: viewKeys(ring.SAMLSigningKeys(), o.now), Decryption: viewKeys(ring.SAMLDecryptionKeys(), o.now),
	}
	if *s.SingleLogout {
		v.Logout = sp.SLO
	}
	return v
}

func viewKeys(keys []keyring.SAMLKey, now time.Time) []certificateView {
	list := []certificateView{}
	for _, k := range keys {
		v := viewCertificate(k.Certificate, now)
		v.Version = k.Version
		list = append(list, v)
	}
	return list
}

func viewIdP(idp samlsp.IdP, now time.Time) *idpView {
	v := &idpView{
		EntityID: idp.EntityID, SignIn: byBinding(idp.SSO), Logout: byBinding(idp.Logout), LogoutAnswers: byBinding(idp.LogoutResponse),
		WantsSigned: idp.WantsSigned, ValidUntil: idp.ValidUntil.UTC(), Certificates: []certificateView{},
	}
	for _, c := range idp.Certificates {
		v.Certificates = append(v.Certificates, viewCertificate(c, now))
	}
	return v
}

// byBinding names the bindings in a word.
func byBinding(places map[samlsp.Binding]string) map[string]string {
	named := map[string]string{}
	for b, place := range places {
		switch b {
		case samlsp.Redirect:
			named["redirect"] = place
		case samlsp.Post:
			named["post"] = place
		}
	}
	return named
}

func viewCertificate(c *x509.Certificate, now time.Time) certificateView {
	v := certificateView{
		Subject: c.Subject.String(), SHA256: fingerprint(c), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), State: certificateGood,
	}
	switch left := c.NotAfter.Sub(now); {
	case left < 0:
		v.State = certificateExpired
	case now.Before(c.NotBefore):
		v.State = certificateEarly
	default:
		v.DaysLeft = int(left.Hours() / 24)
	}
	return v
}

// fingerprint is a certificate's SHA-256 as OpenSSL and most providers show it.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = strings.ToUpper(hex.EncodeToString([]byte{b}))
	}
	return strings.Join(pairs, ":")
}

// mapped are the attributes that are read, by what they are for.
func (s *SAML) mapped() map[string]string {
	read := map[string]string{}
	for _, at := range s.Attributes.all() {
		if *at.value != "" {
			read[at.name] = *at.value
		}
	}
	return read
}

// singleLogoutOf says whether signing out goes both ways, or why it does not.
func singleLogoutOf(s *SAML, idp *samlsp.IdP) (possible bool, why string) {
	switch {
	case !*s.SingleLogout:
		return false, "`single_logout` is off"
	case idp == nil:
		return false, "the provider's metadata is not known"
	case len(idp.Logout) == 0:
		return false, "the provider's metadata has no SingleLogoutService for HTTP-Redirect or HTTP-POST"
	}
	return true, ""
}

// refusalsOf are the provider's last refused messages, newest first.
func (o *operation) refusalsOf(name string) ([]eventView, error) {
	list := []eventView{}
	for _, event := range []audit.Name{audit.SSORefused, audit.LogoutRefused} {
		events, err := o.engine.durable.Events(o.ctx, sqlstore.EventFilter{Name: event, Method: name, Limit: shownRefusals})
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			list = append(list, viewEvent(e))
		}
	}
	slices.SortStableFunc(list, func(a, b eventView) int { return b.Time.Compare(a.Time) })
	return list[:min(len(list), shownRefusals)], nil
}
