package caddymodule

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// TestTwoProvidersOfOneEntity: T92. Identities are of an entity; of two that
// say that they are one, only the first of the configuration is believed.
func TestTwoProvidersOfOneEntity(t *testing.T) {
	idp := newIdP(t, "https://idp.test/metadata")
	file := write(t, filepath.Join(t.TempDir(), "idp.xml"), idp.Metadata(withoutLogout))
	g := startCommanded(t, "portal "+samlPortal, "saml zed {\nmetadata "+file+"\n}", "saml abc {\nmetadata "+file+"\n}")
	p := started.current().providers
	if _, err := p.Provider(t.Context(), "zed"); err != nil {
		t.Errorf("the first: %v", err)
	}
	if _, err := p.Provider(t.Context(), "abc"); !errors.Is(err, session.ErrUnavailable) || !strings.Contains(err.Error(), "so does provider zed") {
		t.Errorf("the second: %v", err)
	}
	r := g.run("", "saml", "check", "abc")
	if r.code != 1 || !strings.Contains(r.out, "the provider zed has the same entity ID") {
		t.Errorf("%d %s", r.code, r.out)
	}
}
