package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/spf13/cobra"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// init makes this test program the built one when it is called "sallyport":
// the exit codes of the commands are then the real ones. The package has one
// TestMain already, and this must come before it.
func init() {
	if os.Args[0] == "sallyport" {
		OwnCommands()
		caddycmd.Main()
		os.Exit(0)
	}
}

// commanded is a running Sallyport with embedded stores, in this process.
type commanded struct {
	dir, address string
	idpFile      string // metadata of startFederated's provider
}

// startCommanded loads a small configuration with further options of the app.
// Caddy is one per process: tests that use it are not parallel.
func startCommanded(t *testing.T, options ...string) *commanded {
	t.Helper()
	dir, err := os.MkdirTemp("", "sp") // short: a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	g := &commanded{dir: dir, address: "unix/" + filepath.Join(dir, "admin.sock")}
	text := strings.ReplaceAll(strings.Replace(`{
		admin unix/DIR/admin.sock|0600
		persist_config off
		storage file_system DIR/caddy
		log {
			output discard
		}
		sallyport {
			support "it@example.com"
			keys DIR/keys
			database sqlite DIR/accounts.db
			password {
				argon2id 19MiB 2 1
			}
			OPTIONS
		}
	}
	http://localhost:8099 {
		bind unix/DIR/app.sock
		sallyport
		respond "app"
	}
	`, "OPTIONS", strings.Join(options, "\n"), 1), "DIR", dir)
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_DATA_HOME", dir) // sessions are kept below it
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(dir)
	})
	patient, cancel := context.WithTimeout(t.Context(), 30*time.Second) // making RSA keys takes its time
	defer cancel()
	if app := started.current(); app == nil || !app.engine.waitReady(patient) {
		t.Fatal("not ready")
	}
	return g
}

// ran is what a command did.
type ran struct {
	code     int
	out, err string
}

// run runs a command in this process, as `sallyport ARGS…`, with the flags
// that find the gateway.
func (g *commanded) run(stdin string, args ...string) ran {
	var out bytes.Buffer
	r := g.runTo(&out, stdin, args...)
	r.out = out.String()
	return r
}

// runTo is run with another place for what the command prints.
func (g *commanded) runTo(out io.Writer, stdin string, args ...string) ran {
	root := &cobra.Command{Use: "sallyport", SilenceUsage: true}
	fillCommand(root)
	var errs bytes.Buffer
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(out)
	root.SetErr(&errs)
	args = slices.Clone(args)
	switch {
	case args[0] == "totp": // it speaks to nothing
	case args[0] == "saml" && len(args) > 1 && args[1] == "explain":
		for flag, file := range map[string]string{"--config": "Caddyfile", "--keys": "keys"} {
			if !slices.Contains(args, flag) {
				args = append(args, flag, filepath.Join(g.dir, file))
			}
		}
	default:
		args = append(args, "--address", g.address, "--keys", filepath.Join(g.dir, "keys"))
	}
	root.SetArgs(args)
	err := root.ExecuteContext(context.Background())
	r := ran{err: errs.String()}
	var known *exitError
	switch {
	case errors.As(err, &known):
		r.code = known.code
	case err != nil:
		r.code = -1
	}
	return r
}

// ok runs a command that has to succeed, and returns what it prints.
func (g *commanded) ok(t *testing.T, args ...string) string {
	t.Helper()
	r := g.run("", args...)
	if r.code != 0 || r.err != "" {
		t.Fatalf("%v: exit code %d, %s", args, r.code, r.err)
	}
	return r.out
}

// refused runs a command that has to end with code, and to say why.
func (g *commanded) refused(t *testing.T, code int, why string, args ...string) {
	t.Helper()
	r := g.run("", args...)
	if r.code != code || !strings.Contains(r.err, why) || r.out != "" {
		t.Errorf("%v: exit code %d, %q, %q; want %d and %q", args, r.code, r.err, r.out, code, why)
	}
}

func (g *commanded) json(t *testing.T, to any, args ...string) {
	t.Helper()
	out := g.ok(t, append(slices.Clone(args), "--json")...)
	if err := json.Unmarshal([]byte(out), to); err != nil {
		t.Fatalf("%v: %s in %s", args, err, out)
	}
}

// signIn makes a session of the account, as a completed sign-in would.
func (g *commanded) signIn(t *testing.T, name string) session.ID {
	t.Helper()
	e, ctx, now := started.current().engine, context.Background(), time.Now()
	a, err := e.durable.AccountByIdentifier(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.durable.RecordSignIn(ctx, a.ID, now, account.MethodApp, "en"); err != nil {
		t.Fatal(err)
	}
	s := session.Session{
		ID: session.NewID(), Account: a.ID, Created: now, Expires: now.Add(time.Hour), Idle: time.Hour,
		AMR: []string{"pwd"}, Network: "192.0.2.1", Browser: "Firefox\x1b[2J",
	}
	cred := session.NewCredential(s.ID, s.Account)
	s.Tokens = []session.Token{{Hash: cred.Hash(), Purpose: session.ForApp, Host: "localhost:8099", Level: session.LevelPassword, PasswordAt: now, Issued: now}}
	if err := e.short.CreateSession(ctx, s); err != nil {
		t.Fatal(err)
	}
	return s.ID
}

func alive(t *testing.T, id session.ID) bool {
	t.Helper()
	_, err := started.current().engine.short.Session(context.Background(), id)
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// post calls the admin endpoint with a request that the test makes wrong.
func (g *commanded) post(t *testing.T, method, path string, sign bool, change func(*http.Request)) (*http.Response, problem) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(g.dir, "admin.sock"))
	}}}
	body := []byte(`{"actor":"test","nonce":"` + path + `","arguments":{}}`)
	r, err := http.NewRequest(method, "http://127.0.0.1"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if sign {
		ring, err := keyring.Load(filepath.Join(g.dir, "keys"))
		if err != nil {
			t.Fatal(err)
		}
		signAdmin(ring, r, body, time.Now())
	}
	change(r)
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var p problem
	_ = json.NewDecoder(response.Body).Decode(&p)
	return response, p
}

// program runs this test binary as `sallyport`.
func program(t *testing.T, dir string, env []string, args ...string) ran {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	c := &exec.Cmd{Path: self, Args: append([]string{"sallyport"}, args...), Dir: dir, Stdout: &out, Stderr: &errs}
	c.Env = append([]string{"HOME=" + dir, "XDG_DATA_HOME=" + dir}, env...)
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ran{c.ProcessState.ExitCode(), out.String(), errs.String()}
}
