package access

import (
	"net/http"
	"slices"
	"strings"

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

// KeyReaches reports whether a key's scope includes a request, by every one of
// the Methods that it may have. A path that could mean several things is within
// no list of paths.
func KeyReaches(s account.KeyScope, host string, methods []string, escapedPath string) bool {
	if !s.Host(host) || slices.ContainsFunc(methods, func(m string) bool { return !s.Method(m) }) {
		return false
	}
	if len(s.Paths) == 0 {
		return true
	}
	path, _ := unescape(escapedPath)
	return !Ambiguous(escapedPath) && s.Path(path)
}

// methodHeaders are those that frameworks read another method from: Rails,
// Symfony, Laravel and Express the first, OData and ASP.NET the others.
var methodHeaders = []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"}

// Methods are what apps may take for a request's method: its own, and what its
// header says in place of it.
func Methods(r *http.Request) []string {
	methods := []string{r.Method}
	for key, lines := range r.Header {
		if !named(key, methodHeaders) {
			continue
		}
		for _, line := range lines {
			methods = append(methods, strings.ToUpper(strings.TrimSpace(line)))
		}
	}
	return methods
}
