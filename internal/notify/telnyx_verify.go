package notify

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// TelnyxVerifyConfig is what the operator has from Telnyx.
type TelnyxVerifyConfig struct {
	APIKey secret.Text
	// Profile is the id of a Verify profile, which words texts and calls.
	Profile string
	// BaseURL replaces TelnyxURL; "" does not.
	BaseURL string
	// Timeout bounds one Send or Check; 0 means DefaultTimeout.
	Timeout time.Duration
}

// TelnyxVerify leaves codes to Telnyx: it makes, words, sends and checks them.
// It carries no notices.
type TelnyxVerify struct {
	profile string
	api     telnyxAPI
}

// NewTelnyxVerify makes a sender. It asks nothing of Telnyx yet.
func NewTelnyxVerify(c TelnyxVerifyConfig) *TelnyxVerify {
	return &TelnyxVerify{profile: c.Profile, api: newTelnyxAPI(c.APIKey, c.BaseURL, c.Timeout)}
}

// Can implements Sender.
func (v *TelnyxVerify) Can(c Channel, notice bool) bool {
	return !notice && (c == Text || c == Call)
}

// Send implements Sender: Telnyx makes a code and sends it. Message.Code only
// says that this is no notice.
func (v *TelnyxVerify) Send(ctx context.Context, m Message) error {
	if !v.Can(m.Channel, m.Notice()) {
		return errChannel
	}
	return v.api.verify(ctx, m, v.profile, secret.Text{})
}

// Check implements Checker. Asking is never repeated: a right code is right
// once, so that the second answer would be that it is wrong.
func (v *TelnyxVerify) Check(ctx context.Context, to phone.Number, code secret.Text) (bool, error) {
	var answer struct {
		Data struct {
			Code string `json:"response_code"`
		} `json:"data"`
	}
	path := "/verifications/by_phone_number/" + url.PathEscape(to.E164()) + "/actions/verify"
	err := v.api.post(ctx, path, map[string]any{"code": code.Reveal(), "verify_profile_id": v.profile}, false, &answer)
	switch {
	case err != nil:
		return false, err
	case answer.Data.Code == "accepted":
		return true, nil
	case answer.Data.Code == "rejected":
		return false, nil
	default:
		return false, notAnAnswer(http.StatusOK)
	}
}

// verify starts a verification: POST /verifications/sms or /call. Without a
// code Telnyx makes one.
func (a telnyxAPI) verify(ctx context.Context, m Message, profile string, code secret.Text) error {
	path := "/verifications/sms"
	if m.Channel == Call {
		path = "/verifications/call"
	}
	fields := map[string]any{
		"phone_number":      m.To.E164(),
		"verify_profile_id": profile,
		"custom_code":       code.Reveal(),
	}
	if m.Life >= time.Second {
		fields["timeout_secs"] = int(m.Life / time.Second)
	}
	var answer struct {
		Data struct {
			ID     string `json:"id"`
			Status string `json:"status"`
		} `json:"data"`
	}
	if err := a.post(ctx, path, fields, false, &answer); err != nil {
		return err
	}
	switch {
	case answer.Data.ID == "":
		return notAnAnswer(http.StatusOK)
	case answer.Data.Status == "pending":
		return nil
	case answer.Data.Status == "invalid", answer.Data.Status == "expired", answer.Data.Status == "error":
		return &Failure{Reason: Rejected, Detail: "HTTP 200: verification " + answer.Data.Status}
	default:
		return notAnAnswer(http.StatusOK)
	}
}
