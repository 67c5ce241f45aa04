package notify_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/notify"
)

// hangUp ends an answer after which the connection is closed.
const hangUp = "\x00"

// scriptedMail is a mail server without TLS that says what no good one says: the
// answers in their order, each after a command, and after the mail's dot. An
// answer is sent as it stands; one that ends in hangUp is the last.
func scriptedMail(t *testing.T, answers ...string) *notify.SMTP {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		lines := bufio.NewReader(c)
		for i, answer := range answers {
			inMail := i > 0 && strings.HasPrefix(answers[i-1], "354")
			for i > 0 {
				line, err := lines.ReadString('\n')
				if err != nil {
					return
				}
				if !inMail || line == ".\r\n" {
					break
				}
			}
			answer, last := strings.CutSuffix(answer, hangUp)
			if _, err := io.WriteString(c, answer); err != nil || last {
				return
			}
		}
		_, _ = io.Copy(io.Discard, lines)
	}()
	address := l.Addr().(*net.TCPAddr)
	return notify.NewSMTP(notify.SMTPConfig{Host: "127.0.0.1", Port: address.Port, Security: notify.NoTLS, Timeout: 10 * time.Second})
}

func TestOddAnswersAreUnderstood(t *testing.T) {
	t.Parallel()
	const hello, ok, data = "250 hello\r\n", "250 ok\r\n", "354 go on\r\n"
	upTo := func(more ...string) []string { return append([]string{"220 hi\r\n", hello}, more...) }
	refused := func(detail string) *notify.Failure {
		return &notify.Failure{Reason: notify.Rejected, Permanent: true, Detail: detail}
	}
	for name, c := range map[string]struct {
		answers []string
		want    *notify.Failure // nil: taken
	}{
		"no service":                   {[]string{"554 no\r\n"}, &notify.Failure{Reason: notify.Broken, Detail: "SMTP 554, at the greeting"}},
		"too busy":                     {[]string{"421 busy\r\n"}, &notify.Failure{Reason: notify.Deferred, Detail: "SMTP 421, at the greeting"}},
		"another protocol":             {[]string{"HTTP/1.1 400 Bad Request\r\n"}, &notify.Failure{Reason: notify.Broken, Detail: "what was said is no answer of SMTP, at the greeting"}},
		"HELO only":                    {[]string{"220 hi\r\n", "502 what?\r\n", hello, ok, ok, data, ok}, nil},
		"251 to RCPT":                  {upTo(ok, "251 will forward\r\n", data, ok), nil},
		"DATA refused for now":         {upTo(ok, ok, "451 4.3.0 later\r\n"), &notify.Failure{Reason: notify.Deferred, Detail: "SMTP 451 4.3.0 (mail system), at DATA"}},
		"DATA refused":                 {upTo(ok, ok, "554 5.5.1 no valid recipients\r\n"), refused("SMTP 554 5.5.1 (protocol), at DATA")},
		"DATA taken at once":           {upTo(ok, ok, ok), &notify.Failure{Reason: notify.Broken, Detail: "SMTP 250, at DATA"}},
		"another 2xx for the mail":     {upTo(ok, ok, data, "252 as good\r\n"), nil},
		"many lines for the mail":      {upTo(ok, ok, data, "250-queued\r\n250 2.0.0 as 12345\r\n"), nil},
		"shutting down after the mail": {upTo(ok, ok, data, "421 4.3.2 bye\r\n"), &notify.Failure{Reason: notify.Deferred, Detail: "SMTP 421 4.3.2 (mail system), at the mail itself"}},
		"354 for the mail":             {upTo(ok, ok, data, data), &notify.Failure{Reason: notify.Broken, Maybe: true, Detail: "SMTP 354, at the mail itself"}},
		"nonsense for the mail":        {upTo(ok, ok, data, "thanks\r\n"), &notify.Failure{Reason: notify.Broken, Maybe: true, Detail: "what was said is no answer of SMTP, at the mail itself"}},
		"half an answer for the mail":  {upTo(ok, ok, data, "250-queued\r\n"+hangUp), &notify.Failure{Reason: notify.Unreachable, Maybe: true, Detail: "the connection was cut, at the mail itself"}},
		"an answer without an end":     {[]string{"220-" + strings.Repeat("x", 2<<20)}, &notify.Failure{Reason: notify.Broken, Detail: "the server says too much, at the greeting"}},
		"codes that are none":          {upTo("550 5.1.1.1 no, 5.9.9\r\n"), refused("SMTP 550 5.1.1 (address), at MAIL")},
		"an address for a code":        {upTo("550 owner@example.org\r\n"), refused("SMTP 550, at MAIL")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := scriptedMail(t, c.answers...).Mail(t.Context(), aMail())
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			expectFailure(t, err, *c.want)
		})
	}
}

// TestRefusalInTheMiddleIsHeard: a server that has read enough says why and
// closes. What it says counts, and the mail was not taken.
func TestRefusalInTheMiddleIsHeard(t *testing.T) {
	t.Parallel()
	s := scriptedMail(t, "220 hi\r\n", "250 hello\r\n", "250 ok\r\n", "250 ok\r\n", "354 go on\r\n552 5.3.4 too big\r\n"+hangUp)
	f := (*notify.Failure)(nil)
	if err := s.Mail(t.Context(), aMail()); !errors.As(err, &f) || f.Maybe || !f.Permanent {
		t.Errorf("%+v", err)
	}
}

// TestNothingSaidBeforeTLSCounts: somebody on the way adds answers behind the
// one to STARTTLS, to be taken for the server's own (CVE-2011-0411 and its
// kin). Here they add that the connection goes on in clear.
func TestNothingSaidBeforeTLSCounts(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	said := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		lines := bufio.NewReader(c)
		_, _ = io.WriteString(c, "220 hi\r\n")
		_, _ = lines.ReadString('\n')
		_, _ = io.WriteString(c, "250-hello\r\n250 STARTTLS\r\n")
		_, _ = lines.ReadString('\n')
		_, _ = io.WriteString(c, "220 go on\r\n250-hello\r\n250 AUTH PLAIN\r\n235 welcome\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 ok\r\n")
		rest, _ := io.ReadAll(lines)
		said <- string(rest)
	}()
	mailer := notify.NewSMTP(notify.SMTPConfig{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Username: "gateway", Timeout: time.Second})
	if err := mailer.Mail(t.Context(), aMail()); err == nil {
		t.Error("the mail was handed to somebody")
	}
	rest := <-said
	for _, private := range []string{"AUTH", "MAIL", "EHLO", mailTo} {
		if strings.Contains(rest, private) {
			t.Errorf("it said %q in clear: %q", private, rest)
		}
	}
}

// TestItSaysGoodByeToWhoRefuses: servers count those who just hang up.
func TestItSaysGoodByeToWhoRefuses(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	said := make(chan []string, 1)
	go func() {
		var commands []string
		defer func() { said <- commands }()
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		lines := bufio.NewReader(c)
		for _, answer := range []string{"220 hi", "250 hello", "250 ok", "550 5.1.1 who?", "221 bye"} {
			_, _ = io.WriteString(c, answer+"\r\n")
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			command, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			commands = append(commands, command)
		}
	}()
	address := l.Addr().(*net.TCPAddr)
	mailer := notify.NewSMTP(notify.SMTPConfig{Host: "127.0.0.1", Port: address.Port, Security: notify.NoTLS})
	if err := mailer.Mail(t.Context(), aMail()); err == nil {
		t.Error("no failure")
	}
	if got := strings.Join(<-said, " "); got != "EHLO MAIL RCPT QUIT" {
		t.Errorf("it said %s", got)
	}
}
