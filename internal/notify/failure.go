package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"unicode"
)

// asError keeps a nil *Failure from becoming an error that is not nil.
func asError(f *Failure) error {
	if f == nil {
		return nil
	}
	return f
}

// connectionFailure names what went wrong between us and the vendor. Of the
// cause's own text only what cannot quote the request or the answer is kept:
// net/url's errors hold the address, net/http's parts of the answer, and a
// number can be in both.
func connectionFailure(ctx context.Context, err error, written bool) *Failure {
	f := &Failure{Reason: Unreachable, Maybe: written, Detail: "the connection was cut"}
	var (
		certificate *tls.CertificateVerificationError
		network     *net.OpError
		lookup      *net.DNSError
		wait        interface{ Timeout() bool }
	)
	switch {
	case ctx.Err() != nil, errors.As(err, &wait) && wait.Timeout():
		f.Reason, f.Detail = Timeout, "no answer in time"
	case errors.As(err, &certificate):
		f.Detail = "the server's certificate is not accepted"
	case errors.As(err, &lookup):
		f.Detail = "the server's name could not be looked up"
	case errors.As(err, &network) && network.Op == "dial":
		f.Detail = "no connection: " + network.Err.Error()
	case !written:
		f.Detail = "no connection"
	}
	return f
}

// statusFailure is a refusal that says no more than its status. After a 5xx
// the vendor may have sent all the same: it says nothing of how far it came.
func statusFailure(status int, detail string) *Failure {
	f := &Failure{Reason: Rejected, Detail: "HTTP " + strconv.Itoa(status)}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		f.Reason = Credentials
	case status == http.StatusPaymentRequired:
		f.Reason = NoFunds
	case status == http.StatusTooManyRequests:
		f.Reason = Limited
	case status >= 500:
		f.Reason, f.Maybe = Broken, true
	case status < 400:
		f.Reason, f.Maybe = Broken, status/100 == 2
	}
	if detail != "" {
		f.Detail += ": " + detail
	}
	return f
}

// errChannel: the sender was asked for what it does not carry.
var errChannel = &Failure{Reason: Rejected, Detail: "this sender does not carry this message"}

// notAnAnswer is a success that does not say what was asked: the vendor may
// have sent.
func notAnAnswer(status int) *Failure {
	return &Failure{Reason: Broken, Maybe: true, Detail: "HTTP " + strconv.Itoa(status) + ": not an answer that the vendor describes"}
}

// ownWords puts a vendor's code and title together for a log. Vendors quote
// numbers in their texts, so that a title with anything but words in it is
// left out, and so is a code that is not one.
func ownWords(code, title string) string {
	if len(code) > 5 || strings.Trim(code, "0123456789") != "" {
		code = ""
	}
	words := strings.TrimFunc(title, func(r rune) bool { return unicode.IsLetter(r) || strings.ContainsRune(" '-,.()", r) })
	if len(title) > 80 || words != "" {
		title = ""
	}
	return strings.TrimSpace(code + " " + title)
}
