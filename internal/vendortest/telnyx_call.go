package vendortest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// A Call is one that was dialled by Call Control.
type Call struct {
	ID, To, From, State, Hook string

	mu              sync.Mutex
	answered, ended bool
	commands        map[string]bool
}

// An Event is a call back that Telnyx makes during a call.
type Event struct {
	// Type is such as call.answered.
	Type string
	// Twice makes it arrive two times, at once.
	Twice bool
	// Forgery spoils it.
	Forgery Forgery
}

// Forgery is what is wrong with a call back.
type Forgery int

// The forgeries.
const (
	Honest         Forgery = iota
	WrongSignature         // the signature of other bytes
	ForeignKey             // signed by somebody else
	OldTimestamp           // signed 6 minutes ago
	EarlyTimestamp         // signed 6 minutes from now
	NoSignature
	NotBase64
)

// Answered is how a call goes that is answered at once and heard to its end.
var Answered = []Event{{Type: "call.initiated"}, {Type: "call.answered"}, {Type: "call.speak.ended"}, {Type: "call.hangup"}}

// NotAnswered is how a call goes that nobody answers.
var NotAnswered = []Event{{Type: "call.initiated"}, {Type: "call.hangup"}}

// A Delivery is how one call back was met.
type Delivery struct {
	Event  string
	Status int // 0: no answer
}

// Plan sets how calls go from now on. An empty plan calls nobody back.
func (x *Telnyx) Plan(events ...Event) {
	x.state.Lock()
	defer x.state.Unlock()
	x.plan = events
}

// CallBackWith sets who carries calls back, for a gateway whose name and
// certificate are of the test's own making.
func (x *Telnyx) CallBackWith(c *http.Client) {
	x.state.Lock()
	defer x.state.Unlock()
	x.client = c
}

// Calls are the calls so far.
func (x *Telnyx) Calls() []*Call {
	x.state.Lock()
	defer x.state.Unlock()
	return append([]*Call(nil), x.calls...)
}

// Delivered are the calls back so far.
func (x *Telnyx) Delivered() []Delivery {
	x.state.Lock()
	defer x.state.Unlock()
	return append([]Delivery(nil), x.delivered...)
}

// Wait waits until no call is going on.
func (x *Telnyx) Wait() { x.calling.Wait() }

func (x *Telnyx) dial(op *operation, in *fields) {
	c := &Call{
		ID: "v3:" + randomHex(20), commands: map[string]bool{},
		To: in.text("to", e164), From: in.text("from", e164), State: in.base64Text("client_state"), Hook: in.address("webhook_url"),
	}
	connection := in.text("connection_id", nil)
	in.text("command_id", command)
	if method := in.optional("webhook_url_method", nil); method != "" && method != http.MethodPost {
		in.fault("webhook_url_method is %s", method)
	}
	in.number("timeout_secs", 5, 600, true)
	in.number("time_limit_secs", 30, 14400, true)
	op.otherwise(connection == x.connections && c.From == x.Number(), unknown)
	op.perform = func(bool) reply {
		x.state.Lock()
		x.calls = append(x.calls, c)
		plan := x.plan
		x.state.Unlock()
		if len(plan) > 0 {
			x.calling.Go(func() { x.play(c, plan) })
		}
		return ok(map[string]any{
			"call_control_id": c.ID, "call_leg_id": randomUUID(), "call_session_id": randomUUID(),
			"is_alive": false, "record_type": "call", "client_state": c.State,
		})
	}
}

func (x *Telnyx) speak(op *operation, in *fields) {
	words := in.readOut(in.length("payload", 3000), "speak", "break")
	if kind := in.text("payload_type", nil); kind != "ssml" {
		in.fault("payload_type is %s", kind)
	}
	in.text("voice", polly)
	in.text("language", locale)
	id := in.text("command_id", command)
	if words == "" {
		in.fault("payload says nothing")
	}
	call := x.call(op.params["call_control_id"])
	if call == nil {
		op.otherwise(false, unknown)
		return
	}
	op.perform = func(bool) reply {
		call.mu.Lock()
		defer call.mu.Unlock()
		switch {
		case call.ended:
			return x.refusal(ended)
		case !call.answered:
			return x.refusal(notAnswered)
		case !call.commands[id]:
			call.commands[id] = true
			x.record(Sent{To: call.To, Channel: "call", Words: words})
		}
		return ok(map[string]any{"result": "ok"})
	}
}

func (x *Telnyx) call(id string) *Call {
	for _, c := range x.Calls() {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// play makes a call go as planned.
func (x *Telnyx) play(c *Call, plan []Event) {
	for _, e := range plan {
		if !c.passes(e.Type) {
			continue
		}
		var both sync.WaitGroup
		both.Go(func() { x.deliver(c, e) })
		if e.Twice {
			both.Go(func() { x.deliver(c, e) })
		}
		both.Wait()
	}
}

// passes moves the call on. Nothing ends that was not said.
func (c *Call) passes(event string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch event {
	case "call.answered":
		c.answered = true
	case "call.hangup":
		c.ended = true
	case "call.speak.ended":
		return len(c.commands) > 0
	}
	return true
}

// Answer makes the call answered without telling anybody.
func (c *Call) Answer() { c.passes("call.answered") }

// HangUp ends the call without telling anybody.
func (c *Call) HangUp() { c.passes("call.hangup") }

// deliver calls back, at most three times where the other side is in trouble.
func (x *Telnyx) deliver(c *Call, e Event) {
	body := x.Body(c, e.Type)
	for range 3 {
		status := x.post(c.Hook, x.Sign(body, e.Forgery), body)
		x.state.Lock()
		x.delivered = append(x.delivered, Delivery{Event: e.Type, Status: status})
		x.state.Unlock()
		if status != 0 && status < 500 {
			return
		}
		select {
		case <-x.over:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (x *Telnyx) post(address string, header http.Header, body []byte) (status int) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	r.Header = header
	x.state.Lock()
	client := x.client
	x.state.Unlock()
	response, err := client.Do(r)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// Body is what Telnyx calls back with at an event of a call.
func (x *Telnyx) Body(c *Call, event string) []byte {
	at := x.clock().UTC().Format("2006-01-02T15:04:05.000000Z")
	body, err := json.Marshal(map[string]any{
		"data": map[string]any{
			"record_type": "event", "event_type": event, "id": randomUUID(), "occurred_at": at,
			"payload": map[string]any{
				"call_control_id": c.ID, "connection_id": x.connections, "call_leg_id": randomUUID(),
				"call_session_id": randomUUID(), "client_state": c.State, "from": c.From, "to": c.To,
				"direction": "outgoing", "start_time": at,
			},
		},
		"meta": map[string]any{"attempt": 1, "delivered_to": c.Hook},
	})
	if err != nil {
		x.t.Errorf("vendortest: call back: %v", err)
	}
	return body
}

// Sign is the header of a call back with this body.
func (x *Telnyx) Sign(body []byte, forgery Forgery) http.Header {
	at, key := x.clock(), x.private
	switch forgery {
	case OldTimestamp:
		at = at.Add(-6 * time.Minute)
	case EarlyTimestamp:
		at = at.Add(6 * time.Minute)
	case ForeignKey:
		_, key, _ = ed25519.GenerateKey(rand.Reader)
	case WrongSignature:
		body = append([]byte(" "), body...)
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	signature := base64.StdEncoding.EncodeToString(ed25519.Sign(key, append([]byte(stamp+"|"), body...)))
	h := http.Header{"Content-Type": {"application/json"}, "Telnyx-Timestamp": {stamp}}
	switch forgery {
	case NoSignature:
	case NotBase64:
		h.Set("Telnyx-Signature-Ed25519", "!"+signature[1:])
	default:
		h.Set("Telnyx-Signature-Ed25519", signature)
	}
	return h
}
