// Package samlsp is Sallyport as a SAML 2.0 service provider: it reads what
// identity providers say of themselves (metadata), asks them to sign somebody
// in, and judges what they answer. Out comes a plain value, or a Refusal that
// names the check that failed.
//
// It knows XML, signatures and the clock it is given. It knows no HTTP
// handler, no account, no session and no store: which request an answer
// belongs to, and whether an assertion was used before, it is told.
//
// crewjam/saml does the protocol's types, requests and decryption, and judges
// every response too. Ours is stricter: see docs/saml.md, which says why for
// each of its soft spots.
package samlsp

import (
	"crypto/x509"
	"time"
)

// SP is what we are to one provider. All are absolute addresses.
type SP struct {
	EntityID string
	ACS      string // where responses are posted
	SLO      string // where logout messages go
}

// IdP is what a provider's metadata says of it.
type IdP struct {
	EntityID string
	// Certificates are those that it signs with, expired ones too.
	Certificates []*x509.Certificate
	// SSO and Logout are where it takes requests, by binding; LogoutResponse
	// where it takes answers to its own.
	SSO, Logout, LogoutResponse map[Binding]string
	// WantsSigned: it takes signed requests only. Ours always are.
	WantsSigned bool
	// ValidUntil is when the metadata is void; zero for never.
	ValidUntil time.Time
}

// Binding is how a message travels (SAML Bindings sections 3.4 and 3.5).
type Binding string

// The bindings that we speak.
const (
	Redirect Binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	Post     Binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
)

// Rules are what the configuration asks of a provider's answers.
type Rules struct {
	// ClockSkew is how far the two clocks may differ; at most a minute.
	ClockSkew time.Duration
	// RequireContext lists the authentication contexts that are enough; none
	// is any.
	RequireContext []string
	// IdPInitiated allows answers that nobody asked for.
	IdPInitiated bool
	// SingleLogout: logout messages are spoken, both ways.
	SingleLogout bool
}

// Asked is the request that a response has to answer.
type Asked struct {
	ID string
	At time.Time
	// Fresh: the person must have proved themselves after At, less the clock
	// skew (ForceAuthn).
	Fresh bool
}

// Assertion is what a provider says of one person, with every check passed.
// Texts are exactly as they were signed.
type Assertion struct {
	ID string
	// Issuer is the provider's entity ID.
	Issuer string
	NameID, Format,
	NameQualifier, SPNameQualifier string
	// SessionIndex names the provider's own session, "" for none.
	SessionIndex string
	// AuthnInstant is when the person proved themselves there, Context how
	// (an AuthnContextClassRef, "" where it was not said).
	AuthnInstant time.Time
	Context      string
	// SessionUntil is when a session made of this must end; zero for no limit.
	SessionUntil time.Time
	// Until is when the assertion can no longer be used by anybody, clock
	// skew included: so long must its ID be remembered.
	Until time.Time
	// Attributes by Name, and by FriendlyName where that is no other's Name.
	Attributes map[string][]string
}
