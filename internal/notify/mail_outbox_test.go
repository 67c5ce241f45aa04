package notify_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// mailNumbered is the nth of many mails, each a second after the one before.
func mailNumbered(n int) notify.Mail {
	m := aMail()
	m.ID = strings.NewReplacer("0", "a", "1", "b", "8", "c", "9", "d").Replace(fmt.Sprintf("%026d", n))
	m.Date = m.Date.Add(time.Duration(n) * time.Second)
	return m
}

func listMails(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestMailOutboxKeepsMailsReadable(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sallyport", "mail")
	var log bytes.Buffer
	outbox := notify.NewMailOutbox(dir, slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for range 3 { // the same mail is written once
		if err := outbox.Mail(t.Context(), aMail()); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "20260102T150405Z-abcdefghijklmnopqrstuvwxyz.eml")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err, listMails(t, dir))
	}
	s := testtools.SMTP(t, testtools.SMTPOptions{})
	if err := mailer(s, notify.SMTPConfig{}).Mail(t.Context(), aMail()); err != nil {
		t.Fatal(err)
	}
	got, sent := testtools.ReadMail(raw), s.Await(t, 1)[0]
	if diff := cmp.Diff(sent.Parts, got.Parts) + cmp.Diff(sent.Header, got.Header); diff != "" || got.Fault != "" {
		t.Errorf("it is not what would be sent: %s %s", diff, got.Fault)
	}
	if !bytes.Contains(raw, []byte(mailLink)) {
		t.Errorf("the link cannot be taken out of the file:\n%s", raw)
	}
	for path, want := range map[string]fs.FileMode{file: 0o600, dir: fs.ModeDir | 0o700, filepath.Dir(dir): fs.ModeDir | 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want && runtime.GOOS != "windows" {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	if n := len(listMails(t, dir)); n != 1 {
		t.Errorf("%d files, want 1", n)
	}
	if n := strings.Count(log.String(), `"file":"`+file+`"`); n != 1 {
		t.Errorf("the log names the file %d times:\n%s", n, log.String())
	}
	for _, private := range []string{mailTo, mailLink, "recover", "Choose"} {
		if strings.Contains(log.String(), private) {
			t.Errorf("the log holds %q:\n%s", private, log.String())
		}
	}
}

func TestMailOutboxStaysSmall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	others := []string{"notes.txt", "20200101T000000Z-short.eml", "20200101T000000Z-ABCDEFGHIJKLMNOPQRSTUVWXYZ.eml.bak"}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("keep"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	outbox := notify.NewMailOutbox(dir, slog.New(slog.DiscardHandler))
	const more = 5
	for n := range notify.MailOutboxSize + more {
		if err := outbox.Mail(t.Context(), mailNumbered(n)); err != nil {
			t.Fatal(err)
		}
	}
	names := listMails(t, dir)
	for _, name := range others {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s, which is no mail, is gone: %v", name, err)
		}
	}
	if n := len(names) - len(others); n != notify.MailOutboxSize {
		t.Errorf("%d mails, want %d", n, notify.MailOutboxSize)
	}
	for n, want := range map[int]bool{0: false, more - 1: false, more: true, notify.MailOutboxSize + more - 1: true} {
		m := mailNumbered(n)
		_, err := os.Stat(filepath.Join(dir, m.Date.Format("20060102T150405Z")+"-"+m.ID+".eml"))
		if (err == nil) != want {
			t.Errorf("mail %d is there: %t, want %t", n, err == nil, want)
		}
	}
}

// TestMailOutboxWritesNowhereElse: a link in a file's place would have links
// for signing in written somewhere else, or another file overwritten.
func TestMailOutboxWritesNowhereElse(t *testing.T) {
	t.Parallel()
	const name, part = "20260102T150405Z-abcdefghijklmnopqrstuvwxyz.eml", ".abcdefghijklmnopqrstuvwxyz.part"
	for place, file := range map[string]string{"the mail's place": name, "the place of what is being written": part} {
		dir := t.TempDir()
		elsewhere := filepath.Join(dir, "elsewhere")
		if err := os.WriteFile(elsewhere, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		box := filepath.Join(dir, "mail")
		if err := os.Mkdir(box, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, filepath.Join(box, file)); err != nil {
			t.Fatal(err)
		}
		_ = notify.NewMailOutbox(box, slog.New(slog.DiscardHandler)).Mail(t.Context(), aMail())
		info, err := os.Stat(elsewhere)
		if err != nil || info.Size() != 4 || info.Mode().Perm() != 0o644 && runtime.GOOS != "windows" {
			t.Errorf("a link in %s: the other file is %v, %v", place, info, err)
		}
	}
}

func TestMailOutboxThatCannotBeWrittenFails(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mail")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := (*notify.Failure)(nil)
	err := notify.NewMailOutbox(dir, slog.New(slog.DiscardHandler)).Mail(t.Context(), aMail())
	if !errors.As(err, &f) || f.Reason != notify.Broken || f.Maybe || f.Permanent || !strings.HasPrefix(f.Detail, "the outbox can't be written: ") {
		t.Errorf("%+v", err)
	}
	m := aMail()
	m.To = "nobody"
	expectFailure(t, notify.NewMailOutbox(t.TempDir(), slog.New(slog.DiscardHandler)).Mail(t.Context(), m),
		notify.Failure{Reason: notify.Rejected, Permanent: true, Detail: "the recipient is not one plain e-mail address"})
}

func TestMailOutboxOfManyIsWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	boxes := []*notify.MailOutbox{
		notify.NewMailOutbox(dir, slog.New(slog.DiscardHandler)), notify.NewMailOutbox(dir, slog.New(slog.DiscardHandler)),
	}
	var group sync.WaitGroup
	const mails = 50
	for n := range mails {
		group.Go(func() {
			if err := boxes[n%2].Mail(t.Context(), mailNumbered(n)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	names := listMails(t, dir)
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if got := testtools.ReadMail(raw); err != nil || got.Fault != "" || len(got.Parts) != 2 {
			t.Errorf("%s: %v, %s", name, err, got.Fault)
		}
	}
	if len(names) != mails {
		t.Errorf("%d files, want %d", len(names), mails)
	}
}

// TestMailOutboxWritesNoLineThatAMailMayNotHave: RFC 5322 section 2.1.1.
func TestMailOutboxWritesNoLineThatAMailMayNotHave(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := aMail()
	m.HTML = secret.New("<p>" + strings.Repeat("long ", 400) + "</p>")
	if err := notify.NewMailOutbox(dir, slog.New(slog.DiscardHandler)).Mail(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, listMails(t, dir)[0]))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
		if len(line) > 998 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if got := testtools.ReadMail(raw); !strings.Contains(got.Part("text/html"), strings.Repeat("long ", 400)) {
		t.Errorf("%+v", got)
	}
}
