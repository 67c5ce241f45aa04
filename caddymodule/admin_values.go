package caddymodule

import (
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// The values of calls and answers. `--json` prints the answers as they are, so
// their names are a promise.

// noArguments are those of a call that takes none.
type noArguments struct{}

// namedArguments name an account by its name or e-mail address.
type namedArguments struct {
	Account string `json:"account"`
}

// listArguments choose accounts; none chooses all.
type listArguments struct {
	Phone string `json:"phone,omitempty"` // as a person types a number
}

// addArguments describe a new account.
type addArguments struct {
	Name        string   `json:"name"`
	Email       string   `json:"email"`
	DisplayName string   `json:"display_name,omitempty"`
	Groups      []string `json:"groups,omitempty"`
	Provider    string   `json:"provider,omitempty"`
	// Password is in clear, and only here: the running Sallyport checks it
	// by its rules and hashes it.
	Password string `json:"password,omitempty"`
}

// setArguments change an account; what is absent stays.
type setArguments struct {
	Account      string   `json:"account"`
	Email        *string  `json:"email,omitempty"`
	DisplayName  *string  `json:"display_name,omitempty"`
	Groups       []string `json:"groups,omitempty"`
	RemoveGroups []string `json:"remove_groups,omitempty"`
	// Provider moves the account to an identity provider, "" back to a
	// password here.
	Provider *string `json:"provider,omitempty"`
}

// accountView is an account as operators see it.
type accountView struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Email       string   `json:"email"`
	DisplayName string   `json:"display_name"`
	Groups      []string `json:"groups"`
	// Provider is the identity provider that the account was given to.
	Provider string `json:"provider,omitempty"`
	// SignsInAt is the identity provider where its owner has to sign in, by
	// that or by a domain; absent where they sign in here.
	SignsInAt string `json:"signs_in_at,omitempty"`
	Disabled  bool   `json:"disabled"`
	// Locked is when the owner said "This wasn't me".
	Locked      time.Time `json:"locked,omitzero"`
	HasPassword bool      `json:"has_password"`
	Created     time.Time `json:"created"`
	LastSignIn  time.Time `json:"last_sign_in,omitzero"`
	// PasswordHash is filled by an export that asked for it.
	PasswordHash string `json:"password_hash,omitempty"`
}

// view is an account as operators see it, under this configuration.
func (o *operation) view(a account.Account) accountView {
	return accountView{
		ID: string(a.ID), Name: a.Name, Email: a.Email, DisplayName: a.DisplayName, Groups: given(a.Groups),
		Provider: a.Provider, SignsInAt: o.signsInAt(a), Disabled: a.Disabled, Locked: a.Locked.UTC(), HasPassword: !a.PasswordHash.IsZero(),
		Created: a.Created.UTC(), LastSignIn: a.LastSignIn.UTC(),
	}
}

// given is a list as JSON shows it: an empty one is [] and not null.
func given(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// factorView is a second factor without its secret.
type factorView struct {
	Kind     string    `json:"kind"`
	Label    string    `json:"label,omitempty"`
	Ending   string    `json:"ending,omitempty"`    // the last two digits of a phone
	CallOnly bool      `json:"call_only,omitempty"` // a phone that gets no texts
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used,omitzero"`
	Left     *int      `json:"left,omitempty"` // of a set of backup codes
	Failures int       `json:"failures"`
	Locked   bool      `json:"locked"`
}

// accountDetail is what `account show` tells.
type accountDetail struct {
	accountView
	// Identities are who the person is to providers, where they signed in.
	Identities []identityView `json:"identities"`
	Factors    []factorView   `json:"factors"`
	Sessions   []sessionView  `json:"sessions"`
}

// identityView is a person as an identity provider names them.
type identityView struct {
	Entity string `json:"entity_id"`
	NameID string `json:"name_id"`
}

// changed is what a call about one account gives.
type changed struct {
	Account accountView `json:"account"`
	Link    *linkView   `json:"link,omitempty"`
	// SignIn is where the person signs in, for an account that has just been
	// given to a provider, or belongs to one and was just made.
	SignIn string `json:"sign_in,omitempty"`
}

// linkView is a one-time link; it is shown here and nowhere else.
type linkView struct {
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}
