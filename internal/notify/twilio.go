package notify

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// TwilioURL is where Twilio's interface is.
const TwilioURL = "https://api.twilio.com"

const (
	// maxTwiml is how many characters Twilio takes with a call.
	maxTwiml = 4000
	// longestValidity is how long Twilio keeps a text at most.
	longestValidity = 36000 * time.Second
)

// TwilioConfig is what the operator has from Twilio.
type TwilioConfig struct {
	AccountSID string
	AuthToken  secret.Text
	// From is the sending number in E.164, or a name for texts only.
	From string
	// MessagingService is the id of a service that chooses the sender of texts
	// instead; "" for none.
	MessagingService string
	// BaseURL replaces TwilioURL; "" does not.
	BaseURL string
	// Timeout bounds one Send; 0 means DefaultTimeout.
	Timeout time.Duration
}

// Twilio sends texts and makes calls whose words go along with the request, so
// that Twilio need not call us back.
type Twilio struct {
	config TwilioConfig
	client *client
}

// NewTwilio makes a sender. It asks nothing of Twilio yet.
func NewTwilio(c TwilioConfig) *Twilio {
	if c.BaseURL == "" {
		c.BaseURL = TwilioURL
	}
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	return &Twilio{config: c, client: newClient(c.Timeout)}
}

// Can implements Sender.
func (t *Twilio) Can(c Channel, _ bool) bool {
	return c == Text && (t.config.From != "" || t.config.MessagingService != "") || c == Call && callsFrom(t.config.From)
}

// Send implements Sender.
func (t *Twilio) Send(ctx context.Context, m Message) error {
	switch {
	case !t.Can(m.Channel, m.Notice()):
		return errChannel
	case m.Channel == Text:
		return t.text(ctx, m)
	default:
		return t.call(ctx, m)
	}
}

// text sends one text message, which is not sent any more when its code has
// died in the queue.
func (t *Twilio) text(ctx context.Context, m Message) error {
	form := url.Values{"To": {m.To.E164()}, "Body": {m.Words.Reveal()}}
	if t.config.MessagingService != "" {
		form.Set("MessagingServiceSid", t.config.MessagingService)
	} else {
		form.Set("From", t.config.From)
	}
	if m.Life >= time.Second {
		form.Set("ValidityPeriod", seconds(min(m.Life, longestValidity)))
	}
	return t.post(ctx, "Messages", form, "failed", "undelivered", "canceled")
}

// call makes one call. Twilio has the words from the beginning, so that only
// the time of ringing keeps a dead code from being read out.
func (t *Twilio) call(ctx context.Context, m Message) error {
	_, locale := voiceFor(m.Language)
	words := twiml(m.Words.Reveal(), locale)
	if len(words) > maxTwiml {
		return &Failure{Reason: Rejected, Detail: "the call has too much to say"}
	}
	return t.post(ctx, "Calls", url.Values{
		"To":        {m.To.E164()},
		"From":      {t.config.From},
		"Twiml":     {words},
		"Timeout":   {seconds(ring(m.Life))},
		"TimeLimit": {seconds(callLimit)},
	}, "failed", "busy", "no-answer", "canceled")
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// post asks for one resource. failed are the states in which it is of no use
// although it was made.
func (t *Twilio) post(ctx context.Context, resource string, form url.Values, failed ...string) error {
	address := t.config.BaseURL + "/2010-04-01/Accounts/" + url.PathEscape(t.config.AccountSID) + "/" + resource + ".json"
	status, _, body, err := t.client.do(ctx, func(ctx context.Context) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
		if err != nil {
			return nil, err
		}
		r.SetBasicAuth(t.config.AccountSID, t.config.AuthToken.Reveal())
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "application/json")
		return r, nil
	}, false)
	if err != nil {
		return err
	}
	if status/100 != 2 {
		var refusal struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		}
		// Without a reason that can be read, the status must do.
		_ = json.Unmarshal(body, &refusal)
		return twilioFailure(status, refusal.Code, refusal.Message)
	}
	var answer struct {
		SID       string `json:"sid"`
		Status    string `json:"status"`
		ErrorCode *int   `json:"error_code"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.SID == "" {
		return notAnAnswer(status)
	}
	if slices.Contains(failed, answer.Status) || answer.ErrorCode != nil && *answer.ErrorCode != 0 {
		code := 0
		if answer.ErrorCode != nil {
			code = *answer.ErrorCode
		}
		f := twilioFailure(status, code, answer.Status)
		f.Maybe = !slices.Contains(failed, answer.Status)
		return f
	}
	return nil
}
