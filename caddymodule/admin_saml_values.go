package caddymodule

import "time"

// providerArguments name an identity provider.
type providerArguments struct {
	Provider string `json:"provider"`
}

// providerList is what `saml list` tells.
type providerList struct {
	Providers []providerView `json:"providers"`
}

// providerView is an identity provider in a list. Without metadata its entity
// ID and the days that its certificate has are unknown.
type providerView struct {
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	EntityID string   `json:"entity_id,omitempty"`
	DaysLeft *int     `json:"days_left,omitempty"`
	Domains  []string `json:"domains"`
}

// providerCheck is what `saml check` tells.
type providerCheck struct {
	Name     string       `json:"name"`
	Title    string       `json:"title"`
	Metadata metadataView `json:"metadata"`
	IdP      *idpView     `json:"idp"` // null while nothing is known of it
	SP       spView       `json:"sp"`
	Domains  []string     `json:"domains"`
	// Attributes are the names of what is read, by user, email, name, groups.
	Attributes     map[string]string `json:"attributes"`
	RequireContext []string          `json:"require_context"`
	ClockSkew      string            `json:"clock_skew"`
	IdPInitiated   bool              `json:"idp_initiated"`
	CreateAccounts bool              `json:"create_accounts"`
	SingleLogout   bool              `json:"single_logout"`
	NoLogout       string            `json:"no_single_logout,omitempty"` // why not
	Refusals       []eventView       `json:"refusals"`
	// Problems prevent sign-ins; Remarks do not, or not yet.
	Problems []string `json:"problems"`
	Remarks  []string `json:"remarks"`
}

// metadataView is how the last look at the metadata went.
type metadataView struct {
	Location string    `json:"location"`
	Error    string    `json:"error,omitempty"`
	Good     time.Time `json:"good,omitzero"` // when what is known was read last
	// Ahead is by how many seconds the provider's clock is ahead of ours.
	Ahead *int `json:"clock_ahead,omitempty"`
}

// idpView is what a provider says of itself. Addresses go by binding,
// `redirect` and `post`.
type idpView struct {
	EntityID      string            `json:"entity_id"`
	SignIn        map[string]string `json:"sign_in"`
	Logout        map[string]string `json:"logout"`
	LogoutAnswers map[string]string `json:"logout_answers"`
	Certificates  []certificateView `json:"certificates"`
	ValidUntil    time.Time         `json:"valid_until,omitzero"`
	WantsSigned   bool              `json:"wants_signed_requests"`
}

// spView is what we are to a provider.
type spView struct {
	EntityID   string            `json:"entity_id"`
	Consumer   string            `json:"consumer"`
	Logout     string            `json:"logout,omitempty"`
	Metadata   string            `json:"metadata"`
	SignIn     string            `json:"sign_in"`
	Signing    []certificateView `json:"signing"` // the first one signs
	Decryption []certificateView `json:"decryption"`
}

// certificateView is a certificate. Of ours it names the key's version.
type certificateView struct {
	Version   uint32    `json:"version,omitempty"`
	Subject   string    `json:"subject"`
	SHA256    string    `json:"sha256"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	DaysLeft  int       `json:"days_left"`
	State     string    `json:"state"`
}

// What a certificate is at a time.
const (
	certificateGood    = "good"
	certificateExpired = "expired"
	certificateEarly   = "not yet valid"
)
