package login

import (
	"context"
	"errors"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/phone"
)

// sealTyped is the context that a number is sealed for as it was typed.
const sealTyped = "typed phone number"

// SubmitNumber takes the number that somebody wants their codes sent to, and
// sends the first one. Nothing is active before that code is entered. What was
// typed is kept, to be shown again as it was.
func (m *Machine) SubmitNumber(ctx context.Context, c Client, f Flow, typed string, k account.Method) (Flow, error) {
	a, fs, err := m.Holder(ctx, f)
	if err != nil {
		return f, err
	}
	if !m.Next(f, fs).enrols() || !m.SendsAny() {
		return f, ErrNotNext
	}
	if f.Purpose == SignIn && fs.Protected() { // offered an app, and nothing else
		return f, ErrNotNext
	}
	pending := PendingPhone{ID: NewID(), Expires: m.Now().Add(PendingLife)}
	// The same number once more is the same pending number: its code works on.
	if before, err := m.pendingTyped(f); err == nil && before == clip(typed) {
		pending.ID = f.Phone.ID
	}
	begin := func(f *Flow) {
		if f.Phone == nil || f.Phone.ID != pending.ID {
			f.Sent = nil
		}
		f.Phone, f.Pending, f.WrongCodes = &pending, nil, 0 // another way was chosen
		if k.Kind() == account.KindPhone {
			f.Method = k // shown again
		}
	}
	if pending.Typed, err = m.Keys.Seal(sealTyped, []byte(a.ID), []byte(clip(typed))); err != nil {
		return f, err
	}
	begin(&f)
	n, facts, problem, err := m.judge(fs, typed, k)
	if refused := (*phone.Refused)(nil); errors.As(err, &refused) {
		return m.refuseNumber(ctx, c, f, a, err)
	}
	if err != nil {
		return f, err
	}
	if problem != nil {
		return m.refuse(ctx, f, *problem)
	}
	if pending.Sealed, err = m.Keys.Seal(sealPhone, []byte(a.ID), []byte(n.E164())); err != nil {
		return f, err
	}
	return m.send(ctx, c, f, a, target{factor: pending.ID, number: n, facts: facts, purpose: toEnrol}, k, begin)
}

// judge reads a typed number and says what is wrong with it. The error is
// *phone.Refused for a number that gets no codes here.
func (m *Machine) judge(fs account.Factors, typed string, k account.Method) (phone.Number, phone.Facts, *Problem, error) {
	wrong := func(field, key string) (phone.Number, phone.Facts, *Problem, error) {
		return phone.Number{}, phone.Facts{}, &Problem{Field: field, Key: key}, nil
	}
	if typed == "" {
		return wrong("phone", "phone.empty")
	}
	n, facts, err := m.Settings.Phone.Rules.Parse(typed)
	switch {
	case errors.Is(err, phone.ErrFormat):
		return wrong("phone", "phone.format")
	case err != nil:
		return n, facts, nil, err
	case k.Kind() != account.KindPhone || !m.Sends(k):
		return wrong("channel", "phone.channel")
	case facts.Landline && !m.Sends(account.MethodCall):
		return wrong("phone", "phone.unsupported")
	case facts.Landline && k == account.MethodText:
		return wrong("channel", "phone.landline")
	}
	for _, f := range fs.Of(account.KindPhone) {
		if own, _, err := m.Number(f); err == nil && own.Equal(n) {
			return wrong("phone", "phone.same")
		}
	}
	return n, facts, nil, nil
}

// SendsAny reports whether codes can be sent to phones at all.
func (m *Machine) SendsAny() bool { return m.Sends(account.MethodText) || m.Sends(account.MethodCall) }

// ResendNumber sends the pending number's code again.
func (m *Machine) ResendNumber(ctx context.Context, c Client, f Flow, k account.Method) (Flow, error) {
	a, t, err := m.pendingPhone(ctx, f)
	if err != nil {
		return f, err
	}
	if !m.Sends(k) {
		return f, ErrNotNext
	}
	if t.facts.Landline && k == account.MethodText {
		return m.refuse(ctx, f, Problem{Key: "phone.landline"})
	}
	return m.send(ctx, c, f, a, t, k, func(f *Flow) { f.Method = k })
}

// pendingPhone is the flow's number that waits for its code.
func (m *Machine) pendingPhone(ctx context.Context, f Flow) (account.Account, target, error) {
	a, fs, err := m.Holder(ctx, f)
	if err != nil {
		return a, target{}, err
	}
	if m.Next(f, fs) != StepSetUpPhone {
		return a, target{}, ErrNotNext
	}
	n, facts, err := m.Number(account.Factor{Account: a.ID, Sealed: f.Phone.Sealed})
	return a, target{factor: f.Phone.ID, number: n, facts: facts, purpose: toEnrol}, err
}

// PendingTyped returns the pending number as it was typed, "" for none.
func (m *Machine) PendingTyped(f Flow) string {
	typed, err := m.pendingTyped(f)
	if err != nil {
		return ""
	}
	return typed
}

func (m *Machine) pendingTyped(f Flow) (string, error) {
	if f.Phone == nil {
		return "", ErrNotNext
	}
	raw, err := m.Keys.Open(sealTyped, []byte(f.Account), f.Phone.Typed)
	return string(raw), err
}

// ConfirmPhone activates the pending number with its right code. Where the
// account has a number, that one stops only now, and is told.
func (m *Machine) ConfirmPhone(ctx context.Context, c Client, f Flow, typed string) (Flow, error) {
	a, t, err := m.pendingPhone(ctx, f)
	if err != nil {
		return f, err
	}
	by, pending := f.Sent.By, *f.Phone
	f, got, err := m.proveSent(ctx, c, a, f, t, m.factorCount(a.ID, kindEnrol), typed)
	switch {
	case err != nil:
		return f, err
	case !got.compared:
		return m.unread(ctx, c, f, *got.problem)
	case got.problem != nil:
		f.WrongCodes++
		return m.refuse(ctx, f, *got.problem)
	}
	ctx = context.WithoutCancel(ctx)
	now := m.since(a)
	added := account.Factor{
		ID: pending.ID, Account: a.ID, Kind: account.KindPhone, Created: now, LastUsed: now,
		Sealed: pending.Sealed, CallOnly: t.facts.Landline,
	}
	added.LookupKey, added.Lookup = m.Keys.MAC(LookupPhone, []byte(t.number.E164()))
	fs, err := m.Accounts.Factors(ctx, a.ID)
	if err != nil {
		return f, err
	}
	replaces, notice := f.Replaces, "notice.phoneadded"
	old := fs.Of(account.KindPhone)
	if len(old) > 0 { // one number for an account
		replaces, notice = old[0].ID, "notice.phonechanged"
	}
	e := m.phoneEvent(c, addedEvent(replaces), a, by, t.facts)
	if err := m.add(ctx, f, added, replaces, e); err != nil {
		return f, err
	}
	m.tellOld(ctx, c, a, old, false)
	return m.addedNow(ctx, f, added, by, Notice{Kind: "success", Key: notice, Ending: t.number.Ending()})
}

// tellOld tells a number that it gets no more codes (SECURITY R25), once. It is
// counted for the breaker of the whole system and refused by no limit: who
// changes the number must not be able to use the limits up first, so that the
// owner hears nothing. Each change has had a code of its own, which is limited.
// removed says that no other number takes its place.
func (m *Machine) tellOld(ctx context.Context, c Client, a account.Account, old account.Factors, removed bool) {
	for _, f := range old {
		m.tellNumber(ctx, c, a, f, removed)
	}
}

func (m *Machine) tellNumber(ctx context.Context, c Client, a account.Account, old account.Factor, removed bool) {
	e := m.phoneEvent(c, audit.OldNumberTold, a, account.MethodText, phone.Facts{})
	fail := func(err error) {
		e.Name, e.Reason = audit.OldNumberNotTold, err.Error()
		m.Audit.Record(ctx, e)
	}
	n, facts, err := m.Number(old)
	if err != nil {
		fail(err)
		return
	}
	k := account.MethodText
	if facts.Landline || !m.Sends(k) {
		k = account.MethodCall
	}
	e.Method, e.Country = string(k), facts.Region
	_, _ = m.take(ctx, []count{m.systemCount()})
	receipt, err := m.deliver(ctx, Delivery{ID: NewID(), Method: k, To: n, Removed: removed, Host: c.Host})
	if err != nil {
		fail(err)
		return
	}
	e.Reason = receipt.Sender
	m.Audit.Record(ctx, e)
}

// SkipApp answers the offer of an authenticator app with "Not now", also when
// its key is on the screen already.
func (m *Machine) SkipApp(ctx context.Context, f Flow) (Flow, error) {
	_, fs, err := m.Holder(ctx, f)
	if err != nil {
		return f, err
	}
	offered := f
	offered.Pending = nil
	if m.Next(offered, fs) != StepOfferApp {
		return f, ErrNotNext
	}
	f.Pending, f.SkippedApp = nil, true
	f.Problems, f.Notices = nil, nil
	return m.advance(ctx, f)
}

// PendingLandline reports whether the pending number is known to get no text
// messages.
func (m *Machine) PendingLandline(f Flow) bool {
	if f.Phone == nil {
		return false
	}
	_, facts, err := m.Number(account.Factor{Account: f.Account, Sealed: f.Phone.Sealed})
	return err == nil && facts.Landline
}
