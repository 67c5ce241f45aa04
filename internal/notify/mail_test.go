package notify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// delivered hands a mail to a server and returns what arrived.
func delivered(t *testing.T, o testtools.SMTPOptions, m notify.Mail) testtools.ReceivedMail {
	t.Helper()
	s := testtools.SMTP(t, o)
	if err := mailer(s, notify.SMTPConfig{}).Mail(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := s.Await(t, 1)[0]
	if got.Fault != "" {
		t.Errorf("not well formed: %s\n%s", got.Fault, got.Raw)
	}
	for line := range bytes.SplitSeq(got.Raw, []byte("\r\n")) {
		if len(line) > 78 || bytes.ContainsAny(line, "\r\n\x00") || slices.ContainsFunc(line, func(b byte) bool { return b > '~' }) && !got.UTF8 {
			t.Errorf("a line of %d octets: %q", len(line), line)
		}
	}
	return got
}

func TestMailArrivesAsItWasWritten(t *testing.T) {
	t.Parallel()
	got := delivered(t, testtools.SMTPOptions{}, aMail())
	header := map[string][]string{
		"Date": {"Fri, 02 Jan 2026 15:04:05 +0000"}, "Message-Id": {"<abcdefghijklmnopqrstuvwxyz@example.com>"},
		"From": {`"Example Inc." <it@example.com>`}, "To": {"<" + mailTo + ">"}, "Subject": {"Choose a new password"},
		"Auto-Submitted": {"auto-generated"}, "Content-Language": {"en"}, "Mime-Version": {"1.0"},
	}
	typ := got.Header["Content-Type"]
	delete(got.Header, "Content-Type")
	if diff := cmp.Diff(header, map[string][]string(got.Header)); diff != "" {
		t.Errorf("header: -want +got\n%s", diff)
	}
	if len(typ) != 1 || !strings.HasPrefix(typ[0], "multipart/alternative;") {
		t.Errorf("Content-Type %q", typ)
	}
	parts := []testtools.MailPart{{Type: "text/plain", Text: "Open " + mailLink + "\n"}, {Type: "text/html", Text: "<a href=\"" + mailLink + "\">Open</a>\n"}}
	if diff := cmp.Diff(parts, got.Parts); diff != "" {
		t.Errorf("parts: -want +got\n%s", diff)
	}
}

func TestOddTextsArriveWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a very long line ", 200) + "\n" + strings.Repeat("x", 3000) + "\n"
	for name, c := range map[string]struct {
		change func(*notify.Mail)
		want   func(testtools.ReceivedMail) any
		value  any
	}{
		"subject beyond ASCII": {
			func(m *notify.Mail) {
				m.Subject = "Neues Passwort für Jürgen 🔑, パスワードを変更してください。これは長い件名です"
			},
			func(r testtools.ReceivedMail) any { return r.Subject }, "Neues Passwort für Jürgen 🔑, パスワードを変更してください。これは長い件名です",
		},
		"subject that is too long": {
			func(m *notify.Mail) { m.Subject = strings.Repeat("0123456789 ", 40) },
			func(r testtools.ReceivedMail) any { return len([]rune(r.Subject)) }, 201,
		},
		"names beyond ASCII": {
			func(m *notify.Mail) {
				m.From, m.To = notify.Mailbox("Prüfstelle \"Süd\" <it>", "it@example.com"), notify.Mailbox("山田太郎", mailTo)
			},
			func(r testtools.ReceivedMail) any { return names(t, r) },
			[]string{"Prüfstelle \"Süd\" <it>", "山田太郎"},
		},
		"long lines": {
			func(m *notify.Mail) { m.Text = secret.New(long) },
			func(r testtools.ReceivedMail) any { return r.Part("text/plain") }, long,
		},
		"dots alone and at the start": {
			func(m *notify.Mail) { m.Text = secret.New(".\n..\n.start\nend.\n.\n") },
			func(r testtools.ReceivedMail) any { return r.Part("text/plain") }, ".\n..\n.start\nend.\n.\n",
		},
		"what looks like a header or a part": {
			func(m *notify.Mail) { m.Text = secret.New("Bcc: x@example.net\n\n--\n--x--\nFrom me = 100% \t\n") },
			func(r testtools.ReceivedMail) any { return r.Part("text/plain") }, "Bcc: x@example.net\n\n--\n--x--\nFrom me = 100% \t\n",
		},
		"plain text alone": {
			func(m *notify.Mail) { m.HTML = secret.Text{} },
			func(r testtools.ReceivedMail) any { return r.Parts },
			[]testtools.MailPart{{Type: "text/plain", Text: "Open " + mailLink + "\n"}},
		},
		"no language": {
			func(m *notify.Mail) { m.Language = "" },
			func(r testtools.ReceivedMail) any { return r.Header["Content-Language"] }, []string(nil),
		},
		"a domain beyond ASCII": {
			func(m *notify.Mail) { m.From, m.To = "it@bücher.example", "owner@bücher.example" },
			func(r testtools.ReceivedMail) any { return []string{r.From, r.To[0], r.Header.Get("Message-Id")} },
			[]string{"it@xn--bcher-kva.example", "owner@xn--bcher-kva.example", "<abcdefghijklmnopqrstuvwxyz@xn--bcher-kva.example>"},
		},
		"a name beyond ASCII before the @": {
			func(m *notify.Mail) { m.To = "jürgen@example.org" },
			func(r testtools.ReceivedMail) any { return []any{r.To[0], r.UTF8} },
			[]any{"jürgen@example.org", true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := aMail()
			c.change(&m)
			if diff := cmp.Diff(c.value, c.want(delivered(t, testtools.SMTPOptions{UTF8: true}, m))); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func names(t *testing.T, r testtools.ReceivedMail) (list []string) {
	t.Helper()
	for _, field := range []string{"From", "To"} {
		box, err := mail.ParseAddress(r.Header.Get(field))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, box.Name)
	}
	return list
}

func TestServerWithoutUTF8GetsNoSuchAddress(t *testing.T) {
	t.Parallel()
	m := aMail()
	m.To = "jürgen@example.org"
	err := mailer(testtools.SMTP(t, testtools.SMTPOptions{}), notify.SMTPConfig{}).Mail(t.Context(), m)
	expectFailure(t, err, notify.Failure{Reason: notify.Rejected, Permanent: true, Detail: "the server takes no addresses beyond ASCII (SMTPUTF8)"})
}

// TestNoFieldAddsToTheHeader: whoever chooses a name, an address or a subject
// would else add recipients, headers or a whole body of their own.
func TestNoFieldAddsToTheHeader(t *testing.T) {
	t.Parallel()
	fields := map[string]func(*notify.Mail, string){
		"ID":                  func(m *notify.Mail, s string) { m.ID = s },
		"From":                func(m *notify.Mail, s string) { m.From = s },
		"From, the name":      func(m *notify.Mail, s string) { m.From = notify.Mailbox(s, "it@example.com") },
		"To":                  func(m *notify.Mail, s string) { m.To = s },
		"To, the name":        func(m *notify.Mail, s string) { m.To = notify.Mailbox(s, mailTo) },
		"To, the address":     func(m *notify.Mail, s string) { m.To = notify.Mailbox("Owner", s) },
		"To, a name in front": func(m *notify.Mail, s string) { m.To = s + " <" + mailTo + ">" },
		"Subject":             func(m *notify.Mail, s string) { m.Subject = s },
		"Language":            func(m *notify.Mail, s string) { m.Language = s },
		"Text":                func(m *notify.Mail, s string) { m.Text = secret.New(s) },
		"HTML":                func(m *notify.Mail, s string) { m.HTML = secret.New(s) },
	}
	attacks := []string{
		"x\r\nBcc: victim@example.net", "x\nBcc: victim@example.net", "x\rBcc: victim@example.net", "x\r\n\r\nbody", "x\u2028Bcc: victim@example.net", "x\x00y",
		"a@example.org, victim@example.net", "a@example.org,victim@example.net", "group: victim@example.net;", "<a@example.org> NOTIFY=NEVER",
		`"a> NOTIFY=SUCCESS <b"@example.org`, `"a@example.org> x <"@example.net`, `"victim@example.net"@example.org`, "a@example.org\r\nRCPT TO:<victim@example.net>",
		"a@example.org>\r\nRCPT TO:<victim@example.net", "=?utf-8?q?x=0D=0ABcc:_victim@example.net?=", "=?utf-8?q?x=0D=0ABcc:_v?= <a@example.org>",
		"a@[127.0.0.1]", "a(victim@example.net)@example.org", "@example.net:a@example.org", "a@example.org\x00", "victim@example.net\x00@example.org",
		"x\r\n.\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<victim@example.net>", "x\n.\nRCPT TO:<victim@example.net>\n", "x\r.\r", strings.Repeat("long ", 500),
	}
	s := testtools.SMTP(t, testtools.SMTPOptions{NoTLS: true, UTF8: true})
	known := []string{"Auto-Submitted", "Content-Language", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To"}
	taken := 0
	for name, set := range fields {
		for _, attack := range attacks {
			m := aMail()
			set(&m, attack)
			before := len(s.Mails())
			err := mailer(s, notify.SMTPConfig{Security: notify.NoTLS}).Mail(t.Context(), m)
			mails := s.Mails()
			if err != nil {
				if len(mails) != before {
					t.Errorf("%s %q: refused and taken", name, attack)
				}
				continue
			}
			taken++
			got := mails[len(mails)-1]
			if len(mails) != before+1 || got.Fault != "" || len(got.To) != 1 || strings.Contains(got.To[0]+got.From, "victim") || strings.ContainsAny(got.To[0]+got.From, " <>\"\r\n") {
				t.Errorf("%s %q: %d mails, from %q to %q, %s", name, attack, len(mails)-before, got.From, got.To, got.Fault)
			}
			for field, values := range got.Header {
				if !slices.Contains(known, field) || len(values) != 1 {
					t.Errorf("%s %q: the header has %s %q", name, attack, field, values)
				}
			}
			if len(got.Parts) != 2 {
				t.Errorf("%s %q: %d parts", name, attack, len(got.Parts))
			}
		}
	}
	if taken < 4*len(attacks) {
		t.Errorf("only %d mails arrived: texts, subjects and names are to be made harmless, not refused", taken)
	}
}

func TestMailThatCannotBeWrittenIsRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*notify.Mail){
		"the sender is not one plain e-mail address":    func(m *notify.Mail) { m.From = "" },
		"the recipient is not one plain e-mail address": func(m *notify.Mail) { m.To = "owner" },
		"the mail's ID is not 26 characters of base32":  func(m *notify.Mail) { m.ID = "short" },
		"the language is not a language tag":            func(m *notify.Mail) { m.Language = "en us" },
		"the mail has no date":                          func(m *notify.Mail) { m.Date = time.Time{} },
		"the mail has no text":                          func(m *notify.Mail) { m.Text = secret.Text{} },
	} {
		m := aMail()
		change(&m)
		err := notify.NewSMTP(notify.SMTPConfig{Host: "127.0.0.1", Port: 1}).Mail(t.Context(), m)
		expectFailure(t, err, notify.Failure{Reason: notify.Rejected, Permanent: true, Detail: want})
	}
}

func TestMailsTextsArePrintedNowhere(t *testing.T) {
	t.Parallel()
	m := aMail()
	encoded, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if printed := fmt.Sprintf("%v %+v %#v %s", m, m, m, encoded); strings.Contains(printed, mailLink) || !strings.Contains(printed, secret.Redacted) {
		t.Errorf("%s", printed)
	}
}

func TestCheckMailbox(t *testing.T) {
	t.Parallel()
	for box, good := range map[string]bool{
		"it@example.com": true, "Example Inc. <it@example.com>": true, "it@mail": true, "a.b+c@example.com": true, "jürgen@bücher.example": true,
		"": false, "it": false, "@example.com": false, "it@": false, "it@-x.com": false, "a b@example.com": false,
		"it@example.com, you@example.com": false, "it@exa_mple.com": false, strings.Repeat("x", 250) + "@example.com": false,
	} {
		if problem := notify.CheckMailbox(box); (problem == "") != good {
			t.Errorf("%q: %q", box, problem)
		}
	}
}
