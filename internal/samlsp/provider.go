package samlsp

import (
	"crypto/rsa"
	"crypto/x509"
)

// Provider is one identity provider as its messages are judged and ours to it
// are made. It is a value made for one request: what the provider's metadata
// says now, and the keys that we have now.
type Provider struct {
	Name  string // in the configuration
	SP    SP
	IdP   IdP
	Keys  Keys
	Rules Rules
}

// Keys are ours towards providers.
type Keys struct {
	// Signing signs what we send; the first one is used.
	Signing []Key
	// Decryption opens what is encrypted for us.
	Decryption []Key
}

// Key is a private key with the certificate that we publish of it. It prints
// as [redacted].
type Key struct {
	Private     *rsa.PrivateKey
	Certificate *x509.Certificate
}

// String implements fmt.Stringer.
func (Key) String() string { return "[redacted]" }

// GoString implements fmt.GoStringer.
func (Key) GoString() string { return "[redacted]" }

// MarshalJSON keeps a key out of JSON.
func (Key) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }
