package caddymodule

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// outboxOptions are the options of a gateway that writes its messages to a
// file in its folder, DIR/outbox.
const outboxOptions = "phone {\ncountries GB\ndefault_region GB\nsender outbox DIR/outbox\n}"

var anyone = login.Client{Browser: "browser", Network: "192.0.2.1", Host: "localhost:8099"}

// addPerson makes an account that signs in with goodPassword.
func (g *commanded) addPerson(t *testing.T, name string) {
	t.Helper()
	if r := g.run(goodPassword+"\n", "account", "add", name, "--email", name+"@example.com", "--password-stdin"); r.code != 0 {
		t.Fatal(r.err)
	}
}

// begun is a sign-in whose password was right.
func begun(t *testing.T, name string) (*login.Machine, login.Flow) {
	t.Helper()
	m, ctx := started.current().machine, context.Background()
	f, err := m.Begin(ctx, anyone, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f, err = m.SubmitPassword(ctx, anyone, f, name, secret.New(goodPassword)); err != nil || len(f.Problems) > 0 {
		t.Fatalf("%v %+v", err, f.Problems)
	}
	return m, f
}

// enrol adds a number as its owner would, by the code from the outbox.
func (g *commanded) enrol(t *testing.T, name, number string, k account.Method) {
	t.Helper()
	ctx := context.Background()
	m, f := begun(t, name)
	f, err := m.SubmitNumber(ctx, anyone, f, number, k)
	if err != nil || len(f.Problems) > 0 {
		t.Fatalf("%v %+v", err, f.Problems)
	}
	if f, err = m.ConfirmPhone(ctx, anyone, f, g.outboxCode(t)); err != nil || len(f.Problems) > 0 {
		t.Fatalf("%v %+v", err, f.Problems)
	}
}

var digitsOf = regexp.MustCompile(`#([0-9]{6})|((?:[0-9], ){5}[0-9])`)

// outboxCode is the newest code in the outbox.
func (g *commanded) outboxCode(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, "outbox"))
	if err != nil {
		t.Fatal(err)
	}
	all := digitsOf.FindAllString(string(text), -1)
	if len(all) == 0 {
		t.Fatalf("no code in\n%s", text)
	}
	return strings.NewReplacer("#", "", ", ", "").Replace(all[len(all)-1])
}

// TestPhoneFromConfigurationToMetrics: what a Caddyfile says reaches the
// steps, the file, the audit, the commands and the figures.
func TestPhoneFromConfigurationToMetrics(t *testing.T) {
	g := startCommanded(t, outboxOptions)
	g.addPerson(t, "anna")
	g.addPerson(t, "ben")
	g.enrol(t, "anna", "07700 900982", account.MethodText)
	g.enrol(t, "ben", "+44 20 7946 0018", account.MethodCall) // a landline
	outbox, err := os.ReadFile(filepath.Join(g.dir, "outbox"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(outbox), " text code +447700900982\n", "Sallyport", "10 minutes", "@localhost #", " call code +442079460018\n")

	metrics := []string{
		`sallyport_codes_sent_total{channel="text",country="GB",sender="outbox"} 1`,
		`sallyport_codes_sent_total{channel="call",country="GB",sender="outbox"} 1`,
		`sallyport_codes_entered_total{channel="text",country="GB"} 1`,
		`sallyport_codes_entered_total{channel="call",country="GB"} 1`,
		`sallyport_audit_events_total{event="factor_added"} 2`,
		`sallyport_send_refusals_total{limit="daily_cap"} 0`,
	}
	contains(t, g.scrape(t), metrics...)
	// A click too soon is counted and told, and sends nothing.
	m, f := begun(t, "anna")
	f, err = m.SendCode(context.Background(), anyone, f, account.MethodText)
	if err != nil || len(f.Problems) != 1 || f.Problems[0].Key != "send.wait" {
		t.Errorf("%v %+v", err, f.Problems)
	}
	contains(t, g.scrape(t), `sallyport_send_refusals_total{limit="send_wait"} 1`)

	// A reload makes Caddy a new registry; the counts go on.
	before := started.current()
	text, err := os.ReadFile(filepath.Join(g.dir, "Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(strings.Replace(string(text), "it@example.com", "us@example.com", 1)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(adapted, false); err != nil {
		t.Fatal(err)
	}
	if started.current() == before {
		t.Fatal("nothing was loaded")
	}
	contains(t, g.scrape(t), metrics...)
}

func TestAccountCommandsTellOfPhones(t *testing.T) {
	g := startCommanded(t, outboxOptions)
	for _, name := range []string{"anna", "ben", "carl"} {
		g.addPerson(t, name)
	}
	g.enrol(t, "anna", "+44 7700 900982", account.MethodText)
	g.enrol(t, "ben", "+44 20 7946 0018", account.MethodCall)
	for name, want := range map[string][]string{"anna": {"phone ending in 82"}, "ben": {"phone ending in 18", "calls only"}} {
		out := g.ok(t, "account", "show", name)
		contains(t, out, want...)
		if name == "anna" && strings.Contains(out, "calls only") {
			t.Error(out)
		}
		for _, number := range []string{"447700900982", "7700 900982", "442079460018", "20 7946 0018"} {
			if strings.Contains(out+g.ok(t, "account", "show", name, "--json"), number) {
				t.Errorf("the number %s is shown:\n%s", number, out)
			}
		}
	}
	var a accountDetail
	g.json(t, &a, "account", "show", "ben")
	if len(a.Factors) != 1 || a.Factors[0].Kind != "phone" || a.Factors[0].Ending != "18" || !a.Factors[0].CallOnly {
		t.Errorf("%+v", a.Factors)
	}
	holders := func(number string) (names []string) {
		t.Helper()
		var list accountListView
		g.json(t, &list, "account", "list", "--phone", number)
		for _, a := range list.Accounts {
			names = append(names, a.Name)
		}
		return names
	}
	numbers := map[string][]string{
		"+447700900982": {"anna"}, "07700 900982": {"anna"}, "0044 7700 900 982": {"anna"}, "+44 20 7946 0018": {"ben"},
		"+447700900983": nil, "+1 202 555 0123": nil, "+449012345678": nil,
	}
	check := func() {
		t.Helper()
		for number, want := range numbers {
			if diff := cmp.Diff(want, holders(number)); diff != "" {
				t.Errorf("%s: -want +got\n%s", number, diff)
			}
		}
	}
	check()
	g.refused(t, 1, "not a telephone number", "account", "list", "--phone", "82")
	g.refused(t, 1, "gets no codes", "account", "list", "--phone", "0909 879 0000")
	g.refused(t, 2, "needs a number", "account", "list", "--phone", "")

	// Filed under an older key, people are found as before, and that key is
	// kept for them.
	g.ok(t, "keys", "add", "lookup")
	g.ok(t, "keys", "promote", "lookup", "2")
	check()
	g.refused(t, 1, "2 second factors and API keys can only be read or found with lookup key 1", "keys", "retire", "lookup", "1")
	g.enrol(t, "carl", "+44 7700 900983", account.MethodText)
	numbers["+447700900983"] = []string{"carl"}
	check()
	for _, name := range []string{"anna", "ben"} {
		g.ok(t, "account", "delete", name)
	}
	numbers["+447700900982"], numbers["07700 900982"], numbers["0044 7700 900 982"], numbers["+44 20 7946 0018"] = nil, nil, nil, nil
	g.ok(t, "keys", "retire", "lookup", "1")
	check()
	for _, e := range events(t, "operator_read") {
		if strings.Contains(e.Reason+e.Subject+e.Method, "900982") {
			t.Errorf("the audit has a number: %+v", e)
		}
	}
}

// events reads the audit until there is one of that name.
func events(t *testing.T, name audit.Name) []audit.Event {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		all, err := started.current().engine.durable.Events(context.Background(), eventsNamed(name))
		if err != nil {
			t.Fatal(err)
		}
		if len(all) > 0 || time.Now().After(end) {
			return all
		}
	}
}
