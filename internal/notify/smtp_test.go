package notify_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

const (
	mailTo   = "owner@example.org"
	mailLink = "https://login.example.com/recover/aaaabbbbcccc"
	mailPass = "correct horse"
)

// aMail is a mail with something to hide in it.
func aMail() notify.Mail {
	return notify.Mail{
		ID: "abcdefghijklmnopqrstuvwxyz", From: notify.Mailbox("Example Inc.", "it@example.com"), To: mailTo,
		Subject: "Choose a new password", Text: secret.New("Open " + mailLink + "\n"),
		HTML:     secret.New("<a href=\"" + mailLink + "\">Open</a>\n"),
		Language: "en", Date: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC),
	}
}

// mailer is one that knows the server's authority.
func mailer(s *testtools.SMTPServer, c notify.SMTPConfig) *notify.SMTP {
	c.Host, c.Port = s.Host, s.Port
	if c.Roots == nil {
		c.Roots = s.Roots
	}
	return notify.NewSMTP(c)
}

// expectFailure compares a failure and looks for what it must not tell.
func expectFailure(t *testing.T, err error, want notify.Failure) {
	t.Helper()
	f := (*notify.Failure)(nil)
	if !errors.As(err, &f) {
		t.Errorf("%v (%T), want a failure", err, err)
		return
	}
	if diff := cmp.Diff(want, *f); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for _, private := range []string{mailTo, "owner", mailLink, "recover", mailPass, "Choose"} {
		if strings.Contains(fmt.Sprintf("%+v", f), private) {
			t.Errorf("it tells %q: %+v", private, f)
		}
	}
}

func TestMailIsHandedOver(t *testing.T) {
	t.Parallel()
	signedIn := testtools.SMTPOptions{Username: "gateway", Password: mailPass}
	with := func(o testtools.SMTPOptions, change func(*testtools.SMTPOptions)) testtools.SMTPOptions {
		change(&o)
		return o
	}
	account := notify.SMTPConfig{Username: "gateway", Password: secret.New(mailPass)}
	implicit := notify.SMTPConfig{Security: notify.ImplicitTLS}
	for name, c := range map[string]struct {
		server   testtools.SMTPOptions
		config   notify.SMTPConfig
		wantTLS  bool
		wantName string
	}{
		"STARTTLS":                       {testtools.SMTPOptions{}, notify.SMTPConfig{}, true, ""},
		"implicit TLS":                   {testtools.SMTPOptions{ImplicitTLS: true}, implicit, true, ""},
		"no TLS":                         {testtools.SMTPOptions{NoTLS: true}, notify.SMTPConfig{Security: notify.NoTLS}, false, ""},
		"no TLS, though it is offered":   {testtools.SMTPOptions{}, notify.SMTPConfig{Security: notify.NoTLS}, false, ""},
		"PLAIN":                          {signedIn, account, true, "gateway"},
		"LOGIN, where there is no PLAIN": {with(signedIn, func(o *testtools.SMTPOptions) { o.Mechanisms = []string{"LOGIN"} }), account, true, "gateway"},
		"signed in, implicit TLS": {
			with(signedIn, func(o *testtools.SMTPOptions) { o.ImplicitTLS = true }),
			notify.SMTPConfig{Security: notify.ImplicitTLS, Username: "gateway", Password: secret.New(mailPass)},
			true, "gateway",
		},
		"signed in without TLS on this machine": {
			with(signedIn, func(o *testtools.SMTPOptions) { o.NoTLS = true }),
			notify.SMTPConfig{Security: notify.NoTLS, Username: "gateway", Password: secret.New(mailPass)},
			false, "gateway",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testtools.SMTP(t, c.server)
			if err := mailer(s, c.config).Mail(t.Context(), aMail()); err != nil {
				t.Fatal(err)
			}
			got := s.Await(t, 1)[0]
			if got.From != "it@example.com" || len(got.To) != 1 || got.To[0] != mailTo || got.TLS != c.wantTLS || got.Username != c.wantName || got.UTF8 {
				t.Errorf("%+v", got)
			}
			if !strings.Contains(got.Hello, ".") && !strings.HasPrefix(got.Hello, "[") {
				t.Errorf("it calls itself %q, which servers refuse", got.Hello)
			}
		})
	}
}

// TestConnectionThatCanBeReadIsNotUsed: who is on the way takes the offer of
// STARTTLS away, or answers in the server's place.
func TestConnectionThatCanBeReadIsNotUsed(t *testing.T) {
	t.Parallel()
	account := notify.SMTPConfig{Username: "gateway", Password: secret.New(mailPass)}
	for name, c := range map[string]struct {
		server testtools.SMTPOptions
		config notify.SMTPConfig
		want   string
	}{
		"STARTTLS is not offered": {
			testtools.SMTPOptions{NoTLS: true, Username: "gateway", Password: mailPass},
			account,
			"the server does not offer STARTTLS, so everything could be read on its way",
		},
		"another name":             {testtools.SMTPOptions{Names: []string{"mail.example.net"}}, account, "the server's certificate is not accepted, at STARTTLS"},
		"another name, at once":    {testtools.SMTPOptions{Names: []string{"mail.example.net"}, ImplicitTLS: true}, notify.SMTPConfig{Security: notify.ImplicitTLS}, "the server's certificate is not accepted, at the greeting"},
		"another authority":        {testtools.SMTPOptions{}, notify.SMTPConfig{Roots: testtools.SMTP(t, testtools.SMTPOptions{}).Roots}, "the server's certificate is not accepted, at STARTTLS"},
		"TLS 1.1":                  {testtools.SMTPOptions{MaxTLS: tls.VersionTLS11}, account, "the connection was cut, at STARTTLS"},
		"TLS where it is in clear": {testtools.SMTPOptions{}, notify.SMTPConfig{Security: notify.ImplicitTLS}, "the server does not speak TLS, at the greeting"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testtools.SMTP(t, c.server)
			err := mailer(s, c.config).Mail(t.Context(), aMail())
			expectFailure(t, err, notify.Failure{Reason: notify.Unreachable, Detail: c.want})
			for _, stage := range s.Stages() {
				if stage == testtools.SMTPAuth || stage == testtools.SMTPMail {
					t.Errorf("it came as far as %s", stage)
				}
			}
		})
	}
}

func TestRefusedMailFails(t *testing.T) {
	t.Parallel()
	account := notify.SMTPConfig{Username: "gateway", Password: secret.New(mailPass)}
	signedIn := testtools.SMTPOptions{Username: "gateway", Password: mailPass}
	for name, c := range map[string]struct {
		server testtools.SMTPOptions
		config notify.SMTPConfig
		stage  testtools.SMTPStage
		reply  testtools.SMTPReply
		want   notify.Failure
	}{
		"wrong password": {
			server: signedIn, config: notify.SMTPConfig{Username: "gateway", Password: secret.New("wrong")},
			want: notify.Failure{Reason: notify.Credentials, Detail: "SMTP 535 5.7.8 (security or policy), at AUTH"},
		},
		"no password, though one is wanted": {
			server: signedIn,
			want:   notify.Failure{Reason: notify.Credentials, Detail: "SMTP 530 5.7.0 (security or policy), at MAIL"},
		},
		"a password, though none is wanted": {
			config: account,
			want:   notify.Failure{Reason: notify.Credentials, Detail: "the server offers neither AUTH PLAIN nor AUTH LOGIN, so `username` and `password` are of no use here"},
		},
		"signing in, for now": {
			server: signedIn, config: account, stage: testtools.SMTPAuth, reply: testtools.SMTPReply{Code: 454, Text: "4.7.0 try later"},
			want: notify.Failure{Reason: notify.Deferred, Detail: "SMTP 454 4.7.0 (security or policy), at AUTH"},
		},
		"EHLO, for now": {
			stage: testtools.SMTPHello, reply: testtools.SMTPReply{Code: 421, Text: "busy"},
			want: notify.Failure{Reason: notify.Deferred, Detail: "SMTP 421, at EHLO"},
		},
		"the sender, for now": {
			stage: testtools.SMTPMail, reply: testtools.SMTPReply{Code: 452, Text: "4.3.1 full, " + mailTo},
			want: notify.Failure{Reason: notify.Deferred, Detail: "SMTP 452 4.3.1 (mail system), at MAIL"},
		},
		"the sender, for good": {
			stage: testtools.SMTPMail, reply: testtools.SMTPReply{Code: 553, Text: "5.7.1 not yours"},
			want: notify.Failure{Reason: notify.Rejected, Permanent: true, Detail: "SMTP 553 5.7.1 (security or policy), at MAIL"},
		},
		"the recipient, for now: greylisting": {
			stage: testtools.SMTPRcpt, reply: testtools.SMTPReply{Code: 451, Text: "4.7.1 " + mailTo + " is greylisted"},
			want: notify.Failure{Reason: notify.Deferred, Detail: "SMTP 451 4.7.1 (security or policy), at RCPT"},
		},
		"the recipient, for good": {
			stage: testtools.SMTPRcpt, reply: testtools.SMTPReply{Code: 550, Text: "5.1.1 <" + mailTo + "> is unknown"},
			want: notify.Failure{Reason: notify.Rejected, Permanent: true, Detail: "SMTP 550 5.1.1 (address), at RCPT"},
		},
		"the mail, for now": {
			stage: testtools.SMTPDot, reply: testtools.SMTPReply{Code: 451, Text: "local error"},
			want: notify.Failure{Reason: notify.Deferred, Detail: "SMTP 451, at the mail itself"},
		},
		"the mail, for good": {
			stage: testtools.SMTPDot, reply: testtools.SMTPReply{Code: 554, Text: "5.6.0 spam: " + mailLink},
			want: notify.Failure{Reason: notify.Rejected, Permanent: true, Detail: "SMTP 554 5.6.0 (content), at the mail itself"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testtools.SMTP(t, c.server)
			if c.stage != "" {
				s.Refuse(c.stage, c.reply, c.reply) // EHLO is followed by HELO
			}
			expectFailure(t, mailer(s, c.config).Mail(t.Context(), aMail()), c.want)
			if got := s.Mails(); len(got) != 0 {
				t.Errorf("taken: %+v", got)
			}
		})
	}
}

func TestGreylistedMailIsTakenLater(t *testing.T) {
	t.Parallel()
	s := testtools.SMTP(t, testtools.SMTPOptions{})
	s.Greylist(2)
	for _, want := range []bool{false, false, true} {
		if err := mailer(s, notify.SMTPConfig{}).Mail(t.Context(), aMail()); (err == nil) != want {
			t.Errorf("%v, want success %t", err, want)
		}
	}
}

// stages are those of a whole conversation, with the step that is then told.
var stages = []struct {
	stage testtools.SMTPStage
	step  string
}{
	{testtools.SMTPGreeting, "the greeting"},
	{testtools.SMTPHello, "EHLO"},
	{testtools.SMTPStartTLS, "STARTTLS"},
	{testtools.SMTPAuth, "AUTH"},
	{testtools.SMTPMail, "MAIL"},
	{testtools.SMTPRcpt, "RCPT"},
	{testtools.SMTPData, "DATA"},
	{testtools.SMTPContent, "the mail itself"},
	{testtools.SMTPDot, "the mail itself"},
	{testtools.SMTPQuit, ""},
}

// TestMaybeIsExact ends the conversation at every stage, by cutting the
// connection and by silence, with STARTTLS, implicit TLS and none.
func TestMaybeIsExact(t *testing.T) {
	t.Parallel()
	for mode, security := range map[string]notify.Security{"STARTTLS": notify.StartTLS, "implicit TLS": notify.ImplicitTLS, "no TLS": notify.NoTLS} {
		for _, c := range stages {
			if c.stage == testtools.SMTPStartTLS && security != notify.StartTLS {
				continue
			}
			for _, silent := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/silent %t", mode, c.stage, silent), func(t *testing.T) {
					t.Parallel()
					s := testtools.SMTP(t, testtools.SMTPOptions{
						ImplicitTLS: security == notify.ImplicitTLS, NoTLS: security == notify.NoTLS, Username: "gateway", Password: mailPass,
					})
					config := notify.SMTPConfig{Security: security, Username: "gateway", Password: secret.New(mailPass), Timeout: 20 * time.Second}
					want := notify.Failure{Reason: notify.Unreachable, Detail: "the connection was cut, at " + c.step}
					if silent {
						s.Silence(c.stage)
						config.Timeout = 2 * time.Second
						want = notify.Failure{Reason: notify.Timeout, Detail: "no answer in time, at " + c.step}
					} else {
						s.Cut(c.stage)
					}
					m := aMail()
					if c.stage == testtools.SMTPContent {
						// More than both sides' buffers hold, so that the end
						// has not gone out when the connection ends.
						m.Text = secret.New(strings.Repeat(strings.Repeat("x", 70)+"\n", 100_000))
					}
					want.Maybe = c.stage == testtools.SMTPDot
					begun := time.Now()
					err := mailer(s, config).Mail(t.Context(), m)
					if took := time.Since(begun); silent && took > 8*time.Second {
						t.Errorf("it took %v", took)
					}
					if c.step == "" {
						if err != nil {
							t.Errorf("the mail was taken: %v", err)
						}
					} else {
						expectFailure(t, err, want)
					}
					taken := c.stage == testtools.SMTPDot || c.stage == testtools.SMTPQuit
					if got := len(s.Mails()) == 1; got != taken {
						t.Errorf("taken %t, want %t", got, taken)
					}
				})
			}
		}
	}
}

// TestEndOfContextEndsTheHandingOver: and says what it knows.
func TestEndOfContextEndsTheHandingOver(t *testing.T) {
	t.Parallel()
	for stage, maybe := range map[testtools.SMTPStage]bool{testtools.SMTPRcpt: false, testtools.SMTPDot: true} {
		s := testtools.SMTP(t, testtools.SMTPOptions{})
		s.Silence(stage)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		begun := time.Now()
		f := (*notify.Failure)(nil)
		if err := mailer(s, notify.SMTPConfig{}).Mail(ctx, aMail()); !errors.As(err, &f) || f.Reason != notify.Timeout || f.Maybe != maybe {
			t.Errorf("%s: %+v", stage, err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: it took %v", stage, took)
		}
	}
}

func TestNoServerIsUnreachable(t *testing.T) {
	t.Parallel()
	port := testtools.FreePort(t)
	err := notify.NewSMTP(notify.SMTPConfig{Host: "127.0.0.1", Port: port}).Mail(t.Context(), aMail())
	expectFailure(t, err, notify.Failure{Reason: notify.Unreachable, Detail: "no connection: connect: connection refused"})
	err = notify.NewSMTP(notify.SMTPConfig{Host: "mail.invalid", Port: port}).Mail(t.Context(), aMail())
	expectFailure(t, err, notify.Failure{Reason: notify.Unreachable, Detail: "the server's name could not be looked up"})
}

// TestRepeatedMailIsTheSame: after a Maybe there may be two of it, and a
// mailbox knows them by the Message-ID.
func TestRepeatedMailIsTheSame(t *testing.T) {
	t.Parallel()
	s := testtools.SMTP(t, testtools.SMTPOptions{})
	s.Cut(testtools.SMTPDot)
	if err := mailer(s, notify.SMTPConfig{}).Mail(t.Context(), aMail()); err == nil {
		t.Error("no failure")
	}
	s.Heal()
	if err := mailer(s, notify.SMTPConfig{}).Mail(t.Context(), aMail()); err != nil {
		t.Error(err)
	}
	mails := s.Await(t, 2)
	if !bytes.Equal(mails[0].Raw, mails[1].Raw) {
		t.Errorf("two texts of one mail:\n%s\n%s", mails[0].Raw, mails[1].Raw)
	}
	if got, want := mails[0].Header.Get("Message-Id"), "<abcdefghijklmnopqrstuvwxyz@example.com>"; got != want {
		t.Errorf("Message-ID %s, want %s", got, want)
	}
	other := aMail()
	other.ID = "bbcdefghijklmnopqrstuvwxyz"
	if err := mailer(s, notify.SMTPConfig{}).Mail(t.Context(), other); err != nil {
		t.Error(err)
	}
	if s.Await(t, 3)[2].Header.Get("Message-Id") == mails[0].Header.Get("Message-Id") {
		t.Error("two mails have one Message-ID")
	}
}

// TestSystemsAuthoritiesAreAsked: those of SSL_CERT_FILE, in a process of its
// own since they are read once.
func TestSystemsAuthoritiesAreAsked(t *testing.T) {
	t.Parallel()
	if os.Getenv("SSL_CERT_FILE") != "" && os.Getenv("TEST_MAIL_PORT") != "" {
		var port int
		if _, err := fmt.Sscan(os.Getenv("TEST_MAIL_PORT"), &port); err != nil {
			t.Fatal(err)
		}
		if err := notify.NewSMTP(notify.SMTPConfig{Host: "127.0.0.1", Port: port}).Mail(t.Context(), aMail()); err != nil {
			t.Fatal(err)
		}
		return
	}
	s := testtools.SMTP(t, testtools.SMTPOptions{})
	for file, want := range map[string]bool{s.RootsFile: true, testtools.SMTP(t, testtools.SMTPOptions{}).RootsFile: false} {
		other := exec.Command(os.Args[0], "-test.run=^TestSystemsAuthoritiesAreAsked$")
		other.Env = append(os.Environ(), "SSL_CERT_FILE="+file, fmt.Sprintf("TEST_MAIL_PORT=%d", s.Port))
		if said, err := other.CombinedOutput(); (err == nil) != want {
			t.Errorf("trusted %t, want %t\n%s", err == nil, want, said)
		}
	}
	if n := len(s.Mails()); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}
