package login_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
)

func TestCodeIsAcceptedOnceInAnySpelling(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) { set.Limits.Factor.N = 100 })
	ann := s.Add("ann", authtest.WithApp)
	c := s.Client()
	code := ann.Code()
	f, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), code[:3]+" "+code[3:])
	f = passed(t, f, err)
	if f.FactorMethod != account.MethodApp || f.Level() != 2 {
		t.Errorf("flow %+v", f)
	}
	// CVE-2025-6014: the same digits with white space around replayed.
	arabic := strings.NewReplacer("0", "٠", "1", "١", "2", "٢", "3", "٣", "4", "٤", "5", "٥", "6", "٦", "7", "٧", "8", "٨", "9", "٩").Replace(code)
	for _, spelling := range []string{code, " " + code + "\n", "\u00a0" + code, arabic} {
		f, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), spelling)
		wantProblem(t, f, err, "code.used")
	}
	if s.Events.Count(audit.FactorReplayed) != 4 {
		t.Error("replays are not told to the operator")
	}
	s.Clock.Advance(time.Hour)
	_, err = s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), code)
	s.Must(err)
	s.Clock.Advance(-time.Hour) // a clock set back makes nothing good again
	f, err = s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), code)
	wantProblem(t, f, err, "code.used")
}

func TestCodesOneStepEitherSideAndNeverAnOlder(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	for shift, want := range map[int]string{-2: "code.wrong", -1: "", 0: "", 1: "", 2: "code.wrong"} {
		p := s.Add("p"+string(rune('c'+shift)), authtest.WithApp)
		c := s.Client()
		code := authtest.CodeAt(s, p.Keys[0], s.Clock.Now().Add(time.Duration(shift)*30*time.Second))
		f, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, p), code)
		if want == "" {
			passed(t, f, err)
			older := authtest.CodeAt(s, p.Keys[0], s.Clock.Now().Add(time.Duration(shift-1)*30*time.Second))
			if f, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, p), older); err != nil || len(f.Problems) == 0 {
				t.Errorf("after step %d an older one passed: %v", shift, err)
			}
			continue
		}
		wantProblem(t, f, err, want)
	}
}

func TestMalformedCodesAreNoTries(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp), s.Client()
	f := s.PasswordPassed(c, ann)
	for typed, key := range map[string]string{
		"": "code.empty", "12345": "code.format", "1234567": "code.format", "12345678": "code.format", "-12345": "code.empty",
		"1e5": "code.format", "null": "code.format", strings.Repeat("1", 60000): "code.format", "12345\x00": "code.format",
	} {
		if typed == "-12345" {
			key = "code.format"
		}
		g, err := s.Machine.SubmitTOTP(ctx, c, s.Load(c, f), typed)
		wantProblem(t, g, err, key)
	}
	for range 5 {
		g, err := s.Machine.SubmitTOTP(ctx, c, s.Load(c, f), ann.WrongCode())
		wantProblem(t, g, err, "code.wrong")
	}
	_, err := s.Machine.SubmitTOTP(ctx, c, s.Load(c, f), ann.Code())
	wantLimited(t, err, "factor", 0)
}

func TestEachOfTwoAuthenticatorsWorksAndSpendsItsOwnSteps(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithApp), s.Client()
	first, second := ann.CodeOf(0), ann.CodeOf(1)
	for _, code := range []string{second, first} {
		f, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), code)
		passed(t, f, err)
	}
	for _, code := range []string{first, second} {
		f, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), code)
		wantProblem(t, f, err, "code.used")
	}
}

func TestLockedAuthenticatorIsRefusedThoughTheCodeIsRight(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) { set.Limits.FactorHard = 4 })
	ann := s.Add("ann", authtest.WithApp, authtest.WithCodes(1))
	c := s.Client()
	for i := range 4 {
		f, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), ann.WrongCode())
		wantProblem(t, f, err, "code.wrong")
		if locked := ann.Factors().Of(account.KindApp)[0].Locked; locked != (i == 3) {
			t.Fatalf("locked %t after %d failures", locked, i+1)
		}
	}
	f, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), ann.Code())
	wantProblem(t, f, err, "code.wrong")
	if s.Next(f) != login.StepVerify {
		t.Error("a locked factor left the account to its password")
	}
	if s.Events.Count(audit.FactorLocked) != 1 {
		t.Errorf("%d events of the lock", s.Events.Count(audit.FactorLocked))
	}
	f, err = s.Machine.SubmitBackup(ctx, c, f, ann.Codes[0]) // the other way stays open
	passed(t, f, err)
}

// TestUnreadableSecretAcceptsNothing: V46, anyone can compute the codes of an
// empty key.
func TestUnreadableSecretAcceptsNothing(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	for name, plain := range map[string]*string{"garbage": nil, "empty": new(string), "blank": ptr("    "), "short": ptr("AAAA")} {
		p := s.Add(name, authtest.WithApp)
		f := p.Factors()[0]
		f.ID, f.Sealed = login.NewID(), []byte("garbage")
		if plain != nil {
			sealed, err := s.Ring.Seal("authenticator secret", []byte(p.ID), []byte(*plain))
			s.Must(err)
			f.Sealed = sealed
		}
		s.Must(s.Durable.AddFactor(ctx, f, p.Factors()[0].ID, s.Clock.Now()))
		s.Clock.Advance(time.Second)
		for _, code := range []string{"328482", "000000"} {
			c := s.Client()
			g, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, p), code)
			wantProblem(t, g, err, "code.wrong")
		}
	}
	if s.Events.Count(audit.SecretUnreadable) != 8 {
		t.Errorf("%d events of unreadable secrets, want 8", s.Events.Count(audit.SecretUnreadable))
	}
}

func ptr(s string) *string { return &s }

// TestWaitsDoubleUntilASuccess: SPEC G1, 10, 20, 40, 60 minutes, over all
// flows and browsers.
func TestWaitsDoubleUntilASuccess(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann := s.Add("ann", authtest.WithApp, authtest.WithCodes(1))
	fill := func() {
		for range 5 {
			c := s.Client()
			f, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), ann.WrongCode())
			wantProblem(t, f, err, "code.wrong")
		}
	}
	for _, wait := range []time.Duration{10, 20, 40, 60, 60} {
		fill()
		c := s.Client()
		f := s.PasswordPassed(c, ann)
		_, err := s.Machine.SubmitTOTP(ctx, c, f, ann.WrongCode())
		wantLimited(t, err, "factor", wait*time.Minute)
		s.Clock.Advance(wait*time.Minute - time.Second)
		_, err = s.Machine.SubmitTOTP(ctx, c, f, authtest.CodeAt(s, ann.Keys[0], s.Clock.Now()))
		wantLimited(t, err, "factor", time.Second)
		s.Clock.Advance(time.Second)
	}
	c := s.Client()
	f, err := s.Machine.SubmitBackup(ctx, c, s.PasswordPassed(c, ann), ann.Codes[0]) // another factor: its own counter
	passed(t, f, err)
	f, err = s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), ann.Code())
	passed(t, f, err)
	fill()
	c = s.Client()
	_, err = s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), ann.WrongCode())
	wantLimited(t, err, "factor", 10*time.Minute)
}

func TestBackupCodeWorksOnceForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann := s.Add("ann", authtest.WithApp, authtest.WithCodes(2))
	bob := s.Add("bob", authtest.WithApp, authtest.WithCodes(1))
	c := s.Client()
	f, err := s.Machine.SubmitBackup(ctx, c, s.PasswordPassed(c, bob), ann.Codes[0]) // CVE-2025-64175
	wantProblem(t, f, err, "backup.wrong")
	f, err = s.Machine.SubmitBackup(ctx, c, s.PasswordPassed(c, ann), " "+strings.ToLower(strings.ReplaceAll(ann.Codes[0], "-", " ")))
	f = passed(t, f, err)
	if len(f.Notices) != 1 || f.Notices[0].Key != "notice.backupused" || f.Notices[0].Count != 1 {
		t.Errorf("notices %v", f.Notices)
	}
	f, err = s.Machine.SubmitBackup(ctx, c, s.PasswordPassed(c, ann), ann.Codes[0])
	wantProblem(t, f, err, "backup.wrong")
	old := ann.Codes[1]
	ann.Codes = []string{"AAAAA-BBBBB"}
	ann.SaveCodes()
	f, err = s.Machine.SubmitBackup(ctx, c, s.PasswordPassed(c, ann), old)
	wantProblem(t, f, err, "backup.wrong")
	none := s.Add("none", authtest.WithApp)
	f, err = s.Machine.SubmitBackup(ctx, c, s.PasswordPassed(c, none), old)
	wantProblem(t, f, err, "backup.wrong")
}

// TestWhatCannotBeABackupCodeIsWrongAndCounted: it costs the same hash and
// fits nothing.
func TestWhatCannotBeABackupCodeIsWrongAndCounted(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	ann.Codes = []string{"00000-00000"} // what stands in for one
	ann.SaveCodes()
	for _, typed := range []string{"x", "null", "UUUUU-UUUUU", strings.Repeat("A", 60000), "\x00"} {
		f, err := s.Machine.SubmitBackup(ctx, c, s.PasswordPassed(c, ann), typed)
		wantProblem(t, f, err, "backup.wrong")
	}
	_, err := s.Machine.SubmitBackup(ctx, c, s.PasswordPassed(c, ann), ann.Codes[0])
	wantLimited(t, err, "factor", 0)
}

func TestChoosingAMethodOffersWhatThereIs(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp), s.Client()
	f := s.PasswordPassed(c, ann)
	for _, k := range []account.Method{account.MethodBackup, "", "text", "call", "app\x00"} {
		g, err := s.Machine.ChooseMethod(ctx, s.Load(c, f), k)
		wantProblem(t, g, err, "method.empty")
	}
	f, err := s.Machine.ChooseMethod(ctx, s.Load(c, f), account.MethodApp)
	passed(t, f, err)
}
