package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
)

func init() {
	caddy.RegisterModule(App{})
}

// App is what all guards and the portal share: the name that people read, the
// stores, the keys, the limits. There is one in a configuration; without one,
// every default below holds.
//
// A text may hold placeholders, `{env.X}` or `{file./run/secrets/x}`; they are
// replaced when the configuration is loaded, and never appear in clear in
// Caddy's own copy of it.
type App struct {
	// What people read on the pages and in their authenticator app.
	// Default: `Sallyport`.
	Name string `json:"name,omitempty"`

	// Whom people turn to when they are stuck: an e-mail address, an https
	// address, or a few words. Without it, pages say "your administrator",
	// which helps nobody: set it. Default: none.
	Support string `json:"support,omitempty"`

	// The origin of the portal, such as `https://login.example.com`, without
	// a path. One sign-in there serves every guarded site. Without it, each
	// site is a sign-in of its own, with the pages under `/sallyport/` on the
	// site itself, where any script of that app can reach them: good for one
	// trusted app only. `http` is for loopback addresses. Default: none.
	Portal string `json:"portal,omitempty"`

	// Hosts that guards protect besides those that the sites name, such as
	// `app.example.com` or `*.example.com`; needed for a site without a host.
	// A person's sign-in is handed to any host in this list: list only your
	// own. Default: none.
	Hosts []string `json:"hosts,omitempty"`

	// How sign-in begins: `identifier_first` asks for the name on a page of
	// its own, `combined` for name and password together, `auto` is combined
	// while no identity provider is configured. Default: `auto`.
	Layout string `json:"layout,omitempty"`

	// The language of pages where the browser asks for none that there is, as
	// a BCP 47 tag. Default: `en`.
	Language string `json:"language,omitempty"`

	// How a person without a second factor gets one: `password` asks for it
	// at once after the first sign-in, so whoever knows the password first is
	// first; `link` only by a set-up link that an operator made.
	// Default: `password`.
	Enrolment string `json:"enrolment,omitempty"`

	// The key ring's file. It seals what the database holds: without it, the
	// database and its backups are lost. Every node has the same one.
	// Default: `sallyport/keys` below Caddy's data directory.
	Keys string `json:"keys,omitempty"`

	// Where accounts, factors and the audit are kept for good.
	Database Database `json:"database,omitzero"`

	// Where sessions, half-finished sign-ins and counters are kept.
	Sessions Sessions `json:"sessions,omitzero"`

	// Says that PostgreSQL with embedded sessions is meant. That pair looks
	// fit for several nodes and is not: a session ended on one would live on
	// in another. Default: false.
	SingleNode bool `json:"single_node,omitempty"`

	// How long a sign-in lasts.
	Session SessionTimes `json:"session,omitzero"`

	// What passwords must be, and what checking one costs.
	Password PasswordRules `json:"password,omitzero"`

	// How many tries there are.
	Limits Limits `json:"limits,omitzero"`

	// Codes by text message and call. Default: none.
	Phone *Phone `json:"phone,omitempty"`

	// E-mails to the owners of accounts. Default: written to files.
	Mail Mail `json:"mail,omitzero"`

	// Identity providers where people sign in instead of here. They need
	// `portal`. Default: none.
	SAML []SAML `json:"saml,omitempty"`

	// Accounts, by name or e-mail address, that get in by password though
	// their domain is a provider's: for the day on which the provider is away.
	// Each use is an alarm in the audit. Their owners need a password and a
	// second factor here. Default: none.
	BreakGlass []string `json:"break_glass,omitempty"`

	// The record of security events.
	Audit Audit `json:"audit,omitzero"`

	// Where each value stood in the Caddyfile, `file:line` by the value's
	// JSON path. The adapter writes it, so that a fault found later names the
	// line. Nothing else reads it.
	Source map[string]string `json:"source,omitempty"`

	appState
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "sallyport",
		New: func() caddy.Module { return new(App) },
	}
}

// SessionTimes is how long a sign-in lasts.
type SessionTimes struct {
	// A sign-in ends this long after it began, whatever happens.
	// Default: 24h.
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// It ends earlier after this long without a request. Not longer than
	// `lifetime`. Default: 1h.
	Idle caddy.Duration `json:"idle,omitempty"`

	// A change to one's own account needs password and second factor proved
	// within this time. Default: 10m.
	Reauthenticate caddy.Duration `json:"reauthenticate,omitempty"`

	// For so long a person may have a browser not ask for the second factor
	// when they sign in; at most 400 days, which is as long as browsers keep a
	// cookie. NIST SP 800-63B-4 has no such thing beyond 24 hours. 0 is `off`.
	// Default: `off`.
	TrustBrowser caddy.Duration `json:"trust_browser,omitempty"`
}

// PasswordRules is what passwords must be, and what checking one costs.
type PasswordRules struct {
	// The fewest characters of a new password; at least 8. Where a password
	// alone opens something, it is 15 at least. Default: 12.
	MinLength int `json:"min_length,omitempty"`

	// The cost of one hash, which is also what an attacker with a copy of the
	// database pays for each guess. Default: 64MiB, 3 passes, 1 thread.
	Argon2id Argon2id `json:"argon2id,omitzero"`

	// How many hashes are worked out at once; each takes the memory of one.
	// Default: from the machine's memory and cores.
	Parallel int `json:"parallel,omitempty"`
}

// Argon2id is the cost of one hash (RFC 9106). What is below OWASP's least
// (19MiB with 2 passes, and its equals) is refused.
type Argon2id struct {
	// Memory of one hash, in bytes or as `64MiB`; whole KiB. Default: 64MiB.
	Memory Size `json:"memory,omitempty"`
	// Passes over that memory. Default: 3.
	Passes uint32 `json:"passes,omitempty"`
	// Threads that one hash uses. Default: 1.
	Threads uint8 `json:"threads,omitempty"`
}

// Audit is the record of security events.
type Audit struct {
	// How long events are kept. Default: 400d.
	Retention caddy.Duration `json:"retention,omitempty"`
}
