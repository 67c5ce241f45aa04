package caddymodule

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// gathered are the values of a registry, by name and labels as Prometheus
// writes them.
func gathered(t *testing.T, m *metrics) map[string]float64 {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	if err := m.register(r); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, one := range f.GetMetric() {
			var labels []string
			for _, l := range one.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			values[strings.TrimPrefix(f.GetName(), "sallyport_")+"{"+strings.Join(labels, ",")+"}"] = one.GetCounter().GetValue() + one.GetGauge().GetValue()
		}
	}
	return values
}

func TestEventsAreCounted(t *testing.T) {
	t.Parallel()
	m := newMetrics()
	m.count(
		audit.Event{Name: audit.SignedIn, Subject: "anna"},
		audit.Event{Name: audit.CodeSent, Method: "text", Country: "GB", Reason: "telnyx"},
		audit.Event{Name: audit.CodeSent, Method: "text", Country: "GB", Reason: "telnyx"},
		audit.Event{Name: audit.CodeSent, Method: "call", Country: "US", Reason: "twilio-2"},
		audit.Event{Name: audit.CodeNotSent, Method: "text", Country: "GB", Reason: "not sent: timeout"},
		audit.Event{Name: audit.FactorRight, Method: "text", Country: "GB"},
		audit.Event{Name: audit.FactorRight, Method: "app"},
		audit.Event{Name: audit.FactorAdded, Method: "call", Country: "US"},
		audit.Event{Name: audit.FactorAdded, Method: "app"},
		audit.Event{Name: audit.FactorReplaced, Method: "text", Country: "GB"},
		audit.Event{Name: audit.FactorWrong, Method: "text", Country: "GB"},
		audit.Event{Name: audit.LimitHit, Reason: "send_wait"},
		audit.Event{Name: audit.LimitHit, Reason: "factor"},
		audit.Event{Name: audit.SendLimitAccount, Reason: "send_account"},
		audit.Event{Name: audit.SendDailyCap, Reason: "daily_cap"},
	)
	m.notSent("telnyx", notify.Text, notify.Timeout)
	m.notSent("pigeon", notify.Text, "the weather at +447700900982")
	want := map[string]float64{
		`audit_events_total{event="signed_in"}`: 1, `audit_events_total{event="code_sent"}`: 3, `audit_events_total{event="code_not_sent"}`: 1,
		`audit_events_total{event="factor_right"}`: 2, `audit_events_total{event="factor_added"}`: 2, `audit_events_total{event="factor_replaced"}`: 1,
		`audit_events_total{event="factor_wrong"}`: 1, `audit_events_total{event="limit_hit"}`: 2,
		`audit_events_total{event="send_limit_account"}`: 1, `audit_events_total{event="send_daily_cap"}`: 1,
		`codes_sent_total{channel="text",country="GB",sender="telnyx"}`: 2, `codes_sent_total{channel="call",country="US",sender="twilio-2"}`: 1,
		`codes_entered_total{channel="text",country="GB"}`: 2, `codes_entered_total{channel="call",country="US"}`: 1,
		`send_refusals_total{limit="send_wait"}`: 1, `send_refusals_total{limit="send_account"}`: 1, `send_refusals_total{limit="send_number"}`: 0,
		`send_refusals_total{limit="send_network"}`: 0, `send_refusals_total{limit="daily_cap"}`: 1,
		`send_failures_total{channel="text",reason="timeout",sender="telnyx"}`: 1, `send_failures_total{channel="text",reason="other",sender="pigeon"}`: 1,
	}
	if diff := cmp.Diff(want, gathered(t, m)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestFailedAttemptsAreCountedThoughAnotherSenderSends(t *testing.T) {
	t.Parallel()
	p := testPhones(t, func(*App) {},
		notify.Named{Name: "a", Sender: &noted{fail: &notify.Failure{Reason: notify.NoFunds}}}, notify.Named{Name: "a", Sender: new(noted)})
	if _, err := p.Deliver(t.Context(), login.Delivery{Method: account.MethodCall, To: somebody(t), Code: secret.New("271828")}); err != nil {
		t.Fatal(err)
	}
	if got := gathered(t, p.metrics)[`send_failures_total{channel="call",reason="funds",sender="a"}`]; got != 1 {
		t.Errorf("counted %v times", got)
	}
}

// scrape reads what Caddy serves to Prometheus at its admin endpoint.
func (g *commanded) scrape(t *testing.T) string {
	t.Helper()
	return g.admin(t, "admin.sock", "/metrics")
}

// admin reads something at Caddy's admin endpoint, by its socket.
func (g *commanded) admin(t *testing.T, socket, path string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(g.dir, socket))
	}}}
	r, err := client.Get("http://127.0.0.1" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// An alarm on a provider that is configured no more would never end.
func TestCertificatesOfRemovedProvidersAreNotMeasured(t *testing.T) {
	g := newGateway(t)
	file := filepath.Join(g.dir, "idp.xml")
	g.must(os.WriteFile(file, newIdP(t, "https://idp.test/metadata").Metadata(withoutLogout), 0o600))
	config := func(names ...string) string {
		options := "portal https://login.example.com\n"
		for _, name := range names {
			options += "saml " + name + " {\nmetadata " + file + "\n}\n"
		}
		return g.global(options) + g.site("login.example.com", "sallyport_portal") + g.site("app.example.com", "sallyport\n"+g.proxy())
	}
	measured := func(want ...string) {
		t.Helper()
		var got []string
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			got = nil
			for name, days := range gathered(t, started.current().engine.metrics) {
				if strings.HasPrefix(name, "saml_certificate_days_left{") && days > 300 {
					got = append(got, strings.Split(name, `"`)[1])
				}
			}
			slices.Sort(got)
			if slices.Equal(got, want) {
				return
			}
		}
		t.Errorf("measured are %q, want %q", got, want)
	}
	g.mustLoad(config("one", "two"))
	g.waitReady("app.example.com")
	measured("one", "two")
	g.mustLoad(config("two", "three"))
	measured("three", "two")
	if err := g.load(config("two", "four") + "http://b.example.com:" + portOf(g.app.URL) + " {\nbind 127.0.0.1\nsallyport\n}\n"); err == nil {
		t.Error("a port in use was accepted")
	}
	measured("three", "two")
	g.mustLoad(config())
	measured()
}
