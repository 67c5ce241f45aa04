package caddymodule

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// samlConfig are the identity providers of a configuration file, for a command
// that speaks to no running Sallyport.
type samlConfig struct {
	app *App
	// keys is the key ring's file, keysErr why it is not known.
	keys    string
	keysErr error
}

// samlConfig reads the configuration as the running Sallyport would, as far as
// identity providers need it.
func (f *adminFlags) samlConfig() (samlConfig, error) {
	var said struct {
		Apps struct {
			Sallyport *App `json:"sallyport"`
		} `json:"apps"`
	}
	if err := f.decodeConfig(&said); err != nil {
		return samlConfig{}, err
	}
	a := said.Apps.Sallyport
	if a == nil || len(a.SAML) == 0 {
		return samlConfig{}, usageError("no configuration with `saml` was found: say --config, or run this in the folder of its Caddyfile")
	}
	find := &finder{under: "sallyport", source: a.Source}
	r := &resolver{repl: caddy.NewReplacer(), find: find}
	r.text("portal", &a.Portal)
	a.resolveSAML(r)
	a.setSAMLDefaults()
	if a.samlFaults(find); len(find.faults) > 0 {
		return samlConfig{}, usageError("the configuration: %w", find.faults)
	}
	config := samlConfig{app: a, keys: f.keys}
	if config.keys == "" {
		config.keys, config.keysErr = keysPlace(a.Keys)
	}
	return config, nil
}

// readKeys gives our keys; the error says why there are none.
func (c samlConfig) readKeys() (samlsp.Keys, error) {
	if c.keysErr != nil {
		return samlsp.Keys{}, c.keysErr
	}
	ring, err := keyring.Load(c.keys)
	if err != nil {
		return samlsp.Keys{}, err
	}
	return samlsp.Keys{Signing: samlKeys(ring.SAMLSigningKeys()), Decryption: samlKeys(ring.SAMLDecryptionKeys())}, nil
}

// addressed finds the provider whose consumer a response was sent to, nil for
// none.
func (c samlConfig) addressed(destination string) *SAML {
	i := slices.IndexFunc(c.app.SAML, func(s SAML) bool { return c.app.samlAddress(s.Name, "acs") == destination })
	if i < 0 {
		return nil
	}
	return &c.app.SAML[i]
}

// metadataAt reads metadata as of a time. Where that finds nothing of use but
// the present does, note says so: the metadata of back then may be gone.
func metadataAt(ctx context.Context, location string, at time.Time) (idp samlsp.IdP, note string, err error) {
	source := samlsp.Source{Location: location, Client: samlsp.NewClient(nil), Now: time.Now}
	document, err := source.Fetch(ctx)
	if err != nil {
		return idp, "", err
	}
	idp, err = samlsp.ParseMetadata(document, at)
	if err == nil {
		return idp, "", nil
	}
	if now, errNow := samlsp.ParseMetadata(document, time.Now()); errNow == nil {
		return now, "As of that time " + withoutPrefix(err) + ".", nil
	}
	return idp, "", err
}

func withoutPrefix(err error) string {
	return "the metadata could not be used: " + strings.TrimPrefix(err.Error(), samlsp.ErrMetadata.Error()+": ")
}

// chosen is the provider that a response is judged by.
type chosen struct {
	settings *SAML
	idp      samlsp.IdP
	notes    []string
}

// choose finds the provider that issued a response: the one that was named, or
// the only one, or the one whose metadata has the issuer's entity ID, or the
// one at whose address the response was to arrive. metadata is a file in place
// of the configured one, "" for none.
func (c samlConfig) choose(ctx context.Context, facts samlsp.Facts, name, metadata string, at time.Time) (chosen, error) {
	var is chosen
	switch {
	case name != "":
		if is.settings = c.app.samlNamed(name); is.settings == nil {
			return is, usageError("%s", c.app.noProvider(name))
		}
	case len(c.app.SAML) == 1:
		is.settings = &c.app.SAML[0]
	case metadata != "":
		is.settings = c.addressed(facts.Destination)
	default:
		if found := c.issuer(ctx, facts, at, &is); found {
			return is, nil
		}
		is.settings = c.addressed(facts.Destination)
	}
	if is.settings == nil {
		return is, usageError("the issuer %.200q and the destination %.200q are of no configured provider; say --provider, one of: %s",
			harmless(issuerOf(facts)), harmless(facts.Destination), strings.Join(c.app.providerNames(), ", "))
	}
	or(&metadata, is.settings.Metadata)
	idp, note, err := metadataAt(ctx, metadata, at)
	if err != nil {
		return is, refusedError("the metadata of provider %s: %w; say --metadata FILE with a copy", is.settings.Name, err)
	}
	is.idp = idp
	is.note(note)
	return is, nil
}

// issuer looks for the provider with the issuer's entity ID.
func (c samlConfig) issuer(ctx context.Context, facts samlsp.Facts, at time.Time, is *chosen) bool {
	wanted := issuerOf(facts)
	for i := range c.app.SAML {
		s := &c.app.SAML[i]
		idp, note, err := metadataAt(ctx, s.Metadata, at)
		if err != nil {
			is.note("The metadata of provider " + s.Name + " was not looked at: " + err.Error() + ".")
			continue
		}
		if wanted != "" && idp.EntityID == wanted {
			is.settings, is.idp, is.notes = s, idp, nil
			is.note(note)
			return true
		}
	}
	return false
}

func (c *chosen) note(text string) {
	if text != "" {
		c.notes = append(c.notes, text)
	}
}

func issuerOf(f samlsp.Facts) string {
	if f.Issuer == "" && f.Assertion != nil {
		return f.Assertion.Issuer
	}
	return f.Issuer
}

// errNoInstant: a response that does not say when it was made.
var errNoInstant = errors.New("the response has no IssueInstant that is a time in UTC; say --at with a time")
