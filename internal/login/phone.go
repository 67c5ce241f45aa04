package login

import (
	"context"
	"errors"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/phone"
)

// sealPhone is the context that numbers are sealed for.
const sealPhone = "phone number"

// errPhoneUnusable: a stored number cannot be opened or read.
var errPhoneUnusable = errors.New("the stored number cannot be read")

// Number opens the number of an account's phone.
func (m *Machine) Number(f account.Factor) (phone.Number, phone.Facts, error) {
	raw, err := m.Keys.Open(sealPhone, []byte(f.Account), f.Sealed)
	if err != nil {
		return phone.Number{}, phone.Facts{}, errors.Join(errPhoneUnusable, err)
	}
	n, facts, err := phone.Known(string(raw))
	if err != nil {
		return n, facts, errPhoneUnusable // the cause may quote the number
	}
	return n, facts, nil
}

// enrolled is the account's phone as the target of a code to verify it.
func (m *Machine) enrolled(ctx context.Context, c Client, a account.Account, fs account.Factors) (target, error) {
	phones := fs.Of(account.KindPhone)
	if len(phones) == 0 {
		return target{}, ErrNotNext
	}
	n, facts, err := m.Number(phones[0])
	if err != nil {
		m.Audit.Record(ctx, m.factorEvent(c, audit.SecretUnreadable, a, account.KindPhone))
		return target{}, err
	}
	return target{factor: phones[0].ID, number: n, facts: facts, purpose: toVerify}, nil
}

// SendCode sends a code to the account's phone, in a flow that waits for a
// second factor. The returned flow has Problems where nothing was sent.
func (m *Machine) SendCode(ctx context.Context, c Client, f Flow, k account.Method) (Flow, error) {
	a, fs, err := m.verifier(ctx, f)
	if err != nil {
		return f, err
	}
	if k.Kind() != account.KindPhone || !m.offers(a, fs, k) {
		return f, ErrNotNext
	}
	t, err := m.enrolled(ctx, c, a, fs)
	if err != nil {
		return f, err
	}
	// While entries are refused, a code would cost money and open nothing.
	free, err := m.take(ctx, []count{m.factorCount(a.ID, account.KindPhone)})
	if err != nil {
		return f, m.limited(ctx, c, a, a.Name, err)
	}
	m.giveBack(ctx, free)
	return m.send(ctx, c, f, a, t, k, func(f *Flow) { f.Method = k })
}

// SubmitSent checks a code that was sent to the account's phone. k is the
// page, text or call; either code is right on both.
func (m *Machine) SubmitSent(ctx context.Context, c Client, f Flow, k account.Method, typed string) (Flow, error) {
	a, fs, err := m.verifier(ctx, f)
	if err != nil {
		return f, err
	}
	if k.Kind() != account.KindPhone {
		return f, ErrNotNext
	}
	t, err := m.enrolled(ctx, c, a, fs)
	if err != nil {
		return f, err
	}
	counter := m.factorCount(a.ID, account.KindPhone)
	f.Method = k
	f, got, err := m.proveSent(ctx, c, a, f, t, counter, typed)
	if err != nil {
		return f, err
	}
	if !got.compared {
		return m.unread(ctx, c, f, *got.problem)
	}
	ctx = context.WithoutCancel(ctx)
	usable, err := m.recordSent(ctx, c, a, t, k, got.problem == nil)
	if err != nil {
		return f, err
	}
	if !usable && got.problem == nil { // locked or gone since it was read
		got.problem = &Problem{Field: "code", Key: "code.late"}
	}
	if got.problem != nil {
		m.tooWrong(ctx, c, a, account.KindPhone, got.filled)
		f.WrongCodes++
		return m.refuse(ctx, f, *got.problem)
	}
	if err := m.Limiter.Clear(ctx, counter.key); err != nil {
		return f, err
	}
	return m.verified(ctx, f, k, nil)
}

// recordSent writes what became of a code to the phone's row, where failures
// in a row are kept for good. It reports whether the phone is still enrolled
// and not locked.
func (m *Machine) recordSent(ctx context.Context, c Client, a account.Account, t target, k account.Method, right bool) (usable bool, err error) {
	var events []audit.Event
	err = m.Prover.Prove(ctx, a.ID, account.KindPhone, func(phones []*account.Factor) []audit.Event {
		usable, events = false, nil
		for _, f := range phones {
			if f.ID != t.factor || f.Locked {
				continue
			}
			usable = true
			if right {
				f.Succeed(m.Now())
				events = append(events, m.phoneEvent(c, audit.FactorRight, a, k, t.facts))
				continue
			}
			events = append(events, m.phoneEvent(c, audit.FactorWrong, a, k, t.facts))
			if f.Fail(m.Settings.Limits.FactorHard) {
				events = append(events, m.phoneEvent(c, audit.FactorLocked, a, k, t.facts))
			}
		}
		return events
	})
	if err == nil {
		m.Audit.Written(ctx, events...)
	}
	return usable, err
}

func (m *Machine) phoneEvent(c Client, n audit.Name, a account.Account, k account.Method, facts phone.Facts) audit.Event {
	e := m.event(c, n, a)
	e.Method, e.Country = string(k), facts.Region
	return e
}
