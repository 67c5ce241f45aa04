package caddymodule

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/access"
	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/pages"
)

// settle derives, once all guards are known, what a sign-in needs that no app
// began, and whether a second factor may be turned off: only where no rule
// asks for one.
func (a *App) settle() {
	lowest, highest := session.LevelSecondFactor, session.LevelNone
	for _, g := range a.guards {
		for _, o := range append(g.allOptions(), g.site) {
			level := o.Level()
			if o.Provider != "" { // a provider's sign-in is a full one
				level = session.LevelSecondFactor
			}
			lowest, highest = min(lowest, level), max(highest, level)
		}
	}
	a.machine.Settings.PortalNeeds = lowest
	a.machine.Settings.MayTurnOff = highest == session.LevelPassword
}

// Open lists the apps that a person may open from where they are, for the
// portal's home: signed in at that provider, "" for here. Apps that want
// another provider are nothing to them. Sites with a wildcard have no address
// to link to.
func (a *App) Open(of account.Account, provider string, client netip.Addr) []pages.App {
	now := time.Now()
	v := access.Visitor{
		Person: access.Person{Name: of.Name, Email: of.Email, Groups: of.Groups, Provider: provider},
		Level:  session.LevelSecondFactor, PasswordAt: now, FactorAt: now, // what is missing, they are asked for
		Client: client, Now: now,
	}
	var apps []pages.App
	for _, g := range a.guards {
		if !g.site.Decide(v).Allowed {
			continue
		}
		for _, h := range g.hosts {
			if strings.Contains(h, "*") {
				continue
			}
			name := g.Title
			if name == "" {
				name = firstLabel(h)
			}
			apps = append(apps, pages.App{Name: name, URL: a.appAddress(h)})
		}
	}
	return apps
}

// appAddress is where an app's host is opened. Without a portal of its own the
// page is on that very host; with one, apps are reached by the scheme and
// port that it is.
func (a *App) appAddress(host string) string {
	u, err := url.Parse(a.Portal)
	if err != nil || a.Portal == "" {
		return "/"
	}
	if port := u.Port(); port != "" {
		host = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	return u.Scheme + "://" + host + "/"
}
