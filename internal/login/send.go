package login

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// send takes from every limit, keeps the code in the flow, and then hands it
// to the senders: a code that arrives is always one that can be entered. The
// returned flow has Problems where nothing was sent. begin is what the step
// itself changes in the flow.
func (m *Machine) send(ctx context.Context, c Client, f Flow, a account.Account, t target, k account.Method, begin func(*Flow)) (Flow, error) {
	begin(&f)
	if _, err := m.Settings.Phone.Rules.Judge(t.number); err != nil {
		return m.refuseNumber(ctx, c, f, a, err)
	}
	taken, err := m.take(ctx, m.sendCounts(c, a, t))
	if err != nil {
		err = m.limited(ctx, c, a, a.Name, err)
		if l := (*Limited)(nil); errors.As(err, &l) && l.Limit == limitSendWait {
			return m.refuse(ctx, f, Problem{Key: sendWait, Left: int(math.Ceil(l.RetryAfter.Seconds()))})
		}
		return f, err
	}
	// From here on a person who goes away stops nothing half way.
	ctx = context.WithoutCancel(ctx)
	f, code, err := m.keepCode(ctx, f, t, begin)
	if err != nil {
		m.giveBack(ctx, taken)
		return f, err
	}
	receipt, failed := m.deliver(ctx, Delivery{
		ID: NewID(), Method: k, To: t.number, Code: code, Life: f.Sent.Life(m.Now()), Host: c.Host,
	})
	e := m.phoneEvent(c, audit.CodeSent, a, k, t.facts)
	e.Reason = receipt.Sender
	if failed != nil {
		e.Name, e.Reason = audit.CodeNotSent, failed.Error()
	}
	m.settle(ctx, taken, failed)
	m.Audit.Record(ctx, e)
	return m.amend(ctx, f, func(f *Flow) {
		if failed != nil {
			f.Problems = []Problem{{Key: m.failKey(t, k)}}
		}
		if failed == nil || maybeSent(failed) {
			f.went(t, k, receipt, taken.more(), m.Now(), failed != nil)
		}
	})
}

// keepCode puts the code into the flow. Whoever is here has the one send of
// these seconds: another press of the button, which is refused and says so in
// the flow, must not make it fail.
func (m *Machine) keepCode(ctx context.Context, f Flow, t target, begin func(*Flow)) (Flow, secret.Text, error) {
	for tries := 1; ; tries++ {
		sent, code, err := m.code(f, t)
		if err != nil {
			return f, code, err
		}
		f.Sent, f.Problems, f.Notices = &sent, nil, nil
		saved, err := m.Flows.SaveFlow(ctx, f)
		if !errors.Is(err, ErrConflict) || tries == mostAmends {
			return saved, code, err
		}
		if f, err = m.Flows.Flow(ctx, f.Browser, f.ID, m.Now()); err != nil {
			return f, code, err
		}
		_, fs, err := m.Holder(ctx, f)
		if err != nil {
			return f, code, err
		}
		if step := m.Next(f, fs); t.purpose == toVerify && step != StepVerify || t.purpose == toEnrol && !step.enrols() {
			return f, code, ErrNotNext
		}
		begin(&f)
	}
}

// sendWait is the key of a problem whose Left is seconds to wait.
const sendWait = "send.wait"

// sentKeys are what is told when a code was asked for again.
var sentKeys = map[account.Method]string{account.MethodText: "send.ok", account.MethodCall: "send.called"}

// failKey is what is told when no sender took a code: to try the other
// channel, where there is one.
func (m *Machine) failKey(t target, k account.Method) string {
	switch {
	case k == account.MethodText && m.Sends(account.MethodCall):
		return "send.fail"
	case k == account.MethodCall && m.Sends(account.MethodText) && !t.facts.Landline:
		return "send.fail.call"
	}
	return "send.fail.any"
}

// went notes that the flow's code went out, or may have.
func (f *Flow) went(t target, k account.Method, r Receipt, more int, now time.Time, unsure bool) {
	f.Sends++
	s := f.Sent
	if s == nil || s.Factor != t.factor { // entered, or gone, meanwhile
		return
	}
	if s.Times > 0 && len(f.Problems) == 0 {
		f.Notices = []Notice{{Kind: "success", Key: sentKeys[k], Ending: t.number.Ending()}}
	}
	s.Times++
	s.By, s.More, s.Unsure = k, more, unsure
	if !unsure { // else another may be asked for at once
		s.At = now
	}
	s.Own = s.Own || r.Own
	if r.Checker != "" {
		s.Checker = r.Checker
	}
}

// maybeSent reports whether a message may have gone out in spite of an error.
func maybeSent(err error) bool {
	u := (*Undelivered)(nil)
	return errors.As(err, &u) && u.Maybe
}

// refuseNumber tells that a number gets no codes; why, the operator is told.
func (m *Machine) refuseNumber(ctx context.Context, c Client, f Flow, a account.Account, err error) (Flow, error) {
	refused := (*phone.Refused)(nil)
	if !errors.As(err, &refused) {
		return m.refuse(ctx, f, Problem{Field: "phone", Key: "phone.format"})
	}
	e := m.phoneEvent(c, audit.NumberRefused, a, "", phone.Facts{Region: refused.Region})
	e.Reason = refused.Reason
	m.Audit.Record(ctx, e)
	return m.refuse(ctx, f, Problem{Field: "phone", Key: "phone.unsupported"})
}
