package caddymodule

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/notify"
)

// checkMailServer: an address without credentials, which belong in the block
// where a placeholder keeps them out of the JSON.
func checkMailServer(s string) string {
	const example = "smtp://mail.example.com or smtps://mail.example.com"
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" {
		return fmt.Sprintf("%s is not the address of a mail server; write one like %s, or `mail outbox`", redacted(s), example)
	}
	if u.User != nil {
		return "the address holds a user name or password; write them as `username` and `password` in the block"
	}
	bare := u.Scheme + "://" + u.Host
	if u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#") {
		return fmt.Sprintf("%q has more than host and port; write %s", s, bare)
	}
	if n, err := strconv.Atoi(u.Port()); strings.HasSuffix(u.Host, ":") || u.Port() != "" && (err != nil || n < 1 || n > 65535) {
		return fmt.Sprintf("%q has no good port; write one like %s://%s:%d", s, u.Scheme, u.Hostname(), mailPort(u.Scheme))
	}
	return checkHostname(u.Hostname())
}

// checkMailFrom: whom e-mails are from.
func checkMailFrom(s string) string {
	if problem := notify.CheckMailbox(s); problem != "" {
		return strconv.Quote(s) + " " + problem
	}
	return ""
}

func (m *Mail) faults(f *finder) {
	if m.Server == "" {
		if *m != (Mail{Outbox: m.Outbox}) {
			f.fault("mail", "has settings of a mail server and no server; write `mail smtp://mail.example.com { … }`")
		}
		return
	}
	if m.Outbox != "" {
		f.fault("mail", "is a mail server and an outbox; write one of them")
	}
	f.check("mail", m.Server, checkMailServer)
	f.check("mail.from", m.From, checkMailFrom)
	f.check("mail.starttls", m.StartTLS, oneOf(startTLSRequired, startTLSOff))
	if m.Timeout <= 0 {
		f.positive("mail.timeout", m.Timeout)
	}
	m.gaps(f)
}

// gaps finds what is missing, and what does not go together. The Caddyfile
// parser asks too, with its own finder.
func (m *Mail) gaps(f *finder) {
	if m.From == "" {
		f.fault("mail.from", "is missing; write whom e-mails are from, like `from it@example.com`")
	}
	switch {
	case m.Username != "" && m.Password == "":
		f.fault("mail.username", "there is no password for it, or an empty one; write `password {file./run/secrets/mail}`, and see that the file is there")
	case m.Username == "" && m.Password != "":
		f.fault("mail.password", "there is no user name for it; write `username <text>` as well")
	}
	u, err := url.Parse(m.Server)
	switch {
	case err != nil || isPlaceholder(m.Server) || m.StartTLS == "": // told of, or not known yet
	case u.Scheme == "smtps":
		f.fault("mail.starttls", "`smtps` is TLS from the first byte; leave this out, or write smtp:// for STARTTLS")
	case m.StartTLS == startTLSOff && m.Username != "" && !isLoopback(u.Hostname()):
		f.fault("mail.starttls", "user name and password would go to %s in clear; leave `starttls off` out", u.Hostname())
	}
	if d := time.Duration(m.Timeout); d > 0 && (d < leastMailTime || d > mostMailTime) {
		f.fault("mail.timeout", "%s is not from 1s to 5m; write a time like 10s", timeText(m.Timeout))
	}
}

// startsInClear reports whether STARTTLS is to be asked about.
func (m *Mail) startsInClear() bool {
	return strings.HasPrefix(strings.ToLower(m.Server), "smtp://")
}

// mailPort is where servers take mail from programs: RFC 8314 section 7.3.
func mailPort(scheme string) int {
	if scheme == "smtps" {
		return 465
	}
	return 587
}
