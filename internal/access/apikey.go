package access

import (
	"slices"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// AsksForKeys reports whether any of the options takes API keys: then one that
// is shown decides, and never reaches the app.
func AsksForKeys(all []Options) bool {
	return slices.ContainsFunc(all, func(o Options) bool { return o.APIKeys })
}

// DecideKey tells whether the owner of an API key may pass by it: where every
// one of the options takes keys, and its owner may pass from where it is shown,
// as strongly as anybody proves themselves (SPEC J). v.Provider is the identity
// provider that the owner belongs to.
func DecideKey(all []Options, v Visitor) Decision {
	for _, o := range all {
		if !o.opensByKey() {
			return Decision{Denied: DeniedPerson}
		}
	}
	v.Level = session.LevelSecondFactor
	return DecideAll(all, v)
}

// opensByKey: what asks for a person's proof of today is never open to a key.
func (o Options) opensByKey() bool { return o.APIKeys && o.Reauthenticate == 0 }

// KeyReaches reports whether a key's scope includes a request. A path that
// could mean several things is within no list of paths.
func KeyReaches(s account.KeyScope, host, method, escapedPath string) bool {
	if !s.Host(host) || !s.Method(method) {
		return false
	}
	if len(s.Paths) == 0 {
		return true
	}
	path, _ := unescape(escapedPath)
	return !Ambiguous(escapedPath) && s.Path(path)
}
