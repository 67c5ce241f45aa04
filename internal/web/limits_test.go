package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
)

func noTags(body string) string {
	return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, " ")), " ")
}

// wantLimited checks the page of SPEC G3.
func wantLimited(t *testing.T, p *authtest.Page, first, retry string) {
	t.Helper()
	want(t, p, http.StatusTooManyRequests)
	if p.Header.Get("Retry-After") != retry {
		t.Errorf("Retry-After %s, want %s", p.Header.Get("Retry-After"), retry)
	}
	text := noTags(p.Body)
	if !strings.Contains(text, first+" Try again in") || !strings.Contains(text, "If it is urgent, contact help@example.com") {
		t.Errorf("the page says %s", text)
	}
}

const (
	loginAttempts = "You have exceeded the number of login attempts allowed."
	requests      = "You have exceeded the maximum number of allowed requests."
)

func TestLimitsSayWhenToTryAgain(t *testing.T) {
	t.Parallel()
	t.Run("passwords", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, combined)
		ann, b := s.Add("ann"), s.browser()
		for range 5 {
			page := b.Submit(b.Open("/sign-in"), "username", "ann", "password", "wrong")
			want(t, page, 200, "Error: ", "Incorrect e-mail address, user name or password")
		}
		s.Clock.Advance(90*time.Second + time.Millisecond)
		page := b.Submit(b.Open("/sign-in"), "username", "ann", "password", ann.Password.Reveal())
		wantLimited(t, page, loginAttempts, "510")
	})
	t.Run("codes, with another way", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser()
		page := s.password(b, "/sign-in", ann)
		for range 5 {
			page = b.Submit(page, "code", ann.WrongCode())
			want(t, page, 200, "That code is not correct")
		}
		last := b.Submit(page, "code", ann.Code())
		wantLimited(t, last, loginAttempts, "600")
		want(t, last, 429, "/verify?flow=")
		want(t, useBackup(b, page, ann), 200) // and it works
	})
	t.Run("confirmations, with a hostile flow", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser()
		s.signIn(b, ann)
		post := func() *authtest.Page {
			return b.Post("/account/security/confirm", values("flow", "\x01%zz", "password", ann.Password.Reveal(), "code", ann.WrongCode(), "method", "app"))
		}
		for range 5 {
			wantRedirect(t, post(), "/account/security/confirm")
		}
		wantLimited(t, post(), loginAttempts, "600")
	})
	t.Run("forms of a network, but not of its known browsers", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		ann, known, b := s.Add("ann"), s.browser(), s.browser()
		s.signIn(known, ann)
		known.Address = b.Address
		for range 60 {
			wantRedirect(t, b.Post("/sign-in", values("username", "x")), "/sign-in/password")
		}
		s.Clock.Advance(time.Second)
		wantLimited(t, b.Post("/sign-in", values("username", "x")), requests, "59")
		wantLimited(t, b.Post("/sign-in/password", values("username", "x", "password", "y")), requests, "59")
		wantRedirect(t, known.Post("/sign-in", values("username", "x")), "/sign-in/password")
		want(t, b.Get("/sign-in"), 200)
	})
	t.Run("a full queue", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		b := s.browser()
		s.Machine.Gate = login.NewHashGate(1)
		_, err := s.Machine.Gate.Enter(ctx, "elsewhere", false)
		s.Must(err)
		p := b.Post("/sign-in/password", values("username", "x", "password", "y"))
		if want(t, p, 503); p.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
}

// TestAnswersTellNothingOfAnAccount: R14, T24. Whatever is wrong, the answers
// differ in nothing but what was typed, and leave on a mark of 250 ms.
func TestAnswersTellNothingOfAnAccount(t *testing.T) {
	t.Parallel()
	for name, ways := range map[string][]way{"identifier first": nil, "one page": {combined}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, ways...)
			s.Add("right")
			s.Add("disab", authtest.Disabled)
			s.Add("saml1", authtest.Managed)
			s.Add("nopwd", authtest.WithoutPassword)
			s.Add("both2", authtest.WithApp, authtest.WithCodes(1))
			var first []string
			for _, who := range []string{"nobod", "right", "disab", "saml1", "nopwd", "both2"} {
				got := s.wrongSignIns(t, who)
				if first == nil {
					first = got
				}
				if diff := cmp.Diff(first, got); diff != "" {
					t.Errorf("%s reads differently: %s", who, diff)
				}
			}
			if !strings.Contains(first[len(first)-1], "429") {
				t.Errorf("the last answer is %.200s", first[len(first)-1])
			}
		})
	}
}

var (
	flowID  = regexp.MustCompile(`flow=[a-z2-7]{26}|value="[a-z2-7]{26}"`)
	cookies = regexp.MustCompile(`=[A-Za-z0-9_=-]{40,}`)
)

// wrongSignIns tries six times, with the account's own password at last, and
// gives all that the browser saw, but for names and random values.
func (s *site) wrongSignIns(t *testing.T, who string) (seen []string) {
	t.Helper()
	b := s.browser()
	for i := range 6 {
		pw := "wrong"
		if i == 5 {
			pw = "correct horse " + who
		}
		page := b.Open("/sign-in")
		if !s.portal.Config.Combined {
			sent := b.Send(page, "username", who)
			seen = append(seen, neutral(sent, who))
			page = b.Follow(sent)
			seen = append(seen, neutral(page, who))
		}
		began := time.Now()
		sent := b.Send(page, "username", who, "password", pw)
		if took := time.Since(began); took < 245*time.Millisecond {
			t.Errorf("%s: answered after %s", who, took)
		}
		seen = append(seen, neutral(sent, who), neutral(b.Follow(sent), who))
	}
	return seen
}

func neutral(p *authtest.Page, who string) string {
	var head strings.Builder
	h := p.Header.Clone()
	h.Del("Date")
	_ = h.Write(&head)
	all := p.URL.Path + "\n" + head.String() + p.Body
	all = strings.ReplaceAll(all, who, "WHO")
	return http.StatusText(p.Status) + " " + strconvStatus(p.Status) + "\n" + cookies.ReplaceAllString(flowID.ReplaceAllString(all, "flow"), "=…")
}

func strconvStatus(n int) string {
	return string(rune('0'+n/100)) + string(rune('0'+n/10%10)) + string(rune('0'+n%10))
}

// TestAllLocksOfFactorsLeaveAWayOut: somebody whose every way is locked is told
// whom to ask, and is not sent in a circle.
func TestAllLocksOfFactorsLeaveAWayOut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithApp), s.browser()
	s.lock(ann)
	page := s.password(b, "/sign-in", ann)
	want(t, page, 200, "help@example.com")
	if page.Path() != "/verify" || len(ann.Factors().Offered(account.MethodApp, nil)) != 0 {
		t.Errorf("at %s", page.URL)
	}
}
