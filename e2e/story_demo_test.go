package e2e

import (
	"bytes"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// A demo is what a newcomer starts, and what it printed.
type demo struct {
	Address, Account, Password string
	process                    *testtools.Process
}

// startDemo runs `sallyport demo` as `make run` does.
func startDemo(t testing.TB, dir string) *demo {
	t.Helper()
	port := filepath.Join(dir, "port") // of the last run: it is preferred
	if _, err := os.Stat(port); err != nil {
		if err := os.WriteFile(port, []byte(strconv.Itoa(testtools.FreePort(t))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(binary(t), "demo", "--dir", dir)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir)
	d := &demo{process: testtools.Start(t, cmd)}
	deadline := time.Now().Add(60 * time.Second)
	for !strings.Contains(d.process.Output(), "└") {
		select {
		case <-d.process.Exited():
			t.Fatalf("the demo ended:\n%s", d.process.Output())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the demo says nothing:\n%s", d.process.Output())
		}
	}
	box := d.process.Output()
	for field, name := range map[*string]string{&d.Address: "Open", &d.Account: "Account", &d.Password: "Password"} {
		m := regexp.MustCompile(`│ ` + name + ` +(\S+)`).FindStringSubmatch(box)
		if m == nil {
			t.Fatalf("the box has no %s:\n%s", name, box)
		}
		*field = m[1]
	}
	return d
}

func TestDemoFromTheBoxToTheApp(t *testing.T) {
	t.Parallel()
	walkDemo(t, startBrowser(t))
}

func TestDemoFromTheBoxToTheAppWithoutJavaScript(t *testing.T) {
	t.Parallel()
	walkDemo(t, startBrowser(t, withoutScripts))
}

func walkDemo(t *testing.T, b *browser) {
	dir := shortDir(t)
	d := startDemo(t, dir)
	b.Open(d.Address + "/?x=1")
	if b.Heading() != "Sign in" || b.Title() != "Sign in – Sallyport demo" {
		t.Fatalf("opening the demo shows %q, titled %q", b.Heading(), b.Title())
	}
	signInPage(b, d, "/set-up")
	b.ClickTo("main button.main", "/set-up/app")
	key := strings.ReplaceAll(b.Text("#key"), " ", "")
	key = strings.Join(strings.Fields(key), "")
	checkQR(t, b, key)
	checkPrinted(t, b.Text("#key"))

	// A wrong code changes nothing about the key.
	b.Type("#code", wrongCode(t, key))
	b.ClickTo("form[action$='/set-up/app'] button.main", "/set-up/app")
	if got := strings.Join(strings.Fields(b.Text("#key")), ""); got != key {
		t.Errorf("after a wrong code the key is %s, was %s", got, key)
	}
	if !strings.HasPrefix(b.Title(), "Error: ") {
		t.Errorf("after a wrong code the title is %q", b.Title())
	}
	b.Type("#code", nextCode(t, key))
	b.ClickTo("form[action$='/set-up/app'] button.main", "/set-up/backup-codes")
	codes := b.Texts("#codes li")
	checkDownload(t, b, codes)

	b.ClickTo("form[action$='/set-up/backup-codes'] button.main", "/set-up/backup-codes") // without the tick
	if !b.Has("#saved-error, .problem") || !slices.Equal(b.Texts("#codes li"), codes) {
		t.Errorf("Finish without the tick: %s", b.describe())
	}
	b.Click("#saved")
	b.ClickTo("form[action$='/set-up/backup-codes'] button.main", d.Address+"/?x=1")
	if b.Text("#user") != d.Account {
		t.Fatalf("the demo app shows the user %q\n%s", b.Text("#user"), b.describe())
	}

	signOut(t, b, d)
	b.Open(d.Address)
	signInPage(b, d, "/verify/app")
	b.Type("#code", nextCode(t, key))
	b.ClickTo("main button.main", d.Address+"/")
	if b.Text("#user") != d.Account {
		t.Fatalf("signed in with a code: %s", b.describe())
	}

	backupCode(t, b, d, codes)
	b.Clean()
	if t.Failed() {
		return
	}
	// The second run of the demo signs nobody out and prints the same.
	_ = d.process.Signal(syscall.SIGINT)
	<-d.process.Exited()
	again := startDemo(t, dir)
	if again.Address != d.Address || again.Password != d.Password {
		t.Errorf("the second run prints %s and another password: %v", again.Address, again.Password != d.Password)
	}
	b.Open(again.Address)
	if b.Text("#user") != d.Account {
		t.Errorf("after a second run of the demo: %s", b.describe())
	}
}

// signInPage fills the page that asks for name and password.
func signInPage(b *browser, d *demo, to string) {
	b.t.Helper()
	b.Type("#username", d.Account)
	b.Type("#password", d.Password)
	b.ClickTo("main button.main", to)
}

func signOut(t *testing.T, b *browser, d *demo) {
	t.Helper()
	b.ClickTo("a[href='/sallyport/sign-out']", "/sign-out")
	b.ClickTo("main button.main", "/signed-out")
	if b.Heading() != "You have signed out" {
		t.Errorf("after signing out: %q", b.Heading())
	}
	b.Open(d.Address)
	if b.Heading() != "Sign in" {
		t.Fatalf("the app after signing out: %s", b.describe())
	}
}

// checkQR reads the QR code from the screen, as a phone does.
func checkQR(t *testing.T, b *browser, key string) {
	t.Helper()
	file := b.Screenshot(filepath.Join(t.TempDir(), "setup.png"))
	out, err := exec.Command(testtools.Need(t, "zbarimg"), "--quiet", "--raw", file).Output()
	if err != nil {
		t.Fatalf("zbarimg reads no code: %v", err)
	}
	u, err := url.Parse(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	if got := u.Query().Get("secret"); u.Scheme != "otpauth" || got != key || len(key) != 32 {
		t.Errorf("the QR code holds %s with key %q, the page shows %q", u.Scheme, got, key)
	}
	if got := u.Query().Get("issuer"); got != "Sallyport demo" {
		t.Errorf("the QR code's issuer is %q", got)
	}
	for name, usual := range map[string]string{"algorithm": "SHA1", "digits": "6", "period": "30"} {
		if got := u.Query().Get(name); got != "" && got != usual {
			t.Errorf("the QR code says %s=%s: apps ignore it", name, got)
		}
	}
	if link := b.eval("document.querySelector(\"a[href^='otpauth:']\").href"); link != u.String() {
		t.Errorf("the link for this device is %s, the QR code %s", link, u)
	}
}

// checkPrinted compares the code that our own command prints, for people
// without a phone, with an authenticator's.
func checkPrinted(t *testing.T, key string) {
	t.Helper()
	before := oathCode(t, key)
	out, err := exec.Command(binary(t), append([]string{"totp"}, strings.Fields(key)...)...).Output()
	if printed := strings.TrimSpace(string(out)); err != nil || printed != before && printed != oathCode(t, key) {
		t.Errorf("sallyport totp: %q, %v; oathtool says %s", printed, err, before)
	}
}

// checkDownload compares the page's codes with the file that the link gives.
func checkDownload(t *testing.T, b *browser, codes []string) {
	t.Helper()
	if len(codes) != 10 {
		t.Fatalf("%d backup codes: %v", len(codes), codes)
	}
	form := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$`)
	for _, c := range codes {
		if !form.MatchString(c) {
			t.Errorf("backup code %q", c)
		}
	}
	link := b.eval("document.querySelector('a[download]').href")
	text := download(t, b, link)
	var listed []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); form.MatchString(line) {
			listed = append(listed, line)
		}
	}
	if !slices.Equal(listed, codes) {
		t.Errorf("the file lists\n%v\nthe page\n%v", listed, codes)
	}
}

// download asks for an address with the browser's cookies.
func download(t *testing.T, b *browser, link string) string {
	t.Helper()
	r := newRequest(t, link)
	for _, c := range b.Cookies(link) {
		r.AddCookie(cookie(c.Name, c.Value))
	}
	response, err := plainHTTP.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := io.Copy(&text, response.Body); err != nil {
		t.Fatal(err)
	}
	if got := response.Header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment; filename=") {
		t.Errorf("the codes' file: status %d, Content-Disposition %q", response.StatusCode, got)
	}
	return text.String()
}

// backupCode signs in with a backup code in the code's place: once, and in
// any spelling.
func backupCode(t *testing.T, b *browser, d *demo, codes []string) {
	t.Helper()
	signOut(t, b, d)
	signInPage(b, d, "/verify/app")
	b.ClickTo("main .links a[href*='/verify?']", "/verify?")
	if b.Heading() != "How do you want to verify it's you?" {
		t.Errorf("another way: %q", b.Heading())
	}
	b.Click("input[value=backup]")
	b.ClickTo("main button.main", "/verify/backup")
	b.Type("#code", strings.ToLower(strings.ReplaceAll(codes[3], "-", " ")))
	b.ClickTo("main button.main", d.Address+"/")
	if b.Text("#user") != d.Account {
		t.Fatalf("signed in with a backup code: %s", b.describe())
	}
	signOut(t, b, d)
	signInPage(b, d, "/verify/")
	if b.Path() != "/sallyport/verify/backup" { // the last used comes first
		b.ClickTo("main .links a[href*='/verify?']", "/verify?")
		b.Click("input[value=backup]")
		b.ClickTo("main button.main", "/verify/backup")
	}
	b.Type("#code", codes[3])
	b.ClickTo("main button.main", "/verify/backup")
	if got := b.Text(".problem"); !strings.Contains(got, "That backup code is not correct, or it has been used") {
		t.Errorf("a used backup code: %q", got)
	}
	b.Type("#code", codes[4])
	b.ClickTo("main button.main", d.Address+"/")
	if b.Text("#user") != d.Account {
		t.Errorf("signed in with another backup code: %s", b.describe())
	}
}
