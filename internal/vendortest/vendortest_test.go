package vendortest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

// TestOpenAPIIsUsedWhereItIs: whoever has the vendors' descriptions proves
// against them, and whoever has not is told so.
func TestOpenAPIIsUsedWhereItIs(t *testing.T) {
	t.Parallel()
	_, err := os.Stat(Folder())
	there := err == nil
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if !there {
		t.Logf("%s is not there: the fakes check by themselves only", Folder())
	}
	for name, uses := range map[string]bool{"Telnyx": NewTelnyx(t).UsesOpenAPI(), "Twilio": NewTwilio(t).UsesOpenAPI()} {
		if uses != there {
			t.Errorf("%s uses its description: %t; there is one: %t", name, uses, there)
		}
	}
}

// A listener is a test that hears of faults instead of failing.
type listener struct {
	testing.TB
	mu     sync.Mutex
	faults []string
}

func (l *listener) Errorf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

func (l *listener) heard() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.faults, "\n")
}

func post(t *testing.T, address, contentType, authorization, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestTelnyxRefusesWhatIsMalformed(t *testing.T) {
	t.Parallel()
	const number = `"+447700900982"`
	l := &listener{TB: t}
	x := NewTelnyx(l)
	profile := `"` + x.VerifyProfile() + `"`
	dial := func(more string) string {
		return `{"connection_id":"` + x.CallConnection() + `","to":` + number + `,"from":"+15005550006",` +
			`"webhook_url":"https://login.example.com/hooks/telnyx","command_id":"a",` + more + `}`
	}
	cases := []struct{ path, body, want string }{
		{"/messages", `{"from":"+15005550006","text":"x"}`, "to is missing"},
		{"/messages", `{"from":"+15005550006","to":"07700 900982","text":"x"}`, "to is not"},
		{"/messages", `{"from":"+15005550006","to":[` + number + `],"text":"x"}`, "to is no string"},
		{"/messages", `{"from":"+15005550006","to":` + number + `,"text":""}`, "text has 0 characters"},
		{"/messages", `{"from":"+15005550006","to":` + number + `,"text":"x","message":"x"}`, "message is not a field"},
		{"/messages", `{"to":` + number + `,"text":"x"}`, "neither from nor"},
		{"/messages", `{"messaging_profile_id":"7","to":` + number + `,"text":"x"}`, "messaging_profile_id is not"},
		{"/messages", `to=1`, "no JSON object"},
		{"/messages", `{"from":"+15005550006","to":` + number + `,"text":"x"} {}`, "more after"},
		{"/messages?x=1", `{}`, "no such path"},
		{"/verifications/flashcall", `{}`, "no such path"},
		{"/verifications/sms", `{"phone_number":` + number + `,"verify_profile_id":"x"}`, "verify_profile_id is not"},
		{"/verifications/sms", `{"phone_number":` + number + `,"verify_profile_id":` + profile + `,"custom_code":"12a4"}`, "custom_code is not"},
		{"/verifications/call", `{"phone_number":` + number + `,"verify_profile_id":` + profile + `,"timeout_secs":"300"}`, "timeout_secs is no whole number"},
		{"/verifications/by_phone_number/447700900982/actions/verify", `{"code":"123456","verify_profile_id":` + profile + `}`, "path is not E.164"},
		{"/calls", dial(`"client_state":"%%","timeout_secs":30,"time_limit_secs":60`), "client_state is no base64"},
		{"/calls", dial(`"client_state":"YQ==","timeout_secs":3,"time_limit_secs":60`), "timeout_secs is 3"},
		{"/calls", dial(`"client_state":"YQ==","timeout_secs":30,"time_limit_secs":5`), "time_limit_secs is 5"},
		{"/calls/v3:a/actions/speak", `{"payload":"<speak>hello","payload_type":"ssml","voice":"AWS.Polly.Amy","language":"en-GB","command_id":"a"}`, "no XML"},
		{"/calls/v3:a/actions/speak", `{"payload":"<speak><audio/>x</speak>","payload_type":"ssml","voice":"AWS.Polly.Amy","language":"en-GB","command_id":"a"}`, "element audio"},
		{"/calls/v3:a/actions/speak", `{"payload":"` + strings.Repeat("x", 3001) + `","payload_type":"text","voice":"AWS.Polly.Amy","language":"en-GB","command_id":"a"}`, "3001 characters"},
	}
	for _, c := range cases {
		status, text := post(t, x.URL()+c.path, "application/json", "Bearer "+x.APIKey(), c.body)
		if heard := l.heard(); status != http.StatusBadRequest || !strings.Contains(text, `"errors"`) || !strings.Contains(heard, c.want) {
			t.Errorf("%s %s: %d %s, heard %q, want %q", c.path, c.body, status, text, heard, c.want)
		}
		l.mu.Lock()
		l.faults = nil
		l.mu.Unlock()
	}
	right := `{"from":"+15005550006","to":` + number + `,"text":"x"}`
	for _, c := range []struct {
		contentType, authorization, want string
		status                           int
	}{
		{"text/plain", "Bearer " + x.APIKey(), "content type", 400},
		{"application/json", "", "no Authorization", 400},
		{"application/json", "Bearer other", "", 401},
		{"application/json", "Bearer " + x.APIKey(), "", 200},
	} {
		status, _ := post(t, x.URL()+"/messages", c.contentType, c.authorization, right)
		if heard := l.heard(); status != c.status || !strings.Contains(heard, c.want) || c.want == "" && heard != "" {
			t.Errorf("%+v: %d, heard %q", c, status, heard)
		}
		l.mu.Lock()
		l.faults = nil
		l.mu.Unlock()
	}
	if sent := x.Sent(); len(sent) != 1 {
		t.Errorf("sent %+v, want the one right message", sent)
	}
}

func TestTwilioRefusesWhatIsMalformed(t *testing.T) {
	t.Parallel()
	l := &listener{TB: t}
	w := NewTwilio(l)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(w.AccountSID()+":"+w.AuthToken()))
	account := w.URL() + "/2010-04-01/Accounts/" + w.AccountSID()
	text := func(more ...string) string {
		form := url.Values{"To": {"+447700900982"}, "From": {w.Number()}, "Body": {"x"}}
		for i := 0; i < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return form.Encode()
	}
	call := func(markup, timeout string) string {
		return url.Values{"To": {"+447700900982"}, "From": {w.Number()}, "Twiml": {markup}, "Timeout": {timeout}, "TimeLimit": {"60"}}.Encode()
	}
	for _, c := range []struct{ address, body, want string }{
		{account + "/Messages.json", text("To", "447700900982"), "To is not"},
		{account + "/Messages.json", text("Body", ""), "Body has 0"},
		{account + "/Messages.json", text("Body", strings.Repeat("x", 1601)), "Body has 1601"},
		{account + "/Messages.json", text("ValidityPeriod", "36001"), "ValidityPeriod is 36001"},
		{account + "/Messages.json", text("ValidityPeriod", "ten"), "no whole number"},
		{account + "/Messages.json", text("MessagingServiceSid", w.MessagingService()), "one of From"},
		{account + "/Messages.json", text("Text", "x"), "Text is not a field"},
		{account + "/Messages.json", text() + "&To=%2B447700900983", "To occurs 2 times"},
		{account + "/Messages.json", `{"To":"+447700900982"}`, "To is missing"},
		{account + "/Messages", text(), "no such path"},
		{account + "/Calls.json", call("<Response><Say>x</Response>", "30"), "no XML"},
		{account + "/Calls.json", call("<Response><Dial>x</Dial></Response>", "30"), "element Dial"},
		{account + "/Calls.json", call("<Response/>", "30"), "says nothing"},
		{account + "/Calls.json", call("<Response><Say>"+strings.Repeat("x", 4000)+"</Say></Response>", "30"), "Twiml has 4"},
		{account + "/Calls.json", call("<Response><Say>x</Say></Response>", "601"), "Timeout is 601"},
	} {
		status, answer := post(t, c.address, "application/x-www-form-urlencoded", basic, c.body)
		if heard := l.heard(); status != http.StatusBadRequest || !strings.Contains(answer, `"code"`) || !strings.Contains(heard, c.want) {
			t.Errorf("%s: %d %s, heard %q, want %q", c.body, status, answer, heard, c.want)
		}
		l.mu.Lock()
		l.faults = nil
		l.mu.Unlock()
	}
	if status, _ := post(t, account+"/Messages.json", "application/x-www-form-urlencoded", "Basic eDp5", text()); status != http.StatusUnauthorized {
		t.Errorf("wrong token: %d", status)
	}
	if status, _ := post(t, account+"/Messages.json", "application/x-www-form-urlencoded", basic, text()); status != http.StatusCreated || len(w.Sent()) != 1 {
		t.Errorf("right message: %d, sent %v, heard %q", status, w.Sent(), l.heard())
	}
}

// The vendors' descriptions are stricter in places and looser in others; this
// is refused by them alone.
func TestDescriptionIsAsked(t *testing.T) {
	t.Parallel()
	x := NewTelnyx(t)
	if !x.UsesOpenAPI() {
		return // TestOpenAPIIsUsedWhereItIs says so
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, x.URL()+"/messages", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer x")
	op := operation{path: "/messages"}
	for body, want := range map[string]bool{
		`{"to":"+447700900982","text":"x"}`:                   true,
		`{"to":"+447700900982","text":"x","encoding":"gsm9"}`: false,
		`{"text":"x"}`:         false,
		`{"to":7,"text":"x"}`:  false,
		`{"to":"x","text":[]}`: false,
	} {
		if got := x.document().checkRequest(r, op, []byte(body)); (len(got) == 0) != want {
			t.Errorf("%s: %q", body, got)
		}
	}
	for body, want := range map[string]bool{
		`{"data":{"id":"x","to":[{"status":"queued"}]}}`:  true,
		`{"data":{"id":"x","to":[{"status":"shipped"}]}}`: false,
		`{"data":{"id":7}}`: false,
	} {
		if got := x.document().checkAnswer(r, op, reply{status: 200}, []byte(body)); (len(got) == 0) != want {
			t.Errorf("%s: %q", body, got)
		}
	}
}

func TestCodeIn(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"Sallyport: 246810 is your code.\n@login.example.com #246810": "246810",
		"Your code is\n2, 4, 6, 8, 1, 0\n2, 4, 6, 8, 1, 0":            "246810",
		"2. 4. 6. 8. 1. 0.":                            "246810",
		"Your number was changed to one ending in 34.": "",
		"Call +447700900982":                           "",
	} {
		if got := codeIn(words); got != want {
			t.Errorf("code in %q: %q, want %q", words, got, want)
		}
	}
}
