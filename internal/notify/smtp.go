package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/textproto"
	"strconv"
	"time"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// DefaultMailTimeout bounds the handing over of one mail, from looking up the
// server's name to its answer. Nobody waits for it at a page.
const DefaultMailTimeout = 10 * time.Second

// Security is how the connection to a mail server is kept from being read.
type Security int

const (
	// StartTLS begins in clear and turns to TLS before anything is said
	// (RFC 3207). A server that does not offer it is left: who strips the
	// offer on the way gets nothing.
	StartTLS Security = iota
	// ImplicitTLS is TLS from the first byte (RFC 8314 section 3.3).
	ImplicitTLS
	// NoTLS is for a server on this machine, or on a network of one's own:
	// links in mails can be read on the way.
	NoTLS
)

// SMTPConfig is what a mail server needs.
type SMTPConfig struct {
	Host     string // a name or an address
	Port     int    // 587 for StartTLS and 465 for ImplicitTLS (RFC 8314 section 7.3)
	Security Security
	// Username and Password sign in (RFC 4954) by PLAIN, or by LOGIN where the
	// server has no PLAIN. Without a name nobody signs in. They are never sent
	// without TLS, other than to this machine.
	Username string
	Password secret.Text
	Timeout  time.Duration  // for one mail; 0 means DefaultMailTimeout
	Roots    *x509.CertPool // who may have signed the server's certificate; nil: whom the system trusts
}

// SMTP hands mails to a mail server (RFC 5321), each over a connection of its
// own. It holds nothing that must be closed.
type SMTP struct {
	config SMTPConfig
	tls    *tls.Config
}

var _ Mailer = (*SMTP)(nil)

// NewSMTP makes a mailer of a configuration without faults. It asks nobody
// anything.
func NewSMTP(c SMTPConfig) *SMTP {
	if c.Timeout == 0 {
		c.Timeout = DefaultMailTimeout
	}
	return &SMTP{config: c, tls: &tls.Config{ServerName: c.Host, RootCAs: c.Roots, MinVersion: tls.VersionTLS12}}
}

// Mail implements Mailer.
//
// Maybe is exact: it is set if and only if the whole mail up to its final dot
// went out and no reply to that came back. A reply that comes later than the
// timeout is none. That the connection was left properly afterwards is no
// part of it.
//
// Permanent is set for a 5xx to MAIL, RCPT, DATA or the mail itself, and for a
// mail that cannot be written; not for a server that wants another name,
// password or encryption, which an operator can mend.
func (s *SMTP) Mail(ctx context.Context, m Mail) error {
	l, err := m.write(forServers)
	if err != nil {
		return &Failure{Reason: Rejected, Permanent: true, Detail: err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	return asError(s.handOver(ctx, l))
}

// handOver is one conversation: each step asks, and waits for the answer.
func (s *SMTP) handOver(ctx context.Context, l letter) *Failure {
	conn, err := s.dial(ctx)
	if err != nil {
		return mailFailure(ctx, stepConnect, err)
	}
	defer func() { _ = conn.Close() }()
	// Whatever is waited for, it ends with ctx.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c := &conversation{config: s.config, tls: s.tls, conn: conn, letter: l}
	for _, step := range c.exchanges() {
		if err := step.do(); err != nil {
			failure := mailFailure(ctx, step.name, err)
			failure.Maybe = c.unanswered
			if refused := (*textproto.Error)(nil); errors.As(err, &refused) && stop() {
				c.leave()
			}
			return failure
		}
	}
	if stop() { // else time is over, and nobody is left to say good-bye for
		c.leave()
	}
	return nil
}

// dial makes the connection; its TLS, where it is implicit, comes with the
// greeting.
func (s *SMTP) dial(ctx context.Context) (net.Conn, error) {
	address := net.JoinHostPort(s.config.Host, strconv.Itoa(s.config.Port))
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &boundedConn{Conn: conn, left: maxConversation}, nil
}
