// Package assertion writes the identity assertion that apps receive beside the
// Remote-* headers: a JSON Web Token (RFC 7519) signed with ES256 (RFC 7518
// section 3.4), and the key set by which apps check it (RFC 7517 section 5).
//
// It knows neither requests nor sessions, and of a key no more than that it
// signs. docs/assertion.md tells apps what is in the token.
package assertion

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// Header is the request header that carries an assertion to the app.
const Header = "Sallyport-Assertion"

const (
	// Life is how long an assertion is good (SPEC A3).
	Life = 5 * time.Minute
	// RenewBefore is what an assertion must still have to be sent again.
	RenewBefore = 2 * time.Minute
	// maxPayload bounds the payload as it is sent, in base64: where it would be
	// longer the groups are omitted. Many servers refuse a header line of more
	// than 8 KiB.
	maxPayload = 7 << 10
)

// Identity is what an assertion says, for one person at one app.
type Identity struct {
	// Issuer is the origin of the portal, or of the app's host where that is
	// the portal.
	Issuer string
	// Audience is the app's host, with the port where it is not the scheme's
	// own.
	Audience string
	// Subject is the account's id, which never changes.
	Subject string
	// Username is the account's name, Name the person's.
	Username, Name, Email string
	// Groups are the account's. Of these the token has, each once, those with
	// a proper name (account.ValidGroup).
	Groups []string
	// AMR lists how the person was authenticated (RFC 8176).
	AMR []string
	// AuthTime is when the latest of these was proved; zero: not said.
	AuthTime time.Time
	// Ends is when what the identity stands on ends, the session for one. No
	// assertion outlives it; zero: it does not end.
	Ends time.Time
}

// claims is the token's payload. Times are in seconds (RFC 7519 section 2).
type claims struct {
	Issuer   string   `json:"iss"`
	Audience string   `json:"aud"`
	Subject  string   `json:"sub"`
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	ID       string   `json:"jti"`
	AuthTime int64    `json:"auth_time,omitempty"`
	AMR      []string `json:"amr"`
	Username string   `json:"preferred_username"`
	Name     string   `json:"name,omitempty"`
	Email    string   `json:"email,omitempty"`
	// Groups is absent, and GroupsOmitted true, where they do not fit. A part of
	// them would look like all.
	Groups        []string `json:"groups,omitzero"`
	GroupsOmitted bool     `json:"groups_omitted,omitempty"`
}

// Sign makes an assertion of an identity, and says when it ends.
func (k *Keys) Sign(of Identity, now time.Time) (text string, expires time.Time, err error) {
	expires = now.Add(Life)
	if !of.Ends.IsZero() && of.Ends.Before(expires) {
		expires = of.Ends
	}
	expires = expires.Truncate(time.Second)
	c := claims{
		Issuer: of.Issuer, Audience: of.Audience, Subject: of.Subject,
		IssuedAt: now.Unix(), Expires: expires.Unix(), ID: secret.Token(16).Reveal(),
		AMR:      append([]string{}, of.AMR...),
		Username: of.Username, Name: of.Name, Email: of.Email,
	}
	if !of.AuthTime.IsZero() {
		c.AuthTime = of.AuthTime.Unix()
	}
	payload, err := c.payload(of.Groups)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("write assertion: %w", err)
	}
	signed, err := k.signer.Sign(payload)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign assertion: %w", err)
	}
	text, err = signed.CompactSerialize()
	if err != nil {
		return "", time.Time{}, fmt.Errorf("write assertion: %w", err)
	}
	return text, expires, nil
}

// payload is the claims as JSON, with the groups if they fit.
func (c *claims) payload(groups []string) ([]byte, error) {
	kept, _ := account.SplitGroups(groups)
	c.Groups = append([]string{}, kept...) // not nil: that would say that they are omitted
	text, err := json.Marshal(c)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(text)) <= maxPayload {
		return text, err
	}
	c.Groups, c.GroupsOmitted = nil, true
	return json.Marshal(c)
}

// same reports whether two identities say the same, for as long.
func (i *Identity) same(other *Identity) bool {
	return i.Issuer == other.Issuer && i.Audience == other.Audience && i.Subject == other.Subject &&
		i.Username == other.Username && i.Name == other.Name && i.Email == other.Email &&
		i.AuthTime.Equal(other.AuthTime) && i.Ends.Equal(other.Ends) &&
		slices.Equal(i.AMR, other.AMR) && slices.Equal(i.Groups, other.Groups)
}
