package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// adminCalls is every call there is, by its path below /sallyport/, but for
// adminLists.
var adminCalls = map[string]adminCall{
	"account/add":          changes(addAccount),
	"account/set":          changes(setAccount),
	"account/show":         reads(showAccount),
	"account/disable":      changes(disableAccount),
	"account/enable":       changes(enableAccount),
	"account/delete":       changes(deleteAccount),
	"account/set-up-link":  changes(makeSetUpLink),
	callReset:              changes(resetSecondFactor),
	callReset + "/check":   reads(checkResets),
	"account/unlock":       changes(unlockAccount),
	callImport:             changes(importAccounts),
	"session/end":          changes(endSessions),
	"trusted-browser/list": reads(listTrusted),
	"trusted-browser/end":  changes(endTrusted),
	"key/add":              changes(addAPIKey),
	"key/rotate":           changes(rotateAPIKey),
	"key/revoke":           changes(revokeAPIKey),
	"keys/list":            reads(listKeys),
	"keys/add":             changes(addKey),
	"keys/promote":         changes(promoteKey),
	"keys/retire":          changes(retireKey),
	"keys/reload":          changes(reloadKeys),
	"saml/list":            reads(listProviders),
	"saml/check":           reads(checkProvider),
	"audit":                reads(listEvents),
	"explain":              reads(explainRequest),
}

// Calls that are told apart elsewhere: an import is larger than others, and a
// file's resets are checked first.
const (
	callImport = "account/import"
	callReset  = "account/reset-second-factor"
)

// Names of events that this package alone writes.
const (
	operatorRead    audit.Name = "operator_read"
	operatorRefused audit.Name = "operator_refused"
	keysReloaded    audit.Name = "keys_reloaded"
)

// adminLife bounds one call. It runs to its end even when the caller hangs up.
const adminLife = 30 * time.Second

// Limits of what an operator says about a call, in characters.
const (
	maxActor  = 128
	maxReason = 500
)

// adminEnvelope is the body of every call.
type adminEnvelope struct {
	Actor  string `json:"actor"` // the OS user who ran the command
	Reason string `json:"reason,omitempty"`
	// Nonce makes two equal calls in one second different: the second would
	// pass for a replay.
	Nonce     string          `json:"nonce"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
}

// adminAnswer is the body of every answer but problems.
type adminAnswer struct {
	Result   json.RawMessage `json:"result,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
}

// adminCall is one call: it decodes its arguments and carries them out.
type adminCall func(o *operation, arguments json.RawMessage) (any, error)

// operation is a call that is being carried out.
type operation struct {
	ctx           context.Context
	app           *App
	engine        *engine
	call          string
	actor, reason string
	now           time.Time
	about         account.Account // whom the operator named, where it was one
	warnings      []string
}

// operate carries out a call whose signature was right.
func (a *App) operate(ctx context.Context, name string, body []byte, now time.Time) (*adminAnswer, error) {
	o, arguments, err := a.operation(name, body, now)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), adminLife)
	defer cancel()
	o.ctx = ctx
	call, known := adminCalls[name]
	if !known {
		return nil, refuse(http.StatusNotFound, "there is no call %q: command and server are of different releases", name)
	}
	result, err := call(o, arguments)
	if err != nil {
		o.failed(err)
		return nil, err
	}
	text, err := json.Marshal(result)
	return &adminAnswer{Result: text, Warnings: o.warnings}, err
}

// operation reads a call's envelope.
func (a *App) operation(name string, body []byte, now time.Time) (o *operation, arguments json.RawMessage, err error) {
	var said adminEnvelope
	if err := decodeStrict(body, &said); err != nil {
		return nil, nil, err
	}
	if !printable(said.Actor, maxActor) || said.Actor == "" || !printable(said.Reason, maxReason) {
		return nil, nil, refuseValue("actor and reason are one line of at most %d and %d characters", maxActor, maxReason)
	}
	return &operation{app: a, engine: a.engine, call: name, actor: said.Actor, reason: said.Reason, now: now}, said.Arguments, nil
}

// failed writes of a call that was refused, or failed.
func (o *operation) failed(err error) {
	o.record(operatorRefused)
	if problemOf(err).Status == http.StatusInternalServerError {
		o.app.log.Error("an admin call failed", "call", o.call, "error", err.Error())
	}
}

// changes makes a call that writes audit events of its own.
func changes[A any](do func(*operation, A) (any, error)) adminCall {
	return func(o *operation, raw json.RawMessage) (any, error) {
		var arguments A
		if err := decodeStrict(raw, &arguments); err != nil {
			return nil, err
		}
		return do(o, arguments)
	}
}

// reads makes a call that changes nothing; that it was made is in the audit.
func reads[A any](do func(*operation, A) (any, error)) adminCall {
	return changes(func(o *operation, arguments A) (any, error) {
		result, err := do(o, arguments)
		if err == nil {
			o.record(operatorRead)
		}
		return result, err
	})
}

// decodeStrict reads one JSON value. Its error quotes nothing of it: a
// password may be in there.
func decodeStrict(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return refuse(http.StatusBadRequest, "the call cannot be read: command and server are of different releases")
	}
	if _, err := d.Token(); err != io.EOF {
		return refuse(http.StatusBadRequest, "something follows the call")
	}
	return nil
}

// event begins an audit event of this call.
func (o *operation) event(name audit.Name, of account.Account) audit.Event {
	return audit.Event{
		Time: o.now, Name: name, Account: string(of.ID), Subject: of.Name,
		Actor: o.actor, Reason: o.reason, Method: o.call,
	}
}

// record writes an event of a call that changed nothing in the database.
func (o *operation) record(name audit.Name) {
	o.engine.Record(o.ctx, o.event(name, o.about))
}

// done follows every committed change: the log hears of its events, and all
// nodes of ended sessions.
func (o *operation) done(events ...audit.Event) {
	o.engine.Written(o.ctx, events...)
	if err := o.app.machine.Revoke(o.ctx); err != nil {
		o.app.log.Warn("ended sessions are still to be told to all nodes", "error", err.Error())
		o.warn("it is done, but not all nodes could be told yet; that is tried until it succeeds")
	}
}

func (o *operation) warn(text string) { o.warnings = append(o.warnings, text) }

// printable reports whether text is at most n characters that neither break a
// line nor move a terminal's cursor (SECURITY R61).
func printable(text string, n int) bool {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > n {
		return false
	}
	for _, c := range text {
		if !unicode.IsPrint(c) {
			return false
		}
	}
	return true
}
