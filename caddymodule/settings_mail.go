package caddymodule

import (
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sallyport-auth/sallyport/internal/notify"
)

// Mail is how people get e-mails: about what happens to their account, and
// with links by which they get in again.
type Mail struct {
	// The mail server that takes them, `smtp://host[:port]` or, with TLS from
	// the first byte, `smtps://host[:port]`. Without a port it is 587 or 465,
	// where servers take mail from programs (RFC 6409, RFC 8314); a relay of
	// your own network may want 25. Default: none, so that e-mails are only
	// written to files.
	Server string `json:"server,omitempty"`

	// The folder of those files. Whoever can read them can use the links in
	// them. Default: `sallyport/mail` below Caddy's data directory.
	Outbox string `json:"outbox,omitempty"`

	// Whom e-mails are from: an address, or a name and an address as
	// `Example Inc. <it@example.com>`. Without a name it is that of `name`.
	// Needed with a server.
	From string `json:"from,omitempty"`

	// Who we are to the server, and the password: write `{env.X}` or
	// `{file./run/secrets/mail}`. Default: none.
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`

	// `required`: with `smtp`, nothing is said before the connection has
	// turned to TLS. `off`: it never does, and links can be read on their way;
	// for a server on this machine. Default: `required`.
	StartTLS string `json:"starttls,omitempty"`

	// How long handing over one e-mail may take, from 1s to 5m. One that the
	// server takes later than that may arrive twice. Default: 10s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

// What `starttls` may be.
const (
	startTLSRequired = "required"
	startTLSOff      = "off"
)

func (m *Mail) setDefaults(dataDir string) {
	if m.Server == "" {
		or(&m.Outbox, filepath.Join(dataDir, "sallyport", "mail"))
		return
	}
	if m.startsInClear() {
		or(&m.StartTLS, startTLSRequired)
	}
	or(&m.Timeout, caddy.Duration(notify.DefaultMailTimeout))
}

func (m *Mail) resolve(r *resolver) {
	r.text("mail", &m.Server)
	r.text("mail", &m.Outbox)
	r.text("mail.from", &m.From)
	r.text("mail.username", &m.Username)
	r.text("mail.password", &m.Password)
}

const (
	leastMailTime = time.Second
	// mostMailTime is what RFC 5321 section 4.5.3.2 has clients wait for most
	// answers.
	mostMailTime = 5 * time.Minute
)
