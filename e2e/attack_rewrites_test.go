package e2e

import (
	"errors"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// rewritten puts what changes a path before the guard, `{$BEFORE}`.
const rewritten = `
{
	sallyport {` + roomy + `	}
}
http://localhost:{$PORT} {
	{$BEFORE}
	{$ROUTE} {
		sallyport {
			require password
			rule /public/* {
				bypass
			}
			rule /admin/* {
				allow group ops
			}
		}
		reverse_proxy {$APP}
	}
}
`

// TestTheDecisionIsOnWhatTheAppGets: V24, T3. Whatever rewrites a path before
// the guard, nobody signed out reaches anything but the public part as the app
// sees it, and nobody out of the group the part for the group.
func TestTheDecisionIsOnWhatTheAppGets(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{
		"nothing": "", "rewrite": "rewrite /alias/* /admin{http.request.uri}", "uri strip_prefix": "uri strip_prefix /strip", "uri replace": "uri replace /alias/ /admin/",
		"uri path_regexp": "uri path_regexp ^/(alias|strip)/ /", "rewrite to public": "rewrite /strip/* /public{http.request.uri.path}", "try_files": "root {$ROOT}\ntry_files {path} /app/index",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := startApp(t)
			text := strings.NewReplacer("{$BEFORE}", before, "\t{$ROUTE} {\n", "\troute {\n").Replace(rewritten)
			if name != "nothing" { // `route` keeps the order that is written; elsewhere the directive's own place holds
				text = strings.Replace(strings.Replace(text, "\troute {\n", "", 1), "reverse_proxy {$APP}\n\t}\n", "reverse_proxy {$APP}\n", 1)
			}
			root := shortDir(t)
			for _, file := range []string{"app/index", "admin/x", "public/x"} {
				if err := errors.Join(os.MkdirAll(filepath.Join(root, filepath.Dir(file)), 0o700), os.WriteFile(filepath.Join(root, file), nil, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			g := startGateway(t, text, withApp(app), withEnv("ROOT", root))
			cookies := signedIn(t, g, "localhost", "/public/../x")
			own := "localhost:" + strconv.Itoa(g.Port)
			var reached [3]int
			for form, who := range pathForms {
				if !strings.HasPrefix(form, "/") || who == nobody {
					continue
				}
				for _, prefix := range []string{"", "/alias", "/strip", "/%61lias", "//strip", "/STRIP", "/strip/strip", "/public/../strip", "/public/%2e%2e/alias"} {
					for i, cookie := range []string{"", cookies["bob"], cookies["ann"]} {
						if !app.passes(func() {
							sendRaw(t, g, "localhost", "GET "+prefix+form+" HTTP/1.1\r\nHost: "+own+"\r\nConnection: close\r\n"+cookie+"\r\n")
						}) {
							continue
						}
						reached[i]++
						got, _, _ := strings.Cut(app.Last().URI, "?")
						for _, read := range readings(got) {
							if i == 0 && !strings.HasPrefix(read+"/", "/public/") {
								t.Errorf("signed out, %.80q reached the app as %q, which may mean %q", prefix+form, got, read)
							}
							if i == 1 && strings.HasPrefix(read, "/admin/") {
								t.Errorf("out of the group, %.80q reached the app as %q, which may mean %q", prefix+form, got, read)
							}
						}
					}
				}
			}
			t.Logf("reached the app: %d signed out, %d signed in, %d of the group", reached[0], reached[1], reached[2])
			if reached[2] <= reached[1] {
				t.Error("the group reaches no more than others: the refusals prove nothing")
			}
			noPanic(t, g)
		})
	}
}

// readings is what an app may take a path for: decoded once or twice, with
// backslashes for slashes, and without what follows a semicolon.
func readings(uri string) (all []string) {
	plain, matrix := strings.ToLower(uri), regexp.MustCompile(";[^/]*")
	for range 2 {
		decoded, err := url.PathUnescape(plain)
		if err != nil {
			break
		}
		plain = decoded
		read := strings.ReplaceAll(plain, "\\", "/")
		all = append(all, path.Clean(read), path.Clean(matrix.ReplaceAllString(read, "")))
	}
	return all
}
