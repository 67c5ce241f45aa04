package e2e

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ruled is a site with a public part and a part for one group.
const ruled = `
{
	sallyport {` + roomy + `	}
}
http://localhost:{$PORT} {
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
`

// Who passes a request of a table.
const (
	all     = "all"     // the bypass: nobody is asked
	members = "members" // everybody signed in
	ops     = "ops"     // the group ops only
	nobody  = "nobody"  // refused for everyone, with the row's status
)

// pathForms is each form of a path and who passes it. What a bypass could
// mean, and another program could read as below /admin, is for the group; an
// odd form of anything else is for people signed in.
var pathForms = map[string]string{
	"/public/x": all, "/PUBLIC/x": all, "/public/x?y=/admin/": all, "/%70ublic/x": all, "/public/": all,
	"/": members, "/x": members, "/publicX": members, "/public": members, "/x/public/y": members, "/x?/public/y": members,
	"/admin?x=/public/": members, "/x#/public/y": members, "//public/x": members, "/public//x": members, "/./public/x": members,
	"/public/x;y": members, "/public/%2e/x": members, "/public%2fx": members, "/public%5cx": members, `/public\x`: members,
	"/public/x%00": members, "/public/x%20": members, "/public/x.": members, "/public/x%3fy": members, "/public/x%23y": members,
	"/public/%2570": members, "/public/%0d%0aX:y": members, "/public/\xff": members, "/public/%c0%ae": members, "/public;/x": members,
	"/public/../x": members, "/public/..": members, "/public/%2e%2e": members, "/x%2f..%2fpublic/y": members, "/public./x": members,
	"/public%00/x": members, "/public%20/x": members, "/%2570ublic/x": members, "/public/x%7f": members,
	"/public/…%2fx": all, // sent on as /public/%E2%80%A6/x, and so decided

	"/admin/x": ops, "/ADMIN/x": ops, "/%61dmin/x": ops, "/admin/": ops, "/admin/x?/public/y": ops, "//admin/x": ops, "///admin/x": ops,
	"/./admin/x": ops, "/x/../admin/x": ops, "/%2e/admin/x": ops, "/%2e%2e/admin/x": ops, "/..%2fadmin/x": ops, "/%2fadmin/x": ops,
	"/%2f%2fadmin/x": ops, "/admin%2fx": ops, "/admin/x%00": ops, "/admin%00/x": ops, "/admin%20/x": ops, "/admin/x%20": ops, "/admin./x": ops,
	"/admin../x": ops, "/admin;a/x": ops, "/admin;/x": ops, "/x/..;/admin/x": ops, "/;/admin/x": ops, `/\admin/x`: ops, "/admin%5cx": ops, `/admin\x`: ops,
	"/admin/%3fx": ops, "/admin/%23x": ops, "/%2561dmin/x": ops, "/%252fadmin/x": ops, "/%25252fadmin/x": ops, "/%2e%2e%5cadmin/x": ops,
	"/public/../admin/x": ops, "/public/%2e%2e/admin/x": ops, "/public/.%2e/admin/x": ops, "/public/..%2fadmin/x": ops,
	"/public%2f..%2fadmin%2fx": ops, "/public/..%252fadmin/x": ops, "/public/%252e%252e/admin/x": ops, "/public/..;/admin/x": ops,
	"/public/..;a=b/admin/x": ops, "/public/..%5cadmin/x": ops, `/public\..\admin\x`: ops, "/public/x/%2e%2e/%2e%2e/admin/x": ops,
	"/public//../admin/x": ops, "/public/..%00/admin/x": ops, "/public/%c0%ae%c0%ae/admin/x": ops, "/public/..%c0%afadmin/x": ops,
	"/public/.%00./admin/x": ops, "/public/..%2f..%2f..%2fadmin/x": ops, "/public/.%0a./admin/x": ops, "/public/../ADMIN/x": ops,
	"/public/..//admin/x": ops, "/x/%2e%2e/admin/x": ops, "/public;/../admin/x": ops, "/public%2f..%2f..%2fadmin/x": ops,
	"/public/%2e%2e%2fadmin/x": ops, "/PUBLIC/%2E%2E/ADMIN/x": ops, "/public/x/..;/..;/admin/x": ops, "/public%2f%2e%2e%2fadmin/x": ops, "/public/..%c1%9cadmin/x": ops,
	"/public/.%2e;x/admin/x": ops, "/public/..%2f;/admin/x": ops, "/public/%2e%2e%20/admin/x": ops, "/public/%20../admin/x": ops, "/public/..%09/admin/x": ops, "/public/..%3b/admin/x": ops,
	"/" + strings.Repeat("x/", 1200) + "..;/x": ops, // too long to be read in every way

	"*": members, "public/x": nobody, "": nobody, "/public/%zz": nobody, "/public/%u002e%u002e/admin/x": nobody, "/x%": nobody, "/public/\x00": nobody, "/a b": nobody,
}

// TestNoFormOfAPathOpensMore: T2, T3, V13, V20, V24. Each form is sent signed
// out, by somebody signed in, and by a member of the group; the app counts.
func TestNoFormOfAPathOpensMore(t *testing.T) {
	t.Parallel()
	app, g := startApp(t), (*gateway)(nil)
	g = startGateway(t, ruled, withApp(app))
	cookies := signedIn(t, g, "localhost", "/")
	own := "localhost:" + strconv.Itoa(g.Port)
	reach := func(target, cookie string) (bool, rawAnswer) {
		var a rawAnswer
		passed := app.passes(func() {
			a = sendRaw(t, g, "localhost", "GET "+target+" HTTP/1.1\r\nHost: "+own+"\r\nAccept: text/html\r\nConnection: close\r\n"+cookie+"\r\n")
		})
		return passed, a
	}
	forms := map[string]string{}
	for form, who := range pathForms {
		forms[form] = who
		if strings.HasPrefix(form, "/") && who != nobody && !strings.HasPrefix(form, "//") {
			forms["http://"+own+form] = who // the absolute form
		}
	}
	for form, who := range forms {
		for asks, want := range map[string]bool{
			"":             who == all,
			cookies["bob"]: who == all || who == members,
			cookies["ann"]: who != nobody,
		} {
			passed, a := reach(form, asks)
			if passed != want {
				t.Errorf("%.80q (for %s) with cookie %v: reached the app: %v, status %d", form, who, asks != "", passed, a.Status)
			}
			if passed && asks == "" && app.Last().Header.Get("Remote-User") != "" {
				t.Errorf("%.80q: somebody signed out has a name: %v", form, app.Last().Header)
			}
			if uri := strings.ToLower(app.Last().URI); passed && asks == "" && (!strings.HasPrefix(uri, "/public/") && !strings.HasPrefix(uri, "/%70ublic/") || strings.Contains(uri, "%2f") || strings.Contains(uri, "..")) {
				t.Errorf("%.80q took the bypass and reached the app as %q", form, app.Last().URI)
			}
			switch refusals := []int{302, 303, 401, 403}; {
			case want:
			case who == nobody && a.Status != http.StatusBadRequest:
				t.Errorf("%.80q: status %d, want 400 for everyone", form, a.Status)
			case who != nobody && !slices.Contains(refusals, a.Status):
				t.Errorf("%.80q: refused with %d", form, a.Status)
			}
		}
	}
	t.Logf("%d forms, three times each; the app saw %d requests", len(forms), app.Count())
	noPanic(t, g)
}

// signedIn makes bob, who is in no group, and ann, who is in ops, signs both in
// by password, and returns their Cookie headers.
func signedIn(t testing.TB, g *gateway, host, path string) map[string]string {
	t.Helper()
	cookies := map[string]string{}
	for name, more := range map[string][]string{"bob": nil, "ann": {"--group", "ops"}} {
		password := newAccount(t, g, name, more...)
		c := newClient(t, g, host)
		if end := c.SignIn(path, name, password, ""); end.Text("user") != name {
			t.Fatalf("%s is not signed in: %s %d %q", name, end.URL, end.Status, end.Heading())
		}
		cookies[name] = c.cookieLine(host)
	}
	return cookies
}
