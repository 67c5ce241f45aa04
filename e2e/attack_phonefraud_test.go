package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// What the page says of a number.
const (
	notANumber  = "Enter a phone number with the country code"
	unsupported = "We cannot send codes to that number"
	noTexts     = "A landline cannot get text messages"
	noNumber    = "Enter a phone number"
	noChannel   = "Choose text message or phone call"
)

// A typed row is what somebody types and what becomes of it. Countries are GB,
// where numbers without one are, and US.
type typed struct {
	number, channel string
	says            string // "": a code goes to reaches
	reaches         string
	// refused is the audit's reason and country, "" where it is no number.
	refused string
}

var typedNumbers = []typed{
	// Numbers that earn money for those who hold them.
	{number: "+1 900 234 5678", says: unsupported, refused: "premium_rate US"},
	{number: "0909 879 0123", says: unsupported, refused: "premium_rate GB"},
	{number: "0871 200 0123", says: unsupported, refused: "premium_rate GB"},
	{number: "+39 199 123 456", says: unsupported, refused: "country IT"},
	{number: "+881 6 1234 5678", says: unsupported, refused: "kind "},
	{number: "+870 773 111 632", says: unsupported, refused: "kind "},
	{number: "+882 16 5812 3456", says: unsupported, refused: "kind "},
	{number: "+979 123 456 789", says: unsupported, refused: "kind "},
	{number: "+800 1234 5678", says: unsupported, refused: "kind "},
	{number: "070 1234 5678", says: unsupported, refused: "kind GB"},
	{number: "056 1234 5678", says: unsupported, refused: "voip GB"},
	{number: "0345 600 0123", says: unsupported, refused: "kind GB"},
	{number: "0808 157 0192", says: unsupported, refused: "kind GB"},
	{number: "+1 800 234 5678", says: unsupported, refused: "kind US"},
	// Other countries, those that share +1 and +44 with one that is listed too.
	{number: "+33 6 12 34 56 78", says: unsupported, refused: "country FR"},
	{number: "+1 876 210 1234", says: unsupported, refused: "country JM"},
	{number: "+1 809 234 5678", says: unsupported, refused: "country DO"},
	{number: "+1 242 359 1234", says: unsupported, refused: "country BS"},
	{number: "+1 506 234 5678", says: unsupported, refused: "country CA"},
	{number: "001 876 210 1234", says: unsupported, refused: "country JM"},
	{number: "+44 7797 712345", says: unsupported, refused: "country JE"},
	{number: "+44 7624 123456", says: unsupported, refused: "country IM"},
	{number: "+252 7 112 3456", says: unsupported, refused: "country SO"},
	{number: "+53 5 123 4567", says: unsupported, refused: "country CU"},
	// What a sender's machine could read as more than a number.
	{number: "07700 900 601 ext 5", says: notANumber},
	{number: "07700900601x5", says: notANumber},
	{number: "+447700900601;ext=5", says: notANumber},
	{number: "tel:+447700900601", says: notANumber},
	{number: "+447700900601,,#", says: notANumber},
	{number: "+447700900601,2", says: notANumber},
	{number: "07700900601p123", says: notANumber},
	{number: "07700900601w1", says: notANumber},
	{number: "*#07700900601", says: notANumber},
	{number: "+447700900601\r\nBcc: +447700900602", says: notANumber},
	{number: "+447700900601%0d%0aTo: +447700900602", says: notANumber},
	{number: "+447700900601\x00", says: notANumber},
	{number: "+447700900601,+447700900602", says: notANumber},
	{number: "+447700900601 +447700900602", says: notANumber},
	{number: "sip:+447700900601@evil.test", says: notANumber},
	{number: "<speak>+447700900601</speak>", says: notANumber},
	{number: "0770090O601", says: notANumber},
	{number: "++447700900601", says: notANumber},
	{number: "+4477009006011234567890123456789012345678", says: notANumber},
	{number: strings.Repeat("7", 40), says: notANumber},
	{number: strings.Repeat("0", 5000), says: notANumber},
	{number: "+0", says: notANumber},
	{number: "999", says: notANumber},
	{number: "112", says: notANumber},
	{number: "", says: noNumber},
	{number: "+44 7700 900601", channel: "pigeon", says: noChannel},
	{number: "020 7946 0601", says: noTexts},
	// Those that get one.
	{number: " (+44) 7700-900.602 ", reaches: "+447700900602"},
	{number: "０７７００９００６０３", reaches: "+447700900603"},
	{number: "+٤٤٧٧٠٠٩٠٠٦٠٤", reaches: "+447700900604"},
	{number: "0044 (0)7700 900605", reaches: "+447700900605"},
	{number: "\u202a+44 7700 900606\u202c", reaches: "+447700900606"},
	{number: "020 7946 0607", channel: "call", reaches: "+442079460607"},
	{number: "+1 202 555 0160", reaches: "+12025550160"},
}

// TestNumbersThatCostAreRefused: T62, T63, C4. Each number is typed into the
// real page; the vendor hears of those alone that get a code.
func TestNumbersThatCostAreRefused(t *testing.T) {
	t.Parallel()
	x := vendortest.NewTelnyx(t)
	g := startGateway(t, phones(telnyxBlock(x), noLimits), withApp(startApp(t)), withEnv("TELNYX_KEY", x.APIKey()))
	b := newClient(t, g, "localhost")
	page := b.Send(b.Password("/x", "ann", newAccount(t, g, "ann")), "/set-up", map[string]string{"method": "phone"})
	address, fields := page.Form("/set-up/phone")
	if fields == nil {
		t.Fatalf("%s %d %q", page.URL, page.Status, page.Heading())
	}
	want := map[string]bool{}
	for _, row := range typedNumbers {
		what := fmt.Sprintf("%.60q %s", row.number, row.channel)
		if row.channel == "" {
			row.channel = "text"
		}
		fields.Set("phone", row.number)
		fields.Set("channel", row.channel)
		if row.reaches != "" {
			time.Sleep(pause)
		}
		requests, before := x.Requests(), len(x.Sent())
		a := b.Post(address, fields)
		got := b.Follow(a)
		clearPage(t, what, got.Status, got.Body)
		if row.reaches == "" {
			if n := x.Requests() - requests; n != 0 || !strings.HasSuffix(got.URL.Path, "/set-up/phone") || !got.says(row.says) {
				t.Errorf("%s: the vendor was asked %d times; %s says %q, want %q", what, n, got.URL.Path, got.Text("phone-problem"), row.says)
			}
			if row.refused != "" {
				want[row.refused] = true
			}
			continue
		}
		sent := x.Sent()[before:]
		channel := map[string]string{"text": "text", "call": "call"}[row.channel]
		if len(sent) != 1 || sent[0].To != row.reaches || sent[0].Channel != channel {
			t.Errorf("%s: %+v", what, sent)
		}
	}
	g.Restart() // refusals are a row for each minute, or at the end
	out, err := g.Run("", "audit", "--limit", "1000", "--json")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, e := range eventsOf(t, out) {
		if e.Event == "number_refused" {
			got[e.Reason+" "+e.Country] = true
		}
	}
	for refused := range want {
		if !got[refused] {
			t.Errorf("the audit has no number_refused for %q", refused)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the audit has %d kinds of refusals, want %d: %v", len(got), len(want), got)
	}
	t.Logf("%d numbers, %d kinds of refusals", len(typedNumbers), len(got))
	noPanic(t, g)
}

// auditEvent is an event as `sallyport audit --json` tells it.
type auditEvent struct {
	Event, Account, Subject, Method, Country, Reason string
	Count                                            int
}

func eventsOf(t testing.TB, out string) []auditEvent {
	t.Helper()
	var list struct{ Events []auditEvent }
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("audit: %v: %.200s", err, out)
	}
	return list.Events
}

// figure is the value of one figure at the admin endpoint, 0 for none.
func figure(t testing.TB, g *gateway, name string) int {
	t.Helper()
	return figureIn(t, metrics(t, g), name)
}

// figureIn is figure of a text that was read before.
func figureIn(t testing.TB, text, name string) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\d+)$`).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestEachCapHasItsEventAndFigure: C4, R26. Each cap is run into by itself: one
// more request than it allows is refused, told in the audit under its own name,
// and counted under it. The breaker leaves the authenticator alone (T62).
func TestEachCapHasItsEventAndFigure(t *testing.T) {
	t.Parallel()
	x := vendortest.NewTelnyx(t)
	limits := "send_wait 200ms\n send_hour 3\n send_network 4 1h\n password_network 100000 10m"
	g := startGateway(t, strings.Replace(phones(telnyxBlock(x), limits), "countries GB US", "countries GB US\n daily_cap 11", 1),
		withApp(startApp(t)), withEnv("TELNYX_KEY", x.APIKey()))
	const wait = 220 * time.Millisecond
	tom := newAccount(t, g, "tom")
	key, _, _ := newClient(t, g, "localhost").Enrol("/x", "tom", tom)

	// refused asserts that what ask does is refused by one limit and sends
	// nothing.
	refused := func(limit, event string, ask func() *answer) {
		t.Helper()
		name, sum := `sallyport_send_refusals_total{limit="`+limit+`"}`, `sallyport_audit_events_total{event="`+event+`"}`
		before, events, requests := figure(t, g, name), figure(t, g, sum), x.Requests()
		a := ask()
		if limit == "send_wait" { // a click too many is told on the page itself
			if a.Status != http.StatusOK || !a.says("You can ask for a new code in") {
				t.Errorf("%s: %d %q", limit, a.Status, a.Heading())
			}
		} else if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" || !a.says("You have exceeded the maximum number of allowed requests.") {
			t.Errorf("%s: %d, Retry-After %q, %q", limit, a.Status, a.Header.Get("Retry-After"), a.Heading())
		}
		if n := x.Requests() - requests; n != 0 {
			t.Errorf("%s: the vendor was asked %d times", limit, n)
		}
		if figure(t, g, name) != before+1 || figure(t, g, sum) != events+1 {
			t.Errorf("%s: %s from %d to %d, %s from %d to %d", limit, name, before, figure(t, g, name), sum, events, figure(t, g, sum))
		}
	}
	asks := func(c *client, page *answer, k string) *answer {
		time.Sleep(wait)
		return c.Send(page, "/verify/"+k+"/send", nil)
	}
	enrols := func(name, number string, from clientOption) *answer {
		p := callee{t, g, x, name, newAccount(t, g, name), number, "/sallyport"}
		time.Sleep(wait)
		return p.submitNumber(newClient(t, g, "localhost", from), number, "text")
	}

	home := fromAddress("127.0.0.61")
	ann, _ := addCallee(t, g, x, "ann", "+447700900701", home)
	b, page := ann.half(home)
	if a := asks(b, page, "text"); !a.says("We've sent a text message") {
		t.Fatalf("a text: %d %q", a.Status, a.Heading())
	}
	refused("send_wait", "limit_hit", func() *answer { return b.Send(page, "/verify/text/send", nil) })
	if a := asks(b, page, "call"); !a.says("We're calling") {
		t.Fatalf("a call: %d %q", a.Status, a.Heading())
	}
	refused("send_account", "send_limit_account", func() *answer { return asks(b, page, "text") })
	for i := range 3 {
		if a := enrols(fmt.Sprintf("b%d", i), "+447700900702", fromAddress("127.0.0.62")); a.Heading() != "Confirm your phone number" {
			t.Fatalf("the number once more: %d %q", a.Status, a.Heading())
		}
	}
	refused("send_number", "send_limit_number", func() *answer { return enrols("b3", "+447700900702", fromAddress("127.0.0.62")) })
	for i := range 4 {
		if a := enrols(fmt.Sprintf("n%d", i), fmt.Sprintf("+44770090071%d", i), fromAddress("127.0.0.63")); a.Heading() != "Confirm your phone number" {
			t.Fatalf("the network once more: %d %q", a.Status, a.Heading())
		}
	}
	refused("send_network", "send_limit_network", func() *answer { return enrols("n4", "+447700900714", fromAddress("127.0.0.63")) })
	if a := enrols("d0", "+447700900720", fromAddress("127.0.0.64")); a.Heading() != "Confirm your phone number" {
		t.Fatalf("the last of the day: %d %q", a.Status, a.Heading())
	}
	refused("daily_cap", "send_daily_cap", func() *answer { return enrols("d1", "+447700900721", fromAddress("127.0.0.64")) })
	if other := b.Open("/sallyport/verify?flow=" + flowOf(page)); !other.says("Backup codes") {
		t.Errorf("no other way is offered: %s %d %q", other.URL, other.Status, textOf(other.document()))
	}
	a := b.Post("/sallyport/verify/text", url.Values{"flow": {flowOf(page)}, "code": {ann.code(ann.number)}})
	if end := b.Follow(a); !end.says("authenticator app", "Not now") { // after two codes
		t.Errorf("a code that was sent before is not right beyond the cap: %s %q", end.URL, end.Heading())
	}
	if end := newClient(t, g, "localhost").SignIn("/x", "tom", tom, key); end.Text("user") != "tom" {
		t.Errorf("the breaker stops the authenticator: %s %q", end.URL, end.Heading())
	}
	for name, want := range map[string]int{
		`sallyport_codes_sent_total{channel="text",country="GB",sender="telnyx"}`: 10,
		`sallyport_codes_sent_total{channel="call",country="GB",sender="telnyx"}`: 1,
		`sallyport_codes_entered_total{channel="text",country="GB"}`:              2, // to enrol, to sign in
	} {
		if got := figure(t, g, name); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	g.Restart()
	out, err := g.Run("", "audit", "--limit", "1000", "--json")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, e := range eventsOf(t, out) {
		found[e.Event+" "+e.Reason] += max(1, e.Count)
	}
	for _, event := range []string{
		"limit_hit send_wait", "send_limit_account send_account", "send_limit_number send_number",
		"send_limit_network send_network", "send_daily_cap daily_cap",
	} {
		if found[event] != 1 {
			t.Errorf("the audit has %q %d times, want once: %v", event, found[event], found)
		}
	}
	noPanic(t, g)
}
