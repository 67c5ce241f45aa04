package login_test

import (
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// stale is a person whose proofs are ten minutes old.
func stale(s *authtest.Site, c login.Client, ann *authtest.Person) login.Person {
	s.T.Helper()
	in := signInWithCodes(s, c, ann)
	s.Clock.Advance(11 * time.Minute)
	return s.Person(in)
}

// TestChangesNeedBothProofsAnew: SPEC D2, T72.
func TestChangesNeedBothProofsAnew(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	p := stale(s, c, ann)
	_, err := s.Machine.BeginEnrol(ctx, c, p, "")
	wantErr(t, err, login.ErrStale)
	_, err = s.Machine.BeginCodes(ctx, c, p)
	wantErr(t, err, login.ErrStale)
	_, err = s.Machine.RemoveFactor(ctx, c, p, p.Factors.Of(account.KindApp)[0].ID, authtest.Place())
	wantErr(t, err, login.ErrStale)
	_, err = s.Machine.TurnOff(ctx, c, p, authtest.Place())
	wantErr(t, err, login.ErrStale)
	half := p
	half.Token.PasswordAt = s.Clock.Now() // a password alone is not enough
	if s.Machine.Fresh(half) {
		t.Error("fresh without a second factor")
	}
	half = p
	half.Token.FactorAt = s.Clock.Now()
	if s.Machine.Fresh(half) {
		t.Error("fresh without a password")
	}
}

func TestStepUpNeedsThePasswordAndAFactor(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	p := stale(s, c, ann)
	code := ann.Code()
	for name, in := range map[string]login.Proofs{
		"nothing":                       {},
		"no code":                       {Password: ann.Password, Method: account.MethodApp},
		"no password":                   {Method: account.MethodApp, Code: code},
		"wrong password":                {Password: wrong, Method: account.MethodApp, Code: code},
		"wrong code":                    {Password: ann.Password, Method: account.MethodApp, Code: ann.WrongCode()},
		"an app's code as a backup one": {Password: ann.Password, Method: account.MethodBackup, Code: code},
	} {
		_, problems, err := s.Machine.StepUp(ctx, c, p, authtest.Place(), in)
		if err != nil || len(problems) == 0 {
			t.Errorf("%s: %v, %v", name, problems, err)
		}
		if s.Machine.Fresh(s.Person(login.SignedIn{Session: p.Session})) {
			t.Fatalf("%s: fresh all the same", name)
		}
	}
	old := p.Token.Hash
	// A wrong password left the code unspent, whatever the form calls its kind.
	cred, problems, err := s.Machine.StepUp(ctx, c, p, authtest.Place(), login.Proofs{Password: ann.Password, Method: "<script>", Code: code})
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	p = s.Person(login.SignedIn{Session: p.Session})
	if !s.Machine.Fresh(p) || p.Token.Hash == old || p.Token.Hash != cred.Hash() || p.Token.FactorKind != account.KindApp {
		t.Errorf("token %+v", p.Token)
	}
	_, problems, err = s.Machine.StepUp(ctx, c, p, authtest.Place(), login.Proofs{Password: ann.Password, Method: account.MethodApp, Code: code})
	if err != nil || len(problems) != 1 || problems[0].Key != "code.used" {
		t.Errorf("replayed: %v %v", problems, err)
	}
}

// TestStepUpSharesTheCountersOfSigningIn: a stolen session is no second way to
// guess.
func TestStepUpSharesTheCountersOfSigningIn(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	p := stale(s, c, ann)
	for i := range 4 {
		if i%2 == 0 {
			f, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), ann.WrongCode())
			wantProblem(t, f, err, "code.wrong")
			continue
		}
		_, problems, err := s.Machine.StepUp(ctx, c, p, authtest.Place(), login.Proofs{Password: ann.Password, Method: account.MethodApp, Code: ann.WrongCode()})
		if err != nil || len(problems) != 1 {
			t.Fatal(problems, err)
		}
	}
	_, _, err := s.Machine.StepUp(ctx, c, p, authtest.Place(), login.Proofs{Password: ann.Password, Method: account.MethodApp, Code: ann.WrongCode()})
	s.Must(err)
	_, _, err = s.Machine.StepUp(ctx, c, p, authtest.Place(), login.Proofs{Password: ann.Password, Method: account.MethodApp, Code: ann.Code()})
	wantLimited(t, err, "factor", 0)
}

func TestEveryChangeEndsAllOtherSessions(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*authtest.Site, login.Client, login.Person) (session.Credential, error){
		"remove one": func(s *authtest.Site, c login.Client, p login.Person) (session.Credential, error) {
			return s.Machine.RemoveFactor(ctx, c, p, p.Factors.Of(account.KindApp)[0].ID, authtest.Place())
		},
		"turn off": func(s *authtest.Site, c login.Client, p login.Person) (session.Credential, error) {
			return s.Machine.TurnOff(ctx, c, p, authtest.Place())
		},
		"add one": func(s *authtest.Site, c login.Client, p login.Person) (session.Credential, error) {
			f, err := s.Machine.BeginEnrol(ctx, c, p, "")
			s.Must(err)
			f, err = s.Machine.BeginApp(ctx, f, false)
			s.Must(err)
			f, err = s.Machine.ConfirmApp(ctx, c, f, pendingCode(s, f), "")
			s.Must(err)
			cred, _, err := s.Machine.Renew(ctx, p, f, authtest.Place())
			return cred, err
		},
		"everywhere": func(s *authtest.Site, c login.Client, p login.Person) (session.Credential, error) {
			return session.Credential{}, s.Machine.EndSessions(ctx, c, p)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := authtest.New(t)
			ann, c := s.Add("ann", authtest.WithApp, authtest.WithApp, authtest.WithCodes(1)), s.Client()
			other := s.Client()
			elsewhere := signInWithCodes(s, other, ann)
			half := s.PasswordPassed(other, ann)
			in := signInWithCodes(s, c, ann)
			p := s.Person(in)
			s.Clock.Advance(time.Second)
			cred, err := change(s, c, p)
			s.Must(err)
			for what, id := range map[string]session.ID{"another session": elsewhere.Session.ID, "the session before": in.Session.ID} {
				if _, err := s.Short.Session(ctx, id); err != session.ErrNotFound {
					t.Errorf("%s is there: %v", what, err)
				}
			}
			if _, err := s.Machine.SubmitTOTP(ctx, other, half, ann.Code()); err == nil {
				t.Error("a half-done sign-in from before goes on")
			}
			if cred.ID == "" {
				return
			}
			rec, err := s.Short.Session(ctx, cred.ID)
			s.Must(err)
			a := ann.Account()
			if _, err := session.Check(rec, cred, authtest.Place().Purpose, authtest.Place().Host, a, s.Clock.Now()); err != nil {
				t.Errorf("the new session is not believed: %v", err)
			}
			if !rec.Expires.Equal(in.Session.Expires) {
				t.Error("a change lengthened the session's absolute life")
			}
		})
	}
}

func TestLastMethodStaysWhereARuleAsksForOne(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) { set.MayTurnOff = false })
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	p := s.Person(signInWithCodes(s, c, ann))
	_, err := s.Machine.RemoveFactor(ctx, c, p, p.Factors.Of(account.KindApp)[0].ID, authtest.Place())
	wantErr(t, err, login.ErrNotAllowed)
	_, err = s.Machine.TurnOff(ctx, c, p, authtest.Place())
	wantErr(t, err, login.ErrNotAllowed)
	_, err = s.Machine.RemoveFactor(ctx, c, p, p.Factors.Of(account.KindBackup)[0].ID, authtest.Place())
	wantErr(t, err, account.ErrNotFound)
	bob := s.Add("bob", authtest.WithApp)
	_, err = s.Machine.RemoveFactor(ctx, c, p, bob.Factors()[0].ID, authtest.Place())
	wantErr(t, err, account.ErrNotFound)
	if s.Events.Count(audit.FactorRemoved)+s.Events.Count(audit.SecondFactorOff) != 0 {
		t.Error("something was removed")
	}
}
