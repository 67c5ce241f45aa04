package notify

import (
	"strings"
	"testing"
)

func TestVendorsCodesHaveReasons(t *testing.T) {
	t.Parallel()
	at := func(code, pointer string) []telnyxError {
		e := telnyxError{Code: code, Title: "Words"}
		e.Source.Pointer = pointer
		return []telnyxError{e}
	}
	for name, c := range map[string]struct {
		got   *Failure
		want  Reason
		maybe bool
	}{
		"telnyx: 'to' invalid":                 {telnyxFailure(400, at("10002", "/to")), BadNumber, false},
		"telnyx: number invalid":               {telnyxFailure(400, at("10002", "")), BadNumber, false},
		"telnyx: 'from' invalid":               {telnyxFailure(400, at("10002", "/from")), Credentials, false},
		"telnyx: connection invalid":           {telnyxFailure(422, at("10015", "/connection_id")), Credentials, false},
		"telnyx: bad request for the number":   {telnyxFailure(422, at("10015", "/phone_number")), BadNumber, false},
		"telnyx: bad request":                  {telnyxFailure(422, at("10015", "")), Rejected, false},
		"telnyx: country not allowed":          {telnyxFailure(400, at("40309", "/to")), Blocked, false},
		"telnyx: STOP":                         {telnyxFailure(400, at("40300", "")), Blocked, false},
		"telnyx: no funds":                     {telnyxFailure(403, at("20100", "")), NoFunds, false},
		"telnyx: profile disabled":             {telnyxFailure(409, at("40312", "")), Credentials, false},
		"telnyx: forbidden, code unknown":      {telnyxFailure(403, at("99999", "")), Credentials, false},
		"telnyx: limited, whatever the code":   {telnyxFailure(429, at("40310", "/to")), Limited, false},
		"telnyx: limited by its code":          {telnyxFailure(400, at("10011", "")), Limited, false},
		"telnyx: broken, whatever the code":    {telnyxFailure(500, at("40310", "/to")), Broken, true},
		"telnyx: no reasons":                   {telnyxFailure(422, nil), Rejected, false},
		"telnyx: broken, no reasons":           {telnyxFailure(503, nil), Broken, true},
		"telnyx: payment required, no reasons": {telnyxFailure(402, nil), NoFunds, false},
		"twilio: 'To' invalid":                 {twilioFailure(400, 21211, "x"), BadNumber, false},
		"twilio: a landline":                   {twilioFailure(400, 21635, ""), BadNumber, false},
		"twilio: country not allowed, texts":   {twilioFailure(400, 21408, ""), Blocked, false},
		"twilio: country not allowed, calls":   {twilioFailure(400, 21215, ""), Blocked, false},
		"twilio: STOP":                         {twilioFailure(400, 21610, ""), Blocked, false},
		"twilio: account not active":           {twilioFailure(401, 20005, ""), NoFunds, false},
		"twilio: wrong token":                  {twilioFailure(401, 20003, "Authenticate"), Credentials, false},
		"twilio: 'From' cannot send":           {twilioFailure(400, 21606, ""), Credentials, false},
		"twilio: too many calls":               {twilioFailure(400, 10004, ""), Limited, false},
		"twilio: unknown":                      {twilioFailure(400, 99999, ""), Rejected, false},
		"twilio: not found, no code":           {twilioFailure(404, 0, ""), Rejected, false},
		"twilio: broken, whatever the code":    {twilioFailure(503, 21211, ""), Broken, true},
		"twilio: made and failed":              {twilioFailure(201, 0, "failed"), Rejected, false},
	} {
		if c.got.Reason != c.want || c.got.Maybe != c.maybe {
			t.Errorf("%s: %v, maybe %t; want %s, %t", name, c.got, c.got.Maybe, c.want, c.maybe)
		}
	}
}

func TestOwnWordsHoldNoNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ code, title, want string }{
		{"40309", "Invalid destination region", "40309 Invalid destination region"},
		{"20003", "Authenticate", "20003 Authenticate"},
		{"", "failed", "failed"},
		{"21211", "The 'To' number +447700900982 is not a valid phone number.", "21211"},
		{"447700900982", "Invalid", "Invalid"},
		{"2A", "Invalid", "Invalid"},
		{"10009", "Bearer KEY0123", "10009"},
		{"10009", "a\nb", "10009"},
		{"10009", "https://example.com/x", "10009"},
		{"10009", strings.Repeat("a", 81), "10009"},
	} {
		if got := ownWords(c.code, c.title); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.code, c.title, got, c.want)
		}
	}
}

func TestSpeech(t *testing.T) {
	t.Parallel()
	const words = "Say <b> & \"c\".\n\n  1, 2.  \r\n"
	if got, want := ssml(words), `<speak>Say &lt;b&gt; &amp; &#34;c&#34;.<break time="1s"/>1, 2.<break time="1s"/></speak>`; got != want {
		t.Errorf("ssml %s, want %s", got, want)
	}
	if got, want := twiml("a\nb", "en-GB"), `<Response><Say language="en-GB">a</Say><Pause length="1"/><Say language="en-GB">b</Say><Pause length="1"/></Response>`; got != want {
		t.Errorf("twiml %s, want %s", got, want)
	}
	for tag, want := range map[string]string{
		"en": "en-US", "EN-gb": "en-GB", "de-AT": "de-DE", "pt-BR": "pt-BR", "tlh": "en-US", "": "en-US",
	} {
		if _, got := voiceFor(tag); got != want {
			t.Errorf("%q is read out in %s, want %s", tag, got, want)
		}
	}
}
