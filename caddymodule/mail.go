package caddymodule

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// openMail makes the mailer of settings without faults, and whom its mails are
// from. It asks nobody anything and makes no folder.
func (a *App) openMail() error {
	m := a.Mail
	if m.Server == "" {
		a.mailer = notify.NewMailOutbox(m.Outbox, a.log)
		a.mailFrom = notify.Mailbox(a.Name, "sallyport@"+mailDomain(a.Portal))
		return nil
	}
	u, err := url.Parse(m.Server)
	if err != nil {
		return fmt.Errorf("mail: the server's address cannot be read")
	}
	c := notify.SMTPConfig{
		Host: u.Hostname(), Port: mailPort(u.Scheme), Username: m.Username, Password: secret.New(m.Password), Timeout: time.Duration(m.Timeout),
	}
	if u.Port() != "" {
		if c.Port, err = strconv.Atoi(u.Port()); err != nil {
			return fmt.Errorf("mail: %q is not a port", u.Port())
		}
	}
	switch {
	case u.Scheme == "smtps":
		c.Security = notify.ImplicitTLS
	case m.StartTLS == startTLSOff:
		c.Security = notify.NoTLS
	}
	a.mailer, a.mailFrom = notify.NewSMTP(c), m.From
	if !strings.Contains(m.From, "<") {
		a.mailFrom = notify.Mailbox(a.Name, m.From)
	}
	return nil
}

// mailDomain is where mails in an outbox are from: nobody can answer them.
func mailDomain(portal string) string {
	u, err := url.Parse(portal)
	if err != nil || u.Hostname() == "" {
		return "localhost"
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return "localhost"
	}
	return u.Hostname()
}

// warnMail tells of e-mails that nobody gets, or that others can read.
func (a *App) warnMail() {
	portal, err := url.Parse(a.Portal)
	if err == nil && a.Mail.Server == "" && portal.Hostname() != "" && !isLoopback(portal.Hostname()) {
		a.log.Warn("e-mails are only written to " + a.Mail.Outbox + ", and nobody gets them: write `mail smtp://mail.example.com { from it@example.com }`")
	}
	server, err := url.Parse(a.Mail.Server)
	if err == nil && a.Mail.StartTLS == startTLSOff && !isLoopback(server.Hostname()) {
		a.log.Warn("`starttls off`: on their way to " + server.Hostname() + " everybody can read e-mails and use the links in them")
	}
}
