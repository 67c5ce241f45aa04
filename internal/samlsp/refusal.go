package samlsp

import (
	"fmt"
	"strings"
	"unicode"
)

// Reason names the check that a message of an identity provider failed. It is
// what the audit keeps and operators search for, so its text is never changed.
type Reason string

// Why a message is refused, in the order in which it is looked at.
const (
	// Before anything is decoded.
	TooLarge Reason = "too_large" // beyond 256 KiB, before or after inflating
	BadForm  Reason = "bad_form"  // a doubled or missing field, base64 that is none
	// The text of the XML.
	BadXML         Reason = "bad_xml"         // does not parse, or two parsers might read it differently
	Doctype        Reason = "doctype"         // a document type, or an entity of one
	Comment        Reason = "comment"         // a comment or a processing instruction
	TooComplex     Reason = "too_complex"     // too many elements, attributes or namespaces, or too deep
	BadNamespace   Reason = "bad_namespace"   // a prefix with two meanings, a relative or empty address
	DuplicateID    Reason = "duplicate_id"    // one ID twice, or an ID under another spelling of its name
	WrongMessage   Reason = "wrong_message"   // not the message that this endpoint takes
	WrongStructure Reason = "wrong_structure" // an assertion, signature or element where none may be
	NotOne         Reason = "not_one"         // not exactly one assertion
	// What the provider said of the request.
	StatusNotSuccess Reason = "status" // the provider reports an error
	// Decryption.
	CannotDecrypt Reason = "cannot_decrypt"
	// Signatures.
	Unsigned      Reason = "unsigned"       // no signature where one must be
	WeakAlgorithm Reason = "weak_algorithm" // SHA-1, HMAC, an unknown one
	BadReference  Reason = "bad_reference"  // not exactly one reference, to the element itself
	BadTransform  Reason = "bad_transform"  // another transform than the two that SAML allows
	UnknownSigner Reason = "unknown_signer" // no key of the provider's fits
	NoCertificate Reason = "no_certificate" // the provider has none that is good now
	// Who it is from and for.
	WrongIssuer      Reason = "wrong_issuer"
	WrongDestination Reason = "wrong_destination" // missing, or not our address
	NoConditions     Reason = "no_conditions"
	NoAudience       Reason = "no_audience"
	WrongAudience    Reason = "wrong_audience"
	NoSubject        Reason = "no_subject"      // no Subject, or one without a NameID
	BadNameID        Reason = "bad_name_id"     // empty, transient, too long, of another party
	NoConfirmation   Reason = "no_confirmation" // no bearer confirmation that holds
	WrongRecipient   Reason = "wrong_recipient"
	// Times.
	Expired        Reason = "expired"
	NotYetValid    Reason = "not_yet_valid"
	IssuedInFuture Reason = "issued_in_future"
	BadTime        Reason = "bad_time"     // not a time in UTC, or an impossible one
	SessionOver    Reason = "session_over" // SessionNotOnOrAfter has passed
	// Which request it answers.
	NoRequest    Reason = "no_request"    // nothing was asked for, and unasked answers are not allowed
	WrongRequest Reason = "wrong_request" // unknown, used, of another provider, or two that differ
	WrongState   Reason = "wrong_state"   // RelayState is not the one that was sent
	Replayed     Reason = "replayed"      // this very assertion was used before
	WrongBrowser Reason = "wrong_browser" // asked for by another browser
	// How the person proved themselves.
	NoStatement Reason = "no_statement"  // no AuthnStatement
	WeakContext Reason = "weak_context"  // another class than `require_context` lists
	StaleSignIn Reason = "stale_sign_in" // a fresh proof was asked for and is not there
	// TooManyAttributes: more, or longer ones, than a session can go by.
	TooManyAttributes Reason = "too_many_attributes"
	// crewjam/saml refused what our own checks accept.
	Library Reason = "library"
)

// Refusal says which check a message failed. Its text is for operators: it may
// name what was found and what was wanted, and holds no part of a message that
// could be replayed.
type Refusal struct {
	Reason Reason
	Detail string
}

func (r *Refusal) Error() string {
	if r.Detail == "" {
		return string(r.Reason)
	}
	return string(r.Reason) + ": " + r.Detail
}

// maxDetail bounds a refusal's text, in bytes: anybody can have one logged, and
// parsers quote as much as they were given.
const maxDetail = 800

func refuse(reason Reason, format string, args ...any) *Refusal {
	detail := fmt.Sprintf(format, args...)
	if len(detail) > maxDetail {
		detail = strings.ToValidUTF8(detail[:maxDetail], "") + "…"
	}
	return &Refusal{reason, strings.Map(visible, detail)}
}

// visible puts a mark in place of what could steer a terminal.
func visible(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}
