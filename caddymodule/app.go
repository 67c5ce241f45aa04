package caddymodule

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/web"
	"github.com/sallyport-auth/sallyport/pages"
)

// engines outlive configurations; the last one to let go ends it.
var engines = caddy.NewUsagePool()

// Provision fills defaults, checks, and takes hold of an engine. It dials
// nothing and makes no file: it also runs under `caddy validate`.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.log = ctx, ctx.Slogger()
	a.place = sync.OnceValue(a.findPlaces)
	faults := a.readSenders()
	literals := a.literals() // before placeholders become what they stand for
	a.unresolved = a.resolve(caddy.NewReplacer())
	a.setDefaults(caddy.AppDataDir())
	if faults = append(faults, a.Faults()...); len(faults) > 0 {
		return append(faults, a.unresolved...)
	}
	a.warn(literals)
	foreign, err := a.foreignSenders(ctx)
	if err != nil {
		return err
	}
	if err := a.checkPlaces(); err != nil {
		return err
	}
	if len(a.unresolved) > 0 {
		return nil // `caddy validate` may lack the service's environment: Start refuses
	}
	if err := a.openMail(); err != nil {
		return err
	}
	set, err := pages.New(pages.Brand{Name: a.Name, Support: a.Support})
	if err != nil {
		return err
	}
	key, err := a.engineKey()
	if err != nil {
		return err
	}
	held, _, err := engines.LoadOrNew(key, func() (caddy.Destructor, error) { return a.newEngine() })
	if err != nil {
		return err
	}
	a.release = append(a.release, func() error { _, err := engines.Delete(key); return err })
	a.engine = held.(*engine)
	if err := a.engine.metrics.register(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	a.provision(set, foreign)
	return nil
}

// warn tells of what works and is not good.
func (a *App) warn(literals Faults) {
	if a.Support == "" {
		a.log.Warn("`support` is not set: pages tell people to ask \"your administrator\"")
	}
	a.warnMail()
	for _, f := range literals {
		if f.Where == "" { // the Caddyfile adapter has told of the others
			a.log.Warn(f.String())
		}
	}
}

// provision puts together what this configuration's handlers use.
func (a *App) provision(set *pages.Set, foreign map[string]Sender) {
	e := a.engine
	a.machine = &login.Machine{
		Stores: e.stores(), Keys: e, Audit: e, Gate: gateOf(a.parallel()), Settings: a.loginSettings(), Now: time.Now,
		KeyUseLost: func(err error) { a.log.Warn("the use of an API key was not noted", "error", err.Error()) },
	}
	a.web = &web.Portal{
		Config: web.Config{
			Origin: a.Portal, Combined: a.combinedSignIn(), Service: a.Name,
			Language: a.Language, SessionLife: time.Duration(a.Session.Lifetime),
		},
		Machine: a.machine, Reader: e.reader, Tickets: e.short, Hosts: e.hosts, Apps: a,
		Pages: set, Audit: e, Log: a.log, Keys: e.webKeys,
	}
	if a.Portal == "" {
		a.web.Config.Base = web.OwnPrefix
	}
	if a.Phone != nil {
		p := a.newPhones(set, a.openSenders(foreign))
		a.machine.Phones, a.web.Hooks = p, p
		p.warn(a.senders)
	}
	if len(a.SAML) > 0 {
		a.providers = a.newProviders()
		a.web.Providers = a.providers
	}
}

// loginSettings are the configuration's numbers as internal/login takes them.
func (a *App) loginSettings() login.Settings {
	limit := func(w Window) login.Limit { return login.Limit{N: w.N, Window: time.Duration(w.Window)} }
	l := login.Limits{
		PasswordAccount: limit(a.Limits.PasswordAccount), PasswordUnknown: limit(a.Limits.PasswordUnknown),
		PasswordNetwork: limit(a.Limits.PasswordNetwork), Factor: limit(a.Limits.Factor),
		FactorHard: a.Limits.FactorHard, Forms: limit(a.Limits.Forms),
		SendWait: time.Duration(a.Limits.SendWait), SendHour: a.Limits.SendHour, SendDay: a.Limits.SendDay,
		SendNetwork: limit(a.Limits.SendNetwork),
	}
	codes := login.DefaultPhone()
	l.DailyCap = login.DefaultLimits().DailyCap
	if p := a.Phone; p != nil {
		l.DailyCap = p.DailyCap
		codes = login.PhoneSettings{
			Rules:    phone.Rules{Countries: p.Countries, DefaultRegion: p.DefaultRegion},
			CodeLife: time.Duration(p.CodeLifetime), CodeTries: p.CodeTries,
		}
	}
	// Each filled window doubles the next wait, to six windows at most: with
	// the default of ten minutes, 10, 20, 40, 60 (SPEC G1).
	l.Factor.DoubleTo = 6 * l.Factor.Window
	settings := login.Settings{
		Limits:      l,
		Password:    a.params(),
		MinLength:   a.Password.MinLength,
		SessionLife: time.Duration(a.Session.Lifetime), SessionIdle: time.Duration(a.Session.Idle),
		Reauthenticate: time.Duration(a.Session.Reauthenticate), TrustBrowser: time.Duration(a.Session.TrustBrowser),
		EnrolByLink: a.Enrolment == "link",
		Service:     a.Name,
		Phone:       codes,
	}
	a.samlLogin(&settings)
	return settings
}

func (a *App) params() factor.Params {
	p := a.Password.Argon2id
	return factor.Params{MemoryKiB: uint32(p.Memory >> 10), Passes: p.Passes, Threads: p.Threads}
}

// engineKey names the engine that these settings need: the same stores and
// keys share one, whatever else changes. A hash, since settings hold secrets.
func (a *App) engineKey() (string, error) {
	return settingsKey(a.Database, a.Sessions, a.Sessions.File, a.Keys)
}

func settingsKey(settings ...any) (string, error) {
	b, err := json.Marshal(settings)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(b)), nil
}

// Start opens the stores, tells every guard its hosts and lets them serve. An
// unreachable store is no reason to fail: requests get 503 until it is there.
func (a *App) Start() error {
	if err := a.place(); err != nil {
		return err
	}
	a.engine.logs.set(a, a.log)
	if len(a.SAML) > 0 {
		if err := a.engine.ensureSAMLKeys(a.Sessions.Engine == EngineEmbedded); err != nil {
			return err
		}
	}
	if err := a.engine.start(); err != nil {
		return err
	}
	if a.providers != nil {
		a.providers.start()
	}
	a.engine.hosts.set(a, a.protected)
	a.engine.retention.Store(int64(a.Audit.Retention))
	started.add(a) // for admin calls
	return nil
}

// Stop only announces: apps stop in no order, and handlers may still be
// serving.
func (a *App) Stop() error { return nil }

// Cleanup gives back what Provision took, and nothing else: Caddy calls it
// for refused configurations too.
func (a *App) Cleanup() error {
	if a.engine != nil {
		a.engine.hosts.set(a, nil)
		a.engine.logs.set(a, nil)
	}
	if a.providers != nil {
		a.providers.stop() // before the stores go
	}
	var failed error
	for _, release := range a.release {
		if err := release(); err != nil {
			failed = err
		}
	}
	a.release = nil
	return failed
}

// appRuntime is what Provision makes.
type appRuntime struct {
	ctx     caddy.Context
	log     *slog.Logger
	engine  *engine
	machine *login.Machine
	web     *web.Portal
	senders []configured // of the phone settings, in order
	// mailer takes e-mails, each from mailFrom: an address with a name, as
	// notify.Mail.From takes it. Nothing is dialled before the first one.
	mailer   notify.Mailer
	mailFrom string
	// providers are nil without `saml`.
	providers *providers
	release   []func() error
	// place gives every guard its hosts, once. The HTTP app may serve before
	// our Start, in a reload also with the old sessions, so whoever comes
	// first does it: a request or Start.
	place     func() error
	borrowed  []*Guard // every guard that was provisioned
	guards    []*Guard // those that stand in a site, each once
	protected []string // hosts of this node
	// unresolved are placeholders that stand for nothing in this environment.
	unresolved Faults
}

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
