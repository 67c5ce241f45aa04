package login_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
)

// verified is a sign-in with both factors right.
func verified(s *authtest.Site, c login.Client, p *authtest.Person) login.Flow {
	s.T.Helper()
	f, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, p), p.Code())
	s.Must(err)
	if len(f.Problems) > 0 {
		s.T.Fatal(f.Problems)
	}
	return f
}

// signInWithCodes signs in a person who has an app, and saves codes on the way.
func signInWithCodes(s *authtest.Site, c login.Client, p *authtest.Person) login.SignedIn {
	s.T.Helper()
	f := verified(s, c, p)
	if s.Next(f) == login.StepSaveCodes {
		f, codes, err := s.Machine.ShowCodes(ctx, f)
		s.Must(err)
		p.Codes = codes
		f, err = s.Machine.SaveCodes(ctx, c, f, true)
		s.Must(err)
		in, err := s.Machine.Finish(ctx, c, f, authtest.Place(), "")
		s.Must(err)
		return in
	}
	in, err := s.Machine.Finish(ctx, c, f, authtest.Place(), "")
	s.Must(err)
	return in
}

func TestSameCodesAreShownUntilTheyAreSaved(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp), s.Client()
	f, first, err := s.Machine.ShowCodes(ctx, verified(s, c, ann))
	s.Must(err)
	if len(first) != 10 {
		t.Fatalf("%d codes", len(first))
	}
	f, err = s.Machine.SaveCodes(ctx, c, f, false)
	wantProblem(t, f, err, "saved.empty")
	f, again, err := s.Machine.ShowCodes(ctx, s.Load(c, f))
	s.Must(err)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the codes changed: %s", diff)
	}
	t.Run("in a new sign-in of the same browser too", func(t *testing.T) {
		_, adopted, err := s.Machine.ShowCodes(ctx, verified(s, c, ann))
		s.Must(err)
		if diff := cmp.Diff(first, adopted); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("never in another browser", func(t *testing.T) {
		other := s.Client()
		_, fresh, err := s.Machine.ShowCodes(ctx, verified(s, other, ann))
		s.Must(err)
		if cmp.Equal(first, fresh) {
			t.Error("another browser was shown the codes")
		}
	})
	t.Run("and they work from the tick on", func(t *testing.T) {
		f, err := s.Machine.SaveCodes(ctx, c, s.Load(c, f), true)
		f = passed(t, f, err)
		if s.Next(f) != login.StepDone || len(f.Codes) != 0 {
			t.Errorf("next %s", s.Next(f))
		}
		if _, _, err := s.Machine.ShowCodes(ctx, f); err == nil {
			t.Error("saved codes are shown again")
		}
		g, err := s.Machine.SubmitBackup(ctx, c, s.PasswordPassed(c, ann), first[7])
		passed(t, g, err)
	})
}

func TestUnsavedCodesDieAfterHalfAnHour(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp), s.Client()
	f, first, err := s.Machine.ShowCodes(ctx, verified(s, c, ann))
	s.Must(err)
	s.Clock.Advance(20 * time.Minute)
	f, err = s.Machine.SaveCodes(ctx, c, f, false) // a try does not lengthen their life
	wantProblem(t, f, err, "saved.empty")
	second := verified(s, c, ann)
	s.Clock.Advance(10 * time.Minute)
	_, err = s.Machine.SaveCodes(ctx, c, f, true)
	wantErr(t, err, login.ErrNotNext)
	_, fresh, err := s.Machine.ShowCodes(ctx, s.Load(c, second))
	s.Must(err)
	if cmp.Equal(first, fresh) {
		t.Error("dead codes were shown again")
	}
}

// TestSpentCodeIsNotMadeGoodByASecondTab: two flows that hold the same codes
// must not both save them.
func TestSpentCodeIsNotMadeGoodByASecondTab(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	p := s.Person(signInWithCodes(s, c, ann))
	settings, err := s.Machine.BeginCodes(ctx, c, p)
	s.Must(err)
	settings, replacing, err := s.Machine.ShowCodes(ctx, settings)
	s.Must(err)
	s.Clock.Advance(time.Second)
	s.Must(s.Durable.RemoveFactors(ctx, ann.ID, []string{ann.Factors().Of(account.KindBackup)[0].ID}, s.Clock.Now()))
	s.Clock.Advance(time.Second)
	_, adopted, err := s.Machine.ShowCodes(ctx, verified(s, c, ann))
	s.Must(err)
	if cmp.Equal(replacing, adopted) {
		t.Error("a sign-in took over codes that another flow will save")
	}
	if _, err := s.Machine.SaveCodes(ctx, c, settings, true); err == nil {
		t.Error("a flow from before the sessions ended saved codes")
	}
}

// TestNewCodesFromTheSettingsEndThere: afterwards nothing else is asked for.
func TestNewCodesFromTheSettingsEndThere(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	old := ann.Codes[0]
	f, err := s.Machine.BeginCodes(ctx, c, s.Person(signInWithCodes(s, c, ann)))
	s.Must(err)
	f, _, err = s.Machine.ShowCodes(ctx, f)
	s.Must(err)
	if left, _ := ann.Factors().BackupLeft(); left != 1 {
		t.Error("the old codes died before the new ones were confirmed")
	}
	f, err = s.Machine.SaveCodes(ctx, c, f, true)
	f = passed(t, f, err)
	if s.Next(f) != login.StepDone {
		t.Errorf("after saving, next is %s", s.Next(f))
	}
	g, err := s.Machine.SubmitBackup(ctx, c, s.PasswordPassed(c, ann), old)
	wantProblem(t, g, err, "backup.wrong")
}

func TestNoneLeftIsAskedOnceAndMayBePutOff(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	f, err := s.Machine.SubmitBackup(ctx, c, s.PasswordPassed(c, ann), ann.Codes[0])
	f = passed(t, f, err)
	if s.Next(f) != login.StepOfferCodes {
		t.Fatalf("next %s", s.Next(f))
	}
	_, err = s.Machine.SaveCodes(ctx, c, f, true)
	wantErr(t, err, login.ErrNotNext)
	later, err := s.Machine.OfferedCodes(ctx, f, false)
	later = passed(t, later, err)
	if s.Next(later) != login.StepDone {
		t.Errorf("Not now leads to %s", s.Next(later))
	}
	_, err = s.Machine.OfferedCodes(ctx, later, true)
	wantErr(t, err, login.ErrNotNext)
	g := verified(s, c, ann)
	g, err = s.Machine.OfferedCodes(ctx, g, true)
	if g = passed(t, g, err); s.Next(g) != login.StepSaveCodes {
		t.Errorf("new codes lead to %s", s.Next(g))
	}
}
