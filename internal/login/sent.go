package login

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// sealSent is the context that sent codes are sealed for.
const sealSent = "sent code"

// target is whom a code is for: a number, and why it gets one. A code for one
// target opens nothing for another (SECURITY R23).
type target struct {
	factor  string // id of the factor, or the one that it will have
	number  phone.Number
	facts   phone.Facts
	purpose string
}

// The purposes of codes.
const (
	toVerify = "verify"
	toEnrol  = "enrol"
)

// bound is the associated data of the target's code: no other flow, account,
// factor, number or purpose opens it.
func (t target) bound(f Flow) []byte {
	var all []byte
	for _, part := range []string{string(f.ID), string(f.Account), string(f.Purpose), t.factor, t.purpose, t.number.E164()} {
		all = append(append(all, part...), 0)
	}
	return all
}

// went reports whether the code for that factor went out, or may have.
func (s *SentCode) went(factor string) bool { return s != nil && s.Factor == factor && s.Times > 0 }

// Void reports whether too many wrong entries have ended the code.
func (s *SentCode) Void(tries int) bool { return s.Wrong >= tries }

// works reports whether the flow's code for the target can still be entered.
func (m *Machine) works(f Flow, t target) bool {
	return f.Sent != nil && f.Sent.Factor == t.factor && m.Now().Before(f.Sent.Expires) && !f.Sent.Void(m.Settings.Phone.CodeTries)
}

// code returns the code to send: the same one while it works, by whichever
// channel, so that late messages stay right; then a new one.
func (m *Machine) code(f Flow, t target) (SentCode, secret.Text, error) {
	if m.works(f, t) {
		sent := *f.Sent
		raw, err := m.Keys.Open(sealSent, t.bound(f), sent.Sealed)
		if err == nil {
			return sent, secret.New(string(raw)), nil
		}
	}
	code := factor.NewCode()
	sealed, err := m.Keys.Seal(sealSent, t.bound(f), []byte(code.Reveal()))
	return SentCode{Factor: t.factor, Sealed: sealed, Expires: m.Now().Add(m.Settings.Phone.CodeLife)}, code, err
}

// Life is how long a code still works at now, 0 for none.
func (s *SentCode) Life(now time.Time) time.Duration {
	if s == nil {
		return 0
	}
	return max(0, s.Expires.Sub(now))
}

// entry is what became of a typed code.
type entry struct {
	compared bool     // it was compared, and counted
	filled   bool     // it was the last wrong one that the counter takes
	problem  *Problem // nil: it was right
}

// unread is the outcome of what was not compared.
func unread(key string) entry { return entry{problem: &Problem{Field: "code", Key: key}} }

// proveSent takes from the limiter, then decides and spends in one write of
// the flow: of any number of equal entries at once one is right and the others
// are refused unread. It returns the flow as it is then. A right code is gone
// from it, also where a later step fails: that costs one code and lets nobody
// through.
func (m *Machine) proveSent(ctx context.Context, c Client, a account.Account, f Flow, t target, counter count, typed string) (Flow, entry, error) {
	if typed == "" {
		return f, unread("code.empty"), nil
	}
	digits, err := factor.NormaliseCode(typed)
	if err != nil {
		return f, unread("code.format"), nil
	}
	switch {
	case !f.Sent.went(t.factor):
		return f, unread("code.none"), nil
	case f.Sent.Void(m.Settings.Phone.CodeTries):
		return f, unread("code.void"), nil
	case !m.Now().Before(f.Sent.Expires):
		return f, unread("code.expired"), nil
	}
	taken, err := m.take(ctx, []count{counter})
	if err != nil {
		return f, entry{}, m.limited(ctx, c, a, a.Name, err)
	}
	// Counted is counted: a client that goes away now does not undo the
	// comparison and with it the failure.
	ctx = context.WithoutCancel(ctx)
	sent := *f.Sent
	right := sent.Own && m.fits(f, t, sent, digits)
	if right {
		f.Sent = nil
	} else {
		sent.Wrong++
		f.Sent = &sent
	}
	if f, err = m.Flows.SaveFlow(ctx, f); err != nil {
		m.giveBack(ctx, taken)
		return f, entry{}, err
	}
	if !right && sent.Checker != "" {
		var failed error
		if right, failed = m.check(ctx, sent.Checker, t.number, digits); failed != nil && !sent.Own && !maybeSent(failed) {
			m.giveBack(ctx, taken)
			f, err = m.amend(ctx, f, func(f *Flow) {
				if f.Sent.went(t.factor) && f.Sent.Wrong > 0 {
					f.Sent.Wrong-- // nobody compared it
				}
			})
			return f, unread("code.unchecked"), err
		}
		if right {
			if f, err = m.spend(ctx, f, t); err != nil {
				return f, entry{}, err
			}
		}
	}
	if right {
		return f, entry{compared: true}, nil
	}
	wrong := Problem{Field: "code", Key: "code.late", Left: min(taken.left(), m.Settings.Phone.CodeTries-sent.Wrong)}
	if sent.Void(m.Settings.Phone.CodeTries) {
		wrong.Key = "code.void"
	}
	return f, entry{compared: true, filled: taken.filled(), problem: &wrong}, nil
}

// spend takes the code out of the flow, once: of two entries that a vendor
// calls right at the same moment, the second is ErrConflict.
func (m *Machine) spend(ctx context.Context, f Flow, t target) (Flow, error) {
	for tries := 1; ; tries++ {
		if !f.Sent.went(t.factor) {
			return f, ErrConflict
		}
		f.Sent = nil
		saved, err := m.Flows.SaveFlow(ctx, f)
		if !errors.Is(err, ErrConflict) || tries == mostAmends {
			return saved, err
		}
		if f, err = m.Flows.Flow(ctx, f.Browser, f.ID, m.Now()); err != nil {
			return f, err
		}
	}
}

// check asks the vendor that made the code. Where it may have compared, or we
// have, the entry counts, whatever became of the answer.
func (m *Machine) check(ctx context.Context, sender string, n phone.Number, digits string) (bool, error) {
	if m.Phones == nil {
		return false, errNoSenders
	}
	return m.Phones.Check(ctx, sender, n, secret.New(digits))
}

// fits compares what was typed with the sealed code. One that can't be opened
// fits nothing.
func (m *Machine) fits(f Flow, t target, sent SentCode, digits string) bool {
	raw, err := m.Keys.Open(sealSent, t.bound(f), sent.Sealed)
	return err == nil && factor.MatchCode(secret.New(string(raw)), digits) == nil
}

// Offered lists the methods that can prove a second factor now, the one used
// last first.
func (m *Machine) Offered(a account.Account, fs account.Factors) []account.Method {
	return fs.Offered(a.LastMethod, m.can)
}

// can reports whether the installation has what the method needs.
func (m *Machine) can(k account.Method) bool {
	return k.Kind() != account.KindPhone || m.Sends(k)
}

// Sends reports whether codes can be sent by the method.
func (m *Machine) Sends(k account.Method) bool { return m.Phones != nil && m.Phones.Can(k) }

func (m *Machine) offers(a account.Account, fs account.Factors, k account.Method) bool {
	return slices.Contains(m.Offered(a, fs), k)
}

// Sending is what a page tells of the code for one factor.
type Sending struct {
	Out bool // a code is out, or may be, and can be entered
	// Unsure: nobody knows whether it is.
	Unsure bool
	By     account.Method
	Life   time.Duration // it still works
	Wait   time.Duration // until a code may be asked for again
	More   int           // how many more may be asked for; -1 is not known
}

// Sending tells about the flow's code for an enrolled phone, or a pending one.
func (m *Machine) Sending(f Flow, factor string) Sending {
	if !f.Sent.went(factor) {
		return Sending{More: -1}
	}
	now := m.Now()
	s := Sending{By: f.Sent.By, Wait: max(0, f.Sent.At.Add(m.Settings.Limits.SendWait).Sub(now)), More: -1}
	if m.works(f, target{factor: factor}) {
		s.Out, s.Life, s.More, s.Unsure = true, f.Sent.Life(now), f.Sent.More, f.Sent.Unsure
	}
	return s
}

// Asked reports whether the flow's pending number was sent a code.
func (f Flow) Asked() bool {
	return f.Phone != nil && len(f.Phone.Sealed) > 0 && f.Sent.went(f.Phone.ID)
}
