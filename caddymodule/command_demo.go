package caddymodule

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/spf13/cobra"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// demoPage is the demo app: it shows the identity headers that it received.
//
//go:embed demo_app.html
var demoPage []byte

// The demo's account, and the first port that is tried.
const (
	demoName = "demo"
	demoPort = 8080
)

func demoCommand() *cobra.Command {
	var dir, config string
	c := &cobra.Command{
		Use:   "demo [--dir DIR] [--config FILE]",
		Short: "Runs a guarded demo app on this machine",
		Long: "Runs a demo app behind Sallyport on http://localhost:8080, or the next free port,\n" +
			"with one account. Everything is kept in the folder, so a second run signs nobody out.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runDemo(dir, config) },
	}
	c.Flags().StringVar(&dir, "dir", ".run", "the folder that everything is kept in")
	c.Flags().StringVar(&config, "config", "configs/demo.Caddyfile", "the configuration to run")
	return c
}

// runDemo prepares the folder, starts the servers, prints the box and serves
// until it is interrupted.
func runDemo(dir, config string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "app"), 0o700); err != nil {
		return err
	}
	if err := os.Setenv("XDG_DATA_HOME", dir); err != nil { // where defaults point to
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "app", "index.html"), demoPage, 0o600); err != nil {
		return err
	}
	password, err := demoAccount(dir)
	if errors.Is(err, sqlstore.ErrLocked) {
		return errors.New("the demo is running already: stop it first")
	}
	if err != nil {
		return err
	}
	port, err := freePort(dir)
	if err != nil {
		return err
	}
	for _, socket := range []string{"app.sock", "admin.sock"} { // left by a run that was killed
		_ = os.Remove(filepath.Join(dir, socket))
	}
	if err := serveDemo(dir, config, port); err != nil {
		return err
	}
	fmt.Print(demoBox(port, password, demoOutbox(dir), demoMail(dir)))
	select {}
}

// serveDemo loads the configuration with its folder and port filled in.
func serveDemo(dir, config string, port int) error {
	text, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	filled := strings.NewReplacer("{$SALLYPORT_DEMO_DIR}", dir, "{$SALLYPORT_DEMO_PORT}", strconv.Itoa(port)).Replace(string(text))
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(filled), map[string]any{"filename": config})
	if err != nil {
		return err
	}
	for _, w := range warnings {
		caddy.Log().Warn(w.String())
	}
	caddy.TrapSignals()
	return caddy.Load(adapted, true)
}

// demoAccount makes the demo's database with its one account, the first time,
// and returns the account's password. The password is kept beside it, to be
// printed again: it guards nothing but the demo.
func demoAccount(dir string) (secret.Text, error) {
	file := filepath.Join(dir, "password")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	own := filepath.Join(caddy.AppDataDir(), "sallyport")
	store := sqlstore.OpenSQLite(filepath.Join(own, "accounts.db"))
	defer store.Close()
	if err := store.Migrate(ctx); err != nil {
		return secret.Text{}, err
	}
	empty, err := store.Empty(ctx)
	if err != nil {
		return secret.Text{}, err
	}
	if !empty {
		kept, err := os.ReadFile(file)
		return secret.New(strings.TrimSpace(string(kept))), err
	}
	password := demoPassword()
	if err := os.WriteFile(file, []byte(password.Reveal()+"\n"), 0o600); err != nil {
		return secret.Text{}, err
	}
	ring, err := keyring.Create(filepath.Join(own, "keys"), time.Now())
	if errors.Is(err, fs.ErrExist) {
		ring, err = keyring.Load(filepath.Join(own, "keys"))
	}
	if err != nil {
		return secret.Text{}, err
	}
	if err := store.BindRing(ctx, ring.Fingerprint()); err != nil {
		return secret.Text{}, err
	}
	hash, err := factor.HashPassword(password, factor.DefaultParams())
	if err != nil {
		return secret.Text{}, err
	}
	freeHashMemory() // no gate has counted this hash
	now := time.Now()
	a := account.Account{
		ID: account.ID(login.NewID()), Name: demoName, DisplayName: "Demo Person", Email: "demo@example.com",
		Groups: []string{"staff"}, PasswordHash: secret.New(hash), PasswordChanged: now, Created: now,
	}
	return password, store.CreateAccount(ctx, a, audit.Event{
		Time: now, Name: audit.AccountAdded, Account: string(a.ID), Subject: a.Name, Reason: "demo",
	})
}

// demoPassword is four groups of five: easy to type, 100 bits.
func demoPassword() secret.Text {
	code := strings.ToLower(secret.Random(20, secret.Crockford).Reveal())
	return secret.New(strings.Join([]string{code[:5], code[5:10], code[10:15], code[15:]}, "-"))
}

// freePort prefers the port of the last run, then 8080, then the next free one.
func freePort(dir string) (int, error) {
	file := filepath.Join(dir, "port")
	try := []int{}
	if kept, err := os.ReadFile(file); err == nil {
		if p, err := strconv.Atoi(strings.TrimSpace(string(kept))); err == nil {
			try = append(try, p)
		}
	}
	for p := demoPort; p < demoPort+100; p++ {
		try = append(try, p)
	}
	for _, p := range try {
		if canListen(p) {
			return p, os.WriteFile(file, []byte(strconv.Itoa(p)+"\n"), 0o600)
		}
	}
	return 0, fmt.Errorf("no free port from %d to %d", demoPort, demoPort+99)
}

func canListen(port int) bool {
	for _, host := range []string{"127.0.0.1", "::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			if host == "::1" && !strings.Contains(err.Error(), "in use") {
				continue // no IPv6 here
			}
			return false
		}
		_ = l.Close()
	}
	return true
}

// demoOutbox is where the demo's configuration has messages to phones written,
// as one would name the file from here; demoMail is the folder of its e-mails.
func demoOutbox(dir string) string { return fromHere(filepath.Join(dir, "outbox.txt")) }
func demoMail(dir string) string   { return fromHere(filepath.Join(dir, "mail")) }

func fromHere(file string) string {
	here, err := os.Getwd()
	if err != nil {
		return file
	}
	if near, err := filepath.Rel(here, file); err == nil && filepath.IsLocal(near) {
		return near
	}
	return file
}

// demoBox is what a newcomer reads.
func demoBox(port int, password secret.Text, outbox, mail string) string {
	lines := []string{
		"Sallyport is running.",
		"",
		fmt.Sprintf("Open       http://localhost:%d", port),
		"Account    " + demoName,
		"Password   " + password.Reveal(),
		"",
		"Codes come from the authenticator app that you set up there. No phone at hand?",
		"Copy the setup key from the page:   ./bin/sallyport totp KEY",
		"Text messages and calls are only written to a file, which has the codes in it:",
		"tail -f " + outbox,
		"E-mails too, each to a file of its own:   ls " + mail,
		"",
		"Ctrl-C stops it; run it again and you are still signed in. Start over: make reset",
	}
	width := 0
	for _, l := range lines {
		width = max(width, len(l))
	}
	var b strings.Builder
	b.WriteString("\n┌" + strings.Repeat("─", width+2) + "┐\n")
	for _, l := range lines {
		b.WriteString("│ " + l + strings.Repeat(" ", width-len(l)) + " │\n")
	}
	b.WriteString("└" + strings.Repeat("─", width+2) + "┘\n")
	return b.String()
}
