package login_test

import (
	"context"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// T92: metadata is believed, so another provider may call itself by the same
// entity ID. Its word signs nobody out of this one, and keeps nobody out.
func TestLogoutIsOfItsProvider(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	in, err := arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	c := s.Client()
	waits := unaskedAnn(s, c)
	s.Clock.Advance(time.Second)
	for i, indexes := range [][]string{nil, {"index-1"}} {
		l := annsLogout(s, []string{"_a", "_b"}[i], indexes...)
		l.Provider = "other"
		n, err := s.Machine.EndByProvider(ctx, s.Client(), l)
		if n != 0 || err != nil {
			t.Errorf("another provider ended %d sessions (%v)", n, err)
		}
	}
	if _, err := s.Short.Session(ctx, in.Session.ID); err != nil {
		t.Errorf("the session is over: %v", err)
	}
	waits, err = s.Machine.ConfirmUnasked(ctx, waits)
	s.Must(err)
	if _, err := s.Machine.Finish(ctx, c, waits, authtest.Place(), ""); err != nil {
		t.Errorf("a sign-in that waited is over: %v", err)
	}
}

// A sign-in that a provider proved ends with the provider: a reload may have
// removed it because it is not to be trusted any more.
func TestSignInEndsWithItsProvider(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	c := s.Client()
	asked, err := answered(s, c, askedProvider(s, c, "partner"), asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	unasked := unaskedAnn(s, c)
	late, err := s.Machine.KeepAnswer(ctx, nil, asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	settings := s.Machine.Settings
	settings.Providers = map[string]login.Provider{"other": settings.Providers["other"]}
	next := s.Node(settings)
	_, err = next.Complete(ctx, c, late)
	wantRefused(t, err, "no_provider")
	_, err = next.Finish(ctx, c, asked, authtest.Place(), "")
	wantErr(t, err, login.ErrNoFlow)
	_, err = next.ConfirmUnasked(ctx, unasked)
	wantErr(t, err, login.ErrNoFlow)
	// Where it is still there, it goes on.
	_, err = s.Machine.Finish(ctx, c, s.Load(c, asked), authtest.Place(), "")
	s.Must(err)
}

// away is a store of records that cannot be reached.
type away struct{ login.Once }

func (away) PutOnce(context.Context, [32]byte, []byte, time.Time) error {
	return session.ErrUnavailable
}

func (away) TakeOnce(context.Context, [32]byte, time.Time) ([]byte, error) {
	return nil, session.ErrUnavailable
}

// A logout that is spent ends the sessions, and the sign-in that waits, also
// where it cannot be remembered: it does not come again.
func TestLogoutIsNotLostWithTheRecords(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	in, err := arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	c := s.Client()
	waits := unaskedAnn(s, c)
	s.Clock.Advance(time.Second)
	there := s.Machine.Once
	s.Machine.Once = away{there}
	n, err := s.Machine.EndByProvider(ctx, s.Client(), annsLogout(s, "_1"))
	if n != 1 || err != nil {
		t.Errorf("ended %d sessions (%v)", n, err)
	}
	s.Machine.Once = there
	a, err := s.Durable.Account(ctx, in.Account.ID)
	s.Must(err)
	if !in.Session.Created.Before(a.SessionsValidFrom) {
		t.Error("the session lives")
	}
	_, err = s.Machine.ConfirmUnasked(ctx, waits)
	wantErr(t, err, login.ErrNoFlow)
}

// Who says yes after the provider's session has ended gets none that is over
// at once, and no sign-in is told of.
func TestSignInEndsWithTheProvidersSession(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	c := s.Client()
	until := s.Clock.Now().Add(10 * time.Second)
	f := unaskedAnn(s, c, func(as *login.Asserted) { as.SessionUntil = until })
	s.Clock.Advance(10 * time.Second)
	f, err := s.Machine.ConfirmUnasked(ctx, f)
	if err == nil {
		_, err = s.Machine.Finish(ctx, c, f, authtest.Place(), "")
	}
	wantErr(t, err, login.ErrNoFlow)
	if s.Events.Count(audit.SignedIn) != 0 {
		t.Error("a sign-in was recorded")
	}
}
