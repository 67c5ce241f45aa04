package caddymodule

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/access"
	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/assertion"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// What becomes of a request that is explained.
const (
	verdictPasses  = "passes"  // once what `sign_in` says is proved
	verdictBypass  = "bypass"  // nobody is asked
	verdictSignIn  = "sign in" // nobody is signed in, and a sign-in is asked for
	verdictDenied  = "denied"  // however well anybody proves themselves
	verdictOwnPath = "our own" // it never reaches the app
)

// explanation is what `explain` tells of one request.
type explanation struct {
	Host       string          `json:"host"`
	Site       string          `json:"site"`            // the app's title
	Where      string          `json:"where,omitempty"` // file:line of its `sallyport`
	ReportOnly bool            `json:"report_only,omitempty"`
	Method     string          `json:"method"`
	Path       string          `json:"path"`
	Ambiguous  bool            `json:"ambiguous,omitempty"`
	Asked      []explainedRule `json:"asked,omitempty"` // all of it is to be satisfied
	Account    string          `json:"account,omitempty"`
	Groups     []string        `json:"groups,omitempty"`
	Verdict    string          `json:"verdict"`
	Why        string          `json:"why,omitempty"`
	// SignIn is what a sign-in has to prove.
	SignIn  []string       `json:"sign_in,omitempty"`
	Headers []headerOfName `json:"headers,omitempty"`
}

// explainedRule is a rule that decides, or the site's own options.
type explainedRule struct {
	Rule    int      `json:"rule,omitempty"` // from 1; 0 is the site
	Where   string   `json:"where,omitempty"`
	Options []string `json:"options"` // with what it inherits
}

type headerOfName struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// supposed is a request that nobody made.
type supposed struct {
	method, host string
	path         *url.URL
	header       http.Header
	address      netip.Addr
	// of is who is signed in, nil for nobody; provider where, and factors what
	// they have enrolled.
	of       *account.Account
	provider string
	methods  []account.Method
}

// request is that as a guard gets it: by HTTPS, nothing rewritten.
func (s supposed) request() *http.Request {
	r := &http.Request{
		Method: s.method, URL: s.path, Host: s.host, Header: s.header.Clone(), RequestURI: s.path.RequestURI(), Body: http.NoBody,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: netip.AddrPortFrom(s.address, 0).String(),
		TLS: &tls.ConnectionState{HandshakeComplete: true, ServerName: withoutPort(s.host)},
	}
	ctx := context.WithValue(context.Background(), caddyhttp.VarsCtxKey, map[string]any{
		caddyhttp.TrustedProxyVarKey: false, caddyhttp.ClientIPVarKey: s.address.String(),
	})
	ctx = context.WithValue(ctx, caddyhttp.OriginalRequestCtxKey, *r)
	r = r.WithContext(ctx)
	repl := caddyhttp.NewTestReplacer(r) // the request's own placeholders, whatever its name says
	return r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl))
}

// explain tells what the guard would do. It asks the very functions that decide.
func (g *Guard) explain(s supposed) explanation {
	r := s.request()
	g.strip.Request(r, false) // rules see no more of a real one
	v := &guardVisit{Guard: g, r: r, now: time.Now(), original: s.path, arrival: web.Arrival{Secure: true, Host: s.host, Client: s.address}}
	x := explanation{
		Host: s.host, Site: v.title(), Where: g.Source[""], ReportOnly: g.ReportOnly, Method: s.method, Path: s.path.RequestURI(),
	}
	if s.of != nil {
		x.Account, x.Groups = s.of.Name, s.of.Groups
	}
	switch {
	case v.owns(s.path.Path):
		x.Verdict, x.Why = verdictOwnPath, "paths below "+web.OwnPrefix+" are Sallyport's own"
		return x
	case refusedMethod(r):
		x.Verdict, x.Why = verdictDenied, s.method+" is answered with 405"
		return x
	}
	x.Ambiguous = access.Ambiguous(r.URL.EscapedPath())
	rules, site := g.deciding(r)
	for _, rule := range rules {
		asked := explainedRule{rule.number, g.Source[fmt.Sprintf("rules.%d", rule.number-1)], rule.options.Lines()}
		if rule.bypass {
			asked.Options = []string{"bypass"}
		}
		x.Asked = append(x.Asked, asked)
	}
	if site {
		x.Asked = append(x.Asked, explainedRule{0, g.Source[""], g.site.Lines()})
	}
	v.asked, v.bypass = g.asks(r)
	entry := s.session()
	x.tell(v, v.decide(entry, nil), s)
	return x
}

// session is what the one who asks would have, if they proved everything just
// now; nil for nobody, and for an account that has none.
func (s supposed) session() *session.Entry {
	if s.of == nil || s.of.Disabled || !s.of.Locked.IsZero() {
		return nil
	}
	now := time.Now()
	return &session.Entry{
		Account: *s.of, Provider: s.provider,
		Token: session.Token{Level: session.LevelSecondFactor, PasswordAt: now, FactorAt: now},
	}
}

// tell adds what was decided.
func (x *explanation) tell(v *guardVisit, d decision, s supposed) {
	switch {
	case d.passes && v.bypass:
		x.Verdict, x.Why, x.Headers = verdictBypass, "the app gets it whoever asks", v.headersOf(d.as)
	case d.passes && d.as == nil:
		x.Verdict, x.Why = verdictBypass, "the app gets it whoever asks, and is not told who"
	case d.passes:
		x.Verdict, x.SignIn, x.Headers = verdictPasses, needed(v.asked).words(v.app, s), v.headersOf(d.as)
	case d.why == "":
		x.Verdict, x.Why = verdictOwnPath, "Sallyport answers it for the app"
	case d.why == "not signed in" && s.of == nil:
		x.Verdict, x.SignIn = verdictSignIn, needed(v.asked).words(v.app, s)
	default:
		x.Verdict, x.Why = verdictDenied, v.whyDenied(d, s)
	}
}

// whyDenied says more of a refusal than its name.
func (v *guardVisit) whyDenied(d decision, s supposed) string {
	who := access.Visitor{Client: s.address}
	if s.of != nil {
		who.Person = personOf(s.of, s.provider)
	}
	switch {
	case d.why == "not signed in" && s.of.Disabled:
		return "the account is disabled"
	case d.why == "not signed in":
		return "the account is locked: its owner said that it was not them"
	case d.why == "network" || d.why == "not allowed":
		for _, o := range v.asked {
			if why := o.WhyDenied(who); why != "" {
				return why
			}
		}
		return "rules of two identity providers could both be meant"
	case strings.HasPrefix(d.why, "needs provider "):
		return "only who signs in at the identity " + strings.TrimPrefix(d.why, "needs ") + " passes, and this account does not"
	}
	return d.why
}

// words is what a sign-in has to prove, for operators.
func (d demand) words(app *App, s supposed) (words []string) {
	within := ""
	if d.fresh > 0 {
		within = " of the last " + access.Short(d.fresh)
	}
	provider := d.provider
	or(&provider, s.provider)
	if provider != "" {
		return []string{"a sign-in" + within + " at the identity provider " + provider}
	}
	words = []string{"password" + within}
	switch {
	case s.of != nil && len(s.methods) > 0:
		names := make([]string, len(s.methods))
		for i, m := range s.methods {
			names[i] = string(m)
		}
		words = append(words, "second factor"+within+": "+strings.Join(names, ", "))
	case d.level < session.LevelSecondFactor && s.of != nil:
	case d.level < session.LevelSecondFactor:
		words = append(words, "second factor, where the account has one")
	case s.of == nil:
		words = append(words, "second factor"+within)
	case app.machine.Settings.EnrolByLink || s.of.EnrolByLink:
		words = append(words, "second factor: none is enrolled, and enrolling needs a link of an operator's")
	default:
		words = append(words, "second factor: none is enrolled, so one is enrolled after the password")
	}
	return words
}

// headersOf are the headers that tell the app who is asking.
func (v *guardVisit) headersOf(e *session.Entry) (headers []headerOfName) {
	if e == nil {
		return nil
	}
	quiet, off := *v.Guard, false
	quiet.Assertion = &off // a token is as good as a sign-in
	(&guardVisit{Guard: &quiet, r: v.r, now: v.now, arrival: v.arrival}).identify(e)
	for _, name := range v.names {
		if values := v.r.Header[http.CanonicalHeaderKey(name)]; len(values) > 0 {
			headers = append(headers, headerOfName{name, values[0]})
		}
	}
	if *v.Assertion {
		headers = append(headers, headerOfName{assertion.Header, "a token with the same, signed at each request that needs a new one"})
	}
	return headers
}
