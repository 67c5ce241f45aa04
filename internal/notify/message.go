// Package notify hands codes and notices to those who deliver them: Telnyx,
// Twilio, a webhook of the operator's, or a file for development; and e-mails
// to a mail server, or into files. It knows the vendors' interfaces and SMTP,
// and nothing of accounts, flows, limits, queues or wording: what to say comes
// in, worded, as a Message or a Mail. It makes no promise that a phone rings
// or that a mail is read; a vendor's acceptance is all that it knows.
package notify

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// Channel is how a message reaches a phone.
type Channel string

// The channels.
const (
	Text Channel = "text"
	Call Channel = "call"
)

// Message is one code or notice on its way to a phone.
type Message struct {
	// ID is the same whenever the same message is handed over again: 26
	// characters of lower-case base32.
	ID      string
	Channel Channel
	To      phone.Number
	// Code is six digits; zero for a notice, which says that something changed.
	Code secret.Text
	// Words is the whole message, worded. For a text its body, lines parted by
	// "\n". For a call what is read out: one sentence a line, with a pause
	// after each; digits already stand apart from each other.
	Words secret.Text
	// Language of the words, a BCP 47 tag such as `en`.
	Language string
	// Service is the operator's name of the installation.
	Service string
	// Life is how long the code still works; a call answered later is silent.
	Life time.Duration
	// Hook is the address at which a Hooked sender can be called back, such as
	// https://login.example.com/hooks/telnyx; "" for none.
	Hook string
}

// Notice reports whether the message carries no code.
func (m Message) Notice() bool { return m.Code.IsZero() }

// Sender hands messages to those who deliver them. It is safe for concurrent
// use.
type Sender interface {
	// Can reports whether the sender carries codes, or else notices, by this
	// channel.
	Can(c Channel, notice bool) bool
	// Send hands the message over, within the sender's own time limit. nil
	// means that it was accepted; otherwise the error is a *Failure. It asks
	// the vendor a second time only where the first time cannot have sent.
	Send(ctx context.Context, m Message) error
}

// Checker is a Sender whose vendor makes the code and checks it: Message.Code
// and Message.Words are not what arrives.
type Checker interface {
	Sender
	// Check asks the vendor whether this is the code that it sent to the
	// number. The error is a *Failure.
	Check(ctx context.Context, to phone.Number, code secret.Text) (bool, error)
}

// Hooked is a Sender that its vendor calls back.
type Hooked interface {
	Sender
	// Hook takes one call back. ErrHookRefused when it does not prove where it
	// comes from, is malformed or is too old; other errors are our own trouble,
	// and the vendor should call again.
	Hook(ctx context.Context, header http.Header, body []byte) error
}

// ErrHookRefused: a call back does not prove that it comes from the vendor.
var ErrHookRefused = errors.New("the call back does not prove where it comes from")

// Reason is a class of failures, for logs, metrics and tests.
type Reason string

// The reasons of failures.
const (
	BadNumber   Reason = "number"      // the vendor says that the number can't be reached
	Blocked     Reason = "blocked"     // the vendor or carrier blocks this destination
	NoFunds     Reason = "funds"       // the account has no money left
	Credentials Reason = "credentials" // key, sender number or profile refused
	Limited     Reason = "limited"     // too many requests
	Rejected    Reason = "rejected"    // refused for another reason
	Deferred    Reason = "deferred"    // a mail server's refusal for now (4xx): later it may take the mail
	Broken      Reason = "broken"      // the vendor's own trouble, or an answer that is none
	Timeout     Reason = "timeout"     // no answer in time
	Unreachable Reason = "unreachable" // no connection, or it was cut
)

// Failure is why a message was not handed over.
type Failure struct {
	Reason Reason
	// Maybe: the vendor may have sent it all the same, because the request was
	// on its way when the connection was lost or time ran out.
	Maybe bool
	// Permanent: the same mail would be refused again, so that there is no
	// sense in another try. Only a Mailer says so; never beside Maybe.
	Permanent bool
	// Detail is for the operator's log: status, the vendor's own code and
	// title. It never holds a number, an address, a code or a key.
	Detail string
}

func (f *Failure) Error() string {
	if f.Detail == "" {
		return "not sent: " + string(f.Reason)
	}
	return "not sent: " + string(f.Reason) + ": " + f.Detail
}
