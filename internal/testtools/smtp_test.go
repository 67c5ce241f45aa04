package testtools

import (
	"crypto/tls"
	"errors"
	"net"
	"net/smtp"
	"net/textproto"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testMail = "From: a@example.com\r\nTo: b@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n" +
	"Content-Type: multipart/alternative; boundary=x\r\n\r\n" +
	"--x\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n.dot=3D\r\n--x\r\n" +
	"Content-Type: text/html\r\n\r\n<p>\r\n--x--\r\n"

// give hands testMail over as the standard library does.
func give(s *SMTPServer, a smtp.Auth) error {
	c, err := smtp.Dial("127.0.0.1:" + strconv.Itoa(s.Port))
	if err != nil {
		return err
	}
	defer c.Close()
	if ok, _ := c.Extension("STARTTLS"); ok {
		if err := c.StartTLS(&tls.Config{RootCAs: s.Roots, ServerName: s.Host}); err != nil {
			return err
		}
	}
	if a != nil {
		if err := c.Auth(a); err != nil {
			return err
		}
	}
	if err := c.Mail("a@example.com"); err != nil {
		return err
	}
	if err := c.Rcpt("b@example.org"); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(testMail)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

func TestMailServerKeepsWhatItTakes(t *testing.T) {
	t.Parallel()
	s := SMTP(t, SMTPOptions{Username: "gateway", Password: "open"})
	if err := give(s, smtp.PlainAuth("", "gateway", "open", "127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	got := s.Await(t, 1)[0]
	if string(got.Raw) != testMail || got.Fault != "" || got.Header.Get("To") != "b@example.org" {
		t.Errorf("%+v\n%s", got, got.Raw)
	}
	got.Raw, got.Header = nil, nil
	want := ReceivedMail{
		From: "a@example.com", To: []string{"b@example.org"}, Hello: "localhost", Username: "gateway", TLS: true,
		Subject: "Grüße", Parts: []MailPart{{"text/plain", ".dot="}, {"text/html", "<p>"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	stages := []SMTPStage{SMTPGreeting, SMTPHello, SMTPStartTLS, SMTPHello, SMTPAuth, SMTPMail, SMTPRcpt, SMTPContent, SMTPDot}
	if diff := cmp.Diff(stages, s.Stages()); diff != "" {
		t.Errorf("stages: -want +got\n%s", diff)
	}
}

func TestMailServerGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	for _, s := range []*SMTPServer{SMTP(t, SMTPOptions{}), SMTP(t, SMTPOptions{ImplicitTLS: true})} {
		s.Away()
		if c, err := net.Dial("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port))); err == nil {
			c.Close()
			t.Error("it is still there")
		}
		s.Back(t)
		if s.options.ImplicitTLS {
			continue // give begins in clear
		}
		if err := give(s, nil); err != nil || len(s.Mails()) != 1 {
			t.Errorf("back again: %v, %d mails", err, len(s.Mails()))
		}
	}
}

func TestMailServerRefusesWhenTold(t *testing.T) {
	t.Parallel()
	s := SMTP(t, SMTPOptions{NoTLS: true})
	s.Greylist(2)
	s.Refuse(SMTPDot, SMTPReply{554, "no thanks"})
	for _, want := range []string{"451 4.7.1 Greylisted", "451 4.7.1 Greylisted", "554 no thanks", ""} {
		err := give(s, nil)
		if reply := (*textproto.Error)(nil); want == "" && err != nil || want != "" && (!errors.As(err, &reply) || !strings.HasPrefix(strconv.Itoa(reply.Code)+" "+reply.Msg, want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if n := len(s.Mails()); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}

// TestMailServerCutsWhereTold: only from the dot on is the mail taken.
func TestMailServerCutsWhereTold(t *testing.T) {
	t.Parallel()
	taken := map[SMTPStage]bool{SMTPDot: true, SMTPQuit: true}
	for _, stage := range []SMTPStage{SMTPGreeting, SMTPHello, SMTPStartTLS, SMTPMail, SMTPRcpt, SMTPData, SMTPContent, SMTPDot, SMTPQuit} {
		s := SMTP(t, SMTPOptions{})
		s.Cut(stage)
		if err := give(s, nil); err == nil {
			t.Errorf("%s: no error", stage)
		}
		if got := len(s.Mails()) == 1; got != taken[stage] {
			t.Errorf("%s: taken %t", stage, got)
		}
		s.Heal()
		if err := give(s, nil); err != nil {
			t.Errorf("%s: healed: %v", stage, err)
		}
	}
}
