package login_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

var wanted = secret.New("a new battery staple")

func TestChangedPasswordEndsEverythingElse(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, remembers)
	ann := s.Add("ann", authtest.Email("ann@example.com"), authtest.WithApp, authtest.WithCodes(1))
	trusted := trusting(s, ann)
	other := s.SignIn(s.Client(), ann)
	c := s.Client()
	in := s.SignIn(c, ann)
	token := makeLink(s, ann, account.LinkSetUp)
	half := s.PasswordPassed(s.Client(), ann)
	s.Clock.Advance(time.Second)
	cred, device, problems, err := s.Machine.ChangePassword(ctx, c, s.Person(in), authtest.Place(), ann.Password, wanted)
	if err != nil || problems != nil {
		t.Fatalf("%v, %v", err, problems)
	}
	for what, id := range map[string]session.ID{"another session": other.Session.ID, "the session that asked": in.Session.ID} {
		if _, err := s.Short.Session(ctx, id); err != session.ErrNotFound {
			t.Errorf("%s goes on: %v", what, err)
		}
	}
	if kept, err := s.Short.Session(ctx, cred.ID); err != nil || kept.Expires != in.Session.Expires {
		t.Errorf("the browser that asked has no new session with the same end: %v", err)
	}
	_, _, err = s.Machine.LinkHolder(ctx, token)
	wantErr(t, err, account.ErrNotFound)
	_, err = s.Machine.SubmitTOTP(ctx, s.Client(), half, ann.Code())
	wantErr(t, err, login.ErrNoFlow)
	f, err := password(s, s.Client(), "ann", ann.Password)
	wantProblem(t, f, err, "signin.failed")
	s.Clock.Advance(time.Second)
	f, err = password(s, trusted, "ann", wanted)
	if passed(t, f, err); s.Next(f) != login.StepVerify {
		t.Errorf("a remembered browser goes on working: %s", s.Next(f))
	}
	known := c
	known.Device = &device
	if !known.Knows(ann.Account()) {
		t.Error("the browser that asked is a stranger now")
	}
	if s.Events.Count(audit.PasswordChanged) != 1 {
		t.Error("nobody is told")
	}
}

func TestRefusedPasswordChangeChangesNothing(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	in := s.SignIn(c, ann)
	before := ann.Account()
	for name, x := range map[string]struct {
		present, wanted secret.Text
		want            []login.Problem
	}{
		"nothing": {secret.Text{}, secret.Text{}, []login.Problem{{Field: "current", Key: "pw.nocurrent"}, {Field: "password", Key: "pw.newempty"}}},
		"wrong":   {wrong, wanted, []login.Problem{{Field: "current", Key: "pw.current"}}},
		"short":   {ann.Password, secret.New("short"), []login.Problem{{Field: "password", Key: "pw.short", Left: 12}}},
		"long":    {ann.Password, secret.New(strings.Repeat("long ", 30)), []login.Problem{{Field: "password", Key: "pw.long", Left: 128}}},
		"common":  {ann.Password, secret.New("password1234"), []login.Problem{{Field: "password", Key: "pw.common"}}},
		"same":    {ann.Password, ann.Password, []login.Problem{{Field: "password", Key: "pw.same"}}},
	} {
		_, _, problems, err := s.Machine.ChangePassword(ctx, c, s.Person(in), authtest.Place(), x.present, x.wanted)
		if diff := cmp.Diff(x.want, problems); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	if after := ann.Account(); !after.PasswordHash.Equal(before.PasswordHash) || after.Generation != before.Generation {
		t.Error("the account changed")
	}
}

// TestPasswordChangeIsLimitedLikeASignIn: a session that was left open is no way
// to try passwords.
func TestPasswordChangeIsLimitedLikeASignIn(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	in := s.SignIn(c, ann)
	for range 5 {
		_, _, problems, err := s.Machine.ChangePassword(ctx, c, s.Person(in), authtest.Place(), wrong, wanted)
		if err != nil || problems[0].Key != "pw.current" {
			t.Fatalf("%v %v", problems, err)
		}
	}
	_, _, _, err := s.Machine.ChangePassword(ctx, c, s.Person(in), authtest.Place(), ann.Password, wanted)
	wantLimited(t, err, "password_account", 0)
}

// TestPasswordChangeNeedsAFreshFactor: SPEC D2. The form itself asks for the
// password.
func TestPasswordChangeNeedsAFreshFactor(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	p := stale(s, c, ann)
	_, _, _, err := s.Machine.ChangePassword(ctx, c, p, authtest.Place(), ann.Password, wanted)
	wantErr(t, err, login.ErrStale)
	p.Token.FactorAt = s.Clock.Now()
	_, _, problems, err := s.Machine.ChangePassword(ctx, c, p, authtest.Place(), ann.Password, wanted)
	if err != nil || problems != nil {
		t.Errorf("%v %v", problems, err)
	}
	bob, d := s.Add("bob"), s.Client() // has nothing but a password
	q := s.Person(s.SignIn(d, bob))
	s.Clock.Advance(20 * time.Minute)
	if _, _, problems, err = s.Machine.ChangePassword(ctx, d, q, authtest.Place(), bob.Password, wanted); err != nil || problems != nil {
		t.Errorf("%v %v", problems, err)
	}
}

// TestPasswordChangeOfAnEndedSessionIsRefused: the owner locked the account, or
// signed out everywhere, while a thief's form was on its way.
func TestPasswordChangeOfAnEndedSessionIsRefused(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	p := s.Person(s.SignIn(c, ann))
	s.Clock.Advance(time.Second)
	s.Must(s.Machine.EndSessions(ctx, s.Client(), p))
	s.Clock.Advance(time.Second)
	_, _, _, err := s.Machine.ChangePassword(ctx, c, p, authtest.Place(), ann.Password, wanted)
	wantErr(t, err, session.ErrNotFound)
	f, err := password(s, s.Client(), "ann", ann.Password)
	passed(t, f, err)
}

// whileCompared is a limiter whose next Clear, after a right password, finds that
// something happened while the password was compared.
type whileCompared struct {
	login.Limiter
	what func()
}

func (m *whileCompared) Clear(ctx context.Context, key string) error {
	if what := m.what; what != nil {
		m.what = nil
		what()
	}
	return m.Limiter.Clear(ctx, key)
}

// TestOldPasswordOpensNothingWhenItIsChangedWhileItIsCompared: hashing takes
// a good while, and whoever knows the old one may try without a pause.
func TestOldPasswordOpensNothingWhenItIsChangedWhileItIsCompared(t *testing.T) {
	t.Parallel()
	ways := map[string]struct {
		want error
		give func(s *authtest.Site, c login.Client, f login.Flow, ann *authtest.Person, link string) (login.Flow, error)
	}{
		"a sign-in": {login.ErrNoFlow, func(s *authtest.Site, c login.Client, f login.Flow, ann *authtest.Person, _ string) (login.Flow, error) {
			return s.Machine.SubmitPassword(ctx, c, f, "ann", ann.Password)
		}},
		"a link to enrol": {account.ErrNotFound, func(s *authtest.Site, c login.Client, _ login.Flow, ann *authtest.Person, link string) (login.Flow, error) {
			f, _, err := s.Machine.UseEnrolLink(ctx, c, link, ann.Password)
			return f, err
		}},
	}
	for way, try := range ways {
		for _, changes := range []bool{true, false} {
			s := authtest.New(t)
			ann := s.Add("ann")
			in := s.SignIn(s.Client(), ann)
			s.Clock.Advance(time.Second)
			thief := s.Client()
			begun, link := s.Begin(thief), makeLink(s, ann, account.LinkEnrol)
			s.Machine.Limiter = &whileCompared{s.Short, func() {
				s.Clock.Advance(100 * time.Millisecond)
				if changes {
					_, _, problems, err := s.Machine.ChangePassword(ctx, s.Client(), s.Person(in), authtest.Place(), ann.Password, wanted)
					if err != nil || problems != nil {
						t.Errorf("%v, %v", err, problems)
					}
				}
				s.Clock.Advance(100 * time.Millisecond)
			}}
			f, err := try.give(s, thief, begun, ann, link)
			if err == nil {
				_, err = s.Machine.Finish(ctx, thief, f, authtest.Place(), "")
			}
			if changes {
				wantErr(t, err, try.want)
			} else if err != nil {
				t.Errorf("%s without a change: %v", way, err)
			}
		}
	}
}
