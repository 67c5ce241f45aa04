// Package testtools finds the programs that tests need and starts real Redis,
// PostgreSQL and mail servers on loopback ports for them. It knows nothing of
// Sallyport itself, and only tests import it.
//
// A test never skips itself for want of a program: it calls Need, which skips
// on a person's machine with the line that installs what is missing, and
// fails where CI is set, so that no promise goes untested unnoticed.
package testtools

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// A program is where to look for one program and the Debian package it is in.
type program struct {
	names   []string // tried in this order on PATH
	globs   []string // then these, the last match first: the newest version
	install string   // Debian package
}

var debianPostgres = "/usr/lib/postgresql/*/bin/"

var programs = map[string]program{
	"redis-server": {names: []string{"redis-server"}, install: "redis-server"},
	"redis-cli":    {names: []string{"redis-cli"}, install: "redis-tools"},
	"postgres":     {names: []string{"postgres"}, globs: []string{debianPostgres + "postgres"}, install: "postgresql"},
	"initdb":       {names: []string{"initdb"}, globs: []string{debianPostgres + "initdb"}, install: "postgresql"},
	"pg_ctl":       {names: []string{"pg_ctl"}, globs: []string{debianPostgres + "pg_ctl"}, install: "postgresql"},
	"pg_dump":      {names: []string{"pg_dump"}, globs: []string{debianPostgres + "pg_dump"}, install: "postgresql"},
	"chromium":     {names: []string{"chromium", "chromium-browser", "google-chrome"}, install: "chromium"},
	"oathtool":     {names: []string{"oathtool"}, install: "oathtool"},
	"zbarimg":      {names: []string{"zbarimg"}, install: "zbar-tools"},
	"certutil":     {names: []string{"certutil"}, install: "libnss3-tools"},
	"npm":          {names: []string{"npm"}, install: "npm"},
	"node":         {names: []string{"node", "nodejs"}, install: "nodejs"},
	"php":          {names: []string{"php"}, install: "php-cli"},
	"wrk":          {names: []string{"wrk"}, install: "wrk"},
	"h2load":       {names: []string{"h2load"}, install: "nghttp2-client"},
	"openssl":      {names: []string{"openssl"}, install: "openssl"},
	"argon2":       {names: []string{"argon2"}, install: "argon2"},
	"htpasswd":     {names: []string{"htpasswd"}, install: "apache2-utils"},
	"python3":      {names: []string{"python3"}, install: "python3"},

	// Apps for the gateway to stand in front of.
	"prometheus":       {names: []string{"prometheus"}, install: "prometheus"},
	"jupyter-notebook": {names: []string{"jupyter-notebook"}, install: "jupyter-notebook python3-ipykernel"},
	"radicale":         {names: []string{"radicale"}, install: "radicale"},
}

// Need returns the path of the program called name. Where it is missing, Need
// skips the test and says how to install it; where the environment variable CI
// is set it fails the test instead.
func Need(t testing.TB, name string) string {
	t.Helper()
	p, known := programs[name]
	if !known {
		t.Fatalf("testtools.Need: %q is not in the list: add it to programs in internal/testtools", name)
	}
	if path := p.find(); path != "" {
		return path
	}
	unavailable(t, name+" is not installed: sudo apt-get install "+p.install)
	return ""
}

// NeedFile returns path when it exists. Where it does not, NeedFile skips the
// test and says why the file matters; where CI is set it fails the test.
func NeedFile(t testing.TB, path, why string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		unavailable(t, path+" is not there: "+why)
	}
	return path
}

func (p program) find() string {
	for _, name := range p.names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	for _, glob := range p.globs {
		matches, _ := filepath.Glob(glob) // the only error is a bad pattern
		slices.Sort(matches)
		if len(matches) > 0 {
			return matches[len(matches)-1]
		}
	}
	return ""
}

// unavailable is the only place in the repository that skips a test for want
// of something; internal/repotest sees to that.
func unavailable(t testing.TB, message string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(message + " (CI is set, so this test may not be skipped)")
	}
	t.Skip(message)
}
