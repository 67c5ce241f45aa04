package notify

import (
	"net"
	"slices"
	"strings"

	"github.com/wneessen/go-mail/smtp"
)

// signIn proves who we are, where there is a name to prove it by. PLAIN is
// what every server has that takes passwords over TLS (RFC 4954);
// some by Microsoft have LOGIN alone. Both show the password to the server,
// and to whoever can read the connection: so never without TLS,
// but to this very machine.
func (c *conversation) signIn() error {
	if c.config.Username == "" {
		return nil
	}
	if c.config.Security == NoTLS && !loopback(c.conn.RemoteAddr()) {
		return &Failure{Reason: Credentials, Detail: "no password goes to another machine without TLS"}
	}
	_, offered := c.client.Extension("AUTH")
	ways := strings.Fields(strings.ToUpper(offered))
	username, password, host := c.config.Username, c.config.Password.Reveal(), c.config.Host
	// The last argument is what has just been decided.
	switch {
	case slices.Contains(ways, "PLAIN"):
		return c.client.Auth(smtp.PlainAuth("", username, password, host, true))
	case slices.Contains(ways, "LOGIN"):
		return c.client.Auth(smtp.LoginAuth(username, password, host, true))
	}
	return &Failure{Reason: Credentials, Detail: "the server offers neither AUTH PLAIN nor AUTH LOGIN, so `username` and `password` are of no use here"}
}

// loopback goes by where the connection leads and not by the host's name,
// which could be looked up to be anywhere.
func loopback(remote net.Addr) bool {
	tcp, ok := remote.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
