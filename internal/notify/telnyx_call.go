package notify

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// ringFor is how long a phone rings, unless the code dies earlier.
	ringFor = 45 * time.Second
	// shortestRing is the shortest that Telnyx allows.
	shortestRing = 5 * time.Second
	// callLimit ends a call that nobody hangs up. A greeting and three times
	// six digits take about a minute.
	callLimit = 120 * time.Second
	// maxSpeech is how many characters Telnyx takes to be read out, marks of
	// pauses included.
	maxSpeech = 3000
	// spoken is the context under which a call's words are sealed.
	spoken = "telnyx call"
)

// A speech is what a call says when it is answered. It travels with the call,
// sealed, so that any node can speak, and Telnyx learns it only then.
type speech struct {
	ID       string    `json:"id"`
	Words    string    `json:"words"` // never printed: it lives between JSON and SSML
	Language string    `json:"language"`
	Until    time.Time `json:"until"` // zero for no end
}

// dial starts a call: POST /calls. What it says follows at call.answered.
func (t *Telnyx) dial(ctx context.Context, m Message) error {
	s := speech{ID: m.ID, Words: m.Words.Reveal(), Language: m.Language}
	if m.Life > 0 {
		s.Until = t.config.Now().Add(m.Life)
	}
	if m.Hook == "" || len(ssml(s.Words)) > maxSpeech {
		return &Failure{Reason: Rejected, Detail: "the call has no address to call back, or too much to say"}
	}
	state, err := t.sealed(s)
	if err != nil {
		return &Failure{Reason: Rejected, Detail: "what the call says could not be sealed"}
	}
	var answer struct {
		Data struct {
			ID string `json:"call_control_id"`
		} `json:"data"`
	}
	// Telnyx ignores a second call with the same command_id. How it answers
	// one is not described, so that nothing is repeated on the strength of it.
	err = t.api.post(ctx, "/calls", map[string]any{
		"connection_id":      t.config.CallConnection,
		"to":                 m.To.E164(),
		"from":               t.config.From,
		"webhook_url":        m.Hook,
		"webhook_url_method": http.MethodPost,
		"client_state":       state,
		"command_id":         m.ID,
		"timeout_secs":       int(ring(m.Life) / time.Second),
		"time_limit_secs":    int(callLimit / time.Second),
	}, false, &answer)
	if err == nil && answer.Data.ID == "" {
		return notAnAnswer(http.StatusOK)
	}
	return err
}

// ring is how long a phone may ring for a code of so much life; 0 is no end.
func ring(life time.Duration) time.Duration {
	if life <= 0 {
		return ringFor
	}
	return min(ringFor, max(shortestRing, life))
}

func (t *Telnyx) sealed(s speech) (string, error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	sealed, err := t.config.Sealer.Seal(spoken, []byte(t.config.CallConnection), plain)
	return base64.StdEncoding.EncodeToString(sealed), err
}

// opened is ErrHookRefused for a state that is not one of ours.
func (t *Telnyx) opened(state string) (s speech, err error) {
	sealed, err := base64.StdEncoding.DecodeString(state)
	if err != nil {
		return s, ErrHookRefused
	}
	plain, err := t.config.Sealer.Open(spoken, []byte(t.config.CallConnection), sealed)
	if err != nil || json.Unmarshal(plain, &s) != nil {
		return s, ErrHookRefused
	}
	return s, nil
}

// speak reads the words out to an answered call, unless their time is over:
// POST /calls/{id}/actions/speak. However often call.answered arrives, the
// command_id lets Telnyx speak once.
func (t *Telnyx) speak(ctx context.Context, callID string, s speech) error {
	if !s.Until.IsZero() && !t.config.Now().Before(s.Until) {
		return nil
	}
	voice, language := voiceFor(s.Language)
	var answer struct{}
	err := t.api.post(ctx, "/calls/"+url.PathEscape(callID)+"/actions/speak", map[string]any{
		"payload":      ssml(s.Words),
		"payload_type": "ssml",
		"voice":        voice,
		"language":     language,
		"command_id":   s.ID,
	}, true, &answer)
	var failure *Failure
	if errors.As(err, &failure) && strings.Contains(failure.Detail, callEnded) {
		return nil // who hangs up needs no words
	}
	return err
}

// callEnded is Telnyx's code for a command to a call that is over.
const callEnded = "90018"
