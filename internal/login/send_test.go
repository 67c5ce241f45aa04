package login_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
)

func noWait(set *login.Settings) { set.Limits.SendWait = time.Microsecond }

func TestOneCodeInThirtySeconds(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	f := asked(s, c, ann, text)
	s.Clock.Advance(9 * time.Second)
	f, err := s.Machine.SendCode(ctx, c, f, call)
	wantProblem(t, f, err, "send.wait")
	if f.Problems[0].Left != 21 {
		t.Errorf("%d seconds left", f.Problems[0].Left)
	}
	// Another sign-in of the same person, and another account with the number.
	g, err := s.Machine.SendCode(ctx, c, s.PasswordPassed(c, ann), text)
	wantProblem(t, g, err, "send.wait")
	bob, d := s.Add("bob", authtest.WithPhone(mobile)), s.Client()
	g, err = s.Machine.SendCode(ctx, d, s.PasswordPassed(d, bob), text)
	wantProblem(t, g, err, "send.wait")
	s.Clock.Advance(21 * time.Second)
	f, err = s.Machine.SendCode(ctx, c, s.Load(c, f), call)
	passed(t, f, err)
	if s.Phones.Codes() != 2 {
		t.Errorf("%d codes were sent", s.Phones.Codes())
	}
}

// TestEachCapHasItsOwnAnswerAndEvent: SPEC G1 and C4.
func TestEachCapHasItsOwnAnswerAndEvent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set   func(*login.Settings)
		each  func(s *authtest.Site, i int) (login.Client, *authtest.Person)
		want  int
		limit string
		event audit.Name
		after time.Duration
	}{
		"an account's hour": {nil, nil, 5, "send_account", audit.SendLimitAccount, time.Hour},
		"an account's day":  {func(l *login.Settings) { l.Limits.SendHour = 100 }, nil, 10, "send_account", audit.SendLimitAccount, 24 * time.Hour},
		"a number's hour": {
			nil,
			func(s *authtest.Site, i int) (login.Client, *authtest.Person) {
				return s.Client(), s.Add(fmt.Sprint("p", i), authtest.WithPhone(mobile))
			}, 5, "send_number", audit.SendLimitNumber, time.Hour,
		},
		"a network": {
			func(l *login.Settings) { l.Limits.SendNetwork.N = 7 },
			func(s *authtest.Site, i int) (login.Client, *authtest.Person) {
				c := s.Client()
				c.Network = "192.0.2.1"
				return c, s.Add(fmt.Sprint("p", i), authtest.WithPhone(fmt.Sprintf("+447700900%03d", i)))
			}, 7, "send_network", audit.SendLimitNetwork, time.Hour,
		},
		"a wide network": {
			func(l *login.Settings) { l.Limits.SendNetwork.N = 1 },
			func(s *authtest.Site, i int) (login.Client, *authtest.Person) {
				c := s.Client()
				c.Network, c.Wide = fmt.Sprintf("2001:db8:0:%x::/64", i), "2001:db8::/48"
				return c, s.Add(fmt.Sprint("p", i), authtest.WithPhone(fmt.Sprintf("+447700900%03d", i)))
			}, 10, "send_network", audit.SendLimitNetwork, time.Hour,
		},
		"the whole system": {
			func(l *login.Settings) { l.Limits.DailyCap = 6 },
			func(s *authtest.Site, i int) (login.Client, *authtest.Person) {
				return s.Client(), s.Add(fmt.Sprint("p", i), authtest.WithPhone(fmt.Sprintf("+447700900%03d", i)))
			}, 6, "daily_cap", audit.SendDailyCap, 24 * time.Hour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changes := []func(*login.Settings){noWait}
			if c.set != nil {
				changes = append(changes, c.set)
			}
			s := authtest.New(t, changes...)
			ann, own := s.Add("ann", authtest.WithPhone(mobile2)), s.Client()
			var err error
			for i := range c.want + 1 {
				client, person := own, ann
				if c.each != nil {
					client, person = c.each(s, i)
				}
				var f login.Flow
				f, err = s.Machine.SendCode(ctx, client, s.PasswordPassed(client, person), text)
				if i < c.want {
					passed(t, f, err)
				}
				s.Clock.Advance(time.Microsecond)
			}
			var l *login.Limited
			if !errors.As(err, &l) || l.Limit != c.limit || c.after-l.RetryAfter > time.Second || l.RetryAfter > c.after {
				t.Fatalf("%v, want %s for about %s", err, c.limit, c.after)
			}
			if s.Phones.Codes() != c.want || s.Events.Count(c.event) != 1 || s.Events.Count(audit.LimitHit) != 0 {
				t.Errorf("%d codes, %d events", s.Phones.Codes(), s.Events.Count(c.event))
			}
		})
	}
}

func TestKnownBrowserIsExemptFromItsNetwork(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, noWait, func(l *login.Settings) { l.Limits.SendNetwork.N = 1 })
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	asked(s, c, ann, text)
	s.Clock.Advance(time.Second)
	_, err := s.Machine.SendCode(ctx, c, s.PasswordPassed(c, ann), text)
	wantLimited(t, err, "send_network", 0)
	c.Device = &login.Device{ID: "d", Account: ann.ID, Issued: s.Clock.Now()}
	asked(s, c, ann, text)
}

// TestRequestsAtOnceSendAsManyAsTheLimitsAllow: T60.
func TestRequestsAtOnceSendAsManyAsTheLimitsAllow(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	nodes := []*login.Machine{s.Machine, s.Node(s.Machine.Settings)}
	f := s.PasswordPassed(c, ann)
	together(100, func(i int) { _, _ = nodes[i%2].SendCode(ctx, c, f, text) })
	if n := s.Phones.Codes(); n != 1 {
		t.Errorf("%d codes for one flow", n)
	}
	s.Clock.Advance(time.Minute)
	flows := make([]login.Flow, 20)
	for i := range flows {
		flows[i] = s.PasswordPassed(c, ann)
	}
	together(100, func(i int) { _, _ = nodes[i%2].SendCode(ctx, c, flows[i%20], text) })
	if n := s.Phones.Codes(); n != 2 {
		t.Errorf("%d more codes for twenty flows", n-1)
	}
}

func TestCapOfTheSystemHoldsAtOnce(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(l *login.Settings) { l.Limits.DailyCap = 7 })
	const n = 40
	clients, flows := make([]login.Client, n), make([]login.Flow, n)
	for i := range n {
		clients[i] = s.Client()
		flows[i] = s.PasswordPassed(clients[i], s.Add(fmt.Sprint("p", i), authtest.WithPhone(fmt.Sprintf("+447700900%03d", i))))
	}
	var refused atomic.Int64
	together(n, func(i int) {
		if _, err := s.Machine.SendCode(ctx, clients[i], flows[i], text); err != nil {
			refused.Add(1)
		}
	})
	if s.Phones.Codes() != 7 || refused.Load() != n-7 {
		t.Errorf("%d codes, %d refused", s.Phones.Codes(), refused.Load())
	}
}

// TestVendorsTroubleIsNotThePersons: SPEC C3, T115.
func TestVendorsTroubleIsNotThePersons(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	s.Phones.Fail = func(login.Delivery) error { return errors.New("not sent: funds") }
	f := s.PasswordPassed(c, ann)
	for range 30 {
		var err error
		f, err = s.Machine.SendCode(ctx, c, f, text)
		wantProblem(t, f, err, "send.fail")
		f, err = s.Machine.SendCode(ctx, c, f, call)
		wantProblem(t, f, err, "send.fail.call")
	}
	if sent := s.Machine.Sending(f, ann.Factors()[0].ID); sent.Out || f.Sends != 0 {
		t.Errorf("%+v", sent)
	}
	s.Phones.Fail = nil
	f, err := s.Machine.SendCode(ctx, c, f, text)
	f = passed(t, f, err)
	if f.Sent.More != 4 || s.Events.Count(audit.CodeNotSent) != 60 || s.Events.Count(audit.CodeSent) != 1 {
		t.Errorf("%d more, events %d and %d", f.Sent.More, s.Events.Count(audit.CodeNotSent), s.Events.Count(audit.CodeSent))
	}
}

// TestMaybeSentCodeCanBeEntered: a vendor that answered too late may have sent.
func TestMaybeSentCodeCanBeEntered(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(l *login.Settings) { l.Limits.DailyCap = 2 })
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	s.Phones.Fail = func(login.Delivery) error {
		return &login.Undelivered{Maybe: true, Err: errors.New("not sent: timeout")}
	}
	f, err := s.Machine.SendCode(ctx, c, s.PasswordPassed(c, ann), text)
	wantProblem(t, f, err, "send.fail")
	if got := s.Machine.Sending(f, ann.Factors()[0].ID); !got.Out || !got.Unsure || got.Wait != 0 {
		t.Fatalf("no field for a code that may come, or a wait: %+v", got)
	}
	f, err = s.Machine.SendCode(ctx, c, f, call) // at once, by the other channel
	wantProblem(t, f, err, "send.fail.call")
	// What may have cost money counts for the breaker of the whole system.
	_, err = s.Machine.SendCode(ctx, c, f, text)
	wantLimited(t, err, "daily_cap", 0)
	f, err = submit(s, c, f, s.Phones.LastCode(mobile))
	passed(t, f, err)
}

func TestNothingIsSentBeforeTheRightPassword(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	f := s.Begin(c)
	_, err := s.Machine.SendCode(ctx, c, f, text)
	wantErr(t, err, login.ErrNotNext)
	f, err = s.Machine.SubmitPassword(ctx, c, f, ann.Name, wrong)
	s.Must(err)
	_, err = s.Machine.SendCode(ctx, c, f, text)
	wantErr(t, err, login.ErrNotNext)
	// Nor for who has no phone, or after the factor.
	bob := s.Add("bob", authtest.WithApp)
	_, err = s.Machine.SendCode(ctx, c, s.PasswordPassed(c, bob), text)
	wantErr(t, err, login.ErrNotNext)
	f = asked(s, c, ann, text)
	f, err = submit(s, c, f, s.Phones.LastCode(mobile))
	f = passed(t, f, err)
	s.Clock.Advance(time.Minute)
	_, err = s.Machine.SendCode(ctx, c, f, text)
	wantErr(t, err, login.ErrNotNext)
	if s.Phones.Codes() != 1 {
		t.Errorf("%d codes", s.Phones.Codes())
	}
}

func TestLandlineIsCalledAndNotTexted(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(landline)), s.Client()
	f := s.PasswordPassed(c, ann)
	if got := s.Machine.Offered(ann.Account(), ann.Factors()); len(got) != 1 || got[0] != call {
		t.Errorf("offered %v", got)
	}
	_, err := s.Machine.SendCode(ctx, c, f, text)
	wantErr(t, err, login.ErrNotNext)
	f, err = s.Machine.SendCode(ctx, c, f, call)
	passed(t, f, err)
}

// TestNumberIsJudgedBeforeEachSend: rules that changed since enrolment.
func TestNumberIsJudgedBeforeEachSend(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(l *login.Settings) { l.Phone.Rules.Countries = []string{"US"} })
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	f, err := s.Machine.SendCode(ctx, c, s.PasswordPassed(c, ann), text)
	wantProblem(t, f, err, "phone.unsupported")
	if s.Phones.Codes() != 0 || s.Events.Count(audit.NumberRefused) != 1 {
		t.Error("it was sent, or nobody was told")
	}
}

// TestWithoutSendersThePhoneStillProtects: the operator took them away.
func TestWithoutSendersThePhoneStillProtects(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	s.Machine.Phones = nil
	f := s.PasswordPassed(c, ann)
	if s.Next(f) != login.StepVerify || len(s.Machine.Offered(ann.Account(), ann.Factors())) != 0 {
		t.Error("a phone that gets no codes opens the account")
	}
	_, err := s.Machine.SendCode(ctx, c, f, text)
	wantErr(t, err, login.ErrNotNext)
}

func TestDamagedNumberIsToldAndSendsNothing(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	was := ann.Factors()[0]
	s.Must(s.Durable.RemoveFactors(ctx, ann.ID, nil, time.Time{}))
	was.Sealed = []byte("rubbish")
	s.Must(s.Durable.AddFactor(ctx, was, "", time.Time{}))
	_, err := s.Machine.SendCode(ctx, c, s.PasswordPassed(c, ann), account.MethodText)
	if err == nil || s.Phones.Codes() != 0 || s.Events.Count(audit.SecretUnreadable) != 1 {
		t.Errorf("error %v, %d codes", err, s.Phones.Codes())
	}
}
