package notify

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// hookAge is how old a call back may be, and how far our clock may be behind
// Telnyx's.
const hookAge = 5 * time.Minute

// Hook implements Hooked: it speaks when a call is answered. Other events are
// accepted and ignored; Telnyx promises neither order nor single delivery.
func (t *Telnyx) Hook(ctx context.Context, header http.Header, body []byte) error {
	if !t.controlsCalls() || !t.signed(header, body) {
		return ErrHookRefused
	}
	var hook struct {
		Data struct {
			Event   string `json:"event_type"`
			Payload struct {
				Call       string `json:"call_control_id"`
				Connection string `json:"connection_id"`
				State      string `json:"client_state"`
			} `json:"payload"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &hook) != nil || hook.Data.Event == "" {
		return ErrHookRefused
	}
	if hook.Data.Event != "call.answered" {
		return nil
	}
	payload := hook.Data.Payload
	if payload.Call == "" || payload.Connection != t.config.CallConnection {
		return ErrHookRefused
	}
	s, err := t.opened(payload.State)
	if err != nil {
		return err
	}
	return t.speak(ctx, payload.Call, s)
}

// signed checks the signature and its time: Ed25519 over `time|body`, the time
// in seconds since 1970.
func (t *Telnyx) signed(header http.Header, body []byte) bool {
	stamps, signatures := header.Values("Telnyx-Timestamp"), header.Values("Telnyx-Signature-Ed25519")
	if len(stamps) != 1 || len(signatures) != 1 {
		return false
	}
	seconds, err := strconv.ParseInt(stamps[0], 10, 64)
	if err != nil {
		return false
	}
	if age := t.config.Now().Sub(time.Unix(seconds, 0)); age > hookAge || age < -hookAge {
		return false
	}
	signature, err := base64.StdEncoding.DecodeString(signatures[0])
	if err != nil {
		return false
	}
	return ed25519.Verify(t.config.PublicKey, append([]byte(stamps[0]+"|"), body...), signature)
}
