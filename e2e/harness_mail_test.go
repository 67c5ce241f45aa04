package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// A postbox is a mail server that offers STARTTLS and asks for a password, and
// the reader of what comes there.
type postbox struct {
	*testtools.SMTPServer

	t    testing.TB
	read map[int]bool
}

func startPostbox(t testing.TB) *postbox {
	t.Helper()
	s := testtools.SMTP(t, testtools.SMTPOptions{Username: "gateway", Password: "open sesame"})
	return &postbox{SMTPServer: s, t: t, read: map[int]bool{}}
}

// option is the global option of a gateway that sends its e-mails here. more
// are lines of its block.
func (p *postbox) option(more string) string {
	return fmt.Sprintf("mail smtp://%s:%d {\n from it@example.com\n username gateway\n password \"open sesame\"\n %s\n}\n", p.Host, p.Port, more)
}

// byMail is the option for a mail server without TLS.
func byMail(s *testtools.SMTPServer) string {
	return fmt.Sprintf("mail smtp://%s {\n from it@example.com\n starttls off\n timeout 4s\n}", s.Address())
}

// trusted makes a gateway trust the postbox, as an operator does with an
// authority of their own.
func (p *postbox) trusted() gatewayOption { return withEnv("SSL_CERT_FILE", p.RootsFile) }

// Mail waits for the first unread mail to somebody with this in its subject:
// mails that are sent at the same time come in any order.
func (p *postbox) Mail(to, subject string) (found testtools.ReceivedMail) {
	p.t.Helper()
	within(p.t, 90*time.Second, "a mail to "+to+" about "+subject, func() bool {
		for i, m := range p.Mails() {
			if !p.read[i] && m.To[0] == to && strings.Contains(m.Subject, subject) {
				p.read[i], found = true, m
				return true
			}
		}
		return false
	})
	return found
}

// linkOf is the address in a mail whose path has this in it.
func linkOf(t testing.TB, m testtools.ReceivedMail, path string) string {
	t.Helper()
	link := regexp.MustCompile(`https?://\S*` + path + `\S*`).FindString(m.Part("text/plain"))
	if link == "" {
		t.Fatalf("%q has no link to %s:\n%s", m.Subject, path, m.Part("text/plain"))
	}
	return link
}

// within waits until something is so.
func within(t testing.TB, limit time.Duration, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}
