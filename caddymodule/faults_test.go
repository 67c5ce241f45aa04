package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/access"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// defaulted is an app with every default, then changed.
func defaulted(change func(*App)) *App {
	a := new(App)
	change(a)
	a.setDefaults("/data")
	return a
}

func TestDefaultsHaveNoFaults(t *testing.T) {
	t.Parallel()
	a := defaulted(func(*App) {})
	if f := a.Faults(); len(f) > 0 {
		t.Error(f)
	}
	g := new(Guard)
	g.setDefaults()
	if f := g.Faults(); len(f) > 0 {
		t.Error(f)
	}
	if a.Keys != "/data/sallyport/keys" || a.Database.File != "/data/sallyport/accounts.db" || a.Sessions.File != "/data/sallyport/sessions.db" {
		t.Errorf("files: %q %q %q", a.Keys, a.Database.File, a.Sessions.File)
	}
}

func TestAppFaults(t *testing.T) {
	t.Parallel()
	postgres := Database{Engine: EnginePostgres, DSN: "postgres://db/x"}
	for name, c := range map[string]struct {
		change func(*App)
		want   string
	}{
		"postgres with embedded sessions": {func(a *App) { a.Database = postgres }, "sallyport.database: `postgres` with embedded sessions"},
		"single_node with sqlite":         {func(a *App) { a.SingleNode = true }, "sallyport.single_node: "},
		"a browser trusted for years":     {func(a *App) { a.Session.TrustBrowser = caddy.Duration(401 * 24 * time.Hour) }, "sallyport.session.trust_browser: is longer than browsers keep a cookie; write 400d or less, or `off`"},
		"lifetime shorter than idle":      {func(a *App) { a.Session.Lifetime = caddy.Duration(30 * time.Minute) }, "sallyport.session.lifetime: a sign-in would end after 30m, before it could be idle for 1h; write a `lifetime` of 1h or more"},
		"argon2id below OWASP":            {func(a *App) { a.Password.Argon2id.Memory = 8 << 20 }, "sallyport.password.argon2id: below the OWASP minimum"},
		"portal without TLS":              {func(a *App) { a.Portal = "http://login.example.com" }, "sallyport.portal: `http` is for loopback only; write https://login.example.com"},
		"portal with a path":              {func(a *App) { a.Portal = "https://login.example.com/a" }, "sallyport.portal: \"https://login.example.com/a\" has a path; write https://login.example.com"},
		"mode":                            {func(a *App) { a.Sessions = Sessions{Engine: EngineRedis, Mode: "cluster"} }, "sallyport.sessions.mode: "},
		"two databases":                   {func(a *App) { a.Sessions = Sessions{Engine: EngineRedis, Addresses: []string{"redis://a:1/2"}, DB: 3} }, "sallyport.sessions.db: the address has a database number too"},
		"TLS on a plain address": {func(a *App) {
			a.Sessions = Sessions{Engine: EngineRedis, Addresses: []string{"redis://a:1"}, TLS: RedisTLS{CA: "ca"}}
		}, "sallyport.sessions.tls: the address is without TLS; write rediss://a:1"},
		"certificate without key": {func(a *App) {
			a.Sessions = Sessions{Engine: EngineRedis, Addresses: []string{"rediss://a:1"}, TLS: RedisTLS{ClientCert: "c"}}
		}, "sallyport.sessions.tls: a client certificate needs its key"},
		"user without password": {func(a *App) { a.Sessions = Sessions{Engine: EngineRedis, Username: "u"} }, "sallyport.sessions.username: there is no password"},
		"engine":                {func(a *App) { a.Database.Engine = "mysql" }, "sallyport.database.engine: "},
		"negative limit":        {func(a *App) { a.Limits.Factor.N = -1 }, "sallyport.limits.factor: -1 in 10m is no limit"},
		"negative retention":    {func(a *App) { a.Audit.Retention = -1 }, "sallyport.audit.retention: "},
		"host of everyone":      {func(a *App) { a.Hosts = []string{"*"} }, "sallyport.hosts: \"*\" is too wide"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := defaulted(c.change).Faults()
			if len(got) != 1 || !strings.HasPrefix(got[0].String(), c.want) {
				t.Errorf("got %v, want one fault %q", got, c.want)
			}
		})
	}
}

// A fault found at Provision names the line that the adapter kept, or that of
// the option around.
func TestFaultsNameTheLine(t *testing.T) {
	t.Parallel()
	a := defaulted(func(a *App) {
		a.Database = Database{Engine: EnginePostgres, DSN: "postgres://db/x", MaxConnections: -1}
		a.Source = map[string]string{"database": "Caddyfile:7"}
	})
	for _, f := range a.Faults() {
		if f.Where != "Caddyfile:7" {
			t.Errorf("%+v", f)
		}
	}
}

func TestOWASPMinimum(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		memory Size
		passes uint32
		below  bool
	}{
		{46 << 20, 1, false},
		{45 << 20, 1, true},
		{19 << 20, 2, false},
		{18 << 20, 2, true},
		{12 << 20, 3, false},
		{9 << 20, 4, false},
		{7 << 20, 5, false},
		{6 << 20, 60, true},
		{0, 0, true},
	} {
		if got := (Argon2id{Memory: c.memory, Passes: c.passes, Threads: 1}).belowOWASP(); got != c.below {
			t.Errorf("%s, %d passes: %v", c.memory, c.passes, got)
		}
	}
}

func TestPlaceFaults(t *testing.T) {
	t.Parallel()
	a := Place{Path: "a", Server: "s", Where: "Caddyfile:1", Hosts: []string{"app.example.com"}}
	for name, c := range map[string]struct {
		places []Place
		hosts  []string
		want   []string
	}{
		"one":              {[]Place{a}, nil, nil},
		"two hosts":        {[]Place{a, {Path: "b", Server: "s", Hosts: []string{"wiki.example.com"}}}, nil, nil},
		"other server":     {[]Place{a, {Path: "b", Server: "t", Hosts: a.Hosts}}, nil, nil},
		"two for one host": {[]Place{a, {Path: "b", Server: "s", Where: "Caddyfile:9", Hosts: []string{"APP.example.com"}}}, nil, []string{"Caddyfile:9: b: a second `sallyport` for APP.example.com, the first is at Caddyfile:1; "}},
		"no host":          {[]Place{{Path: "b"}}, nil, []string{"b: `sallyport` stands in a site without a host"}},
		"hosts of the app": {[]Place{{Path: "b"}}, []string{"app.example.com"}, nil},
		"below a matcher":  {[]Place{{Path: "b", Hosts: a.Hosts, OtherMatcher: true}}, nil, []string{"b: `sallyport` stands below a matcher other than a host"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := placeFaults(c.places, c.hosts)
			if len(got) != len(c.want) {
				t.Fatalf("got %v", got)
			}
			for i := range got {
				if !strings.HasPrefix(got[i].String(), c.want[i]) {
					t.Errorf("got %s", got[i])
				}
			}
		})
	}
}

func TestSeparateSignInsAreWarnedOf(t *testing.T) {
	t.Parallel()
	places := []Place{{Hosts: []string{"b.example.com"}}, {Hosts: []string{"a.example.com"}}}
	if got := separateSignIns(new(App), places); !strings.Contains(got, "a.example.com, b.example.com") {
		t.Errorf("got %q", got)
	}
	if got := separateSignIns(&App{Portal: examplePortal}, places); got != "" {
		t.Errorf("got %q", got)
	}
	if got := separateSignIns(new(App), places[:1]); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestLiteralSecretsAreWarnedOf(t *testing.T) {
	t.Parallel()
	for dsn, warned := range map[string]bool{
		"{env.X}":                       false,
		"postgres://db/x":               false,
		"postgres://me@db/x":            false,
		"postgres://me:{env.P}@db/x":    false,
		"postgres://me:hunter2@db/x":    true,
		"postgres://me:a@b@db/x":        true,
		"postgres://db/x?password=a":    true,
		"host=db password=a":            true,
		"host=db password='a b'":        true,
		"host=db password={env.P}":      false,
		"host=db":                       false,
		"postgres://db/x?password={e.}": false,
	} {
		a := &App{Database: Database{DSN: dsn}}
		if got := len(a.literals()) > 0; got != warned {
			t.Errorf("%s: %v", dsn, got)
		}
	}
	for password, warned := range map[string]bool{"": false, "hunter2": true, "{file./run/secrets/redis}": false} {
		a := &App{Sessions: Sessions{Password: password}}
		if got := a.literals(); len(got) > 0 != warned {
			t.Errorf("%q: %v", password, got)
		}
		if s := a.literals().Error(); password != "" && strings.Contains(s, password) {
			t.Errorf("the warning tells the secret: %s", s)
		}
	}
}

// An unset variable must not become an empty password.
func TestPlaceholdersAreResolved(t *testing.T) {
	repl := caddy.NewEmptyReplacer()
	repl.Set("env.DSN", "postgres://db/x")
	repl.Set("env.EMPTY", "")
	a := &App{Name: "plain", Database: Database{DSN: "{env.DSN}"}, Sessions: Sessions{Password: "{env.EMPTY}", Username: "{env.MISSING}"}, Source: map[string]string{"sessions.password": "Caddyfile:9"}}
	faults := a.resolve(repl)
	if a.Database.DSN != "postgres://db/x" || a.Sessions.Password != "{env.EMPTY}" || len(faults) != 2 {
		t.Errorf("%+v %v", a, faults)
	}
	if faults[1].Where != "Caddyfile:9" {
		t.Errorf("%+v", faults[1])
	}
	g := &Guard{Rules: []Rule{{Access: Access{Allow: People{Group: []string{"{env.NONE}"}}}}}}
	if f := g.resolve(repl); len(f) != 1 || f[0].Path != "sallyport.rules.0.allow" {
		t.Error(f)
	}
}

func TestGuardFaults(t *testing.T) {
	t.Parallel()
	g := &Guard{Rules: []Rule{
		{Bypass: true},
		{MatcherSetsRaw: []caddy.ModuleMap{{"path": json.RawMessage(`["/a"]`)}}, Bypass: true, Access: Access{Require: "password"}},
		{MatcherSetsRaw: []caddy.ModuleMap{{}}},
	}}
	g.HeaderNames.User, g.HeaderNames.Email = "X-User", "x-user"
	g.Require = "password_or_so"
	var got []string
	for _, f := range g.Faults() {
		got = append(got, f.Path)
	}
	want := []string{"sallyport.require", "sallyport.header_names", "sallyport.rules.0", "sallyport.rules.1", "sallyport.rules.2", "sallyport.rules.2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if o := g.Access.options(); o.Require != session.LevelSecondFactor {
		t.Errorf("an unknown word asks for %s", o.Require)
	}
}

func TestAccessOptions(t *testing.T) {
	t.Parallel()
	got := Access{Require: "password", Allow: People{Account: []string{"alice"}, Group: []string{"ops"}, EmailDomain: []string{"example.com"}}}.options()
	want := access.Options{Require: session.LevelPassword, Allow: []access.Term{{Kind: access.Account, Value: "alice"}, {Kind: access.Group, Value: "ops"}, {Kind: access.EmailDomain, Value: "example.com"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Size{"64MiB": 64 << 20, "1GiB": 1 << 30, "19456KiB": 19 << 20} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
		var s Size
		if err := json.Unmarshal([]byte(`"`+text+`"`), &s); err != nil || s != want {
			t.Errorf("%s in JSON: %d, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "64", "64MB", "-1MiB", "1.5MiB", "MiB", "99999999999GiB", "64 MiB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
