package caddymodule

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// explain asks the running app.
func (g *gateway) explain(said explainArguments) (explanation, error) {
	g.t.Helper()
	app := started.current()
	o := &operation{ctx: context.Background(), app: app, engine: app.engine, now: time.Now()}
	x, err := explainRequest(o, said)
	if err != nil {
		return explanation{}, err
	}
	return x.(explanation), nil
}

const explainedSite = `
	@writes {
		method POST PUT
		path /api/*
	}
	sallyport {
		title Wiki
		deny account mallory
		header_names user X-User
		rule /open* {
			bypass
		}
		rule /admin* {
			allow group admins
			reauthenticate 15m
		}
		rule /staff* {
			allow group staff
		}
		rule @writes {
			allow group ops
			network 192.0.2.0/24
		}
		rule {
			path /beta/*
			header X-Beta yes
		} {
			allow account bob
		}
		rule /easy* {
			require password
		}
		rule /interns* {
			deny group ops
		}
	}
	`

// TestExplanationIsWhatHappens: what is explained is what a request then meets.
func TestExplanationIsWhatHappens(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.answer = func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Saw-X-User", r.Header.Get("X-User")) }
	g.mustLoad(g.withProviders("partner") +
		g.site("app.example.com", explainedSite+g.proxy()) +
		g.site("*.wild.example.com", "sallyport {\nallow group nobody\n}\n"+g.proxy()) +
		g.site("partner.example.com", "sallyport {\nprovider partner\n}\n"+g.proxy()))
	g.waitReady("app.example.com")
	alice := map[string]change{}
	for _, host := range []string{"app.example.com", "a.wild.example.com", "partner.example.com"} {
		alice[host] = g.signedIn(session.LevelSecondFactor, host)
	}
	const denied, passes, bypass, signIn, own = verdictDenied, verdictPasses, verdictBypass, verdictSignIn, verdictOwnPath
	for _, c := range []struct {
		host, path, method, header, client string
		nobody                             bool
		rule                               int
		verdict, why                       string
	}{
		{path: "/", verdict: passes},
		{path: "/", nobody: true, verdict: signIn},
		{path: "/page?x=/admin", verdict: passes},
		{path: "/open/x", rule: 1, verdict: bypass},
		{path: "/open/x", nobody: true, rule: 1, verdict: bypass},
		{path: "/OPEN", nobody: true, rule: 1, verdict: bypass},
		{path: "/open/../admin", rule: 2, verdict: denied, why: "not among those of `allow`"},
		{path: "/open%2f..%2fadmin", rule: 2, verdict: denied},
		{path: "/open/..", verdict: passes},
		{path: "/open/..", nobody: true, verdict: signIn},
		{path: "/open//x", nobody: true, verdict: signIn},
		{path: "/admin", rule: 2, verdict: denied, why: "not among those of `allow`"},
		{path: "/admin", nobody: true, rule: 2, verdict: signIn},
		{path: "/Admin/x", rule: 2, verdict: denied},
		{path: "/staff", rule: 3, verdict: passes},
		{path: "/staff;x", rule: 3, verdict: passes},
		{path: "/x/..;/admin", rule: 2, verdict: denied},
		{path: "/api/x", verdict: passes},
		{path: "/api/x", method: "POST", rule: 4, verdict: denied, why: "127.0.0.1 is not in `network`"},
		{path: "/api/x", method: "POST", client: "192.0.2.7", rule: 4, verdict: passes},
		{path: "/api/x", method: "PUT", client: "192.0.3.7", rule: 4, verdict: denied},
		{path: "/api/x", method: "POST", nobody: true, rule: 4, verdict: denied, why: "127.0.0.1 is not in `network`"},
		{path: "/api/x", method: "DELETE", verdict: passes},
		{path: "/beta/x", verdict: passes},
		{path: "/beta/x", header: "X-Beta: yes", rule: 5, verdict: denied},
		{path: "/beta/x", header: "X-Beta: no", verdict: passes},
		{path: "/easy", rule: 6, verdict: passes},
		{path: "/easy", nobody: true, rule: 6, verdict: signIn},
		{path: "/interns", rule: 7, verdict: denied, why: "`deny group ops`"},
		{path: "/interns", nobody: true, rule: 7, verdict: signIn},
		{path: "/sallyport/sign-in", verdict: own},
		{path: "/sallyport/health", nobody: true, verdict: own},
		{path: "/sallyportal", verdict: passes},
		{host: "a.wild.example.com", path: "/", verdict: denied},
		{host: "a.wild.example.com", path: "/", nobody: true, verdict: signIn},
		{host: "partner.example.com", path: "/", verdict: denied, why: "only who signs in at the identity provider partner passes"},
		{host: "partner.example.com", path: "/", nobody: true, verdict: signIn},
	} {
		or(&c.host, "app.example.com")
		or(&c.method, http.MethodGet)
		said := explainArguments{Host: c.host, Path: c.path, Method: c.method, Address: c.client, Account: "alice", Header: http.Header{}}
		changes := []change{method(c.method), header("Accept", "application/json")}
		if c.nobody {
			said.Account = ""
		} else {
			changes = append(changes, alice[c.host])
		}
		if name, value, ok := strings.Cut(c.header, ": "); ok {
			said.Header.Set(name, value)
			changes = append(changes, header(name, value))
		}
		if c.client != "" {
			changes = append(changes, header("X-Forwarded-For", c.client))
		}
		x, err := g.explain(said)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		rule := 0
		if len(x.Asked) > 0 {
			rule = x.Asked[0].Rule
		}
		if x.Verdict != c.verdict || !strings.Contains(x.Why, c.why) || rule != c.rule {
			t.Errorf("%+v: rule %d, %s, %q", c, rule, x.Verdict, x.Why)
		}
		got := g.get(c.host, c.path, changes...)
		want := map[string]bool{passes: true, bypass: true}[x.Verdict]
		status := map[string]int{signIn: 401, denied: 403, passes: 200, bypass: 200}[x.Verdict]
		if c.host == "partner.example.com" && !c.nobody {
			status = 401 // who could be there, signed in anew
		}
		if x.Verdict != own && (got.reached() != want || got.status != status) {
			t.Errorf("%+v: explained as %s, and met %d", c, x.Verdict, got.status)
		}
		if saw := got.header.Get("X-Saw-X-User"); want && !c.nobody && (saw != "alice" || !slices.Contains(x.Headers, headerOfName{"X-User", saw})) {
			t.Errorf("%+v: explained headers %v, and the app saw %q", c, x.Headers, saw)
		}
	}
}

// TestExplanationSaysWhatASignInProves, and names who cannot.
func TestExplanationSaysWhatASignInProves(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.mustLoad(g.global("") + g.site("app.example.com", explainedSite+g.proxy()))
	g.waitReady("app.example.com")
	said := explainArguments{Host: "APP.example.com.", Path: "/staff/x", Account: "alice@example.com"}
	x, err := g.explain(said)
	g.must(err)
	want := explainedRule{3, x.Asked[0].Where, []string{"require second_factor", "allow group staff", "deny account mallory"}}
	if diff := cmp.Diff([]explainedRule{want}, x.Asked); diff != "" || !strings.HasSuffix(want.Where, ":40") {
		t.Error(diff, want.Where)
	}
	if diff := cmp.Diff([]string{"password", "second factor: none is enrolled, so one is enrolled after the password"}, x.SignIn); diff != "" {
		t.Error(diff)
	}
	var names []string
	for _, h := range x.Headers {
		names = append(names, h.Name+": "+h.Value)
		if strings.Count(h.Value, ".") == 2 && len(h.Value) > 100 {
			t.Error("a token is told, which is as good as a sign-in")
		}
	}
	if len(names) < 4 || names[len(names)-1] != "Sallyport-Assertion: a token with the same, signed at each request that needs a new one" {
		t.Errorf("headers %q", names)
	}
	nobody, err := g.explain(explainArguments{Host: "app.example.com", Path: "/admin"})
	g.must(err)
	if diff := cmp.Diff([]string{"password of the last 15m", "second factor of the last 15m"}, nobody.SignIn); diff != "" || len(nobody.Headers) > 0 {
		t.Error(diff, nobody.Headers)
	}
	for option, want := range map[string]string{"90s": "1m30s", "1h": "1h", "10m": "10m", "1h20m": "1h20m"} {
		g.guarded("reauthenticate " + option)
		x, err := g.explain(explainArguments{Host: "app.example.com", Path: "/"})
		g.must(err)
		if diff := cmp.Diff([]string{"password of the last " + want, "second factor of the last " + want}, x.SignIn); diff != "" {
			t.Errorf("reauthenticate %s: %s", option, diff)
		}
	}
	g.mustLoad(g.global("") + g.site("app.example.com", explainedSite+g.proxy()))
	g.changeAlice(func(a *account.Account) { a.Disabled = true })
	if x, err := g.explain(said); err != nil || x.Verdict != verdictDenied || x.Why != "the account is disabled" {
		t.Errorf("%+v %v", x, err)
	}
	for name, bad := range map[string]explainArguments{
		"another host":          {Host: "other.example.com", Path: "/"},
		"no account":            {Host: "app.example.com", Path: "/", Account: "nobody"},
		"no path":               {Host: "app.example.com", Path: "admin"},
		"an address":            {Host: "app.example.com", Path: "/", Address: "home"},
		"an unknown provider":   {Host: "app.example.com", Path: "/", Provider: "x"},
		"a whole address":       {Host: "app.example.com", Path: "https://app.example.com/"},
		"a path with a newline": {Host: "app.example.com", Path: "/a\nb"},
	} {
		if _, err := g.explain(bad); err == nil || problemOf(err).Status >= 500 {
			t.Errorf("%s: %v", name, err)
		}
	}
	g.guardedReportOnly()
}

// guardedReportOnly: an operator who looks must not miss that all is open.
func (g *gateway) guardedReportOnly() {
	g.t.Helper()
	g.guarded("report_only on")
	x, err := g.explain(explainArguments{Host: "app.example.com", Path: "/"})
	g.must(err)
	p := &printer{}
	x.print(p)
	if !x.ReportOnly || !strings.Contains(p.text(), "report_only is on") {
		g.t.Errorf("%+v", x)
	}
}
