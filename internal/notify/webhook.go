package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// shortestSecret is as long as the hash, RFC 2104 section 3.
const shortestSecret = 32

// WebhookConfig is what a webhook needs.
type WebhookConfig struct {
	URL     string           // see CheckWebhookURL
	Secret  secret.Text      // see CheckWebhookSecret
	Timeout time.Duration    // for both tries together; 0 means DefaultTimeout
	Now     func() time.Time // for the timestamp; nil means time.Now
}

// Webhook hands messages to a program of the operator's, as signed JSON over
// HTTP. docs/webhook.md describes the request and how it is answered.
type Webhook struct {
	config WebhookConfig
	client *client
}

var _ Sender = (*Webhook)(nil)

// NewWebhook makes a webhook of a configuration without faults.
func NewWebhook(c WebhookConfig) *Webhook {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Webhook{config: c, client: newClient(c.Timeout)}
}

// CheckWebhookSecret says what is wrong with a secret, continuing a sentence
// that names it; "" for nothing.
func CheckWebhookSecret(s secret.Text) string {
	switch n := len(s.Reveal()); {
	case n == 0:
		return "is missing; make one with `openssl rand -hex 32`, and give the receiver the same"
	case n < shortestSecret:
		return "is shorter than 32 characters; make one with `openssl rand -hex 32`, and give the receiver the same"
	}
	return ""
}

// CheckWebhookURL says what is wrong with an address, continuing a sentence
// that names it; "" for nothing. The request carries codes and numbers, which
// the signature does not hide: http is only for this machine and for networks
// of one's own, that is
// private addresses, names without a dot, and names under internal, local and
// localhost, which the public DNS does not have.
func CheckWebhookURL(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return "is not an address; write one such as https://sms.example.com/sallyport"
	case u.User != nil:
		return "holds a name or password; leave them out, the signature proves who asks"
	case u.Fragment != "":
		return "holds a fragment (#), which is never sent; leave it out"
	case u.Scheme == "http" && !private(u.Hostname()):
		return "is http, where others can read the codes on their way; write https"
	}
	return ""
}

// private reports whether a host can only be in a network of one's own.
func private(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
	}
	labels := strings.Split(strings.ToLower(host), ".")
	return len(labels) == 1 || slices.Contains([]string{"internal", "local", "localhost"}, labels[len(labels)-1])
}

// Can implements Sender: a webhook carries everything.
func (w *Webhook) Can(c Channel, _ bool) bool { return c == Text || c == Call }

// Send implements Sender. It repeats the request once after a cut connection,
// since the receiver knows it by its id, and after a 429 whose Retry-After
// fits into the time.
func (w *Webhook) Send(ctx context.Context, m Message) error {
	id := m.ID + "-" + string(m.Channel)
	body, err := webhookBody(id, m)
	if err != nil {
		return &Failure{Reason: Rejected, Detail: "the message could not be written as JSON"}
	}
	build := func(ctx context.Context) (*http.Request, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.config.URL, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		timestamp := strconv.FormatInt(w.config.Now().Unix(), 10)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("User-Agent", "Sallyport")
		request.Header.Set("Idempotency-Key", id)
		request.Header.Set("Sallyport-Timestamp", timestamp)
		request.Header.Set("Sallyport-Signature", "v1="+webhookSignature(w.config.Secret, timestamp, body))
		return request, nil
	}
	status, _, _, err := w.client.do(ctx, build, true)
	switch {
	case err != nil:
		return err
	case status/100 == 2:
		return nil
	}
	// The answer's text is not kept: a receiver may well quote the number.
	failure := statusFailure(status, "")
	if status == http.StatusUnprocessableEntity {
		failure.Reason = BadNumber
	}
	return failure
}

// webhookSignature is the HMAC-SHA256 of timestamp, full stop and body in hex.
// With the timestamp inside, a recorded request can't be sent again later
// under a new one.
func webhookSignature(key secret.Text, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// webhookBody is the request's body: a line of JSON. It depends on nothing but
// the message, so that a repeat is the same to the byte.
func webhookBody(id string, m Message) ([]byte, error) {
	body := struct {
		ID        string   `json:"id"`
		Type      string   `json:"type"`
		Channel   Channel  `json:"channel"`
		To        string   `json:"to"`
		Code      string   `json:"code,omitempty"`
		Text      string   `json:"text,omitempty"`
		Speech    []string `json:"speech,omitempty"`
		Language  string   `json:"language"`
		Service   string   `json:"service"`
		ExpiresIn int64    `json:"expires_in,omitempty"`
	}{
		ID: id, Type: "code", Channel: m.Channel, To: m.To.E164(), Code: m.Code.Reveal(),
		Language: m.Language, Service: m.Service, ExpiresIn: max(1, int64(m.Life/time.Second)),
	}
	if m.Notice() {
		body.Type, body.ExpiresIn = "notice", 0
	}
	if m.Channel == Call {
		body.Speech = strings.Split(m.Words.Reveal(), "\n")
	} else {
		body.Text = m.Words.Reveal()
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
