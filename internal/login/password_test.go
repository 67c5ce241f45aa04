package login_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

func TestRightPasswordNamesTheAccountInTheFlow(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann := s.Add("ann", authtest.Email("ann@example.com"))
	for _, spelling := range []string{"ann", " ANN\t", "ann@EXAMPLE.com", "ａｎｎ"} {
		c := s.Client()
		f, err := password(s, c, spelling, ann.Password)
		f = passed(t, f, err)
		if f.Account != ann.ID || f.PasswordAt.IsZero() || s.Next(s.Load(c, f)) != login.StepDone {
			t.Errorf("%q: %+v", spelling, f)
		}
	}
}

// TestEveryRefusalReadsTheSame: an attacker learns nothing of an account from
// what a wrong sign-in says (R14).
func TestEveryRefusalReadsTheSame(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, off := s.Add("ann"), s.Add("off", authtest.Disabled)
	sso, new := s.Add("sso", authtest.Managed), s.Add("new", authtest.WithoutPassword)
	broken := s.Add("broken")
	s.Must(s.Durable.ChangeAccount(ctx, broken.ID, s.Clock.Now(), false, func(a *account.Account) error {
		a.PasswordHash = secret.New("$argon2id$v=19$m=64,t=1,p=1$damaged")
		return nil
	}))
	type answer struct {
		Problems []login.Problem
		Account  account.ID
		Limited  bool
	}
	tries := map[string]struct {
		name string
		pw   secret.Text
	}{
		"unknown": {"nobody", wrong}, "wrong": {"ann", wrong}, "too long": {"ann", secret.New(strings.Repeat("x", 5000))},
		"disabled": {"off", off.Password}, "managed": {"sso", sso.Password}, "no password yet": {"new", new.Password},
		"disabled, wrong": {"off", wrong}, "damaged hash": {"broken", broken.Password}, "NUL": {"an\x00n", ann.Password},
		"200 characters": {strings.Repeat("n", 200), wrong}, "a million": {strings.Repeat("ﷺ", 20000), wrong},
	}
	want := []answer{}
	for left := range 5 {
		p := login.Problem{Field: "password", Key: "signin.failed"}
		if left == 2 || left == 3 {
			p.Left = 4 - left
		}
		want = append(want, answer{Problems: []login.Problem{p}})
	}
	want = append(want, answer{Limited: true})
	for name, try := range tries {
		c := s.Client()
		var got []answer
		for range 6 {
			f, err := password(s, c, try.name, try.pw)
			if err != nil {
				wantLimited(t, err, "password_account", 10*time.Minute)
				got = append(got, answer{Limited: true})
				continue
			}
			got = append(got, answer{Problems: f.Problems, Account: f.Account})
		}
		if name == "wrong" || name == "too long" { // they share an account, not a network
			s.Must(s.Short.Clear(ctx, "password:"+string(ann.ID)))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, name := range []audit.Name{audit.SignInRefused, audit.StoreRecordRejected, audit.PasswordWrong} {
		if s.Events.Count(name) == 0 {
			t.Errorf("the operator is not told: %s", name)
		}
	}
}

// TestSpellingsOfOneAccountShareOneCounter: CVE-2026-47203, CVE-2025-24806.
func TestSpellingsOfOneAccountShareOneCounter(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann := s.Add("ann", authtest.Email("ann@example.com"))
	c := s.Client()
	for _, spelling := range []string{"ann", "ANN", "ann@example.com", " Ann@Example.COM ", "ａｎｎ"} {
		f, err := password(s, c, spelling, wrong)
		wantProblem(t, f, err, "signin.failed")
	}
	_, err := password(s, c, "aNN", ann.Password)
	wantLimited(t, err, "password_account", 10*time.Minute)
}

func TestLimitsOfPasswords(t *testing.T) {
	t.Parallel()
	t.Run("five of one network, then the wait is exact and nothing is compared", func(t *testing.T) {
		t.Parallel()
		s := authtest.New(t)
		ann, c := s.Add("ann"), s.Client()
		for range 5 {
			f, err := password(s, c, "ann", wrong)
			wantProblem(t, f, err, "signin.failed")
			s.Clock.Advance(time.Minute)
		}
		_, err := password(s, c, "ann", ann.Password)
		wantLimited(t, err, "password_account", 5*time.Minute)
		s.Clock.Advance(5*time.Minute - time.Microsecond)
		_, err = password(s, c, "ann", ann.Password)
		wantLimited(t, err, "password_account", time.Microsecond)
		s.Clock.Advance(time.Microsecond)
		f, err := password(s, c, "ann", ann.Password)
		passed(t, f, err)
	})
	t.Run("twenty of all unknown browsers", func(t *testing.T) {
		t.Parallel()
		s := authtest.New(t)
		ann := s.Add("ann")
		for range 20 {
			f, err := password(s, s.Client(), "ann", wrong)
			wantProblem(t, f, err, "signin.failed")
		}
		_, err := password(s, s.Client(), "ann", ann.Password)
		wantLimited(t, err, "password_unknown", time.Hour)
	})
	t.Run("fifty of one network over all accounts", func(t *testing.T) {
		t.Parallel()
		s := authtest.New(t)
		c := s.Client()
		for i := range 50 {
			f, err := password(s, c, "name"+strings.Repeat("x", i/4), wrong)
			wantProblem(t, f, err, "signin.failed")
		}
		_, err := password(s, c, "another", wrong)
		wantLimited(t, err, "password_network", 10*time.Minute)
	})
	t.Run("ten times that of an IPv6 /48", func(t *testing.T) {
		t.Parallel()
		s := authtest.New(t, func(set *login.Settings) { set.Limits.PasswordNetwork.N = 2 })
		for i := range 20 {
			c := s.Client()
			c.Wide = "2001:db8::/48"
			f, err := password(s, c, strings.Repeat("n", i+1), wrong)
			wantProblem(t, f, err, "signin.failed")
		}
		c := s.Client()
		c.Wide = "2001:db8::/48"
		_, err := password(s, c, "another", wrong)
		wantLimited(t, err, "password_network", 10*time.Minute)
	})
}

// TestRefusalByOneCounterGivesTheOthersTheirTryBack: else a locked network
// would fill everybody's counters.
func TestRefusalByOneCounterGivesTheOthersTheirTryBack(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) { set.Limits.PasswordNetwork.N = 3 })
	ann, attacker := s.Add("ann"), s.Client()
	for range 3 {
		f, err := password(s, attacker, "other", wrong)
		wantProblem(t, f, err, "signin.failed")
	}
	for range 30 {
		_, err := password(s, attacker, "ann", wrong)
		wantLimited(t, err, "password_network", 0)
	}
	f, err := password(s, s.Client(), "ann", ann.Password)
	passed(t, f, err)
}

// TestOwnerOnAKnownBrowserIsNotLockedOut: SPEC G2, T34.
func TestOwnerOnAKnownBrowserIsNotLockedOut(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, home := s.Add("ann"), s.Client()
	device := s.SignIn(home, ann).Device
	for range 20 {
		c := s.Client()
		c.Network = home.Network
		_, _ = password(s, c, "ann", wrong)
	}
	home.Device = &device
	f, err := password(s, home, "ann", ann.Password)
	passed(t, f, err)
	t.Run("but has a counter of its own", func(t *testing.T) {
		for range 5 {
			f, err := password(s, home, "ann", wrong)
			wantProblem(t, f, err, "signin.failed")
		}
		_, err := password(s, home, "ann", ann.Password)
		wantLimited(t, err, "password_account", 0)
	})
	t.Run("nor does it help with another account", func(t *testing.T) {
		s.Add("bob")
		for range 5 {
			_, _ = password(s, home, "bob", wrong)
		}
		elsewhere := home
		elsewhere.Device = nil
		_, err := password(s, elsewhere, "bob", wrong)
		wantLimited(t, err, "password_account", 0)
	})
	t.Run("nor after the password changed", func(t *testing.T) {
		a := ann.Account()
		a.PasswordChanged = s.Clock.Now()
		if home.Knows(a) {
			t.Error("a browser from before the change counts as known")
		}
	})
}

func TestFullGateCountsNothing(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann"), s.Client()
	s.Machine.Gate = login.NewHashGate(1)
	leave, err := s.Machine.Gate.Enter(ctx, "elsewhere", false)
	s.Must(err)
	together(5, func(int) {
		_, err := s.Machine.SubmitPassword(ctx, c, s.Begin(c), "ann", wrong)
		wantBusy(t, err)
	})
	leave()
	for range 5 {
		f, err := password(s, c, "ann", wrong)
		wantProblem(t, f, err, "signin.failed")
	}
	_, err = password(s, c, "ann", ann.Password)
	wantLimited(t, err, "password_account", 0)
}

func wantBusy(t *testing.T, err error) {
	if err != login.ErrBusy {
		t.Errorf("error %v, want ErrBusy", err)
	}
}

func TestEmptyFormsAreNoTriesButForms(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) { set.Limits.Forms.N = 3 })
	ann, c := s.Add("ann"), s.Client()
	for _, try := range [][2]string{{"", ""}, {"ann", ""}, {" \t", "x"}} {
		f, err := password(s, c, try[0], secret.New(try[1]))
		if err != nil || len(f.Problems) == 0 {
			t.Fatalf("%q: %v %v", try, f.Problems, err)
		}
	}
	_, err := password(s, c, "ann", secret.Text{})
	wantLimited(t, err, "forms", time.Minute)
	f, err := password(s, c, "ann", ann.Password)
	passed(t, f, err)
}

func TestPasswordIsComparedWholeAndAsTyped(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann := s.Add("ann")
	pw := ann.Password.Reveal()
	for _, near := range []string{pw[:len(pw)-1], pw + " ", " " + pw, strings.ToUpper(pw), pw + "\x00", pw + "\n"} {
		f, err := password(s, s.Client(), "ann", secret.New(near))
		wantProblem(t, f, err, "signin.failed")
	}
}

// hungUp is a limiter of requests whose browser goes away while the password is
// compared.
type hungUp struct {
	login.Limiter
	goAway context.CancelFunc
}

func (h hungUp) GiveBack(ctx context.Context, tries ...login.Taken) error {
	h.goAway()
	return h.Limiter.GiveBack(ctx, tries...)
}

// TestRightPasswordCountsAsOneAlsoWhenTheBrowserGoesAway: its try is given back,
// and the wrong ones before it are forgotten.
func TestRightPasswordCountsAsOneAlsoWhenTheBrowserGoesAway(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} {
		s := authtest.New(t)
		ann, c := s.Add("ann"), s.Client()
		if known {
			c.Device = &login.Device{ID: "d", Account: ann.ID, Issued: s.Clock.Now()}
		}
		for range 3 {
			for i := range s.Machine.Settings.Limits.PasswordAccount.N - 1 {
				if _, err := password(s, c, "ann", wrong); err != nil {
					t.Fatalf("known %t: wrong try %d: %v", known, i+1, err)
				}
			}
			gone, goAway := context.WithCancel(ctx)
			s.Machine.Limiter = hungUp{s.Short, goAway}
			_, err := s.Machine.SubmitPassword(gone, c, s.Begin(c), "ann", ann.Password)
			if limited := (*login.Limited)(nil); gone.Err() == nil || errors.As(err, &limited) {
				t.Fatalf("known %t: %v", known, err)
			}
			s.Machine.Limiter = s.Short
		}
	}
}
