package caddymodule

import (
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/notify"
)

// setDefaults fills in what was not said. dataDir is Caddy's own.
func (a *App) setDefaults(dataDir string) {
	or(&a.Name, "Sallyport")
	or(&a.Layout, "auto")
	or(&a.Language, "en")
	or(&a.Enrolment, "password")
	or(&a.Keys, filepath.Join(dataDir, "sallyport", "keys"))
	a.Database.setDefaults(dataDir)
	a.Sessions.setDefaults(dataDir)
	or(&a.Session.Lifetime, caddy.Duration(24*time.Hour))
	or(&a.Session.Idle, caddy.Duration(time.Hour))
	or(&a.Session.Reauthenticate, caddy.Duration(10*time.Minute))
	or(&a.Password.MinLength, 12)
	or(&a.Password.Argon2id.Memory, 64<<20)
	or(&a.Password.Argon2id.Passes, 3)
	or(&a.Password.Argon2id.Threads, 1)
	a.Limits.setDefaults()
	a.setPhoneDefaults(dataDir)
	a.Mail.setDefaults(dataDir)
	a.setSAMLDefaults()
	or(&a.Audit.Retention, caddy.Duration(400*24*time.Hour))
}

func (d *Database) setDefaults(dataDir string) {
	or(&d.Engine, EngineSQLite)
	if d.Engine == EngineSQLite {
		or(&d.File, filepath.Join(dataDir, "sallyport", "accounts.db"))
		return
	}
	or(&d.MaxConnections, 10)
	or(&d.ConnectTimeout, caddy.Duration(5*time.Second))
}

func (s *Sessions) setDefaults(dataDir string) {
	or(&s.Engine, EngineEmbedded)
	if s.Engine == EngineEmbedded {
		or(&s.File, filepath.Join(dataDir, "sallyport", "sessions.db"))
		return
	}
	if len(s.Addresses) == 0 {
		s.Addresses = []string{"redis://127.0.0.1:6379"}
	}
	or(&s.Mode, "single")
	or(&s.Prefix, "sallyport:")
	or(&s.Timeout, caddy.Duration(500*time.Millisecond))
}

// setDefaults takes the numbers from where the limits are enforced.
func (l *Limits) setDefaults() {
	d := login.DefaultLimits()
	for _, w := range []struct {
		to *Window
		is login.Limit
	}{
		{&l.PasswordAccount, d.PasswordAccount},
		{&l.PasswordUnknown, d.PasswordUnknown},
		{&l.PasswordNetwork, d.PasswordNetwork},
		{&l.Factor, d.Factor},
		{&l.SendNetwork, d.SendNetwork},
		{&l.Forms, d.Forms},
	} {
		or(&w.to.N, w.is.N)
		or(&w.to.Window, caddy.Duration(w.is.Window))
	}
	or(&l.FactorHard, d.FactorHard)
	or(&l.SendWait, caddy.Duration(d.SendWait))
	or(&l.SendHour, d.SendHour)
	or(&l.SendDay, d.SendDay)
}

func (a *App) setPhoneDefaults(dataDir string) {
	if a.Phone == nil {
		return
	}
	d := login.DefaultPhone()
	or(&a.Phone.CodeLifetime, caddy.Duration(d.CodeLife))
	or(&a.Phone.CodeTries, d.CodeTries)
	or(&a.Phone.DailyCap, login.DefaultLimits().DailyCap)
	for _, c := range a.senders {
		if outbox, ok := c.own.(*Outbox); ok {
			or(&outbox.File, filepath.Join(dataDir, "sallyport", "outbox.txt"))
			continue
		}
		if c.own == nil {
			continue
		}
		for _, s := range c.own.settings() {
			if s.time != nil {
				or(s.time, caddy.Duration(notify.DefaultTimeout))
			} else {
				or(s.text, s.fallback)
			}
		}
	}
}

// setDefaults fills in what was not said. The title is the host's first
// label, which only a request tells.
func (g *Guard) setDefaults() {
	or(&g.Require, "second_factor")
	or(&g.Assertion, new(true))
	or(&g.HeaderNames.User, "Remote-User")
	or(&g.HeaderNames.Name, "Remote-Name")
	or(&g.HeaderNames.Email, "Remote-Email")
	or(&g.HeaderNames.Groups, "Remote-Groups")
	or(&g.CORSPreflight, "deny")
}

// or sets what is still zero.
func or[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}
