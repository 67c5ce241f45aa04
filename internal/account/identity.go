package account

// Identity is who somebody is at an identity provider. It is the pair alone
// that names a person: an e-mail address or a name that a provider asserts
// never does (SECURITY R71).
type Identity struct {
	// Entity is the provider's entity ID (SAML Core section 8.3.6), at most
	// 1024 bytes. It is not the name that the configuration gives the
	// provider: another provider under that name has other people.
	Entity string
	// NameID is the provider's own name for the person, exactly as it was
	// asserted, at most 1024 bytes.
	NameID string
}
