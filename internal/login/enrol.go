package login

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// PendingLife is how long an unconfirmed authenticator, and unsaved backup
// codes, stay (SPEC D1).
const PendingLife = 30 * time.Minute

// MaxApps bounds the authenticators of one account: each is compared with at
// every try.
const MaxApps = 10

// kindEnrol names the counter of wrong codes while enrolling.
const kindEnrol account.Kind = "enrol"

// BeginApp makes the secret of a new authenticator, or keeps the pending one:
// it changes only when again is set, so that a wrong code or a reload never
// makes the entry in the person's app useless.
func (m *Machine) BeginApp(ctx context.Context, f Flow, again bool) (Flow, error) {
	a, fs, err := m.Holder(ctx, f)
	if err != nil {
		return f, err
	}
	step := m.Next(f, fs)
	if step != StepOfferApp && !step.enrols() {
		return f, ErrNotNext
	}
	if len(fs.Of(account.KindApp)) >= MaxApps && f.Replaces == "" {
		return m.refuse(ctx, f, Problem{Key: "app.toomany"})
	}
	if step == StepSetUpApp && !again {
		return f, nil
	}
	sealed, err := m.Keys.Seal(sealApp, []byte(a.ID), []byte(factor.NewTOTPSecret().Reveal()))
	if err != nil {
		return f, err
	}
	f.Pending = &PendingApp{ID: NewID(), Sealed: sealed, Expires: m.Now().Add(PendingLife)}
	f.Phone, f.Sent = nil, nil // another way was chosen
	f.WrongCodes, f.Problems, f.Notices = 0, nil, nil
	return m.advance(ctx, f)
}

// PendingSecret returns the secret that the set-up page shows.
func (m *Machine) PendingSecret(f Flow) (secret.Text, error) {
	if f.Pending == nil {
		return secret.Text{}, ErrNotNext
	}
	raw, err := m.Keys.Open(sealApp, []byte(f.Account), f.Pending.Sealed)
	return secret.New(string(raw)), err
}

// ConfirmApp activates the pending authenticator with its first right code.
// That code's step is spent: it cannot be used to sign in (R21).
func (m *Machine) ConfirmApp(ctx context.Context, c Client, f Flow, typed, label string) (Flow, error) {
	a, fs, err := m.Holder(ctx, f)
	if err != nil {
		return f, err
	}
	if m.Next(f, fs) != StepSetUpApp {
		return f, ErrNotNext
	}
	if typed == "" {
		return m.unread(ctx, c, f, Problem{Field: "code", Key: "code.empty"})
	}
	code, err := factor.NormaliseCode(typed)
	if err != nil {
		return m.unread(ctx, c, f, Problem{Field: "code", Key: "code.format"})
	}
	taken, err := m.take(ctx, []count{m.factorCount(a.ID, kindEnrol)})
	if err != nil {
		return f, m.limited(ctx, c, a, a.Name, err)
	}
	key, err := m.PendingSecret(f)
	if err != nil {
		return f, err
	}
	step, err := factor.MatchTOTP(key, code, m.Now(), 0)
	if err != nil {
		f.WrongCodes++
		return m.refuse(ctx, f, Problem{Field: "code", Key: "code.wrong", Left: taken.left()})
	}
	return m.addApp(ctx, c, f, a, step, label)
}

// addApp stores the factor, then raises the flow. The factor's identity was
// made with its secret, so of two equal submissions the store refuses one.
func (m *Machine) addApp(ctx context.Context, c Client, f Flow, a account.Account, step int64, label string) (Flow, error) {
	now := m.since(a)
	added := account.Factor{
		ID: f.Pending.ID, Account: a.ID, Kind: account.KindApp, Label: cleanLabel(label),
		Created: now, LastUsed: now, Sealed: f.Pending.Sealed, LastStep: step,
	}
	e := m.factorEvent(c, addedEvent(f.Replaces), a, account.KindApp)
	if err := m.add(ctx, f, added, f.Replaces, e); err != nil {
		return f, err
	}
	return m.addedNow(ctx, f, added, account.MethodApp, Notice{Kind: "success", Key: "notice.appadded"})
}

// addedEvent names what happened: a factor was added, or took another's place.
func addedEvent(replaces string) audit.Name {
	if replaces != "" {
		return audit.FactorReplaced
	}
	return audit.FactorAdded
}

// add stores a confirmed factor.
func (m *Machine) add(ctx context.Context, f Flow, added account.Factor, replaces string, e audit.Event) error {
	var err error
	changer := m.Changer.Since(f.Since)
	if f.FactorAt.IsZero() { // nothing but a password was proved
		err = changer.AddFirstFactor(ctx, added, added.Created, e)
	} else {
		err = changer.AddFactor(ctx, added, replaces, added.Created, e)
	}
	switch {
	case errors.Is(err, account.ErrTaken):
		return ErrConflict
	case errors.Is(err, account.ErrEnded):
		return ErrNoFlow
	}
	if err != nil {
		return err
	}
	m.Audit.Written(ctx, e)
	_ = m.Limiter.Clear(ctx, m.factorCount(added.Account, kindEnrol).key)
	_ = m.Revoke(ctx) // rows stay until done; the loop goes on
	return nil
}

// addedNow notes in the flow that a factor was added, and by that proved.
func (m *Machine) addedNow(ctx context.Context, f Flow, added account.Factor, k account.Method, n Notice) (Flow, error) {
	return m.raise(ctx, f, func(f *Flow) {
		f.Pending, f.Phone, f.Sent = nil, nil, nil
		f.Added, f.WrongCodes = added.ID, 0
		f.Since, f.FactorAt, f.FactorMethod = added.Created, added.Created, k
		f.Problems, f.Notices = nil, []Notice{n}
	})
}

// cleanLabel bounds the owner's name for a factor.
func cleanLabel(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, s))
	if r := []rune(s); len(r) > account.MaxLabel {
		s = string(r[:account.MaxLabel])
	}
	return s
}
