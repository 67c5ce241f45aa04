package caddymodule

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/sallyport-auth/sallyport/internal/assertion"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// assert gives the signed form of what is told, "" where there is none.
func (v *guardVisit) assert(e *session.Entry, t *assertion.Told) string {
	if !*v.Assertion {
		return ""
	}
	text, err := e.Assertion.Text(v.app.engine.assertions(), &t.Identity, v.now)
	if err != nil {
		v.app.log.Error("an assertion could not be signed; the app gets none", "error", err.Error())
	}
	return text
}

// told is what this host's app is told of a session. It is made again where the
// entry was last told of elsewhere: an API key's is for every host.
func (v *guardVisit) told(e *session.Entry) *assertion.Told {
	at := assertion.Place{Portal: v.app.Portal, Host: v.arrival.Host, Secure: v.arrival.Secure}
	if t := e.Told.Load(); t != nil && t.At == at {
		return t
	}
	t := assertion.Tell(at, identityOf(e))
	e.Told.Store(t)
	return t
}

// identityOf is what an app is told of a session. A provider's sign-in is as old
// as the provider says.
func identityOf(e *session.Entry) assertion.Identity {
	a, t := &e.Account, &e.Token
	of := assertion.Identity{
		Subject: string(a.ID), Username: a.Name, Name: a.DisplayName, Email: a.Email, Groups: a.Groups,
		AMR: e.AMR, AuthTime: t.PasswordAt, Ends: e.Expires,
	}
	if t.FactorAt.After(of.AuthTime) {
		of.AuthTime = t.FactorAt
	}
	return of
}

// assertions are the present ring's keys for them. There is a ring wherever
// there is a session.
func (e *engine) assertions() *assertion.Keys { return e.keys.Load().assertions }

// keySetPath is the same on the portal's host and on an app's.
const keySetPath = web.OwnPrefix + "/.well-known/jwks.json"

// keySetAge is how long an app may keep the key set without asking again.
const keySetAge = 5 * time.Minute

// serveKeySet gives apps the keys that they check assertions with. It needs no
// store, only the ring.
func (a *App) serveKeySet(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	k := a.engine.keys.Load()
	switch {
	case refuseWrite(w, r):
		return
	case k == nil:
		h.Set("Retry-After", "5")
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	text, tag := k.assertions.Set()
	h.Set("Content-Type", "application/jwk-set+json") // RFC 7517 section 8.5.2
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%.0f", keySetAge.Seconds()))
	h.Set("ETag", tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}
