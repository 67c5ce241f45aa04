package caddymodule

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
	"github.com/sallyport-auth/sallyport/internal/testtools"
	"github.com/sallyport-auth/sallyport/pages"
)

// mailed is a gateway whose e-mails go to a mail server of the test's.
type mailed struct {
	*commanded
	server *testtools.SMTPServer
	id     account.ID // of anna
}

// startMailed makes a gateway with one account that has an address. misbehave is
// done to the mail server before anything can be sent.
func startMailed(t *testing.T, misbehave func(*testtools.SMTPServer)) *mailed {
	t.Helper()
	server := testtools.SMTP(t, testtools.SMTPOptions{NoTLS: true})
	if misbehave != nil {
		misbehave(server)
	}
	m := &mailed{server: server, commanded: startCommanded(t, "mail smtp://"+server.Address()+" {", "from it@example.com", "starttls off", "timeout 2s", "}")}
	m.ok(t, "account", "add", "anna", "--email", "anna@example.com")
	a, err := started.current().engine.durable.AccountByIdentifier(t.Context(), "anna")
	if err != nil {
		t.Fatal(err)
	}
	m.id = a.ID
	return m
}

// happen writes an event that the owner hears of.
func (m *mailed) happen(t *testing.T, name audit.Name) {
	t.Helper()
	e := audit.Event{Time: time.Now(), Name: name, Account: string(m.id), Network: "192.0.2.7", Browser: "Firefox on Linux", Method: "app"}
	if err := started.current().engine.durable.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// later hands over what is due after a while.
func (m *mailed) later(t *testing.T, after time.Duration) {
	t.Helper()
	if _, err := started.current().sendDue(t.Context(), func() time.Time { return time.Now().Add(after) }); err != nil {
		t.Fatal(err)
	}
}

func (m *mailed) events(t *testing.T, name audit.Name) []audit.Event {
	t.Helper()
	all, err := started.current().engine.durable.Events(t.Context(), sqlstore.EventFilter{Name: name, Account: string(m.id)})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// attempted waits for so many attempts of the loop.
func (m *mailed) attempted(t *testing.T, stage testtools.SMTPStage, n int) {
	t.Helper()
	soon(t, "the mail is not tried", func() bool {
		tries := 0
		for _, s := range m.server.Stages() {
			if s == stage {
				tries++
			}
		}
		return tries >= n
	})
	time.Sleep(300 * time.Millisecond) // until its row is put back
}

func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func TestOwnerHearsOfAChangeAndCanSayThatItWasSomebodyElse(t *testing.T) {
	m := startMailed(t, nil)
	m.happen(t, audit.FactorAdded)
	got := m.server.Await(t, 1)[0]
	if got.To[0] != "anna@example.com" || !strings.Contains(got.Header.Get("From"), "it@example.com") {
		t.Errorf("from %s to %v", got.Header.Get("From"), got.To)
	}
	text := got.Part("text/plain")
	for _, part := range []string{"An authenticator app was added", "Firefox on Linux", "192.0.2.7", "/sallyport/not-me/"} {
		if !strings.Contains(text, part) || !strings.Contains(got.Part("text/html"), part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	soon(t, "that it was sent is not in the audit", func() bool { return len(m.events(t, audit.MailSent)) == 1 })
	_, rest, _ := strings.Cut(text, "/sallyport/not-me/")
	token, _, _ := strings.Cut(rest, "\n")
	l, err := started.current().engine.durable.Link(t.Context(), login.LinkHash(token), time.Now())
	if err != nil || l.Account != m.id || l.Purpose != account.LinkNotMe || l.About != string(audit.FactorAdded) || l.Method != "app" {
		t.Errorf("%+v %v", l, err)
	}
	m.happen(t, audit.SignedIn) // no news
	m.later(t, time.Hour)
	if n := len(m.server.Mails()); n != 1 {
		t.Errorf("%d mails", n)
	}
}

// TestAddressOfBeforeIsNotToldTheNewOne: its mailbox may be somebody else's now.
func TestAddressOfBeforeIsNotToldTheNewOne(t *testing.T) {
	m := startMailed(t, nil)
	m.ok(t, "account", "set", "anna", "--email", "new@example.com")
	got := m.server.Await(t, 1)[0]
	if text := got.Part("text/plain"); got.To[0] != "anna@example.com" || strings.Contains(text, "new@example.com") || !strings.Contains(text, "anna@example.com") {
		t.Errorf("to %v:\n%s", got.To, text)
	}
}

// TestMailIsTriedAgainUntilItIsTaken: greylisting.
func TestMailIsTriedAgainUntilItIsTaken(t *testing.T) {
	m := startMailed(t, func(s *testtools.SMTPServer) { s.Greylist(2) })
	m.happen(t, audit.FactorAdded)
	m.attempted(t, testtools.SMTPRcpt, 1)
	m.later(t, 5*time.Second) // too early
	m.later(t, 11*time.Second)
	if n := len(m.server.Mails()); n != 0 {
		t.Fatalf("%d mails were taken", n)
	}
	m.later(t, 50*time.Second)
	if all := m.server.Mails(); len(all) != 1 || len(m.events(t, audit.MailSent)) != 1 {
		t.Errorf("%d mails", len(all))
	}
	m.later(t, 24*time.Hour)
	if n := len(m.server.Mails()); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

// TestRefusedMailIsKept: for good or for now, a wrong password, a server away.
func TestRefusedMailIsKept(t *testing.T) {
	for name, refuse := range map[string]func(*testtools.SMTPServer){
		"for good": func(s *testtools.SMTPServer) {
			s.Refuse(testtools.SMTPRcpt, testtools.SMTPReply{Code: 550, Text: "no such user anna@example.com"})
		},
		"cut before the end": func(s *testtools.SMTPServer) { s.Cut(testtools.SMTPContent) },
		"no answer":          func(s *testtools.SMTPServer) { s.Silence(testtools.SMTPRcpt) },
	} {
		t.Run(name, func(t *testing.T) {
			m := startMailed(t, refuse)
			m.happen(t, audit.FactorAdded)
			m.attempted(t, testtools.SMTPRcpt, 1)
			time.Sleep(2200 * time.Millisecond) // longer than the time limit
			m.server.Heal()
			m.later(t, 61*time.Minute)
			if n := len(m.server.Mails()); n != 1 {
				t.Errorf("%d mails after the server was mended", n)
			}
		})
	}
}

// TestCutConnectionRepeatsAMailOnceAtMost: the server has it and never says so.
func TestCutConnectionRepeatsAMailOnceAtMost(t *testing.T) {
	m := startMailed(t, func(s *testtools.SMTPServer) { s.Cut(testtools.SMTPDot) })
	m.happen(t, audit.FactorAdded)
	m.attempted(t, testtools.SMTPDot, 1)
	for _, after := range []time.Duration{11 * time.Second, time.Minute, time.Hour, 24 * time.Hour} {
		m.later(t, after)
	}
	all := m.server.Mails()
	if len(all) != 2 || all[0].Header.Get("Message-Id") == "" || all[0].Header.Get("Message-Id") != all[1].Header.Get("Message-Id") {
		t.Fatalf("%d mails", len(all))
	}
	if string(all[0].Raw) != string(all[1].Raw) {
		t.Error("the second is another mail")
	}
	if len(m.events(t, audit.MailMaybeSent)) != 1 || len(m.events(t, audit.MailSent)) != 0 {
		t.Error("the audit says something else")
	}
}

// TestMailOfANodeThatWentAwayIsSentByAnother: once, whatever became of the first.
func TestMailOfANodeThatWentAwayIsSentByAnother(t *testing.T) {
	m := startMailed(t, nil)
	const soon = time.Hour // when it happens: until then the loop leaves it alone
	at := time.Now().Add(soon)
	store := started.current().engine.durable
	if err := store.Append(t.Context(), audit.Event{Time: at, Name: audit.FactorAdded, Account: string(m.id)}); err != nil {
		t.Fatal(err)
	}
	if claimed, err := store.ClaimMails(t.Context(), at, mailLease, 1); err != nil || len(claimed) != 1 {
		t.Fatalf("%v %v", claimed, err)
	}
	m.later(t, soon+mailLease/2)
	if n := len(m.server.Mails()); n != 0 {
		t.Fatalf("%d mails while another node has it", n)
	}
	m.later(t, soon+mailLease+time.Minute)
	if n := len(m.server.Mails()); n != 1 || len(m.events(t, audit.MailSent)) != 1 {
		t.Errorf("%d mails", n)
	}
}

func TestMailWhoseTimeIsOverIsGivenUpAndToldOf(t *testing.T) {
	m := startMailed(t, func(s *testtools.SMTPServer) { s.Cut(testtools.SMTPGreeting) })
	m.happen(t, audit.FactorAdded)
	m.attempted(t, testtools.SMTPGreeting, 1)
	m.later(t, account.MailLife+time.Second)
	if e := m.events(t, audit.MailNotSent); len(e) != 1 || e[0].Method != "factor_added" {
		t.Errorf("%+v", e)
	}
	m.server.Heal()
	m.later(t, 2*account.MailLife)
	if n := len(m.server.Mails()); n != 0 {
		t.Errorf("%d mails", n)
	}
}

// TestEveryEventThatOwnersHearOfHasALetter: for people who sign in here and at
// a provider, with every method.
func TestEveryEventThatOwnersHearOfHasALetter(t *testing.T) {
	m := startMailed(t, nil)
	app := started.current()
	a, err := app.engine.durable.Account(t.Context(), m.id)
	if err != nil {
		t.Fatal(err)
	}
	names := append(audit.ToldNames(), audit.RecoveryAsked, audit.EmailChanged)
	if len(names) != len(letters) {
		t.Errorf("%d events and %d letters", len(names), len(letters))
	}
	for _, name := range names {
		mail := account.Mail{ID: login.NewID(), Account: m.id, To: a.Email, About: string(name), At: time.Now(), Expires: time.Now().Add(time.Minute)}
		if err := app.engine.durable.MailLink(t.Context(), account.Link{Hash: login.LinkHash(mail.ID), Account: m.id, Purpose: "test"}, mail); err != nil {
			t.Fatal(err)
		}
		if name == audit.RecoveryAsked {
			if mail.Sealed, err = login.SealMailToken(app.engine, mail.ID, "token"); err != nil {
				t.Fatal(err)
			}
		}
		letter, err := app.letter(context.Background(), mail, time.Now())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		hasLink := strings.Contains(letter.Text.Reveal(), "/not-me/")
		noLink := name == audit.RecoveryAsked || name == audit.RecoveryElsewhere || name == audit.AccountLocked
		if hasLink == noLink {
			t.Errorf("%s: \"This wasn't me\" is there %t", name, hasLink)
		}
		for _, word := range strings.Fields(letter.Text.Reveal()) {
			if u, err := url.Parse(word); err == nil && u.Scheme != "" && u.Host != "" && u.Host != "localhost" {
				t.Errorf("%s leads to %s", name, word)
			}
		}
	}
	if letters[audit.NewBrowser] != pages.MailNewBrowser {
		t.Error("a sign-in is told as something else")
	}
}

func TestWaitsBetweenAttemptsGrow(t *testing.T) {
	t.Parallel()
	before := time.Duration(0)
	for tries := 1; tries < 12; tries++ {
		wait := mailWait(tries, false)
		if wait < before || wait > time.Hour {
			t.Errorf("after %d attempts %s, before that %s", tries, wait, before)
		}
		before = wait
	}
	if mailWait(0, false) != 10*time.Second || mailWait(1, true) != time.Hour {
		t.Error("the first wait, or that of a refusal for good")
	}
}
