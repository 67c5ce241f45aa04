package vendortest

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// Twilio plays Twilio's messages and calls.
type Twilio struct {
	fake
	account, token, service string
}

// NewTwilio starts a server that ends with the test.
func NewTwilio(t testing.TB) *Twilio {
	t.Helper()
	w := &Twilio{account: "AC" + randomHex(16), token: randomHex(16), service: "MG" + randomHex(16)}
	w.start(t, w)
	return w
}

// URL is the base address.
func (w *Twilio) URL() string { return w.server.URL }

// AccountSID names the only account that there is.
func (w *Twilio) AccountSID() string { return w.account }

// AuthToken is the account's secret.
func (w *Twilio) AuthToken() string { return w.token }

// MessagingService is the account's only messaging service.
func (w *Twilio) MessagingService() string { return w.service }

// Number is the account's only number.
func (w *Twilio) Number() string { return "+15005550006" }

var twilioDocument = load("twilio-api.json")

func (w *Twilio) document() *document {
	d, err := twilioDocument()
	if err != nil {
		w.t.Errorf("vendortest: %v", err)
	}
	return d
}

var (
	twilioPath = regexp.MustCompile(`^/2010-04-01/Accounts/(AC[0-9a-fA-F]{32})/(Messages|Calls)\.json$`)
	serviceSID = regexp.MustCompile(`^MG[0-9a-fA-F]{32}$`)
)

func (w *Twilio) read(r *http.Request, body []byte) operation {
	m := twilioPath.FindStringSubmatch(r.URL.Path)
	if m == nil || r.URL.RawQuery != "" {
		return operation{faults: []string{"no such path"}}
	}
	op := operation{
		path:   "/2010-04-01/Accounts/{AccountSid}/" + m[2] + ".json",
		params: map[string]string{"AccountSid": m[1]},
	}
	if r.Method != http.MethodPost {
		op.faults = append(op.faults, "method "+r.Method)
	}
	if got := r.Header.Get("Content-Type"); got != "application/x-www-form-urlencoded" {
		op.faults = append(op.faults, "content type "+got)
	}
	user, password, basic := r.BasicAuth()
	switch {
	case !basic:
		op.faults = append(op.faults, "no Basic authorization")
	case user != w.account || m[1] != w.account || subtle.ConstantTimeCompare([]byte(password), []byte(w.token)) != 1:
		op.refuse = unauthorized
	}
	form := formFields(body)
	if m[2] == "Messages" {
		w.message(&op, form)
	} else {
		w.call(&op, form)
	}
	op.faults = append(op.faults, form.done()...)
	return op
}

func (w *Twilio) message(op *operation, form *fields) {
	to, text := form.text("To", e164), form.length("Body", 1600)
	from, service := form.optional("From", sender), form.optional("MessagingServiceSid", serviceSID)
	form.number("ValidityPeriod", 1, 36000, false)
	if (from == "") == (service == "") {
		form.fault("one of From and MessagingServiceSid")
	}
	if op.refuse == "" && from != w.Number() && service != w.service {
		op.refuse = unknown
	}
	op.perform = func(failed bool) reply {
		status, code := "queued", any(nil)
		if failed {
			status, code = "failed", 30007
		} else {
			w.record(Sent{To: to, Channel: "text", Words: text})
		}
		return reply{status: http.StatusCreated, body: map[string]any{
			"sid": "SM" + randomHex(16), "account_sid": w.account, "api_version": "2010-04-01",
			"to": to, "from": nullable(from), "messaging_service_sid": nullable(service), "body": text,
			"direction": "outbound-api", "status": status, "error_code": code, "error_message": nil,
			"num_media": "0", "num_segments": "1", "price": nil, "price_unit": nil,
			"date_created": time.Now().UTC().Format(time.RFC1123Z), "date_sent": nil,
			"date_updated": time.Now().UTC().Format(time.RFC1123Z),
		}}
	}
}

func (w *Twilio) call(op *operation, form *fields) {
	to, from, markup := form.text("To", e164), form.text("From", e164), form.length("Twiml", 4000)
	form.number("Timeout", 5, 600, true)
	form.number("TimeLimit", 1, 14400, true)
	words := form.readOut(markup, "Response", "Say", "Pause")
	if words == "" {
		form.fault("Twiml says nothing")
	}
	if op.refuse == "" && from != w.Number() {
		op.refuse = unknown
	}
	op.perform = func(failed bool) reply {
		status := "queued"
		if failed {
			status = "failed"
		} else {
			w.record(Sent{To: to, Channel: "call", Words: words})
		}
		return reply{status: http.StatusCreated, body: map[string]any{
			"sid": "CA" + randomHex(16), "account_sid": w.account, "api_version": "2010-04-01",
			"to": to, "from": from, "status": status, "direction": "outbound-api",
			"date_created": nil, "start_time": nil, "end_time": nil, "duration": nil, "price": nil,
		}}
	}
}

// refusal answers with the codes of Twilio's error dictionary. The message
// holds a number where Twilio's does.
func (w *Twilio) refusal(why reason) reply {
	refusals := map[reason]struct {
		status, code int
		message      string
	}{
		malformed:     {http.StatusBadRequest, 21604, "A parameter is missing or wrong"},
		invalidNumber: {http.StatusBadRequest, 21211, "The 'To' number " + Quoted + " is not a valid phone number."},
		blocked:       {http.StatusBadRequest, 21408, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: " + Quoted + "."},
		noFunds:       {http.StatusForbidden, 20005, "Account not active"},
		limited:       {http.StatusTooManyRequests, 20429, "Too Many Requests"},
		unauthorized:  {http.StatusUnauthorized, 20003, "Authenticate"},
		serverError:   {http.StatusInternalServerError, 20500, "Internal Server Error"},
		unknown:       {http.StatusBadRequest, 21606, "The 'From' phone number provided is not a valid message-capable Twilio phone number for this destination."},
	}
	no := refusals[why]
	return reply{status: no.status, body: map[string]any{
		"code": no.code, "message": no.message, "status": no.status,
		"more_info": "https://www.twilio.com/docs/errors/" + strconv.Itoa(no.code),
	}}
}

// Quoted stands in refusals where vendors repeat the number: whoever passes
// their words on gives it away.
const Quoted = "+15558675309"

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
