package notify

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// TelnyxURL is where Telnyx's interface is.
const TelnyxURL = "https://api.telnyx.com/v2"

// TelnyxConfig is what the operator has from Telnyx.
type TelnyxConfig struct {
	APIKey secret.Text
	// From is the sending number in E.164, or a name for texts only.
	From string
	// MessagingProfile, VerifyProfile and CallConnection are ids; "" for none.
	MessagingProfile string
	VerifyProfile    string
	CallConnection   string
	// PublicKey checks Telnyx's calls back: the 32 bytes of an Ed25519 key.
	// CallConnection is of no use without it.
	PublicKey []byte
	// BaseURL replaces TelnyxURL; "" does not.
	BaseURL string
	// Timeout bounds one Send or Hook; 0 means DefaultTimeout.
	Timeout time.Duration
	// Sealer keeps what a call says out of Telnyx's records until the call is
	// answered. CallConnection is of no use without it.
	Sealer Sealer
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// A Sealer seals small values so that every node can open them.
type Sealer interface {
	Seal(context string, associated, plaintext []byte) ([]byte, error)
	Open(context string, associated, sealed []byte) ([]byte, error)
}

// Telnyx sends texts by its messages interface, and calls by Call Control
// where there is a connection, otherwise by Verify with our own code.
type Telnyx struct {
	config TelnyxConfig
	api    telnyxAPI
}

// Interface guards.
var (
	_ Hooked  = (*Telnyx)(nil)
	_ Checker = (*TelnyxVerify)(nil)
	_ Sender  = (*Twilio)(nil)
)

// NewTelnyx makes a sender. It asks nothing of Telnyx yet.
func NewTelnyx(c TelnyxConfig) *Telnyx {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Telnyx{config: c, api: newTelnyxAPI(c.APIKey, c.BaseURL, c.Timeout)}
}

// Can implements Sender. Verify words its calls itself and says nothing but a
// code, so that notices are called out by Call Control only.
func (t *Telnyx) Can(c Channel, notice bool) bool {
	switch c {
	case Text:
		return t.config.From != "" || t.config.MessagingProfile != ""
	case Call:
		return t.controlsCalls() || !notice && t.config.VerifyProfile != ""
	default:
		return false
	}
}

func (t *Telnyx) controlsCalls() bool {
	return t.config.CallConnection != "" && callsFrom(t.config.From) &&
		t.config.Sealer != nil && len(t.config.PublicKey) == ed25519.PublicKeySize
}

// Send implements Sender.
func (t *Telnyx) Send(ctx context.Context, m Message) error {
	switch {
	case !t.Can(m.Channel, m.Notice()):
		return errChannel
	case m.Channel == Text:
		return t.text(ctx, m)
	case t.controlsCalls():
		return t.dial(ctx, m)
	default:
		return t.api.verify(ctx, m, t.config.VerifyProfile, m.Code)
	}
}

// text sends one text message: POST /messages.
func (t *Telnyx) text(ctx context.Context, m Message) error {
	var answer struct {
		Data struct {
			ID string `json:"id"`
			To []struct {
				Status string `json:"status"`
			} `json:"to"`
			Errors []telnyxError `json:"errors"`
		} `json:"data"`
	}
	err := t.api.post(ctx, "/messages", map[string]any{
		"from":                 t.config.From,
		"messaging_profile_id": t.config.MessagingProfile,
		"to":                   m.To.E164(),
		"text":                 m.Words.Reveal(),
	}, false, &answer)
	if err != nil {
		return err
	}
	failed := false
	for _, to := range answer.Data.To {
		failed = failed || slices.Contains([]string{"sending_failed", "delivery_failed", "expired"}, to.Status)
	}
	switch {
	case answer.Data.ID == "":
		return notAnAnswer(http.StatusOK)
	case failed || len(answer.Data.Errors) > 0:
		f := telnyxFailure(http.StatusOK, answer.Data.Errors)
		f.Maybe = !failed
		return f
	}
	return nil
}

// telnyxAPI is Telnyx's interface with one key: JSON both ways.
type telnyxAPI struct {
	client *client
	key    secret.Text
	base   string
}

func newTelnyxAPI(key secret.Text, base string, timeout time.Duration) telnyxAPI {
	if base == "" {
		base = TelnyxURL
	}
	return telnyxAPI{client: newClient(timeout), key: key, base: strings.TrimRight(base, "/")}
}

// post asks and reads the answer into out. Fields that are "" are left out of
// the request. again says that Telnyx knows a repetition by its command_id.
func (a telnyxAPI) post(ctx context.Context, path string, fields map[string]any, again bool, out any) error {
	for name, value := range fields {
		if value == "" {
			delete(fields, name)
		}
	}
	request, err := json.Marshal(fields)
	if err != nil {
		return &Failure{Reason: Rejected, Detail: "the request could not be made"}
	}
	status, _, body, err := a.client.do(ctx, func(ctx context.Context) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+path, bytes.NewReader(request))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+a.key.Reveal())
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json")
		return r, nil
	}, again)
	if err != nil {
		return err
	}
	if status/100 != 2 {
		var refusal struct {
			Errors []telnyxError `json:"errors"`
		}
		// Without reasons that can be read, the status must do.
		_ = json.Unmarshal(body, &refusal)
		return telnyxFailure(status, refusal.Errors)
	}
	if json.Unmarshal(body, out) != nil {
		return notAnAnswer(status)
	}
	return nil
}
