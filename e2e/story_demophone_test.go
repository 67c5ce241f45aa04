package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDemoWritesTextMessagesToItsFile: the box names the file, and the log
// names it too but never a code.
func TestDemoWritesTextMessagesToItsFile(t *testing.T) {
	t.Parallel()
	d, b := startDemo(t, shortDir(t)), startBrowser(t)
	file := regexp.MustCompile(`tail -f (\S+)`).FindStringSubmatch(d.process.Output())
	if file == nil {
		t.Fatalf("the box names no file:\n%s", d.process.Output())
	}
	b.Open(d.Address + "/?x=1")
	signInPage(b, d, "/set-up")
	b.Click("input[value=phone]")
	b.ClickTo("main button.main", "/set-up/phone")
	b.Type("#phone", "(202) 555-0123") // a number of the United States, as typed there
	b.ClickTo("main form button.main", "/set-up/phone/confirm")
	text, err := os.ReadFile(file[1])
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`(\d{6}) is your Sallyport demo security code`).FindStringSubmatch(string(text))
	if code == nil || !strings.Contains(string(text), "+12025550123") {
		t.Fatalf("the file has no code:\n%s", text)
	}
	b.Type("#code", code[1])
	b.ClickTo("form[action$='/confirm'] button.main", "/set-up/backup-codes")
	b.Click("#saved")
	b.ClickTo("form[action$='/set-up/backup-codes'] button.main", d.Address+"/?x=1")
	if b.Text("#user") != d.Account {
		t.Errorf("after set-up: %s", b.describe())
	}
	if log := d.process.Output(); alone(log, code[1]) >= 0 || strings.Contains(log, "2025550123") {
		t.Error("the log holds the code or the number")
	}
}
