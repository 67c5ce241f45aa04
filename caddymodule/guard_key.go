package caddymodule

import (
	"context"
	"errors"
	"net/http"

	"github.com/sallyport-auth/sallyport/internal/access"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// byKey decides for a program that shows an API key (SPEC J). The key decides
// alone: a cookie counts for nothing beside it. Whatever becomes of the
// request, the app never sees the key.
func (v *guardVisit) byKey(shown shownKey) error {
	v.r.Header.Del("Authorization")
	switch {
	case earlyData(v.r): // what is replayed would be done twice
		return v.report("early data", v.refuseEarly)
	case v.outside():
		return v.report("network", func() error { return v.refuseNetwork(access.Programmatic) })
	case fromAnotherSite(v.r.Header):
		return v.report("API key from another site", func() error {
			return v.refuseKey(http.StatusForbidden, "cross_site", "An API key is not taken from another site's page")
		})
	case access.IsWebSocket(v.r) && !v.originAllowed():
		return v.report("websocket origin", v.refuseOrigin)
	}
	entry, err := v.keyEntry(shown)
	var limited *login.Limited
	switch {
	case errors.As(err, &limited):
		return v.report("too many wrong API keys", func() error { return v.refuseTries(limited) })
	case errors.Is(err, session.ErrNotFound):
		return v.report("wrong API key", v.refuseWrongKey)
	case err != nil:
		return v.report("store unavailable", func() error { return v.refuseUnavailable(err, access.Programmatic) })
	}
	if why := v.keyDenied(entry); why != "" {
		return v.report("API key: "+why, func() error { return v.refuseDeniedKey(entry, why) })
	}
	v.key = &openedBy{login.CacheKey(shown.key), v.keyVisitor(entry).Provider}
	v.app.machine.UsedAPIKey(entry)
	return v.pass(entry)
}

// keyDenied says why a good key may not do this, "" when it may: its owner's
// present rights and its own are both bounds.
func (v *guardVisit) keyDenied(e *session.Entry) string {
	switch {
	case !access.KeyReaches(e.APIKey.Scope, v.arrival.Host, access.Methods(v.r), v.r.URL.EscapedPath()):
		return "outside its hosts, paths or methods"
	case !access.DecideKey(v.asked, v.keyVisitor(e)).Allowed:
		return "its owner may not open this with a key"
	}
	return ""
}

// keyVisitor is who a key stands for. The identity provider that a site asks
// for has to be the one where they sign in.
func (v *guardVisit) keyVisitor(e *session.Entry) access.Visitor {
	owner := v.visitor(e)
	if s := v.app.machine.Settings; !s.SignsInHere(e.Account) {
		owner.Provider = s.ManagedBy(e.Account)
	}
	return owner
}

// keyEntry finds the key that is shown; session.ErrNotFound for one that opens
// nothing, whatever the reason.
func (v *guardVisit) keyEntry(shown shownKey) (*session.Entry, error) {
	if !v.app.engine.ready.Load() {
		return nil, errNotReady
	}
	entry, err := v.keyFound(shown)
	if err != nil {
		return nil, err
	}
	if shown.user != "" && shown.user != entry.Account.Name {
		return nil, session.ErrNotFound
	}
	if p := v.keyVisitor(entry).Provider; p != "" && !v.app.hasProvider(p) {
		return nil, session.ErrNotFound // nobody answers for them any more
	}
	return entry, nil
}

// keyFound asks this process's memory, and the stores about a key that it does
// not know. Many first uses at once are one try, or a right key would fill the
// counter of wrong ones by itself.
func (v *guardVisit) keyFound(shown shownKey) (*session.Entry, error) {
	e, ctx := v.app.engine, v.r.Context()
	if !shown.good {
		return v.app.machine.TryAPIKey(ctx, v.client(), nil)
	}
	k := login.CacheKey(shown.key)
	if e.cache.Knows(k) {
		return e.cache.Get(ctx, k)
	}
	client := v.client()
	tried, err, _ := e.keyTries.Do(client.Network+" "+k.Cookie, func() (any, error) {
		ctx := context.WithoutCancel(ctx) // it is for all who wait
		return v.app.machine.TryAPIKey(ctx, client, func() (*session.Entry, error) { return e.cache.Get(ctx, k) })
	})
	if err != nil {
		return nil, err
	}
	return tried.(*session.Entry), nil
}

// client is who asks, for counters and the audit.
func (v *guardVisit) client() login.Client {
	v.arrival = withID(v.arrival, v.r)
	ua := v.r.UserAgent()
	c := login.Client{
		Agent:   func() string { return web.Agent(ua) },
		Request: v.arrival.RequestID, Host: v.arrival.Host,
	}
	c.Network, c.Wide = web.Networks(v.arrival.Client)
	return c
}

// fromAnotherSite reports a request that a page of another site made, as
// browsers say, once; programs say nothing.
func fromAnotherSite(h http.Header) bool {
	for i, site := range h.Values("Sec-Fetch-Site") {
		if i > 0 || site != "same-origin" && site != "none" {
			return true
		}
	}
	return false
}

// refuseWrongKey says the same of every key that opens nothing.
func (v *guardVisit) refuseWrongKey() error {
	v.w().Header().Set("WWW-Authenticate", "Bearer") // RFC 6750 section 3
	return v.refuseKey(http.StatusUnauthorized, "api_key_wrong", "This API key is not valid")
}

// refuseDeniedKey is for a good key that may not do this. Why is for its owner
// and for operators: whoever took the key need not learn what it is good for.
func (v *guardVisit) refuseDeniedKey(e *session.Entry, why string) error {
	c := v.client()
	v.app.engine.Record(v.r.Context(), audit.Event{
		Time: v.app.machine.Now(), Name: audit.APIKeyRefused, Account: string(e.Account.ID), Subject: e.Account.Name,
		Network: c.Network, Browser: c.Agent(), Request: c.Request, Host: c.Host, Reason: "key " + e.APIKey.Name + ": " + why,
	})
	return v.refuseKey(http.StatusForbidden, "api_key_not_allowed", "This API key may not do this")
}

// refuseTries is for a network with too many wrong keys and passwords.
func (v *guardVisit) refuseTries(l *login.Limited) error {
	v.w().Header().Set("Retry-After", web.RetryAfter(l))
	return v.refuseKey(http.StatusTooManyRequests, "too_many_attempts", "You have exceeded the number of login attempts allowed.")
}

// refuseKey is always for a program, whatever the request looks like.
func (v *guardVisit) refuseKey(status int, kind, title string) error {
	v.arrival = withID(v.arrival, v.r)
	v.noStore()
	v.corsHeaders()
	return v.problem(status, kind, title)
}
