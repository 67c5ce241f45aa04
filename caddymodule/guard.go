package caddymodule

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/access"
	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// guardRuntime is what Provision, and the app at Start, give a guard.
type guardRuntime struct {
	app   *App
	hosts []string // that it stands for, without ports
	reach []string // these as a request may name them: with the ports they have
	site  access.Options
	alone []access.Options // site, for when no rule matches
	rules []guardRule
	names []string // identity headers, ours and the default ones
	strip *access.Stripper
	tells [toldLines]string // the names of ours, as guardVisit.lines has their values
	// networked: some option asks where a person is.
	networked     bool
	warnForwarded *sync.Once
}

// Provision checks the settings and borrows the app.
func (g *Guard) Provision(ctx caddy.Context) error {
	unresolved := g.resolve(caddy.NewReplacer())
	g.setDefaults()
	if err := g.Faults().err(); err != nil {
		return err
	}
	held, err := ctx.App("sallyport")
	if err != nil {
		return err
	}
	g.app = held.(*App)
	g.app.borrowed = append(g.app.borrowed, g)
	g.app.unresolved = append(g.app.unresolved, unresolved...)
	g.names = identityHeaders(g.HeaderNames)
	g.strip, g.tells = access.NewStripper(g.names...), g.HeaderNames.canonical()
	if err := g.provisionRules(ctx); err != nil {
		return err
	}
	g.networked, g.warnForwarded = g.asksNetwork(), new(sync.Once)
	return nil
}

// ServeHTTP lets a request through, with the person's identity, or answers it.
// Everything that is not clearly allowed is refused.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	makeRoom(r)
	a, trusted := arrive(r)
	hidden := g.hidesClient(r, a, trusted)
	// What the client says about who it is goes first, on every path.
	g.strip.Request(r, trusted)
	if err := g.app.place(); err != nil && g.app.engine == nil { // its Start refuses in a moment
		return notServing(w)
	}
	v := &guardVisit{Guard: g, r: r, arrival: a, hidden: hidden, now: time.Now(), next: next, original: originalURL(r)}
	v.filter.ResponseWriter = w
	err := v.serve()
	if err == nil || v.passed {
		return err
	}
	// An error of ours ends here: `handle_errors` may lead to the app.
	v.arrival = withID(v.arrival, v.r)
	g.app.log.Error("refused: the answer could not be made", "error", err.Error(), "request", v.arrival.RequestID)
	v.noStore()
	w.WriteHeader(http.StatusInternalServerError)
	return nil
}

// notServing answers for a configuration that is being refused.
func notServing(w http.ResponseWriter) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Retry-After", "5")
	w.WriteHeader(http.StatusServiceUnavailable)
	return nil
}

func (v *guardVisit) serve() error {
	a, r := v.arrival, v.r
	switch {
	case v.original.Path == healthPath && len(v.hosts) > 0:
		// A load balancer asks by plain HTTP and by any name.
		return v.app.serveHealth(v.w())
	case !a.Secure && !a.Local:
		return v.refuseInsecure()
	case !v.covers(a.Host):
		return v.refuseHost()
	case v.owns(v.original.Path):
		return v.serveOwn()
	case refusedMethod(r):
		return v.refuseMethod()
	}
	return v.guard()
}

// covers reports whether a request's host is one that this guard stands for.
func (g *Guard) covers(hostport string) bool {
	return anyReaches(g.reach, hostport)
}

// originalURL is what the client asked for, before `rewrite`, `uri` and
// `try_files`.
func originalURL(r *http.Request) *url.URL {
	if o, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return o.URL
	}
	return r.URL
}

// owns reports whether a path is one of Sallyport's own on an app's host. Where
// people sign in on it, password managers ask its root where to change a
// password.
func (v *guardVisit) owns(path string) bool {
	return path == web.OwnPrefix || strings.HasPrefix(path, web.OwnPrefix+"/") ||
		v.app.Portal == "" && (path == web.ChangePasswordPath || path == web.NoSuchPath)
}

// refusedMethod reports a method that no app is to see.
func refusedMethod(r *http.Request) bool {
	return r.Method == http.MethodTrace || r.Method == "TRACK" || r.Method == http.MethodConnect && !isExtendedConnect(r)
}

func isExtendedConnect(r *http.Request) bool {
	return r.Method == http.MethodConnect && access.IsWebSocket(r)
}

// toldLines is how many headers tell an app who is asking.
const toldLines = 5

// guardVisit is one request to a guarded site. All that a request needs of
// memory is in it, so that there is one allocation to be made, and to be found
// again.
type guardVisit struct {
	*Guard
	r        *http.Request
	original *url.URL
	arrival  web.Arrival
	next     caddyhttp.Handler
	now      time.Time // when it arrived
	asked    []access.Options
	bypass   bool
	hidden   bool              // a proxy hides where the client is
	passed   bool              // the app has it
	key      *openedBy         // the API key that opens this, nil for none
	lines    [toldLines]string // values of the headers that tell who is asking
	filter   cookieFilter
}

// openedBy is an API key that opened something.
type openedBy struct {
	key      session.Key
	provider string // that its owner belongs to
}

// w is where answers of ours go, past the filter of the app's.
func (v *guardVisit) w() http.ResponseWriter { return v.filter.ResponseWriter }

// address is the client's, as networks are compared with it: in none where it is
// hidden.
func (v *guardVisit) address() netip.Addr {
	if v.hidden {
		return netip.Addr{}
	}
	return v.arrival.Client
}

// kind is what the request is. Only the form of a refusal depends on it.
func (v *guardVisit) kind() access.RequestKind { return access.Classify(v.r) }

// guard decides, and carries it out. A bypass never asks anyone to sign in, and
// sets the identity of who is signed in anyway.
func (v *guardVisit) guard() error {
	v.asked, v.bypass = v.asks(v.r)
	if !v.bypass && access.AsksForKeys(v.asked) {
		if shown, is := showsKey(v.r.Header); is {
			return v.byKey(shown)
		}
	}
	entry, err := v.entry()
	d := v.decide(entry, err)
	switch {
	case d.passes:
		return v.pass(d.as)
	case d.why == "":
		return d.answer()
	}
	return v.report(d.why, d.answer)
}

// decision is what becomes of a request.
type decision struct {
	passes bool
	as     *session.Entry // whom the app is told of, nil for nobody
	// why it is refused; "" for an answer that is none.
	why    string
	answer func() error
}

// decide tells what becomes of a request with the session that it proves, nil
// for none, or err where that is not known. It has no effect of its own: explain
// asks it too.
func (v *guardVisit) decide(entry *session.Entry, err error) decision {
	foreign := access.IsWebSocket(v.r) && !v.originAllowed()
	refused := func(why string, answer func() error) decision { return decision{why: why, answer: answer} }
	switch {
	case v.bypass && foreign: // it is nobody's
		return decision{passes: true}
	case v.bypass:
		return decision{passes: true, as: entry}
	case err != nil && !errors.Is(err, session.ErrNotFound):
		return refused("store unavailable", func() error { return v.refuseUnavailable(err, v.kind()) })
	case earlyData(v.r) && (unsafeMethod(v.r.Method) || slices.ContainsFunc(v.asked, access.Options.Networked)):
		return refused("early data", v.refuseEarly)
	case v.outside():
		return refused("network", func() error { return v.refuseNetwork(v.kind()) })
	case access.IsPreflight(v.r):
		return v.preflight()
	case foreign:
		return refused("websocket origin", v.refuseOrigin)
	case entry == nil:
		return refused("not signed in", func() error { return v.refuseSignedOut(v.kind(), needed(v.asked)) })
	}
	d := access.DecideAll(v.asked, v.visitor(entry))
	switch {
	case d.Allowed:
		return decision{passes: true, as: entry}
	case d.Denied != access.NotDenied:
		return refused("not allowed", func() error { return v.refuseDenied(entry, v.kind()) })
	}
	return refused("needs "+d.Need(), func() error {
		needs := needed(v.asked)
		needs.renew, needs.of = d.NeedFresh > 0, entry.Account.ID
		return v.refuseSignedOut(v.kind(), needs)
	})
}

// outside reports whether the visitor's address is in none of the networks that
// some of what is asked lets in.
func (v *guardVisit) outside() bool {
	return slices.ContainsFunc(v.asked, func(o access.Options) bool { return !o.Inside(v.address()) })
}

// entry finds the session that the request's cookie proves, and uses it; nil
// with session.ErrNotFound when it proves none.
func (v *guardVisit) entry() (*session.Entry, error) {
	entry, err := v.find()
	if err != nil {
		return nil, err
	}
	if err := v.app.engine.reader.Use(v.r.Context(), entry, v.now); err != nil {
		return nil, err
	}
	return entry, nil
}

// find is entry, without the session being used by it or looked at for idleness.
func (v *guardVisit) find() (*session.Entry, error) {
	text := v.arrival.Jar().Get(v.r, session.CookieApp)
	if text == "" {
		return nil, session.ErrNotFound
	}
	e := v.app.engine
	if !e.ready.Load() {
		return nil, errNotReady
	}
	entry, err := e.cache.GetAt(v.r.Context(), session.Key{Purpose: session.ForApp, Host: v.arrival.Host, Cookie: text}, v.now)
	if err != nil {
		return nil, err
	}
	if entry.Provider != "" && !v.app.hasProvider(entry.Provider) {
		return nil, session.ErrNotFound // nobody answers for them any more
	}
	return entry, nil
}

// visitor is who asks, by the server's record.
func (v *guardVisit) visitor(e *session.Entry) access.Visitor {
	return access.Visitor{
		Person: personOf(&e.Account, e.Provider),
		Level:  e.Token.Level, PasswordAt: e.Token.PasswordAt, FactorAt: e.Token.FactorAt,
		Client: v.address(), Now: v.now,
	}
}

func personOf(a *account.Account, provider string) access.Person {
	return access.Person{Name: a.Name, Email: a.Email, Groups: a.Groups, Provider: provider}
}

// demand is what a sign-in has to be.
type demand struct {
	level    session.Level
	provider string        // where alone, "" for anywhere
	fresh    time.Duration // how long ago at most, 0 for any time
	renew    bool          // that alone is missing
	of       account.ID    // who is signed in and has to prove more, "" for nobody
}

// needed is what a sign-in has to be for all of the options. Where they name
// several providers none will do, and the first is as good as any.
func needed(options []access.Options) demand {
	var need demand
	for _, o := range options {
		need.level = max(need.level, o.Level())
		or(&need.provider, o.Provider)
		if o.Reauthenticate > 0 && (need.fresh == 0 || o.Reauthenticate < need.fresh) {
			need.fresh = o.Reauthenticate
		}
	}
	return need
}

// report carries out a refusal, or only logs it while `report_only` is on.
func (v *guardVisit) report(why string, refuse func() error) error {
	if !v.ReportOnly {
		return refuse()
	}
	v.app.log.Warn("report_only: would be refused", "why", why, "host", v.arrival.Host,
		"method", v.r.Method, "path", v.original.Path)
	return v.pass(nil)
}

var (
	_ caddyhttp.MiddlewareHandler = (*Guard)(nil)
	_ caddy.Provisioner           = (*Guard)(nil)
)
