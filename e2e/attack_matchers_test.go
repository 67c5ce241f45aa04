package e2e

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// matched is ruledHTTPS with its rules written in another way, {$RULES}.
const matched = `
{
	sallyport {` + roomy + `	}
}
(guarded) {
	{$MATCHERS}
	sallyport {
		require password
		{$RULES}
	}
	reverse_proxy {$APP}
}
https://app.test:{$PORT} {
	import guarded
}
https://other.test:{$PORT} {
	import guarded
}
`

// matchedSite fills it in.
func matchedSite(matchers, rules string) string {
	return strings.NewReplacer("{$MATCHERS}", matchers, "{$RULES}", rules).Replace(matched)
}

// proofs are the cookies of somebody signed in and of a member of ops.
func proofs(t testing.TB, g *gateway) map[string]string {
	t.Helper()
	pairs := map[string]string{}
	for name, line := range signedIn(t, g, "app.test", "/") {
		pairs[name] = strings.TrimSuffix(strings.TrimPrefix(line, "Cookie: "), "\r\n")
	}
	return pairs
}

// TestEveryMatcherReadsPathsAlike: T2, T3. The table of paths, with rules that
// say the same by other matchers, in every version of HTTP.
func TestEveryMatcherReadsPathsAlike(t *testing.T) {
	t.Parallel()
	encoded := strings.NewReplacer("#", "%23", `\`, "%5C", "\xff", "%FF") // what cannot stand in an address
	const password, bypass, group = " {\nrequire password\n}\n", " {\nbypass\n}\n", " {\nallow group ops\n}\n"
	for name, site := range map[string][2]string{
		"path":        {"", "rule /public/*" + bypass + "rule /admin/*" + group},
		"path_regexp": {"@public path_regexp (?i)^/public/\n@admin path_regexp (?i)^/admin/", "rule @public" + bypass + "rule @admin" + group},
		"not":         {"@private not path /public/*\n@open not {\nnot path /public/*\n}", "rule /admin/*" + group + "rule @private" + password + "rule @open" + bypass},
		"method":      {"@public {\nmethod GET HEAD\npath /public/*\n}\n@admin {\nnot method POST\npath /admin/*\n}", "rule @public" + bypass + "rule @admin" + group},
		"host":        {"@public {\nhost app.test\npath /public/*\n}\n@admin {\nnot host other.test\npath /admin/*\n}", "rule @public" + bypass + "rule @admin" + group},
		"query":       {"@public {\nnot query secret=*\npath /public/*\n}\n@admin {\nnot query x=never\npath /admin/*\n}", "rule @public" + bypass + "rule @admin" + group},
		"header":      {"@public {\nheader Accept *\npath /public/*\n}\n@admin {\nheader !X-Never\npath /admin/*\n}", "rule @public" + bypass + "rule @admin" + group},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := startApp(t)
			text := matchedSite(site[0], site[1])
			g := startGateway(t, text, withApp(app), withHTTPS(nodeIP()))
			cookies := proofs(t, g)
			reached := 0
			for form, who := range pathForms {
				for _, protocol := range protocols {
					// What HTTP/2 and 3 cannot say is told by HTTP/1.1.
					if strings.ContainsAny(form, "… ") || protocol != "HTTP/1.1" && (!utf8.ValidString(form) || form == "*") {
						continue
					}
					for asks, want := range map[string]bool{"": who == all, "bob": who == all || who == members, "ann": who != nobody} {
						r := wireRequest{Fields: []string{"Accept", "text/html"}}
						if asks != "" {
							r.Fields = append(r.Fields, "Cookie", cookies[asks])
						}
						var a wireAnswer
						passed := app.passes(func() { a = sendOver(t, g, protocol, "app.test", http.MethodGet, form, r) })
						if passed != want {
							t.Errorf("%s %.80q (for %s) as %q: reached the app: %v, status %d", protocol, form, who, asks, passed, a.Status)
						}
						if !passed {
							continue
						}
						reached++
						if uri := app.Last().URI; uri != encoded.Replace(form) {
							t.Errorf("%s %.80q as %q: the app got %q", protocol, form, asks, uri)
						}
					}
				}
			}
			t.Logf("%d requests reached the app", reached)
			noPanic(t, g)
		})
	}
}

// TestMatchersSeeWhatTheAppGets: V24. Bypasses by what a client says besides
// the path: the app gets the same, and what only another program would take
// for it opens nothing.
func TestMatchersSeeWhatTheAppGets(t *testing.T) {
	t.Parallel()
	const bypass = " {\nbypass\n}\n"
	app := startApp(t)
	g := startGateway(t, matchedSite(`@method {
		method GET
		path /m/*
	}
	@host {
		host other.test
		path /h/*
	}
	@query {
		query open=1
		path /q/*
	}
	@header {
		header X-Open yes
		path /e/*
	}
	@named header Remote-User *
	@inside header X-Forwarded-For 10.*
	@original header X-Original-URL *`,
		"rule @method"+bypass+"rule @host"+bypass+"rule @query"+bypass+"rule @header"+bypass+"rule @named"+bypass+"rule @inside"+bypass+"rule @original"+bypass),
		withApp(app), withHTTPS(nodeIP()))
	bob := proofs(t, g)["bob"]
	for _, row := range []struct {
		method, host, path string
		fields             []string
		open               bool
	}{
		{"GET", "app.test", "/m/x", nil, true},
		{"HEAD", "app.test", "/m/x", nil, false},
		{"POST", "app.test", "/m/x", nil, false},
		{"get", "app.test", "/m/x", nil, false},
		{"GETX", "app.test", "/m/x", nil, false},
		{"POST", "app.test", "/m/x", []string{"X-HTTP-Method-Override", "GET"}, false},
		{"POST", "app.test", "/m/x", []string{"X-HTTP-Method", "GET", "X-Method-Override", "GET", "X-Forwarded-Method", "GET"}, false},
		{"GET", "app.test", "/m%2fx", nil, false},
		{"GET", "other.test", "/h/x", nil, true},
		{"GET", "app.test", "/h/x", nil, false},
		{"GET", "app.test", "/h/x", []string{"X-Forwarded-Host", "other.test"}, false},
		{"GET", "app.test", "/h/x", []string{"Forwarded", "host=other.test", "X-Host", "other.test"}, false},
		{"GET", "app.test", "/q/x?open=1", nil, true},
		{"GET", "app.test", "/q/x?a=b&open=%31", nil, true},
		{"GET", "app.test", "/q/x?%6fpen=1", nil, true},
		{"GET", "app.test", "/q/x?open=0", nil, false},
		{"GET", "app.test", "/q/x?OPEN=1", nil, false},
		{"GET", "app.test", "/q/x?open=%201", nil, false},
		{"GET", "app.test", "/q/x?open=1%00", nil, false},
		{"GET", "app.test", "/q/x?open=%2531", nil, false},
		{"GET", "app.test", "/q/x?open[]=1", nil, false},
		{"GET", "app.test", "/q/x?a=b;open=1", nil, false},
		{"GET", "app.test", "/q/x?open=1;a=b", nil, false},
		{"GET", "app.test", "/q/x?a=b%26open=1", nil, false},
		{"GET", "app.test", "/q/x?open=1&a=%zz", nil, false},
		{"GET", "app.test", "/q/x%3fopen=1", nil, false},
		{"GET", "app.test", "/q/x??open=1", nil, false},
		{"GET", "app.test", "/q/../q/x?open=1", nil, false},
		{"GET", "app.test", "/e/x", []string{"X-Open", "yes"}, true},
		{"GET", "app.test", "/e/x", []string{"x-open", "yes"}, true},
		{"GET", "app.test", "/e/x", []string{"X-Open", "YES"}, false},
		{"GET", "app.test", "/e/x", []string{"X-Open", "yes, no"}, false},
		{"GET", "app.test", "/e/x", []string{"X_Open", "yes"}, false},
		{"GET", "app.test", "/e/x", []string{"X.Open", "yes"}, false},
		{"GET", "app.test", "/e/x;", []string{"X-Open", "yes"}, false},
		{"GET", "app.test", "/n/x", []string{"Remote-User", "root"}, false},
		{"GET", "app.test", "/n/x", []string{"remote_user", "root"}, false},
		{"GET", "app.test", "/n/x", []string{"X-Forwarded-For", "10.0.0.1"}, false},
		{"GET", "app.test", "/n/x", []string{"X-Original-URL", "/m/x"}, false},
	} {
		for _, protocol := range protocols {
			for _, cookie := range []string{"", bob} {
				if cookie != "" && row.host != "app.test" {
					continue // bob's is for the other host
				}
				r := wireRequest{Fields: append([]string{"Accept", "*/*"}, row.fields...)}
				if cookie != "" {
					r.Fields = append(r.Fields, "Cookie", cookie)
				}
				var a wireAnswer
				passed := app.passes(func() { a = sendOver(t, g, protocol, row.host, row.method, row.path, r) })
				if passed != (row.open || cookie != "") || !passed && a.Status != http.StatusUnauthorized {
					t.Errorf("%s %s %s%s %v, signed in %v: reached the app: %v, status %d", protocol, row.method, row.host, row.path, row.fields, cookie != "", passed, a.Status)
				}
				if got := app.Last(); passed && (got.Method != row.method || got.URI != row.path ||
					len(row.fields) == 2 && strings.EqualFold(row.fields[0], "X-Open") && got.Header.Get("X-Open") != row.fields[1]) {
					t.Errorf("%s %s %s %v: the app got %+v", protocol, row.method, row.path, row.fields, got)
				}
			}
		}
	}
	// A header that a rule looks at cannot be taken away behind it.
	a := sendOver(t, g, "HTTP/1.1", "app.test", http.MethodGet, "/e/x", wireRequest{Fields: []string{"X-Open", "yes", "Connection", "X-Open"}})
	if a.Status != http.StatusOK || app.Last().Header.Get("X-Open") != "yes" {
		t.Errorf("Connection: X-Open: %d, the app got %v", a.Status, app.Last().Header)
	}
	noPanic(t, g)
}
