package caddymodule

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/assertion"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// assertionDocs returns the one block of code in that language of
// docs/assertion.md.
func assertionDocs(t *testing.T, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(fromRoot(t, "docs/assertion.md"), "\n```"+language+"\n")
	block, after, closed := strings.Cut(rest, "\n```\n")
	if !found || !closed || strings.Contains(after, "```"+language+"\n") {
		t.Fatalf("docs/assertion.md has not exactly one block of %s", language)
	}
	return block + "\n"
}

// The documented payload is one that is really sent, and the table below it
// has every claim.
func TestAssertionIsAsDocumented(t *testing.T) {
	t.Parallel()
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := assertion.NewKeys(ring.AssertionKeys())
	if err != nil {
		t.Fatal(err)
	}
	set, _ := keys.Set()
	payload := func(groups ...string) map[string]any {
		token, _, err := keys.Sign(assertion.Identity{
			Issuer: "https://login.example.com", Audience: "app.example.com", Subject: "5ixr4tyt3ax7k2d6wq2mlc7e4a",
			Username: "alice", Name: "Alice Ängström", Email: "alice@example.com", Groups: groups,
			AMR: []string{"pwd", "otp", "mfa"}, AuthTime: time.Unix(1_789_996_512, 0),
		}, time.Unix(1_790_000_000, 0))
		if err != nil {
			t.Fatal(err)
		}
		_, payload, err := verified(string(set), token)
		if err != nil {
			t.Fatal(err)
		}
		return payload
	}
	var documented map[string]any
	if err := json.Unmarshal([]byte(assertionDocs(t, "json")), &documented); err != nil {
		t.Fatal(err)
	}
	sent := payload("staff", "ops")
	if len(sent["jti"].(string)) != len(documented["jti"].(string)) {
		t.Errorf("a jti is like %v", sent["jti"])
	}
	sent["jti"] = documented["jti"]
	if diff := cmp.Diff(documented, sent); diff != "" {
		t.Errorf("-documented +sent\n%s", diff)
	}
	claims := map[string]bool{}
	table := fromRoot(t, "docs/assertion.md")
	table = table[strings.Index(table, "| claim |"):strings.Index(table, "More claims may come")]
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|").FindAllStringSubmatch(table, -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			claims[strings.Trim(name, "`")] = true
		}
	}
	want := map[string]bool{}
	for name := range sent {
		want[name] = true
	}
	var many []string
	for i := range 500 {
		many = append(many, fmt.Sprint("a-group-of-", i))
	}
	for name := range payload(many...) {
		want[name] = true
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims: -sent +documented\n%s", diff)
	}
}

// The documented filter keeps tokens out of the log, which without it has them;
// the access log never does.
func TestAssertionStaysOutOfLogs(t *testing.T) {
	_, filter, _ := strings.Cut(assertionDocs(t, "caddyfile"), "level DEBUG\n")
	filter, _, _ = strings.Cut(filter, "\n\t}\n")
	for name, c := range map[string]struct {
		more string
		told bool
	}{"as it is": {"", true}, "filtered": {filter, false}} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			g.addAccount()
			var token string
			g.answer = func(_ http.ResponseWriter, r *http.Request) { token = r.Header.Get(assertion.Header) }
			g.mustLoad(strings.Replace(g.global(""), "level DEBUG", "level DEBUG\n"+c.more, 1) +
				g.site("app.example.com", "log {\noutput file "+g.dir+"/access\n}\nsallyport\n"+g.proxy()))
			g.waitReady("app.example.com")
			g.get("app.example.com", "/", g.signedIn(session.LevelSecondFactor, "app.example.com"))
			contains(t, g.logged(), "upstream roundtrip", "Remote-User")
			if token == "" || strings.Contains(g.logged(), token) != c.told {
				t.Errorf("want the token in the log: %v", c.told)
			}
			access, err := os.ReadFile(filepath.Join(g.dir, "access"))
			g.must(err)
			contains(t, string(access), "app.example.com")
			if strings.Contains(string(access), token) {
				t.Error("the access log has the token")
			}
		})
	}
}

// documentedApps are the programs of docs/assertion.md, and how each is run.
var documentedApps = []struct {
	language string
	command  func(t *testing.T, dir, program string) *exec.Cmd
}{
	{"python", func(t *testing.T, dir, program string) *exec.Cmd {
		// Debian's own, which has Debian's libraries.
		for _, library := range []string{"jwt", "cryptography"} {
			testtools.NeedFile(t, "/usr/lib/python3/dist-packages/"+library, "it is Debian's python3-"+library)
		}
		file := saved(t, dir, "app.py", program)
		return exec.Command("/usr/bin/python3", "-I", file)
	}},
	{"js", func(t *testing.T, dir, program string) *exec.Cmd {
		node, npm := testtools.Need(t, "node"), testtools.Need(t, "npm")
		modules, err := testtools.NPMModules(npm, "jose-"+joseVersion, nil, "install", "jose@"+joseVersion)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
		file := saved(t, dir, "app.mjs", program)
		// Debian 12 has Node.js 18, where this was an option still.
		if version, err := exec.Command(node, "--version").Output(); err == nil && bytes.HasPrefix(version, []byte("v18.")) {
			return exec.Command(node, "--experimental-global-webcrypto", file)
		}
		return exec.Command(node, file)
	}},
	{"go", func(t *testing.T, dir, program string) *exec.Cmd {
		file, built := saved(t, dir, "main.go", program), filepath.Join(dir, "app")
		build := exec.Command("go", "build", "-o", built, file)
		build.Dir = ".." // with the libraries of our own go.mod
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return exec.Command(built)
	}},
}

const joseVersion = "6.2.18"

func saved(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The documented programs, as they stand there, behind a real gateway and
// reached around it.
func TestDocumentedAppsBelieveTheGatewayAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("runs programs")
	}
	g := newGateway(t)
	g.addAccount()
	own := net.JoinHostPort("127.0.0.1", strconv.Itoa(g.port))
	site := "sallyport {\nrule /nobody* {\nbypass\n}\n}\n"
	apps := map[string]*documentedApp{}
	for _, d := range documentedApps {
		app := &documentedApp{port: testtools.FreePort(t)}
		apps[d.language] = app
		site += fmt.Sprintf("@%[1]s path_regexp ^/(nobody-)?%[1]s$\nreverse_proxy @%[1]s 127.0.0.1:%[2]d\n", d.language, app.port)
	}
	g.mustLoad(g.global("") + g.site("127.0.0.1", site))
	// A key that was added and does not sign yet is one that apps know.
	e := started.current().engine
	local := func(r *http.Request) { r.Header.Del("X-Forwarded-Proto"); r.Host = own }
	for end := time.Now().Add(15 * time.Second); g.get("", healthPath, local).status != http.StatusOK; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not ready")
		}
	}
	ring, _, err := e.keys.Load().ring.Add(keyring.Assertion, time.Now())
	g.must(err)
	g.must(e.useKeys(ring))
	cookie := g.signedIn(session.LevelSecondFactor, own)
	signedIn := func(r *http.Request) {
		cookie(r)
		r.Header.Set("Cookie", strings.Replace(r.Header.Get("Cookie"), "__Host-sallyport=", fmt.Sprintf("sallyport-%d=", g.port), 1))
	}
	a, err := e.durable.AccountByIdentifier(t.Context(), "alice")
	g.must(err)
	hello := "Hello, alice, " + string(a.ID) + "\n"
	forged := &forger{t: t, ring: ring, of: assertion.Identity{
		Issuer: "http://" + own, Audience: own, Subject: string(a.ID), Username: "alice", AMR: []string{"pwd"},
	}}
	for _, d := range documentedApps {
		t.Run(d.language, func(t *testing.T) {
			app, dir := apps[d.language], t.TempDir()
			cmd := d.command(t, dir, assertionDocs(t, d.language))
			cmd.Env = append(os.Environ(), "ISSUER=http://"+own, "AUDIENCE="+own, fmt.Sprint("PORT=", app.port), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
			app.start(t, cmd)
			got := g.get("", "/"+d.language, local, signedIn, header(assertion.Header, "x"))
			if got.status != http.StatusOK || got.body != hello {
				t.Fatalf("through the gateway: %+v", got)
			}
			if got := g.get("", "/nobody-"+d.language, local, header(assertion.Header, forged.good())); got.status != http.StatusUnauthorized {
				t.Errorf("through the gateway as nobody: %+v", got)
			}
			for name, token := range forged.accepted() {
				if status, body := app.ask(t, token); status != http.StatusOK || body != hello {
					t.Errorf("%s: %d %s", name, status, body)
				}
			}
			for name, token := range forged.refused() {
				if status, body := app.ask(t, token); status != http.StatusUnauthorized || strings.Contains(body, "alice") {
					t.Errorf("%s: %d %s", name, status, body)
				}
			}
			// It has not merely stopped to work.
			if status, body := app.ask(t, forged.good()); status != http.StatusOK || body != hello {
				t.Errorf("after all of them: %d %s", status, body)
			}
		})
	}
}

// documentedApp is a program of docs/assertion.md that runs.
type documentedApp struct{ port int }

func (a *documentedApp) start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	process := testtools.Start(t, cmd)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", a.port)); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-process.Exited():
			t.Fatalf("it ends:\n%s", process.Output())
		default:
		}
		if time.Now().After(end) {
			t.Fatal("it does not listen")
		}
	}
}

// ask sends a token to the program, around the gateway; "" for none.
func (a *documentedApp) ask(t *testing.T, token string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", a.port), nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set(assertion.Header, token)
	}
	res, err := direct.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// forger makes tokens: good ones, and what an attacker would send who reaches
// an app around the gateway.
type forger struct {
	t    *testing.T
	ring *keyring.Ring
	of   assertion.Identity
}

// signed is a token that the installation itself would make.
func (f *forger) signed(key keyring.AssertionKey, of assertion.Identity, now time.Time) string {
	keys, err := assertion.NewKeys([]keyring.AssertionKey{key})
	if err != nil {
		f.t.Fatal(err)
	}
	token, _, err := keys.Sign(of, now)
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

func (f *forger) good() string {
	return f.signed(f.ring.AssertionKeys()[0], f.of, time.Now())
}

func (f *forger) accepted() map[string]string {
	keys, now := f.ring.AssertionKeys(), time.Now()
	return map[string]string{
		"a good one":                       f.good(),
		"by a key that does not sign yet":  f.signed(keys[1], f.of, now),
		"from a clock that is 15 s ahead":  f.signed(keys[0], f.of, now.Add(15*time.Second)),
		"from a clock that is 15 s behind": f.signed(keys[0], f.of, now.Add(-assertion.Life-15*time.Second)),
	}
}

func (f *forger) refused() map[string]string {
	key, now := f.ring.AssertionKeys()[0], time.Now()
	good := f.good()
	parts := strings.Split(good, ".")
	changed := func(change func(*assertion.Identity)) string {
		of := f.of
		change(&of)
		return f.signed(key, of, now)
	}
	other, err := keyring.New(now)
	if err != nil {
		f.t.Fatal(err)
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	ownSigns := func(message []byte) []byte {
		digest := sha256.Sum256(message)
		r, s, err := ecdsa.Sign(rand.Reader, own, digest[:])
		if err != nil {
			f.t.Fatal(err)
		}
		out := make([]byte, 64)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out
	}
	ownKey, err := json.Marshal(jose.JSONWebKey{Key: &own.PublicKey, KeyID: "own"})
	if err != nil {
		f.t.Fatal(err)
	}
	withKid := func(alg string) string { return fmt.Sprintf(`{"alg":%q,"typ":"JWT","kid":%q}`, alg, key.ID()) }
	flipped := []byte(parts[2])
	flipped[10] ^= 1
	refused := map[string]string{
		"none":                  "",
		"no token":              "x",
		"nothing in it":         "..",
		"for another app":       changed(func(i *assertion.Identity) { i.Audience = "other.example.com" }),
		"for this and more":     changed(func(i *assertion.Identity) { i.Audience += ",other.example.com" }),
		"for nobody":            changed(func(i *assertion.Identity) { i.Audience = "" }),
		"of another portal":     changed(func(i *assertion.Identity) { i.Issuer = "https://login.evil.example" }),
		"of a longer portal":    changed(func(i *assertion.Identity) { i.Issuer += ".evil.example" }),
		"over":                  f.signed(key, f.of, now.Add(-assertion.Life-time.Minute)),
		"of another key ring":   f.signed(other.AssertionKeys()[0], f.of, now),
		"for somebody else":     parts[0] + "." + f.payload(parts[1], "sub", "eve") + "." + parts[2],
		"longer than signed":    parts[0] + "." + f.payload(parts[1], "exp", now.Add(time.Hour).Unix()) + "." + parts[2],
		"a changed signature":   parts[0] + "." + parts[1] + "." + string(flipped),
		"half a signature":      parts[0] + "." + parts[1] + "." + parts[2][:43],
		"no signature":          parts[0] + "." + parts[1] + ".",
		"a signature of zeros":  parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)), // CVE-2022-21449
		"two tokens":            good + " " + good,
		"one without an end":    f.raw(withKid("ES256"), f.payload(parts[1], "exp", nil), func(m []byte) []byte { return f.sign(key, m) }),
		"by another key":        f.raw(withKid("ES256"), parts[1], ownSigns),
		"by a key in it":        f.raw(fmt.Sprintf(`{"alg":"ES256","typ":"JWT","jwk":%s}`, ownKey), parts[1], ownSigns),
		"by a key in it, named": f.raw(fmt.Sprintf(`{"alg":"ES256","typ":"JWT","kid":%q,"jwk":%s}`, key.ID(), ownKey), parts[1], ownSigns),
		"by a key elsewhere":    f.raw(`{"alg":"ES256","typ":"JWT","kid":"own","jku":"http://127.0.0.1:1/jwks.json"}`, parts[1], ownSigns),
	}
	for _, none := range []string{"none", "None", "NONE", ""} {
		refused["alg "+none] = f.raw(withKid(none), parts[1], func([]byte) []byte { return nil })
	}
	for name, public := range f.publicForms(key) {
		refused["HS256 with the public key as "+name] = f.raw(withKid("HS256"), parts[1], func(m []byte) []byte {
			mac := hmac.New(sha256.New, public)
			mac.Write(m)
			return mac.Sum(nil)
		})
	}
	return refused
}

// publicForms are texts of the public key that a library might take for a
// secret.
func (f *forger) publicForms(key keyring.AssertionKey) map[string][]byte {
	public, err := key.Public()
	if err != nil {
		f.t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		f.t.Fatal(err)
	}
	point, err := public.Bytes()
	if err != nil {
		f.t.Fatal(err)
	}
	jwk, err := json.Marshal(jose.JSONWebKey{Key: public, KeyID: key.ID(), Algorithm: "ES256", Use: "sig"})
	if err != nil {
		f.t.Fatal(err)
	}
	return map[string][]byte{"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "a point": point, "JSON": jwk}
}

// raw joins a token of any header.
func (f *forger) raw(header, payload string, sign func([]byte) []byte) string {
	message := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + payload
	return message + "." + base64.RawURLEncoding.EncodeToString(sign([]byte(message)))
}

func (f *forger) sign(key keyring.AssertionKey, message []byte) []byte {
	signature, err := key.SignES256(message)
	if err != nil {
		f.t.Fatal(err)
	}
	return signature
}

// payload is one with a claim of another value; nil takes it away.
func (f *forger) payload(of, claim string, value any) string {
	text, err := base64.RawURLEncoding.DecodeString(of)
	if err != nil {
		f.t.Fatal(err)
	}
	var claims map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&claims); err != nil {
		f.t.Fatal(err)
	}
	claims[claim] = value
	if value == nil {
		delete(claims, claim)
	}
	if text, err = json.Marshal(claims); err != nil {
		f.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}
