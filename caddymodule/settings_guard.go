package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(Guard{})
}

// Guard stands before an app and lets a request through only for a person who
// is signed in and allowed. It guards everything after it in its site; what is
// to be open is said by a rule with `bypass`. It stands once for each host.
type Guard struct {
	Access

	// What pages call the app. Default: the first label of its host.
	Title string `json:"title,omitempty"`

	// Whether the app also gets the same as a signed token, in the header
	// `Sallyport-Assertion`: a JWT that it can check with the keys at
	// `/sallyport/.well-known/jwks.json`. Default: true.
	Assertion *bool `json:"assertion,omitempty"`

	// The headers that tell the app who is asking.
	HeaderNames HeaderNames `json:"header_names,omitzero"`

	// Who answers CORS preflight requests, which never carry a session:
	// `deny` answers here, from `cors_origins`; `pass` lets every one through
	// to the app, without identity. Default: `deny`.
	CORSPreflight string `json:"cors_preflight,omitempty"`

	// Origins whose scripts may read this app's answers and, signed out, the
	// refusal. A listed origin acts with the rights of the person who visits
	// it. Default: none.
	CORSOrigins []string `json:"cors_origins,omitempty"`

	// Lets everything through, and logs what would have been refused. For
	// roll-out only: nothing is guarded while it is on. Default: false.
	ReportOnly bool `json:"report_only,omitempty"`

	// Origins besides the app's own that may open its WebSockets. Default:
	// none.
	WebSocketOrigins []string `json:"websocket_origins,omitempty"`

	// What differs for some requests. The first that matches wins.
	Rules []Rule `json:"rules,omitempty"`

	// Where each value stood in the Caddyfile, `file:line` by the value's
	// JSON path; "" is the directive itself.
	Source map[string]string `json:"source,omitempty"`

	guardState
}

// CaddyModule returns the Caddy module information.
func (Guard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.sallyport",
		New: func() caddy.Module { return new(Guard) },
	}
}

// Access is who may pass. In a rule, what is not set is the site's.
type Access struct {
	// What a person must have proved: `second_factor`, or `password` alone.
	// Default: `second_factor`.
	Require string `json:"require,omitempty"`

	// The identity provider, by the name of its `saml` block, whose sign-in
	// alone is accepted; its sign-in satisfies `require`. Who is signed in in
	// another way is sent there. Default: any sign-in.
	Provider string `json:"provider,omitempty"`

	// Who may pass: any one match is enough. A rule's replaces the site's.
	// Default: every account.
	Allow People `json:"allow,omitzero"`

	// Who may not, whatever `allow` says. A rule's adds to the site's.
	// Default: nobody.
	Deny People `json:"deny,omitzero"`

	// The networks, as CIDR or `private_ranges`, that a person's address must
	// be in. A rule's adds to the site's: it must be in both. Default: any.
	Network []string `json:"network,omitempty"`

	// How long ago each factor that `require` names may have been proved at
	// most; else it is asked for again. At least a minute. A rule's replaces
	// the site's. Default: any time within the session.
	Reauthenticate caddy.Duration `json:"reauthenticate,omitempty"`
	// Takes API keys, by which programs act with the rights of those who made
	// them. Danger: no second factor protects a key. A rule also takes those
	// that its site takes. Default: false.
	APIKeys bool `json:"api_keys,omitempty"`
}

// People names accounts, groups, and the domains of e-mail addresses.
type People struct {
	Account     []string `json:"account,omitempty"`
	Group       []string `json:"group,omitempty"`
	EmailDomain []string `json:"email_domain,omitempty"`
}

// HeaderNames is the headers that tell the app who is asking. What a client
// sends under any of these names, in any spelling, is removed first.
type HeaderNames struct {
	// Default: `Remote-User`.
	User string `json:"user,omitempty"`
	// Default: `Remote-Name`.
	Name string `json:"name,omitempty"`
	// Default: `Remote-Email`.
	Email string `json:"email,omitempty"`
	// Default: `Remote-Groups`.
	Groups string `json:"groups,omitempty"`
}

// Rule is what differs for some requests.
type Rule struct {
	// Which requests, as in Caddy's routes.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	Access

	// Lets these requests through without asking anyone to sign in. Stands
	// alone. A path in an ambiguous spelling never matches it.
	// Default: false.
	Bypass bool `json:"bypass,omitempty"`
}
