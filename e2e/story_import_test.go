package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// passwordHost is an app that a password alone opens.
const passwordHost = `
{
	sallyport {
		password {
			argon2id 19MiB 2 1
		}
	}
}
http://localhost:{$PORT} {
	sallyport {
		title "Wiki"
		require password
	}
	reverse_proxy {$APP}
}
`

// made runs a program and returns the line that it prints; input is what it
// reads.
func made(t testing.TB, input, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(testtools.Need(t, program), args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v", program, args, err)
	}
	return strings.TrimSpace(string(out))
}

// byPython are hashes in Authelia's form for kinds that no program makes: the
// key from Python's library, in the base64 of passlib.
const byPython = `
import base64, hashlib, sys
pw, salt = sys.stdin.read().encode(), b"0123456789abcdef"
b64 = lambda b: base64.b64encode(b).decode().rstrip("=")
kind = sys.argv[1]
if kind == "scrypt":
    print("$scrypt$ln=14,r=8,p=1$" + b64(salt) + "$" + b64(hashlib.scrypt(pw, salt=salt, n=2**14, r=8, p=1, dklen=32)))
else:
    key = hashlib.pbkdf2_hmac(kind, pw, salt, 310000)
    print("$pbkdf2-" + kind + "$310000$" + b64(salt).replace("+", ".") + "$" + b64(key).replace("+", "."))
`

// A mover is somebody who keeps their password.
type mover struct{ name, password, hash string }

// moversFrom are accounts with hashes that other programs make.
func moversFrom(t *testing.T) []mover {
	argon := func(kind string) func(string) string {
		return func(pw string) string {
			return made(t, pw, "argon2", "saltsaltsaltsalt", kind, "-t", "3", "-k", "65536", "-p", "4", "-l", "32", "-e")
		}
	}
	openssl := func(args ...string) func(string) string {
		return func(pw string) string {
			return made(t, pw+"\n", "openssl", append(append([]string{"passwd"}, args...), "-stdin")...)
		}
	}
	python := func(kind string) func(string) string {
		return func(pw string) string { return made(t, pw, "python3", "-c", byPython, kind) }
	}
	all := []mover{}
	for i, kind := range []struct {
		name string
		hash func(string) string
	}{
		{"argon2id", argon("-id")},
		{"argon2i", argon("-i")},
		{"sha512", openssl("-6")},
		{"sha512-crypt", func(pw string) string { return "{CRYPT}" + openssl("-6")(pw) }},
		{"sha256", openssl("-5", "-salt", "abcdefgh")},
		{"bcrypt", htpasswdHash(t, "-B", "-C", "10")},
		{"scrypt", python("scrypt")},
		{"pbkdf2-sha512", python("sha512")},
		{"pbkdf2-sha256", python("sha256")},
	} {
		pw := fmt.Sprintf("Pässwörd %d: 東京 \"'", i)
		all = append(all, mover{kind.name, pw, kind.hash(pw)})
	}
	return all
}

func htpasswdHash(t testing.TB, args ...string) func(string) string {
	return func(pw string) string {
		_, hash, _ := strings.Cut(made(t, pw, "htpasswd", append(append([]string{"-n", "-i"}, args...), "x")...), ":")
		return hash
	}
}

// keepsPassword wants that the person signs in at the pages with the password
// that the other system had, that no other one opens, and that the hash is
// ours afterwards.
func (m mover) keepsPassword(t *testing.T, g *gateway) {
	t.Helper()
	if page := newClient(t, g, "localhost").Password("/", m.name, m.password+"x"); page.Text("user") != "" {
		t.Fatalf("%s: a wrong password opens", m.name)
	}
	for range 2 { // the second time with the new hash
		if page := newClient(t, g, "localhost").Password("/wiki", m.name, m.password); page.Text("user") != m.name {
			t.Fatalf("%s: %s %d %q", m.name, page.URL, page.Status, page.Heading())
		}
	}
	out, err := g.Run("", "account", "export", "--with-hashes")
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Accounts []struct {
			Name string
			Hash string `json:"password_hash"`
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	for _, a := range list.Accounts {
		if a.Name == m.name && !strings.HasPrefix(a.Hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
			t.Errorf("%s: the hash is still %.20s", m.name, a.Hash)
		}
	}
	upgraded := 0
	for wait := 0; wait < 40 && upgraded == 0; wait++ {
		if out, err = g.Run("", "audit", "--account", m.name, "--limit", "100", "--json"); err != nil {
			t.Fatal(err)
		}
		for _, e := range eventsOf(t, out) {
			if e.Event == "password_upgraded" {
				upgraded++
			}
		}
	}
	if upgraded != 1 {
		t.Errorf("%s: %d events password_upgraded, want one", m.name, upgraded)
	}
}

// inFile writes a file beside the gateway.
func (g *gateway) inFile(name, text string) string {
	g.t.Helper()
	file := filepath.Join(g.Dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
	return file
}

// TestPeopleOfAutheliaKeepTheirPasswords: its users file, with hashes of every
// kind that it documents, made by other programs.
func TestPeopleOfAutheliaKeepTheirPasswords(t *testing.T) {
	t.Parallel()
	movers := moversFrom(t)
	g := startGateway(t, passwordHost, withApp(startApp(t)))
	var file strings.Builder
	file.WriteString("# yaml-language-server: $schema=…\n---\nusers:\n")
	for _, m := range movers {
		fmt.Fprintf(&file, "  %s:\n    disabled: false\n    displayname: 'Person of %s'\n    password: '%s'\n    email: %s@example.com\n"+
			"    groups:\n      - 'staff'\n      - dev\n    given_name: 'P'\n    family_name: \"O\"\n    phone_number: '+1 (212) 555 0100'\n"+
			"    address:\n      locality: Paris\n    extra:\n      level: 3\n", m.name, m.name, m.hash, m.name)
	}
	fmt.Fprintf(&file, "  gone:\n    disabled: true\n    displayname: Gone\n    password: %q\n    email: gone@example.com\n    groups: []\n", movers[0].hash)
	if out, err := g.Run("", "account", "import", g.inFile("users_database.yml", file.String())); err != nil || !strings.Contains(out, fmt.Sprintf("imported: %d\n", len(movers)+1)) {
		t.Fatal(out, err)
	}
	for _, m := range movers {
		m.keepsPassword(t, g)
	}
	if page := newClient(t, g, "localhost").Password("/", "gone", movers[0].password); page.Text("user") != "" || page.Status == 200 && page.Heading() == "" {
		t.Errorf("a disabled account got in: %d %q", page.Status, page.Heading())
	}
}

// TestPeopleOfHtpasswdKeepTheirPasswords: what Apache's own program writes; the
// kinds that are guessed too fast are refused, each with its line.
func TestPeopleOfHtpasswdKeepTheirPasswords(t *testing.T) {
	t.Parallel()
	const pw = "Pässwörd of 東京"
	g := startGateway(t, passwordHost, withApp(startApp(t)))
	movers := []mover{
		{"bcrypt", pw, htpasswdHash(t, "-B")(pw)},
		{"bcrypt12", pw, htpasswdHash(t, "-B", "-C", "12")(pw)},
		{"sha512", pw, made(t, pw+"\n", "openssl", "passwd", "-6", "-stdin")},
		{"sha256", pw, made(t, pw+"\n", "openssl", "passwd", "-5", "-stdin")},
	}
	var file strings.Builder
	for _, m := range movers {
		file.WriteString(m.name + ":" + m.hash + "\n")
	}
	good := file.String()
	for _, weak := range []string{"-m", "-s", "-d", "-p"} {
		file.WriteString("weak" + weak + ":" + htpasswdHash(t, weak)("hunter22") + "\n")
	}
	cmd := g.Command("account", "import", g.inFile("weak.htpasswd", file.String()))
	out, err := cmd.CombinedOutput()
	for i, why := range []string{"MD5 ($apr1$) is not accepted", "SHA-1 ({SHA}) is not accepted", "DES crypt is not accepted", "its kind is unknown"} {
		if want := fmt.Sprintf("htpasswd:%d: stored password hash is unusable: %s", len(movers)+1+i, why); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	if strings.Contains(string(out), "hunter22") || strings.Contains(string(out), "htpasswd:1:") {
		t.Errorf("%s", out)
	}
	if out, err := g.Run("", "account", "import", g.inFile(".htpasswd", good)); err != nil {
		t.Fatal(out, err)
	}
	for _, m := range movers {
		m.keepsPassword(t, g)
	}
}

// TestTenThousandAccountsAreImportedAtOnce: an organisation in one transaction,
// and nobody of it when the last one is taken.
func TestTenThousandAccountsAreImportedAtOnce(t *testing.T) {
	t.Parallel()
	const many = 10_000
	hash := made(t, "pw", "argon2", "saltsaltsaltsalt", "-id", "-t", "3", "-k", "65536", "-p", "4", "-l", "32", "-e")
	g := startGateway(t, passwordHost, withApp(startApp(t)))
	var b strings.Builder
	b.WriteString("name,email,display_name,groups,password_hash\n")
	for i := range many - 1 {
		fmt.Fprintf(&b, "person.%d,person.%d@example.com,\"Person, %d\",staff;everybody,%q\n", i, i, i, hash)
	}
	all, taken := g.inFile("all.csv", b.String()+"last,,,,\n"), g.inFile("taken.csv", b.String()+"other,TAKEN@example.com,,,\n")
	newAccount(t, g, "taken")
	if out, err := g.Run("", "account", "import", taken); err == nil {
		t.Error(out)
	}
	if out, err := g.Run("", "account", "import", all, "--dry-run"); err != nil || !strings.Contains(out, "without a fault: 10000\nlast would have no password") {
		t.Errorf("%v %.300s", err, out)
	}
	began := time.Now()
	if out, err := g.Run("", "account", "import", all); err != nil || !strings.Contains(out, "imported: 10000\n") {
		t.Fatalf("%v %.300s", err, out)
	}
	t.Logf("%d accounts in %v", many, time.Since(began))
	out, err := g.Run("", "account", "export")
	if err != nil || strings.Count(out, `"name": "person.`) != many-1 {
		t.Errorf("%d accounts exported, %v", strings.Count(out, `"name": "person.`), err)
	}
}
