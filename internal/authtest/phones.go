package authtest

import (
	"context"
	"errors"
	"sync"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// Phones is a login.Deliverer that keeps what is sent, for tests to read as the
// phone's owner would.
type Phones struct {
	mu   sync.Mutex
	sent []login.Delivery

	// Cannot are methods that nothing sends by.
	Cannot map[account.Method]bool
	// Fail, where set, decides what becomes of a message; an error that is not
	// *login.Undelivered is a definite failure.
	Fail func(login.Delivery) error
	// Vendor, where set, makes and checks the codes in our place.
	Vendor func(to phone.Number, code string) (bool, error)
}

// Can implements login.Deliverer.
func (p *Phones) Can(m account.Method) bool { return m.Kind() == account.KindPhone && !p.Cannot[m] }

// Deliver implements login.Deliverer. What fails is not kept, unless it may
// have been sent.
func (p *Phones) Deliver(_ context.Context, d login.Delivery) (login.Receipt, error) {
	r := login.Receipt{Sender: "test", Own: p.Vendor == nil}
	if p.Vendor != nil {
		r.Checker = "test"
	}
	var err error
	if p.Fail != nil {
		err = p.Fail(d)
	}
	u := (*login.Undelivered)(nil)
	if err != nil && !errors.As(err, &u) {
		return login.Receipt{}, &login.Undelivered{Err: err}
	}
	if err == nil || u.Maybe {
		p.mu.Lock()
		p.sent = append(p.sent, d)
		p.mu.Unlock()
	}
	return r, err
}

// Check implements login.Deliverer.
func (p *Phones) Check(_ context.Context, sender string, to phone.Number, code secret.Text) (bool, error) {
	if p.Vendor == nil || sender != "test" {
		return false, errors.New("no such vendor")
	}
	return p.Vendor(to, code.Reveal())
}

// Sent lists all messages, oldest first.
func (p *Phones) Sent() []login.Delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]login.Delivery(nil), p.sent...)
}

// Codes counts the messages that carried a code.
func (p *Phones) Codes() (n int) {
	for _, d := range p.Sent() {
		if !d.Code.IsZero() {
			n++
		}
	}
	return n
}

// Last is the newest message to the number; the zero Delivery for none.
func (p *Phones) Last(number string) login.Delivery {
	all := p.Sent()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].To.E164() == number {
			return all[i]
		}
	}
	return login.Delivery{}
}

// LastCode is the newest code that the number got, "" for none.
func (p *Phones) LastCode(number string) string { return p.Last(number).Code.Reveal() }
