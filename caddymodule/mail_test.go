package caddymodule

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

func TestMailFaultsOfJSON(t *testing.T) {
	t.Parallel()
	server := Mail{Server: "smtp://mail.example.com", From: "it@example.com"}
	with := func(change func(*Mail)) Mail {
		m := server
		change(&m)
		return m
	}
	for name, c := range map[string]struct {
		mail Mail
		want string // none when empty
	}{
		"none":                 {Mail{}, ""},
		"outbox":               {Mail{Outbox: "/mail"}, ""},
		"server":               {server, ""},
		"from without server":  {Mail{From: "it@example.com"}, "sallyport.mail: has settings of a mail server and no server"},
		"server and outbox":    {with(func(m *Mail) { m.Outbox = "/mail" }), "sallyport.mail: is a mail server and an outbox"},
		"address":              {with(func(m *Mail) { m.Server = "smtp://mail.example.com/x" }), "sallyport.mail: \"smtp://mail.example.com/x\" has more than host and port"},
		"credentials":          {with(func(m *Mail) { m.Server = "smtp://a:hunter2@mail.example.com" }), "sallyport.mail: the address holds a user name or password"},
		"no from":              {with(func(m *Mail) { m.From = "" }), "sallyport.mail.from: is missing"},
		"from":                 {with(func(m *Mail) { m.From = "x\r\ny@example.com" }), "sallyport.mail.from: \"x\\r\\ny@example.com\" is not one plain e-mail address"},
		"user alone":           {with(func(m *Mail) { m.Username = "a" }), "sallyport.mail.username: there is no password for it"},
		"password alone":       {with(func(m *Mail) { m.Password = "a" }), "sallyport.mail.password: there is no user name for it"},
		"starttls":             {with(func(m *Mail) { m.StartTLS = "maybe" }), "sallyport.mail.starttls: \"maybe\" is unknown"},
		"starttls with smtps":  {with(func(m *Mail) { m.Server, m.StartTLS = "smtps://mail.example.com", "off" }), "sallyport.mail.starttls: `smtps` is TLS from the first byte"},
		"password in clear":    {with(func(m *Mail) { m.StartTLS, m.Username, m.Password = "off", "a", "b" }), "sallyport.mail.starttls: user name and password would go to mail.example.com in clear"},
		"password to loopback": {with(func(m *Mail) { m.Server, m.StartTLS, m.Username, m.Password = "smtp://127.0.0.1", "off", "a", "b" }), ""},
		"long":                 {with(func(m *Mail) { m.Timeout = caddy.Duration(6 * time.Minute) }), "sallyport.mail.timeout: 6m is not from 1s to 5m"},
		"negative":             {with(func(m *Mail) { m.Timeout = -1 }), "sallyport.mail.timeout: is not above zero"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := defaulted(func(a *App) { a.Mail = c.mail }).Faults()
			if c.want == "" && len(faults) > 0 {
				t.Error(faults)
			}
			if c.want != "" && (len(faults) != 1 || !strings.HasPrefix(faults.Error(), c.want)) {
				t.Errorf("got %v, want %q", faults, c.want)
			}
			if strings.Contains(faults.Error(), "hunter2") {
				t.Errorf("a password is told: %v", faults)
			}
		})
	}
}

// TestMailGoesWhereTheSettingsSay hands a mail to a server, which is where all
// of them meet.
func TestMailGoesWhereTheSettingsSay(t *testing.T) {
	t.Parallel()
	mail := notify.Mail{ID: "abcdefghijklmnopqrstuvwxyz", To: "owner@example.org", Subject: "Hello", Text: secret.New("Hello"), Date: time.Now()}
	s := testtools.SMTP(t, testtools.SMTPOptions{NoTLS: true, Username: "sallyport", Password: "correct-horse"})
	a := defaulted(func(a *App) {
		a.Name = "Prüfstelle"
		a.Mail = Mail{From: "it@example.com", Username: "sallyport", Password: "correct-horse", StartTLS: "off"}
		a.Mail.Server = "smtp://127.0.0.1:" + strconv.Itoa(s.Port)
	})
	if err := a.openMail(); err != nil {
		t.Fatal(err)
	}
	mail.From = a.mailFrom
	if err := a.mailer.Mail(t.Context(), mail); err != nil {
		t.Fatal(err)
	}
	if got := s.Await(t, 1)[0]; got.Username != "sallyport" || got.Header.Get("From") != "=?utf-8?q?Pr=C3=BCfstelle?= <it@example.com>" {
		t.Errorf("%q from %q", got.Username, got.Header.Get("From"))
	}
	// With TLS wanted, the same server gets nothing.
	a.Mail.StartTLS = "required"
	if err := a.openMail(); err != nil {
		t.Fatal(err)
	}
	if err := a.mailer.Mail(t.Context(), mail); err == nil {
		t.Error("a mail went out in clear")
	}
	if n := len(s.Mails()); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}

func TestWhomMailsAreFrom(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*App){
		`"Sallyport" <it@example.com>`:              func(a *App) { a.Mail.From = "it@example.com" },
		`Example Inc. <it@example.com>`:             func(a *App) { a.Mail.From = "Example Inc. <it@example.com>" },
		`"Sallyport" <sallyport@login.example.com>`: func(a *App) { a.Mail.Server, a.Portal = "", "https://login.example.com" },
		`"Sallyport" <sallyport@localhost>`:         func(a *App) { a.Mail.Server = "" },
		`"Example" <sallyport@localhost>`:           func(a *App) { a.Mail.Server, a.Portal, a.Name = "", "http://[::1]:8080", "Example" },
	} {
		a := &App{Mail: Mail{Server: "smtp://mail.example.com"}}
		change(a)
		a.setDefaults("/data")
		if err := a.openMail(); err != nil || a.mailFrom != want {
			t.Errorf("%s, %v, want %s", a.mailFrom, err, want)
		}
		if problem := notify.CheckMailbox(a.mailFrom); problem != "" {
			t.Errorf("%s %s", a.mailFrom, problem)
		}
	}
}

func TestMailThatNobodyGetsIsWarnedOf(t *testing.T) {
	t.Parallel()
	const unsent, readable = "e-mails are only written to /data/sallyport/mail, and nobody gets them", "everybody can read e-mails"
	for name, c := range map[string]struct {
		change func(*App)
		want   string // nothing when empty
	}{
		"portal":                      {func(a *App) { a.Portal = "https://login.example.com" }, unsent},
		"portal, outbox":              {func(a *App) { a.Portal, a.Mail.Outbox = "https://login.example.com", "/data/sallyport/mail" }, unsent},
		"loopback":                    {func(a *App) { a.Portal = "http://localhost:8080" }, ""},
		"no portal":                   {func(*App) {}, ""},
		"portal and server":           {func(a *App) { a.Portal, a.Mail.Server = "https://login.example.com", "smtp://mail.example.com" }, ""},
		"server in clear":             {func(a *App) { a.Mail = Mail{Server: "smtp://relay.internal:25", StartTLS: "off"} }, readable},
		"server in clear on loopback": {func(a *App) { a.Mail = Mail{Server: "smtp://localhost:25", StartTLS: "off"} }, ""},
	} {
		var log bytes.Buffer
		a := defaulted(c.change)
		a.log = slog.New(slog.NewTextHandler(&log, nil))
		a.warnMail()
		if said := log.String(); c.want == "" && said != "" || !strings.Contains(said, c.want) {
			t.Errorf("%s: %q, want %q", name, said, c.want)
		}
	}
}

// TestMailOpensNothingBeforeTheFirst: validating touches no file and asks no
// server, and the password is in nothing that Caddy keeps.
func TestMailOpensNothingBeforeTheFirst(t *testing.T) {
	g := newGateway(t)
	t.Setenv("SALLYPORT_TEST_MAIL", "correct-horse")
	s := testtools.SMTP(t, testtools.SMTPOptions{})
	site := g.site("app.example.com", "sallyport\n"+g.proxy())
	g.mustLoad(g.global("mail smtp://127.0.0.1:"+strconv.Itoa(s.Port)+" {\nfrom it@example.com\nusername sallyport\npassword {env.SALLYPORT_TEST_MAIL}\n}") + site)
	if stages := s.Stages(); len(stages) != 0 {
		t.Errorf("the server was asked: %v", stages)
	}
	g.mustLoad(g.global("mail outbox") + site)
	if _, err := os.Stat(filepath.Join(caddy.AppDataDir(), "sallyport", "mail")); err == nil {
		t.Error("the outbox was made before the first mail")
	}
	held, err := caddy.ActiveContext().AppIfConfigured("sallyport")
	if err != nil {
		t.Fatal(err)
	}
	a := held.(*App)
	m := notify.Mail{ID: "abcdefghijklmnopqrstuvwxyz", From: a.mailFrom, To: "owner@example.org", Subject: "x", Text: secret.New("x"), Date: time.Now()}
	if err := a.mailer.Mail(context.Background(), m); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(caddy.AppDataDir(), "sallyport", "mail")); err != nil {
		t.Error(err)
	}
}
