package login

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// PhoneSettings are what the configuration says about codes by text message
// and call.
type PhoneSettings struct {
	Rules    phone.Rules
	CodeLife time.Duration // of a code, at most 10 minutes (ASVS 5.0 6.5.5)
	// CodeTries is how many wrong entries void a code.
	CodeTries int
}

// DefaultPhone are SPEC C2's numbers; every country is permitted.
func DefaultPhone() PhoneSettings {
	return PhoneSettings{CodeLife: 10 * time.Minute, CodeTries: 5}
}

// Deliverer words messages and hands them to the configured senders.
type Deliverer interface {
	// Can reports whether codes can be sent by the method at all.
	Can(account.Method) bool
	// Deliver hands a message over. Its error is *Undelivered; with Maybe the
	// receipt says whose code may arrive.
	Deliver(ctx context.Context, d Delivery) (Receipt, error)
	// Check asks the named sender's vendor, who made the code itself, whether
	// it is right. The error is *Undelivered where that is known: with Maybe
	// the vendor may have compared it.
	Check(ctx context.Context, sender string, to phone.Number, code secret.Text) (bool, error)
}

// Delivery is one message to a phone.
type Delivery struct {
	ID     string // 26 characters, another one for each send
	Method account.Method
	To     phone.Number
	// Code is six digits; zero for the notice to a number that it gets no more
	// codes: another one has taken its place, or it was Removed.
	Code    secret.Text
	Removed bool
	// Life is how long the code still works.
	Life time.Duration
	// Host is the one whose page asks for the code, as the browser names it.
	Host string
}

// Receipt is what a sender's acceptance means.
type Receipt struct {
	Sender string // that took it, "" when none did
	// Own: our own code went out, or may have.
	Own bool
	// Checker names the sender, if any, whose vendor sent a code of its own,
	// or may have, and checks it.
	Checker string
}

// errNoSenders: the configuration has none (any more).
var errNoSenders = &Undelivered{Err: errors.New("no senders are configured")}

// deliver hands a message over, where there is anybody to hand it to.
func (m *Machine) deliver(ctx context.Context, d Delivery) (Receipt, error) {
	if m.Phones == nil {
		return Receipt{}, errNoSenders
	}
	return m.Phones.Deliver(ctx, d)
}

// Undelivered is the error of a message that no sender took.
type Undelivered struct {
	// Maybe: it may have been sent all the same.
	Maybe bool
	Err   error
}

func (e *Undelivered) Error() string { return e.Err.Error() }

// Unwrap gives what the senders said.
func (e *Undelivered) Unwrap() error { return e.Err }
