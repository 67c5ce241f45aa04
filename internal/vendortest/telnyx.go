package vendortest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"
)

// Telnyx plays Telnyx's messages, Verify and Call Control, calls back included.
type Telnyx struct {
	fake
	key                                   string
	messaging, verifyProfile, connections string
	private                               ed25519.PrivateKey
	calling                               sync.WaitGroup

	state         sync.Mutex // for what follows
	now           func() time.Time
	verifications map[string]*verification // by number
	calls         []*Call
	plan          []Event
	client        *http.Client
	delivered     []Delivery
}

// A verification is one code that was sent and may be checked.
type verification struct {
	code  string
	until time.Time
	spent bool
}

// NewTelnyx starts a server that ends with the test.
func NewTelnyx(t testing.TB) *Telnyx {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := &Telnyx{
		key: "KEY" + randomHex(16) + "_" + randomHex(11), private: private,
		messaging: randomUUID(), verifyProfile: randomUUID(), connections: "1494404757140276705",
		now: time.Now, verifications: map[string]*verification{}, plan: Answered, client: http.DefaultClient,
	}
	// Cleanups run last first: the server stops before those who call back.
	t.Cleanup(x.calling.Wait)
	x.start(t, x)
	return x
}

// URL is the base address.
func (x *Telnyx) URL() string { return x.server.URL + "/v2" }

// APIKey is the only key.
func (x *Telnyx) APIKey() string { return x.key }

// Number is the only number.
func (x *Telnyx) Number() string { return "+15005550006" }

// MessagingProfile is the id of the only messaging profile.
func (x *Telnyx) MessagingProfile() string { return x.messaging }

// VerifyProfile is the id of the only Verify profile.
func (x *Telnyx) VerifyProfile() string { return x.verifyProfile }

// CallConnection is the id of the only Call Control application.
func (x *Telnyx) CallConnection() string { return x.connections }

// PublicKey checks what Telnyx calls back with.
func (x *Telnyx) PublicKey() ed25519.PublicKey { return x.private.Public().(ed25519.PublicKey) }

// SetNow changes the clock by which codes die and calls back are signed.
func (x *Telnyx) SetNow(now func() time.Time) {
	x.state.Lock()
	defer x.state.Unlock()
	x.now = now
}

func (x *Telnyx) clock() time.Time {
	x.state.Lock()
	defer x.state.Unlock()
	return x.now()
}

var telnyxDocument = load("telnyx.json")

func (x *Telnyx) document() *document {
	d, err := telnyxDocument()
	if err != nil {
		x.t.Errorf("vendortest: %v", err)
	}
	return d
}

var (
	verifyPath = regexp.MustCompile(`^/v2/verifications/by_phone_number/([^/]+)/actions/verify$`)
	speakPath  = regexp.MustCompile(`^/v2/calls/([^/]+)/actions/speak$`)
)

func (x *Telnyx) read(r *http.Request, body []byte) operation {
	var (
		op  = operation{}
		in  = jsonFields(body)
		say func(*operation, *fields)
	)
	switch path := r.URL.Path; {
	case r.URL.RawQuery != "":
	case path == "/v2/messages":
		op.path, say = "/messages", x.message
	case path == "/v2/verifications/sms":
		op.path, say = "/verifications/sms", x.verification("text")
	case path == "/v2/verifications/call":
		op.path, say = "/verifications/call", x.verification("call")
	case verifyPath.MatchString(path):
		op.path, say = "/verifications/by_phone_number/{phone_number}/actions/verify", x.check
		op.params = map[string]string{"phone_number": verifyPath.FindStringSubmatch(path)[1]}
	case path == "/v2/calls":
		op.path, say = "/calls", x.dial
	case speakPath.MatchString(path):
		op.path, say = "/calls/{call_control_id}/actions/speak", x.speak
		op.params = map[string]string{"call_control_id": speakPath.FindStringSubmatch(path)[1]}
	}
	if say == nil {
		return operation{faults: []string{"no such path"}}
	}
	if r.Method != http.MethodPost {
		in.fault("method %s", r.Method)
	}
	if got := r.Header.Get("Content-Type"); got != "application/json" {
		in.fault("content type %s", got)
	}
	switch got := r.Header.Get("Authorization"); {
	case got == "":
		in.fault("no Authorization")
	case got != "Bearer "+x.key:
		op.refuse = unauthorized
	}
	say(&op, in)
	op.faults = in.done()
	return op
}

// otherwise refuses what names something that is not this account's.
func (op *operation) otherwise(right bool, why reason) {
	if op.refuse == "" && !right {
		op.refuse = why
	}
}

func (x *Telnyx) message(op *operation, in *fields) {
	to, text := in.text("to", e164), in.length("text", 1600)
	from, profile := in.optional("from", sender), in.optional("messaging_profile_id", uuid)
	if from == "" && profile == "" {
		in.fault("neither from nor messaging_profile_id")
	}
	op.otherwise((from == "" || from == x.Number()) && (profile == "" || profile == x.messaging), unknown)
	op.perform = func(failed bool) reply {
		status, errors := "queued", []any{}
		if failed {
			status, errors = "sending_failed", []any{map[string]any{"code": "40002", "title": "Blocked as spam - temporary"}}
		} else {
			x.record(Sent{To: to, Channel: "text", Words: text})
		}
		return ok(map[string]any{
			"id": randomUUID(), "record_type": "message", "direction": "outbound", "type": "SMS",
			"from": map[string]any{"phone_number": from, "carrier": "Telnyx", "line_type": "Wireless"},
			"to":   []any{map[string]any{"phone_number": to, "status": status, "carrier": "", "line_type": ""}},
			"text": text, "errors": errors, "encoding": "GSM-7", "parts": 1, "cost": nil, "sent_at": nil,
		})
	}
}

// verification starts one; without a custom code it makes one.
func (x *Telnyx) verification(channel string) func(*operation, *fields) {
	return func(op *operation, in *fields) {
		to, profile, code := in.text("phone_number", e164), in.text("verify_profile_id", uuid), in.optional("custom_code", digits)
		life := in.number("timeout_secs", 1, 600, false)
		op.otherwise(profile == x.verifyProfile, unknown)
		op.perform = func(failed bool) reply {
			status, custom := "pending", nullable(code)
			if failed {
				status = "error"
			} else {
				v := &verification{code: code, until: x.clock().Add(5 * time.Minute)}
				if life > 0 {
					v.until = x.clock().Add(time.Duration(life) * time.Second)
				}
				if code == "" {
					v.code = sixDigits()
				}
				x.state.Lock()
				x.verifications[to] = v
				x.state.Unlock()
				x.record(Sent{To: to, Channel: channel, Code: v.code})
			}
			kind := map[string]string{"text": "sms", "call": "call"}[channel]
			return ok(map[string]any{
				"id": randomUUID(), "type": kind, "record_type": "verification", "phone_number": to,
				"verify_profile_id": profile, "custom_code": custom, "timeout_secs": max(life, 1), "status": status,
				"created_at": x.clock().UTC().Format(time.RFC3339), "updated_at": x.clock().UTC().Format(time.RFC3339),
			})
		}
	}
}

// check accepts the last code that was sent to a number: once, in its time.
func (x *Telnyx) check(op *operation, in *fields) {
	code, profile, to := in.text("code", digits), in.text("verify_profile_id", uuid), op.params["phone_number"]
	if !e164.MatchString(to) {
		in.fault("the number in the path is not E.164")
	}
	op.otherwise(profile == x.verifyProfile, unknown)
	op.perform = func(bool) reply {
		now, result := x.clock(), "rejected"
		x.state.Lock()
		defer x.state.Unlock()
		if v := x.verifications[to]; v != nil && !v.spent && v.code == code && now.Before(v.until) {
			v.spent, result = true, "accepted"
		}
		return ok(map[string]any{"phone_number": to, "response_code": result})
	}
}

func ok(data map[string]any) reply {
	return reply{status: http.StatusOK, body: map[string]any{"data": data}}
}

// refusal answers with the codes of Telnyx's lists of errors. The detail holds
// a number, as Telnyx's may.
func (x *Telnyx) refusal(why reason) reply {
	refusals := map[reason]struct {
		status               int
		code, title, pointer string
	}{
		malformed:     {http.StatusBadRequest, "10015", "Bad Request", ""},
		invalidNumber: {http.StatusBadRequest, "40310", "Invalid 'to' address", "/to"},
		blocked:       {http.StatusBadRequest, "40309", "Invalid destination region", "/to"},
		noFunds:       {http.StatusForbidden, "20100", "Insufficient Funds", ""},
		limited:       {http.StatusTooManyRequests, "10011", "Too many requests", ""},
		unauthorized:  {http.StatusUnauthorized, "10009", "Authentication failed", ""},
		serverError:   {http.StatusInternalServerError, "10007", "Unexpected error", ""},
		unknown:       {http.StatusUnprocessableEntity, "10015", "Bad Request", "/from"},
		notAnswered:   {http.StatusUnprocessableEntity, "90034", "Call not answered yet", ""},
		ended:         {http.StatusUnprocessableEntity, "90018", "Call has already ended", ""},
	}
	no := refusals[why]
	e := map[string]any{"code": no.code, "title": no.title, "detail": "Refused for " + Quoted + "."}
	if no.pointer != "" {
		e["source"] = map[string]any{"pointer": no.pointer}
	}
	return reply{status: no.status, body: map[string]any{"errors": []any{e}}}
}

func randomUUID() string {
	h := randomHex(16)
	return fmt.Sprintf("%s-%s-4%s-8%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:])
}

func sixDigits() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b)
	var n uint64
	_, _ = fmt.Sscanf(hex.EncodeToString(b), "%x", &n)
	return fmt.Sprintf("%06d", n%1_000_000)
}
