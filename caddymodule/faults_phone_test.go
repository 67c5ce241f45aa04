package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

const (
	outboxJSON = `{"sender":"outbox"}`
	telnyxJSON = `{"sender":"telnyx","api_key":"{env.X}","from":"+15005550006"}`
)

// phoned is an app with these senders, as JSON has them, and every default.
func phoned(t *testing.T, change func(*App), senders ...string) (*App, Faults) {
	t.Helper()
	a := &App{Phone: &Phone{Countries: []string{"US"}}}
	for _, s := range senders {
		a.Phone.SendersRaw = append(a.Phone.SendersRaw, json.RawMessage(s))
	}
	change(a)
	faults := a.readSenders()
	a.setDefaults("/data")
	return a, append(faults, a.Faults()...)
}

func TestPhoneFaultsOfJSON(t *testing.T) {
	t.Parallel()
	minute := caddy.Duration(time.Minute)
	nothing := func(*App) {}
	for name, c := range map[string]struct {
		change  func(*App)
		senders []string
		want    string // none when empty
	}{
		"good":                    {nothing, []string{telnyxJSON, outboxJSON}, ""},
		"no sender":               {nothing, nil, "sallyport.phone: has nobody who sends"},
		"no countries":            {func(a *App) { a.Phone.Countries = nil }, []string{outboxJSON, telnyxJSON}, "sallyport.phone.countries: is missing, and `telnyx` reaches real phones"},
		"no countries, foreign":   {func(a *App) { a.Phone.Countries = nil }, []string{`{"sender":"example"}`}, "sallyport.phone.countries: is missing, and `example` reaches"},
		"no countries, outbox":    {func(a *App) { a.Phone.Countries = nil }, []string{outboxJSON}, ""},
		"country":                 {func(a *App) { a.Phone.Countries = []string{"UK"} }, []string{outboxJSON}, "sallyport.phone.countries: \"UK\" is not an ISO 3166 code; write GB"},
		"region":                  {func(a *App) { a.Phone.DefaultRegion = "CA" }, []string{outboxJSON}, "sallyport.phone.default_region: \"CA\" is not among `countries`"},
		"life":                    {func(a *App) { a.Phone.CodeLifetime = 11 * minute }, []string{outboxJSON}, "sallyport.phone.code_lifetime: 11m is longer than a code may work"},
		"negative life":           {func(a *App) { a.Phone.CodeLifetime = -1; a.Limits.SendWait = -2 }, []string{outboxJSON}, "sallyport.limits.send_wait: is not above zero"},
		"tries":                   {func(a *App) { a.Phone.CodeTries = 11 }, []string{outboxJSON}, "sallyport.phone.code_tries: 11 is not from 1 to 10"},
		"cap":                     {func(a *App) { a.Phone.DailyCap = -1 }, []string{outboxJSON}, "sallyport.phone.daily_cap: -1 is not from 1"},
		"wait":                    {func(a *App) { a.Limits.SendWait = 6 * minute; a.Phone.CodeLifetime = 5 * minute }, []string{outboxJSON}, "sallyport.limits.send_wait: 6m is longer than a code works (5m)"},
		"wait without phones":     {func(a *App) { a.Limits.SendWait = 20 * minute; a.Phone = nil }, nil, ""},
		"hour":                    {func(a *App) { a.Limits.SendHour = -1 }, []string{outboxJSON}, "sallyport.limits.send_hour: -1 is not from 1"},
		"network":                 {func(a *App) { a.Limits.SendNetwork.N = -1 }, []string{outboxJSON}, "sallyport.limits.send_network: -1 in 1h is no limit"},
		"key with a line break":   {nothing, []string{`{"sender":"telnyx","api_key":"KEY\n0187","from":"73737"}`}, "sallyport.phone.senders.0.api_key: holds a space"},
		"number":                  {nothing, []string{outboxJSON, `{"sender":"twilio","account_sid":"{env.X}","auth_token":"{env.X}","from":"5005550006"}`}, "sallyport.phone.senders.1.from: \"5005550006\" is not a number"},
		"call without public key": {nothing, []string{`{"sender":"telnyx","api_key":"{env.X}","from":"+15005550006","call_connection":"1"}`}, "sallyport.phone.senders.0.call_connection: needs Telnyx's public key"},
		"timeout":                 {nothing, []string{`{"sender":"webhook","url":"{env.X}","secret":"{env.X}","timeout":"11s"}`}, "sallyport.phone.senders.0.timeout: 11s is longer"},
		"negative timeout":        {nothing, []string{`{"sender":"webhook","url":"{env.X}","secret":"{env.X}","timeout":-1}`}, "sallyport.phone.senders.0.timeout: is not above zero"},
		"http":                    {nothing, []string{`{"sender":"telnyx_verify","api_key":"{env.X}","profile":"{env.X}","base_url":"http://10.0.0.1/v2"}`}, "sallyport.phone.senders.0.base_url: `http` is for loopback only; write https://10.0.0.1/v2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, faults := phoned(t, c.change, c.senders...)
			if c.want == "" && len(faults) > 0 {
				t.Error(faults)
			}
			if c.want != "" && (len(faults) == 0 || !strings.Contains(faults.Error(), c.want)) {
				t.Errorf("got %v, want %q", faults, c.want)
			}
		})
	}
}

func TestFromIsANumberOrAName(t *testing.T) {
	t.Parallel()
	for from, good := range map[string]bool{
		"+15005550006": true, "+447700900982": true, "73737": true, "Example": true, "Example Inc": true, "A1": true,
		"": false, "5005550006": false, "+1 500 555 0006": false, "0044770090": false, "12": false, "Example Inc.": false, "Exämple": false,
		"ExampleExample": false, "+": false, "+0": false, " ": false, "Example\n": false, "123456789": false,
	} {
		if got := checkFrom(from) == ""; got != good {
			t.Errorf("%q: %v", from, got)
		}
	}
}

// TestSettingsReachTheSteps: no number of the configuration is lost on its way.
func TestSettingsReachTheSteps(t *testing.T) {
	t.Parallel()
	a, faults := phoned(t, func(a *App) {
		a.Phone = &Phone{
			Countries: []string{"GB", "IE"}, DefaultRegion: "IE", CodeLifetime: caddy.Duration(7 * time.Minute), CodeTries: 3, DailyCap: 70,
			SendersRaw: []json.RawMessage{json.RawMessage(outboxJSON)},
		}
		a.Limits = Limits{
			SendWait: caddy.Duration(40 * time.Second), SendHour: 6, SendDay: 12, SendNetwork: Window{N: 31, Window: caddy.Duration(2 * time.Hour)},
		}
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	got := a.loginSettings()
	want := login.PhoneSettings{
		Rules: phone.Rules{Countries: []string{"GB", "IE"}, DefaultRegion: "IE"}, CodeLife: 7 * time.Minute, CodeTries: 3,
	}
	if diff := cmp.Diff(want, got.Phone); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	limits := login.DefaultLimits()
	limits.SendWait, limits.SendHour, limits.SendDay, limits.DailyCap = 40*time.Second, 6, 12, 70
	limits.SendNetwork = login.Limit{N: 31, Window: 2 * time.Hour}
	if diff := cmp.Diff(limits, got.Limits); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	none := defaulted(func(*App) {}).loginSettings()
	if diff := cmp.Diff(login.DefaultLimits(), none.Limits); diff != "" {
		t.Errorf("by default: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(login.DefaultPhone(), none.Phone); diff != "" {
		t.Errorf("by default: -want +got\n%s", diff)
	}
}

func TestLiteralSecretsOfSendersAreWarnedOf(t *testing.T) {
	t.Parallel()
	a, _ := phoned(t, func(*App) {}, telnyxJSON,
		`{"sender":"telnyx_verify","api_key":"KEY0187","profile":"p"}`,
		`{"sender":"twilio","account_sid":"AC1","auth_token":"token0187"}`,
		`{"sender":"webhook","url":"https://sms.example.com","secret":"secret0187"}`, outboxJSON)
	var paths []string
	for _, f := range a.literals() {
		paths = append(paths, f.Path)
		if strings.Contains(f.String(), "0187") {
			t.Errorf("the warning tells the secret: %s", f)
		}
	}
	want := []string{"phone.senders.1.api_key", "phone.senders.2.auth_token", "phone.senders.3.secret"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}
}

// TestPlaceholdersOfSendersAreResolved: in the module, and not in what the
// configuration keeps.
func TestPlaceholdersOfSendersAreResolved(t *testing.T) {
	t.Parallel()
	repl := caddy.NewEmptyReplacer()
	repl.Set("env.X", "KEY0187")
	repl.Set("env.EMPTY", "")
	repl.Set("env.COUNTRY", "US")
	a, _ := phoned(t, func(a *App) { a.Phone.Countries, a.Phone.DefaultRegion = []string{"{env.COUNTRY}"}, "{env.COUNTRY}" },
		telnyxJSON, `{"sender":"twilio","account_sid":"{env.MISSING}","auth_token":"{env.EMPTY}","from":"A1"}`)
	a.Source = map[string]string{"phone.senders.1": "Caddyfile:7", "phone.senders.1.auth_token": "Caddyfile:9"}
	var told []string
	for _, f := range a.resolve(repl) {
		told = append(told, f.Where+" "+f.Path)
	}
	want := []string{"Caddyfile:7 sallyport.phone.senders.1.account_sid", "Caddyfile:9 sallyport.phone.senders.1.auth_token"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	if key := a.senders[0].own.(*Telnyx).APIKey; key != "KEY0187" || a.Phone.Countries[0] != "US" || a.Phone.DefaultRegion != "US" {
		t.Errorf("%q %+v", key, a.Phone)
	}
	if text, err := json.Marshal(a); err != nil || strings.Contains(string(text), "KEY0187") {
		t.Errorf("the settings hold the key: %v\n%s", err, text)
	}
}

// TestSendersAreMadeOfTheirSettings: what each can do follows from what it was
// told.
func TestSendersAreMadeOfTheirSettings(t *testing.T) {
	t.Parallel()
	const key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	const uuid = `"4900017a-e7a4-4bd5-8e0e-f2f4e0c4ad4e"`
	for settings, want := range map[string]string{
		telnyxJSON: "text, notice by text",
		telnyxJSON[:len(telnyxJSON)-1] + `,"verify_profile":` + uuid + `}`:                                  "text, notice by text, call",
		telnyxJSON[:len(telnyxJSON)-1] + `,"call_connection":"1","public_key":"` + key + `"}`:               "text, notice by text, call, notice by call",
		`{"sender":"telnyx_verify","api_key":"{env.X}","profile":` + uuid + `}`:                             "text, call, checks",
		`{"sender":"twilio","account_sid":"{env.X}","auth_token":"{env.X}","from":"Example"}`:               "text, notice by text",
		`{"sender":"twilio","account_sid":"{env.X}","auth_token":"{env.X}","from":"+15005550006"}`:          "text, notice by text, call, notice by call",
		`{"sender":"webhook","url":"https://sms.example.com","secret":"` + secret.Token(24).Reveal() + `"}`: "text, notice by text, call, notice by call",
		outboxJSON: "text, notice by text, call, notice by call",
	} {
		a, faults := phoned(t, func(*App) {}, settings)
		if len(faults) > 0 {
			t.Errorf("%s: %v", settings, faults)
			continue
		}
		a.engine = new(engine)
		s := a.openSenders(nil)[0].Sender
		var can []string
		for _, c := range []SenderChannel{SenderText, SenderCall} {
			if s.Can(c, false) {
				can = append(can, string(c))
			}
			if s.Can(c, true) {
				can = append(can, "notice by "+string(c))
			}
		}
		if _, ok := s.(SenderChecker); ok {
			can = append(can, "checks")
		}
		if got := strings.Join(can, ", "); got != want {
			t.Errorf("%s can: %s", settings, got)
		}
	}
}
