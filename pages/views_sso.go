package pages

import (
	"errors"
	"html/template"
)

// In the views of this file Org is what people know the identity provider as;
// "" is "your organisation".

// MethodSSO is a round trip to the account's identity provider, as the form
// field method of Confirm names it.
const MethodSSO = "sso"

// HiddenField is one field of a form that nobody sees.
type HiddenField struct{ Name, Value string }

// Provider is one identity provider that somebody can choose.
type Provider struct {
	// Title is what people know it as.
	Title string
	// Href is where the sign-in with it begins, an address of the portal.
	Href string
}

// SSO leads to the identity provider, which it does by one of two bindings
// (SAML bindings 3.4 and 3.5): a link to Target, to which the handler adds the
// Refresh header, or a form with Fields that posts to Action and that the
// script sends. Both addresses are https, or http on this machine; anything
// else is an error. The Content-Security-Policy of the form names its origin.
type SSO struct {
	Frame
	Org string
	// Typed says that the person typed an e-mail address or user name on the
	// way here, rather than pressing a button.
	Typed bool
	// Target is where the HTTP-Redirect binding leads.
	Target string
	// Action is where the HTTP-POST binding posts; with it, Target is not used.
	Action string
	Fields []HiddenField
	// Switch says that somebody is signed in as Account and would become
	// somebody else: they press the button themselves, and the handler sends no
	// Refresh header.
	Switch bool
	// Fresh says that the provider is to ask again, before a change to the
	// account or because the last time was too long ago.
	Fresh bool
	// Leaving says that the message is one of single logout.
	Leaving bool
}

// SSOConfirm asks before a sign-in that the provider began, or another site
// could sign somebody in as somebody else. It posts to {base}/sso/complete.
type SSOConfirm struct {
	Frame
	Org string
	// Name is the account's name. Where it is Frame.Account, the person is
	// signed in as nobody else.
	Name string
}

// Kinds of SSOProblem. None tells more than what to do: the reasons are for
// the operator's log.
const (
	SSOTechnical  = "technical"  // a signature, a clock, a configuration
	SSOExpired    = "expired"    // it took too long, or the answer was used before
	SSOCancelled  = "cancelled"  // the provider says that it did not happen
	SSONotAllowed = "notallowed" // no account, a disabled one, a name that is taken
	SSOBrowser    = "browser"    // begun in another browser, or the cookie is gone
	SSOUnasked    = "unasked"    // the provider began it and may not
)

// SSOProblem says why a sign-in with the provider led to nothing.
type SSOProblem struct {
	Frame
	Org string
	// Kind is one of the constants above.
	Kind string
	// Retry is the flow to begin again: the button posts it as flow to
	// {base}/sso. "" links to {base}/sign-in.
	Retry string
}

// Managed stands where an account that signs in with a provider has nothing to
// set up.
type Managed struct {
	Frame
	Org string
}

func (SSO) page() string        { return "sso" }
func (SSOConfirm) page() string { return "ssoconfirm" }
func (SSOProblem) page() string { return "ssoproblem" }
func (Managed) page() string    { return "managed" }

func (v SSO) variant() string {
	if v.Leaving {
		return "leaving"
	}
	if v.Fresh {
		return "fresh"
	}
	return "continue"
}

func (v SSOProblem) variant() string { return v.Kind }

// secretPath: the provider is told the portal's origin, not the flow in its
// address. A form needs that much, or the browser sends it with "Origin: null".
func (SSO) secretPath() {}

// secretPath: what signs the person out at the provider is in its address.
func (SignedOut) secretPath() {}

func (v SSO) formTarget() string { return v.Action }

// headingArgs are the values in the names of these pages.
func (v SSO) headingArgs(l *language) (Args, error) {
	org, err := l.org(v.Org, "org.none")
	return Args{"org": rich{text: visible(org.text)}}, err
}

// org is the name of the provider inside a sentence. key is what stands for an
// empty one.
func (l *language) org(name, key string) (rich, error) {
	if name != "" {
		return rich{html: template.HTML(isolate(name, true)), text: name}, nil
	}
	text, err := l.plain(key, nil)
	return rich{html: template.HTML(template.HTMLEscapeString(text)), text: text}, err
}

// leaves lets an address through that a page may lead to by itself.
func leaves(address string) (string, error) {
	if _, ok := providerOrigin(address); !ok {
		return "", errors.New("not the address of an identity provider")
	}
	return address, nil
}
