package caddymodule

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/web"
	"github.com/sallyport-auth/sallyport/pages"
)

// noted is a sender that keeps what it is given.
type noted struct {
	got  []notify.Message
	fail error
	hook error
	can  func(notify.Channel, bool) bool
}

func (n *noted) Can(c notify.Channel, notice bool) bool { return n.can == nil || n.can(c, notice) }

func (n *noted) Send(_ context.Context, m notify.Message) error {
	n.got = append(n.got, m)
	return n.fail
}

func (n *noted) Hook(context.Context, http.Header, []byte) error { return n.hook }

// vendor is one that checks codes itself.
type vendor struct{ noted }

func (v *vendor) Check(_ context.Context, _ phone.Number, code secret.Text) (bool, error) {
	return code.Reveal() == "111111", nil
}

func somebody(t *testing.T) phone.Number {
	t.Helper()
	n, _, err := phone.Known("+447700900982")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func testPhones(t *testing.T, change func(*App), senders ...notify.Named) *phones {
	t.Helper()
	a := &App{Name: "Example", Language: "en", Portal: "https://login.example.com"}
	a.log, a.engine = slog.New(slog.DiscardHandler), &engine{metrics: newMetrics()}
	change(a)
	set, err := pages.New(pages.Brand{Name: a.Name})
	if err != nil {
		t.Fatal(err)
	}
	return a.newPhones(set, senders)
}

func TestMessagesAreWorded(t *testing.T) {
	t.Parallel()
	delivery := login.Delivery{
		ID: "5ixr4tyt3ax7k2d6wq2mlc7e4a", Method: account.MethodText, To: somebody(t), Code: secret.New("271828"),
		Life: 9*time.Minute + 58*time.Second, Host: "login.example.com:8443",
	}
	call, late, notice, spoken := delivery, delivery, delivery, delivery
	call.Method = account.MethodCall
	call.Life = 9*time.Minute + 59*time.Second + 990*time.Millisecond
	late.Life = 20 * time.Second
	notice.Code, notice.Life = secret.Text{}, 0
	spoken.Code, spoken.Life, spoken.Method = secret.Text{}, 0, account.MethodCall
	for name, c := range map[string]struct {
		of      login.Delivery
		channel notify.Channel
		parts   []string
		never   string
	}{
		"text":           {delivery, notify.Text, []string{"271828", "Example", "9 minutes", "\n@login.example.com #271828"}, "8443"},
		"call":           {call, notify.Call, []string{"2, 7, 1, 8, 2, 8", "Example", "10 minutes"}, "@login"},
		"late":           {late, notify.Text, []string{"1 minute"}, "0 minutes"},
		"notice":         {notice, notify.Text, []string{"Example", "changed"}, "code"},
		"notice, spoken": {spoken, notify.Call, []string{"Example", "changed"}, "code"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := new(noted)
			p := testPhones(t, func(*App) {}, notify.Named{Name: "a", Sender: to})
			receipt, err := p.Deliver(t.Context(), c.of)
			if diff := cmp.Diff(login.Receipt{Sender: "a", Own: true}, receipt); diff != "" || err != nil || len(to.got) != 1 {
				t.Fatalf("%v %v", err, diff)
			}
			m := to.got[0]
			contains(t, m.Words.Reveal(), c.parts...)
			if strings.Contains(m.Words.Reveal(), c.never) {
				t.Errorf("%q is in %q", c.never, m.Words.Reveal())
			}
			if m.Channel != c.channel || m.ID != c.of.ID || !m.To.Equal(c.of.To) || m.Life != c.of.Life || m.Service != "Example" || m.Language != "en" {
				t.Errorf("%+v", m)
			}
		})
	}
}

func TestLanguageIsTheOneOfTheWords(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{"en": "en", "en-GB": "en-GB", "xx": "en", "tlh-Latn": "en"} {
		if got := testPhones(t, func(a *App) { a.Language = tag }).language; got != want {
			t.Errorf("%s is read out as %s", tag, got)
		}
	}
}

func TestHookAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ portal, host, want string }{
		{"https://login.example.com", "app.example.com", "https://login.example.com/hooks/telnyx"},
		{"http://localhost:8080", "localhost:8080", "http://localhost:8080/hooks/telnyx"},
		{"", "app.example.com", "https://app.example.com/sallyport/hooks/telnyx"},
		{"", "app.example.com:8443", "https://app.example.com:8443/sallyport/hooks/telnyx"},
		{"", "localhost:8080", "http://localhost:8080/sallyport/hooks/telnyx"},
		{"", "[::1]:8080", "http://[::1]:8080/sallyport/hooks/telnyx"},
		{"", "", ""},
	} {
		if got := (&phones{origin: c.portal}).hookAddress(c.host); got != c.want {
			t.Errorf("%q, %q: %s", c.portal, c.host, got)
		}
	}
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	refused := &notify.Failure{Reason: notify.Credentials, Detail: "HTTP 401"}
	maybe := &notify.Failure{Reason: notify.Timeout, Maybe: true}
	own := func(err error) notify.Named { return notify.Named{Name: "own", Sender: &noted{fail: err}} }
	theirs := func(err error) notify.Named { return notify.Named{Name: "verify", Sender: &vendor{noted{fail: err}}} }
	for name, c := range map[string]struct {
		senders []notify.Named
		want    login.Receipt
		fails   bool
		maybe   bool
	}{
		"own":                        {[]notify.Named{own(nil)}, login.Receipt{Sender: "own", Own: true}, false, false},
		"vendor's":                   {[]notify.Named{theirs(nil)}, login.Receipt{Sender: "verify", Checker: "verify"}, false, false},
		"own after vendor's":         {[]notify.Named{theirs(maybe), own(nil)}, login.Receipt{Sender: "own", Own: true, Checker: "verify"}, false, false},
		"vendor's after own":         {[]notify.Named{own(maybe), theirs(nil)}, login.Receipt{Sender: "verify", Own: true, Checker: "verify"}, false, false},
		"second of a kind":           {[]notify.Named{own(refused), own(nil)}, login.Receipt{Sender: "own-2", Own: true}, false, false},
		"refused":                    {[]notify.Named{own(refused)}, login.Receipt{}, true, false},
		"maybe":                      {[]notify.Named{own(refused), own(maybe)}, login.Receipt{Own: true}, true, true},
		"maybe the vendor's":         {[]notify.Named{theirs(maybe), own(refused)}, login.Receipt{Checker: "verify"}, true, true},
		"maybe the vendor's and own": {[]notify.Named{theirs(maybe), own(maybe)}, login.Receipt{Own: true, Checker: "verify"}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := testPhones(t, func(*App) {}, c.senders...)
			got, err := p.Deliver(t.Context(), login.Delivery{Method: account.MethodText, To: somebody(t), Code: secret.New("271828"), Host: "h"})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			u := (*login.Undelivered)(nil)
			if errors.As(err, &u) != c.fails || c.fails && (u.Maybe != c.maybe || !strings.HasPrefix(err.Error(), "not sent: ")) {
				t.Errorf("%#v", err)
			}
		})
	}
}

func TestVendorChecks(t *testing.T) {
	t.Parallel()
	p := testPhones(t, func(*App) {}, notify.Named{Name: "own", Sender: new(noted)}, notify.Named{Name: "verify", Sender: new(vendor)})
	for code, want := range map[string]bool{"111111": true, "222222": false} {
		if right, err := p.Check(t.Context(), "verify", somebody(t), secret.New(code)); right != want || err != nil {
			t.Errorf("%s: %v %v", code, right, err)
		}
	}
	for _, sender := range []string{"own", "gone", ""} { // it was there when the code was sent
		if right, err := p.Check(t.Context(), sender, somebody(t), secret.New("111111")); right || err == nil {
			t.Errorf("%q checks: %v", sender, right)
		}
	}
}

func TestMethodsNeedASenderForCodes(t *testing.T) {
	t.Parallel()
	notices := &noted{can: func(c notify.Channel, notice bool) bool { return c == notify.Text || notice }}
	p := testPhones(t, func(*App) {}, notify.Named{Name: "a", Sender: notices})
	want := map[account.Method]bool{account.MethodText: true, account.MethodCall: false, account.MethodApp: false, account.MethodBackup: false}
	got := map[account.Method]bool{}
	for m := range want {
		got[m] = p.Can(m)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestHooksAnswerInTheTermsOfThePages(t *testing.T) {
	t.Parallel()
	trouble := errors.New("the store is away")
	for want, given := range map[error]error{nil: nil, web.ErrHookRefused: notify.ErrHookRefused, trouble: trouble} {
		p := testPhones(t, func(*App) {}, notify.Named{Name: "telnyx", Sender: &noted{hook: given}})
		if err := p.Hook(t.Context(), "telnyx", nil, nil); !errors.Is(err, want) {
			t.Errorf("%v became %v", given, err)
		}
		if err := p.Hook(t.Context(), "twilio", nil, nil); !errors.Is(err, web.ErrNoHook) {
			t.Errorf("nobody's hook: %v", err)
		}
	}
}

func TestWhatSendersCannotIsWarnedOf(t *testing.T) {
	t.Parallel()
	texts := func(c notify.Channel, _ bool) bool { return c == notify.Text }
	calls := func(c notify.Channel, _ bool) bool { return c == notify.Call }
	codes := func(_ notify.Channel, notice bool) bool { return !notice }
	const portal = "https://login.example.com"
	for name, c := range map[string]struct {
		portal string
		named  string
		can    []func(notify.Channel, bool) bool
		want   []string
	}{
		"everything":         {portal, "a", []func(notify.Channel, bool) bool{nil}, nil},
		"texts":              {portal, "a", []func(notify.Channel, bool) bool{texts}, []string{"no sender makes calls"}},
		"calls":              {portal, "a", []func(notify.Channel, bool) bool{calls}, []string{"no sender carries text messages"}},
		"codes":              {portal, "a", []func(notify.Channel, bool) bool{codes}, []string{"no sender carries notices"}},
		"together":           {portal, "a", []func(notify.Channel, bool) bool{codes, texts}, nil},
		"outbox at a portal": {portal, "outbox", []func(notify.Channel, bool) bool{nil}, []string{"the sender `outbox` sends nothing"}},
		"outbox at home":     {"http://localhost:8080", "outbox", []func(notify.Channel, bool) bool{nil}, nil},
		"outbox of a demo":   {"", "outbox", []func(notify.Channel, bool) bool{nil}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			var senders []notify.Named
			var settings []configured
			for _, can := range c.can {
				senders = append(senders, notify.Named{Name: c.named, Sender: &noted{can: can}})
				settings = append(settings, configured{name: c.named})
			}
			testPhones(t, func(a *App) {
				a.Portal, a.log = c.portal, slog.New(slog.NewTextHandler(&log, nil))
			}, senders...).warn(settings)
			if n := strings.Count(log.String(), "level=WARN"); n != len(c.want) {
				t.Errorf("%d warnings:\n%s", n, log.String())
			}
			contains(t, log.String(), c.want...)
		})
	}
}

// TestFailuresAreLoggedWithoutWhatIsPrivate: the log of a failed attempt has
// what an operator needs and nothing of the message.
func TestFailuresAreLoggedWithoutWhatIsPrivate(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	p := testPhones(t, func(a *App) { a.log = slog.New(slog.NewJSONHandler(&log, nil)) }, notify.Named{
		Name: "pigeon", Sender: &noted{fail: &notify.Failure{Reason: notify.Blocked, Detail: "HTTP 403 for +447700900982 with 271828"}},
	})
	_, err := p.Deliver(t.Context(), login.Delivery{Method: account.MethodText, To: somebody(t), Code: secret.New("271828"), Host: "h"})
	contains(t, log.String(), `"sender":"pigeon"`, `"channel":"text"`, `"reason":"blocked"`, "HTTP 403")
	for _, private := range []string{"900982", "271828"} {
		if strings.Contains(log.String(), private) || strings.Contains(err.Error(), private) {
			t.Errorf("%s is in %s%v", private, log.String(), err)
		}
	}
}
