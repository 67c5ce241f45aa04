package pages

import (
	"flag"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the e-mails as they are made into the golden files")

const (
	mailNotMe    = "https://login.example.com/not-me/Zk3v9"
	mailLink     = "https://login.example.com/recover/Qx71b"
	mailSettings = "https://login.example.com/account/security"
)

// mailFixtures are e-mails by the name of their golden files.
func mailFixtures(w sample) map[string]Mail {
	full := func(kind, method string) Mail {
		return Mail{
			Kind: kind, Method: method, Account: w.account, When: at, Browser: w.browser, Network: w.network,
			NotMe: mailNotMe, Settings: mailSettings,
		}
	}
	all := map[string]Mail{}
	for _, kind := range mailKinds {
		all[kind] = full(kind, "")
	}
	for _, kind := range []string{MailFactorAdded, MailFactorReplaced, MailFactorRemoved} {
		all[kind+"-app"], all[kind+"-phone"] = full(kind, MethodApp), full(kind, MethodPhone)
	}
	all[MailFactorLocked+"-app"], all[MailFactorLocked+"-backup"] = full(MailFactorLocked, MethodApp), full(MailFactorLocked, MethodBackup)

	for left, name := range []string{"-none", "-one", "", "-many"} {
		m := full(MailCodeUsed, MethodBackup)
		m.Left = left + left/3*4
		all[MailCodeUsed+name] = m
	}
	recovery := full(MailRecovery, "")
	recovery.Link, recovery.Minutes, recovery.Settings = mailLink, 15, ""
	all[MailRecovery] = recovery
	recovery.NotMe = ""
	all[MailRecovery+"-plain"] = recovery

	managed := full(MailRecoveryOrg, "")
	managed.Org, managed.NotMe, managed.Settings = w.org, "", ""
	all[MailRecoveryOrg] = managed
	for name, org := range map[string]string{"": "", "-org": w.org} {
		locked := full(MailLocked, "")
		locked.Org, locked.NotMe, locked.Settings = org, "", ""
		all[MailLocked+name] = locked
	}
	linked := full(MailLocked, "")
	linked.NotMe, linked.Settings, linked.Link = "", "", "https://login.example.com/recover"
	all[MailLocked+"-link"] = linked
	for _, kind := range []string{MailStepReset, MailUnlocked, MailFactorRemoved} {
		m := full(kind, "")
		m.Browser, m.Network = "", ""
		all[kind+"-support"] = m
		m.NotMe = ""
		all[kind+"-support-alone"] = m
	}
	delete(all, MailStepReset)
	alone := full(MailPassword, "")
	alone.NotMe = ""
	all[MailPassword+"-alone"] = alone
	return all
}

// TestEMailsAreWrittenSo holds each against its golden files.
func TestEMailsAreWrittenSo(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	if *update {
		if err := os.MkdirAll("testdata/mail", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, m := range mailFixtures(lifelike) {
		subject, text, page, err := s.Mail(m)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", "Subject: "+subject+"\n\n"+text)
		golden(t, name+".html", page)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", "mail", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got (go test -run TestEMailsAreWrittenSo ./pages -update writes it anew)\n%s", name, diff)
	}
}

var (
	addressInText = regexp.MustCompile(`https?://\S+`)
	addressInHTML = regexp.MustCompile(`href="([^"]*)"`)
	tags          = regexp.MustCompile(`(?s)<title>.*?</title>|<[^>]*>`)
)

// links are the addresses of both parts, without that of the support by mail,
// which text has no link for.
func links(text, page string) (inText, inHTML []string) {
	inText = addressInText.FindAllString(text, -1)
	for i := range inText {
		inText[i] = strings.TrimRight(inText[i], ".,")
	}
	for _, m := range addressInHTML.FindAllStringSubmatch(page, -1) {
		if address := html.UnescapeString(m[1]); !strings.HasPrefix(address, "mailto:") {
			inHTML = append(inHTML, address)
		}
	}
	return inText, inHTML
}

// mailMethods are those that an e-mail can be about.
var mailMethods = []string{"", MethodApp, MethodBackup, MethodText, MethodCall, MethodPhone}

// TestNoEMailLacksAMessage, of any kind about any method in any language: the
// catalogues are part of the program, so this needs no look at every start.
func TestNoEMailLacksAMessage(t *testing.T) {
	t.Parallel()
	const address = "https://example.com/"
	s := newSet(t)
	for _, lang := range s.Languages() {
		for _, kind := range mailKinds {
			var mails []Mail
			for _, method := range mailMethods {
				mails = append(mails, Mail{Method: method, NotMe: address, Link: address, Settings: address})
			}
			for left := range 4 {
				mails = append(mails, Mail{Browser: "x", Network: "x", Link: address, Left: left, Minutes: left, Org: "x"})
			}
			for _, m := range mails {
				m.Kind, m.Lang = kind, lang
				if _, _, _, err := s.Mail(m); err != nil {
					t.Errorf("%s: %+v: %v", lang, m, err)
				}
			}
		}
	}
}

// TestBothPartsOfAnEMailSayTheSame, for every kind, method and name.
func TestBothPartsOfAnEMailSayTheSame(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	for name, w := range map[string]sample{"lifelike": lifelike, "short": alike("x")} {
		for file, m := range mailFixtures(w) {
			for _, method := range mailMethods {
				m.Method = method
				_, text, page, err := s.Mail(m)
				if err != nil {
					t.Fatal(err)
				}
				inText, inHTML := links(text, page)
				if diff := cmp.Diff(inHTML, inText); diff != "" {
					t.Errorf("%s %s %s: addresses (-html +text):\n%s", name, file, method, diff)
				}
				for _, address := range inText {
					if address != m.NotMe && address != m.Link && address != m.Settings {
						t.Errorf("%s %s %s leads to %s", name, file, method, address)
					}
				}
				plain := strings.Fields(html.UnescapeString(tags.ReplaceAllString(page, "")))
				if diff := cmp.Diff(plain, strings.Fields(addressInText.ReplaceAllString(text, ""))); diff != "" {
					t.Errorf("%s %s %s: words (-html +text):\n%s", name, file, method, diff)
				}
			}
		}
	}
}

func TestSupportOnTheWebIsLinkedInBothParts(t *testing.T) {
	t.Parallel()
	_, text, page, err := named(t, "Example portal").Mail(Mail{Kind: MailPassword, When: at})
	if err != nil {
		t.Fatal(err)
	}
	inText, inHTML := links(text, page)
	if !slices.Contains(inText, "https://help.example.com") || !slices.Equal(inText, inHTML) {
		t.Errorf("text %v, HTML %v", inText, inHTML)
	}
}

// Names come from outside: none may add a line, an element or an address.
func TestHostileNamesInEMailsStayWords(t *testing.T) {
	t.Parallel()
	clean := newSet(t)
	for what, bad := range map[string]string{
		"lines":     "ann\r\n\r\nhttps://evil.example/sign-in\r\nBcc: all@example.com",
		"markup":    `"><img src=x onerror=1><a href="https://evil.example">`,
		"direction": "\u202egnp.exe\u2066 \u2028x\u2029y\u0085z",
		"marks":     "{service} [a](link) **b** `c`",
		"long":      strings.Repeat("W", 5000),
		"nul":       "a\x00b\xff",
	} {
		s, err := New(Brand{Name: bad, Support: bad})
		if err != nil {
			t.Fatal(err)
		}
		for name, m := range mailFixtures(alike(bad)) {
			subject, text, page, err := s.Mail(m)
			if err != nil {
				t.Fatal(err)
			}
			_, like, _, err := clean.Mail(mailFixtures(alike("x"))[name])
			if err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(subject, "\r\n\x00\u202e\u2028\u2029\u0085") || len(subject) > 300 {
				t.Errorf("%s, %s: subject %q", what, name, subject)
			}
			if got, want := strings.Count(text, "\n"), strings.Count(like, "\n"); got != want || strings.ContainsAny(text, "\r\x00\u202e\u2028\u2029\u0085") {
				t.Errorf("%s, %s: %d lines, want %d:\n%s", what, name, got, want, text)
			}
			if strings.Contains(page, "<img") || strings.Contains(page, `href="https://evil`) {
				t.Errorf("%s, %s:\n%s", what, name, page)
			}
			if !strings.HasPrefix(page, `<!doctype html>`+"\n"+`<html lang="en" dir="ltr">`) {
				t.Errorf("%s: no language in %s", name, page)
			}
		}
	}
}

func TestEMailLeadsOnlyToTheWeb(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	for _, address := range []string{"javascript:alert(1)", "/not-me/x", "//evil.example", "data:text/html,x", "https:///x", "https://a\nb"} {
		for _, m := range []Mail{
			{Kind: MailPassword, NotMe: address},
			{Kind: MailRecovery, Link: address},
			{Kind: MailNewBrowser, Settings: address},
		} {
			if _, text, _, err := s.Mail(m); err == nil {
				t.Errorf("%s: %q was written", m.Kind, text)
			}
		}
	}
	for _, m := range []Mail{{Kind: "nothing"}, {Kind: MailRecovery}} {
		if _, text, _, err := s.Mail(m); err == nil {
			t.Errorf("%s: %q was written", m.Kind, text)
		}
	}
}
