package login

import (
	"context"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// Reaches reports whether the person's portal token already satisfies the
// wish.
func (m *Machine) Reaches(p Person, w Wish) bool {
	return w.ReachedBy(p.Token, p.Session.Provider(), m.Now())
}

// ReachedBy reports whether a token of a session that is from the provider, ""
// for here, satisfies the wish at now.
func (w Wish) ReachedBy(t session.Token, provider string, now time.Time) bool {
	return w.provedBy(t, provider) && (w.Fresh == 0 || session.ProvedSince(now.Add(-w.Fresh), w.Needs, t.PasswordAt, t.FactorAt))
}

// provedBy reports whether all that the wish needs was proved, however long ago.
func (w Wish) provedBy(t session.Token, provider string) bool {
	return t.Level >= w.Needs && (w.Provider == "" || provider == w.Provider)
}

// BeginStepUpFor makes the flow of somebody who has proved all that the wish
// needs, but too long ago: the session stays, and gets a new token (SPEC A1,
// `reauthenticate`). ErrNotNext where more is missing.
func (m *Machine) BeginStepUpFor(ctx context.Context, c Client, p Person, w *Wish) (Flow, error) {
	if !w.provedBy(p.Token, p.Session.Provider()) {
		return Flow{}, ErrNotNext
	}
	f := m.newFlow(c, StepUp)
	f.Session, f.Wish = p.Session.ID, w
	return f, m.Flows.CreateFlow(ctx, f)
}

// BeginFrom starts a flow for somebody signed in who needs a higher level for
// the wish. The password is not asked for again when it was proved within the
// last minutes (SPEC D2), or within the time that the wish gives; the flow ends
// in a new session.
func (m *Machine) BeginFrom(ctx context.Context, c Client, p Person, w *Wish) (Flow, error) {
	f := m.newFlow(c, SignIn)
	f.Wish, f.Needs, f.Identifier = w, session.LevelSecondFactor, p.Account.Label()
	lately := m.Settings.Reauthenticate
	if f.fresh() {
		lately = min(lately, w.Fresh)
	}
	if !p.Token.PasswordAt.Before(m.Now().Add(-lately)) {
		f.Account, f.PasswordAt, f.Since = p.Account.ID, p.Token.PasswordAt, p.Session.Created
		f.NeedsLink = p.Account.EnrolByLink
		var err error
		if f.Trusted, err = m.trustedBy(ctx, c, p.Account); err != nil {
			return f, err
		}
	}
	return f, m.Flows.CreateFlow(ctx, f)
}
