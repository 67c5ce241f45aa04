package web_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/web"
)

const attackedNumber = "+442079460958" // a landline that nobody has

// made counts the flows that are made.
type made struct {
	login.Flows
	n atomic.Int64
}

func (m *made) CreateFlow(ctx context.Context, f login.Flow) error {
	m.n.Add(1)
	return m.Flows.CreateFlow(ctx, f)
}

// TestEveryFlowThatAFormMakesIsCounted: G1, forms of every other kind.
func TestEveryFlowThatAFormMakesIsCounted(t *testing.T) {
	t.Parallel()
	for name, method := range map[string]string{"a phone that is enrolled": "call", "a phone that is not": "text"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			options := []authtest.Option{authtest.WithApp, authtest.WithCodes(1)}
			if method == "call" {
				options = append(options, authtest.WithPhone(attackedNumber))
			}
			ann, b := s.Add("ann", options...), s.browser()
			s.signIn(b, ann)
			flows := &made{Flows: s.Short}
			s.Machine.Flows = flows
			for range 300 {
				b.Post("/account/security/confirm", values("method", method))
			}
			if n := flows.n.Load(); n > int64(s.Machine.Settings.Limits.Forms.N) {
				t.Errorf("%d flows were made by forms of one minute", n)
			}
		})
	}
}

// TestSameNumberByTheWrongChannelIsNoServerError: a landline that was called,
// then "Text me" for the same number.
func TestSameNumberByTheWrongChannelIsNoServerError(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor)
	ann, b := s.Add("ann"), s.browser()
	page := s.password(b, s.base()+"/sign-in", ann)
	flow := page.URL.Query().Get("flow")
	page = b.Follow(b.Post("/set-up/phone", values("flow", flow, "phone", attackedNumber, "channel", "call")))
	if page.Path() != "/set-up/phone/confirm" {
		t.Fatalf("at %s", page.URL)
	}
	code := s.Phones.LastCode(attackedNumber)
	b.Follow(b.Post("/set-up/phone", values("flow", flow, "phone", attackedNumber, "channel", "text")))
	s.Clock.Advance(31 * time.Second)
	for path, form := range map[string][]string{
		"/set-up/phone/send":    {"channel", "call"},
		"/set-up/phone/confirm": {"code", code},
	} {
		p := b.Clone().Follow(b.Clone().Post(path, values(append(form, "flow", flow)...)))
		if p.Status >= 500 {
			t.Errorf("%s: %d", path, p.Status)
		}
	}
}

// refusing are hooks that believe nobody.
type refusing struct{ asked atomic.Int64 }

func (r *refusing) Hook(context.Context, string, http.Header, []byte) error {
	r.asked.Add(1)
	return web.ErrHookRefused
}

// lines counts what is logged.
type lines struct{ n atomic.Int64 }

func (l *lines) Write(p []byte) (int, error) { l.n.Add(1); return len(p), nil }

// TestRefusedCallsBackFillNoLog: anybody can call the hook, as often as they
// like (T119, log flood).
func TestRefusedCallsBackFillNoLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	out := &lines{}
	s.portal.Log = slog.New(slog.NewTextHandler(out, nil))
	s.portal.Hooks = &refusing{}
	b := s.browser()
	const calls = 1000
	for range calls {
		b.Do(http.MethodPost, "/hooks/telnyx", strings.NewReader("{}"))
	}
	if n := out.n.Load(); n > int64(s.Machine.Settings.Limits.Forms.N) {
		t.Errorf("%d lines for %d calls of one network within a minute", n, calls)
	}
}
