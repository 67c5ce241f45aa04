package caddymodule

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// providers are a configuration's identity providers. Each keeps its metadata
// up to date while the configuration is in force; the last good copy is in the
// database, so that a reload or a restart does not need the provider.
type providers struct {
	engine *engine
	log    *slog.Logger
	byName map[string]*provider
	order  []string // of the configuration

	cancel context.CancelFunc
	done   sync.WaitGroup
}

type provider struct {
	sp     samlsp.SP
	rules  samlsp.Rules
	source *samlsp.Source
}

func (a *App) newProviders() *providers {
	p := &providers{engine: a.engine, log: a.log, byName: map[string]*provider{}}
	client := samlsp.NewClient(nil)
	for i := range a.SAML {
		s := &a.SAML[i]
		p.order = append(p.order, s.Name)
		p.byName[s.Name] = &provider{
			sp: a.samlSP(s), rules: s.rules(),
			source: &samlsp.Source{
				Provider: s.Name, Location: s.Metadata, Every: time.Duration(s.Refresh),
				Client: client, Saved: a.engine.durable, Witness: p, Now: time.Now,
			},
		}
	}
	return p
}

// start begins to look at the metadata as soon as the stores are there.
func (p *providers) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	for _, one := range p.byName {
		p.done.Go(func() {
			if p.engine.waitReady(ctx) {
				one.source.Run(ctx)
			}
		})
	}
}

// stop ends what start began, and waits for it. It is safe without start.
func (p *providers) stop() {
	if p.cancel != nil {
		p.cancel()
	}
	p.done.Wait()
	for name := range p.byName {
		if !started.measures(p, name) {
			p.engine.metrics.certificate.DeleteLabelValues(name)
		}
	}
}

// waitReady waits until the engine serves; false when the context ended first.
func (e *engine) waitReady(ctx context.Context) bool {
	for !e.ready.Load() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return ctx.Err() == nil
}

// firstLook is how long a request waits for metadata that nobody has looked at
// yet.
const firstLook = 2 * time.Second

// Provider implements web.Providers. What we are to the provider is filled
// beside an error too: it may need that before we know it.
func (p *providers) Provider(ctx context.Context, name string) (samlsp.Provider, error) {
	one, ok := p.byName[name]
	if !ok {
		return samlsp.Provider{}, account.ErrNotFound
	}
	found := samlsp.Provider{Name: name, SP: one.sp, Rules: one.rules}
	keys := p.engine.keys.Load()
	if keys == nil {
		return found, errNotReady
	}
	found.Keys = samlsp.Keys{Signing: samlKeys(keys.ring.SAMLSigningKeys()), Decryption: samlKeys(keys.ring.SAMLDecryptionKeys())}
	if len(found.Keys.Signing) == 0 {
		return found, errors.Join(samlsp.ErrNoKey, session.ErrUnavailable)
	}
	if found.IdP, ok = one.source.Current(); !ok {
		patient, cancel := context.WithTimeout(ctx, firstLook)
		one.source.First(patient)
		cancel()
		found.IdP, ok = one.source.Current()
	}
	if !ok {
		return found, errors.Join(fmt.Errorf("the metadata of provider %s is not known: `sallyport saml check %s` says why", name, name), session.ErrUnavailable)
	}
	if other := p.twin(name); other != "" {
		return found, errors.Join(fmt.Errorf("provider %s says that it is %s, and so does provider %s: only one of them can be", name, found.IdP.EntityID, other), session.ErrUnavailable)
	}
	return found, nil
}

// twin is a provider that the configuration lists earlier and that has the same
// entity ID, "" for none. Identities are of an entity, so nobody else is to
// make them under its name.
func (p *providers) twin(name string) string {
	idp, ok := p.byName[name].source.Current()
	for _, other := range p.order {
		if other == name || !ok {
			break
		}
		if theirs, known := p.byName[other].source.Current(); known && theirs.EntityID == idp.EntityID {
			return other
		}
	}
	return ""
}

func samlKeys(ring []keyring.SAMLKey) (out []samlsp.Key) {
	for _, k := range ring {
		out = append(out, samlsp.Key{Private: k.Private(), Certificate: k.Certificate})
	}
	return out
}

// MetadataChanged implements samlsp.Witness.
func (p *providers) MetadataChanged(ctx context.Context, name, detail string) {
	p.log.Info("the metadata of an identity provider was taken over", "provider", name, "detail", detail)
	p.engine.Record(ctx, audit.Event{Time: time.Now(), Name: audit.MetadataChanged, Method: name, Reason: detail})
}

// MetadataRefused implements samlsp.Witness.
func (p *providers) MetadataRefused(ctx context.Context, name string, err error) {
	p.log.Error("the metadata of an identity provider cannot be had or used; the last good copy stays, if there is one",
		"provider", name, "error", err.Error())
	p.engine.Record(ctx, audit.Event{Time: time.Now(), Name: audit.MetadataRefused, Method: name, Reason: err.Error()})
}

// MetadataKnown implements samlsp.Witness.
func (p *providers) MetadataKnown(name string, idp samlsp.IdP, known bool) {
	days := 0.0
	if known {
		days = idp.DaysLeft(time.Now())
	}
	p.engine.metrics.certificate.WithLabelValues(name).Set(days)
}

// CertificateExpires implements samlsp.Witness.
func (p *providers) CertificateExpires(ctx context.Context, name string, c *x509.Certificate, days int) {
	detail := fmt.Sprintf("%s ends %s, within %d days", c.Subject.CommonName, c.NotAfter.UTC().Format(time.RFC3339), days)
	p.log.Warn("a certificate of an identity provider ends soon: people cannot sign in there afterwards, unless its metadata has a newer one",
		"provider", name, "detail", detail)
	p.engine.Record(ctx, audit.Event{Time: time.Now(), Name: audit.CertificateExpires, Method: name, Reason: detail})
}

var (
	_ web.Providers  = (*providers)(nil)
	_ samlsp.Witness = (*providers)(nil)
)
