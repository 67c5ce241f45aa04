package caddymodule

import "github.com/caddyserver/caddy/v2"

// Limits is how many tries there are. Each is counted in one place for all
// nodes. Higher numbers make guessing cheaper.
type Limits struct {
	// Wrong passwords for one account from one network. Default: 5 in 10m.
	PasswordAccount Window `json:"password_account,omitzero"`
	// Wrong passwords for one account from all browsers that have never
	// completed a sign-in to it. Default: 20 in 1h.
	PasswordUnknown Window `json:"password_unknown,omitzero"`
	// Wrong passwords and API keys from one network, over all accounts. An
	// office behind one address shares it. Default: 50 in 10m.
	PasswordNetwork Window `json:"password_network,omitzero"`
	// Wrong codes for one factor of one account. Default: 5 in 10m.
	Factor Window `json:"factor,omitzero"`
	// Wrong codes in a row, however slow, after which the factor is off until
	// recovery. NIST SP 800-63B allows 100 at most. Default: 100.
	FactorHard int `json:"factor_hard,omitempty"`
	// How long after one message the next may be sent to the same account or
	// number. Default: 30s.
	SendWait caddy.Duration `json:"send_wait,omitempty"`
	// Messages in an hour to one account, and to one number; and links for a
	// forgotten password for one name. Default: 5.
	SendHour int `json:"send_hour,omitempty"`
	// Messages in a day to one account, and to one number. Default: 10.
	SendDay int `json:"send_day,omitempty"`
	// Messages that are asked for from one network; and, counted apart, links
	// for a forgotten password. Default: 30 in 1h.
	SendNetwork Window `json:"send_network,omitzero"`
	// Forms of every other kind from one network. Default: 60 in 1m.
	Forms Window `json:"forms,omitzero"`
}

// Window is n tries within a sliding window.
type Window struct {
	N      int            `json:"n,omitempty"`
	Window caddy.Duration `json:"window,omitempty"`
}
