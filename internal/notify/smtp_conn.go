package notify

import (
	"errors"
	"net"
	"os"
	"regexp"
	"strings"
)

// maxConversation is how many bytes a server may say in all, certificates
// included. Servers say 5 to 10 KiB.
const maxConversation = 1 << 20

// boundedConn is a connection from which only so much is read: answers are
// kept in memory, and a server could go on for ever.
type boundedConn struct {
	net.Conn
	left int
}

var errTooLong = errors.New("the server says too much")

// Read implements net.Conn.
func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooLong
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// completeName is a host's name with its domain.
var completeName = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}$`)

// ownName is what we call ourselves in EHLO: this machine's name where that is
// complete, else the address that we speak from in brackets (RFC 5321 section
// 4.1.4). Servers refuse names without a domain, which containers have.
func ownName(local net.Addr) string {
	if name, err := os.Hostname(); err == nil && len(name) < 254 && completeName.MatchString(name) {
		return name
	}
	host, _, _ := net.SplitHostPort(local.String())
	host, _, _ = strings.Cut(host, "%") // a zone means nothing elsewhere
	if strings.Contains(host, ":") {
		return "[IPv6:" + host + "]" // section 4.1.3
	}
	return "[" + host + "]"
}
