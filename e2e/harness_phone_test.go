package e2e

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// A relay is what an operator runs behind the sender `webhook`, as
// docs/webhook.md describes it: nothing is passed on that the signature does
// not prove, and nothing twice.
type relay struct {
	URL, Secret string

	t      testing.TB
	mu     sync.Mutex
	answer int // 0: takes it
	taken  map[string]bool
	sent   []vendortest.Sent
}

// startRelay starts one that ends with t.
func startRelay(t testing.TB) *relay {
	t.Helper()
	r := &relay{t: t, Secret: rand.Text() + rand.Text(), taken: map[string]bool{}}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.URL = s.URL + "/sallyport"
	return r
}

// Block is the sender for it; the secret is in {env.WEBHOOK_SECRET}.
func (r *relay) Block() string {
	return "sender webhook {\n url " + r.URL + "\n secret {env.WEBHOOK_SECRET}\n}\n"
}

// Sent is what it has passed on.
func (r *relay) Sent() []vendortest.Sent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]vendortest.Sent(nil), r.sent...)
}

// Answer sets the status of its answers from now on; 0 takes messages.
func (r *relay) Answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = status
}

func (r *relay) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	stamp := q.Header.Get("Sallyport-Timestamp")
	mac := hmac.New(sha256.New, []byte(r.Secret))
	mac.Write(append([]byte(stamp+"."), body...))
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > time.Minute ||
		!hmac.Equal([]byte("v1="+hex.EncodeToString(mac.Sum(nil))), []byte(q.Header.Get("Sallyport-Signature"))) {
		r.t.Errorf("a request to the relay is not signed as described: %v", q.Header)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var m struct {
		ID, Type, Channel, To, Code, Text string
		Speech                            []string
	}
	if err := json.Unmarshal(body, &m); err != nil || m.ID == "" || q.Header.Get("Idempotency-Key") != m.ID ||
		(m.Type == "code") != (len(m.Code) == 6) || (m.Channel == "text") != (m.Text != "") || (m.Channel == "call") != (len(m.Speech) > 0) {
		r.t.Errorf("a request to the relay is not as described: %v %s", err, body)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answer != 0 {
		w.WriteHeader(r.answer)
		return
	}
	if !r.taken[m.ID] {
		r.taken[m.ID] = true
		r.sent = append(r.sent, vendortest.Sent{
			To: m.To, Channel: m.Channel, Code: m.Code, Words: m.Text + strings.Join(m.Speech, "\n"), At: time.Now(),
		})
	}
	w.WriteHeader(http.StatusNoContent)
}

// readOut is how a code is spoken: digit by digit.
func readOut(code string) string { return strings.Join(strings.Split(code, ""), ", ") }

// signInAt opens a guarded address and gives name and password.
func (b *browser) signInAt(address, name, password, to string) {
	b.t.Helper()
	b.Open(address)
	b.Type("#username", name)
	b.Type("#password", password)
	b.ClickTo("main form .main", to)
}

// tooEarly is told to who asks for another code before its time.
const tooEarly = "You can ask for a new code in"

// Ask presses a button that sends a code, and again while it is too early.
func (b *browser) Ask(button, to string) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if b.eval("document.querySelector("+strconv.Quote(button)+").getAttribute('aria-disabled')") == "true" {
			continue // with scripts it waits by itself
		}
		if b.ClickTo(button, to); !strings.Contains(b.Text(".summary"), tooEarly) {
			return
		}
	}
	b.t.Fatalf("the wait for a code does not end: %s", b.describe())
}

// AskFor is Ask on the pages of a sign-in, for "text" or "call".
func (b *browser) AskFor(channel string) {
	b.t.Helper()
	b.Ask("form[action$='/verify/"+channel+"/send'] button", "/verify/"+channel+"?")
}

// EnterSent enters a code on the page of a channel.
func (b *browser) EnterSent(channel, code, to string) {
	b.t.Helper()
	b.Type("#code", code)
	b.ClickTo("form[action$='/verify/"+channel+"'] .main", to)
}

// Retype puts another text into a field.
func (b *browser) Retype(selector, text string) {
	b.t.Helper()
	b.eval("document.querySelector(" + strconv.Quote(selector) + ").value = ''")
	b.Type(selector, text)
}
