package web_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/phone"
)

// TestSixthCodeOfAnHourIsRefused: SPEC G1, G3. The fifth says beforehand that
// it is the last, and the way out is there.
func TestSixthCodeOfAnHourIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
	page := s.wantAt(s.password(b, "/sign-in", ann), "/verify/text")
	wantSilent(t, page, said(t, "send.last"), said(t, "send.more", "n", "5")) // nothing is known yet
	began := s.Clock.Now()
	for sent := 1; sent <= 5; sent++ {
		channel := []string{"text", "call"}[sent%2]
		page = s.wantAt(s.press(b, page, "/verify/"+channel+"/send"), "/verify/"+channel)
		s.wantSent(sent)
		left := 5 - sent
		if left > 0 {
			wantSays(t, page, said(t, "send.more", "n", fmt.Sprint(left)))
			wantSilent(t, page, said(t, "send.last"))
		} else {
			wantSays(t, page, said(t, "send.last"), said(t, "verify.other"))
			wantSilent(t, page, said(t, "send.more", "n", "0"), said(t, "phone.again.text"), said(t, "phone.again.call"))
			if diff := cmp.Diff([]string{"/verify/call"}, s.buttons(page)); diff != "" {
				t.Errorf("after the last code (-want +got):\n%s", diff)
			}
		}
		s.Clock.Advance(31 * time.Second)
	}
	flow := page.URL.Query().Get("flow")
	until := began.Add(time.Hour)
	for _, channel := range []string{"text", "call"} {
		p := b.Post("/verify/"+channel+"/send", values("flow", flow))
		wantLimited(t, p, requests, "3445") // an hour after the first
		wantSays(t, p, said(t, "limited.sends.title"), said(t, "limit.sends", "time", "58 minutes", "clock", until.Format("15:04")+" UTC"))
		s.wantAt(b.Clone().Open(link(t, p, "Use another way")), "/verify")
	}
	s.wantSent(5)
	if n := s.Events.Count(audit.SendLimitAccount); n != 2 {
		t.Errorf("%d refusals in the audit", n)
	}
	other := s.browser() // not by beginning anew either
	page2 := s.wantAt(s.password(other, "/sign-in", ann), "/verify/text")
	want(t, s.pressed(other, page2, "/verify/text/send"), http.StatusTooManyRequests)
	s.Clock.Advance(until.Sub(s.Clock.Now()) - time.Second)
	page2 = s.password(other, "/sign-in", ann) // the flow of before has ended
	want(t, s.pressed(other, page2, "/verify/text/send"), http.StatusTooManyRequests)
	s.Clock.Advance(2 * time.Second)
	s.wantAt(s.press(other, page2, "/verify/text/send"), "/verify/text")
	s.wantSent(6)
}

// TestLastCodesStillWork: what a limit stops is sending, not entering.
func TestLastCodesStillWork(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Machine.Settings.Limits.SendHour = 1
	ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
	page := s.asked(b, ann, account.MethodText)
	wantSays(t, page, said(t, "send.last"))
	s.Clock.Advance(31 * time.Second)
	want(t, b.Post("/verify/text/send", values("flow", page.URL.Query().Get("flow"))), http.StatusTooManyRequests)
	s.wantAt(s.press(b, page, "/verify/text", "code", s.Phones.LastCode(mobile)), "/")
}

// TestLimitOfCodesHoldsWhileEnrolling, where no other way is a way to verify.
func TestLimitOfCodesHoldsWhileEnrolling(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor)
	ann, b := s.Add("ann"), s.browser()
	page := s.press(b, s.atSetUpPhone(b, ann), "/set-up/phone", "phone", mobile, "channel", "text")
	for range 3 {
		s.Clock.Advance(31 * time.Second)
		page = s.press(b, page, "/set-up/phone/send", "channel", "call")
	}
	wantSays(t, page, said(t, "send.more", "n", "1"))
	s.Clock.Advance(31 * time.Second)
	page = s.press(b, page, "/set-up/phone/send", "channel", "text")
	wantSays(t, page, said(t, "send.last"), said(t, "send.ok", "ending", "11"))
	s.wantSent(5)
	s.Clock.Advance(31 * time.Second)
	flow := page.URL.Query().Get("flow")
	for path, form := range map[string][]string{"/set-up/phone/send": {"channel", "text"}, "/set-up/phone": {"phone", mobile2, "channel", "text"}} {
		p := b.Post(path, values(append([]string{"flow", flow}, form...)...))
		wantLimited(t, p, requests, "3445")
		if strings.Contains(p.Body, "/verify?") {
			t.Errorf("%s leads to a page that is not this person's", path)
		}
	}
	s.wantSent(5)
	s.wantAt(s.press(b, page, "/set-up/phone/confirm", "code", s.Phones.LastCode(mobile)), "/set-up/backup-codes")
}

// TestWrongCodesOfAPhoneAreCounted: five void the code, and lock the phone for
// ten minutes over all flows; the other ways stay.
func TestWrongCodesOfAPhoneAreCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(2)), s.browser()
	other := s.browser()
	elsewhere := s.asked(other, ann, account.MethodCall)
	theirs := s.Phones.LastCode(mobile)
	s.Clock.Advance(31 * time.Second)
	page := s.asked(b, ann, account.MethodText)
	stood, code := page, s.Phones.LastCode(mobile)
	late := said(t, "code.late")
	for i, wrong := range []string{late, late, late + ". 2 attempts left", late + ". 1 attempt left", said(t, "code.void")} {
		page = s.wantAt(s.press(b, stood, "/verify/text", "code", another(code)), "/verify/text")
		wantProblems(t, page, wrong)
		field := strings.Contains(page.Body, `id="code"`)
		if field != (i < 4) {
			t.Errorf("after %d wrong codes there is a field: %t", i+1, field)
		}
		if hint := strings.Contains(words(t, page), said(t, "phone.check")); hint != (i >= 1 && i < 4) {
			t.Errorf("after %d wrong codes what to check is told: %t", i+1, hint)
		}
	}
	wantProblems(t, s.press(b, stood, "/verify/text", "code", code), said(t, "code.void")) // the right one, too late
	s.Clock.Advance(31 * time.Second)
	limited := func(who *authtest.Browser, p *authtest.Page) {
		t.Helper()
		wantLimited(t, p, loginAttempts, "569")
		wantSays(t, p, said(t, "limited.codes.title"))
		s.wantAt(who.Clone().Open(link(t, p, "Use another way")), "/verify")
	}
	limited(b, s.pressed(b, page, "/verify/text/send")) // it would open nothing
	limited(other, s.pressed(other, elsewhere, "/verify/call", "code", theirs))
	s.wantSent(2)
	backup := b.Open("/verify/backup?" + page.URL.RawQuery)
	s.wantAt(b.Submit(backup, "code", ann.Codes[0]), "/")
	s.Clock.Advance(569*time.Second + time.Millisecond)
	elsewhere = s.wantAt(s.press(other, elsewhere, "/verify/call/send"), "/verify/call")
	if fresh := s.Phones.LastCode(mobile); fresh == code || fresh == theirs {
		t.Error("a dead code was sent again")
	}
	s.wantAt(s.press(other, elsewhere, "/verify/call", "code", s.Phones.LastCode(mobile)), "/set-up") // an app is offered, after two
}

// TestVendorsTroubleIsToldAndNotCounted: SPEC C3.
func TestVendorsTroubleIsToldAndNotCounted(t *testing.T) {
	t.Parallel()
	away := func(login.Delivery) error { return errors.New("the vendor is away") }
	t.Run("at sign-in", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
		page := s.wantAt(s.password(b, "/sign-in", ann), "/verify/text")
		s.Phones.Fail = away
		for range 7 { // more often than the limits allow, and without the wait
			page = s.wantAt(s.press(b, page, "/verify/text/send"), "/verify/text")
			wantProblems(t, page, said(t, "send.fail"))
			if diff := cmp.Diff([]string{"/verify/text/send", "/verify/call/send"}, s.buttons(page)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			wantSays(t, page, said(t, "phone.ask", "ending", "11"), said(t, "phone.callme"), said(t, "verify.other"))
			wantSilent(t, page, said(t, "send.wait", "time", "30 seconds"), said(t, "phone.code"))
			page = s.wantAt(s.press(b, page, "/verify/call/send"), "/verify/call")
			wantProblems(t, page, said(t, "send.fail.call"))
		}
		if s.Phones.Codes() != 0 || s.Events.Count(audit.CodeNotSent) != 14 {
			t.Errorf("%d sent, %d failures in the audit", s.Phones.Codes(), s.Events.Count(audit.CodeNotSent))
		}
		s.Phones.Fail = func(d login.Delivery) error {
			if d.Method == account.MethodText {
				return errors.New("no texts")
			}
			return nil
		}
		wantProblems(t, s.press(b, page, "/verify/text/send"), said(t, "send.fail"))
		page = s.wantAt(s.press(b, page, "/verify/call/send"), "/verify/call")
		wantProblems(t, page)
		wantSays(t, page, said(t, "send.more", "n", "4")) // all the others were given back
		s.Clock.Advance(31 * time.Second)
		again := s.press(b, page, "/verify/text/send") // the code that is out works on
		wantProblems(t, again, said(t, "send.fail"))
		wantSays(t, again, said(t, "phone.sent.call", "ending", "11", "n", "9"), said(t, "phone.code"))
		s.wantAt(s.press(b, again, "/verify/text", "code", s.Phones.LastCode(mobile)), "/")
	})
	t.Run("maybe sent", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
		page := s.wantAt(s.password(b, "/sign-in", ann), "/verify/text")
		s.Phones.Fail = func(login.Delivery) error { return &login.Undelivered{Maybe: true, Err: errors.New("no answer")} }
		page = s.wantAt(s.press(b, page, "/verify/text/send"), "/verify/text")
		wantProblems(t, page, said(t, "send.fail"))
		wantSays(t, page, said(t, "phone.code"), said(t, "phone.instead.call"))
		s.wantAt(s.press(b, page, "/verify/text", "code", s.Phones.LastCode(mobile)), "/")
	})
	t.Run("one channel", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.Phones.Cannot = map[account.Method]bool{account.MethodCall: true}
		ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
		page := s.wantAt(s.password(b, "/sign-in", ann), "/verify/text")
		s.Phones.Fail = away
		page = s.press(b, page, "/verify/text/send")
		wantProblems(t, page, said(t, "send.fail.any"))
		s.Phones.Fail = nil
		page = s.press(b, page, "/verify/text/send")
		s.wantAt(s.press(b, page, "/verify/text", "code", s.Phones.LastCode(mobile)), "/")
	})
	t.Run("while enrolling", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, needsFactor)
		ann, b := s.Add("ann"), s.browser()
		page := s.atSetUpPhone(b, ann)
		s.Phones.Fail = away
		for channel, key := range map[string]string{"text": "send.fail", "call": "send.fail.call"} {
			page = s.wantAt(s.press(b, page, "/set-up/phone", "phone", mobile, "channel", channel), "/set-up/phone")
			wantProblems(t, page, said(t, key))
			if typedNumber(t, page) != mobile {
				t.Error("the number is gone")
			}
		}
		s.Phones.Fail = nil
		page = s.wantAt(s.press(b, page, "/set-up/phone", "phone", mobile, "channel", "call"), "/set-up/phone/confirm")
		s.Clock.Advance(11 * time.Minute)
		s.Phones.Fail = away // the code has ended, and another can't be sent
		page = s.wantAt(s.press(b, b.Open(page.URL.String()), "/set-up/phone/send", "channel", "text"), "/set-up/phone")
		wantProblems(t, page, said(t, "send.fail"))
		s.Phones.Fail = nil
		page = s.wantAt(s.press(b, page, "/set-up/phone", "phone", mobile, "channel", "text"), "/set-up/phone/confirm")
		s.wantAt(s.press(b, page, "/set-up/phone/confirm", "code", s.Phones.LastCode(mobile)), "/set-up/backup-codes")
	})
}

// TestVendorThatChecksIsAway: nothing is counted, and the page says so.
func TestVendorThatChecksIsAway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var vendor error
	s.Phones.Vendor = func(_ phone.Number, code string) (bool, error) { return code == "424242", vendor }
	ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
	page := s.asked(b, ann, account.MethodText)
	vendor = errors.New("away")
	for range 6 {
		page = s.press(b, page, "/verify/text", "code", "424242")
		wantProblems(t, page, said(t, "code.unchecked"))
	}
	vendor = nil
	wantProblems(t, s.press(b, page, "/verify/text", "code", "424243"), said(t, "code.late"))
	s.wantAt(s.press(b, page, "/verify/text", "code", "424242"), "/")
}
