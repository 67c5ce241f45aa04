package login

import (
	"context"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// Reaches reports whether the person's portal token already satisfies the
// wish.
func (p Person) Reaches(w Wish) bool {
	return p.Token.Level >= w.Needs && (w.Provider == "" || p.Session.Provider() == w.Provider)
}

// BeginFrom starts a flow for somebody signed in who needs a higher level for
// the wish. The password is not asked for again when it was proved within the
// last minutes (SPEC D2); the flow ends in a new session.
func (m *Machine) BeginFrom(ctx context.Context, c Client, p Person, w *Wish) (Flow, error) {
	f := m.newFlow(c, SignIn)
	f.Wish, f.Needs, f.Identifier = w, session.LevelSecondFactor, p.Account.Label()
	if !p.Token.PasswordAt.Before(m.Now().Add(-m.Settings.Reauthenticate)) {
		f.Account, f.PasswordAt, f.Since = p.Account.ID, p.Token.PasswordAt, p.Session.Created
		f.NeedsLink = p.Account.EnrolByLink
		var err error
		if f.Trusted, err = m.trustedBy(ctx, c, p.Account); err != nil {
			return f, err
		}
	}
	return f, m.Flows.CreateFlow(ctx, f)
}
